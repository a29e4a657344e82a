"""The noise schedule as a table, and the deterministic sampler that reads it.

Training takes the schedule from diffusers; its cumulative alphas are exported into the pack, so that
inference needs neither diffusers nor torch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Step(NamedTuple):
    """One step of DDIM (Song et al. 2021) with x0-prediction: ``x = to_clean * x0 + to_noise * eps``."""

    timestep: int
    alpha: float
    """Cumulative alpha at this timestep."""
    next_alpha: float
    """Cumulative alpha after the step; 1 at the end."""


def sampling_steps(alphas: np.ndarray, steps: int) -> list[Step]:
    """Evenly spaced timesteps from the noisiest down, with their coefficients.

    Args:
        alphas: (N,) cumulative alphas of the training schedule.
        steps: how many denoiser calls, 1 to N.
    """
    timesteps = np.round(np.linspace(len(alphas) - 1, 0, steps + 1)[:-1]).astype(int)
    following = np.append(alphas[timesteps[1:]], 1.0)
    return [Step(int(t), float(alphas[t]), float(a)) for t, a in zip(timesteps, following, strict=True)]


def ddim(noisy: np.ndarray, clean: np.ndarray, step: Step) -> np.ndarray:
    """Move from ``step.alpha`` to ``step.next_alpha`` along the predicted clean sample."""
    noise = (noisy - np.sqrt(step.alpha) * clean) / np.sqrt(max(1.0 - step.alpha, 1e-8))
    return np.sqrt(step.next_alpha) * clean + np.sqrt(1.0 - step.next_alpha) * noise
