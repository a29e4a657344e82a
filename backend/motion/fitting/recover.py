"""Joint positions back out of HumanML3D features: from the positions, or from the rotations in them."""

from __future__ import annotations

import itertools

import numpy as np

from ...errors import BadInput
from ..rotations import matrix_from_6d
from .layouts import Layout


def recover_from_ric(features: np.ndarray, layout: Layout) -> np.ndarray:
    """Joints (..., T, J, 3) float32 of rows (..., T, D), from their positions: HumanML3D's ``new_joints``.

    Raises:
        BadInput: another number of columns.
    """
    rows = _checked(features, layout)
    yaw, root = _root(rows)
    local = rows[..., layout.slices["positions"]].reshape(*rows.shape[:-1], layout.joints - 1, 3)
    cosine, sine = np.cos(2 * yaw)[..., None], np.sin(2 * yaw)[..., None]
    joints = np.empty((*rows.shape[:-1], layout.joints, 3), np.float32)
    joints[..., 0, :] = root
    joints[..., 1:, 0] = cosine * local[..., 0] - sine * local[..., 2] + root[..., None, 0]
    joints[..., 1:, 1] = local[..., 1]
    joints[..., 1:, 2] = sine * local[..., 0] + cosine * local[..., 2] + root[..., None, 2]
    return joints


def recover_from_rot(features: np.ndarray, layout: Layout) -> np.ndarray:
    """Joints (..., T, J, 3) float32 of rows (..., T, D), from their rotations and the layout's bone lengths.

    Raises:
        BadInput: another number of columns.
    """
    rows = _checked(features, layout)
    yaw, root = _root(rows)
    sixd = rows[..., layout.slices["rotations"]].reshape(*rows.shape[:-1], layout.joints - 1, 6)
    local = matrix_from_6d(sixd)
    bones = layout.raw_offsets * layout.lengths[:, None]
    joints = np.empty((*rows.shape[:-1], layout.joints, 3))
    joints[..., 0, :] = root
    for chain in layout.chains:
        world = _turn(yaw)
        for parent, child in itertools.pairwise(chain):
            world = world @ local[..., child - 1, :, :]
            joints[..., child, :] = joints[..., parent, :] + world @ bones[child]
    return joints.astype(np.float32)


def _checked(features: np.ndarray, layout: Layout) -> np.ndarray:
    rows = np.asarray(features)
    if rows.ndim < 2 or rows.shape[-1] != layout.dim or rows.dtype.kind not in "fiu":
        raise BadInput(
            f"{layout.name} features need the shape (T, {layout.dim}), not {rows.shape}.", field="joints"
        )
    return rows.astype(np.float64)


def _root(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half the angle (..., T) from the world to the heading, and the root's place (..., T, 3)."""
    yaw = np.zeros(rows.shape[:-1])
    np.cumsum(rows[..., :-1, 0], axis=-1, out=yaw[..., 1:])
    x, z = rows[..., :-1, 1], rows[..., :-1, 2]
    cosine, sine = np.cos(2 * yaw[..., 1:]), np.sin(2 * yaw[..., 1:])
    root = np.zeros((*rows.shape[:-1], 3))
    np.cumsum(cosine * x - sine * z, axis=-1, out=root[..., 1:, 0])
    np.cumsum(sine * x + cosine * z, axis=-1, out=root[..., 1:, 2])
    root[..., 1] = rows[..., 3]
    return yaw, root


def _turn(half: np.ndarray) -> np.ndarray:
    """Matrices (..., 3, 3) of a turn about Y by twice the given angle."""
    cosine, sine = np.cos(2 * half), np.sin(2 * half)
    zero, one = np.zeros_like(cosine), np.ones_like(cosine)
    rows = [cosine, zero, sine, zero, one, zero, -sine, zero, cosine]
    return np.stack(rows, axis=-1).reshape(*half.shape, 3, 3)
