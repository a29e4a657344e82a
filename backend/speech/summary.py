"""What a recording holds, for whoever picks one: length, how much of it is speech, how it sounds, what is odd."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .audio import read_blocks
from .features import SpeechFeatures, features_of_blocks
from .rhythm import accents, syllables

BARS = 120
"""Values of the outline that is drawn of a recording."""
FAINTEST = -45.0
"""dB to speech that an outline draws as nothing."""
LOUDEST = 10.0


@dataclass(frozen=True)
class Summary:
    """A recording in a few numbers.

    Attributes:
        seconds: its length.
        frames: of the motion that goes with it, at 30 a second.
        rate, channels: of the file.
        voice_share: how much of it is speech, 0 to 1.
        pitch: median of the voiced frames, Hz; None without a voice.
        syllables_per_second, accents_per_second: of speech; 0 without.
        outline: :data:`BARS` values from 0 to 1 over its length, by loudness; fewer where it is short.
        warnings: sentences.
    """

    seconds: float
    frames: int
    rate: int
    channels: int
    voice_share: float
    pitch: float | None
    syllables_per_second: float
    accents_per_second: float
    outline: tuple[float, ...]
    warnings: tuple[str, ...]


def summary_of(path: Path) -> Summary:
    """Reads a recording and sums it up.

    Raises:
        BadInput: the file cannot be used; see :func:`.audio.read_blocks`.
    """
    recording, blocks = read_blocks(Path(path))
    features = features_of_blocks(blocks, recording.warnings)
    spoken = float((features.activity > 0.5).sum()) / features.fps
    pitch = features.pitch[features.pitch > 0]
    return Summary(
        seconds=features.seconds,
        frames=len(features),
        rate=recording.rate,
        channels=recording.channels,
        voice_share=features.share,
        pitch=float(np.median(pitch)) if len(pitch) else None,
        syllables_per_second=len(syllables(features)) / spoken if spoken else 0.0,
        accents_per_second=len(accents(features)) / spoken if spoken else 0.0,
        outline=outline(features),
        warnings=features.warnings,
    )


def outline(features: SpeechFeatures, bars: int = BARS) -> tuple[float, ...]:
    """The loudest frame of each of ``bars`` equal parts, 0 to 1."""
    edges = np.unique(np.linspace(0, len(features), bars + 1).astype(int))
    loudest = np.maximum.reduceat(features.loudness, edges[:-1])
    height = np.clip((loudest.astype(float) - FAINTEST) / (LOUDEST - FAINTEST), 0.0, 1.0)
    return tuple(height.round(3).tolist())
