"""Generate and Cancel: a job for the backend, and its clip keyed on the body when it arrives."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
from bpy.props import FloatProperty, IntProperty, StringProperty

from ..backend.errors import BadInput, Cancelled, UnderstudyError
from . import client, preferences, sound, takes
from .bodymap import BodyMap, find_body, why_not_editable
from .client import backend
from .properties import MAX_PROMPT, MAX_SEED, SAMPLES, SECONDS, remember
from .style import chosen


@dataclass(frozen=True)
class Order:
    """What to perform, where and from when. IDs are kept by number: undo replaces the objects."""

    params: dict[str, Any]
    body: int
    scene: int
    start_frame: int
    voice: sound.Voice | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What takes and Actions are called: the prompt, else the recording."""
        if self.params["prompt"]:
            return str(self.params["prompt"])
        return Path(self.voice.path).stem if self.voice is not None else "Understudy"

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
    settings = context.scene.understudy
    body = find_body(context)
    if body is None:
        gone = settings.body
        if gone is not None:
            return f"“{gone.name}” is not in this scene. Choose another body."
        return "Add a body, or select a SMPL-X armature."
    if body.mode == "EDIT":
        return "Leave Edit Mode first."
    if settings.voice == "FILE" and not settings.speech_file:
        return "Choose a sound file in Speech, or no voice."
    if settings.voice == "STRIP" and not sound.strip_name(settings):
        return "Add a sound strip to the sequencer, or choose no voice."
    if settings.voice == "NONE" and not settings.prompt.strip():
        return "Write what the character does."
    return ""


def take_order(
    context: bpy.types.Context,
    *,
    prompt: str | None = None,
    seconds: float | None = None,
    seed: int | None = None,
    samples: int | None = None,
    speech: str | None = None,
) -> Order:
    """Check the panel's settings, or what a script gives instead.

    Args:
        context: with the scene.
        prompt: what is done.
        seconds: how long; a voice decides that itself.
        seed: for the random numbers.
        samples: how many variations.
        speech: a sound file instead of the panel's voice.

    Raises:
        BadInput: with one sentence on the first thing that is wrong.
    """
    scene, settings = context.scene, context.scene.understudy
    body = find_body(context)
    if body is None:
        raise BadInput("There is no body to perform. Add a body, or select a SMPL-X armature.", field="body")
    BodyMap.of(body)
    reason = why_not_editable(body)
    if reason:
        raise BadInput(reason, field="body")
    kept = remember(settings)
    for key, value in (("prompt", prompt), ("seed", seed), ("samples", samples)):
        if value is not None:
            kept[key] = value
    if seconds is not None:
        kept["use_seconds"], kept["seconds"] = True, round(seconds, 4)
    if speech is not None:
        kept["voice"], kept["speech_file"] = "FILE", speech
    voice = _voice(scene, settings, kept)
    texts = {half: _text(kept[half], half) for half in ("prompt", "upper", "lower")}
    if not texts["prompt"] and voice is None:
        raise BadInput("The prompt is empty.", hint="Say what the character does.", field="prompt")
    length = kept["seconds"] if kept["use_seconds"] and voice is None else None
    if length is not None and not SECONDS[0] <= length <= SECONDS[1]:
        raise BadInput(
            f"Seconds must be between {SECONDS[0]:g} and {SECONDS[1]:g}, not {length:g}.", field="seconds"
        )
    params = {
        "prompt": texts["prompt"] or None,
        "seconds": length,
        "seed": kept["seed"],
        "samples": kept["samples"],
        "pack": kept["pack"] or "open",
        "device": preferences.get().device,
    }
    # What is not asked for is not sent: an older backend then has nothing to stumble over.
    params |= {half: texts[half] for half in ("upper", "lower") if texts[half]}
    params |= {name: kept[name] for name in ("steps", "guidance") if kept[f"use_{name}"]}
    if style := chosen(settings):
        params["style"] = style
    if voice is not None:
        params["speech"] = voice.path
    start = scene.frame_current if voice is None else voice.start_frame
    return Order(params, body.session_uid, scene.session_uid, start, voice, kept)


def _text(text: str, field: str) -> str:
    """A prompt as one line."""
    line = " ".join(text.split())
    if len(line) > MAX_PROMPT:
        name = "prompt" if field == "prompt" else f"prompt of the {field} body"
        raise BadInput(f"The {name} is longer than {MAX_PROMPT} characters.", field=field)
    return line


def _voice(
    scene: bpy.types.Scene, settings: bpy.types.PropertyGroup, kept: dict[str, Any]
) -> sound.Voice | None:
    if kept["voice"] == "FILE":
        return sound.voice_of_file(kept["speech_file"], scene.frame_current, place=kept["place_sound"])
    if kept["voice"] == "STRIP":
        return sound.voice_of_strip(scene, sound.strip_name(settings))
    return None


def deliver(order: Order, job: client.Job) -> bpy.types.Action:
    """List the finished job's clips as takes and preview the first.

    Raises:
        UnderstudyError: nothing has changed then.
    """
    body, scene = order.find()
    BodyMap.of(body)
    reason = why_not_editable(body)
    if reason:
        raise BadInput(reason, field="body")
    voice = order.voice
    clips = job.clips if voice is None else [voice.cut(clip) for clip in job.clips]
    cut = any(clip is not whole for clip, whole in zip(clips, job.clips, strict=True))
    files, trouble = takes.store(job, clips, changed=cut)
    backend.warning = " ".join([*job.warnings, *([trouble] if trouble else [])])
    action = takes.add(
        scene,
        body,
        clips,
        files,
        name=order.name,
        start=order.start_frame,
        settings=order.settings,
        voice=voice,
    )
    several = f" in each of {len(clips)} takes" if len(clips) > 1 else ""
    backend.news = f"{clips[0].seconds:.1f} s of motion{several} in {job.took:.1f} s"
    return action


class UNDERSTUDY_OT_generate(bpy.types.Operator):
    bl_idname = "understudy.generate"
    bl_label = "Generate"
    bl_description = "Perform the prompt or the voice. Each motion becomes a take, the first is previewed"
    bl_options = {"UNDO"}

    # For scripts: what is left out comes from the panel.
    prompt: StringProperty(name="Prompt", maxlen=4 * MAX_PROMPT, options={"SKIP_SAVE"})
    seconds: FloatProperty(
        name="Seconds", description="0: as the panel says", default=0.0, min=0.0, options={"SKIP_SAVE"}
    )
    seed: IntProperty(name="Seed", min=0, max=MAX_SEED, options={"SKIP_SAVE"})
    samples: IntProperty(name="Variations", default=1, min=SAMPLES[0], max=SAMPLES[1], options={"SKIP_SAVE"})
    speech: StringProperty(name="Speech", description="A sound file that is spoken", options={"SKIP_SAVE"})

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
            samples=self.samples if given("samples") else None,
            speech=self.speech if given("speech") else None,
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
