"""Which way joints stand: the up axis, and whether left and right are where their names say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_UP_HINTS = ("head", "neck", "spine3", "left_shoulder", "right_shoulder")
_DOWN_HINTS = ("left_ankle", "right_ankle")


def upright(joints: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, str]:
    """Joints (T, N, 3) turned so that Y is up, and the axis that was (``+y``, ``-y``, ``+z``...).

    The up axis is the one along which the head is above the feet most of the time; the turn is a proper
    rotation, so left stays left.
    """
    top = next(names.index(name) for name in _UP_HINTS if name in names)
    feet = [names.index(name) for name in _DOWN_HINTS]
    body = np.nanmedian(joints[:, top] - joints[:, feet].mean(axis=1), axis=0)
    axis = int(np.nanargmax(np.abs(body)))
    up = bool(body[axis] > 0)
    x, y, z = np.moveaxis(joints, -1, 0)
    turned = {
        (1, True): (x, y, z), (1, False): (x, -y, -z), (2, True): (x, z, -y), (2, False): (x, -z, y),
        (0, True): (-y, x, z), (0, False): (y, -x, z),
    }[axis, up]  # fmt: skip
    return np.stack(turned, axis=-1), f"{'+' if up else '-'}{'xyz'[axis]}"


def left_is_left(joints: np.ndarray, names: Sequence[str]) -> float:
    """How surely the joints named left are on the left of where the toes point: -1 (reflected) to 1.

    Args:
        joints: (T, N, 3), Y up.
        names: with hips (or shoulders), ankles and feet.
    """

    def point(name: str) -> np.ndarray:
        return joints[:, names.index(name)]

    forward = sum(point(f"{side}_foot") - point(f"{side}_ankle") for side in ("left", "right"))
    across = sum(
        point(f"left_{part}") - point(f"right_{part}")
        for part in ("hip", "shoulder")
        if f"left_{part}" in names
    )
    # Up x forward points to a body's left: with Y up that is (z, -x) of the forward direction.
    side = forward[:, 2] * across[:, 0] - forward[:, 0] * across[:, 2]
    size = np.linalg.norm(forward[:, [0, 2]], axis=1) * np.linalg.norm(across[:, [0, 2]], axis=1)
    return float(np.nansum(side) / max(float(np.nansum(size)), 1e-12))
