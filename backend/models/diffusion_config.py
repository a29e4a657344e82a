"""Sizes of the latent diffusion model; see :mod:`.diffusion`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

HALVES = ("lower", "upper")
"""Halves of the body that may have a prompt of their own."""


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
    halves: bool = False
    """Reads a prompt for each half of the body too."""
    style: int = 0
    """Style fields it reads."""
    rhythm: int = 0
    """Columns of rhythm it reads per latent frame."""
    sound: int = 0
    """Columns of sound it hears per latent frame."""
    words: int = 0
    """Columns of the spoken words' embeddings it reads per latent frame."""
    plan: bool = True
    """Reads planned tokens; SynTalker has none."""

    @property
    def latent(self) -> int:
        return sum(self.parts.values())
