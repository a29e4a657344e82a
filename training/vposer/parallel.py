"""Work spread over processes, results in order, only a few of them waiting at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from ...backend.errors import JobFailed

Result = TypeVar("Result")
AHEAD = 2
"""Tasks per process that run or wait."""


def ordered(
    function: Callable[..., Result], tasks: Iterable[tuple[Any, ...]], workers: int
) -> Iterator[Result]:
    """``function(*task)`` of every task, in order.

    Args:
        function: of a module's top level.
        tasks: best a generator; it is read only a little ahead.
        workers: processes; 1 stays in this one.

    Raises:
        JobFailed: a process ended without an answer.
    """
    if workers <= 1:
        yield from (function(*task) for task in tasks)
        return
    # Fresh processes: torch and h5py of this one are not theirs.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        flying: deque[Future[Result]] = deque()
        for task in tasks:
            flying.append(pool.submit(function, *task))
            if len(flying) >= workers * AHEAD:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()
    except BrokenProcessPool:
        raise JobFailed(
            "A worker process ended without an answer.", hint="Run again with fewer --workers."
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
