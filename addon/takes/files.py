"""Where the clips of takes lie: one .npz each in the user's folder, never beside the add-on.

A .blend refers to its takes' files by name. A deleted take's file goes only when the .blend was saved without
it and is closed, so that undo, and reopening an unsaved file, find it again. The file of a take that was undone
goes when the .blend is closed, too, unless it was saved with it in between.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy

from ...backend.errors import BadInput, JobFailed
from ...backend.motion import npz
from ...backend.motion.clip import Clip
from ..preferences.settings import PACKAGE

missing: set[str] = set()
"""Files that were looked for and not found; draw() reads it instead of the disk."""

_deleted: set[str] = set()
"""Files of takes that were deleted in this session."""
_saved_without: set[str] = set()
"""Those of them that the saved .blend does not refer to."""
_made: set[str] = set()
"""Files that were written in this session."""
_saved_with: set[str] = set()
"""Those that a .blend was saved with, be it under another name."""


def folder() -> Path:
    """The user's folder of takes; it need not exist yet."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, path="takes"))
    except ValueError:  # not installed as an extension
        return Path(bpy.utils.user_resource("DATAFILES", path=os.path.join("understudy", "takes")))


def path_of(name: str) -> Path:
    """The path of a take's file. Only its last part counts: a .blend may come from anywhere."""
    return folder() / os.path.basename(name.replace("\\", "/"))


def store(clip: Clip, data: bytes | None = None) -> str:
    """Write a clip as a take's file and return its name.

    Args:
        clip: the motion.
        data: its bytes as an .npz, where they are at hand.

    Raises:
        JobFailed: the folder cannot be written to.
    """
    name = f"{uuid.uuid4().hex}.npz"
    target = path_of(name)
    temporary = target.with_suffix(".tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(npz.clip_to_bytes(clip) if data is None else data)
        os.replace(temporary, target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise JobFailed(
            f"The take could not be stored in {target.parent} ({error.strerror}).",
            hint="The motion is keyed; accept it to keep it.",
        ) from error
    _made.add(name)
    return name


def load(name: str, title: str) -> Clip:
    """Read a take's clip.

    Raises:
        BadInput: the file is gone or damaged.
    """
    path = path_of(name)
    if not name or not path.is_file():
        missing.add(name)
        raise BadInput(
            f"The clip of the take “{title}” is no longer in the folder of takes.",
            hint="Re-use its settings and generate: the same seed gives the same motion.",
            field="take",
        )
    missing.discard(name)
    return npz.read_clip(path)


def look(names: Iterable[str]) -> None:
    """Find out which files are missing."""
    missing.clear()
    missing.update(name for name in names if not path_of(name).is_file())


def forget(name: str) -> None:
    """Note that a take was deleted; its file goes later."""
    _deleted.add(name)


def note_saved(names: Iterable[str]) -> None:
    """The .blend was saved with these takes."""
    names = set(names)
    _saved_with.update(names & _made)
    _saved_without.clear()
    _saved_without.update(_deleted - names)


def clear_deleted(names: Iterable[str]) -> None:
    """The .blend is about to close with these takes: remove the files of those deleted or undone for good."""
    names = set(names)
    undone = _made - _saved_with - _deleted
    for name in (_saved_without | undone) - names:
        with suppress(OSError):  # in use or not ours any more: it is only a left-over
            path_of(name).unlink(missing_ok=True)
    for done in (_deleted, _saved_without, _made, _saved_with):
        done.clear()


def names_in_file() -> set[str]:
    """The files that the takes of all scenes refer to."""
    scenes: Any = getattr(bpy.data, "scenes", ())  # restricted while Blender starts or ends
    kept = [getattr(scene, "understudy_takes", None) for scene in scenes]
    return {take.file for takes in kept if takes is not None for take in takes.items}
