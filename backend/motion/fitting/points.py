"""The points that a set may know of a body: SMPL-X joints and a few points between or beyond them.

Every point has a place in our rest pose and a joint that carries it, so that any of them can be compared
with the same point of a posed body.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ...errors import BadInput
from ..skeleton import INDEX, JOINT_NAMES, NUM_JOINTS, PARENTS, REST_OFFSETS

_HALF_EXTRAS: dict[str, tuple[str, tuple[float, float, float]]] = {
    "left_toe_tip": ("left_foot", (0.0, -0.016, 0.065)),
    "left_heel": ("left_ankle", (0.0, -0.060, -0.045)),
    "left_ear": ("head", (0.075, 0.045, 0.005)),
    "left_hand": ("left_wrist", (0.098, -0.001, 0.001)),
    "left_hand_tip": ("left_wrist", (0.190, -0.001, 0.001)),
    "left_thumb_tip": ("left_thumb3", (0.026, -0.003, 0.012)),
    "left_index_tip": ("left_index3", (0.022, 0.0, 0.001)),
    "left_middle_tip": ("left_middle3", (0.024, 0.0, 0.0)),
    "left_ring_tip": ("left_ring3", (0.023, 0.0, -0.001)),
    "left_pinky_tip": ("left_pinky3", (0.018, 0.0, -0.002)),
}

EXTRAS: dict[str, tuple[str, tuple[float, float, float]]] = {
    **_HALF_EXTRAS,
    **{
        "right_" + name.removeprefix("left_"): (carrier.replace("left_", "right_"), (-x, y, z))
        for name, (carrier, (x, y, z)) in _HALF_EXTRAS.items()
    },
    "head_top": ("head", (0.0, 0.190, -0.010)),
    "nose": ("head", (0.0, 0.035, 0.115)),
}
"""Points that are no joints: the joint that carries each, and its offset in the rest pose, metres."""

REQUIRED: tuple[str, ...] = ("left_knee", "right_knee", "left_ankle", "right_ankle")
"""Without legs there is no scale; the pelvis or both hips must be there as well."""


def carrier(name: str) -> int:
    """The joint whose rotation moves a point: a joint's parent, an extra point's own joint."""
    return INDEX[EXTRAS[name][0]] if name in EXTRAS else PARENTS[INDEX[name]]


def check_names(names: Sequence[str]) -> None:
    """Refuse names that are no points of ours, doubles, and sets without legs.

    Raises:
        BadInput: with the name at fault.
    """
    for name in names:
        if name not in INDEX and name not in EXTRAS:
            raise BadInput(f"There is no joint {name!r} to fit.", field="names")
    if len(set(names)) != len(names):
        double = next(name for name in names if list(names).count(name) > 1)
        raise BadInput(f"The joint {double} is named twice.", field="names")
    missing = [name for name in REQUIRED if name not in names]
    if "pelvis" not in names and not {"left_hip", "right_hip"} <= set(names):
        missing.insert(0, "pelvis")
    if missing:
        raise BadInput(f"A body cannot be fitted without its {missing[0].replace('_', ' ')}.", field="names")


def bone_offsets(bones: Mapping[str, Sequence[float]] | None = None) -> np.ndarray:
    """Rest offsets (55, 3), metres: our lengths along the source's own directions.

    Args:
        bones: by joint, the direction from its parent to it in the source's T-pose (any length), for
            bones that do not point there as ours do (SMPL's neck leans 38 degrees forward, ours 13).
    """
    offsets = np.array(REST_OFFSETS)
    for name, direction in (bones or {}).items():
        vector = np.asarray(direction, dtype=np.float64)
        offsets[INDEX[name]] = vector / np.linalg.norm(vector) * np.linalg.norm(REST_OFFSETS[INDEX[name]])
    return offsets


def rest_points(offsets: np.ndarray) -> dict[str, np.ndarray]:
    """Where every point is in the rest pose of a body with these offsets (55, 3), metres."""
    joints = np.zeros((NUM_JOINTS, 3))
    for j, parent in enumerate(PARENTS):
        joints[j] = offsets[j] + (joints[parent] if parent >= 0 else 0.0)
    points = {name: joints[j] for j, name in enumerate(JOINT_NAMES)}
    for name, (joint, offset) in EXTRAS.items():
        points[name] = joints[INDEX[joint]] + np.array(offset)
    return points
