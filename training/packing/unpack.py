"""A pack becomes stage folders again, so that training can go on from what ships."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import BaseModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...backend.errors import BadInput, JobFailed
from ...backend.models.alignment import Alignment
from ...backend.models.compact import restored
from ...backend.packs.config import PackConfig, read_config
from ...backend.packs.finding import Pack
from ...backend.performance.pieces import FILE as PIECES_FILE
from ...backend.search.alignment_space import FILE as ALIGNMENT_FILE
from ...backend.speech.face_model import FILE as FACE_FILE

RECIPE = "pack.yaml"
"""Beside the stage folders: the recipe that packs them again."""


class _Readable(yaml.SafeDumper):
    """Writes texts of several lines as they are read."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Readable.add_representer(str, _text)


def unpack(pack: Pack, out: Path) -> list[Path]:
    """Write the stages of a pack into folders of ``out`` as ``understudy-train stage`` leaves them
    (``config.json``, ``model.safetensors``, the vocabulary), and a recipe that makes a pack of them.

    Weights come back as they were packed, in float32: rounded to half precision or eight bits. What packs leave
    out (the decoder of the alignment space, which only its training needs) begins anew.

    Args:
        pack: verified.
        out: where; stages that lie there already are left alone.

    Returns:
        The folders.

    Raises:
        BadInput: a folder to be written is there already, or the pack's weights cannot be read.
        JobFailed: it could not be written.
    """
    config = read_config(pack.path)
    stages = {f"tokenizer_{part}": sizes for part, sizes in config.tokenizers.items()}
    sizes: dict[str, BaseModel] = {**stages, "language": config.language, "diffusion": config.diffusion}
    if config.alignment is not None and ALIGNMENT_FILE in pack.files:
        sizes["alignment"] = config.alignment
    names = [*sizes, *(["face"] if FACE_FILE in pack.files else [])]
    there = [name for name in (*names, RECIPE) if (out / name).exists()]
    if there:
        raise BadInput(
            f"{out / there[0]} is there already.",
            hint="Unpack into an empty folder, or remove it.",
            field="out",
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".unpack-") as temporary:
            for name in names:
                folder = Path(temporary) / name
                folder.mkdir()
                if name == "face":
                    shutil.copyfile(pack.file(FACE_FILE), folder / FACE_FILE)
                else:
                    _stage(pack, config, name, sizes[name], folder)
            _recipe(pack, config, names, out, Path(temporary) / RECIPE)
            for name in (*names, RECIPE):
                (Path(temporary) / name).rename(out / name)
    except OSError as error:
        raise JobFailed(f"{out} cannot be written: {error.strerror or error}.", field="out") from error
    return [out / name for name in names]


def _stage(pack: Pack, config: PackConfig, name: str, sizes: BaseModel, folder: Path) -> None:
    """One stage: its weights, its sizes, and what it tells motion in."""
    try:
        state = restored(load_file(pack.file(f"{name}.safetensors")))
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{name}.safetensors of the pack {pack.name} cannot be read.", field="pack") from error
    if name == "alignment":
        state = _with_rest(config, state)
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)  # safetensors writes for the owner alone
    (folder / "config.json").write_text(json.dumps(sizes.model_dump(), indent=1), "utf-8")
    if name == "language" and config.language.pieces:
        shutil.copyfile(pack.file(PIECES_FILE), folder / PIECES_FILE)


def _with_rest(config: PackConfig, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The alignment model with new weights where the pack has none."""
    assert config.alignment is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {**Alignment(config.alignment).state_dict(), **state}


def _recipe(pack: Pack, config: PackConfig, names: list[str], out: Path, path: Path) -> None:
    """What ``understudy-train pack`` reads: paths as they are from where ``unpack`` was called."""
    card = (pack.path / "README.md").read_text("utf-8").partition("\n\n## Measured\n")[0]
    keys: dict[str, Any] = {
        "name": pack.name,
        "version": pack.version,
        "licence": pack.licence,
        "licence_note": pack.licence_note,
        "description": pack.description,
        "tokenizers": {part: str(out / f"tokenizer_{part}") for part in config.tokenizers},
        **{name: str(out / name) for name in names if not name.startswith("tokenizer_")},
        "sampling": config.sampling.model_dump(),
        "data": [{k: v for k, v in vars(source).items() if v} for source in pack.data],
        "card": card.rstrip() + "\n",
    }
    text = yaml.dump(keys, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=110)
    head = f"# Packs again what was unpacked of {pack.name}; add store: DIR for the list of what it knows.\n"
    path.write_text(head + text, "utf-8")
