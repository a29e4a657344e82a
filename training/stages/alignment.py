"""The alignment of text and motion (TMR: Petrovich, Black, Varol, ICCV 2023), whole and per body half.

Every step teaches the whole body and, turn and turn about, its lower or its upper half. Captions of the
whole body serve the halves too: of all the captions of a batch, a pair of legs is to find its own, so
what the legs do is what its embedding has to say.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...backend.errors import BadInput
from ...backend.models.alignment import VIEWS, Alignment, AlignmentConfig, Gaussian
from ...backend.motion.features import SIZES
from ...backend.text import TextEmbedding
from ..corpus.dataset import Segment, load_corpus, statistics
from ..evaluation.retrieval import alike, cut, merged, padded, protocols, segment_embeddings
from .common import StageConfig, set_up, train, warm_start
from .latents import CaptionEmbeddings

PARTS = tuple(dict.fromkeys(part for shown in VIEWS.values() for part in shown))


class AlignmentStage(StageConfig):
    """Keys of ``stage alignment``. The weights are TMR's."""

    model: dict[str, Any] = {}
    loss_recons: float = 1.0
    loss_latent: float = 1e-5
    loss_kl: float = 1e-5
    loss_contrastive: float = 0.1
    loss_parts: float = 1.0
    """Weight of the half that has its turn, against the whole."""
    temperature: float = 0.1
    same_above: float = 0.8
    """Captions more alike than this are not held against each other; from 0 (opposite) to 1 (the same)."""
    crop: float = 0.25
    """At most this share of a segment is cut off at random."""
    word_dropout: float = 0.1
    """Share of word pieces hidden from the text encoder."""
    sided: float = 0.25
    """Share of a batch for captions that name one side, each followed by its mirror image. Sentence
    encoders hardly tell left from right, so only being held against each other teaches them."""
    noise: float = 0.0
    """Spread of the noise added to normalised features."""
    recons_share: float = 1.0
    """Share of a batch that is decoded at all; its rows are at random, so a part stands for the whole."""
    extended: bool = False
    """Whether short gaits come in a longer version too."""


class Batch(NamedTuple):
    """Motions with one caption each. features ``{part: (B, T, F)}``, known (B, parts), mask (B, T) of
    frames, words (B, W, 384) and words_mask (B, W), same (B, B): captions that mean the same."""

    features: dict[str, Tensor]
    known: Tensor
    mask: Tensor
    words: Tensor
    words_mask: Tensor
    same: Tensor


_LEFT, _RIGHT = (re.compile(rf"\b{side}\b") for side in ("left", "right"))


def sides(caption: str) -> int:
    """-1 when only the left is named, 1 when only the right is, else 0."""
    text = caption.lower()
    return int(bool(_RIGHT.search(text))) - int(bool(_LEFT.search(text)))


def same_meaning(
    captions: list[str], sentences: np.ndarray, segments: list[Segment], above: float
) -> np.ndarray:
    """(B, B) whether row and column say the same, so that neither is a wrong answer to the other.

    Alike captions do, and captions of one and the same motion; but never a left and a right, which
    sentence encoders hardly tell apart and a mirrored motion shows.
    """
    same = alike(sentences, above)
    names = np.array([f"{s.motion.dataset}/{s.motion.name}/{s.motion.mirrored}" for s in segments])
    same |= names[:, None] == names
    side = np.array([sides(caption) for caption in captions])
    return same & (side[:, None] * side >= 0)


def sided_pairs(segments: list[Segment]) -> list[tuple[tuple[Segment, str], tuple[Segment, str]]]:
    """Every segment with a caption that names one side only, and beside it the mirror image of both."""
    mirrored = {s.name: s for s in segments if s.motion.mirrored}
    return [
        ((segment, caption), (twin, twin.captions[i]))
        for segment in segments
        if not segment.motion.mirrored and (twin := mirrored.get(f"{segment.name}--mirror")) is not None
        for i, caption in enumerate(segment.captions)
        if sides(caption) and sides(caption) == -sides(twin.captions[i])
    ]


def contrastive(text: Tensor, motion: Tensor, same: Tensor, temperature: float) -> Tensor:
    """Symmetric InfoNCE of paired rows (B, D); pairs marked in ``same`` (B, B) are left out."""
    scores = F.normalize(text, dim=-1) @ F.normalize(motion, dim=-1).T / temperature
    others = same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)
    scores = scores.masked_fill(others, -torch.inf)
    own = torch.arange(len(scores), device=scores.device)
    return 0.5 * (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own))


def view_losses(
    model: Alignment, batch: Batch, text: Gaussian, view: str, config: AlignmentStage
) -> dict[str, Tensor]:
    """TMR's four losses in one view, over the motions that know something of it."""
    shown = VIEWS[view]
    parts = list(model.config.parts)
    columns = torch.tensor([part in shown for part in parts], device=batch.mask.device)
    rows = (batch.known & columns).any(1)
    features = {part: values[rows] for part, values in batch.features.items()}
    known, mask = batch.known[rows] & columns, batch.mask[rows]
    text = Gaussian(text.mu[rows], text.logvar[rows])
    motion = model.motion_tower(features, known, mask, view)
    latents = text.sample(), motion.sample()
    first = max(round(config.recons_share * len(mask)), 1)
    mask, known = mask[:first], known[:first]
    decoded = model.decoder(torch.cat([z[:first] for z in latents]), mask.repeat(2, 1), view)
    decoded = decoded.float().unflatten(0, (2, -1))
    target = torch.cat([features[part][:first] for part in parts], dim=-1)
    sizes = torch.tensor(list(model.config.parts.values()), device=mask.device)
    weight = known.repeat_interleave(sizes, dim=1)[:, None] * mask[..., None].float()
    error = F.smooth_l1_loss(decoded, target.expand_as(decoded), reduction="none") * weight
    centre = Gaussian(torch.zeros_like(text.mu), torch.zeros_like(text.mu))
    pairs = ((text, motion), (motion, text), (motion, centre), (text, centre))
    same = batch.same[rows][:, rows]
    with torch.autocast(mask.device.type, enabled=False):
        return {
            "recons": error.sum() / weight.sum().clamp(min=1.0),
            "latent": F.smooth_l1_loss(*latents),
            "kl": torch.stack([a.divergence(b) for a, b in pairs]).sum(),
            "contrastive": contrastive(*latents, same, config.temperature),
        }


def run(config: AlignmentStage) -> dict[str, float]:
    device = set_up(config)
    corpus = load_corpus(config.store, datasets=tuple(config.datasets), extended=config.extended)
    training = [s for s in corpus.split("train").segments if any(s.motion.known[part] for part in PARTS)]
    validation = merged([s for s in corpus.split("val").segments if not s.motion.mirrored]) or training
    if len(training) < 2:
        raise BadInput(
            f"The store {config.store} has too few captioned motions to tell apart.", field="store"
        )
    captions = CaptionEmbeddings([c for s in corpus.segments for c in s.captions], config.out)
    model_config = AlignmentConfig(parts={part: SIZES[part] for part in PARTS}, **config.model)
    model = Alignment(model_config).to(device)
    motions = list({id(s.motion): s.motion for s in training}.values())
    known = [part for part in PARTS if any(m.known[part] for m in motions)]
    values = {part: statistics(motions, part) for part in known}
    none = {part: (np.zeros(SIZES[part]), np.ones(SIZES[part])) for part in PARTS}
    for buffer, i in ((model.mean, 0), (model.std, 1)):
        buffer.copy_(torch.from_numpy(np.concatenate([{**none, **values}[part][i] for part in PARTS])))
    warm_start(model, config)

    twins = sided_pairs(training)

    def draw(rng: np.random.Generator) -> Batch:
        count = round(config.sided * config.batch_size / 2) if twins else 0
        rows = [row for i in rng.integers(len(twins) or 1, size=count) for row in twins[i]]
        for i in rng.integers(len(training), size=config.batch_size - len(rows)):
            said = training[i].captions
            rows.append((training[i], said[int(rng.integers(len(said)))]))
        rows = [rows[i] for i in rng.permutation(len(rows))]
        segments, chosen = [segment for segment, _ in rows], [caption for _, caption in rows]
        words, words_mask = captions.batch([*chosen])
        same = same_meaning(chosen, TextEmbedding(words, words_mask).pooled(), segments, config.same_above)
        hidden = rng.random(words_mask.shape) < config.word_dropout
        stretches = []
        for segment in segments:
            longest = min(len(segment), model_config.max_frames)
            length = max(round(longest * (1 - config.crop * rng.random())), min(8, longest))
            start = int(rng.integers(segment.start, segment.stop - length + 1))
            stretches.append(cut(segment, start, start + length))
        features, known, mask = padded(stretches, [s.motion.known for s in segments], device)
        features = model.normalize(features)
        if config.noise:
            features = {part: x + config.noise * torch.randn_like(x) for part, x in features.items()}
        return Batch(
            features, known, mask,
            torch.from_numpy(words).to(device), torch.from_numpy(words_mask & ~hidden).to(device),
            torch.from_numpy(same).to(device),
        )  # fmt: skip

    weights = {
        "recons": config.loss_recons, "latent": config.loss_latent,
        "kl": config.loss_kl, "contrastive": config.loss_contrastive,
    }  # fmt: skip

    def loss(rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        batch = draw(rng)
        half = ("lower", "upper")[int(rng.integers(2))]
        text = model.text_tower(batch.words, batch.words_mask)
        total = torch.zeros((), device=device)
        numbers = {}
        for view, share in (("whole", 1.0), (half, config.loss_parts)):
            if not share:
                continue
            losses = view_losses(model, batch, text[view], view, config)
            total = total + share * sum(weights[name] * value for name, value in losses.items())
            if view == "whole":
                numbers = {name: value.item() for name, value in losses.items()}
        return total, numbers

    def evaluate(_: nn.Module) -> dict[str, float]:
        numbers: dict[str, float] = {}
        for view in VIEWS:
            found = segment_embeddings(model, validation, captions, view)
            measured = protocols(found.text, found.motion, found.sentences)
            if view == "whole":
                for protocol in ("all", "threshold"):
                    numbers |= {
                        f"{protocol}_{way}_R3": measured[protocol][way]["R3"] for way in ("t2m", "m2t")
                    }
            numbers[f"{view}_R3_of_32"] = measured["groups"]["t2m"]["R3"] if "groups" in measured else np.nan
        return numbers

    return train(config, model, loss, evaluate, name="alignment", description=model_config.model_dump())
