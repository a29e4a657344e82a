"""Joints that are missing for a while: short gaps are bridged, long ones are known to be guesses."""

from __future__ import annotations

import itertools

import numpy as np

SHORT = 0.25
"""Seconds: a gap up to this is bridged by interpolation and counts as seen."""


def bridge(joints: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Fill what is not finite, in time, and say which frames can be believed.

    Args:
        joints: (T, N, 3); a coordinate that is NaN or infinite makes its joint missing in that frame.
        fps: frames per second.

    Returns:
        The joints with every gap filled (linear between its ends, held at the clip's ends; zero where a
        joint is never there), and (T, N) truth values: seen, or within a short gap.
    """
    present = np.isfinite(joints).all(axis=-1)
    if present.all():
        return np.array(joints, dtype=np.float64), present
    filled, seen = np.where(present[..., None], joints, 0.0), present.copy()
    frames = np.arange(len(joints))
    for column in np.flatnonzero(~present.all(axis=0) & present.any(axis=0)):
        good = np.flatnonzero(present[:, column])
        for axis in range(3):
            filled[:, column, axis] = np.interp(frames, good, filled[good, column, axis])
        for first, last in itertools.pairwise(good):
            if 1 < last - first <= SHORT * fps + 1:
                seen[first:last, column] = True
    return filled, seen


def nearest_seen(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each frame of a truth vector (T,) the seen frames around it, and the weight of the later one.

    Before the first and after the last seen frame both are the same. At least one frame must be seen.
    """
    good, frames = np.flatnonzero(seen), np.arange(len(seen))
    before = good[np.clip(np.searchsorted(good, frames, "right") - 1, 0, len(good) - 1)]
    after = good[np.clip(np.searchsorted(good, frames), 0, len(good) - 1)]
    weight = np.clip((frames - before) / np.maximum(after - before, 1), 0.0, 1.0)
    return before, after, weight
