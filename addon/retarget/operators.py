"""Recognise a rig, carry a motion onto it, and take a rig's motion back."""

import os
from dataclasses import dataclass

import bpy
from bpy.props import EnumProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ...backend.errors import BadInput, UnderstudyError
from ...backend.motion import npz
from ...backend.motion.clip import Clip
from ...backend.motion.mapping import Mapping, mapping_from_json, slot_label
from ...backend.motion.reading import read_motion
from ...backend.motion.retarget import Retargeter
from ..body.bodymap import find_body
from ..keying.keying import clip_from_action, extend_scene, key_clip, scene_rate
from ..process.client import redraw
from ..process.refusing import refuse
from ..translations import CONTEXT, t
from .armature import clip_from_rig, read_rig, why_not_a_rig
from .key import key_on_rig
from .stored import can_store, mapping_of, recognised, store, stored

ROOTS = [
    ("PANEL", "As in the Panel", ""),
    ("hips", "Hips", ""),
    ("root", "Root Bone", ""),
    ("object", "Object", ""),
    ("in place", "In Place", ""),
]


def find_rig(context: bpy.types.Context) -> bpy.types.Object | None:
    """The chosen rig of the scene, else the active armature unless it is the performing body."""
    scene = context.scene
    chosen = scene.understudy_retarget.rig
    if chosen is not None and scene.objects.get(chosen.name) == chosen:
        return chosen
    active = context.view_layer.objects.active if context.view_layer else None
    for candidate in (active, active.find_armature() if active is not None else None):
        if candidate is not None and candidate.type == "ARMATURE" and candidate != scene.understudy.body:
            return candidate
    return None


def usable_rig(context: bpy.types.Context) -> bpy.types.Object:
    """The rig to work on.

    Raises:
        BadInput: there is none, or it cannot be used as it is.
    """
    rig = find_rig(context)
    reason = why_not_a_rig(rig)
    if rig is None or reason:
        raise BadInput(reason, hint="" if rig else "Choose it in the panel or select it.", field="rig")
    return rig


def storing_rig(context: bpy.types.Context) -> bpy.types.Object:
    """The same, able to keep a mapping.

    Raises:
        BadInput: there is none, or its data is linked.
    """
    rig = usable_rig(context)
    if not can_store(rig):
        raise BadInput(
            f"The armature of “{rig.name}” is linked: it cannot keep a mapping.",
            hint="It is recognised anew each time; make it local to choose bones by hand.",
            field="rig",
        )
    return rig


@dataclass(frozen=True)
class Source:
    """What shall be carried over."""

    clip: Clip
    name: str
    start_frame: float


def take_source(context: bpy.types.Context, rig: bpy.types.Object, path: str) -> Source:
    """The clip of a file, or the animation of the performing body.

    Raises:
        BadInput: there is neither.
    """
    scene = context.scene
    if path:
        path = bpy.path.abspath(path)
        return Source(
            read_motion(path).clip, os.path.splitext(os.path.basename(path))[0], scene.frame_current
        )
    body = find_body(context)
    if body is None or body == rig:
        raise BadInput(
            "There is no motion to carry over.",
            hint="Generate or import one on a body first; the panel's body is where it is taken from.",
            field="body",
        )
    clip = clip_from_action(body, scene=scene)
    action = body.animation_data.action if body.animation_data is not None else None
    start = float(action.frame_range[0]) if action is not None else float(scene.frame_start)
    return Source(clip, action.name if action is not None else body.name, start)


class UNDERSTUDY_OT_recognise_rig(bpy.types.Operator):
    bl_idname = "understudy.recognise_rig"
    bl_label = "Recognise"
    bl_description = (
        "Find out which bone plays which part, and list what is missing. Own choices are replaced"
    )
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            rig = storing_rig(context)
            found = recognised(read_rig(rig))
        except UnderstudyError as error:
            return refuse(self, error)
        store(rig, found)
        self.report({"WARNING" if found.missing else "INFO"}, _summary(found))
        redraw()
        return {"FINISHED"}


def _summary(mapping: Mapping) -> str:
    """What was recognised, how sure that is and what is missing, in one sentence."""
    rig = mapping.label or t("Unknown rig")
    sure = f"{mapping.confidence:.0%}"
    if not mapping.missing:
        return t("Recognised: {rig}, {sure} sure.", rig=rig, sure=sure)
    listed = ", ".join(slot_label(slot).lower() for slot in mapping.missing[:5])
    if len(mapping.missing) > 5:
        listed = t("{list} and {count} more", list=listed, count=len(mapping.missing) - 5)
    return t("Recognised: {rig}, {sure} sure; missing: {list}.", rig=rig, sure=sure, list=listed)


class UNDERSTUDY_OT_retarget(bpy.types.Operator):
    bl_idname = "understudy.retarget"
    bl_label = "Retarget onto Rig"
    bl_description = "Key the body's animation on the rig, whatever its rest pose and proportions"
    bl_options = {"UNDO"}

    # For scripts: what is left out comes from the panel.
    filepath: StringProperty(
        name="Clip",
        description="An .npz clip instead of the body's",
        options={"SKIP_SAVE"},
        translation_context=CONTEXT,
    )
    root: EnumProperty(name="Path", items=ROOTS, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        settings = scene.understudy_retarget
        try:
            rig = usable_rig(context)
            mapping = mapping_of(rig, read_rig(rig))
            source = take_source(context, rig, self.filepath)
            keyed = key_on_rig(
                rig,
                source.clip,
                mapping,
                name=source.name,
                start_frame=source.start_frame,
                scene_fps=scene_rate(scene),
                root=settings.root if self.root == "PANEL" else self.root,
                mute=settings.mute,
                fit=settings.fit,
                controls=settings.controls,
            )
        except UnderstudyError as error:
            return refuse(self, error)
        extend_scene(scene, keyed.action)
        if stored(rig) is None:  # what was recognised on the way shall be seen, not only used
            if can_store(rig):
                store(rig, mapping)
            guessed = "structure" in mapping.by.values()
            self.report({"WARNING" if mapping.missing or guessed else "INFO"}, _summary(mapping))
        if keyed.muted:
            self.report({"WARNING"}, t(f"Constraints were muted: {len(keyed.muted)}."))
        self.report({"INFO"}, t(f"Keyed “{keyed.action.name}” on {keyed.bones} bones of “{rig.name}”."))
        return {"FINISHED"}


def take_rig_clip(context: bpy.types.Context) -> tuple[bpy.types.Object, Clip]:
    """The rig and its animation as a clip.

    Raises:
        BadInput: with the first thing that is wrong.
    """
    rig = find_rig(context)
    if rig is None or rig.type != "ARMATURE":
        raise BadInput(why_not_a_rig(rig), hint="Choose it in the panel or select it.", field="rig")
    plain = read_rig(rig)
    return rig, clip_from_rig(rig, Retargeter(plain, mapping_of(rig, plain)), scene=context.scene)


class UNDERSTUDY_OT_rig_to_body(bpy.types.Operator):
    bl_idname = "understudy.rig_to_body"
    bl_label = "To SMPL-X Body"
    bl_description = "Key the rig's animation on the panel's body, or on a new one"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        try:
            rig, clip = take_rig_clip(context)
            body = scene.understudy.body
            if body is None or body == rig or scene.objects.get(body.name) != body:
                from ..body.builtin import add_body

                body = add_body(context)
                body.location = rig.matrix_world.translation
                scene.understudy.body = body
            animation = rig.animation_data
            action = animation.action if animation is not None else None
            start = float(action.frame_range[0]) if action is not None else float(scene.frame_start)
            name = action.name if action is not None else rig.name
            keyed = key_clip(body, clip, name=name, start_frame=start, scene_fps=scene_rate(scene))
        except UnderstudyError as error:
            return refuse(self, error)
        extend_scene(scene, keyed)
        self.report({"INFO"}, t(f"Keyed “{keyed.name}” on “{body.name}”."))
        return {"FINISHED"}


class UNDERSTUDY_OT_rig_to_npz(bpy.types.Operator, ExportHelper):
    bl_idname = "understudy.rig_to_npz"
    bl_label = "To Clip File"
    bl_description = "Write the rig's animation as a SMPL-X motion file (.npz)"

    filename_ext = ".npz"
    filepath: StringProperty(subtype="FILE_PATH")
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            _, clip = take_rig_clip(context)
            path = bpy.path.abspath(self.filepath)
            npz.write_clip(clip, path)
        except UnderstudyError as error:
            return refuse(self, error)
        self.report({"INFO"}, t(f"Wrote {os.path.basename(path)}: {len(clip)} frames at {clip.fps:g} fps."))
        return {"FINISHED"}


class UNDERSTUDY_OT_save_mapping(bpy.types.Operator, ExportHelper):
    bl_idname = "understudy.save_mapping"
    bl_label = "Save Mapping"
    bl_description = (
        "Write the list as a JSON file, for other characters with the same bones or the command line"
    )

    filename_ext = ".json"
    filepath: StringProperty(subtype="FILE_PATH")
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = bpy.path.abspath(self.filepath)
        try:
            rig = usable_rig(context)
            mapping = stored(rig) or recognised(read_rig(rig))
            temporary = f"{path}.tmp"
            with open(temporary, "w", encoding="utf-8") as file:
                file.write(mapping.to_json() + "\n")
            os.replace(temporary, path)
        except UnderstudyError as error:
            return refuse(self, error)
        except OSError as error:
            return refuse(self, BadInput(f"{path} cannot be written: {error.strerror}.", field="filepath"))
        self.report({"INFO"}, t(f"Wrote {os.path.basename(path)}."))
        return {"FINISHED"}


class UNDERSTUDY_OT_load_mapping(bpy.types.Operator, ImportHelper):
    bl_idname = "understudy.load_mapping"
    bl_label = "Load Mapping"
    bl_description = "Read the list from a JSON file"
    bl_options = {"UNDO"}

    filename_ext = ".json"
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = bpy.path.abspath(self.filepath)
        try:
            rig = storing_rig(context)
            with open(path, encoding="utf-8") as file:
                mapping = mapping_from_json(file.read())
        except UnderstudyError as error:
            return refuse(self, error)
        except (OSError, UnicodeDecodeError):
            return refuse(self, BadInput(f"{path} cannot be read.", field="filepath"))
        store(rig, mapping)
        strange = [bone for bone in mapping.bones.values() if bone not in rig.data.bones]
        if strange:
            self.report(
                {"WARNING"}, t(f"“{rig.name}” has no bone “{strange[0]}” ({len(strange)} such names).")
            )
        return {"FINISHED"}


CLASSES = (
    UNDERSTUDY_OT_recognise_rig,
    UNDERSTUDY_OT_retarget,
    UNDERSTUDY_OT_rig_to_body,
    UNDERSTUDY_OT_rig_to_npz,
    UNDERSTUDY_OT_save_mapping,
    UNDERSTUDY_OT_load_mapping,
)
