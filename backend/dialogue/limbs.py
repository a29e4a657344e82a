"""Hands that are brought to a place and feet that take a step, over whatever the rest of a body does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..motion import rotations
from ..motion.footlock import LEGS, pose_leg, write_local
from ..motion.hands import Shape, posed
from ..motion.ik import solve_two_bone
from ..motion.kinematics import forward_kinematics
from ..motion.skeleton import INDEX, PARTS, REST_OFFSETS

PALM = (0.075, 0.02)
"""Metres from the wrist to the middle of the palm: towards the fingers, and through the hand to its skin."""
LIFT = 0.05
"""Metres that an ankle is lifted in the middle of a step."""
TWIST = 0.6
"""Share of a hand's turn about the forearm that the forearm takes; the wrist takes the rest."""
_BODY = 22


@dataclass(frozen=True)
class Reach:
    """Where the palm of a hand goes.

    Attributes:
        side: 0 for the left hand, 1 for the right one.
        palm: (T, 3) in the world, metres.
        fingers, faces: (T, 3) directions in the world of the fingers and of the palm.
        pole: (T, 3) direction in the world to which the elbow goes.
        weight: (T,) 0 for the motion's own arm, 1 for this.
    """

    side: int
    palm: np.ndarray
    fingers: np.ndarray
    faces: np.ndarray
    pole: np.ndarray
    weight: np.ndarray


def reach(poses: np.ndarray, trans: np.ndarray, goal: Reach, hand: Shape | None = None) -> None:
    """Bring a hand to a place, in place.

    Args:
        poses: (T, 55, 3) axis-angle, radians.
        trans: (T, 3) metres.
        goal: where the hand goes.
        hand: the posture of its fingers; None for the motion's own.
    """
    side = ("left", "right")[goal.side]
    shoulder, elbow, wrist = (INDEX[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
    frames = np.flatnonzero(goal.weight > 1e-6)
    if not len(frames):
        return
    body = np.array(poses[frames, :_BODY], np.float64)
    weight = goal.weight[frames, None]
    joints, world = forward_kinematics(body, trans[frames])
    turned = _hand_world(goal.side, goal.fingers[frames], goal.faces[frames])
    along, through = PALM
    inside = np.array([along if goal.side == 0 else -along, -through, 0.0])
    target = goal.palm[frames] - turned @ inside
    # The hand goes straight from where it would be; the arm follows.
    target = joints[:, wrist] + weight * (target - joints[:, wrist])
    hinge = world[:, shoulder, :, 1] * (-1.0 if goal.side == 0 else 1.0)
    upper, lower = solve_two_bone(joints[:, shoulder], joints[:, elbow], joints[:, wrist], target, hinge)
    bend = joints[:, shoulder] + rotations.rotate_vectors(upper, joints[:, elbow] - joints[:, shoulder])
    tip = bend + rotations.rotate_vectors(lower, joints[:, wrist] - joints[:, elbow])
    swivel = _swivel(joints[:, shoulder], bend, tip, goal.pole[frames], weight)
    upper, lower = (rotations.quaternion_multiply(swivel, turn) for turn in (upper, lower))
    own = rotations.matrix_to_quaternion(world[:, wrist])
    wanted = rotations.matrix_to_quaternion(turned)
    world[:, shoulder] = rotations.quaternion_to_matrix(upper) @ world[:, shoulder]
    world[:, elbow] = rotations.quaternion_to_matrix(lower) @ world[:, elbow]
    carried = rotations.quaternion_multiply(lower, own)
    mixed = rotations.slerp(carried, wanted, weight)
    # The forearm takes its part of the hand's turn about itself.
    bone = np.asarray(REST_OFFSETS[wrist] / np.linalg.norm(REST_OFFSETS[wrist]))
    local = rotations.quaternion_multiply(
        rotations.quaternion_conjugate(rotations.matrix_to_quaternion(world[:, elbow])), mixed
    )
    local = np.where(local[:, :1] < 0, -local, local)
    angle = 2.0 * np.arctan2(local[:, 1:] @ bone, local[:, 0])
    share = TWIST * weight * rotations.wrap_angle(angle)[:, None]
    twist = rotations.axis_angle_to_quaternion(share * bone)
    world[:, elbow] = world[:, elbow] @ rotations.quaternion_to_matrix(twist)
    world[:, wrist] = rotations.quaternion_to_matrix(mixed)
    write_local(body, world, (shoulder, elbow, wrist))
    poses[frames, :_BODY] = body
    if hand is not None:
        mirror = np.array([1.0, -1.0, -1.0]) if goal.side else np.ones(3)
        first = PARTS["hands"][15 * goal.side]
        own_fingers = poses[frames, first : first + 15]
        poses[frames, first : first + 15] += weight[:, None] * (posed(hand) * mirror - own_fingers)


def palm_of(poses: np.ndarray, trans: np.ndarray, side: int) -> np.ndarray:
    """(T, 3) the middle of the skin of a palm; ``side`` 0 for the left hand."""
    joints, world = forward_kinematics(poses[:, :_BODY], trans)
    wrist = INDEX["left_wrist" if side == 0 else "right_wrist"]
    along, through = PALM
    return np.asarray(
        joints[:, wrist] + world[:, wrist] @ np.array([along if side == 0 else -along, -through, 0.0])
    )


def step(poses: np.ndarray, trans: np.ndarray, way: np.ndarray, feet: np.ndarray, lift: np.ndarray) -> None:
    """Carry a body over the floor on feet that step, in place.

    Args:
        poses: (T, 55, 3) axis-angle, radians, of a body whose feet stand.
        trans: (T, 3) metres.
        way: (T, 3) metres that the pelvis is carried.
        feet: (T, 2, 3) metres that the left and the right foot are.
        lift: (T, 2) metres that each is lifted.
    """
    body = np.array(poses[:, :_BODY], np.float64)
    joints, own = forward_kinematics(body, trans)
    place = trans + way
    moved, world = forward_kinematics(body, place)
    still = np.tile([1.0, 0.0, 0.0, 0.0], (len(body), 1))
    for index, leg in enumerate(LEGS):
        for joint in leg.joints[2:]:
            world[:, joint] = own[:, joint]
        goal = joints[:, leg.joints[2]] + feet[:, index]
        goal[:, 1] += lift[:, index]
        pose_leg(world, moved, leg, goal, still, floor=False)
        write_local(body, world, leg.joints)
    poses[:, :_BODY], trans[:] = body, place


def _hand_world(side: int, fingers: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """World rotations (T, 3, 3) of a hand by where its fingers and its palm point.

    At rest fingers point to the side (left hand: +X) and palms down.
    """
    along = fingers / np.linalg.norm(fingers, axis=-1, keepdims=True)
    x = along if side == 0 else -along
    y = -(faces - along * np.sum(faces * along, axis=-1, keepdims=True))
    y = y / np.linalg.norm(y, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def _swivel(
    shoulder: np.ndarray, elbow: np.ndarray, wrist: np.ndarray, pole: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """World quaternions (T, 4) about the line from shoulder to wrist that bring the elbow towards the pole."""
    axis = wrist - shoulder
    axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-9)
    now = elbow - shoulder
    now = now - axis * np.sum(now * axis, axis=-1, keepdims=True)
    goal = pole - axis * np.sum(pole * axis, axis=-1, keepdims=True)
    angle = np.arctan2(np.sum(np.cross(now, goal) * axis, axis=-1), np.sum(now * goal, axis=-1))
    return rotations.axis_angle_to_quaternion(axis * (weight[:, 0] * angle)[:, None])
