"""Which frame Kinect joints are written in, found out from the joints themselves.

For sets that do not say: unit of length, the axis that is up, whether the frame is a mirror image, and
whether bodies were moved so that their hips are the origin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_THIGH = 0.40
"""Metres: a thigh, as the unit's yardstick."""
_UNITS = (1.0, 0.01, 0.001)
_STILL = 1e-3
"""Share of a thigh's length that the hips of a centred body may be off the origin."""
_MIRRORED = -0.3
"""Mean of +1 for a foot that points ahead and -1 for one that points back: lower is a mirror image."""
_FACING = 0.5
"""Length of the mean heading; less is no common heading."""


@dataclass(frozen=True)
class Frame:
    """How to read coordinates.

    Attributes:
        unit: metres per unit; bodies whose size means nothing are made as large as people.
        axes: rows are our X, Y and Z in the file's axes (a reflection where the file is one).
        centred: the hips are the origin in every frame, so nobody gets anywhere.
    """

    unit: float = 1.0
    axes: tuple[tuple[float, float, float], ...] = ((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
    centred: bool = False

    def to_world(self, joints: np.ndarray) -> np.ndarray:
        """Joints (T, 25, 3) as written -> metres in our axes."""
        return self.unit * joints @ np.array(self.axes).T


def detect(samples: Sequence[np.ndarray]) -> Frame:
    """The frame of joints (T, 25, 3) of several samples; a Kinect's own where they are too few to tell.

    Up is where necks are over hips, to the nearest axis (a camera's tilt is taken out later). Feet point
    where the body faces in any right-handed frame. Who looks at the camera faces +Z in ours.
    """
    whole = [s[np.isfinite(s).all(axis=(1, 2))] for s in samples]
    whole = [s for s in whole if len(s)]
    if not whole:
        return Frame()
    joints = np.concatenate(whole)
    thigh = float(np.median(np.linalg.norm(joints[:, [12, 16]] - joints[:, [13, 17]], axis=-1)))
    if not thigh > 0:
        return Frame()
    unit = next((u for u in _UNITS if 0.6 < u * thigh / _THIGH < 1.6), _THIGH / thigh)

    trunk = (joints[:, 2] - joints[:, 0]).mean(axis=0)
    up = np.zeros(3)
    up[np.argmax(np.abs(trunk))] = np.sign(trunk[np.argmax(np.abs(trunk))])

    across = (joints[:, 12] - joints[:, 16]) + (joints[:, 4] - joints[:, 8])
    ahead = np.cross(across, up)
    feet = (joints[:, [15, 19]] - joints[:, [14, 18]]).mean(axis=1)
    flip = float(np.mean(np.sign(np.sum(ahead * feet, axis=-1)))) < _MIRRORED
    if flip:
        ahead = -ahead
    length = np.linalg.norm(ahead, axis=-1, keepdims=True)
    facing = (ahead / np.maximum(length, 1e-9)).mean(axis=0)
    strength = float(np.linalg.norm(facing))
    if strength > _FACING:
        front = facing / strength
    else:  # a Kinect's Z leads away from the camera; any level axis will do where that one is up
        front = -np.roll([0.0, 0.0, 1.0], 0 if up[2] == 0 else 1)
    # To the nearest axis: the frame is somebody's choice, the people's mean heading is not.
    axis = int(np.argmax(np.abs(front)))
    front = np.eye(3)[axis] * np.sign(front[axis])
    left = np.cross(up, front)
    if flip:
        left = -left
    centred = bool((np.linalg.norm(joints[:, 0], axis=-1) < _STILL * thigh).mean() > 0.9)
    axes = tuple((float(row[0]), float(row[1]), float(row[2])) for row in (left, up, front))
    return Frame(unit, axes, centred)
