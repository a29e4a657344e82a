"""Words, their syllables, and the phrases they make."""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

PAUSE = 0.3
"""Seconds of quiet that end a phrase."""
LONGEST_PHRASE = 6.0
"""Seconds; a longer phrase is divided at its longest pause."""

STOPS = re.compile(r"[.!?…。！？:;：；—]['\"”’)\]]*$")
"""What ends a clause, and is spoken as a pause."""
COMMAS = re.compile(r"[,、，–-]['\"”’)\]]*$")
"""What may be spoken as a pause."""
_SILENT_E = re.compile(r"(?:[^aeiouyl]e|[^aeiouylscgzxh]es|[^aeiouyltd]ed)\W*$")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Kana, Chinese characters and Hangul: a syllable each, no spaces between."""


class Word(NamedTuple):
    """A word with its seconds in the recording."""

    text: str
    start: float
    end: float


class Phrase(NamedTuple):
    """Words spoken in one breath: a short text that a gesture can go with. Seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Transcript:
    """Words in the order of time, and sentences about what is odd."""

    words: tuple[Word, ...]
    warnings: tuple[str, ...] = ()


def split(text: str) -> list[str]:
    """The words of a text, with their punctuation; scripts without spaces by the character."""
    words: list[str] = []
    for token in text.split():
        pieces = re.findall(f"{_WIDE.pattern}[^\\w\\s]*|(?:(?!{_WIDE.pattern}).)+", token)
        for piece in pieces:
            if any(character.isalnum() for character in piece):
                words.append(piece)
            elif words:
                words[-1] += piece
    return words


def syllable_count(word: str) -> int:
    """How many syllables a word is spoken with, at least one: groups of vowels, in any language with letters.

    English's silent e is left out; a digit counts for one and a half.
    """
    letters = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(c))
    wide, digits = len(_WIDE.findall(word)), sum(c.isdigit() for c in letters)
    groups = len(re.findall(r"[aeiouyæœøıаеёиоуыэюяαεηιουω]+", letters))
    if groups > 1 and _SILENT_E.search(word.lower()):
        groups -= 1
    return max(groups + wide + math.ceil(1.5 * digits), 1)


def spread(words: Sequence[str], start: float, end: float) -> list[Word]:
    """Words one after the other, each as long as its syllables."""
    counts = np.concatenate([[0.0], np.cumsum([syllable_count(word) for word in words])])
    times = start + (end - start) * counts / max(counts[-1], 1)
    return [Word(word, float(times[k]), float(times[k + 1])) for k, word in enumerate(words)]


def phrases(words: Sequence[Word]) -> list[Phrase]:
    """Words by the breath: divided at pauses and full stops, and where a phrase would get too long."""
    found: list[list[Word]] = []
    for word in words:
        last = found[-1][-1] if found else None
        if last is None or word.start - last.end >= PAUSE or STOPS.search(last.text):
            found.append([])
        found[-1].append(word)
    return [
        Phrase(" ".join(word.text for word in part), part[0].start, part[-1].end)
        for group in found
        for part in _halved(group)
    ]


def _halved(words: list[Word]) -> list[list[Word]]:
    """A phrase in pieces that are short enough, divided where the pause is longest, or else in the middle."""
    if len(words) < 2 or words[-1].end - words[0].start <= LONGEST_PHRASE:
        return [words]
    gaps = np.array([after.start - before.end for before, after in itertools.pairwise(words)])
    marked = np.array([bool(COMMAS.search(word.text)) for word in words[:-1]])
    middle = np.array([-abs(k + 1 - len(words) / 2) for k in range(len(gaps))]) / len(words)
    at = int(np.argmax(gaps + 0.2 * marked + 0.5 * middle)) + 1
    return _halved(words[:at]) + _halved(words[at:])
