"""Clips in ``.npz`` files: written so that every SMPL-X tool reads them, read from whatever such tools write.

Dialects (facts and traps: the field reference, sections 0 to 2 and 8):

========  =====  ==========================================================================
``amass``  Z up   AMASS SMPL-X: ``poses`` (T,165) and its named slices, ``mocap_frame_rate``
``smplh``  Z up   AMASS SMPL+H: ``poses`` (T,156), ``mocap_framerate`` (read only)
``smplx``  Y up   SMPL-X Blender add-on and BEAT2: ``poses`` (T,165), ``model``
========  =====  ==========================================================================

Files of ours carry in addition ``expressions``, ``contacts`` and one JSON string ``understudy`` that
makes the round trip exact: what was known, the meta data, the up axis, the frame rate.
"""

from __future__ import annotations

import io
import os
from typing import BinaryIO, Literal

import numpy as np

from ..errors import BadInput
from . import archive, bvh, dialects
from .clip import Clip

Dialect = Literal["auto", "amass", "smplh", "smplx"]


def write_clip(
    clip: Clip,
    target: str | os.PathLike[str] | BinaryIO,
    *,
    dialect: Literal["amass", "smplx", "bvh"] = "amass",
) -> None:
    """Write a clip. The same clip gives the same bytes; a file appears whole or not at all.

    Args:
        clip: the motion.
        target: a path, or a binary file open for writing.
        dialect: ``amass`` (Z up), ``smplx`` (Y up: the SMPL-X add-on, BEAT2), or ``bvh``, which is text and
            holds the motion alone.

    Raises:
        BadInput: the target cannot be written, the clip holds numbers that are not finite, or the dialect
            is unknown.
    """
    data = _to_bytes(clip, dialect)
    if isinstance(target, (str, os.PathLike)):
        archive.write_bytes(data, target)
    else:
        target.write(data)


def read_clip(
    source: str | os.PathLike[str] | BinaryIO,
    *,
    dialect: Dialect = "auto",
    fps: float | None = None,
    hands_mean: np.ndarray | None = None,
) -> Clip:
    """Read a clip of any dialect into our world (Y up, metres, absolute hands).

    Args:
        source: a path, or a binary file open for reading that can seek.
        dialect: ``auto`` finds out; another name settles the up axis of a file that does not tell.
        fps: overrides the frame rate written in the file (AMASS SMPL-X files may state a wrong one).
        hands_mean: (90,) relaxed hand mean, left then right, to be added to hands that are relative to it.

    Raises:
        BadInput: one sentence that names the file and the missing key or the wrong shape.
    """
    with archive.Archive(source) as opened:
        return dialects.to_clip(opened, dialect=dialect, fps=fps, hands_mean=hands_mean)


def clip_to_bytes(clip: Clip) -> bytes:
    """The ``amass`` file as bytes, for messages between processes."""
    return _to_bytes(clip, "amass")


def clip_from_bytes(data: bytes) -> Clip:
    """The inverse of :func:`clip_to_bytes`; reads every dialect.

    Raises:
        BadInput: as :func:`read_clip`.
    """
    return read_clip(io.BytesIO(data))


def _to_bytes(clip: Clip, dialect: str) -> bytes:
    if dialect == "amass":
        return archive.pack(dialects.to_amass(clip))
    if dialect == "smplx":
        return archive.pack(dialects.to_smplx(clip))
    if dialect == "bvh":
        return bvh.clip_to_bvh(clip).encode("ascii")
    raise BadInput(f"Unknown dialect {dialect!r}: use amass, smplx or bvh.", field="dialect")
