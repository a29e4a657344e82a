"""Repairs: single broken frames go, real motion stays; bodies end on the floor, not in it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.motion.clip import Clip
from understudy.backend.motion.grounding import foot_heights, ground
from understudy.backend.motion.rotations import axis_angle_to_matrix, geodesic_angle
from understudy.backend.motion.skeleton import INDEX, J0, NUM_JOINTS, rest_joints
from understudy.training.retargeting.repair import remove_spikes

STANDING = -(rest_joints()[INDEX["left_ankle"], 1] - 0.08)


def _turning(frames: int = 60, turn: float = 6.0) -> Clip:
    """Standing and turning on the spot, degrees a frame, one arm swinging."""
    poses = np.zeros((frames, NUM_JOINTS, 3))
    poses[:, 0, 1] = np.radians(turn) * np.arange(frames)
    poses[:, INDEX["left_shoulder"], 2] = 0.8 * np.sin(np.arange(frames) / 5)
    trans = np.tile([0.0, STANDING, 0.0], (frames, 1))
    trans[:, 2] = 0.02 * np.arange(frames)
    return Clip(poses=poses, trans=trans, fps=30.0)


def _apart(a: Clip, b: Clip) -> float:
    return float(
        np.degrees(geodesic_angle(axis_angle_to_matrix(a.poses), axis_angle_to_matrix(b.poses))).max()
    )


@given(turn=st.floats(-24, 24))
def test_real_motion_stays(turn: float) -> None:
    clip = _turning(turn=turn)
    mended, count = remove_spikes(clip)
    assert count == 0 and mended is clip


@pytest.mark.parametrize(("start", "length"), [(20, 1), (31, 2), (40, 3), (0, 1), (59, 1)])
def test_a_broken_root_is_replaced_from_its_neighbours(start: int, length: int) -> None:
    clip = _turning(turn=2.0)
    poses = clip.poses.copy()
    poses[start : start + length, 0, 0] += np.radians(50)
    mended, count = remove_spikes(clip.replace(poses=poses))
    assert count >= length
    assert _apart(mended, clip) < 2.1


def test_a_root_at_the_origin_in_the_first_frame_is_moved_back() -> None:
    clip = _turning()
    trans = clip.trans.copy()
    trans[0] = -J0
    mended, count = remove_spikes(clip.replace(trans=trans))
    assert count > 0 and np.abs(mended.trans - clip.trans).max() < 0.021


def test_an_arm_in_the_t_pose_in_the_first_frame() -> None:
    clip = _turning()
    poses = clip.poses.copy()
    poses[:, INDEX["right_shoulder"], 2] = 1.4
    whole = clip.replace(poses=poses)
    broken = poses.copy()
    broken[0, INDEX["right_shoulder"]] = 0
    assert _apart(remove_spikes(clip.replace(poses=broken))[0], whole) < 1e-3


@pytest.mark.parametrize("error", [0.03, -0.03])
def test_hovering_and_sinking_feet_come_to_the_floor(error: float) -> None:
    clip = _turning(turn=0.0)
    still = clip.replace(trans=np.tile([0.0, STANDING + error, 0.0], (60, 1)))
    assert np.abs(foot_heights(ground(still))).max() < 0.005


def test_a_jump_is_not_pulled_down() -> None:
    clip = _turning(frames=90, turn=0.0)
    trans = np.tile([0.0, STANDING, 0.0], (90, 1))
    flight = np.linspace(-1, 1, 24)
    trans[30:54, 1] += 0.5 * (1 - flight**2)
    jump = clip.replace(trans=trans)
    assert np.abs(ground(jump).trans - trans).max() < 0.01


def test_a_lying_body_is_lifted_out_of_the_floor() -> None:
    poses = np.zeros((40, NUM_JOINTS, 3))
    poses[:, 0, 0] = -np.pi / 2  # on the back
    trans = np.tile(-J0 + np.array([0.0, 0.0, 0.0]), (40, 1))
    lying = Clip(poses=poses, trans=trans, fps=30.0)
    pelvis = ground(lying).joints()[:, 0, 1]
    assert pelvis.min() > 0.05 and pelvis.max() < 0.2
