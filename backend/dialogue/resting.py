"""Arms that hang: where hands come from when somebody begins to talk, and where they go when the other does."""

from __future__ import annotations

import numpy as np

from ..motion import rotations
from ..motion.clip import Clip
from ..motion.skeleton import INDEX

HANGING = {"shoulder": (0.1, 0.1, -1.22), "elbow": (0.0, -0.35, 0.0), "wrist": (0.0, 0.0, 0.0)}
"""Axis-angle of a left arm that hangs loosely beside the body."""
SHARE = 0.7
"""How far arms hang; the rest is the motion's own, which keeps them alive."""


def hanging(clip: Clip) -> Clip:
    """The clip of a body that stands, with arms that hang."""
    poses = np.array(clip.poses, np.float64)
    for side, mirror in (("left", (1.0, 1.0, 1.0)), ("right", (1.0, -1.0, -1.0))):
        for name, angles in HANGING.items():
            joint = INDEX[f"{side}_{name}"]
            own = rotations.axis_angle_to_quaternion(poses[:, joint])
            goal = rotations.axis_angle_to_quaternion(np.multiply(angles, mirror))
            mixed = rotations.slerp(own, np.broadcast_to(goal, own.shape), np.full((len(own), 1), SHARE))
            poses[:, joint] = rotations.quaternion_to_axis_angle(mixed)
    return clip.replace(poses=poses)
