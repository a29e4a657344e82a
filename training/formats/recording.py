"""Recordings of speech: any sound file in, mono samples at one rate, 16-bit WAV out."""

from __future__ import annotations

import io
from math import gcd
from pathlib import Path

import numpy as np

from ...backend.errors import BadInput

SPEECH_RATE = 16000
"""Samples a second of all speech in the store."""
LONGEST = 3 * 3600.0
"""Seconds of a recording that are read."""


def read_speech(path: Path) -> np.ndarray:
    """(N,) float32 mono samples at :data:`SPEECH_RATE`, in [-1, 1] where the file keeps to it.

    Raises:
        BadInput: the file is damaged, empty, far too long, or holds numbers that are not finite.
    """
    import soundfile

    path = Path(path)
    try:
        with soundfile.SoundFile(path) as file:
            rate = int(file.samplerate)
            if file.frames > LONGEST * rate:
                raise BadInput(f"{path.name} is longer than {LONGEST / 3600:g} hours.", field="speech")
            samples = file.read(dtype="float32", always_2d=True).mean(axis=1)
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInput(f"{path.name} cannot be read as sound ({_reason(error)}).", field="speech") from None
    if not len(samples):
        raise BadInput(f"{path.name} holds no sound.", field="speech")
    if not np.isfinite(samples).all():
        raise BadInput(f"{path.name} holds numbers that are not finite.", field="speech")
    return at_rate(samples, rate, SPEECH_RATE)


def at_rate(samples: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """The same sound at another rate, low-passed where the rate falls (polyphase)."""
    if rate == wanted:
        return samples.astype(np.float32)
    from scipy.signal import resample_poly

    common = gcd(rate, wanted)
    return np.asarray(resample_poly(samples, wanted // common, rate // common), dtype=np.float32)


def wav_bytes(samples: np.ndarray, rate: int = SPEECH_RATE) -> bytes:
    """A 16-bit mono WAV file; samples outside of [-1, 1] are clipped."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(samples, -1.0, 1.0), rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def _reason(error: Exception) -> str:
    text = str(getattr(error, "error_string", "") or getattr(error, "strerror", "") or error)
    return text.strip().rstrip(".") or type(error).__name__
