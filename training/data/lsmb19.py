"""LSMB19 (Masaryk University): NTU RGB+D actions as samples and as two very long sequences, for research.

``cs_training_samples.txt`` and ``cv_training_samples.txt`` (cross-subject, cross-view): a header
``SsssCcccPpppRrrrAaaa_<offset>``, then a line a frame, 25 ``x, y, z`` joined by ``;``. Ground truth of a
long sequence: tab-separated lines whose first column has the class as its fourth ``_`` field, then first
frame and number of frames. Files are told apart by what is in them; the coordinates by :mod:`.kinect_frame`.
The files are large: they are read once to find where the actions lie, and each job reads its own piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.clip import Clip, resample
from ...backend.motion.grounding import foot_heights
from ...backend.motion.skeleton import PARTS
from ..formats.ntu import FPS as SOURCE_FPS
from ..formats.ntu import JOINTS
from . import kinect
from .item import Item
from .job import FPS, Job
from .kinect_frame import Frame, detect
from .ntu_rgbd import PATTERN, SYMMETRIC, Sample, Words, actions
from .raw import Raw

NAME = "lsmb19"
LICENCE = "LSMB19 / NTU RGB+D: research only"
ATTRIBUTION = "LSMB19, DISA, Masaryk University; NTU RGB+D, ROSE Lab, Nanyang Technological University"
LOOKED_AT = 40
"""Samples of a file that are looked at to find out its coordinates."""
_ENOUGH = 1 << 20
"""Bytes of a long sequence that are."""
_PEEK = 4096
_HEADER = re.compile(rb"S\d{3}C\d{3}P\d{3}R\d{3}A\d{3}(_\d+)*")


@dataclass(frozen=True)
class Piece:
    """An action in a file: its name and its lines, by their bytes."""

    name: str
    start: int
    length: int


def jobs(raw: Raw) -> Iterator[Job]:
    """One job per training sample and one per action that the ground truth finds in a long sequence.

    Raises:
        BadInput: the set is not there.
    """
    home = raw.home(NAME, "*_training_samples.txt", "*/*_training_samples.txt")
    kinds: dict[str, list[Path]] = {"samples": [], "truth": [], "sequence": [], "": []}
    for path in sorted(home.rglob("*.txt")):
        kinds[_kind(path)].append(path)
    words, seen = actions(raw), dict[str, str]()
    for path in kinds["samples"]:
        protocol, frame = _protocol(path), _frame_of(path)
        for piece in pieces(path):
            label = PATTERN.search(piece.name)
            first = seen.setdefault(piece.name, protocol)
            yield _job(
                path, f"{protocol}/{piece.name}", label.group() if label else "", piece, frame, words,
                left_out=f"the same sample is in {first}" if first != protocol else "",
            )  # fmt: skip
    for path in kinds["sequence"]:
        truth = [p for p in kinds["truth"] if _protocol(p) == _protocol(path)]
        if not truth and len(kinds["truth"]) == len(kinds["sequence"]) == 1:
            truth = kinds["truth"]
        if not truth:
            continue
        frame = _frame_of(path)
        for piece, action in cuts(path, truth[0]):
            name = f"{_protocol(path)}_test/{piece.name}"
            yield _job(path, name, f"A{action:03d}", piece, frame, words, split="test")


def _job(
    path: Path, name: str, label: str, piece: Piece, frame: Frame, words: dict[int, Words],
    *, split: str = "train", left_out: str = "",
) -> Job:  # fmt: skip
    number = int(label[-3:]) if label else 0
    told, mutual = words.get(number, Words()), Sample(0, 0, 0, 0, number).mutual
    # Only one of two people is in a sample, and nothing says which.
    text = [told.text] if told.text and (not mutual or number in SYMMETRIC) else []
    item = Item(
        dataset=NAME, motion_name=name, trial=name, kind="whole", split=split,  # type: ignore[arg-type]
        text=text, both_text=[told.both] if told.both else [], caption_source="actions" if told.text else "",
        actor="Null", source=ATTRIBUTION, licence=LICENCE, commercial=False,
    )  # fmt: skip
    arguments = {
        "start": piece.start, "length": piece.length,
        "unit": frame.unit, "axes": frame.axes, "centred": frame.centred,
    }  # fmt: skip
    return Job(NAME, name, convert, path, arguments, [item], left_out=left_out)


def _kind(path: Path) -> str:
    """``samples`` (headers and frames), ``sequence`` (frames), ``truth``, or nothing of ours."""
    with path.open("rb") as file:
        lines = [line for line in file.read(_PEEK).splitlines() if line.strip()]
    if not lines:
        return ""
    if _truth_line(lines[0].decode("latin-1")):
        return "truth"
    if path.name.endswith("_training_samples.txt"):
        return "samples"
    frames = lines[1] if len(lines) > 1 and not lines[0].count(b";") else lines[0]
    return "sequence" if frames.count(b";") >= JOINTS - 1 else ""


def _protocol(path: Path) -> str:
    return re.split(r"[_\-.]", path.stem)[0]


def _frame_of(path: Path) -> Frame:
    samples = []
    for piece in pieces(path):
        try:
            samples.append(read_piece(path, piece.start, min(piece.length, _ENOUGH), whole=False))
        except BadInput:
            continue
        if len(samples) == LOOKED_AT:
            break
    return detect(samples)


def pieces(path: Path) -> Iterator[Piece]:
    """The samples of a file: what lies between one header and the next. Without headers: the whole file, nameless."""
    name, start, at = "", 0, 0
    with path.open("rb") as file:
        for line in file:
            at += len(line)
            header = None if b";" in line else _HEADER.search(line)
            if header:
                if name:
                    yield Piece(name, start, at - len(line) - start)
                name, start = header.group().decode("ascii"), at
    if name or at:
        yield Piece(name, start, at - start)


def _truth_line(line: str) -> tuple[int, int, int] | None:
    """Action, first frame and number of frames; ``None`` for a line that is no ground truth."""
    columns = [column.strip() for column in line.split("\t")]
    if len(columns) < 3 or not (columns[1].isdigit() and columns[2].isdigit()):
        return None
    full = PATTERN.search(columns[0])
    fields = columns[0].split("_")
    label = full["action"] if full else fields[3] if len(fields) > 3 else ""
    digits = re.sub(r"\D", "", label)
    return (int(digits), int(columns[1]), int(columns[2])) if digits else None


def cuts(path: Path, truth: Path) -> Iterator[tuple[Piece, int]]:
    """The actions of a long sequence, with their class, in the order of their first frames.

    An annotation that goes on after the end of the sequence ends with it; one that begins there is none.
    """
    marks = sorted({m for line in truth.read_text(encoding="latin-1").splitlines() if (m := _truth_line(line))},
                   key=lambda m: (m[1], m[2], m[0]))  # fmt: skip
    wanted = {m[1] for m in marks} | {m[1] + m[2] for m in marks}
    places: dict[int, int] = {}
    frame = at = 0
    with path.open("rb") as file:
        for line in file:
            if line.count(b";") >= JOINTS - 1:
                if frame in wanted:
                    places[frame] = at
                frame += 1
            at += len(line)
    for action, first, frames in marks:
        if first in places:
            start = places[first]
            yield (
                Piece(f"A{action:03d}_{first}_{frames}", start, places.get(first + frames, at) - start),
                action,
            )


def read_piece(path: Path, start: int, length: int, *, whole: bool = True) -> np.ndarray:
    """Joints (T, 25, 3) as written.

    Args:
        path: the file.
        start: first byte.
        length: number of bytes.
        whole: they end with a line; otherwise the last line is left out.

    Raises:
        BadInput: a line is no frame of 25 joints.
    """
    with path.open("rb") as file:
        file.seek(start)
        text = file.read(length).decode("latin-1").splitlines()
    # Lines of words (``#objectKey ...``) are no frames.
    lines = [
        line
        for line in text[: None if whole else -1]
        if ";" in line and line.lstrip()[0] in "+-.0123456789nN"
    ]
    if not lines:
        raise BadInput(f"A sample of {path.name} has no frames.", field="path")
    try:
        rows = [line.replace(";", " ").replace(",", " ").split() for line in lines]
        values = np.array(rows, dtype=np.float64).reshape(len(lines), JOINTS, 3)
    except ValueError:
        raise BadInput(
            f"A sample of {path.name} has a line that is no frame of {JOINTS} joints.", field="path"
        ) from None
    # A body that the sensor lost is written as zeros.
    values[~np.isfinite(values).all(axis=2) | (values == 0).all(axis=(1, 2))[:, None]] = np.nan
    return values


def convert(
    path: Path,
    *,
    start: int,
    length: int,
    unit: float,
    axes: tuple[tuple[float, float, float], ...],
    centred: bool,
) -> Clip:
    """One action.

    Args:
        path: the file it is in.
        start, length: its bytes.
        unit, axes, centred: see :class:`~.kinect_frame.Frame`.
    """
    joints = read_piece(path, start, length)
    world = Frame(unit, axes, centred).to_world(joints)
    clip = kinect.fit_people(kinect.trimmed([world]), fps=SOURCE_FPS)[0]
    if centred:
        clip = _standing(clip)
    frames = len(clip)
    clip = resample(clip, FPS)
    return clip.replace(
        meta={**clip.meta, "centred": centred, "original_fps": SOURCE_FPS, "original_frames": frames}
    )


def _standing(clip: Clip) -> Clip:
    """Where the root's path is lost the lower sole is put on the floor in every frame, and the part unknown."""
    lower = np.array(clip.trans)
    lower[:, 1] -= foot_heights(clip).min(axis=1)
    known = {**dict.fromkeys(PARTS, False), **clip.known, "lower_trans": False}
    return clip.replace(trans=lower, known=known)
