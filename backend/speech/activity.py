"""Where somebody speaks, how loud, and whether it is speech at all.

Speech stands out of the noise in some bands and has a pitch in between. The noise is tracked by its minima, band by
band (Martin, IEEE TSAP 9, 2001). Music holds its pitch where speech glides.
"""

from __future__ import annotations

import numpy as np

from .audio import FPS
from .spectrum import TINY

SILENCE = 1e-9
"""Mean square (-90 dB of full scale) below which nothing is heard."""
NOISE_WINDOW = 0.5
"""Seconds of which the quietest moment is a sample of the noise; the noise is the least of those around."""
NOISE_REACH = 4
"""Windows on either side that tell the noise."""
DEEPEST = 40.0
"""dB below the loudest speech at which the noise is taken to be at least: what is below is not heard."""
TALLEST = 20.0
"""dB: a band that stands higher out of the noise is no surer sign."""
MARGIN = 2.0
"""dB by which noise stands out of its own minima."""
GAP = 0.25
"""Seconds of quiet that belong to speech: stops and the ends of syllables."""
SHORTEST = 0.1
"""Seconds; a shorter sound is a click."""
VOICED = 0.5
"""Harmonicity from which a sound has a pitch."""
MUSICAL = 0.5
"""Share of steps of the pitch that stand still: speech has 0.15 to 0.3, notes above 0.8."""
_BAND = 4
_FIRST, _LAST = 4, 68
"""Mel bands from about 100 Hz to 5.5 kHz, four at a time."""
_BIAS, _PER_DB, _PER_HARMONICITY = -4.0, 2.5, 6.0
"""Log odds of speech: set on synthetic voices in white and pink noise from 20 to 0 dB."""


def speech_activity(mel: np.ndarray, power: np.ndarray, harmonicity: np.ndarray) -> np.ndarray:
    """(T,) from 0 to 1, how sure it is that somebody speaks; above 0.5 somebody does.

    Args:
        mel: (T, 80) energies.
        power: (T,) mean squares.
        harmonicity: (T,) from 0 to 1.
    """
    bands = 10 * np.log10(mel[:, _FIRST:_LAST].reshape(len(mel), -1, _BAND).mean(axis=2) + TINY)
    above = np.clip(bands - _noise(bands) - MARGIN, 0.0, TALLEST).mean(axis=1)
    odds = _BIAS + _PER_DB * above + _PER_HARMONICITY * (harmonicity - VOICED)
    sure = np.where(power > SILENCE, 1 / (1 + np.exp(-np.clip(odds, -30, 30))), 0.0)
    spoken = np.zeros(len(sure), bool)
    for start, end in runs(_filled(sure > 0.5, round(GAP * FPS))):
        if end - start >= SHORTEST * FPS and (harmonicity[start:end] > VOICED).any():
            spoken[start:end] = True
    return np.where(spoken, np.maximum(sure, 0.51), np.minimum(sure, 0.49))


def speech_level(power: np.ndarray, activity: np.ndarray) -> float:
    """Mean square of the speech; of everything where nobody speaks."""
    heard = activity > 0.5
    return max(float(power[heard].mean() if heard.any() else power.mean()), TINY)


def what_is_heard(power: np.ndarray, pitch: np.ndarray, activity: np.ndarray) -> list[str]:
    """Sentences about a recording that is not plainly speech.

    Args:
        power: (T,) mean squares.
        pitch: (T,) Hz, 0 where unvoiced.
        activity: (T,) of :func:`speech_activity`.
    """
    heard = activity > 0.5
    if not (power > SILENCE).any():
        return ["The recording is silent."]
    if len(heard) < 2 * SHORTEST * FPS:
        return ["The recording is too short to tell speech in it."]
    if heard.sum() < SHORTEST * FPS:
        return ["No speech is heard in the recording."]
    if heard.sum() < 2 * FPS:
        return []  # too little to judge
    if (pitch[heard] > 0).mean() < 0.15:
        return ["What is heard has hardly any voice: noise, whispering or drums."]
    if steadiness(pitch, heard) > MUSICAL:
        return ["What is heard is more like music than like speech."]
    return []


def steadiness(pitch: np.ndarray, heard: np.ndarray) -> float:
    """How many of the steps from one voiced frame to the next are below a tenth of a semitone, 0 to 1."""
    both = heard[1:] & (pitch[1:] > 0) & (pitch[:-1] > 0)
    steps = np.abs(12 * np.log2(np.where(both, pitch[1:], 1.0) / np.where(both, pitch[:-1], 1.0)))
    return float((steps[both] < 0.1).mean()) if both.any() else 0.0


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Where flags (T,) are up: first frame, and the first frame after."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _filled(flags: np.ndarray, gap: int) -> np.ndarray:
    """Flags with gaps of at most so many frames closed; the ends stay."""
    filled = flags.copy()
    for start, end in runs(~flags):
        if start > 0 and end < len(flags) and end - start <= gap:
            filled[start:end] = True
    return filled


def _noise(bands: np.ndarray) -> np.ndarray:
    """(T, B) dB of noise: the least that is heard in the seconds around, straight lines between."""
    size = round(NOISE_WINDOW * FPS)
    padded = np.pad(bands, ((1, 1), (0, 0)), mode="edge")
    smooth = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    windows = -(-len(bands) // size)
    filled = np.pad(smooth, ((0, windows * size - len(bands)), (0, 0)), mode="edge")
    least = -_widest(-filled.reshape(windows, size, -1).min(axis=1), NOISE_REACH)
    place = (np.arange(len(bands)) - (size - 1) / 2) / size
    before = np.clip(np.floor(place).astype(int), 0, windows - 1)
    after = np.minimum(before + 1, windows - 1)
    share = np.clip(place - before, 0.0, 1.0).astype(bands.dtype)[:, None]
    noise = (1 - share) * least[before] + share * least[after]
    return np.maximum(noise, np.percentile(bands, 99) - DEEPEST)


def _widest(values: np.ndarray, reach: int) -> np.ndarray:
    """The largest of the rows (T, B) up to ``reach`` rows away."""
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.max([padded[k : k + len(values)] for k in range(2 * reach + 1)], axis=0)
