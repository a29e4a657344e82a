"""A run: scripts of a range of numbers, by any author, resumed from the journal of answers, with a report."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ....backend.errors import BadInput, JobFailed
from ...words.embeddings import Encoder, SentenceEncoder
from ...words.llm import Chat
from . import output, rounds, rules
from .answers import Unusable
from .casting import Cast, cast
from .motions import MotionLibrary
from .output import Outcome, Skipped
from .script import Script
from .settings import Profile, ScriptSettings

Made = tuple[Cast, Script | Unusable]
"""What became of a cast."""
Makes = Generator[Made, None, None]


def run(
    profiles: Sequence[Profile],
    settings: ScriptSettings,
    out: Path,
    *,
    store: Path | None = None,
    topics: Sequence[str] = (),
    count: int = 100,
    seed: int = 0,
    period: int = 1,
    part: int = 0,
    encoder: Callable[[str], Encoder] = SentenceEncoder,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> dict[str, Any]:
    """Make scripts 0 to ``count`` minus 1, or those of a part.

    What the language model answers is journalled in the folder before it is used: a run that was killed is
    started again by the same call, and pays for nothing twice. Scripts are written in the order of their numbers.

    Args:
        profiles: at least one.
        settings: how they are made.
        out: folder of the results.
        store: overrides the settings'.
        topics: for every profile, beside its own.
        count: scripts of the whole run.
        seed: another one makes other scripts.
        period: into how many parts the run is divided.
        part: which of them, from 0.
        encoder: makes the sentence encoder of a model's name.
        progress: called with the number of scripts done, and of all.

    Returns:
        The report, as in ``report.json``. Where it names a reason under ``stopped``, the run ended early: what is
        finished is written, and the same call goes on from there.

    Raises:
        BadInput: nothing is there to do, or a file cannot be used.
    """
    if count < 1:
        raise BadInput("--count must be at least 1.", field="count")
    if period < 1 or not 0 <= part < period:
        raise BadInput("--part counts from 0 to --period minus 1.", field="part")
    store = store or settings.store
    if store is None:
        raise BadInput("Name the store with --store, or store in the configuration.", field="store")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{out} cannot be written ({error.strerror or error}).", field="out") from None
    casts = (cast(number, seed, profiles, settings, topics) for number in range(part, count, period))
    author = rules.AUTHOR if settings.method == "rules" else settings.llm.model
    outcome = Outcome(wanted=len(range(part, count, period)), author=author)
    with ExitStack() as stack:
        chat = None
        if settings.method != "rules":
            journal = output.names_of(part, period)[0].replace("scripts", "journal", 1)
            chat = stack.enter_context(Chat(settings.llm, out / journal))
        library = MotionLibrary(
            store, out / ".embeddings", datasets=settings.datasets, kinds=settings.interaction,
            embeddings=settings.embeddings, encoder=encoder,
        )  # fmt: skip
        if chat is None:
            made: Makes = ((each, rules.write(each, library, settings)) for each in casts)
            _collect(made, outcome, settings.give_up, progress)
        else:
            _collect(_asked(casts, chat, library, settings), outcome, settings.give_up, progress)
            outcome.usage, outcome.total = vars(chat.usage), vars(chat.total)
    return output.write(out, outcome, part, period)


def _asked(casts: Iterator[Cast], chat: Chat, library: MotionLibrary, settings: ScriptSettings) -> Makes:
    def write(each: Cast) -> Made:
        try:
            return each, rounds.write(each, chat, library, settings)
        except Unusable as error:
            return each, error

    yield from chat.map(write, casts)


def _collect(made: Makes, outcome: Outcome, give_up: int, progress: Callable[[int, int], None]) -> None:
    """Scripts into the outcome until they are all there, or something ends it."""
    in_a_row = 0
    try:
        for each, result in made:
            if isinstance(result, Script):
                outcome.scripts.append(result)
                in_a_row = 0
            else:
                outcome.skipped.append(Skipped(each.number, each.topic, result.name, str(result)))
                in_a_row += 1
                if in_a_row >= give_up:
                    raise JobFailed(
                        f"{in_a_row} scripts failed one after the other; the last answer was {result.name}: {result}.",
                        hint="Try another model, or look at the prompts' language and max_tokens.",
                    )
            progress(len(outcome.scripts) + len(outcome.skipped), outcome.wanted)
    except JobFailed as error:
        outcome.stopped = f"{error.message} {error.hint}".strip()
    finally:
        made.close()  # what is being asked is waited for, and counted
