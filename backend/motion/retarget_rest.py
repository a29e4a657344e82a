"""A rig at rest beside our body at rest: where its parts point, and the turns that bring them onto ours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .alignment import carried, heading_turn, rolled, swing
from .mapping import FINGERS, NECK, SIDES, SPINE, Mapping, twist_slots
from .rig import Rig
from .skeleton import INDEX, JOINT_NAMES, REST_OFFSETS
from .stance import Stance

BELOW = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist"}
"""The joint at the other end of a limb's bone."""


@dataclass(frozen=True)
class RestPose:
    """A rig at rest in the body frame of its :class:`.stance.Stance`, armature units.

    Attributes:
        rig: the skeleton.
        mapping: its bones by slot, checked.
        stance: how it stands.
    """

    rig: Rig
    mapping: Mapping
    stance: Stance

    @cached_property
    def rotations(self) -> np.ndarray:
        """(N, 3, 3) orientations of the bones."""
        return np.einsum("ji,njk->nik", self.stance.axes, self.rig.rotations)

    @cached_property
    def heads(self) -> np.ndarray:
        """(N, 3)"""
        return self.rig.heads @ self.stance.axes

    @cached_property
    def tails(self) -> np.ndarray:
        """(N, 3)"""
        return self.rig.tails @ self.stance.axes

    def bone(self, slot: str) -> int:
        """Index of a slot's bone, -1 without one."""
        name = self.mapping.bones.get(slot)
        return -1 if name is None else self.rig.index[name]

    def direction(self, slot: str, below: str | None) -> np.ndarray | None:
        """Where a slot's bone points at rest, in the body frame; None where nothing tells."""
        bone = self.bone(slot)
        end = self.bone(below) if below else -1
        span = (self.heads[end] if end >= 0 else self.tails[bone]) - self.heads[bone]
        length = float(np.linalg.norm(span))
        return span / length if length > 1e-6 * max(self.rig.size, 1e-9) else None

    def slot_of(self, joint: int) -> str:
        """The slot whose bone turns exactly as a joint does; the joint's name where that is no slot."""
        name = JOINT_NAMES[joint]
        if name in ("spine1", "spine2", "spine3"):
            spine = self.mapping.chain(SPINE)
            return spine[-1] if spine else name
        if name == "neck":
            neck = self.mapping.chain(NECK)
            return neck[-1] if neck else name
        if name.endswith(("shoulder", "hip")):
            end = self.bone(f"{name.partition('_')[0]}_{BELOW[name.partition('_')[2]]}")
            links = [t for t in self.mapping.chain(twist_slots(name)) if end >= 0]
            links = [t for t in links if self.rig.is_above(self.bone(t), end)]
            return links[-1] if links else name
        return name


def alignments(rest: RestPose) -> dict[str, np.ndarray]:
    """The constant ``D`` (3, 3) by slot, in the body frame."""
    turns: dict[str, np.ndarray] = {}
    for side in SIDES:
        for upper, lower in (("shoulder", "elbow"), ("hip", "knee")):
            _align_limb(rest, turns, side, upper, lower)
        _align_hand(rest, turns, side)
        theirs = rest.direction(f"{side}_ankle", f"{side}_foot")
        ours = REST_OFFSETS[INDEX[f"{side}_foot"]]
        level = np.eye(3) if theirs is None else heading_turn(theirs, ours)
        turns[f"{side}_ankle"] = turns[f"{side}_foot"] = level
    return turns


def _align_limb(rest: RestPose, turns: dict[str, np.ndarray], side: str, upper: str, lower: str) -> None:
    if rest.bone(f"{side}_{upper}") < 0:
        return
    theirs = rest.direction(f"{side}_{upper}", f"{side}_{lower}")
    ours = REST_OFFSETS[INDEX[f"{side}_{lower}"]]
    turns[f"{side}_{upper}"] = np.eye(3) if theirs is None else swing(theirs, ours)
    if rest.bone(f"{side}_{lower}") < 0:
        return
    end = f"{side}_{BELOW[lower]}"
    theirs = rest.direction(f"{side}_{lower}", end)
    above = turns[f"{side}_{upper}"]
    ours = REST_OFFSETS[INDEX[end]]
    turns[f"{side}_{lower}"] = above if theirs is None else carried(above, theirs, ours)


def _align_hand(rest: RestPose, turns: dict[str, np.ndarray], side: str) -> None:
    if rest.bone(f"{side}_wrist") < 0:
        return
    above = turns.get(f"{side}_elbow", np.eye(3))
    knuckles = [f"{side}_{finger}1" for finger in ("middle", "ring", "index", "pinky")]
    knuckle = next((slot for slot in knuckles if rest.bone(slot) >= 0), None)
    hand = above
    if knuckle is not None:
        theirs = rest.direction(f"{side}_wrist", knuckle)
        ours = REST_OFFSETS[INDEX[knuckle]]
        hand = above if theirs is None else carried(above, theirs, ours)
        first = next((s for s in (f"{side}_index1",) if rest.bone(s) >= 0), None)
        last = next((s for s in (f"{side}_pinky1", f"{side}_ring1") if rest.bone(s) >= 0), None)
        if first and last:
            across = rest.heads[rest.bone(first)] - rest.heads[rest.bone(last)]
            wanted = REST_OFFSETS[INDEX[first]] - REST_OFFSETS[INDEX[last]]
            hand = rolled(hand, ours, across, wanted)
    turns[f"{side}_wrist"] = hand
    for finger in FINGERS:
        turn = hand
        for i in (1, 2, 3):
            slot, below = f"{side}_{finger}{i}", f"{side}_{finger}{i + 1}"
            if rest.bone(slot) < 0:
                break
            if i < 3 and rest.bone(below) >= 0:
                theirs = rest.direction(slot, below)
                if theirs is not None:
                    turn = carried(turn, theirs, REST_OFFSETS[INDEX[below]])
            turns[slot] = turn  # the last one goes on as the one before: its end is nobody's joint
