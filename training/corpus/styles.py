"""The style of captioned segments as the models are shown it: ranks among the training motion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ...backend.models.style import FIELDS, RANGES
from ...backend.motion.style import MEASURED, Ranks, measure_features
from .dataset import Segment


class StyleDropout(BaseModel):
    """Keys under ``style`` of the stages that are conditioned on style."""

    model_config = ConfigDict(extra="forbid")

    whole: float = Field(0.1, ge=0, le=1)
    """Share of segments whose style is not told (condition dropout, seed 002)."""
    field: float = Field(0.4, ge=0, le=1)
    """Share of each field, of those that are, that is not: one slider must work alone."""


class SegmentStyles:
    """Style of every segment, measured once; the ranks are those of the training split.

    Attributes:
        ranks: what turns measurements into the numbers of a style slider.
    """

    def __init__(self, segments: Sequence[Segment]) -> None:
        measured = {
            id(s): measure_features({p: v[s.start : s.stop] for p, v in s.motion.features.items()})
            for s in segments
            if s.motion.known["lower_trans"] and s.motion.known["upper"]
        }
        training = [measured[id(s)] for s in segments if id(s) in measured and s.motion.split == "train"]
        self.ranks = Ranks.of(training or list(measured.values()) or [dict.fromkeys(MEASURED, 0.0)])
        self._values = {id(s): self._style(s, measured.get(id(s))) for s in segments}

    def _style(self, segment: Segment, measured: dict[str, float] | None) -> dict[str, float]:
        style = {} if measured is None else self.ranks.ranks(measured)
        emotion = segment.metadata.emotion
        for field in ("valence", "arousal"):
            value = getattr(emotion, field) if emotion is not None else None
            if value is not None:
                low, high = RANGES[field]
                style[field] = (value - low) / (high - low)
        return style

    def of(self, segment: Segment) -> dict[str, float]:
        """What is known of a segment's style, 0 to 1 each."""
        return self._values[id(segment)]

    def batch(
        self,
        segments: Sequence[Segment],
        rng: np.random.Generator | None = None,
        dropout: StyleDropout | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Values (B, 5) float32 and which are known (B, 5) bool, in the order of
        :data:`~understudy.backend.models.style.FIELDS`; with ``dropout`` some of them at random."""
        styles = [self.of(segment) for segment in segments]
        values = np.array([[style.get(field, 0.0) for field in FIELDS] for style in styles], np.float32)
        known = np.array([[field in style for field in FIELDS] for style in styles], bool)
        if rng is not None and dropout is not None:
            known &= rng.random(known.shape) >= dropout.field
            known &= rng.random((len(known), 1)) >= dropout.whole
        return values.reshape(-1, len(FIELDS)) * known.reshape(-1, len(FIELDS)), known.reshape(
            -1, len(FIELDS)
        )
