"""Ranges of the body's joints: a knee does not bend forwards, a head does not turn round.

Every joint's rotation is split into a turn about one axis (the twist) and the rest (the swing). The ranges
follow the normal ranges of motion of the American Academy of Orthopaedic Surgeons (1965), wide enough for
athletes and for what fitting a skeleton to markers makes of them: a limb's twist may sit in either of two
joints. They catch broken poses, they do not judge good ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import rotations
from .skeleton import INDEX


@dataclass(frozen=True)
class Limit:
    """Degrees: the axis of the twist, its range for the left side, and the largest swing."""

    axis: int
    low: float
    high: float
    swing: float


_X, _Y = 0, 1
_LIMITS: dict[str, Limit] = {
    "left_hip": Limit(_Y, -90, 90, 140),
    "left_knee": Limit(_X, -10, 160, 30),
    "left_ankle": Limit(_X, -55, 65, 55),
    "left_foot": Limit(_X, -85, 75, 30),
    "spine1": Limit(_Y, -45, 45, 75),
    "spine2": Limit(_Y, -45, 45, 55),
    "spine3": Limit(_Y, -45, 45, 55),
    "neck": Limit(_Y, -65, 65, 70),
    "head": Limit(_Y, -65, 65, 75),
    "left_collar": Limit(_X, -30, 30, 45),
    "left_shoulder": Limit(_X, -135, 135, 155),
    "left_elbow": Limit(_X, -110, 110, 155),
    "left_wrist": Limit(_X, -110, 110, 100),
}
SOFT = np.radians(6.0)
"""Radians before a limit within which a rotation is eased, so that nothing stops dead."""
TOLERANCE = np.radians(1.0)


def _table() -> tuple[np.ndarray, ...]:
    joints, axes, lows, highs, swings = [], [], [], [], []
    for name, limit in _LIMITS.items():
        for side in (name, name.replace("left_", "right_")) if name.startswith("left_") else (name,):
            # A mirror reverses turns about Y and Z, and keeps those about X.
            flip = side != name and limit.axis != _X
            joints.append(INDEX[side])
            axes.append(limit.axis)
            lows.append(-limit.high if flip else limit.low)
            highs.append(-limit.low if flip else limit.high)
            swings.append(limit.swing)
    return np.array(joints), np.eye(3)[axes], np.radians(lows), np.radians(highs), np.radians(swings)


_JOINTS, _AXES, _LOW, _HIGH, _SWING = _table()


def within_limits(poses: np.ndarray) -> np.ndarray:
    """Poses whose joints stay within their ranges.

    Args:
        poses: (T, J, 3) axis-angle, J >= 22 leading SMPL-X joints.

    Returns:
        The same shape; joints and frames away from a limit keep their bits.
    """
    quaternions = rotations.axis_angle_to_quaternion(poses[:, _JOINTS])
    twist, swing = _angles(quaternions)
    new_twist = _ease(_ease(twist, _HIGH), -_LOW, -1.0)
    new_swing = _ease(swing, _SWING)
    frames, columns = np.nonzero((new_twist != twist) | (new_swing != swing))
    if not frames.size:
        return poses
    axes = _AXES[columns]
    back = rotations.axis_angle_to_quaternion(-axes * twist[frames, columns, None])
    swung = rotations.quaternion_to_axis_angle(
        rotations.quaternion_multiply(quaternions[frames, columns], back)
    )
    swung *= (new_swing[frames, columns] / np.maximum(swing[frames, columns], 1e-12))[:, None]
    result = np.array(poses)
    result[frames, _JOINTS[columns]] = rotations.quaternion_to_axis_angle(
        rotations.quaternion_multiply(
            rotations.axis_angle_to_quaternion(swung),
            rotations.axis_angle_to_quaternion(axes * new_twist[frames, columns, None]),
        )
    )
    return result


def violations(quaternions: np.ndarray) -> float:
    """Share of the frames of local rotations (T, J, 4) in which a joint is out of its range."""
    twist, swing = _angles(quaternions[:, _JOINTS])
    out = (twist > _HIGH + TOLERANCE) | (twist < _LOW - TOLERANCE) | (swing > _SWING + TOLERANCE)
    return float(out.any(axis=1).mean())


def _angles(quaternions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Twist (T, N) and swing (T, N) in radians of the joints with limits, from their quaternions."""
    along = np.sum(quaternions[..., 1:] * _AXES, axis=-1)
    real = quaternions[..., 0]
    twist = 2.0 * np.arctan2(along, real)
    twist -= 2.0 * np.pi * np.round(twist / (2.0 * np.pi))
    swing = 2.0 * np.arccos(np.minimum(np.hypot(along, real), 1.0))
    return twist, swing


def _ease(angle: np.ndarray, limit: np.ndarray, sign: float = 1.0) -> np.ndarray:
    """Angles that never pass ``limit`` (upwards, or downwards past its negative), eased over :data:`SOFT`."""
    start = limit - SOFT
    over = sign * angle - start
    return np.where(over > 0, sign * (limit - SOFT * np.exp(-np.maximum(over, 0.0) / SOFT)), angle)
