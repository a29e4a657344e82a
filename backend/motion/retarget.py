"""SMPL-X motion on any rig, and any rig's motion back, aware of both rest poses.

Every mapped bone of the rig is driven by the world rotation of a joint of ours:

    ``W_bone(t) = W_joint(t) D R``,   ``W_joint(rest) = I``

with the bone's rest orientation ``R`` and a constant ``D`` that first brings the rig's rest pose onto ours:
arms, legs, hands and fingers are turned so that their directions agree, for whatever rest pose the rig has
(T, A, legs apart); so they agree in every frame. The trunk, the neck and the shoulders have no such turn:
an upright trunk is upright in both, and bending a character's own spine to ours would deform it. Feet are
turned about the vertical alone, their soles stay level. It is the method of
``training/retarget.py``, the other way round.

Chains that differ in length share the rotation: spine and neck bones lie between ours, twist bones take
their part of the turn about the limb. The root's path is scaled by the length of the legs.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

import numpy as np

from ..errors import BadInput
from . import rotations as rot
from .alignment import carried, heading_turn, rolled, swing, twist
from .clip import Clip
from .filters import gaussian
from .kinematics import forward_kinematics
from .mapping import FINGERS, NECK, SIDES, SPINE, TWISTED, Mapping, checked, twist_slots
from .rig import Rig
from .skeleton import INDEX, J0, JOINT_NAMES, NUM_JOINTS, PARENTS, PARTS, REST_OFFSETS
from .stance import Stance, measure

Root = Literal["hips", "root", "object", "in place"]
"""Where the path over the floor goes: onto the hips, the root bone, the object, or nowhere."""
ROOTS: tuple[str, ...] = get_args(Root)

ROOT_SMOOTHING = 0.25
"""Seconds: a root bone glides under the swaying hips; what it leaves out stays on the hips."""

_BELOW = {"hip": "knee", "knee": "ankle", "shoulder": "elbow", "elbow": "wrist"}
_PIVOT = 0.5 * (REST_OFFSETS[INDEX["left_hip"]] + REST_OFFSETS[INDEX["right_hip"]])


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


@dataclass(frozen=True)
class RigMotion:
    """A motion of a rig, ready to be keyed.

    Attributes:
        fps: frames per second.
        bones: names of the bones that turn.
        rotations: (T, K, 4) quaternions of those bones, relative to their rest pose in their own frame.
        locations: per bone that moves, (T, 3) in its own rest frame, armature units.
        object: (T, 4, 4) motion of the whole object in armature space; None where it stays.
        resting: names of bones between the driven ones that have to be at rest.
    """

    fps: float
    bones: tuple[str, ...]
    rotations: np.ndarray
    locations: dict[str, np.ndarray]
    object: np.ndarray | None
    resting: tuple[str, ...]


class Retargeter:
    """A rig and its mapping, studied once; any number of clips can pass through, in both directions.

    Args:
        rig: the skeleton.
        mapping: its bones by slot.

    Raises:
        BadInput: the mapping lacks what no motion can do without, or does not fit the rig.
    """

    def __init__(self, rig: Rig, mapping: Mapping) -> None:
        self.rig = rig
        self.mapping = checked(mapping, rig)
        self.stance: Stance = measure(rig, self.mapping)
        axes = self.stance.axes
        self._rest = np.einsum("ji,njk->nik", axes, rig.rotations)
        self._heads = rig.heads @ axes
        self._tails = rig.tails @ axes
        self._turns = self._alignments()
        self.drives = self._drives()

    @property
    def root_bone(self) -> int:
        """The bone that carries the hips over the floor; -1 where nothing is above the hips."""
        name = self.mapping.bones.get("root")
        if name is not None:
            return self.rig.index[name]
        line = self.rig.line(self._bone("pelvis"))
        return line[-1] if len(line) > 1 else -1

    def _bone(self, slot: str) -> int:
        name = self.mapping.bones.get(slot)
        return -1 if name is None else self.rig.index[name]

    # --- rest pose to rest pose ---------------------------------------------------------------------------

    def _direction(self, slot: str, below: str | None) -> np.ndarray | None:
        """Where a slot's bone points at rest, in the body frame; None where nothing tells."""
        bone = self._bone(slot)
        end = self._bone(below) if below else -1
        span = (self._heads[end] if end >= 0 else self._tails[bone]) - self._heads[bone]
        length = float(np.linalg.norm(span))
        return span / length if length > 1e-6 * max(self.rig.size, 1e-9) else None

    def _alignments(self) -> dict[str, np.ndarray]:
        """The constant ``D`` (3, 3) by slot, in the body frame."""
        turns: dict[str, np.ndarray] = {}
        for side in SIDES:
            for upper, lower in (("shoulder", "elbow"), ("hip", "knee")):
                self._align_limb(turns, side, upper, lower)
            self._align_hand(turns, side)
            theirs = self._direction(f"{side}_ankle", f"{side}_foot")
            ours = REST_OFFSETS[INDEX[f"{side}_foot"]]
            level = np.eye(3) if theirs is None else heading_turn(theirs, ours)
            turns[f"{side}_ankle"] = turns[f"{side}_foot"] = level
        return turns

    def _align_limb(self, turns: dict[str, np.ndarray], side: str, upper: str, lower: str) -> None:
        if self._bone(f"{side}_{upper}") < 0:
            return
        theirs = self._direction(f"{side}_{upper}", f"{side}_{lower}")
        ours = REST_OFFSETS[INDEX[f"{side}_{lower}"]]
        turns[f"{side}_{upper}"] = np.eye(3) if theirs is None else swing(theirs, ours)
        if self._bone(f"{side}_{lower}") < 0:
            return
        end = f"{side}_{_BELOW[lower]}"
        theirs = self._direction(f"{side}_{lower}", end)
        above = turns[f"{side}_{upper}"]
        ours = REST_OFFSETS[INDEX[end]]
        turns[f"{side}_{lower}"] = above if theirs is None else carried(above, theirs, ours)

    def _align_hand(self, turns: dict[str, np.ndarray], side: str) -> None:
        if self._bone(f"{side}_wrist") < 0:
            return
        above = turns.get(f"{side}_elbow", np.eye(3))
        knuckles = [f"{side}_{finger}1" for finger in ("middle", "ring", "index", "pinky")]
        knuckle = next((slot for slot in knuckles if self._bone(slot) >= 0), None)
        hand = above
        if knuckle is not None:
            theirs = self._direction(f"{side}_wrist", knuckle)
            ours = REST_OFFSETS[INDEX[knuckle]]
            hand = above if theirs is None else carried(above, theirs, ours)
            first = next((s for s in (f"{side}_index1",) if self._bone(s) >= 0), None)
            last = next((s for s in (f"{side}_pinky1", f"{side}_ring1") if self._bone(s) >= 0), None)
            if first and last:
                across = self._heads[self._bone(first)] - self._heads[self._bone(last)]
                wanted = REST_OFFSETS[INDEX[first]] - REST_OFFSETS[INDEX[last]]
                hand = rolled(hand, ours, across, wanted)
        turns[f"{side}_wrist"] = hand
        for finger in FINGERS:
            turn = hand
            for i in (1, 2, 3):
                slot, below = f"{side}_{finger}{i}", f"{side}_{finger}{i + 1}"
                if self._bone(slot) < 0:
                    break
                if i < 3 and self._bone(below) >= 0:
                    theirs = self._direction(slot, below)
                    if theirs is not None:
                        turn = carried(turn, theirs, REST_OFFSETS[INDEX[below]])
                turns[slot] = turn  # the last one goes on as the one before: its end is nobody's joint

    # --- who drives whom ----------------------------------------------------------------------------------

    def _drives(self) -> tuple[Drive, ...]:
        found: list[Drive] = []

        def drive(slot: str, joint: str, other: str = "", share: float = 1.0, kind: str = "joint") -> None:
            turn = self._turns.get(slot.partition("_twist.")[0], np.eye(3))
            j, k = INDEX[joint], INDEX[other] if other else -1
            found.append(Drive(slot, self._bone(slot), j, k, share, kind, turn))  # type: ignore[arg-type]

        drive("pelvis", "pelvis")
        spine = self.mapping.chain(SPINE)
        for i, slot in enumerate(spine):
            place = _spine_place(i, len(spine))
            low = min(int(place), 1)
            drive(slot, f"spine{low + 1}", f"spine{low + 2}", place - low, "blend")
        neck = self.mapping.chain(NECK)
        for i, slot in enumerate(neck):
            drive(slot, "spine3", "neck", (i + 1) / len(neck), "blend")
        for slot in self.mapping.bones:
            if slot in INDEX and slot != "pelvis":
                side, _, joint = slot.partition("_")
                if joint in TWISTED:
                    self._drive_limb(drive, side, joint)
                else:
                    drive(slot, slot)
        found.sort(key=lambda d: d.bone)
        driven = {d.bone: i for i, d in enumerate(found)}
        return tuple(
            Drive(d.slot, d.bone, d.joint, d.other, d.share, d.kind, d.turn, self._above(d, driven))
            for d in found
        )

    def _drive_limb(self, drive, side: str, joint: str) -> None:  # type: ignore[no-untyped-def]
        """A limb's bone and its twist bones, each with its share of the turn about the limb."""
        slot, below = f"{side}_{joint}", f"{side}_{_BELOW[joint]}"
        twists = self.mapping.chain(twist_slots(slot))
        end = self._bone(below)
        start = self._heads[self._bone(slot)]
        span = (self._heads[end] if end >= 0 else self._tails[self._bone(slot)]) - start
        in_line = [t for t in twists if end >= 0 and self.rig.is_above(self._bone(t), end)]
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
            along = (self._heads[self._bone(t)] - start) @ span / max(float(span @ span), 1e-12)
            drive(t, slot, other, float(np.clip(along, 0.0, 1.0)), kind)

    def _above(self, drive: Drive, driven: dict[int, int]) -> int:
        """The nearest driven bone above one, by the hierarchy or as the mapping has it attached."""
        if drive.slot in self.mapping.attached:
            joint = PARENTS[INDEX[drive.slot]]
            while joint >= 0:
                bone = self._bone(self._slot_of(joint))
                if bone >= 0:
                    return bone
                joint = PARENTS[joint]
            return -1
        bone = drive.bone
        while self.rig.follows[bone] and self.rig.parents[bone] >= 0:
            bone = int(self.rig.parents[bone])
            if bone in driven:
                return bone
        return -1

    def _slot_of(self, joint: int) -> str:
        """The slot whose bone turns exactly as a joint does; the joint's name where that is no slot."""
        name = JOINT_NAMES[joint]
        if name in ("spine1", "spine2", "spine3"):
            spine = self.mapping.chain(SPINE)
            return spine[-1] if spine else name
        if name == "neck":
            neck = self.mapping.chain(NECK)
            return neck[-1] if neck else name
        if name.endswith(("shoulder", "hip")):
            end = self._bone(f"{name.partition('_')[0]}_{_BELOW[name.partition('_')[2]]}")
            links = [t for t in self.mapping.chain(twist_slots(name)) if end >= 0]
            links = [t for t in links if self.rig.is_above(self._bone(t), end)]
            return links[-1] if links else name
        return name

    # --- our motion onto the rig --------------------------------------------------------------------------

    def perform(self, clip: Clip, root: Root = "hips") -> RigMotion:
        """The rig's motion for a clip.

        Args:
            clip: the motion; parts it does not know (fingers, face) are left alone.
            root: where the path over the floor goes.

        Raises:
            BadInput: the choice of root does not fit the rig, or the clip holds numbers that are none.
        """
        if not (np.isfinite(clip.poses).all() and np.isfinite(clip.trans).all()):
            raise BadInput("The clip contains numbers that are not finite.", field="clip")
        world = forward_kinematics(clip.poses, clip.trans)[1]
        drives = [d for d in self.drives if _known(clip, d.joint)]
        posed = {d.bone: self._turned(world, d) for d in drives}
        above = {d.bone: d.above for d in drives}
        hips = self._hips(world[:, 0], clip.trans)
        heading, path = self._path(world[:, 0], hips, clip.fps)
        locations: dict[str, np.ndarray] = {}
        moved: np.ndarray | None = None
        pelvis = self._bone("pelvis")
        if root == "root":
            carrier = self.root_bone
            if carrier < 0:
                raise BadInput(
                    f"“{self.rig.name}” has no root bone above its hips.",
                    hint="Put the path on the hips or on the object.",
                    field="root",
                )
            posed[carrier] = heading @ self._rest[carrier]
            above[carrier] = -1
            for bone, up in above.items():
                if up < 0 and bone != carrier and self._hangs_on(bone, carrier):
                    above[bone] = carrier
            locations[self.rig.bones[carrier]] = path @ self._rest[carrier]
        elif root == "object":
            hips, posed, moved = self._off_the_object(hips, posed, above, heading, path)
        elif root == "in place":
            hips = hips - path
        elif root != "hips":
            raise BadInput(f"The root must be one of {', '.join(ROOTS)}, not {root}.", field="root")

        names = sorted(posed)
        local = np.stack([self._local(bone, posed, above[bone]) for bone in names], axis=1)
        locations[self.rig.bones[pelvis]] = self._location(pelvis, hips, posed, above[pelvis], path)
        return RigMotion(
            fps=clip.fps,
            bones=tuple(self.rig.bones[bone] for bone in names),
            rotations=rot.matrix_to_quaternion(local),
            locations=locations,
            object=moved,
            resting=self._resting(names),
        )

    def _hangs_on(self, bone: int, carrier: int) -> bool:
        if self.mapping.bones.get("pelvis") == self.rig.bones[bone] and "pelvis" in self.mapping.attached:
            return True
        follows = True
        for step in self.rig.line(bone)[:-1]:
            follows = follows and bool(self.rig.follows[step])
        return follows and self.rig.is_above(carrier, bone)

    def _turned(self, world: np.ndarray, d: Drive) -> np.ndarray:
        """Posed orientation (T, 3, 3) of a driven bone in the body frame."""
        turn = world[:, d.joint]
        if d.kind == "blend" and d.share < 1.0 - 1e-9:
            first, second = (rot.matrix_to_quaternion(world[:, j]) for j in (d.joint, d.other))
            turn = rot.quaternion_to_matrix(rot.slerp(first, second, np.full((len(world), 1), d.share)))
        elif d.kind == "blend":
            turn = world[:, d.other]
        elif d.kind == "roll":
            turn = turn @ self._share(world[:, d.joint], world[:, d.other], d.other, d.share)
        elif d.kind == "unroll":
            below = d.joint
            child = next(j for j, parent in enumerate(PARENTS) if parent == below)
            turn = turn @ self._share(world[:, d.other], turn, child, d.share - 1.0)
        assert d.turn is not None
        return turn @ (d.turn @ self._rest[d.bone])

    @staticmethod
    def _share(upper: np.ndarray, lower: np.ndarray, end: int, share: float) -> np.ndarray:
        """Part of the turn about a limb (T, 3, 3) that ``lower`` has against ``upper``; along ``end``."""
        relative = rot.matrix_to_quaternion(np.swapaxes(upper, -1, -2) @ lower)
        turn = rot.quaternion_to_axis_angle(twist(relative, REST_OFFSETS[end]))
        return rot.axis_angle_to_matrix(share * turn)

    def _hips(self, pelvis: np.ndarray, trans: np.ndarray) -> np.ndarray:
        """Where the head of the pelvis bone goes (T, 3), body frame, armature units."""
        stance = self.stance
        middle = (J0 + trans + pelvis @ _PIVOT) * stance.scale + np.array([0.0, stance.lift, 0.0])
        return middle - pelvis @ (stance.middle - self._heads[self._bone("pelvis")])

    def _path(self, pelvis: np.ndarray, hips: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
        """Heading (T, 3, 3) and path (T, 3) of the root over the floor: smooth, away from rest."""
        yaw = np.unwrap(rot.heading(pelvis))
        flat = (hips - self._heads[self._bone("pelvis")]) * np.array([1.0, 0.0, 1.0])
        sigma = ROOT_SMOOTHING * fps
        # Deviations from the straight way are smoothed, so that the ends stay where they are.
        smooth = []
        for values in (yaw[:, None], flat):
            line = np.linspace(values[0], values[-1], len(values))
            smooth.append(line + gaussian(values - line, sigma))
        return rot.yaw_matrix(smooth[0][:, 0]), smooth[1]

    def _off_the_object(
        self,
        hips: np.ndarray,
        posed: dict[int, np.ndarray],
        above: dict[int, int],
        heading: np.ndarray,
        path: np.ndarray,
    ) -> tuple[np.ndarray, dict[int, np.ndarray], np.ndarray]:
        """The hips and bones as seen from an object that walks the path, and its motion (T, 4, 4)."""
        back = np.swapaxes(heading, -1, -2)
        axes = self.stance.axes
        moved = np.broadcast_to(np.eye(4), (len(hips), 4, 4)).copy()
        moved[:, :3, :3] = axes @ heading @ axes.T
        moved[:, :3, 3] = path @ axes.T
        inside = np.einsum("tij,tj->ti", back, hips - path)
        return inside, {bone: back @ turn for bone, turn in posed.items()}, moved

    def _local(self, bone: int, posed: dict[int, np.ndarray], above: int) -> np.ndarray:
        """Rotation (T, 3, 3) of a bone relative to its rest pose, in its own frame."""
        if above < 0:
            return self._rest[bone].T @ posed[bone]
        relative = self._rest[above].T @ self._rest[bone]
        return relative.T @ (np.swapaxes(posed[above], -1, -2) @ posed[bone])

    def _location(
        self, bone: int, goal: np.ndarray, posed: dict[int, np.ndarray], above: int, path: np.ndarray
    ) -> np.ndarray:
        """Location (T, 3) of a bone in its rest frame that brings its head to ``goal``."""
        if above < 0:
            return (goal - self._heads[bone]) @ self._rest[bone]
        carrier = posed[above] @ self._rest[above].T
        start = self._heads[above] + path + carrier @ (self._heads[bone] - self._heads[above])
        return np.einsum("tji,tj->ti", carrier @ self._rest[bone], goal - start)

    def _resting(self, driven: list[int]) -> tuple[str, ...]:
        """Bones above driven ones that are not driven themselves: they have to be at rest."""
        names = set()
        for bone in driven:
            names |= {step for step in self.rig.line(bone)[1:] if step not in driven}
        return tuple(self.rig.bones[bone] for bone in sorted(names))

    # --- the rig's motion as ours -------------------------------------------------------------------------

    @property
    def sources(self) -> tuple[str, ...]:
        """The bones that :meth:`read` wants, in its order."""
        return tuple(self.rig.bones[d.bone] for d in self.drives)

    def read(self, posed: np.ndarray, fps: float) -> Clip:
        """The motion of the rig as a clip on our skeleton.

        Args:
            posed: (T, K, 4, 4) matrices of :attr:`sources` in armature space, as Blender evaluates them.
            fps: frames per second.
        """
        axes = self.stance.axes
        basis = posed[..., :3, :3] / np.maximum(
            np.linalg.norm(posed[..., :3, :3], axis=-2, keepdims=True), 1e-12
        )
        bodies = np.einsum("ji,tkjl->tkil", axes, basis)
        turned: dict[str, np.ndarray] = {}
        for k, d in enumerate(self.drives):
            assert d.turn is not None
            turned[d.slot] = bodies[:, k] @ (d.turn @ self._rest[d.bone]).T
        world = self._joints(turned)
        local = np.array(world)
        for j, parent in enumerate(PARENTS):
            if parent >= 0:
                local[:, j] = np.swapaxes(world[:, parent], -1, -2) @ world[:, j]

        stance = self.stance
        pelvis = self.sources.index(self.mapping.bones["pelvis"])
        head = posed[:, pelvis, :3, 3] @ axes
        middle = head + world[:, 0] @ (stance.middle - self._heads[self._bone("pelvis")])
        ours = (middle - np.array([0.0, stance.lift, 0.0])) / stance.scale
        mapped = {INDEX[slot] for slot in turned if slot in INDEX}
        known = {part: bool(mapped & set(joints)) for part, joints in PARTS.items()}
        return Clip(
            poses=rot.matrix_to_axis_angle(local),
            trans=ours - world[:, 0] @ _PIVOT - J0,
            fps=fps,
            known={**known, "lower_trans": True, "upper": True},
            meta={"source": self.rig.name, "rig": self.mapping.label or self.mapping.family},
        )

    def _joints(self, turned: dict[str, np.ndarray]) -> np.ndarray:
        """World rotations (T, 55, 3, 3) of our joints; what has no bone follows its parent."""
        frames = len(turned["pelvis"])
        world = np.empty((frames, NUM_JOINTS, 3, 3))
        spine = [turned[slot] for slot in self.mapping.chain(SPINE)]
        places = [_spine_place(i, len(spine)) for i in range(len(spine))]
        neck = self.mapping.chain(NECK)
        for j, name in enumerate(JOINT_NAMES):
            slot = self._slot_of(j)
            if name in ("spine1", "spine2", "spine3"):
                world[:, j] = _at(int(name[-1]) - 1, places, spine, turned["pelvis"])
            elif name == "neck" and neck:
                world[:, j] = turned[neck[-1]]
            elif slot in turned:
                world[:, j] = turned[slot]
            else:
                world[:, j] = world[:, PARENTS[j]]
        return world


def _spine_place(i: int, count: int) -> float:
    """Where the i-th of some spine bones stands between our spine1 (0) and spine3 (2).

    The last one carries the arms and the head, so it is always spine3; three are ours one by one.
    """
    if count == 1:
        return 2.0
    return 0.5 + 1.5 * i if count == 2 else 2.0 * i / (count - 1)


def _at(place: float, places: list[float], spine: list[np.ndarray], pelvis: np.ndarray) -> np.ndarray:
    """World rotation (T, 3, 3) at a place along a spine of bones that stand at ``places``."""
    known = [(-1.0, pelvis), *zip(places, spine, strict=True)]
    for (low, first), (high, second) in pairwise(known):
        if abs(place - high) < 1e-9:
            return second
        if low <= place < high:
            weight = np.full((len(first), 1), (place - low) / (high - low))
            q = rot.slerp(rot.matrix_to_quaternion(first), rot.matrix_to_quaternion(second), weight)
            return rot.quaternion_to_matrix(q)
    return known[-1][1]


def _known(clip: Clip, joint: int) -> bool:
    """Whether to pose a joint: fingers and the face only where the clip really contains them."""
    part = next((part for part in ("hands", "face") if joint in PARTS[part]), None)
    return part is None or bool(clip.known.get(part, True))
