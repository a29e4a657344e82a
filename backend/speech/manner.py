"""How somebody talks in a style: how big the gestures are, how the body holds itself, what the face says.

Lively and excited people gesture more and wider (Wallbott, "Bodily expression of emotion", European Journal of Social
Psychology 28, 1998: movement activity and expansiveness rise with arousal; a collapsed posture and a bowed head go with
sadness, an upright one with joy and pride). Values are ranks from 0 to 1; 0.5 and what is not given are usual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

ENERGY, AROUSAL = 1.0, 0.7
"""Octaves of the gestures' size from the lowest to the highest rank."""
BOWED = np.radians((6.0, 9.0))
"""Radians by which trunk and head are bowed at the lowest valence."""
UPRIGHT = np.radians((3.0, 4.0))
"""The same by which they are raised at the highest."""
SMILE_FROM, BROWS_FROM = 0.6, 0.6
BROWS = 0.5


@dataclass(frozen=True)
class Manner:
    """What a style makes of talk.

    Attributes:
        strength: of gestures, 1 is usual.
        trunk, head: radians that they are bowed all the time.
        smile, brows: 0 to 1, of the face all the time.
    """

    strength: float = 1.0
    trunk: float = 0.0
    head: float = 0.0
    smile: float = 0.0
    brows: float = 0.0

    @classmethod
    def of(cls, style: Mapping[Any, float]) -> Manner:
        """From ranks by name; see :class:`~..protocol.messages.GenerateParams`."""
        energy, arousal, valence = (float(style.get(name, 0.5)) for name in ("energy", "arousal", "valence"))
        octaves = ENERGY * (energy - 0.5) + AROUSAL * (arousal - 0.5)
        low, high = max(1.0 - 2.0 * valence, 0.0), max(2.0 * valence - 1.0, 0.0)
        trunk, head = low * BOWED - high * UPRIGHT
        # Anger and fear are not bowed, whatever they feel like.
        calm = 1.0 - max(2.0 * arousal - 1.0, 0.0)
        return cls(
            strength=2.0**octaves,
            trunk=float(trunk * (calm if trunk > 0 else 1.0)),
            head=float(head * (calm if head > 0 else 1.0)),
            smile=max(valence - SMILE_FROM, 0.0),
            brows=BROWS * max(arousal - BROWS_FROM, 0.0),
        )
