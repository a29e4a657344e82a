"""The author without a language model: plots with choices, motions from the store, reactions after a delay."""

from __future__ import annotations

from random import Random

from . import timing
from .casting import Cast
from .grammar import expand
from .motions import Found, MotionLibrary
from .scenarios import Beat, Word, Words, load
from .script import Performed, Script, Turn, speech_seconds
from .settings import ScriptSettings

AUTHOR = "rules"
NEAR = 0.78
"""Cosine; the rules ask in words near to captions, and what is further away is something else."""
AS_GOOD = 0.04
"""Clips so little below the best are as good: one of them is drawn."""
POOL = 12
"""Clips to draw from."""
LONG_TOPIC = 4
"""Words; a longer topic is a headline and is quoted."""


def write(cast: Cast, library: MotionLibrary, settings: ScriptSettings) -> Script:
    """A script of the cast's plot."""
    words, _ = load()
    slots = _slots(cast, words, library)
    said = {name: word.say for name, word in slots.items()}
    turns = []
    beats = cast.scenario.variants[cast.variant]
    for beat in beats:
        names = {"self": cast.characters[beat.speaker].name, "other": cast.characters[1 - beat.speaker].name}
        text = expand(beat.says, cast.random, {**said, **names})
        seconds = speech_seconds(text)
        turns.append(
            Turn(
                speaker=beat.speaker,
                text=text,
                emotion=beat.feels,
                expression=cast.random.choice(words.faces[beat.feels]),
                seconds=seconds,
                motion=_motion(beat, seconds, slots, cast, library, settings),
                reaction=_reaction(beat, seconds, slots, cast, library, settings),
            )
        )
    about = any("<topic>" in beat.says for beat in beats)
    return Script(
        id=f"{AUTHOR}-{cast.seed}-{cast.number:05d}", split=cast.split,
        topic=cast.topic or said["topic"] if about else cast.scenario.name,
        seed=cast.seed, author=AUTHOR, characters=list(cast.characters), place=cast.place, relation=cast.relation,
        turns=turns,
    )  # fmt: skip


def _slots(cast: Cast, words: Words, library: MotionLibrary) -> dict[str, Word]:
    """A word for every slot; one that brings a motion is of those that the split has a clip of, if there are any."""
    chosen = {}
    for name, options in words.slots.items():
        possible = [
            word for word in options if not word.does or _direct(word.does, cast.split, words, library)
        ]
        chosen[name] = cast.random.choice(possible or options)
    if cast.topic:
        chosen["topic"] = Word(say=_as_phrase(cast.topic))
    return chosen


def _as_phrase(topic: str) -> str:
    return f"“{topic}”" if len(topic.split()) > LONG_TOPIC else topic


def _named(name: str, slots: dict[str, Word]) -> str:
    return slots[name.strip("<>")].does if name.startswith("<") else name


def _motion(
    beat: Beat, seconds: float, slots: dict[str, Word], cast: Cast, library: MotionLibrary, settings: ScriptSettings
) -> Performed:  # fmt: skip
    words, random = load()[0], cast.random
    names = [_named(name, slots) for name in beat.does]
    possible = [name for name in names if _direct(name, cast.split, words, library)]
    name, text, found = _found(random.choice(possible or names), cast.split, words, library, random)
    return _performed(text, found, timing.gesture(words.motions[name].when, seconds, random), settings)


def _reaction(
    beat: Beat, seconds: float, slots: dict[str, Word], cast: Cast, library: MotionLibrary, settings: ScriptSettings
) -> Performed:  # fmt: skip
    words, random = load()[0], cast.random
    wanted = _named(beat.meets, slots)
    _, text, found = _found(wanted, cast.split, words, library, random)
    delay = timing.reaction(words.motions[wanted].when, seconds, random)
    return _performed(text, found, delay, settings)


def _performed(text: str, found: Found | None, begins: float, settings: ScriptSettings) -> Performed:
    if found is None:
        return Performed(text=text, begins=round(begins, 2))
    return found.performed(text, begins, settings.longest_motion)


def _direct(name: str, split: str, words: Words, library: MotionLibrary) -> bool:
    """Whether a split has a clip of the motion itself."""
    return any(library.find(text, split, top=1, least=NEAR) for text in words.motions[name].say)


def _found(
    name: str, split: str, words: Words, library: MotionLibrary, random: Random
) -> tuple[str, str, Found | None]:
    """The motion, or the first of those performed instead of it that the split has: name, words, one of its best clips."""
    tried: list[str] = []
    while name not in tried:
        tried.append(name)
        texts = words.motions[name].say
        for text in random.sample(texts, len(texts)):
            near = library.find(text, split, top=POOL, least=NEAR)
            if near:
                good = [found for found in near if found.score >= near[0].score - AS_GOOD]
                return name, text, random.choice(good)
        name = words.motions[name].instead
    return tried[0], words.motions[tried[0]].say[0], None
