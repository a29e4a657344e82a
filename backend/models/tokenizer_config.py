"""Sizes of a motion tokenizer; see :mod:`.tokenizer`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class TokenizerConfig(BaseModel):
    """Sizes of one part's tokenizer."""

    model_config = ConfigDict(extra="forbid")

    features: int
    source: Literal["parts", "wholebody"] = "parts"
    """The features: those of a part of ours, which clips are made of, or HumanML3D's of the whole body."""
    activation: Literal["silu", "relu", "gelu"] = "silu"
    width: int = 192
    latent: int = 64
    codes: int = 256
    quantizers: int = 4
    down: int = 2
    depth: int = 2
    dilation_growth: int = 3
    dropout: float = 0.1
    norm: Literal["time", "frame"] = "time"
    """What a residual block is normalised over: groups of channels over all frames of the input (SynTalker's
    way; a whole clip then looks different from a training window), or the channels of each frame alone."""

    rates: int = 0
    """How many leading features are integrated over time; their means are the first latent columns."""
    rate_scale: float = 3.0
    """How large these columns are in the latents, against normalised features."""
    rate_weight: float = 3.0
    """How much more an error in them counts when codes are chosen, after the first, which the plan is made of."""

    @property
    def stride(self) -> int:
        """Frames per latent frame."""
        return 2**self.down
