"""What is in motion files, for the import dialog: read in a thread, so that neither draw() nor the window waits."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass

import bpy

from ...backend.errors import UnderstudyError
from ...backend.motion.reading import SUFFIXES, read_motion

_MOST = 8
"""Files that the dialog tells about, one line each."""
_LARGEST = 200_000_000
_POLL = 0.1


_WORDS = {
    (True, True): "Body and hands and face",
    (True, False): "Body and hands; no face",
    (False, True): "Body and face; no hands",
    (False, False): "Body; no hands and no face",
}
"""What a clip knows of hands and face."""


def said(line: str) -> str:
    """Marks a line that the dialog translates as it draws; threads leave Blender's dictionary alone."""
    return line


@dataclass(frozen=True)
class Facts:
    """A file in a few words, or what is wrong with it."""

    name: str
    lines: tuple[str, ...]
    error: str = ""


class Inspector:
    """The facts of files by path and time of change; draw() only looks at what is there already."""

    _known: dict[tuple[str, int], Facts] = {}
    _wanted: list[tuple[str, int]] = []
    _thread: threading.Thread | None = None

    @classmethod
    def look(cls, paths: list[str]) -> list[Facts | None]:
        """The facts of the first few files; None for those that are still being read."""
        found: list[Facts | None] = []
        for path in paths[:_MOST]:
            key = (path, _changed.get(path, 0))
            found.append(cls._known.get(key))
        if None in found:
            cls.ask(paths)
        return found

    @classmethod
    def ask(cls, paths: list[str], patience: float = 0.0) -> None:
        """Have files read in the background, waiting no longer than some seconds for it."""
        wanted = [path for path in paths[:_MOST] if path.lower().endswith(SUFFIXES)]
        if not wanted or (cls._thread is not None and cls._thread.is_alive()):
            return
        cls._thread = threading.Thread(target=cls.read, args=(wanted,), name="understudy_facts", daemon=True)
        cls._thread.start()
        if patience:
            cls._thread.join(patience)
        if not bpy.app.background and not bpy.app.timers.is_registered(_redraw):
            bpy.app.timers.register(_redraw, first_interval=_POLL)

    @classmethod
    def read(cls, paths: list[str]) -> None:
        """Read files now."""
        for path in paths:
            try:
                changed = os.stat(path).st_mtime_ns
            except OSError:
                changed = 0
            key = (path, changed)
            if key not in cls._known:
                cls._known[key] = facts_of(path)
            _changed[path] = changed
            while len(cls._known) > 200:
                cls._known.pop(next(iter(cls._known)))

    @classmethod
    def busy(cls) -> bool:
        return cls._thread is not None and cls._thread.is_alive()


_changed: dict[str, int] = {}


def facts_of(path: str) -> Facts:
    """What is in a motion file: its layout, length, rate, and which parts of the body it knows."""
    name = os.path.basename(path)
    try:
        if os.path.isfile(path) and os.path.getsize(path) > _LARGEST:
            return Facts(name, (said(f"{os.path.getsize(path) / 1e6:.0f} MB; not looked into"),))
        contents = read_motion(path)
    except UnderstudyError as error:
        return Facts(name, (), error.message.replace(path, name))
    except (OSError, MemoryError) as error:
        return Facts(name, (), f"{name} cannot be read: {error}.")
    clip = contents.clip
    lines = [
        contents.layout,
        said(f"{len(clip)} frames at {clip.fps:g} fps, {clip.seconds:.1f} s"),
        _WORDS[bool(clip.known.get("hands")), bool(clip.known.get("face"))],
    ]
    if "fit_error_mm" in clip.meta:
        lines.append(said(f"Fitted to positions, {clip.meta['fit_error_mm']:.1f} mm off on average"))
    words = clip.meta.get("prompt") or clip.meta.get("caption")
    if isinstance(words, str) and words.strip():
        lines.append(f"“{' '.join(words.split())[:60]}”")
    if isinstance(clip.meta.get("licence"), str):
        lines.append(said(f"Licence: {clip.meta['licence']}"))
    lines += [str(note) for note in clip.meta.get("notes", ()) if isinstance(note, str)]
    return Facts(name, tuple(lines))


def _redraw() -> float | None:
    manager = bpy.context.window_manager
    for window in manager.windows if manager else ():
        for area in window.screen.areas:
            if area.type == "FILE_BROWSER":
                area.tag_redraw()
    return _POLL if Inspector.busy() else None


def unregister() -> None:
    if bpy.app.timers.is_registered(_redraw):
        bpy.app.timers.unregister(_redraw)
    if Inspector._thread is not None:
        Inspector._thread.join(5.0)
    Inspector._thread = None
    Inspector._known.clear()
    _changed.clear()
