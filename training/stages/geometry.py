"""Differentiable geometry of the features, for losses: joints from rotations, path from rates."""

from __future__ import annotations

import torch
from torch import Tensor

from ...backend.motion.features import FPS
from ...backend.motion.skeleton import PARENTS, REST_OFFSETS


def matrix_from_6d(sixd: Tensor) -> Tensor:
    """(..., 6) in the columns layout -> (..., 3, 3)."""
    a, b = sixd[..., :3], sixd[..., 3:]
    first = torch.nn.functional.normalize(a, dim=-1, eps=1e-6)
    second = torch.nn.functional.normalize(b - (first * b).sum(-1, keepdim=True) * first, dim=-1, eps=1e-6)
    return torch.stack([first, second, torch.cross(first, second, dim=-1)], dim=-1)


def chain_positions(sixd: Tensor, joints: tuple[int, ...]) -> Tensor:
    """Joint positions (..., J, 3) of one part, relative to the joint its chains hang on.

    Args:
        sixd: (..., 6 J) local rotations of ``joints``, parents before children.
        joints: SMPL-X joint indices; a parent outside the part counts as unrotated, at the origin.
    """
    local = matrix_from_6d(sixd.unflatten(-1, (len(joints), 6)))
    offsets = torch.tensor(REST_OFFSETS, dtype=sixd.dtype, device=sixd.device)
    place = {joint: i for i, joint in enumerate(joints)}
    positions: list[Tensor] = []
    world: list[Tensor] = []
    for i, joint in enumerate(joints):
        parent = place.get(PARENTS[joint])
        if parent is None:
            positions.append(offsets[joint].expand(*sixd.shape[:-1], 3))
            world.append(local[..., i, :, :])
        else:
            positions.append(positions[parent] + world[parent] @ offsets[joint])
            world.append(world[parent] @ local[..., i, :, :])
    # The ends of the chains have rotations that no joint shows: a virtual tip makes them count.
    tips = [positions[i] + world[i][..., :, 1] * 0.1 for i in range(len(joints))]
    return torch.stack(positions + tips, dim=-2)


def integrate_root(lower: Tensor) -> Tensor:
    """Path (..., T, 3) of the pelvis from ``lower_trans`` features (..., T, F), from the origin."""
    yaw = torch.cumsum(lower[..., 1:, 0] / FPS, dim=-1)
    yaw = torch.cat([torch.zeros_like(yaw[..., :1]), yaw], dim=-1)
    step = lower[..., 1:, 1:3] / FPS
    sin, cos = torch.sin(yaw[..., :-1]), torch.cos(yaw[..., :-1])
    x = cos * step[..., 0] + sin * step[..., 1]
    z = -sin * step[..., 0] + cos * step[..., 1]
    path = torch.cumsum(torch.stack([x, z], dim=-1), dim=-2)
    path = torch.cat([torch.zeros_like(path[..., :1, :]), path], dim=-2)
    return torch.stack([path[..., 0], lower[..., 3], path[..., 1]], dim=-1)
