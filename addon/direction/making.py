"""New marks, at the 3D cursor and the current frame."""

from __future__ import annotations

import math

import bpy
import numpy as np
from mathutils import Euler, Vector

from ..keying.keying import scene_rate
from . import poses
from .gather import ANKLE_HEIGHT
from .marks import JOINTS, gathered, mark
from .world import ClipWorld

_AHEAD = 3.0
"""Metres that a new path goes ahead where the 3D cursor gives it no end."""


def waypoint(context: bpy.types.Context, body: bpy.types.Object | None) -> bpy.types.Object:
    """An arrow that looks where the body does."""
    frame = context.scene.frame_current
    thing = _empty(context, "Waypoint", "SINGLE_ARROW", 0.5)
    thing.location = context.scene.cursor.location
    turn = math.atan2(*_ahead(body)[:2]) if body is not None else math.pi
    thing.rotation_euler = Euler((math.pi / 2, 0.0, math.pi - turn))  # the arrow is its Z
    return mark(context.scene, thing, "WAYPOINT", body, frame=frame)


def pin(
    context: bpy.types.Context, body: bpy.types.Object | None, joint: str, *, on_body: bool
) -> bpy.types.Object:
    """A ball for a hand or a foot, for a second: where it is now, or at the 3D cursor.

    Raises:
        BadInput: the body is no SMPL-X armature.
    """
    scene = context.scene
    first = scene.frame_current
    last = first + round(scene_rate(scene))
    place = _joint(context, body, joint) if on_body and body is not None else scene.cursor.location
    thing = _empty(context, JOINTS[joint], "SPHERE", 0.06)
    thing.show_in_front = True
    thing.location = place
    return mark(scene, thing, "PIN", body, frame=first, frame_end=last, joint=joint)


def path(context: bpy.types.Context, body: bpy.types.Object | None) -> bpy.types.Object:
    """A curve from the floor where the body's motions begin to the 3D cursor, or some way ahead."""
    cursor = context.scene.cursor.location.copy()
    start = Vector() if body is None else body.matrix_world.translation.copy()
    if (cursor - start).xy.length < 0.5:
        cursor = start + _AHEAD * _ahead(body)
    cursor.z = start.z
    data = bpy.data.curves.new("Path", "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new("BEZIER")
    spline.bezier_points.add(1)
    third = (cursor - start) / 3
    for point, place in zip(spline.bezier_points, (Vector(), cursor - start), strict=True):
        point.handle_left_type = point.handle_right_type = "ALIGNED"
        point.co, point.handle_left, point.handle_right = place, place - third, place + third
    thing = bpy.data.objects.new("Path", data)
    thing.location = start
    thing.show_in_front = True
    gathered(context.scene).objects.link(thing)
    return mark(context.scene, thing, "PATH", body)


def pose(context: bpy.types.Context, body: bpy.types.Object, when: str) -> bpy.types.Object:
    """The body as it stands now, as a key pose.

    Raises:
        BadInput: the body is no SMPL-X armature.
    """
    scene = context.scene
    frame = scene.frame_current
    word = {"START": "Start Pose", "END": "End Pose"}.get(when, "Key Pose")
    thing = poses.store(context, body, word, gathered(scene))
    if when == "END":
        scene.understudy.use_seconds = True  # an end needs a length
    return mark(scene, thing, "POSE", body, frame=frame, when=when)


def _empty(context: bpy.types.Context, name: str, display: str, size: float) -> bpy.types.Object:
    thing = bpy.data.objects.new(name, None)
    thing.empty_display_type, thing.empty_display_size = display, size
    thing.show_name = True
    gathered(context.scene).objects.link(thing)
    return thing


def _ahead(body: bpy.types.Object | None) -> Vector:
    """Where a body at rest looks, in the world, level and of length 1."""
    forward = Vector((0.0, -1.0, 0.0)) if body is None else -body.matrix_world.to_3x3().col[1]
    forward.z = 0.0
    return forward.normalized() if forward.length > 1e-6 else Vector((0.0, -1.0, 0.0))


def _joint(context: bpy.types.Context, body: bpy.types.Object, joint: str) -> Vector:
    """Where a hand is now; for a foot, where its sole is."""
    context.view_layer.update()
    world = ClipWorld.of(body, context.scene, context.scene.frame_current)
    evaluated = body.evaluated_get(context.evaluated_depsgraph_get())
    place = world.to_clip(np.array(evaluated.matrix_world @ evaluated.pose.bones[joint].head))
    if joint.endswith("ankle"):
        place = place - [0.0, ANKLE_HEIGHT, 0.0]
    return Vector(world.to_blender(place))
