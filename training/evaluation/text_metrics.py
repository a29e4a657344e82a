"""The table of text to motion: generated, captured and searched motion by the same captions, in one space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb
from typing import Any

import numpy as np

from ...backend.models.alignment import Alignment
from ...backend.motion.clip import Clip
from ...backend.text import TextEncoder
from ..corpus.dataset import Segment
from .retrieval import (
    GROUP,
    Interval,
    cut,
    diversity,
    embed_clips,
    embed_motions,
    embed_texts,
    fid,
    mm_dist,
    multimodality,
    r_precision,
    ranks,
)

Number = dict[str, float]
"""``mean`` and ``half`` of the 95 % interval over captions; R-precision also has ``half_groupings``, which
is what published tables print: how far other groups of the same captions move the mean; and ``chance``, what
motion that has nothing to do with the captions reaches: more than k of 32 where several answers are right."""


class Space:
    """The alignment space; each segment and clip is embedded once."""

    def __init__(self, model: Alignment, encoder: TextEncoder) -> None:
        self._model, self._encoder = model, encoder
        self._segments: dict[tuple[int, int, int, str], np.ndarray] = {}
        self._clips: dict[tuple[int, str], tuple[Clip, np.ndarray]] = {}

    def texts(self, captions: Sequence[str], view: str = "whole") -> np.ndarray:
        return embed_texts(self._model, captions, self._encoder, view)[0]

    def clips(self, clips: Sequence[Clip], view: str = "whole") -> np.ndarray:
        new = list({id(clip): clip for clip in clips if (id(clip), view) not in self._clips}.values())
        if new:
            # The clip is kept too, so that no other gets its id.
            rows = embed_clips(self._model, new, view)
            self._clips.update({(id(clip), view): (clip, r) for clip, r in zip(new, rows, strict=True)})
        return np.stack([self._clips[id(clip), view][1] for clip in clips])

    def segments(self, segments: Sequence[Segment], view: str = "whole") -> np.ndarray:
        keys = [(id(s.motion), s.start, s.stop, view) for s in segments]
        missing = {k: s for k, s in zip(keys, segments, strict=True) if k not in self._segments}
        if missing:
            new = list(missing.values())
            rows = embed_motions(self._model, [cut(s) for s in new], [s.motion.known for s in new], view)
            self._segments.update(zip(missing, rows, strict=True))
        return np.stack([self._segments[key] for key in keys])


def number(interval: Interval) -> Number:
    return {"mean": interval.mean, "half": interval.half}


def spread(value: float, draws: Sequence[float]) -> Number:
    """A value, and half of its interval from values of other draws (no standard error of their mean)."""
    return {"mean": value, "half": 1.96 * float(np.std(draws))}


def by_chance(
    count: int, right: np.ndarray | None = None, *, top: int = 3, replications: int = 20, seed: int = 0
) -> dict[str, float]:
    """R-precision (``R1`` ..) that is expected of motion which has nothing to do with its captions.

    Args:
        count: captions N, at least one group of 32.
        right: (N, N) whose motion answers whose caption; each its own alone when left out.
    """
    right = np.eye(count, dtype=bool) if right is None else right
    rng = np.random.default_rng(seed)
    answers = np.concatenate(
        [
            right[np.ix_(rows, rows)].sum(1)
            for _ in range(replications)
            for rows in rng.permutation(count)[: count // GROUP * GROUP].reshape(-1, GROUP)
        ]
    )
    return {
        f"R{k}": float(np.mean([1 - comb(GROUP - int(n), k) / comb(GROUP, k) for n in answers]))
        for k in range(1, top + 1)
    }


def hits(
    text: np.ndarray,
    motion: np.ndarray,
    right: np.ndarray | None = None,
    *,
    top: int = 3,
    replications: int = 20,
    seed: int = 0,
) -> np.ndarray:
    """How often (N,), over groupings, each caption finds a right motion among the nearest ``top`` of a group
    of 32: R-precision case by case. NaN where the caption was in no group."""
    scores = -np.linalg.norm(text[:, None] - motion[None], axis=-1)
    rng = np.random.default_rng(seed)
    total, drawn = np.zeros(len(text)), np.zeros(len(text))
    for _ in range(replications if len(text) >= GROUP else 0):
        for rows in rng.permutation(len(text))[: len(text) // GROUP * GROUP].reshape(-1, GROUP):
            square = np.ix_(rows, rows)
            total[rows] += ranks(scores[square], None if right is None else right[square]) < top
            drawn[rows] += 1
    return np.divide(total, drawn, out=np.full(len(text), np.nan), where=drawn > 0)


def row(
    text: np.ndarray,
    motion: np.ndarray,
    real: np.ndarray,
    rights: dict[str, np.ndarray | None],
    *,
    replications: int,
    seed: int,
) -> dict[str, Number]:
    """Every number of one set of motions (N, D) for captions (N, D).

    R-precision is left out for fewer captions than a group takes. The interval of R-precision is the
    binomial one over captions; the others draw the captions anew with replacement.

    Args:
        real: (M, D) captured motion for FID.
        rights: by suffix of the name, which further answers count (:func:`.retrieval.r_precision`).
    """
    numbers: dict[str, Number] = {}
    for suffix, right in rights.items() if len(text) >= GROUP else ():
        found = r_precision(text, motion, right, replications=replications, seed=seed)
        luck = by_chance(len(text), right, replications=replications, seed=seed)
        for name, interval in found.items():
            half = 1.96 * np.sqrt(interval.mean * (1 - interval.mean) / len(text))
            numbers[name + suffix] = {
                "mean": interval.mean,
                "half": float(half),
                "half_groupings": interval.half,
                "chance": luck[name],
            }
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(text), size=(replications, len(text)))
    metrics: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {"mm_dist": mm_dist, "diversity": lambda _, m: diversity(m, seed=seed)}  # fmt: skip
    if min(len(real), len(motion)) > 1:
        metrics["fid"] = lambda _, m: fid(real, m)
    for name, measure in metrics.items():
        numbers[name] = spread(measure(text, motion), [measure(text[i], motion[i]) for i in drawn])
    return numbers


def subset_fid(
    real: np.ndarray, other: np.ndarray, size: int, *, replications: int, seed: int
) -> Number | None:
    """FID to ``real`` of as many captured motions as were generated, drawn at random from ``other``: what
    real motion of that many clips scores."""
    rng = np.random.default_rng(seed)
    size = min(size, len(other))
    if size < 2 or len(real) < 2:
        return None
    draws = [fid(real, other[rng.choice(len(other), size, replace=False)]) for _ in range(replications)]
    return spread(float(np.mean(draws)), draws)


def variety(
    made: dict[str, np.ndarray], real: dict[str, np.ndarray], *, replications: int, seed: int
) -> dict[str, Any]:
    """Multimodality of several clips of one prompt against the spread of real clips of its action.

    Args:
        made: by action (S, D) clips of one prompt.
        real: by action (M, D) captured clips of that action, M at least S.

    Returns:
        ``generated``, ``real`` and ``ratio`` over all actions, and ``actions`` one by one.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, dict[str, float]] = {}
    draws: list[dict[str, float]] = [{"generated": 0.0, "real": 0.0} for _ in range(replications)]
    for action, rows in made.items():
        samples = []
        for i, draw in enumerate(draws):
            picked = real[action][rng.choice(len(real[action]), len(rows), replace=False)]
            ours = multimodality(rows[None], seed=seed + i)
            theirs = multimodality(picked[None], seed=seed + i)
            draw["generated"] += ours / len(made)
            draw["real"] += theirs / len(made)
            samples.append((ours, theirs))
        ours, theirs = (float(x) for x in np.mean(samples, axis=0))
        found[action] = {"generated": ours, "real": theirs, "ratio": ours / max(theirs, 1e-9)}
    means = {key: float(np.mean([draw[key] for draw in draws])) for key in ("generated", "real")}
    return {
        "generated": spread(means["generated"], [draw["generated"] for draw in draws]),
        "real": spread(means["real"], [draw["real"] for draw in draws]),
        "ratio": means["generated"] / max(means["real"], 1e-9),
        "actions": found,
    }
