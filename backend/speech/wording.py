"""What the words of a voice ask of hands and head: which of them carry a stroke, what it means, where sentences end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .lexicon import LANGUAGES, Lexicon, bare, language_of
from .words import COMMAS, STOPS, Word, syllable_count

CARRIES, PASSES, MEANS = 0.35, -0.5, 0.7
"""What a syllable of a content word, a function word and a word with a meaning counts beside how it sounds."""
AGAIN = {"you": 7.0, "me": 7.0, "there": 5.0, "all": 4.0, "hello": 6.0}
"""Seconds before the same is shown again; nobody points at every "you"."""
USUALLY = 2.0
"""The same of other meanings."""
LONGEST_ITEM = 4
"""Words of an item of a list at most."""


@dataclass(frozen=True)
class Spoken:
    """A word as hands take it.

    Attributes:
        start, end: seconds.
        weight: what its syllables count beside how they sound.
        meaning: of :data:`.gesture_shapes.MEANINGS`; empty where it has none of its own.
        ends: whether a clause or a sentence ends with it.
    """

    start: float
    end: float
    weight: float
    meaning: str = ""
    ends: bool = False


def wording(words: Sequence[Word]) -> tuple[Spoken, ...]:
    """Words in the order of time, as hands take them."""
    lexicon = LANGUAGES.get(language_of(word.text for word in words))
    items = list_items([word.text for word in words], lexicon)
    shown: dict[str, float] = {}
    result = []
    for index, word in enumerate(words):
        meaning = _meaning(words, index, lexicon) or items.get(index, "")
        kind = meaning.split()[0] if meaning else ""
        if kind and kind not in ("count", "item"):
            if word.start - shown.get(kind, -np.inf) < AGAIN.get(kind, USUALLY):
                meaning = ""
            else:
                shown[kind] = word.start
        weight = MEANS if meaning else CARRIES if is_content(word.text, lexicon) else PASSES
        ends = bool(STOPS.search(word.text) or COMMAS.search(word.text))
        result.append(Spoken(word.start, word.end, weight, meaning, ends))
    return tuple(result)


def is_content(word: str, lexicon: Lexicon | None) -> bool:
    """Whether a word says something by itself; in a language that is not known, longer ones do."""
    if lexicon is None:
        return syllable_count(word) > 1 or len(bare(word)) > 4
    return bare(word) not in lexicon.function


def _meaning(words: Sequence[Word], index: int, lexicon: Lexicon | None) -> str:
    text = bare(words[index].text)
    if text.isdecimal():
        return f"count {int(text)}" if len(text) < 2 and 1 <= int(text) <= 5 else ""
    if lexicon is None:
        return ""
    meaning = lexicon.meanings.get(text, "")
    if meaning.startswith("count 1"):
        # "One" counts where others follow; else it is a pronoun or an article.
        near = [lexicon.meanings.get(bare(word.text), "") for word in words[index + 1 : index + 8]]
        return meaning if "count 2" in near else ""
    return meaning


def list_items(texts: Sequence[str], lexicon: Lexicon | None) -> dict[int, str]:
    """The last content word of every item of a list, as ``item 0``, ``item 1``, ... by its place.

    A list is at least three short items with commas between, whatever stands before the last.
    """
    found: dict[int, str] = {}
    ends: list[int] = []

    def close() -> None:
        if len(ends) >= 3:
            for number, end in enumerate(ends):
                heads = (
                    i for i in range(end, max(end - LONGEST_ITEM, -1), -1) if is_content(texts[i], lexicon)
                )
                found[next(heads, end)] = f"item {number}"
        ends.clear()

    begin = 0
    for index, text in enumerate(texts):
        comma, stop = bool(COMMAS.search(text)), bool(STOPS.search(text))
        if not (comma or stop or index == len(texts) - 1):
            continue
        short = index - begin < LONGEST_ITEM
        if not short:
            close()
        if comma or (ends and short):
            ends.append(index)
        if not comma:
            close()
        begin = index + 1
    close()
    return found


def favour(words: Sequence[Spoken], frames: int, fps: float) -> np.ndarray:
    """(frames,) what a syllable that begins there counts beside how it sounds; 0 where no word is known."""
    values = np.zeros(frames)
    for word in words:
        # Words' times are good to a tenth of a second.
        values[max(round((word.start - 0.05) * fps), 0) : max(round((word.end - 0.03) * fps), 0)] = (
            word.weight
        )
    return values
