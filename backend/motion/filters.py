"""Filters over time for motion: smoothing that keeps peaks, Gaussian smoothing, soft envelopes.

Widths are seconds, so that a filter does the same at any frame rate. Frames are the first axis.
"""

from __future__ import annotations

import numpy as np

from . import rotations

_ROUGH = 3.0  # times the bend of the neighbouring frames that an end may have
_JITTERS = 3.0  # changes by the filter up to so many times the jitter are applied for the most part


def savitzky_golay(values: np.ndarray, half_width: int) -> np.ndarray:
    """Least-squares parabola through 2 * half_width + 1 frames (Savitzky & Golay, 1964).

    Unlike a mean it keeps the height of a peak: positions, velocities and accelerations of smooth
    motion pass unchanged, only what is faster than the window is damped.
    """
    half_width = min(half_width, (len(values) - 1) // 2)
    if half_width < 2:
        return np.array(values)
    x = np.arange(-half_width, half_width + 1, dtype=np.float64)
    kernel = np.linalg.pinv(np.stack([np.ones_like(x), x, x * x], axis=1))[0]
    return _convolve(values, kernel)


def gaussian(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian mean of ``sigma`` frames; the ends are mirrored."""
    radius = min(int(np.ceil(3 * sigma)), len(values) - 1)
    if radius < 1 or sigma <= 0:
        return np.array(values)
    x = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (x / sigma) ** 2)
    return _convolve(values, kernel / kernel.sum(), odd=False)


def _convolve(values: np.ndarray, kernel: np.ndarray, odd: bool = True) -> np.ndarray:
    """Convolution along the frames; beyond the ends the signal is mirrored, point-wise (odd) or plainly."""
    radius = len(kernel) // 2
    before, after = values[radius:0:-1], values[-2 : -radius - 2 : -1]
    if odd:
        before, after = 2 * values[:1] - before, 2 * values[-1:] - after
    padded = np.concatenate([before, values, after])
    result = np.zeros(values.shape)
    for i, weight in enumerate(kernel):
        result += weight * padded[i : i + len(values)]
    return result


def upper_envelope(values: np.ndarray, width: int) -> np.ndarray:
    """A smooth curve (T,) that stays at or above ``values``: the running maximum, then its mean."""
    if width < 1:
        return np.array(values)
    padded = np.pad(values, width, mode="edge")
    highest = np.max([padded[i : i + len(values)] for i in range(2 * width + 1)], axis=0)
    # Two means of half the window stay inside the maximum's window, so the curve never dips below.
    half = max(width // 2, 1) if width > 1 else 0
    for _ in range(2):
        if half:
            padded = np.pad(highest, half, mode="edge")
            highest = np.mean([padded[i : i + len(values)] for i in range(2 * half + 1)], axis=0)
    return np.maximum(highest, values)


def jitter_of(values: np.ndarray) -> np.ndarray:
    """Size of the jitter in each quantity (...,), in the unit of ``values`` (T, ..., C).

    Fourth differences keep next to nothing of human motion and all of what changes from frame to frame. Their
    median over time leaves out kicks and landings: it is the jitter of the clip, not its action.
    """
    if len(values) < 6:
        return np.zeros(values.shape[1:-1])
    # White noise of size one has fourth differences of size sqrt(70); the median of a length of three
    # components is 1.54 times the size of each.
    return np.median(np.linalg.norm(np.diff(values, n=4, axis=0), axis=-1), axis=0) / (np.sqrt(70.0) * 1.54)


def smooth(values: np.ndarray, half_width: int, jitter: float | np.ndarray) -> np.ndarray:
    """Savitzky-Golay that gives way to fast action.

    What the filter would take away is jitter while it is small; where it is larger than ``jitter`` it is a
    kick, a landing, a sprinting knee, and the frames stay as they are.

    Args:
        values: (T, ..., C), C components of one quantity.
        half_width: frames on either side.
        jitter: size of a change, in the unit of ``values``, that is applied by half; one for all, or (..., 1).
    """
    change = savitzky_golay(values, half_width) - values
    size = gaussian(np.linalg.norm(change, axis=-1, keepdims=True), 0.5 * half_width)
    return values + change / (1.0 + (size / jitter) ** 2)


def smooth_measured(values: np.ndarray, half_width: int, largest: float) -> np.ndarray:
    """:func:`smooth` as strong as the jitter that the values have, at most ``largest``."""
    jitter = np.clip(_JITTERS * jitter_of(values), 1e-9, largest)
    return smooth(values, half_width, jitter[..., None])


def smooth_rotations(
    poses: np.ndarray, half_width: int, largest: float, end: int = 0
) -> tuple[np.ndarray, tuple[int, int]]:
    """:func:`smooth_measured` on rotations (continuous quaternions); joints that never move are not touched.

    Args:
        poses: (T, J, 3) axis-angle.
        half_width: frames on either side.
        largest: radians.
        end: frames at the start and at the end of the clip that are made anew where they tremble.

    Returns:
        The poses, and how many frames were made anew at the start and at the end (:func:`run_on`).
    """
    result = np.array(poses)
    moving = np.ptp(poses, axis=0).max(axis=-1) > 1e-6
    if not moving.any():
        return result, (0, 0)
    quaternions = continuous(rotations.axis_angle_to_quaternion(poses[:, moving]))
    ends = rough_ends(quaternions, end)
    quaternions = smooth_measured(run_on(quaternions, *ends), half_width, 0.5 * largest)
    result[:, moving] = rotations.quaternion_to_axis_angle(quaternions)
    return result, ends


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """Signs of quaternions (T, ..., 4) chosen so that neighbouring frames lie on the same side."""
    dot = np.sum(quaternions[1:] * quaternions[:-1], axis=-1)
    sign = np.cumprod(np.where(dot < 0, -1.0, 1.0), axis=0)
    return np.concatenate([quaternions[:1], quaternions[1:] * sign[..., None]])


def rough_ends(quaternions: np.ndarray, frames: int) -> tuple[int, int]:
    """How many frames at the start and at the end jump where the motion next to them does not.

    A model that decodes a motion knows nothing beyond its ends, and the outermost frames tremble.

    Args:
        quaternions: (T, J, 4), continuous.
        frames: the length of an end; 0 finds none.

    Returns:
        For each end that length, or 0.
    """
    near = 5 * frames
    if not frames or len(quaternions) < 2 * near:
        return 0, 0
    found = []
    for piece in (quaternions[: near + 2], quaternions[: -near - 3 : -1]):
        bends = np.linalg.norm(np.diff(piece, n=2, axis=0), axis=-1).mean(axis=1)
        found.append(frames if bends[:frames].max() > _ROUGH * np.median(bends[frames:]) + 1e-4 else 0)
    return found[0], found[1]


def run_on(values: np.ndarray, start: int, end: int) -> np.ndarray:
    """The first ``start`` and the last ``end`` frames of (T, ..., C) made anew.

    The motion inside goes on with the speed of a parabola through its outermost frames, and with its bend
    where that slows it down: a guess must not be wilder than what it continues.
    """
    result = np.array(values)
    for frames, view in ((start, result), (end, result[::-1])):
        if not frames:
            continue
        x = np.arange(2 * frames + 1, dtype=np.float64)
        inside = view[frames : frames + len(x)]
        fit = np.linalg.lstsq(np.vander(x, 3), inside.reshape(len(inside), -1), rcond=None)[0]
        bend, speed = fit[0].reshape(values.shape[1:]), fit[1].reshape(values.shape[1:])
        slower = np.linalg.norm(speed - 2 * frames * bend, axis=-1) < np.linalg.norm(speed, axis=-1)
        bend = bend * slower[..., None]
        back = np.arange(-frames, 0.0).reshape(-1, *[1] * (values.ndim - 1))
        view[:frames] = inside[0] + back * speed + back**2 * bend
    return result
