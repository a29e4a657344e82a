"""What a listener does: it nods where the other's phrases end, shifts its weight now and then, tilts its head.

Listeners answer at the ends of phrases and clauses (Yngve, "On getting a word in edgewise", 1970; Ward and Tsukahara, Journal
of Pragmatics 32, 2000), with one to three nods that get smaller (Hadar et al., Human Movement Science 2, 1983).
"""

from __future__ import annotations

import numpy as np

from ..motion.clip import Clip
from ..motion.filters import gaussian
from ..speech.gaze import phrase_ends
from ..speech.movements import Track
from ..speech.stance import move_hips
from .bending import HEAD, TRUNK, bend

NODS = 0.8
"""Probability of an answer where a phrase of the other ends."""
DELAY = (0.05, 0.35)
"""Seconds from there to the first nod."""
NOD = np.radians((6.0, 12.0))
"""How deep the first nod is."""
HALF = 0.2
"""Seconds down, and as many up."""
SHIFTS = (3.5, 8.0)
"""Seconds from one shift of the weight to the next."""
SIDE = (0.006, 0.018)
"""Metres to the side."""
TILT = np.radians(4.0)
INCLINED = np.radians(1.5)
"""The trunk towards who speaks."""
_SHIFTING = 1.3  # seconds


def listens(clip: Clip, own: np.ndarray, other: np.ndarray, seed: int) -> Clip:
    """The clip of somebody who also listens, as long as before.

    Args:
        clip: what the body does, standing.
        own: (T,) above one half where this character speaks.
        other: (T,) above one half where the other does.
        seed: of what it does when.
    """
    frames, fps = len(clip), clip.fps
    rng = np.random.default_rng([seed, 31])
    times = np.arange(frames) / fps
    head, trunk, weight = Track(np.zeros(3)), Track(np.zeros(3)), Track(np.zeros(2))
    for end in phrase_ends(other, fps) / fps:
        chance, delay, depth = rng.random(3)
        begin = end + DELAY[0] + (DELAY[1] - DELAY[0]) * delay
        count = int(rng.integers(1, 4))
        if chance > NODS or _speaks(own, begin - 0.2, begin + 2 * HALF * count, fps):
            continue
        size = NOD[0] + (NOD[1] - NOD[0]) * depth
        for index in range(count):
            at, deep = begin + 2 * HALF * index, size * 0.65**index
            head.to(np.array([deep, 0.0, 0.0]), at, at + HALF)
            head.to(np.zeros(3), at + 0.9 * HALF, at + 2 * HALF)
    now, side = float(rng.uniform(*SHIFTS)), float(rng.choice([-1.0, 1.0]))
    while now < times[-1]:
        if not _speaks(own, now, now + _SHIFTING, fps):
            weight.to(np.array([side * rng.uniform(*SIDE), rng.normal() * 0.004]), now, now + _SHIFTING)
            trunk.to(np.array([0.0, 0.0, side * rng.uniform(0.0, 0.4) * TILT]), now, now + _SHIFTING)
            side = -side
        now += float(rng.uniform(*SHIFTS))
    listening = gaussian(1.0 - np.clip(own, 0.0, 1.0).round(), 0.4 * fps)[:, None]
    tilts = Track(np.zeros(3))
    for start in np.arange(1.0, times[-1], 4.5):
        tilts.to(TILT * np.clip(rng.normal(size=3), -1.5, 1.5) * (0.3, 0.4, 1.0), start, start + 1.0)
    poses, trans = np.array(clip.poses, np.float64), np.array(clip.trans, np.float64)
    lean = listening * (trunk.sample(times) + np.array([INCLINED, 0.0, 0.0]))
    move_hips(poses, trans, np.zeros((frames, 3)), listening * weight.sample(times))
    bend(poses, TRUNK, lean)
    bend(poses, HEAD, listening * tilts.sample(times) + head.sample(times))
    return clip.replace(poses=poses, trans=trans)


def _speaks(own: np.ndarray, begin: float, end: float, fps: float) -> bool:
    here = own[max(round(begin * fps), 0) : round(end * fps)]
    return bool(np.any(here > 0.5))
