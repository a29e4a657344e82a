"""Retrieval between text and motion, and the metrics of generated motion that build on the same embeddings.

Every metric takes rows of embeddings (:mod:`...backend.models.alignment`), so it is the same for captured
motion, generated motion and a baseline. Definitions: R-precision, MM-dist, FID, diversity and
multimodality after Guo et al. (CVPR 2022), retrieval protocols after TMR (Petrovich et al., ICCV 2023).
Numbers of retrieval are percentages as in those tables, R-precision is a share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...backend.errors import BadInput
from ...backend.models.alignment import Alignment, AlignmentConfig
from ...backend.motion.clip import Clip, place_at_origin, resample
from ...backend.motion.contacts import detect_contacts
from ...backend.motion.features import FPS, features_from_clip
from ...backend.search.alignment_space import stretches
from ...backend.text import TextEmbedding, TextEncoder
from ..corpus.dataset import Segment
from ..stages.latents import CaptionEmbeddings

RANKS = (1, 2, 3, 5, 10)
GROUP = 32
REPLICATIONS = 20

Features = dict[str, np.ndarray]
"""``{part: (T, F)}`` of one motion."""


# ----------------------------------------------------------------------------------- embedding


def load_alignment(folder: Path) -> Alignment:
    """A trained alignment model.

    Raises:
        BadInput: the folder holds none.
    """
    from safetensors.torch import load_file

    weights = Path(folder) / "model.safetensors"
    if not weights.exists():
        raise BadInput(
            f"{folder} holds no trained alignment model; run 'stage alignment' first.", field="alignment"
        )
    model = Alignment(AlignmentConfig.model_validate_json((Path(folder) / "config.json").read_text("utf-8")))
    model.load_state_dict(load_file(weights))
    return model.eval()


def cut(segment: Segment, start: int | None = None, stop: int | None = None) -> Features:
    """Features of a segment, or of frames ``start`` to ``stop`` of its motion."""
    first = segment.start if start is None else start
    last = segment.stop if stop is None else stop
    return {part: values[first:last] for part, values in segment.motion.features.items()}


def padded(
    motions: Sequence[Features], known: Sequence[dict[str, bool]], device: torch.device, parts: Sequence[str] = ("lower_trans", "upper")
) -> tuple[dict[str, Tensor], Tensor, Tensor]:  # fmt: skip
    """Motions as the model takes them: features (B, T, F) by part, known (B, parts), mask (B, T)."""
    lengths = np.array([len(next(iter(motion.values()))) for motion in motions])
    frames = int(lengths.max())
    features = {}
    for part in parts:
        size = next(motion[part].shape[1] for motion in motions if part in motion)
        rows = np.zeros((len(motions), frames, size), np.float32)
        for row, motion in zip(rows, motions, strict=True):
            if part in motion:
                row[: len(motion[part])] = motion[part]
        features[part] = torch.from_numpy(rows).to(device)
    there = np.array(
        [[flags.get(part, False) and part in motion for part in parts] for flags, motion in zip(known, motions, strict=True)]
    )  # fmt: skip
    mask = np.arange(frames) < lengths[:, None]
    return features, torch.from_numpy(there).to(device), torch.from_numpy(mask).to(device)


def embed_motions(
    model: Alignment, motions: Sequence[Features], known: Sequence[dict[str, bool]], view: str = "whole", *, batch: int = 32
) -> np.ndarray:  # fmt: skip
    """Unit rows (N, D) of motions of any length: means of their distributions.

    A motion longer than the model sees at once lies where its stretches do on average.
    """
    device, config = model.mean.device, model.config
    places = [
        (i, first, last)
        for i, motion in enumerate(motions)
        for first, last in stretches(len(next(iter(motion.values()))), config.max_frames)
    ]
    places.sort(key=lambda place: place[2] - place[1])  # little padding
    total = np.zeros((len(motions), config.width))
    for at in range(0, len(places), batch):
        chosen = places[at : at + batch]
        pieces = [{p: v[first:last] for p, v in motions[i].items()} for i, first, last in chosen]
        inputs = padded(pieces, [known[i] for i, _, _ in chosen], device, list(config.parts))
        rows = model.embed_motion(*inputs, view).float().cpu().numpy()
        np.add.at(total, [i for i, _, _ in chosen], rows)
    return _unit(total)


def embed_clips(model: Alignment, clips: Sequence[Clip], view: str = "whole") -> np.ndarray:
    """As :func:`embed_motions`, of clips as they come out of a generator or a file."""
    motions = []
    for clip in clips:
        clip = place_at_origin(clip if abs(clip.fps - FPS) < 1e-6 else resample(clip, FPS))
        clip = clip if clip.contacts is not None else clip.replace(contacts=detect_contacts(clip))
        motions.append(features_from_clip(clip)[0])
    return embed_motions(model, motions, [clip.known for clip in clips], view)


def embed_texts(
    model: Alignment, texts: Sequence[str], encoder: TextEncoder, view: str = "whole", *, batch: int = 64
) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows (N, D) of sentences in the space, and their sentence embeddings (N, 384)."""
    rows, sentences = [], []
    for at in range(0, len(texts), batch):
        found = encoder.encode(list(texts[at : at + batch]))
        sentences.append(found.pooled())
        rows.append(_embed_words(model, found)[view])
    return np.concatenate(rows), np.concatenate(sentences)


def _embed_words(model: Alignment, words: TextEmbedding) -> dict[str, np.ndarray]:
    device = model.mean.device
    found = model.embed_text(
        torch.from_numpy(words.tokens).to(device), torch.from_numpy(words.mask).to(device)
    )
    return {view: rows.float().cpu().numpy() for view, rows in found.items()}


class Pairs(NamedTuple):
    """Paired rows: text (N, D), motion (N, D), sentence embeddings (N, 384), and the captions."""

    text: np.ndarray
    motion: np.ndarray
    sentences: np.ndarray
    captions: list[str]


def segment_embeddings(
    model: Alignment,
    segments: Sequence[Segment],
    captions: CaptionEmbeddings,
    view: str = "whole",
    choose: Callable[[Segment], str] = lambda segment: segment.captions[0],
) -> Pairs:
    """Captioned motions of a corpus, one caption each (TMR takes the first)."""
    chosen = [choose(segment) for segment in segments]
    motions = embed_motions(model, [cut(s) for s in segments], [s.motion.known for s in segments], view)
    rows, sentences = [], []
    for at in range(0, len(chosen), 64):
        words = TextEmbedding(*captions.batch(list(chosen[at : at + 64])))
        sentences.append(words.pooled())
        rows.append(_embed_words(model, words)[view])
    return Pairs(np.concatenate(rows), motions, np.concatenate(sentences), chosen)


def merged(segments: Sequence[Segment], overlap: float = 0.8) -> list[Segment]:
    """Segments of which no two show the same thing: those of one motion that share nearly all their frames
    become the first of them, with all captions.

    A clip cut and told twice would otherwise be its own wrong answer.

    Args:
        overlap: frames shared, against the frames of both together.
    """
    kept: list[Segment] = []
    of_motion: dict[int, list[int]] = {}
    for segment in segments:
        for i in of_motion.setdefault(id(segment.motion), []):
            shared = min(segment.stop, kept[i].stop) - max(segment.start, kept[i].start)
            both = max(segment.stop, kept[i].stop) - min(segment.start, kept[i].start)
            if shared > overlap * both:
                captions = tuple(dict.fromkeys((*kept[i].captions, *segment.captions)))
                kept[i] = replace(kept[i], captions=captions)
                break
        else:
            of_motion[id(segment.motion)].append(len(kept))
            kept.append(segment)
    return kept


def nearest_captions(asked: Pairs, known: Pairs, apart: np.ndarray | None = None) -> np.ndarray:
    """For each asked caption the row (N,) of the known caption nearest in meaning: what a search would give.

    Args:
        apart: (N, M) pairs that may not be taken, for instance pieces of the same recording.
    """
    scores = asked.sentences @ known.sentences.T
    return np.argmax(scores if apart is None else np.where(apart, -np.inf, scores), axis=1)


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)).astype(np.float32)


# ----------------------------------------------------------------------------------- retrieval


def alike(sentences: np.ndarray, above: float) -> np.ndarray:
    """(N, N) whether unit sentence embeddings are more alike than ``above``, from 0 (opposite) to 1 (the same).

    TMR's scale, half of one plus the cosine: its 0.95 is a cosine of 0.9. Each is alike itself.
    """
    return ((1 + sentences @ sentences.T) / 2 > above) | np.eye(len(sentences), dtype=bool)


def ranks(scores: np.ndarray, right: np.ndarray | None = None) -> np.ndarray:
    """Rank (N,), from 0, of the best right answer to each row's question.

    Args:
        scores: (N, M) higher is nearer.
        right: (N, M) which answers are right; the diagonal when left out. Answers that tie with the best
            right one count half, so a model that cannot tell anything apart scores as chance does.
    """
    right = np.eye(len(scores), scores.shape[1], dtype=bool) if right is None else right
    best = np.where(right, scores, -np.inf).max(1, keepdims=True)
    ties = ((scores == best) & ~right).sum(1)
    return (scores > best).sum(1) + ties / 2


def summary(found: np.ndarray) -> dict[str, float]:
    """R@k in percent and the median rank (from 1)."""
    numbers = {f"R{k}": 100 * float((found < k).mean()) for k in RANKS}
    return {**numbers, "MedR": float(np.median(found)) + 1}


def least_alike(sentences: np.ndarray, count: int) -> np.ndarray:
    """Indices of ``count`` captions as little alike as possible, in order.

    The one with the most alike company is left out until enough are gone; then captions inside and
    outside change places for as long as that helps.
    """
    scores = (sentences @ sentences.T).astype(np.float64)
    np.fill_diagonal(scores, 0.0)
    kept, company = np.ones(len(scores), bool), scores.sum(1)
    for _ in range(len(scores) - count):
        worst = int(np.argmax(np.where(kept, company, -np.inf)))
        kept[worst] = False
        company -= scores[:, worst]
    while 0 < count < len(scores):
        inside, outside = np.flatnonzero(kept), np.flatnonzero(~kept)
        gain = company[inside][:, None] - company[outside] + scores[np.ix_(inside, outside)]
        i, j = np.unravel_index(int(np.argmax(gain)), gain.shape)
        if gain[i, j] < 1e-9:
            break
        kept[inside[i]], kept[outside[j]] = False, True
        company += scores[:, outside[j]] - scores[:, inside[i]]
    return np.flatnonzero(kept)


def protocols(
    text: np.ndarray,
    motion: np.ndarray,
    sentences: np.ndarray,
    *,
    threshold: float = 0.95,
    fewest: int = 100,
    group: int = GROUP,
    seed: int = 0,
) -> dict[str, dict[str, dict[str, float]]]:
    """TMR's four protocols, both ways: ``{protocol: {"t2m" | "m2t": {R1.. R10, MedR}}}``.

    ``all`` pairs compete; with a ``threshold``, an answer whose caption is alike the question's is right;
    ``nsim`` keeps the 100 least alike pairs; ``groups`` of 32 drawn at random are averaged. ``nsim`` and
    ``groups`` are left out where there are fewer pairs than they need.

    Args:
        text, motion: (N, D) unit rows, paired.
        sentences: (N, 384) unit sentence embeddings of the captions.
    """
    scores = text @ motion.T
    right = alike(sentences, threshold)
    found = {"all": both_ways(scores), "threshold": both_ways(scores, right)}
    if len(scores) >= fewest:
        chosen = least_alike(sentences, fewest)
        found["nsim"] = both_ways(scores[np.ix_(chosen, chosen)])
    if len(scores) >= group:
        order = np.random.default_rng(seed).permutation(len(scores))
        each = [
            both_ways(scores[np.ix_(rows, rows)])
            for rows in order[: len(order) // group * group].reshape(-1, group)
        ]
        found["groups"] = {
            way: {key: float(np.mean([one[way][key] for one in each])) for key in each[0][way]}
            for way in ("t2m", "m2t")
        }
    return found


def both_ways(scores: np.ndarray, right: np.ndarray | None = None) -> dict[str, dict[str, float]]:
    """Text to motion (rows ask) and motion to text (columns ask)."""
    turned = None if right is None else right.T
    return {"t2m": summary(ranks(scores, right)), "m2t": summary(ranks(scores.T, turned))}


# ------------------------------------------------------------------------------ generated motion


class Interval(NamedTuple):
    """A mean over replications and half of its 95 % interval."""

    mean: float
    half: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Interval:
        spread = 1.96 * float(np.std(values)) / np.sqrt(len(values))
        return cls(float(np.mean(values)), float(spread))


def r_precision(
    text: np.ndarray,
    motion: np.ndarray,
    right: np.ndarray | None = None,
    *,
    group: int = GROUP,
    top: int = 3,
    replications: int = REPLICATIONS,
    seed: int = 0,
) -> dict[str, Interval]:
    """How often the caption's own motion is among the nearest 1, 2, ... of a group: ``{"R1": ...}``, shares.

    Groups of 32 are drawn anew in every replication; motions that fill no group wait for another.

    Args:
        text: (N, D) embeddings of captions, motion: (N, D) of the motions made from them.
        right: (N, N) further answers that count as right, for instance of the same caption.

    Raises:
        BadInput: there are fewer pairs than one group takes.
    """
    if len(text) < group:
        raise BadInput(f"R-precision needs at least {group} pairs, there are {len(text)}.", field="cases")
    scores = -_distances(text, motion)
    rng = np.random.default_rng(seed)
    values: dict[str, list[float]] = {f"R{k}": [] for k in range(1, top + 1)}
    for _ in range(replications):
        order = rng.permutation(len(text))[: len(text) // group * group].reshape(-1, group)
        found = np.concatenate(
            [ranks(scores[np.ix_(g, g)], None if right is None else right[np.ix_(g, g)]) for g in order]
        )
        for k in range(1, top + 1):
            values[f"R{k}"].append(float((found < k).mean()))
    return {name: Interval.of(each) for name, each in values.items()}


def mm_dist(text: np.ndarray, motion: np.ndarray) -> float:
    """Mean distance of paired rows."""
    return float(np.linalg.norm(text - motion, axis=1).mean())


def fid(real: np.ndarray, made: np.ndarray) -> float:
    """Frechet distance of two sets of rows (N, D), (M, D), each taken as a normal distribution."""
    real, made = real.astype(np.float64), made.astype(np.float64)
    apart = real.mean(0) - made.mean(0)
    a, b = np.cov(real, rowvar=False), np.cov(made, rowvar=False)
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    # The trace of (a b)^1/2 without the root of a matrix that need not be symmetric nor of full rank.
    between = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0.0)).sum()
    return float(max(apart @ apart + np.trace(a) + np.trace(b) - 2 * between, 0.0))


def diversity(motion: np.ndarray, *, pairs: int = 300, seed: int = 0) -> float:
    """Mean distance of ``pairs`` pairs of rows drawn at random, each row at most once on either side.

    Fewer than ``pairs`` rows give as many pairs as there are rows, none with itself.
    """
    rng = np.random.default_rng(seed)
    count = min(pairs, len(motion))
    first = rng.permutation(len(motion))
    second = np.roll(first, int(rng.integers(1, max(len(motion), 2))))
    return float(np.linalg.norm(motion[first[:count]] - motion[second[:count]], axis=1).mean())


def multimodality(motion: np.ndarray, *, pairs: int = 10, seed: int = 0) -> float:
    """Mean distance between motions made from one caption: (captions, samples, D), 10 pairs a caption."""
    rng = np.random.default_rng(seed)
    count = motion.shape[1]
    if count < 2:
        raise BadInput("Multimodality needs at least two motions of each caption.", field="samples")
    values = []
    for rows in motion:
        order = rng.permutation(count)
        near = np.roll(order, int(rng.integers(1, count)))
        values.append(np.linalg.norm(rows[order[:pairs]] - rows[near[:pairs]], axis=1).mean())
    return float(np.mean(values))


def replicated(measure: Callable[[int], float], replications: int = REPLICATIONS) -> Interval:
    """``measure(seed)`` for so many seeds."""
    return Interval.of([measure(seed) for seed in range(replications)])


def measure(
    text: np.ndarray,
    motion: np.ndarray,
    real: np.ndarray,
    *,
    right: np.ndarray | None = None,
    samples: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, float]:
    """One replication of the whole table: R1 to R3, mm_dist, fid, diversity[, multimodality].

    Published tables generate anew for each of 20 replications; :func:`combine` makes one table of them.

    Args:
        text, motion: (N, D) captions and the motions made from them.
        real: (M, D) captured motions, for FID.
        right: see :func:`r_precision`.
        samples: (captions, samples, D) several motions of the same captions, for multimodality.
    """
    found = r_precision(text, motion, right, replications=1, seed=seed)
    numbers = {name: interval.mean for name, interval in found.items()}
    numbers |= {
        "mm_dist": mm_dist(text, motion),
        "fid": fid(real, motion),
        "diversity": diversity(motion, seed=seed),
    }
    if samples is not None:
        numbers["multimodality"] = multimodality(samples, seed=seed)
    return numbers


def combine(replications: Sequence[dict[str, float]]) -> dict[str, Interval]:
    """Mean and 95 % interval of every number over replications."""
    return {name: Interval.of([numbers[name] for numbers in replications]) for name in replications[0]}


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, M) Euclidean."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    square = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.sqrt(np.maximum(square, 0.0))
