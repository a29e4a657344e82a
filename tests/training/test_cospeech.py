"""Co-speech metrics against values known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.training.evaluation import cospeech

FPS = 30.0


def stopping(times: list[float], seconds: float = 12.0, joints: int = 22) -> np.ndarray:
    """Joints (T, J, 3) that all move along x at about 1 m/s, slowing to half of it for a moment at ``times``."""
    clock = np.arange(round(seconds * FPS)) / FPS
    speed = (
        1.0
        + 0.01 * clock
        - 0.5 * sum((np.exp(-((clock - t) ** 2) / 0.005) for t in times), np.zeros_like(clock))
    )
    return with_speed(speed / FPS, joints)


def with_speed(speed: np.ndarray, joints: int = 1) -> np.ndarray:
    """Positions (T, J, 3) along x whose central differences are exactly ``speed`` (T,) a frame."""
    place = np.zeros((len(speed), joints, 3))
    place[1, :, 0] = speed[0]
    for frame in range(1, len(speed) - 1):
        place[frame + 1, :, 0] = place[frame - 1, :, 0] + 2 * speed[frame]
    return place


def test_fgd_is_the_frechet_distance_of_all_latent_frames() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((4000, 3))
    cut = [rows[:1500], rows[1500:]]
    assert cospeech.fgd(cut, [rows]) == pytest.approx(0, abs=1e-8)
    assert cospeech.fgd(cut, [rows + [2.0, 0, 0]]) == pytest.approx(4, rel=1e-6)
    with pytest.raises(BadInput, match="latent"):
        cospeech.fgd([], [rows])


def test_l1_diversity_by_hand() -> None:
    clip = np.zeros((4, 2, 3))
    clip[:2, 0, 0], clip[2:, 0, 0] = 1.0, -1.0  # one coordinate is 1 m from its mean in every frame
    assert cospeech.l1_diversity([clip]) == pytest.approx(1.0)
    still = np.ones((12, 2, 3))  # each clip has its own mean
    assert cospeech.l1_diversity([clip, still]) == pytest.approx(0.25)
    assert cospeech.l1_diversity([clip + 5.0]) == pytest.approx(1.0)


def test_beats_are_where_a_moving_joint_slows_down() -> None:
    clip = stopping([4.0, 7.0, 11.5])
    beats = cospeech.gesture_beats(clip, FPS, np.ones(22))
    assert np.allclose(beats[3], [4.0, 7.0], atol=1.5 / FPS)  # the third is among the last two seconds
    rest = cospeech.gesture_beats(clip, FPS, np.full(22, 3.0))  # joints that usually move much faster
    assert all(len(each) == 0 for each in rest)


@pytest.mark.parametrize(("apart", "found"), [(7, [26]), (8, [18, 26])])
def test_a_slower_frame_within_seven_is_the_beat(apart: int, found: list[int]) -> None:
    speed = np.ones(60)
    speed[26 - apart], speed[26] = 0.6, 0.5
    beats = cospeech.gesture_beats(with_speed(speed), 1.0, np.ones(1), edge=0)[0]
    assert beats.tolist() == found


def test_consistency_falls_with_the_distance_as_the_bell_does() -> None:
    clip, usual = stopping([4.0, 7.0]), np.ones(22)
    (beats, *_) = cospeech.gesture_beats(clip, FPS, usual)

    def bc(shift: float) -> float:
        return cospeech.beat_consistency([clip], [beats + shift], FPS, usual)

    assert bc(0.0) == pytest.approx(1.0)
    assert bc(0.3) == pytest.approx(np.exp(-0.5), rel=1e-6)
    assert bc(0.9) == pytest.approx(np.exp(-4.5), rel=1e-6)


def test_joints_without_beats_count_nothing_and_clips_count_by_their_length() -> None:
    clip = stopping([4.0, 7.0])
    half = clip.copy()
    half[:, list(cospeech.UPPER_BODY[:6])] = 0.0  # six of thirteen joints rest
    onsets, usual = np.array([4.0, 7.0]), np.ones(22)
    whole = cospeech.beat_consistency([clip], [onsets], FPS, usual)
    assert cospeech.beat_consistency([half], [onsets], FPS, usual) == pytest.approx(whole * 7 / 13)
    long = stopping([4.0, 7.0], seconds=20.0)
    long[:] = 0.0
    both = cospeech.beat_consistency([clip, long], [onsets, onsets], FPS, usual)
    assert both == pytest.approx(whole * 240 / (240 + 480))


def test_onsets_outside_what_is_measured_do_not_count() -> None:
    clip, usual = stopping([4.0, 7.0]), np.ones(22)
    inside = cospeech.beat_consistency([clip], [np.array([4.0])], FPS, usual)
    assert cospeech.beat_consistency([clip], [np.array([0.5, 4.0, 11.9])], FPS, usual) == inside
    with pytest.raises(BadInput, match="onset"):
        cospeech.beat_consistency([clip], [np.array([0.5])], FPS, usual)


@given(seed=st.integers(0, 100), count=st.integers(1, 20))
def test_closeness_is_a_share(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    beats, onsets = rng.random(count) * 10, rng.random(7) * 10
    value = cospeech.closeness(beats, onsets)
    assert 0 <= value <= 1
    assert cospeech.closeness(np.append(beats, onsets), onsets) == 1 >= value
    assert cospeech.closeness(np.zeros(0), onsets) == 0


def test_faces() -> None:
    real = np.zeros((5, 2, 3))
    made = real + np.arange(5)[:, None, None] * 0.1  # every step is 0.1 m too long
    assert cospeech.face_mse(made, real) == pytest.approx(0.01 * (0 + 1 + 4 + 9 + 16) / 5)
    assert cospeech.face_lvd(made, real) == pytest.approx(0.1 * 4 / 5)
