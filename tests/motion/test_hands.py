"""Hands that nothing describes: alive, relaxed, within what fingers can do, and opening with the talk."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip, resample
from understudy.backend.motion.hands import BEND_LIMITS, SPREAD_LIMIT, fill_hands, relaxed_hands
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.skeleton import INDEX, MIRROR, PARTS

from .synthetic import random_clip

ACROSS = ("index", "middle", "ring", "pinky")


def rhythm(frames: int, level: float, beats: list[int] | None = None) -> np.ndarray:
    """A voice of steady loudness with beats at the given frames."""
    result = np.zeros((frames, 3), np.float32)
    result[:, 1] = level
    result[:, 2] = float(level > 0)
    for frame in beats or []:
        result[:, 0] = np.maximum(result[:, 0], np.exp(-0.5 * ((np.arange(frames) - frame) / 1.5) ** 2))
    return result


def chains(hands: np.ndarray, side: str) -> dict[str, np.ndarray]:
    """Per finger (T, 4, 3): knuckle to tip in the frame of the hand, metres, the fingers to +X."""
    poses = np.zeros((len(hands), 55, 3))
    poses[:, list(PARTS["hands"])] = hands
    joints, world = forward_kinematics(poses, np.zeros((len(hands), 3)))
    result = {}
    for finger in (*ACROSS, "thumb"):
        a, b, c = (INDEX[f"{side}_{finger}{i}"] for i in (1, 2, 3))
        tip = joints[:, c] + np.einsum(
            "tij,j->ti", world[:, c], (1 if side == "left" else -1) * np.array([0.022, 0.0, 0.0])
        )
        points = np.stack([joints[:, a], joints[:, b], joints[:, c], tip], axis=1)
        points = points - joints[:, None, INDEX[f"{side}_wrist"]]
        result[finger] = points * ((1, 1, 1) if side == "left" else (-1, 1, 1))
    return result


def bends(hands: np.ndarray) -> np.ndarray:
    """Bend (T, 2, 4, 3) of the finger joints, radians: how far a bone turns from its parent to the palm's side."""
    left = hands.reshape(len(hands), 2, 5, 3, 3)[:, :, :4] * np.array([[1, 1, 1], [1, -1, -1]])[:, None, None]
    along = rotations.axis_angle_to_matrix(left)[..., :, 0]
    return np.arctan2(-along[..., 1], np.hypot(along[..., 0], along[..., 2]))


def gaps(a: np.ndarray, b: np.ndarray) -> float:
    """The smallest distance between two chains (T, 4, 3) of bones."""
    share = np.linspace(0, 1, 8)[None, None, :, None]
    points = [(c[:, :-1, None] * (1 - share) + c[:, 1:, None] * share).reshape(len(c), -1, 3) for c in (a, b)]
    return float(np.linalg.norm(points[0][:, :, None] - points[1][:, None], axis=-1).min())


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**31), level=st.floats(0, 1), beat=st.integers(5, 100))
def test_fingers_stay_apart_and_within_their_limits(seed: int, level: float, beat: int) -> None:
    hands = relaxed_hands(240, seed, rhythm(240, level, [beat, 2 * beat]))
    assert hands.shape == (240, 30, 3)
    bend = bends(hands)
    assert (bend >= BEND_LIMITS[:, 0] - 1e-6).all() and (bend <= BEND_LIMITS[:, 1] + 1e-6).all()
    for side in ("left", "right"):
        fingers = chains(hands[::8], side)
        for near, far in pairwise(ACROSS):
            assert (fingers[near][:, :, 2] > fingers[far][:, :, 2]).all(), f"{near} and {far} cross"
            assert gaps(fingers[near], fingers[far]) > 0.014
        for finger in ACROSS:
            assert gaps(fingers["thumb"], fingers[finger]) > 0.0165, f"the thumb is in the {finger} finger"


def test_a_knuckle_spreads_no_more_than_it_can() -> None:
    hands = relaxed_hands(600, 5, rhythm(600, 1.0)).reshape(600, 2, 5, 3, 3)[:, 0, :4, 0]
    along = rotations.axis_angle_to_matrix(hands)[..., :, 0]
    assert np.abs(np.arctan2(along[..., 2], along[..., 0])).max() < SPREAD_LIMIT + 1e-6


def test_hands_at_rest_are_half_open_alive_and_slow() -> None:
    hands = relaxed_hands(1800, 3)
    bend = bends(hands)
    mean = bend.mean(axis=(0, 1))
    assert (mean[:, 1] > 0.3).all() and (mean[:, 1] < 0.9).all()
    assert mean[0].sum() < mean[1].sum() < mean[3].sum() <= mean[2].sum() + 0.05, "more from index to little"
    seconds = bend.reshape(60, 30, -1)
    assert (np.ptp(seconds, axis=1).max(axis=-1) > 0.005).all(), "a hand is frozen for a second"
    assert np.ptp(bend, axis=0)[..., 1].min() > 0.1, "a finger never moves"
    assert np.abs(np.diff(bend, axis=0)).max() * 30 < 1.5, "radians a second"
    left, right = bend[:, 0, :, 1], bend[:, 1, :, 1]
    assert abs(np.corrcoef(left.mean(1), right.mean(1))[0, 1]) < 0.6, "the hands move as one"


def test_talking_opens_the_hands_and_a_beat_opens_them_more() -> None:
    still = bends(relaxed_hands(300, 9))
    loud = bends(relaxed_hands(300, 9, rhythm(300, 0.8)))
    assert loud[60:].mean() < 0.7 * still[60:].mean()
    quiet = bends(relaxed_hands(300, 9, rhythm(300, 0.3)))
    accented = bends(relaxed_hands(300, 9, rhythm(300, 0.3, [150])))
    change = (quiet - accented).mean(axis=(1, 2, 3))
    assert abs(int(change.argmax()) - 150) <= 1 and change.max() > 0.05
    assert np.abs(change[:120]).max() < 0.01 and np.abs(change[180:]).max() < 0.01


def test_silence_leaves_them_at_rest() -> None:
    assert np.allclose(relaxed_hands(90, 4), relaxed_hands(90, 4, np.zeros((90, 3))))


def test_a_seed_decides_and_a_longer_result_begins_with_the_shorter() -> None:
    assert np.array_equal(relaxed_hands(200, 1), relaxed_hands(200, 1))
    assert not np.allclose(relaxed_hands(200, 1), relaxed_hands(200, 2), atol=0.02)
    assert np.allclose(relaxed_hands(500, 1)[:200], relaxed_hands(200, 1), atol=1e-12)


def test_only_unknown_hands_are_filled() -> None:
    clip = random_clip(40).replace(known={"lower_trans": True, "upper": True, "hands": False, "face": False})
    filled = fill_hands(clip, 7)
    hands = list(PARTS["hands"])
    others = [j for j in range(55) if j not in hands]
    assert filled.known == {**clip.known, "hands": True}
    assert np.array_equal(filled.poses[:, others], clip.poses[:, others])
    assert not np.allclose(filled.poses[:, hands], clip.poses[:, hands])
    assert fill_hands(filled, 8) is filled


def test_the_frame_rate_changes_the_sampling_and_not_the_motion() -> None:
    still = Clip(
        np.zeros((241, 55, 3)), np.zeros((241, 3)), 60.0, known={**random_clip().known, "hands": False}
    )
    fine = resample(fill_hands(still, 3), 30.0).poses
    coarse = fill_hands(resample(still, 30.0), 3).poses
    assert np.abs(fine - coarse).max() < 1e-6


def test_both_hands_mirror_the_same_shape() -> None:
    hands = list(PARTS["hands"])
    poses = np.zeros((400, 55, 3))
    poses[:, hands] = relaxed_hands(400, 11)
    mirrored = poses[:, list(MIRROR)] * np.array([1.0, -1.0, -1.0])
    assert np.abs(mirrored.mean(0) - poses.mean(0)).max() < 0.2


def test_a_rhythm_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="90 frames, not 80"):
        relaxed_hands(90, 0, rhythm(80, 0.5))
