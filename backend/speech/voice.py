"""A recording as the performer hears it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..motion.rhythm import per_latent
from .features import SpeechFeatures, speech_features
from .rhythm import voice_rhythm
from .transcripts import recognised, transcript_of
from .wording import Spoken, favour, wording
from .words import Word

TALKING = "a person stands and talks, moving the hands a little"
"""What is prompted where only a voice is given."""


@dataclass(frozen=True)
class Voice:
    """What is heard, and its rhythm (T, 3), both at 30 frames a second; the words, where they are known.

    Attributes:
        features: of the sound.
        rhythm: of the sound and its words.
        words: with their seconds.
        spoken: the words as hands take them.
        warnings: sentences about what is odd.
    """

    features: SpeechFeatures
    rhythm: np.ndarray
    words: tuple[Word, ...] = ()
    spoken: tuple[Spoken, ...] = ()
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rhythm)

    def latent_rhythm(self, length: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Rhythm (B, L, 12) of ``length`` latent frames, at rest past the end, and (B, L) that it is given."""
        columns = per_latent(np.pad(self.rhythm, ((0, 4 * length), (0, 0))))[:length]
        return np.repeat(columns[None], batch, axis=0), np.ones((batch, length), bool)


def listen(path: Path, transcript: str | None = None, on_block: Callable[[], None] | None = None) -> Voice:
    """Hear a recording.

    Args:
        path: the sound file.
        transcript: what is said, as :func:`.transcripts.transcript_of` takes it; without it, what a recogniser
            that was set up hears (:func:`.transcripts.recognised`).
        on_block: called every few seconds of sound; it may raise to cancel.

    Raises:
        BadInput: the file cannot be used, or the transcript.
    """
    features = speech_features(path, on_block)
    said = recognised(path) if transcript is None else transcript_of(transcript, features)
    if said is None:
        return Voice(features, voice_rhythm(features), warnings=features.warnings)
    spoken = wording(said.words)
    rhythm = voice_rhythm(features, favour(spoken, len(features), features.fps))
    return Voice(features, rhythm, said.words, spoken, (*features.warnings, *said.warnings))
