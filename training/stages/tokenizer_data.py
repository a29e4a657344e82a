"""What a tokenizer is trained on: a part of the store's motion, or of a folder of HumanML3D's whole-body features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from ...backend.errors import BadInput
from ...backend.motion.features import FIELDS
from ...backend.motion.fitting.layouts import Layout, layout_of
from ...backend.motion.skeleton import PARTS
from ..corpus.dataset import LEAST_SPREAD, load_corpus, statistics
from .common import main_first
from .geometry import chain_positions, integrate_root

WHOLEBODY = 623


@dataclass(frozen=True)
class Material:
    """Motion of one part.

    Attributes:
        training, validation: features (T, F) of each motion.
        tilts: (T,) of each motion of ``training``, 0 upright to 1 upside down.
        energies: (N,) energy level of each, 0 to 1.
        mean, std: (F,) that features are normalised by.
        joints: features (..., F) -> joints (..., J, 3) in metres, to be compared.
        path: features (..., T, F) -> path of the pelvis (..., T, 3), where the part has one.
    """

    training: list[np.ndarray]
    tilts: list[np.ndarray]
    energies: np.ndarray
    validation: list[np.ndarray]
    mean: np.ndarray
    std: np.ndarray
    joints: Callable[[Tensor], Tensor]
    path: Callable[[Tensor], Tensor] | None


def of_store(store: Path, datasets: tuple[str, ...], part: str) -> Material:
    """The motions of a store that know the part.

    Raises:
        BadInput: there is no such part, or no motion that knows it.
    """
    if part not in PARTS:
        raise BadInput(f"There is no part {part}; the parts are {', '.join(PARTS)}.", field="part")
    with main_first():  # extended gaits only repeat what is there
        corpus = load_corpus(store, datasets=datasets, extended=False)
    training = [m for m in corpus.split("train").motions if m.known[part]]
    if not training:
        raise BadInput(f"No motion of the store {store} contains the part {part}.", field="part")
    validation = [m for m in corpus.split("val").motions if m.known[part] and not m.mirrored] or training
    up = FIELDS["lower_trans"]["rotations"].start + 4  # R[1, 1] of the pelvis in the columns layout
    rotations = FIELDS[part]["rotations"].slice
    mean, std = statistics(training, part)
    return Material(
        [m.features[part] for m in training],
        [0.5 * (1.0 - m.features["lower_trans"][:, up]) for m in training],
        np.array([m.energy for m in training], np.float32),
        [m.features[part] for m in validation],
        mean,
        std,
        lambda features: chain_positions(features[..., rotations], PARTS[part]),
        integrate_root if part == "lower_trans" else None,
    )


def columns(layout: Layout, part: str) -> np.ndarray:
    """Columns of a part in a row of whole-body features, in SynTalker's split: 156 of ``upper``, 360 of
    ``hands``, 107 of ``lower_trans`` (its 9 joints, the root's numbers and the contacts).

    Raises:
        BadInput: the features have no such part.
    """
    lower = [i for i, name in enumerate(layout.names) if name in _LOWER]
    chosen = {
        "lower_trans": lower,
        "upper": [i for i in range(22) if i not in lower],
        "hands": list(range(22, layout.joints)),
    }
    if part not in chosen:
        raise BadInput(
            f"Whole-body features have no part {part}; the parts are {', '.join(chosen)}.", field="part"
        )
    at = layout.slices
    found: list[int] = [0, 1, 2, 3] if part == "lower_trans" else []
    bones = [joint for joint in chosen[part] if joint]  # the root has neither place nor turn of its own
    found += [at["positions"].start + 3 * (joint - 1) + i for joint in bones for i in range(3)]
    found += [at["rotations"].start + 6 * (joint - 1) + i for joint in bones for i in range(6)]
    found += [at["velocities"].start + 3 * joint + i for joint in chosen[part] for i in range(3)]
    return np.array(found + (list(range(at["contacts"].start, layout.dim)) if part == "lower_trans" else []))


_LOWER = {
    "pelvis",
    *(f"{side}_{bone}" for side in ("left", "right") for bone in ("hip", "knee", "ankle", "foot")),
}


def of_features(folder: Path, part: str) -> Material:
    """A part of what ``understudy-train features wholebody`` wrote, or of a folder in the same published layout
    (``new_joint_vecs``, ``train.txt``, ``val.txt``).

    Raises:
        BadInput: a file is missing or not of whole-body features.
    """
    layout = layout_of("wholebody")
    kept = columns(layout, part)
    training, validation = (_read(folder, split, kept) for split in ("train", "val"))
    if not training:
        raise BadInput(f"{folder / 'train.txt'} names no motion.", field="features")
    frames = np.concatenate(training)
    bones = (len(kept) - (8 if part == "lower_trans" else 0)) // 12
    first = 4 if part == "lower_trans" else 0

    def joints(features: Tensor) -> Tensor:
        return features[..., first : first + 3 * bones].unflatten(-1, (-1, 3))

    return Material(
        training,
        [np.zeros(len(rows)) for rows in training],
        np.full(len(training), 0.5, np.float32),
        validation or training,
        frames.mean(0),
        np.maximum(frames.std(0), LEAST_SPREAD),
        joints,
        None,
    )


def _read(folder: Path, split: str, kept: np.ndarray) -> list[np.ndarray]:
    try:
        names = (folder / f"{split}.txt").read_text("utf-8").split()
    except OSError as error:
        raise BadInput(
            f"{folder / split}.txt cannot be read ({error.strerror}).",
            hint="Make features with: understudy-train features wholebody --store STORE --out FOLDER",
            field="features",
        ) from None
    rows = []
    for name in names:
        path = folder / "new_joint_vecs" / f"{name}.npy"
        try:
            found = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} cannot be read as an array ({error}).", field="features") from None
        if found.ndim != 2 or found.shape[1] != WHOLEBODY:
            raise BadInput(
                f"{path} has the shape {found.shape}, and whole-body features have 623 columns.",
                field="features",
            )
        if len(found):
            rows.append(found[:, kept].astype(np.float32))
    return rows
