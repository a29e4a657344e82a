"""Stage 1: the tokenizer of one body part (seed: SynTalker's RVQ-VAE stage)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from vector_quantize_pytorch import ResidualVQ

from ...backend.errors import BadInput
from ...backend.models.tokenizer import PartTokenizer, TokenizerConfig
from ...backend.motion.features import FIELDS, FPS, SIZES
from ...backend.motion.skeleton import PARTS
from ..dataset import Corpus, Motion, load_corpus, statistics, window
from .common import StageConfig, main_first, send, set_up, train
from .geometry import chain_positions, integrate_root


class TokenizerStage(StageConfig):
    """Keys of ``stage tokenizer``."""

    part: str
    window: int = 64
    model: dict[str, Any] = {}
    loss_velocity: float = 0.5
    loss_commit: float = 0.02
    loss_joints: float = 4.0
    """Weight of the joint positions that the decoded rotations lead to (metres)."""
    loss_root: float = 1.0
    """Weight of the path that the decoded velocities lead to (metres)."""
    codebook_decay: float = 0.99
    reset_below: float = 1.0
    """A code used less often than this (moving count per batch) is replaced by a current latent."""
    quantize_dropout: bool = True
    start: Path | None = None
    """Folder of a trained tokenizer of the same sizes to go on from."""
    decoder_only: bool = False
    """Train the decoder alone: latents and codes stay, and with them the later stages' training."""
    rare: float = 0.0
    """How much oftener windows are drawn in which the body is upside down."""
    bypass: float = 0.25
    """Share of windows decoded from unquantised latents, which the diffusion model will hand over."""
    noise: float = 0.0
    """Spread of the noise added to the normalised input, times 1 + the motion's energy level (0.01 in the
    seed): athletic motion bears more of it. The target stays clean."""


class Learner(nn.Module):
    """A tokenizer with the quantiser that learns its codebooks (EMA, dead codes reset, dropout)."""

    def __init__(self, model: PartTokenizer, stage: TokenizerStage) -> None:
        super().__init__()
        self.model = model
        sizes = model.config
        self.quantizer = ResidualVQ(
            dim=sizes.latent,
            num_quantizers=sizes.quantizers,
            codebook_size=sizes.codes,
            decay=stage.codebook_decay,
            threshold_ema_dead_code=stage.reset_below,
            quantize_dropout=stage.quantize_dropout,
            quantize_dropout_cutoff_index=1,
            kmeans_init=True,
            kmeans_iters=10,
            rotation_trick=False,
        )

    def quantize(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Quantised latents with straight-through gradients, and the commitment loss."""
        quantized, _, losses = self.quantizer(latents)
        return quantized, losses.sum()

    def finished(self) -> PartTokenizer:
        """The tokenizer with the codebooks as they are now."""
        self.model.codebooks.copy_(torch.stack([book.detach() for book in self.quantizer.codebooks]))
        return self.model


def window_chances(motions: list[Motion], size: int, rare: float) -> tuple[np.ndarray, np.ndarray]:
    """Every window as (motion, start) rows (N, 2), and their cumulative chances (N,).

    A window counts ``1 + rare`` times when the pelvis is upside down all through it, and in between
    when it is tilted: cartwheels and rolls are a few seconds of an hour, and would be averaged away.
    """
    up = FIELDS["lower_trans"]["rotations"].start + 4  # R[1, 1] of the pelvis in the columns layout
    rows, weights = [], []
    for i, motion in enumerate(motions):
        tilt = 0.5 * (1.0 - motion.features["lower_trans"][:, up])
        starts = np.arange(max(len(motion) - size, 0) + 1)
        total = np.concatenate([[0.0], np.cumsum(tilt)])
        stops = np.minimum(starts + size, len(motion))
        rows.append(np.stack([np.full(len(starts), i), starts], axis=1))
        weights.append(
            (1.0 + rare * (total[stops] - total[starts]) / (stops - starts)) * (stops - starts) / size
        )
    chances = np.cumsum(np.concatenate(weights))
    return np.concatenate(rows), chances / chances[-1]


def _joint_error(part: str, decoded: Tensor, target: Tensor) -> Tensor:
    rotations = FIELDS[part]["rotations"].slice
    ours = chain_positions(decoded[..., rotations], PARTS[part])
    theirs = chain_positions(target[..., rotations], PARTS[part])
    return (ours - theirs).norm(dim=-1)


def run(config: TokenizerStage) -> dict[str, float]:
    part = config.part
    if part not in PARTS:
        raise BadInput(f"There is no part {part}; the parts are {', '.join(PARTS)}.", field="part")
    device = set_up(config)
    # Extended gaits only repeat what is there.
    with main_first():
        corpus = load_corpus(config.store, datasets=tuple(config.datasets), extended=False)
    training = [m for m in corpus.split("train").motions if m.known[part]]
    validation = [m for m in corpus.split("val").motions if m.known[part] and not m.mirrored] or training
    if not training:
        raise BadInput(f"No motion of the store {config.store} contains the part {part}.", field="part")
    model_config = TokenizerConfig(features=SIZES[part], **config.model)
    model = PartTokenizer(model_config).to(device)
    mean, std = statistics(training, part)
    model.mean.copy_(torch.from_numpy(mean))
    model.std.copy_(torch.from_numpy(std))
    learner = Learner(model, config).to(device)
    if config.start:
        state = torch.load(config.start / "checkpoint.pt", map_location=device, weights_only=True)["ema"]
        learner.load_state_dict(state)
        learner.finished()
    if config.decoder_only:
        model.encoder.requires_grad_(False)
    places, chances = window_chances(training, config.window, config.rare)

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Windows (B, T, F), and how much noise each of them bears (B, 1, 1)."""
        chosen = np.searchsorted(chances, rng.random(config.batch_size))
        rows = [window(training[i].features[part], start, config.window) for i, start in places[chosen]]
        energy = np.array([training[i].energy for i, _ in places[chosen]], np.float32)
        return np.stack(rows), config.noise * (1.0 + energy)[:, None, None]

    def loss(batch: tuple[np.ndarray, np.ndarray]) -> tuple[Tensor, dict[str, Tensor]]:
        target = source = send(batch[0], device)
        if config.noise:
            source = target + send(batch[1], device) * model.std * torch.randn_like(target)
        if config.decoder_only:
            with torch.no_grad():
                latents = model.encode(source)
                quantized, commitment = model.quantize(latents).latents, torch.zeros((), device=device)
        else:
            latents = model.encode(source)
            quantized, commitment = learner.quantize(latents)
        skip = torch.rand(len(target), 1, 1, device=device) < config.bypass
        decoded = model.decode(torch.where(skip, latents, quantized)).float()
        with torch.autocast(device.type, enabled=False):  # bfloat16 would cost the joints millimetres
            return compared(decoded, target, commitment.float())

    def compared(decoded: Tensor, target: Tensor, commitment: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        ours, theirs = model.normalize(decoded), model.normalize(target)
        features = F.smooth_l1_loss(ours, theirs)
        velocity = F.smooth_l1_loss(ours.diff(dim=1), theirs.diff(dim=1))
        joints = _joint_error(part, decoded, target).mean()
        total = features + config.loss_velocity * velocity + config.loss_commit * commitment
        total = total + config.loss_joints * joints
        if part == "lower_trans":
            path = (integrate_root(decoded) - integrate_root(target)).norm(dim=-1).mean()
            total = total + config.loss_root * path
            return total, {**numbers(features, joints), "path_cm": path.detach() * 100}
        return total, numbers(features, joints)

    def numbers(features: Tensor, joints: Tensor) -> dict[str, Tensor]:
        return {"features": features.detach(), "joints_mm": joints.detach() * 1000}

    def evaluate(_: nn.Module) -> dict[str, float]:
        return reconstruction(learner.finished(), validation_corpus, part)

    def exported(state: dict[str, Tensor]) -> dict[str, Tensor]:
        books = [state[f"quantizer.layers.{i}._codebook.embed"][0] for i in range(model_config.quantizers)]
        kept = {key.removeprefix("model."): value for key, value in state.items() if key.startswith("model.")}
        return {**kept, "codebooks": torch.stack(books)}

    validation_corpus = Corpus(validation, [])
    return train(
        config,
        learner,
        loss,
        evaluate,
        name=f"tokenizer {part}",
        description=model_config.model_dump(),
        shipped=exported,
        draw=draw,
        compiled=(model.encoder, model.decoder),
    )


@torch.no_grad()
def reconstruction(model: PartTokenizer, corpus: Corpus, part: str) -> dict[str, float]:
    """Errors of whole motions through the tokenizer: joints in mm, features, codes used, root drift."""
    device = model.mean.device
    joints, features, codes, drift = [], [], [], []
    for motion in corpus.motions:
        frames = len(motion) // model.config.stride * model.config.stride
        if not motion.known[part] or frames < 16:
            continue
        target = torch.from_numpy(motion.features[part][:frames]).to(device)[None]
        quantized = model.quantize(model.encode(target))
        decoded = model.decode(quantized.latents)
        joints.append(_joint_error(part, decoded, target).flatten())
        features.append((model.normalize(decoded) - model.normalize(target)).abs().mean())
        codes.append(quantized.codes[..., 0].flatten())
        if part == "lower_trans":
            path = (integrate_root(decoded) - integrate_root(target)).norm(dim=-1)[0]
            drift += [path[min(i + int(10 * FPS), frames - 1)] for i in range(1)]
    used = torch.cat(codes).bincount(minlength=model.config.codes).float()
    share = used / used.sum()
    result = {
        "joints_mm": torch.cat(joints).mean().item() * 1000,
        "features": torch.stack(features).mean().item(),
        "perplexity": torch.exp(-(share * (share + 1e-9).log()).sum()).item(),
    }
    if drift:
        result["root_drift_10s_cm"] = torch.stack(drift).mean().item() * 100
    return result
