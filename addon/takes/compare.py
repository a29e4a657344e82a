"""A/B: two takes that are flipped back and forth on the body, at the same frames."""

import bpy
from bpy.props import EnumProperty

from ...backend.errors import BadInput, UnderstudyError
from ..body.bodymap import find_body
from ..process.client import redraw
from ..process.refusing import refuse
from .preview import current
from .records import find, play, select


def compared(takes: bpy.types.PropertyGroup) -> tuple[int, int]:
    """The rows of the two takes; -1 where one is not chosen, or not there any more (cheap, for draw)."""
    a, b = (find(takes, file) if file else -1 for file in (takes.a, takes.b))
    return a, b


def _shown(context: bpy.types.Context) -> str:
    body = find_body(context)
    return body.understudy_preview.take if body is not None and current(body) is not None else ""


class _Compares:
    """An operator that needs two takes."""

    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if len(context.scene.understudy_takes.items) < 2:
            cls.poll_message_set("There must be two takes to compare")  # type: ignore[attr-defined]  # of Operator
            return False
        return True


class UNDERSTUDY_OT_set_compared(_Compares, bpy.types.Operator):
    bl_idname = "understudy.set_compared"
    bl_label = "Compare This Take"
    bl_description = "Let the chosen take be this one of the two that are compared"

    slot: EnumProperty(items=[("a", "A", ""), ("b", "B", "")], options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        takes = context.scene.understudy_takes
        if not 0 <= takes.active < len(takes.items):
            return {"CANCELLED"}
        setattr(takes, self.slot, takes.items[takes.active].file)
        redraw()
        return {"FINISHED"}


class UNDERSTUDY_OT_show_compared(_Compares, bpy.types.Operator):
    bl_idname = "understudy.show_compared"
    bl_label = "Show"
    bl_description = "Show this take on the body"

    slot: EnumProperty(items=[("a", "A", ""), ("b", "B", "")], options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        return _show(self, context, "ab".index(self.slot))


class UNDERSTUDY_OT_swap_compared(_Compares, bpy.types.Operator):
    bl_idname = "understudy.swap_compared"
    bl_label = "A/B"
    bl_description = "Flip between the two takes. Without a choice it is the one on the body and the one below it in the list"

    def execute(self, context: bpy.types.Context) -> set[str]:
        takes = context.scene.understudy_takes
        if -1 in compared(takes) or takes.a == takes.b:
            shown = find(takes, _shown(context))
            first = shown if shown >= 0 else min(takes.active, len(takes.items) - 1)
            second = first + 1 if first + 1 < len(takes.items) else first - 1
            takes.a, takes.b = takes.items[first].file, takes.items[second].file
        return _show(self, context, 1 if _shown(context) == takes.a else 0)


def _show(operator: bpy.types.Operator, context: bpy.types.Context, which: int) -> set[str]:
    takes = context.scene.understudy_takes
    index = compared(takes)[which]
    try:
        if index < 0:
            raise BadInput("That take is not in the list any more.", hint="Pin another.", field="take")
        play(context, takes.items[index])
    except UnderstudyError as error:
        return refuse(operator, error)
    select(takes, index)
    return {"FINISHED"}


CLASSES = (UNDERSTUDY_OT_set_compared, UNDERSTUDY_OT_show_compared, UNDERSTUDY_OT_swap_compared)
