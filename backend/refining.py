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
        *,
        before: np.ndarray | None = None,
        after: np.ndarray | None = None,
    ) -> np.ndarray:
        """Normalised latents (B, L, D) for plan vectors (B, L, D).

        Args:
            conditions: of all L latent frames, those given included.
            plan: vectors of the plan, of the frames given too.
            rngs: one generator per sample.
            on_step: called with (steps done, steps expected) after each; it may raise to cancel.
            before: (B, K, D) latents that the motion goes on from; they come first in the result.
            after: (B, E, D) latents that it arrives at; they come last.
        """
        batch, length, width = plan.shape
        result = np.zeros((batch, length, width), np.float32)
        given = np.zeros(length, bool)
        for latents, at in ((before, 0), (after, length)):
            if latents is not None and latents.shape[1]:
                here = slice(0, latents.shape[1]) if at == 0 else slice(at - latents.shape[1], at)
                result[:, here], given[here] = latents, True
        noise = np.stack([rng.standard_normal((length, width)).astype(np.float32) for rng in rngs])
        spans = self.windows(length)
        schedule = sampling_steps(self.alphas, self.steps)
        done = 0
        for index, (start, stop) in enumerate(spans):
            known = given[start:stop].copy()
            if index:
                known[: self.overlap] = True
            known_mask = np.repeat(known[None], batch, axis=0)
            x = noise[:, start:stop]
            here_conditions = conditions.window(start, stop)
            for step in schedule:
                clean = self._guided(
                    x, step, here_conditions, plan[:, start:stop], result[:, start:stop], known_mask
                )
                x = ddim(x, clean, step)
                done += 1
                on_step(done, len(spans) * len(schedule))
            if index:
                # Ease from the settled frames into the new ones.
                ease = np.linspace(0.0, 1.0, self.overlap + 2, dtype=np.float32)[1:-1, None]
                x[:, : self.overlap] = (1 - ease) * result[:, start : start + self.overlap] + ease * x[
                    :, : self.overlap
                ]
            keep = given[start:stop, None]
            result[:, start:stop] = np.where(keep, result[:, start:stop], x)
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
