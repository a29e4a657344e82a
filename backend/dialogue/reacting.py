"""What a listener does about what is said: it draws back from anger, smiles at joy, starts, leans towards who is sad.

Faces answer faces after a third of a second to a second (Dimberg, Thunberg and Elmehed, Psychological Science 11, 2000;
Hess and Fischer, Personality and Social Psychology Review 17, 2013); bodies lean to what is pleasant and away from what
threatens (Eerland et al., PLoS ONE 7, 2012).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..motion.clip import Clip
from ..speech.movements import Track
from ..speech.stance import move_hips
from .bending import HEAD, TRUNK, bend
from .emotions import style_of
from .turns import Turn

DELAY = (0.5, 1.1)
"""Seconds after the beginning of the other's speech."""
RISE = 0.7
"""Seconds in which a posture is taken."""
START = 0.28
"""Seconds in which somebody starts."""
NOD, SHAKE = np.radians([14.0, 0.0, 0.0]), np.radians([0.0, 17.0, 0.0])
"""The first movement of a head that answers by itself."""
LAUGH = 0.21
"""Seconds of one pulse of laughter: about five in a second (Provine, 2000)."""
_SHORTEST = 1.2


@dataclass(frozen=True)
class Reaction:
    """A posture: radians of the trunk and the head (down, left, to the right), metres of the hips to the front, how
    the face looks, whether it is taken with a start, and whether the shoulders laugh."""

    trunk: tuple[float, float, float] = (0.0, 0.0, 0.0)
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    back: float = 0.0
    style: tuple[float, float, float] = (0.5, 0.5, 0.5)
    sudden: bool = False
    laughs: bool = False

    @property
    def ranks(self) -> dict[str, float]:
        """The face's style."""
        return dict(zip(("energy", "arousal", "valence"), self.style, strict=True))


def reaction_of(style: dict[str, float], words: str = "") -> Reaction | None:
    """How somebody reacts to a speech of a style; None where there is nothing to react to."""
    laughs = "laugh" in words.lower()
    if not style:
        return None
    arousal, valence = style["arousal"], style["valence"]
    if valence >= 0.75:
        return Reaction((0.04, 0.0, 0.0), (0.02, 0.0, 0.07), 0.006, (0.5, 0.55, 0.9), False, laughs)
    if arousal >= 0.7 and valence <= 0.12:  # anger
        return Reaction((-0.09, 0.0, 0.0), (-0.07, 0.0, 0.0), -0.03, (0.5, 0.85, 0.3), True)
    if arousal >= 0.6 and valence <= 0.3:  # annoyance, fear
        return Reaction((-0.03, 0.0, 0.0), (0.0, 0.0, -0.08), -0.012, (0.5, 0.75, 0.35))
    if arousal >= 0.8:  # surprise
        return Reaction((-0.05, 0.0, 0.0), (-0.08, 0.0, 0.03), -0.012, (0.5, 0.95, 0.55), True)
    if valence <= 0.3:  # sorrow
        return Reaction((0.07, 0.0, 0.0), (0.05, 0.0, 0.12), 0.012, (0.4, 0.3, 0.3))
    return Reaction((0.015, 0.0, 0.0), (0.0, 0.0, 0.05), 0.0, (0.5, 0.5, 0.6))


def reactions(turns: Sequence[Turn], name: str, seed: int) -> list[tuple[float, float, Reaction]]:
    """When a listener reacts, from and to in seconds, and how."""
    found = []
    for turn in turns:
        speech = turn.speech
        if speech.speaker == name:
            continue
        reaction = reaction_of(style_of(speech.directions), " ".join(speech.directions))
        delay = float(np.random.default_rng([seed, speech.number, 61]).uniform(*DELAY))
        if reaction is None or turn.end - turn.start - delay < _SHORTEST - DELAY[1]:
            continue
        found.append((turn.start + delay, turn.end + 0.4, reaction))
    return found


def reacts(clip: Clip, what: Sequence[tuple[float, float, Reaction]]) -> Clip:
    """The clip of somebody who stands and reacts; the face is another matter."""
    if not what:
        return clip
    times = np.arange(len(clip)) / clip.fps
    trunk, head, hips = Track(np.zeros(3)), Track(np.zeros(3)), Track(np.zeros(2))
    shaken = np.zeros(len(clip))
    for index, (begin, end, reaction) in enumerate(what):
        rise = START if reaction.sudden else RISE
        following = what[index + 1][0] if index + 1 < len(what) else np.inf
        for track, goal in ((trunk, reaction.trunk), (head, reaction.head), (hips, (0.0, reaction.back))):
            track.to(np.asarray(goal), begin, begin + rise)
            if following > end:
                track.to(np.zeros(len(goal)), end, end + 1.2)
        if reaction.laughs:
            phase = times - begin
            pulses = np.where((phase > 0) & (phase < 1.5), np.sin(np.pi * phase / LAUGH) ** 2, 0.0)
            shaken += np.radians(2.2) * pulses * np.clip(1.5 - phase, 0.0, 1.0)
    poses, trans = np.array(clip.poses, np.float64), np.array(clip.trans, np.float64)
    move_hips(poses, trans, np.zeros((len(clip), 3)), hips.sample(times))
    bend(poses, TRUNK, trunk.sample(times) + shaken[:, None] * np.array([1.0, 0.0, 0.0]))
    bend(poses, HEAD, head.sample(times) - 0.5 * shaken[:, None] * np.array([1.0, 0.0, 0.0]))
    return clip.replace(poses=poses, trans=trans)


def signs(clip: Clip, what: Sequence[tuple[float, str]]) -> Clip:
    """The clip of somebody who nods or shakes the head at a time, without a word: ("nod" or "shake")."""
    if not what:
        return clip
    head = Track(np.zeros(3))
    for begin, kind in what:
        way, half, times = (NOD, 0.19, 3) if kind == "nod" else (SHAKE, 0.17, 5)
        for index in range(times):
            size = way * 0.8**index * (1.0 if kind == "nod" else (-1.0) ** index)
            at = begin + 0.15 + 2 * half * index
            head.to(np.asarray(size), at, at + half * (1.0 if kind == "nod" else 2.0))
            if kind == "nod":
                head.to(np.zeros(3), at + 0.9 * half, at + 2 * half)
        head.to(np.zeros(3), begin + 0.15 + 2 * half * times, begin + 0.45 + 2 * half * times)
    poses = np.array(clip.poses, np.float64)
    bend(poses, HEAD, head.sample(np.arange(len(clip)) / clip.fps))
    return clip.replace(poses=poses)
