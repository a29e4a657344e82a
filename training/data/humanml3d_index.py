"""HumanML3D's list of cuts (Guo et al., CVPR 2022): which stretch of which AMASS sequence is which clip.

``index.csv`` counts frames of the sequence thinned out by the integer step ``int(fps / 20)``, after a head
was trimmed that depends on the subset; ``start_frame`` to ``end_frame`` is half-open. The thinned rate is 20
only where 20 divides the true rate: 30 for the 59.99 fps clips of SSM, 20.8 for 250 fps, 21.4 for 150 fps.
``end_frame`` -1 means the whole clip, which happens only for HumanAct12 (joints, no SMPL parameters).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ...backend.errors import BadInput
from .amass_files import name_of_path

NOMINAL_FPS = 20.0
TRIMS: dict[str, int] = {
    "Eyes_Japan_Dataset": 60, "HDM05": 60, "TotalCapture": 20, "PosePrior": 20, "Transitions": 10,
}  # fmt: skip
"""Thinned frames cut off the head of every sequence of a subset (today's names)."""
HUMANACT12 = "humanact12"


@dataclass(frozen=True)
class Cut:
    """One row.

    Attributes:
        clip: HumanML3D's id (``000004``).
        source: the AMASS sequence, see :func:`.amass_files.sequence_name`.
        trim: thinned frames that the subset loses at its head.
        start, end: thinned frames after the trim, half-open; -1 for the end of the sequence.
    """

    clip: str
    source: str
    trim: int
    start: int
    end: int

    @property
    def is_humanact12(self) -> bool:
        return self.source.split("/")[0].casefold() == HUMANACT12

    def frames(self, fps: float, count: int) -> tuple[int, int, int]:
        """Where the cut lies in the frames of its file.

        Args:
            fps: the true rate of the file.
            count: its frames.

        Returns:
            first frame, frame after the last, and the step that thins it to HumanML3D's frames.

        Raises:
            BadInput: nothing of the cut is in the file.
        """
        step = step_of(fps)
        first = (self.trim + self.start) * step
        stop = count if self.end < 0 else min((self.trim + self.end) * step, count)
        if stop - first < 2:
            raise BadInput(
                f"Clip {self.clip} is cut to frames {self.trim + self.start} to {self.trim + self.end} at 20 fps, "
                f"but {self.source} has {-(-count // step)}."
            )
        return first, stop, step


def step_of(fps: float) -> int:
    """HumanML3D keeps every so-manieth frame of a file."""
    return max(int(fps / NOMINAL_FPS), 1)


def seconds_per_nominal(fps: float | None) -> float:
    """Real seconds in a second of HumanML3D's captions, which count 20 thinned frames as one."""
    return NOMINAL_FPS * step_of(fps) / fps if fps else 1.0


def read_index(path: Path) -> tuple[list[Cut], list[str]]:
    """All rows of an ``index.csv``, and one sentence for each row that is none.

    Raises:
        BadInput: the file cannot be read or has other columns.
    """
    cuts: list[Cut] = []
    faults: list[str] = []
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            for number, row in enumerate(_rows(file, path.name), 2):
                try:
                    cuts.append(_cut(row))
                except (KeyError, TypeError, ValueError):
                    faults.append(f"Line {number} of {path.name} is no cut.")
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read ({error.strerror}).", field="root") from None
    return cuts, faults


def _rows(file: Iterator[str], name: str) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(line.replace("\0", "") for line in file)
    wanted = {"source_path", "start_frame", "end_frame", "new_name"}
    if not wanted <= set(reader.fieldnames or ()):
        raise BadInput(f"{name} has not the columns {', '.join(sorted(wanted))}.", field="root")
    yield from reader


def _cut(row: dict[str, str]) -> Cut:
    source = name_of_path(row["source_path"], skip=("pose_data",))
    clip = Path(row["new_name"]).stem
    start, end = int(row["start_frame"]), int(row["end_frame"])
    if not clip or start < 0 or (end <= start and end != -1):
        raise ValueError
    return Cut(clip, source, TRIMS.get(source.split("/")[0], 0), start, end)
