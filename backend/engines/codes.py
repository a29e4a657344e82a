"""First-level codes of latents, in numpy: what :meth:`~..models.tokenizer.PartTokenizer.quantize` finds."""

from __future__ import annotations

import numpy as np

from ..models.tokenizer_config import TokenizerConfig


def first_codes(latents: np.ndarray, codebooks: np.ndarray, config: TokenizerConfig) -> np.ndarray:
    """Latents (L, D) and codebooks (Q, K, D) -> first-level codes (L,).

    Where the tokenizer has rates, what a frame's codes could not say of them is left to the next frame.
    """
    if not config.rates:
        return _nearest(latents, codebooks[:1], config)[0]
    limit = 10 * config.rate_scale
    error = np.zeros(latents.shape[1], np.float32)
    codes = np.empty(len(latents), np.int64)
    for i, latent in enumerate(latents):
        first, sums = _nearest((latent + error)[None], codebooks, config)
        codes[i] = first[0]
        left = (latent + error - sums[0])[: config.rates]
        error[: config.rates] = np.clip(left, -limit, limit)
    return codes


def _nearest(
    latents: np.ndarray, codebooks: np.ndarray, config: TokenizerConfig
) -> tuple[np.ndarray, np.ndarray]:
    """The first level's codes (L,) and the sum of all levels' vectors (L, D)."""
    rest = latents
    weight = np.ones(latents.shape[1], np.float32)
    first: np.ndarray | None = None
    for codebook in codebooks:
        apart = (rest * weight)[:, None] - (codebook * weight)[None]
        nearest = np.square(apart).sum(-1).argmin(-1)
        weight[: config.rates] = config.rate_weight
        first = nearest if first is None else first
        rest = rest - codebook[nearest]
    assert first is not None
    return first, latents - rest
