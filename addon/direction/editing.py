"""Making a part of the body's animation anew: go on from a frame, fill between two, perform one line again."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import bpy

from ...backend.errors import BadInput, UnderstudyError
from ...backend.motion import npz
from ...backend.motion.clip import Clip
from ..keying.actions import channels_of, read_meta
from ..keying.keying import clip_from_action, scene_rate
from ..keying.splice import why_not as why_not_splice
from ..takes import files as take_files
from ..takes import preview
from . import poses
from .gather import plain
from .marks import marks_of, travels
from .world import ClipWorld

SHORTEST = 0.1
"""Seconds that the backend can fill at least."""


@dataclass(frozen=True)
class Edit:
    """The motion that is there, and the part of it that is to be new.

    Attributes:
        clip: what the body performs.
        start_frame: of its first pose.
        first: the last frame that stays.
        last: the frame from which on all stays; None: nothing follows.
        seconds: how much is made where nothing follows; None: as much as the motion wants.
        base: digest of the Action whose keys stay; empty where the whole motion is keyed anew.
        lines: of the script that the motion performs, as they will be.
    """

    clip: Clip
    start_frame: int
    first: float
    last: float | None
    seconds: float | None = None
    base: str = ""
    lines: tuple[dict[str, Any], ...] = ()

    def request(self, world: ClipWorld) -> dict[str, Any]:
        """The backend's ``edit``."""
        data = base64.b64encode(npz.clip_to_bytes(self.clip)).decode("ascii")
        end = None if self.last is None else round(world.seconds(self.last), 5)
        return {"npz": data, "start": round(world.seconds(self.first), 5), "end": end}

    def finish(self, clip: Clip) -> Clip:
        """A result with what the edit knows about it."""
        return clip.replace(meta={**clip.meta, "script": list(self.lines)}) if self.lines else clip


def animated(body: bpy.types.Object) -> bool:
    """Whether a body has an Action with keys (cheap, for draw)."""
    animation = body.animation_data
    channels = channels_of(animation) if animation is not None else None
    return channels is not None and len(channels.fcurves) > 0


def why_not(scene: bpy.types.Scene, body: bpy.types.Object | None) -> str:
    """Why the chosen kind of motion cannot be made, in one short sentence; empty when it can (cheap, for draw)."""
    state = scene.understudy_direction
    if not state.use:
        return ""
    if state.mode != "NEW" and (state.loop or state.in_place):
        return "Loop and In Place are for a new motion: choose it, or switch them off."
    if state.loop and scene.understudy.voice != "NONE":
        return "A loop has no voice: switch one of them off."
    found = marks_of(scene, body)
    if state.loop and found:
        return "A loop is made without marks: untick them, or switch Loop off."
    if state.in_place and any(travels(thing) for thing in found):
        return "A motion in place stays on the spot: untick the marks, or switch In Place off."
    if state.mode != "NEW" and body is None:
        return "Add a body, or select a SMPL-X armature."
    if state.mode == "BETWEEN":
        if body is None or not animated(body):
            return "In-between needs two keys: the body has no animation yet."
        if state.last - state.first < 2:
            return "In-between needs frames to fill: To must lie behind From."
        if (state.last - state.first) / scene_rate(scene) < SHORTEST:
            return f"In-between needs {SHORTEST:g} s to fill: choose keys that are further apart."
    return ""


def fills(scene: bpy.types.Scene) -> bool:
    """Whether the next motion fills frames between two (cheap, for draw)."""
    return bool(scene.understudy_direction.use and scene.understudy_direction.mode == "BETWEEN")


def goes_on(body: bpy.types.Object, frame: int) -> bool:
    """Whether there is motion before a frame that can be continued."""
    return animated(body) and _range(body)[0] < frame


def _range(body: bpy.types.Object) -> tuple[int, int]:
    begin, end = body.animation_data.action.frame_range
    return round(begin), round(end)


def onwards(scene: bpy.types.Scene, body: bpy.types.Object, frame: int) -> Edit:
    """Go on from a frame; what comes before it stays.

    Raises:
        BadInput: the animation cannot be read.
    """
    clip, start, base = _source(scene, body, until=frame)
    return Edit(clip, start, frame, None, base=base)


def between(scene: bpy.types.Scene, body: bpy.types.Object, first: int, last: int) -> Edit:
    """Fill the frames between two; they and all others stay.

    Raises:
        BadInput: the animation cannot be read.
    """
    clip, start, base = _source(scene, body, since=first, until=last)
    return Edit(clip, start, first, last, base=base)


def _source(
    scene: bpy.types.Scene, body: bpy.types.Object, *, since: int | None = None, until: int | None = None
) -> tuple[Clip, int, str]:
    """What a body performs as a clip, its first frame, and the digest of the Action whose keys are to stay.

    A preview that nobody edited is the take's own clip: there are no keys of an animator's in it.
    """
    shown = preview.current(body)
    state = body.understudy_preview
    if shown is not None and not preview.edited(shown) and not state.spliced:
        try:
            clip = take_files.load(state.take, shown.name)
        except UnderstudyError:
            pass  # the keys are still there
        else:
            last = state.start + (len(clip) - 1) / clip.fps * scene_rate(scene)
            if (since is None or since >= state.start) and (until is None or until <= last + 1e-6):
                return clip, state.start, ""
    begin, end = _range(body)
    begin = begin if since is None else min(begin, since)
    end = until if since is None and until is not None else max(end, until or end)
    clip = clip_from_action(body, (begin, end), scene=scene)
    return clip, begin, "" if why_not_splice(body) else preview.digest(body.animation_data.action)


def present_pose(context: bpy.types.Context, body: bpy.types.Object, world: ClipWorld) -> dict[str, Any]:
    """The body as it stands now, as a key pose at the clip's beginning."""
    pose, trans = poses.as_clip(body, *poses.present(context, body))
    return {"time": 0.0, "pose": plain(pose), "trans": plain(trans)}


# -- one line of the script -------------------------------------------------------------------------


def lines_of(body: bpy.types.Object) -> list[dict[str, Any]]:
    """The script that the body's motion was made from, with ``start`` and ``end`` seconds (cheap, for draw)."""
    animation = body.animation_data
    meta = read_meta(animation.action if animation is not None else None).get("meta")
    found = meta.get("script") if isinstance(meta, dict) else None
    usable = isinstance(found, list) and all(
        isinstance(line, dict) and "start" in line and "end" in line for line in found
    )
    return found if usable and found is not None else []


def why_no_line(scene: bpy.types.Scene, body: bpy.types.Object | None, index: int) -> str:
    """Why a line cannot be performed again by itself; empty when it can (cheap, for draw)."""
    if body is None:
        return "Add a body, or select a SMPL-X armature."
    lines = lines_of(body)
    if not lines:
        return "Generate the script first: then single lines can be made anew."
    if len(lines) != len(scene.understudy_script.lines):
        return "Lines came or went since the motion was made: generate the script again."
    return "" if 0 <= index < len(lines) else "Choose a line."


def line(scene: bpy.types.Scene, body: bpy.types.Object, index: int) -> Edit:
    """Perform a line again between its neighbours, for as long as it lasts in the motion.

    Raises:
        BadInput: the animation cannot be read.
    """
    lines = lines_of(body)
    # Where the clip's first pose is: what is keyed may have been moved in time since.
    clip, start, base = _source(scene, body)
    world = ClipWorld.of(body, scene, start)
    begin, end = float(lines[index]["start"]), float(lines[index]["end"])
    if begin >= clip.seconds:
        raise BadInput(
            "The motion was cut before that line.", hint="Generate the script again.", field="script"
        )
    prompt = " ".join(scene.understudy_script.lines[index].prompt.split())
    changed = tuple({**old, "prompt": prompt} if i == index else old for i, old in enumerate(lines))
    last = None if index == len(lines) - 1 else world.frame(end)
    return Edit(clip, start, world.frame(begin), last, end - begin, base, changed)
