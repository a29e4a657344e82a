"""The alignment space: text and motion as points that lie near each other when they mean the same.

After TMR (Petrovich, Black, Varol, ICCV 2023): two variational transformer encoders and a motion decoder.
Ours sees a body as *views*: the whole of it, its lower and its upper half. One motion encoder makes all
three, the parts outside a view being hidden from it exactly as parts are that a clip does not know; so the
halves share what is learned of movement, and a clip without arms is no special case. The text encoder
has a pair of summary tokens per view, because the same sentence says different things about each half:
of "walks and waves the right hand" the legs are to find the walk, the arms the wave.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .alignment_config import VIEWS, AlignmentConfig


class Gaussian(NamedTuple):
    """A diagonal normal distribution: ``mu`` and ``logvar`` (B, D)."""

    mu: Tensor
    logvar: Tensor

    def sample(self) -> Tensor:
        return self.mu + torch.randn_like(self.mu) * (0.5 * self.logvar).exp()

    def divergence(self, other: Gaussian) -> Tensor:
        """Mean KL(self || other) per dimension."""
        ratio = self.logvar - other.logvar
        apart = (self.mu - other.mu) ** 2 / other.logvar.exp()
        return 0.5 * (ratio.exp() + apart - 1 - ratio).mean()


def sinusoids(length: int, width: int, device: torch.device) -> Tensor:
    """Positions (L, width) as sines and cosines (Vaswani et al. 2017)."""
    frequencies = torch.exp(-math.log(10000.0) * torch.arange(0, width, 2, device=device) / width)
    angles = torch.arange(length, device=device)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def _halved(mask: Tensor, times: int) -> Tensor:
    """(B, T) -> (B, T / 2^times, rounded up): steps in which any frame exists."""
    size = 2**times
    return F.pad(mask, (0, -mask.shape[1] % size)).unflatten(1, (-1, size)).any(-1)


def _transformer(config: AlignmentConfig, layers: int) -> nn.TransformerEncoder:
    layer = nn.TransformerEncoderLayer(
        config.width, config.heads, config.feed_forward, config.dropout, "gelu", batch_first=True, norm_first=True
    )  # fmt: skip
    return nn.TransformerEncoder(layer, layers, nn.LayerNorm(config.width), enable_nested_tensor=False)


class _Summary(nn.Module):
    """A sequence into one distribution per view, read off two tokens put before it (as ACTOR does)."""

    def __init__(self, config: AlignmentConfig, layers: int) -> None:
        super().__init__()
        self.tokens = nn.ParameterDict(
            {view: nn.Parameter(0.02 * torch.randn(2, config.width)) for view in VIEWS}
        )
        self.transformer = _transformer(config, layers)
        self.mu, self.logvar = (nn.Linear(config.width, config.width) for _ in range(2))
        # Begun at the spread of the prior, the noise would drown the means for thousands of steps: their
        # weight in TMR's loss is tiny.
        nn.init.constant_(self.logvar.bias, -5.0)

    def forward(self, x: Tensor, mask: Tensor, views: tuple[str, ...]) -> dict[str, Gaussian]:
        """(B, L, width) with the steps in ``mask`` (B, L) -> a distribution per view asked for."""
        tokens = torch.cat([self.tokens[view] for view in views]).to(x.dtype)
        there = torch.ones(len(x), len(tokens), dtype=torch.bool, device=x.device)
        x = torch.cat([tokens.expand(len(x), -1, -1), x], dim=1)
        x = self.transformer(x, src_key_padding_mask=~torch.cat([there, mask], dim=1))
        tokens = x[:, : 2 * len(views)]
        mu, logvar = self.mu(tokens[:, 0::2]).float(), self.logvar(tokens[:, 1::2]).float()
        return {view: Gaussian(mu[:, i], logvar[:, i].clamp(-20.0, 10.0)) for i, view in enumerate(views)}


class TextTower(nn.Module):
    """Token embeddings of a sentence -> where it lies, in each view."""

    def __init__(self, config: AlignmentConfig) -> None:
        super().__init__()
        self.enter = nn.Sequential(
            nn.LayerNorm(config.text_width), nn.Linear(config.text_width, config.width)
        )
        self.summary = _Summary(config, config.text_layers)

    def forward(self, tokens: Tensor, mask: Tensor) -> dict[str, Gaussian]:
        """Tokens (B, W, 384) and which exist (B, W), padded on either side.

        The sentence encoder has told the tokens their places already, so none are added.
        """
        return self.summary(self.enter(tokens), mask, tuple(VIEWS))


class _Stem(nn.ModuleList):
    """Frames of one part -> steps, by strided convolutions."""

    def __init__(self, features: int, config: AlignmentConfig) -> None:
        sizes = [features, *[config.width] * config.down]
        super().__init__(nn.Conv1d(size, config.width, 4, stride=2, padding=1) for size in sizes[:-1])
        self.append(nn.Conv1d(sizes[-1], config.width, 1))

    def forward(self, values: Tensor, masks: list[Tensor]) -> Tensor:
        """(B, T, F) -> (B, L, width); ``masks`` (B, T / 2^i) say what exists before each convolution."""
        x = F.pad(values, (0, 0, 0, 2 ** (len(self) - 1) * masks[-1].shape[1] - values.shape[1])).transpose(
            1, 2
        )
        for i, (conv, mask) in enumerate(zip(self, masks, strict=True)):
            # What lies past the end is nothing on every level: a batch's padding cannot be seen.
            there = F.pad(mask, (0, x.shape[2] - mask.shape[1]))[:, None]
            x = conv((F.gelu(x) if i else x) * there)
        return x.transpose(1, 2)


class MotionTower(nn.Module):
    """Features of a motion -> where it lies, in one view."""

    def __init__(self, config: AlignmentConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width

        self.stems = nn.ModuleDict({part: _Stem(size, config) for part, size in config.parts.items()})
        self.missing = nn.ParameterDict({part: nn.Parameter(torch.zeros(width)) for part in config.parts})
        self.summary = _Summary(config, config.layers)

    def forward(self, features: dict[str, Tensor], known: Tensor, mask: Tensor, view: str) -> Gaussian:
        """See :meth:`Alignment.motion`; features are normalised."""
        masks = [_halved(mask, i) for i in range(self.config.down + 1)]
        x = torch.zeros((), device=mask.device)
        for i, (part, stem) in enumerate(self.stems.items()):
            hidden = self.missing[part].expand(1, 1, -1)
            if part in VIEWS[view]:
                seen = stem(features[part], masks)
                hidden = torch.where(known[:, i, None, None], seen, hidden.to(seen.dtype))
            x = x + hidden
        x = x + sinusoids(x.shape[1], x.shape[2], x.device).to(x.dtype)
        return self.summary(x, masks[-1], (view,))[view]


class MotionDecoder(nn.Module):
    """A point of the space and a length -> normalised features of the parts of a view."""

    def __init__(self, config: AlignmentConfig) -> None:
        super().__init__()
        self.config = config
        self.views = nn.ParameterDict({view: nn.Parameter(torch.zeros(config.width)) for view in VIEWS})
        self.enter = nn.Linear(config.width, config.width)
        self.transformer = _transformer(config, config.decoder_layers)
        self.leave = nn.Linear(config.width, config.stride * sum(config.parts.values()))

    def forward(self, latent: Tensor, mask: Tensor, view: str) -> Tensor:
        """(B, D) and the frames wanted (B, T) -> (B, T, F), all parts side by side."""
        stride, frames = self.config.stride, mask.shape[1]
        steps = _halved(mask, self.config.down)
        # One vector is all there is to attend to, so it is added where cross-attention would bring it.
        x = (self.enter(latent) + self.views[view])[:, None]
        x = x + sinusoids(steps.shape[1], self.config.width, mask.device).to(x.dtype)
        x = self.leave(self.transformer(x, src_key_padding_mask=~steps))
        return x.unflatten(-1, (stride, -1)).flatten(1, 2)[:, :frames]


class Alignment(nn.Module):
    """Both encoders and the decoder. Features go in as they are; the normalisation is part of the model."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: AlignmentConfig) -> None:
        super().__init__()
        self.config = config
        total = sum(config.parts.values())
        self.register_buffer("mean", torch.zeros(total))
        self.register_buffer("std", torch.ones(total))
        self.text_tower = TextTower(config)
        self.motion_tower = MotionTower(config)
        self.decoder = MotionDecoder(config)

    def normalize(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        sizes = list(self.config.parts.values())
        mean, std = self.mean.split(sizes), self.std.split(sizes)
        return {part: (features[part] - mean[i]) / std[i] for i, part in enumerate(self.config.parts)}

    def motion(
        self, features: dict[str, Tensor], known: Tensor, mask: Tensor, view: str = "whole"
    ) -> Gaussian:
        """Where motions lie.

        Args:
            features: (B, T, F) of every part, anything where unknown or past the end.
            known: (B, parts) which parts the clip knows, in the order of ``config.parts``.
            mask: (B, T) which frames exist: the first ones.
            view: one of :data:`VIEWS`.
        """
        return self.motion_tower(self.normalize(features), known, mask, view)

    @torch.inference_mode()
    def embed_text(self, tokens: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Unit vectors (B, D) of sentences by view: the means of their distributions."""
        return {view: F.normalize(found.mu, dim=-1) for view, found in self.text_tower(tokens, mask).items()}

    @torch.inference_mode()
    def embed_motion(
        self, features: dict[str, Tensor], known: Tensor, mask: Tensor, view: str = "whole"
    ) -> Tensor:
        """Unit vectors (B, D) of motions of at most ``max_frames`` frames: the means of their distributions."""
        return F.normalize(self.motion(features, known, mask, view).mu, dim=-1)
