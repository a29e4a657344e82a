"""The floor of motion that came as SMPL parameters.

Such motion is clean and its own limbs are right, so it is only shifted: nothing is bent, no foot is pulled
down. The shift is needed all the same. Capture studios put their floor at 0 within centimetres, and our
body's legs are not as long as the subject's.
"""

from __future__ import annotations

import numpy as np

from ...backend.motion.clip import Clip, move
from ...backend.motion.contacts import detect_contacts
from ...backend.motion.grounding import floor_height, foot_heights, place_on_floor

FARTHEST = 0.05
"""Metres between the standing level and the soles; more is no standing foot."""


def floor_of(clip: Clip) -> float:
    """Height of the floor, metres: the level of the standing feet, then the middle of their soles' heights.

    The level is found by the ankles and toes of flat feet; a foot that stands pitched is a centimetre off,
    which the lowest points of the soles in contact tell.
    """
    level = floor_height(clip)
    standing = move(clip, np.array([0.0, -level, 0.0]))
    contacts = detect_contacts(standing)
    soles = foot_heights(standing)[(contacts[:, [0, 2]] + contacts[:, [1, 3]]) > 0.5]
    return level + (float(np.clip(np.median(soles), -FARTHEST, FARTHEST)) if len(soles) else 0.0)


def stand(clip: Clip) -> Clip:
    """The clip with its floor at y = 0; ``meta["floor"]`` is where it was, metres."""
    return place_on_floor(clip, floor_of(clip))
