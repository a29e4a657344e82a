"""Decoding of latents of any length: what is long is decoded in blocks, so that a decoder's own memory stays small."""

from __future__ import annotations

import numpy as np

from ..engines.base import Engine
from .windows import BLOCK, FIELD


def decoded(engine: Engine, latents: np.ndarray) -> dict[str, np.ndarray]:
    """Normalised latents (B, L, D) -> features ``{part: (B, L * stride, F)}``."""
    length = latents.shape[1]
    if length <= 2 * BLOCK:
        return engine.decode(latents)
    pieces: dict[str, list[np.ndarray]] = {}
    for start in range(0, length, BLOCK):
        stop = min(start + BLOCK, length)
        low, high = max(start - FIELD, 0), min(stop + FIELD, length)
        for part, values in engine.decode(latents[:, low:high]).items():
            stride = values.shape[1] // (high - low)
            # A copy: a view would keep all of its block.
            pieces.setdefault(part, []).append(
                values[:, (start - low) * stride : (stop - low) * stride].copy()
            )
    return {part: np.concatenate(several, axis=1) for part, several in pieces.items()}
