"""Stage 1: the tokenizer of one body part (seed: SynTalker's RVQ-VAE stage)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from vector_quantize_pytorch import ResidualVQ

from ...backend.errors import BadInput
from ...backend.models.tokenizer import PartTokenizer, TokenizerConfig
from ...backend.motion.features import FPS
from ..corpus.dataset import window
from .common import StageConfig, send, set_up, train, warm_start
from .tokenizer_data import Material, of_features, of_store


class TokenizerStage(StageConfig):
    """Keys of ``stage tokenizer``."""

    store: Path = Path("store")
    part: str
    features: Path | None = None
    """Folder of HumanML3D's whole-body features (``understudy-train features wholebody``) to learn from, in place
    of the store (``--dataname h3d_623`` of the seed). For research: a pack needs the parts of the store."""
    window: int = 64
    model: dict[str, Any] = {}
    loss_recon: Literal["l1_smooth", "l1", "l2"] = "l1_smooth"
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
    """Folder of a tokenizer of the same sizes, trained here, to go on from with the statistics of its codebooks; a
    tokenizer that was unpacked, which has none, is named in ``init_from``."""
    decoder_only: bool = False
    """Train the decoder alone: latents and codes stay, and with them the later stages' training."""
    rare: float = 0.0
    """How much oftener windows are drawn in which the body is upside down."""
    bypass: float = 0.25
    """Share of windows decoded from unquantised latents, which the diffusion model will hand over."""
    noise: float = 0.0
    """Spread of the noise added to the normalised input, times 1 + the motion's energy level (0.01 in the
    seed): athletic motion bears more of it. The target stays clean."""


DIFFERENCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1_smooth": F.smooth_l1_loss,
    "l1": F.l1_loss,
    "l2": F.mse_loss,
}


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

    def begin_with(self, books: Tensor) -> None:
        """Codebooks (Q, K, D) to go on from, as if each code had been used as often as another."""
        for layer, book in zip(self.quantizer.layers, books, strict=True):
            state = layer._codebook
            # Used often enough to stay until what is really used is known.
            state.cluster_size.fill_(100.0 * max(state.threshold_ema_dead_code, 1.0))
            state.embed.copy_(book[None])
            state.embed_avg.copy_(book[None] * state.cluster_size[..., None])
            state.initted.fill_(True)

    def finished(self) -> PartTokenizer:
        """The tokenizer with the codebooks as they are now."""
        self.model.codebooks.copy_(torch.stack([book.detach() for book in self.quantizer.codebooks]))
        return self.model


def window_chances(tilts: list[np.ndarray], size: int, rare: float) -> tuple[np.ndarray, np.ndarray]:
    """Every window as (motion, start) rows (N, 2), and their cumulative chances (N,).

    A window counts ``1 + rare`` times when the pelvis is upside down all through it, and in between
    when it is tilted: cartwheels and rolls are a few seconds of an hour, and would be averaged away.

    Args:
        tilts: (T,) of each motion, 0 upright to 1 upside down.
    """
    rows, weights = [], []
    for i, tilt in enumerate(tilts):
        starts = np.arange(max(len(tilt) - size, 0) + 1)
        total = np.concatenate([[0.0], np.cumsum(tilt)])
        stops = np.minimum(starts + size, len(tilt))
        rows.append(np.stack([np.full(len(starts), i), starts], axis=1))
        weights.append(
            (1.0 + rare * (total[stops] - total[starts]) / (stops - starts)) * (stops - starts) / size
        )
    chances = np.cumsum(np.concatenate(weights))
    return np.concatenate(rows), chances / chances[-1]


def run(config: TokenizerStage) -> dict[str, float]:
    part = config.part
    device = set_up(config)
    material = (
        of_features(config.features, part)
        if config.features
        else of_store(config.store, tuple(config.datasets), part)
    )
    source = "wholebody" if config.features else "parts"
    sizes = {"features": len(material.mean), "source": source, **config.model}
    model_config = TokenizerConfig(**sizes)
    model = PartTokenizer(model_config).to(device)
    model.mean.copy_(torch.from_numpy(material.mean))
    model.std.copy_(torch.from_numpy(material.std))
    learner = Learner(model, config).to(device)
    if config.init_from is not None:
        warm_start(model, config)
        learner.begin_with(model.codebooks)
    if config.start:
        state = torch.load(config.start / "checkpoint.pt", map_location=device, weights_only=True)["ema"]
        learner.load_state_dict(state)
        learner.finished()
    if config.decoder_only:
        model.encoder.requires_grad_(False)
    places, chances = window_chances(material.tilts, config.window, config.rare)

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Windows (B, T, F), and how much noise each of them bears (B, 1, 1)."""
        chosen = np.searchsorted(chances, rng.random(config.batch_size))
        rows = [window(material.training[i], start, config.window) for i, start in places[chosen]]
        energy = material.energies[places[chosen][:, 0]]
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
        difference = DIFFERENCES[config.loss_recon]
        features = difference(ours, theirs)
        velocity = difference(ours.diff(dim=1), theirs.diff(dim=1))
        joints = (material.joints(decoded) - material.joints(target)).norm(dim=-1).mean()
        total = features + config.loss_velocity * velocity + config.loss_commit * commitment
        total = total + config.loss_joints * joints
        if material.path is not None:
            path = (material.path(decoded) - material.path(target)).norm(dim=-1).mean()
            total = total + config.loss_root * path
            return total, {**numbers(features, joints), "path_cm": path.detach() * 100}
        return total, numbers(features, joints)

    def numbers(features: Tensor, joints: Tensor) -> dict[str, Tensor]:
        return {"features": features.detach(), "joints_mm": joints.detach() * 1000}

    def evaluate(_: nn.Module) -> dict[str, float]:
        return reconstruction(learner.finished(), material)

    def exported(state: dict[str, Tensor]) -> dict[str, Tensor]:
        books = [state[f"quantizer.layers.{i}._codebook.embed"][0] for i in range(model_config.quantizers)]
        kept = {key.removeprefix("model."): value for key, value in state.items() if key.startswith("model.")}
        return {**kept, "codebooks": torch.stack(books)}

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
def reconstruction(model: PartTokenizer, material: Material) -> dict[str, float]:
    """Errors of whole motions through the tokenizer: joints in mm, features, codes used, root drift."""
    device = model.mean.device
    joints, features, codes, drift = [], [], [], []
    for motion in material.validation:
        frames = len(motion) // model.config.stride * model.config.stride
        if frames < 16:
            continue
        target = torch.from_numpy(motion[:frames]).to(device)[None]
        quantized = model.quantize(model.encode(target))
        decoded = model.decode(quantized.latents)
        joints.append((material.joints(decoded) - material.joints(target)).norm(dim=-1).flatten())
        features.append((model.normalize(decoded) - model.normalize(target)).abs().mean())
        codes.append(quantized.codes[..., 0].flatten())
        if material.path is not None:
            path = (material.path(decoded) - material.path(target)).norm(dim=-1)[0]
            drift.append(path[min(int(10 * FPS), frames - 1)])
    if not joints:
        raise BadInput("Every motion of the validation split is shorter than 16 frames.", field="store")
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
