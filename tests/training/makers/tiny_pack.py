"""A pack and an alignment model of the real architecture, untrained, that run in milliseconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from pydantic import BaseModel
from safetensors.torch import save_file

from understudy.backend.models.alignment import Alignment, AlignmentConfig
from understudy.backend.models.diffusion import Denoiser, DiffusionConfig
from understudy.backend.models.language import LanguageConfig, MotionLanguageModel
from understudy.backend.models.tokenizer import PartTokenizer, TokenizerConfig
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.features import SIZES, features_from_clip
from understudy.backend.packs.config import Sampling
from understudy.training.packing.pack import DataSource, PackRecipe, write_pack
from understudy.training.stages.diffusion import training_alphas

PARTS = ("lower_trans", "upper")
TRANSFORMER = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32}


def save(folder: Path, module: torch.nn.Module, config: BaseModel) -> Path:
    """As a stage leaves its model."""
    folder.mkdir(parents=True)
    save_file({k: v.contiguous() for k, v in module.state_dict().items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(config.model_dump_json())
    return folder


def make_pack(folder: Path, clip: Clip) -> Path:
    """A pack whose codebooks hold poses of ``clip``."""
    torch.manual_seed(0)
    features, _ = features_from_clip(clip)
    stages = folder / "stages"
    for part in PARTS:
        sizes = TokenizerConfig(features=SIZES[part], width=16, latent=8, codes=6, quantizers=2, depth=1)
        tokenizer = PartTokenizer(sizes)
        tokenizer.mean.copy_(torch.from_numpy(features[part].mean(0)))
        tokenizer.std.copy_(torch.from_numpy(np.maximum(features[part].std(0), 0.02)))
        with torch.no_grad():
            latents = tokenizer.encode(torch.from_numpy(features[part])[None])[0]
            tokenizer.codebooks[0].copy_(latents[: sizes.codes])
        save(stages / part, tokenizer, sizes)
    language = LanguageConfig(parts=dict.fromkeys(PARTS, 6), max_length=20, **TRANSFORMER)
    save(stages / "language", MotionLanguageModel(language), language)
    diffusion = DiffusionConfig(parts=dict.fromkeys(PARTS, 8), window=16, train_steps=100, **TRANSFORMER)
    denoiser = Denoiser(diffusion)
    denoiser.alphas.copy_(torch.from_numpy(training_alphas(100)))
    save(stages / "diffusion", denoiser, diffusion)
    recipe = PackRecipe(
        name="tiny",
        version="1",
        licence="CC0-1.0",
        description="Untrained.",
        tokenizers={part: stages / part for part in PARTS},
        language=stages / "language",
        diffusion=stages / "diffusion",
        data=[DataSource(name="none", licence="CC0-1.0")],
        card="# For tests",
        sampling=Sampling(steps=2, overlap=4),
    )
    return write_pack(recipe, folder / "tiny", {})


def make_alignment(folder: Path) -> Path:
    torch.manual_seed(1)
    config = AlignmentConfig(
        parts={part: SIZES[part] for part in PARTS}, text_layers=1, decoder_layers=1, max_frames=40, **TRANSFORMER
    )  # fmt: skip
    return save(folder, Alignment(config), config)
