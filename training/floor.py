"""Where a retargeted clip's floor is, and putting it at y = 0."""

from __future__ import annotations

import numpy as np

from ..backend.motion.clip import Clip
from ..backend.motion.skeleton import CONTACT_JOINTS, CONTACT_REST_HEIGHTS
from .formats.source import SourceMotion
from .retarget import STILL, Rig, leg_length, source_leg_length, speed


def sole_heights(clip: Clip, joints: np.ndarray | None = None) -> np.ndarray:
    """(T, 4) height of the sole under each contact joint, as if the foot stood flat, metres."""
    joints = clip.joints() if joints is None else joints
    return joints[:, list(CONTACT_JOINTS), 1] - np.array(CONTACT_REST_HEIGHTS)


def floor_height(clip: Clip, *, within: float = np.inf) -> float:
    """The level of the standing feet, metres, robust against climbing, falling and noise.

    Heights of feet that hardly move, lowest foot of a frame; the floor is the densest level among the
    lower ones (a subject on a playground also stands higher up, and a low percentile alone would follow
    outliers). Without a still foot: the 5th percentile of the lower foot.

    Args:
        clip: the motion.
        within: the source's own floor is known to lie at 0 up to this; anything else is not believed.
    """
    joints = clip.joints()
    heights = sole_heights(clip, joints)
    speeds = np.stack([speed(joints[:, j], clip.fps) for j in CONTACT_JOINTS], axis=1)
    foot_height = np.minimum(heights[:, [0, 2]], heights[:, [1, 3]])
    foot_speed = np.maximum(speeds[:, [0, 2]], speeds[:, [1, 3]])
    still = np.where(foot_speed < STILL, foot_height, np.inf).min(axis=1)
    still = np.sort(still[np.abs(still) < min(within, 1e6)])
    if len(still) < max(5, clip.fps * 0.1):
        # A short run: the lowest points of the stance are the floor.
        return float(np.clip(np.percentile(foot_height.min(axis=1), 5), -within, within))
    level, count = still[0], 0
    for height in still[:: max(1, len(still) // 200)]:
        inside = int(np.searchsorted(still, height + 0.03) - np.searchsorted(still, height))
        # A higher level must be clearly the more common one to be taken for the floor.
        if inside > count * 1.5 + 2 and (count == 0 or inside > 3 * np.searchsorted(still, height)):
            level, count = height, inside
    window = still[(still >= level) & (still <= level + 0.03)]
    return float(np.median(window))


def place_on_floor(clip: Clip, floor: float) -> Clip:
    """Shift the clip so that ``floor`` comes to y = 0."""
    return clip.replace(
        trans=clip.trans - np.array([0.0, floor, 0.0]), meta={**clip.meta, "floor": round(floor, 4)}
    )


def rest_floor(motion: SourceMotion, rig: Rig) -> float:
    """Where our sole stands, metres, when the source stands in a rest pose whose feet are flat on y = 0."""
    ankles = np.mean([motion.rest_point(foot.ankle)[1] for foot in rig.feet])
    return float(leg_length() / source_leg_length(motion, rig) * ankles - CONTACT_REST_HEIGHTS[0])
