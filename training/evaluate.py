"""What a pack can do, measured: does the motion carry the action asked for, and is it physical."""

from __future__ import annotations

import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..backend.motion.features import FPS, clip_from_features
from ..backend.pipeline import Pipeline, load_pipeline
from ..backend.protocol.messages import GenerateParams
from ..backend.text import TextEncoder
from .actions import ACTIONS, action_of, actions_of
from .dataset import Corpus, Segment, load_corpus
from .metrics import Neighbours, descriptor, descriptor_of_clip, physics

SPLITS = {
    "train": "training captions",
    "balanced": "training captions, each action as often",
    "val": "new captions",
}
PHYSICS = {
    "slide_share": "share of contact frames above 2.5 cm/s",
    "penetration_mean": "mean floor penetration in cm",
    "jerk": "mean jerk in m/s3",
}
MIN_FRAMES = 30
"""Shorter segments say too little about an action."""


def _features(segment: Segment) -> dict[str, np.ndarray]:
    return {part: values[segment.start : segment.stop] for part, values in segment.motion.features.items()}


def _summary(reports: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean and spread of each number over clips."""
    return {
        key: {
            "mean": float(np.nanmean([r[key] for r in reports])),
            "std": float(np.nanstd([r[key] for r in reports])),
        }
        for key in reports[0]
    }


def action_match(
    pipeline: Pipeline, asked: Corpus, reference: Corpus, *, cases: int, seed: int, balanced: bool = False
) -> dict[str, Any]:
    """Generate from captions of ``asked``: does the nearest motion of ``reference`` carry the action?

    The cases are drawn as the captions are, or, when ``balanced``, each action as often. Beside the model stand the captured motion itself (the motion of
    the caption, its own trial left out of the reference), the nearest caption's motion (what a search
    would give), and chance (how often any reference motion carries the action).
    """
    rng = np.random.default_rng(seed)
    prompts = [s for s in asked.segments if not s.motion.mirrored and len(s) >= MIN_FRAMES]
    segments = [s for s in reference.segments if not s.motion.mirrored and len(s) >= MIN_FRAMES]
    descriptors = np.stack([descriptor(_features(s)) for s in segments])
    neighbours = Neighbours(descriptors)
    labels = [actions_of(s.captions) for s in segments]
    captions = [(i, caption) for i, s in enumerate(segments) for caption in s.captions]
    embeddings = _embed([caption for _, caption in captions])
    by_action = {a: [s for s in prompts if a in actions_of(s.captions)] for a in ACTIONS}
    actions = [str(a) for a in rng.permutation(sorted(a for a, members in by_action.items() if members))]
    named = [segment for members in by_action.values() for segment in members]
    rows, reports, truths, seconds = [], [], [], []
    for case in range(cases):
        if balanced:
            action = actions[case % len(actions)]
            segment = by_action[action][int(rng.integers(len(by_action[action])))]
            caption = str(rng.choice([c for c in segment.captions if action_of(c) == action]))
        else:
            segment = named[int(rng.integers(len(named)))]
            caption = str(rng.choice([c for c in segment.captions if action_of(c) != "other"]))
            action = action_of(caption)
        length = min(len(segment), 300) / FPS
        started = time.perf_counter()
        clip = pipeline.generate(GenerateParams(prompt=caption[:500], seconds=length, seed=seed + case))[0]
        seconds.append((time.perf_counter() - started) / length)
        nearest = neighbours.order(descriptor_of_clip(clip))
        others = [i for i in neighbours.order(descriptor(_features(segment))) if _other(segments[i], segment)]
        scores = embeddings @ _embed([caption])[0]
        found = next(i for i in (captions[k][0] for k in np.argsort(-scores)) if _other(segments[i], segment))
        rows.append(
            {
                "caption": caption,
                "action": action,
                "nearest": segments[nearest[0]].captions[0],
                "match": action in labels[nearest[0]],
                "match_3": any(action in labels[i] for i in nearest[:3]),
                "captured": action in labels[others[0]],
                "search": action in labels[found],
                "chance": float(np.mean([action in names for names in labels])),
            }
        )
        reports.append(physics(clip))
        truths.append(physics(clip_from_features(_features(segment))))
    return {
        "cases": cases,
        **{
            key: float(np.mean([r[key] for r in rows]))
            for key in ("match", "match_3", "captured", "search", "chance")
        },
        "compute_seconds_per_second": float(np.median(seconds)),
        "physics_generated": _summary(reports),
        "physics_captured": _summary(truths),
        "rows": rows,
    }


def _other(candidate: Segment, segment: Segment) -> bool:
    """Whether a segment comes from another recording than the one asked about."""
    return candidate.motion.name != segment.motion.name


def _embed(captions: list[str]) -> np.ndarray:
    """Unit sentence embeddings (N, 384)."""
    rows = np.stack([tokens.mean(0) for tokens in _encoder().encode_many(captions)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@lru_cache(maxsize=1)
def _encoder() -> TextEncoder:
    return TextEncoder()


def evaluate(
    pack: str, store: Path, *, cases: int = 20, seed: int = 1, datasets: tuple[str, ...] = ()
) -> dict[str, Any]:
    """All numbers of a pack on a store, ready for JSON: on captions seen in training, and on new ones."""
    pipeline = load_pipeline(pack)
    corpus = load_corpus(store, datasets=datasets, mirrored=False, extended=False)
    training, validation = corpus.split("train"), corpus.split("val")
    numbers: dict[str, Any] = {"pack": pipeline.pack.name}
    numbers["train"] = action_match(pipeline, training, training, cases=cases, seed=seed)
    numbers["balanced"] = action_match(pipeline, training, training, cases=cases, seed=seed, balanced=True)
    if validation.segments:
        numbers["val"] = action_match(pipeline, validation, training, cases=cases, seed=seed)
    return numbers


def headline(numbers: dict[str, Any]) -> dict[str, float]:
    """The few numbers that go into pack.toml and the card."""
    result: dict[str, float] = {}
    for split, name in SPLITS.items():
        if split not in numbers:
            continue
        found = numbers[split]
        spread = 1.96 * np.sqrt(found["match"] * (1 - found["match"]) / found["cases"])
        result[f"{name}: action of the nearest clip right"] = found["match"]
        result[f"{name}: half of its 95 % interval"] = float(spread)
        result[f"{name}: right in one of the nearest three"] = found["match_3"]
        result[f"{name}: the same for captured motion"] = found["captured"]
        result[f"{name}: the same for the nearest caption's motion"] = found["search"]
        result[f"{name}: by chance"] = found["chance"]
        if split == "balanced":
            continue
        for key, label in PHYSICS.items():
            result[f"{name}: {label}, generated"] = found["physics_generated"][key]["mean"]
            result[f"{name}: {label}, captured"] = found["physics_captured"][key]["mean"]
    result["seconds of computing per second of motion (torch, CPU)"] = numbers["train"][
        "compute_seconds_per_second"
    ]
    return result


def report(numbers: dict[str, Any]) -> str:
    """A readable summary."""
    lines = [f"Pack {numbers['pack']}"]
    for split in (split for split in SPLITS if split in numbers):
        lines += ["", f"{numbers[split]['cases']} {SPLITS[split]}:"]
        for row in numbers[split]["rows"]:
            mark = "=" if row["match"] else "~" if row["match_3"] else "x"
            lines.append(f"  {mark} {row['action']:10} {row['caption'][:58]:58} -> {row['nearest'][:58]}")
    lines.append("")
    lines += [f"  {name}: {value:.4g}" for name, value in headline(numbers).items()]
    return "\n".join(lines)
