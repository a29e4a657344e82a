"""What the language model is asked."""

from __future__ import annotations

from collections.abc import Sequence

from ....backend.dialogue.emotions import EMOTIONS
from .answers import Draft
from .casting import Cast
from .motions import KINDS, Found, Kind
from .scenarios import Content
from .settings import ScriptSettings

_CONTENT: dict[Content, str] = {
    "everyday": "an everyday conversation, easy and concrete",
    "feelings": "a conversation in which feelings change: news, a quarrel, a comfort, a farewell",
    "teaching": "one shows the other how something is done with the body, and the other tries it",
    "play": "playful: a game, a bet, a dance, a scare",
}
_KINDS: dict[Kind, str] = {
    "gestures": "gestures of hands, arms and head",
    "everyday": "standing, sitting, reaching, eating and drinking",
    "walking": "walking, running, sneaking, climbing",
    "sport": "jumping, throwing, kicking, exercises",
    "dance": "dancing",
    "fight": "boxing and fencing, never in earnest",
}

_SETTING = """\
You write scenes for two characters who stand face to face; a motion library performs what their bodies do.
Kind of scene: {content}.
Bodies may show: {kinds}. They hold no objects and do not touch one another.
{place}{relation}{first} is {first_is}.
{second} is {second_is}.
{topic}People speak the way people do: short turns, contractions, no speeches, no stage directions inside the speech, \
nothing that was said before. Keep it fit for any audience."""

_KEYS = """\
"speaker": the name; "speech": what is said, at most {longest} words; "emotion": one of {emotions}; \
"expression": the speaker's face in a few words; "motion": what the speaker's body does, one plain sentence \
beginning with "a person", one action that takes two to six seconds; "reaction": what the listener's body does meanwhile, in the same \
way; "when": start, middle or end, where in the speech the reaction comes."""


def setting(cast: Cast, settings: ScriptSettings) -> str:
    """The system message of a script."""
    first, second = cast.characters
    return _SETTING.format(
        content=_CONTENT[cast.content],
        kinds="; ".join(_KINDS[kind] for kind in settings.interaction or KINDS),
        place=f"Place: {cast.place}.\n" if cast.place else "",
        relation=f"They are {cast.relation}.\n" if cast.relation else "",
        first=first.name,
        first_is=_person(first.role, first.personality, cast.user),
        second=second.name,
        second_is=_person(second.role, second.personality),
        topic=f"They come to talk about: {cast.topic}.\n" if cast.topic else "",
    )


def _person(*facts: str) -> str:
    return "; ".join(fact for fact in facts if fact) or "an ordinary person"


def next_turn(cast: Cast, turns: Sequence[Draft], settings: ScriptSettings) -> str:
    """The question for one turn."""
    speaker = cast.characters[len(turns) % 2].name
    left = cast.turns - len(turns)
    place = "It is the last turn: end the scene." if left == 1 else f"{left} turns are left."
    return (
        f"{_so_far(cast, turns)}Write the next turn, {speaker}'s. {place}\n"
        f"Answer with one JSON object and nothing else. Its keys: {_keys(settings)}"
    )


def conversation(cast: Cast, settings: ScriptSettings) -> str:
    """The question for all turns."""
    return (
        f"Write the whole scene: {cast.turns} turns, {cast.characters[0].name} begins.\n"
        'Answer with one JSON object and nothing else: {"turns": [...]}, each turn an object. Its keys: '
        + _keys(settings)
    )


def choose(
    cast: Cast, turns: Sequence[Draft], draft: Draft, motions: Sequence[Found], reactions: Sequence[Found]
) -> str:
    """The question which clips to take."""
    name, other = cast.characters[draft.speaker].name, cast.characters[1 - draft.speaker].name
    return (
        f"{_so_far(cast, turns)}{name} is about to say ({draft.emotion}): {draft.text}\n"
        f"{name}'s motion was to be: {draft.motion}. Clips in the library:\n{_listed(motions)}"
        f"{other}'s reaction was to be: {draft.reaction or 'none'}. Clips in the library:\n{_listed(reactions)}"
        "Pick the clip that fits best for each, 0 where none fits, and rewrite the turn so that words and bodies agree.\n"
        'Answer with one JSON object and nothing else: "motion" and "reaction": the numbers; "speech": what is said now; '
        '"motion_text" and "reaction_text": what the bodies do now, in plain sentences beginning with "a person".'
    )


def again(question: str, why: str) -> str:
    """The same question after an answer that could not be used."""
    return f"{question}\n\nYour last answer could not be used: it {why}. Answer again, exactly as asked."


def _so_far(cast: Cast, turns: Sequence[Draft]) -> str:
    if not turns:
        return "The scene begins.\n"
    said = "".join(
        f"{cast.characters[turn.speaker].name} ({turn.emotion}; {turn.motion}): {turn.text}\n"
        for turn in turns
    )
    return f"So far:\n{said}"


def _keys(settings: ScriptSettings) -> str:
    return _KEYS.format(longest=settings.longest_speech, emotions=", ".join(EMOTIONS))


def _listed(found: Sequence[Found]) -> str:
    if not found:
        return "0: none\n"
    return "".join(
        f"{number}: {each.caption} ({each.end - each.start:.1f} s)\n" for number, each in enumerate(found, 1)
    )
