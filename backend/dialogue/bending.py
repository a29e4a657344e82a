"""Turning a head or a trunk a little, over several joints."""

from __future__ import annotations

import numpy as np

from ..motion import rotations
from ..motion.skeleton import INDEX

HEAD = ((INDEX["neck"], 0.5), (INDEX["head"], 0.5))
TRUNK = ((INDEX["spine1"], 0.5), (INDEX["spine2"], 0.3), (INDEX["spine3"], 0.2))
"""Joints, and the share of a turn that each takes."""


def bend(poses: np.ndarray, joints: tuple[tuple[int, float], ...], angles: np.ndarray) -> None:
    """Turn in place.

    Args:
        poses: (T, 55, 3) axis-angle.
        joints: :data:`HEAD` or :data:`TRUNK`.
        angles: (T, 3) radians: down, to the left, tilted to the right.
    """
    for joint, share in joints:
        turn = rotations.axis_angle_to_quaternion(share * angles)
        own = rotations.axis_angle_to_quaternion(poses[:, joint])
        poses[:, joint] = rotations.quaternion_to_axis_angle(rotations.quaternion_multiply(turn, own))
