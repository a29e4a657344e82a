"""Bringing a body onto a course: the root is moved and turned, and steps get longer or shorter with the way.

Feet that are scaled about the hips along the way as much as the way is scaled stand as still as before: "stride
warping" of game engines.
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
    if np.abs(course.scales - 1.0).max() < _LEAST:
        return moved
    # A body that hardly goes anywhere has no steps to make longer: where it stands its feet stay below it.
    going = np.clip((_speed(floor_places(clip), clip.fps) - WALKING[0]) / (WALKING[1] - WALKING[0]), 0.0, 1.0)
    return _longer_steps(moved, course, going)


def _speed(places: np.ndarray, fps: float) -> np.ndarray:
    """(T,) metres a second of a pelvis (T, 2), a mean over a moment."""
    return np.linalg.norm(gaussian(np.gradient(places, axis=0), DIRECTION_SECONDS * fps), axis=1) * fps


def _longer_steps(clip: Clip, course: Course, going: np.ndarray) -> Clip:
    """The clip with legs that step as far as its root goes, where it goes (T,) and does not stand."""
    poses = np.array(clip.poses)
    joints, world = forward_kinematics(poses[:, :22], clip.trans)
    velocity = gaussian(np.gradient(course.places, axis=0), DIRECTION_SECONDS * clip.fps)
    speed = np.linalg.norm(velocity, axis=1, keepdims=True)
    along = np.zeros((len(clip), 3))
    along[:, [0, 2]] = velocity / np.maximum(speed, 1e-9)
    more = (course.scales - 1.0) * going
    still = np.tile([1.0, 0.0, 0.0, 0.0], (len(clip), 1))
    for leg in LEGS:
        hip, _, ankle, _ = leg.joints
        reach = np.sum((joints[:, ankle] - joints[:, hip]) * along, axis=1)
        goal = joints[:, ankle] + (more * reach)[:, None] * along
        pose_leg(world, joints, leg, goal, still, floor=False)
        write_local(poses, world, leg.joints)
    return clip.replace(poses=poses)
