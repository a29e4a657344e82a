"""Curve reduction: never further off than the tolerance, few keys where few will do, handles that mean the curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.filters import continuous
from understudy.backend.motion.kinematics import forward_kinematics_matrices
from understudy.backend.motion.reduce import (
    ANGLE,
    LENGTH,
    Interpolation,
    Keys,
    Reduced,
    bezier_handles,
    reduce_motion,
    reduce_values,
)

from .synthetic import random_clip, spoil, walk

BOTH: tuple[Interpolation, ...] = ("bezier", "linear")


def reduced(clip: Clip, **options: object) -> Reduced:
    return reduce_motion(rotations.axis_angle_to_quaternion(clip.poses), clip.trans, **options)  # type: ignore[arg-type]


def errors(clip: Clip, keys: Reduced) -> tuple[float, float]:
    """Largest error of a joint's rotation in radians and of a joint's position in metres, on every frame."""
    frames = np.arange(len(clip))
    curves = np.stack([channel.at(frames) for channel in keys.rotations], axis=1)
    found = rotations.quaternion_to_matrix(curves)
    turned = rotations.geodesic_angle(found, rotations.axis_angle_to_matrix(clip.poses))
    joints, _ = forward_kinematics_matrices(found, keys.translation.at(frames))
    return float(turned.max()), float(np.linalg.norm(joints - clip.joints(), axis=-1).max())


@pytest.mark.parametrize("interpolation", BOTH)
@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_a_walk_stays_within_the_tolerance(interpolation: Interpolation, scale: float) -> None:
    clip = spoil(walk(3.0)[0], noise=0.01)
    keys = reduced(clip, angle=scale * ANGLE, length=scale * LENGTH, interpolation=interpolation)
    turned, moved = errors(clip, keys)
    assert turned <= scale * ANGLE
    assert moved <= scale * LENGTH
    assert keys.count < 0.8 * 56 * len(clip)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1000),
    frames=st.integers(1, 40),
    noise=st.sampled_from([0.0, 0.02, 0.5]),
    interpolation=st.sampled_from(BOTH),
    angle=st.floats(0.05, 5.0),
    length=st.floats(0.0005, 0.05),
)
def test_any_motion_stays_within_any_tolerance(
    seed: int, frames: int, noise: float, interpolation: Interpolation, angle: float, length: float
) -> None:
    clip = random_clip(frames, seed=seed)
    poses = clip.poses + noise * np.random.default_rng(seed).normal(size=clip.poses.shape)
    clip = clip.replace(poses=poses)
    keys = reduced(clip, angle=np.radians(angle), length=length, interpolation=interpolation)
    turned, moved = errors(clip, keys)
    assert np.degrees(turned) <= angle + 1e-6
    assert moved <= length + 1e-9


def test_a_looser_tolerance_needs_fewer_keys() -> None:
    clip = spoil(walk(3.0)[0], noise=0.005)
    counts = [reduced(clip, angle=f * ANGLE, length=f * LENGTH).count for f in (1, 3, 10, 40)]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < 0.5 * counts[0]


def test_curves_need_fewer_keys_than_lines() -> None:
    clip = walk(3.0)[0]
    assert reduced(clip).count < 0.6 * reduced(clip, interpolation="linear").count


def test_what_stands_still_has_one_key() -> None:
    poses = np.zeros((50, 55, 3))
    poses[:, 4, 0] = 0.7
    keys = reduced(Clip(poses=poses, trans=np.tile([0.0, 1.0, 2.0], (50, 1)), fps=30.0))
    assert keys.count == 56


def test_a_cubic_needs_only_its_ends() -> None:
    t = np.arange(31) / 30
    values = np.stack([2 * t**3 - t, t**2], axis=1)
    keys = reduce_values(values, 1e-3)
    assert list(keys.frames) == [0, 30]
    np.testing.assert_allclose(keys.at(np.arange(31)), values, atol=1e-3)


def test_a_broken_line_needs_its_corners() -> None:
    values = np.interp(np.arange(61), [0, 20, 35, 60], [0.0, 1.0, -1.0, 0.5])[:, None]
    keys = reduce_values(values, 1e-6, "linear")
    assert list(keys.frames) == [0, 20, 35, 60]
    assert keys.slopes is None


def test_the_ends_are_kept() -> None:
    keys = reduced(walk(2.0)[0])
    for channel in (*keys.rotations, keys.translation):
        assert channel.frames[0] == 0
        assert len(channel) == 1 or channel.frames[-1] == 59


def test_a_small_error_that_adds_up_along_an_arm_is_seen() -> None:
    """Each joint within its own tolerance is not enough: the hand at the end of the chain must be in place."""
    rng = np.random.default_rng(1)
    t = np.arange(90)[:, None, None] / 30
    poses = np.zeros((90, 55, 3))
    poses[:, [3, 6, 9, 13, 16, 18], :] = 0.5 * np.sin(5 * t + rng.uniform(0, 6, size=(1, 6, 3)))
    clip = Clip(poses=poses, trans=np.zeros((90, 3)), fps=30.0)
    loose = reduced(clip, angle=np.radians(2.0), length=1.0)
    tight = reduced(clip, angle=np.radians(2.0), length=0.002)
    assert errors(clip, loose)[1] > 0.004
    assert errors(clip, tight)[1] <= 0.002
    assert tight.count > loose.count


def test_handles_make_the_same_curve() -> None:
    """Evaluated as hosts do: the cubic Bezier in frame and value, solved for the frame."""
    t = np.arange(40)
    values = np.stack([np.sin(t / 5.0), np.cos(t / 3.0)], axis=1)
    keys = reduce_values(values, 0.01)
    left, right = bezier_handles(keys)
    assert left.shape == right.shape == (len(keys), 2, 2)
    u = np.linspace(0, 1, 20)[:, None]
    for k in range(len(keys) - 1):
        for c in range(2):
            points = np.array(
                [
                    [keys.frames[k], keys.values[k, c]],
                    right[k, c],
                    left[k + 1, c],
                    [keys.frames[k + 1], keys.values[k + 1, c]],
                ]
            )
            bezier = (
                (1 - u) ** 3 * points[0]
                + 3 * u * (1 - u) ** 2 * points[1]
                + 3 * u**2 * (1 - u) * points[2]
                + u**3 * points[3]
            )
            np.testing.assert_allclose(keys.at(bezier[:, 0])[:, c], bezier[:, 1], atol=1e-9)


def test_lines_have_no_handles() -> None:
    with pytest.raises(ValueError, match="no handles"):
        bezier_handles(Keys(np.array([0, 3]), np.zeros((2, 1))))


def test_a_sign_change_of_a_quaternion_is_no_motion() -> None:
    poses = np.zeros((40, 55, 3))
    poses[:, 16, 1] = np.linspace(2.9, 3.4, 40)
    quaternions = rotations.axis_angle_to_quaternion(poses)
    flipped = quaternions.copy()
    flipped[1::2] *= -1
    a, b = (reduce_motion(q, np.zeros((40, 3))) for q in (quaternions, flipped))
    assert a.count == b.count < 60
    np.testing.assert_allclose(continuous(flipped), quaternions, atol=1e-12)


def test_other_skeletons() -> None:
    """A chain whose rest bones are turned, as in a Blender armature."""
    rng = np.random.default_rng(0)
    rest = rotations.axis_angle_to_matrix(rng.normal(size=(4, 3)))
    offsets = np.array([[0, 0, 0], [0, 1.0, 0], [0, 1.0, 0], [0, 1.0, 0]])
    t = np.arange(60)[:, None, None] / 30
    basis = rotations.axis_angle_to_quaternion(0.6 * np.sin(3 * t + rng.uniform(0, 6, size=(1, 4, 3))))
    keys = reduce_motion(
        basis, np.zeros((60, 3)), angle=0.05, length=0.01, parents=(-1, 0, 1, 2), offsets=offsets, rest=rest
    )

    def end(quaternions: np.ndarray) -> np.ndarray:
        turn, place = np.tile(np.eye(3), (60, 1, 1)), np.zeros((60, 3))
        for j in range(4):
            place = place + turn @ offsets[j]
            turn = turn @ rest[j] @ rotations.quaternion_to_matrix(quaternions[:, j])
        return place

    frames = np.arange(60)
    found = np.stack([channel.at(frames) for channel in keys.rotations], axis=1)
    assert np.linalg.norm(end(found) - end(basis), axis=-1).max() <= 0.01
    assert keys.count < 4 * 40


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan")])
def test_a_tolerance_of_nothing_is_refused(bad: float) -> None:
    with pytest.raises(BadInput, match="above zero"):
        reduced(random_clip(5), angle=bad)
    with pytest.raises(BadInput, match="above zero"):
        reduce_values(np.zeros((5, 1)), bad)
