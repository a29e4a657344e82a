"""What every fitted motion still needs: its floor at y = 0, standing feet on it, and perhaps another frame rate."""

from __future__ import annotations

import numpy as np

from ..clip import Clip, resample
from ..grounding import floor_height, ground, place_on_floor


def finish(clip: Clip, fps: float | None = None, *, within: float = np.inf) -> Clip:
    """Resample by time, find the floor, and put the standing feet on it.

    Bare joints have no soles, and thigh and shin of another body other shares: without the last step feet
    hover and sink by one or two centimetres.

    Args:
        clip: as fitted.
        fps: frames per second of the result; without it those of the clip.
        within: metres from y = 0 within which the source's floor is known to lie.
    """
    clip = clip if fps is None else resample(clip, fps)
    return ground(place_on_floor(clip, floor_height(clip, within=within)))
