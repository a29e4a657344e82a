"""Inertialisation: an offset between two motions dies out as a body with inertia would let it.

Instead of playing two motions at once and mixing them, the new one plays alone, with the difference at the
moment of change added; the difference keeps its speed at first and then goes to zero along a polynomial of the
fifth degree (Bollo, "Inertialization: High-Performance Animation Transitions in Gears of War", GDC 2018).
"""

from __future__ import annotations

import numpy as np

from . import rotations


def decay(offset: np.ndarray, velocity: np.ndarray, frames: int, count: int | None = None) -> np.ndarray:
    """An offset that starts with a velocity and is gone, with velocity and acceleration, after some frames.

    Each component dies out on its own; one that already runs towards zero does so without overshooting.

    Args:
        offset: (...,) at the first frame.
        velocity: (...,) its change per frame there.
        frames: how long it takes.
        count: how many frames to give; by default all until it is gone.

    Returns:
        (count, ...), the offset from the first frame on.
    """
    count = frames if count is None else count
    x0 = np.asarray(offset, dtype=np.float64)
    # Everything below is for an offset above zero.
    sign = np.where(x0 != 0.0, np.sign(x0), np.where(velocity < 0, -1.0, 1.0))
    x0, v0 = sign * x0, sign * np.asarray(velocity, dtype=np.float64)
    length = np.full(x0.shape, float(max(frames, 1)))
    closing = v0 < 0.0
    length = np.where(closing, np.minimum(length, -5.0 * x0 / np.where(closing, v0, -1.0)), length)
    # At least one frame: a component that closes faster is gone in the next.
    length = np.maximum(length, 1.0)
    a0 = np.maximum((-8.0 * v0 * length - 20.0 * x0) / length**2, 0.0)
    a = -(a0 * length**2 + 6.0 * v0 * length + 12.0 * x0) / (2.0 * length**5)
    b = (3.0 * a0 * length**2 + 16.0 * v0 * length + 30.0 * x0) / (2.0 * length**4)
    c = -(3.0 * a0 * length**2 + 12.0 * v0 * length + 20.0 * x0) / (2.0 * length**3)
    t = np.arange(count, dtype=np.float64).reshape(-1, *[1] * x0.ndim)
    curve = ((((a * t + b) * t + c) * t + 0.5 * a0) * t + v0) * t + x0
    return sign * np.where(t < length, curve, 0.0)


def turn_between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Rotation vectors (..., 3) that turn one unit quaternion (..., 4) into another from the left, the short way."""
    return rotations.quaternion_to_axis_angle(
        rotations.quaternion_multiply(target, rotations.quaternion_conjugate(source))
    )


def turned(quaternions: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Quaternions (..., 4) turned from the left by rotation vectors (..., 3)."""
    return rotations.quaternion_multiply(rotations.axis_angle_to_quaternion(turns), quaternions)


def ahead(values: np.ndarray, frame: int) -> np.ndarray:
    """A row of (T, ...) at any frame; up to one frame outside, the motion goes on as it was."""
    last = len(values) - 1
    if 0 <= frame <= last:
        return values[frame]
    edge, inner = (0, min(1, last)) if frame < 0 else (last, max(last - 1, 0))
    return values[edge] + (values[edge] - values[inner])


def ahead_rotation(quaternions: np.ndarray, frame: int) -> np.ndarray:
    """As :func:`ahead`, for unit quaternions (T, ..., 4)."""
    last = len(quaternions) - 1
    if 0 <= frame <= last:
        return quaternions[frame]
    edge, inner = (0, min(1, last)) if frame < 0 else (last, max(last - 1, 0))
    return turned(quaternions[edge], turn_between(quaternions[inner], quaternions[edge]))
