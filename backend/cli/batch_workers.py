"""Where a batch is performed: in this process, in several of this machine, or on the machines of a Ray cluster.

All take groups of jobs that are performed together and give the results of each group as it is done.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, JobFailed
from ..process import machine
from ..process.allocation import keep_freed_memory
from .common import Staged
from .jobs import BatchJob

if TYPE_CHECKING:
    from .batch import Batch

Results = list[dict[str, Any]]
MOST = 4
"""Processes on one machine's processor that are started unasked; each holds the models, 400 MB."""
WORTH = 8
"""Jobs for which another process is worth its start."""


def places(asked: int | None, jobs: int, device: str) -> list[dict[str, str]]:
    """The environment of each process that performs: one per CUDA device, or one per core; none for this process.

    Args:
        asked: how many; None: as many as are worth it.
        jobs: that are to be done.
        device: that the jobs ask for.
    """
    cores = machine.cores()
    cards = machine.cuda_devices() if device in ("auto", "cuda") else 0
    if asked is None:
        asked = min(cards or min(cores, MOST), jobs // WORTH)
    asked = min(asked, jobs)
    if asked < 2 or "bpy" in sys.modules:  # inside Blender, rendering belongs to its own process
        return []
    threads = {"OMP_NUM_THREADS": str(max(cores // asked, 1))}
    if cards > 1:
        return [{**threads, "CUDA_VISIBLE_DEVICES": str(number % cards)} for number in range(asked)]
    return [threads] * asked


_batch: Batch | None = None
"""In a process that performs: its warm models."""


def _begin(queue: Any, batch: Batch) -> None:
    global _batch
    os.environ.update(queue.get())
    keep_freed_memory()
    _batch = batch


def _perform(jobs: list[BatchJob]) -> Results:
    assert _batch is not None
    return list(_batch.do_together(jobs))


def in_processes(
    batch: Batch, groups: list[list[BatchJob]], where: list[dict[str, str]]
) -> Iterator[Results]:
    """Each group in the next process that is free."""
    context = multiprocessing.get_context("spawn")  # models and their threads do not survive a fork
    queue = context.Queue()
    for place in where:
        queue.put(place)
    pool = concurrent.futures.ProcessPoolExecutor(len(where), context, _begin, (queue, batch))
    try:
        waiting = {pool.submit(_perform, group): group for group in groups}
        for future in concurrent.futures.as_completed(waiting):
            try:
                yield future.result()
            except concurrent.futures.process.BrokenProcessPool:
                yield [lost(job) for job in waiting[future]]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def lost(job: BatchJob) -> dict[str, Any]:
    """The result of a job whose process ended before it."""
    reason = {"code": JobFailed.code, "error": "The process that performed this ended.", "hint": None}
    return {
        "name": job.name,
        "line": job.line,
        "state": "failed",
        "hash": job.digest,
        **reason,
        "seconds": 0.0,
    }


def _afar(batch: Batch, jobs: list[BatchJob]) -> tuple[Results, dict[str, bytes]]:
    """On another machine: the results and the files, which belong to whoever asked."""
    with tempfile.TemporaryDirectory(prefix="understudy-batch-") as folder:
        batch.out = Path(folder)
        results = list(batch.do_together(jobs))
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}
    return results, files


def in_ray(batch: Batch, groups: list[list[BatchJob]], address: str) -> Iterator[Results]:
    """Each group as a task of a Ray cluster, whose machines have Understudy and the packs; ``local`` starts one here.

    Files that jobs name must lie where all machines see them.

    Raises:
        JobFailed: Ray is not installed.
        BadInput: there is no cluster at the address.
    """
    try:
        import ray
    except ImportError as error:
        raise JobFailed(
            "Ray is not installed.", hint="Install it with: pip install 'understudy[ray]'"
        ) from error
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise BadInput(f"There is no Ray cluster at {address!r}.", field="ray") from error
    try:
        perform = ray.remote(num_cpus=1)(_afar)
        shared = ray.put(batch)
        waiting = {perform.remote(shared, group): group for group in groups}
        while waiting:
            (done,), _ = ray.wait(list(waiting), num_returns=1)
            group = waiting.pop(done)
            try:
                results, files = ray.get(done)
            except ray.exceptions.RayError:
                yield [lost(job) for job in group]
                continue
            with Staged() as staged:
                for name, content in files.items():
                    staged.path(batch.out / name).write_bytes(content)
                staged.commit()
            yield results
    finally:
        ray.shutdown()
