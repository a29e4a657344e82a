"""A pack's models as ONNX graphs beside its weights, so that it performs without torch.

The graphs hold no weights (:mod:`..graphs`): they name the tensors of the pack's own files. Written into the pack they
are listed in its ``pack.toml`` like every other file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open

from ...backend.engines.onnx_text import GRAPH as TEXT_FOLDER
from ...backend.engines.onnx_weights import FORMAT, GRAPHS, INDEX
from ...backend.errors import BadInput
from ...backend.packs.config import PackConfig, read_config
from ...backend.text import model_folder
from ..graphs.builder import Graph
from ..graphs.denoiser import denoiser_graph
from ..graphs.language import language_graph
from ..graphs.text import text_graph
from ..graphs.tokenizer import decoder_graph, encoder_graph

Shapes = dict[str, tuple[int, ...]]


def shapes_of(path: Path) -> Shapes:
    """The shape of every tensor of a ``.safetensors`` file, without reading them."""
    with safe_open(path, "numpy") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118


def exportable(config: PackConfig) -> str:
    """Why a pack's models cannot be written as graphs; empty where they can."""
    language = config.language
    if language.backbone or language.model_type != "llama":
        kind = language.backbone.get("model_type", language.model_type)
        return f"Its language model is a {kind}; graphs are written of the package's own llama alone."
    return ""


def pack_graphs(folder: Path) -> dict[str, tuple[str, Graph]]:
    """The weights' file and the graph of every model of a pack, by name.

    Raises:
        BadInput: the pack has a model that no graph is written of.
    """
    config = read_config(folder)
    reason = exportable(config)
    if reason:
        raise BadInput(f"The pack {folder.name} cannot be exported. {reason}", field="pack")
    files = {name: f"{name}.safetensors" for name in ("language", "diffusion")}
    shapes = {name: shapes_of(folder / file) for name, file in files.items()}
    graphs = {
        "language": (files["language"], language_graph(config.language, shapes["language"])),
        "denoiser": (files["diffusion"], denoiser_graph(config.diffusion, shapes["diffusion"])),
    }
    for part, sizes in config.tokenizers.items():
        file = f"tokenizer_{part}.safetensors"
        of_part = shapes_of(folder / file)
        graphs[f"encode_{part}"] = file, encoder_graph(part, sizes, of_part)
        graphs[f"decode_{part}"] = file, decoder_graph(part, sizes, of_part)
    return graphs


def write_graphs(graphs: Mapping[str, tuple[str, Graph]], out: Path) -> list[Path]:
    """Write graphs and their list into a folder; returns the files."""
    out.mkdir(parents=True, exist_ok=True)
    files, entries = [], {}
    for name, (weights, graph) in graphs.items():
        files.append(_write(out / f"{name}.onnx", graph.model()))
        entries[name] = {"weights": weights, "expressions": graph.weights}
    table = json.dumps({"format": FORMAT, "graphs": entries}, indent=1) + "\n"
    files.append(_write(out / INDEX, table.encode()))
    return files


def export_pack(folder: Path, out: Path | None = None) -> list[Path]:
    """Write a pack's graphs: into the pack, whose ``pack.toml`` then lists them, or into another folder.

    Raises:
        BadInput: it is no pack, or has a model that no graph is written of.
    """
    if not (folder / "pack.toml").is_file():
        raise BadInput(f"The folder {folder} is not a pack: it has no pack.toml.", field="pack")
    files = write_graphs(pack_graphs(folder), out or folder / GRAPHS)
    if out is None:
        _list(folder, files)
    return files


def export_text(out: Path = TEXT_FOLDER) -> list[Path]:
    """Write the sentence encoder's graph, which all packs share."""
    shapes = shapes_of(model_folder() / "model.safetensors")
    return write_graphs({"text": ("encoder.safetensors", text_graph(shapes))}, out)


def _list(folder: Path, files: list[Path]) -> None:
    """Put the graphs' checksums into ``[files]``, the last table of ``pack.toml``, in place of older ones."""
    path = folder / "pack.toml"
    kept = [line for line in path.read_text("utf-8").splitlines() if not line.startswith(f'"{GRAPHS}/')]
    sums = sorted(
        (file.relative_to(folder).as_posix(), hashlib.sha256(file.read_bytes()).hexdigest()) for file in files
    )
    _write(path, ("\n".join([*kept, *(f'"{name}" = "{value}"' for name, value in sums)]) + "\n").encode())


def _write(path: Path, data: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_bytes(data)
    os.replace(temporary, path)
    return path
