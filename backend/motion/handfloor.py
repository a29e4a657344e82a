"""Hands and the floor: a hand that bears the body stays where it is, and none goes through the floor.

In crawling, push-ups and cartwheels a hand carries the body. It is held at an anchor, as a standing foot is. Lifting
the whole body for a hand below the floor would take knees and feet off it, so each arm makes room by itself, and the
fingers bend up.
"""

from __future__ import annotations

import numpy as np

from . import rotations
from .anchors import corrections
from .contacts import intervals, velocities
from .footlock import write_local
from .ik import ease_up, raise_tip, solve_two_bone
from .skeleton import INDEX

WRIST_CLEARANCE = 0.03
"""Metres: the wrist's centre stays this far above the floor."""
FINGER_CLEARANCE = 0.012
HAND_LENGTH = 0.165
"""Metres from the wrist to the tip of the middle finger."""
MAX_BEND = np.radians(85.0)
BEARING_HEIGHT, BEARING_SPEED = 0.10, 0.35
"""Metres and metres per second: a wrist below both, with a palm on the floor, bears the body. A wrist stands some
centimetres above its palm."""
PALM_HEIGHT = 0.05
"""Metres: no knuckle of such a hand is higher."""
SHORTEST = 0.2
"""Seconds: a hand that is down for less only touches."""
_SOFT = 0.01  # metres over which a hand is eased onto the floor

# Shoulder, elbow, wrist; the sign of the side: the left arm points to +X and flexes about -Y.
_ARMS = tuple(
    (INDEX[f"{side}_shoulder"], INDEX[f"{side}_elbow"], INDEX[f"{side}_wrist"], sign)
    for side, sign in (("left", 1.0), ("right", -1.0))
)


def hold_hands(poses: np.ndarray, joints: np.ndarray, world: np.ndarray, fps: float) -> np.ndarray:
    """New arm rotations for hands that bear the body: they stay at one place while they do.

    Args and result as of :func:`lift_hands`; ``fps`` frames per second.
    """
    for shoulder, elbow, wrist, sign in _ARMS:
        held = bearing(joints[:, wrist], sign * world[:, wrist, :, 0], fps)
        if not held.any():
            continue
        move, _ = corrections(joints[:, wrist], held, None, fps, slack=0.03)
        goal = joints[:, wrist] + move
        hinge = -sign * world[:, shoulder, :, 1]
        turns = solve_two_bone(joints[:, shoulder], joints[:, elbow], joints[:, wrist], goal, hinge)
        turned = np.array(world)
        for joint, turn in zip((shoulder, elbow), turns, strict=True):
            turned[:, joint] = rotations.quaternion_to_matrix(turn) @ world[:, joint]
        poses = np.array(poses)
        write_local(poses, turned, (shoulder, elbow, wrist))  # the hand keeps its direction
    return poses


def bearing(wrist: np.ndarray, along: np.ndarray, fps: float) -> np.ndarray:
    """When a hand bears the body (T,).

    Args:
        wrist: (T, 3) its joint, the floor at y = 0.
        along: (T, 3) unit direction from the wrist to the fingers.
        fps: frames per second.
    """
    palm = wrist[:, 1] + 0.5 * HAND_LENGTH * along[:, 1]
    speed = np.linalg.norm(velocities(wrist, fps), axis=1)
    held = (wrist[:, 1] < BEARING_HEIGHT) & (palm < PALM_HEIGHT) & (speed < BEARING_SPEED)
    for first, last in intervals(held):
        if last - first < SHORTEST * fps:
            held[first:last] = False
    return held


def lift_hands(poses: np.ndarray, joints: np.ndarray, world: np.ndarray) -> np.ndarray:
    """New arm rotations for hands that would go through the floor (y = 0).

    Args:
        poses: (T, 22, 3) axis-angle.
        joints: (T, 22, 3) and
        world: (T, 22, 3, 3), their forward kinematics.

    Returns:
        poses (T, 22, 3); the same array where no hand is low.
    """
    for shoulder, elbow, wrist, sign in _ARMS:
        finger = sign * HAND_LENGTH * world[:, wrist, :, 0]
        low = np.minimum(joints[:, wrist, 1] - WRIST_CLEARANCE, joints[:, wrist, 1] + finger[:, 1])
        if low.min() >= FINGER_CLEARANCE + _SOFT:
            continue
        goal = np.array(joints[:, wrist])
        goal[:, 1] += ease_up(goal[:, 1] - WRIST_CLEARANCE, _SOFT)
        bend = raise_tip(
            finger,
            ease_up(goal[:, 1] + finger[:, 1] - FINGER_CLEARANCE, _SOFT),
            MAX_BEND,
            sign * world[:, wrist, :, 2],
        )
        hinge = -sign * world[:, shoulder, :, 1]
        upper_turn, lower_turn = solve_two_bone(
            joints[:, shoulder], joints[:, elbow], joints[:, wrist], goal, hinge
        )
        turned = np.array(world)
        for joint, turn in ((shoulder, upper_turn), (elbow, lower_turn), (wrist, bend)):
            turned[:, joint] = rotations.quaternion_to_matrix(turn) @ world[:, joint]
        poses = np.array(poses)
        write_local(poses, turned, (shoulder, elbow, wrist))
    return poses
