"""Numbers that say whether a retargeted clip is faithful: limb directions against the source, feet on the floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...backend.motion.clip import Clip
from ...backend.motion.grounding import foot_heights
from ...backend.motion.kinematics import forward_kinematics
from ...backend.motion.skeleton import INDEX
from ..formats.source import SourceMotion
from .retarget import Drive, Rig

STANDING_SPEED = 0.2
"""Metres a second: a foot whose ankle and ball are both slower stands."""
STANDING_REACH = 0.10
"""Metres: a still foot higher than this stands on something else, or hangs."""


def _degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a = a / np.maximum(np.linalg.norm(a, axis=-1, keepdims=True), 1e-9)
    b = b / np.maximum(np.linalg.norm(b, axis=-1, keepdims=True), 1e-9)
    # The chord keeps its precision for small angles.
    return np.degrees(2.0 * np.arcsin(np.clip(0.5 * np.linalg.norm(a - b, axis=-1), 0.0, 1.0)))


def source_direction(motion: SourceMotion, drive: Drive) -> np.ndarray:
    """Direction (T, 3) of the source's bone in the world, as the actor's limb pointed."""
    _, start, end = drive.bone  # type: ignore[misc]
    if drive.towards is None:
        return motion.point(end) - motion.point(start)
    return motion.rotations[:, motion.index(drive.sources[0][0])] @ np.array(drive.towards)


def bone_angles(clip: Clip, motion: SourceMotion, rig: Rig) -> dict[str, np.ndarray]:
    """Degrees (T,) between our bone and the source's, by our joint name.

    Bones of no length in the source (a phalanx without an end) are left out. Feet are aligned by their
    soles and not listed.
    """
    joints = clip.joints()
    result = {}
    for name, drive in rig.drives.items():
        if not drive.bone:
            continue
        theirs = source_direction(motion, drive)
        if np.linalg.norm(theirs, axis=-1).max() < 1e-6 or drive.sources[0][0] not in drive.bone[1]:
            continue
        result[name] = _degrees_between(joints[:, INDEX[drive.bone[0]]] - joints[:, INDEX[name]], theirs)
    return result


@dataclass(frozen=True)
class Feet:
    """Heights of standing feet, metres."""

    frames: int
    within_2cm: float
    low: float
    median: float
    high: float


def standing_feet(clip: Clip) -> Feet:
    """Feet that hardly move near the floor: the share within 2 cm of y = 0, and percentiles 5, 50, 95.

    Independent of the contact labels, which have a height threshold of their own.
    """
    joints = clip.joints()
    if len(clip) < 2:
        return Feet(0, 1.0, 0.0, 0.0, 0.0)
    velocity = np.gradient(
        joints[:, [INDEX[n] for n in ("left_ankle", "left_foot", "right_ankle", "right_foot")]], axis=0
    )
    speed = np.linalg.norm(velocity, axis=-1) * clip.fps
    heights = foot_heights(clip)
    still = (np.maximum(speed[:, [0, 2]], speed[:, [1, 3]]) < STANDING_SPEED) & (heights < STANDING_REACH)
    chosen = heights[still]
    if not len(chosen):
        return Feet(0, 1.0, 0.0, 0.0, 0.0)
    low, median, high = np.percentile(chosen, (5, 50, 95))
    return Feet(len(chosen), float((np.abs(chosen) < 0.02).mean()), float(low), float(median), float(high))


def left_is_left(clip: Clip) -> bool:
    """The left hip and shoulder are on the left of the pelvis' own forward direction in every frame."""
    joints, world = forward_kinematics(clip.poses, clip.trans)
    left = world[:, 0, :, 0]
    hips = joints[:, INDEX["left_hip"]] - joints[:, INDEX["right_hip"]]
    return bool((np.einsum("tk,tk->t", hips, left) > 0).all())
