"""Reading an armature: its skeleton as plain arrays, its animation as a clip, and why it cannot be used."""

from __future__ import annotations

import math

import bpy
import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.clip import Clip
from ...backend.motion.mapping import Mapping
from ...backend.motion.retarget import Retargeter
from ...backend.motion.rig import Rig
from ..body.bodymap import why_not_editable
from ..keying.actions import channels_of, read_meta
from ..keying.keying import scene_rate

BASE_KEY = "base"
"""In the description of a generated Action: where the object stood before its motion, 16 numbers."""


def why_not_a_rig(obj: bpy.types.Object | None) -> str:
    """Why an object cannot take a motion, as one sentence; empty when it can (cheap, for draw)."""
    if obj is None:
        return "Choose an armature."
    if obj.type != "ARMATURE":
        return f"“{obj.name}” is no armature."
    if obj.override_library is not None and obj.override_library.is_system_override:
        return f"“{obj.name}” is a library override that is not editable. Make it editable in the Outliner first."
    return why_not_editable(obj)


def read_rig(obj: bpy.types.Object) -> Rig:
    """The rest pose of an armature.

    Raises:
        BadInput: it is no armature, or has no bones.
    """
    if obj.type != "ARMATURE":
        raise BadInput(f"“{obj.name}” is no armature.", field="rig")
    bones = obj.data.bones
    if not len(bones):
        raise BadInput(f"“{obj.name}” has no bones.", field="rig")
    index = {bone.name: i for i, bone in enumerate(bones)}
    rest = np.empty(len(bones) * 16, np.float32)
    tails = np.empty(len(bones) * 3, np.float32)
    bones.foreach_get("matrix_local", rest)
    bones.foreach_get("tail_local", tails)
    world = np.array(obj.matrix_world)[:3, :3]
    return Rig(
        name=obj.name,
        bones=tuple(bone.name for bone in bones),
        parents=np.array([-1 if bone.parent is None else index[bone.parent.name] for bone in bones]),
        # Blender hands matrices over column by column.
        rest=rest.reshape(-1, 4, 4).transpose(0, 2, 1).astype(np.float64),
        tails=tails.reshape(-1, 3).astype(np.float64),
        follows=np.array([bone.use_inherit_rotation for bone in bones]),
        world=world / np.maximum(np.linalg.norm(world, axis=0), 1e-12),
    )


def check_locks(obj: bpy.types.Object, mapping: Mapping) -> None:
    """Refuse bones that their owner has locked.

    Raises:
        BadInput: names the first one.
    """
    bones = obj.pose.bones
    hips = mapping.bones.get("pelvis")
    hint = "Unlock it in the bone's Transform panel, or leave it out of the mapping."
    for slot, name in mapping.bones.items():
        bone = bones.get(name)
        if bone is not None and slot != "root" and all(bone.lock_rotation):
            raise BadInput(
                f"The bone “{name}” of “{obj.name}” is locked: it cannot turn.", hint=hint, field="rig"
            )
        if bone is not None and name == hips:
            if all(bone.lock_location):
                raise BadInput(
                    f"The bone “{name}” of “{obj.name}” is locked: it cannot move.", hint=hint, field="rig"
                )
            if bone.bone.use_connect:
                raise BadInput(
                    f"The hips “{name}” of “{obj.name}” are connected to their parent bone and cannot move.",
                    hint="Untick Relations > Connected in Edit Mode.",
                    field="rig",
                )


def clip_from_rig(
    obj: bpy.types.Object,
    retargeter: Retargeter,
    *,
    scene: bpy.types.Scene,
    frame_range: tuple[int, int] | None = None,
) -> Clip:
    """The animation of a rig as a clip, one pose a frame at the scene's rate, as Blender evaluates it.

    Args:
        obj: the armature.
        retargeter: made for it.
        scene: whose frames are played; its current frame is put back.
        frame_range: first and last frame, both included; by default the Action's, else the scene's.

    Raises:
        BadInput: nothing animates the rig, or it is not in the scene.
    """
    first, last = frame_range or _frame_range(obj, scene)
    if last < first:
        raise BadInput(f"The last frame ({last}) lies before the first one ({first}).", field="frame_range")
    view_layer = next((v for v in scene.view_layers if obj.name in v.objects), None)
    if view_layer is None:
        raise BadInput(f"“{obj.name}” is not in the scene “{scene.name}”.", field="rig")
    names = retargeter.sources
    frames = range(first, last + 1)
    posed = np.empty((len(frames), len(names), 4, 4))
    objects = np.empty((len(frames), 4, 4))
    current, subframe = scene.frame_current, scene.frame_subframe
    try:
        for i, frame in enumerate(frames):
            scene.frame_set(frame)
            view_layer.update()
            evaluated = obj.evaluated_get(view_layer.depsgraph)
            bones = evaluated.pose.bones
            objects[i] = evaluated.matrix_basis
            for k, name in enumerate(names):
                posed[i, k] = bones[name].matrix
    finally:
        scene.frame_set(current, subframe=subframe)
    walked = np.linalg.inv(_base(obj, objects[0])) @ objects
    if np.ptp(objects, axis=0).max() > 1e-6:
        posed = walked[:, None] @ posed
    return retargeter.read(posed, scene_rate(scene))


def _base(obj: bpy.types.Object, first: np.ndarray) -> np.ndarray:
    """Where an animated object's own motion begins (4, 4)."""
    stored = read_base(obj)
    return first if stored is None else stored


def read_base(obj: bpy.types.Object) -> np.ndarray | None:
    """Where the object stood before the generated Action moved it (4, 4); None if that does not."""
    animation = obj.animation_data
    stored = read_meta(animation.action if animation is not None else None).get(BASE_KEY)
    if isinstance(stored, list) and len(stored) == 16:
        return np.array(stored, np.float64).reshape(4, 4)
    return None


def _frame_range(obj: bpy.types.Object, scene: bpy.types.Scene) -> tuple[int, int]:
    animation = obj.animation_data
    channels = channels_of(animation) if animation is not None else None
    if channels is not None:
        spans = [curve.range() for curve in channels.fcurves if len(curve.keyframe_points)]
        if spans:
            return round(min(s[0] for s in spans)), math.floor(max(s[1] for s in spans) + 1e-3)
    moved = animation is not None and (len(animation.nla_tracks) or len(animation.drivers))
    if moved or any(len(bone.constraints) for bone in obj.pose.bones):
        return scene.frame_start, scene.frame_end
    raise BadInput(f"“{obj.name}” has no animation.", hint="Choose an animated armature.", field="rig")
