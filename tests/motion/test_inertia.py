"""An offset dies out smoothly, in time, without overshooting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.motion import rotations
from understudy.backend.motion.inertia import ahead, ahead_rotation, decay, turn_between, turned


@given(st.floats(-1, 1), st.floats(-0.05, 0.05), st.integers(3, 40))
def test_it_starts_where_it_is_and_ends_at_zero(offset: float, velocity: float, frames: int) -> None:
    values = decay(np.array([offset]), np.array([velocity]), frames, frames + 5)[:, 0]
    assert values[0] == pytest.approx(offset)
    np.testing.assert_allclose(values[frames:], 0.0, atol=1e-9)
    # It never crosses to the other side of zero, and grows no more than its speed makes it.
    side = np.sign(offset) or np.sign(velocity)
    assert (side * values >= -1e-9).all()
    assert np.abs(values).max() <= abs(offset) + frames * abs(velocity)


def test_it_keeps_its_speed_at_first_and_ends_at_rest() -> None:
    values = decay(np.array([1.0]), np.array([0.02]), 40, 50)[:, 0]
    steps = np.diff(values)
    assert steps[0] == pytest.approx(0.02, abs=0.005)
    assert abs(steps[39]) < 1e-3
    assert np.abs(np.diff(steps)).max() < 0.01  # no kink anywhere


def test_the_end_has_no_acceleration() -> None:
    values = decay(np.array([1.0]), np.array([0.0]), 100, 110)[:, 0]
    assert np.abs(np.diff(values, 2)[98:]).max() < 0.15 * np.abs(np.diff(values, 2)).max()


def test_what_closes_fast_is_gone_sooner() -> None:
    values = decay(np.array([1.0]), np.array([-0.5]), 40, 40)[:, 0]
    assert values.min() >= -1e-12
    np.testing.assert_allclose(values[11:], 0.0, atol=1e-9)


def test_each_component_has_its_own_way() -> None:
    offset, velocity = np.array([[1.0, -2.0], [0.0, 0.5]]), np.array([[0.1, 0.0], [0.1, -0.3]])
    together = decay(offset, velocity, 20)
    for index in np.ndindex(2, 2):
        np.testing.assert_allclose(together[(slice(None), *index)], decay(offset[index], velocity[index], 20))


def test_turns() -> None:
    rng = np.random.default_rng(0)
    a, b = rotations.normalize_quaternion(rng.normal(size=(2, 30, 4)))
    back = turned(a, turn_between(a, b))
    np.testing.assert_allclose(np.abs(np.sum(back * b, axis=-1)), 1.0, atol=1e-9)


def test_motion_goes_on_for_a_frame() -> None:
    values = np.arange(10.0)[:, None] * [1.0, 2.0]
    np.testing.assert_allclose(ahead(values, 10), [10.0, 20.0])
    np.testing.assert_allclose(ahead(values, -1), [-1.0, -2.0])
    np.testing.assert_allclose(ahead(values, 4), values[4])
    turns = np.zeros((10, 1, 3))
    turns[:, 0, 1] = np.linspace(0, 0.9, 10)
    quaternions = rotations.axis_angle_to_quaternion(turns)
    for frame, expected in ((10, 1.0), (-1, -0.1), (3, 0.3)):
        found = rotations.quaternion_to_axis_angle(ahead_rotation(quaternions, frame))
        np.testing.assert_allclose(found, [[0.0, expected, 0.0]], atol=1e-9)
    assert ahead(values[:1], 1).tolist() == [0.0, 0.0]
