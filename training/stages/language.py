"""Stage 2: the motion language model learns to plan motion tokens from prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...backend.models.language import TASKS, LanguageConfig, MotionLanguageModel
from ...backend.text import WIDTH
from ..dataset import Segment, load_corpus
from .common import StageConfig, set_up, train
from .latents import CaptionEmbeddings, Latents, load_tokenizers


class LanguageStage(StageConfig):
    """Keys of ``stage language``."""

    tokenizers: dict[str, Path]
    model: dict[str, Any] = {}
    text_dropout: float = 0.1
    length_dropout: float = 0.4
    corrupt: float = 0.08
    """Share of input tokens replaced at random, so that the model recovers from its own slips."""
    label_smoothing: float = 0.05


class PlanBatch:
    """Draws (prefix, tokens, targets) for the language model from captioned segments."""

    def __init__(
        self, config: LanguageStage, model: MotionLanguageModel, latents: Latents, captions: CaptionEmbeddings
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
        self, segments: list[Segment], rng: np.random.Generator, *, augment: bool = True
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        config, model = self.config, self.model
        grids, prompts, lengths, tasks = [], [], [], []
        for segment in segments:
            codes = self.tokens(segment, rng)
            if codes is None:
                continue
            grids.append(delayed_grid(model, codes))
            caption = segment.captions[int(rng.integers(len(segment.captions)))]
            dropped = augment and rng.random() < config.text_dropout
            prompts.append(None if dropped else caption)
            tasks.append(TASKS.index("continuation" if dropped else "text_to_motion"))
            length = len(next(iter(codes.values())))
            lengths.append(0 if augment and rng.random() < config.length_dropout else length)
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
        device = model.embedding.weight.device
        prefix = model.prefix(
            torch.from_numpy(text).to(device),
            torch.tensor(lengths, device=device),
            torch.tensor(tasks, device=device),
        )
        embedded = torch.cat([prefix, model.embed(torch.from_numpy(inputs).to(device))], dim=1)
        ones = np.ones((len(grids), prefix.shape[1] - text.shape[1] + size), bool)
        mask = torch.from_numpy(np.concatenate([text_mask, ones], axis=1)).to(device).long()
        valid = torch.from_numpy((targets != absent) & np.isin(targets, absent, invert=True)).to(device)
        return embedded, mask, torch.from_numpy(targets).to(device), valid


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
    model: MotionLanguageModel, batch: tuple[Tensor, ...], smoothing: float = 0.0
) -> tuple[Tensor, float]:
    """Cross-entropy over the motion positions, and the share of tokens predicted right."""
    embedded, mask, targets, valid = batch
    logits, _ = model(embedded, mask)
    size = targets.shape[1]
    losses, right, count = [], 0.0, 0
    for i, part in enumerate(model.parts):
        given = valid[..., i]
        if not given.any():
            continue
        scores = logits[part][:, -size:][given].float()
        wanted = targets[..., i][given]
        losses.append(F.cross_entropy(scores, wanted, label_smoothing=smoothing))
        right += (scores.argmax(-1) == wanted).sum().item()
        count += len(wanted)
    return torch.stack(losses).mean(), right / max(count, 1)


def run(config: LanguageStage) -> dict[str, float]:
    device = set_up(config)
    corpus = load_corpus(config.store, datasets=tuple(config.datasets))
    tokenizers = load_tokenizers(config.tokenizers)
    latents = Latents(corpus, tokenizers)
    captions = CaptionEmbeddings([c for s in corpus.segments for c in s.captions], config.store / "features")
    parts = {part: t.config.codes for part, t in tokenizers.items()}
    model_config = LanguageConfig(parts=parts, text_width=WIDTH, **config.model)
    model = MotionLanguageModel(model_config).to(device)
    training, validation = corpus.split("train").segments, corpus.split("val").segments
    draw = PlanBatch(config, model, latents, captions)

    def loss(rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        chosen = [training[i] for i in rng.integers(len(training), size=config.batch_size)]
        value, accuracy = plan_loss(model, draw(chosen, rng), config.label_smoothing)
        return value, {"accuracy": accuracy}

    def evaluate(_: nn.Module) -> dict[str, float]:
        numbers = {}
        for name, segments in (("train", training), ("val", validation)):
            rng = np.random.default_rng(7)
            values = [
                plan_loss(model, draw([segments[i] for i in rng.integers(len(segments), size=32)], rng, augment=False))
                for _ in range(2)
            ] if segments else []  # fmt: skip
            if values:
                numbers[f"{name}_loss"] = float(np.mean([v.item() for v, _ in values]))
                numbers[f"{name}_accuracy"] = float(np.mean([a for _, a in values]))
        return numbers

    return train(config, model, loss, evaluate, name="language", description=model_config.model_dump())
