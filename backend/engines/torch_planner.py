"""The language model in torch: plans being written and captions being told, with the cache of what was read."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..models.language import MotionLanguageModel
from ..text import TextEmbedding


class _Plan:
    """A plan being written: the cache, and the mask of what may be attended to."""

    def __init__(self, prefix: Tensor, mask: Tensor, style: Tensor | None) -> None:
        self.prefix: Tensor | None = prefix
        self.mask = mask
        self.read = 0
        """Positions of the mask that the cache holds."""
        self.style = style
        self.cache: Any = None


class TorchPlanner:
    """The calls of :class:`~.base.Engine` that the language model answers alone."""

    def __init__(self, language: MotionLanguageModel, device: torch.device) -> None:
        self._language, self._device = language, device

    def _send(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

    @torch.inference_mode()
    def plan_start(
        self,
        text: TextEmbedding,
        length: np.ndarray,
        task: np.ndarray,
        *,
        style: np.ndarray | None = None,
        ends: np.ndarray | None = None,
    ) -> _Plan:
        mask = self._send(text.mask).long()
        prefix = self._language.prefix(
            self._send(text.tokens),
            self._send(length),
            self._send(task),
            None if ends is None else self._send(ends),
        )
        rest = torch.ones(len(prefix), prefix.shape[1] - mask.shape[1], dtype=torch.long, device=self._device)
        return _Plan(prefix, torch.cat([mask, rest], dim=1), None if style is None else self._send(style))

    @torch.inference_mode()
    def plan_step(
        self, state: _Plan, tokens: np.ndarray, rhythm: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        inputs = self._language.embed(
            self._send(tokens), state.style, None if rhythm is None else self._send(rhythm)
        )
        hidden = self._read(state, inputs)
        return {
            part: scores[:, -1].float().cpu().numpy()
            for part, scores in self._language.motion_logits(hidden[:, -1:]).items()
        }

    @torch.inference_mode()
    def plan_keep(self, state: _Plan, rows: np.ndarray) -> None:
        index = self._send(rows)
        state.mask = state.mask[index]
        if state.prefix is not None:
            state.prefix = state.prefix[index]
        if state.style is not None:
            state.style = state.style[index]
        if state.cache is not None:
            state.cache.reorder_cache(index)

    @torch.inference_mode()
    def tell_step(self, state: _Plan, pieces: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        if rows is not None:
            self.plan_keep(state, rows)
        hidden = self._read(state, self._language.embed_pieces(self._send(pieces)))
        return self._language.piece_logits(hidden[:, -1]).float().cpu().numpy()

    def _read(self, state: _Plan, inputs: Tensor) -> Tensor:
        """Hidden states (B, S, width) of what follows what the state has read."""
        if state.prefix is not None:
            inputs = torch.cat([state.prefix, inputs], dim=1)
            state.prefix = None
        new = inputs.shape[1] - (state.mask.shape[1] - state.read)
        state.mask = torch.cat([state.mask, state.mask.new_ones(len(inputs), new)], dim=1)
        state.read = state.mask.shape[1]
        hidden, state.cache = self._language.read(inputs, state.mask, state.cache, use_cache=True)
        return hidden
