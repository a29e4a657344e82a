"""Root motion for gait cycles that were animated in place.

Game libraries walk and run on the spot: the planted foot slides backwards as fast as the body should
go forwards. Their captions say "walks forward", so the clip must travel.
"""

from __future__ import annotations

import numpy as np

from ...backend.motion import rotations
from ...backend.motion.clip import Clip
from ...backend.motion.skeleton import CONTACT_JOINTS, CONTACT_REST_HEIGHTS


def gait_speed(clip: Clip) -> float:
    """Speed in m/s at which the floor runs backwards under the planted foot, along the heading."""
    joints = clip.joints()[:, list(CONTACT_JOINTS)]
    lifted = joints[..., 1] - np.array(CONTACT_REST_HEIGHTS)
    velocity = np.gradient(joints, axis=0) * clip.fps
    yaw = rotations.heading(rotations.axis_angle_to_matrix(clip.poses[:, 0]))
    forward = np.stack([np.sin(yaw), np.zeros_like(yaw), np.cos(yaw)], axis=-1)
    along = np.einsum("tjk,tk->tj", velocity, forward)
    lowest = np.argmin(lifted, axis=1)
    rows = np.arange(len(clip))
    planted = lifted[rows, lowest] <= np.quantile(lifted[rows, lowest], 0.6)
    return float(-np.median(along[rows, lowest][planted]))


def give_travel(clip: Clip) -> Clip:
    """The same cycle moving along its heading at its own :func:`gait_speed`; at rest it stays."""
    speed = gait_speed(clip)
    if speed < 0.2:
        return clip
    yaw = rotations.heading(rotations.axis_angle_to_matrix(clip.poses[0, 0]))
    path = (np.arange(len(clip)) / clip.fps * speed)[:, None] * np.array([np.sin(yaw), 0.0, np.cos(yaw)])
    return clip.replace(trans=clip.trans + path, meta={**clip.meta, "travel_m_s": round(speed, 3)})
