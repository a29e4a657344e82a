"""The library in the Understudy tab. Nothing in here reads a file or asks a process."""

import bpy

from ..body.bodymap import find_body
from ..perform.panel import _characters, paragraph
from ..takes.preview import current
from ..translations import t
from .asking import Asking
from .state import folders, library


class UNDERSTUDY_UL_found(bpy.types.UIList):
    bl_idname = "UNDERSTUDY_UL_found"

    def draw_item(  # type: ignore[no-untyped-def]
        self, context, layout, data, item, icon, active_data, active_property
    ) -> None:
        body = find_body(context)
        shown = body is not None and current(body) is not None and body.understudy_preview.take == item.path
        row = layout.row(align=True)
        row.label(text=item.name, icon="HIDE_OFF" if shown else "NONE", translate=False)
        facts = row.row(align=True)
        facts.alignment = "RIGHT"
        facts.label(text=f"{item.seconds:.1f} s", translate=False)
        facts.label(text=f"{item.score:.2f}", translate=False)


class UNDERSTUDY_UL_folders(bpy.types.UIList):
    bl_idname = "UNDERSTUDY_UL_folders"

    def draw_item(  # type: ignore[no-untyped-def]
        self, context, layout, data, item, icon, active_data, active_property
    ) -> None:
        row = layout.row(align=True)
        row.label(text=item.path, icon="FILE_FOLDER", translate=False)


class UNDERSTUDY_PT_library(bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_library"
    bl_label = "Library"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Understudy"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        state, kept, width = library(context), folders(context), _characters(context)
        row = layout.row()
        row.template_list("UNDERSTUDY_UL_folders", "", kept, "items", kept, "active", rows=2)
        column = row.column(align=True)
        column.operator("understudy.library_add_folder", text="", icon="ADD")
        column.operator("understudy.library_remove_folder", text="", icon="REMOVE")
        if not len(kept.items):
            paragraph(layout, "Add a folder of clips to search it by meaning.", width, icon="INFO")
        row = layout.row(align=True).split(factor=0.68, align=True)
        row.prop(state, "query", text="", icon="VIEWZOOM", placeholder="sneaking")
        row.operator("understudy.library_search")
        if Asking.title:
            self._draw_asking(layout)
        elif state.searched:
            self._draw_found(context, layout, width)

    @staticmethod
    def _draw_asking(layout: bpy.types.UILayout) -> None:
        done, total = Asking.progress()
        row = layout.row(align=True)
        text = t("{done} of {total} files", done=done, total=total) if total else t("Getting ready")
        row.progress(factor=done / total if total else 0.0, text=text)
        row.operator("understudy.library_cancel", text="", icon="X")

    @staticmethod
    def _draw_found(context: bpy.types.Context, layout: bpy.types.UILayout, width: int) -> None:
        state = library(context)
        if not len(state.found):
            paragraph(layout, "There are no clips in these folders.", width, icon="INFO")
        else:
            layout.template_list("UNDERSTUDY_UL_found", "", state, "found", state, "active", rows=5)
        if state.skipped:
            several = t("{count} files were left out. {why}", count=state.skipped, why=state.skipped_text)
            paragraph(layout, several if state.skipped > 1 else state.skipped_text, width, icon="ERROR")
        if not 0 <= state.active < len(state.found):
            return
        item = state.found[state.active]
        if item.text:
            paragraph(layout, f"“{item.text}”", width)
        paragraph(layout, item.layout, width)
        body = find_body(context)
        if body is None:
            paragraph(layout, "Add a body, or select one, to see it.", width, icon="INFO")
            return
        row = layout.row(align=True)
        if current(body) is not None and body.understudy_preview.take == item.path:
            row.operator("understudy.reject_take", text="End Preview", icon="X")
        else:
            row.operator("understudy.library_preview", icon="HIDE_OFF")
        row.operator("understudy.library_import", icon="IMPORT")
        layout.operator("understudy.library_to_assets", icon="ASSET_MANAGER")


class UNDERSTUDY_PT_words(bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_words"
    bl_label = "Action in Words"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Understudy"
    bl_parent_id = "UNDERSTUDY_PT_library"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        state, width = library(context), _characters(context)
        row = layout.row(align=True)
        row.operator("understudy.describe", icon="TEXT")
        row.operator("understudy.mark_asset", icon="ASSET_MANAGER")
        if state.told:
            paragraph(layout, state.told_of, width)
            row = layout.row(align=True)
            paragraph(row, f"“{state.told}”", width - 4)
            row.operator("understudy.copy_description", text="", icon="COPYDOWN")


CLASSES = (UNDERSTUDY_UL_found, UNDERSTUDY_UL_folders, UNDERSTUDY_PT_library, UNDERSTUDY_PT_words)
