"""Knees that do not snap: near full stretch a small change of reach is a large change of the knee's angle.

What inverse kinematics adds to a knee's bend may change no faster than :data:`SPEED`. Where it would, the knee is
bent a little before and after, and the foot gives way by some millimetres, towards the hip; the motion's own speed,
a kick's, is left alone.
"""

from __future__ import annotations

import numpy as np

SPEED = np.radians(240.0)
"""Radians per second that the correction of a knee's bend may change by; a walking knee bends by twice that."""
GIVE = 0.006
"""Metres that a foot may be drawn towards the hip for it."""


def eased_goal(
    hip: np.ndarray, knee: np.ndarray, ankle: np.ndarray, goal: np.ndarray, fps: float
) -> np.ndarray:
    """Where an ankle goes (T, 3) so that its knee does not snap.

    Args:
        hip, knee, ankle: (T, 3) of the leg as it is.
        goal: (T, 3) where its ankle shall be.
        fps: frames per second.
    """
    upper, lower = np.linalg.norm(knee - hip, axis=1), np.linalg.norm(ankle - knee, axis=1)
    wanted = np.linalg.norm(goal - hip, axis=1)
    change = _bend(upper, lower, wanted) - _bend(upper, lower, np.linalg.norm(ankle - hip, axis=1))
    slow = _slow_above(change, float(SPEED) / fps)
    bend = _bend(upper, lower, wanted) + slow - change
    reach = np.sqrt(np.maximum(upper**2 + lower**2 + 2 * upper * lower * np.cos(bend), 0.0))
    # Exactly the goal where nothing snaps.
    reach = np.where(slow > change + 1e-9, np.maximum(np.minimum(reach, wanted), wanted - GIVE), wanted)
    return hip + (goal - hip) * (reach / np.maximum(wanted, 1e-9))[:, None]


def _bend(upper: np.ndarray, lower: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """(T,) radians by which a leg is bent, 0 when it is straight."""
    cosine = (reach**2 - upper**2 - lower**2) / np.maximum(2 * upper * lower, 1e-12)
    return np.arccos(np.clip(cosine, -1.0, 1.0))


def _slow_above(values: np.ndarray, step: float) -> np.ndarray:
    """The lowest curve (T,) at or above ``values`` that changes by no more than ``step`` a frame."""
    ramp = step * np.arange(len(values))
    forward = np.maximum.accumulate(values + ramp) - ramp
    backward = np.maximum.accumulate((values - ramp)[::-1])[::-1] + ramp
    return np.maximum(forward, backward)
