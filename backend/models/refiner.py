"""The pose refiner: diffusion over the frames themselves, of any pose dimension, conditioned on style.

The blocks, the schedule and the sampler are those of the latent diffusion. Between two convolutions over
frames, frames are packed a few to a token, go through the transformer and are unpacked again.

The network predicts velocity (Salimans & Ho 2022) and returns the clean frames that follow from it: where
there is little noise they are almost the noisy ones, so fine detail need not pass through the tokens. It
also repairs: given spoilt frames instead of noisy ones it returns the mean of what they may have been.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import BadInput
from .diffusion import DiffusionConfig, _Block, timestep_embedding
from .style import FIELDS

KNOTS = 65
"""Points of the table that turns a style value into its rank."""
_WAVES = 6


class RefinerConfig(BaseModel):
    """Sizes of the refiner."""

    model_config = ConfigDict(extra="forbid")

    dim: int
    """Numbers per frame that the network sees."""
    paths: int = 0
    """Paths whose speed it is told (see the layout)."""
    layout: str = "plain"
    """What the numbers are; a name of the training package's layouts."""
    fps: float = 30.0
    window: int = 96
    """Frames seen at once; longer motion is made of overlapping windows."""
    patch: int = 4
    """Frames per token."""
    channels: int = 96
    """Numbers per frame between the convolutions; at least twice ``dim``, so that nothing is lost."""
    width: int = 192
    layers: int = 4
    heads: int = 4
    feed_forward: int = 512
    dropout: float = 0.0
    train_steps: int = 1000


class StyleEncoder(nn.Module):
    """One token per style field: Fourier features of its rank."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.values = nn.Linear(2 * _WAVES + 1, width)
        self.fields = nn.Parameter(torch.randn(len(FIELDS), width) * 0.5)
        self.mix = nn.Sequential(nn.GELU(), nn.Linear(width, width))

    def forward(self, ranks: Tensor) -> Tensor:
        """(B, 5, width) of ranks (B, 5), 0 to 1."""
        angles = ranks[..., None] * (math.pi * torch.arange(1, _WAVES + 1, device=ranks.device))
        features = torch.cat([ranks[..., None] * 2 - 1, angles.cos(), angles.sin()], dim=-1)
        mixed: Tensor = self.mix(self.values(features) + self.fields)
        return mixed


class _FrameBlock(nn.Module):
    """Two convolutions over time (5 frames), modulated by the step."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * channels)
        self.first = nn.Conv1d(channels, channels, 5, padding=2)
        self.second = nn.Conv1d(channels, channels, 5, padding=2)

    def forward(self, x: Tensor, step: Tensor, exists: Tensor) -> Tensor:
        shift, scale = self.modulation(step)[:, None].chunk(2, dim=-1)
        h = (self.norm(x) * (1 + scale) + shift) * exists
        h = self.second(F.gelu(self.first(h.transpose(1, 2)))).transpose(1, 2)
        return (x + h) * exists


class PoseRefiner(nn.Module):
    """Noisy frames -> clean frames. Frames here are normalised."""

    mean: Tensor
    """(dim,) of the frames without their paths."""
    scale: Tensor
    """() one scale for all numbers, so that noise of one size in the figure is of one size here."""
    speed: Tensor
    """() scale of the paths' speed."""
    alphas: Tensor
    """(train_steps,) cumulative alphas of the schedule it was trained with."""
    style_values: Tensor
    """(5, KNOTS) rising style values ..."""
    style_ranks: Tensor
    """(5, KNOTS) ... and the share of the training motion that lies below each."""

    def __init__(self, config: RefinerConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("alphas", torch.ones(config.train_steps))
        self.register_buffer("mean", torch.zeros(config.dim))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("speed", torch.ones(()))
        self.register_buffer("style_values", torch.linspace(0, 1, KNOTS).repeat(len(FIELDS), 1))
        self.register_buffer("style_ranks", torch.linspace(0, 1, KNOTS).repeat(len(FIELDS), 1))
        width, channels = config.width, config.channels
        # noisy frames, given frames and whether there are any, speeds of the paths, whether the frame exists
        self.stem = nn.Conv1d(2 * config.dim + config.paths + 2, channels, 5, padding=2)
        self.pack = nn.Linear(channels * config.patch, width)
        self.step = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
        self.style = StyleEncoder(width)
        self.pooled = nn.Linear(width, width)
        self.repairs = nn.Parameter(torch.zeros(width))
        self.no_style = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        sizes = DiffusionConfig(
            parts={}, width=width, heads=config.heads, feed_forward=config.feed_forward, dropout=config.dropout
        )  # fmt: skip
        self.blocks = nn.ModuleList(_Block(sizes) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.unpack = nn.Linear(width, channels * config.patch)
        self.before = _FrameBlock(channels, width)
        self.after = nn.ModuleList(_FrameBlock(channels, width) for _ in range(2))
        self.head = nn.Conv1d(channels, config.dim, 5, padding=2)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(
        self,
        noisy: Tensor,
        timesteps: Tensor,
        *,
        given: Tensor,
        with_given: Tensor,
        speeds: Tensor,
        ranks: Tensor,
        with_style: Tensor,
        mask: Tensor,
    ) -> Tensor:
        """Clean frames (B, L, dim); L is a multiple of ``patch``.

        Args:
            noisy: (B, L, dim) normalised frames at ``timesteps`` (B,); of the repaired ones both are ignored.
            given: (B, L, dim) normalised frames to be repaired; with_given (B,) bool: which are.
            speeds: (B, L, paths) of the paths, normalised.
            ranks: (B, 5) style as ranks, 0 to 1; with_style (B, 5) bool says which are known.
            mask: (B, L) bool, True where the frame exists.
        """
        batch, length = mask.shape
        patch = self.config.patch
        exists = mask[..., None].to(noisy.dtype)
        has = with_given[:, None, None].to(noisy.dtype) * exists
        timesteps = torch.where(with_given, 0, timesteps)
        alpha = self.alphas[timesteps][:, None, None].to(noisy.dtype)
        noisy = noisy * exists * (1 - has)
        inputs = torch.cat([noisy, given * has, has, speeds * exists, exists], dim=-1)
        known = with_style[..., None].to(noisy.dtype)
        words = self.style(ranks) * known
        step = self.step(timestep_embedding(timesteps, self.config.width)) + self.pooled(words.sum(1))
        step = step + with_given[:, None].to(noisy.dtype) * self.repairs
        frames = self.stem(inputs.transpose(1, 2)).transpose(1, 2) * exists
        frames = self.before(frames, step, exists)
        tokens = self.pack(frames.reshape(batch, length // patch, -1))
        words = torch.cat([self.no_style.expand(batch, -1, -1), words], dim=1)
        words_mask = torch.cat([torch.ones_like(with_style[:, :1]), with_style], dim=1)
        token_mask = mask.view(batch, -1, patch).any(-1)
        token_mask = token_mask | ~token_mask.any(1, keepdim=True)  # attention needs one
        for block in self.blocks:
            tokens = block(tokens, step, words, token_mask, words_mask)
        frames = frames + self.unpack(self.norm(tokens)).reshape(batch, length, -1)
        for block in self.after:
            frames = block(frames, step, exists)
        velocity = self.head(frames.transpose(1, 2)).transpose(1, 2)
        denoised = alpha.sqrt() * noisy + (1 - alpha).sqrt() * velocity
        return torch.where(with_given[:, None, None], given + velocity, denoised)

    def ranks(self, values: np.ndarray) -> np.ndarray:
        """Style values (..., 5) as shares of the training motion that lie below, float32."""
        knots, shares = self.style_values.cpu().numpy(), self.style_ranks.cpu().numpy()
        columns = [np.interp(values[..., i], knots[i], shares[i]) for i in range(len(FIELDS))]
        return np.stack(columns, axis=-1).astype(np.float32)

    def value_at(self, field: str, rank: float) -> float:
        """The value of a style field that this share of the training motion lies below."""
        i = FIELDS.index(field)
        knots, shares = self.style_values[i].cpu().numpy(), self.style_ranks[i].cpu().numpy()
        return float(np.interp(rank, shares, knots))


def rank_table(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``KNOTS`` rising values of a sample (N,) and their ranks; equal values share the middle of theirs."""
    values = np.sort(values[np.isfinite(values)].astype(np.float64))
    if not len(values):
        return np.linspace(0, 1, KNOTS), np.linspace(0, 1, KNOTS)
    knots = np.unique(np.quantile(values, np.linspace(0, 1, KNOTS), method="nearest"))
    below, above = (np.searchsorted(values, knots, side) for side in ("left", "right"))
    ranks = (below + above) / (2 * len(values))
    padding = KNOTS - len(knots)
    return np.pad(knots, (0, padding), mode="edge"), np.pad(ranks, (0, padding), mode="edge")


def load_refiner(folder: Path, device: str | torch.device = "cpu") -> PoseRefiner:
    """The refiner in a folder that training wrote.

    Raises:
        BadInput: there is none, or it is damaged.
    """
    from safetensors.torch import load_file

    folder = Path(folder)
    try:
        config = RefinerConfig.model_validate_json((folder / "config.json").read_text("utf-8"))
        model = PoseRefiner(config)
        state: dict[str, Any] = load_file(folder / "model.safetensors")
        model.load_state_dict(state)
    except (OSError, ValidationError, RuntimeError, ValueError) as error:
        raise BadInput(
            f"{folder} holds no refiner ({type(error).__name__}).",
            hint="Train one with understudy-train stage refiner.",
            field="model",
        ) from None
    except Exception as error:  # safetensors has its own class for damaged files
        raise BadInput(f"{folder}/model.safetensors is damaged ({error}).", field="model") from None
    return model.to(device).eval()
