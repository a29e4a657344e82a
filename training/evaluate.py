"""What a pack can do, measured: held-in sanity, physics, tokenizer reconstruction."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from ..backend.motion.clip import Clip
from ..backend.motion.features import FPS, clip_from_features
from ..backend.pipeline import Pipeline, load_pipeline
from ..backend.protocol.messages import GenerateParams
from .actions import ACTIONS, action_of, actions_of
from .dataset import Corpus, Segment, load_corpus
from .metrics import Neighbours, descriptor, descriptor_of_clip, physics


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


def held_in(pipeline: Pipeline, corpus: Corpus, *, cases: int, seed: int) -> dict[str, Any]:
    """Captions of the training set: does the nearest training motion carry the same action?

    The cases spread over the actions of the set. Beside the model stands chance: how often a random
    training motion carries the action.
    """
    rng = np.random.default_rng(seed)
    segments = [s for s in corpus.segments if not s.motion.mirrored and len(s) >= 30]
    neighbours = Neighbours(np.stack([descriptor(_features(s)) for s in segments]))
    labels = [actions_of(s.captions) for s in segments]
    by_action = {a: [i for i, found in enumerate(labels) if a in found] for a in ACTIONS}
    by_action = {a: members for a, members in by_action.items() if members}
    actions = [str(a) for a in rng.permutation(sorted(by_action))]
    rows, reports, truths, seconds = [], [], [], []
    for case in range(cases):
        segment = segments[int(rng.choice(by_action[actions[case % len(actions)]]))]
        caption = str(
            rng.choice([c for c in segment.captions if action_of(c) == actions[case % len(actions)]])
        )
        length = min(len(segment), 300) / FPS
        started = time.perf_counter()
        clip = pipeline.generate(GenerateParams(prompt=caption, seconds=length, seed=seed + case))[0]
        seconds.append((time.perf_counter() - started) / length)
        nearest = neighbours.order(descriptor_of_clip(clip))
        action = action_of(caption)
        rows.append(
            {
                "caption": caption,
                "action": action,
                "nearest": segments[nearest[0]].captions[0],
                "nearest_3": [segments[i].captions[0] for i in nearest[:3]],
                "match": action in labels[nearest[0]],
                "match_3": any(action in labels[i] for i in nearest[:3]),
                "chance": float(np.mean([action in found for found in labels])),
            }
        )
        reports.append(physics(clip))
        truth = clip_from_features(_features(segment))
        truths.append(physics(truth))
    return {
        "cases": cases,
        "match": float(np.mean([r["match"] for r in rows])),
        "match_3": float(np.mean([r["match_3"] for r in rows])),
        "chance": float(np.mean([r["chance"] for r in rows])),
        "compute_seconds_per_second": float(np.median(seconds)),
        "physics_generated": _summary(reports),
        "physics_captured": _summary(truths),
        "rows": rows,
    }


def evaluate(
    pack: str, store: Path, *, cases: int = 20, seed: int = 1, datasets: tuple[str, ...] = ()
) -> dict[str, Any]:
    """All numbers of a pack on a store, ready for JSON."""
    pipeline = load_pipeline(pack)
    corpus = load_corpus(store, datasets=datasets, mirrored=False, extended=False)
    return {
        "pack": pipeline.pack.name,
        "held_in": held_in(pipeline, corpus.split("train"), cases=cases, seed=seed),
    }


def nearest_captions(clip: Clip, corpus: Corpus, count: int = 3) -> list[str]:
    """Captions of the motions nearest to a clip."""
    segments = [s for s in corpus.segments if len(s) >= 30]
    neighbours = Neighbours(np.stack([descriptor(_features(s)) for s in segments]))
    return [segments[i].captions[0] for i in neighbours.order(descriptor_of_clip(clip))[:count]]


def headline(numbers: dict[str, Any]) -> dict[str, float]:
    """The few numbers that go into pack.toml and the card."""
    held = numbers["held_in"]
    result = {
        "held-in action match, nearest clip": held["match"],
        "held-in action match, nearest three clips": held["match_3"],
        "held-in action match, chance": held["chance"],
        "seconds of computing per second of motion (torch, CPU)": held["compute_seconds_per_second"],
    }
    for name in held["physics_generated"]:
        result[f"{name}, generated"] = held["physics_generated"][name]["mean"]
        result[f"{name}, captured"] = held["physics_captured"][name]["mean"]
    return result


def report(numbers: dict[str, Any]) -> str:
    """A readable summary."""
    held = numbers["held_in"]
    lines = [f"Pack {numbers['pack']}, {held['cases']} captions of the training set", ""]
    for row in held["rows"]:
        mark = "=" if row["match"] else "~" if row["match_3"] else "x"
        lines.append(f"  {mark} {row['action']:10} {row['caption'][:60]:60} -> {row['nearest'][:60]}")
    lines.append("")
    lines += [f"  {name}: {value:.4g}" for name, value in headline(numbers).items()]
    return "\n".join(lines)
