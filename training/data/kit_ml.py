"""KIT Motion-Language (Plappert et al., Big Data 2016), as joints at 100 Hz or in HumanML3D's layout.

The owners' download has ``<id>_annotations.json`` and ``<id>_meta.json`` beside motion in the Master Motor
Map format; language2pose's scripts make ``<id>_fke.csv`` (T, 21, 3) of it. Text-to-motion's release has the
same joints at 12.5 frames a second as ``new_joints`` (21 joints) and 251 features. Where both are there, the
100 Hz file is converted.

**Left and right.** The scripts reflect the motion: joints named L (the left ones, as the owners name them)
lie on the right of where the toes point. TEMOS undoes that before it renders; text-to-motion calls them
right instead, so that its motion is the mirror image of what the captions say. Each file is measured, and
by default reflected back.

Licence: the site asks for citation; no terms were found. Treat it as for research.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.fitting.finish import finish
from ...backend.motion.fitting.layouts import KIT
from ...backend.motion.fitting.published import Sides, fit_kit
from ..formats.source import frame_picks
from . import t2m_layout
from .captions import Caption
from .humanml3d_texts import Texts, read_splits
from .item import Split
from .job import FPS, Converted, Job
from .raw import Raw

SET = "kit_ml"
LICENCE = "KIT Motion-Language: citation asked for, no licence stated"
ATTRIBUTION = "KIT Motion-Language, Plappert et al., Big Data 2016"
ORIGINAL_FPS, RELEASE_FPS = 100.0, 12.5
_FOLDERS = ("kit_ml", "KIT-ML", "kit", "KIT", "kit-mocap")


def jobs(raw: Raw, *, mirrored: bool = True, sides: Sides = "names") -> Iterator[Job]:
    """One job per motion of either layout, and one per file without motion or that cannot be read.

    Args:
        raw: one of the folders ``kit_ml``, ``KIT-ML``, ``kit``, ``kit-mocap``, or such a folder as root.
        mirrored: without it, mirror images (of the release) are left out by name.
        sides: see :data:`..data.published.Sides`.
    """
    folders = raw.places(*_FOLDERS)
    originals = next((folder for folder in folders if any(folder.glob("*_annotations.json"))), None)
    originals = originals or next((folder for folder in folders if any(folder.glob("*_fke.csv"))), None)
    try:
        release = t2m_layout.homes(raw, *_FOLDERS)[0]
    except BadInput:
        release = None
    if originals is None and release is None:
        raise BadInput(
            f"There is no folder kit_ml with *_annotations.json or new_joints under {raw.root}.", field="root"
        )
    splits = read_splits(release) if release else {}
    motions = _motions(originals) if originals else {}
    for name in sorted(motions):
        yield from _original_jobs(name, motions[name], splits, sides)
    if release:
        done = {name for name, files in motions.items() if _FKE in files}
        yield from _release_jobs(release, splits, done, mirrored=mirrored, sides=sides)


_FKE, _ANNOTATIONS, _META = "_fke.csv", "_annotations.json", "_meta.json"
_RAW_MOTION = ("_mmm.xml", "_raw.c3d")


def _motions(folder: Path) -> dict[str, dict[str, Path]]:
    """Files of each id by what follows it."""
    found: dict[str, dict[str, Path]] = {}
    with os.scandir(folder) as files:
        for file in files:
            for ending in (_FKE, _ANNOTATIONS, _META, *_RAW_MOTION):
                if file.name.endswith(ending):
                    found.setdefault(file.name.removesuffix(ending), {})[ending] = Path(file.path)
    return found


def _original_jobs(
    name: str, files: dict[str, Path], splits: dict[str, Split], sides: Sides
) -> Iterator[Job]:
    if _FKE not in files:
        why = "Its joints are missing: make _fke.csv from _mmm.xml with language2pose's scripts."
        path = next(files[ending] for ending in (*_RAW_MOTION, _ANNOTATIONS, _META) if ending in files)
        yield Job(SET, name, _unusable, path, {"why": why})
        return
    texts: list[str] = []
    if _ANNOTATIONS in files:
        try:
            texts = read_annotations(files[_ANNOTATIONS])
        except BadInput as error:
            yield Job(SET, f"{name}{_ANNOTATIONS}", _unusable, files[_ANNOTATIONS], {"why": error.message})
    captions = [Caption(text, "", 0.0, None) for text in texts]
    items = t2m_layout.items_of(
        SET, name, captions, split=splits.get(name, "train"), common=_common(name, texts)
    )
    yield Job(SET, name, convert_original, files[_FKE], {"sides": sides}, items)


def _common(trial: str, texts: Sequence[object]) -> dict[str, str]:
    return {
        "trial": trial,
        "source": ATTRIBUTION,
        "licence": LICENCE,
        "caption_source": SET if texts else "",
    }


def _release_jobs(
    folder: Path, splits: dict[str, Split], done: set[str], *, mirrored: bool, sides: Sides
) -> Iterator[Job]:
    texts = Texts(folder)
    for entry in t2m_layout.entries(folder):
        left_out = ""
        if entry.name in done:
            left_out = "The 12.5 fps copy of a motion that is converted at 100."
        elif entry.mirror_of and not mirrored:
            left_out = f"The mirror image of {entry.mirror_of}."
        elif splits and entry.name not in splits:
            left_out = "KIT-ML's release has it in no split."
        captions = t2m_layout.captions_of(entry, texts)
        items = t2m_layout.items_of(
            SET, entry.name, captions, split=splits.get(entry.name, "train"), common=_common(entry.original, captions),
        )  # fmt: skip
        arguments = {"joints": entry.joints, "vectors": entry.vectors, "folder": folder, "sides": sides}
        name = f"{entry.name}.release" if entry.name in done else entry.name
        yield Job(SET, name, convert_release, entry.path, arguments, items, left_out)


def read_annotations(path: Path) -> list[str]:
    """Captions of one motion.

    Raises:
        BadInput: the file is no list of sentences.
    """
    try:
        texts = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        raise BadInput(f"{path.name} is no JSON file.") from None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadInput(f"{path.name} is no list of sentences.")
    plain = (" ".join(text.split()).rstrip(".").strip() for text in texts)
    return [text for text in plain if text]


def read_fke(path: Path) -> np.ndarray:
    """Joints (T, 21, 3) of a ``_fke.csv``, in the order of :data:`KIT`, in the file's unit.

    With or without a header and a column of row numbers; named columns (``LS_tx``) may stand in any order.

    Raises:
        BadInput: other columns, cut short, or no motion.
    """
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        head = lines[0].split(",") if lines else [""]
        named = not _is_number(head[-1])
        if not any(line.strip() for line in lines[named:]):
            raise BadInput(f"{path.name} has no rows.")
        rows = np.loadtxt(lines[named:], delimiter=",", ndmin=2, comments=None)
    except (OSError, ValueError):
        raise BadInput(f"{path.name} is no table of numbers, or is cut short.") from None
    wanted = [f"{joint}_t{axis}" for joint in KIT.names for axis in "xyz"]
    if named and set(wanted) <= set(head) and rows.shape[1] == len(head):
        rows = rows[:, [head.index(column) for column in wanted]]
    elif rows.shape[1] in (len(wanted), len(wanted) + 1):
        rows = rows[:, -len(wanted) :]
    else:
        raise BadInput(f"{path.name} has {rows.shape[1]} columns, not 3 for each of {KIT.joints} joints.")
    if len(rows) < t2m_layout.SHORTEST:
        raise BadInput(f"{path.name} has {len(rows)} frame{'s' * (len(rows) != 1)}.")
    if not np.isfinite(rows).all():
        raise BadInput(f"{path.name} holds numbers that are not finite.")
    return rows.reshape(len(rows), KIT.joints, 3)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def convert_original(path: Path, *, sides: Sides = "names") -> Converted:
    """Fit a motion at 100 frames a second.

    Raises:
        BadInput: see :func:`read_fke`.
    """
    positions = read_fke(path)
    at, step = frame_picks(len(positions), ORIGINAL_FPS, FPS), np.arange(len(positions))
    flat = positions.reshape(len(positions), -1)
    sampled = np.stack([np.interp(at, step, column) for column in flat.T], axis=1)
    return _fitted(sampled.reshape(-1, KIT.joints, 3), FPS, sides, ORIGINAL_FPS, len(positions), [])


def convert_release(
    path: Path, *, joints: Path | None, vectors: Path | None, folder: Path, sides: Sides = "names"
) -> Converted:
    """Fit a motion of text-to-motion's release, see :func:`.humanml3d.convert`.

    Raises:
        BadInput: neither file can be used.
    """
    positions, faults = t2m_layout.read_motion(joints, vectors, KIT, folder)
    return _fitted(positions, RELEASE_FPS, sides, RELEASE_FPS, len(positions), faults)


def _fitted(
    positions: np.ndarray, fps: float, sides: Sides, original_fps: float, frames: int, faults: list[str]
) -> Converted:
    clip = finish(fit_kit(positions, fps, sides), FPS)
    meta = {
        "original_fps": original_fps,
        "original_frames": frames,
    }
    return Converted(clip.replace(meta={**clip.meta, **meta, **({"faults": faults} if faults else {})}))


def _unusable(_: Path, *, why: str) -> Converted:
    raise BadInput(why)
