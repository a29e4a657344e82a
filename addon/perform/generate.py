"""Generate and Cancel: a job for the backend, and its clip keyed on the body when it arrives."""

import math
from typing import Any

import bpy
from bpy.props import FloatProperty, IntProperty, StringProperty

from ...backend.errors import BadInput, UnderstudyError
from ..body.bodymap import BodyMap, find_body, why_not_editable
from ..direction.editing import why_no_line
from ..direction.gather import in_frames
from ..keying.keying import scene_rate
from ..process import client
from ..process.client import backend
from ..process.refusing import refuse
from ..process.slices import FIRST, PAUSE, Steps, Timer, Work
from ..takes import preview
from ..takes import records as takes
from ..translations import CONTEXT, t
from .orders import Order, line_order, take_order, why_not
from .properties import MAX_PROMPT, MAX_SEED, SAMPLES

__all__ = ["Order", "deliver", "refuse", "take_order", "why_not"]


def deliver(order: Order, job: client.Job) -> bpy.types.Action:
    """List the finished job's clips as takes and preview the first.

    Raises:
        UnderstudyError: nothing has changed then.
    """
    return Work(delivering(order, job)).finish()


def delivering(order: Order, job: client.Job) -> Steps[bpy.types.Action]:
    """:func:`deliver` in slices."""
    body, scene = order.find()
    BodyMap.of(body)
    reason = why_not_editable(body)
    if reason:
        raise BadInput(reason, field="body")
    voice = order.voice
    clips = job.clips if voice is None else [voice.cut(clip) for clip in job.clips]
    if order.edit is not None:
        clips = [order.edit.finish(clip) for clip in clips]
    cut = any(clip is not whole for clip, whole in zip(clips, job.clips, strict=True))
    files, trouble = takes.store(job, clips, changed=cut)
    warnings = [in_frames(text, order.start_frame, scene_rate(scene)) for text in job.warnings]
    backend.warning = " ".join([*warnings, *order.notes, *([trouble] if trouble else [])])
    action = yield from takes.adding(
        scene,
        body,
        clips,
        files,
        name=order.name,
        start=order.start_frame,
        settings=order.settings,
        voice=voice,
        span=_span(order),
    )
    seconds, took = f"{clips[0].seconds:.1f}", f"{job.took:.1f}"
    backend.news = (
        t("{seconds} s of motion in {took} s", seconds=seconds, took=took)
        if len(clips) == 1
        else t(
            "{seconds} s of motion in each of {count} takes in {took} s",
            seconds=seconds,
            count=len(clips),
            took=took,
        )
    )
    return action


def _span(order: Order) -> preview.Span | None:
    """Which keys of the Action that an edit was made from are replaced, in whole frames."""
    edit = order.edit
    if edit is None or not edit.base:
        return None
    last = None if edit.last is None else math.ceil(edit.last - 1e-3)
    return preview.Span(math.floor(edit.first + 1e-3), last, edit.base)


class _Generation:
    """What the operators share that generate: blocking for scripts, modal in a window."""

    bl_options = {"UNDO"}

    _timer = None
    _order: Order | None = None
    _job: client.Job | None = None
    _delivery: Work[bpy.types.Action] | None = None

    @classmethod
    def poll(cls: Any, context: bpy.types.Context) -> bool:
        if backend.busy:
            cls.poll_message_set("A generation is under way")
            return False
        return context.scene is not None

    def execute(self: Any, context: bpy.types.Context) -> set[str]:
        try:
            order = self.take_order(context)
            job = backend.submit(order.params)
            backend.wait(job)
            action = deliver(order, job)
        except UnderstudyError as error:
            return refuse(self, error)
        self.report({"INFO"}, t(f"Keyed “{action.name}”: {backend.news}."))
        if backend.warning:
            self.report({"WARNING"}, t(backend.warning))
        return {"FINISHED"}

    def invoke(self: Any, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            self._order = self.take_order(context)
            self._job = backend.submit(self._order.params)
        except UnderstudyError as error:
            return refuse(self, error)
        self._timer = Timer.add(context)
        context.window_manager.modal_handler_add(self)
        client.redraw()
        return {"RUNNING_MODAL"}

    def modal(self: Any, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        assert self._job is not None and self._order is not None
        backend.poll()
        client.refresh()
        if self._job.state == "running":
            return {"PASS_THROUGH"}
        if self._job.state == "cancelled":
            Timer.remove(self._timer)
            self.report({"INFO"}, t("Cancelled."))
            return {"CANCELLED"}
        try:
            if self._job.error is not None:
                raise self._job.error
            if self._delivery is None or self._delivery.closed:  # an undo in between: once more
                self._delivery = Work(delivering(self._order, self._job))
            if not self._delivery.advance(FIRST):
                Timer.remove(self._timer)
                self._timer = Timer.add(context, PAUSE)
                return {"PASS_THROUGH"}
        except UnderstudyError as error:
            Timer.remove(self._timer)
            return refuse(self, error)
        Timer.remove(self._timer)
        client.redraw()
        if backend.warning:
            self.report({"WARNING"}, t(backend.warning))
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: the window closes or another file is loaded."""
        Timer.remove(self._timer)
        if self._delivery is not None:
            self._delivery.close()
        backend.cancel()


class UNDERSTUDY_OT_generate(_Generation, bpy.types.Operator):
    bl_idname = "understudy.generate"
    bl_label = "Generate"
    bl_description = (
        "Perform the prompt, the script or the voice. Each motion becomes a take, the first is previewed"
    )

    # For scripts: what is left out comes from the panel.
    prompt: StringProperty(name="Prompt", maxlen=4 * MAX_PROMPT, options={"SKIP_SAVE"})
    seconds: FloatProperty(
        name="Seconds", description="0: as the panel says", default=0.0, min=0.0, options={"SKIP_SAVE"}
    )
    seed: IntProperty(name="Seed", min=0, max=MAX_SEED, options={"SKIP_SAVE"})
    samples: IntProperty(name="Variations", default=1, min=SAMPLES[0], max=SAMPLES[1], options={"SKIP_SAVE"})
    speech: StringProperty(name="Speech", description="A sound file that is spoken", options={"SKIP_SAVE"})

    def take_order(self, context: bpy.types.Context) -> Order:
        given = self.properties.is_property_set
        return take_order(
            context,
            prompt=self.prompt if given("prompt") else None,
            seconds=self.seconds if given("seconds") and self.seconds else None,
            seed=self.seed if given("seed") else None,
            samples=self.samples if given("samples") else None,
            speech=self.speech if given("speech") else None,
        )


class UNDERSTUDY_OT_generate_line(_Generation, bpy.types.Operator):
    bl_idname = "understudy.generate_line"
    bl_label = "Generate Line Anew"
    bl_description = "Perform this line again with its seed, in the motion on the body. Its neighbours stay"

    index: IntProperty(name="Line", default=-1, options={"HIDDEN", "SKIP_SAVE"}, translation_context=CONTEXT)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        script = context.scene.understudy_script
        reason = why_no_line(context.scene, find_body(context), script.active)
        if reason:
            cls.poll_message_set(reason.rstrip("."))
        return not reason

    def take_order(self, context: bpy.types.Context) -> Order:
        index = self.index if self.index >= 0 else context.scene.understudy_script.active
        return line_order(context, index)


class UNDERSTUDY_OT_cancel(bpy.types.Operator):
    bl_idname = "understudy.cancel"
    bl_label = "Cancel"
    bl_description = "Stop the generation. Nothing changes in the scene"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not backend.busy:
            cls.poll_message_set("Nothing is being generated")
        return backend.busy

    def execute(self, context: bpy.types.Context) -> set[str]:
        backend.cancel()
        client.redraw()
        return {"FINISHED"}


CLASSES = (UNDERSTUDY_OT_generate, UNDERSTUDY_OT_generate_line, UNDERSTUDY_OT_cancel)
