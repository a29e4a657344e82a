"""The floor of motion that came as SMPL parameters.

Such motion is clean and its own limbs are right, so it is only shifted: nothing is bent, no foot is pulled
down. The shift is needed all the same. Capture studios put their floor at 0 within centimetres, and our
body's legs are not as long as the subject's.
"""

from __future__ import annotations

from ...backend.motion.clip import Clip
from ..floor import floor_height, place_on_floor


def stand(clip: Clip) -> Clip:
    """The clip with the level of its standing feet at y = 0; ``meta["floor"]`` is where it was, metres."""
    return place_on_floor(clip, floor_height(clip))
