"""Bringing the bones of one rest pose onto those of another: the swings that retargeting is made of."""

from __future__ import annotations

import numpy as np

from . import rotations as rot


def swing(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) that turns one bone direction onto another and keeps "forward" (+Z) forward.

    Bones of the arms and legs lie across the body's forward axis in any rest pose, so it fixes their
    twist: an arm lowered from a T-pose turns about +Z alone, which the shortest arc between two bones
    that are not quite straight does not. Bones that point forward themselves take the shortest arc.
    """
    axes = []
    for bone in (ours, theirs):
        along = bone / np.linalg.norm(bone)
        if abs(along[2]) > 0.8:
            return rot.quaternion_to_matrix(rot.shortest_arc(ours, theirs))
        forward = np.array([0.0, 0.0, 1.0]) - along[2] * along
        forward /= np.linalg.norm(forward)
        axes.append(np.stack([along, np.cross(forward, along), forward], axis=1))
    return axes[1] @ axes[0].T


def carried(above: np.ndarray, theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) of a bone: that of the bone above it, then the shortest way onto ``ours``.

    Args:
        above: (3, 3) rotation of the bone above, rest pose to rest pose.
        theirs, ours: (3,) directions of the bone.
    """
    return rot.quaternion_to_matrix(rot.shortest_arc(above @ theirs, ours)) @ above


def rolled(turn: np.ndarray, along: np.ndarray, theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """``turn`` (3, 3), then a roll about ``along`` (3,) that brings a second direction nearest to ours."""
    axis = along / np.linalg.norm(along)
    flat = [v - (v @ axis) * axis for v in (turn @ theirs, ours)]
    if min(np.linalg.norm(v) for v in flat) < 1e-9:
        return turn
    angle = np.arctan2(np.cross(flat[0], flat[1]) @ axis, flat[0] @ flat[1])
    return rot.axis_angle_to_matrix(angle * axis) @ turn


def heading_turn(theirs: np.ndarray, ours: np.ndarray, least: float = 0.3) -> np.ndarray:
    """Rotation (3, 3) about +Y that brings one heading onto another; none for what points up or down.

    A foot keeps its pitch: the sole of a standing foot is level whatever slope its bone has.
    """
    for v in (theirs, ours):
        if np.hypot(v[0], v[2]) < least * np.linalg.norm(v) or np.linalg.norm(v) == 0:
            return np.eye(3)
    return rot.yaw_matrix(np.arctan2(ours[0], ours[2]) - np.arctan2(theirs[0], theirs[2]))


def twist(quaternions: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The turn about a fixed axis that is part of rotations (swing after twist): (..., 4) of (..., 4).

    Where the rotation is half a turn about something across the axis the twist has no meaning; it is
    the identity there.
    """
    axis = axis / np.linalg.norm(axis)
    along = quaternions[..., 1:] @ axis
    result = np.concatenate([quaternions[..., :1], along[..., None] * axis], axis=-1)
    return rot.normalize_quaternion(result)
