"""Refining: latent diffusion turns a coarse plan into latents, by overlapping windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .conditions import Conditions, Guidance
from .engines.base import Engine
from .models.schedule import Step, ddim, sampling_steps


@dataclass(frozen=True)
class Refiner:
    """Sampling settings of one request.

    Attributes:
        alphas: (N,) cumulative alphas of the training schedule.
        window, overlap: latent frames.
    """

    engine: Engine
    alphas: np.ndarray
    window: int
    overlap: int
    steps: int
    guidance: Guidance

    def windows(self, length: int) -> list[tuple[int, int]]:
        """Half-open spans that cover ``length``; each starts ``overlap`` before the last one's end."""
        spans = [(0, min(self.window, length))]
        while spans[-1][1] < length:
            start = spans[-1][1] - self.overlap
            spans.append((start, min(start + self.window, length)))
        return spans

    def __call__(
        self,
        conditions: Conditions,
        plan: np.ndarray,
        rngs: list[np.random.Generator],
        on_step: Callable[[int, int], None],
    ) -> np.ndarray:
        """Normalised latents (B, L, D) for plan vectors (B, L, D)."""
        batch, length, width = plan.shape
        noise = np.stack([rng.standard_normal((length, width)).astype(np.float32) for rng in rngs])
        result = np.zeros_like(noise)
        spans = self.windows(length)
        schedule = sampling_steps(self.alphas, self.steps)
        done = 0
        for index, (start, stop) in enumerate(spans):
            known_mask = np.zeros((batch, stop - start), bool)
            if index:
                known_mask[:, : self.overlap] = True
            x = noise[:, start:stop]
            here = conditions.window(start, stop)
            for step in schedule:
                clean = self._guided(x, step, here, plan[:, start:stop], result[:, start:stop], known_mask)
                x = ddim(x, clean, step)
                done += 1
                on_step(done, len(spans) * len(schedule))
            if index:
                # Ease from the settled frames into the new ones.
                ease = np.linspace(0.0, 1.0, self.overlap + 2, dtype=np.float32)[1:-1, None]
                x[:, : self.overlap] = (1 - ease) * result[:, start : start + self.overlap] + ease * x[
                    :, : self.overlap
                ]
            result[:, start:stop] = x
        return result

    def _guided(
        self,
        x: np.ndarray,
        step: Step,
        conditions: Conditions,
        plan: np.ndarray,
        known: np.ndarray,
        known_mask: np.ndarray,
    ) -> np.ndarray:
        """Clean latents with classifier-free guidance; all passes are one forward."""
        names = conditions.active
        count = 1 + len(names)

        def repeated(array: np.ndarray) -> np.ndarray:
            return np.concatenate([array] * count)

        clean = self.engine.denoise(
            repeated(x),
            step.timestep,
            conditions=Conditions.stack([conditions, *map(conditions.without, names)]),
            plan=repeated(plan),
            with_plan=np.ones((count * len(x), x.shape[1]), bool),
            known=repeated(known),
            known_mask=repeated(known_mask),
        )
        return self.guidance.combine(names, clean.reshape(count, *x.shape))
