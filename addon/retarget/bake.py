"""From controls to bones: what the constraints of a control rig do, keyed on the bones that deform its mesh."""

from __future__ import annotations

import json

import bpy
import numpy as np
from mathutils import Matrix

from ...backend.errors import BadInput
from ..keying.actions import META_KEY, bone_curves, channels_of, read_meta
from ..keying.keying import continuous

_SCALED = 1e-4
"""Scales nearer to one than this are not keyed."""


_MUTED = "muted"
"""In the description of an Action: the constraints that were switched off for it, as pairs of names."""


def bake_bones(obj: bpy.types.Object, frames: np.ndarray) -> int:
    """Key the bones that deform, and those they hang on, as the rig's constraints have them.

    The curves of the object's Action that pose its controls are replaced, and the constraints of the keyed bones
    are muted, so that other programs and game engines see what Blender shows.

    Args:
        obj: an armature whose Action plays.
        frames: (T,) the scene's frames.

    Returns:
        How many bones were keyed. :func:`unbake` switches the constraints on again.

    Raises:
        BadInput: no view layer shows the rig.
    """
    bones = _deforming(obj)
    posed = _evaluated(obj, bones, frames)
    location, rotation, scale = _local(obj, bones, posed)
    channels = channels_of(obj.animation_data)
    assert channels is not None
    for curve in [c for c in channels.fcurves if c.data_path.startswith("pose.bones[")]:
        channels.fcurves.remove(curve)
    rotation = continuous(rotation)
    muted: list[tuple[str, str]] = []
    for k, name in enumerate(bones):
        bone = obj.pose.bones[name]
        for constraint in bone.constraints:
            if not constraint.mute:
                constraint.mute = True
                muted.append((name, constraint.name))
        bone.rotation_mode = "QUATERNION"
        bone.matrix_basis = Matrix()
        bone_curves(channels, name, "rotation_quaternion", frames, rotation[:, k])
        if np.abs(location[:, k]).max() > 1e-6:
            bone_curves(channels, name, "location", frames, location[:, k])
        if np.abs(scale[:, k] - 1).max() > _SCALED:
            bone_curves(channels, name, "scale", frames, scale[:, k])
    action = obj.animation_data.action
    action[META_KEY] = json.dumps({**read_meta(action), _MUTED: muted}, ensure_ascii=False)
    return len(bones)


def unbake(obj: bpy.types.Object) -> None:
    """Switch on the constraints that :func:`bake_bones` has switched off for the Action that plays."""
    animation = obj.animation_data
    muted = read_meta(animation.action if animation is not None else None).get(_MUTED)
    for pair in muted if isinstance(muted, list) else ():
        bone = obj.pose.bones.get(str(pair[0])) if isinstance(pair, list) and len(pair) == 2 else None
        constraint = bone.constraints.get(str(pair[1])) if bone is not None else None
        if bone is not None and constraint is not None:
            constraint.mute = False
            bone.matrix_basis = Matrix()


def _deforming(obj: bpy.types.Object) -> list[str]:
    """Names of the bones that deform and of all they hang on, parents first."""
    wanted = {bone.name for bone in obj.data.bones if bone.use_deform}
    for bone in obj.data.bones:
        if bone.use_deform:
            wanted |= {parent.name for parent in bone.parent_recursive}
    return [bone.name for bone in obj.data.bones if bone.name in wanted]


def _evaluated(obj: bpy.types.Object, bones: list[str], frames: np.ndarray) -> np.ndarray:
    """(T, K, 4, 4) matrices in armature space, as Blender evaluates them; the scene's frame is put back."""
    layers = [(scene, layer) for scene in obj.users_scene for layer in scene.view_layers]
    for _, layer in layers:
        layer.update()
    found = next(((s, v) for s, v in layers if v.objects.get(obj.name) == obj), None)
    if found is None:
        raise BadInput(
            f"“{obj.name}” is in no view layer: what its controls do cannot be seen.",
            hint="Show its collection, or key the controls.",
            field="rig",
        )
    scene, layer = found
    posed = np.empty((len(frames), len(bones), 4, 4))
    current, subframe = scene.frame_current, scene.frame_subframe
    try:
        for i, frame in enumerate(frames):
            scene.frame_set(int(np.floor(frame)), subframe=float(frame - np.floor(frame)))
            layer.update()
            pose = obj.evaluated_get(layer.depsgraph).pose.bones
            for k, name in enumerate(bones):
                posed[i, k] = pose[name].matrix
    finally:
        scene.frame_set(current, subframe=subframe)
    return posed


def _local(
    obj: bpy.types.Object, bones: list[str], posed: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Locations (T, K, 3), quaternions (T, K, 4) and scales (T, K, 3) that pose the bones without constraints."""
    index = {name: k for k, name in enumerate(bones)}
    location, rotation, scale = (np.empty((*posed.shape[:2], size)) for size in (3, 4, 3))
    for k, name in enumerate(bones):
        bone = obj.data.bones[name]
        parent = bone.parent
        for i, matrix in enumerate(posed[:, k]):
            hangs = (
                {
                    "parent_matrix": Matrix(posed[i, index[parent.name]]),
                    "parent_matrix_local": parent.matrix_local,
                }
                if parent is not None
                else {}
            )
            basis = bone.convert_local_to_pose(Matrix(matrix), bone.matrix_local, **hangs, invert=True)
            location[i, k], rotation[i, k], scale[i, k] = basis.decompose()
    return location, rotation, scale
