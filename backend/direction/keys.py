"""Key poses at a motion's beginning and end, as the models are told of them.

A pose that is held for a moment is a motion that the models know from edits: what they make goes on from it and
arrives at it, and little is left to be bent into place.
"""

from __future__ import annotations

import numpy as np

from ..motion.clip import Clip
from ..motion.contacts import sole_points
from ..motion.features import FPS
from ..motion.kinematics import forward_kinematics
from ..protocol.direction import Constraints, Pose

HELD = 2
"""Latent frames for which a pose is held."""


def first_pose(constraints: Constraints) -> Pose | None:
    """The key pose of the motion's first frame."""
    return next((pose for pose in constraints.poses if round(pose.time * FPS) == 0), None)


def last_pose(constraints: Constraints, frames: int | None) -> Pose | None:
    """The key pose of the last of so many frames."""
    if frames is None:
        return None
    return next((pose for pose in constraints.poses if round(pose.time * FPS) == frames - 1), None)


def held(pose: Pose, stride: int) -> Clip:
    """A pose at 30 fps for :data:`HELD` latent frames; its height is that of a standing body where none is given."""
    frames = HELD * stride
    trans = np.zeros(3) if pose.trans is None else np.asarray(pose.trans, np.float64)
    poses = np.repeat(np.asarray(pose.pose, np.float64)[None], frames, axis=0)
    clip = Clip(poses=poses, trans=np.repeat(trans[None], frames, axis=0), fps=FPS)
    return clip if pose.trans is not None else on_floor(clip)


def on_floor(clip: Clip) -> Clip:
    """The clip raised or lowered so that its lowest joint of the feet stands on the floor in its first frame."""
    joints, world = forward_kinematics(clip.poses[:1, :22], clip.trans[:1])
    drop = sole_points(joints, world)[..., 1].min()
    return clip.replace(trans=clip.trans - drop * np.array([0.0, 1.0, 0.0]))
