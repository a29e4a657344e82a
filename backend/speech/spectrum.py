"""A hundred looks a second at a sound: mel energies, spectral flux, level, pitch.

Look k is centred at sample ``160 k``. Everything is measured inside of its own window, so a recording that comes in
blocks gives the same numbers as in one piece.

Sources: mel filters of Kaldi; onsets by spectral flux that ignores vibrato (Boeck and Widmer, DAFx 2013, SuperFlux) on
loudness as Stevens' law has it; pitch and harmonicity by the autocorrelation of Boersma (IFA Proceedings 17, 1993).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from .audio import RATE

HOP = 160
"""Samples between looks: 10 ms, so that ten looks are three frames at 30 fps to the sample."""
MELS = 80
MEL_WINDOW, MEL_FFT = 400, 512
PITCH_WINDOW, PITCH_FFT = 640, 1024
"""Samples; 40 ms hold three periods of 75 Hz, and zeros behind keep the autocorrelation from folding over."""
LOWEST, HIGHEST = 60.0, 500.0
"""Hz of a speaking voice."""
LOUDNESS_POWER = 0.3
"""Stevens' exponent of loudness against energy."""
FLUX_LAG = 3
"""Looks back with which a spectrum is compared: most of a syllable's rise."""
FLUX_BANDS = (6, 74)
"""Mel bands whose rise counts: about 150 Hz to 6.5 kHz."""
REACH = max(MEL_WINDOW, PITCH_WINDOW) // 2
"""Samples on either side of a look's centre that it reads."""
_LOW = PITCH_FFT // 8 + 1
"""Bins up to 2 kHz, in which a pitch is looked for."""
_LAGS = PITCH_FFT // 2
"""The autocorrelation is sampled at half of the rate, so that its peaks lie between close samples."""
_OCTAVE_COST = 0.03
"""What a pitch an octave lower must be better by; Boersma's 0.01 takes too many halves in noise."""
TINY = 1e-12
"""Energy of digital silence (-120 dB)."""


@dataclass(frozen=True)
class Looks:
    """Measured at 100 looks a second. ``mel`` (K, 80) energies, the rest (K,)."""

    mel: np.ndarray
    flux: np.ndarray
    """Rise of loudness, in units that scale with the sound."""
    power: np.ndarray
    """Mean square of the samples."""
    pitch: np.ndarray
    """Hz of the best candidate, voiced or not."""
    harmonicity: np.ndarray
    """The autocorrelation at the pitch's period: 1 is a pure tone, noise is about 0.3."""


class Analysis:
    """Takes blocks of samples, gives looks as soon as their windows are full."""

    def __init__(self) -> None:
        self._samples = np.zeros(REACH, np.float32)
        self._heard = 0
        self._looks = 0
        self._loud = np.zeros((0, MELS), np.float32)

    def push(self, block: np.ndarray) -> Looks:
        """Looks that the block completes."""
        self._samples = np.concatenate([self._samples, np.asarray(block, np.float32)])
        self._heard += len(block)
        return self._look((len(self._samples) - 2 * REACH) // HOP + 1)

    def finish(self) -> Looks:
        """The last looks, past which silence is heard: one for every ``HOP`` begun, and one for the end."""
        missing = -(-self._heard // HOP) + 1 - self._looks
        needed = (missing - 1) * HOP + 2 * REACH - len(self._samples)
        self._samples = np.concatenate([self._samples, np.zeros(max(needed, 0), np.float32)])
        return self._look(missing)

    def _look(self, count: int) -> Looks:
        count = max(count, 0)
        windows = np.lib.stride_tricks.sliding_window_view(self._samples, 2 * REACH)[::HOP][:count] if count else np.zeros((0, 2 * REACH), np.float32)  # fmt: skip
        mel, power = mel_energies(windows)
        pitch, harmonicity = pitches(windows)
        loud = np.concatenate([self._loud, mel**LOUDNESS_POWER])
        if not self._looks and count:
            # What begins at the first sample has its onset there.
            loud = np.concatenate([np.zeros((FLUX_LAG, MELS), np.float32), loud])
        flux = _flux(loud) if count else np.zeros(0, np.float32)
        if count:
            self._loud = loud[-FLUX_LAG:]
        self._looks += count
        self._samples = self._samples[count * HOP :]
        return Looks(mel, flux, power, pitch, harmonicity)


def mel_energies(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energies (K, 80) of mel bands, and mean squares (K,), of the middle of windows (K, n)."""
    edge = (windows.shape[1] - MEL_WINDOW) // 2
    middle = windows[:, edge : edge + MEL_WINDOW]
    taper = _hann(MEL_WINDOW)
    spectrum = np.fft.rfft(middle * taper, MEL_FFT, axis=1)
    energy = (spectrum.real**2 + spectrum.imag**2).astype(np.float32) / float((taper**2).sum())
    power = np.einsum("kn,kn->k", middle, middle) / MEL_WINDOW
    return energy @ _mel_filters().T, power


def pitches(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pitch in Hz and harmonicity from 0 to 1 (K,) of windows (K, n)."""
    edge = (windows.shape[1] - PITCH_WINDOW) // 2
    taper = _hann(PITCH_WINDOW)
    middle = windows[:, edge : edge + PITCH_WINDOW]
    middle = middle - middle.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(middle * taper, PITCH_FFT, axis=1)
    power = spectrum.real[:, :_LOW] ** 2 + spectrum.imag[:, :_LOW] ** 2
    correlation = np.fft.irfft(power, _LAGS, axis=1)
    rate = RATE * _LAGS / PITCH_FFT
    least, most = int(rate / HIGHEST), int(np.ceil(rate / LOWEST))
    ratio = correlation[:, : most + 2] / np.maximum(correlation[:, :1], TINY * PITCH_WINDOW)
    ratio = ratio / _window_correlation()[: most + 2]
    lags = np.arange(least, most + 1)
    here, before, after = ratio[:, lags], ratio[:, lags - 1], ratio[:, lags + 1]
    # The top of the parabola through three neighbours.
    bend = before - 2 * here + after
    shift = np.where(bend < 0, 0.5 * (before - after) / np.minimum(bend, -1e-9), 0.0)
    top = here - 0.25 * (before - after) * shift
    peak = (here >= before) & (here >= after)
    worth = np.where(peak, top - _OCTAVE_COST * np.log2(lags / least), -np.inf)
    best = worth.argmax(axis=1)
    rows = np.arange(len(best))
    strength = np.where(peak[rows, best], np.clip(top[rows, best], 0.0, 1.0), 0.0)
    pitch = rate / (lags[best] + np.clip(shift[rows, best], -0.5, 0.5))
    return np.where(strength > 0, pitch, 0.0), strength


def _flux(loud: np.ndarray) -> np.ndarray:
    """(K,) rise of loudness (K + lag, bands): each band against the loudest of its neighbours before."""
    first, last = FLUX_BANDS
    before = loud[:-FLUX_LAG]
    widened = np.maximum(before[:, first:last], np.maximum(before[:, first - 1 : last - 1], before[:, first + 1 : last + 1]))  # fmt: skip
    return np.maximum(loud[FLUX_LAG:, first:last] - widened, 0.0).sum(axis=1)


@cache
def _hann(size: int) -> np.ndarray:
    return np.hanning(size + 2)[1:-1].astype(np.float32)


@cache
def _mel_filters() -> np.ndarray:
    """(80, bins) triangles from 20 Hz to 8 kHz on the mel scale."""
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    options.frame_opts.samp_freq = float(RATE)
    options.mel_opts.num_bins = MELS
    options.mel_opts.low_freq, options.mel_opts.high_freq = 20.0, RATE / 2
    return np.asarray(knf.MelBanks(options.mel_opts, options.frame_opts, 1.0).get_matrix(), np.float32)


@cache
def _window_correlation() -> np.ndarray:
    """Autocorrelation of the window itself, which every windowed sound is divided by."""
    power = np.abs(np.fft.rfft(_hann(PITCH_WINDOW), PITCH_FFT)) ** 2
    correlation = np.fft.irfft(power[:_LOW], _LAGS)
    return np.maximum(correlation / correlation[0], 1e-3)
