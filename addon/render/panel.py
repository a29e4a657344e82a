"""Render: one button that films the body, in a studio of its own."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from ...backend.errors import BadInput, JobFailed, UnderstudyError
from ..body.bodymap import find_body
from ..layout import _characters, fields, paragraph
from ..perform.panel import _Section
from ..process import client
from ..process.refusing import refuse
from ..translations import t
from .filming import Film, job_of, temporary_folder
from .rendering import FORMATS

SIZES = {
    "960x540": (960, 540),
    "1280x720": (1280, 720),
    "1920x1080": (1920, 1080),
    "1080x1080": (1080, 1080),
    "1080x1920": (1080, 1920),
}


# Paths may begin with "//", the .blend's folder; from 4.5 on Blender wants to be told.
_RELATIVE = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5) else set()


class Studio:
    """The film on its way or the last one; for drawing."""

    film: Film | None = None

    @classmethod
    def busy(cls) -> bool:
        return cls.film is not None and cls.film.state == "running"

    @classmethod
    def clear(cls) -> None:
        if cls.film is not None:
            cls.film.cancel()
        cls.film = None


class UNDERSTUDY_PG_render(bpy.types.PropertyGroup):
    filepath: StringProperty(
        name="File",
        description="The film (.mp4) or picture (.png) that is written",
        default="//understudy.mp4",
        subtype="FILE_PATH",
        options=_RELATIVE,
    )
    engine: EnumProperty(
        name="Engine",
        description="What renders",
        items=[
            ("workbench", "Workbench", "Quick, without real light"),
            ("eevee", "EEVEE", "Real light; needs a graphics card to be quick"),
            ("cycles", "Cycles", "The best light, and the slowest"),
        ],
    )
    size: EnumProperty(
        name="Size",
        description="Pixels of the picture",
        items=[(name, name.replace("x", " × "), "") for name in SIZES],
        default="1280x720",
    )
    samples: IntProperty(name="Samples", description="Samples per pixel", default=32, min=1, max=4096)
    camera: EnumProperty(
        name="Camera",
        description="Whether the camera moves",
        items=[
            ("AUTO", "Automatic", "Follow a body that travels, frame one that stays"),
            ("FOLLOW", "Follow", "Move with the body"),
            ("FIXED", "Fixed", "Stand still, and show the whole motion"),
        ],
    )
    sound: BoolProperty(
        name="Sound", description="Let the film have the sound strips of the sequencer", default=True
    )


def why_not_render(context: bpy.types.Context) -> str:
    """Why Render cannot be pressed now, in one short sentence; empty when it can (cheap, for draw)."""
    body = find_body(context)
    if body is None:
        return "Add a body, or select a SMPL-X armature."
    animation = body.animation_data
    if animation is None or (animation.action is None and not len(animation.nla_tracks)):
        return "Generate a motion first."
    if not context.scene.understudy_render.filepath.strip():
        return "Choose the file of the film."
    return ""


class UNDERSTUDY_OT_render(bpy.types.Operator):
    bl_idname = "understudy.render"
    bl_label = "Render"
    bl_description = "Film the body with a camera, three lights and a floor, in a scene of its own. Your scene stays as it is"
    bl_options = {"REGISTER"}

    # For scripts: what is left out comes from the panel.
    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE", *_RELATIVE})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if Studio.busy():
            cls.poll_message_set("A film is being rendered")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            film = _start(context, self.filepath)
            if bpy.app.background:
                film.wait()
                self.report({"INFO"}, t(f"Rendered {film.out}."))
            else:
                bpy.app.timers.register(_tick, first_interval=0.2)
        except UnderstudyError as error:
            return refuse(self, error)
        client.redraw()
        return {"FINISHED"}


def _start(context: bpy.types.Context, filepath: str) -> Film:
    scene = context.scene
    settings = scene.understudy_render
    body = find_body(context)
    if body is None:
        raise BadInput("There is no body to film. Add a body, or select a SMPL-X armature.", field="body")
    wanted = filepath or settings.filepath
    if wanted.startswith("//") and not bpy.data.filepath:
        raise BadInput("Save the .blend first, or choose where the film goes.", field="out")
    out = Path(bpy.path.abspath(wanted)).expanduser().absolute()
    if out.suffix.lower() not in FORMATS:
        raise BadInput(f"{out.name} must end in .mp4 or .png.", field="out")
    if not out.parent.is_dir():
        raise BadInput(f"There is no folder {out.parent}.", field="out")
    picture = out.suffix.lower() == ".png"
    folder = temporary_folder()
    try:
        job = job_of(
            scene,
            body,
            out,
            folder,
            engine=settings.engine,
            resolution=SIZES[settings.size],
            samples=settings.samples,
            follow={"AUTO": None, "FOLLOW": True, "FIXED": False}[settings.camera],
            sound=settings.sound,
            frame=scene.frame_current if picture else None,
        )
        Studio.film = Film.start(job, folder)
    except UnderstudyError:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Studio.film


def _tick() -> float | None:
    film = Studio.film
    if film is None:
        return None
    film.poll()
    client.redraw()
    if film.state == "failed" and film.error is not None:
        client.backend.error = film.error
    return 0.2 if film.state == "running" else None


class UNDERSTUDY_OT_cancel_render(bpy.types.Operator):
    bl_idname = "understudy.cancel_render"
    bl_label = "Cancel"
    bl_description = "Stop rendering. No file is written"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not Studio.busy():
            cls.poll_message_set("Nothing is being rendered")
        return Studio.busy()

    def execute(self, context: bpy.types.Context) -> set[str]:
        Studio.clear()
        client.redraw()
        return {"FINISHED"}


class UNDERSTUDY_OT_play_film(bpy.types.Operator):
    bl_idname = "understudy.play_film"
    bl_label = "Play"
    bl_description = "Open the film in the player of your system"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return Studio.film is not None and Studio.film.state == "done"

    def execute(self, context: bpy.types.Context) -> set[str]:
        assert Studio.film is not None
        if not Studio.film.out.is_file():
            return refuse(self, JobFailed("The film is not there any more."))
        bpy.ops.wm.path_open(filepath=str(Studio.film.out))
        return {"FINISHED"}


class UNDERSTUDY_PT_render(_Section, bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_render"
    bl_label = "Render"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.understudy_render
        width = _characters(context)
        busy = Studio.busy()
        column = fields(layout)
        column.enabled = not busy
        column.prop(settings, "filepath")
        column.prop(settings, "engine")
        if settings.engine != "workbench":
            column.prop(settings, "samples")
        column.prop(settings, "size")
        column.prop(settings, "camera")
        column.prop(settings, "sound")
        film = Studio.film
        if busy and film is not None:
            if film.seen:
                text = t("Frame {number} of {total}", number=film.seen, total=film.frames)
            else:
                text = t("Setting up the studio")
            layout.progress(factor=film.fraction, type="BAR", text=text)
            layout.operator("understudy.cancel_render", icon="X")
            return
        reason = why_not_render(context)
        row = layout.row()
        row.scale_y = 1.2
        row.enabled = not reason
        row.operator("understudy.render", icon="RENDER_ANIMATION")
        if reason:
            paragraph(layout, reason, width, icon="INFO")
        elif film is not None and film.state == "done":
            paragraph(layout, t("{name} is ready.", name=film.out.name), width, icon="CHECKMARK")
            if film.warning:
                paragraph(layout, film.warning, width, icon="ERROR")
            layout.operator("understudy.play_film", icon="PLAY")


CLASSES = (
    UNDERSTUDY_PG_render,
    UNDERSTUDY_OT_render,
    UNDERSTUDY_OT_cancel_render,
    UNDERSTUDY_OT_play_film,
    UNDERSTUDY_PT_render,
)


def register() -> None:
    bpy.types.Scene.understudy_render = PointerProperty(type=UNDERSTUDY_PG_render)


def unregister() -> None:
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    Studio.clear()
    del bpy.types.Scene.understudy_render
