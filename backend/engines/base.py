"""What an engine does for the pipeline: the few model calls, numpy in and numpy out.

All randomness stays in the pipeline, so that every engine makes the same clip of the same seed.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..text import TextEmbedding


class Engine(Protocol):
    name: str
    device: str

    def encode_text(self, prompts: list[str]) -> TextEmbedding:
        """Sentence-encoder token embeddings of prompts."""
        ...

    def plan_start(self, text: TextEmbedding, length: np.ndarray, task: np.ndarray) -> Any:
        """Read the prompts (B); returns the state that :meth:`plan_step` advances."""
        ...

    def plan_step(self, state: Any, tokens: np.ndarray) -> dict[str, np.ndarray]:
        """Tokens (B, S, P) of the latent frames that follow -> logits (B, codes + 1) of the next, per part."""
        ...

    def plan_vectors(self, codes: dict[str, np.ndarray]) -> np.ndarray:
        """Codes ``{part: (B, L)}`` -> normalised codebook vectors (B, L, D), zero for other parts."""
        ...

    def denoise(
        self,
        noisy: np.ndarray,
        timestep: int,
        *,
        text: TextEmbedding,
        with_text: np.ndarray,
        plan: np.ndarray,
        with_plan: np.ndarray,
        known: np.ndarray,
        known_mask: np.ndarray,
    ) -> np.ndarray:
        """One denoiser call over a batch: (B, L, D) normalised latents in and out."""
        ...

    def decode(self, latents: np.ndarray) -> dict[str, np.ndarray]:
        """Normalised latents (B, L, D) -> features ``{part: (B, L * stride, F)}``."""
        ...
