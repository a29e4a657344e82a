"""A learned mouth: jaw and SMPL-X expressions as a linear function of a quarter of a second of sound either side.

``understudy-train face`` fits it on recordings of talking people; a pack may hold it as ``face.safetensors``. Face
scans have no labelled components, so this is how a SMPL-X face learns its visemes. With a minute of speech a linear
map is as much as can be learned without learning the minute by heart.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import BadInput
from ..motion.skeleton import NUM_EXPRESSIONS
from .features import SpeechFeatures
from .hearing import SOUND, frames_of

FILE = "face.safetensors"
CONTEXT = 6
"""Frames on either side."""
WIDTH = SOUND * (2 * CONTEXT + 1)
OUTPUTS = 3 + NUM_EXPRESSIONS
"""Jaw and expressions."""
_JAW_RANGE = (-0.05, 0.35)  # radians
_EXPRESSION_LIMIT = 6.0  # deviations of the scans


def inputs(features: SpeechFeatures, start: int, stop: int) -> np.ndarray:
    """(stop - start, :data:`WIDTH`) of the frames ``start`` to ``stop``; the ends are held."""
    near = np.clip(np.arange(start - CONTEXT, stop + CONTEXT), 0, len(features) - 1)
    frame = frames_of(features, near)
    count = stop - start
    return np.concatenate([frame[i : i + count] for i in range(2 * CONTEXT + 1)], axis=1)


class FaceMover(Protocol):
    """What moves the jaw and the expressions of scans with a voice."""

    def perform(self, features: SpeechFeatures, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Jaw (n, 3), axis-angle, and expressions (n, 100) of the frames ``start`` to ``stop``."""
        ...


@dataclass(frozen=True)
class MadeFace:
    """The face that a pack's own models have made with the body; held past its end.

    Attributes:
        jaw: (T, 3) axis-angle at the frames of the voice.
        expressions: (T, 100).
    """

    jaw: np.ndarray
    expressions: np.ndarray

    def perform(self, features: SpeechFeatures, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`FaceMover.perform`; the voice was heard when the face was made."""
        frames = np.minimum(np.arange(start, stop), len(self.jaw) - 1)
        return self.jaw[frames].astype(np.float64), self.expressions[frames].astype(np.float64)


@dataclass(frozen=True)
class FaceModel:
    """``inputs @ weights + bias``.

    Attributes:
        weights: (:data:`WIDTH`, :data:`OUTPUTS`).
        bias: (:data:`OUTPUTS`,).
        licence: of the data that it was fitted on.
        commercial: whether that may be used commercially.
    """

    weights: np.ndarray
    bias: np.ndarray
    licence: str = ""
    commercial: bool = False

    @classmethod
    def load(cls, path: Path) -> FaceModel:
        """Read :data:`FILE`.

        Raises:
            BadInput: it is missing, damaged or of another shape.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                weights, bias = (file.get_tensor(name).astype(np.float64) for name in ("weights", "bias"))
                facts = file.metadata() or {}
        except (OSError, SafetensorError) as error:
            raise BadInput(f"{path} is no readable face model.", field="pack") from error
        if weights.shape != (WIDTH, OUTPUTS) or bias.shape != (OUTPUTS,):
            raise BadInput(f"{path} is a face model of another shape.", field="pack")
        if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
            raise BadInput(f"{path} holds numbers that are not finite.", field="pack")
        return cls(weights, bias, facts.get("licence", ""), facts.get("commercial") == "true")

    def save(self, path: Path) -> None:
        """Write :data:`FILE`, whole or not at all."""
        import os

        from safetensors.numpy import save

        data = save(
            {"weights": self.weights.astype(np.float32), "bias": self.bias.astype(np.float32)},
            metadata={"licence": self.licence, "commercial": str(self.commercial).lower()},
        )
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_bytes(data)
        os.replace(temporary, path)

    def perform(self, features: SpeechFeatures, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """As :meth:`FaceMover.perform`."""
        result = inputs(features, start, stop) @ self.weights + self.bias
        jaw = result[:, :3]
        jaw[:, 0] = np.clip(jaw[:, 0], *_JAW_RANGE)
        return jaw, np.clip(result[:, 3:], -_EXPRESSION_LIMIT, _EXPRESSION_LIMIT)
