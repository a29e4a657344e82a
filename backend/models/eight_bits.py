"""Weights in eight bits with a scale for each output channel, in numpy; see :mod:`.compact` for packs and torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SCALE = ".int8_scale"
"""Follows the name of a weight that is stored in eight bits."""


def compacted(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The state with every matrix in int8, each with its scales (O,)."""
    result = dict(state)
    for name, value in state.items():
        if value.ndim > 1 and value.dtype.kind == "f":
            scale = np.maximum(np.abs(value).max(axis=tuple(range(1, value.ndim))), 1e-12) / np.float32(127)
            scale = scale.astype(np.float32)
            result[name] = np.rint(value / _column(scale, value)).astype(np.int8)
            result[name + SCALE] = scale
    return result


def restored(state: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """A tensor in float32, whatever it is stored in; whole numbers that are no weights stay as they are."""
    value = state[name]
    scale = state.get(name + SCALE)
    if scale is not None:
        return np.multiply(value, _column(scale, value), dtype=np.float32)
    return value.astype(np.float32) if value.dtype.kind == "f" else value


def _column(scale: np.ndarray, value: np.ndarray) -> np.ndarray:
    return scale.reshape(-1, *[1] * (value.ndim - 1))
