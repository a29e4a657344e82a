"""A multimodal script: who says what, how, and what both bodies do meanwhile; and how it is written as a screenplay."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from ....backend.dialogue.emotions import EMOTIONS, act_of, style_of
from ....backend.errors import BadInput

SCRIPTS, REPORT = "scripts.jsonl", "report.json"
"""In the folder of a run."""
NEUTRAL = "neutral"
_STYLES = {name: style_of((name,)) for name in EMOTIONS if name != NEUTRAL}
LONGEST_TEXT = 2000
"""Characters of one turn; nobody speaks for more than two minutes without the other."""
WORDS_PER_SECOND = 2.6
"""Of English conversation (about 160 a minute: Yuan, Liberman and Cieri, Interspeech 2006)."""
SHORTEST = 0.6
"""Seconds of the shortest turn."""
_NAME = r"^[^\W\d_][\w .'’-]{0,39}$"
_ESCAPED = re.compile(r"([*_])")
_PLAIN_CUE = re.compile(r"[A-Z][A-Z'-]*")
_SUBJECT = re.compile(r"^((a|the) (person|man|woman|figure)|someone)( is)? ", re.IGNORECASE)
_GESTURE = re.compile(
    r"(nods|shrugs|points|greets|refuses|waves(?! some(thing|one))|shakes (the|his|her|their) head)\b"
)
"""How a motion begins that a dialogue makes of the direction; "waves something away" is no greeting."""


def one_line(text: str) -> str:
    """Single spaces, no line breaks, nothing that a terminal or a screenplay would take for a command."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _says_something(text: str) -> str:
    text = one_line(text)
    if not any(letter.isalnum() for letter in text):
        raise ValueError("nothing is said")
    return text


def known_emotion(emotion: str) -> str:
    """The emotion of :data:`EMOTIONS` that is performed like this one: "furious" is ``angry``.

    Raises:
        ValueError: the dialogue does not know how it is performed.
    """
    emotion = one_line(emotion).lower() or NEUTRAL
    if emotion in EMOTIONS:
        return emotion
    style = style_of((emotion,))
    if not style:
        raise ValueError(f"{emotion!r} is no emotion that a dialogue knows")
    return min(_STYLES, key=lambda name: sum((_STYLES[name][rank] - style[rank]) ** 2 for rank in style))


Line = Annotated[str, AfterValidator(one_line)]
Emotion = Annotated[str, AfterValidator(known_emotion)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Performed(_Part):
    """What a body does during a turn."""

    text: Line
    """In words: "a person nods and points at the door"."""
    clip: str | None = None
    """``set/name`` of the store's clip that was found for it; none: nothing fits."""
    start: float = Field(0.0, ge=0)
    """Seconds within the clip at which the piece that the caption describes begins."""
    end: float | None = Field(None, gt=0)
    """... and ends; none: at the end of the clip."""
    begins: float = Field(0.0, ge=-10, le=120)
    """Seconds after the first word of the turn; of a listener: the delay of the reaction."""


class Turn(_Part):
    """What one says in one go, and what both do."""

    speaker: int = Field(ge=0, le=1)
    """Index among the characters."""
    text: Annotated[str, AfterValidator(_says_something)] = Field(max_length=LONGEST_TEXT)
    emotion: Emotion = NEUTRAL
    """A word of :mod:`backend.dialogue.emotions`, or ``neutral``."""
    expression: Line = ""
    """The speaker's face, in words."""
    seconds: float = Field(gt=0, le=600)
    """Length of the speech; see :func:`speech_seconds`."""
    motion: Performed
    """Of the speaker."""
    reaction: Performed | None = None
    """Of the listener."""


class Character(_Part):
    name: str = Field(pattern=_NAME)
    role: Line = ""
    personality: Line = ""
    voice: Line = ""


class Script(_Part):
    """A conversation of two characters."""

    id: str = Field(pattern=r"^[\w.-]{1,120}$")
    split: Literal["train", "val", "test"]
    topic: Line
    seed: int
    author: Line
    """``rules``, or the model that wrote it."""
    characters: list[Character] = Field(min_length=2, max_length=2)
    place: Line = ""
    relation: Line = ""
    turns: list[Turn] = Field(min_length=1)

    @model_validator(mode="after")
    def _two_names(self) -> Script:
        first, second = (character.name.upper() for character in self.characters)
        if first == second:
            raise ValueError("both characters have the same name")
        return self

    def clips(self) -> list[str]:
        """``set/name`` of every clip that is performed, in order."""
        performed = [each for turn in self.turns for each in (turn.motion, turn.reaction)]
        return [each.clip for each in performed if each is not None and each.clip]


def speech_seconds(text: str) -> float:
    """How long it takes to say it, estimated from its words and the pauses at its punctuation."""
    words = len(re.findall(r"[\w'’]+", text))
    pauses = 0.25 * len(re.findall(r"[.!?;:…—](?=\s)", text)) + 0.1 * text.count(", ")
    return round(max(words / WORDS_PER_SECOND + pauses, SHORTEST), 2)


def read_scripts(path: Path) -> Iterator[Script]:
    """The scripts of a file or of a run's folder, one after the other.

    Raises:
        BadInput: the file cannot be read, or a line of it is no script; the sentence names the line.
    """
    path = Path(path)
    path = path / SCRIPTS if path.is_dir() else path
    number = 0
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                number += 1
                if line.strip():
                    yield Script.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "its JSON"
        raise BadInput(
            f"Line {number} of {path} is no script: {where}: {first['msg']}.", field="scripts"
        ) from None
    except UnicodeDecodeError:
        raise BadInput(f"{path} is not a text file in UTF-8.", field="scripts") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error}).", field="scripts") from None


def json_of(script: Script) -> str:
    """One line of ``scripts.jsonl``."""
    return json.dumps(script.model_dump(mode="json"), ensure_ascii=False)


# ------------------------------------------------------------------------------------ screenplay


def fountain_of(script: Script) -> str:
    """The script as a screenplay in Fountain that ``understudy dialogue`` performs.

    The emotion, and a motion that a dialogue knows as a gesture (a nod, a wave), stand in parentheses. What
    else the bodies do stands in notes behind the speech: readers of Fountain leave those out.
    """
    lines = [f"Title: {_shown(script.topic) or script.id}", f"Author: {_shown(script.author)}", ""]
    if script.place:
        lines += [f".{_shown(script.place).lstrip('.').upper()}", ""]
    for turn in script.turns:
        lines += [_cue(script.characters[turn.speaker].name)]
        lines += [f"({direction})" for direction in _directions(turn)]
        lines += [_speech(turn.text), ""]
        listener = script.characters[1 - turn.speaker].name
        performed = [(script.characters[turn.speaker].name, turn.motion)]
        performed += [(listener, turn.reaction)] if turn.reaction else []
        lines += [f"[[{name}: {_shown(each.text)}]]" for name, each in performed if each.text]
        lines += [""]
    return "\n".join(lines).rstrip() + "\n"


def _cue(name: str) -> str:
    """In capitals; forced where a reader could take it for something else."""
    return name.upper() if _PLAIN_CUE.fullmatch(name.upper()) else f"@{name}"


def _directions(turn: Turn) -> list[str]:
    gesture = _SUBJECT.sub("", turn.motion.text).rstrip(". ")
    shown = [turn.emotion] if turn.emotion != NEUTRAL else []
    if _GESTURE.match(gesture) and act_of((gesture,)):
        shown.append(_shown(gesture).replace("(", "").replace(")", ""))
    return shown


def _shown(text: str) -> str:
    """Without anything that opens or closes a note or a boneyard."""
    return re.sub(r"\s+", " ", re.sub(r"\[\[|\]\]|/\*|\*/", " ", text)).strip()


def _speech(text: str) -> str:
    """As one line of dialogue: never a direction, a lyric, or emphasis."""
    return _ESCAPED.sub(r"\\\1", _shown(text).lstrip("(~ "))
