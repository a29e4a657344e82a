"""How fast a performance is played: the part of tempo and energy that needs no model.

The models take a style as one wish among others, and follow it where the prompt leaves room. Playing a motion a
little faster or slower always changes its tempo and its energy in the right direction, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..motion.clip import Clip, resample
from ..motion.features import FPS

TEMPO, ENERGY = 0.6, 0.3
"""Octaves of speed from the lowest to the highest tempo, and energy."""


def pace(style: Mapping[Any, float]) -> float:
    """How many times as fast a motion of this style is played; 1 where neither field is asked for."""
    octaves = TEMPO * (style.get("tempo", 0.5) - 0.5) + ENERGY * (style.get("energy", 0.5) - 0.5)
    return float(2.0**octaves)


def frames_to_perform(frames: int, times: float) -> int:
    """Frames of a motion that has ``frames`` when it is played ``times`` as fast."""
    return math.ceil((frames - 1) * times - 1e-9) + 1


def played(clip: Clip, times: float, frames: int | None = None) -> Clip:
    """The clip ``times`` as fast, at the same frame rate; at most ``frames`` of it."""
    if times == 1.0:
        return clip
    faster = resample(clip.replace(fps=FPS * times), FPS)
    return faster if frames is None else faster.slice(0, frames)
