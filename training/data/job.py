"""What a converter hands over: one job per clip, and what a job may return beside the clip.

A converter module has ``jobs(raw) -> Iterable[Job]``, best a generator: a set may have a hundred
thousand clips. ``convert`` is a function of the module's top level and its arguments are plain values,
because jobs cross process and machine borders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...backend.motion.clip import Clip
from .item import Item
from .metadata import EnhancedMetadata

FPS = 30.0
"""Frames per second of every clip in the store."""


@dataclass(frozen=True)
class Converted:
    """A clip with what else its source knew.

    Attributes:
        clip: the motion at :data:`FPS`, floor at y = 0. In its ``meta`` the store reads: ``original_fps``
            and ``original_frames`` (of the source file), ``fit_error_mm`` (mean joint error, where the
            motion was fitted to bare joints).
        metadata: facts that only the source has (music, interaction, subject, emotion, temporal); motion
            style and quality are measured by the store.
        files: more files to lay beside the clip, by what follows its name: ``{".wav": b"...",
            ".words.json": b"..."}``.
    """

    clip: Clip
    metadata: EnhancedMetadata | None = None
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """One clip to make: ``convert(path, **arguments)``.

    Attributes:
        set: name of the data set.
        name: of the clip, unique in the set; a path below the set's folder (``a/b`` makes a folder).
        convert: returns the clip, at :data:`FPS`.
        path: the file it reads; its size and date tell whether a clip made before is still good.
        arguments: further arguments of ``convert``.
        items: the captioned pieces of the clip, with ``start`` and ``end`` in seconds of the clip.
        left_out: why no clip is wanted of this file (a mirror image, a copy of another set's trial). The
            file is still read and counted, so that the report accounts for every file.
    """

    set: str
    name: str
    convert: Callable[..., Clip | Converted]
    path: Path
    arguments: dict[str, Any] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    left_out: str = ""
