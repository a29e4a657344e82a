"""One door for every motion file that is read: ``.npz`` of all dialects, ``.bvh``, ``.amc``, and the ``.npy`` of
Motion-X, HumanML3D, KIT and their kin."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInput
from . import arrays, dialects, keys, mocap, npy
from .archive import Archive
from .clip import Clip
from .fitting.arrays import fitted, recognise

SUFFIXES = (".npz", ".bvh", ".amc", ".npy")


@dataclass(frozen=True)
class Contents:
    """A motion file's clip, and what its layout is called in front of people."""

    clip: Clip
    layout: str


def read_motion(path: str | os.PathLike[str], *, dialect: str = "auto", fps: float | None = None) -> Contents:
    """Read a motion file of any kind.

    Args:
        path: the file; its suffix tells its kind.
        dialect: ``amass``, ``smplh`` or ``smplx`` settles the up axis of a file that does not tell.
        fps: instead of the frame rate that the file states.

    Raises:
        BadInput: one sentence that names the file and what is wrong with it.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInput(
            f"{path} is not a motion file that can be read.",
            hint=f"Known: {', '.join(SUFFIXES)}.",
            field="path",
        )
    if path.is_dir():
        raise BadInput(f"{path} is a folder, not a motion file.", field="path")
    if not path.is_file():
        raise BadInput(f"There is no file {path}.", field="path")
    if suffix == ".bvh":
        clip = mocap.read_bvh_clip(path, fps)
        return Contents(clip, f"BVH ({clip.meta['skeleton']})")
    if suffix == ".amc":
        return Contents(mocap.read_amc_clip(path, fps), "ASF/AMC")
    if suffix == ".npy":
        return _array(path, dialect, fps)
    with Archive(path) as opened:
        if arrays.is_kimodo(opened):
            return Contents(arrays.kimodo_clip(opened, fps), "Kimodo")
        return Contents(dialects.to_clip(opened, dialect=dialect, fps=fps), _layout(opened))


def _array(path: Path, dialect: str, fps: float | None) -> Contents:
    values = npy.read_array(path)
    name = path.name
    if values.ndim == 2 and values.shape[1] == arrays.MOTIONX_WIDTH and len(values):
        return Contents(arrays.motionx_clip(name, values, fps), "Motion-X")
    found = recognise(name, values)
    if found is None:
        raise BadInput(
            f"{name} has the shape {values.shape}, which no motion that is read has.",
            hint="Read: Motion-X (frames, 322); joints (frames, 22, 3) and features (frames, 263) of HumanML3D; "
            "(frames, 21, 3) and (frames, 251) of KIT; (frames, 52, 3) and (frames, 623) of whole bodies.",
            field="path",
        )
    kind, motion = found
    return Contents(fitted(name, kind, motion, fps, dialect), kind.label)


def _layout(archive: Archive) -> str:
    """What the dialect of an ``.npz`` is called."""
    if "understudy" in archive:
        return "Understudy, " + ("AMASS SMPL-X" if "surface_model_type" in archive else "SMPL-X add-on")
    if "model" in archive:
        return "SMPL-X add-on, BEAT2"
    if "poses" in archive:
        width = {156: "AMASS SMPL+H", 165: "AMASS SMPL-X", 72: "SMPL", 66: "SMPL body"}
        shape = archive.read("poses").shape
        return width.get(shape[1] if len(shape) == 2 else 3 * shape[1], "SMPL family")
    if keys.first_key(archive, ("pose_lhand", "left_hand_pose")):
        return "SMPL-X by parts"
    return "SMPL family"
