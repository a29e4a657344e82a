"""The Understudy tab of the 3D view's sidebar. Nothing in here reads a file or asks a process."""

import os
import textwrap

import bpy

from ..backend.errors import UnderstudyError
from . import preferences, sound
from .bodymap import find_body
from .client import Job, backend, packs
from .generate import why_not
from .keying import scene_rate
from .operators import Check
from .script import performed
from .style import EMOTIONS, FIELDS, chosen

EXAMPLE = "a person walks forward and waves"

_STATES = {
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
}


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
            elif backend.news:
                paragraph(layout, backend.news, width, icon="CHECKMARK")
                if backend.warning:
                    paragraph(layout, backend.warning, width, icon="ERROR")
        if backend.error is not None and not busy:
            self._draw_error(layout, backend.error, width)

    @staticmethod
    def _draw_body(context: bpy.types.Context, layout: bpy.types.UILayout) -> None:
        settings = context.scene.understudy
        row = layout.row(align=True)
        row.prop(settings, "body", text="", icon="ARMATURE_DATA")
        row.operator("understudy.add_body", text="" if settings.body else "Add Body", icon="ADD")
        body = find_body(context)
        if body is not None and body != settings.body:
            layout.label(text=f"Performing: {body.name}", icon="OUTLINER_OB_ARMATURE")

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
        elif settings.voice == "NONE":
            row = column.row(align=True, heading="Length")
            switched(row, settings, "seconds", off="as the motion wants")
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
            text = _STAGES.get(job.stage, job.stage.capitalize())
        else:
            text = "Starting the backend" if backend.state == "starting" else "Getting ready"
        if job.fraction > 0:
            text += f"  {round(100 * job.fraction)} %"
        left = job.seconds_left
        if left is not None and left >= 1:
            text += f"  ·  {left:.0f} s left"
        layout.progress(factor=job.fraction, type="BAR", text=text)
        row = layout.row()
        row.scale_y = 1.5
        row.operator("understudy.cancel", icon="X")

    @staticmethod
    def _draw_error(layout: bpy.types.UILayout, error: UnderstudyError, width: int) -> None:
        box = layout.box()
        row = box.row()
        text = row.column(align=True)
        text.alert = True
        paragraph(text, error.message, width - 8, icon="ERROR")
        row.operator("understudy.dismiss_error", text="", icon="X", emboss=False)
        if error.hint:
            paragraph(box, error.hint, width - 4)


class _Section:
    """A part of the panel that can be folded away."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Understudy"
    bl_parent_id = "UNDERSTUDY_PT_main"
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
            layout.prop(settings, "place_sound")
        elif settings.voice == "STRIP":
            self._draw_strip(layout, context.scene, width)

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
            paragraph(layout, f"The strip “{name}” is gone. Choose another.", width, icon="ERROR")
            return
        seconds = strip.frame_final_duration / scene_rate(scene)
        start = strip.frame_final_start
        paragraph(layout, f"{seconds:.1f} s; the motion starts at frame {start}", width, icon="SOUND")


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
        text, icon = _STATES[backend.state]
        row = layout.row()
        row.label(text=text, icon=icon)
        row.operator("understudy.restart_backend", text="", icon="FILE_REFRESH")
        engines = ", ".join(f"{e.get('name')} {e.get('version')}" for e in backend.info.get("engines", []))
        if engines:
            layout.label(text=engines, icon="BLANK1")
        pack = context.scene.understudy.pack or "open"
        licence = packs.licences.get(pack)
        sentence = f"Pack {pack}: {licence}" if licence else f"Pack {pack} is not installed."
        paragraph(layout, sentence, width, icon="INFO" if licence else "ERROR")


def fields(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """A column of labels and values, side by side, as in Blender's own panels."""
    column = layout.column(align=True)
    column.use_property_split = True
    column.use_property_decorate = False
    return column


def fact(column: bpy.types.UILayout, label: str, text: str, icon: str = "NONE") -> None:
    """A line among :func:`fields` that only says something."""
    split = column.split(factor=0.4)  # where Blender parts labels and values
    left = split.row()
    left.alignment = "RIGHT"
    left.label(text=label)
    split.label(text=text, icon=icon)


def switched(
    row: bpy.types.UILayout,
    settings: bpy.types.PropertyGroup,
    name: str,
    *,
    off: str = "",
    slider: bool = False,
) -> None:
    """A value behind its check box ``use_…``; switched off, words may stand in its place."""
    row.prop(settings, f"use_{name}", text="")
    on = getattr(settings, f"use_{name}")
    value = row.row(align=True)
    value.active = on
    if on or not off:
        value.prop(settings, name, text="", slider=slider)
    else:
        value.label(text=off)


def draw_preferences(layout: bpy.types.UILayout, settings: bpy.types.AddonPreferences) -> None:
    """The add-on's entry in Edit > Preferences."""
    layout.use_property_split = True
    row = layout.row(align=True)
    row.prop(settings, "python")
    row.operator("understudy.check_python")
    if Check.result:
        paragraph(layout, Check.result, 90, icon="ERROR" if Check.failed else "CHECKMARK")
    if backend.python:
        layout.label(text=f"In use: {backend.python}", icon="BLANK1")
    layout.prop(settings, "device")
    log = backend.info.get("log_file")
    if log:
        layout.label(text=f"Log: {log}", icon="TEXT")
    layout.label(
        text=f"The environment variable {preferences.PYTHON_VARIABLE} overrides Python.", icon="INFO"
    )


def paragraph(layout: bpy.types.UILayout, text: str, width: int, icon: str = "NONE") -> None:
    """Text wrapped to the region: labels alone would be cut off with an ellipsis."""
    column = layout.column(align=True)
    lines = textwrap.wrap(text, max(width, 16)) or [""]
    for i, line in enumerate(lines):
        column.label(text=line, icon=icon if i == 0 else ("BLANK1" if icon != "NONE" else "NONE"))


def _characters(context: bpy.types.Context) -> int:
    """How many characters of a label fit beside an icon in the region."""
    region = context.region
    scale = context.preferences.system.ui_scale or 1.0
    return int(((region.width if region else 260) / scale - 70) / 6.2)


CLASSES = (
    UNDERSTUDY_PT_main,
    UNDERSTUDY_PT_speech,
    UNDERSTUDY_PT_halves,
    UNDERSTUDY_PT_style,
    UNDERSTUDY_PT_advanced,
    UNDERSTUDY_PT_backend,
)
