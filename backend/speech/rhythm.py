"""The rhythm of a voice, on the channels that :mod:`..motion.rhythm` measures on motion.

Hands stop with the accents of speech: with the top of the pitch in syllables that begin sharply, are loud and high
(Loehr, Laboratory Phonology 3, 2012), and not with every syllable, as a hand needs half a second from stop to stop.
Louder speech moves more, silence rests.
"""

from __future__ import annotations

import numpy as np

from ..motion.filters import gaussian
from ..motion.rhythm import CHANNELS, PAUSE, bumps
from .activity import runs
from .features import SpeechFeatures

RHYTHM = CHANNELS
SPACING = 0.45
"""Seconds from accent to accent at least: two a second, as the stops of talking hands."""
SYLLABLE = 0.1
"""Seconds from syllable to syllable at least."""
WEAKEST = 0.12
"""An onset below this is none; strong ones are near 1."""
NUCLEUS = 0.25
"""Seconds from an onset in which its syllable is loudest and highest, if no other one begins before."""
HEARD = -20.0
"""dB below which a pitch is no accent's."""
AROUND = 1.0
"""Seconds on either side that an accent stands out of."""
PER_DECIBEL, PER_SEMITONE = 0.12, 0.12
"""What being louder or higher than around counts beside the onset's strength."""
QUIET, LOUD = 0.3, 0.75
"""Energy of hands and head at the quietest and the loudest speech: what talking people span
(5th to 95th percentile of :func:`..motion.rhythm.rhythm_of_features` on the BEAT2 clip)."""
LEAST = 0.3
"""A syllable that stands out less is no accent, though no other one be near: a twentieth of them."""
SWELL = 0.15
"""Seconds: the spread over which loudness is heard as one swell, as the motion's energy is measured."""
LEAD = 0.2
"""Seconds by which a gesture begins before the phrase that it goes with, and outlasts it."""


def voice_rhythm(features: SpeechFeatures, favour: np.ndarray | None = None) -> np.ndarray:
    """Rhythm (T, 3) float32 at 30 fps, 0 to 1: beat, energy and phrase, in the order of :data:`RHYTHM`.

    beat is 1 at an accent and falls to 0 around it; energy follows the loudness, as its rank in this recording;
    phrase is 1 while somebody talks, over pauses too short to rest in. All are 0 in silence. ``favour`` as in
    :func:`accents`.
    """
    phrase = phrases(features)
    beat = bumps(accents(features, favour), len(features), features.fps)
    return np.stack([beat, _energy(features) * phrase, phrase], axis=1).astype(np.float32)


def syllables(features: SpeechFeatures) -> np.ndarray:
    """(N,) seconds at which syllables begin: peaks of the onset strength where somebody speaks."""
    return _syllable_frames(features) / features.fps


def accents(features: SpeechFeatures, favour: np.ndarray | None = None) -> np.ndarray:
    """(N,) seconds at which the syllables that stand out are highest, or loudest where they have no pitch.

    At least :data:`SPACING` apart. On the BEAT2 clip hands stop there, 0.1 s after the syllables' onsets.
    ``favour`` (T,) is what syllables that begin at each frame count by their words (:func:`.wording.favour`).
    """
    at = _syllable_frames(features)
    sung = (features.pitch > 0) & (features.loudness > HEARD)
    pitch = gaussian(np.where(sung, features.pitch, 0.0), 0.7)
    spans = _spans(at, features)
    tops = [now.start + int(np.argmax(pitch[now] if sung[now].sum() > 1 else features.loudness[now])) for now in spans]  # fmt: skip
    weight = _prominence(features, spans)
    if favour is not None:
        weight = weight + favour[at]
    seconds, weight = np.array(tops, int)[weight > LEAST] / features.fps, weight[weight > LEAST]
    return np.asarray(seconds[_spaced(seconds, weight, SPACING)])


def phrases(features: SpeechFeatures) -> np.ndarray:
    """(T,) 1 while somebody talks, 0 in pauses, eased at the borders as phrases of motion are."""
    fps, talking = features.fps, np.zeros(len(features), bool)
    lead = round(LEAD * fps)
    for start, end in runs(features.activity > 0.5):
        talking[max(start - lead, 0) : end + lead] = True
    for start, end in runs(~talking):
        if start > 0 and end < len(talking) and end - start + 2 * lead < PAUSE * fps:
            talking[start:end] = True
    return np.clip(gaussian(talking.astype(float), 0.1 * fps), 0.0, 1.0)


def _syllable_frames(features: SpeechFeatures) -> np.ndarray:
    onset = features.onset
    here = np.concatenate([[0.0], onset, [0.0]])
    peak = (here[1:-1] > here[:-2]) & (here[1:-1] >= here[2:]) & (onset > WEAKEST)
    at = np.flatnonzero(peak)
    return at[_spaced(at / features.fps, onset[at], SYLLABLE)]


def _spans(at: np.ndarray, features: SpeechFeatures) -> list[slice]:
    """The frames of the syllables that begin at frames (N,), to the next one at most."""
    ends = np.minimum(at + round(NUCLEUS * features.fps), np.append(at[1:], len(features)))
    return [slice(int(start), int(end)) for start, end in zip(at, ends, strict=True)]


def _prominence(features: SpeechFeatures, spans: list[slice]) -> np.ndarray:
    """(N,) how much the syllables in these frames stand out."""
    around = round(AROUND * features.fps)
    height = np.where(features.pitch > 0, 12 * np.log2(np.maximum(features.pitch, 1.0)), np.nan)
    loudness = np.where(features.activity > 0.5, features.loudness, np.nan)
    weight = np.zeros(len(spans))
    for index, now in enumerate(spans):
        near = slice(max(now.start - around, 0), now.start + around)
        weight[index] = (
            features.onset[now.start]
            + PER_DECIBEL * np.clip(_rise(loudness[now], loudness[near]), -10, 10)
            + PER_SEMITONE * np.clip(_rise(height[now], height[near]), -6, 6)
        )
    return weight


def _rise(now: np.ndarray, near: np.ndarray) -> float:
    """The top of a syllable over the median of its surroundings; 0 where nothing is known."""
    now, near = now[np.isfinite(now)], near[np.isfinite(near)]
    return float(now.max() - np.median(near)) if len(now) and len(near) else 0.0


def _spaced(times: np.ndarray, weight: np.ndarray, apart: float) -> np.ndarray:
    """Indices, in order of time, of the heaviest that are at least ``apart`` from each other."""
    free, chosen = np.ones(len(times), bool), []
    for index in np.argsort(-weight, kind="stable"):
        if free[index]:
            chosen.append(int(index))
            first, last = np.searchsorted(times, [times[index] - apart + 1e-6, times[index] + apart - 1e-6])
            free[first:last] = False
    return np.array(sorted(chosen), int)


def _energy(features: SpeechFeatures) -> np.ndarray:
    """(T,) from :data:`QUIET` to :data:`LOUD` by the rank of the loudness among all that is spoken."""
    heard = features.activity > 0.5
    if not heard.any():
        return np.zeros(len(features))
    power = gaussian(np.where(heard, 10.0 ** (features.loudness / 10), 0.0), SWELL * features.fps)
    spoken = np.sort(power[heard])
    rank = np.searchsorted(spoken, power, side="right") / len(spoken)
    return np.asarray(QUIET + (LOUD - QUIET) * rank)
