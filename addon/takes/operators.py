"""What can be done with a take: look at it, keep it, throw it away, make it again."""

import json

import bpy
from bpy.props import StringProperty

from ...backend.errors import BadInput, UnderstudyError
from ..body.bodymap import find_body
from ..direction import remembered
from ..perform.properties import recall
from ..process.client import redraw
from ..process.refusing import refuse
from ..process.slices import Sliced, Steps
from ..script import lines as script
from ..translations import t
from . import files as take_files
from . import preview
from .preview import current
from .records import UNDERSTUDY_PG_take, UNDERSTUDY_PG_takes, find, performer, play, playing, select


class _TakeOperator:
    """What the operators on a take have in common: the take they are about, and refusing in a sentence."""

    file: StringProperty(name="Take", description="Empty: the active take", options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not len(context.scene.understudy_takes.items):
            cls.poll_message_set("There are no takes yet: generate one")  # type: ignore[attr-defined]  # of Operator
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        takes = context.scene.understudy_takes
        try:
            self.act(context, takes, find(takes, self.chosen(takes)))  # type: ignore[attr-defined]  # what each adds
        except UnderstudyError as error:
            return refuse(self, error)
        redraw()
        return {"FINISHED"}

    def chosen(self, takes: UNDERSTUDY_PG_takes) -> str:
        """The file of the take that this is about.

        Raises:
            BadInput: there is none.
        """
        index = find(takes, self.file) if self.file else takes.active
        if not 0 <= index < len(takes.items):
            raise BadInput("That take is not in the list any more.", field="take")
        return str(takes.items[index].file)

    def shown(self, context: bpy.types.Context, take: UNDERSTUDY_PG_take) -> bpy.types.Object:
        """The body, with the take previewed on it."""
        body = performer(context)
        if current(body) is None or body.understudy_preview.take != take.file:
            play(context, take)
        return body


class UNDERSTUDY_OT_preview_take(Sliced, _TakeOperator, bpy.types.Operator):
    bl_idname = "understudy.preview_take"
    bl_label = "Preview"
    bl_description = "Show the take on the body. The animation that was there waits"
    bl_options = {"UNDO"}

    def work(self, context: bpy.types.Context) -> Steps[set[str]]:
        takes = context.scene.understudy_takes
        file = self.chosen(takes)
        yield from playing(context, file)
        select(takes, find(takes, file))
        redraw()
        return {"FINISHED"}


class UNDERSTUDY_OT_reject_take(bpy.types.Operator):
    bl_idname = "understudy.reject_take"
    bl_label = "Reject"
    bl_description = "End the preview and bring back the animation that was there. The take stays in the list"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        body = find_body(context)
        if body is None or current(body) is None:
            cls.poll_message_set("No take is previewed")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        body = performer(context)
        shown = current(body)
        name = shown.name if shown is not None else ""
        if preview.stop(context.scene, body):
            self.report({"INFO"}, t(f"“{name}” was edited: it stays in the file as an Action."))
        redraw()
        return {"FINISHED"}


class UNDERSTUDY_OT_accept_take(_TakeOperator, bpy.types.Operator):
    bl_idname = "understudy.accept_take"
    bl_label = "Accept"
    bl_description = "Make the take the body's Action. What was there stays in the file"
    bl_options = {"UNDO"}

    def act(self, context: bpy.types.Context, takes: UNDERSTUDY_PG_takes, index: int) -> None:
        body = self.shown(context, takes.items[index])
        action = preview.accept(context.scene, body)
        self.report({"INFO"}, t(f"“{body.name}” performs “{action.name}”."))


class UNDERSTUDY_OT_push_take(_TakeOperator, bpy.types.Operator):
    bl_idname = "understudy.push_take"
    bl_label = "Push to NLA"
    bl_description = "Put the take on a track of its own in the NLA. The animation that was there returns"
    bl_options = {"REGISTER", "UNDO"}

    track: StringProperty(
        name="Name", description="Of track and strip. Empty: the take's", options={"SKIP_SAVE"}
    )

    def act(self, context: bpy.types.Context, takes: UNDERSTUDY_PG_takes, index: int) -> None:
        take = takes.items[index]
        body = self.shown(context, take)
        track = preview.push(context.scene, body, " ".join(self.track.split()) or take.name)
        self.track = track.name
        playing = body.animation_data.action
        if playing is not None:
            self.report(
                {"INFO"}, t(f"“{track.name}” is in the NLA, below “{playing.name}”, which plays over it.")
            )
        else:
            self.report({"INFO"}, t(f"“{track.name}” is in the NLA."))


class UNDERSTUDY_OT_delete_take(_TakeOperator, bpy.types.Operator):
    bl_idname = "understudy.delete_take"
    bl_label = "Delete Take"
    bl_description = "Remove the take from the list. An Action made of it stays"
    bl_options = {"UNDO"}

    def act(self, context: bpy.types.Context, takes: UNDERSTUDY_PG_takes, index: int) -> None:
        file, active = takes.items[index].file, takes.active
        for body in context.scene.objects:
            if body.type == "ARMATURE" and body.understudy_preview.take == file:
                preview.stop(context.scene, body)
        takes.items.remove(index)
        select(takes, max(min(active - (index < active), len(takes.items) - 1), 0))
        take_files.forget(file)


class UNDERSTUDY_OT_reuse_take(_TakeOperator, bpy.types.Operator):
    bl_idname = "understudy.reuse_take"
    bl_label = "Re-use Settings"
    bl_description = "Set the panel, the script and the marks of Direction to what made this take"
    bl_options = {"UNDO"}

    def act(self, context: bpy.types.Context, takes: UNDERSTUDY_PG_takes, index: int) -> None:
        try:
            values = json.loads(takes.items[index].settings)
            lost = recall(context.scene.understudy, dict(values))
            script.recall(context.scene, values.get("script"))
            lost += remembered.recall(context.scene, values.get("direction"))
        except (ValueError, TypeError, KeyError):
            raise BadInput("The settings of this take cannot be read.", field="take") from None
        if lost:
            listed = ", ".join(lost)
            self.report({"WARNING"}, t(f"Not everything is here any more: {listed}."))


class UNDERSTUDY_OT_star_take(_TakeOperator, bpy.types.Operator):
    bl_idname = "understudy.star_take"
    bl_label = "Star"
    bl_description = "Mark the take as a favourite, or no longer"
    bl_options = {"UNDO"}

    def act(self, context: bpy.types.Context, takes: UNDERSTUDY_PG_takes, index: int) -> None:
        takes.items[index].starred = not takes.items[index].starred


CLASSES = (
    UNDERSTUDY_OT_preview_take,
    UNDERSTUDY_OT_reject_take,
    UNDERSTUDY_OT_accept_take,
    UNDERSTUDY_OT_push_take,
    UNDERSTUDY_OT_delete_take,
    UNDERSTUDY_OT_reuse_take,
    UNDERSTUDY_OT_star_take,
)
