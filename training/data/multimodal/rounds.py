"""The author with a language model: it writes, the store is searched, it picks a clip and rewrites to fit.

The method is SOLAMI's (Jiang et al., CVPR 2025), the prompts are ours (:mod:`.prompts`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from ...words.llm import Chat, Question, messages
from . import prompts, timing
from .answers import Choice, Draft, Unusable, read_choice, read_conversation, read_draft
from .casting import Cast
from .motions import Found, MotionLibrary
from .script import Performed, Script, Turn, speech_seconds
from .settings import ScriptSettings

Read = TypeVar("Read")
STRIDE = 100
"""Questions of one script have seeds of their own: two scripts with one cast are not to be the same."""
SLACK = 2
"""Turns by which a conversation that is written at once may be shorter or longer than asked."""


def write(cast: Cast, chat: Chat, library: MotionLibrary, settings: ScriptSettings) -> Script:
    """A script of the cast, by the method of the settings.

    Raises:
        Unusable: the answers to a question could not be used, however often it was asked.
        JobFailed: the endpoint does not answer, or the budget is spent.
    """
    name = f"{settings.method}-{cast.seed}-{cast.number:05d}"
    if settings.method == "whole":
        turns = _at_once(name, cast, chat, library, settings)
    else:
        turns = _in_rounds(name, cast, chat, library, settings)
    return Script(
        id=name, split=cast.split, topic=cast.topic or cast.content, seed=cast.seed,
        author=settings.llm.model or "recorded", characters=list(cast.characters), place=cast.place,
        relation=cast.relation, turns=turns,
    )  # fmt: skip


def _in_rounds(
    name: str, cast: Cast, chat: Chat, library: MotionLibrary, settings: ScriptSettings
) -> list[Turn]:
    system = prompts.setting(cast, settings)
    names = [character.name for character in cast.characters]
    drafts: list[Draft] = []
    turns: list[Turn] = []
    for number in range(cast.turns):
        said = [draft.text for draft in drafts]
        draft = _asked(
            chat, cast, f"{name}/{number}/write", system, prompts.next_turn(cast, drafts, settings), settings.attempts,
            lambda answer, number=number, said=said: read_draft(  # type: ignore[misc]
                answer, names, number % 2, settings.longest_speech, said
            ),
        )  # fmt: skip
        motions, reactions = (_near(text, cast, library, settings) for text in (draft.motion, draft.reaction))
        choice = Choice(0, 0, draft.text, draft.motion, draft.reaction)
        if motions or reactions:
            choice = _asked(
                chat, cast, f"{name}/{number}/choose", system,
                prompts.choose(cast, drafts, draft, motions, reactions), settings.attempts,
                lambda answer, some=len(motions), others=len(reactions): read_choice(  # type: ignore[misc]
                    answer, some, others, settings.longest_speech
                ),
            )  # fmt: skip
            draft = replace(
                draft, text=choice.text, motion=choice.motion_text, reaction=choice.reaction_text or draft.reaction
            )  # fmt: skip
        drafts.append(draft)
        turns.append(
            _turn(draft, _pick(motions, choice.motion), _pick(reactions, choice.reaction), cast, settings)
        )
    return turns


def _at_once(
    name: str, cast: Cast, chat: Chat, library: MotionLibrary, settings: ScriptSettings
) -> list[Turn]:
    names = [character.name for character in cast.characters]
    drafts = _asked(
        chat, cast, f"{name}/write", prompts.setting(cast, settings), prompts.conversation(cast, settings), settings.attempts,
        lambda answer: read_conversation(
            answer, names, settings.longest_speech, (max(cast.turns - SLACK, 2), cast.turns + SLACK)
        ),
    )  # fmt: skip
    turns = []
    for draft in drafts:
        motion, reaction = (
            _pick(_near(text, cast, library, settings), 1) for text in (draft.motion, draft.reaction)
        )
        turns.append(_turn(draft, motion, reaction, cast, settings))
    return turns


def _asked(
    chat: Chat, cast: Cast, name: str, system: str, question: str, attempts: int, read: Callable[[str], Read]
) -> Read:
    """What an answer says; one that cannot be used is asked for again, with what was wrong with it."""
    asked = question
    for attempt in range(attempts):
        answer = chat.ask(
            Question(
                f"{name}/{attempt}", messages(system, asked), cast.number * STRIDE + attempt, wants_json=True
            )
        )
        try:
            return read(answer)
        except Unusable as error:
            last = error
            asked = prompts.again(question, str(error))
    raise last


def _near(text: str, cast: Cast, library: MotionLibrary, settings: ScriptSettings) -> list[Found]:
    return library.find(text, cast.split, top=settings.candidates, least=settings.nearest)


def _pick(found: list[Found], number: int) -> Found | None:
    return found[number - 1] if 0 < number <= len(found) else None


def _turn(
    draft: Draft, motion: Found | None, reaction: Found | None, cast: Cast, settings: ScriptSettings
) -> Turn:
    seconds = speech_seconds(draft.text)

    def performed(text: str, found: Found | None, begins: float) -> Performed:
        if found is None:
            return Performed(text=text, begins=round(begins, 2))
        return found.performed(text, begins, settings.longest_motion)

    begins = timing.gesture("start", seconds, cast.random)
    delay = timing.reaction(draft.when, seconds, cast.random)
    return Turn(
        speaker=draft.speaker, text=draft.text, emotion=draft.emotion, expression=draft.expression, seconds=seconds,
        motion=performed(draft.motion, motion, begins),
        reaction=performed(draft.reaction, reaction, delay) if draft.reaction else None,
    )  # fmt: skip
