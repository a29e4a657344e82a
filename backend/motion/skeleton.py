"""The 55-joint SMPL-X skeleton: names, parents, our own rest proportions, body parts.

Axes: Y up, the character faces +Z, its left is +X. Units: metres.

The joint names, their order and the hierarchy are those of SMPL-X (Pavlakos et al., CVPR 2019).
The proportions are ours: segment lengths follow the body-segment ratios of Drillis & Contini (1966)
and Winter, "Biomechanics and Motor Control of Human Movement", for a stature of 1.73 m, and no
licensed model file is needed. The pelvis rests where SMPL-X bodies have theirs (about 0.35 m below
the model's origin), so a clip written by us stands on the floor when a SMPL-X tool opens it.
"""

from __future__ import annotations

import numpy as np

_FINGERS = ("index", "middle", "pinky", "ring", "thumb")

JOINT_NAMES: tuple[str, ...] = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2",
    "left_ankle", "right_ankle", "spine3", "left_foot", "right_foot", "neck",
    "left_collar", "right_collar", "head", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "jaw",
    "left_eye_smplhf", "right_eye_smplhf",
    *(f"left_{finger}{i}" for finger in _FINGERS for i in (1, 2, 3)),
    *(f"right_{finger}{i}" for finger in _FINGERS for i in (1, 2, 3)),
)  # fmt: skip

_BODY_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15)
_LEFT_HAND_PARENTS = tuple(20 if i % 3 == 0 else 24 + i for i in range(15))
_RIGHT_HAND_PARENTS = tuple(21 if i % 3 == 0 else 39 + i for i in range(15))

PARENTS: tuple[int, ...] = _BODY_PARENTS + _LEFT_HAND_PARENTS + _RIGHT_HAND_PARENTS

NUM_JOINTS = len(JOINT_NAMES)
NUM_BODY_JOINTS = 22
INDEX: dict[str, int] = {name: i for i, name in enumerate(JOINT_NAMES)}

# Offset of each joint from its parent in the rest pose (a T-pose); right sides are mirrored.
_LEFT_OFFSETS: dict[str, tuple[float, float, float]] = {
    "pelvis": (0.0, -0.350, 0.0),
    "left_hip": (0.090, -0.075, 0.0),
    "left_knee": (0.010, -0.395, 0.004),
    "left_ankle": (-0.005, -0.410, -0.024),
    "left_foot": (0.022, -0.052, 0.128),
    "spine1": (0.0, 0.105, -0.012),
    "spine2": (0.0, 0.130, 0.006),
    "spine3": (0.0, 0.062, 0.016),
    "neck": (0.0, 0.205, -0.032),
    "head": (0.0, 0.098, 0.022),
    "left_collar": (0.048, 0.122, -0.016),
    "left_shoulder": (0.126, 0.032, -0.014),
    "left_elbow": (0.272, -0.006, -0.012),
    "left_wrist": (0.250, 0.004, 0.004),
    "jaw": (0.0, -0.006, 0.018),
    "left_eye_smplhf": (0.032, 0.062, 0.080),
    "left_index1": (0.096, -0.004, 0.024),
    "left_index2": (0.038, 0.0, 0.002),
    "left_index3": (0.024, 0.0, 0.001),
    "left_middle1": (0.098, -0.001, 0.001),
    "left_middle2": (0.042, 0.0, 0.0),
    "left_middle3": (0.027, 0.0, 0.0),
    "left_pinky1": (0.082, -0.008, -0.040),
    "left_pinky2": (0.028, 0.0, -0.004),
    "left_pinky3": (0.018, 0.0, -0.002),
    "left_ring1": (0.092, -0.003, -0.020),
    "left_ring2": (0.039, 0.0, -0.002),
    "left_ring3": (0.025, 0.0, -0.001),
    "left_thumb1": (0.026, -0.012, 0.028),
    "left_thumb2": (0.034, -0.010, 0.026),
    "left_thumb3": (0.028, -0.004, 0.014),
}


def _rest_offsets() -> np.ndarray:
    rows = []
    for name in JOINT_NAMES:
        if name.startswith("right_"):
            x, y, z = _LEFT_OFFSETS["left_" + name.removeprefix("right_")]
            rows.append((-x, y, z))
        else:
            rows.append(_LEFT_OFFSETS[name])
    return np.asarray(rows, dtype=np.float64)


REST_OFFSETS: np.ndarray = _rest_offsets()
"""(55, 3) metres: each joint relative to its parent in the rest pose (row 0: the pelvis, J0)."""
REST_OFFSETS.setflags(write=False)

J0: np.ndarray = REST_OFFSETS[0]
"""(3,) the pelvis in the rest pose. A posed pelvis stands at ``J0 + trans``."""

REST_FLOOR = -1.310
"""Height of the soles in the rest pose, metres: the ankle joint is 28 mm above the ball plus sole."""


def rest_joints() -> np.ndarray:
    """Joint positions (55, 3) of the rest pose, metres."""
    joints = np.zeros((NUM_JOINTS, 3))
    for i, parent in enumerate(PARENTS):
        joints[i] = REST_OFFSETS[i] + (joints[parent] if parent >= 0 else 0.0)
    return joints


def _mirror_pairs() -> tuple[int, ...]:
    swap = {"left_": "right_", "right_": "left_"}
    pairs = []
    for name in JOINT_NAMES:
        side = next((s for s in swap if name.startswith(s)), "")
        pairs.append(INDEX[swap[side] + name.removeprefix(side)] if side else INDEX[name])
    return tuple(pairs)


MIRROR: tuple[int, ...] = _mirror_pairs()
"""For each joint, the joint it becomes in a mirror."""

PARTS: dict[str, tuple[int, ...]] = {
    "lower_trans": (0, 1, 2, 4, 5, 7, 8, 10, 11),
    "upper": (3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21),
    "hands": tuple(range(25, 55)),
    "face": (22, 23, 24),
}
"""The body parts of the tokenizer and of the ``known`` mask, as joint indices."""

CONTACT_JOINTS: tuple[int, ...] = (7, 10, 8, 11)
"""Left ankle, left toe, right ankle, right toe: the order of ``Clip.contacts``."""
CONTACT_REST_HEIGHTS: tuple[float, ...] = tuple(
    float(rest_joints()[j, 1] - REST_FLOOR) for j in CONTACT_JOINTS
)
"""Height of each contact joint above the sole when the foot stands flat, metres."""

NUM_EXPRESSIONS = 100
