"""What retargeting cannot know: single broken frames of a source, and feet that hover or sink a little.

Both repairs are measured and small; neither touches a limb's direction except in a broken frame.
"""

from __future__ import annotations

import numpy as np

from ..backend.motion import rotations as rot
from ..backend.motion.clip import Clip
from ..backend.motion.contacts import SOLE_POINTS, detect_contacts
from ..backend.motion.kinematics import forward_kinematics
from ..backend.motion.skeleton import INDEX, PARTS

TRUNK_JUMP, LIMB_JUMP = np.radians(17.0), np.radians(40.0)
"""Change in one frame of 1/30 s that is suspicious when the joint comes back at once."""
ROOT_JUMP = 0.45
"""Metres in 1/30 s that no person travels."""
LONGEST_SPIKE = 3
"""Frames; a longer excursion is taken for motion."""
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


def remove_spikes(clip: Clip) -> tuple[Clip, int]:
    """Replace frames in which a joint jumps away and comes back, and broken first or last frames.

    The DAZ conversions of CMU and a few trials have such frames (a root turned by 30 degrees for one
    frame, an arm in the T-pose in the first). Replaced by interpolation between the good neighbours.

    Args:
        clip: at about 30 fps.

    Returns:
        The clip and the number of joint-frames replaced.
    """
    if len(clip) < 4:
        return clip, 0
    quaternions = rot.axis_angle_to_quaternion(clip.poses)
    trans = np.array(clip.trans)
    replaced = 0
    body = [*PARTS["lower_trans"], *PARTS["upper"]]
    trunk = {0, 3, 6, 9}
    bad_root = _spikes_of_path(trans)
    for j in body:
        limit = TRUNK_JUMP if j in trunk else LIMB_JUMP
        bad = _spikes(quaternions[:, j], limit)
        if j == 0:
            bad |= bad_root
            bad_root = bad
        if bad.any():
            quaternions[:, j] = _refill(quaternions[:, j], bad)
            replaced += int(bad.sum())
    if bad_root.any():
        good = np.flatnonzero(~bad_root)
        for axis in range(3):
            trans[:, axis] = np.interp(np.arange(len(trans)), good, trans[good, axis])
    if not replaced:
        return clip, 0
    return clip.replace(poses=rot.quaternion_to_axis_angle(quaternions), trans=trans), replaced


def _angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 2.0 * np.arccos(np.clip(np.abs(np.sum(a * b, axis=-1)), 0.0, 1.0))


def _spikes(q: np.ndarray, limit: float) -> np.ndarray:
    """Frames (T,) bool of a joint's track (T, 4) that are excursions of a few frames."""
    frames = len(q)
    bad = np.zeros(frames, bool)
    step = _angle(q[1:], q[:-1])
    start = 1
    while start < frames - 1:
        if step[start - 1] > limit:
            for length in range(1, LONGEST_SPIKE + 1):
                after = start + length
                if after >= frames:
                    break
                back = _angle(q[start - 1], q[after])
                if back < 0.35 * step[start - 1] and step[after - 1] > 0.6 * limit:
                    bad[start:after] = True
                    start = after
                    break
        start += 1
    # A broken first or last frame: a jump next to calm.
    if step[0] > 1.5 * limit and step[1] < 0.25 * step[0]:
        bad[0] = True
    if step[-1] > 1.5 * limit and step[-2] < 0.25 * step[-1]:
        bad[-1] = True
    return bad


def _spikes_of_path(path: np.ndarray) -> np.ndarray:
    """Frames (T,) bool at either end of, or inside, a path (T, 3) that no body can reach in time."""
    step = np.linalg.norm(np.diff(path, axis=0), axis=1)
    bad = np.zeros(len(path), bool)
    for t in np.flatnonzero(step > ROOT_JUMP):
        if t < LONGEST_SPIKE:
            bad[: t + 1] = True
        elif t >= len(step) - LONGEST_SPIKE:
            bad[t + 1 :] = True
        elif np.linalg.norm(path[min(t + 2, len(path) - 1)] - path[t]) < ROOT_JUMP:
            bad[t + 1] = True
    return bad


def _refill(q: np.ndarray, bad: np.ndarray) -> np.ndarray:
    good = np.flatnonzero(~bad)
    if not len(good):
        return q
    t = np.arange(len(q))
    after = np.clip(np.searchsorted(good, t), 0, len(good) - 1)
    before = np.clip(np.searchsorted(good, t, "right") - 1, 0, len(good) - 1)
    low, high = good[before], good[after]
    weight = np.where(high > low, (t - low) / np.maximum(high - low, 1), 0.0)
    return rot.slerp(q[low], q[high], np.clip(weight, 0, 1)[:, None])


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
