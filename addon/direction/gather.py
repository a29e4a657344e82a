"""The marks of a scene as the ``constraints`` of a request; nothing is dropped without a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.skeleton import INDEX, REST_FLOOR, rest_joints
from . import curves, poses
from .marks import JOINTS, marks_of
from .world import ClipWorld

CLIP_RATE = 30.0
"""Frames per second of the backend's clips."""
FRAME = 1.0 / CLIP_RATE
ANKLE_HEIGHT = float(rest_joints()[INDEX["left_ankle"], 1] - REST_FLOOR)
"""Of the ankle's joint above the sole, metres: a foot is pinned where its sole is to be."""
_SPACING = 0.05
"""Metres between the points of a path."""
_MAX_POINTS = 2000

Part = tuple[float | None, float | None]
"""The seconds between which a clip is new: None for its own beginning, None for an end that is not fixed."""


def gather(
    context: bpy.types.Context,
    body: bpy.types.Object,
    world: ClipWorld,
    seconds: float | None,
    *,
    since: float | None = None,
) -> tuple[dict[str, Any], float | None]:
    """What the marks ask of the next motion.

    Args:
        context: with the scene.
        body: who performs.
        world: of the clip that is to be made.
        seconds: its length, where it is fixed.
        since: where only a part of it is new, the second at which that begins; it ends with ``seconds``.
            Marks outside are left out: what is there stays anyway.

    Returns:
        The constraints, empty where there are none, and the length: as given, else long enough for the
        last mark, else None.

    Raises:
        BadInput: a mark cannot count, in a sentence that names it.
    """
    scene = context.scene
    found = marks_of(scene, body)
    if not found:
        return {}, seconds
    context.view_layer.update()
    if since is not None:
        found = [thing for thing in found if _overlaps(thing, world, since, seconds)]
    with _every_frame(scene) as go:
        reach = [times[1] for thing in found if (times := _times(thing, world)) is not None]
        if seconds is None and reach:
            seconds = max(max(reach) + FRAME, 0.5)
        wishes: dict[str, Any] = {}
        for thing in sorted(found, key=lambda thing: thing.understudy_mark.frame):
            kind = thing.understudy_mark.kind
            if kind == "PATH":
                if "path" in wishes:
                    raise BadInput(
                        "Two paths are switched on.", hint="Untick all but one in Direction.", field="path"
                    )
                wishes["path"] = _path(thing, world, (since, seconds))
            else:
                make, key = _MAKERS[kind]
                wishes.setdefault(key, []).append(make(thing, world, (since, seconds), go))
    return wishes, seconds


def _times(thing: bpy.types.Object, world: ClipWorld) -> tuple[float, float] | None:
    """The first and last second at which a mark counts; None where it has no time of its own."""
    state = thing.understudy_mark
    if state.kind == "PATH":
        if state.timing == "CURVE" and (timing := curves.timing_of(thing)) is not None:
            first, last = timing.range()
            return world.seconds(first), world.seconds(last)
        return None
    if state.kind == "POSE" and state.when != "FRAME":
        return None
    last = state.frame_end if state.kind == "PIN" else state.frame
    return world.seconds(state.frame), world.seconds(max(last, state.frame))


def _overlaps(thing: bpy.types.Object, world: ClipWorld, since: float, until: float | None) -> bool:
    """Whether a mark counts within a part of a clip; its beginning is another part's."""
    if thing.understudy_mark.kind == "POSE" and thing.understudy_mark.when == "START":
        return False
    times = _times(thing, world)
    return times is None or (times[1] > since + 1e-6 and (until is None or times[0] < until - 1e-6))


def _check(thing: bpy.types.Object, world: ClipWorld, part: Part) -> tuple[float, float]:
    """The times of a mark, within the clip; cut to the part that is new, where only a part is.

    Raises:
        BadInput: it lies outside.
    """
    times = _times(thing, world)
    assert times is not None
    first, last = times
    since, seconds = part
    if since is not None:
        return max(first, since), last if seconds is None else min(last, seconds)
    if first < -1e-6:
        raise BadInput(
            f"“{thing.name}” is at frame {round(world.frame(first))}, before the motion starts "
            f"(frame {round(world.start)}).",
            hint="Move the start of the motion in Direction, or the mark.",
            field="constraints",
        )
    if seconds is not None and last > seconds + 1e-6:
        raise BadInput(
            f"“{thing.name}” is at frame {round(world.frame(last))}, after the motion ends "
            f"(frame {round(world.frame(seconds))}).",
            hint="Lengthen the motion, or move the mark.",
            field="constraints",
        )
    end = last if seconds is None else seconds - FRAME
    return min(max(first, 0.0), end), min(last, end)


def _path(thing: bpy.types.Object, world: ClipWorld, part: Part) -> dict[str, Any]:
    line = curves.line_of(thing)
    state = thing.understudy_mark
    path: dict[str, Any] = {"facing": state.facing}
    if state.timing == "CURVE":
        if curves.timing_of(thing) is None:
            raise BadInput(
                f"The path “{thing.name}” has no timing of its own.",
                hint="Tick Path Animation of the curve and key its Evaluation Time, or let the motion "
                "decide the speed.",
                field="path",
            )
        _check(thing, world, part)
        frames, fractions = curves.timed(thing, world.start)
        path["times"] = plain([world.seconds(frame) for frame in frames])
        points = line.at(fractions)
    else:
        metre = np.cbrt(abs(np.linalg.det(world.matrix[:3, :3])))
        count = int(np.clip(np.ceil(line.length / metre / _SPACING), 2, _MAX_POINTS)) + 1
        points = line.at(np.linspace(0.0, 1.0, count))
    path["points"] = plain(world.to_clip(points)[:, [0, 2]])
    return path


def _waypoint(thing: bpy.types.Object, world: ClipWorld, part: Part, go: Any) -> dict[str, Any]:
    time, _ = _check(thing, world, part)
    matrix = go(thing)
    place = world.to_clip(matrix[:3, 3])
    waypoint: dict[str, Any] = {"time": plain(time), "position": plain(place[[0, 2]])}
    if thing.understudy_mark.turn:
        waypoint["facing"] = plain(world.facing(arrow(thing, matrix)))
    return waypoint


def arrow(thing: bpy.types.Object, matrix: np.ndarray) -> np.ndarray:
    """Where an empty points (3,): a Single Arrow along its arrow, any other as a character would, along -Y."""
    return matrix[:3, 2] if thing.empty_display_type == "SINGLE_ARROW" else -matrix[:3, 1]


def _pin(thing: bpy.types.Object, world: ClipWorld, part: Part, go: Any) -> dict[str, Any]:
    first, last = _check(thing, world, part)
    place = world.to_clip(go(thing)[:3, 3])
    joint = thing.understudy_mark.joint
    if joint.endswith("ankle"):
        place = place + [0.0, ANKLE_HEIGHT, 0.0]
    return {"joint": joint, "start": plain(first), "end": plain(last), "position": plain(place)}


def _pose(thing: bpy.types.Object, world: ClipWorld, part: Part, go: Any) -> dict[str, Any]:
    state = thing.understudy_mark
    if state.when == "START":
        time = 0.0
    elif state.when == "END":
        seconds = part[1]
        if seconds is None:
            raise BadInput(
                f"The key pose “{thing.name}” is at the end, and the motion has no fixed length.",
                hint="Tick Length, or give the pose a frame.",
                field="seconds",
            )
        time = seconds - FRAME
    else:
        time, _ = _check(thing, world, part)
    pose, trans = poses.read(thing, world)
    return {"time": plain(time), "pose": plain(pose), **({"trans": plain(trans)} if state.place else {})}


_MAKERS: dict[str, tuple[Any, str]] = {
    "WAYPOINT": (_waypoint, "waypoints"),
    "PIN": (_pin, "pins"),
    "POSE": (_pose, "poses"),
}


def words(constraint: str) -> str:
    """A constraint of the backend's report in the panel's words."""
    kind, _, joint = constraint.partition(" ")
    if kind == "pin" and joint in JOINTS:
        return JOINTS[joint]
    return {"path": "Path", "waypoint": "Waypoint", "pose": "Key Pose"}.get(kind, constraint)


def in_frames(sentence: str, start: float, rate: float) -> str:
    """A warning of the backend's about a mark as an animator says it: frames for seconds, hands for joints."""
    for joint, word in JOINTS.items():
        sentence = sentence.replace(f"pin {joint}", word.lower())
    return re.sub(r"\bat (\d+\.\d+) s\b", lambda m: f"at frame {round(start + float(m[1]) * rate)}", sentence)


@contextmanager
def _every_frame(scene: bpy.types.Scene) -> Iterator[Any]:
    """Looks up where an object is at its own frame; the scene's frame is put back.

    Blender is asked to go to another frame only for what moves.
    """
    current, subframe = scene.frame_current, scene.frame_subframe

    def at(thing: bpy.types.Object) -> np.ndarray:
        frame = thing.understudy_mark.frame
        if _moves(thing) and frame != scene.frame_current:
            scene.frame_set(frame)
        return np.array(thing.matrix_world)

    try:
        yield at
    finally:
        if scene.frame_current != current:
            scene.frame_set(current, subframe=subframe)


def _moves(thing: bpy.types.Object | None) -> bool:
    while thing is not None:
        if thing.animation_data is not None or len(thing.constraints):
            return True
        if thing.parent is not None and thing.parent_type != "OBJECT":
            return True
        thing = thing.parent
    return False


def plain(values: Any) -> Any:
    """Numbers as JSON takes them, to a hundredth of a millimetre."""
    return np.round(np.asarray(values, np.float64), 5).tolist()
