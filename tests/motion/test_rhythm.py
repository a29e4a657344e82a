"""The rhythm of a motion: beats where hands stop, energy with their speed, phrases between rests."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.motion.clip import Clip
from understudy.backend.motion.features import features_from_clip
from understudy.backend.motion.rhythm import bumps, per_latent, phrases, rhythm_of_features, stops


def arm(angle: np.ndarray) -> np.ndarray:
    """Features of a body whose right elbow bends by ``angle`` (T,)."""
    poses = np.zeros((len(angle), 55, 3))
    poses[:, 19, 1] = angle
    return features_from_clip(Clip(poses, np.tile([0, 1.3, 0], (len(angle), 1)), 30.0))[0]["upper"]


def test_beats_are_where_the_hand_turns() -> None:
    time = np.arange(150) / 30
    rhythm = rhythm_of_features(arm(0.8 * np.cos(np.pi * time)))  # at rest every second
    peaks = np.flatnonzero((rhythm[1:-1, 0] > rhythm[:-2, 0]) & (rhythm[1:-1, 0] >= rhythm[2:, 0])) + 1
    assert np.abs(peaks[:, None] - np.array([30, 60, 90, 120])).min(axis=1).max() <= 1
    assert len(peaks) == 4
    assert (rhythm[10:140, 2] > 0.99).all()


def test_energy_grows_with_the_gesture_and_rest_is_nothing() -> None:
    time = np.arange(90) / 30
    levels = [rhythm_of_features(arm(size * np.cos(4 * time)))[:, 1].mean() for size in (0.0, 0.2, 0.4, 0.8)]
    assert levels[0] < 0.01
    assert all(a < b for a, b in itertools.pairwise(levels))
    still = rhythm_of_features(arm(np.zeros(90)))
    assert still[:, [0, 2]].max() == 0


def test_a_short_rest_does_not_end_a_phrase() -> None:
    speed = np.ones(120)
    speed[30:40], speed[60:100] = 0, 0
    found = phrases(speed)
    assert found[35] == pytest.approx(1)
    assert found[80] == pytest.approx(0)
    assert 0 < found[60] < 1


@given(st.lists(st.floats(0, 3), min_size=3, max_size=80))
def test_between_two_stops_lies_a_peak(speed: list[float]) -> None:
    values = np.array(speed)
    found = stops(values)
    for a, b in itertools.pairwise(found):
        assert values[a:b].max() >= max(values[a], values[b]) + 0.2


@given(st.integers(0, 40))
def test_any_length_gives_a_rhythm_of_that_length(frames: int) -> None:
    upper = arm(np.linspace(0, 1, max(frames, 1)))[:frames]
    rhythm = rhythm_of_features(upper)
    assert rhythm.shape == (frames, 3)
    assert ((rhythm >= 0) & (rhythm <= 1)).all()
    assert per_latent(rhythm).shape == (frames // 4, 12)
    assert bumps(np.array([]), frames).shape == (frames,)
