"""Which sequences go into which split, and the frames drawn from each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import keys
from ...backend.motion.archive import Archive
from ..data.amass_files import AmassFiles, model_of, subset_of
from ..data.store import iter_index

SPLITS = ("train", "vald", "test")

RECOMMENDED: dict[str, tuple[str, ...]] = {
    "vald": ("HumanEva", "MPI_HDM05", "SFU", "MPI_mosh"),
    "test": ("Transitions_mocap", "SSM_synced"),
    "train": (
        "CMU", "MPI_Limits", "TotalCapture", "Eyes_Japan_Dataset", "KIT", "BML", "EKUT", "TCD_handMocap", "ACCAD",
    ),
}  # fmt: skip
"""AMASS's recommended splits by the folder names of the first release."""

BML = ("BMLrub", "BMLmovi")
"""What the historic folder ``BML`` stands for: the collections of the BioMotionLab under their later names.
Its BMLhandball was never part of these splits and stays out, as does every other later subset."""

SPLIT_OF: dict[str, str] = {
    today: split
    for split, folders in RECOMMENDED.items()
    for folder in folders
    for today in (BML if folder == "BML" else (subset_of(folder) or folder,))
}
"""Split of every subset, by today's name."""

CENTRE = (0.1, 0.9)
"""Frames before and after this share of a sequence are T-poses and the like."""

GENDERS = {"male": -1, "neutral": 0, "female": 1}
BODY_AND_HANDS = [*range(22), *range(25, 55)]
"""The 52 joints of SMPL+H among the 55 of SMPL-X."""
WIDTHS = {"pose": 156, "betas": 16, "trans": 3, "dmpl": 8}


@dataclass(frozen=True)
class Sequence:
    """One motion file.

    Attributes:
        name: the same for every release and on every machine; decides which frames are drawn.
        subset: an AMASS subset, or a data set of a store.
        split: of :data:`SPLITS`.
        path: the file.
    """

    name: str
    subset: str
    split: str
    path: Path

    def stamp(self) -> str:
        """Changes when the file does."""
        try:
            state = self.path.stat()
        except OSError:
            return f"{self.name} absent"
        return f"{self.name} {state.st_size} {state.st_mtime_ns}"


def amass_sequences(root: Path) -> tuple[list[Sequence], dict[str, str]]:
    """Sequences of an AMASS folder, and those left out with the reason.

    Where a sequence is there as SMPL+H and as SMPL-X, the SMPL+H file is read, which has the DMPL
    coefficients of the soft tissue.

    Raises:
        BadInput: there is no AMASS sequence under ``root``.
    """
    files = AmassFiles(Path(root))
    if not files.sequences:
        raise BadInput(
            f"There is no AMASS sequence under {root}.",
            hint="Expected <subset>/<subject>/<sequence>_poses.npz or ..._stageii.npz.",
            field="amass",
        )
    found, left_out = [], {}
    for sequence in files.sequences.values():
        subset = BML[0] if sequence.subset == "BML" else sequence.subset
        if subset not in SPLIT_OF:
            left_out[sequence.name] = f"{subset} is in no split."
            continue
        below = {file: PurePosixPath(file.relative_to(root).as_posix()) for file in sequence.files}
        smplh = (file for file in sequence.files if model_of(below[file]) == "smplh")
        path = next(smplh, sequence.best)
        found.append(Sequence(sequence.name, subset, SPLIT_OF[subset], path))
    return found, left_out


def store_sequences(store: Path) -> list[Sequence]:
    """The clips of a store, in the splits of its index (``val`` is called ``vald`` here).

    A clip with pieces in several splits goes whole to the one that must not leak: test, then val.
    """
    order = {"train": 0, "val": 1, "test": 2}
    clips: dict[str, tuple[str, str]] = {}
    for item in iter_index(store):
        dataset, split = clips.get(item.path, (item.dataset, "train"))
        clips[item.path] = dataset, max(split, item.split, key=order.__getitem__)
    return [
        Sequence(path.removeprefix("clips/").removesuffix(".npz"), dataset, "vald" if split == "val" else split, store / path)
        for path, (dataset, split) in sorted(clips.items())
    ]  # fmt: skip


def picked(frames: int, name: str, seed: int, keep: float) -> np.ndarray:
    """Frame numbers drawn without replacement from the central part of a sequence, in order.

    A sequence draws from a generator of its own, so the frames depend neither on the other sequences
    nor on the number of processes.

    Args:
        frames: of the sequence, N.
        name: of the sequence.
        seed: of the run.
        keep: share of the central frames; ``int(keep * 0.8 * N)`` are drawn.
    """
    first, last = (int(share * frames) for share in CENTRE)
    count = min(int(keep * (CENTRE[1] - CENTRE[0]) * frames), last - first)
    words = np.frombuffer(hashlib.sha256(name.encode()).digest(), "<u4")
    generator = np.random.default_rng([seed, *words])
    return first + np.sort(generator.choice(last - first, count, replace=False))


def draw(sequence: Sequence, seed: int, keep: float) -> dict[str, np.ndarray]:
    """The drawn frames of one file, float32 rows: pose 156, betas 16, trans 3, gender, dmpl 8 where it has them.

    Poses stay in the world of the file (AMASS: Z up; a store's files are written so), as do ``trans``.

    Raises:
        BadInput: the file cannot be used, with the reason.
    """
    with Archive(sequence.path) as file:
        poses, _ = keys.read_poses(file, [])
        frames = picked(len(poses), sequence.name, seed, keep)
        if not len(frames):
            raise BadInput(f"{sequence.path.name} has only {len(poses)} frames, too few to draw from.")
        rows = {
            "pose": poses[frames][:, BODY_AND_HANDS].reshape(len(frames), -1),
            "betas": np.tile(_width(keys.read_betas(file)[None], WIDTHS["betas"]), (len(frames), 1)),
            "trans": keys.read_trans(file, len(poses))[frames],
            "gender": np.full(len(frames), GENDERS[keys.read_gender(file)]),
        }
        if "dmpls" in file:
            dmpls = keys.read_numbers(file, "dmpls")
            if dmpls.ndim != 2 or len(dmpls) != len(poses):
                raise BadInput(
                    f"{file.name}: dmpls has the shape {dmpls.shape}; expected ({len(poses)}, 8).",
                    field="dmpls",
                )
            rows["dmpl"] = _width(dmpls[frames], WIDTHS["dmpl"])
    return {
        name: values.astype(np.int16 if name == "gender" else np.float32) for name, values in rows.items()
    }


def _width(rows: np.ndarray, width: int) -> np.ndarray:
    """Rows of a fixed width: further coefficients are cut, missing ones are zero."""
    result = np.zeros((len(rows), width))
    count = min(width, rows.shape[1])
    result[:, :count] = rows[:, :count]
    return result


def by_split(sequences: list[Sequence]) -> Iterator[tuple[str, list[Sequence]]]:
    for split in SPLITS:
        yield split, [sequence for sequence in sequences if sequence.split == split]
