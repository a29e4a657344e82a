"""Generate and Cancel: a job for the backend, and its clip keyed on the body when it arrives."""

from dataclasses import dataclass
from typing import Any

import bpy
from bpy.props import FloatProperty, IntProperty, StringProperty

from ..backend.errors import BadInput, Cancelled, UnderstudyError
from . import client, preferences
from .bodymap import BodyMap, find_body, why_not_editable
from .client import backend
from .keying import extend_scene, key_clip, scene_rate
from .properties import MAX_PROMPT, MAX_SEED, SECONDS


@dataclass(frozen=True)
class Order:
    """What to perform, where and from when. IDs are kept by number: undo replaces the objects."""

    params: dict[str, Any]
    body: int
    scene: int
    start_frame: int

    def find(self) -> tuple[bpy.types.Object, bpy.types.Scene]:
        """The body and its scene as they are now.

        Raises:
            BadInput: one was deleted in the meantime.
        """
        scene = next((s for s in bpy.data.scenes if s.session_uid == self.scene), None)
        body = None if scene is None else next((o for o in scene.objects if o.session_uid == self.body), None)
        if scene is None or body is None:
            raise BadInput("The body was deleted while its motion was generated.", field="body")
        return body, scene


def why_not(context: bpy.types.Context) -> str:
    """Why Generate cannot be pressed now, in one short sentence; empty when it can (cheap, for draw)."""
    if backend.busy:
        return "A generation is under way."
    body = find_body(context)
    if body is None:
        gone = context.scene.understudy.body
        if gone is not None:
            return f"“{gone.name}” is not in this scene. Choose another body."
        return "Add a body, or select a SMPL-X armature."
    if body.mode == "EDIT":
        return "Leave Edit Mode first."
    if not context.scene.understudy.prompt.strip():
        return "Write what the character does."
    return ""


def take_order(
    context: bpy.types.Context,
    *,
    prompt: str | None = None,
    seconds: float | None = None,
    seed: int | None = None,
) -> Order:
    """Check the panel's settings, or what a script gives instead.

    Raises:
        BadInput: with one sentence on the first thing that is wrong.
    """
    settings = context.scene.understudy
    body = find_body(context)
    if body is None:
        raise BadInput("There is no body to perform. Add a body, or select a SMPL-X armature.", field="body")
    BodyMap.of(body)
    reason = why_not_editable(body)
    if reason:
        raise BadInput(reason, field="body")
    text = " ".join((settings.prompt if prompt is None else prompt).split())
    if not text:
        raise BadInput("The prompt is empty.", hint="Say what the character does.", field="prompt")
    if len(text) > MAX_PROMPT:
        raise BadInput(f"The prompt is longer than {MAX_PROMPT} characters.", field="prompt")
    if seconds is None and settings.use_seconds:
        seconds = settings.seconds
    if seconds is not None and not SECONDS[0] <= seconds <= SECONDS[1]:
        raise BadInput(
            f"Seconds must be between {SECONDS[0]:g} and {SECONDS[1]:g}, not {seconds:g}.", field="seconds"
        )
    params = {
        "prompt": text,
        # Blender's floats are float32: 6.1 would come out as 6.0999999.
        "seconds": None if seconds is None else round(seconds, 4),
        "seed": settings.seed if seed is None else seed,
        "pack": settings.pack or "open",
        "device": preferences.get().device,
    }
    return Order(params, body.session_uid, context.scene.session_uid, context.scene.frame_current)


def deliver(order: Order, job: client.Job) -> bpy.types.Action:
    """Key the finished job's clip.

    Raises:
        UnderstudyError: nothing has changed then.
    """
    body, scene = order.find()
    clip = job.clips[0]
    action = key_clip(
        body,
        clip,
        name=order.params["prompt"],
        start_frame=order.start_frame,
        scene_fps=scene_rate(scene),
    )
    extend_scene(scene, action)
    backend.news = f"{clip.seconds:.1f} s of motion in {job.took:.1f} s"
    backend.warning = " ".join(job.warnings)
    return action


class UNDERSTUDY_OT_generate(bpy.types.Operator):
    bl_idname = "understudy.generate"
    bl_label = "Generate"
    bl_description = "Perform the prompt, starting at the current frame"
    bl_options = {"UNDO"}

    # For scripts: what is left out comes from the panel.
    prompt: StringProperty(name="Prompt", maxlen=4 * MAX_PROMPT, options={"SKIP_SAVE"})
    seconds: FloatProperty(
        name="Seconds", description="0: as the panel says", default=0.0, min=0.0, options={"SKIP_SAVE"}
    )
    seed: IntProperty(name="Seed", min=0, max=MAX_SEED, options={"SKIP_SAVE"})

    _timer = None
    _order: Order | None = None
    _job: client.Job | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if backend.busy:
            cls.poll_message_set("A generation is under way")
            return False
        return context.scene is not None

    def _take_order(self, context: bpy.types.Context) -> Order:
        given = self.properties.is_property_set
        return take_order(
            context,
            prompt=self.prompt if given("prompt") else None,
            seconds=self.seconds if given("seconds") and self.seconds else None,
            seed=self.seed if given("seed") else None,
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            order = self._take_order(context)
            job = backend.submit(order.params)
            backend.wait(job)
            action = deliver(order, job)
        except UnderstudyError as error:
            return refuse(self, error)
        self.report({"INFO"}, f"Keyed “{action.name}”: {backend.news}.")
        if backend.warning:
            self.report({"WARNING"}, backend.warning)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        try:
            self._order = self._take_order(context)
            self._job = backend.submit(self._order.params)
        except UnderstudyError as error:
            return refuse(self, error)
        self._timer = Timer.add(context)
        context.window_manager.modal_handler_add(self)
        client.redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        assert self._job is not None and self._order is not None
        backend.poll()
        client.refresh()
        if self._job.state == "running":
            return {"PASS_THROUGH"}
        Timer.remove(self._timer)
        if self._job.state == "cancelled":
            self.report({"INFO"}, "Cancelled.")
            return {"CANCELLED"}
        try:
            if self._job.error is not None:
                raise self._job.error
            deliver(self._order, self._job)
        except UnderstudyError as error:
            return refuse(self, error)
        if backend.warning:
            self.report({"WARNING"}, backend.warning)
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: the window closes or another file is loaded."""
        Timer.remove(self._timer)
        backend.cancel()


def refuse(operator: bpy.types.Operator, error: UnderstudyError) -> set[str]:
    """Report an error as a sentence, keep it for the panel, and end the operator without an undo step."""
    if isinstance(error, Cancelled):
        operator.report({"INFO"}, error.message)
        return {"CANCELLED"}
    backend.error = error
    operator.report({"ERROR"}, f"{error.message} {error.hint}".strip())
    client.redraw()
    return {"CANCELLED"}


class Timer:
    """The window timers of running operators: Blender does not remove those of a class that goes."""

    _alive: list[Any] = []

    @classmethod
    def add(cls, context: bpy.types.Context) -> Any:
        timer = context.window_manager.event_timer_add(client.POLL_INTERVAL, window=context.window)
        cls._alive.append(timer)
        return timer

    @classmethod
    def remove(cls, timer: Any) -> None:
        if timer in cls._alive:
            cls._alive.remove(timer)
            bpy.context.window_manager.event_timer_remove(timer)

    @classmethod
    def clear(cls) -> None:
        for timer in list(cls._alive):
            cls.remove(timer)


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


CLASSES = (UNDERSTUDY_OT_generate, UNDERSTUDY_OT_cancel)


def unregister() -> None:
    Timer.clear()
