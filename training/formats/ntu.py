"""NTU RGB+D ``.skeleton`` files: bodies seen by one Kinect, frame by frame, as text.

First line: number of frames. Per frame: number of bodies; per body a line of ten values (the first is its
id), a line with the number of joints (25), and 25 lines of twelve values: x y z in metres, then image
positions, a quaternion and the tracking state. Camera frame: X to the camera's left, Y up, Z away from the
camera. Source: shahroudy/NTURGB-D, ``Matlab/read_skeleton_file.m``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...backend.errors import BadInput

FPS = 30.0
JOINTS = 25
_VALUES = 12
_NOT_TRACKED = 0.0


@dataclass(frozen=True)
class Body:
    """One tracked body.

    Attributes:
        id: the sensor's own, as written (17 digits: too long for a float).
        joints: (T, 25, 3) metres, camera frame; NaN in frames without the body and for joints that the
            sensor does not track.
    """

    id: str
    joints: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """(T,) whether the body is there."""
        return np.asarray(np.isfinite(self.joints).all(axis=2).any(axis=1))


def read_skeleton(path: Path | str) -> list[Body]:
    """All bodies of a file, in the order in which they appear.

    A body keeps its id when others come and go, whatever its place in the list of a frame.

    Raises:
        BadInput: the file is damaged or cut off, or there are more frames than it promises.
    """
    path = Path(path)
    lines = [line for line in path.read_text(encoding="latin-1").splitlines() if line.strip()]
    try:
        frames, where = _layout(lines)
        values = np.array(
            " ".join(line for _, _, at in where for line in lines[at : at + JOINTS]).split(), dtype=np.float64
        )
        values = values.reshape(len(where), JOINTS, _VALUES)
    except (ValueError, IndexError):
        raise BadInput(f"{path.name} is damaged or cut off.", field="path") from None
    except BadInput as error:
        raise BadInput(f"{path.name} {error.message}", field="path") from None
    points = np.where(values[..., 11:] == _NOT_TRACKED, np.nan, values[..., :3])
    points[~np.isfinite(points).all(axis=-1)] = np.nan
    bodies: dict[str, np.ndarray] = {}
    for (frame, name, _), joints in zip(where, points, strict=True):
        if name not in bodies:
            bodies[name] = np.full((frames, JOINTS, 3), np.nan)
        bodies[name][frame] = joints
    return [Body(name, joints) for name, joints in bodies.items()]


def _layout(lines: list[str]) -> tuple[int, list[tuple[int, str, int]]]:
    """Number of frames, and frame, body id and first joint line of every body in every frame."""
    frames, at = int(lines[0]), 1
    if not 0 < frames < 1_000_000:
        raise BadInput("promises no frames.")
    where = []
    for frame in range(frames):
        if at >= len(lines):
            raise BadInput(f"promises {frames} frames but holds {frame}.")
        bodies, at = int(lines[at]), at + 1
        if not 0 <= bodies < 100:
            raise ValueError
        for _ in range(bodies):
            if int(lines[at + 1]) != JOINTS:
                raise BadInput(f"has bodies of {int(lines[at + 1])} joints, not {JOINTS}.")
            where.append((frame, lines[at].split()[0], at + 2))
            at += 2 + JOINTS
            if at > len(lines):
                raise BadInput(f"promises {frames} frames but ends within frame {frame + 1}.")
    if at < len(lines):
        raise BadInput(f"promises {frames} frames but goes on after them.")
    return frames, where
