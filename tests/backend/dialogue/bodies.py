"""A body that stands, for tests that need no models."""

from __future__ import annotations

import numpy as np

from understudy.backend.motion.clip import Clip
from understudy.backend.motion.skeleton import INDEX


def standing(frames: int, *, knees: float = 0.15) -> Clip:
    """Arms that hang, feet under the hips, knees bent by radians, a sway of some millimetres."""
    poses = np.zeros((frames, 55, 3))
    poses[:, INDEX["left_shoulder"], 2], poses[:, INDEX["right_shoulder"], 2] = -1.25, 1.25
    poses[:, INDEX["left_elbow"], 1], poses[:, INDEX["right_elbow"], 1] = -0.2, 0.2
    for side in ("left", "right"):
        poses[:, INDEX[f"{side}_hip"], 0] = -0.5 * knees
        poses[:, INDEX[f"{side}_knee"], 0] = knees
        poses[:, INDEX[f"{side}_ankle"], 0] = -0.5 * knees
    trans = np.zeros((frames, 3))
    trans[:, 1] = 1.31
    trans[:, 0] = 0.002 * np.sin(np.arange(frames) / 20.0)
    clip = Clip(poses, trans, 30.0)
    trans[:, 1] -= clip.joints()[:, [INDEX["left_ankle"], INDEX["right_ankle"]], 1].min() - 0.08
    return clip.replace(trans=trans)
