"""The refiner of pose sequences (seed 002): denoising under a style, and repair of what is given.

A window of motion is spoilt as recordings and models spoil it, and noised for the diffusion. Half the
windows are shown to the network in their spoilt form: it learns to repair. The others are not: it learns
how motion of a style looks, from the style alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from ...backend.errors import BadInput, UnderstudyError
from ...backend.models.refiner import PoseRefiner, RefinerConfig, rank_table
from ...backend.models.style import StyleCondition, arrays
from ...backend.motion.clip import rotate_world
from ...backend.motion.rotations import yaw_matrix
from ..canonical import files
from ..canonical.build import Report, samples_of
from ..canonical.figures import figures
from ..canonical.samples import Options
from ..canonical.skeleton import from_clip
from ..canonical.style import motion_style
from ..corpus.weights import Weighting
from ..data.store import iter_index, read_item
from ..refinement.degrade import Degradation
from ..refinement.pose_layout import CANONICAL, LAYOUTS, SMPLX, Layout, plain, smplx_poses
from ..refinement.refine import resampled
from .common import StageConfig, main_first, send, set_up, train
from .diffusion import training_alphas

SHORTEST = 8
"""Frames: what is shorter is left out."""
SPLITS = ("train", "val")
"""What takes part; held-back motion does not."""
LEAST_DAMAGE = 4e-4
"""Mean square, normalised: damage below this need not be found to the same share of it."""


class RefinerStage(StageConfig):
    """Keys of ``stage refiner``."""

    store: Path = Path("store")
    canonical: list[Path] = []
    """Files that ``understudy-train canonical build`` wrote, instead of the store; figures of any schema."""
    layout: Literal["canonical", "smplx"] = "canonical"
    """What is made of the store's clips: stick figures (48 numbers), or bodies (135 numbers)."""
    views: list[float] = [0.0, 45.0, 90.0, 135.0]
    """Degrees from which the store's motion is seen; another view is another stick figure."""
    model: dict[str, Any] = {}
    style_from: Literal["window", "sample"] = "window"
    """Tempo, energy and smoothness of the frames that are seen, or the enhanced metadata of the sample."""
    style_dropout: float = 0.1
    """Share of windows that are learned without a style; what classifier-free guidance needs."""
    field_dropout: float = 0.3
    """Share of style fields that are hidden on top, so that one alone can be asked for."""
    given_share: float = 0.5
    """Share of windows that are shown in their spoilt form: the repair."""
    degradation: Degradation = Degradation()
    weights: Weighting = Weighting(quality={"marker_quality": 1.0})
    """What is drawn how often: by the quality of a sample, with a floor."""
    stretch: float = Field(1.35, ge=1.0)
    """Windows are played at most so much faster or slower."""
    mirrored: bool = True
    loss_speed: float = 0.5
    """Weight of the error's change from frame to frame."""


# ---------------------------------------------------------------------------------------- data


@dataclass(frozen=True)
class Motion:
    """Motion of one actor at the model's rate.

    Attributes:
        inner: (T, K) float32, the independent numbers of its poses.
        figure: (T, D) stick figures to measure style on; ``None`` where the poses are stick figures.
        style: of the whole sample.
        split: training or validation.
        weight: how often it is drawn.
    """

    name: str
    inner: np.ndarray
    figure: np.ndarray | None
    style: StyleCondition
    split: str
    weight: float = 1.0


@dataclass(frozen=True)
class Corpus:
    """Motions of one layout."""

    layout: Layout
    motions: list[Motion]

    def split(self, name: str) -> list[Motion]:
        return [motion for motion in self.motions if motion.split == name]


def motions_of(sample: dict[str, Any], layout: Layout, fps: float, weighting: Weighting) -> Iterator[Motion]:
    """The actors of a sample of ``canonical.pt``, each by itself, without held frames at the end."""
    meta = sample.get("meta") or {}
    motion = sample["motion"].numpy()[: meta.get("frames")].astype(np.float64)
    weight = weight_of(sample.get("enhanced_meta"), sample.get("source", ""), weighting)
    style = StyleCondition.from_enhanced_meta(sample.get("enhanced_meta"))
    split = str(meta.get("split") or "train")
    if split not in SPLITS:
        return
    for actor in range(motion.shape[1] if motion.ndim == 3 else 1):
        poses = motion[:, actor] if motion.ndim == 3 else motion
        poses = at_rate(poses, float(meta.get("fps") or fps), fps)
        if len(poses) < SHORTEST or not poses.any() or not weight:
            continue
        inner = layout.to_inner(poses).astype(np.float32)
        yield Motion(f"{meta.get('name', '')}.{actor}", inner, None, style, split, weight)


def at_rate(poses: np.ndarray, fps: float, wanted: float) -> np.ndarray:
    """Poses (T, D) at another rate, by time."""
    if abs(fps - wanted) <= 0.005 * wanted or len(poses) < 2:
        return poses
    count = int(np.floor((len(poses) - 1) * wanted / fps + 1e-6)) + 1
    return resampled(poses, np.arange(count) * fps / wanted)


def weight_of(metadata: dict[str, Any] | None, source: str, weighting: Weighting) -> float:
    """How often a sample is drawn: its quality, what is unknown counting as 1, times its set's factor."""
    quality = (metadata or {}).get("quality") or {}
    weight = weighting.datasets.get(source, 1.0)
    for name, power in weighting.quality.items():
        value = quality.get(name)
        if value is not None:
            weight *= min(max(value, weighting.least), 1.0) ** power
    return weight


def load_corpus(config: RefinerStage, fps: float) -> Corpus:
    """All motions that the configuration names.

    Raises:
        BadInput: there are none, or files of several schemas.
    """
    motions: list[Motion] = []
    if config.canonical:
        layout: Layout | None = None
        for path in config.canonical:
            for sample in files.iter_samples(path):
                dim = int(sample["motion"].shape[-1])
                found = next((one for one in LAYOUTS.values() if one.dim == dim), None) or plain(dim)
                layout = layout or found
                if found.dim != layout.dim:
                    raise BadInput(
                        f"{path} has figures of {dim} numbers, the others {layout.dim}.", field="canonical"
                    )
                motions += motions_of(sample, layout, fps, config.weights)
        layout = layout or CANONICAL
    elif config.layout == "canonical":
        layout = CANONICAL
        for view in config.views:
            options = Options(fps=fps, view=float(np.radians(view)))
            for sample in samples_of(
                config.store, options, Report(), datasets=config.datasets, splits=SPLITS, uncaptioned=True
            ):
                motions += motions_of(sample, layout, fps, config.weights)
    else:
        layout = SMPLX
        motions = list(_bodies(config, fps))
    if not any(motion.split == "train" for motion in motions):
        named = ", ".join(map(str, config.canonical)) or config.store
        raise BadInput(f"{named} has no motion to train the refiner on.", field="store")
    return Corpus(layout, motions)


def _bodies(config: RefinerStage, fps: float) -> Iterator[Motion]:
    """The store's clips that know the whole body, seen from every view (which turns the world)."""
    for item in iter_index(config.store, datasets=tuple(config.datasets)):
        if item.split not in SPLITS:
            continue
        weight = weight_of(item.metadata.model_dump(), item.dataset, config.weights)
        try:
            clip = read_item(config.store, item)
        except UnderstudyError:
            continue
        if not (weight and clip.known["lower_trans"] and clip.known["upper"]) or len(clip) < SHORTEST:
            continue
        style = StyleCondition.from_enhanced_meta(item.metadata.model_dump())
        for view in config.views:
            turned = rotate_world(clip, yaw_matrix(np.asarray(np.radians(view))))
            figure = at_rate(figures(from_clip(turned)).motion, clip.fps, fps)
            poses = SMPLX.to_pose(at_rate(smplx_poses(turned), clip.fps, fps))
            yield Motion(
                item.motion_name, poses.astype(np.float32), figure.astype(np.float32), style, item.split, weight
            )  # fmt: skip


# ---------------------------------------------------------------------------------------- batches

Batch = dict[str, np.ndarray]


@dataclass(frozen=True)
class Normal:
    """Mean (K,), scale and speed of the training motion, as the model keeps them."""

    mean: np.ndarray
    scale: float
    speed: float


class Drawer:
    """Draws windows, spoils them and noises nothing yet."""

    def __init__(self, corpus: Corpus, motions: Sequence[Motion], config: RefinerStage, model: PoseRefiner):
        self.layout, self.motions, self.config, self.model = corpus.layout, motions, config, model
        self.size, self.fps = model.config.window, model.config.fps
        # A motion is drawn as often as it is long, a short one at least as one of half a window.
        chances = np.array([m.weight * max(len(m.inner), self.size / 2) for m in motions])
        self.chances = np.cumsum(chances) / chances.sum()

    def window(
        self, motion: Motion, rng: np.random.Generator, *, augment: bool
    ) -> tuple[np.ndarray, StyleCondition]:
        """At most ``size`` frames (T, K), and their style."""
        factor = 1.0
        if augment and self.config.stretch > 1 and rng.random() < 0.5:
            factor = float(np.exp(rng.uniform(-1, 1) * np.log(self.config.stretch)))
        frames = min(int((len(motion.inner) - 1) / factor) + 1, self.size)
        frames = max(frames, 2)
        start = rng.uniform(0, max(len(motion.inner) - 1 - (frames - 1) * factor, 0.0))
        if factor == 1.0:
            start = round(start)
        times = start + factor * np.arange(frames)

        def cut(values: np.ndarray) -> np.ndarray:
            if factor == 1.0:
                return values[int(start) : int(start) + frames].astype(np.float64)
            return resampled(values.astype(np.float64), times)

        inner = cut(motion.inner)
        figure = inner @ self.layout.expand.T if motion.figure is None else cut(motion.figure)
        if augment and self.config.mirrored and self.layout.mirror is not None and rng.random() < 0.5:
            inner = inner @ self.layout.mirror.T  # the style stays
        return inner, self.style(figure, motion.style)

    def style(self, figure: np.ndarray, sample: StyleCondition) -> StyleCondition:
        """The style of a window: its emotion is that of the sample."""
        if self.config.style_from == "sample" or figure.shape[-1] % 4:
            return sample
        measured = motion_style(figure, self.fps)
        known = len(figure) >= 10  # fewer frames show no rhythm
        return StyleCondition(
            tempo=measured.tempo if known else None,
            energy_level=measured.energy_level,
            smoothness=measured.smoothness,
            valence=sample.valence,
            arousal=sample.arousal,
        )

    def __call__(self, rng: np.random.Generator) -> Batch:
        chosen = np.searchsorted(self.chances, rng.random(self.config.batch_size), side="right")
        windows = [self.window(self.motions[i], rng, augment=True) for i in chosen]
        return self.batch(windows, rng, augment=True)

    def batch(
        self,
        windows: Sequence[tuple[np.ndarray, StyleCondition]],
        rng: np.random.Generator,
        *,
        augment: bool,
    ) -> Batch:
        """Arrays that :func:`denoising_loss` takes; see :meth:`PoseRefiner.forward` for their shapes."""
        config, model, layout = self.config, self.model, self.layout
        count, width = len(windows), model.config.dim
        clean, given = np.zeros((2, count, self.size, width), np.float32)
        speeds = np.zeros((count, self.size, model.config.paths), np.float32)
        mask = np.zeros((count, self.size), bool)
        mean, scale, speed = (b.cpu().double().numpy() for b in (model.mean, model.scale, model.speed))
        for i, (inner, style) in enumerate(windows):
            length = len(inner)
            energy = style.energy_level if style.energy_level is not None else 0.5
            spoilt = config.degradation.apply(inner, rng, energy=energy, parts=layout.parts)
            travel = layout.travel(spoilt)
            path = layout.along(travel) + mean
            clean[i, :length], given[i, :length] = (inner - path) / scale, (spoilt - path) / scale
            speeds[i, :length] = np.gradient(travel, axis=0) / speed if travel.size else travel
            mask[i, :length] = True
        values, known = arrays([style for _, style in windows])
        with_style = known & (rng.random(known.shape) >= config.field_dropout * augment)
        with_style &= rng.random((count, 1)) >= config.style_dropout * augment
        steps = model.config.train_steps
        return {
            "clean": clean, "given": given, "with_given": rng.random(count) < config.given_share,
            "speeds": speeds, "ranks": model.ranks(values), "with_style": with_style, "mask": mask,
            "timesteps": rng.integers(steps, size=count), "noise": rng.standard_normal(clean.shape, np.float32),
        }  # fmt: skip


def denoising_loss(
    model: PoseRefiner, batch: dict[str, Tensor], speed_weight: float
) -> tuple[Tensor, Tensor]:
    """Loss of a batch, and the squared error of the clean frames (B,) in the figures' unit.

    The error of a window counts against what there was to find out, so that every noise level, and light and
    heavy damage, have their say.
    """
    x0, mask = batch["clean"], batch["mask"][..., None].float()
    alpha = model.alphas[batch["timesteps"]][:, None, None]
    noisy = alpha.sqrt() * x0 + (1 - alpha).sqrt() * batch["noise"]
    inputs = ("given", "with_given", "speeds", "ranks", "with_style", "mask")
    predicted = model(noisy, batch["timesteps"], **{name: batch[name] for name in inputs}).float()
    error = (predicted - x0) * mask
    entries = mask.sum(1) * x0.shape[-1]  # (B, 1)
    # What there was to find out: where noise is predicted, velocity of variance one; else the damage.
    damage = (((batch["given"] - x0) * mask) ** 2).sum((1, 2))[:, None] / entries
    repaired = batch["with_given"][:, None]
    difficulty = torch.where(repaired, damage.clamp(min=LEAST_DAMAGE), (1 - alpha[:, 0]).clamp(min=1e-6))
    square = (error**2).sum((1, 2))[:, None] / entries
    change = (error.diff(dim=1) ** 2 * mask[:, 1:] * mask[:, :-1]).sum((1, 2))[:, None] / entries
    loss = ((square + speed_weight * change) / difficulty).mean()
    return loss, square[:, 0].detach() * model.scale**2


def train_step(
    model: PoseRefiner,
    optimizer: torch.optim.Optimizer,
    drawer: Drawer,
    clean: np.ndarray,
    styles: Sequence[StyleCondition | None],
    rng: np.random.Generator,
) -> dict[str, float]:
    """One step on your own batch of clean poses (B, T, D) and their styles; the dropout is applied here.

    Raises:
        BadInput: the poses are not of the model's layout, or longer than its window.
    """
    layout = drawer.layout
    if clean.ndim != 3 or clean.shape[-1] != layout.dim or clean.shape[1] > model.config.window:
        raise BadInput(
            f"A batch must be [B, T, {layout.dim}] with T up to {model.config.window}, not {list(clean.shape)}.",
            field="motion",
        )
    inner = layout.to_inner(np.asarray(clean, np.float64))
    windows = [(one, style or StyleCondition()) for one, style in zip(inner, styles, strict=True)]
    device = model.mean.device
    batch = {name: send(array, device) for name, array in drawer.batch(windows, rng, augment=True).items()}
    loss, square = denoising_loss(model, batch, drawer.config.loss_speed)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), drawer.config.clip_grad)
    optimizer.step()
    return {"loss": loss.item(), "error": square.mean().sqrt().item(), "gradient": float(norm)}


# ---------------------------------------------------------------------------------------- stage


def fit(model: PoseRefiner, drawer: Drawer, windows: int = 2000) -> None:
    """Set the model's means, scales and style ranks from windows of the training motion."""
    rng = np.random.default_rng(drawer.config.seed)
    layout = drawer.layout
    rows, moves, styles = [], [], []
    for motion in np.searchsorted(drawer.chances, rng.random(windows), side="right"):
        inner, style = drawer.window(drawer.motions[motion], rng, augment=True)
        travel = layout.travel(inner)
        rows.append(inner - layout.along(travel))
        moves.append(np.diff(travel, axis=0))
        styles.append(style)
    stacked = np.concatenate(rows)
    mean = stacked.mean(axis=0)
    model.mean.copy_(torch.from_numpy(mean))
    model.scale.fill_(max(float((stacked - mean).std()), 1e-6))
    steps = np.concatenate(moves)
    model.speed.fill_(max(float(steps.std()), 1e-6) if steps.size else 1.0)
    values, known = arrays(styles)
    for i in range(values.shape[1]):
        table = rank_table(values[known[:, i], i])
        model.style_values[i], model.style_ranks[i] = (torch.from_numpy(column).float() for column in table)


def run(config: RefinerStage) -> dict[str, float]:
    device = set_up(config)
    sizes = RefinerConfig(**{"dim": 1, **config.model})
    with main_first():
        corpus = load_corpus(config, sizes.fps)
    layout = corpus.layout
    sizes = sizes.model_copy(update={"dim": layout.inner, "paths": len(layout.paths), "layout": layout.name})
    model = PoseRefiner(sizes)
    model.alphas.copy_(torch.from_numpy(training_alphas(sizes.train_steps)))
    training = corpus.split("train")
    held = corpus.split("val") or training
    drawer = Drawer(corpus, training, config, model)
    fit(model, drawer)
    model.to(device)
    validation = Drawer(corpus, held, config, model)

    def loss(batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        tensors = {name: send(array, device) for name, array in batch.items()}
        value, square = denoising_loss(model, tensors, config.loss_speed)
        shown = tensors["with_given"].float()
        return value, {"repair": ((square * shown).sum() / shown.sum().clamp(min=1)).sqrt()}

    def evaluate(_: nn.Module) -> dict[str, float]:
        """Held-out motion, spoilt: how far it is from the clean one, before and after one step of repair;
        and how much better noise is removed when the style is known."""
        rng = np.random.default_rng(7)
        rows = np.searchsorted(validation.chances, rng.random(128), side="right")
        windows = [validation.window(held[i], rng, augment=False) for i in rows]
        tensors = {
            name: send(array, device) for name, array in validation.batch(windows, rng, augment=False).items()
        }
        everywhere = torch.ones_like(tensors["with_given"])
        frames = tensors["mask"][..., None].float()
        apart = ((tensors["given"] - tensors["clean"]) * frames) ** 2
        spoilt = apart.sum((1, 2)) / (frames.sum((1, 2)) * layout.inner) * model.scale**2
        numbers = {"spoilt": float(spoilt.mean().sqrt())}
        repair = {**tensors, "with_given": everywhere}
        repair["with_style"] = torch.zeros_like(tensors["with_style"])
        numbers["repaired"] = float(denoising_loss(model, repair, 0.0)[1].mean().sqrt())
        for name, known in (("plain", False), ("styled", True)):
            free = {**tensors, "with_given": ~everywhere}
            if not known:
                free["with_style"] = torch.zeros_like(tensors["with_style"])
            numbers[name] = float(denoising_loss(model, free, 0.0)[0])
        return numbers

    return train(config, model, loss, evaluate, name="refiner", description=sizes.model_dump(), draw=drawer)
