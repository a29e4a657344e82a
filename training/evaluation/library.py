"""The captured motions of training, as a search would give them: nearest in movement, and nearest in words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ...backend.text import TextEncoder
from ..corpus.dataset import Segment
from ..words.actions import actions_of
from .cases import MIN_FRAMES, Case, Made
from .metrics import Neighbours, descriptor, descriptor_of_clip
from .retrieval import cut


class Library:
    """The captured motions of training: the nearest in movement, and the nearest in words."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = [s for s in segments if not s.motion.mirrored and len(s) >= MIN_FRAMES]
        self.labels = [actions_of(s.captions) for s in self.segments]
        self._neighbours = Neighbours(np.stack([descriptor(cut(s)) for s in self.segments]))
        captions = [(i, caption) for i, s in enumerate(self.segments) for caption in s.captions]
        self._owners = np.array([i for i, _ in captions])
        self._sentences = _embed([caption for _, caption in captions])
        self._found: dict[tuple[str, str], int] = {}

    def nearest(self, moved: np.ndarray) -> np.ndarray:
        """Indices from the nearest descriptor on."""
        return self._neighbours.order(moved)

    def found(self, case: Case) -> int:
        """The segment whose caption is nearest in meaning, of another recording than the case's own."""
        key = case.caption, case.segment.motion.name
        if key not in self._found:
            order = self.told_like(case.caption)
            self._found[key] = next(int(i) for i in order if _other(self.segments[i], case.segment))
        return self._found[key]

    def told_like(self, text: str) -> np.ndarray:
        """Indices of the segments from the one whose caption is nearest in meaning on; each once per caption."""
        order: np.ndarray = self._owners[np.argsort(-(self._sentences @ _embed([text])[0]))]
        return order

    def meaning(self, moved: np.ndarray, nearest: int = 3) -> np.ndarray:
        """Unit sentence embedding (384,) of what a motion looks like: the mean of the captions of the segments
        nearest to its descriptor."""
        rows = np.stack(
            [self._sentences[self._owners == i].mean(0) for i in self.nearest(moved)[:nearest]]
        ).mean(0)
        return rows / np.linalg.norm(rows)

    def chance(self, action: str) -> float:
        """How often any motion carries the action."""
        return float(np.mean([action in names for names in self.labels]))


def _other(candidate: Segment, segment: Segment) -> bool:
    """Whether a segment comes from another recording than the one asked about."""
    return candidate.motion.name != segment.motion.name


def _embed(captions: list[str]) -> np.ndarray:
    """Unit sentence embeddings (N, 384)."""
    rows = np.stack([tokens.mean(0) for tokens in sentence_encoder().encode_many(captions)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@lru_cache(maxsize=1)
def sentence_encoder() -> TextEncoder:
    """The encoder of captions, loaded once."""
    return TextEncoder()


def action_match(made: Sequence[Made], library: Library) -> dict[str, Any] | None:
    """Does the nearest captured motion carry the action that the caption names?

    Beside the model stand the captured motion (its own recording left out), the nearest caption's motion,
    and chance. Captions that name no action are left out; ``None`` where none does.
    """
    rows = []
    named = [each for each in made if each.case.action != "other"]
    for each in named:
        case, clip = each.case, each.clips[0]
        nearest = library.nearest(descriptor_of_clip(clip))
        captured = cut(case.segment)
        others = [
            i for i in library.nearest(descriptor(captured)) if _other(library.segments[i], case.segment)
        ]
        rows.append(
            {
                "caption": case.caption,
                "action": case.action,
                "nearest": library.segments[nearest[0]].captions[0],
                "match": case.action in library.labels[nearest[0]],
                "match_3": any(case.action in library.labels[i] for i in nearest[:3]),
                "captured": case.action in library.labels[others[0]],
                "search": case.action in library.labels[library.found(case)],
                "chance": library.chance(case.action),
            }
        )
    if not rows:
        return None
    return {
        "cases": len(rows),
        **{
            key: float(np.mean([r[key] for r in rows]))
            for key in ("match", "match_3", "captured", "search", "chance")
        },
        "compute_seconds_per_second": float(np.median([m.cost for m in made])),
        "rows": rows,
    }
