"""What features are made of, clip by clip: the rows of a store with their partners, or files of joints."""

from __future__ import annotations

import os
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.motion.fitting.layouts import Layout
from ..data.item import Item

VERSION = 1
"""Raised whenever the features change, so that a folder of older ones is not mixed with them."""

Partner = tuple[str, int, int]
"""File of a clip and its first and last frame."""


@dataclass(frozen=True)
class Settings:
    """What the features of a folder depend on.

    Attributes:
        kind: ``humanml3d``, ``kit``, ``wholebody`` or ``unified``.
        layout: the skeleton.
        contact_threshold: see :func:`~.extract.extract`.
        mirror: also write every clip mirrored, as ``M<id>``.
        known_hands: leave out clips whose source had no fingers.
        reflected: see :func:`~.skeletons.joints_for`.
    """

    kind: str
    layout: Layout
    contact_threshold: float
    mirror: bool = False
    known_hands: bool = False
    reflected: bool = False

    def fingerprint(self) -> dict[str, Any]:
        lengths = self.layout.lengths.astype(np.float32).tobytes()
        return {
            "version": VERSION,
            "kind": self.kind,
            "layout": self.layout.name,
            "lengths": f"{zlib.crc32(lengths):08x}",
            "fps": self.layout.fps,
            "contact_threshold": self.contact_threshold,
            "mirror": self.mirror,
            "known_hands": self.known_hands,
            "reflected": self.reflected,
        }


@dataclass(frozen=True)
class Task:
    """One clip to make features of: a row of a store, or a file of joints."""

    identity: str
    path: Path
    item: Item | None = None
    partner: Partner | None = None
    mirrored: bool = False


def identity_of(dataset: str, name: str) -> str:
    """The file name of a motion: ``<set>--<name>``, as in the unified items, with nothing a file system dislikes."""
    if not name.startswith(f"{dataset}--"):
        name = f"{dataset}--{name}"
    plain = re.sub(r"[^\w.=+@-]", "_", name)
    return plain if plain == name else f"{plain}-{zlib.crc32(name.encode()):08x}"


def tasks_of_store(
    store: Path, settings: Settings, items: Callable[[], Iterable[Item]], scratch: Path
) -> Iterator[Task]:
    """One task per row, two with its mirror image; partners are looked up on disk, not in memory."""
    partners = _Partners(scratch) if settings.kind == "unified" else None
    if partners is not None:
        partners.fill(items())
    for item in items():
        other = None
        if partners is not None:
            name = item.next_partner_motion_name or item.last_partner_motion_name
            other = partners.find(item.dataset, name) if name else None
        task = Task(identity_of(item.dataset, item.motion_name), Path(store) / item.path, item, other)
        yield task
        if settings.mirror:
            yield Task(f"M{task.identity}", task.path, item, other, mirrored=True)


def tasks_of_folder(folder: Path) -> Iterator[Task]:
    """One task per ``.npy`` file, in the order of their names."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.name.endswith(".npy"))
    for name in names:
        yield Task(name.removesuffix(".npy"), folder / name)


class _Partners:
    """Where the clip of each row with a partner is, in a table on disk."""

    def __init__(self, scratch: Path) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        path = scratch / "partners.sqlite"
        path.unlink(missing_ok=True)
        self._table = sqlite3.connect(path)
        self._table.execute("create table rows (name text primary key, path text, start int, stop int)")

    def fill(self, items: Iterable[Item]) -> None:
        rows = (
            (f"{item.dataset}/{item.motion_name}", item.path, item.start_frame, item.end_frame)
            for item in items
            if item.next_partner_motion_name or item.last_partner_motion_name
        )
        self._table.executemany("insert or replace into rows values (?, ?, ?, ?)", rows)
        self._table.commit()

    def find(self, dataset: str, name: str) -> Partner | None:
        found = self._table.execute(
            "select path, start, stop from rows where name = ?", (f"{dataset}/{name}",)
        ).fetchone()
        return None if found is None else (str(found[0]), int(found[1]), int(found[2]))
