"""Rendering without touching the animator's scene: the body goes to a second Blender, which films it.

What crosses is a small .blend with the body alone and a JSON job. The window stays usable meanwhile; a cancelled or
failed film leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ...backend.errors import BadInput, Cancelled, JobFailed, UnderstudyError
from ...backend.protocol.child import child_environment, inside_blender, module_command, spawn_options
from ..perform.sound import sound_strips
from ..preferences import settings as preferences

MODULE = "understudy.addon.render.film_body_cli"


def job_of(
    scene: bpy.types.Scene,
    body: bpy.types.Object,
    out: Path,
    folder: Path,
    *,
    engine: str,
    resolution: tuple[int, int],
    samples: int,
    follow: bool | None,
    sound: bool,
    frame: int | None = None,
) -> dict[str, Any]:
    """Write the body to ``folder`` and describe what is to be filmed. The scene is only read.

    Args:
        scene: gives frame rate, frame range and sounds.
        body: who is filmed; its meshes come along.
        out: the .mp4 or .png.
        folder: an empty one.
        engine, resolution, samples, follow: as in :mod:`..render.render` and :mod:`.scene`.
        sound: let the film have the scene's sound strips.
        frame: of a picture.
    """
    if body.animation_data is None or (
        body.animation_data.action is None and not len(body.animation_data.nla_tracks)
    ):
        raise BadInput(f"“{body.name}” has no animation.", hint="Generate a motion first.", field="animation")
    first, last = scene.frame_start, scene.frame_end
    action = body.animation_data.action
    if action is not None and not len(body.animation_data.nla_tracks):
        begin, end = (round(value) for value in action.frame_range)
        first, last = max(first, begin), min(last, end)
        if last < first:  # the range of the scene lies elsewhere
            first, last = begin, end
    meshes = [child for child in body.children_recursive if child.type == "MESH" and not child.hide_render]
    objects = [body, *meshes]
    blend = folder / "body.blend"
    try:
        bpy.data.libraries.write(str(blend), set(objects), path_remap="ABSOLUTE", compress=False)
    except (RuntimeError, OSError) as error:
        raise JobFailed("The body cannot be handed to the second Blender.", field="out") from error
    return {
        "blend": str(blend),
        "objects": [obj.name for obj in objects],
        "body": body.name,
        "fps": scene.render.fps,
        "fps_base": scene.render.fps_base,
        "first": first,
        "last": last,
        "frame": frame,
        "resolution": list(resolution),
        "engine": engine,
        "samples": samples,
        "follow": follow,
        "sounds": _sounds(scene, first, last) if sound and out.suffix == ".mp4" else [],
        "out": str(out),
    }


def _sounds(scene: bpy.types.Scene, first: int, last: int) -> list[dict[str, Any]]:
    """The sound strips that are heard within a range, from files."""
    found = []
    for strip in sound_strips(scene):
        path = os.path.abspath(bpy.path.abspath(strip.sound.filepath, library=strip.sound.library))
        heard = strip.frame_final_start <= last and strip.frame_final_end > first
        if strip.mute or not heard or not os.path.isfile(path):
            continue
        found.append(
            {
                "path": path,
                "frame": round(strip.frame_start),
                "before": int(strip.frame_offset_start),
                "after": int(strip.frame_offset_end),
                "volume": float(strip.volume),
            }
        )
    return found


def command(job: Path) -> list[str]:
    """The argument list of the second Blender."""
    if bpy.app.binary_path:
        return inside_blender(bpy.app.binary_path, MODULE, [str(job)], preferences.PACKAGE_DIR)
    return module_command(sys.executable, MODULE, [str(job)], preferences.PACKAGE_DIR)


@dataclass
class Film:
    """One film on its way.

    Attributes:
        out: where it will be.
        frames: how many it has.
        state: ``running``, then ``done``, ``failed`` or ``cancelled``.
        error: why it failed.
        warning: what the second Blender had to say.
    """

    out: Path
    frames: int
    folder: Path
    process: subprocess.Popen[str]
    state: str = "running"
    seen: int = 0
    error: UnderstudyError | None = None
    warning: str = ""
    _last: list[str] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    @classmethod
    def start(cls, job: dict[str, Any], folder: Path) -> Film:
        """Start the second Blender.

        Raises:
            JobFailed: it cannot be run.
        """
        path = folder / "job.json"
        path.write_text(json.dumps(job), encoding="utf-8")
        arguments = command(path)
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env=child_environment(),
                **spawn_options(),
            )
        except OSError as error:
            raise JobFailed(f"{arguments[0]} cannot be run: {error.strerror}.") from error
        frames = 1 if job["out"].endswith(".png") else job["last"] - job["first"] + 1
        film = cls(Path(job["out"]), frames, folder, process)
        for stream, read in ((process.stdout, film._hear), (process.stderr, film._complain)):
            thread = threading.Thread(target=read, args=(stream,), name="understudy-film", daemon=True)
            thread.start()
            film._threads.append(thread)
        return film

    @property
    def fraction(self) -> float:
        return min(self.seen / max(self.frames, 1), 1.0)

    def _hear(self, lines: Any) -> None:
        for line in lines:
            if line.startswith("Fra:") and line[4:].strip().isdigit():
                self.seen += 1
            elif line.startswith("Warning: "):
                self.warning = line.removeprefix("Warning: ").strip()

    def _complain(self, lines: Any) -> None:
        for line in lines:
            if line.strip():
                self._last = [*self._last[-19:], line.strip()]

    def poll(self) -> None:
        """Take in whether it ended; never waits."""
        if self.state != "running" or self.process.poll() is None:
            return
        for thread in self._threads:
            thread.join(2.0)
        code = self.process.returncode
        if code == 0 and self.out.is_file():
            self.state = "done"
        else:
            self.state = "failed"
            words = self._last[-1] if self._last else f"exit code {code}"
            if code in (-6, 134):  # how Blender ends without graphics
                self.error = JobFailed(
                    "Workbench and EEVEE need OpenGL, and Blender found no graphics driver here. Cycles needs none."
                )
            else:
                self.error = BadInput(words) if code == 2 else JobFailed(f"Rendering failed: {words}")
        self._clean()

    def cancel(self) -> None:
        """End the second Blender at once."""
        if self.state != "running":
            return
        self.state = "cancelled"
        self.process.kill()
        self.process.wait(10)
        for thread in self._threads:
            thread.join(2.0)
        for left in self.out.parent.glob(f".{self.out.stem[:40]}.????????{self.out.suffix}"):
            left.unlink(missing_ok=True)  # what it was writing
        self._clean()

    def wait(self) -> None:
        """To the end; raises what went wrong."""
        while self.state == "running":
            try:
                self.process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
            self.poll()
        if self.error is not None:
            raise self.error
        if self.state == "cancelled":
            raise Cancelled("The film was cancelled.")

    def _clean(self) -> None:
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def temporary_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="understudy-film-", dir=bpy.app.tempdir or None))
