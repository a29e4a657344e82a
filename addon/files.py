"""File > Import and Export > SMPL-X animation (.npz), and dropping such files into the 3D view."""

import os

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, StringProperty
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..backend.errors import BadInput, UnderstudyError
from ..backend.motion import npz
from ..backend.motion.clip import Clip
from .bodymap import BodyMap, find_body, why_not_editable
from .generate import refuse
from .keying import clip_from_action, extend_scene, key_clip, scene_rate
from .reduction import MAX_DEGREES

SPACING = 1.2
"""Metres between bodies that are imported side by side."""


class UNDERSTUDY_OT_import_npz(bpy.types.Operator, ImportHelper):
    bl_idname = "understudy.import_npz"
    bl_label = "Import SMPL-X Animation"
    bl_description = "Key SMPL-X motion files (.npz of AMASS, BEAT2, the SMPL-X add-on, Understudy) on bodies"
    bl_options = {"UNDO", "PRESET"}

    filename_ext = ".npz"
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})

    target: EnumProperty(
        name="Onto",
        items=[
            ("SELECTED", "Selected Body", "The chosen body, or a new one. Of several files the first plays"),
            ("NEW", "New Bodies", "A new body for every file, side by side"),
        ],
    )
    dialect: EnumProperty(
        name="World",
        description="Which way is up in the file",
        items=[
            ("auto", "Automatic", "Find out from the file"),
            ("amass", "Z Up (AMASS)", "AMASS and Understudy"),
            ("smplx", "Y Up (SMPL-X, BEAT2)", "The SMPL-X add-on and BEAT2"),
        ],
    )
    start: EnumProperty(
        name="Start",
        items=[
            ("CURRENT", "Current Frame", "The first pose lies at the current frame"),
            ("FIRST", "Scene Start", "The first pose lies at the scene's first frame"),
        ],
    )
    keep_poses: BoolProperty(
        name="Keep Every Pose",
        description="Key the poses of the file as they are, between frames where its frame rate differs from "
        "the scene's. Off: resampled so that keys lie on whole frames. The speed is right both ways",
        default=False,
    )

    reduce: FloatProperty(
        name="Reduce Keys",
        description="How many degrees a joint may be off so that few keys make the motion, on curves that are "
        "easy to edit. A quarter of a degree cannot be seen. 0: a key on every frame",
        default=0.0,
        min=0.0,
        max=MAX_DEGREES,
        soft_max=2.0,
        step=5,
        precision=2,
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.directory and self.files:  # dropped into the window
            return self.execute(context)
        return ImportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            clips = [(path, npz.read_clip(path, dialect=self.dialect)) for path in self._paths()]
            body = None if self.target == "NEW" else find_body(context)
            if body is not None:
                BodyMap.of(body)
                reason = why_not_editable(body)
                if reason:
                    raise BadInput(reason, field="body")
            # Everything that can be wrong was found out; from here on the scene changes.
            self._key(context, body, clips)
        except UnderstudyError as error:
            return refuse(self, error)
        for path, clip in clips:
            for note in clip.meta.get("notes", ()):  # what the reader had to assume
                self.report({"WARNING"}, f"{os.path.basename(path)}: {note}")
        others = f" and {len(clips) - 1} more" if len(clips) > 1 else ""
        self.report({"INFO"}, f"Imported {os.path.basename(clips[0][0])}{others}.")
        return {"FINISHED"}

    def _paths(self) -> list[str]:
        names = [item.name for item in self.files if item.name]
        paths = [os.path.join(self.directory, name) for name in names] if names else [self.filepath]
        if not any(paths):
            raise BadInput("No file was chosen.", field="filepath")
        return [bpy.path.abspath(path) for path in paths]

    def _key(
        self, context: bpy.types.Context, body: bpy.types.Object | None, clips: list[tuple[str, Clip]]
    ) -> None:
        scene = context.scene
        start = scene.frame_current if self.start == "CURRENT" else scene.frame_start
        keyed: list[tuple[bpy.types.Object, bpy.types.Action]] = []
        for i, (path, clip) in enumerate(clips):
            if body is None or self.target == "NEW":
                body = new_body(context, i * SPACING)
            action = key_clip(
                body,
                clip,
                name=os.path.splitext(os.path.basename(path))[0],
                start_frame=start,
                scene_fps=scene_rate(scene),
                keep_poses=self.keep_poses,
                reduce=self.reduce,
            )
            if self.target == "SELECTED" and len(clips) > 1:
                action.use_fake_user = True
            keyed.append((body, action))
            extend_scene(scene, action)
        if self.target == "SELECTED" and len(clips) > 1:
            show(*keyed[0])

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        for name in ("target", "start", "dialect", "keep_poses", "reduce"):
            layout.prop(self, name)


def new_body(context: bpy.types.Context, offset: float) -> bpy.types.Object:
    """A new body beside the 3D cursor, chosen in the panel."""
    from .body import add_body

    body = add_body(context)
    body.location = context.scene.cursor.location
    body.location.x += offset
    context.scene.understudy.body = body
    return body


def show(body: bpy.types.Object, action: bpy.types.Action) -> None:
    """Let one of our Actions play on a body."""
    animation = body.animation_data_create()
    animation.action = action
    if hasattr(action, "slots") and len(action.slots):
        animation.action_slot = action.slots[0]


class UNDERSTUDY_OT_export_npz(bpy.types.Operator, ExportHelper):
    bl_idname = "understudy.export_npz"
    bl_label = "Export SMPL-X Animation"
    bl_description = "Write the body's animation as a SMPL-X motion file (.npz), at the scene's frame rate"
    bl_options = {"PRESET"}

    filename_ext = ".npz"
    filepath: StringProperty(subtype="FILE_PATH")
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})
    dialect: EnumProperty(
        name="Dialect",
        items=[
            ("amass", "AMASS SMPL-X", "Z up; what most tools read"),
            ("smplx", "SMPL-X Add-on, BEAT2", "Y up"),
        ],
    )
    range: EnumProperty(
        name="Range",
        items=[
            ("ACTION", "Animation", "From the first key to the last"),
            ("SCENE", "Scene", "The scene's frame range"),
        ],
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        body = find_body(context)
        if not self.filepath and body is not None:
            animation = body.animation_data
            action = animation.action if animation is not None else None
            name = bpy.path.clean_name(action.name if action is not None else body.name)
            folder = os.path.dirname(bpy.data.filepath)
            self.filepath = os.path.join(folder, name + ".npz")
        return ExportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = context.scene
        try:
            body = find_body(context)
            if body is None:
                raise BadInput("There is no body to export. Select a SMPL-X armature.", field="body")
            span = (scene.frame_start, scene.frame_end) if self.range == "SCENE" else None
            clip = clip_from_action(body, span, scene=scene)
            path = bpy.path.abspath(self.filepath)
            npz.write_clip(clip, path, dialect=self.dialect)
        except UnderstudyError as error:
            return refuse(self, error)
        self.report({"INFO"}, f"Wrote {os.path.basename(path)}: {len(clip)} frames at {clip.fps:g} fps.")
        return {"FINISHED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(self, "dialect")
        layout.prop(self, "range")


class UNDERSTUDY_FH_npz(bpy.types.FileHandler):
    bl_idname = "UNDERSTUDY_FH_npz"
    bl_label = "SMPL-X animation (.npz)"
    bl_import_operator = "understudy.import_npz"
    bl_export_operator = "understudy.export_npz"
    bl_file_extensions = ".npz"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


def _import_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator("understudy.import_npz", text="SMPL-X Animation (.npz)")


def _export_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator("understudy.export_npz", text="SMPL-X Animation (.npz)")


CLASSES = (UNDERSTUDY_OT_import_npz, UNDERSTUDY_OT_export_npz, UNDERSTUDY_FH_npz)


def register() -> None:
    bpy.types.TOPBAR_MT_file_import.append(_import_entry)
    bpy.types.TOPBAR_MT_file_export.append(_export_entry)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_import.remove(_import_entry)
    bpy.types.TOPBAR_MT_file_export.remove(_export_entry)
