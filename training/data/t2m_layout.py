"""The folder layout of HumanML3D, which KIT-ML's re-release and CombatMotion share, read without trusting it.

::

    new_joints/<id>.npy       (T, J, 3) joint positions
    new_joint_vecs/<id>.npy   (T, 12 J - 1) features
    texts/<id>.txt            a caption a line
    train.txt val.txt test.txt Mean.npy Std.npy

``M`` before an id is the mirror image. Either folder of motion may be missing or hold broken files; the
other one then serves.
"""

from __future__ import annotations

import os
import tokenize
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.fitting.layouts import Layout
from ...backend.motion.fitting.recover import recover_from_ric
from .captions import Caption, mirror_caption, parse_captions
from .humanml3d_texts import Texts
from .item import Item, Split
from .raw import Raw

JOINTS, VECTORS = "new_joints", "new_joint_vecs"
CLIPS = "clips"
"""Single clips handed out as examples lie here as ``<id>_new_joints.npy``."""
SHORTEST = 3
"""Frames; nothing shorter is a motion."""
_UNREADABLE = (
    OSError, ValueError, EOFError, SyntaxError, TypeError, KeyError, MemoryError, OverflowError, RecursionError,
    tokenize.TokenError, zipfile.BadZipFile,
)  # fmt: skip
"""What numpy raises for a damaged file: its header is parsed as a literal of Python."""
_BINARY = 0.02
"""How far a contact may be from 0 and 1 in features that are not normalised (half precision included)."""
_FEAT_BIAS = 5.0
"""Text-to-motion's training code divides the deviation of root and contacts by this before it writes it."""


@dataclass(frozen=True)
class Entry:
    """One id and its files.

    Attributes:
        name: the id.
        joints, vectors: its files of motion; one of them may be missing.
        mirror_of: the id that this one is the mirror image of, or ``""``.
    """

    name: str
    joints: Path | None
    vectors: Path | None
    mirror_of: str = ""

    @property
    def path(self) -> Path:
        """The file that stands for the entry."""
        path = self.joints or self.vectors
        assert path is not None
        return path

    @property
    def original(self) -> str:
        """The id, of a mirror image that of the motion it shows."""
        return self.mirror_of or self.name


def homes(raw: Raw, *names: str) -> list[Path]:
    """The folders with ``new_joints`` or ``new_joint_vecs``: the set's own or those one below, else the root's.

    Args:
        raw: where to look.
        names: the folder's possible names.

    Raises:
        BadInput: there is none.
    """
    for folder in raw.places(*names):
        inner = sorted(path for path in folder.glob("*") if path.is_dir())
        found = [path for path in (folder, *inner) if _holds_motion(path)]
        if found:
            return found
    raise BadInput(
        f"There is no folder {names[0]} with {JOINTS} or {VECTORS} under {raw.root}.", field="root"
    )


def _holds_motion(folder: Path) -> bool:
    plain = any((folder / kind).is_dir() for kind in (JOINTS, VECTORS))
    return plain or next((folder / CLIPS).glob(f"*_{JOINTS}.npy"), None) is not None


def entries(folder: Path) -> Iterator[Entry]:
    """Every id that has a file of motion, in order of the names."""
    found: dict[str, dict[str, Path]] = {}
    for kind in (JOINTS, VECTORS):
        for place, ending in ((folder / kind, ".npy"), (folder / CLIPS, f"_{kind}.npy")):
            if not place.is_dir():
                continue
            with os.scandir(place) as files:
                for file in files:
                    if file.name.endswith(ending) and file.is_file():
                        found.setdefault(file.name.removesuffix(ending), {})[kind] = Path(file.path)
    for name in sorted(found):
        # Ids that are words may begin with an M of their own.
        bare = name[1:] if name.startswith("M") and (name[1:] in found or name[1:2].isdigit()) else ""
        yield Entry(name, found[name].get(JOINTS), found[name].get(VECTORS), bare)


def captions_of(entry: Entry, texts: Texts) -> list[Caption]:
    """Captions of an id; those of a mirror image without a text of its own are mirrored ones."""
    captions = parse_captions(texts.get(entry.name))
    if captions or not entry.mirror_of:
        return captions
    return [
        caption._replace(text=mirror_caption(caption.text), tokens=mirror_caption(caption.tokens))
        for caption in parse_captions(texts.get(entry.original))
    ]


def spans_of(captions: Sequence[Caption]) -> dict[tuple[float, float | None], list[Caption]]:
    """Captions by the stretch they describe, in their order; one empty whole when there are none."""
    spans: dict[tuple[float, float | None], list[Caption]] = {}
    for caption in captions:
        spans.setdefault((caption.start, caption.end), []).append(caption)
    return spans or {(0.0, None): []}


def span_name(name: str, span: tuple[float, float | None]) -> str:
    """Name of an item: the id, with the seconds of a part of it."""
    start, end = span
    return name if end is None else f"{name}_{start:g}_{end:g}"


def items_of(
    dataset: str,
    name: str,
    captions: Sequence[Caption],
    *,
    split: Split,
    common: dict[str, str],
    slower: float = 1.0,
) -> list[Item]:
    """One item per stretch that captions describe.

    Args:
        dataset: its name.
        name: the id.
        captions: of the id.
        split: of the id.
        common: further fields of every item.
        slower: real seconds in a second of the captions.
    """
    return [
        Item(
            dataset=dataset,
            motion_name=span_name(name, span),
            split=split,
            text=[caption.text for caption in group],
            tokens=[caption.tokens for caption in group],
            start=span[0] * slower,
            end=None if span[1] is None else span[1] * slower,
            actor="Null",
            commercial=False,
            **common,  # type: ignore[arg-type]
        )
        for span, group in spans_of(captions).items()
    ]


def read_motion(
    joints: Path | None, vectors: Path | None, layout: Layout, folder: Path
) -> tuple[np.ndarray, list[str]]:
    """Joint positions (T, J, 3) of one id, out of whichever of its files is sound, and what was wrong.

    Args:
        joints, vectors: its files.
        layout: joints and features that they must have.
        folder: holds ``Mean.npy`` and ``Std.npy``, for features that are normalised.

    Returns:
        The positions in the layout's unit, and a sentence per file that could not be used or disagrees.

    Raises:
        BadInput: none of the files can be used; the sentence names the first fault.
    """
    faults: list[str] = []
    found: dict[str, np.ndarray] = {}
    for kind, path in ((JOINTS, joints), (VECTORS, vectors)):
        if path is None:
            continue
        try:
            if kind == JOINTS:
                found[kind] = _positions(path, layout)
            else:
                found[kind] = recover_from_ric(_features(path, layout, folder), layout).astype(np.float64)
        except BadInput as error:
            faults.append(error.message)
    if not found:
        raise BadInput(faults[0] if faults else "There is no file of motion.")
    best = found.get(JOINTS, found.get(VECTORS))
    assert best is not None
    # Features lack the last frame of raw joints; the published joints were made from features and do too.
    if len(found) == 2 and not 0 <= len(found[JOINTS]) - len(found[VECTORS]) <= 1:
        faults.append(f"{JOINTS} has {len(found[JOINTS])} frames, {VECTORS} {len(found[VECTORS])}.")
        best = max(found.values(), key=len)
    return best, faults


def load(path: Path) -> np.ndarray:
    """A numeric ``.npy`` array.

    Raises:
        BadInput: the file is empty, cut short, holds objects, or is no such file.
    """
    where = f"{path.parent.name}/{path.name}"
    try:
        array = np.load(path, allow_pickle=False)
    except _UNREADABLE as error:
        short = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise BadInput(f"{where} cannot be read ({short.rstrip('.')}).") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise BadInput(f"{where} holds no numbers.")
    return array


def _positions(path: Path, layout: Layout) -> np.ndarray:
    array = load(path)
    where = f"{path.parent.name}/{path.name}"
    if array.shape == (layout.joints, 3):
        raise BadInput(f"{where} is a single pose.")
    if array.ndim == 2 and array.shape[1] == 3 * layout.joints:
        array = array.reshape(len(array), layout.joints, 3)
    if array.ndim != 3 or array.shape[1:] != (layout.joints, 3):
        raise BadInput(f"{where} has the shape {array.shape}, not (frames, {layout.joints}, 3).")
    return _sound(array, where)


def _features(path: Path, layout: Layout, folder: Path) -> np.ndarray:
    array = load(path)
    where = f"{path.parent.name}/{path.name}"
    if array.ndim != 2 or array.shape[1] != layout.dim:
        raise BadInput(f"{where} has the shape {array.shape}, not (frames, {layout.dim}).")
    return denormalised(_sound(array, where), layout, statistics(folder, layout.dim), where)


def _sound(array: np.ndarray, where: str) -> np.ndarray:
    if len(array) < SHORTEST:
        raise BadInput(f"{where} has {len(array)} frame{'s' * (len(array) != 1)}.")
    # A missing joint is not an invalid one, but these sets have none: not a number means a failed step.
    if not np.isfinite(array).all():
        bad = int((~np.isfinite(array).reshape(len(array), -1).all(axis=1)).sum())
        raise BadInput(f"{where} is not finite in {bad} of {len(array)} frames.")
    return array.astype(np.float64)


@cache
def statistics(folder: Path, dim: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Mean and deviation beside the data; None when they are missing or no such vectors."""
    try:
        mean, std = (load(folder / name).astype(np.float64).ravel() for name in ("Mean.npy", "Std.npy"))
    except BadInput:
        return None
    return (mean, std) if len(mean) == len(std) == dim and np.isfinite(mean + std).all() else None


def denormalised(
    features: np.ndarray, layout: Layout, stats: tuple[np.ndarray, np.ndarray] | None, where: str = "The file"
) -> np.ndarray:
    """Features as they were before normalisation, told by their contacts, which are 0 or 1.

    The published files are not normalised; copies made by training code are, some with deviations that
    were divided by a weight first.

    Args:
        features: (T, D).
        layout: theirs.
        stats: mean and deviation of the set.
        where: names the file in the message.

    Raises:
        BadInput: the contacts are neither, whatever the statistics do.
    """
    if _is_plain(features, layout):
        return features
    if stats is None:
        raise BadInput(f"{where} is normalised, and there is no Mean.npy and Std.npy for it.")
    mean, std = stats
    for bias in (1.0, _FEAT_BIAS, 1.0 / _FEAT_BIAS):
        scaled = std.copy()
        for name in ("yaw", "planar", "height", "contacts"):
            scaled[layout.slices[name]] /= bias
        candidate = features * scaled + mean
        if _is_plain(candidate, layout):
            return candidate
    raise BadInput(f"{where} has contacts that are neither 0 nor 1, normalised or not.")


def _is_plain(features: np.ndarray, layout: Layout) -> bool:
    contacts = features[:, layout.slices["contacts"]]
    return bool((np.minimum(np.abs(contacts), np.abs(contacts - 1.0)) < _BINARY).all())
