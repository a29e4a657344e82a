"""Motion told in words, measured against what people said of it.

BLEU after Papineni et al. (ACL 2002), over the whole corpus with the brevity penalty and several references,
as papers of motion captioning print it; and the cosine of sentence embeddings, which knows that "jogs" is
near "runs" and stands where those papers have BERTScore.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...backend.text import TextEncoder
from .retrieval import Interval
from .text_metrics import number


def words(text: str) -> list[str]:
    """Lower-case words, without punctuation."""
    return re.findall(r"[a-z0-9']+", text.lower())


def bleu(told: Sequence[str], references: Sequence[Sequence[str]], order: int = 4) -> float:
    """Corpus BLEU with n-grams up to ``order``, a share from 0 to 1.

    Args:
        told: one sentence of each clip.
        references: what people said of each clip, one sentence at least.
    """
    matches, totals = np.zeros(order), np.zeros(order)
    length = closest = 0
    for sentence, others in zip(told, references, strict=True):
        ours, theirs = words(sentence), [words(other) for other in others]
        length += len(ours)
        closest += min((abs(len(other) - len(ours)), len(other)) for other in theirs)[1]
        for n in range(1, order + 1):
            counts = _grams(ours, n)
            most: Counter[tuple[str, ...]] = Counter()
            for other in theirs:
                most |= _grams(other, n)
            matches[n - 1] += (counts & most).total()
            totals[n - 1] += counts.total()
    if not length or not matches.all():
        return 0.0
    brevity = min(1.0, float(np.exp(1 - closest / length)))
    return brevity * float(np.exp(np.log(matches / totals).mean()))


def _grams(sentence: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(sentence[i:] for i in range(n)), strict=False))


def similarity(told: Sequence[str], references: Sequence[Sequence[str]], encoder: TextEncoder) -> np.ndarray:
    """Cosine (N,) of each sentence to the nearest of its references, by sentence embeddings."""

    def unit(texts: Sequence[str]) -> np.ndarray:
        rows = np.stack([tokens.mean(0) for tokens in encoder.encode_many(list(texts))])
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))

    ours = unit(told)
    return np.array([float((unit(o) @ row).max()) for row, o in zip(ours, references, strict=True)])


def measure_captions(
    told: Sequence[str],
    references: Sequence[Sequence[str]],
    encoder: TextEncoder,
    *,
    replications: int = 20,
    seed: int = 0,
) -> dict[str, Any]:
    """``bleu1``, ``bleu4`` and ``similarity``, each with half of its 95 % interval over clips.

    Beside them ``shuffled``: the same sentences against references of other clips, which is what a model
    scores that always speaks of some motion or other.
    """
    rng = np.random.default_rng(seed)
    draws = [rng.integers(len(told), size=len(told)) for _ in range(replications)]
    turned = list(np.roll(np.arange(len(told)), 1))

    def spread(measure: Callable[[Sequence[int]], float]) -> dict[str, float]:
        values = [measure(draw.tolist()) for draw in draws]
        return {"mean": measure(range(len(told))), "half": 1.96 * float(np.std(values))}

    def picked(order: int) -> Callable[[Sequence[int]], float]:
        return lambda rows: bleu([told[i] for i in rows], [references[i] for i in rows], order)

    others = [references[i] for i in turned]
    return {
        "bleu1": spread(picked(1)),
        "bleu4": spread(picked(4)),
        "similarity": number(Interval.of(similarity(told, references, encoder).tolist())),
        "shuffled": {
            "bleu1": bleu(told, others, 1),
            "bleu4": bleu(told, others, 4),
            "similarity": float(similarity(told, others, encoder).mean()),
        },
    }
