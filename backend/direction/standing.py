"""What is done to a whole clip after its way was changed: feet held at their places, two versions mixed, the way taken out."""

from __future__ import annotations

import numpy as np

from ..motion import rotations
from ..motion.clip import Clip
from ..motion.footlock import lock_feet
from ..motion.kinematics import forward_kinematics
from . import paths
from .stride import floor_places


def with_feet_held(clip: Clip) -> Clip:
    """Standing feet at their places again, on the contacts that the clip has, by the legs alone."""
    if clip.contacts is None:
        return clip
    poses = np.array(clip.poses, np.float64)
    joints, world = forward_kinematics(poses[:, :22], clip.trans)
    poses[:, :22], drop, contacts = lock_feet(
        poses[:, :22], joints, world, clip.contacts > 0.5, clip.fps, lock=True, floor=True
    )
    trans = np.array(clip.trans, np.float64)
    trans[:, 1] -= drop
    return clip.replace(poses=poses, trans=trans, contacts=contacts.astype(np.float64))


def mixed(first: Clip, second: Clip, share: np.ndarray) -> Clip:
    """The first clip with a share (T,) of the way to the second one."""
    a, b = (rotations.axis_angle_to_quaternion(clip.poses) for clip in (first, second))
    poses = rotations.quaternion_to_axis_angle(rotations.slerp(a, b, share[:, None, None]))
    poses = np.where(share[:, None, None] > 0.0, poses, first.poses)
    return first.replace(poses=poses, trans=first.trans + share[:, None] * (second.trans - first.trans))


def without_way(clip: Clip) -> Clip:
    """The clip in place: without its way over the floor, with its sway."""
    way = paths.without_sway(floor_places(clip), clip.fps)
    trans = np.array(clip.trans, np.float64)
    trans[:, [0, 2]] -= way - way[:1]
    return clip.replace(trans=trans)
