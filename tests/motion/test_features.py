"""The model's features: an exact inverse, indifferent to where and which way the motion goes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.motion import features as f
from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip, move, rotate_world
from understudy.backend.motion.skeleton import PARTS

from .synthetic import random_clip, walk


def assert_same_motion(a: Clip, b: Clip) -> None:
    """Within 1e-4 rad and 1 mm, the design's promise."""
    angle = rotations.geodesic_angle(
        rotations.axis_angle_to_matrix(a.poses), rotations.axis_angle_to_matrix(b.poses)
    )
    assert angle.max() < 1e-4
    assert np.abs(a.trans - b.trans).max() < 1e-3
    assert np.abs(a.joints() - b.joints()).max() < 1e-3


@given(st.integers(0, 1000), st.integers(1, 120))
def test_round_trip(seed: int, frames: int) -> None:
    clip = random_clip(frames, 30.0, seed)
    assert_same_motion(f.clip_from_features(*f.features_from_clip(clip)), clip)


def test_round_trip_of_a_minute_of_turning_walk() -> None:
    clip, _ = walk(60.0)
    poses = np.array(clip.poses)
    poses[:, 0, 1] = np.linspace(0, 30, len(clip))  # far beyond a full turn
    clip = clip.replace(poses=poses)
    assert_same_motion(f.clip_from_features(*f.features_from_clip(clip)), clip)


def test_expressions_and_contacts_come_back() -> None:
    clip = random_clip(30)
    back = f.clip_from_features(*f.features_from_clip(clip))
    assert clip.expressions is not None
    np.testing.assert_allclose(back.expressions, clip.expressions, atol=1e-6)
    np.testing.assert_array_equal(back.contacts, clip.contacts)


@given(st.floats(-3, 3), st.floats(-5, 5), st.floats(-5, 5))
def test_place_and_direction_do_not_matter(yaw: float, x: float, z: float) -> None:
    clip, _ = walk(1.0)
    features, _ = f.features_from_clip(clip)
    elsewhere, start = f.features_from_clip(
        move(rotate_world(clip, rotations.yaw_matrix(yaw)), np.array([x, 0, z]))
    )
    for part in PARTS:
        np.testing.assert_allclose(elsewhere[part], features[part], atol=2e-5)
    assert rotations.wrap_angle(start.yaw - yaw) == pytest.approx(0, abs=1e-6)


def test_sizes_are_those_of_the_table() -> None:
    assert f.SIZES == {"lower_trans": 110, "upper": 156, "hands": 180, "face": 118}
    features, _ = f.features_from_clip(random_clip(7))
    assert {part: values.shape for part, values in features.items()} == {
        part: (7, size) for part, size in f.SIZES.items()
    }
    assert all(values.dtype == np.float32 for values in features.values())


def test_speed_is_metres_per_second_forwards() -> None:
    features, _ = f.features_from_clip(walk(2.0, speed=1.0)[0])
    np.testing.assert_allclose(
        features["lower_trans"][:, f.FIELDS["lower_trans"]["velocity"].slice][:, 1], 1.0, atol=1e-5
    )


def test_a_missing_part_rests_and_is_marked_unknown() -> None:
    features, start = f.features_from_clip(random_clip(9))
    clip = f.clip_from_features({k: features[k] for k in ("lower_trans", "upper")}, start)
    assert clip.known == {"lower_trans": True, "upper": True, "hands": False, "face": False}
    assert not clip.poses[:, list(PARTS["hands"])].any()


def test_another_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="30 fps"):
        f.features_from_clip(random_clip(9, 60.0))
