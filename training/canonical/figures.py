"""Joints to stick figures: cleaned, scaled, projected, placed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .cleaning import clean, stature
from .skeleton import INDEX, project, segment_lengths, segments

HEIGHT = 1.8
"""Units from the head to the ankles of a figure that stands straight."""


@dataclass(frozen=True)
class Figures:
    """Stick figures and what was left behind in making them.

    Attributes:
        motion: (T, 48) or (T, A, 48), units: see :data:`HEIGHT`.
        lengths: (12,) or (A, 12): the greatest true length of each segment, same units. A projected
            segment may look shorter, never longer.
        scale: units per unit of the source (metres).
    """

    motion: np.ndarray
    lengths: np.ndarray
    scale: float


def figures(points: np.ndarray, *, view: float = 0.0, height: float | None = HEIGHT) -> Figures:
    """Clean, scale and project joints.

    All actors get the same scale and the same shift, so that they keep their places: heights are kept, and
    x = 0 is where the (mean) pelvis is in the first frame.

    Args:
        points: (T, 16, 3 or 2) or (T, A, 16, 3 or 2), y up; two dimensions are taken as projected already.
        view: see :func:`project`.
        height: the figures' height; ``None`` keeps the source's unit.
    """
    points = clean(points)
    scale = 1.0 if height is None else height / max(float(np.mean(stature(points))), 1e-6)
    lengths = segment_lengths(points).max(axis=0) * scale
    flat = project(points, view) if points.shape[-1] == 3 else points
    flat = flat * scale
    flat[..., 0] -= flat[0, ..., INDEX["pelvis_center"], 0].mean()
    return Figures(segments(flat), lengths, scale)
