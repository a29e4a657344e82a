"""File > Export > Character with motion: FBX, glTF and BVH with settings that arrive in Unity, Unreal and the web.

What the settings are for, and how they were checked, stands in docs/files.md.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ...backend.errors import BadInput, JobFailed, UnderstudyError
from ..keying.actions import channels_of
from ..process.refusing import refuse
from ..translations import t
from .export_clip import FrameChoice, clip_of, frames_of, suggested, to_export

SUFFIX = {"UNITY": ".fbx", "UNREAL": ".fbx", "GLTF": ".glb", "BVH": ".bvh"}

_FBX: dict[str, Any] = {
    "use_selection": True,
    "object_types": {"ARMATURE", "MESH"},
    "use_mesh_modifiers": False,  # applied modifiers would lose the shape keys of the face
    "mesh_smooth_type": "FACE",
    "add_leaf_bones": False,
    "use_armature_deform_only": True,
    "primary_bone_axis": "Y",
    "secondary_bone_axis": "X",
    "apply_unit_scale": True,
    # Objects keep the scale 1, the file says that its unit is the metre: no root bone scaled by 100.
    "apply_scale_options": "FBX_SCALE_ALL",
    # Turning the data itself is known to break armatures; the importers turn the object.
    "bake_space_transform": False,
    "bake_anim": True,
    "bake_anim_use_all_bones": True,
    "bake_anim_use_nla_strips": False,
    "bake_anim_use_all_actions": False,
    "bake_anim_force_startend_keying": True,
    "bake_anim_step": 1.0,
    "bake_anim_simplify_factor": 0.0,
    "path_mode": "AUTO",
}
SETTINGS: dict[str, dict[str, Any]] = {
    "UNITY": {**_FBX, "axis_forward": "-Z", "axis_up": "Y"},
    "UNREAL": {**_FBX, "axis_forward": "-Y", "axis_up": "Z", "mesh_smooth_type": "EDGE"},
    "GLTF": {
        "use_selection": True,
        "export_format": "GLB",
        "export_yup": True,
        "export_apply": False,
        "export_skins": True,
        "export_morph": True,
        "export_def_bones": True,
        "export_animations": True,
        "export_animation_mode": "ACTIVE_ACTIONS",
        "export_frame_range": True,
        "export_force_sampling": True,
        "export_optimize_animation_size": False,
        "export_anim_slide_to_zero": True,
    },
}


def write_character(
    context: bpy.types.Context,
    armature: bpy.types.Object,
    path: str,
    target: str,
    frames: tuple[int, int] | None,
    *,
    mesh: bool = True,
) -> None:
    """Write an armature, what it wears, and its motion.

    Args:
        context: with the scene.
        armature: the character.
        path: of the file; it appears whole or not at all.
        target: ``UNITY``, ``UNREAL``, ``GLTF`` or ``BVH``.
        frames: first and last frame; None for the animation's own.
        mesh: whether the meshes go along.

    Raises:
        BadInput: the file cannot be written there, or nothing animates the armature.
        JobFailed: Blender's exporter failed.
    """
    out = Path(path)
    if not out.parent.is_dir():
        raise BadInput(f"The folder {out.parent} does not exist.", field="filepath")
    if target == "BVH":
        from ...backend.motion.npz import write_clip

        write_clip(clip_of(context, armature, frames, 0.0), out, dialect="bvh")
        return
    span = frames or motion_range(armature, context.scene)
    hidden = out.with_name(f".{out.stem}.part{out.suffix}")
    try:
        with _only(context, armature, mesh), _frames(context.scene, span):
            _run(target, str(hidden))
        if not hidden.is_file():
            raise JobFailed(f"Blender ended without writing {out.name}.")
        os.replace(hidden, out)
    except RuntimeError as error:
        words = [line.removeprefix("Error: ").strip() for line in str(error).splitlines() if line.strip()]
        raise JobFailed(f"{out.name} cannot be written: {(words or ['no reason is given'])[-1]}") from error
    except OSError as error:
        raise BadInput(f"{out.name} cannot be written: {error.strerror}.", field="filepath") from error
    finally:
        hidden.unlink(missing_ok=True)


def _run(target: str, path: str) -> None:
    operator = bpy.ops.export_scene.gltf if target == "GLTF" else bpy.ops.export_scene.fbx
    known = operator.get_rna_type().properties.keys()  # names come and go between versions of Blender
    operator(filepath=path, **{key: value for key, value in SETTINGS[target].items() if key in known})


def motion_range(armature: bpy.types.Object, scene: bpy.types.Scene) -> tuple[int, int]:
    """The frames of an armature's own animation, or of the scene where the NLA or other things move it.

    Raises:
        BadInput: nothing animates it.
    """
    animation = armature.animation_data
    channels = channels_of(animation) if animation is not None else None
    if channels is not None and len(channels.fcurves) and not len(animation.nla_tracks):
        first, last = animation.action.frame_range
        return round(first), max(round(last), round(first))
    moved = animation is not None and (len(animation.nla_tracks) or len(animation.drivers))
    if moved or any(len(bone.constraints) for bone in armature.pose.bones):
        return scene.frame_start, scene.frame_end
    raise BadInput(f"“{armature.name}” has no animation.", hint="Generate or import one first.", field="body")


@contextmanager
def _only(context: bpy.types.Context, armature: bpy.types.Object, mesh: bool) -> Iterator[None]:
    """Nothing selected but the character; afterwards as it was."""
    layer = context.view_layer
    chosen, active = [obj for obj in layer.objects if obj.select_get()], layer.objects.active
    worn = [
        obj
        for obj in layer.objects
        if mesh and obj.type == "MESH" and obj.find_armature() == armature and not obj.hide_get()
    ]
    mode = active.mode if active is not None else "OBJECT"
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    try:
        for obj in chosen:
            obj.select_set(False)
        for obj in (*worn, armature):
            obj.select_set(True)
        layer.objects.active = armature
        yield
    finally:
        for obj in (*worn, armature):
            obj.select_set(False)
        for obj in chosen:
            obj.select_set(True)
        layer.objects.active = active
        if mode != "OBJECT" and active is not None:
            bpy.ops.object.mode_set(mode=mode)


@contextmanager
def _frames(scene: bpy.types.Scene, span: tuple[int, int]) -> Iterator[None]:
    """The scene shortened to some frames; afterwards as it was."""
    kept = scene.frame_start, scene.frame_end, scene.frame_current, scene.frame_subframe
    try:
        # Start may not pass end on the way.
        scene.frame_start, scene.frame_end = min(span[0], kept[0]), max(span[1], kept[1])
        scene.frame_start, scene.frame_end = span
        yield
    finally:
        scene.frame_start, scene.frame_end = min(span[0], kept[0]), max(span[1], kept[1])
        scene.frame_start, scene.frame_end = kept[:2]
        scene.frame_set(kept[2], subframe=kept[3])


class UNDERSTUDY_OT_export_character(FrameChoice, bpy.types.Operator, ExportHelper):
    bl_idname = "understudy.export_character"
    bl_label = "Export Character with Motion"
    bl_description = "Write the body with its motion for a game engine, with settings that keep scale, axes and bones as they are"
    bl_options = {"PRESET"}

    filename_ext = ".fbx"
    filepath: StringProperty(subtype="FILE_PATH")
    filter_glob: StringProperty(default="*.fbx;*.glb;*.bvh", options={"HIDDEN"})
    target: EnumProperty(
        name="For",
        items=[
            ("UNITY", "Unity (FBX)", "Y up, facing -Z, every frame baked, deforming bones only"),
            ("UNREAL", "Unreal Engine (FBX)", "Z up, facing -Y, every frame baked, deforming bones only"),
            ("GLTF", "glTF (.glb)", "Godot, the web, Unity and Unreal by their glTF importers"),
            ("BVH", "BVH", "The motion alone: the SMPL-X skeleton in centimetres, Y up"),
        ],
    )
    mesh: BoolProperty(name="Mesh", description="Export the mesh that the armature moves, too", default=True)

    def check(self, context: bpy.types.Context) -> bool:
        root, old = os.path.splitext(self.filepath)
        wanted = (root if old.lower() in SUFFIX.values() else self.filepath) + SUFFIX[self.target]
        changed = wanted != self.filepath
        self.filepath = wanted
        return changed

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            try:
                self.filepath = suggested(to_export(context), SUFFIX[self.target])
            except BadInput as error:
                return refuse(self, error)
        return ExportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = bpy.path.abspath(self.filepath)
        try:
            if os.path.splitext(path)[1].lower() != SUFFIX[self.target]:
                raise BadInput(
                    f"{os.path.basename(path)} must end in {SUFFIX[self.target]}.", field="filepath"
                )
            armature = to_export(context)
            frames = frames_of(context.scene, self.range, self.first_frame, self.last_frame)
            write_character(context, armature, path, self.target, frames, mesh=self.mesh)
        except UnderstudyError as error:
            return refuse(self, error)
        self.report({"INFO"}, t(f"Wrote {os.path.basename(path)}."))
        return {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "target")
        self.draw_frames(layout)
        row = layout.row()
        row.enabled = self.target != "BVH"
        row.prop(self, "mesh")


def _export_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator("understudy.export_character", text="Character with Motion (.fbx, .glb, .bvh)")


CLASSES = (UNDERSTUDY_OT_export_character,)


def register() -> None:
    bpy.types.TOPBAR_MT_file_export.append(_export_entry)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_export.remove(_export_entry)
