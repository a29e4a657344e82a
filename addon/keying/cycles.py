"""A loop in Blender: keyed once, with the first pose of the next cycle, and repeated by its curves' modifiers."""

from __future__ import annotations

import math

from ...backend.motion import loop
from ...backend.motion.clip import Clip
from .actions import Channels

SMALL_TURN = math.radians(20.0)
"""A cycle that turns by less was meant to go straight on."""


def is_loop(clip: Clip) -> bool:
    """Whether a clip is one cycle of a loop."""
    return isinstance(clip.meta.get("loop"), dict) and "turn" in clip.meta["loop"] and len(clip) > 1


def closed(clip: Clip) -> Clip:
    """A cycle with the first pose of the next one: Blender's modifier repeats from the first key to the last.

    One that hardly turns is straightened, because a modifier cannot turn the next cycle.
    """
    if 0.0 < abs(clip.meta["loop"]["turn"]) < SMALL_TURN:
        clip = loop.loop(clip, start=0, stop=len(clip), path="straight")
    return loop.repeat(clip, 2).slice(0, len(clip) + 1)


def go_on(channels: Channels, clip: Clip) -> None:
    """Let an Action, keyed with a :func:`closed` cycle, go on for ever; not where it turns."""
    if abs(clip.meta["loop"]["turn"]) > 1e-6:
        return
    for curve in channels.fcurves:
        if len(curve.keyframe_points) > 1:
            cycles = curve.modifiers.new("CYCLES")
            moves = curve.data_path.endswith("location")
            cycles.mode_before = cycles.mode_after = "REPEAT_OFFSET" if moves else "REPEAT"
