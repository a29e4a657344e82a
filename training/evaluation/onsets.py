"""Onsets of a recording as librosa's ``onset_detect`` finds them with its own settings, which BC is defined with.

Spectral flux (McFee et al., librosa, SciPy 2015): the mean rise of 128 mel bands in dB, normalised to 1; an onset is where
it is 0.07 above its mean around. EMAGE calls it at 16 kHz with a hop of 512, at which the "greatest around" of its
peak picking is the frame alone. librosa itself would bring a compiler (numba) for these few lines.
"""

from __future__ import annotations

import numpy as np

RATE = 16000
HOP = 512
WINDOW = 2048
BANDS = 128
BEFORE, AFTER = 0.10, 0.10
"""Seconds around a frame over which the mean is taken."""
DELTA = 0.07
"""How far above that mean, of the strongest rise of all, an onset is."""


def strength(samples: np.ndarray) -> np.ndarray:
    """How much rises in each frame (N // HOP + 1,): mean over bands, in dB, of mono samples (N,) at :data:`RATE`."""
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    bank = mel_filter_bank(WINDOW // 2 + 1, BANDS, 0.0, RATE / 2, RATE, norm="slaney", mel_scale="slaney")
    mel = spectrogram(
        np.asarray(samples, np.float64), window_function(WINDOW, "hann"), WINDOW, HOP, WINDOW, power=2.0,
        center=True, pad_mode="constant", mel_filters=bank, mel_floor=1e-10, log_mel="dB", db_range=80.0,
    )  # fmt: skip
    rise = np.maximum(np.diff(mel, axis=1), 0.0).mean(axis=0)
    # One frame for the step, and half a window in which the flux is not yet centred.
    delay = 1 + WINDOW // (2 * HOP)
    return np.pad(rise, (delay, 0))[: mel.shape[1]]


def onsets(samples: np.ndarray) -> np.ndarray:
    """Seconds (K,) of the onsets in mono samples (N,) at :data:`RATE`; none where nothing rises."""
    if len(samples) < WINDOW:
        return np.zeros(0)
    values = strength(samples)
    values = values - values.min()
    if not values.max() > 0:
        return np.zeros(0)
    values = values / values.max()
    before, after = int(BEFORE * RATE / HOP), int(AFTER * RATE / HOP) + 1
    total = np.concatenate([[0.0], np.cumsum(values)])
    frame = np.arange(len(values))
    low, high = np.maximum(frame - before, 0), np.minimum(frame + after, len(values))
    mean = (total[high] - total[low]) / (high - low)
    return np.flatnonzero(values >= mean + DELTA) * HOP / RATE
