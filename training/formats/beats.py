"""Beats of dance music: a steady pulse, found by comparing note onsets with combs of every phase.

For music with one tempo from start to end, as produced for dancing. It is no tracker: a tempo that
drifts or changes is not followed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...backend.errors import BadInput

RATE = 100.0
"""Onset strengths per second."""
WINDOW = 0.046
"""Seconds of a spectrum."""
SLOWEST, FASTEST = 60.0, 180.0
"""Beats a minute that are looked for when none are expected."""
TOLERANCE = 0.04
"""How far the tempo may be from the expected one."""
CLEAR = 5.0
"""Standard errors by which onsets on the beats must be stronger than elsewhere; of the thousands of combs
that are tried, the best reaches 4 in noise."""
LONGEST = 60.0
"""Seconds of a recording that are looked at."""


def read_audio(path: Path) -> tuple[np.ndarray, int]:
    """The first minute of a recording as mono samples, and its sample rate.

    Raises:
        BadInput: it cannot be read.
    """
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            samples = file.read(int(LONGEST * file.samplerate), dtype="float32", always_2d=True)
            return samples.mean(axis=1), int(file.samplerate)
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInput(f"{Path(path).name} cannot be read as sound ({error}).", field="path") from None


def onset_strength(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """(N,) at :data:`RATE`: how much louder the spectrum becomes, summed over frequencies, without slow changes."""
    size = max(int(WINDOW * sample_rate), 16)
    starts = (np.arange(int(len(samples) / sample_rate * RATE)) * sample_rate / RATE).astype(int)
    padded = np.concatenate([np.zeros(size // 2), samples, np.zeros(size)])
    frames = padded[starts[:, None] + np.arange(size)] * np.hanning(size)
    loudness = np.log1p(100 * np.abs(np.fft.rfft(frames, axis=1)) / size)
    rise = np.maximum(np.diff(loudness, axis=0, prepend=loudness[:1]), 0).sum(axis=1)
    smooth = np.convolve(rise, np.ones(int(RATE)) / RATE, mode="same")
    return np.maximum(rise - smooth, 0.0)


def find_beats(onsets: np.ndarray, bpm: float | None = None) -> tuple[float, float] | None:
    """Tempo and phase of the pulse.

    Args:
        onsets: (N,) at :data:`RATE`.
        bpm: the tempo expected; without it every tempo from :data:`SLOWEST` to :data:`FASTEST` is tried.

    Returns:
        Beats a minute and the second of the first beat; None where no pulse stands out.
    """
    if len(onsets) < 4 * RATE or not onsets.any():
        return None
    expected = bpm or _tempo(onsets)
    tempi = expected * np.linspace(1 - TOLERANCE, 1 + TOLERANCE, 161)
    best, found = 0.0, None
    # Half a tooth's width of blur: an onset counts although it falls between two samples.
    blurred = np.convolve(onsets, [0.5, 1.0, 0.5], mode="same")
    blurred = (blurred - blurred.mean()) / blurred.std()
    for tempo in tempi:
        period = 60.0 / tempo * RATE
        phases = np.arange(int(np.ceil(period)))
        teeth = np.arange(int((len(onsets) - 1) / period))
        if not len(teeth):
            continue
        strength = blurred[
            np.round(phases[:, None] + teeth * period).astype(int).clip(max=len(onsets) - 1)
        ].mean(axis=1)
        strength *= np.sqrt(len(teeth))
        if strength.max() > best:
            best, found = float(strength.max()), (float(tempo), float(phases[strength.argmax()] / RATE))
    return found if best > CLEAR else None


def _tempo(onsets: np.ndarray) -> float:
    """The tempo of the strongest self-similarity, weighted towards two beats a second as listeners do."""
    centred = onsets - onsets.mean()
    size = 1 << (2 * len(centred) - 1).bit_length()
    similarity = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2)[: len(centred)]
    lags = np.arange(int(60 / FASTEST * RATE), min(int(60 / SLOWEST * RATE) + 1, len(centred)))
    weight = np.exp(-0.5 * np.log2(lags / (0.5 * RATE)) ** 2)
    return float(60.0 * RATE / lags[np.argmax(similarity[lags] * weight)])


def beat_frames(bpm: float, first: float, frames: int, fps: float) -> list[int]:
    """Frames of a clip nearest to the beats: ``first`` seconds, then one every ``60 / bpm``."""
    period = 60.0 / bpm
    start = first - np.floor(first / period) * period
    # From one beat earlier: half a frame before the clip is still its first frame.
    times = start + period * np.arange(-1, int(frames / fps / period) + 2)
    numbers = np.round(times * fps).astype(int)
    return [int(number) for number in numbers if 0 <= number < frames]
