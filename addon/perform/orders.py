"""What is asked of the backend: the panel's settings, the script and the direction, checked and put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ...backend.errors import BadInput
from ..body.bodymap import BodyMap, find_body, why_not_editable
from ..direction import editing, remembered
from ..direction.directing import check_length, directed
from ..direction.world import ClipWorld
from ..preferences import settings as preferences
from ..process.client import backend
from ..script import lines as script
from . import sound
from .properties import MAX_PROMPT, remember
from .style import chosen


@dataclass(frozen=True)
class Order:
    """What to perform, where and from when. IDs are kept by number: undo replaces the objects.

    Attributes:
        params: of the request.
        body: who performs.
        scene: where.
        start_frame: of the clip's first pose.
        voice: what it goes with.
        settings: that made it, for the take.
        edit: what stays of the body's animation, where only a part is new.
        notes: what the animator should know, in sentences.
    """

    params: dict[str, Any]
    body: int
    scene: int
    start_frame: int
    voice: sound.Voice | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    edit: editing.Edit | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What takes and Actions are called: the prompt, the script's, else the recording."""
        if lines := self.params.get("script"):
            return ", ".join(line["prompt"] for line in lines)
        if self.params.get("prompt"):
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
    scene, settings = context.scene, context.scene.understudy
    body = find_body(context)
    if body is None:
        gone = settings.body
        if gone is not None:
            return f"“{gone.name}” is not in this scene. Choose another body."
        return "Add a body, or select a SMPL-X armature."
    if body.mode == "EDIT":
        return "Leave Edit Mode first."
    direction = scene.understudy_direction
    making = direction.mode if direction.use else "NEW"
    if reason := editing.why_not(scene, body):
        return reason
    if script.performed(scene):
        if making != "NEW":
            return "The script makes a new motion. Choose New Motion in Direction, or switch the script off."
        if settings.voice != "NONE":
            return "The script has no voice. Choose no voice in Speech, or switch the script off."
        return script.why_not(scene)
    if settings.voice == "FILE" and not settings.speech_file:
        return "Choose a sound file in Speech, or no voice."
    if settings.voice == "STRIP" and not sound.strip_name(settings):
        return "Add a sound strip to the sequencer, or choose no voice."
    if settings.voice == "NONE" and not settings.prompt.strip():
        return "Write what the character does."
    return ""


def performing_body(context: bpy.types.Context) -> bpy.types.Object:
    """The body, ready to be keyed.

    Raises:
        BadInput: there is none, or it cannot be keyed now.
    """
    body = find_body(context)
    if body is None:
        raise BadInput("There is no body to perform. Add a body, or select a SMPL-X armature.", field="body")
    BodyMap.of(body)
    reason = why_not_editable(body)
    if reason:
        raise BadInput(reason, field="body")
    return body


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
        prompt: what is done; the panel's list of lines then does not count.
        seconds: how long; a voice decides that itself.
        seed: for the random numbers.
        samples: how many variations.
        speech: a sound file instead of the panel's voice.

    Raises:
        BadInput: with one sentence on the first thing that is wrong.
    """
    scene, settings = context.scene, context.scene.understudy
    body = performing_body(context)
    kept = remember(settings)
    for key, value in (("prompt", prompt), ("seed", seed), ("samples", samples)):
        if value is not None:
            kept[key] = value
    if seconds is not None:
        kept["use_seconds"], kept["seconds"] = True, round(seconds, 4)
    if speech is not None:
        kept["voice"], kept["speech_file"], kept["speech_offset"] = "FILE", speech, 0.0
        kept["transcript"] = kept["transcript_file"] = ""
    lines = script.performed(scene) and prompt is None and speech is None
    voice = _voice(scene, settings, kept)
    params: dict[str, Any] = {
        "seed": kept["seed"],
        "samples": kept["samples"],
        "pack": kept["pack"] or "open",
        **preferences.machine(),
    }
    # What is not asked for is not sent: an older backend then has nothing to stumble over.
    params |= {name: kept[name] for name in ("steps", "guidance") if kept[f"use_{name}"]}
    if style := chosen(settings):
        params["style"] = style
    texts = {half: one_line(kept[half], half) for half in ("prompt", "upper", "lower")}
    params |= {half: texts[half] for half in ("upper", "lower") if texts[half]}
    length = None
    if lines:
        if voice is not None:
            raise BadInput("A script is performed without a voice.", hint="Choose no voice.", field="speech")
        params["script"] = script.request(scene)
        kept["script"] = script.remember(scene)
        length = sum(line["seconds"] for line in params["script"])
    else:
        if not texts["prompt"] and voice is None:
            raise BadInput("The prompt is empty.", hint="Say what the character does.", field="prompt")
        length = kept["seconds"] if kept["use_seconds"] and voice is None else None
        check_length(length)
        params |= {"prompt": texts["prompt"] or None, "seconds": length}
        if voice is not None:
            params["speech"] = voice.path
            if said := sound.transcript(kept["transcript"], kept["transcript_file"]):
                params["transcript"] = said
    start = scene.frame_current if voice is None else voice.start_frame
    kept["direction"] = remembered.remember(scene, body)
    order = directed(context, body, params, start=start, length=length, voiced=voice is not None)
    return Order(
        params,
        body.session_uid,
        scene.session_uid,
        order.start,
        voice,
        kept,
        order.edit,
        order.notes,
    )


def line_order(context: bpy.types.Context, index: int) -> Order:
    """One line of the script made anew in the motion that the body performs; its neighbours stay.

    Args:
        context: with the scene.
        index: of the line.

    Raises:
        BadInput: it cannot be done.
    """
    scene, settings = context.scene, context.scene.understudy
    body = performing_body(context)
    reason = editing.why_no_line(scene, body, index)
    if reason:
        raise BadInput(reason, field="script")
    line = scene.understudy_script.lines[index]
    edit = editing.line(scene, body, index)
    kept = remember(settings)
    world = ClipWorld.of(body, scene, edit.start_frame)
    prompt = one_line(line.prompt, "prompt")
    if not prompt:
        raise BadInput(f"Line {index + 1} says nothing.", hint="Write what is done.", field="script")
    params: dict[str, Any] = {
        "prompt": prompt,
        "seconds": None,
        "seed": kept["seed"],
        "samples": kept["samples"],
        "pack": kept["pack"] or "open",
        **preferences.machine(),
        "edit": edit.request(world),
    }
    params |= {name: kept[name] for name in ("steps", "guidance") if kept[f"use_{name}"]}
    if style := chosen(settings):
        params["style"] = style
    params |= script.wishes(line)
    if edit.last is None:
        params["seconds"] = edit.seconds
    kept |= {"seed": params["seed"], "script": script.remember(scene)}
    return Order(params, body.session_uid, scene.session_uid, edit.start_frame, None, kept, edit)


def one_line(text: str, field: str) -> str:
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
        return sound.voice_of_file(
            kept["speech_file"],
            scene.frame_current,
            place=kept["place_sound"],
            offset=kept["speech_offset"],
        )
    if kept["voice"] == "STRIP":
        return sound.voice_of_strip(scene, sound.strip_name(settings))
    return None
