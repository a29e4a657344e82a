"""Where a motion starts in the scene."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Vector

from ...backend.motion.clip import Clip, move
from ..body.bodymap import BodyMap


def placed(clip: Clip, body: bpy.types.Object, target: Sequence[float], aside: float = 0.0) -> Clip:
    """A motion that starts at the origin, moved so that on this body it starts at a point of the world.

    Args:
        clip: starts at x = z = 0.
        body: a SMPL-X armature; it may stand anywhere.
        target: (3,) a point of the scene; a body below or above it keeps its height.
        aside: metres along the body's own left, for bodies side by side.
    """
    bpy.context.view_layer.update()  # where a body stands that has just been moved
    body_map = BodyMap.of(body)
    point = body.matrix_world.inverted() @ Vector(tuple(target))
    local = np.array(point) @ body_map.axes / body_map.scale
    return move(clip, np.array([local[0] + aside, 0.0, local[2]]))
