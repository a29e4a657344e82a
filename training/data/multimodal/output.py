"""What a run leaves: scripts, a report, and of parts of a run the whole as soon as the last one is done."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ....backend.errors import BadInput
from .script import REPORT, SCRIPTS, Script, json_of

_SUMS = ("asked", "known", "retries", "tokens_in", "tokens_out", "cost")


@dataclass(frozen=True)
class Skipped:
    """A script that was not made.

    Attributes:
        number: of the script.
        topic: what it should have been about.
        error: the name of what was wrong with the last answer (:mod:`.answers`).
        why: the same in a sentence.
    """

    number: int
    topic: str
    error: str
    why: str


@dataclass
class Outcome:
    """What came of a run, in the order of the scripts' numbers.

    Attributes:
        wanted: how many scripts this part should make.
        stopped: why it ended early; empty where it did not.
        usage, total: :class:`training.llm.Usage` of this run and of all runs on this journal.
    """

    wanted: int
    author: str
    scripts: list[Script] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    stopped: str = ""
    usage: dict[str, Any] = field(default_factory=dict)
    total: dict[str, Any] = field(default_factory=dict)


def names_of(part: int, period: int) -> tuple[str, str]:
    """The files of a part: scripts and report."""
    if period == 1:
        return SCRIPTS, REPORT
    return f"scripts.{part:04d}_of_{period:04d}.jsonl", f"report.{part:04d}_of_{period:04d}.json"


def write(out: Path, outcome: Outcome, part: int, period: int) -> dict[str, Any]:
    """Both files of a part; with the last part also the files of the whole.

    Returns:
        The report of this part.

    Raises:
        BadInput: the folder cannot be written.
    """
    report = _report(outcome)
    scripts_name, report_name = names_of(part, period)
    try:
        _replace(out / scripts_name, "".join(json_of(script) + "\n" for script in outcome.scripts))
        _replace(out / report_name, json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        if period > 1 and all((out / names_of(k, period)[1]).is_file() for k in range(period)):
            _join(out, period)
    except OSError as error:
        raise BadInput(f"{out} cannot be written ({error.strerror or error}).", field="out") from None
    return report


def _report(outcome: Outcome) -> dict[str, Any]:
    return {
        "complete": not outcome.stopped and len(outcome.scripts) + len(outcome.skipped) == outcome.wanted,
        "stopped": outcome.stopped,
        "author": outcome.author,
        "wanted": outcome.wanted,
        **counts(outcome.scripts),
        "failed": dict(sorted(Counter(each.error for each in outcome.skipped).items())),
        "skipped": [asdict(each) for each in outcome.skipped],
        "run": outcome.usage,
        "total": outcome.total,
    }


def counts(scripts: Sequence[Script]) -> dict[str, Any]:
    """What scripts hold, in numbers."""
    turns = [turn for script in scripts for turn in script.turns]
    performed = [each for turn in turns for each in (turn.motion, turn.reaction) if each is not None]
    return {
        "scripts": len(scripts),
        "distinct": len({tuple(turn.text for turn in script.turns) for script in scripts}),
        "splits": _tally(script.split for script in scripts),
        "turns": len(turns),
        "seconds": round(sum(turn.seconds for turn in turns), 1),
        "emotions": _tally(turn.emotion for turn in turns),
        "motions": len(performed),
        "without_clip": sum(each.clip is None for each in performed),
        "clips": len({each.clip for each in performed if each.clip}),
    }


def _tally(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def _join(out: Path, period: int) -> None:
    """The whole of all parts; scripts in the order of their numbers, as one run would have them."""
    from .script import read_scripts

    names = [names_of(part, period) for part in range(period)]
    scripts = [script for name, _ in names for script in read_scripts(out / name)]
    scripts.sort(key=lambda script: int(script.id.rpartition("-")[2]))
    reports = [json.loads((out / name).read_text("utf-8")) for _, name in names]
    skipped = sorted(
        (each for report in reports for each in report["skipped"]), key=lambda each: each["number"]
    )
    whole = {
        "complete": all(report["complete"] for report in reports),
        "stopped": next((report["stopped"] for report in reports if report["stopped"]), ""),
        "author": reports[0]["author"],
        "wanted": sum(report["wanted"] for report in reports),
        **counts(scripts),
        "failed": dict(sorted(Counter(each["error"] for each in skipped).items())),
        "skipped": skipped,
        **{
            key: {name: sum(report[key].get(name, 0) for report in reports) for name in _SUMS}
            for key in ("run", "total")
        },
    }
    _replace(out / SCRIPTS, "".join(json_of(script) + "\n" for script in scripts))
    _replace(out / REPORT, json.dumps(whole, indent=2, ensure_ascii=False) + "\n")


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, "utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
