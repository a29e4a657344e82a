"""Which samples to train on: length, quality, artefacts, a steady camera, no source above its share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import files
from .samples import Sample
from .validator import DataValidator


@dataclass(frozen=True)
class Rules:
    """What a sample must have. Frames are those of the motion, without held ones."""

    min_frames: int = 25
    max_frames: int = 500
    min_quality: float = 0.5
    min_camera_stability: float = 0.0
    max_artifacts: float = 0.5
    max_source_share: float = 0.4


PRETRAIN = Rules()
SFT = Rules(min_quality=0.8, min_camera_stability=0.6)
"""Fine-tuning wants the best of it."""


def artifacts(motion: np.ndarray, fps: float) -> float:
    """0 for captured motion, up to 1 for noise, frozen figures and jumps of figures (T, D) or (T, A, D).

    Jitter (two fifths): jerk against speed, 1 for white noise. Jumps (two fifths): frames that move ten
    times as far as half of the moving frames do; one in ten is the worst. Standing still (one fifth): frames slower than
    0.25 units a second.
    """
    flat = motion.reshape(len(motion), -1)
    if len(flat) < 4:
        return 0.0
    speed = np.linalg.norm(np.diff(flat, axis=0), axis=-1)
    jerk = np.linalg.norm(np.diff(flat, n=3, axis=0), axis=-1)
    # The third difference of white noise is sqrt(20 / 2) times its first; capture noise is no motion.
    jitter = min(jerk.mean() / (speed.mean() + 0.15 / fps) / np.sqrt(10.0), 1.0)
    still = speed * fps < 0.25
    usual = np.median(speed[~still]) if (~still).any() else np.inf
    jumps = min(10.0 * float((speed > 10.0 * usual).mean()), 1.0)
    return float(0.4 * jitter + 0.4 * jumps + 0.2 * still.mean())


def camera_stability(camera: np.ndarray) -> float:
    """1 for a camera (T, 3) that glides or stands, less the more it jerks."""
    jerk = np.diff(camera[:, :2], n=3, axis=0)
    return 1.0 / (1.0 + float(np.linalg.norm(jerk, axis=-1).mean())) if len(jerk) else 1.0


def quality(sample: Sample, validator: DataValidator | None = None) -> float:
    """0 to 1: the mean of the validator's score, the quality metadata there are, and freedom from artefacts.

    A ``quality_score`` in the sample is taken instead.
    """
    if "quality_score" in sample:
        return float(sample["quality_score"])
    known = (sample.get("enhanced_meta") or {}).get("quality") or {}
    parts = [known.get("marker_quality"), known.get("reconstruction_confidence")]
    parts += [(validator or DataValidator()).validate(sample).score]
    parts += [1.0 - artifacts(*_moving(sample))]
    return float(np.mean([part for part in parts if part is not None]))


def _moving(sample: Sample) -> tuple[np.ndarray, float]:
    meta = sample.get("meta") or {}
    end = meta.get("frames") or len(sample["motion"])
    return sample["motion"][:end].numpy().astype(np.float64), float(meta.get("fps") or 30.0)


class Judged(NamedTuple):
    """A sample's place in its files, and how good it is; ``why`` says why it is not wanted."""

    number: int
    source: str
    quality: float
    why: str


def judge(sample: Sample, number: int, rules: Rules) -> Judged:
    motion, fps = _moving(sample)
    score = quality(sample)
    why = ""
    if not rules.min_frames <= len(motion) <= rules.max_frames:
        why = f"not {rules.min_frames} to {rules.max_frames} frames"
    elif score < rules.min_quality:
        why = f"quality below {rules.min_quality:g}"
    elif artifacts(motion, fps) > rules.max_artifacts:
        why = f"artefacts above {rules.max_artifacts:g}"
    elif camera_stability(sample["camera"].numpy()) < rules.min_camera_stability:
        why = f"camera stability below {rules.min_camera_stability:g}"
    return Judged(number, str(sample.get("source", "")), score, why)


def balanced(wanted: Sequence[Judged], share: float) -> set[int]:
    """Numbers of the samples to keep so that no source has more than its share, the best of each source.

    As many samples are kept as can be. With fewer sources than the share has room for (two sources and
    0.4), the sources get equal parts, and a single one keeps all.
    """
    counts = Counter(one.source for one in wanted)
    if not counts:
        return set()
    share = max(share, 1.0 / len(counts))

    def most(total: int) -> int:
        return max(int(share * total + 1e-9), 1)

    total = len(wanted)
    while (kept := sum(min(count, most(total)) for count in counts.values())) < total:
        total = kept
    limit, taken, chosen = most(total), Counter[str](), set()
    for one in sorted(wanted, key=lambda one: (-one.quality, one.number)):
        if taken[one.source] < limit:
            taken[one.source] += 1
            chosen.add(one.number)
    return chosen


def curate(source: Path, target: Path, rules: Rules, *, shard: int = 0) -> dict[str, Any]:
    """Write the wanted samples of a file, or of its shards, in their order; it is read twice.

    Returns:
        read, written, the number dropped for each reason, and samples per source.

    Raises:
        BadInput: there are no samples.
    """
    judged = [judge(sample, number, rules) for number, sample in enumerate(files.iter_samples(source))]
    wanted = [one for one in judged if not one.why]
    chosen = balanced(wanted, rules.max_source_share)

    def kept() -> Iterator[Sample]:
        for one, sample in zip(judged, files.iter_samples(source), strict=True):
            if one.number in chosen:
                yield {**sample, "quality_score": round(one.quality, 4)}

    files.write(kept(), target, shard=shard)
    dropped = Counter(one.why for one in judged if one.why)
    if len(wanted) > len(chosen):
        dropped[f"its source is above {rules.max_source_share:.0%}"] = len(wanted) - len(chosen)
    sources = Counter(one.source for one in judged if one.number in chosen)
    return {
        "read": len(judged), "written": len(chosen), "dropped": dict(dropped), "sources": dict(sources),
    }  # fmt: skip
