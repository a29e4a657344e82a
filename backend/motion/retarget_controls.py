"""Limbs of control rigs by inverse kinematics: goals and poles keyed so that the limb does what its FK chain does.

The goal rides on the foot or the hand. The pole lies where the rig's solver needs it to bend the limb in the plane
in which its FK chain is bent, as far from the knee or the elbow as at rest; where the limb is straight and has no
plane, it lies where the upper bone's own turn has it. Both chains are keyed, so that the switch between them
changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .retarget_posing import Posed
from .rig_controls import CHAINS, LIMBS, IkControls

STRAIGHT, BENT = 0.002, 0.006
"""How far the knee is off the line from hip to ankle, in lengths of the limb: below the first the limb has no
plane, above the second its plane is exact."""

Track = tuple[np.ndarray | None, np.ndarray | None]
"""Rotation (T, 3, 3) and location (T, 3) of a bone relative to its rest; None for what stays."""


def limbs_by_ik(controls: dict[str, IkControls], wanted: Sequence[str]) -> list[str]:
    """The limbs among ``wanted`` (``leg``, ``arm``) that a rig has controls for."""
    return [limb for limb in LIMBS if limb in controls and limb.partition("_")[2] in wanted]


def ik_tracks(posed: Posed, limb: str, controls: IkControls) -> dict[int, Track]:
    """What to key on the controls of a limb.

    Args:
        posed: the rig with its FK chains posed.
        limb: one of :data:`.rig_controls.LIMBS`.
        controls: of that limb.

    Returns:
        Bone index to its track; empty where the rig lacks a bone of the limb.
    """
    rest = posed.rest
    side, _, kind = limb.partition("_")
    chain = [rest.bone(f"{side}_{joint}") for joint in CHAINS[kind]]
    names = rest.rig.index
    goal, pole = names.get(controls.goal, -1), names.get(controls.pole, -1)
    if min(*chain, goal, pole) < 0 or any(bone not in posed.turns for bone in chain):
        return {}
    root = rest.bone("root") if rest.bone("root") in posed.turns else -1
    turn, head = posed.ridden(goal, chain[2])
    tracks: dict[int, Track] = {goal: (posed.turn(goal, turn, root), posed.location(goal, head, root))}
    posed.turns[goal], posed.heads[goal] = turn, head
    carrier = {"goal": goal, "root": root, "pelvis": rest.bone("pelvis")}[controls.pole_on]
    tracks[pole] = (None, posed.location(pole, _pole_place(posed, chain, pole, controls.hinge), carrier))
    toe, toes = names.get(controls.toe, -1), rest.bone(f"{side}_foot")
    if toe >= 0 and toes in posed.turns:
        bent = posed.ridden(toe, toes)[0]
        tracks[toe] = (posed.turn(toe, bent, goal), None)
    return tracks


def _pole_place(posed: Posed, chain: Sequence[int], pole: int, hinge: str) -> np.ndarray:
    """(T, 3) where the pole has to be for a limb that bends as its FK chain does."""
    rest = posed.rest
    top, middle, end = (rest.heads[bone] for bone in chain)
    away, line = rest.heads[pole] - middle, _unit(end - top)
    aside = _unit(_across(away, line))
    upper, lower = _unit(middle - top), _unit(end - middle)
    # Blender's solver turns one axis of the upper bone, square to it, towards the pole.
    facing = _unit(aside - (aside @ upper) / max(abs(line @ upper), 1e-6) * np.sign(line @ upper) * line)
    bends = rest.rotations[chain[1]][:, "xyz".index(hinge)]

    top, middle, end = (posed.head(bone) for bone in chain)
    axis = _unit(end - top)
    thigh, shin = _unit(middle - top), _unit(end - middle)
    bent = _hinged(upper, lower, bends, np.sum(thigh * shin, axis=1))
    turn = _frames(thigh, shin) @ np.swapaxes(_frames(np.broadcast_to(upper, thigh.shape), bent), -1, -2)
    exact = _unit(_across(turn @ facing, axis))
    # A straight limb: as the upper bone itself has turned.
    plain = _unit(_across(posed.turns[chain[0]] @ (rest.rotations[chain[0]].T @ aside), axis))
    off = np.linalg.norm(_across(middle - top, axis), axis=1)
    length = np.linalg.norm(middle - top, axis=1) + np.linalg.norm(end - middle, axis=1)
    u = np.clip((off / np.maximum(length, 1e-12) - STRAIGHT) / (BENT - STRAIGHT), 0.0, 1.0)[:, None]
    way = _unit(plain + u * u * (3 - 2 * u) * (exact - plain))
    return middle + np.linalg.norm(away) * way


def _hinged(upper: np.ndarray, lower: np.ndarray, hinge: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """Directions (T, 3) of a lower bone that is turned about its hinge until it makes an angle with the upper.

    Args:
        upper, lower: (3,) unit directions at rest.
        hinge: (3,) unit axis at rest.
        cosine: (T,) of the angle between the two.
    """
    fixed = (upper @ hinge) * (lower @ hinge)
    level, rise = upper @ lower - fixed, upper @ np.cross(hinge, lower)
    reach, straightest = np.hypot(level, rise), np.arctan2(rise, level)
    side = -1.0 if straightest > 0 else 1.0  # a limb goes on bending to the side to which it is bent at rest
    angle = straightest + side * np.arccos(np.clip((cosine - fixed) / max(reach, 1e-9), -1.0, 1.0))
    along = (lower @ hinge) * hinge
    swept = np.cross(hinge, lower)
    return along + np.cos(angle)[:, None] * (lower - along) + np.sin(angle)[:, None] * swept


def _frames(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Rotations (T, 3, 3) whose columns are a direction, the part of another across it, and their normal."""
    across = _unit(_across(second, first))
    return np.stack([first, across, np.cross(first, across)], axis=-1)


def _across(vectors: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """The part of vectors that is square to unit axes."""
    return vectors - np.sum(vectors * axis, axis=-1, keepdims=True) * axis


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
