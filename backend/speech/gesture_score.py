"""When a voice is gestured with: units, phrases and strokes, the terms of Kendon and McNeill.

A unit lasts from one rest of the hands to the next: talk without a pause of a second. Within it, phrases follow the
breath of the voice; the strokes of a phrase fall on its accents (Kendon, "Gesture: Visible Action as Utterance", 2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .activity import runs
from .features import SpeechFeatures
from .rhythm import LOUD, QUIET, accents
from .wording import Spoken, favour

REST = 1.0
"""Seconds of silence in which hands go home."""
BREATH = 0.25
"""Seconds of silence between phrases."""
LONGEST = 3.4
"""Seconds after which a phrase of fluent talk gives way to the next."""
NEAR = 0.35
"""Seconds from an accent at which a word may be and still be what it means."""
LATE = 0.05
"""Seconds after an accent's top at which the hand stops."""


@dataclass(frozen=True)
class Stroke:
    """``time`` in seconds at which it ends, ``size`` 0 (quiet) to 1 (loud), ``gap`` seconds to the one before,
    ``meaning`` of the word that it falls on, of :data:`.gesture_shapes.MEANINGS`; empty where it has none."""

    time: float
    size: float
    gap: float
    meaning: str = ""


@dataclass(frozen=True)
class Phrase:
    """Strokes that belong together, from when its talk begins to when it ends, seconds."""

    start: float
    end: float
    strokes: tuple[Stroke, ...]


@dataclass(frozen=True)
class Unit:
    """Phrases between two rests."""

    phrases: tuple[Phrase, ...]

    @property
    def start(self) -> float:
        return self.phrases[0].start

    @property
    def end(self) -> float:
        return self.phrases[-1].end


def score(features: SpeechFeatures, energy: np.ndarray, words: Sequence[Spoken] = ()) -> list[Unit]:
    """The units of a voice; talk without an accent has none.

    Args:
        features: of the voice.
        energy: (T,) the second channel of its rhythm.
        words: what is said, if it is known: phrases end with its clauses.
    """
    strokes = _strokes(features, energy, words)
    borders = np.array([word.end for word in words if word.ends])
    talks = [(start / features.fps, end / features.fps) for start, end in runs(features.activity > 0.5)]
    units: list[list[Phrase]] = []
    rested, first = -np.inf, 0
    for start, end in talks:
        if start - rested >= REST or not units:
            units.append([])
        rested = end
        # The top of an accent may lie a little past the end of what is heard.
        last = first
        while last < len(strokes) and strokes[last].time <= end + BREATH:
            last += 1
        for piece in _phrases(start, end, strokes[first:last], borders):
            before = units[-1][-1] if units[-1] else None
            if before is not None and _together(before, piece, borders):
                units[-1][-1] = Phrase(before.start, piece.end, before.strokes + piece.strokes)
            else:
                units[-1].append(piece)
        first = last
    return [Unit(tuple(phrases)) for phrases in units if phrases]


def _strokes(features: SpeechFeatures, energy: np.ndarray, words: Sequence[Spoken]) -> list[Stroke]:
    times = accents(features, favour(words, len(features), features.fps) if words else None)
    frames = np.minimum(np.round(times * features.fps).astype(int), len(energy) - 1)
    sizes = np.clip((energy[frames] - QUIET) / (LOUD - QUIET), 0.0, 1.0)
    meanings = _meanings(times, words)
    times = times + LATE
    gaps = np.diff(times, prepend=-REST)
    return [
        Stroke(float(t), float(s), float(g), meaning)
        for t, s, g, meaning in zip(times, sizes, gaps, meanings, strict=True)
    ]


def _meanings(times: np.ndarray, words: Sequence[Spoken]) -> list[str]:
    """What each accent means: each word that means something gives it to the nearest one that is near enough."""
    found = [""] * len(times)
    for word in words if len(times) else ():
        if word.meaning:
            away = np.maximum(np.maximum(word.start - times, times - word.end), 0.0)
            away = away + 1e-3 * np.abs(times - 0.5 * (word.start + word.end))
            nearest = int(np.argmin(away))
            if away[nearest] < NEAR and not found[nearest]:
                found[nearest] = word.meaning
    return found


def _phrases(start: float, end: float, strokes: list[Stroke], borders: np.ndarray) -> list[Phrase]:
    """A stretch of talk, cut where clauses end and before the strokes with which it becomes too long."""
    phrases: list[Phrase] = []
    mine: list[Stroke] = []
    for stroke in strokes:
        if mine and (_ends(borders, mine[-1], stroke) or stroke.time - start > LONGEST):
            phrases.append(Phrase(start, mine[-1].time, tuple(mine)))
            start, mine = mine[-1].time, []
        mine.append(stroke)
    if mine:
        phrases.append(Phrase(start, max(end, mine[-1].time), tuple(mine)))
    return phrases


def _together(before: Phrase, after: Phrase, borders: np.ndarray) -> bool:
    """Whether two pieces of talk are one phrase."""
    return (
        after.start - before.end < BREATH
        and after.end - before.start < LONGEST
        and not _ends(borders, before.strokes[-1], after.strokes[0])
    )


def _ends(borders: np.ndarray, before: Stroke, after: Stroke) -> bool:
    """Whether a clause ends between two strokes; ``borders`` rise."""
    first, last = np.searchsorted(borders, [before.time - LATE, after.time - LATE])
    return bool(last > first)
