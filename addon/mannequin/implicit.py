"""Implicit surfaces in numpy: primitives, smooth unions, and surface nets to polygonise them.

A field is negative inside. Primitives return approximate signed distances (metres): exact on the
surface, good enough near it for smooth unions and for projecting points onto the surface.

Sources: tapered capsules and the polynomial smooth minimum after Inigo Quilez, "Distance functions"
(https://iquilezles.org/articles/distfunctions/); naive surface nets after Gibson, "Constrained elastic
surface nets", MICCAI 1998.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Array = np.ndarray
Numbers = Sequence[float] | Array
FAR = 0.2
"""Value of an empty field, metres."""
_REACH = 0.035  # how far outside its box a primitive is still evaluated, metres


@dataclass(frozen=True)
class Primitive:
    """A shape: ``distance`` maps points (..., 3) to signed distances; ``low``/``high`` bound it.

    ``blend`` is the radius of the smooth union with what came before (negative: smooth subtraction).
    """

    distance: Callable[[Array], Array]
    low: Array
    high: Array
    blend: float


def ellipsoid(centre: Numbers, radii: Numbers, blend: float, tilt: float = 0.0) -> Primitive:
    """An ellipsoid; ``tilt`` turns it about the x axis, radians (positive: its +y end leans to +z)."""
    c, r = np.asarray(centre, np.float32), np.asarray(radii, np.float32)
    cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))

    def distance(p: Array) -> Array:
        q = p - c
        if tilt:
            q = np.stack(
                [q[..., 0], cos * q[..., 1] + sin * q[..., 2], cos * q[..., 2] - sin * q[..., 1]], -1
            )
        k0 = np.sqrt(np.sum((q / r) ** 2, -1))
        k1 = np.sqrt(np.sum((q / (r * r)) ** 2, -1)) + 1e-9
        return np.where(k0 < 1e-3, -r.min(), k0 * (k0 - 1) / k1)

    reach = r.copy()
    if tilt:
        reach[1:] = r[1:].max()
    return Primitive(distance, c - reach, c + reach, blend)


def capsule(a: Numbers, ra: float, b: Numbers, rb: float, blend: float) -> Primitive:
    """A tapered capsule from ``a`` (radius ``ra``) to ``b`` (radius ``rb``)."""
    start, end = np.asarray(a, np.float32), np.asarray(b, np.float32)
    axis = end - start
    length2 = float(axis @ axis)

    def distance(p: Array) -> Array:
        q = p - start
        t = np.clip(q @ axis / length2, 0, 1)
        t3 = t * t * (3 - 2 * t) if abs(ra - rb) < 0.004 else t
        return np.sqrt(np.sum((q - t[..., None] * axis) ** 2, -1)) - (ra + (rb - ra) * t3)

    r = max(ra, rb)
    return Primitive(distance, np.minimum(start, end) - r, np.maximum(start, end) + r, blend)


def loft(
    a: Numbers,
    b: Numbers,
    u: Numbers,
    stations: Sequence[Sequence[float]],
    blend: float,
    power: float = 2.0,
    mirrored: bool = False,
) -> Primitive:
    """A generalised cylinder from ``a`` to ``b`` with superelliptic sections.

    Args:
        u: the direction of the first section axis (made perpendicular to the axis); the second is
            v = axis x u.
        stations: rows (t, u+, u-, v+, v-): position along the axis (0...1) and the four half-extents
            there, metres; between rows a monotone cubic interpolates.
        power: exponent of the superellipse (2 is an ellipse, more is boxier).
        mirrored: the shape is symmetric about x = 0 and ``u+`` is used on both sides.
    """
    start, end = np.asarray(a, np.float64), np.asarray(b, np.float64)
    length = float(np.linalg.norm(end - start))
    d = (end - start) / length
    first = np.asarray(u, np.float64)
    first = first - (first @ d) * d
    first /= np.linalg.norm(first)
    second = np.cross(d, first)
    table = np.asarray(stations, np.float64)
    grid = np.linspace(0, 1, 129)
    radii = np.stack([_monotone_cubic(table[:, 0], table[:, i], grid) for i in range(1, 5)])

    def distance(p: Array) -> Array:
        q: Array = p - start.astype(np.float32)
        s = q @ d.astype(np.float32)
        x, y = q @ first.astype(np.float32), q @ second.astype(np.float32)
        t = np.clip(s / length, 0, 1) * 128
        low = np.minimum(t.astype(np.int32), 127)
        w = t - low
        ru = np.where((x >= 0) | mirrored, _at(radii[0], low, w), _at(radii[1], low, w))
        rv = np.where(y >= 0, _at(radii[2], low, w), _at(radii[3], low, w))
        g = ((np.abs(x) / ru) ** power + (np.abs(y) / rv) ** power) ** (1 / power) + 1e-6
        r = np.sqrt(x * x + y * y)
        radial = np.where(g < 0.05, -np.minimum(ru, rv), r - r / g)
        axial = np.maximum(-s, s - length)
        outside = np.sqrt(np.maximum(radial, 0) ** 2 + np.maximum(axial, 0) ** 2)
        return outside + np.minimum(np.maximum(radial, axial), 0)

    corners = []
    for point, rows in ((start, radii[:, :64]), (end, radii[:, 64:]), (0.5 * (start + end), radii)):
        reach = np.abs(first) * rows[:2].max() + np.abs(second) * rows[2:].max()
        corners += [point - reach, point + reach]
    return Primitive(distance, np.min(corners, 0), np.max(corners, 0), blend)


def _at(table: Array, low: Array, w: Array) -> Array:
    table = table.astype(np.float32)
    return table[low] * (1 - w) + table[low + 1] * w


def _monotone_cubic(x: Array, y: Array, at: Array) -> Array:
    """Fritsch-Carlson interpolation: smooth, and never overshooting the table."""
    h = np.diff(x)
    slope = np.diff(y) / h
    m = np.zeros_like(y)
    same = slope[:-1] * slope[1:] > 0
    w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        m[1:-1] = np.where(same, (w1 + w2) / (w1 / slope[:-1] + w2 / slope[1:]), 0.0)
    m[0], m[-1] = slope[0], slope[-1]
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(h) - 1)
    t = (at - x[i]) / h[i]
    return (
        y[i] * (1 + 2 * t) * (1 - t) ** 2
        + h[i] * m[i] * t * (1 - t) ** 2
        + y[i + 1] * t * t * (3 - 2 * t)
        + h[i] * m[i + 1] * t * t * (t - 1)
    )


def smooth_min(a: Array, b: Array, k: float) -> Array:
    """Polynomial smooth minimum with blend radius ``k`` metres."""
    if k <= 0:
        return np.minimum(a, b)
    h = np.maximum(k - np.abs(a - b), 0) / k
    return np.minimum(a, b) - h * h * (k / 4)


class Field:
    """A trunk of primitives and branches that blend with the trunk but not with one another.

    Branches meet only through ``min``: two fingers, or the arm and the flank, never web together.
    """

    def __init__(
        self, trunk: Sequence[Primitive], branches: Sequence[Sequence[Primitive]], floor: float
    ) -> None:
        self.trunk, self.branches, self.floor = trunk, branches, floor

    def on_grid(self, xs: Array, ys: Array, zs: Array) -> Array:
        """Values (len(xs), len(ys), len(zs)) on a rectilinear grid."""
        axes = (xs, ys, zs)
        base = np.full((len(xs), len(ys), len(zs)), FAR, np.float32)
        _add_on_grid(base, self.trunk, axes)
        total = base.copy()
        for branch in self.branches:
            spans = [_spans(primitive, axes) for primitive in branch]
            cut = tuple(
                slice(min(s[i].start for s in spans), max(s[i].stop for s in spans)) for i in range(3)
            )
            if any(c.stop <= c.start for c in cut):
                continue
            local = base[cut].copy()
            _add_on_grid(local, branch, tuple(axis[c] for axis, c in zip(axes, cut, strict=True)))
            total[cut] = np.minimum(total[cut], local)
        return self._with_floor(total, ys[None, :, None])

    def at(self, points: Array) -> Array:
        """Values (N,) at points (N, 3)."""
        base = _add_at(np.full(len(points), FAR, np.float32), self.trunk, points)
        total = base.copy()
        for branch in self.branches:
            np.minimum(total, _add_at(base.copy(), branch, points), out=total)
        return self._with_floor(total, points[:, 1])

    def _with_floor(self, values: Array, heights: Array) -> Array:
        return -smooth_min(-values, (heights - self.floor).astype(np.float32), 0.012)

    def gradient(self, points: Array, step: float = 1e-3) -> tuple[Array, Array]:
        """Values (N,) and gradients (N, 3) at points, by differences on a tetrahedron."""
        corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], np.float32)
        values = self.at((points[None] + step * corners[:, None]).reshape(-1, 3)).reshape(4, -1)
        return values.mean(0), (values.T @ corners) / (4 * step)


def _combine(values: Array, distance: Array, blend: float) -> Array:
    if blend < 0:
        return -smooth_min(-values, distance, -blend)
    return smooth_min(values, distance, blend)


def _spans(primitive: Primitive, axes: Sequence[Array]) -> tuple[slice, ...]:
    reach = _REACH + abs(primitive.blend)
    return tuple(
        slice(*(int(v) for v in np.searchsorted(axis, (primitive.low[i] - reach, primitive.high[i] + reach))))
        for i, axis in enumerate(axes)
    )


def _add_on_grid(values: Array, primitives: Sequence[Primitive], axes: Sequence[Array]) -> None:
    for primitive in primitives:
        cut = _spans(primitive, axes)
        if any(c.stop <= c.start for c in cut):
            continue
        mesh = np.meshgrid(*(axis[c] for axis, c in zip(axes, cut, strict=True)), indexing="ij")
        distance = primitive.distance(np.stack(mesh, -1).astype(np.float32))
        values[cut] = _combine(values[cut], distance, primitive.blend)


def _add_at(values: Array, primitives: Sequence[Primitive], points: Array) -> Array:
    for primitive in primitives:
        reach = _REACH + abs(primitive.blend)
        near = np.flatnonzero(
            np.all((points > primitive.low - reach) & (points < primitive.high + reach), axis=1)
        )
        if len(near):
            distance = primitive.distance(points[near].astype(np.float32))
            values[near] = _combine(values[near], distance, primitive.blend)
    return values


def _unambiguous(values: Array, passes: int = 4) -> Array:
    """Fill grid points until no grid face has inside and outside on its diagonals.

    Such a face would give an edge with four faces: two sheets that touch. Filling joins them.
    """
    values = values.copy()
    for _ in range(passes):
        inside = values < 0
        found = False
        for axis in range(3):
            u, v = [i for i in range(3) if i != axis]

            def part(array: Array, du: int, dv: int, u: int = u, v: int = v) -> Array:
                cut = [slice(None)] * 3
                cut[u] = slice(du, array.shape[u] - 1 + du)
                cut[v] = slice(dv, array.shape[v] - 1 + dv)
                return array[tuple(cut)]

            a, b, c, d = (part(inside, *corner) for corner in ((0, 0), (1, 0), (1, 1), (0, 1)))
            for offset, mask in (((1, 0), a & c & ~b & ~d), ((0, 0), b & d & ~a & ~c)):
                if mask.any():
                    found = True
                    part(values, *offset)[mask] = -1e-4
        if not found:
            break
    return values


def surface_nets(values: Array, xs: Array, ys: Array, zs: Array) -> tuple[Array, Array]:
    """Vertices (V, 3) and quads (Q, 4) of the zero set of a grid field, normals outwards.

    Where the surface leaves the grid it is left open.
    """
    axes = [np.asarray(a, np.float64) for a in (xs, ys, zs)]
    values = _unambiguous(values)
    inside = values < 0
    cells = np.array(values.shape) - 1
    total = np.zeros((*cells, 3))
    count = np.zeros(cells, np.int32)
    crossing = []
    for axis in range(3):
        lower = [slice(None)] * 3
        upper = [slice(None)] * 3
        lower[axis], upper[axis] = slice(0, -1), slice(1, None)
        f0, f1 = values[tuple(lower)], values[tuple(upper)]
        edges = np.argwhere(inside[tuple(lower)] != inside[tuple(upper)])
        crossing.append(edges)
        index = tuple(edges.T)
        t = f0[index] / (f0[index] - f1[index])
        points = np.stack([axes[i][edges[:, i]] for i in range(3)], -1)
        a = axes[axis]
        points[:, axis] += t * (a[edges[:, axis] + 1] - a[edges[:, axis]])
        others = [i for i in range(3) if i != axis]
        for du in (0, 1):
            for dv in (0, 1):
                cell = edges.copy()
                cell[:, others[0]] -= du
                cell[:, others[1]] -= dv
                ok = np.all((cell >= 0) & (cell < cells), axis=1)
                target = tuple(cell[ok].T)
                np.add.at(total, target, points[ok])
                np.add.at(count, target, 1)
    active = np.argwhere(count > 0)
    number = np.full(cells, -1, np.int64)
    number[tuple(active.T)] = np.arange(len(active))
    vertices = total[tuple(active.T)] / count[tuple(active.T)][:, None]

    quads = []
    for axis in range(3):
        edges = crossing[axis]
        others = [(axis + 1) % 3, (axis + 2) % 3]
        ok = np.all((edges[:, others] >= 1) & (edges[:, others] < cells[others]), axis=1)
        edges = edges[ok]
        corners = []
        for du, dv in ((1, 1), (0, 1), (0, 0), (1, 0)):
            cell = edges.copy()
            cell[:, others[0]] -= du
            cell[:, others[1]] -= dv
            corners.append(number[tuple(cell.T)])
        quad = np.stack(corners, -1)
        flip = ~inside[tuple(edges.T)]
        quad[flip] = quad[flip][:, ::-1]
        quads.append(quad)
    return vertices, np.concatenate(quads)
