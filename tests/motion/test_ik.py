"""Two-bone IK: reaches, keeps its plane, never snaps, leaves alone what is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.motion import rotations
from understudy.backend.motion.ik import SOFT, ease_up, raise_tip, soft_reach, solve_two_bone

THIGH, SHIN = 0.40, 0.41
X = np.array([1.0, 0.0, 0.0])


def leg(bend: np.ndarray, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Hip, knee, ankle (T, 3) and the hinge, of legs bent by angles (T,) and turned at the hip by (T, 3)."""
    frames = len(bend)
    hip = np.zeros((frames, 3))
    thigh = rotations.axis_angle_to_matrix(turn)
    shin = thigh @ rotations.axis_angle_to_matrix(bend[:, None] * X)
    knee = hip + thigh @ [0.0, -THIGH, 0.0]
    return hip, knee, knee + shin @ [0.0, -SHIN, 0.0], thigh[..., 0]


def apply(
    hip: np.ndarray, knee: np.ndarray, ankle: np.ndarray, solution: tuple
) -> tuple[np.ndarray, np.ndarray]:
    new_knee = hip + rotations.rotate_vectors(solution[0], knee - hip)
    return new_knee, new_knee + rotations.rotate_vectors(solution[1], ankle - knee)


@given(
    bend=st.floats(0.1, 2.2),
    turn=st.tuples(*[st.floats(-0.8, 0.8)] * 3),
    distance=st.floats(0.35, 0.79),
    direction=st.tuples(st.floats(-0.6, 0.6), st.floats(-0.6, 0.6)),
)
def test_reaches_its_target(bend: float, turn: tuple, distance: float, direction: tuple) -> None:
    chain = leg(np.array([bend]), np.array([turn]))
    target = np.array([[direction[0], -1.0, direction[1]]])
    target *= distance / np.linalg.norm(target)
    knee, ankle = apply(*chain[:3], solve_two_bone(*chain[:3], target, chain[3]))
    np.testing.assert_allclose(ankle, target, atol=1e-4)
    assert np.linalg.norm(knee - chain[0]) == pytest.approx(THIGH)
    assert np.linalg.norm(ankle - knee) == pytest.approx(SHIN)


def test_the_knee_points_where_it_did() -> None:
    chain = leg(np.array([0.6]), np.zeros((1, 3)))
    target = chain[2] + [0.0, 0.1, 0.0]
    knee, _ = apply(*chain[:3], solve_two_bone(*chain[:3], target, chain[3]))
    assert knee[0, 2] > chain[1][0, 2] + 0.02  # further forwards
    assert knee[0, 0] == pytest.approx(0.0, abs=1e-9)  # and not sideways


def test_nothing_changes_where_the_ankle_already_is() -> None:
    chain = leg(np.array([0.0, 0.3, 1.5]), np.random.default_rng(0).normal(size=(3, 3)) * 0.3)
    swing, both = solve_two_bone(*chain[:3], chain[2], chain[3])
    np.testing.assert_allclose(swing, [[1, 0, 0, 0]] * 3, atol=1e-12)
    np.testing.assert_allclose(both, [[1, 0, 0, 0]] * 3, atol=1e-12)


def test_a_straight_leg_bends_forwards() -> None:
    chain = leg(np.array([0.0]), np.zeros((1, 3)))
    knee, ankle = apply(*chain[:3], solve_two_bone(*chain[:3], chain[2] * 0.9, chain[3]))
    assert knee[0, 2] > 0.1
    np.testing.assert_allclose(ankle, chain[2] * 0.9, atol=1e-6)


def test_a_target_out_of_reach_is_pointed_at() -> None:
    chain = leg(np.array([0.5]), np.zeros((1, 3)))
    target = np.array([[0.3, -1.5, 0.2]])
    _, ankle = apply(*chain[:3], solve_two_bone(*chain[:3], target, chain[3]))
    cosine = ankle[0] @ target[0] / np.linalg.norm(ankle) / np.linalg.norm(target)
    assert cosine == pytest.approx(1.0)
    assert (1 - 2 * SOFT) * (THIGH + SHIN) < np.linalg.norm(ankle) < THIGH + SHIN + 1e-9


def test_the_knee_does_not_snap_at_full_stretch() -> None:
    """A foot moving steadily out of reach: the knee's angle changes without a leap."""
    frames = 200
    chain = leg(np.full(frames, 0.5), np.zeros((frames, 3)))
    target = np.zeros((frames, 3))
    target[:, 1] = -np.linspace(0.75, 0.95, frames)
    knee, ankle = apply(*chain[:3], solve_two_bone(*chain[:3], target, chain[3]))
    upper, lower = knee - chain[0], ankle - knee
    angle = np.arccos(np.sum(upper * lower, axis=1) / THIGH / SHIN)
    assert np.abs(np.diff(angle)).max() < 0.02
    assert np.abs(np.diff(angle, n=2)).max() < 0.005


@given(st.floats(0.0, 2.0))
def test_soft_reach_eases_and_never_exceeds(distance: float) -> None:
    reached = soft_reach(np.array(distance), 0.81)
    assert reached <= min(distance, 0.81) + 1e-12
    assert distance > 0.79 or reached == distance


def test_a_knee_bent_backwards_comes_forward_when_it_must_bend() -> None:
    chain = leg(np.array([-0.08]), np.zeros((1, 3)))
    knee, _ = apply(*chain[:3], solve_two_bone(*chain[:3], chain[2] * 0.9, chain[3]))
    assert knee[0, 2] > 0.1


def test_a_nearly_straight_knee_is_not_thrown_sideways() -> None:
    """Thigh and shin of a straight leg meet at a small sideways angle: that plane is not the knee's."""
    frames = 40
    hip = np.zeros((frames, 3))
    knee = hip + [0.0, -THIGH, 0.0]
    flexion = 0.02 * np.sin(np.arange(frames))  # trembles between bent and overstretched
    shin = rotations.axis_angle_to_matrix(np.stack([flexion, 0 * flexion, np.full(frames, 0.04)], axis=1))
    ankle = knee + shin @ [0.0, -SHIN, 0.0]
    target = ankle * (1 - 0.02)
    new_knee, _ = apply(hip, knee, ankle, solve_two_bone(hip, knee, ankle, target, np.tile(X, (frames, 1))))
    assert np.abs(new_knee[:, 0] - knee[:, 0]).max() < 0.01
    assert new_knee[:, 2].min() > 0.04
    assert np.abs(np.diff(new_knee, axis=0)).max() < 0.02


@given(
    down=st.floats(-85.0, 160.0),
    rise=st.floats(0.0, 0.1),
    roll=st.floats(-0.5, 0.5),
)
def test_a_tip_rises_as_far_as_asked(down: float, rise: float, roll: float) -> None:
    """Toes that point down by degrees, past straight down too, come up about their own hinge."""
    turn = rotations.axis_angle_to_matrix(np.array([[0.0, 0.0, roll]])) @ rotations.axis_angle_to_matrix(
        np.array([[np.radians(down), 0.0, 0.0]])
    )
    tip = turn @ np.array([0.0, 0.0, 0.07])
    rise = min(rise, 0.06 - tip[0, 1])
    rise = max(rise, 0.0)
    quaternion = raise_tip(tip, np.array([rise]), np.radians(175.0), -turn[:, :, 0])
    raised = rotations.rotate_vectors(quaternion, tip)
    assert np.linalg.norm(raised) == pytest.approx(0.07)
    assert raised[0, 1] == pytest.approx(tip[0, 1] + rise, abs=2e-3)


def test_a_tip_rises_no_further_than_its_limit() -> None:
    tip = np.array([[0.0, -0.07, 0.0]])
    quaternion = raise_tip(tip, np.array([0.12]), np.radians(50.0), -X[None])
    turn = np.linalg.norm(rotations.quaternion_to_axis_angle(quaternion))
    assert np.degrees(turn) == pytest.approx(50.0)
    assert rotations.rotate_vectors(quaternion, tip)[0, 2] > 0.0  # forwards, as its hinge has it
    np.testing.assert_allclose(raise_tip(tip, np.zeros(1), 1.0, -X[None]), [[1.0, 0.0, 0.0, 0.0]])


def test_easing_up_never_leaves_a_height_below_zero() -> None:
    heights = np.linspace(-0.1, 0.1, 401)
    eased = heights + ease_up(heights, 0.01)
    assert eased.min() >= -1e-12
    np.testing.assert_allclose(eased[heights > 0.01], heights[heights > 0.01])
    assert (np.diff(eased) >= -1e-12).all()
    assert np.abs(np.diff(eased, n=2)).max() < 1e-4  # no kink
