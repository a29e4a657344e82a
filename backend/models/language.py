"""The motion language model: a causal transformer that plans a motion as tokens, and tells one in words.

One vocabulary holds task words, length words, each part's motion tokens and the word pieces of captions.
Text that asks for motion enters through the sentence encoder's token embeddings, so words that no caption
used still mean something. Where a pretrained language model is the base, text that asks and text that tells
are that model's own words, through its own embeddings. Every step predicts one latent frame of all parts at once; the parts after the
first are delayed by one step (the delay pattern of MusicGen, Copet et al. 2023), so that they see the frame
they must agree with.

What a sequence consists of::

    text, last frames to arrive at | task word, length word | motion                      (asked for motion)
                                   | task word, length word | motion | pieces of a caption  (asked for words)
    turns of a conversation        | task word, length word | motion                      (taking part in it)

Style and rhythm have no place of their own in it: they are added to the motion's positions.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel

from .language_config import RHYTHM_WIDTH, TASKS, LanguageConfig, Vocabulary
from .style import FIELDS


class MotionLanguageModel(nn.Module):
    """Predicts each part's next token, or a caption's next piece, from the prompt and the tokens so far."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.config = config
        self.vocabulary = Vocabulary.build(config)
        self.parts = tuple(config.parts)
        if not config.backbone:
            self.text = nn.Sequential(
                nn.LayerNorm(config.text_width), nn.Linear(config.text_width, config.width)
            )
        self.embedding = nn.Embedding(self.vocabulary.size, config.width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        # Both begin as no influence, so that a model that did without them can learn to take them.
        if config.style:
            self.style = nn.Linear(2 * len(FIELDS), config.width, bias=False)
            nn.init.zeros_(self.style.weight)
        if config.rhythm:
            self.rhythm = nn.Linear(RHYTHM_WIDTH + 1, config.width, bias=False)
            nn.init.zeros_(self.rhythm.weight)
        self.backbone = AutoModel.from_config(self._backbone_config())
        if config.backbone and not self.backbone.config.tie_word_embeddings:
            self.words_out = nn.Linear(config.width, config.pieces, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        self.heads = nn.ModuleDict(
            {part: nn.Linear(config.width, codes + 1) for part, codes in config.parts.items()}
        )

    def _backbone_config(self) -> Any:
        config = self.config
        if config.backbone:
            sizes = {key: value for key, value in config.backbone.items() if key != "model_type"}
            return AutoConfig.for_model(config.backbone["model_type"], **sizes)
        sizes = {
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
        return AutoConfig.for_model(config.model_type, **sizes)

    def prefix(
        self,
        text: Tensor,
        length: Tensor,
        task: Tensor,
        ends: Tensor | None = None,
        order: Tensor | None = None,
    ) -> Tensor:
        """What stands before the motion (B, W + E + 2, width): text, frames to arrive at, task, length.

        Args:
            text: (B, W, text_width) token embeddings of the sentence encoder, or (B, W) the base's own
                words; padded on the left so that a word is as far from the motion whatever stands beside
                it in the batch.
            length: (B,) latent frames wanted, 0 = the model decides.
            task: (B,) index into :data:`TASKS`; one that the model does not know counts as continuation.
            ends: (B, E, P) codes of the last frames, without delay.
            order: (B, W + E) how text and ends are to follow each other, where rows differ in both.
        """
        tasks = [self.vocabulary.tasks.get(name, TASKS.index("continuation")) for name in TASKS]
        rows = torch.tensor(tasks, device=task.device)[task]
        words = self.embedding(torch.stack([rows, self.vocabulary.lengths + length], dim=1))
        context = self.embed_pieces(text) if self.config.backbone else self.text(text)
        if ends is not None:
            context = torch.cat([context, self.embed(ends).to(context.dtype)], dim=1)
        if order is not None:
            context = context.take_along_dim(order[..., None], dim=1)
        return torch.cat([context, words], dim=1)

    def embed(self, tokens: Tensor, style: Tensor | None = None, rhythm: Tensor | None = None) -> Tensor:
        """Tokens (B, L, P), each within its part's range, -> summed embeddings (B, L, width).

        Args:
            style: (B, 10) by :func:`style_input`.
            rhythm: (B, L, 13) by :func:`rhythm_input`, of the frame that each position predicts.
        """
        offsets = torch.tensor([self.vocabulary.starts[p] for p in self.parts], device=tokens.device)
        embedded = self.embedding(tokens + offsets).sum(dim=2)
        if style is not None:
            embedded = embedded + self.style(style)[:, None]
        if rhythm is not None:
            embedded = embedded + self.rhythm(rhythm)
        return embedded

    def embed_pieces(self, pieces: Tensor) -> Tensor:
        """Word pieces (B, L) -> (B, L, width)."""
        embedded: Tensor = (
            self.backbone.get_input_embeddings()(pieces)
            if self.config.backbone
            else self.embedding(self.vocabulary.pieces + pieces)
        )
        return embedded

    def read(
        self, inputs: Tensor, mask: Tensor | None = None, cache: Any = None, use_cache: bool = False
    ) -> tuple[Tensor, Any]:
        """Embeddings (B, S, width) -> hidden states (B, S, width) and the key-value cache.

        Args:
            mask: (B, S_total) 1 where a position may be attended to.
        """
        more = {}
        if self.config.backbone and mask is not None:
            # Some models count positions from the first of the row; they are to count from its first word.
            more["position_ids"] = (mask.cumsum(1) - 1).clamp(min=0)[:, -inputs.shape[1] :]
        output = self.backbone(
            inputs_embeds=self.dropout(inputs),
            **more,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=use_cache,
        )
        return self.dropout(output.last_hidden_state), output.past_key_values

    def motion_logits(self, hidden: Tensor) -> dict[str, Tensor]:
        """Hidden states (B, S, width) -> scores (B, S, codes + 1) of each part's next token."""
        return {part: head(hidden) for part, head in self.heads.items()}

    def piece_logits(self, hidden: Tensor) -> Tensor:
        """Hidden states (B, S, width) -> scores (B, S, pieces) of a caption's next piece."""
        if not self.config.backbone:
            rows = slice(self.vocabulary.pieces, self.vocabulary.chat)
            return nn.functional.linear(hidden, self.embedding.weight[rows])
        if self.backbone.config.tie_word_embeddings:
            return nn.functional.linear(hidden, self.backbone.get_input_embeddings().weight)
        scores: Tensor = self.words_out(hidden)
        return scores

    def chat_logits(self, hidden: Tensor) -> Tensor:
        """Hidden states (B, S, width) -> scores (B, S, words) of the next word of a conversation
        (:mod:`.chat_words`)."""
        return nn.functional.linear(hidden, self.embedding.weight[self.vocabulary.chat :])

    def forward(
        self, inputs: Tensor, mask: Tensor | None = None, cache: Any = None, use_cache: bool = False
    ) -> tuple[dict[str, Tensor], Any]:
        """:meth:`read`, then the scores of the motion tokens."""
        hidden, cache = self.read(inputs, mask, cache, use_cache)
        return self.motion_logits(hidden), cache

    def start_from(self, state: dict[str, Tensor], config: LanguageConfig) -> list[str]:
        """Take over the weights of another model of this kind as far as they fit.

        Rows of the vocabulary go by what they mean (pieces only where there are as many), all others by
        name and shape; what does not fit stays as it is.

        Args:
            state, config: of the other model.

        Returns:
            The names of the tensors that stay as they are.
        """
        mine = self.state_dict()
        theirs = Vocabulary.build(config).spans(config)
        for name, (first, last) in self.vocabulary.spans(self.config).items():
            other = theirs.get(name, (0, 0))
            rows = min(last - first, other[1] - other[0])
            if name != "lengths" and rows != last - first:
                continue
            taken = state["embedding.weight"][other[0] : other[0] + rows]
            if taken.shape[1:] == mine["embedding.weight"].shape[1:]:
                mine["embedding.weight"][first : first + rows] = taken
        left = []
        for name, value in mine.items():
            if name == "embedding.weight":
                continue
            if name in state and state[name].shape == value.shape:
                value.copy_(state[name])
            else:
                left.append(name)
        return left
