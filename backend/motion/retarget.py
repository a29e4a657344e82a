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

import numpy as np

from ..errors import BadInput
from . import rotations as rot
from .clip import Clip
from .kinematics import forward_kinematics
from .mapping import Mapping, checked
from .retarget_back import read_motion
from .retarget_drives import find_drives, is_known, turned
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
        drives = [d for d in self.drives if is_known(clip, d.joint)]
        posed = {d.bone: turned(self.rest, world, d) for d in drives}
        above = {d.bone: d.above for d in drives}
        hips = hips_at(self.rest, world[:, 0], clip.trans)
        heading, path = path_of(self.rest, world[:, 0], hips, clip.fps)
        locations: dict[str, np.ndarray] = {}
        moved: np.ndarray | None = None
        pelvis = self.rest.bone("pelvis")
        if root == "root":
            carrier = self.root_bone
            if carrier < 0:
                raise BadInput(
                    f"“{self.rig.name}” has no root bone above its hips.",
                    hint="Put the path on the hips or on the object.",
                    field="root",
                )
            posed[carrier] = heading @ self.rest.rotations[carrier]
            above[carrier] = -1
            for bone, up in above.items():
                if up < 0 and bone != carrier and self._hangs_on(bone, carrier):
                    above[bone] = carrier
            locations[self.rig.bones[carrier]] = path @ self.rest.rotations[carrier]
        elif root == "object":
            hips, posed, moved = off_the_object(self.rest, hips, posed, above, heading, path)
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

    def _local(self, bone: int, posed: dict[int, np.ndarray], above: int) -> np.ndarray:
        """Rotation (T, 3, 3) of a bone relative to its rest pose, in its own frame."""
        if above < 0:
            return self.rest.rotations[bone].T @ posed[bone]
        relative = self.rest.rotations[above].T @ self.rest.rotations[bone]
        return relative.T @ (np.swapaxes(posed[above], -1, -2) @ posed[bone])

    def _location(
        self, bone: int, goal: np.ndarray, posed: dict[int, np.ndarray], above: int, path: np.ndarray
    ) -> np.ndarray:
        """Location (T, 3) of a bone in its rest frame that brings its head to ``goal``."""
        if above < 0:
            return (goal - self.rest.heads[bone]) @ self.rest.rotations[bone]
        carrier = posed[above] @ self.rest.rotations[above].T
        start = self.rest.heads[above] + path + carrier @ (self.rest.heads[bone] - self.rest.heads[above])
        return np.einsum("tji,tj->ti", carrier @ self.rest.rotations[bone], goal - start)

    def _resting(self, driven: list[int]) -> tuple[str, ...]:
        """Bones above driven ones that are not driven themselves: they have to be at rest."""
        names = set()
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
