"""Lines to and from screenplays in Fountain.

What Fountain has no words for stands in a note behind a line, which other readers leave out: ``[[ANNA: sits down]]``
is what the body does, ``[[recording: anna 3.wav]]`` a sound file.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from typing import Any

import bpy

from ...backend.errors import BadInput
from ...backend.protocol.replies import EMOTIONS
from ...backend.protocol.screenplay import Speech, parse
from .lines import FIELDS, FIRST, LONGEST_LINE, MAX_LINES, SECOND, forget_times, names_of, values_of

_NOTE = re.compile(r"\[\[\s*([^:\[\]]+?)\s*:\s*(.*?)\s*\]\]", re.DOTALL)
_PLAIN_CUE = re.compile(r"[A-Z][A-Z0-9'-]+")
_MARKS = re.compile(r"\[\[|\]\]|/\*|\*/")


def read(dialogue: Any, text: str, folder: str = "") -> int:
    """Make a screenplay's speeches the lines of a dialogue.

    Args:
        dialogue: of the scene.
        text: in Fountain.
        folder: that the recordings' paths begin at.

    Returns:
        How many lines there are.

    Raises:
        BadInput: it cannot be followed, or it has not two speakers; nothing has changed then.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    screenplay = parse(text)
    speakers = screenplay.speakers
    if len(speakers) != 2:
        raise not_two(speakers)
    if len(screenplay.speeches) > MAX_LINES:
        raise BadInput(f"A dialogue has up to {MAX_LINES} lines.", field="script")
    notes = _notes(text, screenplay.speeches)
    dialogue.lines.clear()
    dialogue.active = 0
    dialogue.title = screenplay.title_page.get("title", "")
    for speaker, name in zip((dialogue.first, dialogue.second), speakers, strict=True):
        speaker.name = name
    for speech, noted in zip(screenplay.speeches, notes, strict=True):
        line = dialogue.lines.add()
        line.speaker = FIRST if speech.speaker == speakers[0] else SECOND
        line.text = speech.text[:LONGEST_LINE]
        emotion = next((d.lower() for d in speech.directions if d.lower() in EMOTIONS), EMOTIONS[0])
        line.emotion = emotion
        rest = [d for d in speech.directions if d.lower() != emotion]
        line.direction = ", ".join([*(["beat"] if speech.beat else []), *rest])
        line.performs = speech.performs or noted.get(speech.speaker, "")
        recording = noted.get("RECORDING", "")
        line.recording = os.path.join(folder, recording) if recording and folder else recording
    dialogue.source, dialogue.source_lines = text, fingerprint(dialogue)
    forget_times(dialogue)
    return len(dialogue.lines)


def not_two(speakers: Sequence[str]) -> BadInput:
    """The error of a screenplay that has too many speakers, or one."""
    listed = ", ".join(speakers[:6])
    return BadInput(
        f"A dialogue has two speakers, this screenplay has {len(speakers)}: {listed}.", field="script"
    )


def _notes(text: str, speeches: tuple[Speech, ...]) -> list[dict[str, str]]:
    """What stands in the notes between each speech's cue and the next one's, by the word before the colon."""
    rows = text.split("\n")
    begins = [speech.line - 1 for speech in speeches] + [len(rows)]
    return [
        {
            " ".join(name.upper().split()): " ".join(value.split())
            for name, value in _NOTE.findall("\n".join(rows[begin:end]))
        }
        for begin, end in itertools.pairwise(begins)
    ]


def fingerprint(dialogue: Any) -> str:
    """The speakers and lines as one text, to notice changes."""
    rows = [repr([getattr(line, name) for name in FIELDS]) for line in dialogue.lines]
    return "\n".join([*names_of(dialogue), *rows])


def unchanged(dialogue: Any) -> bool:
    """Whether the lines are those of the screenplay that was read, which says more than they can: pauses within a
    speech, speeches that begin together, scenes."""
    plain = not any(line.recording or line.performs for line in dialogue.lines)
    return bool(dialogue.source) and plain and fingerprint(dialogue) == dialogue.source_lines


def written(dialogue: Any) -> str:
    """The dialogue as a screenplay.

    Raises:
        BadInput: there is nothing to write.
    """
    if not len(dialogue.lines):
        raise BadInput("There is no line to write.", hint="Add a line first.", field="script")
    names = names_of(dialogue)
    rows = [f"Title: {_shown(dialogue.title)}", ""] if dialogue.title.strip() else [""]
    for number, line in enumerate(dialogue.lines, 1):
        values = values_of(line)
        name = names[0] if values["speaker"] == FIRST else names[1]
        said = _said(values["text"])
        if not any(letter.isalnum() for letter in said):
            raise BadInput(f"Write what line {number} says.", field="script")
        rows.append(name if _PLAIN_CUE.fullmatch(name) else f"@{name}")  # nothing else but a name
        rows += [f"({values['emotion']})"] if values["emotion"] != EMOTIONS[0] else []
        if direction := _shown(values["direction"]).strip("() "):
            rows.append(f"({direction})")
        rows.append(said)
        if performs := _shown(values["performs"]):
            rows.append(f"[[{name}: {performs}]]")
        if recording := _shown(values["recording"]):
            rows.append(f"[[recording: {recording}]]")
        rows.append("")
    return "\n".join(rows).rstrip() + "\n"


def _shown(text: str) -> str:
    """One line without anything that opens or closes a note or a boneyard."""
    return " ".join(_MARKS.sub(" ", text).split())


def _said(text: str) -> str:
    """As one line of speech: never a direction, a lyric, or emphasis."""
    return re.sub(r"([*_])", r"\\\1", _shown(text)).lstrip("(~ ")


def text_of_block(name: str) -> str:
    """What a block of Blender's text editor holds.

    Raises:
        BadInput: there is none of that name.
    """
    block = bpy.data.texts.get(name)
    if block is None:
        raise BadInput(f"There is no text “{name}” in the text editor.", field="script")
    return str(block.as_string())
