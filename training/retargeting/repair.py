"""Single broken frames of a source, found and replaced."""

from __future__ import annotations

import numpy as np

from ...backend.motion import rotations as rot
from ...backend.motion.clip import Clip
from ...backend.motion.skeleton import PARTS

TRUNK_JUMP, LIMB_JUMP = np.radians(17.0), np.radians(40.0)
"""Change in one frame of 1/30 s that is suspicious when the joint comes back at once."""
ROOT_JUMP = 0.45
"""Metres in 1/30 s that no person travels."""
LONGEST_SPIKE = 3
"""Frames; a longer excursion is taken for motion."""


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
