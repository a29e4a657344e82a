"""BVH files as motions on their own skeletons; :mod:`...backend.motion.bvh_reader` parses them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...backend.motion.bvh_reader import Bvh, euler_quaternion, frame_rate, read_bvh
from ...backend.motion.rotations import quaternion_to_matrix
from .source import SourceMotion, pose

__all__ = ["Bvh", "euler_quaternion", "frame_rate", "motion_of", "read_bvh"]


def motion_of(
    bvh: Bvh,
    *,
    rows: np.ndarray,
    fps: float,
    unit: float,
    offsets: np.ndarray | None = None,
    rest_axes: Mapping[str, np.ndarray] | None = None,
) -> SourceMotion:
    """The chosen rows as a motion in metres.

    Args:
        bvh: the file.
        rows: frame positions to read, whole numbers within the file.
        fps: frames per second of the result.
        unit: metres per file unit.
        offsets: (J, 3) replaces the file's offsets (file units), for files that lost bones.
        rest_axes: by joint name a rotation (3, 3) whose columns say where the joint's own X, Y and Z axes
            point in the rest pose, for skeletons that do not rest with all angles at zero. A joint left
            out is turned as its parent is.
    """
    offsets = (bvh.offsets if offsets is None else offsets) * unit
    values = bvh.values[rows]
    local = np.broadcast_to(np.eye(3), (len(rows), len(bvh.names), 3, 3)).copy()
    root = np.zeros((len(rows), 3))
    steps: np.ndarray = offsets
    column = 0
    for j, names in enumerate(bvh.channels):
        block = values[:, column : column + len(names)]
        column += len(names)
        turns = [k for k, name in enumerate(names) if name.endswith("rotation")]
        if turns:
            order = "".join(names[k][0].upper() for k in turns)
            local[:, j] = quaternion_to_matrix(euler_quaternion(block[:, turns], order))
        for k, name in enumerate(names):
            if not name.endswith("position"):
                continue
            axis = "XYZ".index(name[0].upper())
            if bvh.parents[j] < 0:
                root[:, axis] = block[:, k] * unit
                continue
            if steps.ndim == 2:
                steps = np.broadcast_to(offsets, (len(rows), *offsets.shape)).copy()
            steps[:, j, axis] = block[:, k] * unit
    world, positions = pose(bvh.parents, steps, local, root)
    rest, axes = _rest_pose(bvh, offsets, rest_axes or {})
    tips = {
        name: rest[j] + axes[j] @ bvh.ends[j] * unit
        for j, name in enumerate(bvh.names)
        if np.isfinite(bvh.ends[j]).all()
    }
    if rest_axes:
        world = world @ np.swapaxes(axes, -1, -2)
    return SourceMotion(bvh.names, bvh.parents, rest, world, positions, fps, tips)


def _rest_pose(
    bvh: Bvh, offsets: np.ndarray, rest_axes: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Joint positions (J, 3) of the rest pose and the joints' world rotations (J, 3, 3) in it."""
    axes = np.broadcast_to(np.eye(3), (len(bvh.names), 3, 3)).copy()
    rest = np.array(offsets)
    for j, (name, parent) in enumerate(zip(bvh.names, bvh.parents, strict=True)):
        if parent >= 0:
            axes[j] = axes[parent]
            rest[j] = rest[parent] + axes[parent] @ offsets[j]
        if name in rest_axes:
            axes[j] = rest_axes[name]
    return rest, axes
