"""Leaning towards what an arm alone does not reach: the shoulder girdle first, the trunk, the hips, the knees.

A few damped Gauss-Newton steps over all frames at once. The unknowns are turns of the pelvis, the spine and the
collars about the world's axes and a shift of the pelvis; what is wanted is each shoulder within its arm's reach of the
place that is pinned. Of all ways to get there the steps take the one with the smallest turns, every joint stays
within what people do without taking a step, and the feet stay where they are: the legs follow the pelvis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..motion import filters
from ..motion.footlock import write_local
from ..motion.ik import SOFT, ease_up, solve_two_bone
from ..motion.kinematics import forward_kinematics
from ..motion.rotations import (
    axis_angle_to_matrix,
    matrix_to_axis_angle,
    quaternion_to_matrix,
)
from ..motion.skeleton import INDEX, REST_OFFSETS

EASY = 0.96
"""Share of the arm's length from which the body helps: nobody works with a straight arm."""
_EASED = 0.03
"""Metres before that within which the help sets in."""
_HOPELESS = (0.6, 1.1)
"""Metres beyond reach: up to the first the body leans as far as it can, past the second it lets go."""
_STEPS = 8
_DAMPING = 2e-3
_SMOOTH = 0.07
"""Seconds."""
_LIMITS = {"pelvis": 40.0, "spine1": 16.0, "spine2": 14.0, "spine3": 12.0, "collar": 14.0}
"""Degrees that each joint turns at most."""
_COST = {"pelvis": 1.6, "spine1": 1.0, "spine2": 1.0, "spine3": 1.2, "collar": 0.5}
"""What a turn costs against the others; hips lean late."""
_SHIFT_COST = np.array([12.0, 5.0, 12.0])
_ASIDE, _DOWN = 0.09, 0.34
"""Metres that the pelvis is shifted over the floor and lowered, at most; it is never raised off its legs."""
_LEVEL_HEAD = 0.5
"""Share of the trunk's turn that neck and head take back."""
_SPINE = ("pelvis", "spine1", "spine2", "spine3")
_BODY = 22
_LEGS = (
    (INDEX["left_hip"], INDEX["left_knee"], INDEX["left_ankle"]),
    (INDEX["right_hip"], INDEX["right_knee"], INDEX["right_ankle"]),
)
_LEG = float(sum(np.linalg.norm(REST_OFFSETS[joint]) for joint in _LEGS[0][1:]))


@dataclass(frozen=True)
class Reach:
    """An arm that is to come to places.

    Attributes:
        shoulder: its first joint.
        length: metres that it reaches.
        goal: (T, 3) where the wrist is to be.
        weight: (T,) how much of that, 0 where nothing is asked for.
    """

    shoulder: int
    length: float
    goal: np.ndarray
    weight: np.ndarray

    @property
    def collar(self) -> int:
        return INDEX["left_collar" if self.shoulder == INDEX["left_shoulder"] else "right_collar"]


def lean(
    poses: np.ndarray, trans: np.ndarray, fps: float, reaches: Sequence[Reach], room: np.ndarray
) -> np.ndarray:
    """Lean body poses towards places that arms do not reach.

    Args:
        poses: (T, 55, 3) axis-angle; changed in place where a body leans.
        trans: (T, 3).
        fps: frames per second.
        reaches: the arms.
        room: (T,) 0 to 1, how far each frame may be changed.

    Returns:
        (T, 3) where the body then is; feet stand where they stood.
    """
    joints, world = forward_kinematics(poses[:, :_BODY], trans)
    want = [_shortfall(joints[:, one.shoulder], one) for one in reaches]
    needed = np.any([short * one.weight > 1e-5 for short, one in zip(want, reaches, strict=True)], axis=0)
    if not needed.any():
        return trans
    near = np.flatnonzero(filters.upper_envelope(needed.astype(float), 2 * round(3 * _SMOOTH * fps) + 1))
    part = slice(int(near[0]), int(near[-1]) + 1)
    cut = [Reach(one.shoulder, one.length, one.goal[part], one.weight[part]) for one in reaches]
    turns, shift, columns = _solved(poses[part, :_BODY], trans[part], cut)
    weight = np.max([one.weight for one in cut], axis=0)
    turns = filters.gaussian(turns * weight[:, None, None], _SMOOTH * fps) * room[part, None, None]
    shift = filters.gaussian(shift * weight[:, None], _SMOOTH * fps) * room[part, None]
    leaned, moved = _applied(poses[part, :_BODY], trans[part], turns, shift, columns)
    leaned, moved = _on_its_feet(leaned, moved, joints[part], world[part], fps, room[part])
    changed = (np.abs(turns).max(axis=(1, 2)) > 1e-7) | (np.abs(shift).max(axis=1) > 1e-7)
    result = np.array(trans, np.float64)
    result[part] = np.where(changed[:, None], moved, trans[part])
    poses[part, :_BODY] = np.where(changed[:, None, None], leaned, poses[part, :_BODY])
    return result


def _shortfall(shoulder: np.ndarray, one: Reach) -> np.ndarray:
    """(T,) metres that the arm lacks, with a soft beginning; nothing where it is hopeless."""
    short = np.linalg.norm(one.goal - shoulder, axis=-1) - EASY * one.length
    u = np.clip((_HOPELESS[1] - short) / (_HOPELESS[1] - _HOPELESS[0]), 0.0, 1.0)
    return ease_up(-short, _EASED) * u * u * (3.0 - 2.0 * u)


def _columns(reaches: Sequence[Reach]) -> list[tuple[int, float, float]]:
    """The joints that turn: index, cost, limit in radians."""
    found = [(INDEX[name], _COST[name], float(np.radians(_LIMITS[name]))) for name in _SPINE]
    collars = sorted({one.collar for one in reaches})
    return found + [(joint, _COST["collar"], float(np.radians(_LIMITS["collar"]))) for joint in collars]


def _solved(
    poses: np.ndarray, trans: np.ndarray, reaches: Sequence[Reach]
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Turns (T, J, 3) about the world's axes of joints J, a shift (T, 3) of the pelvis, and which joints they are."""
    columns = _columns(reaches)
    frames, count = len(poses), len(columns)
    which = [joint for joint, _, _ in columns]
    limits = np.array([limit for _, _, limit in columns])
    cost = np.concatenate([np.repeat([cost for _, cost, _ in columns], 3), _SHIFT_COST]) * _DAMPING
    turns, shift = np.zeros((frames, count, 3)), np.zeros((frames, 3))
    for _ in range(_STEPS):
        now, moved = _applied(poses, trans, turns, shift, which)
        joints, _world = forward_kinematics(now, moved)
        normal = np.broadcast_to(np.diag(cost), (frames, len(cost), len(cost))).copy()
        right = -cost * np.concatenate([turns.reshape(frames, -1), shift], axis=1)
        for one in reaches:
            shoulder = joints[:, one.shoulder]
            away = one.goal - shoulder
            short = _shortfall(shoulder, one) * (one.weight > 0.0)
            wanted = away / np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-9) * short[:, None]
            jacobian = np.zeros((frames, 3, len(cost)))
            for k, joint in enumerate(which):
                if joint > INDEX["spine3"] and joint != one.collar:
                    continue
                jacobian[:, :, 3 * k : 3 * k + 3] = -_cross_matrix(shoulder - joints[:, joint])
            jacobian[:, :, -3:] = np.eye(3)
            turned = np.swapaxes(jacobian, -1, -2)
            normal += turned @ jacobian
            right += (turned @ wanted[..., None])[..., 0]
        step = np.linalg.solve(normal, right[..., None])[..., 0]
        turns = _limited(turns + step[:, :-3].reshape(frames, count, 3), limits[None, :, None])
        shift = shift + step[:, -3:]
        shift[:, [0, 2]] = _limited(shift[:, [0, 2]], np.array(_ASIDE))
        shift[:, 1] = -_within(np.maximum(-shift[:, 1], 0.0), np.array(_DOWN))
    return turns, shift, which


def _limited(vectors: np.ndarray, limit: np.ndarray) -> np.ndarray:
    size = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors * _within(size, limit) / np.maximum(size, 1e-12)


def _within(size: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Sizes that come up to a limit softly."""
    return size / (1.0 + (size / limit) ** 6) ** (1.0 / 6.0)


def _cross_matrix(vectors: np.ndarray) -> np.ndarray:
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)


def _applied(
    poses: np.ndarray, trans: np.ndarray, turns: np.ndarray, shift: np.ndarray, which: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Body poses (T, 22, 3) with joints turned in the world, each together with all that it carries."""
    _, world = forward_kinematics(poses, trans)
    changed = np.array(world)
    total = np.broadcast_to(np.eye(3), (len(poses), 3, 3))
    written = [joint for joint in which if joint]
    for k, joint in enumerate(which):
        own = axis_angle_to_matrix(turns[:, k])
        if joint <= INDEX["spine3"]:
            total = own @ total
            changed[:, joint] = total @ world[:, joint]
        else:
            changed[:, joint] = own @ total @ world[:, joint]
    level = axis_angle_to_matrix((1.0 - _LEVEL_HEAD) * matrix_to_axis_angle(total))
    half = axis_angle_to_matrix((1.0 - 0.5 * _LEVEL_HEAD) * matrix_to_axis_angle(total))
    for name, turn in (("neck", half), ("head", level)):
        changed[:, INDEX[name]] = turn @ world[:, INDEX[name]]
        written.append(INDEX[name])
    result = np.array(poses)
    result[:, 0] = matrix_to_axis_angle(changed[:, 0])
    write_local(result, changed, written)
    return result, trans + shift


def _on_its_feet(
    poses: np.ndarray,
    trans: np.ndarray,
    before: np.ndarray,
    turned: np.ndarray,
    fps: float,
    room: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Both ankles where they were (T, 22, 3), feet turned as they were (T, 22, 3, 3), the pelvis as low as that needs."""
    joints, _ = forward_kinematics(poses, trans)
    need = np.zeros(len(poses))
    for hip, _, ankle in _LEGS:
        held = np.linalg.norm(before[:, ankle] - before[:, hip], axis=1)
        reach = np.maximum((1 - SOFT) * _LEG, held)
        aside = np.sum((before[:, ankle] - joints[:, hip])[:, [0, 2]] ** 2, axis=1)
        lower = joints[:, hip, 1] - before[:, ankle, 1] - np.sqrt(np.maximum(reach**2 - aside, 0.0))
        need = np.maximum(need, lower)
    if need.max() > 1e-9:
        need = filters.gaussian(filters.upper_envelope(need, round(0.12 * fps)), _SMOOTH * fps)
        trans = trans - (need * room)[:, None] * np.array([0.0, 1.0, 0.0])
    joints, world = forward_kinematics(poses, trans)
    world = np.array(world)
    for hip, knee, ankle in _LEGS:
        upper, lower = solve_two_bone(
            joints[:, hip], joints[:, knee], joints[:, ankle], before[:, ankle], world[:, hip, :, 0]
        )
        world[:, hip] = quaternion_to_matrix(upper) @ world[:, hip]
        world[:, knee] = quaternion_to_matrix(lower) @ world[:, knee]
        world[:, ankle] = turned[:, ankle]
        write_local(poses, world, (hip, knee, ankle))
    return poses, trans
