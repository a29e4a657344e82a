"""A dialogue as the animator writes it: two speakers and their lines, kept in the scene."""

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ...backend.protocol.replies import EMOTIONS
from ..body.bodymap import is_smplx, performer
from ..perform.properties import MAX_PROMPT, MAX_SEED
from ..translations import CONTEXT

MAX_LINES = 500
LONGEST_LINE = 5000
DISTANCE = (0.8, 2.5)
NAMES = ("ANNA", "BEN")
"""Of the speakers of a new dialogue."""
FIRST, SECOND = "FIRST", "SECOND"
LABELS = {
    "neutral": "Neutral",
    "happy": "Happy",
    "excited": "Excited",
    "surprised": "Surprised",
    "proud": "Proud",
    "calm": "Calm",
    "tired": "Tired",
    "sad": "Sad",
    "disappointed": "Disappointed",
    "afraid": "Afraid",
    "annoyed": "Annoyed",
    "angry": "Angry",
}
"""What the emotions of the backend are called in the panel."""

_speakers: list[tuple[str, str, str]] = []  # Blender keeps no copy of what a callback returns


def _speaker_items(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> list[tuple[str, str, str]]:
    names = names_of(self.id_data.understudy_dialogue)
    items = [(key, name, "") for key, name in zip((FIRST, SECOND), names, strict=True)]
    if items != _speakers:
        _speakers[:] = items
    return _speakers


class UNDERSTUDY_PG_speaker(bpy.types.PropertyGroup):
    name: StringProperty(name="Name", description="What the speaker is called", maxlen=80)
    body: PointerProperty(
        type=bpy.types.Object,
        name="Body",
        description="The SMPL-X armature of this speaker. Empty: the built-in body is added",
        poll=lambda self, obj: is_smplx(obj) and performer(obj) == obj,
    )
    voice: StringProperty(
        name="Voice",
        description="Of what has no recording, as espeak-ng or piper names it. Empty: one is chosen",
        maxlen=80,
    )


class UNDERSTUDY_PG_dialogue_line(bpy.types.PropertyGroup):
    speaker: EnumProperty(
        name="Speaker",
        description="Who says it",
        items=_speaker_items,
        options=set(),
        translation_context=CONTEXT,
    )
    text: StringProperty(
        name="Line", description="What is said", maxlen=LONGEST_LINE, translation_context=CONTEXT
    )
    emotion: EnumProperty(
        name="Emotion",
        description="How it is said",
        items=[(name, LABELS[name], "") for name in EMOTIONS],
        options=set(),
    )
    direction: StringProperty(
        name="Stage Direction",
        description="As between the parentheses of a screenplay: nods, whispering, beat",
        maxlen=MAX_PROMPT,
    )
    performs: StringProperty(
        name="Performs",
        description="What the speaker's body does meanwhile, in plain English. Empty: it talks",
        maxlen=MAX_PROMPT,
    )
    recording: StringProperty(
        name="Recording",
        description="A sound file of the line. Empty: it is synthesised",
        subtype="FILE_PATH",
    )
    start: IntProperty(options=set())  # the frame at which it is heard
    end: IntProperty(options=set())  # and the one after it; 0: it was not performed yet


class UNDERSTUDY_PG_dialogue(bpy.types.PropertyGroup):
    first: PointerProperty(type=UNDERSTUDY_PG_speaker)
    second: PointerProperty(type=UNDERSTUDY_PG_speaker)
    lines: CollectionProperty(type=UNDERSTUDY_PG_dialogue_line)
    active: IntProperty(
        name="Line", description="Click a line to change it", options=set(), translation_context=CONTEXT
    )
    title: StringProperty(name="Title", description="Of the screenplay", maxlen=200)
    source: StringProperty()  # the screenplay that the lines were read from
    source_lines: StringProperty()  # the lines as they were then, to notice changes
    distance: FloatProperty(
        name="Distance",
        description="Metres between the two",
        default=1.4,
        min=DISTANCE[0],
        max=DISTANCE[1],
        step=5,
        precision=2,
        unit="LENGTH",
    )
    seed: IntProperty(
        name="Seed",
        description="The same seed gives the same scene, another one another",
        min=0,
        max=MAX_SEED,
    )
    language: StringProperty(
        name="Language",
        description="Of the synthesised voices, as espeak-ng names it: en, de, en-us",
        default="en",
        maxlen=31,
    )
    by: EnumProperty(
        name="Bodies by",
        description="Where the motion below the talk comes from",
        items=[
            ("generation", "Generation", "The pack makes it"),
            ("retrieval", "Retrieval", "Clips of a folder are found that fit"),
        ],
    )
    library: StringProperty(
        name="Clips", description="A folder of clips, or a store with captions", subtype="DIR_PATH"
    )
    touches: BoolProperty(name="Touches", description="Perform handshakes, high fives and hugs", default=True)
    cuts: BoolProperty(
        name="Cut to the Speaker",
        description="Add cameras, and a marker at every change of speaker that goes over to theirs",
        default=False,
    )


def names_of(dialogue: UNDERSTUDY_PG_dialogue) -> tuple[str, str]:
    """What the two are called, in capitals."""
    first, second = (
        " ".join(speaker.name.split()).upper() or usual
        for speaker, usual in zip((dialogue.first, dialogue.second), NAMES, strict=True)
    )
    return first, second


def active_line(dialogue: UNDERSTUDY_PG_dialogue) -> UNDERSTUDY_PG_dialogue_line | None:
    """The chosen line, where there is one."""
    return dialogue.lines[dialogue.active] if 0 <= dialogue.active < len(dialogue.lines) else None


FIELDS = ("speaker", "text", "emotion", "direction", "performs", "recording")


def values_of(line: UNDERSTUDY_PG_dialogue_line) -> dict[str, Any]:
    """What a line says, as plain values."""
    return {name: getattr(line, name) for name in FIELDS}


def forget_times(dialogue: UNDERSTUDY_PG_dialogue) -> None:
    """The lines are others than those that were performed."""
    for line in dialogue.lines:
        line.start = line.end = 0


CLASSES = (UNDERSTUDY_PG_speaker, UNDERSTUDY_PG_dialogue_line, UNDERSTUDY_PG_dialogue)


def register() -> None:
    bpy.types.Scene.understudy_dialogue = PointerProperty(type=UNDERSTUDY_PG_dialogue)


def unregister() -> None:
    del bpy.types.Scene.understudy_dialogue
    _speakers.clear()
