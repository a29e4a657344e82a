"""Motion of a conversation, written by the language model and decoded without the diffusion: what the plan alone shows."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch

from ...backend.engines.base import Engine
from ...backend.engines.torch_planner import TorchPlanner
from ...backend.models.language import MotionLanguageModel
from ...backend.models.language_config import LanguageConfig
from ...backend.models.tokenizer import PartTokenizer
from ...backend.packs.config import Sampling
from ...backend.performance.planning import plan
from ...backend.text import TextEmbedding
from ..corpus.chat_turns import Codes
from ..stages.chat import embed_chats
from ..stages.chats import ChatBatch, Conversation

SAMPLING = Sampling(temperature=1.0, top_p=0.95, plan_guidance=2.0)
"""As the shipped packs sample their plans."""


class ChatPlanner(TorchPlanner):
    """Writes motion within a conversation: where :func:`...backend.performance.planning.plan` gives a prompt, the model reads
    ``conversation`` in its place; where it gives none, for guidance, ``without``: what the answer is led away from,
    or nothing."""

    conversation: Conversation
    without: Conversation | None = None

    def __init__(self, language: MotionLanguageModel, batch: ChatBatch) -> None:
        super().__init__(language, language.embedding.weight.device)
        self._batch = batch

    @torch.inference_mode()
    def plan_start(
        self, text: TextEmbedding, length: np.ndarray, task: np.ndarray, **more: np.ndarray | None
    ) -> Any:
        told = text.mask.any(axis=1)
        empty = TextEmbedding(text.tokens[:, :1], np.zeros((len(told), 1), bool))
        state = super().plan_start(empty, length, task, **more)
        assert state.prefix is not None
        one, _ = embed_chats(self._language, self._batch.collated([self.conversation]))
        context = torch.zeros(len(told), *one.shape[1:], dtype=state.prefix.dtype, device=one.device)
        there = torch.zeros(context.shape[:2], dtype=state.mask.dtype, device=one.device)
        rows = self._send(told)
        context[rows], there[rows] = one[0].to(context.dtype), 1
        if self.without is not None:
            # Ends where the other ends, and is the shorter one.
            other, _ = embed_chats(self._language, self._batch.collated([self.without]))
            context[~rows, -other.shape[1] :], there[~rows, -other.shape[1] :] = other[0].to(context.dtype), 1
        state.prefix = torch.cat([context, state.prefix], dim=1)
        state.mask = torch.cat([there, state.mask], dim=1)
        return state


def write_motion(
    planner: TorchPlanner, config: LanguageConfig, text: TextEmbedding, length: int, seed: int
) -> Codes:
    """Codes ``{part: (L,)}`` of ``length`` latent frames for a prompt, or for a planner's conversation."""
    engine = cast(Engine, planner)  # of which planning asks nothing else
    rngs = [np.random.default_rng(seed)]
    codes = plan(engine, config, SAMPLING, text, length, rngs, lambda done, expected: None)
    return {part: rows[0] for part, rows in codes.items()}


def something(width: int) -> TextEmbedding:
    """A prompt of one word, whatever it is: a conversation stands in its place."""
    return TextEmbedding(np.zeros((1, 1, width), np.float32), np.ones((1, 1), bool))


@torch.inference_mode()
def decoded(tokenizers: dict[str, PartTokenizer], codes: Codes) -> dict[str, np.ndarray]:
    """Codes -> features ``{part: (T, F)}``."""
    return {
        part: tokenizers[part].decode(tokenizers[part].embed(torch.from_numpy(rows)[None]))[0].numpy()
        for part, rows in codes.items()
    }
