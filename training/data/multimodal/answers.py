"""What a language model answers, read strictly: it is what was asked for, or it has a name for what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ...words.llm import object_in, without_thoughts
from .scenarios import When
from .script import LONGEST_TEXT, NEUTRAL, known_emotion, one_line

Wrong = Literal[
    "empty", "refused", "rude", "malformed", "wrong speaker", "too long", "unknown emotion", "repeated", "no such clip"
]  # fmt: skip
LONGEST_MOTION = 200
"""Characters of a motion in words."""
_REFUSAL = re.compile(
    r"\b(i('m| am) (sorry|afraid|unable|not able)|i (can('|no)t|won't|will not|must decline)|unable to (help|assist|comply)"
    r"|as an? (ai|artificial|language model)|against my (guidelines|policy))\b",
    re.IGNORECASE,
)
_FROM_A_MODEL = re.compile(r"\bas an? (ai|artificial intelligence|(large )?language model)\b", re.IGNORECASE)
_FOUL = re.compile(
    r"\b(f+u+c+k\w*|motherf\w+|sh[i1]t\w*|bullshit|b[i1]tch\w*|cunts?|assholes?|arseholes?|wank\w*|dickheads?|whores?|sluts?"
    r"|retards?|fagg?ots?)\b",
    re.IGNORECASE,
)
"""Nowhere in a script."""
_INSULT = re.compile(
    r"\b(shut up|you('re| are)? (an? |such an? )?(\w+ )?(idiot|moron|fool|stupid|dumb|imbecile)|go away|leave me alone"
    r"|do it yourself|get lost|how dare you)\b",
    re.IGNORECASE,
)
"""In a script characters may quarrel; an answer that has no script in it is rude."""


class Unusable(Exception):
    """An answer that is not used; the text continues "the answer ..."."""

    def __init__(self, name: Wrong, why: str) -> None:
        super().__init__(why)
        self.name = name


@dataclass(frozen=True)
class Draft:
    """A turn as the language model writes it, before clips are looked for."""

    speaker: int
    text: str
    emotion: str
    expression: str
    motion: str
    reaction: str
    when: When


@dataclass(frozen=True)
class Choice:
    """What it made of the clips; 0 is none of them, else the number of one, from 1."""

    motion: int
    reaction: int
    text: str
    motion_text: str
    reaction_text: str


def read_draft(
    answer: str, names: Sequence[str], speaker: int, longest: int, said: Collection[str] = ()
) -> Draft:
    """The turn of one speaker.

    Args:
        answer: of the model.
        names: of both characters.
        speaker: whose turn it is.
        longest: words of a turn.
        said: what was said before.

    Raises:
        Unusable: it is no such turn.
    """
    draft = _draft(_object(answer), names, longest)
    if draft.speaker != speaker:
        raise Unusable(
            "wrong speaker", f"lets {names[draft.speaker]} speak where it is {names[speaker]}'s turn"
        )
    _new(draft.text, said)
    return draft


def read_conversation(answer: str, names: Sequence[str], longest: int, turns: tuple[int, int]) -> list[Draft]:
    """All turns of a conversation, of which there may be so many (least, most).

    Raises:
        Unusable: it is no such conversation.
    """
    rows = _object(answer).get("turns")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unusable("malformed", "has no list of turns")
    if not turns[0] <= len(rows) <= turns[1]:
        raise Unusable("malformed", f"has {len(rows)} turns, not {turns[0]} to {turns[1]}")
    drafts: list[Draft] = []
    for row in rows:
        draft = _draft(row, names, longest)
        _new(draft.text, [other.text for other in drafts])
        drafts.append(draft)
    if len({draft.speaker for draft in drafts}) < 2:
        raise Unusable("wrong speaker", f"lets {names[drafts[0].speaker]} alone speak")
    return drafts


def read_choice(answer: str, motions: int, reactions: int, longest: int) -> Choice:
    """Which of so many clips were picked, and the turn rewritten to fit them.

    Raises:
        Unusable: it is no such choice.
    """
    values = _object(answer)
    return Choice(
        _number(values, "motion", motions),
        _number(values, "reaction", reactions),
        _speech(values, longest),
        _motion(values, "motion_text"),
        _motion(values, "reaction_text", needed=False),
    )


def _object(answer: str) -> dict[str, Any]:
    spoken = without_thoughts(answer).strip()
    if not spoken:
        raise Unusable("empty", "is empty")
    found = object_in(answer)
    if found is not None:
        return found
    if _FOUL.search(spoken) or _INSULT.search(spoken):
        raise Unusable("rude", f"is an insult: “{_beginning(spoken)}”")
    if _REFUSAL.search(spoken):
        raise Unusable("refused", f"is a refusal: “{_beginning(spoken)}”")
    raise Unusable("malformed", "has a damaged JSON object" if "{" in spoken else "has no JSON object")


def _draft(values: dict[str, Any], names: Sequence[str], longest: int) -> Draft:
    text = _speech(values, longest)
    return Draft(
        _speaker(values, names),
        text,
        _emotion(values),
        _line(values, "expression", needed=False),
        _motion(values, "motion"),
        _motion(values, "reaction", needed=False),
        _when(values),
    )


def _line(values: dict[str, Any], key: str, *, needed: bool = True) -> str:
    value = values.get(key)
    if value is None and not needed:
        return ""
    if not isinstance(value, str):
        raise Unusable("malformed", f"lacks {key}" if value is None else f"has no text for {key}")
    text = one_line(value)
    if needed and not any(letter.isalnum() for letter in text):
        raise Unusable("empty", f"has an empty {key}")
    if _FOUL.search(text):
        raise Unusable("rude", f"has foul words in {key}")
    return text


def _speech(values: dict[str, Any], longest: int) -> str:
    text = _line(values, "speech").strip('"“”')
    if _FROM_A_MODEL.search(text):
        raise Unusable("refused", f"speaks of itself: “{_beginning(text)}”")
    words = len(text.split())
    if words > longest or len(text) > LONGEST_TEXT:
        raise Unusable("too long", f"has {words} words of speech, more than {longest}")
    if text.startswith("(") or text.endswith(")") or re.search(r"\*[^*]+\*", text):
        raise Unusable("malformed", "has a stage direction in the speech")
    return text


def _motion(values: dict[str, Any], key: str, *, needed: bool = True) -> str:
    text = _line(values, key, needed=needed)
    if len(text) > LONGEST_MOTION:
        raise Unusable("too long", f"has {len(text)} characters for {key}, more than {LONGEST_MOTION}")
    return text


def _speaker(values: dict[str, Any], names: Sequence[str]) -> int:
    name = _line(values, "speaker")
    for index, known in enumerate(names):
        if name.casefold() == known.casefold():
            return index
    raise Unusable("wrong speaker", f"lets {_beginning(name)} speak, who is not there")


def _emotion(values: dict[str, Any]) -> str:
    text = _line(values, "emotion", needed=False) or NEUTRAL
    try:
        return known_emotion(text)
    except ValueError:
        raise Unusable("unknown emotion", f"has the emotion “{_beginning(text)}”") from None


def _when(values: dict[str, Any]) -> When:
    value = values.get("when", "end")
    if value not in ("start", "middle", "end"):
        raise Unusable("malformed", "has another when than start, middle or end")
    return value  # type: ignore[no-any-return]


def _number(values: dict[str, Any], key: str, most: int) -> int:
    value = values.get(key, 0)
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unusable("malformed", f"has no number for {key}")
    if not 0 <= value <= most:
        raise Unusable("no such clip", f"picks clip {value} of {most} for {key}")
    return value


def _new(text: str, said: Collection[str]) -> None:
    if text.casefold() in {other.casefold() for other in said}:
        raise Unusable("repeated", "says what was said before")


def _beginning(text: str) -> str:
    text = one_line(text)
    return text if len(text) <= 60 else text[:59].rstrip() + "…"
