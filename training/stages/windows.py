"""Batches of the diffusion stage: windows of latents with what the denoiser is told of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Windows(NamedTuple):
    """A batch for the denoiser: clean latents, plan and noise (B, L, D), diffusion steps (B,), text
    (B, W, 384) with its mask (B, W), and what is given: with_text (B,), with_plan, known_mask (B, L); mask
    (B, L) of the frames that exist, known_columns (B, 1, D) of the parts that count; lower and upper
    (B, W, 384) with their masks; style and style_known (B, 5), rhythm (B, L, 12) and with_rhythm (B, L), sound
    (B, L, 100), with_sound, words (B, L, 384) and with_words; those two have no columns where nothing is heard."""

    clean: np.ndarray
    plan: np.ndarray
    noise: np.ndarray
    timesteps: np.ndarray
    text: np.ndarray
    text_mask: np.ndarray
    with_text: np.ndarray
    with_plan: np.ndarray
    known_mask: np.ndarray
    mask: np.ndarray
    known_columns: np.ndarray
    lower: np.ndarray
    lower_mask: np.ndarray
    upper: np.ndarray
    upper_mask: np.ndarray
    style: np.ndarray
    style_known: np.ndarray
    rhythm: np.ndarray
    with_rhythm: np.ndarray
    sound: np.ndarray
    with_sound: np.ndarray
    words: np.ndarray
    with_words: np.ndarray


class Drawn(NamedTuple):
    """A window of one segment: clean and plan (L, D), known (D,); rhythm (L, 12), sound (L, 100) and words (L, 384)
    where it has them."""

    clean: np.ndarray
    plan: np.ndarray
    known: np.ndarray
    rhythm: np.ndarray | None
    sound: np.ndarray | None
    words: np.ndarray | None


GIVEN = (
    "text", "text_mask", "with_text", "plan", "with_plan", "known_mask", "mask",
    "style", "style_known", "rhythm", "with_rhythm", "sound", "with_sound", "words", "with_words",
)  # fmt: skip
"""What of a batch goes to the denoiser as it is."""


def not_as_heard(batch: Windows) -> dict[str, Windows]:
    """The same windows without what is heard, and with what is heard in another one: a model that listens is worse
    at both."""
    heard = ("sound", "with_sound", "words", "with_words")
    deaf = {name: np.zeros_like(getattr(batch, name)) for name in heard}
    other = {name: np.roll(getattr(batch, name), 1, axis=0) for name in heard}
    return {"deaf": batch._replace(**deaf), "other_voice": batch._replace(**other)}
