"""Fewer keys: a clip as the Bezier curves that an animator would have drawn, within a tolerance."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import reduce
from ...backend.motion.clip import Clip
from ..body.bodymap import BodyMap
from ..process.slices import Steps, aside
from .actions import Channels

MAX_DEGREES = 10.0
"""A larger tolerance would not leave the motion what it is."""
MM_PER_DEGREE = 8.0
"""How far a joint may be off its place for every degree that it may be turned: 2 mm at 0.25 degrees."""


def key_body(
    channels: Channels,
    body_map: BodyMap,
    quaternions: np.ndarray,
    clip: Clip,
    frames: np.ndarray,
    degrees: float,
) -> Steps[None]:
    """Key a clip's joints and root with few keys, in slices.

    Args:
        channels: of a new Action.
        body_map: of the armature.
        quaternions: (T, 55, 4) the clip's rotations, neighbours on the same side.
        clip: the clip, at the rate at which it is keyed.
        frames: (T,) the scene frame of each pose, evenly spaced.
        degrees: the tolerance; joints stay within :data:`MM_PER_DEGREE` of it in place.

    Raises:
        BadInput: the tolerance is out of range.
    """
    check(degrees)
    angle, length = float(np.radians(degrees)), 0.001 * MM_PER_DEGREE * degrees
    reduced = yield from aside(
        lambda: reduce.reduce_motion(quaternions, clip.trans, angle=angle, length=length)
    )
    for column, (joint, bone) in enumerate(zip(body_map.joints, body_map.names, strict=True)):
        keys = reduced.rotations[joint]

        def to_bone(values: np.ndarray, joint: int = joint, column: int = column) -> np.ndarray:
            whole = np.zeros((len(values), quaternions.shape[1], 4))
            whole[:, joint] = values
            return body_map.to_bones(whole)[:, column]

        _key(channels, bone, "rotation_quaternion", _mapped(keys, to_bone), frames)
        yield
    root = _mapped(reduced.translation, body_map.to_location)
    _key(channels, "pelvis", "location", root, frames)


def check(degrees: float) -> None:
    """Raises BadInput for a tolerance out of range."""
    if not 0.0 < degrees <= MAX_DEGREES:
        raise BadInput(
            f"The tolerance for fewer keys must be between 0 and {MAX_DEGREES:g} degrees, not {degrees:g}.",
            field="reduce",
        )


def _mapped(keys: reduce.Keys, linear: Callable[[np.ndarray], np.ndarray]) -> reduce.Keys:
    """Keys in another space; the map is linear, so slopes go through it as values do."""
    slopes = None if keys.slopes is None else linear(keys.slopes)
    return reduce.Keys(keys.frames, linear(keys.values), slopes)


def _key(channels: Channels, bone: str, channel: str, keys: reduce.Keys, frames: np.ndarray) -> None:
    """All components of one channel of one bone, in the bone's group."""
    path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"].{channel}'
    group = channels.groups.get(bone) or channels.groups.new(bone)
    left, right = reduce.bezier_handles(keys)
    step = frames[1] - frames[0] if len(frames) > 1 else 1.0
    for index in range(keys.values.shape[1]):
        curve = channels.fcurves.new(path, index=index)
        fill_bezier(
            curve,
            np.stack([frames[keys.frames], keys.values[:, index]], axis=-1),
            *(
                np.stack([frames[0] + step * side[:, index, 0], side[:, index, 1]], axis=-1)
                for side in (left, right)
            ),
        )
        curve.group = group


def fill_bezier(curve: bpy.types.FCurve, points: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    """Key a curve in one go, Bezier in between.

    Args:
        curve: an empty curve.
        points: (K, 2) frame and value of each key, ascending.
        left: (K, 2) the handles before and
        right: (K, 2) after each key, on one line with it.
    """
    keyframes = curve.keyframe_points
    keyframes.add(len(points))
    kinds = bpy.types.Keyframe.bl_rna.properties
    bezier = kinds["interpolation"].enum_items["BEZIER"].value
    aligned = kinds["handle_left_type"].enum_items["ALIGNED"].value
    keyframes.foreach_set("interpolation", np.full(len(points), bezier, np.int32))
    for side in ("handle_left_type", "handle_right_type"):
        keyframes.foreach_set(side, np.full(len(points), aligned, np.int32))
    for name, values in (("co", points), ("handle_left", left), ("handle_right", right)):
        keyframes.foreach_set(name, np.ascontiguousarray(values, np.float32).ravel())
    curve.update()
