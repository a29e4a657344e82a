"""The motion tokenizer: a residual VQ-VAE for one body part.

Architecture after SynTalker's and MoMask's RVQ-VAE (convolutions with dilated residual blocks, 4x
down in time). The codebooks are learned by vector-quantize-pytorch in ``training``; to use them
takes a nearest-neighbour search.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .tokenizer_config import TokenizerConfig


class Quantized(NamedTuple):
    latents: Tensor  # (B, L, D)
    codes: Tensor  # (B, L, Q)


ACTIVATIONS: dict[str, type[nn.Module]] = {"silu": nn.SiLU, "relu": nn.ReLU, "gelu": nn.GELU}


class _FrameNorm(nn.LayerNorm):
    """Layer normalisation over the channels of (B, C, T), each frame for itself."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class _Residual(nn.Module):
    def __init__(self, config: TokenizerConfig, dilation: int) -> None:
        super().__init__()
        width, active = config.width, ACTIVATIONS[config.activation]
        self.layers = nn.Sequential(
            _FrameNorm(width) if config.norm == "frame" else nn.GroupNorm(8, width),
            active(),
            nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation),
            active(),
            nn.Dropout(config.dropout),
            nn.Conv1d(width, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def _stack(config: TokenizerConfig, *, reverse: bool) -> nn.Sequential:
    dilations = [config.dilation_growth**i for i in range(config.depth)]
    if reverse:
        dilations.reverse()
    return nn.Sequential(*(_Residual(config, d) for d in dilations))


class PartTokenizer(nn.Module):
    """Frames of one part's features <-> latent frames <-> residual codes.

    Input and output features are in their own units: the normalisation is part of the module.
    """

    mean: Tensor
    std: Tensor
    codebooks: Tensor
    """(quantizers, codes, latent): each level codes what the levels before it left over."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", torch.zeros(config.features))
        self.register_buffer("std", torch.ones(config.features))
        width, active = config.width, ACTIVATIONS[config.activation]
        encoder: list[nn.Module] = [nn.Conv1d(config.features, width, 3, padding=1)]
        for _ in range(config.down):
            encoder += [nn.Conv1d(width, width, 4, stride=2, padding=1), _stack(config, reverse=False)]
        encoder += [active(), nn.Conv1d(width, config.latent - config.rates, 3, padding=1)]
        self.encoder = nn.Sequential(*encoder)
        decoder: list[nn.Module] = [nn.Conv1d(config.latent, width, 3, padding=1)]
        for _ in range(config.down):
            decoder += [
                _stack(config, reverse=True),
                nn.Upsample(scale_factor=2, mode="nearest"),
                nn.Conv1d(width, width, 3, padding=1),
            ]
        decoder += [
            active(),
            nn.Conv1d(width, width, 3, padding=1),
            active(),
            nn.Conv1d(width, config.features, 1),
        ]
        self.decoder = nn.Sequential(*decoder)
        self.register_buffer("codebooks", torch.zeros(config.quantizers, config.codes, config.latent))

    def normalize(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.std

    def denormalize(self, features: Tensor) -> Tensor:
        return features * self.std + self.mean

    def encode(self, features: Tensor) -> Tensor:
        """(B, T, F) -> latents before quantisation (B, T / stride, D); T a multiple of the stride."""
        x = self.normalize(features)
        latents = self.encoder(x.transpose(1, 2)).transpose(1, 2)
        if not self.config.rates:
            return latents
        means = x[..., : self.config.rates].unflatten(1, (-1, self.config.stride)).mean(2)
        return torch.cat([means * self.config.rate_scale, latents], dim=-1)

    def quantize(self, latents: Tensor) -> Quantized:
        """Latents (B, L, D) -> the nearest code of each level, and their sum."""
        if not self.config.rates:
            return self._nearest(latents)
        frames, error = [], torch.zeros_like(latents[:, :1])
        for latent in latents.split(1, dim=1):
            quantized = self._nearest(latent + error)
            frames.append(quantized)
            left = (latent + error - quantized.latents)[..., : self.config.rates]
            # What a code cannot reach for long must not pile up.
            limit = 10 * self.config.rate_scale
            error[..., : self.config.rates] = left.clamp(-limit, limit)
        return Quantized(
            torch.cat([f.latents for f in frames], dim=1), torch.cat([f.codes for f in frames], dim=1)
        )

    def _nearest(self, latents: Tensor) -> Quantized:
        rest, codes = latents, []
        weight = torch.ones_like(latents[0, 0])
        for codebook in self.codebooks:
            nearest = torch.cdist(rest * weight, (codebook * weight).expand(len(rest), -1, -1)).argmin(-1)
            weight[: self.config.rates] = self.config.rate_weight
            codes.append(nearest)
            rest = rest - codebook[nearest]
        return Quantized(latents - rest, torch.stack(codes, dim=-1))

    def embed(self, codes: Tensor) -> Tensor:
        """First-level codes (B, L), which the language model plans in -> codebook vectors (B, L, D)."""
        return self.codebooks[0][codes]

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, L, D) -> features (B, L * stride, F)."""
        x = self.decoder(latents.transpose(1, 2)).transpose(1, 2)
        rates = self.config.rates
        if rates:
            blocks = x[..., :rates].unflatten(1, (-1, self.config.stride))
            wanted = latents[..., None, :rates] / self.config.rate_scale
            exact = blocks - blocks.mean(2, keepdim=True) + wanted
            x = torch.cat([exact.flatten(1, 2), x[..., rates:]], dim=-1)
        return self.denormalize(x)
