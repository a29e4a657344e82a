"""Repair of joints that no body could have, before they become a stick figure.

Sound bodies pass untouched but for the head, which is moved out to a fifth of the trunk's length.
Repairs are made on true positions where these are known: in a projection a thigh that points at the
viewer looks too short and hips in profile look collapsed, and neither is a fault.
"""

from __future__ import annotations

import numpy as np

from .skeleton import INDEX

NEAR, APART = 0.05, 0.1
"""A left and right joint nearer than the first are put the second away from their middle (metres)."""
HEAD = 0.2
"""Least distance of the head above the neck, along the spine, in trunk lengths."""
REACH: tuple[tuple[str, str, float], ...] = (
    ("shoulder", "neck", 0.6),
    ("wrist", "shoulder", 1.3),
    ("elbow", "shoulder", 0.78),
    ("ankle", "hip", 1.5),
    ("knee", "hip", 0.9),
)
"""Joint, the joint it is measured from, and its greatest distance in trunk lengths."""
PAIRS: tuple[str, ...] = ("hip", "shoulder", "knee", "elbow")

_STATURE = (
    ("head_center", "neck"), ("neck", "pelvis_center"),
    ("l_hip", "l_knee"), ("l_knee", "l_ankle"), ("r_hip", "r_knee"), ("r_knee", "r_ankle"),
)  # fmt: skip
_LEVEL = 90
"""Percentile over time that stands for a length: foreshortening and dropped joints only shorten."""


def _at(points: np.ndarray, name: str) -> np.ndarray:
    return points[..., INDEX[name], :]


def trunk(points: np.ndarray) -> np.ndarray:
    """Length from pelvis to neck of each actor (...,) of joints (T, ..., 16, D), at least 1 cm."""
    lengths = np.linalg.norm(_at(points, "neck") - _at(points, "pelvis_center"), axis=-1)
    return np.maximum(np.percentile(lengths, _LEVEL, axis=0), 0.01)


def stature(points: np.ndarray) -> np.ndarray:
    """Length from head to ankle of each actor (...,) when stretched out, of joints (T, ..., 16, D).

    The lengths of the bones are added up, so a figure that sits is not taken for a small one.
    """
    bones = np.stack([_at(points, a) - _at(points, b) for a, b in _STATURE])
    head, spine, l_thigh, l_shin, r_thigh, r_shin = np.percentile(
        np.linalg.norm(bones, axis=-1), _LEVEL, axis=1
    )
    return np.asarray(head + spine + np.maximum(l_thigh + l_shin, r_thigh + r_shin))


def upright(points: np.ndarray) -> np.ndarray:
    """The whole motion turned at once so that the mean spine points up: for cameras that were tilted.

    First the camera's roll is undone, then its pitch. Every frame gets the same turn: turning each frame by
    itself would straighten every bow and cartwheel.

    Args:
        points: joints (N, 16, D), the frames of one actor or of all; D is 2 or 3.
    """
    pelvis = _at(points, "pelvis_center")
    spine = (_at(points, "neck") - pelvis).mean(axis=0)
    turned = points - pelvis[0]
    for other, up in ((0, spine[1]), (2, float(np.hypot(spine[0], spine[1])))):
        if other < points.shape[-1]:
            length = np.hypot(spine[other], up)
            c, s = (up / length, spine[other] / length) if length > 1e-9 else (1.0, 0.0)
            along, high = turned[..., other].copy(), turned[..., 1].copy()
            turned[..., other], turned[..., 1] = c * along - s * high, s * along + c * high
    return turned + pelvis[0]


def clean(points: np.ndarray) -> np.ndarray:
    """Joints that make a body, of joints (T, 16, D) or (T, A, 16, D), y up, D 2 or 3.

    1. Left and right hips, shoulders, knees and elbows that coincide are put apart in x, the left one on
       the side where the rest of the body has its left.
    2. Limbs longer than any body's (:data:`REACH`) are shortened.
    3. The head is kept above the neck, seen along the spine.

    The pelvis stays midway between the hips.
    """
    points = np.array(points, dtype=np.float64)
    _put_apart(points)
    torso = trunk(points)
    for name, parent, limit in REACH:
        for side in ("l_", "r_"):
            _pull_in(points, side + name, parent if parent == "neck" else side + parent, limit * torso)
    _lift_head(points, torso)
    return points


def _put_apart(points: np.ndarray) -> None:
    gaps = {name: _at(points, f"l_{name}") - _at(points, f"r_{name}") for name in PAIRS}
    apart = {name: np.linalg.norm(gap, axis=-1) >= NEAR for name, gap in gaps.items()}
    if all(mask.all() for mask in apart.values()):
        return
    left = np.stack([np.where(apart[name], gaps[name][..., 0], 0.0) for name in PAIRS]).sum(axis=0)
    side = np.where(left < 0, -1.0, 1.0)
    for name in PAIRS:
        middle = (_at(points, f"l_{name}") + _at(points, f"r_{name}")) / 2
        for label, sign in (("l_", 1.0), ("r_", -1.0)):
            moved = middle.copy()
            moved[..., 0] += sign * side * APART
            joint = INDEX[label + name]
            points[..., joint, :] = np.where(apart[name][..., None], points[..., joint, :], moved)


def _pull_in(points: np.ndarray, name: str, parent: str, limit: np.ndarray) -> None:
    bone = _at(points, name) - _at(points, parent)
    length = np.linalg.norm(bone, axis=-1)
    factor = np.minimum(1.0, limit / np.maximum(length, 1e-9))
    if (factor < 1.0).any():
        points[..., INDEX[name], :] = np.where(
            (factor < 1.0)[..., None], _at(points, parent) + bone * factor[..., None], _at(points, name)
        )


def _lift_head(points: np.ndarray, torso: np.ndarray) -> None:
    spine = _at(points, "neck") - _at(points, "pelvis_center")
    length = np.linalg.norm(spine, axis=-1, keepdims=True)
    up = np.zeros(points.shape[-1])
    up[1] = 1.0
    spine = np.where(length > 1e-6, spine / np.maximum(length, 1e-6), up)
    along = ((_at(points, "head_center") - _at(points, "neck")) * spine).sum(axis=-1)
    lift = np.maximum(HEAD * torso - along, 0.0)
    points[..., INDEX["head_center"], :] += lift[..., None] * spine
