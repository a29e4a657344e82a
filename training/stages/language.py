"""Stage 2: the motion language model learns to plan motion tokens from prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...backend.errors import BadInput
from ...backend.models.language import TASKS, LanguageConfig, MotionLanguageModel
from ...backend.text import WIDTH
from ..dataset import Segment, load_corpus
from ..weights import Chooser, Weighting
from .common import StageConfig, main_first, send, set_up, train
from .latents import Latents, load_tokenizers
from .wording import Captions, Use, Wording


class LanguageStage(StageConfig):
    """Keys of ``stage language``."""

    tokenizers: dict[str, Path]
    model: dict[str, Any] = {}
    text_dropout: float = 0.1
    length_dropout: float = 0.4
    corrupt: float = 0.08
    """Share of input tokens replaced at random, so that the model recovers from its own slips."""
    label_smoothing: float = 0.05
    weights: Weighting = Weighting()
    """Which segments are drawn oftener."""
    wording: Wording = Wording()
    """Other words and emotion tokens for captions."""


class Plans(NamedTuple):
    """A batch for the language model: text (B, W, 384) with its mask (B, W), lengths (B,), tasks (B,),
    tokens that go in (B, L, P) and tokens that must come out (B, L, P)."""

    text: np.ndarray
    text_mask: np.ndarray
    lengths: np.ndarray
    tasks: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray


class PlanBatch:
    """Draws :class:`Plans` from captioned segments."""

    def __init__(
        self, config: LanguageStage, model: MotionLanguageModel, latents: Latents, captions: Captions
    ) -> None:
        self.config, self.model, self.latents, self.captions = config, model, latents, captions

    def tokens(self, segment: Segment, rng: np.random.Generator) -> dict[str, np.ndarray] | None:
        """Codes of a random stretch of the segment, at most ``max_length`` latent frames."""
        drawn = self.latents.draw(segment, rng)
        if drawn is None:
            return None
        encoded, first, last = drawn
        longest = self.model.config.max_length
        if last - first > longest:
            size = int(rng.integers(longest // 2, longest + 1))
            first = int(rng.integers(first, last - size + 1))
            last = first + size
        if last - first < 3:
            return None
        return {part: encoded.codes[part][first:last] for part in self.model.parts if part in encoded.codes}

    def __call__(
        self, segments: list[Segment], rng: np.random.Generator, *, use: Use = "training"
    ) -> Plans | None:
        """A batch of what the segments hold; ``None`` if all are too short. Only training is augmented."""
        augment = use == "training"
        config, model = self.config, self.model
        grids, prompts, lengths, tasks = [], [], [], []
        for segment in segments:
            codes = self.tokens(segment, rng)
            if codes is None:
                continue
            grids.append(delayed_grid(model, codes))
            caption = self.captions.choose(segment, rng, use)
            dropped = augment and rng.random() < config.text_dropout
            prompts.append(None if dropped else caption)
            tasks.append(TASKS.index("continuation" if dropped else "text_to_motion"))
            length = len(next(iter(codes.values())))
            lengths.append(0 if augment and rng.random() < config.length_dropout else length)
        if not grids:
            return None
        size = max(len(grid) for grid in grids)
        absent = np.array([model.absent(part) for part in model.parts])
        targets = np.tile(absent, (len(grids), size, 1))
        for row, grid in zip(targets, grids, strict=True):
            row[: len(grid)] = grid
        inputs = np.concatenate([np.tile(absent, (len(grids), 1, 1)), targets[:, :-1]], axis=1)
        if augment:
            replaced = rng.random(inputs.shape) < config.corrupt
            random = np.stack(
                [rng.integers(model.config.parts[part], size=inputs.shape[:2]) for part in model.parts],
                axis=-1,
            )
            inputs = np.where(replaced & (inputs < absent - 1), random, inputs)
        text, text_mask = self.captions.batch(prompts)
        return Plans(text, text_mask, np.array(lengths), np.array(tasks), inputs, targets)


def delayed_grid(model: MotionLanguageModel, codes: dict[str, np.ndarray]) -> np.ndarray:
    """Codes ``{part: (L,)}`` -> tokens (L + 1, P): the first part ends with "end", the others lag."""
    length = len(next(iter(codes.values())))
    grid = np.tile([model.absent(part) for part in model.parts], (length + 1, 1))
    for i, part in enumerate(model.parts):
        delay = model.config.delays[part]
        if part in codes:
            grid[delay : delay + length, i] = codes[part]
    grid[length, 0] = model.end(model.parts[0])
    return grid


def plan_loss(
    model: MotionLanguageModel, plans: Plans, smoothing: float = 0.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """Cross-entropy over the motion positions, and the share of tokens predicted right."""
    device = model.embedding.weight.device
    prefix = model.prefix(send(plans.text, device), send(plans.lengths, device), send(plans.tasks, device))
    embedded = torch.cat([prefix, model.embed(send(plans.inputs, device))], dim=1)
    rows, size = plans.targets.shape[:2]
    ones = np.ones((rows, embedded.shape[1] - plans.text.shape[1]), bool)
    mask = send(np.concatenate([plans.text_mask, ones], axis=1), device).long()
    logits, _ = model(embedded, mask)
    targets = send(plans.targets, device)
    losses, right, counts = [], [], []
    for i, part in enumerate(model.parts):
        # Nothing here depends on values on the host: a GPU need not wait.
        scores = logits[part][:, -size:].float().flatten(0, 1)
        wanted = targets[..., i].flatten()
        wanted = wanted.masked_fill(wanted == model.absent(part), -100)
        losses.append(F.cross_entropy(scores, wanted, label_smoothing=smoothing, reduction="sum"))
        right.append((scores.argmax(-1) == wanted).sum())
        counts.append((wanted != -100).sum())
    count = torch.stack(counts)
    mean = torch.stack(losses) / count.clamp(min=1)
    accuracy = torch.stack(right).sum() / count.sum().clamp(min=1)
    return mean.sum() / (count > 0).sum().clamp(min=1), {"accuracy": accuracy}


def run(config: LanguageStage) -> dict[str, float]:
    device = set_up(config)
    with main_first():
        corpus = load_corpus(config.store, datasets=tuple(config.datasets))
        captions = Captions(corpus.segments, config.wording, config.store / "features")
    tokenizers = load_tokenizers(config.tokenizers)
    latents = Latents(corpus, tokenizers, device=device)
    parts = {part: t.config.codes for part, t in tokenizers.items()}
    model_config = LanguageConfig(parts=parts, text_width=WIDTH, **config.model)
    model = MotionLanguageModel(model_config).to(device)
    training, validation = corpus.split("train").segments, corpus.split("val").segments
    batch = PlanBatch(config, model, latents, captions)
    choose = Chooser(training, config.weights)

    def draw(rng: np.random.Generator) -> Plans:
        for _ in range(100):
            plans = batch(choose(rng, config.batch_size), rng)
            if plans is not None:
                return plans
        raise BadInput(f"The segments of {config.store} are too short to plan.", field="store")

    def loss(plans: Plans) -> tuple[Tensor, dict[str, Tensor]]:
        return plan_loss(model, plans, config.label_smoothing)

    def evaluate(_: nn.Module) -> dict[str, float]:
        numbers = {}
        uses: tuple[tuple[str, list[Segment], Use], ...] = (
            ("train", training, "plain"), ("val", validation, "plain"), ("val_reworded", validation, "evaluation"),
        )  # fmt: skip
        for name, segments, use in uses:
            rng = np.random.default_rng(7)
            values = []
            for _repeat in range(2 if segments else 0):
                plans = batch([segments[i] for i in rng.integers(len(segments), size=32)], rng, use=use)
                if plans is not None:
                    values.append(plan_loss(model, plans))
            if values:
                numbers[f"{name}_loss"] = float(np.mean([v.item() for v, _ in values]))
                numbers[f"{name}_accuracy"] = float(np.mean([a["accuracy"].item() for _, a in values]))
        return numbers

    return train(
        config,
        model,
        loss,
        evaluate,
        name="language",
        description=model_config.model_dump(),
        draw=draw,
        compiled=(model.backbone,),
    )
