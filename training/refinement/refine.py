"""Refinement of pose sequences: repair what is noisy or jerky, and perform it in another style.

Repair finds the mean of what a spoilt motion may have been, noises it a little and denoises it again, so
that it moves as motion does. A style is given to it by noising it more and denoising it under
classifier-free guidance (SDEdit, Meng et al. 2022): the more noise, the freer the performance; the path
through the scene stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ...backend.errors import BadInput
from ...backend.models.refiner import PoseRefiner, load_refiner
from ...backend.models.schedule import ddim, sampling_steps
from ...backend.models.style import FIELDS, StyleCondition, arrays
from .pose_layout import Layout, layout_of

MAX_STEPS = 50
POLISH = 0.06
"""Share of the noise schedule from which a repaired motion is denoised; see :meth:`Refiner.refine`."""
CHUNK = 64
"""Windows per call of the network."""
Styles = StyleCondition | Sequence[StyleCondition | None] | None


class Refiner:
    """A trained refiner and the layout of its poses.

    Args:
        model: in evaluation mode.
    """

    def __init__(self, model: PoseRefiner) -> None:
        self.model = model
        self.layout: Layout = layout_of(model.config.layout, model.config.dim)
        self._alphas = model.alphas.cpu().double().numpy()

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Refiner:
        """From the folder that ``understudy-train stage refiner`` wrote.

        Raises:
            BadInput: there is no refiner in it.
        """
        return cls(load_refiner(folder, device))

    def refine(
        self,
        motion: np.ndarray,
        fps: float,
        *,
        style: Styles = None,
        guidance: float = 2.5,
        strength: float = 0.5,
        repair: bool = True,
        polish: float = POLISH,
        repair_steps: int = 4,
        steps: int = 20,
        seed: int = 0,
    ) -> np.ndarray:
        """Repair, then restyle where a style is given.

        Args:
            motion: (T, D) or (T, A, D) poses; every actor is refined by itself. An actor of whom all
                numbers are zero is not there, and stays so.
            fps: its rate; other rates than the model's are resampled there and back.
            style: how it is to be performed, by all actors or by each; ``None`` leaves it as it is.
            guidance: 1 follows the style as training data do, above 1 more strongly.
            strength: share of the noise schedule from which restyling starts, above 0 to 1.
            repair: whether to repair at all.
            polish: share of the noise schedule from which the repaired motion is denoised; 0 leaves it as the
                mean that it is.
            repair_steps: calls of the network for the repair: one, and the rest for its denoising.
            steps: calls for the restyling. Together at most 50.
            seed: of the noise.

        Returns:
            Refined poses of the same shape, float32.

        Raises:
            BadInput: the motion or an option is out of range; the sentence names it.
        """
        values = self._checked(motion, fps)
        styles = _styles(style, values.shape[1])
        for name, value, high in (("repair_steps", repair_steps, MAX_STEPS), ("steps", steps, MAX_STEPS)):
            if not 1 <= value <= high:
                raise BadInput(f"{name} must be 1 to {high}, not {value}.", field=name)
        if repair and styles is not None and repair_steps + steps > MAX_STEPS:
            raise BadInput(
                f"Repair and restyling take {repair_steps + steps} steps together, more than {MAX_STEPS}.",
                field="steps",
            )
        if not 0.0 < strength <= 1.0:
            raise BadInput(f"strength must be above 0 and at most 1, not {strength:g}.", field="strength")
        if not 0.0 <= polish <= 1.0:
            raise BadInput(f"polish must be 0 to 1, not {polish:g}.", field="polish")
        if not (np.isfinite(guidance) and guidance >= 0):
            raise BadInput(f"guidance must not be negative, not {guidance:g}.", field="guidance")
        rate = self.model.config.fps
        there = np.flatnonzero(np.abs(values).sum(axis=(0, 2)) > 0)
        refined = np.array(values)
        if len(there) and len(values) > 1:
            inner = self.layout.to_inner(values[:, there])
            length = len(inner)
            timed = abs(fps - rate) > 0.005 * rate
            if timed:
                count = max(round((length - 1) * rate / fps) + 1, 2)
                inner = resampled(inner, np.linspace(0, length - 1, count))
            if repair:
                inner = self._repaired(inner)
                if polish and repair_steps > 1:
                    inner = self._denoised(inner, polish, repair_steps - 1, seed)
            if styles is not None:
                chosen = [styles[actor] for actor in there]
                inner = self._denoised(inner, strength, steps, seed + 1, chosen, guidance)
            if timed:
                inner = resampled(inner, np.linspace(0, len(inner) - 1, length))
            refined[:, there] = self.layout.to_pose(inner)
        return refined.astype(np.float32).reshape(motion.shape)

    def _checked(self, motion: np.ndarray, fps: float) -> np.ndarray:
        """The motion as (T, A, D) float64."""
        values = np.asarray(motion, np.float64)
        if values.ndim not in (2, 3) or values.shape[-1] != self.layout.dim or not len(values):
            wanted = f"[T, {self.layout.dim}] or [T, A, {self.layout.dim}]"
            raise BadInput(
                f"The refiner wants motion of the shape {wanted}, not {list(values.shape)}.", field="motion"
            )
        if not np.isfinite(values).all():
            raise BadInput("The motion holds numbers that are not finite.", field="motion")
        if not (np.isfinite(fps) and fps > 0):
            raise BadInput("The frames per second must be above zero.", field="fps")
        return values[:, None] if values.ndim == 2 else values

    def _repaired(self, inner: np.ndarray) -> np.ndarray:
        """The mean of what motion (T, A, K) may have been."""
        scene = _Scene(self, inner)
        none = np.zeros((len(scene.frames), len(FIELDS)))
        return scene.back(self._call(scene, scene.frames, None, none, none > 0))

    def _denoised(
        self,
        inner: np.ndarray,
        strength: float,
        steps: int,
        seed: int,
        style: Sequence[StyleCondition | None] | None = None,
        guidance: float = 1.0,
    ) -> np.ndarray:
        """Motion (T, A, K) noised and denoised, under a style of each actor where there is one."""
        scene = _Scene(self, inner)
        actors = len(scene.frames)
        values, known = arrays(style or [None] * actors)
        ranks = self.model.ranks(values)
        last = round(strength * (len(self._alphas) - 1))
        table = sampling_steps(self._alphas[: last + 1], min(steps, last + 1))
        noise = np.random.default_rng(seed).standard_normal(scene.frames.shape)
        x = np.sqrt(table[0].alpha) * scene.frames + np.sqrt(1 - table[0].alpha) * noise
        for step in table:
            if known.any():
                conditions = np.concatenate([ranks, ranks]), np.concatenate([known, known & False])
                both = self._call(scene, np.concatenate([x, x]), step.timestep, *conditions)
                clean = both[actors:] + guidance * (both[:actors] - both[actors:])
            else:
                clean = self._call(scene, x, step.timestep, ranks, known)
            x = ddim(x, clean, step)
        return scene.back(x)

    def _call(
        self, scene: _Scene, frames: np.ndarray, timestep: int | None, ranks: np.ndarray, known: np.ndarray
    ) -> np.ndarray:
        """Clean frames (N A, T, K) of noisy ones, or without a timestep of spoilt ones; ranks and known (N A, 5).

        The windows of all make one batch and are cross-faded afterwards.
        """
        device, windows = self.model.mean.device, scene.windows

        def send(array: np.ndarray) -> torch.Tensor:
            array = array.astype(np.float32) if array.dtype == np.float64 else array
            return torch.from_numpy(np.ascontiguousarray(array)).to(device)

        rows = windows.cut(frames)
        speeds = windows.cut(np.tile(scene.speeds, (len(frames) // len(scene.speeds), 1, 1)))
        sequence = np.repeat(np.arange(len(frames)), len(windows.starts))
        mask = np.tile(windows.mask, (len(frames), 1))
        results = []
        with torch.inference_mode():
            for i in range(0, len(rows), CHUNK):
                part = slice(i, i + CHUNK)
                shown = send(rows[part])
                clean = self.model(
                    shown,
                    torch.full((len(shown),), timestep or 0, device=device),
                    given=shown,
                    with_given=torch.full((len(shown),), timestep is None, device=device),
                    speeds=send(speeds[part]),
                    ranks=send(ranks[sequence[part]]),
                    with_style=send(known[sequence[part]]),
                    mask=send(mask[part]),
                )
                results.append(clean.float().cpu().numpy())
        return windows.join(np.concatenate(results).astype(np.float64))


class _Scene:
    """Motion (T, A, K) as the network sees it, and the way back.

    Attributes:
        frames: (A, T, K) without travel, normalised.
        speeds: (A, T, P) of the travel, normalised.
    """

    def __init__(self, refiner: Refiner, inner: np.ndarray) -> None:
        model, layout = refiner.model, refiner.layout
        mean, self._scale = model.mean.cpu().double().numpy(), float(model.scale)
        actors = inner.transpose(1, 0, 2)
        travel = np.stack([layout.travel(actor) for actor in actors])
        self._base = layout.along(travel) + mean
        self.frames = (actors - self._base) / self._scale
        self.speeds = np.gradient(travel, axis=1) / float(model.speed)
        self.windows = Windows(len(inner), model.config.window, model.config.patch)

    def back(self, frames: np.ndarray) -> np.ndarray:
        """(T, A, K) of frames (A, T, K)."""
        return np.asarray((frames * self._scale + self._base).transpose(1, 0, 2))


class Windows:
    """Overlapping windows of a sequence, cut out and joined again by cross-fading.

    Args:
        length: frames of the sequence.
        size: frames of a window; shorter sequences make one shorter window.
        multiple: frames of a window are a multiple of this; frames that do not exist are filled and masked.
    """

    def __init__(self, length: int, size: int, multiple: int) -> None:
        self.length = length
        self.size = min(size, -(-length // multiple) * multiple)
        count = 1 if length <= self.size else -(-(length - self.size) // (self.size // 2)) + 1
        self.starts = np.round(np.linspace(0, max(length - self.size, 0), count)).astype(int)
        self.frames = self.starts[:, None] + np.arange(self.size)
        self.mask = self.frames < length
        self.frames = np.minimum(self.frames, length - 1)
        rising = np.arange(self.size) + 0.5
        self.weights = np.minimum(rising, rising[::-1])[:, None]
        self.total = np.zeros((length, 1))
        for start in self.starts:
            stop = min(start + self.size, length)
            self.total[start:stop] += self.weights[: stop - start]

    def cut(self, values: np.ndarray) -> np.ndarray:
        """(N W, size, K) of (N, T, K)."""
        width = values.shape[-1]
        return values[:, self.frames].reshape(len(values) * len(self.starts), self.size, width)

    def join(self, rows: np.ndarray) -> np.ndarray:
        """(N, T, K) of (N W, size, K)."""
        rows = rows.reshape(-1, len(self.starts), self.size, rows.shape[-1])
        joined = np.zeros((len(rows), self.length, rows.shape[-1]))
        for i, start in enumerate(self.starts):
            stop = min(start + self.size, self.length)
            joined[:, start:stop] += (rows[:, i] * self.weights)[:, : stop - start]
        return joined / self.total


def resampled(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T, ...) at other times, in frames, by Catmull-Rom splines (straight lines at the ends)."""
    last = len(values) - 1
    low = np.clip(np.floor(times).astype(int), 0, max(last - 1, 0))
    u = (times - low).reshape(-1, *[1] * (values.ndim - 1))
    padded = np.concatenate(
        [2 * values[:1] - values[min(1, last)], values, 2 * values[-1:] - values[max(last - 1, 0)]]
    )
    a, b, c, d = (padded[np.minimum(low + i, last + 2)] for i in range(4))
    return np.asarray(b + 0.5 * u * (c - a + u * (2 * a - 5 * b + 4 * c - d + u * (3 * (b - c) + d - a))))


def _styles(style: Styles, actors: int) -> list[StyleCondition | None] | None:
    """The style of each actor; ``None`` where none is wanted of anybody."""
    if style is None:
        return None
    styles: list[StyleCondition | None] = []
    styles += [style] * actors if isinstance(style, StyleCondition) else style
    if len(styles) != actors:
        raise BadInput(f"There are {actors} actors and {len(styles)} styles.", field="style")
    return styles if any(one is not None and any(one.known) for one in styles) else None
