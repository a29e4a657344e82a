"""Mean and standard deviation of features, in memory that does not grow with the number of clips."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.fitting.layouts import Layout

FEAT_BIAS = 5.0
"""By how much T2M's training lowers the deviation of the root and of the contacts, so that they weigh more."""
FEWEST_FRAMES = 1

Grouping = Literal["humanml3d", "solami", "none"]


@dataclass
class Moments:
    """Count, mean and squared deviations of rows, added to clip by clip (Chan et al., 1979).

    Double precision: sums of single precision lose digits over millions of frames.
    """

    count: int = 0
    mean: np.ndarray = field(default_factory=lambda: np.zeros(0))
    squares: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def add(self, rows: np.ndarray) -> None:
        """Add rows (T, ...) of numbers."""
        if not len(rows):
            return
        rows = np.asarray(rows, np.float64)
        mean = rows.mean(0)
        self.merge(Moments(len(rows), mean, ((rows - mean) ** 2).sum(0)))

    def merge(self, other: Moments) -> None:
        """Add what was counted elsewhere."""
        if not other.count:
            return
        if not self.count:
            self.count, self.mean, self.squares = other.count, other.mean.copy(), other.squares.copy()
            return
        total = self.count + other.count
        step = other.mean - self.mean
        self.squares = self.squares + other.squares + step**2 * (self.count * other.count / total)
        self.mean = self.mean + step * (other.count / total)
        self.count = total

    def std(self) -> np.ndarray:
        """Of the population, as NumPy's ``std``."""
        return np.sqrt(self.squares / max(self.count, 1))

    def arrays(self, prefix: str = "") -> dict[str, np.ndarray]:
        """As arrays of a file; :meth:`of` reads them back."""
        return {
            f"{prefix}count": np.array(self.count), f"{prefix}mean": self.mean, f"{prefix}squares": self.squares,
        }  # fmt: skip

    @classmethod
    def of(cls, arrays: dict[str, np.ndarray], prefix: str = "") -> Moments:
        return cls(int(arrays[f"{prefix}count"]), arrays[f"{prefix}mean"], arrays[f"{prefix}squares"])


def mean_and_std(
    moments: Moments, layout: Layout, *, grouping: Grouping = "humanml3d", feat_bias: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """``Mean`` and ``Std`` (D,) float32 as published.

    Args:
        moments: of all rows.
        layout: which columns belong together.
        grouping: ``humanml3d``: one deviation for each of yaw, planar, height, positions, rotations,
            velocities, contacts; ``solami``: body, left and right hand apart as well (52 joints);
            ``none``: each column its own.
        feat_bias: divides the deviations of root and contacts; T2M's training uses 5, its files 1.

    Raises:
        BadInput: nothing was counted.
    """
    if moments.count < FEWEST_FRAMES:
        raise BadInput("There is not one frame to take a mean of.")
    std = moments.std()
    for columns in _groups(layout, grouping):
        std[columns] = std[columns].mean()
    for name in ("yaw", "planar", "height", "contacts"):
        std[layout.slices[name]] /= feat_bias
    return moments.mean.astype(np.float32), std.astype(np.float32)


def _groups(layout: Layout, grouping: Grouping) -> Iterator[slice]:
    if grouping == "none":
        return
    if grouping == "solami" and layout.joints != 52:
        raise BadInput("SOLAMI's grouping is for the 52 joints of the whole body.", field="grouping")
    widths = {"positions": (3, 1), "rotations": (6, 1), "velocities": (3, 0)}
    for name, columns in layout.slices.items():
        if grouping == "humanml3d" or name not in widths:
            yield columns
            continue
        width, skipped = widths[name]  # positions and rotations start at joint 1
        edges = [columns.start + width * (joint - skipped) for joint in (22, 37)]
        for start, stop in zip([columns.start, *edges], [*edges, columns.stop], strict=True):
            yield slice(start, stop)


def of_files(paths: Iterable[Path], layout: Layout) -> tuple[Moments, dict[str, str]]:
    """Moments of feature files, and the files left out with the reason.

    As in the original a file with a number that is none is left out whole; so is one of another width.
    """
    moments, skipped = Moments(), {}
    for path in paths:
        try:
            rows = read_features(path, layout)
        except BadInput as error:
            skipped[path.name] = error.message
            continue
        moments.add(rows)
    return moments, skipped


def read_features(path: Path, layout: Layout) -> np.ndarray:
    """Rows (T, D) of a ``.npy`` file.

    Raises:
        BadInput: not such a file, not of this layout, empty, or with numbers that are none.
    """
    rows = read_array(path)
    if rows.ndim != 2 or rows.shape[1] != layout.dim:
        raise BadInput(f"{path.name} has the shape {rows.shape}, not (T, {layout.dim}).", field="joints")
    if not len(rows):
        raise BadInput(f"{path.name} has no frames.", field="joints")
    if not np.isfinite(rows).all():
        raise BadInput(f"{path.name} has numbers that are none.", field="joints")
    return rows


def read_array(path: Path) -> np.ndarray:
    """A ``.npy`` file of numbers; nothing pickled is read.

    Raises:
        BadInput: missing, damaged, or not of numbers.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(
            f"{path} cannot be read ({str(error) or type(error).__name__}).", field="joints"
        ) from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise BadInput(f"{path} is not an array of numbers.", field="joints")
    return array
