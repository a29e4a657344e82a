"""What the diffusion model is to follow: prompts, style and rhythm, each of which may be missing.

Guidance compares a prediction that follows everything with ones that each ignore one condition, so every
condition has a strength of its own; all of them go through the model as one batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..text import TextEmbedding

NAMES = ("text", "lower", "upper", "style", "speech", "words")
"""Conditions that have a guidance scale."""
Pair = tuple[np.ndarray, np.ndarray]
"""Values, and a mask of those that are given."""


def _says(pair: Pair | None) -> bool:
    return pair is not None and bool(pair[1].any())


def _silent(pair: Pair | None) -> Pair | None:
    return None if pair is None else (pair[0], np.zeros_like(pair[1]))


@dataclass(frozen=True)
class Conditions:
    """Conditions of a batch (B).

    Attributes:
        text: the prompts; with_text (B,) bool says which are to be read.
        halves: prompts of ``lower`` and ``upper``, where they have their own.
        style: (B, 5) ranks 0 to 1 in the order of :data:`~..models.style.FIELDS`, and (B, 5) bool which are
            given.
        rhythm: (B, L, 12) and (B, L) bool where it is given.
        sound: (B, L, 100) by :func:`~..speech.hearing.latent_sound` and (B, L) bool where it is given; beside the
            rhythm it is what ``speech`` stands for.
        words: (B, L, 384) by :func:`~..speech.hearing.spoken` and (B, L) bool where they are known.
    """

    text: TextEmbedding
    with_text: np.ndarray
    halves: Mapping[str, TextEmbedding] = field(default_factory=dict)
    style: Pair | None = None
    rhythm: Pair | None = None
    sound: Pair | None = None
    words: Pair | None = None

    @property
    def active(self) -> tuple[str, ...]:
        """The conditions that say something."""
        there = {
            "text": bool(self.with_text.any()),
            "lower": "lower" in self.halves,
            "upper": "upper" in self.halves,
            "style": _says(self.style),
            "speech": _says(self.rhythm) or _says(self.sound),
            "words": _says(self.words),
        }
        return tuple(name for name in NAMES if there[name])

    def without(self, name: str) -> Conditions:
        """The same with one condition that says nothing."""
        if name == "text":
            return replace(self, with_text=np.zeros_like(self.with_text))
        if name == "style":
            return replace(self, style=_silent(self.style))
        if name == "speech":
            return replace(self, rhythm=_silent(self.rhythm), sound=_silent(self.sound))
        if name == "words":
            return replace(self, words=_silent(self.words))
        own = self.halves[name]
        silent = TextEmbedding(own.tokens, np.zeros_like(own.mask))
        return replace(self, halves={**self.halves, name: silent})

    def window(self, start: int, stop: int) -> Conditions:
        """The conditions of latent frames ``start`` to ``stop``."""

        def cut(pair: Pair | None) -> Pair | None:
            return None if pair is None else (pair[0][:, start:stop], pair[1][:, start:stop])

        return replace(self, rhythm=cut(self.rhythm), sound=cut(self.sound), words=cut(self.words))

    @staticmethod
    def stack(passes: Sequence[Conditions]) -> Conditions:
        """Several versions of the same conditions as one batch, one after another."""

        def joined(texts: Sequence[TextEmbedding]) -> TextEmbedding:
            return TextEmbedding(
                np.concatenate([t.tokens for t in texts]), np.concatenate([t.mask for t in texts])
            )

        def pairs(values: Sequence[Pair | None]) -> Pair | None:
            there = [value for value in values if value is not None]
            if not there:
                return None
            return np.concatenate([v for v, _ in there]), np.concatenate([given for _, given in there])

        return Conditions(
            joined([p.text for p in passes]),
            np.concatenate([p.with_text for p in passes]),
            {half: joined([p.halves[half] for p in passes]) for half in passes[0].halves},
            pairs([p.style for p in passes]),
            pairs([p.rhythm for p in passes]),
            pairs([p.sound for p in passes]),
            pairs([p.words for p in passes]),
        )


@dataclass(frozen=True)
class Guidance:
    """How strongly each condition is followed: 1 as it was learned, 0 not at all, above 1 more.

    Attributes:
        scales: by condition, and by condition and part as ``speech.hands``, which goes before.
        widths: latent columns of each part, in their order.
    """

    scales: Mapping[str, float]
    widths: Mapping[str, int]

    def columns(self, name: str) -> np.ndarray:
        """The scale of a condition for every latent column (D,)."""
        return np.concatenate(
            [
                np.full(width, self.scales.get(f"{name}.{part}", self.scales.get(name, 1.0)), np.float32)
                for part, width in self.widths.items()
            ]
        )

    def combine(self, names: Sequence[str], clean: np.ndarray) -> np.ndarray:
        """One prediction of several (K + 1, B, L, D): the first follows all, the others lack ``names`` in turn."""
        result = clean[0].copy()
        for name, lacking in zip(names, clean[1:], strict=True):
            result += (self.columns(name) - 1) * (clean[0] - lacking)
        return result
