"""Where jobs run: in this process, in processes of this machine, or on a Ray cluster.

Each takes jobs as they come and yields ``(job, made)`` in their order, with a bounded number in
flight, so memory does not grow with the number of jobs.
"""

from __future__ import annotations

import itertools
import os
import pickle
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from ...backend.errors import BadInput
from .job import Job
from .making import FileRow, Made, make

BATCH = 8
AHEAD = 4
"""Batches per worker that wait or run."""
RAY_BLOCK = 2048
"""Jobs handed to Ray Data at a time."""


def run(jobs: Iterable[Job], store: Path, *, workers: int = 1, ray: str = "") -> Iterator[tuple[Job, Made]]:
    """Do all jobs.

    Args:
        jobs: an iterable, best a generator.
        store: the store's folder; on a cluster, a folder that every machine sees under this name.
        workers: processes; 1 stays in this one.
        ray: address of a Ray cluster (``auto``, ``HOST:PORT``), or ``local`` to start one here.

    Raises:
        BadInput: Ray is not installed, or no cluster answers at the address.
    """
    if ray:
        return _on_ray(jobs, store, ray)
    if workers > 1:
        return _in_processes(jobs, store, workers)
    return ((job, make(job, store)) for job in jobs)


def _make_all(jobs: list[Job], store: Path) -> list[Made]:
    return [make(job, store) for job in jobs]


def _batches(jobs: Iterable[Job], size: int) -> Iterator[list[Job]]:
    iterator = iter(jobs)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _in_processes(jobs: Iterable[Job], store: Path, workers: int) -> Iterator[tuple[Job, Made]]:
    waiting = _batches(jobs, BATCH)
    flying: deque[tuple[list[Job], Future[list[Made]]]] = deque()
    pool = ProcessPoolExecutor(workers)
    try:
        while True:
            for batch in itertools.islice(waiting, max(workers * AHEAD - len(flying), 0)):
                flying.append((batch, pool.submit(_make_all, batch, store)))
            if not flying:
                return
            batch, future = flying[0]
            try:
                made = future.result()
            except BrokenProcessPool:
                # A file brought a worker down, and with it all that was in flight: one by one, to find it.
                pool.shutdown(wait=False, cancel_futures=True)
                broken, pool = [b for b, _ in flying], ProcessPoolExecutor(workers)
                flying.clear()
                for job in itertools.chain.from_iterable(broken):
                    yield job, _alone(job, store)
                continue
            flying.popleft()
            yield from zip(batch, made, strict=True)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _alone(job: Job, store: Path) -> Made:
    """A job in a process of its own, which it may bring down."""
    with ProcessPoolExecutor(1) as pool:
        try:
            return pool.submit(make, job, store).result()
        except BrokenProcessPool:
            why = "Reading it ended the worker process."
            return Made(
                FileRow(dataset=job.set, name=job.name, file=job.path.name, status="skipped", why=why)
            )


def _on_ray(jobs: Iterable[Job], store: Path, address: str) -> Iterator[tuple[Job, Made]]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no network that the user did not ask for
    try:
        import ray
        import ray.data
    except ImportError:
        raise BadInput("Ray is not installed.", hint="pip install 'understudy[ray]'", field="ray") from None

    started = not ray.is_initialized()
    if started:
        try:
            where = {"include_dashboard": False} if address == "local" else {}
            ray.init(address=address, log_to_driver=False, **where)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise BadInput(
                f"No Ray cluster answers at {address} ({str(error).splitlines()[0]}).", field="ray"
            ) from None
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    root = str(Path(store).resolve())

    def work(batch: dict[str, Any]) -> dict[str, Any]:
        made = _make_all([pickle.loads(job) for job in batch["job"]], Path(root))
        return {"number": batch["number"], "made": [pickle.dumps(one) for one in made]}

    try:
        for block in _batches(jobs, RAY_BLOCK):
            rows = [{"number": i, "job": pickle.dumps(job)} for i, job in enumerate(block)]
            result = ray.data.from_items(rows).map_batches(work, batch_size=BATCH)
            made = {row["number"]: row["made"] for row in result.iter_rows()}
            for number, job in enumerate(block):
                yield job, pickle.loads(made[number])
    finally:
        if started:
            ray.shutdown()
