"""What is heard beside the motions of a corpus: sound and words for any stretch of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ...backend.errors import BadInput
from ...backend.speech.features import speech_features
from ...backend.speech.hearing import latent_sound, sound, spoken
from ...backend.speech.words import Word
from ...backend.text import WIDTH, TextEncoder
from .dataset import Motion


def sound_of(recording: Path, cache: Path) -> np.ndarray:
    """:func:`~...backend.speech.hearing.sound` (T, 25) of a recording in half precision, kept in a file of ``cache``
    under the recording's size and time.

    Raises:
        BadInput: the recording is damaged.
    """
    stat = recording.stat()
    kept = cache / f"{recording.parent.name}--{recording.stem}--sound-{stat.st_size}-{stat.st_mtime_ns}.npy"
    if kept.exists():
        return np.asarray(np.load(kept))
    values = sound(speech_features(recording)).astype(np.float16)
    cache.mkdir(parents=True, exist_ok=True)
    temporary = kept.with_suffix(f".{os.getpid()}.npy")
    np.save(temporary, values)
    temporary.replace(kept)
    return values


def words_of(path: Path) -> tuple[Word, ...]:
    """The words of a ``.words.json`` of the store.

    Raises:
        BadInput: the file is damaged.
    """
    try:
        rows = json.loads(path.read_text("utf-8")).get("words", [])
        return tuple(Word(str(row["text"]), float(row["start"]), float(row["end"])) for row in rows)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{path.name} is no list of words; prepare the set again.", field="store") from error


class Voices:
    """Sound and, if wanted, words of every motion that has them; read once, at what a frame holds."""

    def __init__(self, motions: Iterable[Motion], cache: Path, *, words: bool) -> None:
        motions = list(motions)
        self._sound = {path: sound_of(path, cache) for path in {m.speech for m in motions} if path}
        self._words = {path: words_of(path) for path in {m.words for m in motions} if path and words}
        texts = sorted({word.text for said in self._words.values() for word in said})
        rows = TextEncoder().encode_many(texts) if texts else []
        means = np.array([row.mean(axis=0) for row in rows], np.float32).reshape(-1, WIDTH)
        self._table = dict(zip(texts, range(len(texts)), strict=True))
        self._vectors = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)

    def __bool__(self) -> bool:
        return bool(self._sound)

    def sound(self, motion: Motion, first: int, length: int) -> np.ndarray | None:
        """(length, 100) float32 of the latent frames from frame ``first`` of a motion on; None without a recording."""
        if motion.speech is None:
            return None
        values = self._sound[motion.speech][first:].astype(np.float32)
        return latent_sound(values, length)

    def words(self, motion: Motion, first: int, length: int) -> np.ndarray | None:
        """(length, 384) float32 of the same; None where nobody wrote down what is said."""
        if motion.words is None or motion.words not in self._words:
            return None
        return spoken(self._words[motion.words], self._embed, length, first)

    def _embed(self, texts: list[str]) -> np.ndarray:
        return self._vectors[[self._table[text] for text in texts]]
