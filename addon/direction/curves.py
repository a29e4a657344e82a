"""A curve object as a path: its line in the world, and when its own animation is where on it."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from ...backend.errors import BadInput
from ..keying.actions import channels_of

_RESOLUTION = 24
"""Points between two control points when a curve is drawn out."""


@dataclass(frozen=True)
class Line:
    """A polyline in Blender's world.

    Attributes:
        points: (N, 3).
        lengths: (N,) the way from the first point, from 0.
    """

    points: np.ndarray
    lengths: np.ndarray

    @classmethod
    def through(cls, points: np.ndarray) -> Line:
        """The line through points (N, 3); those that repeat their neighbour are left out."""
        steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
        kept = points[np.concatenate([[True], steps > 1e-9])]
        lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(kept, axis=0), axis=1))])
        return cls(kept, lengths)

    @property
    def length(self) -> float:
        return float(self.lengths[-1])

    def at(self, fractions: np.ndarray) -> np.ndarray:
        """The points (K, 3) at fractions (K,) of the way."""
        way = np.clip(fractions, 0.0, 1.0) * self.length
        return np.stack([np.interp(way, self.lengths, self.points[:, i]) for i in range(3)], axis=1)


def line_of(curve: bpy.types.Object) -> Line:
    """The first spline of a curve object (Bezier, NURBS or poly) in the world.

    Raises:
        BadInput: it has no length.
    """
    points = _drawn_out(curve)
    world = np.array(curve.matrix_world)
    points = points @ world[:3, :3].T + world[:3, 3]
    if len(points) > 1 and (line := Line.through(points)).length > 1e-6:
        return line
    raise BadInput(
        f"The path “{curve.name}” has no length.", hint="Give the curve two points or more.", field="path"
    )


def _drawn_out(curve: bpy.types.Object) -> np.ndarray:
    """The points (N, 3) along the first spline, in the object's space; closed curves end where they begin."""
    splines = [s for s in curve.data.splines if len(s.points) or len(s.bezier_points)]
    if not splines:
        return np.zeros((0, 3))
    cyclic = splines[0].use_cyclic_u
    # Blender draws it out, on a copy: depth and bevel would make a tube of it.
    data = curve.data.copy()
    thing = bpy.data.objects.new("path", data)
    try:
        kept = next(s for s in data.splines if len(s.points) or len(s.bezier_points))
        for spline in list(data.splines):
            if spline != kept:
                data.splines.remove(spline)
        data.bevel_depth = data.extrude = 0.0
        data.bevel_object = data.taper_object = None
        data.offset = 0.0
        data.bevel_factor_start, data.bevel_factor_end = 0.0, 1.0
        data.fill_mode = "NONE" if data.dimensions == "2D" else "FULL"
        data.resolution_u = _RESOLUTION
        for spline in data.splines:
            spline.resolution_u = _RESOLUTION
        mesh = thing.to_mesh()
        points = np.empty(3 * len(mesh.vertices))
        mesh.vertices.foreach_get("co", points)
        thing.to_mesh_clear()
    finally:
        bpy.data.objects.remove(thing)
        bpy.data.curves.remove(data)
    points = points.reshape(-1, 3)
    return np.concatenate([points, points[:1]]) if cyclic and len(points) else points


def timing_of(curve: bpy.types.Object) -> bpy.types.FCurve | None:
    """The animation of the curve's Evaluation Time (Path Animation), where it has one (cheap, for draw)."""
    data = curve.data
    if not data.use_path or data.animation_data is None:
        return None
    channels = channels_of(data.animation_data)
    if channels is None:
        return None
    found = channels.fcurves.find("eval_time")
    return found if found is not None and len(found.keyframe_points) > 1 else None


def timed(curve: bpy.types.Object, first: float) -> tuple[np.ndarray, np.ndarray]:
    """Where on its way a curve's own Path Animation is at which frame.

    Args:
        curve: with :func:`timing_of`.
        first: nothing before this scene frame counts.

    Returns:
        frames: (K,) ascending, one by one from the first key to the last.
        fractions: (K,) of the way.
    """
    animated = timing_of(curve)
    assert animated is not None, "the curve has no timing"
    begin, end = animated.range()
    begin = max(float(begin), float(first))
    frames = np.arange(begin, max(float(end), begin) + 1e-6)
    if len(frames) and frames[-1] < end - 1e-6:
        frames = np.append(frames, end)
    values = np.array([animated.evaluate(frame) for frame in frames])
    return frames, np.clip(values / max(curve.data.path_duration, 1), 0.0, 1.0)
