"""The Understudy tab of the 3D view's sidebar. Nothing in here reads a file or asks a process."""

import textwrap

import bpy

from ..backend.errors import UnderstudyError
from . import preferences
from .bodymap import find_body
from .client import Job, backend, packs
from .generate import why_not
from .operators import Check

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
        options = {"placeholder": EXAMPLE} if bpy.app.version >= (4, 1, 0) else {}
        row = layout.row()
        row.scale_y = 1.3
        row.prop(settings, "prompt", text="", **options)

        column = layout.column(align=True)
        row = column.row(align=True)
        row.prop(settings, "use_seconds", text="Length")
        value = row.row(align=True)
        if settings.use_seconds:
            value.prop(settings, "seconds", text="")
        else:
            value.enabled = False
            value.label(text="as the motion wants")
        row = column.row(align=True)
        row.prop(settings, "seed")
        row.operator("understudy.randomize_seed", text="", icon="FILE_REFRESH")
        if len(packs.items) > 1:
            column.prop(settings, "pack", text="")

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


class UNDERSTUDY_PT_backend(bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_backend"
    bl_label = "Backend"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Understudy"
    bl_parent_id = "UNDERSTUDY_PT_main"

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


CLASSES = (UNDERSTUDY_PT_main, UNDERSTUDY_PT_backend)
