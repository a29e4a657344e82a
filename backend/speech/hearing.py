"""What models hear of a voice: its sound and its words, on the latent frames of the tokenizers.

A latent frame hears all of its four frames: the mel in twenty groups, loudness, pitch, onset, voicing and activity.
SynTalker (Chen et al. 2024) gives its diffusion loudness, onsets and words; the mel tells vowels too, which a face
needs. A word is its sentence embedding while it is spoken, nothing in pauses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..motion.rhythm import PER_LATENT
from ..text import WIDTH
from .features import FPS, SpeechFeatures
from .spectrum import MELS
from .words import Word

GROUPS = 20
"""Into so many equal groups the mel bands are gathered."""
SOUND = GROUPS + 5
"""Numbers of sound of a frame."""
HEARD = PER_LATENT * SOUND
"""Numbers of sound of a latent frame."""
_BAND, _SPREAD = -3.0, 3.0
"""About the mean and the spread of a group in speech."""


def frames_of(features: SpeechFeatures, index: np.ndarray) -> np.ndarray:
    """Sound (N, :data:`SOUND`) of the frames ``index`` (N,): groups of the mel, then loudness, voicing, activity,
    onset and pitch."""
    energy = np.exp(np.asarray(features.mel[index], np.float64))
    bands = np.log(energy.reshape(len(index), GROUPS, MELS // GROUPS).mean(axis=2) + 1e-4)
    pitch = np.asarray(features.pitch[index], np.float64)
    rest = [
        np.maximum(features.loudness[index], -40.0) / 20.0,
        features.voiced[index],
        features.activity[index],
        features.onset[index],
        np.where(pitch > 0, np.log2(np.maximum(pitch, 50.0) / 150.0), 0.0),
    ]
    return np.concatenate([bands, np.stack(rest, axis=1)], axis=1)


def sound(features: SpeechFeatures) -> np.ndarray:
    """(T, :data:`SOUND`) float32 of a whole recording, of about unit size."""
    values = frames_of(features, np.arange(len(features)))
    values[:, :GROUPS] = (values[:, :GROUPS] - _BAND) / _SPREAD
    return values.astype(np.float32)


def silence(frames: int) -> np.ndarray:
    """:func:`sound` (frames, :data:`SOUND`) of nothing."""
    quiet = np.full(frames, -60.0, np.float32)
    zero = np.zeros(frames, np.float32)
    mel = np.full((frames, MELS), -14.0, np.float32)
    return sound(SpeechFeatures(mel, zero, quiet, zero, zero, zero, seconds=frames / FPS))


def latent_sound(values: np.ndarray, length: int) -> np.ndarray:
    """Sound (T, :data:`SOUND`) on ``length`` latent frames (length, :data:`HEARD`); silence past the end."""
    wanted = length * PER_LATENT
    held = np.concatenate([values[:wanted], silence(max(wanted - len(values), 0))])
    return held.reshape(length, HEARD)


def spoken(
    words: Sequence[Word],
    embed: Callable[[list[str]], np.ndarray],
    length: int,
    first: int = 0,
    width: int = WIDTH,
) -> np.ndarray:
    """Embeddings (length, width) of what is said in each latent frame: the mean over its time, zero in pauses.

    Args:
        words: with their seconds.
        embed: different texts to (N, width) of unit length; here each number is of about unit size.
        length: latent frames.
        first: the frame, at 30 a second, that the first of them begins with.
        width: of an embedding.
    """
    said = [word for word in words if word.text.strip()]
    result = np.zeros((length, width), np.float32)
    texts = list(dict.fromkeys(word.text for word in said))
    table = dict(zip(texts, embed(texts), strict=True)) if texts else {}
    for word in said:
        span = (np.array([word.start, word.end]) * FPS - first) / PER_LATENT
        low, high = np.clip(span, 0.0, length)
        for frame in range(int(low), int(np.ceil(high))):
            result[frame] += max(min(high, frame + 1.0) - max(low, float(frame)), 0.0) * table[word.text]
    return result * np.float32(np.sqrt(width))
