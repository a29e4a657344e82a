"""Fit the learned mouth of :mod:`..backend.speech.face_model`: ridge regression of faces on the sound around them.

Only sums over frames are kept, so a data set of any size fits; the strength of the ridge is chosen by
cross-validation over stretches of the training frames. What is held out (the splits ``val`` and ``test``, and the last
fifth of each training clip) tells how well a face is foretold, beside the same model given the sound of another moment.
The model that is kept is then fitted once more, with those last fifths.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..backend.errors import BadInput
from ..backend.motion.clip import resample
from ..backend.motion.skeleton import INDEX
from ..backend.speech import mouth
from ..backend.speech.face_model import CONTEXT, OUTPUTS, WIDTH, FaceModel, inputs
from ..backend.speech.features import SpeechFeatures, speech_features
from .data.item import Item
from .data.store import iter_index, read_item

RIDGES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
FOLDS = 4
HELD_OUT = 0.2
"""Of each clip, where the store has no split for it."""
MOST_GAIN = 1.6
"""A regression foretells less movement than there was; it is given back up to so much."""


@dataclass
class Sums:
    """Moments of inputs and outputs, over any number of frames."""

    count: float
    x: np.ndarray
    y: np.ndarray
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray

    @classmethod
    def empty(cls) -> Sums:
        return cls(
            0.0, np.zeros(WIDTH), np.zeros(OUTPUTS), np.zeros((WIDTH, WIDTH)), np.zeros((WIDTH, OUTPUTS)), np.zeros(OUTPUTS)
        )  # fmt: skip

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        """Frames (n, WIDTH) and (n, OUTPUTS)."""
        self.count += len(x)
        self.x += x.sum(axis=0)
        self.y += y.sum(axis=0)
        self.xx += x.T @ x
        self.xy += x.T @ y
        self.yy += (y**2).sum(axis=0)

    def __add__(self, other: Sums) -> Sums:
        return Sums(
            self.count + other.count, self.x + other.x, self.y + other.y,
            self.xx + other.xx, self.xy + other.xy, self.yy + other.yy,
        )  # fmt: skip

    def central(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Covariances: inputs (W, W), inputs with outputs (W, O), outputs' variances (O,)."""
        mean_x, mean_y = self.x / self.count, self.y / self.count
        return (
            self.xx / self.count - np.outer(mean_x, mean_x),
            self.xy / self.count - np.outer(mean_x, mean_y),
            self.yy / self.count - mean_y**2,
        )


def solve(sums: Sums, ridge: float) -> np.ndarray:
    """Weights (W, O) for inputs less their mean; the ridge is in units of each input's variance."""
    xx, xy, _ = sums.central()
    variance = np.maximum(np.diag(xx), 1e-9)
    weights: np.ndarray = np.linalg.solve(xx + np.diag(ridge * variance), xy)
    return weights


def correlations(weights: np.ndarray, sums: Sums) -> np.ndarray:
    """(O,) between what the weights foretell and what was there; 0 where nothing moved."""
    xx, xy, yy = sums.central()
    foretold = np.einsum("wo,wv,vo->o", weights, xx, weights)
    together = np.einsum("wo,wo->o", weights, xy)
    scale = np.sqrt(np.maximum(foretold, 0.0) * np.maximum(yy, 0.0))
    return np.where(scale > 1e-12, together / np.maximum(scale, 1e-12), 0.0)


def squared_error(weights: np.ndarray, fitted: Sums, sums: Sums) -> float:
    """Of all outputs, each in units of its variance where the weights were fitted."""
    mean_x, mean_y = fitted.x / fitted.count, fitted.y / fitted.count
    bias = mean_y - mean_x @ weights
    # The sums of (W'x + b - y)^2 over the frames, from their moments.
    error = (
        sums.yy
        + np.einsum("wo,wv,vo->o", weights, sums.xx, weights)
        + sums.count * bias**2
        - 2 * np.einsum("wo,wo->o", weights, sums.xy)
        + 2 * bias * (sums.x @ weights - sums.y)
    )
    variance = fitted.central()[2]
    moves = variance > 1e-10
    return float((error[moves] / variance[moves]).mean() / sums.count)


@dataclass(frozen=True)
class Take:
    """One clip's sound and face, at 30 fps."""

    item: Item
    features: SpeechFeatures
    face: np.ndarray
    """(T, OUTPUTS)"""


def takes(store: Path, datasets: tuple[str, ...] = ()) -> Iterator[Take]:
    """Every clip of a store that has a recording and a known face.

    Raises:
        BadInput: there is no store, or a file of it is damaged.
    """
    seen = set()
    for item in iter_index(store, datasets=datasets):
        if not item.speech or item.path in seen or "face" not in item.known:
            continue
        seen.add(item.path)
        clip = resample(
            read_item(store, item.model_copy(update={"start_frame": 0, "end_frame": 10**9})), 30.0
        )
        features = speech_features(Path(store) / item.speech)
        frames = min(len(clip), len(features))
        if clip.expressions is None or frames < 4 * FOLDS:
            continue
        face = np.concatenate([clip.poses[:frames, INDEX["jaw"]], clip.expressions[:frames]], axis=1)
        yield Take(item, features, face.astype(np.float64))


def fit(store: Path, datasets: tuple[str, ...] = ()) -> tuple[FaceModel, dict[str, Any]]:
    """The model, and how well it foretells faces that it was not fitted on.

    Args:
        store: what ``understudy-train prepare`` made.
        datasets: only these sets; all by default.

    Raises:
        BadInput: no clip of the store has both a recording and a face.
    """
    folds = [Sums.empty() for _ in range(FOLDS)]
    held, elsewhere, rest, signal = Sums.empty(), Sums.empty(), Sums.empty(), []
    licences: dict[str, bool] = {}
    clips = 0
    for take in takes(store, datasets):
        clips += 1
        licences[take.item.licence] = take.item.commercial
        frames = len(take.face)
        # Frames beside the border hear the same sound: they are in neither.
        cut = 0 if take.item.split != "train" else int(frames * (1.0 - HELD_OUT))
        _add_folds(folds, take, max(cut - 2 * CONTEXT, 0))
        x, y = inputs(take.features, cut, frames), take.face[cut:]
        held.add(x, y)
        if take.item.split == "train":
            rest.add(x, y)
        elsewhere.add(np.roll(x, len(x) // 2, axis=0), y)
        signal.append((mouth.part(take.features, cut, frames).jaw, take.face[cut:, 0]))
    if not clips or min(fold.count for fold in folds) == 0:
        raise BadInput(
            f"No training clip of {store} has a recording and a face.",
            hint="Prepare a set with speech and SMPL-X faces, such as beat2.",
            field="store",
        )
    ridge = min(RIDGES, key=lambda value: _validation_error(folds, value))
    everything = sum(folds[1:], folds[0])
    weights = solve(everything, ridge)
    model = _performing(everything + rest, ridge, "; ".join(sorted(licences)), all(licences.values()))
    found, other = correlations(weights, held), correlations(weights, elsewhere)
    moves = held.central()[2][3:] > 1e-8
    simple, true = (np.concatenate(parts) for parts in zip(*signal, strict=True))
    return model, {
        "clips": clips,
        "training_frames": int(everything.count),
        "held_out_frames": int(held.count),
        "ridge": ridge,
        "jaw": _row(found[:1], other[:1]),
        "expressions": _row(found[3:][moves], other[3:][moves]),
        "explained": 1.0
        - squared_error(weights, everything, held) / squared_error(0.0 * weights, everything, held),
        "jaw_of_the_signal_model": float(np.corrcoef(simple, true)[0, 1]),
        "licence": model.licence,
        "commercial": model.commercial,
    }


def _performing(sums: Sums, ridge: float, licence: str, commercial: bool) -> FaceModel:
    """The model of these frames, moving as much as they do."""
    weights = solve(sums, ridge)
    weights = weights * _gain(weights, sums)
    bias = sums.y / sums.count - (sums.x / sums.count) @ weights
    return FaceModel(weights, bias, licence, commercial)


def _add_folds(folds: list[Sums], take: Take, frames: int) -> None:
    """Training frames, a stretch of the clip to each fold."""
    for i, fold in enumerate(folds):
        start, stop = frames * i // FOLDS, frames * (i + 1) // FOLDS
        if stop > start:
            fold.add(inputs(take.features, start, stop), take.face[start:stop])


def _validation_error(folds: list[Sums], ridge: float) -> float:
    total = 0.0
    for i, fold in enumerate(folds):
        others = [other for k, other in enumerate(folds) if k != i]
        rest = sum(others[1:], others[0])
        total += squared_error(solve(rest, ridge), rest, fold)
    return total


def _gain(weights: np.ndarray, sums: Sums) -> np.ndarray:
    """(O,) by how much more a face moved than is foretold, within :data:`MOST_GAIN`."""
    xx, _, yy = sums.central()
    foretold = np.sqrt(np.maximum(np.einsum("wo,wv,vo->o", weights, xx, weights), 1e-12))
    return np.clip(np.sqrt(np.maximum(yy, 0.0)) / foretold, 1.0, MOST_GAIN)


def _row(found: np.ndarray, other: np.ndarray) -> dict[str, float]:
    best = np.sort(found)[-10:]
    return {
        "correlation": float(found.mean()),
        "best_ten": float(best.mean()),
        "with_other_sound": float(other.mean()),
    }
