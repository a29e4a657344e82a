"""Where somebody speaks: energy over an adaptive noise floor, and harmonicity."""

from __future__ import annotations

import numpy as np

from .audio import FPS
from .spectrum import TINY

SILENCE = 1e-7
"""Mean square (-70 dB of full scale) below which a recording is silent."""


def speech_activity(mel: np.ndarray, power: np.ndarray, harmonicity: np.ndarray) -> np.ndarray:
    """(T,) 0 to 1 from mel energies (T, 80), mean squares (T,) and harmonicity (T,)."""
    level = 10 * np.log10(power + TINY)
    floor = np.percentile(level, 10)
    sure = 1 / (1 + np.exp(-(level - floor - 10 + 10 * (harmonicity - 0.5)) / 2))
    return np.where(power > SILENCE, sure, 0.0)


def speech_level(power: np.ndarray, activity: np.ndarray) -> float:
    """Mean square of the speech; of everything where nobody speaks."""
    heard = activity > 0.5
    return max(float(power[heard].mean() if heard.any() else power.mean()), TINY)


def what_is_heard(
    mel: np.ndarray, loudness: np.ndarray, pitch: np.ndarray, activity: np.ndarray
) -> list[str]:
    """Sentences about a recording that is not plainly speech."""
    if (activity > 0.5).sum() < 0.1 * FPS:
        return ["No speech is heard: the recording is silent."]
    return []
