"""Describing: the language model tells a clip in words, a few seconds at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..engines.base import Engine
from ..errors import BadInput
from ..models.language_config import TASKS, LanguageConfig, delayed_grid
from ..motion.clip import Clip, place_at_origin, resample
from ..motion.contacts import detect_contacts
from ..motion.features import FPS, features_from_clip
from ..motion.rhythm import PER_LATENT
from ..text import TextEmbedding
from .pieces import FILE, read_pieces
from .planning import log_softmax, no_text

if TYPE_CHECKING:
    from ..pipeline import Pipeline


class Teller(Protocol):
    """The calls of an engine that telling needs."""

    def plan_start(self, text: TextEmbedding, length: np.ndarray, task: np.ndarray) -> Any: ...

    def plan_step(self, state: Any, tokens: np.ndarray) -> dict[str, np.ndarray]: ...

    def tell_step(self, state: Any, pieces: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray: ...


LONGEST = 30
"""Word pieces of a sentence at most."""
BEAMS = 4
SHORTEST = 3
"""Latent frames below which nothing can be told."""


@dataclass(frozen=True)
class Description:
    """What happens in a stretch of a clip, times in seconds."""

    start: float
    stop: float
    text: str


def tell(
    engine: Teller, config: LanguageConfig, codes: dict[str, np.ndarray], beams: int = BEAMS
) -> list[int]:
    """The word pieces of the likeliest caption of codes ``{part: (L,)}``, found by beam search.

    Sentences of different length are compared by their mean log-probability per piece.
    """
    grid = delayed_grid(config, codes)
    tokens = np.concatenate([config.absent[None], grid])[None]
    end = config.piece_end
    task = np.array([TASKS.index("motion_to_text")])
    state = engine.plan_start(no_text(config, 1), np.array([0]), task)
    engine.plan_step(state, tokens)
    scores = log_softmax(engine.tell_step(state, np.array([[end]])))
    rows: list[list[int]] = [[]]
    sums = np.zeros(1)
    best: tuple[float, list[int]] = (-np.inf, [])
    for length in range(1, LONGEST + 2):
        totals = sums[:, None] + scores
        for row, total in zip(rows, totals[:, end], strict=True):
            if row and total / length > best[0]:
                best = float(total) / length, row
        if length > LONGEST:
            break
        totals[:, end] = -np.inf
        chosen = np.argsort(-totals, axis=None, kind="stable")[:beams]
        sources, pieces = np.unravel_index(chosen, totals.shape)
        sums = totals.reshape(-1)[chosen]
        # A sentence that goes on can only lose: even all of its further pieces being certain, it stays behind.
        if sums.max() / (LONGEST + 1) <= best[0]:
            break
        rows = [[*rows[source], int(piece)] for source, piece in zip(sources, pieces, strict=True)]
        scores = log_softmax(engine.tell_step(state, pieces[:, None], sources))
    return best[1]


def clip_codes(engine: Engine, config: LanguageConfig, clip: Clip) -> dict[str, np.ndarray]:
    """A clip as the language model reads it: codes ``{part: (L,)}``.

    Raises:
        BadInput: the clip does not know a part that the model reads, or is too short.
    """
    unknown = [part for part in config.parts if not clip.known[part]]
    if unknown:
        names = " and ".join(
            {"lower_trans": "legs and path", "upper": "upper body"}.get(p, p) for p in unknown
        )
        raise BadInput(f"The clip holds no {names}, so what it shows cannot be told.", field="clip")
    clip = place_at_origin(resample(clip, FPS))
    if len(clip) < SHORTEST * PER_LATENT:
        raise BadInput("The clip is too short to be told: half a second is needed.", field="clip")
    if clip.contacts is None:
        clip = clip.replace(contacts=detect_contacts(clip))
    features, _ = features_from_clip(clip)
    return {part: rows[0] for part, rows in engine.plan_codes(features).items() if part in config.parts}


def describe_clip(pipeline: Pipeline, clip: Clip) -> list[Description]:
    """What happens in a clip, in the order of time; a longer clip is told in equal stretches, and stretches
    that are told alike become one.

    Raises:
        BadInput: the pack cannot tell motion, or the clip cannot be read.
    """
    config = pipeline.config.language
    if not config.pieces or FILE not in pipeline.pack.files:
        raise BadInput(
            f"The pack {pipeline.pack.name} cannot tell motion in words.",
            hint="Choose a pack whose language model has learnt it.",
            field="pack",
        )
    vocabulary: Any = read_pieces(pipeline.pack.file(FILE))
    codes = clip_codes(pipeline.engine, config, clip)
    length = len(next(iter(codes.values())))
    # In training a motion shares its room with its caption.
    count = -(-length // max(config.max_length - LONGEST // 2, SHORTEST))
    edges = np.linspace(0, length, count + 1).round().astype(int)
    found: list[Description] = []
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        pieces = tell(pipeline.engine, config, {part: row[first:last] for part, row in codes.items()})
        text = vocabulary.decode(pieces)
        start, stop = (edge * pipeline.config.stride / FPS for edge in (first, last))
        if last == length:
            stop = clip.seconds
        if found and found[-1].text == text:
            start = found.pop().start
        found.append(Description(round(start, 3), round(stop, 3), text))
    return found
