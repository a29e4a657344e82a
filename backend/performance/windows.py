"""The motion of a long performance in overlapping windows, in memory that does not grow with it.

Plan, latents and features of a window are made and forgotten. Planning goes on in a thread of its own while the latents
before it are refined. Windows overlap, so that what is kept of each depends on nothing beyond its ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..engines.base import Engine
from ..errors import Cancelled
from ..motion.clip import Clip
from ..motion.features import FIELDS, FPS, Start, clip_from_features
from ..motion.filters import gaussian
from ..motion.skeleton import J0
from ..packs.config import PackConfig
from .composing import Told
from .conditions import Guidance
from .planning import Codes, plan
from .refining import Refiner, part_of

BLOCK = 144
"""Latent frames of a window, about twenty seconds."""
MARGIN = 18
"""Latent frames on either side of a window that it is made with, and that are not kept: what clean-up and gestures look
at."""
SLOW = 0.65
"""Seconds over which a body that stays is brought back to its place; three times as long is within the margins."""
FIELD = 12
"""Latent frames on either side that a decoder looks at, at least."""

OnStep = Callable[[int, int], None]


class Window(NamedTuple):
    """Motion of every sample from frame ``first`` on, of which ``start`` to ``stop`` is the window's own."""

    first: int
    start: int
    stop: int
    clips: list[Clip]


@dataclass(frozen=True)
class Performer:
    """The models of a pack, at work on one voice.

    Attributes:
        engine, config: of the pack.
        guidance, steps: of the refiner.
        told: what is performed, with the conditions of the whole voice.
        rngs: one generator per sample.
        stays: whether the body keeps its place and its direction.
    """

    engine: Engine
    config: PackConfig
    guidance: Guidance
    steps: int
    told: Told
    rngs: list[np.random.Generator]
    stays: bool = False

    def windows(self, frames: int, on_step: OnStep) -> Iterator[Window]:
        """The motion in the order of time. Heading and place go on from window to window.

        Args:
            frames: of the whole performance, at 30 fps.
            on_step: called with (model steps done, steps expected) after each; it may raise to cancel.
        """
        stride, length = self.config.stride, self.told.section.length or 0
        latents, base = (
            np.zeros((len(self.rngs), 0, sum(self.config.diffusion.parts.values())), np.float32),
            0,
        )
        arriving = self._latents(length, on_step)
        border = [Start()] * len(self.rngs)
        """Where the samples are when the window begins."""
        borders = np.linspace(0, length, max(round(length / BLOCK), 1) + 1).round().astype(int).tolist()
        try:
            for core, end in pairwise(borders):
                first, last = max(core - MARGIN, 0), min(end + MARGIN, length)
                low, high = max(first - FIELD, 0), min(last + FIELD, length)
                latents, base = latents[:, low - base :], low
                while base + latents.shape[1] < high:
                    latents = np.concatenate([latents, next(arriving)], axis=1)
                features = self.engine.decode(latents[:, : high - base])
                here = slice((first - low) * stride, min(last * stride, frames) - low * stride)
                clips = []
                for sample in range(len(self.rngs)):
                    mine = {part: values[sample, here] for part, values in features.items()}
                    if self.stays:
                        mine["lower_trans"] = staying(mine["lower_trans"])
                    course = _course(mine["lower_trans"])
                    start = _start(course, (core - first) * stride, border[sample])
                    clip = clip_from_features(mine, start)
                    clips.append(clip)
                    if end < length:
                        at = (end - first) * stride
                        place = clip.trans[at] + J0
                        border[sample] = Start(start.yaw + course[at, 0], float(place[0]), float(place[2]))
                yield Window(first * stride, core * stride, min(end * stride, frames), clips)
        finally:
            arriving.close()

    def _latents(self, length: int, on_step: OnStep) -> Generator[np.ndarray]:
        """Settled latents (B, n, D), one piece after the other."""
        refiner = Refiner(
            self.engine,
            self.engine.alphas,
            self.config.diffusion.window,
            self.config.sampling.overlap,
            self.steps,
            self.guidance,
        )
        spans = refiner.windows(length)
        noise = [rng.spawn(1)[0] for rng in self.rngs]
        plans, base = np.zeros((len(noise), 0, 0), np.float32), 0
        settled: np.ndarray | None = None
        codes = self._plan(length)
        try:
            for index, (start, stop) in enumerate(spans):
                while base + plans.shape[1] < stop:
                    vectors = self.engine.plan_vectors(next(codes))
                    plans = np.concatenate([plans, vectors], axis=1) if plans.size else vectors
                made = refiner(
                    self.told.conditions.window(start, stop),
                    plans[:, start - base : stop - base],
                    noise,
                    part_of(on_step, index, len(spans)),
                    before=settled,
                )
                known = 0 if settled is None else settled.shape[1]
                settled = made[:, -refiner.overlap :]
                yield made[:, known:]
                following = spans[index + 1][0] if index + 1 < len(spans) else stop
                plans, base = plans[:, following - base :], following
        finally:
            codes.close()

    def _plan(self, length: int) -> Generator[Codes]:
        """Codes ``{part: (B, n)}``, one piece after the other, each planned while the one before is used."""
        config, told = self.config.language, self.told
        context = config.max_length // 2
        # One less than there is room for: a full context would be read again.
        piece = context - 1
        stopped = threading.Event()

        def check(done: int, total: int) -> None:
            if stopped.is_set():
                raise Cancelled("The generation was cancelled.")

        def go_on(before: Codes | None, first: int) -> Codes:
            known = 0 if before is None else next(iter(before.values())).shape[1]
            stop = min(first + piece, length)
            wishes = dict(told.wishes)
            if "rhythm" in wishes:
                wishes["rhythm"] = wishes["rhythm"][first - known : stop]
            return plan(
                self.engine,
                config,
                self.config.sampling,
                told.text,
                known + stop - first,
                self.rngs,
                check,
                start=before,
                **wishes,
            )

        with ThreadPoolExecutor(1, thread_name_prefix="understudy_plan") as thread:
            try:
                ahead = thread.submit(go_on, None, 0)
                known = 0
                for first in range(0, length, piece):
                    codes = ahead.result()
                    before = {part: values[:, -context:] for part, values in codes.items()}
                    if first + piece < length:
                        ahead = thread.submit(go_on, before, first + piece)
                    yield {part: values[:, known:] for part, values in codes.items()}
                    known = next(iter(before.values())).shape[1]
            finally:
                stopped.set()


def staying(lower: np.ndarray) -> np.ndarray:
    """Features (T, F) of a body that does not leave its place nor turn away: without what is slow in its rates."""
    fields = FIELDS["lower_trans"]
    result = np.array(lower)
    rates = slice(fields["yaw_rate"].start, fields["velocity"].stop)
    result[:, rates] -= gaussian(lower[:, rates].astype(np.float64), SLOW * FPS)
    return result


def _course(lower: np.ndarray) -> np.ndarray:
    """(T, 3) yaw, x and z of features (T, F) that begin at the origin, as :func:`clip_from_features` lays them."""
    fields = FIELDS["lower_trans"]
    rates = lower[:, fields["yaw_rate"].start : fields["velocity"].stop].astype(np.float64) / FPS
    rates[0] = 0.0
    yaw = np.cumsum(rates[:, 0])
    before = np.concatenate([yaw[:1], yaw[:-1]])
    x = np.cumsum(np.cos(before) * rates[:, 1] + np.sin(before) * rates[:, 2])
    z = np.cumsum(np.cos(before) * rates[:, 2] - np.sin(before) * rates[:, 1])
    return np.stack([yaw, x, z], axis=1)


def _start(course: np.ndarray, frame: int, wanted: Start) -> Start:
    """Where a course (T, 3) must begin to be at a place, and to face as wanted, in one of its frames."""
    yaw = wanted.yaw - course[frame, 0]
    x, z = course[frame, 1:]
    return Start(
        float(yaw),
        float(wanted.x - np.cos(yaw) * x - np.sin(yaw) * z),
        float(wanted.z - np.cos(yaw) * z + np.sin(yaw) * x),
    )
