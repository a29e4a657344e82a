"""An arm that brings its hand to a place in front of the body and turns the palm.

Everything is said of the left arm, in the frame of the chest (the joint spine3: X to the character's left, Y up, Z to
the front); the right arm is its reflection.
"""

from __future__ import annotations

import numpy as np

from ..motion import rotations
from ..motion.ik import soft_reach
from ..motion.skeleton import INDEX, REST_OFFSETS

MIRRORED = np.array([1.0, 1.0, -1.0, -1.0])
"""On quaternions: a reflection in the plane x = 0."""
_UPPER, _FORE = REST_OFFSETS[INDEX["left_elbow"]], REST_OFFSETS[INDEX["left_wrist"]]
_LENGTHS = float(np.linalg.norm(_UPPER)), float(np.linalg.norm(_FORE))
REACH = 0.95
"""Share of an arm's length that talk takes at most: nobody gestures with a locked elbow."""
_FLEXES = np.array([0.0, -1.0, 0.0])
"""About which a left elbow bends in the T-pose."""
_POLE = np.array([0.42, -1.0, -0.28])
"""Where an elbow hangs: down, a little out and back."""
_FOREARM_SHARE = 0.6
"""Of a turn of the palm: pronation is the forearm's, the rig's wrist takes the rest."""
TRUNK = (0.175, 0.13)
"""Half width and half depth of the trunk at the chest, metres, clothes included."""
_TRUNK_CENTRE = -0.02
_HAND = 0.05
"""Metres: the wrist's centre to the surface of the trunk at least."""
HIGHEST = 0.20
"""Metres above spine3 at which a hand would be before the chin."""
_ACROSS = 0.06
"""Metres that a hand goes over the middle at most."""


def in_free_space(places: np.ndarray) -> np.ndarray:
    """Places (T, 3) of a left wrist moved out of the trunk, from under the chin and from the other hand's side."""
    x = _above(places[:, 0], -_ACROSS)
    y = -_above(-places[:, 1], -HIGHEST)
    width, depth = TRUNK[0] + _HAND, TRUNK[1] + _HAND
    front = _TRUNK_CENTRE + depth * np.clip(1.0 - (x / width) ** 4, 0.0, 1.0)
    return np.stack([x, y, _above(places[:, 2], front)], axis=1)


def _above(values: np.ndarray, least: np.ndarray | float) -> np.ndarray:
    """Values (T,) that do not go below ``least``, rounded over a centimetre so that nothing stops dead."""
    return np.asarray(0.5 * (values + least + np.hypot(values - least, 0.01)))


def solve(shoulder: np.ndarray, hand: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rotations of a left arm whose wrist is at a place, with the elbow where arms let it hang.

    Args:
        shoulder: (T, 3) metres in the chest's frame.
        hand: (T, 7): the wrist's place (3) in metres, how far the elbow is lifted outwards, and the palm in
            radians: turned up (0 is inwards, as for a handshake), bent towards the forearm, bent to the thumb.

    Returns:
        Quaternions (T, 4): of the upper arm in the chest's frame, of the elbow and of the wrist in their own.
    """
    return reach(shoulder, np.concatenate([in_free_space(hand[:, :3]), hand[:, 3:]], axis=1))


def reach(shoulder: np.ndarray, hand: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """:func:`solve` for any place, over the head and at the mouth too."""
    way = hand[:, :3] - shoulder
    distance = np.linalg.norm(way, axis=-1, keepdims=True)
    towards = way / np.maximum(distance, 1e-9)
    upper, fore = _LENGTHS
    d = np.maximum(soft_reach(distance, REACH * (upper + fore)), 1.2 * abs(upper - fore) + 0.1)

    pole = _POLE + hand[:, 3:4] * np.array([1.0, 0.6, 0.2])
    aside = pole - np.sum(pole * towards, axis=-1, keepdims=True) * towards
    aside /= np.maximum(np.linalg.norm(aside, axis=-1, keepdims=True), 1e-9)
    along = (d * d + upper * upper - fore * fore) / (2.0 * d)
    elbow = along * towards + np.sqrt(np.maximum(upper * upper - along * along, 0.0)) * aside
    bones = elbow / upper, (d * towards - elbow) / fore
    hinge = np.cross(*bones)
    hinge /= np.maximum(np.linalg.norm(hinge, axis=-1, keepdims=True), 1e-9)

    above, below = (
        rotations.matrix_to_quaternion(_frame(bone, hinge) @ _frame(rest, _FLEXES).T)
        for bone, rest in zip(bones, (_UPPER, _FORE), strict=True)
    )
    bend = rotations.quaternion_multiply(rotations.quaternion_conjugate(above), below)
    turn, flex, side = hand[:, 4:5], hand[:, 5:6], hand[:, 6:7]
    forearm = _FORE / fore
    elbow_turn = rotations.axis_angle_to_quaternion(-_FOREARM_SHARE * turn * forearm)
    wrist_turn = rotations.axis_angle_to_quaternion(-(1.0 - _FOREARM_SHARE) * turn * forearm)
    wrist_bend = rotations.axis_angle_to_quaternion(np.concatenate([0.0 * flex, -side, -flex], axis=-1))
    return (
        above,
        rotations.quaternion_multiply(bend, elbow_turn),
        rotations.quaternion_multiply(wrist_turn, wrist_bend),
    )


def _frame(along: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Matrices (..., 3, 3) whose columns are a bone, the hinge made square to it, and what is square to both."""
    x = along / np.linalg.norm(along, axis=-1, keepdims=True)
    y = across - np.sum(across * x, axis=-1, keepdims=True) * x
    y = y / np.maximum(np.linalg.norm(y, axis=-1, keepdims=True), 1e-9)
    return np.stack([x, y, np.cross(x, y)], axis=-1)
