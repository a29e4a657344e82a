"""A whole pack of the real architecture, so small and untrained that it runs in milliseconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from understudy.backend.models.alignment import Alignment, AlignmentConfig
from understudy.backend.models.diffusion import Denoiser, DiffusionConfig
from understudy.backend.models.language import TASKS, LanguageConfig, MotionLanguageModel
from understudy.backend.models.tokenizer import PartTokenizer, TokenizerConfig
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.features import SIZES, features_from_clip
from understudy.backend.packs.config import Sampling
from understudy.backend.performance.pieces import FILE, learn_pieces
from understudy.training.data.item import Item
from understudy.training.data.prepare import write_index
from understudy.training.packing.pack import DataSource, PackRecipe, write_pack
from understudy.training.stages.diffusion import training_alphas

TOKENIZERS = ("lower_trans", "upper", "hands")
WORDS = learn_pieces(["a person walks forward", "a person waves the left hand"], 130)


def _swaying(frames: int = 64) -> Clip:
    """A body that sways: enough spread for normalisation and codebooks."""
    rng = np.random.default_rng(0)
    time = np.arange(frames)[:, None, None] / 30.0
    poses = 0.2 * np.sin(2.0 * time + rng.normal(size=(55, 3))) * rng.normal(size=(55, 3))
    trans = np.stack([0.0 * time[:, 0, 0], 1.31 + 0.01 * np.sin(time[:, 0, 0]), 0.5 * time[:, 0, 0]], axis=1)
    return Clip(poses, trans, 30.0)


def tiny_stages(
    folder: Path,
    *,
    conditions: bool = True,
    parts: tuple[str, ...] = TOKENIZERS,
    heard: dict[str, object] | None = None,
    **language_keys: object,
) -> Path:
    """Folders of "trained" stages, as the stages leave them; ``heard`` are keys of a denoiser that hears a voice."""
    torch.manual_seed(0)
    features, _ = features_from_clip(_swaying())

    def save(name: str, module: torch.nn.Module, config: dict[str, object]) -> None:
        (folder / name).mkdir(parents=True)
        save_file(
            {k: v.contiguous() for k, v in module.state_dict().items()}, folder / name / "model.safetensors"
        )
        (folder / name / "config.json").write_text(json.dumps(config))

    latents = {}
    for part in parts:
        sizes = TokenizerConfig(features=SIZES[part], width=16, latent=8, codes=12, quantizers=2, depth=1)
        tokenizer = PartTokenizer(sizes)
        tokenizer.mean.copy_(torch.from_numpy(features[part].mean(0)))
        tokenizer.std.fill_(0.05)
        with torch.no_grad():
            latents_of_clip = tokenizer.encode(torch.from_numpy(features[part])[None])[0]
            tokenizer.codebooks[0].copy_(latents_of_clip[: sizes.codes])
            tokenizer.codebooks[1].normal_(std=float(latents_of_clip.std()) * 0.1)
        save(f"tokenizer_{part}", tokenizer, sizes.model_dump())
        latents[part] = sizes.latent
    small = {"width": 16, "layers": 2, "heads": 2, "feed_forward": 32, "max_length": 20, **language_keys}
    language = LanguageConfig(parts={"lower_trans": 12, "upper": 12}, **small)
    planner = MotionLanguageModel(language)
    for name, weight in planner.named_parameters():
        if name in ("style.weight", "rhythm.weight"):  # which begin as no influence
            torch.nn.init.normal_(weight, std=0.3)
    save("language", planner, language.model_dump())
    if language.pieces:
        (folder / "language" / FILE).write_text(WORDS.to_str())
    diffusion = DiffusionConfig(
        parts=latents, width=16, layers=2, heads=2, feed_forward=32, window=16, train_steps=100,
        halves=conditions, style=5 * conditions, rhythm=12 * conditions, **(heard or {}),
    )  # fmt: skip
    denoiser = Denoiser(diffusion)
    for name, weight in denoiser.named_parameters():
        if name.startswith(("sound.", "words.")):  # which begin as no influence
            torch.nn.init.normal_(weight, std=0.3)
    denoiser.alphas.copy_(torch.from_numpy(training_alphas(100)))
    save("diffusion", denoiser, diffusion.model_dump())
    return folder


def item(text: list[str], stop: int, **given: object) -> Item:
    """A captioned stretch from frame 0 to ``stop`` of a clip that nobody opens."""
    values = {"dataset": "made", "motion_name": text[0], "path": f"{text[0]}.npz", "end_frame": stop}
    return Item(**{**values, "text": text, **given})


KNOWN = [
    item(["A person walks forward.", "someone strolls"], 300, emotion="happy"),
    item(["a person walks forward"], 450, path="A person walks forward..npz", start_frame=150),
    item(["a person jumps up and down"], 60),
    item(["a person climbs a ladder"], 60),
    item(["helicopter"], 60),
    item(["a person rides a bicycle"], 6000, split="val"),
]
"""What the tiny pack says it was trained on."""


@pytest.fixture(scope="session")
def tiny_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the pack."""
    return make_pack(tmp_path_factory.mktemp("packs"))


@pytest.fixture(scope="session")
def knowing_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a pack that says what it knows."""
    folder = tmp_path_factory.mktemp("knowing")
    write_index(folder, KNOWN)
    return make_pack(folder, store=folder)


@pytest.fixture(scope="session")
def able_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a pack whose language model takes every condition and tells motion in words."""
    able = {"tasks": TASKS, "pieces": WORDS.get_vocab_size(), "style": True, "rhythm": True}
    return make_pack(tmp_path_factory.mktemp("able"), language_keys=able)


def tiny_alignment(folder: Path) -> Path:
    """Folder of a "trained" alignment stage, as the stage leaves it."""
    torch.manual_seed(1)
    config = AlignmentConfig(
        parts={part: SIZES[part] for part in ("lower_trans", "upper")}, width=16, layers=1, text_layers=1,
        decoder_layers=1, heads=2, feed_forward=32, max_frames=40,
    )  # fmt: skip
    folder.mkdir(parents=True)
    state = {key: value.contiguous() for key, value in Alignment(config).state_dict().items()}
    save_file(state, folder / "model.safetensors")
    (folder / "config.json").write_text(config.model_dump_json())
    return folder


@pytest.fixture(scope="session")
def searching_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a pack in which clips can be searched by meaning."""
    folder = tmp_path_factory.mktemp("searching")
    able = {"tasks": TASKS, "pieces": WORDS.get_vocab_size()}
    return make_pack(folder, language_keys=able, alignment=tiny_alignment(folder / "alignment"))


def make_pack(
    folder: Path,
    *,
    conditions: bool = True,
    parts: tuple[str, ...] = TOKENIZERS,
    heard: dict[str, object] | None = None,
    language_keys: dict[str, object] | None = None,
    licence: str = "CC0-1.0",
    **recipe_keys: object,
) -> Path:
    stages = tiny_stages(
        folder / "stages", conditions=conditions, parts=parts, heard=heard, **(language_keys or {})
    )
    recipe = PackRecipe(
        name="tiny",
        version="1.2.3",
        licence=licence,
        description="Untrained, for tests.",
        tokenizers={part: stages / f"tokenizer_{part}" for part in parts},
        language=stages / "language",
        diffusion=stages / "diffusion",
        data=[DataSource(name="none", licence="CC0-1.0")],
        card="# For tests",
        sampling=Sampling(steps=2, overlap=4),
        **recipe_keys,
    )
    return write_pack(recipe, folder / "tiny", {"an answer": 42.0})
