"""When a listener's body answers, and when a speaker's begins."""

from __future__ import annotations

from random import Random

from .scenarios import When

QUICK = (0.25, 0.7)
"""Seconds after the first word in which somebody is startled, looks up, or raises the hands: a simple reaction and its spread."""
NEAR_END = (-0.5, 0.2)
"""Seconds about the last word in which nods and laughter fall; listeners see the end of a phrase coming."""
AROUND = (-0.2, 0.3)
"""Seconds about a moment within the speech."""


def reaction(when: When, seconds: float, random: Random) -> float:
    """Seconds from the first word of a speech of so many seconds to the listener's reaction."""
    moment, about = {"start": (0.0, QUICK), "middle": (0.5 * seconds, AROUND), "end": (seconds, NEAR_END)}[
        when
    ]
    return max(moment + random.uniform(*about), QUICK[0])


def gesture(when: When, seconds: float, random: Random) -> float:
    """Seconds from the first word to the speaker's own motion; a gesture may begin a little before it."""
    if when == "end":
        return random.uniform(0.2, 0.5) * seconds
    return random.uniform(*AROUND)
