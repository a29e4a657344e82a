"""Hips of a standing body that talk along: they turn and shift, and the feet stay where they stand.

Talkers shift their weight and give with their hips on accents; a trunk that moves on a dead pelvis looks like a
puppet's. The legs follow by two-bone inverse kinematics (:mod:`..motion.footlock`).
"""

from __future__ import annotations

import numpy as np

from ..motion import rotations
from ..motion.footlock import LEGS, pose_leg, write_local
from ..motion.kinematics import forward_kinematics

SINK = 0.006
"""Metres that hips are lower at most when they move: nobody shifts the weight with both knees straight."""
FULL = np.radians(2.0), 0.01
"""Turn and shift, radians and metres, from which they are."""
_BODY = 22


def move_hips(poses: np.ndarray, trans: np.ndarray, turn: np.ndarray, shift: np.ndarray) -> None:
    """Turn and shift the pelvis over feet that stay, in place; frames without either are not touched.

    Args:
        poses: (T, 55, 3) axis-angle, radians.
        trans: (T, 3) metres.
        turn: (T, 3) radians in the pelvis's own frame: down, to the left, tilted.
        shift: (T, 2) metres to the body's left and to its front.
    """
    moves = np.linalg.norm(turn, axis=1) / FULL[0] + np.linalg.norm(shift, axis=1) / FULL[1]
    frames = np.flatnonzero(moves > 1e-6)
    if not len(frames):
        return
    body = poses[frames, :_BODY]
    joints, feet = forward_kinematics(body, trans[frames])
    own = rotations.axis_angle_to_quaternion(body[:, 0])
    body[:, 0] = rotations.quaternion_to_axis_angle(
        rotations.quaternion_multiply(own, rotations.axis_angle_to_quaternion(turn[frames]))
    )
    way = np.stack([shift[frames, 0], np.zeros(len(frames)), shift[frames, 1]], axis=1)
    way = np.einsum("tij,tj->ti", rotations.yaw_matrix(rotations.heading(feet[:, 0])), way)
    way[:, 1] = -SINK * np.tanh(moves[frames])
    place = trans[frames] + way
    moved, world = forward_kinematics(body, place)
    still = np.tile([1.0, 0.0, 0.0, 0.0], (len(frames), 1))
    for leg in LEGS:
        for joint in leg.joints[2:]:
            world[:, joint] = feet[:, joint]
        pose_leg(world, moved, leg, joints[:, leg.joints[2]], still, floor=False)
        write_local(body, world, leg.joints)
    poses[frames, :_BODY], trans[frames] = body, place
