"""What goes wrong with motion: noise, dropped frames, joints and figures that jump. For training and for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.signal import lfilter

Parts = Sequence[Sequence[int]]


class Degradation(BaseModel):
    """How often and how badly motion is spoilt in training. Sizes are in the unit of the numbers."""

    model_config = ConfigDict(extra="forbid")

    noise: float = 0.01
    """Deviation of the noise for motion at rest ..."""
    noise_energy: float = 1.0
    """... and what a motion's energy adds: ``noise * (1 + noise_energy * energy_level)``."""
    spread: tuple[float, float] = (0.2, 8.0)
    """The noise is multiplied by a factor between these, as often small as large."""
    noisy: float = 0.7
    """Share of windows with noise."""
    coloured: float = 0.4
    """Share of the noisy ones whose noise drifts from frame to frame."""
    dropped: float = 0.35
    """Share of windows with frames held because later ones were dropped."""
    jumped: float = 0.35
    """Share of windows in which joints, or the whole figure, jump away and back."""
    jump: float = 0.2
    """Size of a jump (deviation)."""

    def apply(
        self, motion: np.ndarray, rng: np.random.Generator, *, energy: float = 0.0, parts: Parts = ()
    ) -> np.ndarray:
        """A spoilt copy of (T, K). ``parts`` are the groups of numbers that fail together."""
        spoilt = motion
        if rng.random() < self.noisy:
            low, high = np.log(self.spread)
            sigma = self.noise * (1 + self.noise_energy * energy) * np.exp(rng.uniform(low, high))
            memory = rng.uniform(0.3, 0.95) if rng.random() < self.coloured else 0.0
            spoilt = noisy(spoilt, rng, sigma, memory=memory)
        if rng.random() < self.jumped:
            size = self.jump * np.exp(rng.uniform(-1.5, 0.5))
            spoilt = jumped(spoilt, rng, rng.uniform(0.2, 3.0), size, parts=parts)
        if rng.random() < self.dropped:
            spoilt = dropped(spoilt, rng, rng.uniform(0.05, 0.5), longest=int(rng.integers(2, 9)))
        return spoilt


def noisy(motion: np.ndarray, rng: np.random.Generator, sigma: float, *, memory: float = 0.0) -> np.ndarray:
    """(T, K) with noise of deviation ``sigma``; ``memory`` (0 to 1) is what it keeps of the frame before."""
    noise = rng.standard_normal(motion.shape)
    if memory:
        noise[1:] *= np.sqrt(1 - memory**2)
        noise = lfilter([1.0], [1.0, -memory], noise, axis=0)
    return np.asarray(motion + sigma * noise)


def dropped(motion: np.ndarray, rng: np.random.Generator, share: float, *, longest: int = 5) -> np.ndarray:
    """(T, K) in which about ``share`` of the frames are lost and show the last frame that is not.

    Gaps are 1 to ``longest`` frames long.
    """
    length = len(motion)
    lost = np.zeros(length + longest, bool)
    # Gaps overlap: so many that the share that no gap covers is the one wanted.
    covering = -np.log1p(-min(share, 0.95)) * length / ((1 + longest) / 2)
    starts = rng.integers(1, max(length, 2), size=rng.poisson(covering))
    for start, gap in zip(starts, rng.integers(1, longest + 1, size=len(starts)), strict=True):
        lost[start : start + gap] = True
    last = np.maximum.accumulate(np.where(lost[:length], 0, np.arange(length)))
    return np.asarray(motion[last])


def jumped(
    motion: np.ndarray,
    rng: np.random.Generator,
    rate: float,
    size: float,
    *,
    parts: Parts = (),
    longest: int = 3,
    whole: float = 0.25,
) -> np.ndarray:
    """(T, K) in which, about ``rate`` times in 30 frames, a part is elsewhere for 1 to ``longest`` frames.

    Args:
        size: deviation of how far.
        parts: groups of numbers; without any, each number is its own.
        whole: share of the jumps that everything makes together.
    """
    spoilt = np.array(motion)
    groups = [list(part) for part in parts] or [[i] for i in range(motion.shape[1])]
    for _ in range(rng.poisson(rate * len(motion) / 30)):
        start, frames = int(rng.integers(len(motion))), int(rng.integers(1, longest + 1))
        if rng.random() < whole:
            width = len(groups[0])
            by = size * rng.standard_normal(width)
            for group in groups:
                spoilt[start : start + frames, group] += by[: len(group)] if len(group) == width else by[0]
        else:
            group = groups[int(rng.integers(len(groups)))]
            spoilt[start : start + frames, group] += size * rng.standard_normal(len(group))
    return spoilt
