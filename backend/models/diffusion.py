"""The latent diffusion denoiser: a transformer over the tokenizers' latent frames.

It predicts the clean latents (x0-prediction, as MDM, Tevet et al. 2023) of all parts together from
noisy ones, given the prompt, the planned tokens' codebook vectors and known frames. Latents are
those before quantisation, as in SynTalker (Chen et al. 2024).
"""

from __future__ import annotations

import math

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional as F


class DiffusionConfig(BaseModel):
    """Sizes of the denoiser."""

    model_config = ConfigDict(extra="forbid")

    parts: dict[str, int]
    """Latent width of each part, in the order in which they are concatenated."""
    text_width: int = 384
    width: int = 256
    layers: int = 6
    heads: int = 4
    feed_forward: int = 768
    dropout: float = 0.1
    window: int = 48
    """Latent frames seen at once; longer clips are made of overlapping windows."""
    train_steps: int = 1000

    @property
    def latent(self) -> int:
        return sum(self.parts.values())


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
    ) -> Tensor:
        """Clean latents (B, L, D).

        Args:
            noisy: (B, L, D) normalised latents at ``timesteps`` (B,).
            text: (B, W, text_width) sentence-encoder token embeddings; text_mask (B, W) bool.
            with_text: (B,) bool: False drops the prompt (the unconditional pass of guidance).
            plan: (B, L, D) normalised codebook vectors; with_plan (B, L) bool.
            known: (B, L, D) normalised latents that must be met; known_mask (B, L) bool.
            mask: (B, L) bool, True where the latent frame exists.
        """
        plan_given = with_plan[..., None].to(noisy.dtype)
        known_given = known_mask[..., None].to(noisy.dtype)
        x = self.input(
            torch.cat([noisy, plan * plan_given, plan_given, known * known_given, known_given], dim=-1)
        )
        weights = text_mask[..., None].to(text.dtype)
        pooled = (text * weights).sum(1) / weights.sum(1).clamp_min(1.0)
        given = with_text[:, None].to(noisy.dtype)
        step = self.step(timestep_embedding(timesteps, self.config.width)) + given * self.pooled(pooled)
        words = torch.cat([self.no_text.expand(len(x), -1, -1), self.text(text)], dim=1)
        always = torch.ones_like(text_mask[:, :1])
        words_mask = torch.cat([always, text_mask & with_text[:, None]], dim=1)
        for block in self.blocks:
            x = block(x, step, words, mask, words_mask)
        return self.output(self.norm(x))
