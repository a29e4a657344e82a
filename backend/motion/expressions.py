"""What the expression coefficients of a clip mean, where they are ours.

The 100 expression coefficients of SMPL-X weigh principal components of face scans; none of them has a name,
and what each one does is in the licensed model file alone. So that a face can speak on a body of our own,
coefficients of the tail, whose components are the faintest, are given a meaning. A clip says in its meta
information that it uses them so; on a SMPL-X model they do next to nothing, and the jaw and the eyes, which
are joints there too, do the speaking.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .clip import Clip
from .skeleton import NUM_EXPRESSIONS

CHANNELS: dict[str, int] = {
    "blink_left": 90,
    "blink_right": 91,
    "mouth_wide": 92,
    "mouth_round": 93,
    "lips_press": 94,
    "lip_bite": 95,
    "smile": 96,
    "brows_up": 97,
    "mouth_open": 98,
}
"""Index of each named channel; 0 is rest and 1 is fully there: an eye shut, the lips pressed for an M, the lower
lip under the teeth for an F, the mouth as wide as in EE or as round as in OO, and open as by the jaw turned :data:`MOUTH_OPEN` further."""

MOUTH_OPEN = 0.2
"""Radians of the jaw that the channel ``mouth_open`` stands for: a face learned from scans opens its mouth by
expressions, which a body of our own cannot show, and hardly turns its jaw."""

META_KEY = "expression_channels"
META_VALUE = "understudy-1"


def weigh(frames: int, **channels: np.ndarray) -> np.ndarray:
    """Expressions (frames, 100) of channels (frames,) by name; whatever is not given rests."""
    expressions = np.zeros((frames, NUM_EXPRESSIONS))
    for name, values in channels.items():
        expressions[:, CHANNELS[name]] = values
    return expressions


def channels_of(clip: Clip) -> dict[str, np.ndarray]:
    """The named channels (T,) of a clip, 0 to 1; empty where its expressions are not ours to read."""
    if clip.expressions is None or clip.meta.get(META_KEY) != META_VALUE:
        return {}
    return {name: np.clip(clip.expressions[:, index], 0.0, 1.0) for name, index in CHANNELS.items()}


def marked(meta: dict[str, Any]) -> dict[str, Any]:
    """Meta information that says the channels are ours."""
    return {**meta, META_KEY: META_VALUE}
