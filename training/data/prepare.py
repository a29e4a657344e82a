"""Jobs to store: each part writes its rows, then the parts of all sets are joined into the index.

Killed at any moment, nothing is lost or doubled: clips and tables appear whole or not at all, a second
run keeps the clips that are there, and the index is always the sum of finished parts.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ...backend.errors import BadInput
from . import executors
from .item import Item
from .job import Job
from .making import FileRow, Made
from .parquet import TableWriter
from .report import report_of
from .store import FILES, INDEX, PARTS, REPORT

Progress = Callable[[int, Made], None]


def prepare(
    dataset: str,
    jobs: Iterable[Job],
    store: Path,
    *,
    workers: int = 1,
    ray: str = "",
    period: int = 1,
    part: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make the clips of one set, or one part of them, and bring index and report up to date.

    Args:
        dataset: the set; its rows in the index are replaced (those of this part, with ``period``).
        jobs: all jobs of the set, in the same order for every part.
        store: folder; made when missing.
        workers, ray: see :func:`.executors.run`.
        period, part: do every ``period``-th job, beginning with number ``part``.
        progress: called after each job with the number done.

    Returns:
        The set's report.

    Raises:
        BadInput: another process is at work on this very part.
    """
    store = Path(store)
    folder = store / PARTS / dataset
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{part}-of-{period}"
    begun = time.monotonic()
    try:
        with FileLock(folder / f"{name}.lock", timeout=0):
            _sweep(folder, period)
            mine = itertools.islice(jobs, part, None, period)
            with ExitStack() as stack:
                items = stack.enter_context(TableWriter(folder / f"{name}.items.parquet", Item))
                files = stack.enter_context(TableWriter(folder / f"{name}.files.parquet", FileRow))
                done = executors.run(_once(mine), store, workers=workers, ray=ray)
                for count, (_, made) in enumerate(done, 1):
                    items.add(made.items)
                    files.add([made.row])
                    if progress:
                        progress(count, made)
    except Timeout:
        raise BadInput(
            f"Part {part} of {period} of {dataset} is being prepared by another process.", field="part"
        ) from None
    report = join(store)[dataset]
    return {**report, "seconds": round(time.monotonic() - begun, 1)}


def _once(jobs: Iterable[Job]) -> Iterator[Job]:
    """Jobs with a name that an earlier job of the set took are renamed away into a row of their own."""
    seen: set[int] = set()
    for job in jobs:
        if hash(job.name) in seen:
            yield Job(job.set, job.name, _taken, job.path, left_out="Another file of the set has this name.")
            continue
        seen.add(hash(job.name))
        yield job


def _taken(_: Path) -> Any:
    raise BadInput("It was not read.")


def _sweep(folder: Path, period: int) -> None:
    """Forget tables of another division into parts, and what a killed run left."""
    for path in folder.iterdir():
        division = re.fullmatch(r"\d+-of-(\d+)\.(items|files)\.parquet", path.name)
        if division and int(division[1]) != period:
            path.unlink(missing_ok=True)
        killed = re.fullmatch(r"\.\d+-of-\d+\.\w+\.parquet\.(\d+)", path.name)
        if killed and not _alive(int(killed[1])):
            path.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def join(store: Path) -> dict[str, Any]:
    """Index, file table and report of a store from the parts that are finished.

    Returns:
        The report of every set.
    """
    store = Path(store)
    with FileLock(store / PARTS / "join.lock"):
        with ExitStack() as stack:
            index = stack.enter_context(TableWriter(store / INDEX, Item))
            files = stack.enter_context(TableWriter(store / FILES, FileRow))
            finished: dict[str, tuple[int, int]] = {}
            for folder in sorted(path for path in (store / PARTS).iterdir() if path.is_dir()):
                tables = sorted(folder.glob("*-of-*.items.parquet"), key=_part_number)
                # Rows and files of a part are two files: both must be there.
                tables = [table for table in tables if _files_of(table).is_file()]
                for table in tables:
                    index.add_table(table)
                    files.add_table(_files_of(table))
                if tables:
                    finished[folder.name] = len(tables), int(tables[0].name.split("-of-")[1].split(".")[0])
        report = report_of(store / FILES, store / INDEX)
        for dataset, (there, wanted) in finished.items():
            if there < wanted:
                report.setdefault(dataset, {})["parts"] = f"{there} of {wanted}"
        _write_json(store / REPORT, report)
    return {dataset: report.get(dataset, _nothing()) for dataset in {*finished, *report}}


def _nothing() -> dict[str, Any]:
    return {
        "read": 0, "made": 0, "kept": 0, "hours": 0.0, "hours_left_out": 0.0, "rows": {}, "captions": 0,
        "left_out": {}, "left_out_count": 0, "skipped": {}, "skipped_count": 0,
    }  # fmt: skip


def _part_number(path: Path) -> int:
    return int(path.name.split("-")[0])


def _files_of(items: Path) -> Path:
    return items.with_name(items.name.replace(".items.", ".files."))


def write_index(store: Path, items: Iterable[Item]) -> None:
    """An index of rows made elsewhere, for tools and tests: the rows of their sets are replaced."""
    store = Path(store)
    key = lambda item: item.dataset  # noqa: E731
    for dataset, rows in itertools.groupby(sorted(items, key=key), key):
        folder = store / PARTS / dataset
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder, 1)
        with TableWriter(folder / "0-of-1.items.parquet", Item) as table:
            table.add(rows)
        with TableWriter(folder / "0-of-1.files.parquet", FileRow):
            pass
    join(store)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)
