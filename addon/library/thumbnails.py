"""Small pictures of motions: three poses as stick figures, drawn with numpy, so that no window is needed."""

from __future__ import annotations

import numpy as np

from ...backend.motion import rotations
from ...backend.motion.clip import Clip, place_at_origin, rotate_world
from ...backend.motion.skeleton import INDEX, NUM_BODY_JOINTS, PARENTS

SIZE = 256
_TIMES = (0.1, 0.5, 0.9)
_SPACING = 0.85
"""Metres between the poses, which stand side by side."""
_TURN = np.radians(-35.0)
"""The figure looks a little past the viewer, so that depth shows."""
_RADIUS = 0.028
_COLOURS = ((0.42, 0.62, 0.86), (0.55, 0.78, 0.60), (0.95, 0.66, 0.36))
_BACKGROUND = (0.16, 0.17, 0.19, 1.0)
_GROUND = (0.27, 0.28, 0.31)


def thumbnail(clip: Clip, size: int = SIZE) -> np.ndarray:
    """A picture (size, size, 4) of a motion, float32 in [0, 1], its first row the lowest (as Blender has it)."""
    picks = sorted({round(t * (len(clip) - 1)) for t in _TIMES})
    whole = rotate_world(place_at_origin(clip), rotations.yaw_matrix(_TURN))
    picture = np.empty((size, size, 4), np.float32)
    picture[:] = _BACKGROUND
    scale = size / 2.9
    _line(picture, np.array([0.0, 0.1 * size]), np.array([size, 0.1 * size]), 0.004 * size, _GROUND)
    for k, frame in enumerate(picks):
        joints = whole.slice(frame, frame + 1).joints()[0, :NUM_BODY_JOINTS]
        # Each pose stands in its own place; heights are kept, so that a jump is one.
        aside = (k - 0.5 * (len(picks) - 1)) * _SPACING
        points = joints[:, :2] - [joints[0, 0], 0.0]
        points = points * scale + [0.5 * size + aside * scale, 0.1 * size]
        for joint, parent in enumerate(PARENTS[:NUM_BODY_JOINTS]):
            if parent >= 0:
                _line(picture, points[parent], points[joint], _RADIUS * scale, _COLOURS[k])
        head = points[INDEX["head"]] + [0.0, 0.07 * scale]
        _line(picture, head, head, 0.095 * scale, _COLOURS[k])
    return picture


def _line(
    picture: np.ndarray, start: np.ndarray, end: np.ndarray, radius: float, colour: tuple[float, float, float]
) -> None:
    """A stroke with round ends, its edge soft by a pixel."""
    size = len(picture)
    low = np.floor(np.minimum(start, end) - radius - 1).astype(int).clip(0, size)
    high = np.ceil(np.maximum(start, end) + radius + 1).astype(int).clip(0, size)
    if (low >= high).any():
        return
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    pixels = np.stack([x, y], axis=-1) + 0.5
    along = end - start
    length = float(along @ along)
    share = np.clip((pixels - start) @ along / length, 0, 1) if length > 1e-9 else np.zeros(x.shape)
    distance = np.linalg.norm(pixels - start - share[..., None] * along, axis=-1)
    cover = np.clip(radius + 0.5 - distance, 0, 1)[..., None].astype(np.float32)
    part = picture[low[1] : high[1], low[0] : high[0], :3]
    part += cover * (np.asarray(colour, np.float32) - part)
