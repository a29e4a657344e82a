"""File > Import > Motion onto a Body, and dropping motion files into the 3D view."""

import os

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from ...backend.errors import BadInput, UnderstudyError
from ...backend.motion.clip import Clip, place_at_origin
from ...backend.motion.reading import SUFFIXES, read_motion
from ..body.bodymap import BodyMap, find_body, why_not_editable
from ..keying.keying import extend_scene, keyed, scene_rate, wear
from ..keying.reduction import MAX_DEGREES
from ..process.slices import Sliced, Steps, aside
from ..translations import t, wrapped
from .facts import Inspector
from .placing import placed

SPACING = 1.2
"""Metres between bodies that are imported side by side."""


class UNDERSTUDY_OT_import_npz(Sliced, bpy.types.Operator, ImportHelper):
    bl_idname = "understudy.import_npz"
    bl_label = "Import Motion onto a Body"
    bl_description = (
        "Key motion files on bodies: .npz of AMASS, BEAT2, the SMPL-X add-on, Kimodo and Understudy, .bvh of any "
        "human skeleton, .amc, .npy of Motion-X, HumanML3D and KIT"
    )
    bl_options = {"UNDO", "PRESET"}

    filename_ext = ".npz"
    filter_glob: StringProperty(default="*.npz;*.bvh;*.amc;*.npy", options={"HIDDEN"})
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
    place: EnumProperty(
        name="Place",
        description="Where the motion starts on the floor",
        items=[
            ("FILE", "As in the File", "Where it was captured, around a new body at the 3D cursor"),
            ("ORIGIN", "World Origin", "It starts at the world's origin, facing the front view"),
            ("CURSOR", "3D Cursor", "It starts at the 3D cursor, facing the front view"),
        ],
    )
    fps: FloatProperty(
        name="Frame Rate",
        description="Of the file, where it states a wrong one. 0: as the file says. The motion keeps its own speed "
        "whatever the scene's frame rate is",
        default=0.0,
        min=0.0,
        max=1000.0,
        precision=2,
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
        self._clicked = True
        if self.directory and self.files:  # dropped into the window
            self.filepath = self._paths()[0]  # which the dialog wants to see
            Inspector.ask(self._paths(), patience=0.04)  # a dialog is drawn once; most files are read by then
            return ImportHelper.invoke_popup(self, context, confirm_text="Import")
        return ImportHelper.invoke(self, context, event)

    def work(self, context: bpy.types.Context) -> Steps[set[str]]:
        paths, dialect, fps = self._paths(), self.dialect, self.fps or None
        clips = yield from aside(
            lambda: [(path, read_motion(path, dialect=dialect, fps=fps).clip) for path in paths]
        )
        body = None if self.target == "NEW" else find_body(context)
        if body is not None:
            BodyMap.of(body)
            reason = why_not_editable(body)
            if reason:
                raise BadInput(reason, field="body")
        # Everything that can be wrong was found out; from here on the scene changes.
        yield from self._key(context, body, clips)
        for path, clip in clips:
            for note in clip.meta.get("notes", ()):  # what the reader had to assume
                self.report({"WARNING"}, f"{os.path.basename(path)}: {t(note)}")
        others = f" and {len(clips) - 1} more" if len(clips) > 1 else ""
        self.report({"INFO"}, t(f"Imported {os.path.basename(clips[0][0])}{others}."))
        return {"FINISHED"}

    def _paths(self) -> list[str]:
        names = [item.name for item in self.files if item.name]
        paths = [os.path.join(self.directory, name) for name in names] if names else [self.filepath]
        if not any(paths):
            raise BadInput("No file was chosen.", field="filepath")
        return [bpy.path.abspath(path) for path in paths]

    def _key(
        self, context: bpy.types.Context, body: bpy.types.Object | None, clips: list[tuple[str, Clip]]
    ) -> Steps[None]:
        scene = context.scene
        start = scene.frame_current if self.start == "CURRENT" else scene.frame_start
        done: list[tuple[bpy.types.Object, bpy.types.Action]] = []
        for i, (path, clip) in enumerate(clips):
            if body is None or self.target == "NEW":
                body = yield from new_body(context, i * SPACING)
            if self.place != "FILE":
                target = (0.0, 0.0, 0.0) if self.place == "ORIGIN" else tuple(scene.cursor.location)
                aside = i * SPACING if self.target == "NEW" else 0.0
                clip = placed(place_at_origin(clip), body, target, aside)
            name = os.path.splitext(os.path.basename(path))[0]
            made = yield from keyed(
                body,
                clip,
                name=name,
                start_frame=start,
                scene_fps=scene_rate(scene),
                keep_poses=self.keep_poses,
                reduce=self.reduce,
            )
            action = wear(body, *made, name)
            if self.target == "SELECTED" and len(clips) > 1:
                action.use_fake_user = True
            done.append((body, action))
            extend_scene(scene, action)
        if self.target == "SELECTED" and len(clips) > 1:
            show(*done[0])

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        for name in ("target", "place", "start", "fps", "dialect", "keep_poses", "reduce"):
            layout.prop(self, name)
        self._draw_files(layout)

    def _draw_files(self, layout: bpy.types.UILayout) -> None:
        """What is in the chosen files."""
        try:
            paths = [path for path in self._paths() if path.lower().endswith(SUFFIXES)]
        except UnderstudyError:
            return
        for path, facts in zip(paths, Inspector.look(paths), strict=False):
            box = layout.box().column(align=True)
            box.label(text=os.path.basename(path), icon="ANIM_DATA", translate=False)
            if facts is None:
                box.label(text="Reading…", icon="SORTTIME")
            elif facts.error:
                for line in wrapped(facts.error, 40):
                    box.label(text=line, icon="ERROR" if line == wrapped(facts.error, 40)[0] else "BLANK1")
            else:
                for line in facts.lines:
                    box.label(text=t(line), translate=False)
        if len(paths) > 8:
            layout.label(text=t("and {count} more", count=len(paths) - 8))


def new_body(context: bpy.types.Context, offset: float) -> Steps[bpy.types.Object]:
    """A new body beside the 3D cursor, chosen in the panel; in slices."""
    from ..body.builtin import adding_body

    body = yield from adding_body(context)
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


class UNDERSTUDY_FH_npz(bpy.types.FileHandler):
    bl_idname = "UNDERSTUDY_FH_npz"
    bl_label = "Motion onto a Body"
    bl_import_operator = "understudy.import_npz"
    bl_export_operator = "understudy.export_npz"
    bl_file_extensions = ".npz;.bvh;.amc;.npy"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


def _import_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator("understudy.import_npz", text="Motion onto a Body (.npz, .bvh, .amc)")


CLASSES = (UNDERSTUDY_OT_import_npz, UNDERSTUDY_FH_npz)


def register() -> None:
    bpy.types.TOPBAR_MT_file_import.append(_import_entry)


def unregister() -> None:
    bpy.types.TOPBAR_MT_file_import.remove(_import_entry)
