"""The sound of a dialogue or of an answer: a file in the user's folder, packed into the .blend, and its strip."""

from __future__ import annotations

import os
import re
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy

from ...backend.errors import JobFailed
from ..perform.sound import strips_of
from ..takes import files as take_files

WORDS = (
    "The sound was not added: every channel of the sequencer is taken there.",
    "This Blender has no sound: the recording was not added to the sequencer.",
)
NO_CHANNEL, NO_SOUND = WORDS


def folder() -> Path:
    """Of the sounds; it need not exist yet."""
    return take_files.folder().parent / "sounds"


def store(data: bytes, name: str) -> Path:
    """Write a WAV file.

    Raises:
        JobFailed: the folder cannot be written to.
    """
    plain = re.sub(r"[^\w-]+", "-", name).strip("-")[:40] or "voice"
    target = folder() / f"{plain}-{uuid.uuid4().hex[:8]}.wav"
    temporary = target.with_suffix(".tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(data)
        os.replace(temporary, target)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise JobFailed(f"The sound could not be stored in {target.parent} ({error.strerror}).") from error
    return target


def place(scene: bpy.types.Scene, path: Path, frame: int, length: int, mark: tuple[str, str]) -> str:
    """Let a sound be heard from a frame of the sequencer on.

    Args:
        scene: gets a sequencer if it has none.
        path: of the file; it goes into the .blend, too.
        frame: of its beginning.
        length: frames, to find a free channel.
        mark: a custom property of the strip, and its value: what :func:`remove` knows it by.

    Returns:
        Why it could not be done, one sentence; empty when it could.
    """
    if scene.sequence_editor is None:
        scene.sequence_editor_create()
    strips = strips_of(scene)
    taken = {s.channel for s in strips if s.frame_final_start < frame + length and s.frame_final_end > frame}
    channel = next((c for c in range(1, 129) if c not in taken), None)
    if channel is None:
        return NO_CHANNEL
    try:
        strip = strips.new_sound(name=path.stem, filepath=str(path), channel=channel, frame_start=frame)
    except RuntimeError:  # a Blender that was built without sound
        return NO_SOUND
    strip[mark[0]] = mark[1]
    strip.sound.pack()
    return ""


def remove(scene: bpy.types.Scene, mark: tuple[str, str]) -> None:
    """Take the strips of a mark away, and what nobody else uses of them: undo brings the packed sound back."""
    strips = strips_of(scene)
    for strip in [s for s in strips or () if s.get(mark[0]) == mark[1]]:
        sound = strip.sound
        strips.remove(strip)
        if sound is not None and sound.users == 0:
            _forget(sound)


def _forget(sound: Any) -> None:
    path = Path(bpy.path.abspath(sound.filepath))
    bpy.data.sounds.remove(sound)
    if path.parent == folder():
        with suppress(OSError):
            path.unlink(missing_ok=True)
