"""How a rig stands at rest: which way is up and forward, how large it is, where its floor is.

Everything else in retargeting happens in the *body frame*: the SMPL axes (Y up, facing +Z, left +X), in the
armature's units, with the armature's origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mapping import SIDES, Mapping
from .rig import Rig
from .skeleton import CONTACT_REST_HEIGHTS, INDEX, REST_OFFSETS

SNAP = np.cos(np.radians(25.0))
"""A body that leans less than this against the armature's axes stands along them: nobody rests plumb."""
_ANKLE_HEIGHT = CONTACT_REST_HEIGHTS[0]
_BALL_HEIGHT = CONTACT_REST_HEIGHTS[1]


@dataclass(frozen=True)
class Stance:
    """A rig's rest pose, measured.

    Attributes:
        axes: (3, 3) body frame to armature space, a rotation.
        scale: armature units per metre of our skeleton, by the length of the legs.
        lift: armature units to add to the scaled height, so that the ankle of a standing foot is where it
            is at rest.
        floor: height of the floor in the body frame.
        middle: (3,) the point between the hip joints in the body frame.
    """

    axes: np.ndarray
    scale: float
    lift: float
    floor: float
    middle: np.ndarray


def leg_length() -> float:
    """Hip to ankle along the bones of our skeleton, metres."""
    return float(sum(np.linalg.norm(REST_OFFSETS[INDEX[f"left_{joint}"]]) for joint in ("knee", "ankle")))


def measure(rig: Rig, mapping: Mapping) -> Stance:
    """Measure a rig whose mapping has every required slot (see :func:`.mapping.checked`)."""
    axes = body_axes(rig, mapping)

    def head(slot: str) -> np.ndarray:
        return rig.heads[rig.index[mapping.bones[slot]]] @ axes

    legs = [
        np.linalg.norm(head(f"{side}_{lower}") - head(f"{side}_{upper}"))
        for side in SIDES
        for upper, lower in (("hip", "knee"), ("knee", "ankle"))
    ]
    leg = 0.5 * float(np.sum(legs))
    scale = leg / leg_length()
    ankle = float(np.mean([head(f"{side}_ankle")[1] for side in SIDES]))
    balls = [head(f"{side}_foot")[1] for side in SIDES if f"{side}_foot" in mapping.bones]
    lowest = min([ankle, *balls])
    # Characters stand on their origin; one that does not (its origin in the hips) stands on its soles.
    on_origin = -0.02 * leg <= lowest <= 0.2 * leg
    floor = 0.0 if on_origin else lowest - scale * (_BALL_HEIGHT if balls else _ANKLE_HEIGHT)
    lift = (ankle - floor) - scale * _ANKLE_HEIGHT + floor
    middle = 0.5 * (head("left_hip") + head("right_hip"))
    return Stance(axes, scale, lift, floor, middle)


def body_axes(rig: Rig, mapping: Mapping) -> np.ndarray:
    """(3, 3) body frame to armature space, from the rest positions of hips, shoulders and head."""
    heads = {slot: rig.heads[rig.index[bone]] for slot, bone in mapping.bones.items()}
    up = np.zeros(3)
    left = np.zeros(3)
    feet = 0.5 * (heads["left_ankle"] + heads["right_ankle"])
    hips = 0.5 * (heads["left_hip"] + heads["right_hip"])
    up += hips - feet
    top = next((heads[slot] for slot in ("head", "neck.1", "spine.1") if slot in heads), None)
    if top is not None:
        up += top - hips
    for joint in ("hip", "shoulder"):
        if f"left_{joint}" in heads and f"right_{joint}" in heads:
            left += heads[f"left_{joint}"] - heads[f"right_{joint}"]
    axes = _frame(left, up)
    return next(
        (found for found in (_snapped(axes), rig.world.T @ _snapped(rig.world @ axes)) if _near(found, axes)),
        axes,
    )


def _frame(left: np.ndarray, up: np.ndarray) -> np.ndarray:
    """A rotation whose columns are left, up and forward; up is kept exactly."""
    y = up / max(float(np.linalg.norm(up)), 1e-12)
    x = left - (left @ y) * y
    x = x / max(float(np.linalg.norm(x)), 1e-12)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _snapped(axes: np.ndarray) -> np.ndarray:
    """The frame of the space's own axes that is nearest (3, 3); of no use where two columns share an axis."""
    nearest = np.zeros((3, 3))
    rows = np.argmax(np.abs(axes), axis=0)
    nearest[rows, range(3)] = np.sign(axes[rows, range(3)])
    return nearest


def _near(found: np.ndarray, axes: np.ndarray) -> bool:
    proper = np.linalg.det(found) > 0.5
    return bool(proper and np.all(np.sum(found * axes, axis=0) > SNAP))
