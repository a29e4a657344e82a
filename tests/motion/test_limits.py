"""Joint limits: broken poses come back into range, good ones keep their bits, sides are treated alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.motion import limits, rotations
from understudy.backend.motion.clip import Clip, mirror
from understudy.backend.motion.limits import within_limits
from understudy.backend.motion.skeleton import INDEX

from .synthetic import walk


def violations(poses: np.ndarray) -> float:
    return limits.violations(rotations.axis_angle_to_quaternion(poses))


def bent(joint: str, turn: tuple[float, float, float]) -> np.ndarray:
    poses = np.zeros((1, 55, 3))
    poses[0, INDEX[joint]] = np.radians(turn)
    return poses


BROKEN = {
    "left_knee": (-60, 0, 0),
    "right_knee": (-40, 0, 0),
    "head": (0, 130, 0),
    "neck": (0, 0, 110),
    "spine1": (100, 0, 0),
    "left_ankle": (110, 0, 0),
    "left_wrist": (0, 0, 150),
    "right_hip": (-170, 0, 0),
}


@pytest.mark.parametrize("joint", BROKEN)
def test_a_broken_joint_comes_back_into_its_range(joint: str) -> None:
    poses = bent(joint, BROKEN[joint])
    assert violations(poses) == 1.0
    mended = within_limits(poses)
    assert violations(mended) == 0.0
    others = [i for i in range(55) if i != INDEX[joint]]
    np.testing.assert_array_equal(mended[:, others], poses[:, others])


@pytest.mark.parametrize(
    ("joint", "turn"),
    [
        ("left_knee", (140, 0, 0)),
        ("head", (30, 40, 0)),
        ("left_hip", (-120, 0, 0)),
        ("left_elbow", (0, -140, 0)),
    ],
)
def test_what_a_body_can_do_is_left_alone(joint: str, turn: tuple[float, float, float]) -> None:
    poses = bent(joint, turn)
    assert violations(poses) == 0.0
    np.testing.assert_array_equal(within_limits(poses), poses)


def test_a_walk_is_left_alone() -> None:
    clip = walk(2.0)[0]
    assert violations(clip.poses) == 0.0
    np.testing.assert_allclose(within_limits(clip.poses), clip.poses, atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_any_pose_ends_within_the_limits(seed: int) -> None:
    poses = np.random.default_rng(seed).normal(size=(4, 55, 3)) * 1.5
    mended = within_limits(poses)
    assert np.isfinite(mended).all()
    assert violations(mended) == 0.0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_left_and_right_have_the_same_limits(seed: int) -> None:
    poses = np.random.default_rng(seed).normal(size=(4, 55, 3)) * 1.2
    clip = Clip(poses=poses, trans=np.zeros((4, 3)), fps=30.0)
    there = mirror(clip.replace(poses=within_limits(poses))).poses
    back = within_limits(mirror(clip).poses)
    a, b = (rotations.axis_angle_to_matrix(p[:, :22]) for p in (there, back))
    assert rotations.geodesic_angle(a, b).max() < 1e-6


def test_a_turn_into_the_limit_slows_down_instead_of_stopping() -> None:
    poses = np.zeros((81, 55, 3))
    poses[:, INDEX["head"], 1] = np.radians(np.linspace(20, 100, 81))
    turned = np.degrees(within_limits(poses)[:, INDEX["head"], 1])
    steps = np.diff(turned)
    assert (steps > -1e-9).all()
    assert np.abs(np.diff(steps)).max() < 0.25  # degrees a frame, of one
    assert turned.max() <= 65.0
