"""The latent diffusion denoiser: a transformer over the tokenizers' latent frames.

It predicts the clean latents (x0-prediction, as MDM, Tevet et al. 2023) of all parts together from
noisy ones, given the prompt, prompts of the lower and the upper half, a style, a rhythm, the sound and
the words of a voice, the planned tokens' codebook vectors and known frames; each may be missing. Latents
are those before quantisation, as in SynTalker (Chen et al. 2024).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .diffusion_config import HALVES, DiffusionConfig


def _silent(layer: nn.Linear) -> nn.Linear:
    """A layer whose output begins as zero."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _heard(columns: int, width: int) -> nn.Sequential:
    """What is heard in a latent frame, for its position."""
    return nn.Sequential(nn.Linear(columns, width), nn.SiLU(), _silent(nn.Linear(width, width, bias=False)))


def timestep_embedding(timesteps: Tensor, width: int) -> Tensor:
    """Sinusoids (B, width) of diffusion steps (B,)."""
    half = width // 2
    frequencies = torch.exp(-math.log(10000.0) * torch.arange(half, device=timesteps.device) / half)
    angles = timesteps.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def rotary(x: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021) of (B, H, L, D)."""
    length, width = x.shape[-2:]
    half = width // 2
    frequencies = 10000.0 ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angles = torch.arange(length, device=x.device, dtype=torch.float32)[:, None] * frequencies
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class _Block(nn.Module):
    """Self-attention over latent frames, cross-attention to the prompt; the step modulates both."""

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.norms = nn.ModuleList(nn.LayerNorm(width, elementwise_affine=False) for _ in range(3))
        self.modulation = nn.Linear(width, 6 * width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.cross_out = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, config.feed_forward),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.feed_forward, width),
        )
        self.dropout = nn.Dropout(config.dropout)

    def _split(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        return x.view(batch, length, self.heads, width // self.heads).transpose(1, 2)

    def _merge(self, x: Tensor) -> Tensor:
        batch, heads, length, width = x.shape
        return x.transpose(1, 2).reshape(batch, length, heads * width)

    def forward(self, x: Tensor, step: Tensor, text: Tensor, mask: Tensor, text_mask: Tensor) -> Tensor:
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = self.modulation(step)[:, None].chunk(6, dim=-1)
        h = self.norms[0](x) * (1 + scale_a) + shift_a
        q, k, v = (self._split(t) for t in self.qkv(h).chunk(3, dim=-1))
        attended = F.scaled_dot_product_attention(rotary(q), rotary(k), v, attn_mask=mask[:, None, None])
        x = x + gate_a * self.dropout(self.out(self._merge(attended)))
        k, v = (self._split(t) for t in self.key_value(text).chunk(2, dim=-1))
        attended = F.scaled_dot_product_attention(
            self._split(self.query(self.norms[1](x))), k, v, attn_mask=text_mask[:, None, None]
        )
        x = x + self.dropout(self.cross_out(self._merge(attended)))
        h = self.norms[2](x) * (1 + scale_f) + shift_f
        return x + gate_f * self.dropout(self.feed_forward(h))


class Words(NamedTuple):
    """Sentence-encoder token embeddings (B, W, text_width), and which exist (B, W); none: not given."""

    tokens: Tensor
    mask: Tensor

    def pooled(self) -> Tensor:
        """Their mean (B, text_width)."""
        weights = self.mask[..., None].to(self.tokens.dtype)
        return (self.tokens * weights).sum(1) / weights.sum(1).clamp_min(1.0)


class Denoiser(nn.Module):
    """Noisy latents -> clean latents. Latents here are normalised to unit variance."""

    mean: Tensor
    std: Tensor
    alphas: Tensor
    """(train_steps,) cumulative alphas of the schedule it was trained with."""

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("alphas", torch.ones(config.train_steps))
        self.register_buffer("mean", torch.zeros(config.latent))
        self.register_buffer("std", torch.ones(config.latent))
        # noisy latents, planned vectors and whether they are given, known latents and their mask
        self.input = nn.Linear(3 * config.latent + 2, config.width)
        self.step = nn.Sequential(
            nn.Linear(config.width, config.width), nn.SiLU(), nn.Linear(config.width, config.width), nn.SiLU()
        )
        self.text = nn.Sequential(nn.LayerNorm(config.text_width), nn.Linear(config.text_width, config.width))
        self.pooled = nn.Linear(config.text_width, config.width)
        self.no_text = nn.Parameter(torch.randn(1, 1, config.width) * 0.02)
        self.blocks = nn.ModuleList(_Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.output = nn.Linear(config.width, config.latent)
        # What a model may have beyond the prompt begins without effect, so that it can be added to a trained one.
        if config.halves:
            self.roles = nn.Parameter(torch.zeros(len(HALVES), config.width))
            self.pooled_halves = nn.ModuleDict(
                {half: _silent(nn.Linear(config.text_width, config.width, bias=False)) for half in HALVES}
            )
        if config.style:
            self.style = nn.Sequential(
                nn.Linear(2 * config.style, config.width),
                nn.SiLU(),
                _silent(nn.Linear(config.width, config.width)),
            )
        if config.rhythm:
            self.rhythm = _silent(nn.Linear(config.rhythm + 1, config.width, bias=False))
        for name, columns in (("sound", config.sound), ("words", config.words)):
            if columns:
                self.add_module(name, _heard(columns, config.width))

    def normalize(self, latents: Tensor) -> Tensor:
        return (latents - self.mean) / self.std

    def denormalize(self, latents: Tensor) -> Tensor:
        return latents * self.std + self.mean

    def forward(
        self,
        noisy: Tensor,
        timesteps: Tensor,
        *,
        text: Tensor,
        text_mask: Tensor,
        with_text: Tensor,
        plan: Tensor,
        with_plan: Tensor,
        known: Tensor,
        known_mask: Tensor,
        mask: Tensor,
        halves: Mapping[str, Words] | None = None,
        style: Tensor | None = None,
        style_known: Tensor | None = None,
        rhythm: Tensor | None = None,
        with_rhythm: Tensor | None = None,
        sound: Tensor | None = None,
        with_sound: Tensor | None = None,
        words: Tensor | None = None,
        with_words: Tensor | None = None,
    ) -> Tensor:
        """Clean latents (B, L, D).

        Args:
            noisy: (B, L, D) normalised latents at ``timesteps`` (B,).
            text: (B, W, text_width) sentence-encoder token embeddings; text_mask (B, W) bool.
            with_text: (B,) bool: False drops the prompt (the unconditional pass of guidance).
            plan: (B, L, D) normalised codebook vectors; with_plan (B, L) bool.
            known: (B, L, D) normalised latents that must be met; known_mask (B, L) bool.
            mask: (B, L) bool, True where the latent frame exists.
            halves: prompts of :data:`HALVES`, where they have one.
            style: (B, S) ranks, 0 to 1; style_known (B, S) bool.
            rhythm: (B, L, R), 0 to 1; with_rhythm (B, L) bool.
            sound: (B, L, S) of a voice; with_sound (B, L) bool.
            words: (B, L, W) embeddings of what is said; with_words (B, L) bool.
        """
        if not self.config.plan:
            with_plan = torch.zeros_like(with_plan)
        plan_given = with_plan[..., None].to(noisy.dtype)
        known_given = known_mask[..., None].to(noisy.dtype)
        x = self.input(
            torch.cat([noisy, plan * plan_given, plan_given, known * known_given, known_given], dim=-1)
        )
        if self.config.rhythm and rhythm is not None and with_rhythm is not None:
            there = with_rhythm[..., None].to(noisy.dtype)
            x = x + self.rhythm(torch.cat([rhythm * there, there], dim=-1))
        for name, heard, given in (("sound", sound, with_sound), ("words", words, with_words)):
            if getattr(self.config, name) and heard is not None and given is not None:
                x = x + given[..., None].to(noisy.dtype) * self.get_submodule(name)(heard)
        whole = Words(text, text_mask & with_text[:, None])
        step = self.step(timestep_embedding(timesteps, self.config.width))
        step = step + with_text[:, None].to(noisy.dtype) * self.pooled(Words(text, text_mask).pooled())
        if self.config.style and style is not None and style_known is not None:
            given = style_known.to(noisy.dtype)
            told = style_known.any(dim=1, keepdim=True).to(noisy.dtype)
            step = step + told * self.style(torch.cat([(2 * style - 1) * given, given], dim=-1))
        reads = [self.no_text.expand(len(x), -1, -1), self.text(whole.tokens)]
        masks = [torch.ones_like(text_mask[:, :1]), whole.mask]
        for i, half in enumerate(HALVES if self.config.halves and halves else ()):
            if halves is not None and half in halves:
                own = halves[half]
                reads.append(self.text(own.tokens) + self.roles[i])
                masks.append(own.mask)
                step = step + self.pooled_halves[half](own.pooled())
        read, read_mask = torch.cat(reads, dim=1), torch.cat(masks, dim=1)
        for block in self.blocks:
            x = block(x, step, read, mask, read_mask)
        return self.output(self.norm(x))
