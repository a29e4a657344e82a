"""A rig posed in the body frame: where its mapped bones are and how they are turned, in every frame."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .retarget_rest import RestPose
from .skeleton import INDEX, PARENTS


@dataclass
class Posed:
    """What the bones of a rig do, before it is said in Blender's channels.

    Attributes:
        rest: the rig at rest.
        turns: bone index to orientation (T, 3, 3) in the body frame.
        above: bone index to the driven bone whose turns it inherits, -1 for none.
        hips: (T, 3) head of the pelvis bone, armature units.
        path: (T, 3) of the root bone, where that is driven; else zeros.
        object: (T, 4, 4) motion of the whole object in armature space; None where it stays.
        heads: bone index to head (T, 3); filled by :meth:`head`.
    """

    rest: RestPose
    turns: dict[int, np.ndarray]
    above: dict[int, int]
    hips: np.ndarray
    path: np.ndarray
    object: np.ndarray | None = None
    heads: dict[int, np.ndarray] = field(default_factory=dict)

    def head(self, bone: int) -> np.ndarray:
        """Where a driven bone's head is (T, 3), body frame, armature units."""
        if bone not in self.heads:
            carrier = self._carrier(bone)
            if bone == self.rest.bone("pelvis"):
                self.heads[bone] = self.hips
            elif carrier < 0:
                self.heads[bone] = self.rest.heads[bone] + self.path
            else:
                self.heads[bone] = self.ridden(bone, carrier)[1]
        return self.heads[bone]

    def ridden(self, bone: int, carrier: int) -> tuple[np.ndarray, np.ndarray]:
        """Orientation (T, 3, 3) and head (T, 3) of a bone that keeps its rest place on a posed one."""
        carried = self.turns[carrier] @ self.rest.rotations[carrier].T
        span = self.rest.heads[bone] - self.rest.heads[carrier]
        return carried @ self.rest.rotations[bone], self.head(carrier) + carried @ span

    def turn(self, bone: int, goal: np.ndarray, above: int) -> np.ndarray:
        """Rotation (T, 3, 3), relative to rest in the bone's own frame, that turns it to ``goal``."""
        rest = self.rest.rotations
        if above < 0:
            return rest[bone].T @ goal
        return (rest[above].T @ rest[bone]).T @ (np.swapaxes(self.turns[above], -1, -2) @ goal)

    def location(self, bone: int, goal: np.ndarray, above: int) -> np.ndarray:
        """Location (T, 3) of a bone in its rest frame that brings its head to ``goal`` (T, 3)."""
        if above < 0:
            return (goal - self.rest.heads[bone]) @ self.rest.rotations[bone]
        turned, start = self.ridden(bone, above)
        return np.einsum("tji,tj->ti", turned, goal - start)

    def _carrier(self, bone: int) -> int:
        """The driven bone that a bone's head hangs on: by the hierarchy, or by the mapping's constraints."""
        mapping = self.rest.mapping
        name = self.rest.rig.bones[bone]
        slot = next((s for s in (*mapping.attached, *mapping.carried) if mapping.bones.get(s) == name), None)
        if slot is not None and slot in INDEX:
            joint = PARENTS[INDEX[slot]]
            while joint >= 0:
                up = self.rest.bone(self.rest.slot_of(joint))
                if up in self.turns:
                    return up
                joint = PARENTS[joint]
        return next((up for up in self.rest.rig.line(bone)[1:] if up in self.turns), -1)
