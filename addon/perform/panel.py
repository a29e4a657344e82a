"""The Understudy tab of the 3D view's sidebar. Nothing in here reads a file or asks a process."""

import os

import bpy

from ..body.bodies import UNDERSTUDY_PT_body
from ..body.bodymap import find_body
from ..direction.editing import fills
from ..keying.keying import scene_rate
from ..layout import _characters, fact, fields, paragraph, switched
from ..process.client import Job, backend, packs
from ..script.lines import performed
from ..translations import t
from . import sound
from .generate import why_not
from .mending import draw_error
from .style import EMOTIONS, FIELDS, chosen

EXAMPLE = "a person walks forward and waves"

STATES = {
    "off": ("Starts with the first prompt", "PAUSE"),
    "starting": ("Starting…", "SORTTIME"),
    "ready": ("Ready", "CHECKMARK"),
    "stopped": ("Stopped", "ERROR"),
}


_STAGES = {
    "wait": "Getting ready",
    "load": "Loading the pack",
    "text": "Reading the prompt",
    "plan": "What happens",
    "refine": "How it moves",
    "decode": "Posing the body",
    "clean-up": "Cleaning up",
    "voices": "Speaking the lines",
    "key": "Keying",
}


FIRST_USE = (
    "Add a body.",
    "Write what it does, in plain English, or choose a voice in Speech.",
    "Press Generate. The motion plays from the current frame on, and waits in Takes for you to accept it.",
)


def _first_use(context: bpy.types.Context) -> bool:
    """Nobody has generated anything here yet (cheap, for draw)."""
    return find_body(context) is None and not len(context.scene.understudy_takes.items)


class UNDERSTUDY_PT_main(bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_main"
    bl_label = "Understudy"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Understudy"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.understudy
        busy = backend.busy
        width = _characters(context)

        column = layout.column()
        column.enabled = not busy
        self._draw_body(context, column)
        self._draw_prompt(column, settings)

        layout.separator(factor=0.5)
        if busy and backend.job is not None:
            self._draw_progress(layout, backend.job)
        else:
            reason = why_not(context)
            row = layout.row()
            row.scale_y = 1.5
            row.enabled = not reason
            row.operator("understudy.generate", icon="PLAY")
            if reason:
                paragraph(layout, reason, width, icon="INFO")
                if _first_use(context):
                    self._draw_first_use(layout, width)
            elif backend.news:
                paragraph(layout, backend.news, width, icon="CHECKMARK", translate=False)
                if backend.warning:
                    paragraph(layout, backend.warning, width, icon="ERROR")
        if backend.error is not None and not busy:
            draw_error(layout, backend.error, width)

    @staticmethod
    def _draw_first_use(layout: bpy.types.UILayout, width: int) -> None:
        box = layout.box()
        for number, step in enumerate(FIRST_USE, 1):
            paragraph(box, f"{number}. {t(step)}", width - 4)

    @staticmethod
    def _draw_body(context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
        settings = context.scene.understudy
        row = layout.row(align=True)
        row.prop(settings, "body", text="", icon="ARMATURE_DATA")
        row.operator("understudy.add_body", text="" if settings.body else "Add Body", icon="ADD")
        body = find_body(context)
        if body is not None and body != settings.body:
            text = t("Performing: {name}", name=body.name)
            layout.label(text=text, icon="OUTLINER_OB_ARMATURE", translate=False)

    @staticmethod
    def _draw_prompt(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
        row = layout.row()
        row.scale_y = 1.3
        scripted = performed(settings.id_data)
        row.enabled = not scripted
        row.prop(settings, "prompt", text="", placeholder=EXAMPLE)

        column = fields(layout)
        if scripted:
            fact(column, "Length", "as the script says")
        elif fills(settings.id_data):
            fact(column, "Length", "the frames between")
        elif settings.voice == "NONE":
            row = column.row(align=True, heading="Length")
            unit = "frames" if settings.in_frames else "seconds"
            switched(row, settings, "seconds", off="as the motion wants", shown=unit)
            if settings.use_seconds:
                row.prop(settings, "in_frames", text="", icon="TIME")
        else:
            fact(column, "Length", "as long as the voice")
        row = column.row(align=True)
        row.prop(settings, "seed")
        row.operator("understudy.randomize_seed", text="", icon="FILE_REFRESH")
        column.prop(settings, "samples")
        column.prop(settings, "pack")
        licence = packs.licences.get(settings.pack or "open")
        fact(column, "Licence", licence or "not installed", icon="NONE" if licence else "ERROR")

    @staticmethod
    def _draw_progress(layout: bpy.types.UILayout, job: Job) -> None:
        if job.stage:
            text = t(_STAGES.get(job.stage, job.stage.capitalize()))
        else:
            text = t("Starting the backend") if backend.state == "starting" else t("Getting ready")
        if job.fraction > 0:
            text += f"  {round(100 * job.fraction)} %"
        left = job.seconds_left
        if left is not None and left >= 1:
            text += "  ·  " + t("{seconds} s left", seconds=round(left))
        layout.progress(factor=job.fraction, type="BAR", text=text)
        row = layout.row()
        row.scale_y = 1.5
        row.operator("understudy.cancel", icon="X")


class _Section:
    """A part of the panel that can be folded away."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Understudy"
    bl_parent_id = "UNDERSTUDY_PT_main"
    bl_order = 10  # below Script and Direction
    bl_options = {"DEFAULT_CLOSED"}


class UNDERSTUDY_PT_speech(_Section, bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_speech"
    bl_label = "Speech"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.understudy
        width = _characters(context)
        layout.enabled = not backend.busy
        layout.row(align=True).prop(settings, "voice", expand=True)
        if settings.voice == "FILE":
            layout.prop(settings, "speech_file", text="")
            if settings.speech_file:
                path = os.path.abspath(bpy.path.abspath(settings.speech_file))
                sentence, complaint = sound.Look.found.get(path, ("", False))
                if sentence:
                    paragraph(layout, sentence, width, icon="ERROR" if complaint else "SOUND")
            column = fields(layout)
            column.prop(settings, "speech_offset")
            column.prop(settings, "place_sound")
        elif settings.voice == "STRIP":
            self._draw_strip(layout, context.scene, width)
        if settings.voice != "NONE":
            column = fields(layout)
            column.prop(settings, "transcript")
            column.prop(settings, "transcript_file", text="File")

    @staticmethod
    def _draw_strip(layout: bpy.types.UILayout, scene: bpy.types.Scene, width: int) -> None:
        settings = scene.understudy
        strips = sound.sound_strips(scene)
        if not strips:
            paragraph(layout, "There is no sound strip in this scene's video sequencer.", width, icon="INFO")
            return
        layout.prop(settings, "speech_strip", text="", icon="SOUND", placeholder=strips[0].name)
        name = sound.strip_name(settings)
        strip = next((s for s in strips if s.name == name), None)
        if strip is None:
            text = t("The strip “{name}” is gone. Choose another.", name=name)
            paragraph(layout, text, width, icon="ERROR")
            return
        seconds = strip.frame_final_duration / scene_rate(scene)
        start = strip.frame_final_start
        said = t("{seconds} s; the motion starts at frame {frame}", seconds=f"{seconds:.1f}", frame=start)
        paragraph(layout, said, width, icon="SOUND")


class UNDERSTUDY_PT_halves(_Section, bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_halves"
    bl_label = "Halves"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.understudy
        layout.enabled = not backend.busy
        column = fields(layout)
        column.prop(settings, "upper", text="Upper Body", placeholder="as in the prompt")
        column.prop(settings, "lower", text="Lower Body", placeholder="as in the prompt")


class UNDERSTUDY_PT_style(_Section, bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_style"
    bl_label = "Style"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.understudy
        layout.enabled = not backend.busy
        column = fields(layout)
        for field, (label, _) in FIELDS.items():
            switched(column.row(align=True, heading=label), settings, field, slider=True)
        names = list(EMOTIONS)
        column = layout.column(align=True)
        for first in range(0, len(names), 3):
            row = column.row(align=True)
            for name in names[first : first + 3]:
                row.operator("understudy.style", text=name.capitalize()).emotion = name
        if chosen(settings):
            layout.operator("understudy.style", text="No Style", icon="X").emotion = "none"


class UNDERSTUDY_PT_advanced(_Section, bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_advanced"
    bl_label = "Advanced"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.understudy
        layout.enabled = not backend.busy
        column = fields(layout)
        for name, label in (("steps", "Steps"), ("guidance", "Guidance")):
            switched(column.row(align=True, heading=label), settings, name, off="as the pack says")


class UNDERSTUDY_PT_backend(_Section, bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_backend"
    bl_label = "Backend"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        width = _characters(context)
        text, icon = STATES[backend.state]
        row = layout.row()
        row.label(text=text, icon=icon)
        label = "Start" if backend.state == "off" else "Restart"
        row.operator("understudy.restart_backend", text=label, icon="FILE_REFRESH")
        engines = ", ".join(f"{e.get('name')} {e.get('version')}" for e in backend.info.get("engines", []))
        if engines:
            layout.label(text=engines, icon="BLANK1", translate=False)
        pack = context.scene.understudy.pack or "open"
        licence = packs.licences.get(pack)
        if licence:
            paragraph(layout, t("Pack {name}: {licence}", name=pack, licence=licence), width, icon="INFO")
        else:
            paragraph(layout, t("Pack {name} is not installed.", name=pack), width, icon="ERROR")
        layout.operator("understudy.open_preferences", icon="PREFERENCES")


CLASSES = (
    UNDERSTUDY_PT_main,
    UNDERSTUDY_PT_body,
    UNDERSTUDY_PT_speech,
    UNDERSTUDY_PT_halves,
    UNDERSTUDY_PT_style,
    UNDERSTUDY_PT_advanced,
    UNDERSTUDY_PT_backend,
)
