"""A few damped Gauss-Newton steps over all frames at once, for what closed forms leave over.

The unknowns are small turns of the body's joints about the world's axes, and a shift of the root; each
turn is held near zero (more so where positions say little), so twists and unseen joints stay as they
are, and the whole correction is smoothed over time before it is applied.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import filters
from .. import rotations as rot
from ..skeleton import PARENTS
from .body import Body
from .points import carrier

BODY = 22
_CHUNK = 256
_STIFFNESS = 0.03
"""Metres: a turn of one radian costs as much as a joint that is this far off."""
_SMOOTH = 0.06
"""Seconds."""


def _movers(names: Sequence[str]) -> np.ndarray:
    """(N, 22): which joints' turns move which points."""
    table = np.zeros((len(names), BODY), bool)
    for i, name in enumerate(names):
        joint = carrier(name)
        while joint >= 0:
            if joint < BODY:
                table[i, joint] = True
            joint = PARENTS[joint]
    return table


def errors(points: np.ndarray, wanted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean distance (T,) of the points (T, N, 3) that count (T, N)."""
    distance = np.linalg.norm(points - wanted, axis=-1)
    return (distance * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-9)


def refine(
    local: np.ndarray,
    trans: np.ndarray,
    body: Body,
    names: Sequence[str],
    wanted: np.ndarray,
    weights: np.ndarray,
    fps: float,
    *,
    steps: int = 3,
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, 55, 3, 3) and trans (T, 3) that bring the points nearer to ``wanted`` (T, N, 3).

    Args:
        local, trans, body, names: see :meth:`.body.Body.points`.
        wanted: where the points should be.
        weights: (T, N), zero where a point is not known.
        fps: frames per second.
        steps: Gauss-Newton steps.
    """
    movers = _movers(names)
    total = np.zeros((len(local), BODY, 3))
    for _ in range(steps):
        turns, shift = np.empty_like(total), np.empty_like(trans)
        points, joints = body.points(local, trans, names)
        for start in range(0, len(local), _CHUNK):
            part = slice(start, start + _CHUNK)
            turns[part], shift[part] = _step(
                points[part], joints[part, :BODY], wanted[part], weights[part], movers, total[part]
            )
        turns, shift = filters.gaussian(turns, _SMOOTH * fps), filters.gaussian(shift, _SMOOTH * fps)
        local, trans, total = _apply(local, turns), trans + shift, total + turns
    return local, trans


def _step(
    points: np.ndarray,
    joints: np.ndarray,
    wanted: np.ndarray,
    weights: np.ndarray,
    movers: np.ndarray,
    total: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Turns (T, 22, 3) and root shift (T, 3) of one step."""
    frames, count = points.shape[:2]
    # Single precision is ample for a correction, and twice as fast.
    arm = ((points[:, :, None] - joints[:, None]) * movers[None, :, :, None]).astype(np.float32)
    jacobian = np.zeros((frames, count, 3, BODY + 1, 3), np.float32)
    # The point moves by turn x arm: the matrix of -[arm]x.
    for row, column, axis, sign in ((0, 1, 2, 1), (0, 2, 1, -1), (1, 0, 2, -1), (1, 2, 0, 1), (2, 0, 1, 1), (2, 1, 0, -1)):  # fmt: skip
        jacobian[:, :, row, :BODY, column] = sign * arm[..., axis]
    for axis in range(3):
        jacobian[:, :, axis, BODY, axis] = 1.0
    root = np.sqrt(weights)[:, :, None].astype(np.float32)
    flat = (jacobian * root[..., None, None]).reshape(frames, 3 * count, 3 * (BODY + 1))
    residual = ((wanted - points).astype(np.float32) * root).reshape(frames, 3 * count, 1)
    turned = np.swapaxes(flat, -1, -2)
    normal, right = turned @ flat, turned @ residual
    held = np.concatenate([np.full(3 * BODY, _STIFFNESS**2), np.full(3, 1e-3)]).astype(np.float32)
    normal[:, np.arange(len(held)), np.arange(len(held))] += held
    right[:, : 3 * BODY, 0] -= held[: 3 * BODY] * total.reshape(frames, -1)
    solved = np.linalg.solve(normal, right)[..., 0]
    return solved[:, : 3 * BODY].reshape(frames, BODY, 3), solved[:, 3 * BODY :]


def _apply(local: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Turn the joints by world-space axis-angles (T, 22, 3)."""
    result = np.array(local)
    turned = rot.axis_angle_to_matrix(turns)
    world: list[np.ndarray] = []
    for j in range(BODY):
        parent = PARENTS[j]
        before = np.broadcast_to(np.eye(3), local[:, j].shape) if parent < 0 else world[parent]
        world.append(before @ local[:, j])
        result[:, j] = np.swapaxes(before, -1, -2) @ turned[:, j] @ before @ local[:, j]
    return result
