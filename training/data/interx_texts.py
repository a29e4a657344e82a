"""Who does what: Inter-X's captions of two people divided into one of each, and the division put to the vote.

The method is SOLAMI's (Jiang et al., CVPR 2025), the prompts are ours. A language model divides a caption into what
both do, what the actor does and what the reactor does; an answer that cannot be read is asked for again. Then
it judges each division several times: Y (right), R (the two are exchanged), N (wrong), see :func:`verdict`.

Files, in the folder ``annotations`` of the data set or any other; one pair for each part of the work::

    split.0000_of_0001.jsonl            a division a line
    split.0000_of_0001.journal.jsonl    every answer, to resume from
    vote.0000_of_0001.jsonl             a judged division a line
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...backend.errors import BadInput
from ..words.llm import Chat, Endpoint, Question, messages, object_in, without_thoughts

Verdict = Literal["keep", "swap", "drop", "skip"]

SPLIT_PROMPT = """\
You annotate motion capture of two people. You are given one caption of a scene. One of the two begins the \
interaction: the actor. The other one answers to it: the reactor.
Rewrite the caption as three descriptions in plain English, present tense, one sentence each:
- "both": the whole interaction, starting with "two people";
- "actor": only what the actor's own body does, starting with "a person";
- "reactor": only what the reactor's own body does, starting with "a person".
Say which limb, which side and which direction where the caption does. Mention the other one as "someone" where \
it must be. Add nothing that the caption does not say. If both do the same, say so of each.
Answer with one JSON object with the keys both, actor and reactor, and nothing else."""

VOTE_PROMPT = """\
You check annotations of motion capture of two people. You are given a caption of a scene, and a description of \
each person derived from it: the actor, who begins the interaction, and the reactor, who answers to it.
Answer with a single letter:
Y if both descriptions agree with the caption and each stands under the right person;
R if they agree with the caption but actor and reactor are exchanged;
N if a description does not agree with the caption, is empty of motion, or speaks of the wrong number of people."""

LONGEST = 600
"""Characters of a description."""


class AnnotationSettings(BaseModel):
    """The configuration of ``understudy-train annotate``."""

    model_config = ConfigDict(extra="forbid")

    llm: Endpoint
    attempts: int = Field(5, ge=1)
    """How often a division is asked for until it can be read."""
    repeat: int = Field(5, ge=1)
    """How many votes a division gets."""


class Division(BaseModel):
    """One caption divided; a line of ``split.*.jsonl``. ``failed`` says why the three are empty."""

    clip: str
    caption: int = Field(ge=0)
    """The line of the caption in the scene's file, from 0."""
    text: str
    both: str = ""
    actor: str = ""
    reactor: str = ""
    failed: str = ""


class Judged(Division):
    """A division after the vote; a line of ``vote.*.jsonl``. Actor and reactor are exchanged already."""

    verdict: Verdict
    votes: dict[str, int]


@dataclass
class PersonTexts:
    """What is known of a scene."""

    both: list[str] = field(default_factory=list)
    actor: list[str] = field(default_factory=list)
    reactor: list[str] = field(default_factory=list)


# ---------------------------------------------------------------------------------------- dividing


def divide(chat: Chat, caption: Division, attempts: int) -> Division:
    """Ask for the division of a caption until it can be read."""
    why = ""
    for attempt in range(attempts):
        question = Question(
            name=f"split/{caption.clip}/{caption.caption}/{attempt}",
            messages=messages(SPLIT_PROMPT, f"Caption: {caption.text}"),
            number=attempt,
            wants_json=True,
        )
        found = read_division(chat.ask(question))
        if isinstance(found, dict):
            return caption.model_copy(update=found)
        why = found
    return caption.model_copy(update={"failed": f"{attempts} answers could not be read; the last {why}."})


def read_division(answer: str) -> dict[str, str] | str:
    """The three descriptions of an answer, or what is wrong with it (``has no JSON object``)."""
    value = object_in(answer)
    if value is None:
        return "has a damaged JSON object" if "{" in without_thoughts(answer) else "has no JSON object"
    found = {}
    for key in ("both", "actor", "reactor"):
        text = value.get(key)
        text = " ".join(text.split()).rstrip(".").strip() if isinstance(text, str) else ""
        if not text:
            return f"lacks {key}"
        if len(text) > LONGEST:
            return f"has {len(text)} characters for {key}"
        found[key] = text
    return found


# ------------------------------------------------------------------------------------------ voting


def judge(chat: Chat, division: Division, repeat: int) -> Judged:
    """Put a division to the vote."""
    shown = f"Caption: {division.text}\nActor: {division.actor}\nReactor: {division.reactor}"
    answers = (
        chat.ask(
            Question(
                name=f"vote/{division.clip}/{division.caption}/{number}",
                messages=messages(VOTE_PROMPT, shown),
                number=number,
            )
        )
        for number in range(repeat)
    )
    votes = Counter(letter for letter in map(read_vote, answers) if letter)
    decided = verdict(votes, repeat)
    fields = division.model_dump()
    if decided == "swap":
        fields |= {"actor": division.reactor, "reactor": division.actor}
    return Judged(**fields, verdict=decided, votes={letter: votes[letter] for letter in "YRN"})


def read_vote(answer: str) -> str:
    """``Y``, ``R`` or ``N``; empty where the answer is none of them.

    The letter itself, whatever stands around it (``**Y**``, ``Answer: R``), or the word it begins.
    """
    answer = without_thoughts(answer)
    letters = set(re.findall(r"(?<![A-Za-z'])[YRN](?![A-Za-z'])", answer))
    if len(letters) == 1:
        return letters.pop()
    word = re.match(r"\W*([A-Za-z]+)", answer)
    return {"y": "Y", "yes": "Y", "r": "R", "reversed": "R", "n": "N", "no": "N"}.get(
        word.group(1).casefold() if word and not letters else "", ""
    )


def verdict(votes: Counter[str], repeat: int) -> Verdict:
    """SOLAMI's rule.

    Fewer than ``repeat - 1`` readable votes decide nothing (``skip``). Y at least as often as each of the
    others keeps; else R more often than Y and at least as often as N exchanges; else the division is dropped.
    """
    yes, exchanged, no = votes["Y"], votes["R"], votes["N"]
    if yes + exchanged + no < repeat - 1:
        return "skip"
    if yes >= exchanged and yes >= no:
        return "keep"
    return "swap" if exchanged > yes and exchanged >= no else "drop"


# ------------------------------------------------------------------------------------------- files


def captions(texts: Path) -> Iterator[Division]:
    """Every caption of a folder of Inter-X's text files, undivided, in order.

    Raises:
        BadInput: there is no such folder, or it is empty.
    """
    from .two_people import captions_of

    files = sorted(texts.glob("*.txt"))
    if not files:
        raise BadInput(f"There are no captions in {texts}.", field="root")
    for path in files:
        for number, text in enumerate(captions_of(path)):
            yield Division(clip=path.stem, caption=number, text=text)


def part_file(folder: Path, kind: str, part: int, period: int) -> Path:
    """Where a part of the work is written; its journal stands beside it."""
    return folder / f"{kind}.{part:04d}_of_{period:04d}.jsonl"


def run(
    kind: Literal["split", "vote"],
    texts: Path,
    out: Path,
    settings: AnnotationSettings,
    *,
    period: int = 1,
    part: int = 0,
    limit: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Divide or judge a part of the captions; begun work goes on where it stopped.

    Args:
        kind: ``split`` divides captions, ``vote`` judges what ``split`` wrote to ``out``.
        texts: the data set's ``texts``.
        out: folder of the results.
        settings: endpoint and numbers.
        period: into how many parts the work is divided.
        part: which of them, from 0.
        limit: only so many captions of the part, to try it out.
        progress: called with the number of captions done.

    Returns:
        Numbers of the run: captions, outcomes, the endpoint's usage.

    Raises:
        BadInput: nothing is there to do, or a file cannot be used.
        JobFailed: the endpoint does not answer; all answers so far are kept.
    """
    work: Iterable[Division]
    if kind == "split":
        work = captions(texts)
    else:
        divisions = _read(out, "split", Division)
        if not divisions:
            raise BadInput(
                f"There are no divided captions in {out}.",
                hint="Run annotate interx split first.",
                field="out",
            )
        work = (division for _, division in sorted(divisions.items()) if not division.failed)
    path = part_file(out, kind, part, period)
    outcomes: Counter[str] = Counter()
    rows: list[Division] = []
    with Chat(settings.llm, path.with_suffix(".journal.jsonl")) as chat:

        def do(caption: Division) -> Division:
            if kind == "split":
                return divide(chat, caption, settings.attempts)
            return judge(chat, caption, settings.repeat)

        for row in chat.map(do, islice(work, part, None if limit is None else part + limit * period, period)):
            rows.append(row)
            outcomes[row.verdict if isinstance(row, Judged) else "failed" if row.failed else "divided"] += 1
            progress(len(rows))
        usage, total = chat.usage, chat.total
    _write(path, rows)
    return {
        "file": str(path),
        "captions": len(rows),
        "outcomes": dict(outcomes),
        "run": vars(usage),
        "total": vars(total),
    }


def _write(path: Path, rows: Sequence[BaseModel]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.writelines(row.model_dump_json() + "\n" for row in rows)
    os.replace(temporary, path)


def _read(folder: Path, kind: str, model: type[Any]) -> dict[tuple[str, int], Any]:
    """The rows of all parts, by scene and caption.

    Raises:
        BadInput: a line is damaged.
    """
    found = {}
    for path in sorted(folder.glob(f"{kind}.*_of_*.jsonl")):
        if path.name.endswith(".journal.jsonl"):
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{path.name} cannot be read ({error}).", field="annotations") from None
        for number, line in enumerate(lines, 1):
            try:
                row = model.model_validate_json(line)
            except ValidationError:
                raise BadInput(f"Line {number} of {path.name} is damaged.", field="annotations") from None
            found[row.clip, row.caption] = row
    return found


def read_annotations(folder: Path) -> dict[str, PersonTexts]:
    """What is known of each scene: voted divisions where there was a vote, else divisions as they came.

    Raises:
        BadInput: a file is damaged.
    """
    judged = _read(folder, "vote", Judged)
    rows = judged or _read(folder, "split", Division)
    found: dict[str, PersonTexts] = {}
    for _, row in sorted(rows.items()):
        if row.failed or (isinstance(row, Judged) and row.verdict not in ("keep", "swap")):
            continue
        texts = found.setdefault(row.clip, PersonTexts())
        texts.both.append(row.both)
        texts.actor.append(row.actor)
        texts.reactor.append(row.reactor)
    return found
