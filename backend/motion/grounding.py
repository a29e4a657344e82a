"""Where a motion's floor is, putting it at y = 0, and standing feet on it.

For motion that was carried over from another skeleton or fitted to bare joints, whose floor is anywhere and
whose legs are not ours.
"""

from __future__ import annotations

import numpy as np

from .clip import Clip
from .contacts import SOLE_POINTS, detect_contacts
from .kinematics import forward_kinematics
from .skeleton import CONTACT_JOINTS, CONTACT_REST_HEIGHTS, INDEX

STILL = 0.25
"""Metres a second: a foot slower than this (ankle and ball both) may be standing on something."""
REACH = 0.07
"""Metres; a foot in contact further than this from the floor is not pulled to it."""
SINK = 0.015
"""Metres that a sole may sink into the floor before the body is lifted."""

FLESH: dict[str, float] = {
    "pelvis": 0.08, "left_hip": 0.07, "right_hip": 0.07, "spine2": 0.08, "spine3": 0.08, "head": 0.07,
    "left_shoulder": 0.05, "right_shoulder": 0.05, "left_elbow": 0.03, "right_elbow": 0.03,
    "left_wrist": 0.02, "right_wrist": 0.02, "left_knee": 0.04, "right_knee": 0.04,
}  # fmt: skip
"""Metres between a joint and the skin below it when the body part lies on the floor: lower it cannot be."""


def speed(points: np.ndarray, fps: float) -> np.ndarray:
    """Central-difference speed (T,) of points (T, 3)."""
    if len(points) < 2:
        return np.zeros(len(points))
    return np.linalg.norm(np.gradient(points, axis=0), axis=-1) * fps


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


def foot_heights(clip: Clip) -> np.ndarray:
    """(T, 2) height of the lowest point of the left and of the right sole, metres."""
    joints, world = forward_kinematics(clip.poses[:, :12], clip.trans)
    points = [joints[:, j, 1] + world[:, j, 1] @ np.array(offset) for j, offset in SOLE_POINTS]
    half = len(SOLE_POINTS) // 2
    return np.stack([np.min(points[:half], axis=0), np.min(points[half:], axis=0)], axis=1)


def _body_heights(clip: Clip) -> np.ndarray:
    """(T, N) height of the skin below the joints of :data:`FLESH`, metres."""
    joints = clip.joints()
    return np.stack([joints[:, INDEX[name], 1] - flesh for name, flesh in FLESH.items()], axis=1)


def ground(clip: Clip) -> Clip:
    """Raise and lower the whole body slowly so that standing feet are on the floor.

    Another body's legs (left and right differ in a real person, thighs and shins have other shares)
    leave the feet of an exact copy of the limb directions up to 2 cm off. The correction is the mean
    height of the feet in contact, interpolated in between and smoothed over 0.1 s, so it never reads
    as a motion of its own; where a sole or a lying body would still sink, the body is lifted out.
    """
    contacts = detect_contacts(clip)
    standing = (contacts[:, [0, 2]] + contacts[:, [1, 3]]) > 0.5
    height = foot_heights(clip)
    standing &= np.abs(height) < REACH
    count = standing.sum(axis=1)
    shift = np.zeros(len(clip))
    if count.any():
        known = np.flatnonzero(count)
        mean = (height * standing).sum(axis=1)[known] / count[known]
        shift = -_smooth(np.interp(np.arange(len(clip)), known, mean), 0.1 * clip.fps)
    lowest = np.minimum(height.min(axis=1), _body_heights(clip).min(axis=1))
    sunk = np.maximum(-(lowest + shift) - SINK, 0.0)
    if sunk.any():
        shift = shift + _smooth(_widest(sunk, int(round(0.1 * clip.fps))), 0.05 * clip.fps)
    trans = clip.trans + np.stack([np.zeros_like(shift), shift, np.zeros_like(shift)], axis=1)
    return clip.replace(trans=trans)


def _smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian with the ends held."""
    radius = max(int(np.ceil(3 * sigma)), 1)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.convolve(np.pad(values, radius, mode="edge"), kernel / kernel.sum(), mode="valid")


def _widest(values: np.ndarray, radius: int) -> np.ndarray:
    """Running maximum."""
    padded = np.pad(values, radius, mode="edge")
    return np.max([padded[k : k + len(values)] for k in range(2 * radius + 1)], axis=0)
