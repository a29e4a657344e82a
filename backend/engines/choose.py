"""Which engine performs: onnx where a pack has its graphs and onnxruntime is installed, else torch."""

from __future__ import annotations

from pathlib import Path

from ..errors import BadInput, JobFailed
from ..packs.config import PackConfig
from ..process import machine
from ..process.log import logger
from .base import Engine
from .frugal import Frugal
from .onnx_weights import GRAPHS, INDEX

TORCH_ONLY = ("mps",)
ONNX_ONLY = ("directml", "coreml")


def has_graphs(folder: Path) -> bool:
    """Whether a pack's graphs lie beside its weights."""
    return (folder / GRAPHS / INDEX).is_file()


def choose(folder: Path, engine: str, device: str) -> str:
    """``onnx`` or ``torch`` for a pack's folder.

    Raises:
        JobFailed: what it takes is not installed.
        BadInput: engine and device do not go together.
    """
    there = machine.engines()
    if engine == "auto":
        onnx = "onnx" in there and has_graphs(folder) and device not in TORCH_ONLY
        # onnxruntime from PyPI has no CUDA; a torch that has it is what was asked for then.
        if onnx and device == "cuda" and device not in machine.onnx_devices() and "torch" in there:
            onnx = False
        engine = "onnx" if onnx or "torch" not in there else "torch"
        if engine == "torch" and "onnx" in there and not has_graphs(folder):
            logger.info("The pack %s has no graphs for the onnx engine: torch performs.", folder.name)
    if device in {"onnx": TORCH_ONLY, "torch": ONNX_ONLY}[engine]:
        raise BadInput(
            f"The {engine} engine does not know the device {device!r}.",
            hint="Choose the device 'auto' or another engine.",
            field="device",
        )
    machine.require_engine(engine)
    if engine == "onnx" and not has_graphs(folder):
        raise JobFailed(
            f"The pack {folder.name} has no graphs for the onnx engine.",
            hint=f"Write them with: understudy-train export-onnx {folder}",
        )
    return engine


def load_engine(folder: Path, config: PackConfig, device: str = "auto", engine: str = "auto") -> Engine:
    """A pack's models, loaded and ready.

    Raises:
        JobFailed: the engine or its graphs are missing.
        BadInput: the device is not there.
    """
    made: Engine
    if choose(folder, engine, device) == "onnx":
        from .onnx_engine import OnnxEngine

        made = OnnxEngine(folder, config, device)
    else:
        from .torch_engine import TorchEngine

        made = TorchEngine(folder, config, device)
    return made if made.device == "cpu" else Frugal(made)
