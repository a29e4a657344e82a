"""The data sets that ``understudy-train prepare`` knows."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from ..formats.source import SourceMotion
from ..retarget import Rig
from .raw import Raw
from .job import Job

SETS: dict[str, str] = {
    "cmu": ".cmu",
    "cc0": ".cc0",
    "deepmimic": ".deepmimic",
    "jump_cmu": ".jump_cmu",
}
"""Each set's converter module; it has ``jobs(raw) -> list[Job]`` and ``source_of(job)``."""

OPEN: tuple[str, ...] = tuple(SETS)
"""The sets that allow commercial use: what ``prepare open`` makes."""


def jobs_of(dataset: str, root: Path, store: Path) -> list[Job]:
    """The jobs of a set, or of all open sets.

    Args:
        dataset: a name of :data:`SETS`, or ``open``.
        root: the raw data.
        store: archives are unpacked under ``store/raw``.
    """
    raw = Raw(Path(root), Path(store) / "raw")
    names = OPEN if dataset == "open" else (dataset,)
    result: list[Job] = []
    for name in names:
        module = import_module(SETS[name], __package__)
        jobs: Callable[[Raw], list[Job]] = module.jobs
        result += jobs(raw)
    return result


def source_of(job: Job) -> tuple[SourceMotion, Rig]:
    """The motion a job reads, before it is retargeted, at the store's frame rate, and its rig."""
    module = import_module(SETS[job.set], __package__)
    read: Callable[[Job], tuple[SourceMotion, Rig]] = module.source_of
    return read(job)
