"""How a limb is turned about its own axis, which two points do not say.

An elbow or a knee is a hinge: the plane of the bent limb gives the twist of the upper bone. A straight limb
has no plane, and just before it is straight the plane is noise; so the twist is a track over time that
believes a frame the more, the more the limb is bent, changes slowly in between, and drifts to a natural
twist where nothing is known for long. As angles wrap, the track is one of unit complex numbers, and its
least-squares solution a single banded system.
"""

from __future__ import annotations

import numpy as np

from .. import rotations as rot

BENT = 0.6
"""Sine of the bend (37 degrees) from which the plane of a limb is believed fully."""
_STRONGEST = 100.0
_NATURAL = 0.02
_STIFF = 0.1
"""Weights of a bent frame and of the natural twist; seconds over which the twist runs on where no frame
says anything. Chosen so that a bent limb follows its plane within a frame and a straight one keeps its
twist for about 0.7 s."""
_BACKWARDS, _REVERSED = np.radians(35.0), np.radians(100.0)
"""A limb bent less than the first, and turned by more than the second against its twist before and after,
is overstretched, not turned round."""
_FOLDED = -0.97
"""Cosine between the bones of a limb folded up so far that it has no plane either."""


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.sum(a * b, axis=-1)


def hinge_axis(
    upper: np.ndarray, lower: np.ndarray, with_upper: float, with_lower: float
) -> tuple[np.ndarray, np.ndarray]:
    """The hinge (T, 3) of a bent limb, and the sine of its bend (T,).

    The axis makes the same angles with both bones as at rest (a real knee's axis is not quite square to
    thigh and shin, and near full stretch the plain cross product of the bones would be far off).

    Args:
        upper, lower: unit directions (T, 3) of the bones.
        with_upper, with_lower: cosines between the hinge and the bones in the rest pose.
    """
    normal = np.cross(upper, lower)
    bend = np.linalg.norm(normal, axis=-1)
    cosine = dot(upper, lower)
    square = np.maximum(1.0 - cosine**2, 1e-9)
    along_upper = (with_upper - cosine * with_lower) / square
    along_lower = (with_lower - cosine * with_upper) / square
    flat = along_upper[:, None] * upper + along_lower[:, None] * lower
    rest = np.sqrt(np.clip(1.0 - dot(flat, flat), 0.0, 1.0))
    return unit(flat + rest[:, None] * normal / np.maximum(bend, 1e-9)[:, None]), bend


def angle_about(axis: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Signed angle (T,) about unit axes (T, 3) from one direction to another."""
    start = start - dot(start, axis)[:, None] * axis
    end = end - dot(end, axis)[:, None] * axis
    return np.arctan2(dot(axis, np.cross(start, end)), dot(start, end))


def track(angles: np.ndarray, weights: np.ndarray, fps: float) -> np.ndarray:
    """The twist (T,) over time that follows ``angles`` (T,) as far as ``weights`` (T,) believe them."""
    stiff = (_STIFF * fps) ** 2
    diagonal = weights + _NATURAL
    diagonal[1:] += stiff
    diagonal[:-1] += stiff
    return np.angle(_banded(diagonal, -stiff, weights * np.exp(1j * angles) + _NATURAL))


def _banded(diagonal: np.ndarray, beside: float, right: np.ndarray) -> np.ndarray:
    """Solve a system (T,) whose matrix has ``diagonal`` (T,) and ``beside`` next to it: down and up once."""
    known = right.tolist()
    pivots = diagonal.tolist()
    for t in range(1, len(known)):
        factor = beside / pivots[t - 1]
        pivots[t] -= factor * beside
        known[t] -= factor * known[t - 1]
    known[-1] /= pivots[-1]
    for t in range(len(known) - 2, -1, -1):
        known[t] = (known[t] - beside * known[t + 1]) / pivots[t]
    return np.array(known)


def limb_twist(
    reference: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    rest: tuple[np.ndarray, np.ndarray, np.ndarray],
    fps: float,
    *,
    seen: np.ndarray,
    hint: tuple[np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """Turn rotations (T, 3, 3) that already carry the upper bone about it, so that the hinge fits.

    Args:
        reference: rotations that lay the rest bone on ``upper`` with a natural twist.
        upper, lower: unit directions (T, 3) of the bones.
        rest: unit directions (3,) of upper bone, lower bone and hinge in the rest pose.
        fps: frames per second.
        seen: (T,) whether the limb was really there.
        hint: another twist (T,) away from the reference, and its weight (T,): a foot's heading.

    Returns:
        World rotations (T, 3, 3) of the upper bone's joint.
    """
    upper_rest, lower_rest, hinge_rest = rest
    axis, bend = hinge_axis(upper, lower, float(hinge_rest @ upper_rest), float(hinge_rest @ lower_rest))
    angles = angle_about(upper, reference @ hinge_rest, axis)
    cosine = dot(upper, lower)
    weights = _STRONGEST * np.minimum(bend / BENT, 1.0) ** 4 * seen
    weights[cosine < _FOLDED] = 0.0
    hinted = (np.zeros_like(angles), np.zeros_like(angles)) if hint is None else (hint[0], hint[1] * seen)

    def follow(believed: np.ndarray) -> np.ndarray:
        return track(*_mixed(angles, believed, *hinted), fps)

    bent = np.arctan2(bend, cosine)
    clear = bent > _BACKWARDS
    # Overstretched by noise, a limb shows its plane from the other side; clearly bent frames tell.
    sure = follow(np.where(clear, weights, 0.0))
    wrong = ~clear & (np.abs(rot.wrap_angle(angles - sure)) > _REVERSED)
    twist = follow(np.where(wrong, 0.0, weights))
    return rot.axis_angle_to_matrix(twist[:, None] * upper) @ reference


def _mixed(
    a: np.ndarray, weight_a: np.ndarray, b: np.ndarray, weight_b: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted mean angle and its weight."""
    total = weight_a * np.exp(1j * a) + weight_b * np.exp(1j * b)
    return np.angle(total), np.abs(total)
