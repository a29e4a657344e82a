"""Finding AMASS sequences on disk, whatever release, body model and folder names they came with.

AMASS (Mahmood et al., ICCV 2019) is handed out once per body model: SMPL+H as
``<subset>/<subject>/<sequence>_poses.npz`` and SMPL-X as ``<subset>/<subject>/<sequence>_stageii.npz``. The
later release renamed eight subsets and turned the spaces of file names into underscores, so both trees are
matched by a :func:`sequence_key` that ignores case, spaces and the renames.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

Model = Literal["smplx", "smplh"]

SUBSETS: dict[str, tuple[str, ...]] = {
    "ACCAD": (),
    "BMLhandball": (),
    "BMLmovi": (),
    "BMLrub": ("BioMotionLab_NTroje",),
    "CMU": (),
    "CNRS": (),
    "DFaust": ("DFaust_67",),
    "DanceDB": (),
    "EKUT": (),
    "Eyes_Japan_Dataset": ("Eyes_Japan",),
    "GRAB": (),
    "HDM05": ("MPI_HDM05",),
    "HUMAN4D": (),
    "HumanEva": (),
    "KIT": (),
    "MoSh": ("MPI_mosh",),
    "PosePrior": ("MPI_Limits",),
    "SFU": (),
    "SOMA": (),
    "SSM": ("SSM_synced",),
    "TCDHands": ("TCD_handMocap",),
    "TotalCapture": (),
    "Transitions": ("Transitions_mocap",),
    "WEIZMANN": ("Weizmann",),
}
"""Today's name of every subset, and the names of earlier releases."""

_WRAPPERS = re.compile(r"amass(_?data)?|smpl[\s_+-]?[hx]([\s_+-]?[gn])?|(fe)?male|neutral", re.IGNORECASE)
"""Folders that hold a whole release, not a subset."""

MOTION_ENDINGS: dict[str, Model] = {"_stageii.npz": "smplx", "_poses.npz": "smplh"}


def _plain(name: str) -> str:
    return name.replace("_", "").casefold()


_SUBSET_OF = {_plain(name): today for today, old in SUBSETS.items() for name in (today, *old)}


def subset_of(folder: str) -> str | None:
    """Today's name of the subset in a folder of this name; None when there is none."""
    return _SUBSET_OF.get(_plain(folder))


def sequence_name(path: PurePosixPath) -> str:
    """``CMU/01/01_01``: subset by today's name, subject and sequence; no ending, no spaces.

    Args:
        path: of a motion file, with any folders above the subset. A subset that is not known is the first
            folder below those named after a release (``amass``, ``SMPLH_G``).
    """
    folders = path.parent.parts
    # The subset may be doubled (CMU/CMU/01) or sit in a folder of its new name (BMLrub/BioMotionLab_NTroje).
    known = [i for i, folder in enumerate(folders) if subset_of(folder)]
    if known:
        parts = (subset_of(folders[known[-1]]) or "", *folders[known[-1] + 1 :])
    else:
        parts = tuple(folder for folder in folders if not _WRAPPERS.fullmatch(folder))
    stem = re.sub(r"(_poses|_stageii)?\.np[yz]$", "", path.name)
    return "/".join(re.sub(r"\s+", "_", part.strip()) for part in (*parts, stem))


def sequence_key(name: str) -> str:
    """A sequence name by which both releases agree."""
    return re.sub(r"[\s_]+", "_", name).casefold()


def model_of(path: PurePosixPath) -> Model:
    """The body model, judged by the name: SMPL-X files are often renamed to ``_poses`` in a folder ``SMPLX``."""
    if any(re.search(r"smpl[\s_-]?x", folder, re.IGNORECASE) for folder in path.parent.parts):
        return "smplx"
    return next((model for ending, model in MOTION_ENDINGS.items() if path.name.endswith(ending)), "smplh")


@dataclass
class AmassSequence:
    """The files of one sequence.

    Attributes:
        name: see :func:`sequence_name`.
        files: best first: SMPL-X before SMPL+H (the clips are SMPL-X), gender-neutral before gendered.
    """

    name: str
    files: list[Path] = field(default_factory=list)

    @property
    def subset(self) -> str:
        return self.name.split("/")[0]

    @property
    def best(self) -> Path:
        return self.files[0]

    def twin(self, root: Path) -> Path | None:
        """The SMPL+H file beside an SMPL-X file: its frame rate is the true one."""
        if model_of(_below(self.best, root)) == "smplh":
            return None
        return next((file for file in self.files if model_of(_below(file, root)) == "smplh"), None)


def _below(path: Path, root: Path) -> PurePosixPath:
    return PurePosixPath(path.relative_to(root).as_posix())


def _rank(path: PurePosixPath) -> tuple[bool, bool, str]:
    neutral = any(
        re.search(r"neutral|smpl[\s_+-]?[hx][\s_-]?n\b", folder, re.IGNORECASE)
        for folder in path.parent.parts
    )
    return model_of(path) == "smplh", not neutral, str(path)


class AmassFiles:
    """All AMASS files below a folder; only names are held, no file is opened.

    Attributes:
        root: the folder.
        sequences: by :func:`sequence_key`, in order of their names.
        others: files that are no motion (``shape.npz``, ``*_stagei.npz``).
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sequences: dict[str, AmassSequence] = {}
        self.others: list[Path] = []
        for path in _npz_files(root):
            below = _below(path, root)
            if path.name.endswith(tuple(MOTION_ENDINGS)):
                name = sequence_name(below)
                self.sequences.setdefault(sequence_key(name), AmassSequence(name)).files.append(path)
            elif path.name == "shape.npz" or path.name.endswith("_stagei.npz"):
                self.others.append(path)
        for sequence in self.sequences.values():
            sequence.files.sort(key=lambda file: _rank(_below(file, root)))
        self.sequences = dict(sorted(self.sequences.items()))

    def find(self, name: str) -> AmassSequence | None:
        """The sequence of this name, of any release."""
        return self.sequences.get(sequence_key(name))


def _npz_files(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            if name.endswith(".npz"):
                yield Path(folder, name)


def name_of_path(text: str, *, skip: Sequence[str] = ()) -> str:
    """The sequence that another set's annotation points to.

    Args:
        text: ``./pose_data/KIT/3/kick_high_left02_poses.npy`` (HumanML3D),
            ``CMU/CMU/141/141_05_poses.npz`` (BABEL).
        skip: folders that are no subset.
    """
    path = PurePosixPath(text.replace("\\", "/"))
    return sequence_name(PurePosixPath(*(part for part in path.parts if part not in skip and part != "..")))
