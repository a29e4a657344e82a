"""Opening a character's file and writing it again with its motion, for the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np

from ...backend.errors import BadInput, JobFailed
from ...backend.motion.bvh import CENTIMETRES
from ...backend.motion.mapping import Mapping
from ...backend.motion.rig_bvh import rig_to_bvh
from ...backend.motion.stance import body_axes
from ..keying.keying import scene_rate
from .armature import read_base, read_rig

READS = (".blend", ".glb", ".gltf", ".vrm", ".fbx", ".bvh")
WRITES = (".blend", ".glb", ".fbx", ".bvh")


def open_file(path: Path) -> None:
    """Open a character's file in an empty session.

    Raises:
        BadInput: it cannot be read.
    """
    if not path.is_file():
        raise BadInput(f"There is no file {path}.", field="rig")
    suffix = path.suffix.lower()
    if suffix not in READS:
        raise BadInput(f"{path.name} must end in {', '.join(READS)}.", field="rig")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    readers: dict[str, Callable[[], object]] = {
        ".blend": lambda: bpy.ops.wm.open_mainfile(filepath=str(path), use_scripts=False, load_ui=False),
        # A .vrm is a .glb with facts about the character beside it, which its bones' names replace here.
        **dict.fromkeys((".glb", ".gltf", ".vrm"), lambda: bpy.ops.import_scene.gltf(filepath=str(path))),
        ".fbx": lambda: _fbx_reader()(filepath=str(path)),
        ".bvh": lambda: bpy.ops.import_anim.bvh(filepath=str(path)),
    }
    try:
        readers[suffix]()
    except RuntimeError as error:
        raise BadInput(f"{path.name} cannot be opened: {_reason(error)}", field="rig") from error
    if suffix != ".blend":
        _forget_animations()


def _fbx_reader() -> Callable[..., object]:
    """Blender's FBX importer: an add-on in Python, or since 4.5 also one of Blender's own."""
    return bpy.ops.import_scene.fbx if "fbx" in dir(bpy.ops.import_scene) else bpy.ops.wm.fbx_import


def _forget_animations() -> None:
    """What came along as example animations is not the character's, and would be exported again."""
    for obj in bpy.data.objects:
        if obj.animation_data is not None:
            obj.animation_data_clear()
        if obj.type == "ARMATURE":
            for bone in obj.pose.bones:
                bone.matrix_basis.identity()
    for action in list(bpy.data.actions):
        bpy.data.actions.remove(action)


def armatures() -> list[bpy.types.Object]:
    """The armatures of the open scene."""
    return [obj for obj in bpy.context.scene.objects if obj.type == "ARMATURE"]


def save_file(path: Path, rig: bpy.types.Object, mapping: Mapping) -> None:
    """Write the scene, or for BVH the rig's motion.

    Args:
        path: by its suffix.
        rig: the armature.
        mapping: its bones.

    Raises:
        JobFailed: Blender did not write it.
    """
    for other in bpy.context.view_layer.objects:
        other.select_set(other == rig)
    bpy.context.view_layer.objects.active = rig
    writers: dict[str, Callable[[], object]] = {
        ".blend": lambda: bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True),
        ".glb": lambda: bpy.ops.export_scene.gltf(
            filepath=str(path), export_format="GLB", export_animation_mode="ACTIVE_ACTIONS"
        ),
        ".fbx": lambda: bpy.ops.export_scene.fbx(
            filepath=str(path),
            object_types={"ARMATURE", "MESH", "EMPTY"},
            add_leaf_bones=False,
            bake_anim_use_nla_strips=False,
            bake_anim_use_all_actions=False,
        ),
        ".bvh": lambda: path.write_text(bvh_of(rig, mapping), encoding="utf-8", newline="\n"),
    }
    try:
        writers[path.suffix.lower()]()
    except RuntimeError as error:
        raise JobFailed(f"{path.name} cannot be written: {_reason(error)}", field="out") from error
    if not path.is_file():
        raise JobFailed(f"Blender ended without writing {path.name}.", field="out")


def bvh_of(rig: bpy.types.Object, mapping: Mapping) -> str:
    """The rig's motion over the scene's frames as BVH. (Blender's own exporter writes Z up, which few expect.)"""
    scene = bpy.context.scene
    plain = read_rig(rig)
    frames = range(scene.frame_start, scene.frame_end + 1)
    posed = np.empty((len(frames), len(plain), 4, 4))
    first = read_base(rig)
    for i, frame in enumerate(frames):
        scene.frame_set(frame)
        evaluated = rig.evaluated_get(bpy.context.view_layer.depsgraph)
        for k, name in enumerate(plain.bones):
            posed[i, k] = evaluated.pose.bones[name].matrix
        if first is not None:
            posed[i] = np.linalg.inv(first) @ np.array(evaluated.matrix_basis) @ posed[i]
    unit = float(np.cbrt(abs(np.linalg.det(np.array(rig.matrix_world)[:3, :3]))))
    axes = body_axes(plain, mapping)
    hips = mapping.bones["pelvis"]
    return rig_to_bvh(plain, posed, scene_rate(scene), axes=axes, hips=hips, scale=CENTIMETRES * unit)


def _reason(error: RuntimeError) -> str:
    words = [line.removeprefix("Error: ").strip() for line in str(error).splitlines() if line.strip()]
    return (words[-1] if words else "Blender gives no reason").rstrip(".") + "."
