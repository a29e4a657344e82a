"""The script in the Understudy tab: lines with their frames, and what is special about the chosen one."""

import bpy

from ..body.bodymap import find_body
from ..direction.editing import why_no_line
from ..keying.keying import scene_rate
from ..perform.panel import _characters, _Section, fact, fields, paragraph, switched
from ..perform.style import EMOTIONS, FIELDS, chosen
from ..process.client import backend
from .lines import active_line, why_not


class UNDERSTUDY_UL_lines(bpy.types.UIList):
    bl_idname = "UNDERSTUDY_UL_lines"

    def draw_item(  # type: ignore[no-untyped-def]
        self, context, layout, data, item, icon, active_data, active_property
    ) -> None:
        row = layout.split(factor=0.68, align=True)
        text = row.row(align=True)
        text.alert = not item.prompt.strip()
        text.prop(item, "prompt", text="", emboss=False, placeholder="what the character does")
        frames = row.row(align=True)
        frames.alignment = "RIGHT"
        frames.label(text=f"{item.start}–{item.end}")


class UNDERSTUDY_PT_script(_Section, bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_script"
    bl_label = "Script"
    bl_order = 1

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.enabled = not backend.busy
        self.layout.prop(context.scene.understudy_script, "use", text="")

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        scene = context.scene
        script = scene.understudy_script
        width = _characters(context)
        layout.enabled = not backend.busy
        layout.active = script.use or not len(script.lines)
        if not len(script.lines):
            paragraph(
                layout, "Several prompts, performed one after the other without a stop.", width, icon="INFO"
            )
            row = layout.row(align=True)
            row.operator("understudy.line_add", icon="ADD")
            row.operator("understudy.lines_from_markers", icon="PMARKER_ACT")
            return
        row = layout.row()
        row.template_list("UNDERSTUDY_UL_lines", "", script, "lines", script, "active", rows=4)
        column = row.column(align=True)
        column.operator("understudy.line_add", text="", icon="ADD")
        column.operator("understudy.line_remove", text="", icon="REMOVE")
        column.separator()
        column.operator("understudy.lines_from_markers", text="", icon="PMARKER_ACT")
        column.separator()
        column.operator("understudy.line_move", text="", icon="TRIA_UP").direction = "UP"
        column.operator("understudy.line_move", text="", icon="TRIA_DOWN").direction = "DOWN"
        line = active_line(script)
        if line is not None:
            column = fields(layout)
            column.prop(line, "start")
            column.prop(line, "end")
            fact(column, "Length", f"{line.frames / scene_rate(scene):.2f} s")
            row = column.row(align=True, heading="Seed")
            switched(row, line, "seed", off="the panel's")
            row.operator("understudy.line_seed", text="", icon="FILE_REFRESH")
            row = layout.row()
            row.operator("understudy.generate_line", icon="FILE_REFRESH").index = script.active
            reason = why_no_line(scene, find_body(context), script.active)
            row.enabled = not reason
            if reason and script.use:
                paragraph(layout, reason, width, icon="INFO")
        if script.use and (reason := why_not(scene)):
            paragraph(layout, reason, width, icon="ERROR")


class UNDERSTUDY_PT_script_line(_Section, bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_script_line"
    bl_label = "Style and Halves of the Line"
    bl_parent_id = "UNDERSTUDY_PT_script"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return active_line(context.scene.understudy_script) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        script = context.scene.understudy_script
        line = active_line(script)
        layout.enabled = not backend.busy
        layout.active = script.use
        column = fields(layout)
        column.prop(line, "upper", text="Upper Body", placeholder="as in the prompt")
        column.prop(line, "lower", text="Lower Body", placeholder="as in the prompt")
        for field, (label, _) in FIELDS.items():
            switched(column.row(align=True, heading=label), line, field, slider=True)
        names = list(EMOTIONS)
        column = layout.column(align=True)
        for first in range(0, len(names), 3):
            row = column.row(align=True)
            for name in names[first : first + 3]:
                row.operator("understudy.line_style", text=name.capitalize()).emotion = name
        if chosen(line):
            layout.operator("understudy.line_style", text="No Style", icon="X").emotion = "none"


CLASSES = (UNDERSTUDY_UL_lines, UNDERSTUDY_PT_script, UNDERSTUDY_PT_script_line)
