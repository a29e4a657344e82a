"""The section Own Character of the Understudy tab. Reads only what is kept with the rig."""

import bpy

from ...backend.motion.mapping import CORE, REQUIRED, slot_label
from ..body.bodymap import find_body
from ..perform.panel import _characters, paragraph
from ..translations import t
from .armature import why_not_a_rig
from .operators import find_rig
from .stored import BY, stored

_ICONS = {key: icon for key, _, _, icon, _ in BY}


class UNDERSTUDY_UL_bones(bpy.types.UIList):
    bl_idname = "UNDERSTUDY_UL_bones"

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: bpy.types.PropertyGroup,
        item: bpy.types.PropertyGroup,
        icon: int,
        active_data: bpy.types.PropertyGroup,
        active_property: str,
    ) -> None:
        row = layout.split(factor=0.42)
        left = row.row(align=True)
        left.alert = not item.bone and item.name in REQUIRED
        left.label(text=slot_label(item.name), icon=_ICONS[item.by] if item.bone else "BLANK1")
        row.prop_search(item, "bone", data.id_data, "bones", text="")

    def filter_items(
        self, context: bpy.types.Context, data: bpy.types.PropertyGroup, property: str
    ) -> tuple[list[int], list[int]]:
        show_all = context.scene.understudy_retarget.show_all
        wanted = self.filter_name.casefold()
        flags = []
        for row in getattr(data, property):
            shown = bool(row.bone) or row.name in CORE or show_all
            if shown and wanted:
                shown = wanted in slot_label(row.name).casefold() or wanted in row.bone.casefold()
            flags.append(self.bitflag_filter_item if shown else 0)
        return flags, []


class UNDERSTUDY_PT_retarget(bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_retarget"
    bl_label = "Own Character"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Understudy"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        settings = context.scene.understudy_retarget
        width = _characters(context)
        layout.prop(settings, "rig", text="", icon="OUTLINER_OB_ARMATURE")
        rig = find_rig(context)
        reason = why_not_a_rig(rig)
        if rig is None or reason:
            paragraph(layout, reason, width, icon="INFO")
            return
        if rig != settings.rig:
            layout.label(text=t(f"Character: {rig.name}"), icon="OUTLINER_OB_ARMATURE", translate=False)
        self._draw_mapping(layout, rig, settings, width)
        column = layout.column()
        column.prop(settings, "root")
        mapping = stored(rig)
        if mapping is not None and mapping.is_control_rig:
            column.prop(settings, "controls")
        column.prop(settings, "fit")
        column.prop(settings, "mute")
        body = find_body(context)
        empty = body is None or body == rig
        row = layout.row()
        row.scale_y = 1.3
        row.enabled = not empty
        row.operator("understudy.retarget", icon="ARMATURE_DATA")
        if empty:
            paragraph(layout, "Add or choose a body whose motion is carried over.", width, icon="INFO")
        row = layout.row(align=True)
        row.operator("understudy.rig_to_body", icon="LOOP_BACK")
        row.operator("understudy.rig_to_npz", icon="EXPORT")

    @staticmethod
    def _draw_mapping(
        layout: bpy.types.UILayout, rig: bpy.types.Object, settings: bpy.types.PropertyGroup, width: int
    ) -> None:
        mapping = stored(rig)
        if mapping is None:
            layout.label(text="Not looked at yet", icon="QUESTION")
            layout.operator("understudy.recognise_rig", icon="VIEWZOOM")
            return
        row = layout.row(align=True)
        family = mapping.label or t("Unknown rig")
        row.label(text=t(f"{family}, {mapping.confidence:.0%} sure"), icon="CHECKMARK", translate=False)
        row.operator("understudy.recognise_rig", text="", icon="FILE_REFRESH")
        if mapping.missing:
            listed = ", ".join(slot_label(slot).lower() for slot in mapping.missing)
            paragraph(layout, f"Missing: {listed}", width, icon="ERROR")
        for note in mapping.notes:
            paragraph(layout, note, width, icon="INFO")
        layout.template_list(
            "UNDERSTUDY_UL_bones", "", rig.data.understudy_rig, "rows", settings, "active", rows=6
        )
        row = layout.row(align=True)
        row.prop(settings, "show_all")
        row.operator("understudy.load_mapping", text="", icon="FILE_FOLDER")
        row.operator("understudy.save_mapping", text="", icon="FILE_TICK")


CLASSES = (UNDERSTUDY_UL_bones, UNDERSTUDY_PT_retarget)
