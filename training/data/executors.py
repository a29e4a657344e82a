"""Where jobs run: in this process, in processes of this machine, or on a Ray cluster.

Each takes jobs as they come and yields ``(job, made)`` in their order, with a bounded number in
flight, so memory does not grow with the number of jobs.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

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
    root = Path(store).resolve()
    made = ray.remote(_make_all)
    try:
        for block in _batches(jobs, RAY_BLOCK):
            batches = list(_batches(block, BATCH))
            flying = [made.remote(batch, root) for batch in batches]
            for batch, results in zip(batches, flying, strict=True):
                yield from zip(batch, ray.get(results), strict=True)
    finally:
        if started:
            ray.shutdown()
