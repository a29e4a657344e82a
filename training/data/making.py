"""One job: read its file, check the motion, find contacts, measure, write the clip. Runs in any process.

What was measured is kept in the clip's own meta data (``prepared``), together with what the clip was made
from. A clip that is there, was made by this version of the converter and from the same file is not made
again, and not even read beyond its header.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel

from ...backend.errors import BadInput, UnderstudyError
from ...backend.motion import archive, npz
from ...backend.motion.clip import Clip
from ...backend.motion.contacts import detect_contacts
from ...backend.motion.grounding import foot_heights
from ..canonical.measure import measured
from .item import Item
from .job import FPS, Converted, Job
from .metadata import EnhancedMetadata
from .store import clip_path

VERSION = 7
"""Raised whenever a converter gives other clips than before, so that old ones are made again."""

CONTACT_WITHIN = 0.03
"""Metres: a foot whose lowest point is higher than this is not stored as a contact."""


class FileRow(BaseModel):
    """What became of one source file; a row of ``files.parquet``."""

    dataset: str
    name: str
    file: str
    status: Literal["made", "kept", "left out", "skipped"]
    why: str = ""
    frames: int = 0
    known: list[str] = []
    contact_share: float = 0.0
    """Share of frames with any foot on the floor."""
    sole_cm: list[float] = []
    """5th, 50th, 95th percentile of the lowest point of a sole in contact, centimetres."""
    fit_error_mm: float | None = None


@dataclass(frozen=True)
class Made:
    """A job's row and the placed items of its clip."""

    row: FileRow
    items: list[Item] = field(default_factory=list)


def make(job: Job, store: Path) -> Made:
    """Do a job. Never raises for a bad file: the row says what was wrong with it."""
    base = {"dataset": job.set, "name": job.name, "file": job.path.name}
    try:
        if job.left_out:
            clip = _checked(job.convert(job.path, **job.arguments)).clip
            return Made(FileRow(**base, status="left out", why=job.left_out, frames=len(clip)))
        path = clip_path(store, job.set, job.name)
        prepared, status = _kept(path, job), "kept"
        if prepared is None:
            prepared, status = _write(job, path), "made"
        return Made(FileRow(**base, status=status, **prepared["row"]), _placed(job, path, store, prepared))
    except UnderstudyError as error:
        why = error.message
    except MemoryError:
        why = "It does not fit into memory."
    except Exception as error:  # a file nobody foresaw: named, never fatal
        why = f"{type(error).__name__}: {error}"
    return Made(FileRow(**base, status="skipped", why=f"{job.left_out} {why}".strip()))


def origin(job: Job) -> str:
    """What the clip is made from and by: the file's size and date, the arguments, the version."""
    try:
        status = job.path.stat()
    except OSError:
        raise BadInput(f"{job.path.name} is not there.") from None
    arguments = zlib.crc32(repr(sorted(job.arguments.items())).encode())
    return f"{VERSION}-{status.st_size}-{status.st_mtime_ns}-{arguments:08x}"


def _kept(path: Path, job: Job) -> dict[str, Any] | None:
    """What was measured on the clip of an earlier run, if it is still good."""
    if not path.is_file():
        return None
    try:
        with archive.Archive(path) as opened:
            prepared = json.loads(str(opened.read("understudy")))["meta"]["prepared"]
    except (UnderstudyError, KeyError, ValueError, TypeError):
        return None
    return prepared if prepared.get("origin") == origin(job) else None


def _checked(made: Clip | Converted) -> Converted:
    converted = made if isinstance(made, Converted) else Converted(made)
    clip = converted.clip
    if not (np.isfinite(clip.poses).all() and np.isfinite(clip.trans).all()):
        raise BadInput("The converted motion holds numbers that are not finite.")
    if len(clip) < 2:
        raise BadInput("The motion has fewer than two frames.")
    if clip.fps != FPS:
        raise BadInput(f"The converter made {clip.fps:g} frames per second, not {FPS:g}.")
    return converted


def _write(job: Job, path: Path) -> dict[str, Any]:
    source = origin(job)
    converted = _checked(job.convert(job.path, **job.arguments))
    clip = converted.clip
    soles = foot_heights(clip)
    # A foot that rolls off or swings low is no label for a model that is to lock feet: the sole must be down.
    contacts = detect_contacts(clip) * np.repeat(soles < CONTACT_WITHIN, 2, axis=1)
    down = soles[(contacts[:, [0, 2]] + contacts[:, [1, 3]]) > 0.5] * 100
    row = {
        "frames": len(clip),
        "known": [part for part, is_known in clip.known.items() if is_known],
        "contact_share": round(float((contacts > 0.5).any(axis=1).mean()), 4),
        "sole_cm": [round(float(x), 2) for x in np.percentile(down, (5, 50, 95))] if len(down) else [],
        "fit_error_mm": clip.meta.get("fit_error_mm"),
    }
    facts = converted.metadata or EnhancedMetadata()
    pieces = {_key(item): _measured(clip, item, facts) for item in _frames_of(job, len(clip))}
    prepared = {"origin": source, "row": row, "pieces": pieces, "files": sorted(converted.files)}
    meta = {**clip.meta, "set": job.set, "name": job.name, "file": job.path.name, "prepared": prepared}
    if job.items:
        meta |= {"source": job.items[0].source, "licence": job.items[0].licence}
    path.parent.mkdir(parents=True, exist_ok=True)
    for ending, content in converted.files.items():
        archive.write_bytes(content, path.with_name(path.stem + ending))
    npz.write_clip(clip.replace(contacts=contacts, meta=meta), path)
    return prepared


def _frames_of(job: Job, frames: int) -> list[Item]:
    placed = (item.placed(frames, FPS, "", []) for item in job.items)
    return [item for item in placed if item is not None]


def _key(item: Item) -> str:
    return f"{item.start_frame}-{item.end_frame}-{zlib.crc32(' '.join(item.text).encode()):08x}"


def _measured(clip: Clip, item: Item, facts: EnhancedMetadata) -> dict[str, Any]:
    """What the source knows of the piece, completed by what its motion and its text tell."""
    piece = clip.slice(item.start_frame, item.end_frame)
    known = item.metadata.merged(facts)
    full = known.merged(measured(piece, item.text))
    return full.model_dump(exclude_none=True)


def _placed(job: Job, path: Path, store: Path, prepared: dict[str, Any]) -> list[Item]:
    """The items with their frames in the clip, where it lies and what is known of it."""
    row, clip = prepared["row"], None
    result = []
    for item in _frames_of(job, row["frames"]):
        piece = prepared["pieces"].get(_key(item))
        if piece is None:  # captions changed since the clip was made
            clip = clip or npz.read_clip(path)
            piece = _measured(clip, item, EnhancedMetadata())
        beside = {
            name: path.with_name(path.stem + ending).relative_to(store).as_posix()
            for name, ending in (("speech", ".wav"), ("words", ".words.json"))
            if ending in prepared["files"]
        }
        metadata = EnhancedMetadata.model_validate(piece)
        facts = {"path": path.relative_to(store).as_posix(), "known": row["known"], "metadata": metadata}
        result.append(item.model_copy(update={**facts, **beside, **_interactive(item, metadata)}))
    return result


def _interactive(item: Item, metadata: EnhancedMetadata) -> dict[str, int]:
    """From the first to the last frame of contact in the piece, half-open, unless the set says when."""
    touching = (metadata.interaction and metadata.interaction.contact_frames) or []
    inside = [frame for frame in touching if item.start_frame <= frame < item.end_frame]
    if not inside or item.interactive_start_frame >= 0:
        return {}
    return {"interactive_start_frame": min(inside), "interactive_end_frame": max(inside) + 1}
