"""What an engine does for the pipeline: the few model calls, numpy in and numpy out.

All randomness stays in the pipeline, so that every engine makes the same clip of the same seed.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..performance.conditions import Conditions
from ..text import TextEmbedding


class OutOfMemory(MemoryError):
    """A device other than the processor has not enough memory for a call."""


class Engine(Protocol):
    name: str
    device: str
    """What computes, of those that a request may name."""
    alphas: np.ndarray
    """(N,) cumulative alphas of the schedule that the denoiser was trained with."""

    def encode_text(self, prompts: list[str]) -> TextEmbedding:
        """Sentence-encoder token embeddings of prompts."""
        ...

    def plan_text(self, prompts: list[str]) -> TextEmbedding:
        """Prompts as :func:`~..performance.planning.plan` takes them: :meth:`encode_text`'s, or, where a pretrained model
        is the planner's base, its own words (B, W)."""
        ...

    def plan_start(
        self,
        text: TextEmbedding,
        length: np.ndarray,
        task: np.ndarray,
        *,
        style: np.ndarray | None = None,
        ends: np.ndarray | None = None,
    ) -> Any:
        """Read what stands before the motion; returns the state that :meth:`plan_step` advances.

        Args:
            text: prompts (B), padded on the left.
            length: (B,) latent frames, 0 where the model decides.
            task: (B,) index into :data:`~..models.language_config.TASKS`.
            style: (B, 10) by :func:`~..models.language_config.style_input`.
            ends: (B, E, P) codes of the last frames, to arrive at.
        """
        ...

    def plan_step(
        self, state: Any, tokens: np.ndarray, rhythm: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Tokens (B, S, P) of the latent frames that follow -> logits (B, codes + 1) of the next, per part.

        Args:
            rhythm: (B, S, 13) by :func:`~..models.language_config.rhythm_input`, each of the frame after.
        """
        ...

    def plan_keep(self, state: Any, rows: np.ndarray) -> None:
        """Go on with these rows (R,) of the state alone, in this order."""
        ...

    def tell_step(self, state: Any, pieces: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """Word pieces (B, S) that follow -> logits (B, pieces) of the next one.

        Args:
            rows: (B,) the row of the state that each one goes on from; each from its own when not given.
        """
        ...

    def plan_codes(self, features: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Features ``{part: (T, F)}`` at 30 frames a second -> first-level codes ``{part: (1, T / stride)}``."""
        ...

    def encode(self, features: dict[str, np.ndarray]) -> np.ndarray:
        """Features ``{part: (T, F)}`` at 30 frames a second, of all parts -> normalised latents (1, T / stride, D)."""
        ...

    def plan_vectors(self, codes: dict[str, np.ndarray]) -> np.ndarray:
        """Codes ``{part: (B, L)}`` -> normalised codebook vectors (B, L, D), zero for other parts."""
        ...

    def denoise(
        self,
        noisy: np.ndarray,
        timestep: int,
        *,
        conditions: Conditions,
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
