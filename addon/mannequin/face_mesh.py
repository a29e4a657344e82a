"""The mannequin's face: a mouth that opens, teeth, eyes with lids, and the shapes it can take.

No bpy here. Every part is closed and outwards, so the whole mesh is; axes and units are the clip's.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np

from ...backend.motion.expressions import MOUTH_OPEN
from ...backend.motion.rotations import axis_angle_to_matrix
from ...backend.motion.skeleton import INDEX, NUM_JOINTS
from .sculpt import EYE_RADIUS, MOUTH, joint

Array = np.ndarray

_SLIT = (0.0215, 0.0046)
"""Half width and half height of the hole that is cut for the mouth, before the lips are laid together."""
_GAP = 0.0001  # between the lips of a closed mouth, metres
_LID_INNER, _LID_OUTER = 1.055 * EYE_RADIUS, 1.115 * EYE_RADIUS
_MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Part:
    """A closed piece of mesh that is added to the body.

    Attributes:
        vertices: (V, 3) metres.
        polygons: corner indices of every face, outwards.
        zones: (F,) name of each face's zone.
        weights: (V, 55) skin weights.
        moves: (V, 3) offsets by the name of a shape; shapes that leave the part alone are missing.
    """

    vertices: Array
    polygons: list[list[int]]
    zones: list[str]
    weights: Array
    moves: dict[str, Array]


# --- mouth ------------------------------------------------------------------------------------------------


def lips(p: Array) -> Array:
    """Negative on the red of the lips."""
    x, y, z = np.abs(p[:, 0]), p[:, 1] - MOUTH[1], p[:, 2]
    bow = 0.0016 * np.exp(-((x - 0.007) ** 2) / 0.004**2)
    height = np.where(y > 0, 0.0078 + bow, 0.0092)
    across = np.minimum(x / 0.0262, 1.3)
    edge = height * (1 - across**2)
    return np.abs(y) - edge + np.maximum(0.065 - z, 0)


def slit(p: Array) -> Array:
    """Negative where the mouth opens."""
    x, y, z = p[:, 0] / _SLIT[0], (p[:, 1] - MOUTH[1]) / _SLIT[1], p[:, 2]
    return _SLIT[1] * (np.sqrt(x**2 + y**2 + 1e-12) - 1) + np.maximum(0.065 - z, 0)


def brows(p: Array) -> Array:
    """Negative on the eyebrows: a bow that thins out towards the temple, round at its ends."""
    x, y, z = np.abs(p[:, 0]), p[:, 1], p[:, 2]
    along = np.clip((x - 0.030) / 0.0190, -1.5, 1.5)
    middle = 0.3375 - 0.0042 * (along + 0.1) ** 2
    thick = 0.0038 - 0.0010 * along
    return 0.0035 * (np.hypot(along, (y - middle) / thick) - 1) + np.maximum(0.05 - z, 0)


def jaw_share(p: Array) -> Array:
    """How much of the head's weight a point gives to the jaw: all below the mouth, none above, half beside it."""
    x, y, z = np.abs(p[:, 0]), p[:, 1], p[:, 2]
    t = np.clip(x / _SLIT[0], 0, 1.6)
    soft = 0.0012 + 0.0125 * t**3
    low = np.clip((MOUTH[1] - y + soft) / (2 * soft), 0, 1)
    back = np.clip(z / 0.06, 0, 1)
    return _smoothstep(low) * _smoothstep(back)


def open_mouth(
    vertices: Array, weights: Array, polygons: list[list[int]]
) -> tuple[Array, Array, list[list[int]], list[list[int]]]:
    """Take the faces of :func:`slit` out of the skin, lay the lips together, and line the mouth behind them.

    Args:
        vertices: (V, 3), with edges along the slit.
        weights: (V, 55); those of head and jaw are shared out anew.
        polygons: corner indices of every face.

    Returns:
        the vertices, the weights, the faces of the skin, and the faces of the mouth's lining.
    """
    corners, starts = flat(polygons)
    centres = np.add.reduceat(vertices[corners], starts) / np.diff(starts, append=len(corners))[:, None]
    skin = [polygon for polygon, value in zip(polygons, slit(centres), strict=True) if value > 0]
    used = np.unique(flat(skin)[0])
    number = np.full(len(vertices), -1)
    number[used] = np.arange(len(used))
    vertices, weights = vertices[used], weights[used].copy()
    skin = [number[polygon].tolist() for polygon in skin]

    head, jaw = INDEX["head"], INDEX["jaw"]
    both = weights[:, head] + weights[:, jaw]
    share = jaw_share(vertices)
    weights[:, jaw], weights[:, head] = both * share, both * (1 - share)

    loop = _rim(skin)
    side = np.sign(vertices[loop, 1] - MOUTH[1])
    side[np.abs(vertices[loop, 0]) > 0.97 * np.abs(vertices[loop, 0]).max()] = 0.0
    lip = vertices[loop].copy()
    lip[:, 1] = MOUTH[1] + _GAP * side
    # One curve for both lips, so that they meet, a little behind where the skin was.
    lip[:, 2] = np.polyval(np.polyfit(lip[:, 0] ** 2, lip[:, 2], 2), lip[:, 0] ** 2) - 0.0012
    vertices[loop] = lip

    rings = [loop]
    for width, height, depth in ((0.99, 0.0004, 0.0045), (0.95, 0.0105, 0.0085), (0.86, 0.0125, 0.030)):
        ring = lip * (width, 1, 1) + np.stack([0 * side, height * side, np.full(len(loop), -depth)], 1)
        ring[:, 2] -= 0.25 * depth * (1 - np.abs(lip[:, 0]) / _SLIT[0])
        rings.append(len(vertices) + np.arange(len(loop)))
        vertices = np.concatenate([vertices, ring])
        weights = np.concatenate([weights, weights[loop]])
    lining = []
    for outer, inner in pairwise(rings):
        lining += [[outer[i], outer[i - 1], inner[i - 1], inner[i]] for i in range(len(loop))]
    throat = len(vertices)
    vertices = np.concatenate([vertices, vertices[rings[-1]].mean(0, keepdims=True) - (0, 0, 0.012)])
    weights = np.concatenate([weights, weights[rings[-1]].mean(0, keepdims=True)])
    lining += [[rings[-1][i], rings[-1][i - 1], throat] for i in range(len(loop))]
    return vertices, weights, skin, [[int(v) for v in face] for face in lining]


def flat(polygons: list[list[int]]) -> tuple[Array, Array]:
    """Corners one after another, and where each polygon starts."""
    sizes = np.fromiter(map(len, polygons), np.int64, len(polygons))
    corners = np.fromiter(chain.from_iterable(polygons), np.int64, int(sizes.sum()))
    return corners, np.concatenate([[0], np.cumsum(sizes)[:-1]])


def _rim(polygons: list[list[int]]) -> Array:
    """The one open border of a mesh, in the order in which its faces run along it."""
    corners, starts = flat(polygons)
    following = np.append(corners[1:], 0)
    following[np.append(starts[1:], len(corners)) - 1] = corners[starts]
    count = int(corners.max()) + 1
    alone = ~np.isin(corners * count + following, following * count + corners)
    follow = dict(zip(corners[alone].tolist(), following[alone].tolist(), strict=True))
    order = [min(follow)]
    while follow[order[-1]] != order[0]:
        order.append(follow[order[-1]])
    if len(order) != len(follow):
        raise ValueError("The mouth has more than one border.")
    return np.array(order)


def teeth_and_tongue() -> list[Part]:
    """Two rows of teeth, the lower one on the jaw, and the tongue."""
    y, z = MOUTH[1], MOUTH[2]
    parts = []
    for top, bottom, front, bone in (
        (y + 0.0120, y - 0.0034, z - 0.0108, "head"),
        (y - 0.0026, y - 0.0130, z - 0.0135, "jaw"),
    ):
        angle = np.linspace(-1.25, 1.25, 15)
        arch = np.stack([np.sin(angle), np.cos(angle)], 1)
        outer = arch * (0.0170, 0.020) + (0, front - 0.020)
        inner = arch * (0.0140, 0.0165) + (0, front - 0.020)
        ring = np.concatenate([outer, inner[::-1]])  # a horseshoe, seen from above
        points = np.concatenate([np.insert(ring, 1, level, axis=1) for level in (bottom, top)])
        parts.append(_rigid(points, _prism(len(ring), 15), "teeth", bone))
    ball, faces = _sphere(10, 12)
    tongue = ball[:, [0, 2, 1]] * (0.0150, 0.0050, 0.0210) * (1, -1, 1) + (0, y - 0.0078, z - 0.036)
    parts.append(_rigid(tongue, faces, "tongue", "jaw"))
    return parts


def _prism(count: int, half: int) -> list[list[int]]:
    """Faces of a strip's prism: ``count`` points below, the same above, the ends of the strip at ``half``."""
    sides = [[i, count + i, count + (i + 1) % count, (i + 1) % count] for i in range(count)]
    floor = [[i, i + 1, count - 2 - i, count - 1 - i] for i in range(half - 1)]
    roof = [[count + v for v in reversed(face)] for face in floor]
    return sides + floor + roof


# --- eyes -------------------------------------------------------------------------------------------------

_RINGS = (("pupil", 11.0), ("iris", 15.0), ("iris", 19.0), ("iris", 27.0), ("eyes", 40.0))
"""Bands of the eyeball from its front: zone and the angle at which it ends, degrees."""


def eyes() -> list[Part]:
    """Both eyeballs, on the bones that turn them."""
    ends = [0.0, *(angle for _, angle in _RINGS), *np.arange(57.0, 180.0, 17.0), 180.0]
    zones = ["pupil", *(zone for zone, _ in _RINGS[1:]), *["eyes"] * (len(ends) - 1 - len(_RINGS))]
    ball, faces = _sphere(len(ends) - 1, 24, np.radians(ends))
    names = [zones[0]] * 24 + [zone for zone in zones[1:-1] for _ in range(24)] + ["eyes"] * 24
    parts = []
    for side in ("left", "right"):
        bone = f"{side}_eye_smplhf"
        part = _rigid(joint(bone) + EYE_RADIUS * ball, faces, "eyes", bone)
        parts.append(Part(part.vertices, part.polygons, names, part.weights, {}))
    return parts


def lids() -> list[Part]:
    """Upper and lower lids; the shapes ``blink_left`` and ``blink_right`` shut them, a smile lifts the lower one."""
    parts = []
    for edge, shut, far, size in ((*_UPPER, 100.0, 1.012), (*_LOWER, -85.0, 1.0)):
        rest, closed, lifted = (size * _lid(line, far) for line in (edge, shut, _between(edge, shut, 0.35)))
        faces = _shell(*_LID_GRID)
        if far < 0:
            faces = [face[::-1] for face in faces]
        for side, mirror in (("left", np.ones(3)), ("right", _MIRROR)):
            own = faces if side == "left" else [face[::-1] for face in faces]
            part = _rigid(rest * mirror + joint(f"{side}_eye_smplhf"), own, "skin", "head")
            moves = {f"blink_{side}": (closed - rest) * mirror}
            if far < 0:
                moves["smile"] = (lifted - rest) * mirror
            parts.append(Part(part.vertices, part.polygons, part.zones, part.weights, moves))
    return parts


_LID_GRID = (15, 8)  # around and up
_UPPER, _LOWER = ((-3.0, 19.0), (-3.0, -10.0)), ((-3.0, -14.0), (-3.0, -7.0))
"""Where the edge of a lid lies, open and shut: degrees of elevation at the corners and in the middle."""


def _between(a: tuple[float, float], b: tuple[float, float], share: float) -> tuple[float, float]:
    return tuple((1 - share) * p + share * q for p, q in zip(a, b, strict=True))  # type: ignore[return-value]


def _lid(edge: tuple[float, float], far: float) -> Array:
    """(2 * around * up, 3) the outer and the inner sheet of a lid from its edge to its far end, from the eye's centre."""
    around, up = _LID_GRID
    azimuth = np.radians(np.linspace(-78, 78, around))[:, None]
    corner, middle = np.radians(edge)
    start = corner + (middle - corner) * np.cos(azimuth) ** 1.3
    elevation = start + np.linspace(0, 1, up)[None, :] ** 1.4 * (np.radians(far) - start)
    direction = np.stack(
        [
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ],
        axis=-1,
    ).reshape(-1, 3)
    return np.concatenate([_LID_OUTER * direction, _LID_INNER * direction])


def _shell(around: int, up: int) -> list[list[int]]:
    """Faces of a closed shell: two grids and what joins their borders, outwards if the grid runs right and up."""

    def at(i: int, j: int) -> int:
        return i * up + j

    below = around * up
    outer = [
        [at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)]
        for i in range(around - 1)
        for j in range(up - 1)
    ]
    inner = [[below + v for v in reversed(face)] for face in outer]
    border = (
        [at(i, 0) for i in range(around)]
        + [at(around - 1, j) for j in range(1, up)]
        + [at(i, up - 1) for i in range(around - 2, -1, -1)]
        + [at(0, j) for j in range(up - 2, 0, -1)]
    )
    rim = [[b, a, below + a, below + b] for a, b in zip(border, border[1:] + border[:1], strict=True)]
    return outer + inner + rim


def _sphere(rings: int, segments: int, polar: Array | None = None) -> tuple[Array, list[list[int]]]:
    """A unit sphere about +Z from its front pole to its back pole, and its faces, ring by ring from the front."""
    polar = np.linspace(0, np.pi, rings + 1) if polar is None else polar
    turn = 2 * np.pi * np.arange(segments) / segments
    band = polar[1:-1, None]
    points = np.stack(
        [np.sin(band) * np.cos(turn), np.sin(band) * np.sin(turn), np.cos(band) * np.ones_like(turn)], -1
    )
    last = 1 + points.shape[0] * segments
    faces = [[0, 1 + i, 1 + (i + 1) % segments] for i in range(segments)]
    for ring in range(points.shape[0] - 1):
        a, b = 1 + ring * segments, 1 + (ring + 1) * segments
        faces += [[a + i, b + i, b + (i + 1) % segments, a + (i + 1) % segments] for i in range(segments)]
    faces += [[last - segments + i, last, last - segments + (i + 1) % segments] for i in range(segments)]
    return np.concatenate([[[0, 0, 1.0]], points.reshape(-1, 3), [[0, 0, -1.0]]]), faces


def _rigid(points: Array, faces: list[list[int]], zone: str, bone: str) -> Part:
    weights = np.zeros((len(points), NUM_JOINTS), np.float32)
    weights[:, INDEX[bone]] = 1.0
    return Part(points, faces, [zone] * len(faces), weights, {})


# --- shapes -----------------------------------------------------------------------------------------------


def mouth_shapes(p: Array, lining: Array) -> dict[str, Array]:
    """Offsets (V, 3) of the skin for every shape that is not a lid's.

    Args:
        p: (V, 3) rest positions with the lips closed.
        lining: (V,) whether a vertex lies on the lower half of the mouth: its rim and what is behind it
            cannot be told from their height alone.
    """
    x, y, z = p.T
    y = np.where(lining, np.minimum(y, MOUTH[1] - 1e-4), y)
    side, front = np.sign(x), _smoothstep(np.clip((z - 0.035) / 0.03, 0, 1))
    below = y < MOUTH[1]

    def bump(cx: float, cy: float, rx: float, ry: float) -> Array:
        """1 at a place of the left half, and mirrored, falling off smoothly."""
        r2 = ((np.abs(x) - cx) / rx) ** 2 + ((y - cy) / ry) ** 2
        return front * np.exp(-r2)

    def move(dx: Array | float = 0.0, dy: Array | float = 0.0, dz: Array | float = 0.0) -> Array:
        return np.stack(np.broadcast_arrays(side * dx, dy, dz), axis=-1) * np.ones((len(p), 1))

    corner = bump(0.0215, MOUTH[1], 0.012, 0.012)
    middle = bump(0.0, MOUTH[1], 0.016, 0.010)
    red = bump(0.0, MOUTH[1], 0.020, 0.0065)
    lip = bump(0.0, MOUTH[1], 0.024, 0.010)
    apart = np.where(below, -1.0, 1.0)
    return {
        "mouth_wide": move(0.0055 * corner, 0.0006 * corner - 0.0006 * apart * red, -0.0035 * corner),
        "mouth_round": move(
            -np.abs(x) * 0.42 * bump(0.0, MOUTH[1], 0.030, 0.017), 0.0022 * apart * middle, 0.0062 * middle
        ),
        "lips_press": move(0.0, -0.0042 * apart * np.minimum(np.abs(y - MOUTH[1]) / 0.006, 1) * lip, -0.0028 * red),
        "lip_bite": move(0.0, np.where(below, 0.0026, 0.0016) * red, np.where(below, -0.0052, 0.0006) * red),
        "smile": move(0.0052 * corner, 0.0052 * corner + 0.0022 * bump(0.040, 0.272, 0.016, 0.016), -0.0026 * corner),
        "brows_up": move(0.0, 0.0052 * bump(0.028, 0.338, 0.024, 0.013), 0.0),
    }  # fmt: skip


def jaw_turned(p: Array, share: Array) -> Array:
    """Offsets (V, 3) of the whole mesh where the jaw turns by :data:`MOUTH_OPEN`; ``share`` (V,) is its weight."""
    hinge = joint("jaw")
    turn = axis_angle_to_matrix(np.array([MOUTH_OPEN, 0.0, 0.0]))
    offsets: Array = share[:, None] * ((p - hinge) @ turn.T + hinge - p)
    return offsets


def _smoothstep(t: Array) -> Array:
    return t * t * (3 - 2 * t)
