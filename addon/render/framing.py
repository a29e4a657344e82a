"""Where the camera stands: it frames a whole motion, or follows one that travels. numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...backend.motion import rotations
from ...backend.motion.clip import Clip
from ...backend.motion.kinematics import forward_kinematics
from ...backend.motion.skeleton import INDEX

Array = np.ndarray
TRAVEL_LIMIT = 4.0
"""Metres of root travel from which the camera follows instead of framing everything."""


@dataclass(frozen=True)
class Framing:
    """A camera for a motion, in Blender's world (Z up, metres).

    Attributes:
        follow: (T, 3) the point on the floor that camera and lights move with; constant when fixed.
        offset: (3,) camera position relative to it.
        forward, up: (3,) the camera's axes.
        distance: from the camera to the point of interest along ``forward``, metres.
        travels: whether ``follow`` moves.
    """

    follow: Array
    offset: Array
    forward: Array
    up: Array
    distance: float
    travels: bool


def frame_motion(
    clip: Clip,
    aspect: float,
    *,
    half_width: float,
    pitch: float = np.radians(13.0),
    margin: float = 0.07,
    follow: bool | None = None,
    smoothing: float = 0.45,
    angle: float | None = None,
) -> Framing:
    """Choose the camera for a clip.

    Args:
        clip: the motion.
        aspect: image width / height.
        half_width: tangent of half the horizontal field of view.
        pitch: how far the camera looks down, radians.
        margin: share of the image kept free on each side.
        follow: follow the figure or not; by default it depends on :data:`TRAVEL_LIMIT`.
        smoothing: how lazily the camera follows, seconds.
        angle: of the camera from the figure's front towards its left, radians; by default the further the
            figure travels, the more from its side.
    """
    points = _flesh_points(clip)
    root = points[:, INDEX["pelvis"]]
    low, high = root[:, :2].min(0), root[:, :2].max(0)
    travels = bool(np.linalg.norm(high - low) > TRAVEL_LIMIT) if follow is None else follow
    if travels:
        path = _smooth(root[:, :2], smoothing * clip.fps)
    else:
        path = np.broadcast_to(0.5 * (low + high), root[:, :2].shape)
    follow_path = np.concatenate([path, np.zeros((len(path), 1))], axis=1)

    azimuth = _azimuth(clip, root, angle)
    forward = np.array([-np.cos(pitch) * np.cos(azimuth), -np.cos(pitch) * np.sin(azimuth), -np.sin(pitch)])
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    up = np.cross(right, forward)

    relative = (points - follow_path[:, None]).reshape(-1, 3)
    x, y, z = relative @ right, relative @ up, -(relative @ forward)  # z: towards the camera
    tan_x = half_width * (1 - 2 * margin)
    tan_y = half_width / aspect * (1 - 2 * margin)
    # The two planes of each direction touch the motion; the camera stands where they meet.
    left, rightmost = np.max(z - x / tan_x), np.max(z + x / tan_x)
    bottom, top = np.max(z - y / tan_y), np.max(z + y / tan_y)
    across, height = 0.5 * (rightmost - left) * tan_x, 0.5 * (top - bottom) * tan_y
    distance = float(max(0.5 * (left + rightmost), 0.5 * (bottom + top), 1.0))
    offset = across * right + height * up - distance * forward
    return Framing(follow_path, offset, forward, up, distance, travels)


def _flesh_points(clip: Clip) -> Array:
    """(T, 27, 3) body joints and points on the skin beyond them, in Blender's world."""
    joints, world = forward_kinematics(clip.poses, clip.trans)
    head, wrists = INDEX["head"], [INDEX["left_wrist"], INDEX["right_wrist"]]
    crown = joints[:, head] + world[:, head] @ np.array([0.0, 0.18, 0.0])
    tips = [
        joints[:, w] + world[:, w] @ np.array([s * 0.19, 0, 0]) for w, s in zip(wrists, (1, -1), strict=True)
    ]
    feet = [joints[:, INDEX[f"{side}_foot"]] + (0, -0.03, 0) for side in ("left", "right")]
    points = np.concatenate([joints[:, :22], np.stack([crown, *tips, *feet], axis=1)], axis=1)
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def _azimuth(clip: Clip, root: Array, angle: float | None) -> float:
    """Direction from the motion to the camera on the floor, radians: three-quarter front.

    A figure that faces the camera shows most; one that travels would run at it, so the further it
    goes, the more the camera stands at its side.
    """
    facing = rotations.axis_angle_to_matrix(clip.poses[:, 0])[:, :, 2].mean(0)
    front = np.arctan2(-facing[2], facing[0])
    if np.hypot(facing[0], facing[2]) < 0.2:
        front = -np.pi / 2
    if angle is None:
        travel = float(np.linalg.norm(root[-1, :2] - root[0, :2]))
        angle = np.radians(28 + 27 * np.clip((travel - 0.8) / 2.0, 0, 1))
    return float(front + angle)


def _smooth(path: Array, sigma: float) -> Array:
    """Gaussian smoothing of (T, D) in time, ends continued in a straight line."""
    reach = int(3 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-6)) ** 2)
    kernel /= kernel.sum()
    around = ((reach, reach), (0, 0))
    if len(path) > 1:
        padded = np.pad(path, around, mode="reflect", reflect_type="odd")
    else:
        padded = np.pad(path, around, mode="edge")
    return np.stack([np.convolve(padded[:, i], kernel, "valid") for i in range(path.shape[1])], axis=1)
