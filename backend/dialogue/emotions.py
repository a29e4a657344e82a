"""What a direction in parentheses makes of a speech: a style, or something that the hands or the head show.

Ranks are places in the circumplex of affect (Russell, Journal of Personality and Social Psychology 39, 1980), with the
movement activity that Wallbott found for each (see :mod:`..speech.manner`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_STYLES: dict[tuple[float, float, float], str] = {
    # (energy, arousal, valence): words, by their beginnings
    (0.85, 0.9, 0.9): "excit enthusias thrill delight overjoy",
    (0.65, 0.65, 0.9): "happ joy cheer laugh smil grin amus bright glad playful fond",
    (0.9, 0.95, 0.1): "ang furi rag shout yell scream explod",
    (0.7, 0.75, 0.2): "annoy irritat frustrat impatien snap upset bitter sharp",
    (0.2, 0.2, 0.1): "sad cry tear weep sob heartbroken mourn grie",
    (0.25, 0.25, 0.25): "disappoint resign sigh dejected gloom guilt asham",
    (0.4, 0.8, 0.2): "afraid fear scar terrif panic nervous anxi worri frighten",
    (0.75, 0.85, 0.6): "surpris astonish amaz shock startl urgent",
    (0.2, 0.15, 0.45): "tired sleep exhaust wear bored yawn",
    (0.3, 0.2, 0.6): "calm gent soft quiet relax tender kind sooth whisper low warm",
    (0.75, 0.6, 0.65): "proud confiden firm determin loud",
}
STYLES = {
    word: {"energy": energy, "arousal": arousal, "valence": valence}
    for (energy, arousal, valence), words in _STYLES.items()
    for word in words.split()
}
"""Style ranks by the beginning of a word."""
EMOTIONS = (
    "neutral", "happy", "excited", "surprised", "proud", "calm", "tired", "sad", "disappointed", "afraid", "annoyed", "angry",
)  # fmt: skip
"""One word for every style, and one for none: what a panel offers, what an author of scripts writes."""
ACTS = {
    "nod": "yes",
    "agree": "yes",
    "shak": "no",
    "refus": "no",
    "shrug": "doubt",
    "wav": "hello",
    "greet": "hello",
    "point": "there",
}
"""Meanings that a speech begins with (:mod:`..speech.gesture_shapes`), by the beginning of a word."""
_NEGATIONS = ("not", "never", "without")
_TO_OTHER = re.compile(r"(to|at) (the |his |her )?\w+|re: .*", re.IGNORECASE)


def style_of(directions: tuple[str, ...]) -> dict[str, float]:
    """The style of a speech: the mean of the emotions that its directions name; empty where they name none."""
    found = [STYLES[word] for word in _known(directions, STYLES)]
    return {name: sum(style[name] for style in found) / len(found) for name in found[0]} if found else {}


def act_of(directions: tuple[str, ...]) -> str:
    """What the speech begins with, or an empty text."""
    return next((ACTS[word] for word in _known(directions, ACTS)), "")


def not_understood(directions: tuple[str, ...]) -> list[str]:
    """Directions in which nothing is known. Whom somebody speaks to is no news: there is one other."""
    return [
        direction
        for direction in directions
        if direction.lower() != EMOTIONS[0]
        and not (_known((direction,), STYLES) or _known((direction,), ACTS) or _TO_OTHER.fullmatch(direction))
    ]


def _known(directions: tuple[str, ...], table: Iterable[str]) -> list[str]:
    """Entries of a table that words of the directions begin with, in the order of the words; longest entry first.

    What is negated counts for nothing.
    """
    entries = sorted(table, key=len, reverse=True)
    found = []
    for direction in directions:
        words = re.findall(r"[^\W\d_]+", direction.lower())
        for before, word in zip(["", *words], words, strict=False):
            entry = next((entry for entry in entries if word.startswith(entry)), "")
            if entry and before not in _NEGATIONS:
                found.append(entry)
    return found
