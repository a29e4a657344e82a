"""The data sets that ``understudy-train prepare`` knows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

from ...backend.errors import BadInput
from ..formats.source import SourceMotion
from ..retargeting.retarget import Rig
from .job import Job
from .raw import Raw

SETS: dict[str, str] = {
    "cmu": ".cmu",
    "cc0": ".cc0",
    "deepmimic": ".deepmimic",
    "jump_cmu": ".jump_cmu",
    "authored": ".authored",
    "bandai_namco": ".bandai_namco",
    "100style": ".style100",
    "ntu_rgbd": ".ntu_rgbd",
    "lsmb19": ".lsmb19",
    "aist": ".aist",
    "amass": ".amass",
    "babel": ".babel",
    "humanml3d_amass": ".humanml3d_amass",
    "humanml3d": ".humanml3d",
    "kit_ml": ".kit_ml",
    "combatmotion": ".combatmotion",
    "motionx": ".motionx",
    "interhuman": ".interhuman",
    "interx": ".interx",
    "beat2": ".beat2",
    "smplx_folder": ".smplx_folder",
}
"""Each set's converter module: it has ``jobs(raw) -> Iterable[Job]``, and ``source_of(job)`` if it retargets."""

OPEN: tuple[str, ...] = ("cmu", "cc0", "deepmimic", "jump_cmu", "authored")
"""The sets the shipped pack ``open`` is trained on: small, and all allow commercial use."""


def names_of(datasets: Iterable[str]) -> list[str]:
    """Set names in order; ``open`` stands for :data:`OPEN`, ``all`` for every set."""
    groups = {"open": OPEN, "all": tuple(SETS)}
    return list(dict.fromkeys(name for word in datasets for name in groups.get(word, (word,))))


def jobs_of(
    dataset: str, root: Path, store: Path, *, alone: bool = True, options: Mapping[str, Any] | None = None
) -> Iterable[Job]:
    """The jobs of a set.

    Args:
        dataset: a name of :data:`SETS`.
        root: the raw data.
        store: archives are unpacked under ``store/raw``.
        alone: ``root`` may be the set's own folder; otherwise the set has a folder of its name in it.
        options: further arguments of the set's ``jobs``, such as ``mirrored=False``.

    Raises:
        BadInput: the set is not under ``root`` (``field="root"``), or has no such option.
    """
    jobs: Callable[..., Iterable[Job]] = _module(dataset).jobs
    there = list(signature(jobs).parameters)[1:]
    for name in options or {}:
        if name not in there:
            known = f"its options are {', '.join(there)}" if there else "it has none"
            raise BadInput(f"{dataset} has no option {name}: {known}.", field="option")
    found = iter(jobs(Raw(Path(root), Path(store) / "raw", alone), **(options or {})))
    # A generator looks for its files at the first job: ask for it here, where a missing set is expected.
    first = next(found, None)
    return () if first is None else itertools.chain((first,), found)


def source_of(job: Job) -> tuple[SourceMotion, Rig] | None:
    """The motion a job reads, before it is retargeted, at the store's frame rate, and its rig.

    None for a set that needs no retargeting.
    """
    read: Callable[[Job], tuple[SourceMotion, Rig]] | None = getattr(_module(job.set), "source_of", None)
    return read(job) if read else None


def _module(dataset: str) -> ModuleType:
    return import_module(SETS[dataset], __package__)
