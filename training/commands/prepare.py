"""``understudy-train prepare DATASET... --root DIR --store DIR``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from ...backend.errors import BadInput, JobFailed
from ..data.making import Made
from ..data.prepare import Progress, prepare
from ..data.sets import OPEN, SETS, jobs_of, names_of

SHOWN = 8
"""Names printed of each kind; the files have them all."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "datasets", nargs="+", choices=["open", "all", *SETS], metavar="DATASET",
        help=f"data sets: {', '.join(SETS)}; open = {', '.join(OPEN)}; all = every set that is there",
    )  # fmt: skip
    parser.add_argument("--root", type=Path, required=True, help="folder of the raw data sets")
    parser.add_argument("--store", type=Path, required=True, help="folder of the store; made when missing")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)"
    )
    parser.add_argument("--ray", metavar="ADDRESS", default="", help="run on a Ray cluster; local starts one")
    parser.add_argument(
        "--period", type=int, default=1, help="divide a set into so many parts, for job arrays"
    )
    parser.add_argument("--part", type=int, default=0, help="which of them to do, from 0")
    parser.add_argument(
        "--option", action="append", default=[], metavar="KEY=VALUE",
        help="an option of the set, such as mirrored=false or sides=release",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")


def run(arguments: argparse.Namespace) -> int:
    _check(arguments)
    reports: dict[str, dict[str, Any]] = {}
    absent: list[str] = []
    names = names_of(arguments.datasets)
    options = _options(arguments.option)
    for name in names:
        try:
            jobs = jobs_of(name, arguments.root, arguments.store, alone=len(names) == 1, options=options)
        except BadInput as error:
            if "all" not in arguments.datasets or name in arguments.datasets or error.field != "root":
                raise
            absent.append(name)
            continue
        with _bar(name, show=sys.stderr.isatty() and not arguments.json) as progress:
            reports[name] = prepare(
                name, jobs, arguments.store, workers=arguments.workers, ray=arguments.ray,
                period=arguments.period, part=arguments.part, progress=progress,
            )  # fmt: skip
        if not arguments.json:
            _print(name, reports[name], arguments.store)
    if absent and not arguments.json:
        print(f"not under {arguments.root}: {', '.join(absent)}")
    if arguments.json:
        print(json.dumps(reports, indent=2, ensure_ascii=False))
    if not reports:
        raise BadInput(f"None of the data sets is under {arguments.root}.", field="root")
    if all(numbers["read"] and not numbers["made"] + numbers["kept"] for numbers in reports.values()):
        raise JobFailed(
            "Not one clip could be read.", hint=f"The reasons are in {arguments.store / 'report.json'}."
        )
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if not arguments.root.is_dir():
        raise BadInput(f"The folder {arguments.root} is not there.", field="root")
    if arguments.workers < 1:
        raise BadInput("--workers must be at least 1.", field="workers")
    if not 0 <= arguments.part < arguments.period:
        raise BadInput("--part counts from 0 to --period minus 1.", field="part")
    try:
        arguments.store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"The store {arguments.store} cannot be made ({error.strerror}).", field="store"
        ) from None


def _options(words: list[str]) -> dict[str, Any]:
    options = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise BadInput(f"--option needs KEY=VALUE, not {word!r}.", field="option")
        options[key] = yaml.safe_load(value)
    return options


@contextmanager
def _bar(name: str, *, show: bool) -> Iterator[Progress | None]:
    """A line with the number of clips done and how many a second; sets do not tell their size beforehand."""
    if not show:
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[now]}"),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None, now="")

        def progress(done: int, made: Made) -> None:
            speed = bar.tasks[0].speed or 0.0
            bar.update(
                task,
                completed=done,
                description=f"{name}: {done} files, {speed:.0f} a second",
                now=made.row.name,
            )

        yield progress


def _print(name: str, numbers: dict[str, Any], store: Path) -> None:
    parts = f" (parts finished: {numbers['parts']})" if "parts" in numbers else ""
    fit = numbers.get("fit_error_mm")
    print(
        f"{name}: {numbers['read']} files, {numbers['made']} made, {numbers['kept']} kept, "
        f"{numbers['left_out_count']} left out, {numbers['skipped_count']} skipped, {numbers['hours']:.3f} h, "
        f"{sum(numbers['rows'].values())} rows, {numbers['captions']} captions, {numbers['seconds']} s"
        + (f", fit error {fit['p50']} mm (95 %: {fit['p95']})" if fit else "")
        + parts
    )
    for kind, key in (("skipped", "skipped"), ("left out", "left_out")):
        named = list(numbers[key].items())
        for clip, why in named[:SHOWN]:
            print(f"  {kind} {clip}: {why}")
        if len(named) > SHOWN:
            print(
                f"  and {numbers[f'{key}_count'] - SHOWN} more {kind}, all named in {store / 'files.parquet'}"
            )
