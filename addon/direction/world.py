"""Between Blender's world and frames and the clip's world and seconds, as one body stands in the scene.

The clip's world (SMPL): Y up, facing +Z, metres, seconds from its first frame. A clip is keyed in the space of
the armature, so that is where its world lies: the object's place, turn and scale carry it, whatever the scene's
units are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import bpy
import numpy as np

# Written out: the add-on takes it from the body's bones where they are someone else's.
from ...backend.motion.skeleton import J0
from ..body.bodymap import BodyMap
from ..keying.keying import scene_rate


@dataclass(frozen=True)
class ClipWorld:
    """The clip's world in the scene.

    Attributes:
        matrix: (4, 4) the clip's world to Blender's.
        start: the scene frame of the clip's first pose.
        rate: frames per second of the scene.
    """

    matrix: np.ndarray
    start: float
    rate: float

    @classmethod
    def of(cls, body: bpy.types.Object, scene: bpy.types.Scene, start: float) -> ClipWorld:
        """The world of a clip that is keyed on a body from a frame on.

        Raises:
            BadInput: the object is no SMPL-X armature.
        """
        return cls(np.array(body.matrix_world) @ clip_to_armature(BodyMap.of(body)), start, scene_rate(scene))

    def to_clip(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) of Blender's world in the clip's."""
        return _moved(np.linalg.inv(self.matrix), points)

    def to_blender(self, points: np.ndarray) -> np.ndarray:
        """Points (..., 3) of the clip's world in Blender's."""
        return _moved(self.matrix, points)

    def facing(self, direction: np.ndarray) -> float:
        """Which way a direction (3,) of Blender's world points in the clip's: radians from +Z to +X."""
        x, _, z = np.linalg.inv(self.matrix)[:3, :3] @ np.asarray(direction, np.float64)
        return math.atan2(x, z)

    def seconds(self, frame: float) -> float:
        """The clip's time at a scene frame."""
        return (frame - self.start) / self.rate

    def frame(self, seconds: float) -> float:
        """The scene frame at a time of the clip."""
        return self.start + seconds * self.rate


def clip_to_armature(body_map: BodyMap) -> np.ndarray:
    """(4, 4): a point of the clip's world in the space of an armature, where its pelvis rests at ``J0``."""
    pelvis = np.array(body_map.armature.data.bones["pelvis"].matrix_local)[:3, 3]
    matrix = np.eye(4)
    matrix[:3, :3] = body_map.scale * body_map.axes
    matrix[:3, 3] = pelvis - matrix[:3, :3] @ J0
    return matrix


def _moved(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    points = np.asarray(points, np.float64)
    return points @ matrix[:3, :3].T + matrix[:3, 3]
