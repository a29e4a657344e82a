"""What an answer sounds like: said by piper or espeak-ng where one is installed, else only timed, for the body to go by."""

from __future__ import annotations

import tempfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..dialogue.turns import RATE, trimmed
from ..dialogue.voices import Synthesiser, find_synthesiser
from ..errors import JobFailed
from ..speech.alignment import align
from ..speech.audio import RATE as HEARD
from ..speech.features import features_of
from ..speech.rhythm import voice_rhythm
from ..speech.voice import Voice
from ..speech.wording import MEANS, favour, wording
from ..speech.words import COMMAS, STOPS, split, syllable_count

LEAD, TAIL = 0.4, 0.9
"""Seconds before the first word and after the last: somebody who is asked looks up before the answer."""
SYLLABLES = 5.0
"""A second, where nothing is heard: the middle of what Pellegrino et al. found (Language 87, 2011), a little slower
for talk to a stranger."""
_STOP, _COMMA = 0.45, 0.2
_PITCH = 130.0
NO_VOICE = "The answer is silent: neither piper nor espeak-ng is installed, so its timing is estimated from the words."


@dataclass(frozen=True)
class Spoken:
    """An answer as it is heard.

    Attributes:
        voice: what the body goes by, as long as the clip is to be; None for an answer without a word.
        samples: (N,) at 24 kHz, from the clip's beginning; None where nobody can hear it.
        seconds: until the last word is over and the body is at rest.
        warnings: sentences for the user.
    """

    voice: Voice | None
    samples: np.ndarray | None
    seconds: float
    warnings: tuple[str, ...] = ()


def spoken(
    text: str, name: str, act: str = "", *, voice: str = "", language: str = "en", aloud: bool = True
) -> Spoken:
    """Say a text.

    Args:
        text: what is said.
        name: of the character; it decides the voice where none is chosen.
        act: a meaning (:mod:`..speech.gesture_shapes`) that the first word is said with.
        voice: as the synthesiser names it.
        language: as espeak-ng names it.
        aloud: False for timing alone, without a warning.
    """
    words = split(text)
    if not words:
        return Spoken(None, None, LEAD + TAIL)
    synthesiser = find_synthesiser(language) if aloud else None
    warnings: tuple[str, ...] = () if synthesiser or not aloud else (NO_VOICE,)
    samples = None
    if synthesiser is not None:
        try:
            samples = _said(synthesiser, text, zlib.crc32(name.encode()) % 4, voice or None)
        except JobFailed as error:  # an answer that cannot be heard is still an answer
            warnings = (f"The answer is silent: {error.message}",)
    sound = murmur(words) if samples is None else samples
    sound = np.concatenate([np.zeros(round(LEAD * RATE)), sound, np.zeros(round(TAIL * RATE))]).astype(
        np.float32
    )
    return Spoken(_heard(sound, text, act), None if samples is None else sound, len(sound) / RATE, warnings)


def murmur(words: list[str]) -> np.ndarray:
    """Samples (N,) with the rhythm of words said at an ordinary pace: a hum that swells with every syllable.

    Nobody hears it; what the body does with a voice it does with this one.
    """
    pieces = []
    for index, word in enumerate(words):
        count = syllable_count(word)
        t = np.arange(round(count / SYLLABLES * RATE)) / RATE
        swell = np.sin(np.pi * ((t * SYLLABLES) % 1.0)) ** 1.5
        # Stress on the first syllable of longer words, and a voice that falls towards a stop.
        stress = 1.0 if syllable_count(word) > 1 else 0.75
        pitch = _PITCH * (1.0 + 0.12 * np.sin(2.1 * index) - 0.04 * t)
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        hum = sum(np.sin(k * phase) / k for k in range(1, 9))
        pieces.append(0.2 * stress * swell * hum)
        rest = _STOP if STOPS.search(word) else _COMMA if COMMAS.search(word) else 0.0
        pieces.append(np.zeros(round(rest * RATE) if index < len(words) - 1 else 0))
    return np.concatenate(pieces)


def _said(synthesiser: Synthesiser, text: str, speaker: int, voice: str | None) -> np.ndarray:
    import soundfile
    import soxr

    with tempfile.TemporaryDirectory(prefix="understudy-chat-") as folder:
        out = Path(folder) / "answer.wav"
        synthesiser.say(" ".join(text.split()), speaker, voice, out)
        try:
            samples, rate = soundfile.read(out, dtype="float32", always_2d=True)
        except (soundfile.SoundFileError, OSError) as error:
            raise JobFailed("what the synthesiser wrote is no sound.") from error
    sound = trimmed(np.asarray(soxr.resample(samples.mean(axis=1), rate, RATE), np.float32))
    if not len(sound):
        raise JobFailed("the synthesiser said nothing.")
    return sound


def _heard(sound: np.ndarray, text: str, act: str) -> Voice:
    """A sound with its words, the first of which may mean something."""
    import soxr

    features = features_of(np.asarray(soxr.resample(sound, RATE, HEARD), np.float32))
    said = align(text, features).words
    words = list(wording(said))
    if act and words:
        words[0] = replace(words[0], meaning=act, weight=MEANS)
    rhythm = voice_rhythm(features, favour(words, len(features), features.fps))
    return Voice(features, rhythm, said, tuple(words))
