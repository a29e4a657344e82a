"""The voice that a motion goes with: a sound file or a strip of the video sequencer, and its place beside the Action.

The sound itself is read by the backend only: damaged files can abort Blender's own decoder. What the panel says
about a recording comes from ``understudy info``, run in a thread.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from ...backend.errors import BadInput, UnderstudyError
from ...backend.motion.clip import Clip
from ...backend.protocol.child import run_quietly
from ...backend.protocol.wire import module_command
from ..preferences import settings as preferences
from ..process import client

PLACED = "understudy"
"""Custom property of the sound strips that we placed; its value is the name of the body that speaks."""


@dataclass(frozen=True)
class Voice:
    """What is spoken.

    Attributes:
        path: the sound file, absolute.
        start_frame: the scene frame at which the motion begins.
        offset: seconds of the file that come before it.
        seconds: how much of the file is heard; None for all that follows.
        place: whether the sound has yet to be put into the sequencer.
    """

    path: str
    start_frame: int
    offset: float = 0.0
    seconds: float | None = None
    place: bool = False

    def cut(self, clip: Clip) -> Clip:
        """The part of a clip of the whole file that is heard, starting where the whole one starts."""
        if not self.offset and self.seconds is None:
            return clip
        first = min(round(self.offset * clip.fps), len(clip) - 1)
        last = len(clip) if self.seconds is None else first + max(round(self.seconds * clip.fps), 1)
        part = clip.slice(first, min(last, len(clip)))
        trans = np.array(part.trans)
        trans[:, [0, 2]] += clip.trans[0, [0, 2]] - trans[0, [0, 2]]
        return part.replace(trans=trans)


# -- the sequencer, whose strips were called sequences before Blender 4.4 -------------------------------


def strips_of(scene: bpy.types.Scene) -> Any:
    """The strips of a scene's sequencer; None where it has no sequencer yet."""
    editor = scene.sequence_editor
    if editor is None:
        return None
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def sound_strips(scene: bpy.types.Scene) -> list[Any]:
    """The sound strips of a scene, in the order of time."""
    strips = [strip for strip in strips_of(scene) or () if strip.type == "SOUND" and strip.sound is not None]
    return sorted(strips, key=lambda strip: strip.frame_final_start)


def strip_name(settings: bpy.types.PropertyGroup) -> str:
    """The chosen sound strip's name; with none chosen, that of the first one."""
    if settings.speech_strip:
        return str(settings.speech_strip)
    found = sound_strips(settings.id_data)
    return found[0].name if found else ""


def voice_of_file(path: str, frame: int, *, place: bool, offset: float = 0.0) -> Voice:
    """A sound file that is spoken from a scene frame on, without its first ``offset`` seconds.

    Raises:
        BadInput: there is no such file.
    """
    if not path.strip():
        raise BadInput("No sound file was chosen.", hint="Pick the recording in Speech.", field="speech")
    path = os.path.abspath(bpy.path.abspath(path.strip()))
    if not os.path.isfile(path):
        raise BadInput(f"There is no sound file {os.path.basename(path)} in its folder.", field="speech")
    return Voice(path, frame, offset=offset, place=place)


TRANSCRIPTS = (".txt", ".srt", ".vtt", ".textgrid")


def transcript(words: str, path: str) -> str:
    """What is said, for the backend: the file, where one is chosen, else the words; empty for neither.

    Raises:
        BadInput: there is no such file, or it is of another kind.
    """
    if not path.strip():
        return words.strip()
    path = os.path.abspath(bpy.path.abspath(path.strip()))
    name = os.path.basename(path)
    if not os.path.isfile(path):
        raise BadInput(f"There is no transcript {name} in its folder.", field="transcript")
    if os.path.splitext(path)[1].lower() not in TRANSCRIPTS:
        raise BadInput(
            f"{name} is no transcript.", hint="Use a .txt, .srt, .vtt or .TextGrid file.", field="transcript"
        )
    return path


def voice_of_strip(scene: bpy.types.Scene, name: str) -> Voice:
    """What is heard of a sound strip.

    Raises:
        BadInput: there is no such strip, or its sound is not a file as it stands.
    """
    strip = next((s for s in sound_strips(scene) if s.name == name), None)
    if strip is None:
        raise BadInput(
            f"There is no sound strip “{name}” in the sequencer." if name else "There is no sound strip.",
            hint="Add the sound in the video sequencer of this scene, or choose a file.",
            field="speech",
        )
    if len(getattr(strip, "retiming_keys", ())) > 0:
        raise BadInput(
            f"The strip “{name}” is retimed, and its file is not heard as it is.",
            hint="Remove the retiming, or render the sound to a file first.",
            field="speech",
        )
    rate = scene.render.fps / scene.render.fps_base
    path = bpy.path.abspath(strip.sound.filepath, library=strip.sound.library)
    if not os.path.isfile(path):
        packed = strip.sound.packed_file is not None
        raise BadInput(
            f"The sound of “{name}” is packed into the .blend."
            if packed
            else f"The file of “{name}” is gone.",
            hint="Unpack it: File > External Data." if packed else "Find it: File > External Data.",
            field="speech",
        )
    before, after = max(strip.frame_offset_start, 0), max(strip.frame_offset_end, 0)
    start = max(strip.frame_final_start, round(strip.frame_start))
    heard = strip.frame_duration - before - after
    return Voice(
        os.path.abspath(path),
        start,
        offset=before / rate,
        seconds=heard / rate if before or after else None,
    )


def place(
    scene: bpy.types.Scene, body: bpy.types.Object, path: str, frame: int, length: int, offset: float = 0.0
) -> str:
    """Let a sound file be heard from a frame of the sequencer on; the one placed for this body earlier goes.

    Args:
        scene: gets a sequencer if it has none.
        body: who speaks.
        path: the file.
        frame: of the motion's first pose.
        length: frames of the motion, to find a free channel.
        offset: seconds of the file that are left out at its beginning.

    Returns:
        Why it could not be done, one sentence; empty when it could.
    """
    remove(scene, body)
    if scene.sequence_editor is None:
        scene.sequence_editor_create()
    strips = strips_of(scene)
    taken = {
        strip.channel
        for strip in strips
        if strip.frame_final_start < frame + length and strip.frame_final_end > frame
    }
    channel = next((c for c in range(1, 129) if c not in taken), None)
    if channel is None:
        return "The sound was not added: every channel of the sequencer is taken there."
    try:
        strip = strips.new_sound(
            name=os.path.basename(path), filepath=path, channel=channel, frame_start=frame
        )
    except RuntimeError:  # a Blender that was built without sound
        return "This Blender has no sound: the recording was not added to the sequencer."
    left_out = round(offset * scene.render.fps / scene.render.fps_base)
    if left_out:
        strip.frame_offset_start = left_out
        strip.frame_start = frame - left_out
    strip[PLACED] = body.name
    return ""


def remove(scene: bpy.types.Scene, body: bpy.types.Object) -> None:
    """Take the sound away that :func:`place` put there for a body, and its data if nothing else uses it."""
    strips = strips_of(scene)
    for strip in [s for s in strips or () if s.get(PLACED) == body.name]:
        sound = strip.sound
        strips.remove(strip)
        if sound is not None and sound.users == 0:
            bpy.data.sounds.remove(sound)


def keep(scene: bpy.types.Scene, body: bpy.types.Object) -> None:
    """Make the placed sound the animator's own: it stays when another take is previewed."""
    for strip in strips_of(scene) or ():
        if strip.get(PLACED) == body.name:
            del strip[PLACED]


# -- what the panel says about a recording -----------------------------------------------------------------


class Look:
    """What is known about sound files, found out in a thread by ``understudy info``."""

    found: dict[str, tuple[str, bool]] = {}
    """By path: a sentence, and whether it is a complaint."""
    _thread: threading.Thread | None = None

    @classmethod
    def running(cls) -> bool:
        return cls._thread is not None and cls._thread.is_alive()

    @classmethod
    def start(cls, path: str) -> None:
        """Look into a file, unless it was done already. In background nobody reads the answer."""
        if not path or bpy.app.background:
            return
        absolute = os.path.abspath(bpy.path.abspath(path))
        if cls.found.get(absolute, ("", True))[1]:
            cls.look(absolute)
            bpy.app.timers.register(_wait, first_interval=0.2)

    @classmethod
    def look(cls, path: str) -> None:
        """Start the thread."""
        try:
            python = preferences.find_python()
        except UnderstudyError as error:
            cls.found[path] = (error.message, True)
            return
        cls.found[path] = ("Listening…", False)
        arguments = ["info", path, "--json"]
        command = module_command(python, "understudy.backend.cli.main", arguments, preferences.PACKAGE_DIR)
        cls._thread = threading.Thread(
            target=cls._run, args=(path, command), name="understudy-look", daemon=True
        )
        cls._thread.start()

    @classmethod
    def finish(cls, timeout: float | None = None) -> None:
        if cls._thread is not None:
            cls._thread.join(timeout)

    @classmethod
    def _run(cls, path: str, command: list[str]) -> None:
        try:
            done = run_quietly(command, timeout=120.0)
            said = json.loads(done.stdout if done.returncode == 0 else done.stderr.strip().splitlines()[-1])
            cls.found[path] = describe(said)
        except Exception:  # a thread has nobody to raise to; Generate will say what is wrong
            cls.found[path] = ("The recording could not be looked into.", True)


def describe(said: dict[str, Any]) -> tuple[str, bool]:
    """The answer of ``understudy info`` in a sentence, and whether it is a complaint."""
    if "error" in said:
        return str(said["error"]["message"]), True
    words = [f"{float(said['seconds']):.1f} s", f"{float(said['voice_share']):.0%} of it voice"]
    return ". ".join([", ".join(words), *map(str, said.get("warnings", ()))]), bool(said.get("warnings"))


def _wait() -> float | None:
    client.redraw()
    return 0.2 if Look.running() else None


@bpy.app.handlers.persistent
def _after_load(*_: Any) -> None:
    for scene in bpy.data.scenes:
        settings = getattr(scene, "understudy", None)
        if settings is not None and settings.voice == "FILE":
            Look.start(settings.speech_file)


def register() -> None:
    bpy.app.handlers.load_post.append(_after_load)


def unregister() -> None:
    if _after_load in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(_after_load)
    if bpy.app.timers.is_registered(_wait):
        bpy.app.timers.unregister(_wait)
    Look.finish(0.0)
    Look.found.clear()
