"""Rotations in numpy: axis-angle, quaternion, matrix and the three 6D layouts.

Conventions: column vectors (``v' = R v``), angles in radians, quaternions ``w, x, y, z`` of unit
length. Every function works on any leading shape. Axis-angle results lie in [0, pi].
"""

from __future__ import annotations

from typing import Literal

import numpy as np

SixDLayout = Literal["columns", "rows", "interleaved"]
"""``columns``: R[:,0] then R[:,1] (HumanML3D, and ours). ``rows``: R[0,:] then R[1,:] (pytorch3d,
BEAT2). ``interleaved``: R[:, :2] flattened row by row (InterHuman)."""


def lengths(vectors: np.ndarray) -> np.ndarray:
    """(..., C) -> (..., 1): what ``np.linalg.norm`` gives, in a quarter of its time where C is small."""
    v = np.asarray(vectors)
    result: np.ndarray = np.sqrt(np.einsum("...i,...i->...", v, v))[..., None]
    return result


def axis_angle_to_quaternion(axis_angle: np.ndarray) -> np.ndarray:
    """(..., 3) -> (..., 4)."""
    axis_angle = np.asarray(axis_angle)
    angle = lengths(axis_angle)
    half = 0.5 * angle
    # np.sinc is sin(pi x) / (pi x), exact at zero.
    return np.concatenate([np.cos(half), 0.5 * np.sinc(half / np.pi) * axis_angle], axis=-1)


def quaternion_to_axis_angle(quaternion: np.ndarray) -> np.ndarray:
    """(..., 4) -> (..., 3), the short way round."""
    q = normalize_quaternion(quaternion)
    q = np.where(q[..., :1] < 0, -q, q)
    norm = lengths(q[..., 1:])
    angle = 2.0 * np.arctan2(norm, q[..., :1])
    scale = np.where(norm > 1e-8, angle / np.maximum(norm, 1e-8), 2.0)
    return q[..., 1:] * scale


def normalize_quaternion(quaternion: np.ndarray) -> np.ndarray:
    """Unit length; a zero quaternion becomes the identity."""
    q = np.asarray(quaternion)
    norm = lengths(q)
    unit: np.ndarray = q / np.maximum(norm, 1e-12)
    nothing = norm[..., 0] <= 1e-12
    if nothing.any():
        unit = np.where(nothing[..., None], np.eye(1, 4, dtype=unit.dtype)[0], unit)
    return unit


def quaternion_multiply(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product: first ``b``, then ``a``."""
    aw, ax, ay, az = np.moveaxis(np.asarray(a), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(b), -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def quaternion_conjugate(q: np.ndarray) -> np.ndarray:
    return np.asarray(q) * np.array([1.0, -1.0, -1.0, -1.0])


def rotate_vectors(quaternion: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Vectors (..., 3) turned by unit quaternions (..., 4)."""
    axis = quaternion[..., 1:]
    twice = 2.0 * np.cross(axis, vectors)
    return vectors + quaternion[..., :1] * twice + np.cross(axis, twice)


def quaternion_to_matrix(quaternion: np.ndarray) -> np.ndarray:
    """(..., 4) -> (..., 3, 3)."""
    w, x, y, z = np.moveaxis(normalize_quaternion(quaternion), -1, 0)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(rows, axis=-1).reshape(*w.shape, 3, 3)


def matrix_to_quaternion(matrix: np.ndarray) -> np.ndarray:
    """(..., 3, 3) -> (..., 4) with w >= 0; the largest component is found first, so it is stable."""
    m = np.asarray(matrix)
    m00, m11, m22 = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    squares = np.stack(
        [1 + m00 + m11 + m22, 1 + m00 - m11 - m22, 1 - m00 + m11 - m22, 1 - m00 - m11 + m22], axis=-1
    )
    best = np.argmax(squares, axis=-1)
    q = np.empty_like(squares)
    q[..., 0] = squares[..., 0]
    q[..., 1] = m[..., 2, 1] - m[..., 1, 2]
    q[..., 2] = m[..., 0, 2] - m[..., 2, 0]
    q[..., 3] = m[..., 1, 0] - m[..., 0, 1]
    # Beyond 120 degrees, which few joints reach, w is not the largest.
    for largest, one, other in ((1, 2, 3), (2, 3, 1), (3, 1, 2)):
        here = best == largest
        if here.any():
            part = m[here]
            q[here, 0] = q[here, largest]
            q[here, one] = part[:, largest - 1, one - 1] + part[:, one - 1, largest - 1]
            q[here, other] = part[:, largest - 1, other - 1] + part[:, other - 1, largest - 1]
            q[here, largest] = squares[here, largest]
    q = normalize_quaternion(q)
    return np.where(q[..., :1] < 0, -q, q)


def axis_angle_to_matrix(axis_angle: np.ndarray) -> np.ndarray:
    """(..., 3) -> (..., 3, 3)."""
    return quaternion_to_matrix(axis_angle_to_quaternion(axis_angle))


def matrix_to_axis_angle(matrix: np.ndarray) -> np.ndarray:
    """(..., 3, 3) -> (..., 3)."""
    return quaternion_to_axis_angle(matrix_to_quaternion(matrix))


def matrix_to_6d(matrix: np.ndarray, layout: SixDLayout = "columns") -> np.ndarray:
    """(..., 3, 3) -> (..., 6) (Zhou et al., CVPR 2019) in the named layout."""
    m = np.asarray(matrix)
    if layout == "columns":
        return np.concatenate([m[..., :, 0], m[..., :, 1]], axis=-1)
    if layout == "rows":
        return np.concatenate([m[..., 0, :], m[..., 1, :]], axis=-1)
    return m[..., :, :2].reshape(*m.shape[:-2], 6)


def matrix_from_6d(sixd: np.ndarray, layout: SixDLayout = "columns") -> np.ndarray:
    """(..., 6) -> (..., 3, 3) by Gram-Schmidt; any pair of independent vectors is accepted."""
    x = np.asarray(sixd)
    if layout == "interleaved":
        pairs = x.reshape(*x.shape[:-1], 3, 2)
        a, b = pairs[..., 0], pairs[..., 1]
    else:
        a, b = x[..., :3], x[..., 3:]
    first = a / np.maximum(lengths(a), 1e-12)
    b = b - np.einsum("...i,...i->...", first, b)[..., None] * first
    second = b / np.maximum(lengths(b), 1e-12)
    third = np.cross(first, second)
    return np.stack([first, second, third], axis=-2 if layout == "rows" else -1)


def euler_to_matrix(angles: np.ndarray, order: str) -> np.ndarray:
    """Euler angles (..., n) in the order given -> (..., 3, 3), as BVH channels mean them.

    ``order="ZYX"`` is ``Rz(a0) Ry(a1) Rx(a2)`` applied to column vectors; angles in radians.
    """
    angles = np.asarray(angles)
    result = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for i, axis in enumerate(order.upper()):
        vector = np.zeros((*angles.shape[:-1], 3))
        vector[..., "XYZ".index(axis)] = angles[..., i]
        result = result @ axis_angle_to_matrix(vector)
    return result


def matrix_to_euler(matrix: np.ndarray, order: str) -> np.ndarray:
    """(..., 3, 3) -> angles (..., 3), the inverse of :func:`euler_to_matrix` for three different axes.

    The middle angle lies in [-pi/2, pi/2]; where it reaches an end (gimbal lock) the last angle is zero.
    """
    m = np.asarray(matrix)
    i, j, k = ("XYZ".index(axis) for axis in order.upper())
    if len({i, j, k}) != 3:
        raise ValueError(f"The order must name three different axes, not {order!r}.")
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    middle = np.arcsin(np.clip(sign * m[..., i, k], -1.0, 1.0))
    locked = np.hypot(m[..., i, i], m[..., i, j]) < 1e-7
    first = np.arctan2(-sign * m[..., j, k], m[..., k, k])
    last = np.arctan2(-sign * m[..., i, j], m[..., i, i])
    first = np.where(locked, np.arctan2(sign * m[..., k, j], m[..., j, j]), first)
    return np.stack([first, middle, np.where(locked, 0.0, last)], axis=-1)


def shortest_arc(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Quaternion (..., 4) of the smallest rotation from one direction to another."""
    a = source / np.maximum(lengths(source), 1e-12)
    b = target / np.maximum(lengths(target), 1e-12)
    a, b = np.broadcast_arrays(a, b)
    dot = np.sum(a * b, axis=-1, keepdims=True)
    q = np.concatenate([1.0 + dot, np.cross(a, b)], axis=-1)
    # Opposite directions: any axis perpendicular to the source will do.
    helper = np.where(np.abs(a[..., :1]) < 0.9, np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))
    half_turn = np.concatenate([np.zeros_like(dot), np.cross(a, helper)], axis=-1)
    return normalize_quaternion(np.where(dot < -1 + 1e-9, half_turn, q))


def slerp(a: np.ndarray, b: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Spherical interpolation of unit quaternions (..., 4) by ``weight`` (..., 1), the short way."""
    dot = np.sum(a * b, axis=-1, keepdims=True)
    b = np.where(dot < 0, -b, b)
    dot = np.clip(np.abs(dot), 0.0, 1.0)
    theta = np.arccos(dot)
    sin = np.sin(theta)
    near = sin < 1e-6
    safe = np.where(near, 1.0, sin)
    wa = np.where(near, 1.0 - weight, np.sin((1.0 - weight) * theta) / safe)
    wb = np.where(near, weight, np.sin(weight * theta) / safe)
    return normalize_quaternion(wa * a + wb * b)


def geodesic_angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle in radians (...,) between rotation matrices (..., 3, 3)."""
    # The chord form keeps its precision for small angles, where arccos of the trace loses it.
    chord = np.linalg.norm(np.asarray(a) - np.asarray(b), axis=(-2, -1)) / np.sqrt(8.0)
    return 2.0 * np.arcsin(np.clip(chord, 0.0, 1.0))


def yaw_matrix(yaw: np.ndarray) -> np.ndarray:
    """Rotation by ``yaw`` radians (...,) about Y: turns +Z towards +X."""
    yaw = np.asarray(yaw)
    vector = np.zeros((*yaw.shape, 3))
    vector[..., 1] = yaw
    return axis_angle_to_matrix(vector)


def heading(matrix: np.ndarray) -> np.ndarray:
    """Yaw (...,) of a root rotation (..., 3, 3): the twist about Y of its swing-twist split.

    Unlike the projected forward axis it does not jump in a somersault or a cartwheel.
    """
    q = matrix_to_quaternion(matrix)
    return 2.0 * np.arctan2(q[..., 2], q[..., 0])


def wrap_angle(angle: np.ndarray) -> np.ndarray:
    """To [-pi, pi)."""
    return (np.asarray(angle) + np.pi) % (2 * np.pi) - np.pi
