"""Feet and hands after a change of proportions: what stood still stands still, what touched still touches.

Rotations carried over to longer or shorter limbs put feet and hands elsewhere than the source had them. Both
functions take joint positions and global rotations in SMPL-X's order and axes (Y up, metres) of any body, and
return global rotations, so that a rig needs no more than a mapping of its bones onto SMPL-X's joints:

    fit = fit_feet(source, joints, world, shape, fps=30.0)
    joints = move each joint by ``fit.shift`` and pose it again with ``fit.world``
    world = fit_hands(source, joints, fit.world)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import filters, rotations
from .anchors import soft_mask
from .contacts import contacts_from_positions
from .footlock import LEGS, Leg, solve_legs
from .ik import ease_up, solve_two_bone
from .skeleton import CONTACT_JOINTS, CONTACT_REST_HEIGHTS, INDEX

MAX_SHIFT = 0.5
"""Metres the root is raised or lowered at most so that standing feet are on the floor."""
STANDING, SOFT_CLEARANCE = 0.01, 0.003
"""Metres: a sole that is lower than the first may stand; over the second a swinging foot is eased upwards."""
NEAR, FAR = 0.12, 0.30
"""Metres between a palm and what it may touch: below the first they touch, beyond the second they do not."""
FAR_HANDS = 0.45
"""The same between two palms: both move, so the hands need a longer way to come together."""
PALM = 0.085
"""Metres from our own wrist to the middle of the palm."""

_ARMS = ((16, 18, 20, 1.0), (17, 19, 21, -1.0))
# What hands rest on: the joint, and the radius of the body there, metres on our own body.
_BODY_POINTS: tuple[tuple[str, float], ...] = (
    ("head", 0.10), ("spine3", 0.10), ("pelvis", 0.12), ("left_hip", 0.10), ("right_hip", 0.10),
    ("left_knee", 0.05), ("right_knee", 0.05), ("left_shoulder", 0.05), ("right_shoulder", 0.05),
    ("left_elbow", 0.03), ("right_elbow", 0.03),
)  # fmt: skip
_OWN_SIDE = ({"left_shoulder", "left_elbow"}, {"right_shoulder", "right_elbow"})


@dataclass(frozen=True)
class LegFit:
    """What :func:`fit_feet` found.

    Attributes:
        shift: (T, 3) metres to be added to the root, and so to every joint.
        world: (T, 22, 3, 3) global rotations; hips, knees, ankles and feet are new.
        contacts: (T, 4) truth values, the contacts that were held.
    """

    shift: np.ndarray
    world: np.ndarray
    contacts: np.ndarray


def legs_of(rest: np.ndarray, sole: float | None = None) -> tuple[Leg, Leg]:
    """The legs of a body from its rest pose.

    Args:
        rest: (22, 3) joint positions of the rest pose, Y up, facing +Z, metres.
        sole: height of its soles in the rest pose; by default as far below the feet's joints as ours, in
            proportion to the ankle's height above the foot joint.
    """
    legs = []
    for own in LEGS:
        hip, knee, ankle, toe = (rest[joint] for joint in own.joints)
        drop, own_drop = ankle[1] - toe[1], own.ankle_height + float(own.ball[1])
        scale = float(np.clip(drop / own_drop, 0.3, 3.0))
        floor = float(toe[1] + scale * own.ball[1]) if sole is None else sole
        forward = toe - ankle
        forward = forward * np.array([1.0, 0.0, 1.0])
        length = float(np.linalg.norm(forward))
        direction = forward / max(length, 1e-9)
        legs.append(
            Leg(
                joints=own.joints,
                columns=own.columns,
                length=float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee)),
                ankle_height=float(ankle[1] - floor),
                heel=np.array([0.0, floor - ankle[1], 0.0]) - 0.35 * length * direction,
                ball=np.array([0.0, floor - toe[1], 0.0]),
                tip=np.array([0.0, floor - toe[1], 0.0]) + 0.5 * length * direction,
            )
        )
    return legs[0], legs[1]


def fit_feet(
    source: np.ndarray,
    joints: np.ndarray,
    world: np.ndarray,
    legs: Sequence[Leg],
    *,
    fps: float,
    contacts: np.ndarray | None = None,
    source_legs: Sequence[Leg] = LEGS,
    level: bool = True,
) -> LegFit:
    """Legs of another body whose feet go where the source's feet go, in proportion, and stand where they stand.

    Args:
        source: (T, 22, 3) joint positions of the source, its floor at y = 0, metres.
        joints: (T, 22, 3) of the target with the source's rotations and a root path of its own scale.
        world: (T, 22, 3, 3) the target's global rotations, each relative to the rest pose whose axes are the
            world's; the source's own, where the transfer is exact.
        legs: the target's, from :func:`legs_of`.
        fps: frames per second.
        contacts: (T, 4) truth values or probabilities; measured on the source when left out.
        source_legs: the source's.
        level: raise or lower the root so that standing feet are on the floor.

    Returns:
        The shift of the root and new global rotations.
    """
    feet = source[:, list(CONTACT_JOINTS)]
    if contacts is None:
        contacts = contacts_from_positions(feet, fps)
    held = np.asarray(contacts) > 0.5
    goals = np.empty_like(feet)
    for leg, own in zip(legs, source_legs, strict=True):
        hip, _, ankle, toe = leg.joints
        reach = leg.length / own.length
        # As far from the target's hip as the source's ankle from its own, in proportion.
        goals[:, leg.columns[0]] = joints[:, hip] + reach * (source[:, ankle] - source[:, hip])
        goals[:, leg.columns[1]] = goals[:, leg.columns[0]] + joints[:, toe] - joints[:, ankle]
    shift = np.zeros((len(joints), 3))
    if level:
        shift[:, 1] = _level(goals, world, held, legs, source, fps)
    _keep_clearance(goals, shift[:, 1], held, source, world, legs, source_legs, fps)
    turned, drop, held = solve_legs(
        legs, goals + shift[:, None], joints + shift[:, None], world, held, fps, lock=True, floor=True
    )
    shift[:, 1] -= drop
    return LegFit(shift, turned, held)


def _keep_clearance(
    goals: np.ndarray,
    level: np.ndarray,
    held: np.ndarray,
    source: np.ndarray,
    world: np.ndarray,
    legs: Sequence[Leg],
    source_legs: Sequence[Leg],
    fps: float,
) -> None:
    """Raise swinging feet and lower rolling ones, in place, so that soles clear the floor as the source's do.

    Feet are seldom as much longer or shorter as the legs are: an ankle in proportion to the legs drags the toes of
    short ones, and takes the toes of long ones off the floor while the heel rises.
    """
    for leg, own in zip(legs, source_legs, strict=True):
        low = _sole(goals[:, leg.columns[0]], goals[:, leg.columns[1]], world, leg) + level
        wanted = _sole(source[:, own.joints[2]], source[:, own.joints[3]], world, own)
        off = low - leg.length / own.length * np.maximum(wanted, 0.0)
        stands = soft_mask(held[:, list(leg.columns)].any(axis=1), fps)
        rise = (1 - stands) * np.clip(wanted / STANDING, 0.0, 1.0) * ease_up(off, SOFT_CLEARANCE)
        goals[:, list(leg.columns), 1] += (rise - stands * np.maximum(off, 0.0))[:, None]


def _sole(ankle: np.ndarray, toe: np.ndarray, world: np.ndarray, leg: Leg) -> np.ndarray:
    """(T,) height of the lower of heel and ball; toe tips bend out of the way."""
    heel = ankle[:, 1] + (world[:, leg.joints[2]] @ leg.heel)[:, 1]
    ball = toe[:, 1] + (world[:, leg.joints[3]] @ leg.ball)[:, 1]
    return np.minimum(heel, ball)


def _level(
    goals: np.ndarray,
    world: np.ndarray,
    held: np.ndarray,
    legs: Sequence[Leg],
    source: np.ndarray,
    fps: float,
) -> np.ndarray:
    """(T,) metres that bring standing soles to the floor, changing slowly, held between contacts."""
    floats = np.full((len(goals), 4), np.inf)
    for leg in legs:
        ankle, toe = leg.joints[2:]
        heel = goals[:, leg.columns[0], 1] + (world[:, ankle] @ leg.heel)[:, 1]
        ball = goals[:, leg.columns[1], 1] + (world[:, toe] @ leg.ball)[:, 1]
        # The source's foot may stand on a step or a box: there the target's stands too, in proportion.
        for column, height, joint in ((leg.columns[0], heel, ankle), (leg.columns[1], ball, toe)):
            above = source[:, joint, 1] - CONTACT_REST_HEIGHTS[column]
            floats[:, column] = np.where(held[:, column], height - np.where(above > 0.1, above, 0.0), np.inf)
    lowest = floats.min(axis=1)
    known = np.flatnonzero(np.isfinite(lowest))
    if not known.size:
        return np.zeros(len(goals))
    level = np.interp(np.arange(len(goals)), known, lowest[known])
    return -np.clip(filters.gaussian(level, 0.3 * fps), -MAX_SHIFT, MAX_SHIFT)


def fit_hands(
    source: np.ndarray,
    joints: np.ndarray,
    world: np.ndarray,
    *,
    source_world: np.ndarray | None = None,
    hand_scale: float | None = None,
) -> np.ndarray:
    """Arms of another body whose hands keep their relations: to each other, to the body and to the floor.

    A palm within :data:`FAR` of the other palm or of a part of the body is drawn to where the source has it
    relative to that part, in proportion, the more the nearer it is; hands in the air keep their rotations.

    Args:
        source: (T, 22, 3) joint positions of the source, its floor at y = 0, metres.
        joints: (T, 22, 3) of the target, posed with
        world: (T, 22, 3, 3), its global rotations as in :func:`fit_feet`.
        source_world: the source's; the target's when left out.
        hand_scale: size of the target's hands over the source's; by default that of the arms.

    Returns:
        Global rotations (T, 22, 3, 3) in which shoulders and elbows are new; hands keep their directions.
    """
    source_world = world if source_world is None else source_world
    scales = [_length(joints, arm[:3]) / max(_length(source, arm[:3]), 1e-9) for arm in _ARMS]
    hand = float(np.mean(scales)) if hand_scale is None else hand_scale
    body = _length(joints, (0, 3, 6, 9, 12)) / max(_length(source, (0, 3, 6, 9, 12)), 1e-9)
    palms = [source[:, wrist] + sign * PALM * source_world[:, wrist, :, 0] for _, _, wrist, sign in _ARMS]
    reach = [hand * PALM * sign * world[:, wrist, :, 0] for _, _, wrist, sign in _ARMS]
    now = [joints[:, arm[2]] + offset for arm, offset in zip(_ARMS, reach, strict=True)]
    goals = [_drawn(palms[side], now[side], source, joints, body, hand, _OWN_SIDE[side]) for side in range(2)]
    goals = _together(palms, goals, hand, joints, reach)
    turned = np.array(world)
    for (shoulder, elbow, wrist, sign), goal, offset, start in zip(_ARMS, goals, reach, now, strict=True):
        moved = np.abs(goal - start).max(axis=1) > 1e-6
        if not moved.any():
            continue
        hinge = -sign * world[:, shoulder, :, 1]
        turns = solve_two_bone(joints[:, shoulder], joints[:, elbow], joints[:, wrist], goal - offset, hinge)
        for joint, turn in zip((shoulder, elbow), turns, strict=True):
            turned[moved, joint] = rotations.quaternion_to_matrix(turn[moved]) @ world[moved, joint]
    return turned


def _length(joints: np.ndarray, chain: Sequence[int]) -> float:
    """Metres along a chain of joints, as posed in the first frame."""
    return float(np.linalg.norm(np.diff(joints[0, list(chain)], axis=0), axis=-1).sum())


def _closeness(distance: np.ndarray, radius: float = 0.0, far: float = FAR) -> np.ndarray:
    """(T,) 1 where two things touch, 0 where they are far from each other, smooth in between."""
    u = np.clip((far - (distance - radius)) / (far - NEAR), 0.0, 1.0)
    return u * u * (3 - 2 * u)


def _drawn(
    palm: np.ndarray,
    now: np.ndarray,
    source: np.ndarray,
    joints: np.ndarray,
    body: float,
    hand: float,
    skip: set[str],
) -> np.ndarray:
    """Where a palm goes (T, 3) so that it keeps its place relative to near parts of the body and to the floor."""
    total, weights, nearest = np.zeros_like(now), np.zeros(len(now)), np.zeros(len(now))
    for name, radius in _BODY_POINTS:
        if name in skip:
            continue
        joint = INDEX[name]
        offset = palm - source[:, joint]
        weight = _closeness(np.linalg.norm(offset, axis=1), radius)
        # The sharper the weight, the less do far parts pull against the one that is touched.
        total += (weight**3)[:, None] * (joints[:, joint] + body * offset)
        weights += weight**3
        nearest = np.maximum(nearest, weight)
    drawn = total / np.maximum(weights, 1e-9)[:, None]
    goal = now + nearest[:, None] * np.where(weights[:, None] > 1e-9, drawn - now, 0.0)
    low = _closeness(palm[:, 1], -0.05)
    goal[:, 1] += low * (hand * palm[:, 1] - goal[:, 1])
    return goal


def _together(
    palms: list[np.ndarray],
    goals: list[np.ndarray],
    hand: float,
    joints: np.ndarray,
    reach: list[np.ndarray],
) -> list[np.ndarray]:
    """Goals of both palms, drawn to each other where the source's palms are near, within both arms' reach."""
    apart = palms[0] - palms[1]
    weight = _closeness(np.linalg.norm(apart, axis=1), far=FAR_HANDS)[:, None]
    if not weight.any():
        return goals
    middle = 0.5 * (goals[0] + goals[1])
    half = (0.5 * hand * apart, -0.5 * hand * apart)
    limits = [0.97 * _length(joints, arm[:3]) for arm in _ARMS]
    # Arms too short for broad shoulders: the meeting point comes nearer until both reach it.
    for _ in range(8):
        for (shoulder, _, _, _), side, offset, limit in zip(_ARMS, half, reach, limits, strict=True):
            arm = middle + side - offset - joints[:, shoulder]
            length = np.linalg.norm(arm, axis=1, keepdims=True)
            middle = middle - arm * np.maximum(0.0, 1.0 - limit / np.maximum(length, 1e-9))
    return [goal + weight * (middle + side - goal) for goal, side in zip(goals, half, strict=True)]
