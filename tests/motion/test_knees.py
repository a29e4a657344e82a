"""Knees near full stretch: a small step of the foot does not make them snap."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.motion.knees import GIVE, SPEED, eased_goal

UPPER, LOWER, FPS = 0.42, 0.40, 30.0


def leg(bend: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hip, knee and ankle (T, 3) of a leg that hangs down and is bent by angles (T,)."""
    hip = np.tile([0.0, 0.9, 0.0], (len(bend), 1))
    reach = np.sqrt(UPPER**2 + LOWER**2 + 2 * UPPER * LOWER * np.cos(bend))
    forward = UPPER * LOWER * np.sin(bend) / reach
    down = np.sqrt(UPPER**2 - forward**2)
    knee = hip + np.stack([0 * bend, -down, forward], axis=1)
    return hip, knee, hip - np.outer(reach, [0.0, 1.0, 0.0])


def bends(hip: np.ndarray, ankle: np.ndarray) -> np.ndarray:
    reach = np.linalg.norm(ankle - hip, axis=1)
    return np.arccos(np.clip((reach**2 - UPPER**2 - LOWER**2) / (2 * UPPER * LOWER), -1, 1))


def test_a_knee_that_would_snap_straight_is_eased() -> None:
    hip, knee, ankle = leg(np.full(40, np.radians(14.0)))
    goal = np.array(ankle)
    goal[20:23, 1] -= 0.006  # six millimetres stretch the leg at once
    before, after = (
        np.abs(np.diff(bends(hip, end))).max() * FPS
        for end in (goal, eased_goal(hip, knee, ankle, goal, FPS))
    )
    assert before > 1.2 * SPEED
    assert after <= 1.001 * SPEED
    moved = np.linalg.norm(eased_goal(hip, knee, ankle, goal, FPS) - goal, axis=1)
    assert 0 < moved.max() <= GIVE + 1e-9


def test_the_motions_own_kick_is_left_alone() -> None:
    kick = np.radians(60.0) * (1 - np.exp(-((np.arange(40) - 20) ** 2) / 4.0)) + 0.02
    hip, knee, ankle = leg(kick)
    assert np.abs(np.diff(kick)).max() * FPS > SPEED
    np.testing.assert_array_equal(eased_goal(hip, knee, ankle, ankle, FPS), ankle)


@given(st.integers(0, 10_000))
def test_feet_only_ever_come_nearer_to_the_hip_and_little(seed: int) -> None:
    rng = np.random.default_rng(seed)
    hip, knee, ankle = leg(rng.uniform(0.0, 1.5, 30))
    goal = ankle + rng.normal(0, 0.03, ankle.shape)
    eased = eased_goal(hip, knee, ankle, goal, FPS)
    assert np.isfinite(eased).all()
    nearer = np.linalg.norm(goal - hip, axis=1) - np.linalg.norm(eased - hip, axis=1)
    assert nearer.min() > -1e-9
    assert nearer.max() <= GIVE + 1e-9
