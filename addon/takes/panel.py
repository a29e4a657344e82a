"""The list of takes in the Understudy tab. Nothing in here reads a file."""

import bpy

from ..body.bodymap import find_body
from ..perform.panel import _characters, paragraph
from ..translations import t
from .files import missing
from .preview import current
from .records import UNDERSTUDY_PG_take, find


class UNDERSTUDY_UL_takes(bpy.types.UIList):
    bl_idname = "UNDERSTUDY_UL_takes"

    def draw_item(  # type: ignore[no-untyped-def]
        self, context, layout, data, item, icon, active_data, active_property
    ) -> None:
        body = find_body(context)
        shown = body is not None and current(body) is not None and body.understudy_preview.take == item.file
        row = layout.row(align=True)
        star = row.operator(
            "understudy.star_take", text="", icon="SOLO_ON" if item.starred else "SOLO_OFF", emboss=False
        )
        star.file = item.file
        name = row.row(align=True)
        name.active = item.file not in missing
        name.label(text=item.name, icon="HIDE_OFF" if shown else "NONE", translate=False)
        length = row.row(align=True)
        length.alignment = "RIGHT"
        if item.file in missing:
            length.label(text="", icon="ERROR")
        letters = [slot.upper() for slot in ("a", "b") if getattr(data, slot) == item.file]
        if letters:
            length.label(text=" ".join(letters))
        if item.samples > 1:
            length.label(text=f"{item.sample + 1}/{item.samples}")
        length.label(text=f"{item.seconds:.1f} s")

    def filter_items(  # type: ignore[no-untyped-def]
        self, context, data, property
    ) -> tuple[list[int], list[int]]:
        wanted = self.filter_name.casefold()
        flags = []
        for take in getattr(data, property):
            shown = (take.starred or not data.only_starred) and wanted in take.name.casefold()
            flags.append(self.bitflag_filter_item if shown else 0)
        return flags, []


class UNDERSTUDY_PT_takes(bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_takes"
    bl_label = "Takes"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Understudy"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        takes = context.scene.understudy_takes
        width = _characters(context)
        if not len(takes.items):
            paragraph(layout, "What you generate is listed here.", width, icon="INFO")
            return
        row = layout.row()
        row.template_list("UNDERSTUDY_UL_takes", "", takes, "items", takes, "active", rows=4)
        column = row.column(align=True)
        column.prop(takes, "only_starred", text="", icon="SOLO_ON")
        column.separator()
        column.operator("understudy.reuse_take", text="", icon="LOOP_BACK")
        column.separator()
        column.operator("understudy.delete_take", text="", icon="TRASH")
        if 0 <= takes.active < len(takes.items):
            self._draw_take(context, layout, takes.items[takes.active], width)

    @staticmethod
    def _draw_take(
        context: bpy.types.Context, layout: bpy.types.UILayout, take: UNDERSTUDY_PG_take, width: int
    ) -> None:
        body = find_body(context)
        previewing = body is not None and current(body) is not None
        if take.file in missing:
            paragraph(layout, "Its clip is gone. Re-use its settings to make it again.", width, icon="ERROR")
        facts = t("Seed {seed}", seed=take.seed)
        if take.samples > 1:
            facts += ", " + t("variation {number} of {count}", number=take.sample + 1, count=take.samples)
        if take.pack:
            facts += f" · {take.pack} ({take.licence})" if take.licence else f" · {take.pack}"
        paragraph(layout, take.name, width, translate=False)
        paragraph(layout, facts, width, translate=False)
        if body is None:
            paragraph(layout, "Add a body, or select one, to see it.", width, icon="INFO")
            return
        if previewing:
            held = body.understudy_preview.held
            if held is not None:
                said = t("Preview on {name}. “{held}” waits.", name=body.name, held=held.name)
            else:
                said = t("Preview on {name}. There was no animation before.", name=body.name)
            paragraph(layout, said, width, icon="HIDE_OFF", translate=False)
        row = layout.row(align=True)
        if previewing and body.understudy_preview.take == take.file:
            row.operator("understudy.accept_take", icon="CHECKMARK")
            row.operator("understudy.reject_take", icon="X")
        else:
            row.operator("understudy.preview_take", icon="HIDE_OFF")
            row.operator("understudy.accept_take", icon="CHECKMARK")
        layout.operator("understudy.push_take", icon="NLA_PUSHDOWN")
        takes = context.scene.understudy_takes
        if len(takes.items) > 1:
            _draw_compare(layout, takes, body.understudy_preview.take if previewing else "")


def _short(take: UNDERSTUDY_PG_take) -> str:
    """What tells a take from others in a few characters."""
    return f"{take.sample + 1}/{take.samples} {take.name}" if take.samples > 1 else str(take.name)


def _draw_compare(layout: bpy.types.UILayout, takes: bpy.types.PropertyGroup, shown: str) -> None:
    """Two takes side by side as buttons, a click on either shows it."""
    row = layout.row(align=True)
    for slot in ("a", "b"):
        index = find(takes, getattr(takes, slot)) if getattr(takes, slot) else -1
        part = row.row(align=True)
        if index >= 0:
            button = part.operator(
                "understudy.show_compared",
                text=f"{slot.upper()}: {_short(takes.items[index])}",
                depress=takes.items[index].file == shown,
            )
            button.slot = slot
        pin = part.operator(
            "understudy.set_compared",
            text="" if index >= 0 else t("Compare as {slot}", slot=slot.upper()),
            icon="PINNED" if index >= 0 else "UNPINNED",
        )
        pin.slot = slot
    row.operator("understudy.swap_compared", text="", icon="ARROW_LEFTRIGHT")


CLASSES = (UNDERSTUDY_UL_takes, UNDERSTUDY_PT_takes)
