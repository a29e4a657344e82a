"""Filters: what they must take away and what they must leave."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.motion import filters, rotations


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2), st.integers(5, 40))
def test_savitzky_golay_leaves_a_parabola_alone(a: float, b: float, c: float, frames: int) -> None:
    x = np.linspace(-1, 1, frames)
    values = (a + b * x + c * x * x)[:, None]
    inside = slice(3, -3)
    np.testing.assert_allclose(filters.savitzky_golay(values, 3)[inside], values[inside], atol=1e-9)


def test_filters_keep_length_and_constants() -> None:
    for frames in (1, 2, 3, 4, 9):
        values = np.full((frames, 2), 3.0)
        for result in (
            filters.savitzky_golay(values, 3),
            filters.gaussian(values, 4.0),
            filters.smooth(values, 3, 0.1),
        ):
            np.testing.assert_allclose(result, values)


def test_smoothing_takes_off_jitter() -> None:
    rng = np.random.default_rng(0)
    slow = np.sin(np.linspace(0, 6, 180))[:, None]
    noisy = slow + 0.005 * rng.normal(size=slow.shape)
    before, after = np.abs(noisy - slow).std(), np.abs(filters.smooth(noisy, 3, 0.03) - slow).std()
    assert after < 0.75 * before


def test_smoothing_keeps_a_punch() -> None:
    """A peak of a tenth of a second, half a metre high: a mean over the window would cut it by a third."""
    time = np.arange(60) / 30
    punch = 0.5 * np.exp(-0.5 * ((time - 1) / 0.06) ** 2)[:, None]
    assert filters.smooth(punch, 3, 0.01).max() > 0.97 * punch.max()
    assert filters.gaussian(punch, 3).max() < 0.7 * punch.max()


def test_smooth_rotations_crosses_a_half_turn_without_a_spin() -> None:
    poses = np.zeros((30, 2, 3))
    poses[:, 0, 1] = np.linspace(2.8, 3.5, 30)
    wrapped = rotations.quaternion_to_axis_angle(rotations.axis_angle_to_quaternion(poses))
    assert np.abs(np.diff(wrapped[:, 0, 1])).max() > 5  # the representation does jump
    smoothed = rotations.axis_angle_to_matrix(filters.smooth_rotations(wrapped, 3, 0.03)[0])
    assert rotations.geodesic_angle(smoothed, rotations.axis_angle_to_matrix(poses)).max() < 1e-3


def test_joints_that_never_move_keep_their_bits() -> None:
    poses = np.random.default_rng(0).normal(size=(30, 3, 3))
    poses[:, 1] = [0.1, 4.0, 0.2]  # more than a half turn: a conversion would rewrite it
    np.testing.assert_array_equal(filters.smooth_rotations(poses, 3, 0.03)[0][:, 1], poses[:, 1])


@given(st.integers(1, 60), st.integers(0, 10), st.integers(0, 100))
def test_envelope_stays_above(frames: int, width: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=frames)
    envelope = filters.upper_envelope(values, width)
    assert envelope.shape == values.shape
    assert (envelope >= values).all()
    assert envelope.max() <= values.max() + 1e-12


def test_envelope_is_smooth() -> None:
    values = np.zeros(60)
    values[30] = 1.0
    assert np.abs(np.diff(filters.upper_envelope(values, 6))).max() < 0.4


def test_continuous_quaternions() -> None:
    q = rotations.axis_angle_to_quaternion(np.linspace([0, 0, 0], [0, 7, 0], 50))
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(50, 1))
    steps = np.linalg.norm(np.diff(filters.continuous(q * signs), axis=0), axis=-1)
    assert steps.max() == pytest.approx(np.linalg.norm(np.diff(q, axis=0), axis=-1).max())


def test_jitter_is_measured_under_fast_motion() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(300)[:, None, None] / 30
    motion = np.concatenate([np.sin(2 * np.pi * time), np.cos(3 * time), 0.3 * time], axis=-1)
    noisy = motion + 0.004 * rng.normal(size=motion.shape)
    assert filters.jitter_of(noisy)[0] == pytest.approx(0.004, rel=0.25)
    assert filters.jitter_of(motion)[0] < 0.001
    assert filters.jitter_of(motion[:4]).shape == (1,)


def test_smoothing_is_as_strong_as_the_jitter() -> None:
    rng = np.random.default_rng(0)
    time = np.arange(300)[:, None] / 30
    motion = np.concatenate([np.sin(2 * np.pi * time), np.cos(3 * time), 0.3 * time], axis=-1)
    np.testing.assert_allclose(filters.smooth_measured(motion, 3, 0.1), motion, atol=2e-3)
    noisy = motion + 0.02 * rng.normal(size=motion.shape)
    before, after = (np.abs(x - motion).std() for x in (noisy, filters.smooth_measured(noisy, 3, 0.1)))
    assert after < 0.75 * before


def swinging(frames: int = 90) -> np.ndarray:
    poses = np.zeros((frames, 4, 3))
    poses[:, :, 0] = np.sin(np.arange(frames)[:, None] / 8 + np.arange(4))
    return poses


@pytest.mark.parametrize("end", [0, -1])
def test_a_trembling_end_is_made_anew(end: int) -> None:
    good = swinging()
    bad = good.copy()
    frames = [0, 1, 2] if end == 0 else [-1, -2, -3]
    bad[frames, :, 0] += np.array([0.12, -0.08, 0.05])[:, None]
    mended, ends = filters.smooth_rotations(bad, 3, 0.03, end=3)
    assert ends == ((3, 0) if end == 0 else (0, 3))
    assert np.abs(mended[frames] - good[frames]).max() < 0.6 * np.abs(bad[frames] - good[frames]).max()
    bends = np.abs(np.diff(mended, n=2, axis=0)).max(axis=(1, 2))
    assert bends.max() < 2.0 * np.abs(np.diff(good, n=2, axis=0)).max()


def test_good_ends_are_left_alone() -> None:
    good = swinging()
    mended, ends = filters.smooth_rotations(good, 3, 0.03, end=3)
    assert ends == (0, 0)
    np.testing.assert_allclose(mended, good, atol=2e-3)
    assert filters.rough_ends(rotations.axis_angle_to_quaternion(good[:8]), 3) == (0, 0)  # too short to tell


def test_running_on_is_even() -> None:
    values = np.arange(20.0)[:, None] * [1.0, -2.0]
    spoilt = values.copy()
    spoilt[:3], spoilt[-2:] = 7.0, -7.0
    np.testing.assert_allclose(filters.run_on(spoilt, 3, 2), values, atol=1e-9)
    np.testing.assert_array_equal(filters.run_on(spoilt, 0, 0), spoilt)
