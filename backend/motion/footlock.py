"""Foot locking: a foot that stands is held at one place, and the legs follow by two-bone IK.

Every contact gets a fixed anchor (:mod:`.anchors`). The ankle's correction is measured on top of the toe's: during
heel-off, when only the toe is held, the ankle rolls over it freely.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import filters, rotations
from .anchors import corrections, soft_mask
from .contacts import SOLE_POINTS
from .ik import SOFT, ease_up, raise_tip, solve_two_bone
from .knees import eased_goal
from .skeleton import CONTACT_JOINTS, CONTACT_REST_HEIGHTS, PARENTS, REST_OFFSETS

MAX_PELVIS_DROP = 0.06
MAX_FOOT_TURN = np.radians(25.0)
MAX_TOE_BEND = np.radians(85.0)
_SOFT_FLOOR = 0.004  # metres over which a foot is eased onto the floor instead of stopped


@dataclass(frozen=True)
class Leg:
    """One leg of a body whose joints have SMPL-X's order and, at rest, its axes; metres.

    Attributes:
        joints: indices of hip, knee, ankle and foot (the ball).
        columns: of the ankle and of the toe in the contacts.
        length: thigh and shin.
        ankle_height: of the ankle above the sole of a flat foot.
        heel: a point of the sole in the ankle's frame.
        ball: a point of the sole in the foot joint's frame.
        tip: the toe tips, in the foot joint's frame.
    """

    joints: tuple[int, int, int, int]
    columns: tuple[int, int]
    length: float
    ankle_height: float
    heel: np.ndarray
    ball: np.ndarray
    tip: np.ndarray


def _own_leg(side: int) -> Leg:
    hip, knee, ankle, toe = (joint + side for joint in (1, 4, 7, 10))
    heel, ball, tip = (np.asarray(point) for _, point in SOLE_POINTS[3 * side : 3 * side + 3])
    return Leg(
        joints=(hip, knee, ankle, toe),
        columns=(2 * side, 2 * side + 1),
        length=float(np.linalg.norm(REST_OFFSETS[knee]) + np.linalg.norm(REST_OFFSETS[ankle])),
        ankle_height=CONTACT_REST_HEIGHTS[2 * side],
        heel=heel,
        ball=ball,
        tip=tip,
    )


LEGS: tuple[Leg, Leg] = (_own_leg(0), _own_leg(1))
"""The legs of our own body, left and right."""


def lock_feet(
    poses: np.ndarray,
    joints: np.ndarray,
    world: np.ndarray,
    contacts: np.ndarray,
    fps: float,
    *,
    lock: bool,
    floor: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """New leg rotations for feet that stand still, of our own body.

    Args:
        poses: (T, 22, 3) axis-angle.
        joints: (T, 22, 3) and
        world: (T, 22, 3, 3), their forward kinematics.
        contacts: (T, 4) truth values.
        fps: frames per second.
        lock: hold feet in contact at their anchors.
        floor: put anchors on the floor and keep soles above it.

    Returns:
        poses (T, 22, 3), how far the pelvis is lowered (T,) metres so that the legs reach, and the contacts
        (T, 4) that were held.
    """
    feet = joints[:, list(CONTACT_JOINTS)]
    turned, drop, held = solve_legs(LEGS, feet, joints, world, contacts, fps, lock=lock, floor=floor)
    poses = np.array(poses)
    for leg in LEGS:
        write_local(poses, turned, leg.joints)
    return poses, drop, held


def write_local(poses: np.ndarray, world: np.ndarray, joints: Sequence[int]) -> None:
    """Set axis-angle rotations (T, J, 3), in place, from global matrices; frames that are the same stay so."""
    for joint in joints:
        matrix = np.swapaxes(world[:, PARENTS[joint]], -1, -2) @ world[:, joint]
        new = rotations.matrix_to_axis_angle(matrix)
        same = np.abs(matrix - rotations.axis_angle_to_matrix(poses[:, joint])).max(axis=(1, 2)) < 1e-7
        poses[:, joint] = np.where(same[:, None], poses[:, joint], new)


def solve_legs(
    legs: Sequence[Leg],
    feet: np.ndarray,
    joints: np.ndarray,
    world: np.ndarray,
    contacts: np.ndarray,
    fps: float,
    *,
    lock: bool,
    floor: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Global rotations of two legs whose feet stand still and above the floor.

    Args:
        legs: left and right.
        feet: (T, 4, 3) where ankles and toes shall be before they are held (columns of the contacts).
        joints: (T, 22, 3) where they are.
        world: (T, 22, 3, 3) global rotations.
        contacts: (T, 4) truth values.
        fps: frames per second.
        lock: hold feet in contact at their anchors.
        floor: put anchors on the floor and keep soles above it.

    Returns:
        global rotations (T, 22, 3, 3) with new legs, how far the pelvis must be lowered (T,) metres so that
        the legs reach, and the contacts (T, 4) that were held.
    """
    held = np.array(contacts)
    targets = [_foot_targets(feet, world, held, leg, fps, lock=lock, floor=floor) for leg in legs]
    drop = np.zeros(len(joints))
    if lock:
        drop = _pelvis_drop(joints, legs, targets, held, fps)
        joints = joints - drop[:, None, None] * np.array([0.0, 1.0, 0.0])
    turned = np.array(world)
    for leg, (goal, aim) in zip(legs, targets, strict=True):
        hip, knee, ankle = (joints[:, joint] for joint in leg.joints[:3])
        pose_leg(turned, joints, leg, eased_goal(hip, knee, ankle, goal, fps), aim, floor=floor)
    return turned, drop, held


def _foot_targets(
    feet: np.ndarray,
    world: np.ndarray,
    held: np.ndarray,
    leg: Leg,
    fps: float,
    *,
    lock: bool,
    floor: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Where the ankle goes (T, 3), and the turn of the foot (T, 4) as a world quaternion; trims ``held``."""
    ankle_column, toe_column = leg.columns
    ankle, toe = feet[:, ankle_column], feet[:, toe_column]
    ankle_world, toe_world = world[:, leg.joints[2]], world[:, leg.joints[3]]
    move_toe, move_ankle = np.zeros_like(toe), np.zeros_like(ankle)
    toe_weight = np.zeros(len(toe))
    if lock:
        # Where each would be if it stood on the floor; unknown for a foot that lies.
        down = ankle_world[:, 1, 1] > 0.6
        ball, tip = (toe[:, 1] + (toe_world @ point)[:, 1] for point in (leg.ball, leg.tip))
        # On the ball, or on the toe tips if those touch.
        off_floor = np.where(ball < 0, ball, np.maximum(np.minimum(ball, tip), 0.0))
        toe_floor = np.where(down, toe[:, 1] - off_floor, np.nan)
        move_toe, steps = corrections(toe, held[:, toe_column], toe_floor if floor else None, fps, slack=0.02)
        for last, first in steps:
            held[last:first, ankle_column] = False
        rest = leg.ankle_height
        # An ankle rolls a little above its rest.
        ankle_floor = np.where(down, np.clip((ankle + move_toe)[:, 1], rest, rest + 0.02), np.nan)
        move_ankle, _ = corrections(
            ankle + move_toe, held[:, ankle_column], ankle_floor if floor else None, fps, slack=0.015
        )
        toe_weight = soft_mask(held[:, toe_column], fps)
    goal_ankle = ankle + move_toe + move_ankle
    goal_toe = toe + move_toe + move_ankle * (1 - toe_weight)[:, None]
    foot = toe - ankle
    aim = _limited_arc(foot, goal_toe - goal_ankle)
    if floor:
        ball = goal_ankle[:, 1] + rotations.rotate_vectors(aim, foot)[:, 1] + leg.ball[1]
        goal_ankle[:, 1] += ease_up(ball, _SOFT_FLOOR)
        goal_toe[:, 1] += ease_up(ball, _SOFT_FLOOR)
        heel = rotations.rotate_vectors(aim, ankle_world @ leg.heel)[:, 1] + goal_ankle[:, 1]
        # A heel below the floor rises; the toe stays down where it stands.
        raise_heel = ease_up(heel, _SOFT_FLOOR)
        goal_ankle[:, 1] += raise_heel
        goal_toe[:, 1] += raise_heel * (1 - toe_weight)
        aim = _limited_arc(foot, goal_toe - goal_ankle)
    return goal_ankle, aim


def _limited_arc(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Smallest turn from one direction to another as quaternions (T, 4), at most :data:`MAX_FOOT_TURN`."""
    turn = rotations.quaternion_to_axis_angle(rotations.shortest_arc(source, target))
    angle = np.linalg.norm(turn, axis=-1, keepdims=True)
    return rotations.axis_angle_to_quaternion(
        turn * np.minimum(1.0, MAX_FOOT_TURN / np.maximum(angle, 1e-12))
    )


def _pelvis_drop(
    joints: np.ndarray,
    legs: Sequence[Leg],
    targets: list[tuple[np.ndarray, np.ndarray]],
    held: np.ndarray,
    fps: float,
) -> np.ndarray:
    """(T,) metres by which the pelvis is lowered so that both legs reach the feet that stand."""
    need = np.zeros(len(joints))
    for leg, (goal, _) in zip(legs, targets, strict=True):
        hip, ankle = joints[:, leg.joints[0]], joints[:, leg.joints[2]]
        # A leg that the source holds straighter than the eased reach may stay so.
        reach = np.maximum((1 - SOFT) * leg.length, np.linalg.norm(ankle - hip, axis=1))
        aside = np.sum((goal - hip)[:, [0, 2]] ** 2, axis=1)
        height = hip[:, 1] - goal[:, 1]
        lower = height - np.sqrt(np.maximum(reach**2 - aside, 0.0))
        stands = held[:, list(leg.columns)].any(axis=1) & (height > 0.5 * leg.length)
        need = np.maximum(need, np.where(stands, lower, 0.0))
    need = np.clip(need, 0.0, MAX_PELVIS_DROP)
    return filters.upper_envelope(need, round(0.12 * fps)) if need.any() else need


def pose_leg(
    world: np.ndarray, joints: np.ndarray, leg: Leg, goal: np.ndarray, aim: np.ndarray, *, floor: bool
) -> None:
    """Write the global rotations of a leg (in place) for an ankle at ``goal`` whose foot is turned by ``aim``."""
    hip, knee, ankle, toe = leg.joints
    hinge = world[:, hip, :, 0]  # flexion is a turn about the thigh's own X axis
    thigh_turn, shin_turn = solve_two_bone(joints[:, hip], joints[:, knee], joints[:, ankle], goal, hinge)
    foot_turn = rotations.quaternion_to_matrix(aim)
    world[:, hip] = rotations.quaternion_to_matrix(thigh_turn) @ world[:, hip]
    world[:, knee] = rotations.quaternion_to_matrix(shin_turn) @ world[:, knee]
    world[:, ankle] = foot_turn @ world[:, ankle]
    world[:, toe] = foot_turn @ world[:, toe]
    if floor:
        ball = goal + rotations.rotate_vectors(aim, joints[:, toe] - joints[:, ankle])
        bend = _toe_bend(ball[:, 1], world[:, toe], leg.tip)
        world[:, toe] = rotations.quaternion_to_matrix(bend) @ world[:, toe]


def _toe_bend(height: np.ndarray, toes: np.ndarray, tip: np.ndarray) -> np.ndarray:
    """World quaternions (T, 4) that bend the toes up where their tip would go through the floor (toe-off).

    Args:
        height: (T,) of the foot joint.
        toes: (T, 3, 3) global rotation of the foot joint.
        tip: (3,) the toe tips in its frame.
    """
    tips = toes @ tip
    rise = np.where(toes[:, 1, 1] > -0.3, ease_up(height + tips[:, 1], _SOFT_FLOOR), 0.0)
    return raise_tip(tips, rise, MAX_TOE_BEND, -toes[:, :, 0])
