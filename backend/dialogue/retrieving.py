"""The same dialogue out of clips that exist: for every line the clip is found that shows what is said or done.

It is the baseline that generation is measured against, and where a library is good, a choice of its own: captured bodies
move as bodies do. A found clip is played as fast as the line needs within bounds, over a body that stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..motion.clip import Clip, sampled
from ..motion.features import FPS
from ..speech.voice import Voice
from .acting import Body, Perform
from .doing import Doing
from .emotions import EMOTIONS, style_of
from .laying import laid_over, stays
from .resting import hanging
from .shelf import Find, Piece
from .standing import back_and_forth
from .turns import Turn

FASTER, SLOWER = 1.35, 0.75
"""How fast a clip may be played."""
SAID = 0.35
"""What the nearness to the words counts, beside the nearness to the motion."""
STAYING = 0.5
"""What it counts that a clip can be performed where one stands."""
AGAIN = 0.15
"""What it costs that a clip was used before."""
_TALKS = "a person stands and talks and gestures with the hands"


class Retriever:
    """Finds motions, and does not show the same one over and over.

    Args:
        find: searches a library.
    """

    def __init__(self, find: Find) -> None:
        self._find = find
        self._used: dict[Path, int] = {}
        self.found: list[tuple[str, str]] = []
        """What was asked for, and the caption or the name of what was found."""

    def motion(self, query: str, seconds: float, seed: int, said: str = "") -> Clip:
        """A motion of so many seconds at 30 fps.

        Args:
            query: what it shows.
            seconds: wanted.
            seed: of how a short one is played on.
            said: words that it may also be near to.
        """
        pieces: dict[tuple[object, float], tuple[float, Piece]] = {}
        for text, weight in ((query, 1.0), (said, SAID)):
            for piece in self._find(text) if text else ():
                key = (piece.path, piece.start)
                before = pieces.get(key, (0.0, piece))[0]
                pieces[key] = (before + weight * piece.score, piece)
        ranked = []
        for score, piece in pieces.values():
            clip = piece.clip()
            used = self._used.get(piece.path, 0)
            ranked.append((score + STAYING * stays(clip) - AGAIN * used, piece, clip))
        _, piece, clip = max(ranked, key=lambda one: one[0])
        self._used[piece.path] = self._used.get(piece.path, 0) + 1
        self.found.append((query, piece.text or piece.path.stem))
        return fitted(clip, max(round(seconds * FPS), 2), seed)

    def perform(self) -> Perform:
        """Motions of prompts."""
        return lambda prompt, seconds, seed: self.motion(prompt, seconds, seed)

    def body(self, standing: Body, turns: Sequence[Turn], doings: Sequence[Doing]) -> Body:
        """Bodies that move as found in their own turns, and stand with hanging arms in the other's.

        Args:
            standing: what they do else.
            turns: of the dialogue.
            doings: speeches among them have a motion of their own.
        """
        busy = {doing.speech for doing in doings if doing.kind == "prompt" and not doing.pause}

        def body(voice: Voice, seed: int, name: str) -> Clip:
            clip = hanging(standing(voice, seed, name))
            for turn in turns:
                if turn.speech.speaker != name or turn.speech.number in busy:
                    continue
                query = query_of(turn)
                part = self.motion(
                    query, turn.end - turn.start + 0.6, seed + turn.speech.number, turn.speech.text
                )
                clip = laid_over(clip, part, turn.start - 0.3)
            return clip

        return body


def query_of(turn: Turn) -> str:
    """What is looked for, for a line: talk in its mood."""
    style = style_of(turn.speech.directions)
    if not style:
        return _TALKS
    named = {word: style_of((word,)) for word in EMOTIONS[1:]}
    nearest = min(named, key=lambda word: sum((named[word][axis] - style[axis]) ** 2 for axis in style))
    return f"{_TALKS}, {nearest}"


def fitted(clip: Clip, frames: int, seed: int) -> Clip:
    """The clip in ``frames`` frames: a little faster or slower; the middle of a longer one, a shorter one to and fro."""
    length = len(clip)
    if length > FASTER * frames:
        reach = int(FASTER * frames)
        first = (length - reach) // 2
        clip, length = clip.slice(first, first + reach), reach
    if length >= SLOWER * frames:
        return sampled(clip, np.linspace(0.0, length - 1, frames))
    return sampled(clip, back_and_forth(length, frames, np.random.default_rng([seed, 71])))
