"""The dialogue in the Understudy tab: who speaks, what is said, and Perform. Nothing in here reads a file."""

import bpy

from ..layout import _characters, fields, paragraph
from ..perform.mending import draw_error
from ..perform.panel import UNDERSTUDY_PT_main
from ..process.client import backend
from .lines import FIRST, active_line, names_of
from .orders import why_not


class UNDERSTUDY_UL_dialogue(bpy.types.UIList):
    bl_idname = "UNDERSTUDY_UL_dialogue"

    def draw_item(  # type: ignore[no-untyped-def]
        self, context, layout, data, item, icon, active_data, active_property, index=0
    ) -> None:
        first, second = names_of(data)
        row = layout.split(factor=0.28, align=True)
        name = first if item.speaker == FIRST else second
        turn = row.operator("understudy.dialogue_line_turn", text=name, emboss=False, translate=False)
        turn.index = index
        row = row.split(factor=0.8 if item.end else 1.0, align=True)
        text = row.row(align=True)
        text.alert = not item.text.strip()
        text.prop(item, "text", text="", emboss=False, placeholder="what is said")
        if item.end:
            frames = row.row(align=True)
            frames.alignment = "RIGHT"
            frames.label(text=f"{item.start}–{item.end}", translate=False)


class _Part:
    """A part of the dialogue's panel."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Understudy"
    bl_parent_id = "UNDERSTUDY_PT_dialogue"
    bl_options = {"DEFAULT_CLOSED"}


class UNDERSTUDY_PT_dialogue(bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_dialogue"
    bl_label = "Dialogue"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Understudy"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        dialogue = context.scene.understudy_dialogue
        width = _characters(context)
        busy = backend.busy
        column = layout.column()
        column.enabled = not busy
        self._draw_speakers(column, dialogue)
        if len(dialogue.lines):
            self._draw_lines(column, dialogue)
        else:
            paragraph(
                column, "Two characters act what you write, with voices and gestures.", width, icon="INFO"
            )
            column.operator("understudy.dialogue_line_add", icon="ADD")
            row = column.row(align=True)
            row.operator("understudy.import_fountain", icon="IMPORT")
            row.operator("understudy.dialogue_from_text", icon="TEXT")
        layout.separator(factor=0.5)
        if busy and backend.job is not None:
            UNDERSTUDY_PT_main._draw_progress(layout, backend.job)
            return
        reason = why_not(context)
        row = layout.row()
        row.scale_y = 1.5
        row.enabled = not reason
        row.operator("understudy.dialogue", icon="PLAY")
        if reason:
            paragraph(layout, reason, width, icon="INFO")
        elif backend.job is not None and backend.job.method == "dialogue" and backend.news:
            paragraph(layout, backend.news, width, icon="CHECKMARK", translate=False)
            if backend.warning:
                paragraph(layout, backend.warning, width, icon="ERROR")
        if backend.error is not None and backend.job is not None and backend.job.method == "dialogue":
            draw_error(layout, backend.error, width)

    @staticmethod
    def _draw_speakers(layout: bpy.types.UILayout, dialogue: bpy.types.PropertyGroup) -> None:
        names = names_of(dialogue)
        column = layout.column(align=True)
        for speaker, usual in zip((dialogue.first, dialogue.second), names, strict=True):
            row = column.split(factor=0.4, align=True)
            row.prop(speaker, "name", text="", icon="USER", placeholder=usual)
            row.prop(speaker, "body", text="", icon="ARMATURE_DATA", placeholder="a new body")

    @staticmethod
    def _draw_lines(layout: bpy.types.UILayout, dialogue: bpy.types.PropertyGroup) -> None:
        row = layout.row()
        row.template_list("UNDERSTUDY_UL_dialogue", "", dialogue, "lines", dialogue, "active", rows=5)
        column = row.column(align=True)
        column.operator("understudy.dialogue_line_add", text="", icon="ADD")
        column.operator("understudy.dialogue_line_remove", text="", icon="REMOVE")
        column.separator()
        column.operator("understudy.dialogue_line_duplicate", text="", icon="DUPLICATE")
        column.separator()
        column.operator("understudy.dialogue_line_move", text="", icon="TRIA_UP").direction = "UP"
        column.operator("understudy.dialogue_line_move", text="", icon="TRIA_DOWN").direction = "DOWN"
        line = active_line(dialogue)
        if line is not None:
            column = fields(layout)
            column.prop(line, "emotion")
            column.prop(line, "direction", placeholder="nods, whispering, beat")
            column.prop(line, "performs", placeholder="it talks")
            column.prop(line, "recording", placeholder="a synthesised voice")


class UNDERSTUDY_PT_dialogue_scene(_Part, bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_dialogue_scene"
    bl_label = "Scene and Voices"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        dialogue = context.scene.understudy_dialogue
        layout.enabled = not backend.busy
        column = fields(layout)
        column.prop(dialogue, "distance")
        row = column.row(align=True)
        row.prop(dialogue, "seed")
        row.operator("understudy.dialogue_seed", text="", icon="FILE_REFRESH")
        column.prop(dialogue, "by")
        if dialogue.by == "retrieval":
            column.prop(dialogue, "library")
        column.prop(dialogue, "touches")
        column.prop(dialogue, "cuts")
        column.prop(dialogue, "language")
        for speaker, name in zip((dialogue.first, dialogue.second), names_of(dialogue), strict=True):
            column.prop(speaker, "voice", text=name, translate=False, placeholder="chosen for you")


class UNDERSTUDY_PT_dialogue_files(_Part, bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_dialogue_files"
    bl_label = "Screenplay"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.enabled = not backend.busy
        fields(layout).prop(context.scene.understudy_dialogue, "title")
        row = layout.row(align=True)
        row.operator("understudy.import_fountain", icon="IMPORT")
        row.operator("understudy.export_fountain", icon="EXPORT")
        layout.operator("understudy.dialogue_from_text", icon="TEXT")


CLASSES = (
    UNDERSTUDY_UL_dialogue,
    UNDERSTUDY_PT_dialogue,
    UNDERSTUDY_PT_dialogue_scene,
    UNDERSTUDY_PT_dialogue_files,
)
