"""Features of a whole store, or of a folder of joint files, in the published folder layout.

::

    new_joints/<id>.npy  new_joint_vecs/<id>.npy  texts/<id>.txt
    train.txt val.txt test.txt train_val.txt all.txt  Mean.npy Std.npy
    unified_data/<id>.npz  dataset_items.json  mean_variance.npz    (SOLAMI's unified features instead)
    settings.json  report.json  parts/<K>-of-<N>/       what each part did; the lists above are their sum

Clips are worked through as the index gives them, with a bounded number in flight, and lists are written as
they grow, so memory does not depend on the number of clips. Every file appears whole under its name or not
at all. What is there and newer than its clip and the index is kept, so a run that was ended goes on.
"""

from __future__ import annotations

import functools
import itertools
import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput, JobFailed
from ..data.item import Item
from ..data.store import INDEX, iter_index
from .files import npy_bytes, npz_bytes, write_whole
from .statistics import Moments, mean_and_std
from .tasks import Settings, Task, tasks_of_folder, tasks_of_store
from .worker import Done, Worker

CHUNK = 16
"""Clips per task of a worker."""
AHEAD = 4
"""Tasks per worker that wait or run."""
NAMED = 1000
"""Names that the report lists; ``skipped.tsv`` of each part has them all."""
SPLITS = ("train", "val", "test")

Progress = Callable[[int, str], None]


@dataclass
class Tally:
    """Numbers of a part; everything that grows with the clips is in files."""

    counts: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    moments: dict[str, Moments] = field(default_factory=dict)

    def merge(self, moments: dict[str, Moments]) -> None:
        for name, some in moments.items():
            self.moments.setdefault(name, Moments()).merge(some)


def export_store(
    store: Path,
    out: Path,
    settings: Settings,
    *,
    items: Callable[[], Iterable[Item]] | None = None,
    datasets: tuple[str, ...] = (),
    workers: int = 1,
    period: int = 1,
    part: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Features of every row of a store. Returns the report.

    Args:
        store: its folder.
        out: the folder to write; made when missing.
        settings: which features.
        items: gives the rows anew at each call; those of the index by default.
        datasets: only these sets.
        workers: processes.
        period: divide the rows into so many parts, for job arrays.
        part: which of them to do, from 0.
        progress: called with the number of clips done and the last one's name.

    Raises:
        BadInput: no store, or the folder holds features of other settings.
        JobFailed: a worker died, or nothing could be written.
    """
    rows = items or functools.partial(iter_index, store, datasets=datasets)
    index = Path(store) / INDEX
    since = index.stat().st_mtime_ns if index.is_file() else 0
    worker = Worker(Path(out), settings, since, Path(store))
    scratch = Path(out) / "parts" / f"{part}-of-{period}"
    tasks = tasks_of_store(store, settings, rows, scratch)
    return _export(tasks, worker, workers, period, part, progress)


def export_folder(
    folder: Path,
    out: Path,
    settings: Settings,
    *,
    workers: int = 1,
    period: int = 1,
    part: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Features of every ``.npy`` file of joints in a folder; otherwise as :func:`export_store`."""
    worker = Worker(Path(out), settings, 0, Path(folder))
    return _export(tasks_of_folder(Path(folder)), worker, workers, period, part, progress)


def _export(
    tasks: Iterable[Task], worker: Worker, workers: int, period: int, part: int, progress: Progress | None
) -> dict[str, Any]:
    out = worker.out
    _prepare_folder(out, worker.settings)
    home = out / "parts" / f"{part}-of-{period}"
    (home / "finished.json").unlink(missing_ok=True)
    home.mkdir(parents=True, exist_ok=True)
    tally = Tally()
    mine = itertools.islice(tasks, part, None, period)
    with (
        (home / "names.tsv").open("w", encoding="utf-8") as names,
        (home / "skipped.tsv").open("w", encoding="utf-8") as skipped,
        (home / "items.jsonl").open("w", encoding="utf-8") as items,
    ):
        count = 0
        for done, moments in _run(mine, worker, workers):
            tally.merge(moments)
            for one in done:
                count += 1
                tally.counts[one.status] += 1
                if one.status == "skipped":
                    skipped.write(f"{one.identity}\t{' '.join(one.why.split())}\n")
                else:
                    tally.splits[one.split] += 1
                    tally.frames += one.frames
                    names.write(f"{one.identity}\t{one.split}\n")
                    items.write(f"{one.entry}\n" if one.entry else "")
                if progress:
                    progress(count, one.identity)
    arrays: dict[str, np.ndarray] = {}
    for name, some in tally.moments.items():
        arrays |= some.arrays(f"{name}:")
    write_whole(home / "moments.npz", npz_bytes(arrays))
    finished = {"counts": dict(tally.counts), "splits": dict(tally.splits), "frames": tally.frames}
    write_whole(home / "finished.json", json.dumps(finished).encode())
    for leftover in home.glob("partners.sqlite*"):
        leftover.unlink()
    return _finish(out, worker.settings, period)


def _prepare_folder(out: Path, settings: Settings) -> None:
    """Make the folder; one that holds other features is refused."""
    folders = ["unified_data"] if settings.kind == "unified" else ["new_joints", "new_joint_vecs", "texts"]
    try:
        for folder in folders:
            (out / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"The folder {out} cannot be made ({error.strerror}).", field="out") from None
    path, mine = out / "settings.json", settings.fingerprint()
    if path.is_file():
        try:
            theirs = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            theirs = None
        if theirs != mine:
            raise BadInput(
                f"{out} holds features made with other settings.",
                hint="Give another folder, or delete it.",
                field="out",
            )
    else:
        write_whole(path, json.dumps(mine, indent=1).encode())


def _run(
    tasks: Iterable[Task], worker: Worker, workers: int
) -> Iterator[tuple[list[Done], dict[str, Moments]]]:
    """Results in the order of the tasks; the sums do not depend on the number of workers."""
    iterator = iter(tasks)
    chunks = iter(lambda: list(itertools.islice(iterator, CHUNK)), [])
    if workers <= 1:
        yield from map(worker, chunks)
        return
    flying: deque[Future[tuple[list[Done], dict[str, Moments]]]] = deque()
    pool = ProcessPoolExecutor(workers)
    try:
        while True:
            for chunk in itertools.islice(chunks, max(workers * AHEAD - len(flying), 0)):
                flying.append(pool.submit(worker, chunk))
            if not flying:
                return
            yield flying.popleft().result()
    except BrokenProcessPool:
        raise JobFailed(
            "A worker process was ended from outside, most likely for want of memory.",
            hint="Run the same command again, with fewer workers; what is done is kept.",
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _finish(out: Path, settings: Settings, period: int) -> dict[str, Any]:
    """Lists, statistics and report of all parts that are finished."""
    homes = [out / "parts" / f"{part}-of-{period}" for part in range(period)]
    homes = [home for home in homes if (home / "finished.json").is_file()]
    tally, skipped_count = Tally(), 0
    skipped: dict[str, str] = {}
    for home in homes:
        finished = json.loads((home / "finished.json").read_text(encoding="utf-8"))
        tally.counts.update(finished["counts"])
        tally.splits.update(finished["splits"])
        tally.frames += int(finished["frames"])
        with np.load(home / "moments.npz", allow_pickle=False) as file:
            arrays = dict(file)
        tally.merge({name.removesuffix(":count"): Moments.of(arrays, name.removesuffix("count")) for name in arrays if name.endswith(":count")})  # fmt: skip
        with (home / "skipped.tsv").open(encoding="utf-8") as lines:
            for line in lines:
                skipped_count += 1
                if len(skipped) < NAMED:
                    name, _, why = line.rstrip("\n").partition("\t")
                    skipped[name] = why
    _write_lists(out, homes)
    if settings.kind == "unified":
        _write_items(out, homes)
    if tally.moments:
        _write_statistics(out, settings, tally.moments)
    report = {
        **settings.fingerprint(),
        **{status: tally.counts[status] for status in ("made", "kept")},
        "skipped_count": skipped_count,
        "skipped": skipped,
        "splits": {split: tally.splits[split] for split in tally.splits if split},
        "frames": tally.frames,
        "hours": round(tally.frames / settings.layout.fps / 3600, 4),
        **({"parts": f"{len(homes)} of {period}"} if period > 1 else {}),
    }
    write_whole(out / "report.json", json.dumps(report, indent=1, ensure_ascii=False).encode())
    return report


def _write_lists(out: Path, homes: list[Path]) -> None:
    """The split lists, written line by line."""
    lists = {name: out / f".{name}.txt.{os.getpid()}" for name in (*SPLITS, "train_val", "all")}
    files = {name: path.open("w", encoding="utf-8") for name, path in lists.items()}
    try:
        for home in homes:
            with (home / "names.tsv").open(encoding="utf-8") as lines:
                for line in lines:
                    identity, _, split = line.rstrip("\n").partition("\t")
                    wanted = ["all", split] if split else ["all"]
                    for name in [*wanted, "train_val"] if split in ("train", "val") else wanted:
                        files[name].write(f"{identity}\n")
    finally:
        for file in files.values():
            file.close()
    for name, path in lists.items():
        os.replace(path, out / f"{name}.txt")


def _write_items(out: Path, homes: list[Path]) -> None:
    """``dataset_items.json``: one object of all unified items by their names, written line by line."""
    temporary = out / f".dataset_items.json.{os.getpid()}"
    with temporary.open("w", encoding="utf-8") as file:
        file.write("{")
        mark = "\n"
        for home in homes:
            with (home / "items.jsonl").open(encoding="utf-8") as lines:
                for line in lines:
                    name = json.dumps(json.loads(line)["motion_name"], ensure_ascii=False)
                    file.write(f"{mark}{name}: {line.rstrip()}")
                    mark = ",\n"
        file.write("\n}\n")
    os.replace(temporary, out / "dataset_items.json")


def _write_statistics(out: Path, settings: Settings, moments: dict[str, Moments]) -> None:
    if settings.kind != "unified":
        mean, std = mean_and_std(moments["features"], settings.layout)
        write_whole(out / "Mean.npy", npy_bytes(mean))
        write_whole(out / "Std.npy", npy_bytes(std))
        return
    arrays: dict[str, np.ndarray] = {}
    for name, some in moments.items():
        mean, std = some.mean.astype(np.float32), some.std().astype(np.float32)
        if name == "ske_feature":
            mean, std = mean_and_std(some, settings.layout, grouping="solami")
        arrays |= {f"{name}/mean": mean, f"{name}/std": std}
    arrays["num"] = np.array(moments["ske_feature"].count)
    write_whole(out / "mean_variance.npz", npz_bytes(arrays))
