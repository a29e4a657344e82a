"""Motion on skeletons of its own, as BVH and ASF/AMC files hold it, carried onto ours.

The bones are recognised by name or by structure, and the retargeting that reads a rig in Blender
(:mod:`.retarget`) does the rest; so a file of ours comes back as it was written, and a file of any other human
skeleton comes back with its limbs pointing the same way.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import BadInput
from . import acclaim, bvh_reader
from .clip import Clip
from .keys import MAX_FPS
from .mapping import Mapping, checked
from .recognise import LEAST, recognise
from .retarget import Retargeter
from .rig import Rig
from .rig_families import built_in
from .rotations import quaternion_to_matrix
from .skeleton import CONTACT_REST_HEIGHTS, PARTS
from .stance import body_axes, leg_length

AMC_FPS = 120.0
"""AMC files state no rate; CMU recorded at 120 frames a second, a part of it at 60."""
_UPRIGHT = np.cos(np.radians(60.0))


def read_bvh_clip(path: Path | str, fps: float | None = None) -> Clip:
    """A BVH file of any human skeleton as a clip.

    Args:
        path: the file.
        fps: instead of the rate that its header states.

    Raises:
        BadInput: it is damaged, or no human figure is recognised in it.
    """
    name = Path(path).name
    try:
        file = bvh_reader.read_bvh(path)
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror or error}.", field="path") from None
    if len(set(file.names)) < len(file.names):
        raise BadInput(f"{name} has two joints of the same name.", field="path")
    if not np.isfinite(file.offsets).all():
        raise BadInput(f"{name} holds offsets that are not finite.", field="path")
    rate = fps if fps is not None else bvh_reader.frame_rate(file, name)
    rest, tails = _bvh_rest(file)
    return _clip(name, file.names, file.parents, rest, tails, _bvh_pose(file), rate)


def read_amc_clip(path: Path | str, fps: float | None = None) -> Clip:
    """An AMC trial as a clip; its skeleton is the ASF file beside it.

    Raises:
        BadInput: there is no such skeleton, a file is damaged, or no human figure is recognised in it.
    """
    path = Path(path)
    skeleton = _skeleton_of(path)
    try:
        asf = acclaim.read_asf(skeleton)
        values = acclaim.read_amc(path, asf)
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read: {error.strerror or error}.", field="path") from None
    if not all(np.isfinite(array).all() for array in (values, asf.axes, asf.directions, asf.lengths)):
        raise BadInput(f"{path.name} or its skeleton holds numbers that are not finite.", field="path")
    heads, tails, posed = _acclaim_pose(asf, values)
    clip = _clip(path.name, asf.names, asf.parents, heads, tails, posed, fps or AMC_FPS)
    note = f"The file states no frame rate; {AMC_FPS:g} fps assumed."
    return clip if fps else clip.replace(meta={**clip.meta, "notes": [note]})


def _skeleton_of(path: Path) -> Path:
    """The ASF file of a trial: CMU's ``62_11.amc`` stands on ``62.asf``, others on one of the same name."""
    for stem in (path.stem, path.stem.rpartition("_")[0]):
        for suffix in (".asf", ".ASF"):
            found = path.with_name(stem + suffix)
            if stem and found.is_file():
                return found
    others = sorted(path.parent.glob("*.asf")) if path.parent.is_dir() else []
    if len(others) == 1:
        return others[0]
    raise BadInput(
        f"The skeleton of {path.name} (an .asf file) is not beside it.",
        hint="Put the subject's .asf file into the same folder.",
        field="path",
    )


def _bvh_rest(file: bvh_reader.Bvh) -> tuple[np.ndarray, np.ndarray]:
    """Heads and tails (J, 3) with all angles at zero, the root at the origin."""
    heads = np.zeros_like(file.offsets)
    tails = np.full_like(heads, np.nan)
    for j, parent in enumerate(file.parents):
        if parent >= 0:
            heads[j] = heads[parent] + file.offsets[j]
            if np.isnan(tails[parent, 0]):
                tails[parent] = heads[j]
    ends = np.where(np.isfinite(file.ends), heads + file.ends, heads)
    return heads, np.where(np.isnan(tails), ends, tails)


def _bvh_pose(file: bvh_reader.Bvh) -> np.ndarray:
    """World matrices (T, J, 4, 4)."""
    frames = len(file.values)
    posed = np.zeros((frames, len(file.names), 4, 4))
    posed[..., 3, 3] = 1.0
    column = 0
    for j, (parent, channels) in enumerate(zip(file.parents, file.channels, strict=True)):
        block = file.values[:, column : column + len(channels)]
        column += len(channels)
        turns = [k for k, name in enumerate(channels) if name.endswith("rotation")]
        local = np.broadcast_to(np.eye(3), (frames, 3, 3))
        if turns:
            order = "".join(channels[k][0].upper() for k in turns)
            local = quaternion_to_matrix(bvh_reader.euler_quaternion(block[:, turns], order))
        step = np.broadcast_to(np.zeros(3) if parent < 0 else file.offsets[j], (frames, 3)).copy()
        for k, name in enumerate(channels):
            if name.endswith("position"):
                step[:, "XYZ".index(name[0].upper())] = block[:, k]
        if parent < 0:
            posed[:, j, :3, :3], posed[:, j, :3, 3] = local, step
        else:
            above = posed[:, parent, :3, :3]
            posed[:, j, :3, :3] = above @ local
            posed[:, j, :3, 3] = posed[:, parent, :3, 3] + (above @ step[..., None])[..., 0]
    return posed


def _acclaim_pose(asf: acclaim.Asf, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rest heads and tails (B, 3) and world matrices (T, B, 4, 4) of bones; a bone begins where its parent ends."""
    frames, count = len(values), len(asf.names)
    vectors = asf.directions * asf.lengths[:, None]
    heads, tails = np.zeros((count, 3)), np.zeros((count, 3))
    posed = np.zeros((frames, count, 4, 4))
    posed[..., 3, 3] = 1.0
    for b, parent in enumerate(asf.parents):
        # Degrees about X, Y, Z in the file; Rz Ry Rx is the product.
        axis = quaternion_to_matrix(bvh_reader.euler_quaternion(asf.axes[b, ::-1], "ZYX"))
        turn = quaternion_to_matrix(bvh_reader.euler_quaternion(values[:, b, :2:-1], "ZYX"))
        local = axis @ turn @ axis.T
        if parent < 0:
            posed[:, b, :3, :3], posed[:, b, :3, 3] = local, values[:, b, :3]
        else:
            above = posed[:, parent]
            posed[:, b, :3, :3] = above[:, :3, :3] @ local
            posed[:, b, :3, 3] = above[:, :3, 3] + above[:, :3, :3] @ vectors[parent]
            heads[b] = tails[parent]
        tails[b] = heads[b] + vectors[b]
    return heads, tails, posed


def _clip(
    name: str,
    bones: tuple[str, ...],
    parents: tuple[int, ...],
    heads: np.ndarray,
    tails: np.ndarray,
    posed: np.ndarray,
    fps: float,
) -> Clip:
    """Motion (T, N, 4, 4) of a skeleton whose bones all rest unturned, on our skeleton."""
    if not 0 < fps <= MAX_FPS:
        raise BadInput(f"{name} states {fps:g} frames per second.", field="fps")
    rest = np.broadcast_to(np.eye(4), (len(bones), 4, 4)).copy()
    rest[:, :3, 3] = heads
    rig = Rig(name, bones, np.array(parents), rest, tails, np.ones(len(bones), bool))
    mapping = recognise(rig, built_in())
    if mapping.missing_required:  # names that mean other bones in this file
        mapping = max(mapping, recognise(rig, ()), key=lambda found: -len(found.missing_required))
    if mapping.confidence < LEAST or mapping.missing_required:
        raise BadInput(
            f"No human figure is recognised in the skeleton of {name}.",
            hint="Import it with Blender, and transfer it in the Retarget panel.",
            field="path",
        )
    rig = _standing(rig, checked(mapping, rig), posed)
    retargeter = Retargeter(rig, mapping)
    at = [rig.index[bone] for bone in retargeter.sources]
    clip = retargeter.read(posed[:, at], fps)
    return clip.replace(
        known={**clip.known, **{part: clip.known[part] and _moves(clip, part) for part in ("hands", "face")}},
        meta={"source": name, "source_fps": fps, "skeleton": mapping.label or mapping.family or "structure"},
    )


def _standing(rig: Rig, mapping: Mapping, posed: np.ndarray) -> Rig:
    """The rig at rest with its feet on the floor: a file's root rests anywhere, often at the origin."""
    axes = body_axes(rig, mapping)
    heads = rig.heads @ axes
    at = {slot: rig.index[bone] for slot, bone in mapping.bones.items()}
    top = next((at[slot] for slot in ("head", "neck.1", "spine.1") if slot in at), at["pelvis"])
    trunk = (posed[:, top, :3, 3] - posed[:, at["pelvis"], :3, 3]) @ axes
    lengths = np.maximum(np.linalg.norm(trunk, axis=-1), 1e-9)
    if np.median(np.abs(trunk[:, 1] / lengths)) < 1e-6 or not np.isfinite(trunk).all():
        raise BadInput(f"The figure of {rig.name} has no height.", field="path")
    legs = [
        np.linalg.norm(heads[at[f"{side}_{lower}"]] - heads[at[f"{side}_{upper}"]])
        for side in ("left", "right")
        for upper, lower in (("hip", "knee"), ("knee", "ankle"))
    ]
    scale = 0.5 * float(np.sum(legs)) / leg_length()
    balls = [heads[at[f"{side}_foot"], 1] for side in ("left", "right") if f"{side}_foot" in at]
    ankles = [heads[at[f"{side}_ankle"], 1] for side in ("left", "right")]
    lowest = (
        min(balls) - scale * CONTACT_REST_HEIGHTS[1]
        if balls
        else min(ankles) - scale * CONTACT_REST_HEIGHTS[0]
    )
    shift = -lowest * axes[:, 1]
    rest = np.array(rig.rest)
    rest[:, :3, 3] += shift
    return replace(rig, rest=rest, tails=rig.tails + shift)


def _moves(clip: Clip, part: str) -> bool:
    """Whether joints of a part turn at all; a skeleton may have fingers that nobody captured."""
    values = clip.poses[:, list(PARTS[part])]
    return bool(np.ptp(values, axis=0).max() > 1e-3) if len(values) > 1 else bool(np.abs(values).max() > 1e-3)
