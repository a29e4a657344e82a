"""Refining: latent diffusion turns a coarse plan into latents, by overlapping windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..engines.base import Engine
from ..models.schedule import Step, ddim, sampling_steps
from .conditions import Conditions, Guidance
from .memo import Memo


@dataclass(frozen=True)
class Refiner:
    """Sampling settings of one request.

    Attributes:
        alphas: (N,) cumulative alphas of the training schedule.
        window, overlap: latent frames.
        memo: knows the windows of earlier requests; none for a voice, which is rarely performed twice.
    """

    engine: Engine
    alphas: np.ndarray
    window: int
    overlap: int
    steps: int
    guidance: Guidance
    memo: Memo | None = None

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
        for index, (start, stop) in enumerate(spans):
            known = given[start:stop].copy()
            if index:
                known[: self.overlap] = True
            inputs = (
                noise[:, start:stop],
                conditions.window(start, stop),
                plan[:, start:stop],
                result[:, start:stop],
                np.repeat(known[None], batch, axis=0),
            )
            tell = part_of(on_step, index, len(spans))
            make = partial(self._window, *inputs, tell)
            if self.memo is None:
                x = make()["latents"]
            else:
                made, was_known = self.memo(make, [], "window", self.steps, self.guidance, inputs)
                x = made["latents"]
                if was_known:
                    tell(1, 1)
            if index:
                # Ease from the settled frames into the new ones.
                ease = np.linspace(0.0, 1.0, self.overlap + 2, dtype=np.float32)[1:-1, None]
                x[:, : self.overlap] = (1 - ease) * result[:, start : start + self.overlap] + ease * x[
                    :, : self.overlap
                ]
            keep = given[start:stop, None]
            result[:, start:stop] = np.where(keep, result[:, start:stop], x)
        return result

    def _window(
        self,
        x: np.ndarray,
        conditions: Conditions,
        plan: np.ndarray,
        known: np.ndarray,
        known_mask: np.ndarray,
        on_step: Callable[[int, int], None],
    ) -> dict[str, np.ndarray]:
        """The ``latents`` of a window, from noise ``x``."""
        schedule = sampling_steps(self.alphas, self.steps)
        for done, step in enumerate(schedule, 1):
            x = ddim(x, self._guided(x, step, conditions, plan, known, known_mask), step)
            on_step(done, len(schedule))
        return {"latents": x}

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


def part_of(on_step: Callable[[int, int], None], index: int, count: int) -> Callable[[int, int], None]:
    """Steps of one of several equal pieces of work as steps of all of it."""
    return lambda done, total: on_step(index * total + done, count * total)
