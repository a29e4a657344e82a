"""A motion of its own laid over a body that stands: what the motion shows, on the feet that stand there."""

from __future__ import annotations

import numpy as np

from ..motion import rotations
from ..motion.clip import Clip
from ..motion.footlock import LEGS, pose_leg, write_local
from ..motion.kinematics import forward_kinematics
from ..motion.skeleton import PARTS
from ..speech.movements import least_jerk

EASE = 0.45
"""Seconds in which it is begun, and ended."""
TURNED = np.radians(8.0)
"""Radians that the hips may turn over feet that stand."""
AWAY = 0.12
"""Metres that they may leave the middle between the feet."""
LOWEST, HIGHEST = 0.55, 0.012
"""How low they may be, as a share of how high they are at rest; metres that they may be higher."""
_BODY = 22
_LEGS = [joint for leg in LEGS for joint in leg.joints]
_UPPER = [joint for joint in range(1, _BODY) if joint not in _LEGS]
_ANKLES = [leg.joints[2] for leg in LEGS]


def laid_over(clip: Clip, part: Clip, begin: float, *, share: float = 1.0, ease: float = EASE) -> Clip:
    """The clip with another motion over a stretch of it; its feet, face and fingers unless known stay its own.

    Args:
        clip: somebody who stands.
        part: at the same frame rate; its way over the floor is left out.
        begin: seconds of the clip at which it begins.
        share: 0 to 1, how much of it is seen.
        ease: seconds in which it is begun and ended.
    """
    start = max(round(begin * clip.fps), 0)
    stop = min(start + len(part), len(clip))
    if stop - start < 2:
        return clip
    part = part.slice(0, stop - start)
    times = np.arange(stop - start) / clip.fps
    ease = min(ease, 0.5 * times[-1])
    weight = share * least_jerk(times / ease) * least_jerk((times[-1] - times) / ease)
    poses, trans = np.array(clip.poses, np.float64), np.array(clip.trans, np.float64)
    here = slice(start, stop)
    body = np.array(poses[here, :_BODY])
    joints, world = forward_kinematics(body, trans[here])
    body[:, _UPPER] = _mixed(body[:, _UPPER], part.poses[:, _UPPER], weight)
    hips, place = _hips(part, joints, world[:, 0])
    body[:, 0] = _mixed(body[:, :1], hips[:, None], weight)[:, 0]
    moved = trans[here] + weight[:, None] * (place - joints[:, 0])
    plant(body, moved, joints, world)
    poses[here, :_BODY], trans[here] = body, moved
    if part.known["hands"]:
        hands = list(PARTS["hands"])
        poses[start:stop, hands] = _mixed(poses[start:stop, hands], part.poses[:, hands], weight)
    return clip.replace(poses=poses, trans=trans)


def stays(part: Clip) -> float:
    """How well a motion can be performed where one stands, 1 at best: hips stay above feet that stay, upright."""
    joints = part.joints()
    pelvis, feet = joints[:, 0], joints[:, _ANKLES].mean(axis=1)
    away = np.linalg.norm((pelvis - feet)[:, [0, 2]], axis=1)
    strayed = np.linalg.norm((feet - feet.mean(axis=0))[:, [0, 2]], axis=1)
    low = np.maximum(0.75 - (pelvis[:, 1] - joints[:, _ANKLES, 1].min(axis=1)) / 0.86, 0.0)
    return float(
        np.exp(-(3.0 * strayed.mean() + 4.0 * np.maximum(away - AWAY, 0.0).mean() + 8.0 * low.mean()))
    )


def _hips(part: Clip, joints: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (T, 3) and place (T, 3) of the pelvis of ``part`` over the feet of a body that stands."""
    theirs, world = forward_kinematics(part.poses[:, :_BODY], part.trans)
    facing = rotations.heading(world[:, 0])
    mean = float(np.arctan2(np.sin(facing).mean(), np.cos(facing).mean()))
    turn = np.clip(rotations.wrap_angle(facing - mean), -TURNED, TURNED)
    goal = rotations.heading(own) + turn
    upright = rotations.yaw_matrix(goal - facing) @ world[:, 0]
    offset = theirs[:, 0] - theirs[:, _ANKLES].mean(axis=1)
    offset = np.einsum("tij,tj->ti", rotations.yaw_matrix(goal - facing), offset)
    far = np.linalg.norm(offset[:, [0, 2]], axis=1, keepdims=True)
    offset[:, [0, 2]] *= np.minimum(1.0, AWAY / np.maximum(far, 1e-9))
    feet = joints[:, _ANKLES].mean(axis=1)
    high = float((joints[:, 0] - feet)[:, 1].mean())
    offset[:, 1] = np.clip(offset[:, 1], LOWEST * high, high + HIGHEST)
    return rotations.matrix_to_axis_angle(upright), feet + offset


def plant(body: np.ndarray, trans: np.ndarray, joints: np.ndarray, world: np.ndarray) -> None:
    """Legs that reach the feet of ``joints`` and ``world`` from where the pelvis now is, in place."""
    moved, turned = forward_kinematics(body, trans)
    still = np.tile([1.0, 0.0, 0.0, 0.0], (len(body), 1))
    for leg in LEGS:
        for joint in leg.joints[2:]:
            turned[:, joint] = world[:, joint]
        pose_leg(turned, moved, leg, joints[:, leg.joints[2]], still, floor=False)
        write_local(body, turned, leg.joints)


def _mixed(own: np.ndarray, other: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Axis-angle (T, J, 3) from the own to the other's by ``weight`` (T,)."""
    first, second = (
        rotations.axis_angle_to_quaternion(np.asarray(each, np.float64)) for each in (own, other)
    )
    return rotations.quaternion_to_axis_angle(rotations.slerp(first, second, weight[:, None, None]))
