"""Acclaim ASF and AMC files as motions on their own skeletons; :mod:`...backend.motion.acclaim` parses them."""

from __future__ import annotations

import numpy as np

from ...backend.motion.acclaim import Asf, read_amc, read_asf
from ...backend.motion.rotations import quaternion_to_matrix
from .bvh import euler_quaternion
from .source import SourceMotion

__all__ = ["Asf", "motion_of", "read_amc", "read_asf"]


def motion_of(asf: Asf, values: np.ndarray, *, rows: np.ndarray, fps: float, unit: float) -> SourceMotion:
    """The chosen frames as a motion in metres: joint ``lfemur`` stands where that bone begins."""
    values = values[rows]
    frames, count = len(rows), len(asf.names)
    vectors = asf.directions * asf.lengths[:, None] * unit
    rest = np.zeros((count, 3))
    world = np.empty((frames, count, 3, 3))
    heads, ends = np.zeros((frames, count, 3)), np.zeros((frames, count, 3))
    tips: dict[str, np.ndarray] = {}
    for b, parent in enumerate(asf.parents):
        # Degrees about X, Y, Z in the file; Rz Ry Rx is the product.
        axis = quaternion_to_matrix(euler_quaternion(asf.axes[b, ::-1], "ZYX"))
        turn = quaternion_to_matrix(euler_quaternion(values[:, b, :2:-1], "ZYX"))
        local = axis @ turn @ axis.T
        if parent < 0:
            world[:, b] = local
            heads[:, b] = ends[:, b] = values[:, b, :3] * unit
        else:
            world[:, b] = world[:, parent] @ local
            rest[b] = rest[parent] + vectors[parent]
            heads[:, b] = ends[:, parent]
            ends[:, b] = heads[:, b] + world[:, b] @ vectors[b]
            tips[asf.names[b]] = rest[b] + vectors[b]
    return SourceMotion(asf.names, asf.parents, rest, world, heads, fps, tips)
