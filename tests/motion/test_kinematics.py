"""Forward kinematics: against hand-made poses, and numpy against torch."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.backend.motion import rotations
from understudy.backend.motion.kinematics import forward_kinematics, forward_kinematics_matrices
from understudy.backend.motion.skeleton import INDEX, J0, PARENTS, REST_OFFSETS, rest_joints

from .synthetic import random_clip


def test_zero_pose_is_the_rest_pose_moved() -> None:
    trans = np.array([[1.0, 2.0, 3.0]])
    joints, world = forward_kinematics(np.zeros((1, 55, 3)), trans)
    np.testing.assert_allclose(joints[0], rest_joints() + trans[0], atol=1e-12)
    np.testing.assert_array_equal(world[0], np.broadcast_to(np.eye(3), (55, 3, 3)))


def test_pelvis_is_j0_plus_trans_whatever_the_pose() -> None:
    clip = random_clip()
    joints, _ = forward_kinematics(clip.poses, clip.trans)
    np.testing.assert_allclose(joints[:, 0], J0 + clip.trans, atol=1e-12)


def test_bones_keep_their_lengths() -> None:
    clip = random_clip()
    joints, _ = forward_kinematics(clip.poses, clip.trans)
    for child, parent in enumerate(PARENTS[1:], start=1):
        length = np.linalg.norm(joints[:, child] - joints[:, parent], axis=-1)
        np.testing.assert_allclose(length, np.linalg.norm(REST_OFFSETS[child]), atol=1e-12)


def test_a_bent_knee_moves_the_foot_back_and_nothing_else() -> None:
    poses = np.zeros((1, 55, 3))
    poses[0, INDEX["left_knee"], 0] = np.pi / 2
    joints, _ = forward_kinematics(poses, np.zeros((1, 3)))
    rest = rest_joints()
    moved = np.linalg.norm(joints[0] - rest, axis=-1) > 1e-9
    assert {i for i in range(55) if moved[i]} == {INDEX["left_ankle"], INDEX["left_foot"]}
    assert joints[0, INDEX["left_ankle"], 2] < rest[INDEX["left_ankle"], 2] - 0.3


def test_leading_joints_alone_give_the_same() -> None:
    clip = random_clip()
    joints, world = forward_kinematics(clip.poses, clip.trans)
    few, few_world = forward_kinematics(clip.poses[:, :22], clip.trans)
    np.testing.assert_array_equal(few, joints[:, :22])
    np.testing.assert_array_equal(few_world, world[:, :22])


def test_another_bodys_proportions() -> None:
    clip = random_clip()
    joints, _ = forward_kinematics(clip.poses, np.zeros((len(clip), 3)))
    double, _ = forward_kinematics(clip.poses, np.zeros((len(clip), 3)), 2 * REST_OFFSETS)
    np.testing.assert_allclose(double, 2 * joints, atol=1e-12)


def test_numpy_and_torch_agree() -> None:
    torch = pytest.importorskip("torch")
    from understudy.backend.motion.kinematics import forward_kinematics_torch

    clip = random_clip()
    local = rotations.axis_angle_to_matrix(clip.poses)
    expected, _ = forward_kinematics_matrices(local, clip.trans)
    for joints in (22, 55):
        given = forward_kinematics_torch(torch.from_numpy(local), torch.from_numpy(clip.trans), joints)
        np.testing.assert_allclose(given.numpy(), expected[:, :joints], atol=1e-12)


def test_torch_gradients_flow() -> None:
    torch = pytest.importorskip("torch")
    from understudy.backend.motion.kinematics import forward_kinematics_torch

    local = torch.eye(3).repeat(2, 22, 1, 1).requires_grad_()
    forward_kinematics_torch(local, torch.zeros(2, 3)).sum().backward()
    assert local.grad is not None
    assert float(local.grad[:, INDEX["left_hip"]].abs().sum()) > 0
