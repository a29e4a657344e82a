"""The judge of FGD: an autoencoder of 6D rotations, whose latents stand for how people move when they talk.

EMAGE compares latents of an autoencoder trained on captured rotations of all joints. This one has the encoder and the
decoder of the tokenizers, without codes in between.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ...backend.errors import BadInput
from ...backend.models.tokenizer import PartTokenizer
from ...backend.models.tokenizer_config import TokenizerConfig
from ...backend.motion.features import FIELDS
from ..corpus.dataset import Motion, load_corpus, window
from .common import StageConfig, main_first, send, set_up, train

LEAST = 0.01
"""Spread to which joints that never turn are raised."""


class GesturesStage(StageConfig):
    """Keys of ``stage gestures``."""

    parts: list[str] = ["lower_trans", "upper", "hands"]
    """Whose rotations are judged; the pelvis without its heading."""
    window: int = 64
    model: dict[str, Any] = {}
    loss_velocity: float = 0.5


class Judge(nn.Module):
    """Rotations (B, T, F) <-> latents (B, T / 4, D)."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.coder = PartTokenizer(config)

    def latents(self, rotations: Tensor) -> Tensor:
        return self.coder.encode(rotations)

    def forward(self, rotations: Tensor) -> Tensor:
        """What is left of rotations after the latents."""
        return self.coder.decode(self.latents(rotations))


def rotations_of(features: dict[str, np.ndarray], parts: list[str]) -> np.ndarray:
    """6D rotations (T, F) of the parts, of a motion's features."""
    return np.concatenate(
        [features[part][:, FIELDS[part]["rotations"].slice] for part in parts], axis=1, dtype=np.float32
    )


def load_judge(folder: Path) -> tuple[Judge, list[str]]:
    """A trained judge, and the parts that it looks at.

    Raises:
        BadInput: the folder holds none.
    """
    import json

    weights = Path(folder) / "model.safetensors"
    if not weights.exists():
        raise BadInput(f"{folder} holds no judge of gestures; run 'stage gestures' first.", field="judge")
    sizes = json.loads((Path(folder) / "config.json").read_text("utf-8"))
    parts = sizes.pop("parts")
    judge = Judge(TokenizerConfig(**sizes))
    judge.load_state_dict(load_file(weights))
    return judge.eval(), parts


@torch.inference_mode()
def latents_of(judge: Judge, rotations: np.ndarray) -> np.ndarray:
    """Latents (T / 4, D) of a clip's rotations (T, F); a rest of less than four frames is left out."""
    whole = rotations[: len(rotations) // 4 * 4]
    return judge.latents(torch.from_numpy(whole)[None])[0].numpy()


def run(config: GesturesStage) -> dict[str, float]:
    device = set_up(config)
    with main_first():
        corpus = load_corpus(config.store, datasets=tuple(config.datasets), extended=False)

    def known(motions: list[Motion]) -> list[np.ndarray]:
        return [
            rotations_of(m.features, config.parts)
            for m in motions
            if all(m.known[part] for part in config.parts) and len(m) >= config.window
        ]

    training = known(corpus.split("train").motions)
    validation = known([m for m in corpus.split("val").motions if not m.mirrored]) or training
    if not training:
        raise BadInput(
            f"No motion of {config.store} has {', '.join(config.parts)} and {config.window} frames.",
            field="parts",
        )
    frames = np.concatenate(training)
    sizes = TokenizerConfig(**{"features": frames.shape[1], "quantizers": 1, "codes": 1, "norm": "frame", **config.model})  # fmt: skip
    model = Judge(sizes).to(device)
    model.coder.mean.copy_(torch.from_numpy(frames.mean(0)))
    model.coder.std.copy_(torch.from_numpy(np.maximum(frames.std(0), LEAST)))
    chances = np.cumsum([len(rows) for rows in training]) / len(frames)

    def draw(rng: np.random.Generator) -> np.ndarray:
        rows = [training[i] for i in np.searchsorted(chances, rng.random(config.batch_size))]
        return np.stack([window(r, int(rng.integers(len(r) - config.window + 1)), config.window) for r in rows])  # fmt: skip

    def compared(target: Tensor) -> tuple[Tensor, Tensor]:
        ours, theirs = model.coder.normalize(model(target)), model.coder.normalize(target)
        return F.smooth_l1_loss(ours, theirs), F.smooth_l1_loss(ours.diff(dim=1), theirs.diff(dim=1))

    def loss(batch: np.ndarray) -> tuple[Tensor, dict[str, Tensor]]:
        features, velocity = compared(send(batch, device))
        return features + config.loss_velocity * velocity, {"features": features.detach()}

    def evaluate(_: nn.Module) -> dict[str, float]:
        whole = [send(rows[None, : len(rows) // 4 * 4], device) for rows in validation]
        return {"features": float(np.mean([compared(rows)[0].item() for rows in whole]))}

    return train(
        config, model, loss, evaluate, name="gestures", draw=draw,
        description={**sizes.model_dump(), "parts": config.parts},
    )  # fmt: skip
