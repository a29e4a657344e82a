"""The role-play in the Understudy tab: who answers, what was said, and a line to say. Nothing in here reads a file."""

import bpy

from ..layout import _characters, fields, paragraph
from ..perform.mending import draw_error
from ..perform.panel import UNDERSTUDY_PT_main
from ..process.client import backend
from ..translations import t
from .chat import body_of, character_name, who_answers, why_not, why_not_say


class UNDERSTUDY_UL_said(bpy.types.UIList):
    bl_idname = "UNDERSTUDY_UL_said"

    def draw_item(  # type: ignore[no-untyped-def]
        self, context, layout, data, item, icon, active_data, active_property
    ) -> None:
        mine = item.who == "user"
        row = layout.row(align=True)
        row.active = not mine
        row.label(text=item.text, icon="USER" if mine else "ARMATURE_DATA", translate=False)


class UNDERSTUDY_PT_chat(bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_chat"
    bl_label = "Role-play"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Understudy"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        chat = context.scene.understudy_chat
        width = _characters(context)
        busy = backend.busy
        ours = backend.job is not None and backend.job.method == "chat"
        if len(chat.said):
            self._draw_said(layout, chat, width)
        else:
            paragraph(
                layout, "Talk to a character: it answers with words, voice and body.", width, icon="INFO"
            )
        column = layout.column(align=True)
        column.enabled = not busy
        row = column.row()
        row.scale_y = 1.3
        row.prop(chat, "say", text="", placeholder="say something")
        column.prop(chat, "speech", text="", icon="SOUND", placeholder="or a recording")
        if busy and backend.job is not None:
            UNDERSTUDY_PT_main._draw_progress(layout, backend.job)
            return
        reason = why_not(context)
        row = layout.row()
        row.scale_y = 1.5
        row.enabled = not why_not_say(context)
        row.operator("understudy.chat_say", icon="PLAY")
        if reason:
            paragraph(layout, reason, width, icon="INFO")
        paragraph(layout, who_answers(chat), width, icon="USER", translate=False)
        if ours and backend.warning:
            paragraph(layout, backend.warning, width, icon="ERROR")
        if ours and backend.error is not None:
            draw_error(layout, backend.error, width)

    @staticmethod
    def _draw_said(layout: bpy.types.UILayout, chat: bpy.types.PropertyGroup, width: int) -> None:
        row = layout.row()
        row.template_list("UNDERSTUDY_UL_said", "", chat, "said", chat, "active", rows=5)
        row.column(align=True).operator("understudy.chat_clear", text="", icon="TRASH")
        if not 0 <= chat.active < len(chat.said):
            return
        said = chat.said[chat.active]
        box = layout.box()
        paragraph(box, said.text, width - 4, translate=False)
        if said.motion:
            paragraph(box, said.motion, width - 4, icon="ANIM", translate=False)
        if said.who == "character" and chat.answered and chat.active == len(chat.said) - 1:
            author = t("Understudy's author") if chat.answered == "offline" else chat.answered
            paragraph(box, t("Written by {author}", author=author), width - 4, translate=False)


class _Part:
    """A part of the role-play's panel."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Understudy"
    bl_parent_id = "UNDERSTUDY_PT_chat"
    bl_options = {"DEFAULT_CLOSED"}


class UNDERSTUDY_PT_chat_character(_Part, bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_chat_character"
    bl_label = "Character"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        chat = context.scene.understudy_chat
        layout.enabled = not backend.busy
        layout.row(align=True).prop(chat, "character", expand=True)
        column = fields(layout)
        if chat.character == "FILE":
            column.prop(chat, "file")
        else:
            column.prop(chat, "name")
            column.prop(chat, "role", placeholder="lighthouse keeper")
            column.prop(chat, "personality", placeholder="shy, precise")
            column.prop(chat, "background", placeholder="sentences about its life")
            column.prop(chat, "scene", placeholder="what is around it")
            column.prop(chat, "emotion")
            column.prop(chat, "voice", placeholder="chosen for you")


class UNDERSTUDY_PT_chat_scene(_Part, bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_chat_scene"
    bl_label = "Body and Answers"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        chat = context.scene.understudy_chat
        layout.enabled = not backend.busy
        column = fields(layout)
        body = body_of(context)
        column.prop(chat, "body", placeholder=body.name if body is not None else character_name(chat))
        column.prop(chat, "place")
        column.prop(chat, "to_camera")
        column.prop(chat, "author")
        column.prop(chat, "language")
        column.prop(chat, "seed")
        if chat.author == "ENDPOINT":
            layout.operator("understudy.open_preferences", icon="PREFERENCES")


CLASSES = (UNDERSTUDY_UL_said, UNDERSTUDY_PT_chat, UNDERSTUDY_PT_chat_character, UNDERSTUDY_PT_chat_scene)
