"""All keys of a curve as arrays: cut, filled and written back at once, without Blender moving any handle."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import bpy
import numpy as np

_POINTS = ("co", "handle_left", "handle_right")
_ENUMS = ("interpolation", "handle_left_type", "handle_right_type", "type")
_EASING = {"easing": np.int32, "back": np.float32, "amplitude": np.float32, "period": np.float32}
"""Read only where a key's interpolation is one that eases."""


SAME = 0.011
"""Frames: Blender makes one of two keys that are closer."""


@lru_cache
def _number(name: str, value: str) -> int:
    return int(bpy.types.Keyframe.bl_rna.properties[name].enum_items[value].value)


@lru_cache
def _linear_key(name: str) -> float:
    """A property, other than its place, of a linear key whose handles stay where they are."""
    values = {
        "interpolation": _number("interpolation", "LINEAR"),
        "easing": _number("easing", "AUTO"),
        "handle_left_type": _number("handle_left_type", "FREE"),
        "handle_right_type": _number("handle_right_type", "FREE"),
        "type": _number("type", "KEYFRAME"),
        "back": 1.70158,  # Blender's own
        "amplitude": 0.0,
        "period": 0.0,
    }
    return float(values[name])


class Keys:
    """The keys of one curve, ascending in time.

    ``values`` holds an array for each of their properties: (N, 2) for the points, (N,) for the others.
    """

    def __init__(self, values: dict[str, np.ndarray]) -> None:
        self.values = values

    @classmethod
    def of(cls, curve: bpy.types.FCurve) -> Keys:
        """The keys as they are."""
        count = len(curve.keyframe_points)
        values: dict[str, np.ndarray] = {}
        for name in _POINTS:
            values[name] = np.empty(2 * count, np.float32)
        for name in _ENUMS:
            values[name] = np.empty(count, np.int32)
        points = curve.keyframe_points
        points.foreach_get("interpolation", values["interpolation"])
        if count and values["interpolation"].max() > _number("interpolation", "BEZIER"):
            values |= {name: np.empty(count, kind) for name, kind in _EASING.items()}
        for name, array in values.items():
            if name != "interpolation":
                points.foreach_get(name, array)
        for name in _POINTS:
            values[name] = values[name].reshape(-1, 2)
        return cls(values)

    @property
    def frames(self) -> np.ndarray:
        return self.values["co"][:, 0]

    def write(self, curve: bpy.types.FCurve) -> None:
        """Make these the keys of a curve."""
        count = len(self.frames)
        points = curve.keyframe_points
        points.clear()
        points.add(count)
        # Enums first: a handle's place is kept only where its type lets it be free.
        for name in sorted(self.values, key=lambda name: name in _POINTS):
            values = self.values[name]
            # Setting them costs as much as the rest of it; often they are what a new key has anyway.
            if name in _ENUMS and count and (values == _number(name, getattr(points[0], name))).all():
                continue
            points.foreach_set(name, np.ascontiguousarray(values).ravel())
        curve.update()

    def border(self, frame: float, value: float) -> None:
        """Have a key at a frame, with handles that stay where they are; the curve keeps its shape.

        Args:
            frame: of the key.
            value: of the curve there.
        """
        frames = self.frames
        i = int(np.searchsorted(frames, frame - SAME, side="right"))
        if i < len(frames) and frames[i] < frame + SAME:
            free = _number("handle_left_type", "FREE")
            self.values["handle_left_type"][i] = self.values["handle_right_type"][i] = free
            return
        key: dict[str, Any] = {
            "co": (frame, value),
            "handle_left": (frame - 1 / 3, value),
            "handle_right": (frame + 1 / 3, value),
        }
        if 0 < i < len(frames):
            key["interpolation"] = self.values["interpolation"][i - 1]
            if key["interpolation"] == _number("interpolation", "BEZIER"):
                key |= self._divide(i, frame)
        for name, array in self.values.items():
            self.values[name] = np.insert(
                array, i, np.asarray(key[name] if name in key else _linear_key(name), array.dtype), axis=0
            )

    def _divide(self, i: int, frame: float) -> dict[str, Any]:
        """Cut the Bezier segment before key i at a frame (de Casteljau): both halves together are the old one.

        Returns:
            What the new key between them is.
        """
        v = self.values
        points = np.array(
            [v["co"][i - 1], v["handle_right"][i - 1], v["handle_left"][i], v["co"][i]], np.float64
        )
        points = _shortened(points)
        t = _parameter(points[:, 0], frame)
        a, b, c = (points[k] + t * (points[k + 1] - points[k]) for k in range(3))
        d, e = a + t * (b - a), b + t * (c - b)
        free = _number("handle_left_type", "FREE")
        v["handle_right"][i - 1], v["handle_left"][i] = a, c
        for k in (i - 1, i):
            v["handle_left_type"][k] = v["handle_right_type"][k] = free
        return {"co": d + t * (e - d), "handle_left": d, "handle_right": e}

    def fill(
        self, first: float, last: float, frames: np.ndarray, values: np.ndarray, *, hold: bool = False
    ) -> None:
        """Replace what lies between two keys by linear ones.

        Args:
            first: frame of the key before; it must be there.
            last: frame of the key after; infinite: there is none.
            frames: (T,) of the new keys, ascending, in between.
            values: (T,) of the new keys.
            hold: let the last of them stand still until the key after.
        """
        old = self.frames
        kept = int(np.searchsorted(old, first + SAME))
        after = int(np.searchsorted(old, last - SAME, side="right"))
        count = len(frames)
        points = np.empty((count, 2), np.float32)
        points[:, 0], points[:, 1] = frames, values
        third = np.array([1 / 3, 0.0], np.float32)
        new = {"co": points, "handle_left": points - third, "handle_right": points + third}
        for name, array in self.values.items():
            joined = np.empty((kept + count + len(array) - after, *array.shape[1:]), array.dtype)
            joined[:kept], joined[kept + count :] = array[:kept], array[after:]
            joined[kept : kept + count] = new[name] if name in new else _linear_key(name)
            self.values[name] = joined
        if count:
            interpolation = self.values["interpolation"]
            interpolation[max(kept - 1, 0)] = _number("interpolation", "LINEAR")
            if hold:
                interpolation[kept + count - 1] = _number("interpolation", "CONSTANT")


def _shortened(points: np.ndarray) -> np.ndarray:
    """A segment (4, 2) as Blender plays it: handles that are longer than the segment together are cut."""
    width = points[3, 0] - points[0, 0]
    right, left = points[1] - points[0], points[3] - points[2]
    reach = abs(right[0]) + abs(left[0])
    if reach > width > 0:
        points = points.copy()
        points[1] = points[0] + right * (width / reach)
        points[2] = points[3] - left * (width / reach)
    return points


def _parameter(times: np.ndarray, frame: float) -> float:
    """The parameter at which a Bezier segment with ascending times (4,) passes a frame (by bisection)."""
    low, high = 0.0, 1.0
    for _ in range(60):
        t = 0.5 * (low + high)
        s = 1 - t
        at = s**3 * times[0] + 3 * s * s * t * times[1] + 3 * s * t * t * times[2] + t**3 * times[3]
        low, high = (t, high) if at < frame else (low, t)
    return 0.5 * (low + high)
