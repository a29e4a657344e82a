"""Sizes, vocabulary and inputs of the motion language model; see :mod:`.language`."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..motion.rhythm import CHANNELS, PER_LATENT
from .chat_words import ChatConfig

TASKS = ("text_to_motion", "continuation", "in_between", "motion_to_text", "speech_to_motion")
FIRST_TASKS = TASKS[:2]
"""The tasks of models whose configuration names none."""
RHYTHM_WIDTH = len(CHANNELS) * PER_LATENT
"""Numbers of rhythm in a latent frame."""


class LanguageConfig(BaseModel):
    """Sizes of the language model. ``backbone`` is any causal model type of transformers."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    parts: dict[str, int]
    """Codes of each part's first level, in the order of prediction."""
    text_width: int = 384
    model_type: str = "llama"
    width: int = 256
    layers: int = 5
    heads: int = 4
    feed_forward: int = 768
    dropout: float = 0.1
    max_length: int = 80
    """The longest plan seen in training, in latent frames; longer plans slide."""
    tasks: tuple[str, ...] = FIRST_TASKS
    """Those of :data:`TASKS` that it was trained for."""
    pieces: int = 0
    """Word pieces that it tells motion in; 0: it cannot."""
    style: bool = False
    """Takes a style (:data:`~.style.FIELDS`)."""
    rhythm: bool = False
    """Takes a rhythm (:mod:`..motion.rhythm`)."""
    backbone: dict[str, Any] = {}
    """Configuration of the pretrained model that is the base; empty: built from the sizes above."""
    piece_end: int = 0
    """The piece that begins and ends a caption."""
    chat: ChatConfig | None = None
    """What it knows of conversations; none: it takes part in none."""

    @property
    def delays(self) -> dict[str, int]:
        return {part: min(i, 1) for i, part in enumerate(self.parts)}

    @property
    def absent(self) -> np.ndarray:
        """(P,) the token "not there" of each part."""
        return np.array([codes + 1 for codes in self.parts.values()])

    def task(self, *, text: bool, rhythm: bool = False, end: bool = False) -> int:
        """Index into :data:`TASKS` of writing motion from what is given."""
        name = (
            "in_between" if end else "text_to_motion" if text else "speech_to_motion" if rhythm else "continuation"
        )  # fmt: skip
        return TASKS.index(name)


class Vocabulary(NamedTuple):
    """Where each kind of token lives in the one embedding table."""

    tasks: dict[str, int]
    lengths: int
    starts: dict[str, int]
    pieces: int
    chat: int
    size: int

    @classmethod
    def build(cls, config: LanguageConfig) -> Vocabulary:
        lengths = len(FIRST_TASKS)
        at = lengths + config.max_length + 1  # length 0 = not given
        starts = {}
        for part, codes in config.parts.items():
            starts[part] = at
            at += codes + 2  # the codes, then "end", then "not there" (start, delay, unknown part)
        # Later than the rest, so that the table of a model with fewer tasks is the beginning of this one.
        later = [task for task in config.tasks if task not in FIRST_TASKS]
        tasks = {task: i for i, task in enumerate(FIRST_TASKS)} | {
            task: at + i for i, task in enumerate(later)
        }
        at += len(later)
        chat = at + (0 if config.backbone else config.pieces)
        size = chat + (0 if config.chat is None else config.chat.size)
        return cls(tasks, lengths, starts, at, chat, size)

    def spans(self, config: LanguageConfig) -> dict[str, tuple[int, int]]:
        """Half-open rows of the table by what they mean."""
        spans = {f"task {task}": (at, at + 1) for task, at in self.tasks.items()}
        spans |= {"lengths": (self.lengths, self.lengths + config.max_length + 1)}
        spans |= {part: (at, at + config.parts[part] + 2) for part, at in self.starts.items()}
        return spans | {"pieces": (self.pieces, self.chat), "chat": (self.chat, self.size)}


def delayed_grid(config: LanguageConfig, codes: dict[str, np.ndarray]) -> np.ndarray:
    """Codes ``{part: (L,)}`` -> tokens (L + 1, P): the first part ends with "end", the others lag."""
    length = len(next(iter(codes.values())))
    grid = np.tile(config.absent, (length + 1, 1))
    for i, (part, delay) in enumerate(config.delays.items()):
        if part in codes:
            grid[delay : delay + length, i] = codes[part]
    grid[length, 0] = next(iter(config.parts.values()))
    return grid


def style_input(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Styles 0 to 1 (B, 5) and which are known (B, 5) -> (B, 10) float32: centred, zero where unknown."""
    return np.concatenate([(2 * values - 1) * known, known], axis=1).astype(np.float32)


def rhythm_input(rhythm: np.ndarray) -> np.ndarray:
    """Rhythm (..., 12) -> (..., 13) float32, the last says that it is given; zeros stand for none."""
    return np.concatenate([rhythm, np.ones_like(rhythm[..., :1])], axis=-1).astype(np.float32)
