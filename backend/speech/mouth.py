"""What a mouth does while a voice is heard, from the sound alone: no phonemes, no trained weights.

How far the jaw opens follows loudness and the first formant, as open vowels are louder and have a higher one; how
wide the lips are follows the second, which spreading raises and rounding lowers (Fant, "Acoustic theory of speech
production", 1960). Short dips between louder sounds are closed lips, hiss is a nearly closed jaw. What is a high
formant is judged beside what this voice did within a few seconds, so that men, women and children are served alike.

Nothing looks further than :data:`REACH` frames, so a recording may be done in pieces.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..motion.filters import gaussian
from .features import SpeechFeatures

JAW_OPEN = 0.17
"""Radians of the jaw for a loud open vowel; a person's jaw turns by up to about 0.5, but not to talk."""
REACH = 190
"""Frames on either side that a frame of the result depends on."""

_MEMORY = 120  # frames on either side in which a voice's usual formants are found
_SOFTEST = -26.0  # dB: softer sounds leave the mouth shut
_PER_DECIBEL = 0.03  # Stevens' law: loudness is energy to the power of 0.3


@dataclass(frozen=True)
class Mouth:
    """(T,) each: ``jaw`` in radians, the rest from 0 to 1 as in :mod:`..motion.expressions`."""

    jaw: np.ndarray
    mouth_wide: np.ndarray
    mouth_round: np.ndarray
    lips_press: np.ndarray
    lip_bite: np.ndarray


def speak(features: SpeechFeatures) -> Mouth:
    """The mouth (T frames) that goes with a voice; shut where nobody speaks."""
    if not np.any(features.activity):
        return Mouth(*np.zeros((5, len(features))))
    mel = np.asarray(features.mel, np.float64)
    loudness = np.asarray(features.loudness, np.float64)
    heard = np.clip(1.6 * _widest(np.asarray(features.activity, np.float64)), 0.0, 1.0)
    softest = 10 ** (_PER_DECIBEL * _SOFTEST)
    volume = np.maximum(10 ** (_PER_DECIBEL * loudness) - softest, 0.0) / (1.0 - softest) * heard

    voiced = np.asarray(features.voiced, np.float64) * (loudness > -20.0)
    openness = _usual(_level(mel, 550, 1100) - _level(mel, 180, 450), voiced) / 9.0
    spread = _usual(_level(mel, 1700, 2900) - _level(mel, 600, 1300), voiced) / 17.0
    hiss = _rise(_level(mel, 3800, 7600) - _level(mel, 180, 2600), -2.0, 8.0) * (1.0 - voiced)
    weak_hiss = (
        _rise(_level(mel, 1500, 6500) - _level(mel, 180, 900), -1.0, 6.0) * (1.0 - voiced) * (1.0 - hiss)
    )
    # T, K, F and S hiss while the mouth is shut or as it opens, P, B and M do not; and behind closed lips the
    # middle of the spectrum is weaker than behind the tongue of an N.
    hissing = _rise(_next(_usual(_level(mel, 4500, 7500), voiced), 1), 0.0, 8.0)
    hollow = _rise(-_usual(_level(mel, 1400, 2000), voiced), 6.0, 17.0)
    dip = _closures(_level(mel, 350, 3500))
    closed = np.minimum(1.4 * dip * (1.0 - 0.85 * hissing) * (0.2 + 0.8 * hollow), 1.0)

    vowel = np.clip(openness, -1.0, 1.0) * voiced
    opening = (
        volume * (0.68 + 0.30 * vowel) * (1.0 - 0.85 * np.maximum(closed, 0.5 * dip)) * (1.0 - 0.65 * hiss)
    )
    # The heavy jaw is slower than the lips, and both are where they must be in time.
    jaw = JAW_OPEN * 1.35 * np.tanh(gaussian(opening, 1.1) / 1.35)
    # An A has a low second formant too, without round lips.
    rounded = gaussian(np.clip(-spread - 0.7 * np.maximum(openness, 0.0), 0.0, 1.0) * voiced, 1.0)
    lips = gaussian(np.clip(spread, 0.0, 1.0) * voiced, 1.0)
    effort = np.clip(gaussian(volume, 0.8), 0.0, 1.2)
    return Mouth(
        jaw=_shut(jaw, 0.002),
        mouth_wide=_shut(
            np.clip(0.85 * np.maximum(lips, 0.0) * effort + 0.35 * gaussian(hiss * volume, 0.8), 0, 1)
        ),
        mouth_round=_shut(np.clip(1.1 * rounded * effort, 0, 1)),
        lips_press=_shut(np.clip(gaussian(closed * heard, 0.5), 0, 1)),
        lip_bite=_shut(np.clip(0.9 * gaussian(weak_hiss * np.minimum(volume, 0.6), 0.7), 0, 1)),
    )


def part(features: SpeechFeatures, start: int, stop: int) -> Mouth:
    """Frames ``start`` to ``stop`` of :func:`speak`, from no more of the features than they depend on."""
    first = max(start - REACH, 0)
    near = slice(first, stop + REACH)
    mouth = speak(
        SpeechFeatures(
            mel=features.mel[near], onset=features.onset[near], loudness=features.loudness[near],
            pitch=features.pitch[near], voiced=features.voiced[near], activity=features.activity[near],
            seconds=features.seconds, fps=features.fps,
        )
    )  # fmt: skip
    inside = slice(start - first, stop - first)
    return Mouth(
        mouth.jaw[inside], mouth.mouth_wide[inside], mouth.mouth_round[inside],
        mouth.lips_press[inside], mouth.lip_bite[inside],
    )  # fmt: skip


def mel_bands(low: float, high: float, bands: int = 80) -> slice:
    """Which of the mel bands, 20 Hz to 8 kHz, have their centres between two frequencies in Hz."""
    edges = 1127.0 * np.log1p(np.array([20.0, 8000.0]) / 700.0)
    centres = 700.0 * np.expm1(np.linspace(edges[0], edges[1], bands + 2)[1:-1] / 1127.0)
    return slice(int(np.searchsorted(centres, low)), int(np.searchsorted(centres, high)))


def _level(mel: np.ndarray, low: float, high: float) -> np.ndarray:
    """Mean energy (T,) of the bands between two frequencies, dB."""
    return 10.0 * np.log10(np.exp(mel[:, mel_bands(low, high)]).mean(axis=1))


def _rise(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Smoothly from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _around(values: np.ndarray, reach: int) -> np.ndarray:
    """Sums (T,) over ``reach`` frames on either side."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    return total[np.minimum(at + reach + 1, len(values))] - total[np.maximum(at - reach, 0)]


def _usual(values: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """Values (T,) less their mean over the voiced frames around."""
    count = _around(voiced, _MEMORY)
    mean = _around(values * voiced, _MEMORY) / np.maximum(count, 1.0)
    return np.where(count >= 1.0, values - mean, 0.0)


def _widest(values: np.ndarray) -> np.ndarray:
    """Each value or its larger neighbour: speech begins and ends with the mouth, not after it."""
    padded = np.pad(values, 1, mode="edge")
    return np.maximum(np.maximum(padded[:-2], padded[2:]), values)


def _next(values: np.ndarray, reach: int) -> np.ndarray:
    """The largest of each value and the ``reach`` after it."""
    padded = np.pad(values, (0, reach), mode="edge")
    largest: np.ndarray = np.max([padded[i : i + len(values)] for i in range(reach + 1)], axis=0)
    return largest


def _closures(level: np.ndarray, reach: int = 4) -> np.ndarray:
    """(T,) how much a frame is a short dip, in dB of ``level``, between louder sounds on both sides."""
    padded = np.pad(level, reach, mode="edge")
    count = len(level)
    before = np.max([padded[i : i + count] for i in range(reach)], axis=0)
    after = np.max([padded[reach + 1 + i : reach + 1 + i + count] for i in range(reach)], axis=0)
    louder = np.minimum(before, after)
    return _rise(louder - level, 7.0, 16.0) * _rise(louder, -18.0, -8.0)


def _shut(values: np.ndarray, least: float = 0.01) -> np.ndarray:
    """Values so small that nobody sees them become exactly 0, without a step."""
    return np.maximum(values - least, 0.0)
