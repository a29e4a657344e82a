"""What every fitted motion still needs before it is stored: our frame rate, its floor at y = 0."""

from __future__ import annotations

import numpy as np

from ...backend.motion.clip import Clip, resample
from ..floor import floor_height, place_on_floor
from ..repair import ground


def finish(clip: Clip, fps: float, *, within: float = np.inf) -> Clip:
    """Resample by time, find the floor, and put the standing feet on it.

    Bare joints have no soles, and thigh and shin of another body other shares: without the last step feet
    hover and sink by one or two centimetres.

    Args:
        clip: as fitted.
        fps: frames per second of the result.
        within: metres from y = 0 within which the source's floor is known to lie.
    """
    clip = resample(clip, fps)
    return ground(place_on_floor(clip, floor_height(clip, within=within)))
