"""Motions whose way over the floor is known."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.backend.motion.clip import Clip
from understudy.backend.motion.footlock import LEGS, pose_leg, write_local
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.skeleton import INDEX, J0, NUM_JOINTS


def walking(frames: int = 150, speed: float = 1.2, fps: float = 30.0) -> Clip:
    """A body that goes along +Z with a swaying pelvis, and stands on one foot after the other, which does not move."""
    time = np.arange(frames) / fps
    poses = np.zeros((frames, NUM_JOINTS, 3))
    for side, sign in (("left", -1.0), ("right", 1.0)):
        poses[:, INDEX[f"{side}_shoulder"], 2] = 1.2 * sign
        poses[:, INDEX[f"{side}_knee"], 0] = 0.3
        poses[:, INDEX[f"{side}_hip"], 0] = -0.15
    trans = np.zeros((frames, 3))
    trans[:, 0] = 0.02 * np.sin(2 * np.pi * 0.9 * time)
    trans[:, 1] = 0.9 - J0[1]
    trans[:, 2] = speed * time
    if speed:
        joints, world = forward_kinematics(poses[:, :22], trans)
        still = np.tile([1.0, 0.0, 0.0, 0.0], (frames, 1))
        for leg, phase in zip(LEGS, (0.0, 0.5), strict=True):
            step, inside = np.divmod(0.9 * time + phase, 1.0)
            # Half of the time it stands, half of it swings on to where the body will be.
            swing = np.clip(2.0 * inside - 1.0, 0.0, 1.0)
            swing = swing**2 * (3.0 - 2.0 * swing)
            goal = joints[:, leg.joints[2]].copy()
            goal[:, 0] = goal[0, 0]
            goal[:, 1] = 0.08 + 0.08 * np.sin(np.pi * swing)
            goal[:, 2] = (step + swing + 0.25 - phase) * speed / 0.9
            pose_leg(world, joints, leg, goal, still, floor=False)
            write_local(poses, world, leg.joints)
    return Clip(poses=poses, trans=trans, fps=fps)


@pytest.fixture(scope="session")
def walk() -> Clip:
    return walking()
