"""Which jobs of a batch are made together: prompts that agree in pack, engine, device, samples and steps.

Lengths may differ: requests share the steps of their plans all the same. Those of like length stand together, so that
they also share what comes after. All workers get as much, in as few groups as there may be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .jobs import BatchJob

if TYPE_CHECKING:
    from ..protocol.messages import GenerateParams

ALIKE = ("pack", "device", "engine", "samples", "steps")
"""Settings that jobs made together share."""
TOGETHER, SECONDS_TOGETHER, USUAL = 16, 160.0, 6.0
"""Jobs, and seconds of motion, that are made together at most; and how long a motion is that may end when it wants."""


def grouped(jobs: Iterable[tuple[BatchJob, GenerateParams]], workers: int) -> list[list[BatchJob]]:
    """Groups of jobs, those that take longest first.

    Args:
        jobs: with what each asks for.
        workers: processes that the groups are shared out to.
    """
    groups: list[tuple[float, list[BatchJob]]] = []
    kinds: dict[Any, list[tuple[float, BatchJob]]] = {}
    for job, params in jobs:
        seconds = (params.seconds or USUAL) * params.samples
        if params.speech or params.script or params.edit or params.constraints:
            groups.append((seconds, [job]))
        else:
            kinds.setdefault(tuple(getattr(params, name) for name in ALIKE), []).append((seconds, job))
    for kind in kinds.values():
        for portion in _portions(kind, workers):
            groups.append((sum(seconds for seconds, _ in portion), [job for _, job in portion]))
    if workers > 1:
        groups.sort(key=lambda group: -group[0])  # what is long and comes last keeps the others waiting
    return [jobs for _, jobs in groups]


def _portions(jobs: list[tuple[float, BatchJob]], workers: int) -> Iterable[list[tuple[float, BatchJob]]]:
    """Jobs of a kind in groups of much the same seconds, as many for each worker."""
    total = sum(seconds for seconds, _ in jobs)
    needed = max(len(jobs) / TOGETHER, total / SECONDS_TOGETHER)
    count = workers * math.ceil(needed / workers)
    most = math.ceil(len(jobs) / count)
    group: list[tuple[float, BatchJob]] = []
    filled = 0.0
    for seconds, job in sorted(jobs, key=lambda one: (one[0], one[1].line)):
        if group and (len(group) == TOGETHER or len(group) >= most or filled + seconds > SECONDS_TOGETHER):
            yield group
            group, filled = [], 0.0
        group.append((seconds, job))
        filled += seconds
    yield group
