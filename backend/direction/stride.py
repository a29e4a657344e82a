"""Bringing a body onto a course: the root is moved and turned, and steps go where the way goes.

What a foot is ahead of or behind its hip along the old way it is along the new one, as many times as far as that is
faster: then a foot that stood stands as still as before ("stride warping" and "orientation warping" of game engines).
"""

from __future__ import annotations

import numpy as np

from ..motion import rotations
from ..motion.clip import Clip
from ..motion.filters import gaussian
from ..motion.footlock import LEGS, pose_leg, write_local
from ..motion.kinematics import forward_kinematics
from ..motion.skeleton import J0
from .steering import Course

DIRECTION_SECONDS = 0.25
WALKING = (0.2, 0.5)
"""m/s: below the first a body stands, above the second it walks."""
_LEAST = 0.02
"""A factor nearer to one than this leaves the legs alone."""


def floor_places(clip: Clip) -> np.ndarray:
    """(T, 2) x and z of the pelvis."""
    return np.asarray((clip.trans + J0)[:, [0, 2]], dtype=np.float64)


def headings(clip: Clip) -> np.ndarray:
    """(T,) which way the pelvis faces, radians, unwrapped."""
    return np.unwrap(rotations.heading(rotations.axis_angle_to_matrix(clip.poses[:, 0])))


def on_course(clip: Clip, course: Course) -> Clip:
    """The clip on another way over the floor."""
    poses, trans = np.array(clip.poses, np.float64), np.array(clip.trans, np.float64)
    root = rotations.yaw_matrix(course.turns) @ rotations.axis_angle_to_matrix(poses[:, 0])
    poses[:, 0] = rotations.matrix_to_axis_angle(root)
    trans[:, [0, 2]] = course.places - J0[[0, 2]]
    moved = clip.replace(poses=poses, trans=trans)
    before, after = (_velocity(places, clip.fps) for places in (floor_places(clip), course.places))
    # The way as it was, seen with the new turn of the body, against the way as it is.
    turned = np.einsum("tij,tj->ti", rotations.yaw_matrix(course.turns), before)
    speed = np.linalg.norm(before, axis=1)
    # A body that hardly goes anywhere has no steps: where it stands its feet stay below it.
    going = np.clip((speed - WALKING[0]) / (WALKING[1] - WALKING[0]), 0.0, 1.0)
    old, new = (way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9) for way in (turned, after))
    change = going[:, None] * (course.scales[:, None] * new - old)
    return moved if np.abs(change).max() < _LEAST else _other_steps(moved, old, change)


def _velocity(places: np.ndarray, fps: float) -> np.ndarray:
    """(T, 3) metres a second of a pelvis (T, 2), a mean over a moment."""
    velocity = gaussian(np.gradient(places, axis=0), DIRECTION_SECONDS * fps) * fps
    return np.stack([velocity[:, 0], np.zeros(len(places)), velocity[:, 1]], axis=1)


def _other_steps(clip: Clip, along: np.ndarray, change: np.ndarray) -> Clip:
    """The clip with feet moved by a share of how far they are from the hips along the way.

    Args:
        clip: the motion.
        along: (T, 3) the direction in which it steps.
        change: (T, 3) metres that a foot is moved for every metre it is before the hip.
    """
    poses = np.array(clip.poses)
    joints, world = forward_kinematics(poses[:, :22], clip.trans)
    still = np.tile([1.0, 0.0, 0.0, 0.0], (len(clip), 1))
    for leg in LEGS:
        hip, _, ankle, _ = leg.joints
        reach = np.sum((joints[:, ankle] - joints[:, hip]) * along, axis=1)
        pose_leg(world, joints, leg, joints[:, ankle] + reach[:, None] * change, still, floor=False)
        write_local(poses, world, leg.joints)
    return clip.replace(poses=poses)
