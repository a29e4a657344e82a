"""The store: the canonical data set on disk that features, statistics and training read.

``clips/<set>/<name>.npz`` (30 fps, floor at y = 0), ``index.parquet`` (one :class:`~.item.Item` a row)
and ``report.json``. Preparing is parallel by processes and resumable: a clip that is there and was made
by this version of the converter is not made again. A broken file is skipped, counted and named.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput, UnderstudyError
from ...backend.motion import npz
from ...backend.motion.clip import Clip
from ...backend.motion.contacts import detect_contacts
from ..repair import foot_heights
from .item import Item
from .job import FPS, Converted, Job

VERSION = 5
"""Raised whenever a converter gives other clips than before, so that old ones are made again."""


CONTACT_WITHIN = 0.03
"""Metres: a foot whose lowest point is higher than this is not stored as a contact."""


@dataclass(frozen=True)
class Made:
    """What became of a job."""

    name: str
    status: str
    """``made``, ``kept`` (was there) or ``skipped``."""
    why: str = ""
    frames: int = 0
    known: tuple[str, ...] = ()
    contact: float = 0.0
    """Share of frames with any foot on the floor."""
    contact_cm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """5th, 50th, 95th percentile of the lowest point of a sole in contact, centimetres."""


def clip_path(store: Path, job: Job) -> Path:
    return store / "clips" / job.set / f"{job.name}.npz"


def _run(job: Job, store: Path) -> Made:
    path = clip_path(store, job)
    try:
        clip, status = _existing(path), "kept"
        if clip is None:
            clip, status = _made(job), "made"
            path.parent.mkdir(parents=True, exist_ok=True)
            npz.write_clip(clip, path)
    except UnderstudyError as error:
        return Made(job.name, "skipped", error.message)
    except Exception as error:
        return Made(job.name, "skipped", f"{type(error).__name__}: {error}")
    contacts = clip.contacts if clip.contacts is not None else np.zeros((len(clip), 4))
    soles = foot_heights(clip)[(contacts[:, [0, 2]] + contacts[:, [1, 3]]) > 0.5] * 100
    spread = tuple(float(x) for x in np.percentile(soles, (5, 50, 95))) if len(soles) else (0.0, 0.0, 0.0)
    known = tuple(part for part, is_known in clip.known.items() if is_known)
    return Made(job.name, status, "", len(clip), known, float((contacts > 0.5).any(axis=1).mean()), spread)  # type: ignore[arg-type]


def _existing(path: Path) -> Clip | None:
    """The clip of an earlier run, if it is whole and of this version."""
    if not path.is_file():
        return None
    try:
        clip = npz.read_clip(path)
    except UnderstudyError:
        return None
    return clip if clip.meta.get("converter") == VERSION and clip.fps == FPS else None


def _made(job: Job) -> Clip:
    made = job.convert(job.path, **job.arguments)
    clip = made.clip if isinstance(made, Converted) else made
    if not (np.isfinite(clip.poses).all() and np.isfinite(clip.trans).all()):
        raise BadInput("The converted motion holds numbers that are not finite.")
    if len(clip) < 2:
        raise BadInput("The motion has fewer than two frames.")
    meta = {**clip.meta, "converter": VERSION, "set": job.set, "name": job.name, "file": job.path.name}
    if job.items:
        meta |= {"source": job.items[0].source, "licence": job.items[0].licence}
    # A foot that rolls off or swings low is no label for a model that is to lock feet: the sole must be down.
    down = np.repeat(foot_heights(clip) < CONTACT_WITHIN, 2, axis=1)
    return clip.replace(contacts=detect_contacts(clip) * down, meta=meta)


def prepare(
    jobs: Iterable[Job],
    store: Path,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Make the clips, then the index and the report (which is returned).

    Rows of other sets already in the index are kept; the sets of these jobs are replaced.
    """
    jobs = list(jobs)
    begun = time.monotonic()
    store.mkdir(parents=True, exist_ok=True)
    results: list[Made] = []
    if workers > 1 and len(jobs) > 1:
        with ProcessPoolExecutor(workers) as pool:
            for made in pool.map(_run, jobs, [store] * len(jobs), chunksize=2):
                results.append(made)
                if progress:
                    progress(len(results), len(jobs))
    else:
        for job in jobs:
            results.append(_run(job, store))
            if progress:
                progress(len(results), len(jobs))

    items = []
    for job, made in zip(jobs, results, strict=True):
        if made.status == "skipped":
            continue
        path = clip_path(store, job).relative_to(store).as_posix()
        placed = (item.placed(made.frames, FPS, path, list(made.known)) for item in job.items)
        items += [item for item in placed if item is not None]
    write_index(store, items, replacing={job.set for job in jobs})
    report = _report(jobs, results, items, time.monotonic() - begun)
    _write_json(store / "report.json", {**_read_json(store / "report.json"), **report})
    return report


def _report(jobs: list[Job], results: list[Made], items: list[Item], seconds: float) -> dict[str, Any]:
    report: dict[str, Any] = {}
    for name in sorted({job.set for job in jobs}):
        mine = [made for job, made in zip(jobs, results, strict=True) if job.set == name]
        good = [made for made in mine if made.status != "skipped"]
        rows = [item for item in items if item.dataset == name]
        spread = np.array([made.contact_cm for made in good]) if good else np.zeros((1, 3))
        report[name] = {
            "read": len(mine),
            "made": sum(made.status == "made" for made in mine),
            "kept": sum(made.status == "kept" for made in mine),
            "skipped": {made.name: made.why for made in mine if made.status == "skipped"},
            "hours": round(sum(made.frames for made in good) / FPS / 3600, 4),
            "rows": {split: sum(item.split == split for item in rows) for split in ("train", "val")},
            "captions": sum(len(item.text) for item in rows),
            "contact_share_of_frames": round(float(np.mean([made.contact for made in good])), 3)
            if good
            else 0.0,
            "contact_sole_cm_p5_p50_p95_median_of_clips": [
                round(float(x), 2) for x in np.median(spread, axis=0)
            ],
            "contact_sole_outside_2cm": sorted(
                m.name for m in good if m.contact_cm[0] < -2 or m.contact_cm[2] > 2
            ),
            "seconds": round(seconds, 1),
        }
    return report


def write_index(store: Path, items: list[Item], *, replacing: set[str]) -> None:
    """Replace the rows of some sets in ``index.parquet``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = (
        [item for item in read_index(store) if item.dataset not in replacing]
        if (store / "index.parquet").is_file()
        else []
    )
    rows = [
        item.model_dump()
        for item in sorted(kept + items, key=lambda i: (i.dataset, i.path, i.start, i.motion_name))
    ]
    texts = {"text", "tokens", "both_text", "known"}
    kinds: dict[Any, Any] = {int: pa.int32(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema(
        [
            (name, pa.list_(pa.string()) if name in texts else pa.float64() if name == "end" else kinds.get(info.annotation, pa.string()))
            for name, info in Item.model_fields.items()
        ]
    )  # fmt: skip
    temporary = store / f".index.{os.getpid()}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary)
    os.replace(temporary, store / "index.parquet")


def read_index(store: Path) -> list[Item]:
    """All rows.

    Raises:
        BadInput: there is no index, or it is not one of ours.
    """
    import pyarrow.parquet as pq

    path = Path(store) / "index.parquet"
    if not path.is_file():
        raise BadInput(
            f"{store} is no store: index.parquet is missing.",
            hint="Run understudy-train prepare first.",
            field="store",
        )
    try:
        return [Item(**row) for row in pq.read_table(path).to_pylist()]
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}).", field="store") from None


def read_item(store: Path, item: Item) -> Clip:
    """The motion of one row."""
    return npz.read_clip(Path(store) / item.path).slice(item.start_frame, item.end_frame)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)
