"""Which words a segment is shown with: one of its captions, perhaps in other words, perhaps with a feeling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..corpus.dataset import Segment
from ..data.metadata import Expression
from ..words.paraphrase import evaluation_caption, some_paraphrases
from .latents import CaptionEmbeddings

Use = Literal["plain", "training", "evaluation"]


class Wording(BaseModel):
    """Keys under ``wording`` of the stages that read captions; by default captions are as they stand."""

    model_config = ConfigDict(extra="forbid")

    paraphrase: float = Field(0.0, ge=0, le=1)
    """Share of captions that training sees in other words (:mod:`..words.paraphrase`)."""
    variants: int = Field(4, ge=1)
    """At most so many rewritings of a caption; each is embedded once."""
    emotion: float = Field(0.0, ge=0, le=1)
    """Share of captions with the emotion of their segment before them, as ``<HAPPY> a person walks``."""


def emotion_token(segment: Segment) -> str:
    """``<HAPPY>`` and the like; empty where no emotion of the metadata's list is known."""
    known = segment.metadata.emotion
    label = (known.emotion_label if known is not None else None) or segment.emotion.lower()
    return f"<{label.upper()}>" if label in get_args(Expression) else ""


class Captions(CaptionEmbeddings):
    """The captions of segments with every wording that may be drawn, embedded."""

    def __init__(self, segments: Sequence[Segment], wording: Wording, cache: Path) -> None:
        self.wording = wording
        super().__init__({text for segment in segments for text in self.possible(segment)}, cache)

    def _reworded(self, caption: str, use: Use) -> tuple[str, ...]:
        if use == "training" and self.wording.paraphrase:
            return some_paraphrases(caption, self.wording.variants)
        if use == "evaluation":
            other = evaluation_caption(caption)
            return (other,) if other else ()
        return ()

    def possible(self, segment: Segment) -> Iterable[str]:
        """Every wording that may be drawn for the segment."""
        training = segment.motion.split == "train"
        for caption in segment.captions:
            texts = (caption, *self._reworded(caption, "training" if training else "evaluation"))
            yield from texts
            if training and self.wording.emotion and (token := emotion_token(segment)):
                yield from (f"{token} {text}" for text in texts)

    def choose(self, segment: Segment, rng: np.random.Generator, use: Use = "training") -> str:
        """A caption of the segment: as it stands (``plain``), as training sees it, or, of a segment held
        out, in words that training never makes (``evaluation``; as it stands where the rules fail)."""
        caption = segment.captions[int(rng.integers(len(segment.captions)))]
        wording = self.wording
        others = self._reworded(caption, use)
        if use == "evaluation":
            return others[0] if others else caption
        if others and rng.random() < wording.paraphrase:
            caption = others[int(rng.integers(len(others)))]
        if use == "training" and wording.emotion and rng.random() < wording.emotion:
            caption = f"{emotion_token(segment)} {caption}".strip()
        return caption
