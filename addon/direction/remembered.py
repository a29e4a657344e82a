"""The direction that made a take, as plain values, and setting the scene's marks to it again.

Objects are known by their names. What was moved, bent or posed since is put back; an object that is keyed or was
rebuilt keeps its own shape.
"""

from __future__ import annotations

from typing import Any

import bpy
from mathutils import Matrix

from .marks import is_mark, mark, marks_of

_SETTINGS = ("mode", "first", "last", "use_start", "start", "loop", "in_place")
_MARK = ("frame", "frame_end", "turn", "joint", "when", "place", "facing", "timing")
_DIGITS = 6
_BEZIER = ("co", "handle_left", "handle_right")


def remember(scene: bpy.types.Scene, body: bpy.types.Object) -> dict[str, Any]:
    """Direction's settings, and the marks that count for a body."""
    state = scene.understudy_direction
    if not state.use:
        return {"use": False}
    return {
        "use": True,
        **{name: getattr(state, name) for name in _SETTINGS},
        "marks": [_told(thing) for thing in marks_of(scene, body)],
    }


def recall(scene: bpy.types.Scene, values: dict[str, Any] | None) -> list[str]:
    """Set Direction and the marks to what a take keeps; other marks are switched off.

    Args:
        scene: whose marks they are.
        values: of :func:`remember`; None, of an older take: everything stays.

    Returns:
        The names of marks whose objects are not in the scene any more.
    """
    if values is None:
        return []
    state = scene.understudy_direction
    if not values["use"]:
        state.use = False
        return []
    for name in _SETTINGS:
        setattr(state, name, values[name])
    present = list(state.collection.objects) if state.collection is not None else []
    for thing in present:
        if is_mark(thing):
            thing.understudy_mark.use = False
    lost = []
    for told in values["marks"]:
        thing = scene.objects.get(told["name"])
        if thing is None or thing.type != told["type"]:
            lost.append(str(told["name"]))
            continue
        _put_back(scene, thing, told)
    state.use = True
    return lost


def _told(thing: bpy.types.Object) -> dict[str, Any]:
    state = thing.understudy_mark
    told: dict[str, Any] = {
        "name": thing.name,
        "type": thing.type,
        "kind": state.kind,
        "body": state.body.name if state.body is not None else "",
        **{name: getattr(state, name) for name in _MARK},
        "at": _flat(thing.matrix_basis),
    }
    if thing.type == "CURVE":
        told["splines"] = [_points(spline) for spline in thing.data.splines]
    elif thing.type == "ARMATURE":
        told["bones"] = {bone.name: _flat(bone.matrix_basis) for bone in thing.pose.bones if _posed(bone)}
    return told


def _put_back(scene: bpy.types.Scene, thing: bpy.types.Object, told: dict[str, Any]) -> None:
    body = scene.objects.get(told["body"]) if told["body"] else None
    mark(scene, thing, told["kind"], body, **{name: told[name] for name in _MARK})
    if not _keyed(thing):
        thing.matrix_basis = _matrix(told["at"])
    if thing.type == "CURVE" and not _keyed(thing.data):
        splines = list(thing.data.splines)
        if [len(_points(s)) for s in splines] == [len(points) for points in told["splines"]]:
            for spline, points in zip(splines, told["splines"], strict=True):
                _bend(spline, points)
    elif thing.type == "ARMATURE" and not _keyed(thing):
        for bone in thing.pose.bones:
            found = told["bones"].get(bone.name)
            bone.matrix_basis = _matrix(found) if found else Matrix()


def _keyed(thing: bpy.types.ID) -> bool:
    animation = thing.animation_data
    return animation is not None and (animation.action is not None or len(animation.drivers) > 0)


def _posed(bone: bpy.types.PoseBone) -> bool:
    return any(abs(a - b) > 1e-6 for a, b in zip(_flat(bone.matrix_basis), _flat(Matrix()), strict=True))


def _points(spline: bpy.types.Spline) -> list[list[float]]:
    if spline.type == "BEZIER":
        return [
            [round(x, _DIGITS) for name in _BEZIER for x in getattr(point, name)]
            for point in spline.bezier_points
        ]
    return [[round(x, _DIGITS) for x in point.co] for point in spline.points]


def _bend(spline: bpy.types.Spline, points: list[list[float]]) -> None:
    if spline.type == "BEZIER":
        for point, values in zip(spline.bezier_points, points, strict=True):
            for i, name in enumerate(_BEZIER):
                setattr(point, name, values[3 * i : 3 * i + 3])
        return
    for point, values in zip(spline.points, points, strict=True):
        point.co = values


def _flat(matrix: Matrix) -> list[float]:
    return [round(x, _DIGITS) for row in matrix for x in row]


def _matrix(values: list[float]) -> Matrix:
    return Matrix([values[i : i + 4] for i in range(0, 16, 4)])
