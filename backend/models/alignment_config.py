"""Sizes of the alignment space, read without a model library."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

VIEWS: dict[str, tuple[str, ...]] = {
    "whole": ("lower_trans", "upper"),
    "lower": ("lower_trans",),
    "upper": ("upper",),
}
"""What each view shows of the body, as parts of :data:`~...motion.skeleton.PARTS`."""


class AlignmentConfig(BaseModel):
    """Sizes. The defaults are TMR's (its encoders and its decoder have 6 layers each)."""

    model_config = ConfigDict(extra="forbid")

    parts: dict[str, int]
    """Features of each part a view may show."""
    text_width: int = 384
    width: int = 256
    """Of the transformers and of the space."""
    layers: int = 6
    text_layers: int = 6
    decoder_layers: int = 6
    heads: int = 4
    feed_forward: int = 1024
    dropout: float = 0.1
    down: int = 2
    """Halvings of the frame rate before attention (TMR: none, at 20 frames a second)."""
    max_frames: int = 300
    """The longest stretch seen at once; longer motions are averaged over stretches."""

    @property
    def stride(self) -> int:
        """Frames per step of the transformers."""
        return 2**self.down
