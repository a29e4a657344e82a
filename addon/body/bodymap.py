"""Recognise a SMPL-X armature and translate between its bones and a clip.

A clip's rotations are relative to the parent joint, in the SMPL world (Y up, facing +Z). On our own
body, and on those of the SMPL-X add-on, every bone rests at +90 degrees about X, so that a pose
bone's quaternion is the joint's rotation unchanged. Any other rest orientation of the same T-pose
(an FBX import, for instance) differs by one constant rotation a bone, worked out here once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import rotations
from ...backend.motion.skeleton import INDEX, J0, JOINT_NAMES, NUM_BODY_JOINTS, REST_OFFSETS

SMPL_TO_BLENDER = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""Y up, facing +Z becomes Z up, facing -Y: (x, y, z) -> (x, -z, y)."""

_BODY_JOINTS = JOINT_NAMES[:NUM_BODY_JOINTS]


def is_smplx(obj: Any) -> bool:
    """Whether an object is an armature with the 22 body joints of SMPL-X (cheap: for poll and draw)."""
    return obj is not None and obj.type == "ARMATURE" and all(n in obj.data.bones for n in _BODY_JOINTS)


def find_body(context: bpy.types.Context) -> bpy.types.Object | None:
    """The chosen body of the scene, else the active object if it is one, or a mesh worn by one."""
    scene = context.scene
    settings = getattr(scene, "understudy", None)
    body = settings.body if settings is not None else None
    if body is not None and is_smplx(body) and scene.objects.get(body.name) == body:
        return body
    # By way of the view layer: context.active_object is missing where no window is at hand.
    active = context.view_layer.objects.active if context.view_layer else None
    for candidate in (active, active.parent if active else None, active.find_armature() if active else None):
        if is_smplx(candidate):
            return performer(candidate)
    return None


def performer(armature: bpy.types.Object) -> bpy.types.Object | None:
    """A body itself; for a stored key pose, which is an armature too, the body that it is for."""
    mark = getattr(armature, "understudy_mark", None)
    return armature if mark is None or mark.kind == "NONE" else mark.body


def why_not_editable(body: bpy.types.Object) -> str:
    """Why this body cannot be keyed now, as one sentence; empty when it can."""
    if not body.is_editable:
        return f"“{body.name}” is linked from another file. Make a library override of it first."
    if body.mode == "EDIT":
        return f"“{body.name}” is in Edit Mode. Leave it first."
    animation = body.animation_data
    if animation is not None and animation.use_tweak_mode:
        return f"“{body.name}” is in the NLA's tweak mode. Leave it (Tab in the NLA editor) first."
    return ""


@dataclass(frozen=True)
class BodyMap:
    """How one armature relates to the SMPL skeleton.

    Attributes:
        armature: the armature object.
        joints: joint indices that have a bone, ascending.
        names: their bone names.
        axes: (3, 3) SMPL world to armature space.
        corrections: (len(joints), 4) quaternions C of ``bone rotation = C joint C^-1``.
        scale: armature units per metre.
        ancestors: bones above the pelvis (the SMPL-X add-on's ``root``), nearest first.
        pelvis: (3,) where the pelvis rests, metres, SMPL world.
        legs: length of its legs in those of the built-in body.
    """

    armature: bpy.types.Object
    joints: tuple[int, ...]
    names: tuple[str, ...]
    axes: np.ndarray
    corrections: np.ndarray
    scale: float
    ancestors: tuple[str, ...]
    pelvis: np.ndarray
    legs: float

    @classmethod
    def of(cls, armature: bpy.types.Object) -> BodyMap:
        """Study an armature.

        Raises:
            BadInput: it has no SMPL-X bones, or its rest pose is not the SMPL-X T-pose.
        """
        if not is_smplx(armature):
            raise BadInput(
                f"“{armature.name}” is not a SMPL-X armature.",
                hint="Add a body from the Understudy panel, or pick an armature whose bones have SMPL-X names.",
                field="body",
            )
        bones = armature.data.bones
        joints = tuple(i for i, name in enumerate(JOINT_NAMES) if name in bones)
        names = tuple(JOINT_NAMES[i] for i in joints)
        rest = np.array([np.array(bones[name].matrix_local) for name in names])
        heads = {i: rest[k, :3, 3] for k, i in enumerate(joints)}
        axes = _rest_axes(armature.name, heads)
        pelvis = bones["pelvis"]
        if pelvis.use_connect:
            raise BadInput(
                f"The pelvis of “{armature.name}” is connected to its parent bone and cannot move.",
                hint="Untick Relations > Connected of the pelvis in Edit Mode.",
                field="body",
            )
        corrections = rotations.matrix_to_quaternion(np.swapaxes(rest[:, :3, :3], 1, 2) @ axes)
        ancestors = tuple(bone.name for bone in pelvis.parent_recursive)
        scale = _scale(heads)
        rests = axes.T @ heads[INDEX["pelvis"]] / scale
        return cls(armature, joints, names, axes, corrections, scale, ancestors, rests, _legs(heads) / scale)

    def to_bones(self, quaternions: np.ndarray) -> np.ndarray:
        """Joint rotations (T, 55, 4) to the pose bones' (T, len(joints), 4)."""
        return self._conjugate(quaternions[:, list(self.joints)], self.corrections)

    def from_bones(self, quaternions: np.ndarray) -> np.ndarray:
        """Pose-bone rotations (T, len(joints), 4) to the joints' (T, 55, 4); missing joints rest."""
        result = np.zeros((len(quaternions), len(JOINT_NAMES), 4))
        result[..., 0] = 1.0
        inverse = rotations.quaternion_conjugate(self.corrections)
        result[:, list(self.joints)] = self._conjugate(quaternions, inverse)
        return result

    @staticmethod
    def _conjugate(q: np.ndarray, by: np.ndarray) -> np.ndarray:
        if np.all(np.abs(by[:, 1:]) < 1e-6):  # the usual body: nothing to turn, and no rounding
            return q
        product = rotations.quaternion_multiply(by, q)
        return rotations.quaternion_multiply(product, rotations.quaternion_conjugate(by))

    def carried(self, trans: np.ndarray, meta: Mapping[str, Any]) -> np.ndarray:
        """A generated clip's translation (T, 3), made for the built-in body, for this body's legs.

        Feet that stand on the floor still do, and do not slide: the whole path grows with the legs. A path
        that was asked for (``direction`` in ``meta``) is kept where it is. Clips of other sources know their own
        body; nothing is changed for them.
        """
        if not self._carries(meta):
            return trans
        return (J0 + trans) * self._growth(meta) - self.pelvis

    def uncarried(self, trans: np.ndarray, meta: Mapping[str, Any]) -> np.ndarray:
        """The inverse of :meth:`carried`."""
        if not self._carries(meta):
            return trans
        return (trans + self.pelvis) / self._growth(meta) - J0

    def _carries(self, meta: Mapping[str, Any]) -> bool:
        return bool(meta.get("pack")) and (
            abs(self.legs - 1.0) > 1e-3 or bool(np.abs(self.pelvis - J0).max() > 1e-3)
        )

    def _growth(self, meta: Mapping[str, Any]) -> np.ndarray:
        return np.array([1.0, self.legs, 1.0]) if meta.get("direction") else np.full(3, self.legs)

    @property
    def _pelvis(self) -> np.ndarray:
        return np.array(self.armature.data.bones["pelvis"].matrix_local)[:3, :3]

    def to_location(self, trans: np.ndarray) -> np.ndarray:
        """Clip translation (T, 3) to the pelvis bone's location (T, 3)."""
        return self.scale * (trans @ self.axes.T) @ self._pelvis

    def from_location(self, location: np.ndarray) -> np.ndarray:
        """The pelvis bone's location (T, 3) to the clip's translation (T, 3)."""
        return (location @ self._pelvis.T) @ self.axes / self.scale


def _rest_axes(name: str, heads: dict[int, np.ndarray]) -> np.ndarray:
    """Which way up the rest pose stands: (3, 3) SMPL world to armature space."""

    def direction(start: str, end: str) -> np.ndarray:
        vector = heads[INDEX[end]] - heads[INDEX[start]]
        return vector / max(float(np.linalg.norm(vector)), 1e-9)

    up, left = direction("pelvis", "head"), direction("right_shoulder", "left_shoulder")
    for axes in (SMPL_TO_BLENDER, np.eye(3)):
        if up @ axes[:, 1] > 0.9 and left @ axes[:, 0] > 0.9:
            break
    else:
        raise BadInput(
            f"The rest pose of “{name}” does not stand upright facing the front view.",
            hint="In Edit Mode the character must look along -Y with its left side on +X.",
            field="body",
        )
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = direction(f"{side}_shoulder", f"{side}_wrist")
        if sign * (arm @ axes[:, 0]) < np.cos(np.radians(25.0)):
            raise BadInput(
                f"The rest pose of “{name}” is not a T-pose: its {side} arm hangs down.",
                hint="Apply a T-pose as the rest pose (Pose > Apply), or add a body of Understudy.",
                field="body",
            )
    return axes


def _scale(heads: dict[int, np.ndarray]) -> float:
    """Armature units per metre: 1 unless it is built in other units (centimetres...).

    People differ in leg length by far less than a factor of two; their steps are kept as they are.
    """
    ratio = _legs(heads)
    return 1.0 if 0.5 < ratio < 2.0 else ratio


def _legs(heads: dict[int, np.ndarray]) -> float:
    """Length of the left leg in that of the built-in body's."""
    bones = [("left_hip", "left_knee"), ("left_knee", "left_ankle")]
    leg = sum(float(np.linalg.norm(heads[INDEX[b]] - heads[INDEX[a]])) for a, b in bones)
    ours = sum(float(np.linalg.norm(REST_OFFSETS[INDEX[b]])) for _, b in bones)
    return leg / ours
