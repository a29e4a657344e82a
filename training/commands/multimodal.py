"""``understudy-train multimodal topics|filter|scripts|show``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from ...backend.errors import BadInput
from ..data.multimodal import filtering, topics
from ..data.multimodal.script import Performed, Script, fountain_of, read_scripts
from ..words.llm import Usage, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="topics|filter|scripts|show")

    one = actions.add_parser("topics", help="collect topics from feeds, tables and what is searched for")
    one.add_argument(
        "--from", dest="sources", type=Path, nargs="+", default=[], metavar="FILE",
        help="RSS or Atom, CSV with a header, text with a topic a line",
    )  # fmt: skip
    one.add_argument("--trends", metavar="COUNTRY", help="also what a country searches for today (US, DE, JP, ...); needs --online")  # fmt: skip
    one.add_argument("--url", metavar="URL", help="another feed than the trends' own")
    one.add_argument("--online", action="store_true", help="allow the network to be asked")
    one.add_argument("--since", metavar="YYYY-MM-DD", help="leave out what is older, or has no date")
    one.add_argument("--limit", type=int, metavar="N", help="only the newest N")
    one.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl")

    two = actions.add_parser("filter", help="leave out topics by rules and by the vote of a language model")
    two.add_argument("topics", type=Path, metavar="FILE", help="topics, as the command topics writes them")
    two.add_argument(
        "--config", type=Path, metavar="FILE.yaml",
        help="rules, votes and the endpoint (default: the rules alone)",
    )  # fmt: skip
    two.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl", help="the topics that are fit")

    three = actions.add_parser("scripts", help="write scripts with speech, emotion, motion and reaction")
    three.add_argument("--profile", type=Path, metavar="FILE", help="topics and characters, YAML or JSONL")
    three.add_argument("--topics", type=Path, metavar="FILE", help="more topics, for every profile")
    three.add_argument("--config", type=Path, required=True, metavar="FILE.yaml")
    three.add_argument("--store", type=Path, metavar="DIR", help="overrides the configuration's")
    three.add_argument("--out", type=Path, required=True, metavar="DIR")
    three.add_argument("--count", type=int, default=100, metavar="N", help="scripts in all (default 100)")
    three.add_argument("--seed", type=int, default=0, metavar="S")
    three.add_argument("--period", type=int, default=1, metavar="N", help="divide the run into so many parts")
    three.add_argument("--part", type=int, default=0, metavar="K", help="which of them to do, from 0")
    three.add_argument("--json", action="store_true", help="print the report as JSON")

    four = actions.add_parser("show", help="print scripts to be read")
    four.add_argument("scripts", type=Path, metavar="DIR|FILE")
    four.add_argument("--id", metavar="ID", help="only this one")
    four.add_argument("--split", choices=["train", "val", "test"])
    four.add_argument("--limit", type=int, default=3, metavar="N", help="so many (default 3)")
    four.add_argument("--fountain", action="store_true", help="as a screenplay for understudy dialogue")


def run(arguments: argparse.Namespace) -> int:
    actions: dict[str, Callable[[argparse.Namespace], int]] = {
        "topics": _topics, "filter": _filter, "scripts": _scripts, "show": _show,
    }  # fmt: skip
    return actions[arguments.action](arguments)


# ------------------------------------------------------------------------------------------ topics


def _topics(arguments: argparse.Namespace) -> int:
    sources: list[topics.TopicSource] = [topics.FileSource(path) for path in arguments.sources]
    if arguments.trends or arguments.url:
        if not arguments.online:
            raise BadInput(
                "Trends are read over the network.",
                hint="Allow it with --online, or save the feed and name it with --from.",
                field="online",
            )
        country = {"country": arguments.trends} if arguments.trends else {}
        url = {"url": arguments.url} if arguments.url else {}
        sources.append(topics.TrendsSource(**country, **url))
    if not sources:
        raise BadInput("Name a file with --from, or --trends with --online.", field="from")
    _at_least_one(arguments.limit, "limit")
    found = topics.collect(sources, since=_day(arguments.since), limit=arguments.limit)
    _write(arguments.out, topics.lines_of(found))
    dates = sorted(topic.date for topic in found if topic.date)
    between = f", {dates[0]} to {dates[-1]}" if dates else ""
    print(f"{arguments.out}: {len(found)} topics{between}")
    return 0


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise BadInput(f"--since {text} is no day such as 2026-11-21.", field="since") from None


def _filter(arguments: argparse.Namespace) -> int:
    settings = (
        read_config(filtering.FilterSettings, arguments.config)
        if arguments.config
        else filtering.FilterSettings(votes=0)
    )
    found = topics.read_topics(arguments.topics)
    out: Path = arguments.out
    rows, usage = filtering.run(
        found, settings, out.with_suffix(".journal.jsonl"), progress=_progress("topics", len(found))
    )
    _write(out, topics.lines_of(row.topic for row in rows if row.kept))
    _write(out.with_suffix(".verdicts.jsonl"), "".join(row.model_dump_json() + "\n" for row in rows))
    reasons = Counter(row.why for row in rows if not row.kept)
    print(f"{out}: {sum(row.kept for row in rows)} of {len(rows)} topics")
    for why, number in reasons.most_common():
        print(f"  left out, {why}: {number}")
    _print_usage(usage)
    return 0


# ----------------------------------------------------------------------------------------- scripts


def _scripts(arguments: argparse.Namespace) -> int:
    from ..data.multimodal.run import run as make
    from ..data.multimodal.settings import Profile, ScriptSettings, read_profiles

    settings = read_config(ScriptSettings, arguments.config)
    beside = arguments.config.parent
    settings = settings.model_copy(
        update={
            key: beside / value
            for key in ("store", "embeddings")
            if (value := getattr(settings, key)) is not None
        }
    )
    profiles = read_profiles(arguments.profile) if arguments.profile else [Profile()]
    more = [topic.text for topic in topics.read_topics(arguments.topics)] if arguments.topics else []
    show = _progress("scripts", 0) if not arguments.json else lambda *_: None
    report = make(
        profiles, settings, arguments.out, store=arguments.store, topics=more, count=arguments.count,
        seed=arguments.seed, period=arguments.period, part=arguments.part, progress=show,
    )  # fmt: skip
    if arguments.json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _print_report(arguments.out, report)
    if report["stopped"]:
        print(f"understudy-train: {report['stopped']}", file=sys.stderr)
        return 1
    return 0


def _print_report(out: Path, report: dict[str, Any]) -> None:
    splits = ", ".join(f"{number} {name}" for name, number in report["splits"].items())
    print(
        f"{out}: {report['scripts']} of {report['wanted']} scripts by {report['author'] or 'a recording'} ({splits or 'none'})"
    )
    print(
        f"  {report['turns']} turns, {report['seconds']:.0f} s of speech, {report['distinct']} distinct; "
        f"{report['motions']} motions of {report['clips']} clips, {report['without_clip']} without one"
    )
    for name, number in report["failed"].items():
        print(f"  not made, answers {name}: {number}")
    _print_usage({key: report[key] for key in ("run", "total") if report[key]})


def _print_usage(usage: dict[str, Any]) -> None:
    if usage:
        print(f"this run: {Usage(**usage['run']).line()}")
        print(f"in all: {usage['total']['asked']} answers, cost {usage['total']['cost']:.4f}")


# -------------------------------------------------------------------------------------------- show


def _show(arguments: argparse.Namespace) -> int:
    _at_least_one(arguments.limit, "limit")
    wanted: Iterator[Script] = (
        script
        for script in read_scripts(arguments.scripts)
        if arguments.id in (None, script.id) and arguments.split in (None, script.split)
    )
    shown = 0
    for script in islice(wanted, 1 if arguments.fountain else arguments.limit):
        print(fountain_of(script) if arguments.fountain else _told(script))
        shown += 1
    if not shown:
        raise BadInput(f"There is no such script in {arguments.scripts}.", field="id")
    return 0


def _told(script: Script) -> str:
    where = "; ".join(part for part in (script.place, script.relation) if part)
    lines = [f"{script.id} ({script.split}) {script.topic}" + (f": {where}" if where else "")]
    for turn in script.turns:
        speaker, listener = (script.characters[i].name for i in (turn.speaker, 1 - turn.speaker))
        lines.append(f"  {speaker} ({turn.emotion}): {turn.text}")
        lines.append(f"    {_shown(speaker, turn.motion)}")
        if turn.reaction:
            lines.append(f"    {_shown(listener, turn.reaction)}")
    return "\n".join(lines) + "\n"


def _shown(name: str, performed: Performed) -> str:
    return f"{name}, {performed.begins:+.1f} s: {performed.text} [{performed.clip or 'no clip'}]"


# ------------------------------------------------------------------------------------------ common


def _at_least_one(value: int | None, name: str) -> None:
    if value is not None and value < 1:
        raise BadInput(f"--{name} must be at least 1.", field=name)


def _progress(what: str, total: int) -> Callable[..., None]:
    def show(done: int, of: int = total) -> None:
        if sys.stderr.isatty():
            print(f"\r{done}/{of} {what}", end="" if done < of else "\n", file=sys.stderr, flush=True)

    return show


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, "utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written ({error.strerror or error}).", field="out") from None
    finally:
        temporary.unlink(missing_ok=True)
