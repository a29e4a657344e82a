"""A recording as the performer hears it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..motion.rhythm import per_latent
from .features import SpeechFeatures, speech_features
from .rhythm import voice_rhythm

TALKING = "a person stands and talks, moving the hands a little"
"""What is prompted where only a voice is given."""


@dataclass(frozen=True)
class Voice:
    """What is heard, and its rhythm (T, 3), both at 30 frames a second."""

    features: SpeechFeatures
    rhythm: np.ndarray

    def __len__(self) -> int:
        return len(self.rhythm)

    def latent_rhythm(self, length: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Rhythm (B, L, 12) of ``length`` latent frames, at rest past the end, and (B, L) that it is given."""
        columns = per_latent(np.pad(self.rhythm, ((0, 4 * length), (0, 0))))[:length]
        return np.repeat(columns[None], batch, axis=0), np.ones((batch, length), bool)


def listen(path: Path) -> Voice:
    """Hear a recording.

    Raises:
        BadInput: the file cannot be used.
    """
    features = speech_features(path)
    return Voice(features, voice_rhythm(features))
