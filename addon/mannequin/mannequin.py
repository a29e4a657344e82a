"""The built-in body: a mannequin made in code around the skeleton, skinned and coloured by zones.

No bpy here: the result is plain arrays, and :mod:`..mannequin.body` puts them into Blender. Axes and units are the
clip's (Y up, facing +Z, metres, rest pose with the model's origin at the chest).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ...backend.motion.expressions import CHANNELS
from ...backend.motion.skeleton import INDEX
from . import face_mesh
from .face_mesh import flat
from .implicit import Field, smooth_min, surface_nets
from .sculpt import figure, joint
from .skinning import skin_weights, stepped, strongest

Array = np.ndarray

ZONES = (
    "skin", "hair", "shirt", "trousers", "shoes", "soles", "lips", "mouth", "teeth", "tongue", "eyes", "iris", "pupil",
)  # fmt: skip

WRIST_CUT = 0.682
NECK_CUT = 0.172
_BODY_STEP, _HEAD_STEP, _FACE_STEP, _HAND_STEP = 0.0138, 0.0072, 0.0045, 0.0037
_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Mannequin:
    """A closed, skinned mesh.

    Attributes:
        vertices: (V, 3) metres.
        corners: (L,) vertex index of every face corner, faces one after another, outwards.
        starts: (F,) index of each face's first corner.
        zones: (F,) index into :data:`ZONES`.
        weights: (V, 55) skin weights: rows sum to one, at most four entries each.
        shapes: (V, 3) metres by name: how far each vertex moves when the face takes the shape entirely.
    """

    vertices: Array
    corners: Array
    starts: Array
    zones: Array
    weights: Array
    shapes: dict[str, Array]

    def faces(self) -> list[Array]:
        return np.split(self.corners, self.starts[1:])


@lru_cache(maxsize=1)
def mannequin() -> Mannequin:
    """Build the mannequin (about a second; kept for the life of the process)."""
    field = figure()
    vertices, faces = _half(field)
    vertices, faces, pairs = _both_sides(vertices, faces)
    neighbours = _neighbours(faces, len(vertices))
    vertices = _relax(field, vertices, neighbours, pairs)
    weights = skin_weights(vertices, neighbours)
    weights = _symmetric(weights, pairs)
    polygons = [face[:3] if face[3] < 0 else face for face in faces.tolist()]
    for line in _LINES:
        vertices, weights, polygons = _cut(vertices, weights, polygons, line)
    for line in _FACE_LINES:
        vertices, weights, polygons = _cut(vertices, weights, polygons, line, slide=0.0009)
    vertices, weights, polygons, lining = face_mesh.open_mouth(vertices, weights, polygons)
    corners, starts = flat(polygons)
    centres = np.add.reduceat(vertices[corners], starts) / np.diff(starts, append=len(corners))[:, None]
    zones = [_zones(centres), np.full(len(lining), ZONES.index("mouth"), np.int32)]
    moves = face_mesh.mouth_shapes(vertices, weights[:, INDEX["jaw"]] > 0.5)
    polygons = polygons + lining
    for part in (*face_mesh.teeth_and_tongue(), *face_mesh.eyes(), *face_mesh.lids()):
        polygons += [[v + len(vertices) for v in polygon] for polygon in part.polygons]
        zones.append(np.array([ZONES.index(zone) for zone in part.zones], np.int32))
        still = np.zeros((len(part.vertices), 3))
        for name in {*moves, *part.moves}:
            before = moves.get(name, np.zeros((len(vertices), 3)))
            moves[name] = np.concatenate([before, part.moves.get(name, still)])
        vertices = np.concatenate([vertices, part.vertices])
        weights = np.concatenate([weights, part.weights])
    moves["mouth_open"] = face_mesh.jaw_turned(vertices, weights[:, INDEX["jaw"]])
    corners, starts = flat(polygons)
    return Mannequin(
        vertices=vertices.astype(np.float32),
        corners=corners.astype(np.int32),
        starts=starts.astype(np.int32),
        zones=np.concatenate(zones),
        weights=stepped(strongest(weights)),
        shapes={name: moves[name].astype(np.float32) for name in CHANNELS},
    )


# --- polygons ---------------------------------------------------------------------------------------------


def _half(field: Field) -> tuple[Array, Array]:
    """Vertices and faces (quads, triangles padded with -1) of the half x >= 0, welded from three grids."""
    body_x = _axis((-0.5 * _BODY_STEP, 0.22, _BODY_STEP), (0.22, WRIST_CUT, 0.0165))
    body_y = _axis((-1.328, -1.25, 0.010), (-1.25, -0.50, 0.0180), (-0.50, NECK_CUT, _BODY_STEP))
    body_z = _axis((-0.165, 0.215, _BODY_STEP))
    # Finer where the mouth, the eyes and the brows are.
    head_x = _axis((-0.5 * _FACE_STEP, 0.054, _FACE_STEP), (0.054, 0.105, _HEAD_STEP))
    head_y = _axis(
        (NECK_CUT, 0.214, _HEAD_STEP), (0.214, 0.262, 0.0036), (0.262, 0.291, _HEAD_STEP),
        (0.291, 0.346, 0.0046), (0.346, 0.435, _HEAD_STEP),
    )  # fmt: skip
    head_z = _axis((-0.125, 0.060, _HEAD_STEP), (0.060, 0.125, 0.0055))
    hand_x = _axis((WRIST_CUT, 0.775, 0.0065), (0.775, 0.905, 0.0052))
    hand_y, hand_z = _axis((0.045, 0.135, _HAND_STEP)), _axis((-0.095, 0.105, _HAND_STEP))
    parts = []
    for axes in ((body_x, body_y, body_z), (head_x, head_y, head_z), (hand_x, hand_y, hand_z)):
        values = field.on_grid(*axes)
        if axes[0][0] < 0:
            values[0] = values[1]  # the mirror image, so that the middle closes exactly on x = 0
        parts.append(surface_nets(values, *axes))
    offset = 0
    vertices, faces = [], []
    for points, quads in parts:
        vertices.append(points)
        faces.append(quads + offset)
        offset += len(points)
    points = np.concatenate(vertices)
    neck = _zip(points, faces[0], faces[1], (0, 2), (0.0, -0.03), 1, NECK_CUT, closed=False)
    wrist = _zip(
        points, faces[0], faces[2], (1, 2), tuple(joint("left_wrist")[1:]), 0, WRIST_CUT, closed=True
    )
    return points, np.concatenate([*faces, neck, wrist])


def _axis(*spans: tuple[float, float, float]) -> Array:
    """Coordinates that walk each span (from, to, step) in equal steps close to the given one."""
    pieces = []
    for low, high, step in spans:
        count = max(round((high - low) / step), 1)
        pieces.append(low + (high - low) * np.arange(count) / count)
    # The first span's step is exact, so that x = 0 stays the middle of a cell.
    low, high, step = spans[0]
    if low < 0 and abs(low + 0.5 * step) < 1e-9:
        pieces[0] = np.arange(low, high - 0.25 * step, step)
    return np.concatenate([*pieces, [spans[-1][1]]])


def _zip(
    points: Array,
    first: Array,
    second: Array,
    plane: tuple[int, int],
    centre: tuple[float, float],
    axis: int,
    cut: float,
    closed: bool,
) -> Array:
    """Triangles (N, 4), padded with -1, that join the open rims of two meshes on either side of a cut."""

    def rim(faces: Array) -> Array:
        edges = np.concatenate([faces[:, [i, (i + 1) % 4]] for i in range(4)])
        keys = {(int(a), int(b)) for a, b in edges}
        follow = {
            a: b
            for a, b in keys
            if (b, a) not in keys
            and abs(points[a, axis] - cut) < 0.02
            and abs(points[b, axis] - cut) < 0.02
            and (closed or points[a, 0] > 1e-9 or points[b, 0] > 1e-9)
        }
        start = next(iter(follow)) if closed else next(a for a in follow if a not in set(follow.values()))
        order = [start]
        while follow.get(order[-1]) is not None and follow[order[-1]] != start:
            order.append(follow[order[-1]])
        return np.array(order)

    def angles(loop: Array) -> Array:
        raw = np.arctan2(points[loop, plane[1]] - centre[1], points[loop, plane[0]] - centre[0])
        return np.unwrap(raw)

    a, b = rim(first), rim(second)[::-1]
    if closed:
        gap = np.linalg.norm(points[b] - points[a[0]], axis=1)
        b = np.roll(b, -int(np.argmin(gap)))
        a, b = np.append(a, a[0]), np.append(b, b[0])
    ta, tb = angles(a), angles(b)
    tb += 2 * np.pi * np.round((ta[0] - tb[0]) / (2 * np.pi))
    sign = np.sign(ta[-1] - ta[0])
    ta, tb = ta * sign, tb * sign
    i = j = 0
    triangles = []
    while i < len(a) - 1 or j < len(b) - 1:
        if j == len(b) - 1 or (i < len(a) - 1 and ta[i] + ta[i + 1] < tb[j] + tb[j + 1]):
            triangles.append((a[i + 1], a[i], b[j], -1))
            i += 1
        else:
            triangles.append((b[j], b[j + 1], a[i], -1))
            j += 1
    return np.array(triangles)


def _both_sides(vertices: Array, faces: Array) -> tuple[Array, Array, Array]:
    """The mesh and its mirror image, sharing the vertices at x = 0, and each vertex's mirror partner."""
    used = np.unique(faces[faces >= 0])
    number = np.full(len(vertices), -1)
    number[used] = np.arange(len(used))
    faces = np.where(faces >= 0, number[faces], -1)
    vertices = vertices[used]
    centre = vertices[:, 0] < 1e-9
    count = len(vertices)
    partner = np.arange(count)
    partner[~centre] = count + np.arange(int((~centre).sum()))
    other = np.where(faces >= 0, partner[faces], -1)
    triangle = other[:, 3] < 0
    flipped = other[:, ::-1].copy()
    flipped[triangle] = np.roll(flipped[triangle], -1, axis=1)
    everything = np.concatenate([vertices, vertices[~centre] * _MIRROR])
    pairs = np.concatenate([partner, np.flatnonzero(~centre)])
    return everything, np.concatenate([faces, flipped]), pairs


def _neighbours(faces: Array, count: int) -> Array:
    """(V, K) vertices along edges, padded with the vertex itself."""
    quads = faces[faces[:, 3] >= 0]
    triangles = faces[faces[:, 3] < 0][:, :3]
    edges = np.concatenate(
        [quads[:, [i, (i + 1) % 4]] for i in range(4)] + [triangles[:, [i, (i + 1) % 3]] for i in range(3)]
    )
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    degree = np.bincount(edges[:, 0], minlength=count)
    first = np.concatenate([[0], np.cumsum(degree)[:-1]])
    table = np.repeat(np.arange(count)[:, None], degree.max(), axis=1)
    table[edges[:, 0], np.arange(len(edges)) - first[edges[:, 0]]] = edges[:, 1]
    return table


def _relax(field: Field, vertices: Array, neighbours: Array, pairs: Array, passes: int = 4) -> Array:
    """Even out the mesh along the surface and put every vertex onto it; stays symmetric."""
    half = np.flatnonzero(np.arange(len(vertices)) <= pairs)
    degree = (neighbours != np.arange(len(vertices))[:, None]).sum(1, keepdims=True)
    padding = neighbours.shape[1] - degree
    vertices = vertices.copy()
    for i in range(passes):
        p = vertices[half]
        value, gradient = field.gradient(p)
        size2 = np.maximum((gradient**2).sum(1), 0.05)
        if i < passes - 1:
            mean = (vertices[neighbours[half]].sum(1) - padding[half] * p) / degree[half]
            normal = gradient / np.sqrt(size2)[:, None]
            move = 0.5 * (mean - p)
            p = p + move - (move * normal).sum(1, keepdims=True) * normal
            value, gradient = field.gradient(p)
            size2 = np.maximum((gradient**2).sum(1), 0.05)
        step = -(value / size2)[:, None] * gradient
        length = np.linalg.norm(step, axis=1, keepdims=True)
        p = p + step * np.minimum(1, 0.006 / np.maximum(length, 1e-9))
        centre = pairs[half] == half
        p[centre, 0] = 0.0
        vertices[half] = p
        vertices[pairs[half]] = np.where(centre[:, None], p, p * _MIRROR)
    return vertices


def _symmetric(weights: Array, pairs: Array) -> Array:
    from ...backend.motion.skeleton import MIRROR

    return 0.5 * (weights + weights[pairs][:, list(MIRROR)])


# --- zones ------------------------------------------------------------------------------------------------


def _hair(p: Array) -> Array:
    """Positive on the hair: above a line from the forehead, round the temple, behind the ear, to the nape."""
    x, y, z = np.abs(p[:, 0]), p[:, 1], p[:, 2]
    front = y - 0.366 + 6.0 * np.maximum(x - 0.02, 0) ** 2
    temple = smooth_min(0.022 - z + 0.30 * (y - 0.33), y - 0.324, 0.020)
    back = smooth_min(-0.028 - z, y - 0.230 + 0.25 * (z + 0.07), 0.030)
    sides = -smooth_min(-temple, -back, 0.020)
    return -smooth_min(-front, -sides, 0.024)


def _neckline(p: Array) -> Array:
    """Positive above a round neck: a ball about the root of the neck, and everything above it."""
    ball = 0.084 - np.linalg.norm((p - (0.0, 0.163, -0.036)) * (0.95, 1.0, 1.0), axis=1)
    return np.maximum(ball, p[:, 1] - 0.195 + 0.35 * np.maximum(p[:, 2], 0))


def _sleeve(p: Array) -> Array:
    return np.abs(p[:, 0]) - 0.345


def _waist(p: Array) -> Array:
    return p[:, 1] + 0.325 + 0.06 * p[:, 2]


def _cuff(p: Array) -> Array:
    return p[:, 1] + 1.212 + 0.20 * (p[:, 2] + 0.02)


def _sole(p: Array) -> Array:
    return p[:, 1] + 1.2945


_LINES: tuple[Callable[[Array], Array], ...] = (
    _hair, _neckline, _sleeve, _waist, _cuff, _sole,
)  # fmt: skip
_FACE_LINES: tuple[Callable[[Array], Array], ...] = (face_mesh.brows, face_mesh.lips, face_mesh.slit)


def _zones(p: Array) -> Array:
    zone = np.full(len(p), ZONES.index("shirt"), np.int32)
    zone[_waist(p) < 0] = ZONES.index("trousers")
    zone[_cuff(p) < 0] = ZONES.index("shoes")
    zone[_sole(p) < 0] = ZONES.index("soles")
    zone[(_neckline(p) > 0) | (_sleeve(p) > 0)] = ZONES.index("skin")
    zone[(_neckline(p) > 0) & (_hair(p) > 0) & (p[:, 1] > 0.2)] = ZONES.index("hair")
    zone[face_mesh.brows(p) < 0] = ZONES.index("hair")
    zone[face_mesh.lips(p) < 0] = ZONES.index("lips")
    return zone


def _cut(
    vertices: Array,
    weights: Array,
    polygons: list[list[int]],
    line: Callable[[Array], Array],
    slide: float = 0.0022,
) -> tuple[Array, Array, list[list[int]]]:
    """Split the faces along ``line(p) = 0``, so that a zone's border is a clean curve of edges.

    Vertices closer to it than ``slide`` metres move onto it: no slivers.
    """
    s = line(vertices)
    e = 1e-4
    gradient = np.stack([line(vertices + e * axis) - s for axis in np.eye(3)], -1) / e
    size2 = np.maximum((gradient**2).sum(1), 1e-6)
    near = np.abs(s) / np.sqrt(size2) < slide
    vertices = vertices.copy()
    for _ in range(2):
        vertices[near] -= (line(vertices[near]) / size2[near])[:, None] * gradient[near]
    s = np.where(near, 0.0, s)

    sign = np.sign(s).astype(int)
    corners, starts = flat(polygons)
    along = sign[corners]
    mixed = (np.minimum.reduceat(along, starts) < 0) & (np.maximum.reduceat(along, starts) > 0)
    result = [polygons[i] for i in np.flatnonzero(~mixed)]
    pieces: list[list[int]] = []
    for polygon in (polygons[i] for i in np.flatnonzero(mixed)):
        signs = [x for x in sign[polygon] if x]
        if sum(x != y for x, y in zip(signs, signs[1:] + signs[:1], strict=True)) > 2:
            # A saddle: cut its triangles instead.
            pieces += [[polygon[0], polygon[i], polygon[i + 1]] for i in range(1, len(polygon) - 1)]
        else:
            pieces.append(polygon)
    edges = sorted(
        {
            (min(a, b), max(a, b))
            for polygon in pieces
            for a, b in zip(polygon, polygon[1:] + polygon[:1], strict=True)
            if sign[a] * sign[b] < 0
        }
    )
    if not edges:
        return vertices, weights, result + pieces
    created = {edge: len(vertices) + i for i, edge in enumerate(edges)}
    low, high = np.array(edges).T
    t = s[low] / (s[low] - s[high])
    for _ in range(3):  # the line is curved: find where it really crosses
        value = line(vertices[low] + t[:, None] * (vertices[high] - vertices[low]))
        slope = np.where(value * s[low] > 0, value - s[high], s[low] - value)
        share = np.where(value * s[low] > 0, t + (1 - t) * value / slope, t * s[low] / slope)
        t = np.clip(share, 0.05, 0.95)
    t = t[:, None]
    points = (1 - t) * vertices[low] + t * vertices[high]
    rows = ((1 - t) * weights[low] + t * weights[high]).astype(weights.dtype)

    for polygon in pieces:
        signs = [sign[v] for v in polygon]
        if min(signs) >= 0 or max(signs) <= 0:
            result.append(polygon)
            continue
        above: list[int] = []
        below: list[int] = []
        last = next(x for x in reversed(signs) if x)
        for i, (a, b) in enumerate(zip(polygon, polygon[1:] + polygon[:1], strict=True)):
            ahead = next(x for x in signs[i:] + signs if x)
            # Vertices on the line: all of a run go below, and above only those beside a vertex above,
            # so that the two parts tile the polygon.
            if sign[a] > 0 or (sign[a] == 0 and 1 in (sign[b], sign[polygon[i - 1]])):
                above.append(a)
            if sign[a] < 0 or (sign[a] == 0 and -1 in (last, ahead)):
                below.append(a)
            if sign[a] * sign[b] < 0:
                new = created[min(a, b), max(a, b)]
                above.append(new)
                below.append(new)
            last = sign[a] or last
        result += [part for part in (above, below) if len(part) >= 3]
    return np.concatenate([vertices, points]), np.concatenate([weights, rows]), result
