"""100STYLE: one performer walks, runs, side-steps and stands in a hundred styles (BVH, 60 fps).

(c) Ian Mason, Sebastian Starke, Taku Komura, "Real-Time Style Modelling of Human Locomotion via
Feature-Wise Transformations and Local Motion Phases" (2022), CC BY 4.0. Layout:
``<Style>/<Style>_<movement>.bvh`` with ``Frame_Cuts.csv`` (which frames of each file are the style and not
a T-pose or a lead-in) and ``Dataset_List.csv`` (which styles are symmetric).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.clip import Clip
from ...backend.motion.grounding import floor_height, ground, place_on_floor
from ..formats import bvh
from ..formats.source import SourceMotion, frame_picks
from ..retargeting.retarget import Rig, retarget
from . import rigs_bvh
from .item import Item, Split
from .job import FPS, Job
from .metadata import Emotion, EnhancedMetadata
from .raw import Raw

NAME = "100style"
LICENCE = "CC-BY-4.0"
ATTRIBUTION = "100STYLE, I. Mason, S. Starke, T. Komura, CC BY 4.0, modified"
UNIT = 0.01
"""Metres per unit of the files."""
CUTS, LIST = "Frame_Cuts.csv", "Dataset_List.csv"

HELD_OUT = frozenset({"Roadrunner", "ShieldedLeft", "Skip", "Star", "WildArms"})
"""The five styles that the authors keep from training: ours for testing."""

MOVEMENTS: dict[str, tuple[str, str]] = {
    "FW": ("a person walks forward", "someone is walking straight ahead"),
    "BW": ("a person walks backwards", "someone steps backward"),
    "SW": ("a person walks sideways", "someone sidesteps"),
    "FR": ("a person runs forward", "someone is running straight ahead"),
    "BR": ("a person runs backwards", "someone runs in reverse"),
    "SR": ("a person runs sideways", "someone sidesteps quickly"),
    "ID": ("a person stands in place", "someone is standing around"),
    **dict.fromkeys(
        ("TR1", "TR2", "TR3"),
        ("a person changes between standing, walking and running", "someone speeds up and slows down"),
    ),
}
"""What the performer does, by the file's last word."""


def jobs(raw: Raw) -> Iterator[Job]:
    """One job per BVH file.

    Raises:
        BadInput: the set or its ``Frame_Cuts.csv`` is missing.
    """
    home = _home(raw)
    cuts, symmetric = _cuts(home / CUTS), _symmetric(home / LIST)
    words = {row["style"]: row for row in raw.table(f"{NAME}/styles.csv")}
    files = {path.stem: path for path in sorted(home.rglob("*.bvh"))}
    for name, path in sorted(files.items()):
        style, _, movement = name.rpartition("_")
        cut = cuts.get(name)
        row = words.get(style, {"how": "", "emotion": ""})
        yield Job(
            NAME, name, convert, path,
            {"cut": cut, "symmetric": symmetric.get(style)},
            [_item(name, style, movement, row["how"], row["emotion"], known=style in words)],
            left_out="" if cut else f"{CUTS} gives no frames for it",
        )  # fmt: skip


def _item(name: str, style: str, movement: str, how: str, emotion: str, *, known: bool) -> Item:
    text = [" ".join(f"{what} {how}".split()) for what in MOVEMENTS.get(movement, ())] if known else []
    split: Split = "test" if style in HELD_OUT else "train"
    return Item(
        dataset=NAME, motion_name=name, trial=name, kind="whole", split=split, text=text, emotion=emotion,
        caption_source="styles" if text else "", actor="Null", source=ATTRIBUTION, licence=LICENCE,
        metadata=EnhancedMetadata(emotion=Emotion(emotion_label=emotion) if emotion else None),  # type: ignore[arg-type]
    )  # fmt: skip


def _home(raw: Raw) -> Path:
    try:
        return raw.home("100STYLE", CUTS)
    except BadInput:
        return raw.home(NAME, CUTS)


def _cuts(path: Path) -> dict[str, tuple[int, int]]:
    """First frame and end (half-open) of each file; files without a whole span are left out."""
    result = {}
    for row in _rows(path):
        style = row.get("STYLE_NAME", "").strip()
        for column, value in row.items():
            movement = column.strip().removesuffix("_START")
            if movement == column.strip():
                continue
            try:
                span = int(value), int(row.get(f"{movement}_STOP", ""))
            except ValueError:
                continue  # N/A: the style was not recorded so
            if 0 <= span[0] < span[1]:
                result[f"{style}_{movement}"] = span
    return result


def _symmetric(path: Path) -> dict[str, bool]:
    """By style whether it is the same on both sides; nothing where the list is missing."""
    answers = {"yes": True, "no": False}
    result = {}
    for row in _rows(path) if path.is_file() else ():
        values = list(row.values())
        found = [answers[v.strip().lower()] for v in values[1:] if v and v.strip().lower() in answers]
        if found and values[0]:
            result[values[0].strip()] = found[0]
    return result


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            reader = csv.DictReader(file, restkey="", restval="")
            return [{str(k): v for k, v in row.items() if isinstance(v, str)} for row in reader]
    except (OSError, csv.Error) as error:
        raise BadInput(f"{path.name} cannot be read ({error}).", field="root") from None


def _read(path: Path, cut: tuple[int, int] | None, fps: float) -> tuple[SourceMotion, float, int]:
    """The frames of the style at ``fps``, the file's own rate, and how many of its frames they were.

    Raises:
        BadInput: it is no BVH of this skeleton, or the cut lies beyond its end.
    """
    file = bvh.read_bvh(path)
    missing = [name for name in rigs_bvh.joints_of(rigs_bvh.STYLE100) if name not in file.names]
    if missing:
        raise BadInput(f"{path.name} is no 100STYLE skeleton: it has no joint {missing[0]}.", field="path")
    first, end = (0, len(file.values)) if cut is None else (cut[0], min(cut[1], len(file.values)))
    if end - first < 2:
        raise BadInput(
            f"{path.name} has {len(file.values)} frames, but {CUTS} begins at {first}.", field="path"
        )
    rate = bvh.frame_rate(file, path.name)
    rows = first + np.round(frame_picks(end - first, rate, fps)).astype(int)
    return bvh.motion_of(file, rows=rows, fps=fps, unit=UNIT), rate, end - first


def convert(path: Path, *, cut: tuple[int, int] | None = None, symmetric: bool | None = None) -> Clip:
    """The clip, its feet on the floor.

    Args:
        path: the file.
        cut: first frame and end of the style, clamped to the file; ``None`` for all of it.
        symmetric: whether the style is; told in ``meta`` where it is known.
    """
    motion, rate, frames = _read(path, cut, FPS)
    clip = retarget(motion, rigs_bvh.STYLE100)
    clip = ground(place_on_floor(clip, floor_height(clip)))
    facts = {} if symmetric is None else {"symmetric": symmetric}
    return clip.replace(meta={**clip.meta, **facts, "original_fps": rate, "original_frames": frames})


def source_of(job: Job) -> tuple[SourceMotion, Rig]:
    """What the job retargets."""
    return _read(job.path, job.arguments["cut"], FPS)[0], rigs_bvh.STYLE100
