"""The user's language model as author: it is told who the character is, and its answers are read strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from ..dialogue.emotions import EMOTIONS, style_of
from ..protocol.chat import Character, Endpoint, Remembered
from .answers import Words
from .character import facts_of, listed
from .endpoint import EndpointError, ask
from .remembering import Scene

REMEMBERED = 40
"""Entries of the memory that the model reads."""
LONGEST = 1200
"""Characters that a character says at once; the rest is cut off at a sentence."""
LONGEST_MOTION = 160
_AGAIN = (
    "That was not the JSON object that was asked for. Answer again with one JSON object with the keys text, emotion and motion, and "
    "nothing else."
)
_STAGE = re.compile(r"\*([^*\n]{1,120})\*|\[([^\]\n]{1,120})\]|^\(([^)\n]{1,120})\)")
_NOTHING = {
    "",
    "none",
    "null",
    "n/a",
    "nothing",
    "no motion",
    "still",
    "idle",
    "neutral",
    "talks",
    "talking",
    "speaks",
}
_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)


def written(
    endpoint: Endpoint,
    character: Character,
    memory: Sequence[Remembered],
    said: str,
    *,
    language: str,
    allow_network: bool,
    seed: int = 0,
    cancelled: Callable[[], bool] | None = None,
    waiting: Callable[[], None] | None = None,
) -> tuple[Words, list[str]]:
    """The model's answer to what a user says, and sentences about what was odd in it.

    Raises:
        BadInput, EndpointError, Cancelled: as :func:`.endpoint.ask`; an answer that cannot be read is
            ``endpoint_malformed``.
    """
    messages = conversation(character, memory, said, language)

    def answer() -> str:
        return ask(
            endpoint, messages, allow_network=allow_network, seed=seed, cancelled=cancelled, waiting=waiting
        )

    first = answer()
    words = read_words(first, character)
    if words is not None:
        return words, []
    messages += [{"role": "assistant", "content": first[:4000]}, {"role": "user", "content": _AGAIN}]
    second = answer()
    words = read_words(second, character)
    if words is not None:
        return words, []
    for reply in (first, second):
        if (prose := _prose(reply)) is not None:
            words = _words({"text": prose}, character)
            if words is not None:
                return words, [f"The model {endpoint.model} answers in plain text: its words alone are used."]
    raise EndpointError(
        "endpoint_malformed",
        f"The answer of the model {endpoint.model} cannot be read.",
        "A model that follows instructions is needed.",
    )


def conversation(
    character: Character, memory: Sequence[Remembered], said: str, language: str
) -> list[dict[str, str]]:
    """What the model is asked: who it plays, what was said before, what is said now."""
    messages = [{"role": "system", "content": instructions(character, Scene.of(memory), language)}]
    for entry in memory[-REMEMBERED:]:
        if entry.who == "user":
            messages.append({"role": "user", "content": entry.text})
        else:
            answer = {"text": entry.text, "emotion": entry.emotion or "neutral", "motion": entry.motion}
            messages.append({"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)})
    return [*messages, {"role": "user", "content": said}]


def instructions(character: Character, scene: Scene, language: str) -> str:
    """The system prompt."""
    lines = [
        f"You play {character.name} in a scene with the user. Stay in character; never speak for the user.",
        *(f"- {fact.text}" for fact in facts_of(character)),
    ]
    if character.personality:
        lines.append(f"Personality: {character.personality}")
    lines.append(f"Usual emotion: {character.emotion}")
    if character.scene:
        lines.append(f"The scene: {character.scene}")
    if character.places:
        lines.append(f"Places that you can walk to: {listed(list(character.places))}.")
    if scene.done:
        lines.append(
            f"The last thing that your body did: {scene.done[-1]}.{' You are still down.' if scene.down else ''}"
        )
    lines += [
        f"Speak the language with the code {language}, in one to three short spoken sentences, without markup or stage directions.",
        'Answer with one JSON object and nothing else: {"text": what you say, "emotion": one of '
        + ", ".join(EMOTIONS)
        + ', "motion": what your body does while you speak, in a few English words in the third person such as "walks to the '
        'door", "waves with the right hand", "nods" or "sits down"; an empty string where you only talk}.',
    ]
    return "\n".join(lines)


def read_words(reply: str, character: Character) -> Words | None:
    """The answer in a model's reply; None where there is none.

    Models wrap their JSON in prose or fences, think aloud before it, and leave commas at ends: all of it is read.
    """
    text = _THOUGHTS.sub("", reply)
    for candidate in _objects(text):
        if isinstance(candidate, dict) and (words := _words(candidate, character)) is not None:
            return words
    return None


def _objects(text: str) -> list[Any]:
    """Every JSON object that begins in a text, mended where a comma is too much; the last one first of equals."""
    decoder = json.JSONDecoder(strict=False)
    mended = re.sub(r",(\s*[}\]])", r"\1", text)
    mended = mended.replace("“", '"').replace("”", '"') if '"' not in mended else mended
    found: list[Any] = []
    at = mended.find("{")
    while at >= 0 and len(found) < 20:
        try:
            value, end = decoder.raw_decode(mended, at)
            found.append(value)
        except (ValueError, RecursionError):
            end = at + 1
        at = mended.find("{", end)
    return found


def _words(answer: dict[str, Any], character: Character) -> Words | None:
    """A checked answer: unknown emotions become the nearest known, stage directions in the text become motion."""
    text = answer.get("text")
    if not isinstance(text, str):
        return None
    directions = [next(filter(None, found)) for found in _STAGE.findall(text)]
    text = " ".join(_STAGE.sub(" ", text).replace("`", "'").split()).strip(' "')
    text = _cut(text.removeprefix(f"{character.name}:").strip(), LONGEST)
    if not any(letter.isalnum() for letter in text):
        return None
    motion = answer.get("motion")
    motion = (
        motion
        if isinstance(motion, str)
        else " and then ".join(m for m in motion if isinstance(m, str))
        if isinstance(motion, list)
        else ""
    )
    motion = " ".join((motion if motion.strip() else " and then ".join(directions)).split()).strip(" .!")
    if motion.lower() in _NOTHING:
        motion = ""
    motion = re.sub(rf"^(?:{re.escape(character.name)}|she|he|they|i)\s+", "", motion, flags=re.IGNORECASE)
    return Words(text, emotion_of(answer.get("emotion"), character.emotion), motion[:LONGEST_MOTION].rstrip())


def emotion_of(word: Any, usual: str) -> str:
    """The known emotion that is nearest to a word, or the usual one."""
    low = str(word).lower().strip(" .!") if isinstance(word, str) else ""
    if low in EMOTIONS:
        return low
    style = style_of((low,))
    if not style:
        return usual

    def far(emotion: str) -> float:
        other = style_of((emotion,))
        return sum((style[name] - other[name]) ** 2 for name in style) if other else float("inf")

    return min(EMOTIONS, key=far)


def _prose(reply: str) -> str | None:
    """A reply that is speech and no broken data."""
    text = _THOUGHTS.sub("", reply).strip()
    return text if text and not re.search(r"[{}<>]|```", text) else None


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    ends = [found.end() for found in re.finditer(r"[.!?…][\"'”’)]*(?=\s)", text[:most])]
    return text[: ends[-1]] if ends else text[:most].rsplit(" ", 1)[0]
