"""How parts of a body hang that a source says nothing about."""

from __future__ import annotations

import numpy as np

from ..skeleton import INDEX, NUM_JOINTS

_ARMS_DOWN = np.radians(65.0)


def rest_pose() -> np.ndarray:
    """(55, 3) axis-angle of a body at rest: arms hanging, fingers relaxed."""
    pose = relaxed_hands()
    pose[INDEX["left_shoulder"], 2], pose[INDEX["right_shoulder"], 2] = -_ARMS_DOWN, _ARMS_DOWN
    return pose


def relaxed_hands() -> np.ndarray:
    """(55, 3) axis-angle of loosely curled fingers, zero elsewhere; for sources without fingers.

    Our own values: knuckles 15 to 25 degrees, growing towards the little finger, middle joints a little
    more, end joints less, as a hand hangs at rest.
    """
    pose = np.zeros((NUM_JOINTS, 3))
    curl = {"index": (14, 22, 12), "middle": (20, 26, 14), "ring": (24, 28, 15), "pinky": (26, 26, 14)}
    for side, sign in (("left", -1.0), ("right", 1.0)):
        for finger, degrees in curl.items():
            for i, angle in enumerate(degrees, 1):
                pose[INDEX[f"{side}_{finger}{i}"], 2] = sign * np.radians(angle)
        for i, angle in enumerate((8, 10, 12), 1):
            pose[INDEX[f"{side}_thumb{i}"]] = (
                np.radians(angle) * np.array([0.3, -sign * 0.7, sign * 0.5]) * 0.8
            )
    return pose
