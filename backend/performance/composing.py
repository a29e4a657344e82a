"""Composing: sections become one row of latent frames, each planned and refined after the one before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..engines.base import Engine
from ..packs.config import PackConfig
from ..text import TextEmbedding
from .conditions import Conditions, Guidance
from .memo import Memo
from .planning import Codes, plan
from .refining import Refiner
from .sections import Section

PLAN_CONTEXT = 2
"""Latent frames of what came before that a plan goes on from. More of them say more strongly than the prompt what comes
next: after six, one in three of those who were to sit down after waving stood on."""
CONTINUED = 2.0
"""How much stronger a plan that goes on from something is led by its prompt, for the same reason."""
CANDIDATES = 4
"""Plans written for what goes on from something, at least; led that strongly, one in ten is about something else."""
KNOWN_BEFORE, KNOWN_AFTER = 12, 4
"""Latent frames of given motion that the refiner is told, as in its training."""

OnStep = Callable[[int, int], None]
Report = Callable[[str], OnStep]
"""Gives what a stage calls with (steps done, steps expected)."""


@dataclass(frozen=True)
class Given:
    """Motion that a composition goes on from, or arrives at, as the models know it.

    Attributes:
        codes: first-level codes ``{part: (N,)}``.
        latents: normalised latents (N, D).
    """

    codes: Codes = field(default_factory=dict)
    latents: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def __len__(self) -> int:
        return len(self.latents)

    @classmethod
    def of(cls, engine: Engine, features: dict[str, np.ndarray]) -> Given:
        """Features ``{part: (T, F)}`` at 30 fps as whole latent frames."""
        codes = {part: values[0] for part, values in engine.plan_codes(features).items()}
        return cls(codes, engine.encode(features)[0])


@dataclass(frozen=True)
class Told:
    """A section with what the models read of it, for a batch of samples."""

    section: Section
    text: TextEmbedding
    conditions: Conditions
    wishes: dict[str, Any]


@dataclass(frozen=True)
class Composer:
    """The models of a pack, at work on one request; ``memo`` knows what they made for earlier ones."""

    engine: Engine
    alphas: np.ndarray
    config: PackConfig
    guidance: Guidance
    steps: int
    memo: Memo = field(default_factory=Memo)

    def __call__(
        self,
        told: list[Told],
        rngs: list[list[np.random.Generator]],
        report: Report,
        before: Given = Given(),
        after: Given = Given(),
    ) -> np.ndarray:
        """Latents (B, K + L + E, D): what is given before, the sections, what is given after.

        Args:
            told: the sections in their order.
            rngs: for each section, one generator per sample.
            report: for the stages ``plan`` and ``refine``.
            before, after: given motion, after at most :data:`KNOWN_AFTER` latent frames.
        """
        batch = len(rngs[0])
        codes, lengths = self._plan(told, rngs, report("plan"), before, after)
        plans = self.engine.plan_vectors(codes)
        latents = np.repeat(before.latents[None], batch, axis=0).astype(np.float32)
        arriving = np.repeat(after.latents[None], batch, axis=0).astype(np.float32)
        at = len(before)
        spans = np.cumsum([0, *lengths])
        for index, (one, own, length) in enumerate(zip(told, rngs, lengths, strict=True)):
            last = index == len(told) - 1
            first = max(at - KNOWN_BEFORE, 0)
            stop = at + length + (len(after) if last else 0)
            made = self._refiner()(
                one.conditions.window(first - len(before), stop - len(before)),
                plans[:, first:stop],
                own,
                _part(report("refine"), int(spans[index]), length, int(spans[-1])),
                before=latents[:, first:at] if at > first else None,
                after=arriving if last and len(after) else None,
            )
            new = made[:, at - first : at - first + length]
            latents = np.concatenate([latents, new], axis=1) if latents.size else new
            at += length
        return np.concatenate([latents, arriving], axis=1) if arriving.size else latents

    def _refiner(self) -> Refiner:
        return Refiner(
            self.engine,
            self.alphas,
            self.config.diffusion.window,
            self.config.sampling.overlap,
            self.steps,
            self.guidance,
            self.memo,
        )

    def _plan(
        self,
        told: list[Told],
        rngs: list[list[np.random.Generator]],
        on_step: OnStep,
        before: Given,
        after: Given,
    ) -> tuple[Codes, list[int]]:
        """Codes ``{part: (B, K + L + E)}``, and the latent frames of each section."""
        batch = len(rngs[0])
        parts = self.config.language.parts
        codes: Codes = {
            part: np.repeat(before.codes[part][None], batch, axis=0)
            if len(before)
            else np.zeros((batch, 0), np.int64)
            for part in parts
        }
        wanted = [one.section.length or self.config.language.max_length for one in told]
        lengths: list[int] = []
        for index, (one, own) in enumerate(zip(told, rngs, strict=True)):
            last = index == len(told) - 1
            context = {part: values[:, -PLAN_CONTEXT:] for part, values in codes.items()}
            known = next(iter(context.values())).shape[1]
            arriving = len(after) if last else 0
            ends = {part: after.codes[part] for part in parts} if arriving else None
            length = None if one.section.length is None else known + one.section.length + arriving
            wishes = dict(one.wishes)
            if "rhythm" in wishes:
                start = sum(lengths) - known
                wishes["rhythm"] = wishes["rhythm"][start : start + known + wanted[index]]
            sampling = self.config.sampling
            if known:
                led = {
                    "plan_guidance": CONTINUED * sampling.plan_guidance,
                    "candidates": max(CANDIDATES, sampling.candidates),
                }
                sampling = sampling.model_copy(update=led)
            more = {**wishes, "start": context if known else None, "end": ends}
            told_step = _part(on_step, sum(wanted[:index]), wanted[index], sum(wanted))
            write = partial(
                plan, self.engine, self.config.language, sampling, one.text, length, own, told_step, **more
            )
            written, was_known = self.memo(write, own, "plan", sampling.model_dump(), one.text, length, more)
            if was_known:
                told_step(1, 1)
            new = {part: values[:, known:] for part, values in written.items()}
            codes = {part: np.concatenate([codes[part], new[part]], axis=1) for part in parts}
            lengths.append(next(iter(new.values())).shape[1] - arriving)
        return codes, lengths


def _part(on_step: OnStep, start: int, share: int, total: int) -> OnStep:
    """Steps of a part of a stage, told as steps of the whole: ``share`` of ``total`` from ``start`` on."""

    def tell(done: int, expected: int) -> None:
        on_step(min(start + round(share * done / max(expected, 1)), total), total)

    return tell
