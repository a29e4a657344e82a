"""Forward kinematics of the SMPL-X skeleton, in numpy and in torch, from one definition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import rotations
from .skeleton import PARENTS, REST_OFFSETS

if TYPE_CHECKING:
    import torch


def forward_kinematics(
    poses: np.ndarray, trans: np.ndarray, offsets: np.ndarray = REST_OFFSETS
) -> tuple[np.ndarray, np.ndarray]:
    """Joint positions and global rotations of posed skeletons.

    Args:
        poses: (T, J, 3) axis-angle relative to the parent, J <= 55 leading SMPL-X joints.
        trans: (T, 3) metres; the pelvis stands at ``offsets[0] + trans``.
        offsets: (55, 3) rest offsets; another body's proportions may be given.

    Returns:
        joints (T, J, 3) metres and global rotation matrices (T, J, 3, 3).
    """
    local = rotations.axis_angle_to_matrix(poses)
    return forward_kinematics_matrices(local, trans, offsets)


def forward_kinematics_matrices(
    local: np.ndarray, trans: np.ndarray, offsets: np.ndarray = REST_OFFSETS
) -> tuple[np.ndarray, np.ndarray]:
    """As :func:`forward_kinematics`, from local rotation matrices (T, J, 3, 3)."""
    joints: list[np.ndarray] = []
    world: list[np.ndarray] = []
    for i in range(local.shape[-3]):
        parent = PARENTS[i]
        if parent < 0:
            joints.append(offsets[i] + trans)
            world.append(local[..., i, :, :])
        else:
            joints.append(joints[parent] + world[parent] @ offsets[i])
            world.append(world[parent] @ local[..., i, :, :])
    return np.stack(joints, axis=-2), np.stack(world, axis=-3)


def forward_kinematics_torch(local: torch.Tensor, trans: torch.Tensor, joints: int = 22) -> torch.Tensor:
    """Joint positions (..., joints, 3) in torch, differentiable, of our own body.

    Args:
        local: (..., J, 3, 3) rotation matrices relative to the parent.
        trans: (..., 3) metres.
        joints: how many leading joints to pose.
    """
    import torch

    offsets = torch.tensor(REST_OFFSETS, dtype=local.dtype, device=local.device)
    positions: list[torch.Tensor] = []
    world: list[torch.Tensor] = []
    for i in range(joints):
        parent = PARENTS[i]
        if parent < 0:
            positions.append(offsets[i] + trans)
            world.append(local[..., i, :, :])
        else:
            positions.append(positions[parent] + (world[parent] @ offsets[i]))
            world.append(world[parent] @ local[..., i, :, :])
    return torch.stack(positions, dim=-2)
