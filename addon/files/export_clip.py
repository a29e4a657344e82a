"""File > Export > SMPL-X animation (.npz, .bvh), of our body or of any armature that carries SMPL-X names."""

import os

import bpy
import numpy as np
from bpy.props import EnumProperty, FloatProperty, IntProperty, StringProperty
from bpy_extras.io_utils import ExportHelper

from ...backend.errors import BadInput, UnderstudyError
from ...backend.motion import npz
from ...backend.motion.clip import Clip, move, resample
from ...backend.motion.retarget import Retargeter
from ..body.bodymap import BodyMap, find_body, is_smplx
from ..keying.keying import clip_from_action
from ..process.refusing import refuse
from ..translations import t

RATES = (0.0, 1000.0)


def to_export(context: bpy.types.Context) -> bpy.types.Object:
    """The armature whose motion is exported: a selected one before the chosen body.

    Raises:
        BadInput: there is none.
    """
    active = context.view_layer.objects.active if context.view_layer else None
    for candidate in (active, active.find_armature() if active is not None else None):
        if candidate is not None and candidate.type == "ARMATURE" and candidate.select_get():
            return candidate
    body = find_body(context)
    if body is None:
        raise BadInput("There is no body to export. Select a SMPL-X armature.", field="body")
    return body


def frames_of(scene: bpy.types.Scene, choice: str, start: int, stop: int) -> tuple[int, int] | None:
    """The frames that an export takes, both ends included; None for the animation's own.

    Raises:
        BadInput: they are no range.
    """
    if choice == "ACTION":
        return None
    if choice == "SCENE":
        return scene.frame_start, scene.frame_end
    if choice == "PREVIEW":
        if not scene.use_preview_range:
            raise BadInput(
                "The timeline has no preview range.", hint="Drag one with P in the timeline.", field="range"
            )
        return scene.frame_preview_start, scene.frame_preview_end
    if stop < start:
        raise BadInput(f"The last frame ({stop}) lies before the first one ({start}).", field="range")
    return start, stop


def clip_of(
    context: bpy.types.Context, armature: bpy.types.Object, frames: tuple[int, int] | None, fps: float
) -> Clip:
    """The motion of an armature as a clip.

    Bones named as in SMPL-X, resting in its T-pose, are read as they are; those of other SMPL-X armatures
    (prefixed names, another rest pose), and of any rig that the Retarget panel knows, are carried over.

    Args:
        context: with the scene.
        armature: whose motion.
        frames: first and last scene frame; None for the animation's own.
        fps: frames per second of the clip; 0 for the scene's.

    Raises:
        BadInput: nothing animates it, or its bones are not recognised.
    """
    scene = context.scene
    try:
        if not is_smplx(armature):
            raise BadInput(f"“{armature.name}” is not a SMPL-X armature.", field="body")
        BodyMap.of(armature)
    except BadInput as reason:
        clip = _carried_over(context, armature, frames, reason)
    else:
        clip = clip_from_action(armature, frames, scene=scene)
    return resample(clip, fps) if fps else clip


def _carried_over(
    context: bpy.types.Context, armature: bpy.types.Object, frames: tuple[int, int] | None, reason: BadInput
) -> Clip:
    from ..retarget.armature import clip_from_rig, read_rig
    from ..retarget.stored import mapping_of

    plain = read_rig(armature)
    try:
        mapping = mapping_of(armature, plain)
        retargeter = Retargeter(plain, mapping)
    except BadInput:
        raise reason from None
    clip = clip_from_rig(armature, retargeter, scene=context.scene, frame_range=frames)
    if mapping.family == "smplx":
        # The family rests around its origin and is lifted onto the floor by its motion.
        clip = move(clip, np.array([0.0, retargeter.stance.floor / retargeter.stance.scale, 0.0]))
    return clip


class FrameChoice:
    """Which frames are exported, and how many a second: properties of every exporter."""

    range: EnumProperty(
        name="Range",
        items=[
            ("ACTION", "Animation", "From the first key to the last"),
            ("SCENE", "Scene", "The scene's frame range"),
            ("PREVIEW", "Preview Range", "The timeline's preview range"),
            ("CUSTOM", "Frames", "From one frame to another"),
        ],
    )
    first_frame: IntProperty(name="First Frame", default=1)
    last_frame: IntProperty(name="Last Frame", default=250)

    def draw_frames(self, layout: bpy.types.UILayout) -> None:
        layout.prop(self, "range")
        if self.range == "CUSTOM":
            column = layout.column(align=True)
            column.prop(self, "first_frame", text="First")
            column.prop(self, "last_frame", text="Last")


class UNDERSTUDY_OT_export_npz(FrameChoice, bpy.types.Operator, ExportHelper):
    bl_idname = "understudy.export_npz"
    bl_label = "Export SMPL-X Animation"
    bl_description = (
        "Write the motion of the selected armature, or of the body, as a SMPL-X motion file (.npz) or as BVH"
    )
    bl_options = {"PRESET"}

    filename_ext = ".npz"
    filepath: StringProperty(subtype="FILE_PATH")
    filter_glob: StringProperty(default="*.npz;*.bvh", options={"HIDDEN"})
    dialect: EnumProperty(
        name="Dialect",
        items=[
            ("amass", "AMASS SMPL-X", "Z up; what most tools read"),
            ("smplx", "SMPL-X Add-on, BEAT2", "Y up"),
            ("bvh", "BVH", "The SMPL-X skeleton in centimetres, Y up: for tools that know no SMPL-X"),
        ],
    )
    fps: FloatProperty(
        name="Frame Rate",
        description="Frames per second of the file, resampled by time. 0: the scene's",
        default=0.0,
        min=RATES[0],
        max=RATES[1],
        precision=2,
    )

    def check(self, context: bpy.types.Context) -> bool:
        ending = ".bvh" if self.dialect == "bvh" else ".npz"
        root, old = os.path.splitext(self.filepath)
        wanted = (root if old.lower() in (".npz", ".bvh") else self.filepath) + ending
        changed = wanted != self.filepath
        self.filepath = wanted
        return changed

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.filepath:
            try:
                self.filepath = suggested(to_export(context), ".npz")
            except BadInput as error:
                return refuse(self, error)
        return ExportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            armature = to_export(context)
            frames = frames_of(context.scene, self.range, self.first_frame, self.last_frame)
            clip = clip_of(context, armature, frames, self.fps)
            path = bpy.path.abspath(self.filepath)
            npz.write_clip(clip, path, dialect=self.dialect)
        except UnderstudyError as error:
            return refuse(self, error)
        self.report({"INFO"}, t(f"Wrote {os.path.basename(path)}: {len(clip)} frames at {clip.fps:g} fps."))
        return {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "dialect")
        self.draw_frames(layout)
        layout.prop(self, "fps")


def suggested(armature: bpy.types.Object, ending: str) -> str:
    """A file name beside the .blend, from what the armature plays."""
    animation = armature.animation_data
    action = animation.action if animation is not None else None
    name = bpy.path.clean_name(action.name if action is not None else armature.name)
    return os.path.join(os.path.dirname(bpy.data.filepath), name + ending)


def _export_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator("understudy.export_npz", text="SMPL-X Animation (.npz, .bvh)")


CLASSES = (UNDERSTUDY_OT_export_npz,)


def register() -> None:
    bpy.types.TOPBAR_MT_file_export.append(_export_entry)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_export.remove(_export_entry)
