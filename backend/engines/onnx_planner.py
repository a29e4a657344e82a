"""The language model in onnxruntime: plans being written and captions being told.

What a token is turned into before the transformer reads it is a look-up and a sum, done in numpy; the cache of what was
read stays in onnxruntime's memory from call to call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort

from ..models.eight_bits import restored
from ..models.language_config import TASKS, LanguageConfig, Vocabulary
from ..text import TextEmbedding
from .onnx_session import Session

_EPSILON = 1e-5  # of torch's LayerNorm


class _Plan:
    """A plan being written: what it has read, and what may be attended to."""

    def __init__(self, prefix: np.ndarray, mask: np.ndarray, style: np.ndarray | None) -> None:
        self.prefix: np.ndarray | None = prefix
        self.mask = mask
        """(B, P) of the positions that the cache holds."""
        self.style = style
        self.cache: dict[str, Any] = {}


class OnnxPlanner:
    """The calls of :class:`~.base.Engine` that the language model answers alone.

    Args:
        config: its sizes.
        session: its graph.
        state: its weights as they are stored.
    """

    def __init__(self, config: LanguageConfig, session: Session, state: Mapping[str, np.ndarray]) -> None:
        self.language, self._session = config, session
        vocabulary = Vocabulary.build(config)
        self._table = restored(state, "embedding.weight")
        self._offsets = np.array([vocabulary.starts[part] for part in config.parts])
        self._lengths, self._pieces = vocabulary.lengths, vocabulary.pieces
        self._spelled = slice(vocabulary.pieces, vocabulary.chat)
        # A task that the model does not know counts as continuation.
        usual = vocabulary.tasks["continuation"]
        self._tasks = np.array([vocabulary.tasks.get(name, usual) for name in TASKS])
        self._project = {
            name: restored(state, f"text.{name}") for name in ("0.weight", "0.bias", "1.weight", "1.bias")
        }
        self._style = restored(state, "style.weight").T if config.style else None
        self._rhythm = restored(state, "rhythm.weight").T if config.rhythm else None

    def plan_start(
        self,
        text: TextEmbedding,
        length: np.ndarray,
        task: np.ndarray,
        *,
        style: np.ndarray | None = None,
        ends: np.ndarray | None = None,
    ) -> _Plan:
        words = text.tokens - text.tokens.mean(-1, keepdims=True)
        words = words / np.sqrt(np.square(words).mean(-1, keepdims=True) + _EPSILON)
        words = words * self._project["0.weight"] + self._project["0.bias"]
        context = [words @ self._project["1.weight"].T + self._project["1.bias"]]
        if ends is not None:
            context.append(self._embed(ends))
        context.append(self._table[np.stack([self._tasks[task], self._lengths + length], axis=1)])
        prefix = np.concatenate(context, axis=1, dtype=np.float32)
        rest = np.ones((len(prefix), prefix.shape[1] - text.mask.shape[1]), np.int32)
        manner = None if style is None or self._style is None else style @ self._style
        return _Plan(prefix, np.concatenate([text.mask.astype(np.int32), rest], axis=1), manner)

    def plan_step(
        self, state: _Plan, tokens: np.ndarray, rhythm: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        inputs = self._embed(tokens)
        if state.style is not None:
            inputs = inputs + state.style[:, None]
        if rhythm is not None and self._rhythm is not None:
            inputs = inputs + rhythm @ self._rhythm
        results = self._read(state, inputs)
        return {part: results[f"scores_{part}"].numpy() for part in self.language.parts}

    def plan_keep(self, state: _Plan, rows: np.ndarray) -> None:
        state.mask = state.mask[rows]
        if state.prefix is not None:
            state.prefix = state.prefix[rows]
        if state.style is not None:
            state.style = state.style[rows]
        state.cache = {
            name: ort.OrtValue.ortvalue_from_numpy(value.numpy()[rows]) for name, value in state.cache.items()
        }

    def tell_step(self, state: _Plan, pieces: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        if rows is not None:
            self.plan_keep(state, rows)
        results = self._read(state, self._table[self._pieces + pieces])
        scores: np.ndarray = results["hidden"].numpy() @ self._table[self._spelled].T
        return scores

    def _embed(self, tokens: np.ndarray) -> np.ndarray:
        """Tokens (B, S, P) -> summed embeddings (B, S, width)."""
        embedded: np.ndarray = self._table[tokens + self._offsets].sum(axis=2)
        return embedded

    def _read(self, state: _Plan, inputs: np.ndarray) -> dict[str, Any]:
        """The graph's results on what follows what the state has read."""
        if state.prefix is not None:
            read, inputs = 0, np.concatenate([state.prefix, inputs], axis=1)
            fresh = inputs.shape[1] - state.mask.shape[1]
            state.prefix = None
        else:
            read, fresh = state.mask.shape[1], inputs.shape[1]
        batch = len(inputs)
        state.mask = np.concatenate([state.mask, np.ones((batch, fresh), np.int32)], axis=1)
        positions = np.tile(np.arange(read, state.mask.shape[1]), (batch, 1))
        results = self._session.run_values(
            {"inputs": inputs.astype(np.float32), "mask": state.mask, "positions": positions},
            state.cache or self._empty(batch),
        )
        state.cache = {
            name.replace("present", "past"): value
            for name, value in results.items()
            if name.startswith("present")
        }
        return results

    def _empty(self, batch: int) -> dict[str, Any]:
        """The cache before anything is read."""
        heads = self.language.heads
        nothing = np.zeros((batch, heads, 0, self.language.width // heads), np.float32)
        return {
            name: ort.OrtValue.ortvalue_from_numpy(nothing)
            for name in self._session.inputs
            if name.startswith("past")
        }
