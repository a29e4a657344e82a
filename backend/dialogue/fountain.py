"""Screenplays in Fountain: who says what, and how.

Syntax after fountain.io (version 1.1): an upper-case line with an empty line before it and none behind it is the cue of a
character, ``(CONT'D)`` and the like belong to the cue, ``^`` lets the speech begin with the one before it, a line in
parentheses is a direction. ``[[notes]]`` and ``/* boneyards */`` are left out, as are sections, synopses and transitions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..errors import BadInput

LARGEST = 4 << 20
"""Bytes; a larger file is no screenplay."""
_TITLE = re.compile(
    r"(title|credit|authors?|source|notes?|draft date|date|contact|copyright|revision|format)\s*:",
    re.IGNORECASE,
)
_SCENE = re.compile(r"(int\.?/ext|ext\.?/int|i/e|int|ext|est)[. ]\s*\S", re.IGNORECASE)
_EXTENSION = re.compile(r"\(([^()]*)\)")
_EMPHASIS = re.compile(r"(?<!\\)[*_]+")
_HIDDEN = re.compile(r"/\*.*?\*/|\[\[.*?\]\]", re.DOTALL)
BEAT = re.compile(r"\b(beat|pause|silence)\b", re.IGNORECASE)

Before = Literal["speech", "action", "scene"]


@dataclass(frozen=True)
class Speech:
    """What somebody says in one go.

    Attributes:
        number: among the speeches, from 1.
        line: of its cue in the file, from 1.
        speaker: the cue's name, in capitals.
        parts: what is said; between parts there is a beat.
        directions: what stands in parentheses, beats left out.
        extension: of the cue, such as ``V.O.``; empty without.
        before: what stands before it in the screenplay.
        dual: whether it begins together with the speech before it.
        beat: whether it begins with a beat.
        performs: what its speaker's body does meanwhile, as a prompt; empty where nothing is asked for.
    """

    number: int
    line: int
    speaker: str
    parts: tuple[str, ...]
    directions: tuple[str, ...] = ()
    extension: str = ""
    before: Before = "speech"
    dual: bool = False
    beat: bool = False
    performs: str = ""

    @property
    def text(self) -> str:
        return " ".join(self.parts)


@dataclass(frozen=True)
class Action:
    """What is seen: a line of action, its number in the file, and the number of the speech that follows it (one more
    than there are, behind the last)."""

    line: int
    text: str
    before: int


@dataclass(frozen=True)
class Screenplay:
    """The speeches of a screenplay, its title page by lower-case key, and its action."""

    speeches: tuple[Speech, ...]
    title_page: dict[str, str] = field(default_factory=dict)
    actions: tuple[Action, ...] = ()

    @property
    def speakers(self) -> list[str]:
        """In the order in which they are first heard."""
        return list(dict.fromkeys(speech.speaker for speech in self.speeches))


def read_screenplay(path: Path) -> Screenplay:
    """The screenplay of a file.

    Raises:
        BadInput: the file cannot be read, or :func:`parse` cannot follow it.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{path.name} is too large for a screenplay.", field="script")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", field="script") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path.name} is not a text file in UTF-8.", field="script") from error
    return parse(text)


def parse(text: str) -> Screenplay:
    """The speeches of a Fountain text.

    Raises:
        BadInput: with the number of the line that is wrong, or because nobody says anything.
    """
    lines = _without_hidden(text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")).split("\n")
    title, at = _title_page(lines)
    speeches: list[Speech] = []
    actions: list[Action] = []
    before: Before = "scene"
    while at < len(lines):
        line = lines[at].strip()
        if _is_cue(lines, at):
            speech, at = _speech(lines, at, len(speeches) + 1, before)
            if speech.dual and not speeches:
                raise BadInput(
                    f"Line {speech.line}: the first speech cannot begin together with one before it.",
                    hint="Leave out the ^ behind the name.",
                    field="script",
                )
            speeches.append(speech)
            before = "speech"
            continue
        at += 1
        if (line.startswith(".") and not line.startswith("..")) or _SCENE.match(line):
            before = "scene"
        elif line and not line.startswith(("#", "=", ">")) and not line.endswith("TO:"):
            actions.append(Action(at, _plain(line.removeprefix("!")), len(speeches) + 1))
            before = "action" if before == "speech" else before
    if not speeches:
        raise BadInput(
            "Nobody says anything in this screenplay.",
            hint="A speech is a name in capitals after an empty line, and below it what is said.",
            field="script",
        )
    return Screenplay(tuple(speeches), title, tuple(actions))


def _without_hidden(text: str) -> str:
    """Notes and boneyards become as many empty lines, so that the others keep their numbers."""
    shown = _HIDDEN.sub(lambda hidden: "\n" * hidden[0].count("\n"), text)
    for mark, name in (("/*", "boneyard"), ("[[", "note")):
        if mark in shown:
            line = shown[: shown.index(mark)].count("\n") + 1
            raise BadInput(f"Line {line}: the {name} that begins with {mark} does not end.", field="script")
    return shown


def _title_page(lines: list[str]) -> tuple[dict[str, str], int]:
    """The title page, and the first line behind it."""
    first = next((index for index, line in enumerate(lines) if line.strip()), 0)
    if not lines or not _TITLE.match(lines[first]):
        return {}, 0
    found: dict[str, str] = {}
    key, at = "", first
    while at < len(lines) and lines[at].strip():
        name, colon, value = lines[at].partition(":")
        if colon and not lines[at][0].isspace():
            key = name.strip().lower()
            found[key] = _plain(value)
        else:
            found[key] = f"{found[key]} {_plain(lines[at])}".strip()
        at += 1
    return found, at


def _is_cue(lines: list[str], at: int) -> bool:
    """Whether a line is the name of somebody who speaks."""
    line = lines[at].strip()
    if at + 1 >= len(lines) or not lines[at + 1].strip() or (at > 0 and lines[at - 1].strip()):
        return False
    if line.startswith("@"):
        return bool(_name(line))
    if line.startswith(("!", "#", "=", ">", "~", ".", "(")) or _SCENE.match(line) or line.endswith("TO:"):
        return False
    name = _EXTENSION.sub("", line)
    return any(letter.isalpha() for letter in name) and name == name.upper()


def _name(cue: str) -> str:
    return " ".join(_plain(_EXTENSION.sub("", cue).strip().lstrip("@").rstrip("^")).upper().split())


def _speech(lines: list[str], at: int, number: int, before: Before) -> tuple[Speech, int]:
    """The speech whose cue is line ``at``, and the first line behind it."""
    cue, parts, directions = lines[at].strip(), [""], []
    start, beat = at + 1, False
    at += 1
    while at < len(lines) and (lines[at].strip() or lines[at] == "  "):
        line = lines[at].strip()
        if line.startswith("(") and line.endswith(")"):
            direction = _plain(line[1:-1])
            if BEAT.search(direction):
                beat = beat or parts == [""]
                parts += [""] if parts[-1] else []
            elif direction:
                directions.append(direction)
        elif line.startswith("(") and ")" not in line:
            raise BadInput(f"Line {at + 1}: the direction has no closing parenthesis.", field="script")
        else:
            parts[-1] = f"{parts[-1]} {_plain(line.removeprefix('~'))}".strip()
        at += 1
    said = tuple(part for part in parts if any(letter.isalnum() for letter in part))
    name = _name(cue)
    if not said:
        raise BadInput(f"Line {start}: {name} says nothing.", field="script")
    extensions = [text.strip() for text in _EXTENSION.findall(cue)]
    extension = next((text for text in extensions if text and not text.upper().startswith("CONT")), "")
    speech = Speech(number, start, name, said, tuple(directions), extension, before, cue.endswith("^"), beat)
    return speech, at


def _plain(text: str) -> str:
    """Without emphasis and its escapes."""
    return _EMPHASIS.sub("", text).replace("\\*", "*").replace("\\_", "_").strip()
