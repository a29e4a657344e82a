"""A text laid along a voice: which word is spoken when, without a recogniser or an aligner's model.

Sentences end in pauses, words take time by their syllables, and begin with syllables that are heard.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import BadInput
from .activity import runs
from .features import SpeechFeatures
from .rhythm import syllables
from .words import COMMAS, STOPS, Transcript, Word, split, spread, syllable_count

FASTEST, SLOWEST = 9.0, 1.2
"""Syllables a second of speech; a transcript that asks for more or less is another recording's."""
_REACH = 60
"""Words before and after the proportional place in which a pause is looked for."""
_SPREAD, _LEAST = 0.2, 0.15
"""How far a stretch of speech is from the mean pace: a share of its length, and seconds beside."""
_NO_MARK, _COMMA, _UNUSED_STOP = 3.0, 0.4, 1.5
"""Cost of a long pause after a word without punctuation, after a comma, and of a full stop without a pause."""
_SHORT_PAUSE, _LONG_PAUSE = 0.1, 0.35
"""Seconds of quiet: a shorter one is a stop consonant, a longer one is surely a pause."""
_QUIET = -25.0
"""dB to speech."""


def align(text: str, features: SpeechFeatures) -> Transcript:
    """The words of a text, laid along the voice.

    Stretches of speech take words by their syllables at one pace; that they begin and end with the text's
    sentences is preferred (dynamic programming over the pauses). Inside of a stretch words begin with the
    syllables that are heard.

    Raises:
        BadInput: there is no word in the text.
    """
    words = split(text)
    if not words:
        raise BadInput("There are no words in the transcript.", field="transcript")
    stretches = _stretches(features)
    if not len(stretches):
        return Transcript(
            tuple(spread(words, 0.0, features.seconds)), ("The transcript has no speech to go with.",)
        )
    spoken, count = float((stretches[:, 1] - stretches[:, 0]).sum()), sum(map(syllable_count, words))
    warnings = []
    if not SLOWEST <= count / spoken <= FASTEST:
        much = "more" if count / spoken > FASTEST else "less"
        warnings.append(f"The transcript has much {much} words than the recording has time for.")
    heard, placed, begin = syllables(features), list[Word](), 0
    for (start, end), stop in zip(stretches, _shares(words, stretches), strict=True):
        placed += _snapped(spread(words[begin:stop], start, end), heard)
        begin = stop
    return Transcript(tuple(placed), tuple(warnings))


def _stretches(features: SpeechFeatures) -> np.ndarray:
    """(S, 2) seconds from and to of speech between pauses."""
    found: list[list[float]] = []
    for start, end in runs((features.activity > 0.5) & (features.loudness > _QUIET)):
        if found and start / features.fps - found[-1][1] <= _SHORT_PAUSE:
            found[-1][1] = end / features.fps
        else:
            found.append([start / features.fps, end / features.fps])
    return np.array(found).reshape(-1, 2)


def _shares(words: Sequence[str], stretches: np.ndarray) -> list[int]:
    """Up to which word each stretch goes: the cheapest way, by the pace and by where the text pauses."""
    said = np.concatenate([[0.0], np.cumsum([syllable_count(word) for word in words])])
    lasting = stretches[:, 1] - stretches[:, 0]
    pause = np.append(stretches[1:, 0] - stretches[:-1, 1], 0.0)
    sure = np.clip((pause - _SHORT_PAUSE) / (_LONG_PAUSE - _SHORT_PAUSE), 0.0, 1.0)
    pace = lasting.sum() / said[-1]
    cost_after = np.array([0.0] + [_pause_cost(word) for word in words])
    # A full stop that is passed without a pause costs, too: as many as lie inside of a stretch.
    stops = np.concatenate([[0.0], np.cumsum(cost_after[1:] == 0.0)])
    proportional = np.searchsorted(said, np.cumsum(lasting) / pace)
    edges = [np.array([0])]
    for middle in proportional[:-1]:
        edges.append(np.arange(max(middle - _REACH, 0), min(middle + _REACH, len(words)) + 1))
    edges.append(np.array([len(words)]))
    cost, chosen = np.zeros(1), []
    for index, long in enumerate(lasting):
        first, last = edges[index][:, None], edges[index + 1][None]
        wrong = ((said[last] - said[first]) * pace - long) / (_SPREAD * long + _LEAST)
        passed = np.maximum(stops[np.maximum(last - 1, 0)] - stops[first], 0.0)
        step = wrong**2 + sure[index] * cost_after[last] + _UNUSED_STOP * passed
        total = np.where(last >= first, cost[:, None] + step, np.inf)
        chosen.append(total.argmin(axis=0))
        cost = total.min(axis=0)
    at, shares = 0, []
    for index in range(len(lasting) - 1, -1, -1):
        shares.append(int(edges[index + 1][at]))
        at = int(chosen[index][at])
    return shares[::-1]


def _pause_cost(word: str) -> float:
    if STOPS.search(word):
        return 0.0
    return _COMMA if COMMAS.search(word) else _NO_MARK


def _snapped(words: list[Word], heard: np.ndarray) -> list[Word]:
    """Words that begin with the nearest syllable heard, if it is nearer than half a syllable and no word is lost."""
    if not words or not len(heard):
        return words
    starts = np.array([word.start for word in words])
    syllable = (words[-1].end - words[0].start) / sum(syllable_count(word.text) for word in words)
    nearest = heard[np.abs(heard[:, None] - starts).argmin(axis=0)]
    moved = np.where(np.abs(nearest - starts) < 0.5 * syllable, nearest, starts)
    moved[0] = starts[0]
    if (np.diff(moved) <= 0).any() or moved[-1] >= words[-1].end:
        return words
    ends = np.append(moved[1:], words[-1].end)
    return [
        Word(word.text, float(start), float(end)) for word, start, end in zip(words, moved, ends, strict=True)
    ]
