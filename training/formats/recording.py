"""Recordings of speech in the store: 16-bit mono WAV at the rate of :mod:`...backend.speech.audio`, which reads them."""

from __future__ import annotations

import io

import numpy as np

from ...backend.speech.audio import RATE


def wav_bytes(samples: np.ndarray) -> bytes:
    """A 16-bit mono WAV file of samples (N,) at 16 kHz; what is outside of [-1, 1] is clipped."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(samples, -1.0, 1.0), RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
