"""Trained stages become a pack: half-precision weights, sizes, licence, attribution, checksums."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors.torch import load_file, save_file

from ...backend.errors import BadInput
from ...backend.models.alignment_config import AlignmentConfig
from ...backend.models.compact import SCALE, compact
from ...backend.models.diffusion import DiffusionConfig
from ...backend.models.language import LanguageConfig
from ...backend.models.tokenizer import TokenizerConfig
from ...backend.packs.config import PackConfig, Sampling
from ...backend.packs.finding import FORMAT
from ...backend.performance.pieces import FILE, read_pieces
from ...backend.search.alignment_space import FILE as ALIGNMENT_FILE
from ...backend.speech.face_model import FILE as FACE
from ...backend.speech.face_model import FaceModel
from ..corpus.dataset import load_corpus
from ..corpus.styles import SegmentStyles
from ..data.store import iter_index
from .export_onnx import export_pack, exportable
from .known import write_known


class DataSource(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    licence: str
    attribution: str = ""
    url: str = ""


class PackRecipe(BaseModel):
    """Keys of ``understudy-train pack --config``."""

    model_config = ConfigDict(extra="forbid")

    name: str
    version: str
    licence: str
    licence_note: str = ""
    description: str
    tokenizers: dict[str, Path]
    language: Path
    diffusion: Path
    alignment: Path | None = None
    """The text and motion encoders of this run let clips be searched by meaning; without it, the pack cannot."""
    face: Path | None = None
    """Of ``understudy-train face``: moves jaw and expressions with a voice; without it, the mouth follows rules."""
    store: Path | None = None
    """What the stages were trained on, for the list of what the pack knows; without it, the pack has none and
    never warns."""
    datasets: list[str] = []
    """Only these sets of the store; all when empty."""
    sampling: Sampling = Sampling()
    data: list[DataSource]
    card: str
    """The model card's text, Markdown."""


def read_recipe(path: Path) -> PackRecipe:
    """Read and check a recipe's YAML.

    Raises:
        BadInput: the file or a key is wrong.
    """
    try:
        return PackRecipe.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise BadInput(f"The recipe {path} cannot be read: {error}.", field="config") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"The recipe {path} is wrong at {where}: {first['msg']}.", field=where) from error


def _weights(folder: Path, target: Path, *, eight_bits: str = "", without: tuple[str, ...] = ()) -> None:
    """Copy a stage's weights: those under ``eight_bits`` in int8, the rest in half precision, none whose name
    begins with one of ``without``."""
    source = folder / "model.safetensors"
    if not source.exists():
        raise BadInput(f"{folder} holds no trained weights; run its stage first.", field="config")
    # Statistics, schedule and codebooks stay in full precision: they are small, and every frame reads them.
    whole = ("mean", "std", "alphas", "codebooks")
    kept = {key: value for key, value in load_file(source).items() if not key.startswith(without)}
    state = {
        key: value.half()
        if value.is_floating_point() and key not in whole and not key.endswith(SCALE)
        else value
        for key, value in compact(kept, eight_bits, but=whole).items()
    }
    save_file(state, target)
    target.chmod(0o644)  # safetensors writes for the owner alone


def _copy_pieces(stage: Path, folder: Path) -> None:
    """The vocabulary that the stage tells motion in."""
    read_pieces(stage / FILE)  # so that what is broken is not packed
    shutil.copyfile(stage / FILE, folder / FILE)


def _style_ranks(store: Path, datasets: tuple[str, ...]) -> dict[str, list[float]]:
    """What the sliders mean: the measured style of the training motion, rank by rank; nothing of a store that
    is an index without its clips."""
    if not any((store / item.path).is_file() for item in iter_index(store)):
        return {}
    corpus = load_corpus(store, datasets=datasets, mirrored=False, extended=False)
    knots = SegmentStyles(corpus.segments).ranks.knots
    # Without motion to measure, a slider has nothing to lie among.
    return {name: [float(f"{x:.5g}") for x in xs] for name, xs in knots.items() if xs[0] < xs[-1]}


def _copy_face(recipe: PackRecipe, source: Path, folder: Path) -> str:
    """The learned face, with the words that the card has for it.

    Raises:
        BadInput: there is none, or it may not be used as the pack's licence allows.
    """
    face = FaceModel.load(source / FACE)
    if not face.commercial and "NC" not in recipe.licence.upper():
        raise BadInput(
            f"The face in {source} was fitted on data that may not be used commercially ({face.licence}), "
            f"but the pack's licence is {recipe.licence}.",
            hint="Leave the face out, or give the pack a licence for non-commercial use.",
            field="face",
        )
    face.save(folder / FACE)
    return (
        "\n\n## Face\n\nJaw and expressions move with a voice by a linear model of the sound, fitted on: "
        f"{face.licence}."
        + (
            ""
            if face.commercial
            else " It is not for commercial use, and neither are clips whose face it moved."
        )
    )


def _toml_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def write_pack(recipe: PackRecipe, out: Path, metrics: dict[str, float]) -> Path:
    """Write the pack into ``out``; an existing pack there is replaced only when all went well.

    Args:
        metrics: name to number, for pack.toml and the card.

    Raises:
        BadInput: a stage is not trained, or the recipe names a store that is none.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
        folder = Path(temporary) / out.name
        folder.mkdir()

        def sizes(stage: Path) -> Any:
            return json.loads((stage / "config.json").read_text("utf-8"))

        config = PackConfig(
            tokenizers={part: TokenizerConfig(**sizes(stage)) for part, stage in recipe.tokenizers.items()},
            language=LanguageConfig(**sizes(recipe.language)),
            diffusion=DiffusionConfig(**sizes(recipe.diffusion)),
            sampling=recipe.sampling,
            style_ranks={} if recipe.store is None else _style_ranks(recipe.store, tuple(recipe.datasets)),
            alignment=None if recipe.alignment is None else AlignmentConfig(**sizes(recipe.alignment)),
        )
        for part, stage in recipe.tokenizers.items():
            _weights(stage, folder / f"tokenizer_{part}.safetensors", eight_bits="encoder.")
        _weights(recipe.language, folder / "language.safetensors")
        if config.language.pieces:
            _copy_pieces(recipe.language, folder)
        _weights(recipe.diffusion, folder / "diffusion.safetensors")
        if recipe.alignment is not None:
            # Only the encoders' means are asked for in a search.
            left_out = ("decoder.", "text_tower.summary.logvar", "motion_tower.summary.logvar")
            _weights(recipe.alignment, folder / ALIGNMENT_FILE, without=left_out)
        if recipe.store is not None:
            write_known(folder, recipe.store, tuple(recipe.datasets))
        (folder / "config.json").write_text(config.model_dump_json(indent=1) + "\n", "utf-8")
        table = "\n".join(f"| {name} | {value:.4g} |" for name, value in metrics.items())
        face = "" if recipe.face is None else _copy_face(recipe, recipe.face, folder)
        card = (
            recipe.card.rstrip()
            + face
            + (f"\n\n## Measured\n\n| what | value |\n|---|---|\n{table}\n" if metrics else "\n")
        )
        (folder / "README.md").write_text(card, "utf-8")
        files = {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())
        }
        lines = [
            f"{key} = {_toml_string(getattr(recipe, key))}"
            for key in ("name", "version", "licence", "licence_note", "description")
        ]
        lines.append(f"format = {FORMAT}")
        for source in recipe.data:
            lines += [
                "",
                "[[data]]",
                *(f"{k} = {_toml_string(v)}" for k, v in source.model_dump().items() if v),
            ]
        lines += ["", "[metrics]", *(f"{_toml_string(k)} = {v:.6g}" for k, v in metrics.items())]
        lines += ["", "[files]", *(f"{_toml_string(k)} = {_toml_string(v)}" for k, v in files.items())]
        (folder / "pack.toml").write_text("\n".join(lines) + "\n", "utf-8")
        if not exportable(config):
            export_pack(folder)
        old = Path(temporary) / "replaced"
        if out.exists():
            out.rename(old)
        shutil.move(folder, out)
    return out
