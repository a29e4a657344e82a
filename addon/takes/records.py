"""Takes: every generated clip in a list of the .blend, with its file in the user's folder."""

import json
import uuid
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ...backend.errors import BadInput, UnderstudyError
from ...backend.motion.clip import Clip
from ..body.bodymap import find_body
from ..perform import sound
from ..process.client import Job, backend, redraw
from ..process.slices import Steps, Work, show_soon
from ..translations import t
from . import files as take_files
from . import preview
from .preview import current


def _clicked(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """A click on a row previews it; what goes wrong is shown in the panel, a property cannot report."""
    if self.quiet or not 0 <= self.active < len(self.items):
        return
    try:
        show_soon(playing(context, self.items[self.active].file), t("Preview"))
    except UnderstudyError as error:
        backend.error = error
        redraw()


class UNDERSTUDY_PG_take(bpy.types.PropertyGroup):
    name: StringProperty(name="Name", description="What the take is called, and the Action made of it")
    file: StringProperty(description="Its clip in the user's folder of takes")
    seconds: FloatProperty(description="Its length")
    seed: IntProperty()
    sample: IntProperty(description="Which of its variations, from 0")
    samples: IntProperty(description="How many there were")
    pack: StringProperty()
    licence: StringProperty()
    start: IntProperty(description="The scene frame of its first pose")
    speech: StringProperty(description="The sound file that it goes with, where it brings its own")
    offset: FloatProperty(description="Seconds of that sound file that are left out at its beginning")
    settings: StringProperty(description="What the panel said, JSON")
    report: StringProperty(description="How the marks were met, JSON: constraint, time, error_cm")
    base: StringProperty(description="Digest of the Action whose keys stay; empty: all of it is new")
    first: IntProperty(description="The last frame that stays")
    last: IntProperty(description="The frame from which on all stays")
    open_end: BoolProperty(description="Whether nothing follows the new part")
    starred: BoolProperty(name="Star", description="A favourite", default=False)


class UNDERSTUDY_PG_takes(bpy.types.PropertyGroup):
    items: CollectionProperty(type=UNDERSTUDY_PG_take)
    active: IntProperty(name="Take", description="Click a take to see it on the body", update=_clicked)
    only_starred: BoolProperty(
        name="Only Stars", description="Show only the takes with a star", default=False
    )
    a: StringProperty(description="The first of two takes that are compared")
    b: StringProperty(description="The second")
    quiet: BoolProperty(options={"SKIP_SAVE"})


def select(takes: UNDERSTUDY_PG_takes, index: int) -> None:
    """Make a row the active one without previewing it."""
    takes.quiet = True
    try:
        takes.active = index
    finally:
        takes.quiet = False


def find(takes: UNDERSTUDY_PG_takes, file: str) -> int:
    """The row of a take; -1 if there is none."""
    return next((i for i, take in enumerate(takes.items) if take.file == file), -1)


def add(
    scene: bpy.types.Scene,
    body: bpy.types.Object,
    clips: list[Clip],
    files: list[str],
    *,
    name: str,
    start: int,
    settings: dict[str, Any],
    voice: sound.Voice | None,
    span: preview.Span | None = None,
) -> bpy.types.Action:
    """Preview the first of some clips and list them all, the newest on top.

    Args:
        scene: whose list it is.
        body: who performs.
        clips: the variations.
        files: their names in the folder of takes.
        name: for the takes and the Action.
        start: the scene frame of the first pose.
        settings: the panel's, as :func:`..takes.properties.remember` gives them.
        voice: what they go with.
        span: what is new of them, where keys of the body's Action are to stay.

    Raises:
        BadInput: the body cannot be keyed; nothing has changed then.
    """
    steps = adding(
        scene, body, clips, files, name=name, start=start, settings=settings, voice=voice, span=span
    )
    return Work(steps).finish()


def adding(
    scene: bpy.types.Scene,
    body: bpy.types.Object,
    clips: list[Clip],
    files: list[str],
    *,
    name: str,
    start: int,
    settings: dict[str, Any],
    voice: sound.Voice | None,
    span: preview.Span | None = None,
) -> Steps[bpy.types.Action]:
    """:func:`add` in slices; the list is as it was until the last of them."""
    action = yield from preview.showing(
        scene, body, clips[0], take=files[0], name=name, start=start, span=span
    )
    takes = scene.understudy_takes
    for i in reversed(range(len(clips))):
        takes.items.add()
        takes.items.move(len(takes.items) - 1, 0)
        take = takes.items[0]
        meta = clips[i].meta
        take.name, take.file, take.seconds, take.start = name, files[i], clips[i].seconds, start
        take.seed, take.sample, take.samples = int(settings.get("seed", 0)), i, len(clips)
        take.pack, take.licence = str(meta.get("pack", "")), str(meta.get("licence", ""))
        take.speech = voice.path if voice is not None and voice.place else ""
        take.offset = voice.offset if voice is not None and voice.place else 0.0
        take.settings = json.dumps(settings, ensure_ascii=False)
        report = meta.get("direction")
        take.report = json.dumps(report) if isinstance(report, list) and report else ""
        if span is not None:
            take.base, take.first, take.last = span.base, span.first, span.last or 0
            take.open_end = span.last is None
    select(takes, 0)
    _voice(scene, body, takes.items[0], action)
    return action


def play(context: bpy.types.Context, take: UNDERSTUDY_PG_take) -> bpy.types.Action:
    """Preview a take on the body, from where the present preview starts, or from where it was made.

    Raises:
        BadInput: there is no body, or the clip is gone; nothing has changed then.
    """
    return Work(playing(context, take.file)).finish()


def playing(context: bpy.types.Context, file: str) -> Steps[bpy.types.Action]:
    """:func:`play` in slices, of the take with a file."""
    scene, body = context.scene, performer(context)
    takes = scene.understudy_takes
    take = takes.items[find(takes, file)]
    clip = take_files.load(file, take.name)
    fixed = bool(take.speech or take.base)
    start = body.understudy_preview.start if current(body) is not None and not fixed else take.start
    last = None if take.open_end else take.last
    span = preview.Span(take.first, last, take.base) if take.base else None
    action = yield from preview.showing(scene, body, clip, take=file, name=take.name, start=start, span=span)
    take = _still(takes, file)
    if span is not None and not body.understudy_preview.spliced:
        backend.warning = "The animation that this take was made in is not there: all of it is keyed."
    _voice(scene, body, take, action)
    redraw()
    return action


def _still(takes: UNDERSTUDY_PG_takes, file: str) -> UNDERSTUDY_PG_take:
    """A take that was in the list before the window had its turn."""
    index = find(takes, file)
    if index < 0:
        raise BadInput("That take is not in the list any more.", field="take")
    return takes.items[index]


def _voice(
    scene: bpy.types.Scene, body: bpy.types.Object, take: UNDERSTUDY_PG_take, action: bpy.types.Action
) -> None:
    """The sound that goes with a take, in sync with its Action; that of the take before goes."""
    sound.remove(scene, body)
    if not take.speech:
        return
    first, last = action.frame_range
    refusal = sound.place(scene, body, take.speech, round(first), round(last - first) + 1, take.offset)
    if refusal:
        backend.warning = f"{backend.warning} {refusal}".strip()


def performer(context: bpy.types.Context) -> bpy.types.Object:
    """The body that takes are shown on.

    Raises:
        BadInput: there is none.
    """
    body = find_body(context)
    if body is None:
        raise BadInput(
            "There is no body to show the take on.", hint="Add a body, or select one.", field="body"
        )
    return body


def store(job: Job, clips: list[Clip], *, changed: bool) -> tuple[list[str], str]:
    """Write a job's clips as takes' files.

    Args:
        job: that made them.
        clips: its clips as they are to be kept.
        changed: whether they are other than what the backend sent.

    Returns:
        Their names, and why the files could not be written, empty if they could.
    """
    names: list[str] = []
    for i, clip in enumerate(clips):
        try:
            names.append(take_files.store(clip, None if changed else job.files[i]))
        except UnderstudyError as error:
            unstored = [f"unstored-{uuid.uuid4().hex}.npz" for _ in clips]
            take_files.missing.update(unstored)
            return unstored, f"{error.message} {error.hint}"
    return names, ""


@bpy.app.handlers.persistent
def _after_load(*_: Any) -> None:
    take_files.look(take_files.names_in_file())


@bpy.app.handlers.persistent
def _after_save(*_: Any) -> None:
    take_files.note_saved(take_files.names_in_file())


@bpy.app.handlers.persistent
def _before_load(*_: Any) -> None:
    take_files.clear_deleted(take_files.names_in_file())


_HANDLERS = (("load_post", _after_load), ("save_post", _after_save), ("load_pre", _before_load))

CLASSES = (
    UNDERSTUDY_PG_take,
    UNDERSTUDY_PG_takes,
)


def register() -> None:
    bpy.types.Scene.understudy_takes = PointerProperty(type=UNDERSTUDY_PG_takes)
    for event, handler in _HANDLERS:
        getattr(bpy.app.handlers, event).append(handler)


def unregister() -> None:
    take_files.clear_deleted(take_files.names_in_file())
    for event, handler in _HANDLERS:
        handlers = getattr(bpy.app.handlers, event)
        if handler in handlers:
            handlers.remove(handler)
    del bpy.types.Scene.understudy_takes
