"""New motion between two frames of an Action: a copy of it, in which every key outside stays exactly as it was."""

from __future__ import annotations

import math
from collections.abc import Iterator

import bpy
import numpy as np
from mathutils import Quaternion

from ...backend.motion import rotations
from ...backend.motion.clip import Clip, resample
from ..body.bodymap import BodyMap
from ..process.slices import Steps, Work
from .actions import (
    META_KEY,
    Channels,
    action_name,
    assign,
    channels_of,
    channels_of_slot,
    removed_unless_done,
)
from .curve_keys import Keys
from .keying import continuous, describe

_ROTATIONS = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}


def why_not(body: bpy.types.Object) -> str:
    """Why a body's Action cannot be spliced, so that the whole motion has to be keyed; empty when it can."""
    animation = body.animation_data
    if animation is None or channels_of(animation) is None:
        return "It has no Action."
    if len(animation.nla_tracks) or len(animation.drivers):
        return "NLA tracks or drivers move it, too."
    if any(len(bone.constraints) for bone in body.pose.bones):
        return "Bone constraints move it, too."
    body_map = BodyMap.of(body)
    joints = set(body_map.names)
    for bone in body.pose.bones:
        moved = bone.name not in joints and any(child.name in joints for child in bone.children_recursive)
        if moved and not np.allclose(np.array(bone.matrix_basis), np.eye(4), atol=1e-5):
            return f"The bone {bone.name} moves it, too."
    return ""


def splice(
    body: bpy.types.Object,
    clip: Clip,
    *,
    name: str,
    start_frame: float,
    scene_fps: float,
    first: int,
    last: int | None,
) -> bpy.types.Action:
    """Key part of a clip into a copy of the Action that a body plays, and let the copy play.

    Args:
        body: with an Action, see :func:`why_not`.
        clip: the whole motion, from the scene frame ``start_frame`` on.
        name: for the new Action.
        start_frame: of the clip's first pose.
        scene_fps: frames per second of the scene.
        first: the last frame that stays as it is.
        last: the frame from which on everything stays; None: the clip goes on to its end.

    Returns:
        The new Action; the old one is as it was.
    """
    steps = spliced(
        body, clip, name=name, start_frame=start_frame, scene_fps=scene_fps, first=first, last=last
    )
    new, channels = Work(steps).finish()
    assign(body, new, channels)
    new.name = action_name(name)
    return new


def spliced(
    body: bpy.types.Object,
    clip: Clip,
    *,
    name: str,
    start_frame: float,
    scene_fps: float,
    first: int,
    last: int | None,
) -> Steps[tuple[bpy.types.Action, Channels]]:
    """The Action of :func:`splice` in slices; nothing plays it yet. An unfinished one goes."""
    body_map = BodyMap.of(body)
    played = resample(clip, scene_fps)
    frames = start_frame + np.arange(len(played))
    inside = frames > first + 1e-6
    if last is not None:
        inside &= frames < last - 1e-6
    frames = frames[inside]
    quaternions = body_map.to_bones(
        continuous(rotations.axis_angle_to_quaternion(played.poses[inside]))
        if inside.any()
        else np.zeros((0, 55, 4))
    )
    location = body_map.to_location(body_map.carried(played.trans[inside], clip.meta))
    yield

    new, channels = _copy(body.animation_data)
    with removed_unless_done(new):
        yield
        for k, bone in enumerate(body_map.names):
            _turn(body.pose.bones[bone], channels, frames, quaternions[:, k], first, last)
            yield
        _replace(body.pose.bones["pelvis"], channels, "location", frames, location, first, last)
        new[META_KEY] = describe(clip)
        yield
    return new, channels


def _copy(animation: bpy.types.AnimData) -> tuple[bpy.types.Action, Channels]:
    """A copy of the Action that plays, and the channels of its slot of the same name."""
    slot = getattr(animation, "action_slot", None)
    new = animation.action.copy()
    for key in list(new.keys()):
        if key.startswith("understudy"):
            del new[key]
    new.use_fake_user = False
    same = None if slot is None else next(s for s in new.slots if s.identifier == slot.identifier)
    channels = channels_of_slot(new, same)
    assert channels is not None
    return new, channels


def _turn(
    bone: bpy.types.PoseBone,
    channels: Channels,
    frames: np.ndarray,
    quaternions: np.ndarray,
    first: int,
    last: int | None,
) -> None:
    """Key rotations (T, 4) in the bone's own rotation mode, on from its value at the first frame."""
    mode = bone.rotation_mode
    channel = _ROTATIONS.get(mode, "rotation_euler")
    before = np.array(list(_values(bone, channels, channel, first)))
    if mode == "QUATERNION":
        flip = len(quaternions) > 0 and float(quaternions[0] @ before) < 0
        values = -quaternions if flip else quaternions
    elif mode == "AXIS_ANGLE":
        values = np.array([_axis_angle(q) for q in quaternions]).reshape(-1, 4)
    else:
        values = np.zeros((len(quaternions), 3))
        euler = Quaternion((1, 0, 0, 0)).to_euler(mode)
        euler[:] = before
        for i, q in enumerate(quaternions):
            euler = Quaternion(q).to_euler(mode, euler)  # the turn nearest to the one before
            values[i] = euler
    _replace(bone, channels, channel, frames, values, first, last)


def _axis_angle(q: np.ndarray) -> list[float]:
    axis, angle = Quaternion(q).to_axis_angle()
    return [angle, *axis]


def _path(bone: bpy.types.PoseBone, channel: str) -> str:
    return f'pose.bones["{bpy.utils.escape_identifier(bone.name)}"].{channel}'


def _values(bone: bpy.types.PoseBone, channels: Channels, channel: str, frame: float) -> Iterator[float]:
    """A channel's components at a frame, from its curves, or as the bone stands where there are none."""
    for index, value in enumerate(getattr(bone, channel)):
        curve = channels.fcurves.find(_path(bone, channel), index=index)
        yield value if curve is None or not len(curve.keyframe_points) else curve.evaluate(frame)


def _replace(
    bone: bpy.types.PoseBone,
    channels: Channels,
    channel: str,
    frames: np.ndarray,
    values: np.ndarray,
    first: int,
    last: int | None,
) -> None:
    """Put values (T, n) between two frames of a channel's curves, and nothing else."""
    borders = [list(_values(bone, channels, channel, f)) for f in (first, first if last is None else last)]
    # q and -q are one rotation: where the last new key and the old one differ in sign, hold it until then.
    hold = channel == "rotation_quaternion" and len(values) > 0 and float(values[-1] @ borders[1]) < 0
    path = _path(bone, channel)
    for index in range(values.shape[1]):
        curve = channels.fcurves.find(path, index=index)
        if curve is None:
            curve = channels.fcurves.new(path, index=index)
            curve.group = channels.groups.get(bone.name) or channels.groups.new(bone.name)
        keys = Keys.of(curve)
        keys.border(first, borders[0][index])
        if last is not None:
            keys.border(last, borders[1][index])
        else:
            for modifier in [m for m in curve.modifiers if m.type == "CYCLES"]:
                curve.modifiers.remove(modifier)
        keys.fill(first, math.inf if last is None else last, frames, values[:, index], hold=hold)
        keys.write(curve)
