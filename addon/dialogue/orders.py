"""What is asked of the backend for a dialogue: the panel's lines, or a screenplay, checked and put together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ...backend.errors import BadInput
from ...backend.protocol.replies import EMOTIONS
from ...backend.protocol.screenplay import read_screenplay
from ..body.bodymap import BodyMap, why_not_editable
from ..preferences import settings as preferences
from ..process.client import backend
from ..translations import t
from .lines import FIRST, names_of
from .screenplay import not_two, unchanged


@dataclass(frozen=True)
class Order:
    """A dialogue on its way. IDs are kept by number: undo replaces the objects.

    Attributes:
        params: of the request.
        scene: where.
        speakers: names of the panel's two, in capitals.
        bodies: of the two; 0: one is added.
        start_frame: of the first pose.
        cuts: whether cameras are wanted.
        listed: whether the lines of the panel are performed, which then learn their frames.
    """

    params: dict[str, Any]
    scene: int
    speakers: tuple[str, str]
    bodies: tuple[int, int]
    start_frame: int
    cuts: bool
    listed: bool


def why_not(context: bpy.types.Context) -> str:
    """Why the dialogue cannot be performed now, in one short sentence; empty when it can (cheap, for draw)."""
    if backend.busy:
        return "A generation is under way."
    dialogue = context.scene.understudy_dialogue
    if not len(dialogue.lines):
        return "Add a line, or import a screenplay."
    first, second = names_of(dialogue)
    if first == second:
        return "The two speakers have the same name."
    for i, line in enumerate(dialogue.lines):
        if not any(letter.isalnum() for letter in line.text):
            return t(f"Write what line {i + 1} says.")
    if len({line.speaker for line in dialogue.lines}) < 2:
        silent = second if dialogue.lines[0].speaker == FIRST else first
        return t(f"{silent} says nothing. A dialogue needs two speakers.")
    if dialogue.by == "retrieval" and not dialogue.library.strip():
        return "Choose the folder of the clips."
    return why_not_bodies(context)


def why_not_bodies(context: bpy.types.Context) -> str:
    """Why the chosen bodies cannot act; empty when they can (cheap, for draw)."""
    dialogue = context.scene.understudy_dialogue
    chosen = [speaker.body for speaker in (dialogue.first, dialogue.second)]
    if chosen[0] is not None and chosen[0] == chosen[1]:
        return "Both speakers have the same body. Choose another, or leave one empty."
    for body in chosen:
        if body is not None and context.scene.objects.get(body.name) != body:
            return t(f"“{body.name}” is not in this scene. Choose another body.")
        if body is not None and body.mode == "EDIT":
            return "Leave Edit Mode first."
    return ""


def take_order(context: bpy.types.Context, *, filepath: str = "", seed: int | None = None) -> Order:
    """Check the panel's dialogue, or a screenplay's file instead of its lines.

    Args:
        context: with the scene.
        filepath: of a screenplay; the panel's lines then do not count.
        seed: instead of the panel's.

    Raises:
        BadInput: with one sentence on the first thing that is wrong.
    """
    scene = context.scene
    dialogue = scene.understudy_dialogue
    reason = why_not_bodies(context) if filepath else why_not(context)
    if reason:
        raise BadInput(reason, field="script")
    params: dict[str, Any] = {
        "seed": dialogue.seed if seed is None else seed,
        "distance": round(dialogue.distance, 4),  # Blender's floats are float32
        "by": dialogue.by,
        "touches": dialogue.touches,
        "pack": scene.understudy.pack or "open",
        **preferences.machine(),
    }
    if language := dialogue.language.strip():
        params["language"] = language
    if dialogue.by == "retrieval":
        params["library"] = _folder(dialogue.library)
    if filepath:
        text, speakers = _screenplay(filepath)
        params["script"] = text
    elif unchanged(dialogue):
        params["script"], speakers = dialogue.source, list(names_of(dialogue))
    else:
        params["lines"], speakers = _lines(dialogue), list(names_of(dialogue))
    chosen = [speaker.voice.strip() for speaker in (dialogue.first, dialogue.second)]
    if voices := {name: voice for name, voice in zip(speakers, chosen, strict=True) if voice}:
        params["voices"] = voices
    bodies = [speaker.body for speaker in (dialogue.first, dialogue.second)]
    for body in bodies:
        if body is not None:
            BodyMap.of(body)
            if reason := why_not_editable(body):
                raise BadInput(reason, field="body")
    first, second = (0 if body is None else body.session_uid for body in bodies)
    return Order(
        params,
        scene.session_uid,
        (speakers[0], speakers[1]),
        (first, second),
        scene.frame_current,
        dialogue.cuts,
        listed=not filepath,
    )


def _screenplay(filepath: str) -> tuple[str, list[str]]:
    path = Path(os.path.abspath(bpy.path.abspath(filepath)))
    speakers = read_screenplay(path).speakers
    if len(speakers) != 2:
        raise not_two(speakers)
    return path.read_text(encoding="utf-8-sig"), speakers


def _lines(dialogue: Any) -> list[dict[str, Any]]:
    first, second = names_of(dialogue)
    lines = []
    for number, line in enumerate(dialogue.lines, 1):
        entry: dict[str, Any] = {
            "speaker": first if line.speaker == FIRST else second,
            "text": " ".join(line.text.split()),
        }
        if line.emotion != EMOTIONS[0]:
            entry["emotion"] = line.emotion
        for name in ("direction", "performs"):
            if text := " ".join(getattr(line, name).split()):
                entry[name] = text
        if line.recording.strip():
            path = os.path.abspath(bpy.path.abspath(line.recording.strip()))
            if not os.path.isfile(path):
                name = os.path.basename(path)
                raise BadInput(
                    f"Line {number}: there is no sound file {name} in its folder.", field="recording"
                )
            entry["recording"] = path
        lines.append(entry)
    return lines


def _folder(path: str) -> str:
    folder = os.path.abspath(bpy.path.abspath(path.strip()))
    if not os.path.isdir(folder):
        raise BadInput(f"There is no folder {os.path.basename(folder)}.", field="library")
    return folder
