"""InterHuman (InterGen, Liang et al., IJCV 2024): two people interact, with three captions a scene.

Licence: CC BY-NC-SA 4.0, on request, no redistribution. Layout: ``motions/<n>.pkl`` (both people's SMPL
parameters at their own frame rate), ``motions_processed/person1|person2/<n>.npy`` (30 fps), ``annots/<n>.txt``,
``split/train|val|test.txt``, ``ignore_list.txt``. Who acts is in no file of the owners'; ReGenNet's
``interhuman_label.json`` says it (0: person 1) and is used where it lies in the folder.

Sources disagree on the raw files' up axis and on their body model. The axis is found in the motion. The rest
pelves of SMPL-H and SMPL-X differ by a shift of the whole scene, which the floor takes out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import rotations as rot
from ...backend.motion.clip import Clip
from ...backend.motion.keys import MAX_FPS
from ...backend.motion.kinematics import forward_kinematics
from ...backend.motion.skeleton import J0, NUM_BODY_JOINTS, NUM_JOINTS
from ..formats.pickles import read_pickle
from . import two_people
from .humanml3d_texts import read_splits
from .item import Item
from .job import Converted, Job
from .metadata import EnhancedMetadata, Interaction
from .raw import Raw

SET = "interhuman"
LICENCE = "CC BY-NC-SA 4.0, no redistribution"
SOURCE = "InterHuman, Liang et al., InterGen, IJCV 2024"
MARKS = ("motions/*.pkl", "motions_processed/person1/*.npy")
LABELS = "interhuman_label.json"
KNOWN = {"lower_trans": True, "upper": True, "hands": False, "face": False}

PROCESSED_FPS = 30.0
WIDTH = 492
"""Of a processed file: 62 positions (the first 22 are the body's) and 51 rotations (the first 21)."""
POSITIONS, ROTATIONS = slice(0, 66), slice(186, 312)
LAYOUTS = ("interleaved", "columns", "rows")
"""Of the processed files' 6D rotations, the likeliest first; the one that fits the positions is taken."""
MISFIT = 0.15
"""Metres between a body's joints and the file's, after turning; more is no layout that we know."""


def jobs(raw: Raw) -> Iterator[Job]:
    """Two jobs a scene, in the order of the scenes' numbers.

    Raises:
        BadInput: the set is not under the root.
    """
    home = raw.home("InterHuman" if (raw.root / "InterHuman").is_dir() else SET, *MARKS)
    motions, processed = home / "motions", home / "motions_processed"
    pickled = {path.stem for path in motions.glob("*.pkl")}
    arrays = {path.stem for person in ("person1", "person2") for path in (processed / person).glob("*.npy")}
    splits = next((found for name in ("split", "splits", ".") if (found := read_splits(home / name))), {})
    ignored = {
        name
        for place in (home, home / "split")
        for name in two_people.read_text(place / "ignore_list.txt").split()
    }
    actors: dict[str, int] = {}
    for labels in (*home.glob(LABELS), *home.glob(f"annot*/{LABELS}")):
        try:
            actors = _actors(labels)
        except BadInput as error:
            yield Job(SET, labels.stem, _unusable, labels, {"why": error.message})
    for scene in sorted(pickled | arrays, key=lambda name: (len(name), name)):
        captions = two_people.captions_of(home / "annots" / f"{scene}.txt")
        arguments = {"kind": two_people.interaction_type(captions), "actor": actors.get(scene)}
        for person in (0, 1):
            if scene in pickled:
                convert, path = convert_pickle, motions / f"{scene}.pkl"
            else:
                convert, path = convert_processed, processed / f"person{person + 1}" / f"{scene}.npy"
            item = _item(scene, person, captions, actors.get(scene), splits)
            why = "It is on the data set's ignore list." if scene in ignored else ""
            yield Job(
                SET, item.motion_name, convert, path, {"person": person, **arguments}, [item], left_out=why
            )


def _actors(path: Path) -> dict[str, int]:
    """By scene, the person who acts (0 or 1).

    Raises:
        BadInput: the file is no such table.
    """
    try:
        labels = json.loads(two_people.read_text(path))
        return {str(scene): int(label) for scene, label in labels.items() if str(label) in ("0", "1")}
    except (ValueError, AttributeError, RecursionError):
        raise BadInput(f"{path.name} is no table of scenes.", field="path") from None


def _unusable(_: Path, *, why: str) -> Converted:
    """A side file that cannot be read: named in the report, the motion is prepared without it."""
    raise BadInput(why)


def _item(scene: str, person: int, captions: list[str], actor: int | None, splits: dict[str, Any]) -> Item:
    """Captions speak of both people, so they stand in ``both_text``."""
    return two_people.item_of(
        scene, person, actor, dataset=SET, split=splits.get(scene, "train"), both_text=captions,
        caption_source=SET if captions else "", source=SOURCE, licence=LICENCE, commercial=False,
    )  # fmt: skip


# ---------------------------------------------------------------------------------------- convert


def convert_pickle(
    path: Path, *, person: int, kind: str | None = None, actor: int | None = None
) -> Converted:
    """The clip of one person of a ``motions`` file.

    Args:
        path: the file of both.
        person: 0 or 1.
        kind: of interaction.
        actor: who acts, where that is known.

    Raises:
        BadInput: the file cannot be used, with the reason.
    """
    people, facts = _pickled(path, path.stat().st_mtime_ns, kind, actor)
    return Converted(people[person], EnhancedMetadata(interaction=facts[person]))


def convert_processed(
    path: Path, *, person: int, kind: str | None = None, actor: int | None = None
) -> Converted:
    """The clip of one person of a ``motions_processed`` pair; arguments and errors as :func:`convert_pickle`."""
    paths = tuple(path.parent.parent / f"person{k}" / path.name for k in (1, 2))
    for file in paths:
        if not file.is_file():
            raise BadInput(f"{file.parent.name}/{file.name} is missing: the partner is alone.", field="path")
    people, facts = _processed(paths, tuple(file.stat().st_mtime_ns for file in paths), kind, actor)
    return Converted(people[person], EnhancedMetadata(interaction=facts[person]))


_Scene = tuple[list[Clip], list[Interaction]]


@lru_cache(maxsize=1)
def _pickled(path: Path, stamp: int, kind: str | None, actor: int | None) -> _Scene:
    """Both people of a file are asked for one after the other."""
    del stamp
    data = read_pickle(path)
    if not isinstance(data, dict):
        raise BadInput(f"{path.name} holds no dictionary.", field="path")
    fps = _frame_rate(data, path)
    read = [_person(data, f"person{k}", path, fps) for k in (1, 2)]
    frames = data.get("frames")
    if isinstance(frames, (int, np.integer)) and frames not in {len(clip) for clip in read}:
        note = f"The file says {int(frames)} frames and holds {len(read[0])} and {len(read[1])}."
        read = [clip.replace(meta={**clip.meta, "notes": [note]}) for clip in read]
    people = two_people.staged(read, expected_up="z")
    return people, two_people.interactions(people, kind, actor)


def _frame_rate(data: dict[str, Any], path: Path) -> float:
    value = next((data[key] for key in ("mocap_framerate", "mocap_frame_rate", "fps") if key in data), None)
    if value is None:
        raise BadInput(f"{path.name} has no mocap_framerate.", field="mocap_framerate")
    try:
        fps = float(np.asarray(value, dtype=np.float64).reshape(-1)[0])
    except (ValueError, TypeError, IndexError):
        fps = 0.0
    if not 0.1 <= fps <= MAX_FPS:
        raise BadInput(f"{path.name}: mocap_framerate is no frame rate.", field="mocap_framerate")
    return fps


def _person(data: dict[str, Any], key: str, path: Path, fps: float) -> Clip:
    person = data.get(key)
    if not isinstance(person, dict):
        raise BadInput(f"{path.name} has no {key}.", field=key)
    trans = _numbers(person, "trans", 3, key, path)
    root = _numbers(person, "root_orient", 3, key, path)
    body = _numbers(person, "pose_body", 63, key, path)
    if not len(trans) == len(root) == len(body):
        raise BadInput(
            f"{path.name}: {key} has {len(trans)} frames of trans, {len(root)} of root_orient and {len(body)} of pose_body.",
            field=key,
        )
    poses = np.zeros((len(trans), NUM_JOINTS, 3))
    poses[:, 0] = root
    poses[:, 1:NUM_BODY_JOINTS] = body.reshape(-1, NUM_BODY_JOINTS - 1, 3)
    # The shape is SMPL's or SMPL-H's; its numbers mean another shape to SMPL-X.
    gender = str(person.get("gender", "")).strip().casefold()
    return Clip(
        poses=poses,
        trans=trans,
        fps=fps,
        gender=gender if gender in ("male", "female") else "neutral",
        known=KNOWN,
    )


def _numbers(person: dict[str, Any], key: str, width: int, who: str, path: Path) -> np.ndarray:
    """(T, width) finite numbers."""
    if key not in person:
        raise BadInput(f"{path.name}: {who} has no {key}.", field=key)
    array = np.asarray(person[key])
    if array.dtype.kind not in "fiu" or array.ndim < 2 or array.size != len(array) * width or not len(array):
        raise BadInput(
            f"{path.name}: {key} of {who} has the shape {array.shape}, not (frames, {width}).", field=key
        )
    array = array.reshape(len(array), width).astype(np.float64)
    bad = int((~np.isfinite(array).all(axis=1)).sum())
    if bad:
        raise BadInput(
            f"{path.name}: {key} of {who} is not finite in {bad} of {len(array)} frames.", field=key
        )
    return array


@lru_cache(maxsize=1)
def _processed(
    paths: tuple[Path, ...], stamps: tuple[int, ...], kind: str | None, actor: int | None
) -> _Scene:
    del stamps
    people = two_people.staged([read_processed(path) for path in paths], expected_up="z")
    return people, two_people.interactions(people, kind, actor)


def read_processed(path: Path) -> Clip:
    """One person of ``motions_processed``: the body's local rotations, and the root that turns it onto the positions.

    Raises:
        BadInput: the file is damaged, or its rotations do not belong to its positions in any known layout.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise BadInput(f"{path.name} cannot be read ({error}).", field="path") from None
    if array.ndim != 2 or array.shape[1] != WIDTH or array.dtype.kind != "f" or not len(array):
        raise BadInput(f"{path.name} has the shape {array.shape}, not (frames, {WIDTH}).", field="path")
    positions = array[:, POSITIONS].reshape(-1, NUM_BODY_JOINTS, 3).astype(np.float64)
    sixd = array[:, ROTATIONS].reshape(-1, NUM_BODY_JOINTS - 1, 6).astype(np.float64)
    if not (np.isfinite(positions).all() and np.isfinite(sixd).all()):
        raise BadInput(f"{path.name} holds numbers that are not finite.", field="path")
    fits = [_turned_onto(positions, rot.matrix_from_6d(sixd, layout)) for layout in LAYOUTS]  # type: ignore[arg-type]
    best = int(np.argmin([left for _, left in fits]))
    poses, left = fits[best]
    if left > MISFIT:
        raise BadInput(
            f"{path.name}: the rotations do not belong to the positions ({100 * left:.0f} cm apart on average).",
            field="path",
        )
    meta = {"fit_error_mm": round(1000 * left, 2), "rotation_layout": LAYOUTS[best]}
    return Clip(poses=poses, trans=positions[:, 0] - J0, fps=PROCESSED_FPS, known=KNOWN, meta=meta)


def _turned_onto(positions: np.ndarray, local: np.ndarray) -> tuple[np.ndarray, float]:
    """Poses (T, 55, 3) whose root turns a body with these rotations (T, 21, 3, 3) best onto the joints (T, 22, 3).

    Also the mean distance left, metres. Kabsch's rotation; the body may be of another size.
    """
    poses = np.zeros((len(positions), NUM_JOINTS, 3))
    poses[:, 1:NUM_BODY_JOINTS] = rot.matrix_to_axis_angle(local)
    ours = forward_kinematics(poses, np.tile(-J0, (len(poses), 1)))[0][:, :NUM_BODY_JOINTS]
    theirs = positions - positions[:, :1]
    u, _, v = np.linalg.svd(np.einsum("tji,tjk->tik", theirs, ours))
    flip = np.ones((len(poses), 3))
    flip[:, 2] = np.sign(np.linalg.det(u @ v))
    root = (u * flip[:, None]) @ v
    poses[:, 0] = rot.matrix_to_axis_angle(root)
    size = np.linalg.norm(theirs, axis=-1).mean() / max(np.linalg.norm(ours, axis=-1).mean(), 1e-9)
    left = theirs - size * np.einsum("tik,tjk->tji", root, ours)
    return poses, float(np.linalg.norm(left, axis=-1).mean())
