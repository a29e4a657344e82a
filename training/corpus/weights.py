"""Which captioned segments are drawn how often: by quality, by data set, by how rare their action is.

A segment with the weight 2 is drawn twice as often, which is, in the mean, the loss counted twice; no
batch is spent on samples that hardly count (the seed's sample weighting, seed 002 §5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ...backend.errors import BadInput
from ..words.actions import actions_of
from .dataset import Segment

Measure = Literal["marker_quality", "physics_score", "reconstruction_confidence"]


class Weighting(BaseModel):
    """Keys under ``weights`` of the stages that draw segments; by default all count the same."""

    model_config = ConfigDict(extra="forbid")

    quality: dict[Measure, float] = {}
    """Exponent of each measure of the enhanced metadata, e.g. ``{marker_quality: 1}``; what a segment does
    not know counts as 1, and what is above 1 (``physics_score`` has no upper end) too."""
    least: float = Field(0.05, gt=0, le=1)
    """A measure below this counts as this: a poor sample is rare, not gone."""
    datasets: dict[str, float] = {}
    """Factor of each data set, 1 where not named; 0 leaves a set out."""
    actions: float = Field(1.0, ge=0, le=1)
    """How often an action is drawn goes with its number of segments to this power: 1 as they are, 0 every
    action as often as another, in between rare ones oftener."""

    @property
    def uniform(self) -> bool:
        return not any(self.quality.values()) and not self.datasets and self.actions == 1.0


def segment_weights(segments: Sequence[Segment], weighting: Weighting) -> np.ndarray:
    """Weight of each segment (N,), their mean 1.

    Raises:
        BadInput: a data set is named that no segment comes from, or nothing is left.
    """
    named = {segment.motion.dataset for segment in segments}
    for dataset in weighting.datasets:
        if dataset not in named:
            raise BadInput(
                f"weights.datasets names {dataset}, but the sets here are {', '.join(sorted(named))}.",
                field="weights.datasets",
            )
    result = np.array([_quality(s, weighting) for s in segments])
    result *= [weighting.datasets.get(s.motion.dataset, 1.0) for s in segments]
    if weighting.actions < 1:
        labels = [actions_of(s.captions) or {"other"} for s in segments]
        counts = Counter(label for names in labels for label in names)
        # n segments of an action, each drawn with n ** (power - 1), are drawn with n ** power together.
        share = {label: count ** (weighting.actions - 1.0) for label, count in counts.items()}
        result *= [np.mean([share[label] for label in names]) for names in labels]
    if len(result) and not (result.sum() > 0 and np.isfinite(result).all()):
        raise BadInput("With these weights no segment is left to train on.", field="weights")
    return result / result.mean() if len(result) else result


def _quality(segment: Segment, weighting: Weighting) -> float:
    known = segment.metadata.quality
    product = 1.0
    for name, power in weighting.quality.items():
        value = getattr(known, name) if known is not None else None
        if value is not None:
            product *= min(max(value, weighting.least), 1.0) ** power
    return product


class Chooser:
    """Draws segments as often as their weights say."""

    def __init__(self, segments: Sequence[Segment], weighting: Weighting) -> None:
        self.segments = segments
        self._chances: np.ndarray | None = None
        if not weighting.uniform:
            self._chances = np.cumsum(segment_weights(segments, weighting))
            self._chances /= self._chances[-1]

    def __call__(self, rng: np.random.Generator, count: int) -> list[Segment]:
        if self._chances is None:
            return [self.segments[i] for i in rng.integers(len(self.segments), size=count)]
        return [self.segments[i] for i in np.searchsorted(self._chances, rng.random(count), side="right")]
