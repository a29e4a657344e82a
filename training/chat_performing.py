"""Motion of a conversation, written by the language model and decoded without the diffusion: what the plan alone shows."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch

from ..backend.engines.base import Engine
from ..backend.engines.torch_planner import TorchPlanner
from ..backend.models.language import MotionLanguageModel
from ..backend.models.language_config import LanguageConfig
from ..backend.models.tokenizer import PartTokenizer
from ..backend.pack_config import Sampling
from ..backend.planning import plan
from ..backend.text import TextEmbedding
from .chat_turns import Codes
from .stages.chat import embed_chats
from .stages.chats import ChatBatch, Conversation

SAMPLING = Sampling(temperature=1.0, top_p=0.95, plan_guidance=2.0)
"""As the shipped packs sample their plans."""


class ChatPlanner(TorchPlanner):
    """Writes motion within a conversation: where :func:`..backend.planning.plan` gives a prompt, the model reads
    ``conversation`` in its place; where it gives none, for guidance, nothing."""

    conversation: Conversation

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
        context, _ = embed_chats(self._language, self._batch.collated([self.conversation]))
        context = context.expand(len(told), -1, -1).to(state.prefix.dtype)
        there = self._send(np.repeat(told[:, None], context.shape[1], axis=1)).long()
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
