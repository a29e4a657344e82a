"""Cameras of a dialogue: one that shows both, one over each listener's shoulder, and a marker for every change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...backend.motion.clip import Clip
from ..render.framing import Framing, frame_motion
from ..render.scene import lens

OURS = "understudy_dialogue"
"""Custom property of the cameras that belong to a dialogue."""
BESIDE = np.radians(32.0)
"""How far beside the listener's line of sight the camera of a speaker stands."""
EARLY = 4
"""Frames before a turn at which the camera changes."""
_SENSOR = 36.0


def together(clips: Sequence[Clip]) -> Clip:
    """Both motions as if they followed each other: a camera frames them at once."""
    return Clip(
        np.concatenate([clip.poses for clip in clips]),
        np.concatenate([clip.trans for clip in clips]),
        clips[0].fps,
    )


def framed(clips: Sequence[Clip], resolution: tuple[int, int]) -> list[Framing]:
    """Where the cameras of the speakers stand; numbers alone, so that a thread may work it out.

    Both are on the side of the camera that shows both: nobody changes sides when the picture does.
    """
    return [_framing(clip, resolution, BESIDE if i else -BESIDE) for i, clip in enumerate(clips)]


def framed_both(clips: Sequence[Clip], resolution: tuple[int, int]) -> Framing:
    """Where a camera stands that shows both from the side."""
    return _framing(together(clips), resolution, 0.0)


def _framing(clip: Clip, resolution: tuple[int, int], angle: float) -> Framing:
    aspect = resolution[0] / resolution[1]
    half = 0.5 * _SENSOR / lens(resolution) * min(aspect, 1.0)
    return frame_motion(clip, aspect, half_width=half, follow=False, angle=angle)


def add_camera(
    scene: bpy.types.Scene,
    name: str,
    framing: Framing,
    resolution: tuple[int, int],
    world: Matrix | None = None,
) -> bpy.types.Object:
    """Add a camera; ``world`` says where the dialogue takes place."""
    data = bpy.data.cameras.new(name)
    data.lens, data.sensor_width, data.sensor_fit = lens(resolution), _SENSOR, "AUTO"
    data.clip_start, data.clip_end = 0.1, 1000.0
    camera = bpy.data.objects.new(name, data)
    camera[OURS] = True
    scene.collection.objects.link(camera)
    back, up = Vector(-framing.forward), Vector(framing.up)
    axes = Matrix((up.cross(back), up, back)).transposed().to_4x4()
    camera.matrix_basis = (
        (world or Matrix()) @ Matrix.Translation(Vector(framing.follow[0] + framing.offset)) @ axes
    )
    return camera


def cut(
    scene: bpy.types.Scene,
    both: bpy.types.Object,
    speakers: Mapping[str, bpy.types.Object],
    turns: Sequence[Mapping[str, Any]],
    *,
    rate: float,
    start: int,
) -> None:
    """Bind cameras to markers: both at the start, then whoever speaks.

    Args:
        scene: gets the markers.
        both: the camera that shows both.
        speakers: the camera of each, by name.
        turns: ``speaker`` and ``start`` (seconds) of each.
        rate: frames per second.
        start: frame of the beginning.
    """
    shown = ""
    scene.timeline_markers.new("Both", frame=start).camera = both
    for turn in turns:
        if turn["speaker"] != shown:
            shown = turn["speaker"]
            frame = start + max(round(turn["start"] * rate) - EARLY, 1)
            scene.timeline_markers.new(shown.title(), frame=frame).camera = speakers[shown]


def clear(scene: bpy.types.Scene) -> None:
    """Take cameras and markers of an earlier dialogue away."""
    for marker in [m for m in scene.timeline_markers if m.camera is not None and OURS in m.camera]:
        scene.timeline_markers.remove(marker)
    for camera in [o for o in scene.objects if o.type == "CAMERA" and OURS in o]:
        data = camera.data
        bpy.data.objects.remove(camera)
        if data.users == 0:
            bpy.data.cameras.remove(data)
