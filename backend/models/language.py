"""The motion language model: a causal transformer that plans a motion as tokens.

One vocabulary holds text, task words, length words and each part's motion tokens. Text enters
through the sentence encoder's token embeddings, so words that no caption used still mean something.
Every step predicts one latent frame of all parts at once; the parts after the first are delayed by
one step (the delay pattern of MusicGen, Copet et al. 2023), so that they see the frame they must
agree with.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

TASKS = ("text_to_motion", "continuation")


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

    @property
    def delays(self) -> dict[str, int]:
        return {part: min(i, 1) for i, part in enumerate(self.parts)}


class Vocabulary(NamedTuple):
    """Where each kind of token lives in the one embedding table (text has its own encoder)."""

    tasks: int
    lengths: int
    starts: dict[str, int]
    size: int

    @classmethod
    def build(cls, config: LanguageConfig) -> Vocabulary:
        lengths = len(TASKS)
        at = lengths + config.max_length + 1  # length 0 = not given
        starts = {}
        for part, codes in config.parts.items():
            starts[part] = at
            at += codes + 2  # the codes, then "end", then "not there" (start, delay, unknown part)
        return cls(0, lengths, starts, at)


class MotionLanguageModel(nn.Module):
    """Predicts each part's next token from the prompt and the tokens so far."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = Vocabulary.build(config)
        self.parts = tuple(config.parts)
        self.text = nn.Sequential(nn.LayerNorm(config.text_width), nn.Linear(config.text_width, config.width))
        self.embedding = nn.Embedding(self.vocabulary.size, config.width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        backbone: dict[str, Any] = {
            "vocab_size": 1,  # inputs arrive as embeddings
            "hidden_size": config.width,
            "intermediate_size": config.feed_forward,
            "num_hidden_layers": config.layers,
            "num_attention_heads": config.heads,
            "num_key_value_heads": config.heads,
            # Dropout inside the attention would rule out the fused kernels; it acts on the rest instead.
            "attention_dropout": 0.0,
            "max_position_embeddings": 1024,
            "pad_token_id": None,
            "bos_token_id": None,
            "eos_token_id": None,
        }
        self.backbone = AutoModel.from_config(AutoConfig.for_model(config.model_type, **backbone))
        self.dropout = nn.Dropout(config.dropout)
        self.heads = nn.ModuleDict(
            {part: nn.Linear(config.width, codes + 1) for part, codes in config.parts.items()}
        )

    def end(self, part: str) -> int:
        return self.config.parts[part]

    def absent(self, part: str) -> int:
        return self.config.parts[part] + 1

    def prefix(self, text: Tensor, length: Tensor, task: Tensor) -> Tensor:
        """Prompt embeddings (B, W + 2, width): the text, the task word, the length word.

        Args:
            text: (B, W, text_width) token embeddings of the sentence encoder, padded on the left so
                that a word is as far from the motion whatever stands beside it in the batch.
            length: (B,) latent frames wanted, 0 = the model decides.
            task: (B,) index into :data:`TASKS`.
        """
        words = torch.stack([self.vocabulary.tasks + task, self.vocabulary.lengths + length], dim=1)
        return torch.cat([self.text(text), self.embedding(words)], dim=1)

    def embed(self, tokens: Tensor) -> Tensor:
        """Tokens (B, L, P), each within its part's range, -> summed embeddings (B, L, width)."""
        offsets = torch.tensor([self.vocabulary.starts[p] for p in self.parts], device=tokens.device)
        return self.embedding(tokens + offsets).sum(dim=2)

    def forward(
        self, inputs: Tensor, mask: Tensor | None = None, cache: Any = None, use_cache: bool = False
    ) -> tuple[dict[str, Tensor], Any]:
        """Embeddings (B, S, width) -> logits (B, S, codes + 1) per part, and the key-value cache.

        Args:
            mask: (B, S_total) 1 where a position may be attended to.
        """
        output = self.backbone(
            inputs_embeds=self.dropout(inputs),
            attention_mask=mask,
            past_key_values=cache,
            use_cache=use_cache,
        )
        hidden = self.dropout(output.last_hidden_state)
        return {part: head(hidden) for part, head in self.heads.items()}, output.past_key_values
