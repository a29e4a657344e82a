"""What stage II adds to a pose: rotation matrices, and noise where it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...backend.motion import rotations as rot


@dataclass(frozen=True)
class Noise:
    """Rotation noise.

    Attributes:
        sigma: standard deviation in radians, about each of the three axes of each joint.
        seed: numbers of which a block's generator is made, so that any block can be made again alone.
    """

    sigma: float
    seed: tuple[int, ...]


def augmented(pose: np.ndarray, noise: Noise | None) -> dict[str, np.ndarray]:
    """Poses (N, 156), axis-angle, and their matrices ``pose_matrot`` (N, 468), row by row; float32.

    The noise turns each joint a little further, about an axis drawn at random (``R exp(e)``), so the
    result is a rotation however large it is; adding to axis-angle numbers would turn joints near half
    a turn farther than others.
    """
    quaternions = rot.axis_angle_to_quaternion(pose.reshape(len(pose), -1, 3).astype(np.float64))
    if noise is not None and noise.sigma > 0:
        generator = np.random.default_rng(noise.seed)
        turn = generator.normal(0.0, noise.sigma, (*quaternions.shape[:-1], 3))
        quaternions = rot.quaternion_multiply(quaternions, rot.axis_angle_to_quaternion(turn))
        pose = rot.quaternion_to_axis_angle(quaternions).reshape(pose.shape)
    matrices = rot.quaternion_to_matrix(quaternions)
    return {
        "pose": pose.astype(np.float32),
        "pose_matrot": matrices.reshape(len(pose), -1).astype(np.float32),
    }
