"""SMPL-X motion on any rig, and any rig's motion back, aware of both rest poses.

Every mapped bone of the rig is driven by the world rotation of a joint of ours:

    ``W_bone(t) = W_joint(t) D R``,   ``W_joint(rest) = I``

with the bone's rest orientation ``R`` and a constant ``D`` that first brings the rig's rest pose onto ours:
arms, legs, hands and fingers are turned so that their directions agree, for whatever rest pose the rig has
(T, A, legs apart); so they agree in every frame. The trunk, the neck and the shoulders have no such turn:
an upright trunk is upright in both, and bending a character's own spine to ours would deform it. Feet are
turned about the vertical alone, their soles stay level. It is the method of
``training/retargeting/retarget.py``, the other way round.

Chains that differ in length share the rotation: spine and neck bones lie between ours, twist bones take
their part of the turn about the limb. The root's path is scaled by the length of the legs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import BadInput
from . import rotations as rot
from .clip import Clip
from .kinematics import forward_kinematics
from .mapping import Mapping, checked
from .retarget_back import read_motion
from .retarget_controls import ik_tracks, limbs_by_ik
from .retarget_drives import find_drives, is_known, turned
from .retarget_posing import Posed
from .retarget_rest import RestPose
from .retarget_root import ROOTS, Root, hips_at, off_the_object, path_of
from .rig import Rig
from .stance import Stance, measure

__all__ = ["ROOTS", "Retargeter", "RigMotion", "Root"]


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
        settings: custom properties to set and key: bone to property to value.
    """

    fps: float
    bones: tuple[str, ...]
    rotations: np.ndarray
    locations: dict[str, np.ndarray]
    object: np.ndarray | None
    resting: tuple[str, ...]
    settings: dict[str, dict[str, float]] = field(default_factory=dict)


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
        self.rest = RestPose(rig, self.mapping, self.stance)
        self.drives = find_drives(self.rest)

    @property
    def root_bone(self) -> int:
        """The bone that carries the hips over the floor; -1 where nothing is above the hips."""
        name = self.mapping.bones.get("root")
        if name is not None:
            return self.rig.index[name]
        line = self.rig.line(self.rest.bone("pelvis"))
        return line[-1] if len(line) > 1 else -1

    def pose(self, clip: Clip, root: Root = "hips") -> Posed:
        """Where the rig's bones go for a clip, in the body frame; arguments and errors as :meth:`perform`."""
        if not (np.isfinite(clip.poses).all() and np.isfinite(clip.trans).all()):
            raise BadInput("The clip contains numbers that are not finite.", field="clip")
        world = forward_kinematics(clip.poses, clip.trans)[1]
        drives = [d for d in self.drives if is_known(clip, d.joint)]
        turns = {d.bone: turned(self.rest, world, d) for d in drives}
        above = {d.bone: d.above for d in drives}
        hips = hips_at(self.rest, world[:, 0], clip.trans)
        heading, path = path_of(self.rest, world[:, 0], hips, clip.fps)
        posed = Posed(self.rest, turns, above, hips, np.zeros_like(path))
        if root == "root":
            carrier = self.root_bone
            if carrier < 0:
                raise BadInput(
                    f"“{self.rig.name}” has no root bone above its hips.",
                    hint="Put the path on the hips or on the object.",
                    field="root",
                )
            turns[carrier] = heading @ self.rest.rotations[carrier]
            above[carrier] = -1
            for bone, up in above.items():
                if up < 0 and bone != carrier and self._hangs_on(bone, carrier):
                    above[bone] = carrier
            posed.path = path
        elif root == "object":
            posed.hips, posed.turns, posed.object = off_the_object(self.rest, hips, turns, heading, path)
        elif root == "in place":
            posed.hips = hips - path
        elif root != "hips":
            raise BadInput(f"The root must be one of {', '.join(ROOTS)}, not {root}.", field="root")
        return posed

    def perform(self, clip: Clip, root: Root = "hips", *, ik: Sequence[str] = ()) -> RigMotion:
        """The rig's motion for a clip.

        Args:
            clip: the motion; parts it does not know (fingers, face) are left alone.
            root: where the path over the floor goes.
            ik: which limbs of a control rig (``leg``, ``arm``) follow goals; the others their FK controls.

        Raises:
            BadInput: the choice of root does not fit the rig, or the clip holds numbers that are none.
        """
        posed = self.pose(clip, root)
        pelvis = self.rest.bone("pelvis")
        driven = sorted(posed.turns)
        turns = {bone: posed.turn(bone, posed.turns[bone], posed.above[bone]) for bone in driven}
        moves = {pelvis: posed.location(pelvis, posed.hips, posed.above[pelvis])}
        if root == "root":
            carrier = self.root_bone
            moves[carrier] = posed.path @ self.rest.rotations[carrier]
        settings = {bone: dict(values) for bone, values in self.mapping.settings.items()}
        for limb in limbs_by_ik(self.mapping.ik, ik):
            tracks = ik_tracks(posed, limb, self.mapping.ik[limb])
            turns |= {bone: turn for bone, (turn, _) in tracks.items() if turn is not None}
            moves |= {bone: move for bone, (_, move) in tracks.items() if move is not None}
            for bone, values in self.mapping.ik[limb].settings.items() if tracks else ():
                settings[bone] = {**settings.get(bone, {}), **values}
        return RigMotion(
            fps=clip.fps,
            bones=tuple(self.rig.bones[bone] for bone in turns),
            rotations=rot.matrix_to_quaternion(np.stack(list(turns.values()), axis=1)),
            locations={self.rig.bones[bone]: move for bone, move in moves.items()},
            object=posed.object,
            resting=self._resting([*turns, *moves]),
            settings=settings,
        )

    def _hangs_on(self, bone: int, carrier: int) -> bool:
        if self.mapping.bones.get("pelvis") == self.rig.bones[bone] and "pelvis" in self.mapping.attached:
            return True
        follows = True
        for step in self.rig.line(bone)[:-1]:
            follows = follows and bool(self.rig.follows[step])
        return follows and self.rig.is_above(carrier, bone)

    def _resting(self, driven: list[int]) -> tuple[str, ...]:
        """Bones that have to be at rest: above driven ones and not driven themselves, and idle controls."""
        names = {self.rig.index[name] for name in self.mapping.idle if name in self.rig.index} - set(driven)
        for bone in driven:
            names |= {step for step in self.rig.line(bone)[1:] if step not in driven}
        return tuple(self.rig.bones[bone] for bone in sorted(names))

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
        return read_motion(self.rest, self.drives, posed, fps)
