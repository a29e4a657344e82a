"""Direction in the Understudy tab: what kind of motion, the list of marks, and how they were met."""

import json
import math
from typing import Any

import bpy

from ..body.bodymap import find_body
from ..keying.keying import scene_rate
from ..perform.panel import _characters, _Section, fields, paragraph
from ..process.client import backend
from ..script import lines as script
from ..takes.preview import current
from ..takes.records import find
from ..translations import CONTEXT, t
from . import curves, editing
from .gather import words
from .marks import JOINTS, KINDS, is_mark
from .operators import chosen

MISSED = 2.0
"""Centimetres from which a mark counts as missed."""
_ROWS = 6


class UNDERSTUDY_MT_mark_add(bpy.types.Menu):
    bl_idname = "UNDERSTUDY_MT_mark_add"
    bl_label = "Add Mark"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        for kind in ("PATH", "WAYPOINT"):
            word, icon = KINDS[kind]
            layout.operator("understudy.mark_add", text=word, icon=icon).kind = kind
        layout.separator()
        layout.label(text="Key Pose", icon=KINDS["POSE"][1])
        for when, text in (
            ("FRAME", "Present Pose at the Current Frame"),
            ("START", "Present Pose at the Start"),
            ("END", "Present Pose at the End"),
        ):
            operator = layout.operator("understudy.mark_add", text=text)
            operator.kind, operator.when = "POSE", when
        for on_body, text in ((True, "Hold Where It Is"), (False, "Hold at the 3D Cursor")):
            layout.separator()
            layout.label(text=text, icon=KINDS["PIN"][1])
            for joint, word in JOINTS.items():
                operator = layout.operator("understudy.mark_add", text=word)
                operator.kind, operator.joint, operator.on_body = "PIN", joint, on_body
        layout.separator()
        layout.operator("understudy.mark_selected", icon="RESTRICT_SELECT_OFF")


class UNDERSTUDY_UL_marks(bpy.types.UIList):
    bl_idname = "UNDERSTUDY_UL_marks"

    def draw_item(  # type: ignore[no-untyped-def]
        self, context, layout, data, item, icon, active_data, active_property
    ) -> None:
        state = item.understudy_mark
        row = layout.row(align=True)
        row.prop(state, "use", text="")
        name = row.row(align=True)
        name.active = state.use
        name.prop(item, "name", text="", emboss=False, icon=KINDS[state.kind][1])
        when = row.row(align=True)
        when.active = state.use
        when.alignment = "RIGHT"
        when.label(text=_when(item))
        row.operator("understudy.mark_remove", text="", icon="X", emboss=False).name = item.name

    def filter_items(  # type: ignore[no-untyped-def]
        self, context, data, property
    ) -> tuple[list[int], list[int]]:
        wanted = self.filter_name.casefold()
        flags = [
            self.bitflag_filter_item if is_mark(thing) and wanted in thing.name.casefold() else 0
            for thing in getattr(data, property)
        ]
        return flags, []


def _when(thing: bpy.types.Object) -> str:
    state = thing.understudy_mark
    if state.kind == "PATH":
        return ""
    if state.kind == "PIN":
        return f"{state.frame}–{max(state.frame_end, state.frame)}"
    if state.kind == "POSE" and state.when != "FRAME":
        return "Start" if state.when == "START" else "End"
    return str(state.frame)


class UNDERSTUDY_PT_direction(_Section, bpy.types.Panel):
    bl_idname = "UNDERSTUDY_PT_direction"
    bl_label = "Direction"
    bl_translation_context = CONTEXT  # of a play, not of a vector
    bl_order = 2

    def draw_header(self, context: bpy.types.Context) -> None:
        self.layout.enabled = not backend.busy
        self.layout.prop(context.scene.understudy_direction, "use", text="")

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        scene = context.scene
        state = scene.understudy_direction
        width = _characters(context)
        body = find_body(context)
        layout.enabled = not backend.busy
        layout.active = state.use

        layout.row(align=True).prop(state, "mode", expand=True)
        self._draw_mode(context, layout, body, width)

        row = layout.row()
        collection = state.collection
        if collection is not None and any(is_mark(thing) for thing in collection.objects):
            row.template_list("UNDERSTUDY_UL_marks", "", collection, "objects", state, "active", rows=3)
        else:
            box = row.box()
            paragraph(
                box, "No marks. Add a path to walk, waypoints, pins or key poses.", width - 8, icon="INFO"
            )
        column = row.column(align=True)
        column.menu("UNDERSTUDY_MT_mark_add", text="", icon="ADD")
        column.operator("understudy.mark_remove", text="", icon="REMOVE")
        thing = chosen(scene)
        if thing is not None:
            self._draw_mark(layout, thing, width)

        row = layout.row(align=True)
        row.prop(state, "loop", toggle=True)
        row.prop(state, "in_place", toggle=True)
        if reason := editing.why_not(scene, body):
            paragraph(layout, reason, width, icon="ERROR")
        self._draw_report(context, layout, body, width)

    @staticmethod
    def _draw_mode(
        context: bpy.types.Context, layout: bpy.types.UILayout, body: bpy.types.Object | None, width: int
    ) -> None:
        scene, state = context.scene, context.scene.understudy_direction
        frame = scene.frame_current
        if state.mode == "NEW":
            row = fields(layout).row(align=True, heading="Start")
            row.prop(state, "use_start", text="")
            value = row.row(align=True)
            value.active = state.use_start
            if scene.understudy.voice != "NONE" or script.performed(scene):
                row.enabled = False
                value.label(text="as script or voice say")
            elif state.use_start:
                value.prop(state, "start", text="")
            else:
                value.label(text="at the current frame")
        elif state.mode == "CONTINUE":
            from_pose = body is not None and not editing.goes_on(body, frame)
            sentence = (
                f"Goes on from the body's pose at frame {frame}."
                if from_pose
                else f"Goes on after frame {frame}. Keys up to it stay."
            )
            paragraph(layout, sentence, width, icon="INFO")
        else:
            row = fields(layout).row(align=True)
            row.prop(state, "first")
            row.operator("understudy.between_keys", text="", icon="KEYFRAME_HLT")
            fields(layout).prop(state, "last")

    @staticmethod
    def _draw_mark(layout: bpy.types.UILayout, thing: bpy.types.Object, width: int) -> None:
        state = thing.understudy_mark
        column = fields(layout)
        column.active = state.use
        if state.kind == "PATH":
            column.prop(state, "timing")
            column.prop(state, "facing")
            if state.timing == "CURVE" and curves.timing_of(thing) is None:
                paragraph(
                    layout,
                    "Key the Evaluation Time of the curve's Path Animation first.",
                    width,
                    icon="ERROR",
                )
        elif state.kind == "PIN":
            column.prop(state, "joint")
            _frame(column, state, "Start")
            column.prop(state, "frame_end")
        elif state.kind == "WAYPOINT":
            _frame(column, state, "Frame")
            column.prop(state, "turn")
        else:
            column.prop(state, "when")
            if state.when == "FRAME":
                _frame(column, state, "Frame")
            column.prop(state, "place")
            layout.operator("understudy.mark_pose", icon="FILE_REFRESH")
        column.prop(state, "body")

    @staticmethod
    def _draw_report(
        context: bpy.types.Context, layout: bpy.types.UILayout, body: bpy.types.Object | None, width: int
    ) -> None:
        """How the take on the body met its marks, the worst first."""
        if body is None or current(body) is None:
            return
        takes = context.scene.understudy_takes
        index = find(takes, body.understudy_preview.take)
        entries = report(takes.items[index].report) if index >= 0 else []
        if not entries:
            return
        box = layout.box()
        missed = sum(error > MISSED for _, _, error in entries)
        told = f"{missed} of {len(entries)} missed" if missed else "All marks are met"
        paragraph(box, told, width - 4, icon="ERROR" if missed else "CHECKMARK")
        column = box.column(align=True)
        rate = scene_rate(context.scene)
        for constraint, time, error in sorted(entries, key=lambda entry: -entry[2])[:_ROWS]:
            row = column.row()
            row.alert = error > MISSED
            frame = round(body.understudy_preview.start + time * rate)
            row.label(text=t(f"{t(words(constraint))}, frame {frame}"))
            value = row.row()
            value.alignment = "RIGHT"
            value.label(text="after the end" if math.isinf(error) else f"{error:.1f} cm")


def _frame(column: bpy.types.UILayout, state: bpy.types.PropertyGroup, label: str) -> None:
    row = column.row(align=True)
    row.prop(state, "frame", text=label)
    row.operator("understudy.mark_frame", text="", icon="TIME")


def report(text: str) -> list[tuple[str, float, float]]:
    """A take's report: constraint, seconds, centimetres (infinite: it lies after the end); empty if unreadable."""
    try:
        entries: Any = json.loads(text or "[]")
        return [
            (
                str(e["constraint"]),
                float(e["time"]),
                math.inf if e["error_cm"] is None else float(e["error_cm"]),
            )
            for e in entries
        ]
    except (ValueError, TypeError, KeyError):
        return []


CLASSES = (UNDERSTUDY_MT_mark_add, UNDERSTUDY_UL_marks, UNDERSTUDY_PT_direction)
