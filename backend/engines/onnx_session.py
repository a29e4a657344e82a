"""Sessions of onnxruntime: where they run, with how many threads, and how they get their weights."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from ..errors import BadInput, JobFailed
from ..process import machine
from ..process.log import logger
from .onnx_weights import evaluate

PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""onnxruntime's name for every device, the fastest first. CoreML has to be asked for: it compiles a graph anew for
every length, so a clip of a new length is slower with it than on the CPU."""
AUTOMATIC = ("cuda", "directml", "cpu")
MOST_THREADS = 4
"""The models are too small for more."""


def providers() -> list[str]:
    """The devices that the installed onnxruntime was built for."""
    built = ort.get_available_providers()
    return [device for device, name in PROVIDERS.items() if name in built]


def pick_device(name: str) -> str:
    """``auto`` takes the first of CUDA, DirectML and the CPU that is there.

    Raises:
        BadInput: this onnxruntime has no such device.
    """
    there = providers()
    if name == "auto":
        return next(device for device in AUTOMATIC if device in there)
    if name not in there:
        raise BadInput(
            f"This machine has no {name} device for the onnx engine.",
            hint=f"Choose the device 'auto' or {' or '.join(map(repr, there))}.",
            field="device",
        )
    return name


def threads() -> int:
    """How many cores a model call may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")  # as torch and numpy read it
    most = int(asked) if asked.isdecimal() else MOST_THREADS
    return max(1, min(machine.cores(), most, MOST_THREADS))


class Session:
    """One graph with its weights.

    Args:
        path: of the graph.
        expressions: its initializers, as :mod:`.onnx_weights` reads them.
        state: the tensors of the weights' file.
        device: of :data:`PROVIDERS`; where it fails, the CPU takes over and the log says so.
        alone: with one thread, for a graph whose calls are too short to be divided: where other programs keep the
            cores busy, a token's step loses a quarter or more by a second one.

    Raises:
        JobFailed: the graph cannot be loaded at all.
    """

    def __init__(
        self,
        path: Path,
        expressions: Sequence[str],
        state: Mapping[str, np.ndarray],
        device: str,
        *,
        alone: bool = False,
    ) -> None:
        self.device = device
        self._threads = 1 if alone else threads()
        weights = {name: evaluate(name, state) for name in expressions}
        try:
            self._session = self._open(path, weights, device)
        except Exception as error:
            if device == "cpu":
                raise JobFailed(
                    f"The graph {path} cannot be loaded: {_first_line(error)}", hint="Install the pack again."
                ) from error
            logger.warning(
                "%s does not run on %s, the CPU takes over: %s", path.stem, device, _first_line(error)
            )
            self.device = "cpu"
            self._session = self._open(path, weights, "cpu")
        self.inputs = [one.name for one in self._session.get_inputs()]
        self.outputs = [one.name for one in self._session.get_outputs()]

    def _open(self, path: Path, weights: Mapping[str, np.ndarray], device: str) -> Any:
        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        # Blender is a busy neighbour: threads that wait by spinning take its cores and lose their own.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.use_env_allocators", "1")
        options.log_severity_level = 4
        if weights:
            options.add_external_initializers(
                list(weights), [ort.OrtValue.ortvalue_from_numpy(value) for value in weights.values()]
            )
        chosen = [PROVIDERS[device]] + ([PROVIDERS["cpu"]] if device != "cpu" else [])
        return ort.InferenceSession(str(path), options, providers=chosen)

    def __call__(self, values: Mapping[str, np.ndarray]) -> list[Any]:
        """The outputs of a call; values that the graph has no input for are left out."""
        return list(self._session.run(None, {name: values[name] for name in self.inputs}))

    def run_values(self, values: Mapping[str, np.ndarray], kept: Mapping[str, Any]) -> dict[str, Any]:
        """All outputs by name, as values of onnxruntime, which can go back in without being copied.

        Args:
            values: inputs as arrays.
            kept: inputs as values of onnxruntime.
        """
        feed = {name: ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(v)) for name, v in values.items()}
        results = self._session.run_with_ort_values(self.outputs, {**feed, **kept})
        return dict(zip(self.outputs, results, strict=True))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
