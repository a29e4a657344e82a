"""The way of the root: where the hips go on longer or shorter legs, and what carries them over the floor."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from . import rotations as rot
from .filters import gaussian
from .retarget_rest import RestPose
from .skeleton import INDEX, J0, REST_OFFSETS

Root = Literal["hips", "root", "object", "in place"]
"""Where the path over the floor goes: onto the hips, the root bone, the object, or nowhere."""
ROOTS: tuple[str, ...] = get_args(Root)

ROOT_SMOOTHING = 0.25
"""Seconds: a root bone glides under the swaying hips; what it leaves out stays on the hips."""

PIVOT = 0.5 * (REST_OFFSETS[INDEX["left_hip"]] + REST_OFFSETS[INDEX["right_hip"]])


def hips_at(rest: RestPose, pelvis: np.ndarray, trans: np.ndarray) -> np.ndarray:
    """Where the head of the pelvis bone goes (T, 3), body frame, armature units."""
    stance = rest.stance
    middle = (J0 + trans + pelvis @ PIVOT) * stance.scale + np.array([0.0, stance.lift, 0.0])
    return middle - pelvis @ (stance.middle - rest.heads[rest.bone("pelvis")])


def path_of(
    rest: RestPose, pelvis: np.ndarray, hips: np.ndarray, fps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Heading (T, 3, 3) and path (T, 3) of the root over the floor: smooth, away from rest."""
    yaw = np.unwrap(rot.heading(pelvis))
    flat = (hips - rest.heads[rest.bone("pelvis")]) * np.array([1.0, 0.0, 1.0])
    sigma = ROOT_SMOOTHING * fps
    # Deviations from the straight way are smoothed, so that the ends stay where they are.
    smooth = []
    for values in (yaw[:, None], flat):
        line = np.linspace(values[0], values[-1], len(values))
        smooth.append(line + gaussian(values - line, sigma))
    return rot.yaw_matrix(smooth[0][:, 0]), smooth[1]


def off_the_object(
    rest: RestPose,
    hips: np.ndarray,
    posed: dict[int, np.ndarray],
    heading: np.ndarray,
    path: np.ndarray,
) -> tuple[np.ndarray, dict[int, np.ndarray], np.ndarray]:
    """The hips and bones as seen from an object that walks the path, and its motion (T, 4, 4)."""
    back = np.swapaxes(heading, -1, -2)
    axes = rest.stance.axes
    moved = np.broadcast_to(np.eye(4), (len(hips), 4, 4)).copy()
    moved[:, :3, :3] = axes @ heading @ axes.T
    moved[:, :3, 3] = path @ axes.T
    inside = np.einsum("tij,tj->ti", back, hips - path)
    return inside, {bone: back @ turn for bone, turn in posed.items()}, moved
