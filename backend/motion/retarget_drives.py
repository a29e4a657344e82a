"""Which joint of ours turns which bone of a rig, how chains of other lengths share a turn, and twist bones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from . import rotations as rot
from .alignment import twist
from .clip import Clip
from .mapping import NECK, SPINE, TWISTED, twist_slots
from .retarget_rest import BELOW, RestPose, alignments
from .skeleton import INDEX, JOINT_NAMES, PARENTS, PARTS, REST_OFFSETS


@dataclass(frozen=True)
class Drive:
    """What turns one bone.

    Attributes:
        slot: the bone's slot.
        bone: index of the bone.
        joint: our joint.
        other: a second joint to blend with, or the one whose twist is shared; -1 for none.
        share: of ``other`` in a blend; of the twist for a twist bone.
        kind: ``joint`` (as the joint turns), ``blend`` (between two joints), ``roll`` (a forearm or shin
            takes its part of the twist of what hangs on it) or ``root`` (the path's heading).
        turn: (3, 3) the constant ``D`` in the body frame.
        above: index of the nearest driven bone above, -1 for none.
    """

    slot: str
    bone: int
    joint: int
    other: int = -1
    share: float = 1.0
    kind: Literal["joint", "blend", "roll", "unroll", "root"] = "joint"
    turn: np.ndarray | None = None
    above: int = -1


def find_drives(rest: RestPose) -> tuple[Drive, ...]:
    """What turns each mapped bone, parents before children."""
    turns = alignments(rest)
    found: list[Drive] = []

    def drive(slot: str, joint: str, other: str = "", share: float = 1.0, kind: str = "joint") -> None:
        turn = turns.get(slot.partition("_twist.")[0], np.eye(3))
        j, k = INDEX[joint], INDEX[other] if other else -1
        found.append(Drive(slot, rest.bone(slot), j, k, share, kind, turn))  # type: ignore[arg-type]

    drive("pelvis", "pelvis")
    spine = rest.mapping.chain(SPINE)
    for i, slot in enumerate(spine):
        place = spine_place(i, len(spine))
        low = min(int(place), 1)
        drive(slot, f"spine{low + 1}", f"spine{low + 2}", place - low, "blend")
    neck = rest.mapping.chain(NECK)
    for i, slot in enumerate(neck):
        drive(slot, "spine3", "neck", (i + 1) / len(neck), "blend")
    for slot in rest.mapping.bones:
        if slot in INDEX and slot != "pelvis":
            side, _, joint = slot.partition("_")
            if joint in TWISTED:
                _drive_limb(rest, drive, side, joint)
            else:
                drive(slot, slot)
    found.sort(key=lambda d: d.bone)
    driven = {d.bone: i for i, d in enumerate(found)}
    return tuple(
        Drive(d.slot, d.bone, d.joint, d.other, d.share, d.kind, d.turn, _above(rest, d, driven))
        for d in found
    )


def _drive_limb(rest: RestPose, drive, side: str, joint: str) -> None:  # type: ignore[no-untyped-def]
    """A limb's bone and its twist bones, each with its share of the turn about the limb."""
    slot, below = f"{side}_{joint}", f"{side}_{BELOW[joint]}"
    twists = rest.mapping.chain(twist_slots(slot))
    end = rest.bone(below)
    start = rest.heads[rest.bone(slot)]
    span = (rest.heads[end] if end >= 0 else rest.tails[rest.bone(slot)]) - start
    in_line = [t for t in twists if end >= 0 and rest.rig.is_above(rest.bone(t), end)]
    if joint in ("shoulder", "hip"):
        # The turn grows from the body outwards; the bone before the elbow or knee has all of it.
        links = [slot, *in_line]
        parent = JOINT_NAMES[PARENTS[INDEX[slot]]]
        for i, link in enumerate(links):
            if i == len(links) - 1:
                drive(link, slot)
            else:
                drive(link, slot, parent, (i + 1) / len(links), "unroll")
        side_twists = [t for t in twists if t not in in_line]
        kind, other = "unroll", parent
    else:
        drive(slot, slot)
        side_twists, kind, other = twists, "roll", below
    for t in side_twists:
        along = (rest.heads[rest.bone(t)] - start) @ span / max(float(span @ span), 1e-12)
        drive(t, slot, other, float(np.clip(along, 0.0, 1.0)), kind)


def _above(rest: RestPose, drive: Drive, driven: dict[int, int]) -> int:
    """The nearest driven bone above one, by the hierarchy or as the mapping has it attached."""
    if drive.slot in rest.mapping.attached:
        joint = PARENTS[INDEX[drive.slot]]
        while joint >= 0:
            bone = rest.bone(rest.slot_of(joint))
            if bone >= 0:
                return bone
            joint = PARENTS[joint]
        return -1
    bone = drive.bone
    while rest.rig.follows[bone] and rest.rig.parents[bone] >= 0:
        bone = int(rest.rig.parents[bone])
        if bone in driven:
            return bone
    return -1


def turned(rest: RestPose, world: np.ndarray, d: Drive) -> np.ndarray:
    """Posed orientation (T, 3, 3) of a driven bone in the body frame."""
    turn = world[:, d.joint]
    if d.kind == "blend" and d.share < 1.0 - 1e-9:
        first, second = (rot.matrix_to_quaternion(world[:, j]) for j in (d.joint, d.other))
        turn = rot.quaternion_to_matrix(rot.slerp(first, second, np.full((len(world), 1), d.share)))
    elif d.kind == "blend":
        turn = world[:, d.other]
    elif d.kind == "roll":
        turn = turn @ _share(world[:, d.joint], world[:, d.other], d.other, d.share)
    elif d.kind == "unroll":
        below = d.joint
        child = next(j for j, parent in enumerate(PARENTS) if parent == below)
        turn = turn @ _share(world[:, d.other], turn, child, d.share - 1.0)
    assert d.turn is not None
    return turn @ (d.turn @ rest.rotations[d.bone])


def _share(upper: np.ndarray, lower: np.ndarray, end: int, share: float) -> np.ndarray:
    """Part of the turn about a limb (T, 3, 3) that ``lower`` has against ``upper``; along ``end``."""
    relative = rot.matrix_to_quaternion(np.swapaxes(upper, -1, -2) @ lower)
    turn = rot.quaternion_to_axis_angle(twist(relative, REST_OFFSETS[end]))
    return rot.axis_angle_to_matrix(share * turn)


def spine_place(i: int, count: int) -> float:
    """Where the i-th of some spine bones stands between our spine1 (0) and spine3 (2).

    The last one carries the arms and the head, so it is always spine3; three are ours one by one.
    """
    if count == 1:
        return 2.0
    return 0.5 + 1.5 * i if count == 2 else 2.0 * i / (count - 1)


def is_known(clip: Clip, joint: int) -> bool:
    """Whether to pose a joint: fingers and the face only where the clip really contains them."""
    part = next((part for part in ("hands", "face") if joint in PARTS[part]), None)
    return part is None or bool(clip.known.get(part, True))
