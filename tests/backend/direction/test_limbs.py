"""Hands and feet that hold on to places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.direction.limbs import LIMBS, Hold, hold
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.skeleton import INDEX

from .conftest import walking

STANDING = walking(speed=0.0)
DIRECTION = st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda d: np.linalg.norm(d) > 0.2)


def tip(clip: Clip, joint: str) -> np.ndarray:
    return clip.joints()[:, INDEX[joint]]


def root(clip: Clip, joint: str) -> np.ndarray:
    return clip.joints()[:, LIMBS[joint].chain[0]]


@given(
    st.sampled_from(sorted(LIMBS)), DIRECTION, st.floats(0.35, 0.9), st.integers(20, 60), st.integers(0, 60)
)
def test_what_is_within_reach_is_held_exactly(
    joint: str, direction: tuple[float, float, float], share: float, first: int, frames: int
) -> None:
    limb, way = LIMBS[joint], np.asarray(direction) / np.linalg.norm(direction)
    # The foot's ball hangs on the ankle; within the ankle's reach in any case.
    length = share * limb.reach * (0.75 if joint.endswith("foot") else 1.0)
    place = root(STANDING, joint)[first] + length * way
    last = first + frames
    held = hold(STANDING, [Hold(joint, first, last, place)])
    at = slice(first, last + 1)
    near = np.linalg.norm(place - root(STANDING, joint)[at], axis=1) < 0.93 * limb.reach
    missed = np.linalg.norm(tip(held, joint)[at] - place, axis=1)
    if not joint.endswith("foot"):
        assert missed[near].max(initial=0.0) < 1e-3
    else:
        lever = tip(STANDING, joint) - tip(STANDING, joint.replace("foot", "ankle"))
        ankle = np.linalg.norm(place - lever[at] - root(STANDING, joint)[at], axis=1)
        good = (ankle < 0.93 * limb.reach) & (ankle > 0.1)
        assert missed[good].max(initial=0.0) < 1e-3


@given(st.sampled_from(sorted(LIMBS)), DIRECTION, st.floats(0.4, 0.9))
def test_limbs_come_and_leave_without_a_jump(
    joint: str, direction: tuple[float, float, float], share: float
) -> None:
    way = np.asarray(direction) / np.linalg.norm(direction)
    place = root(STANDING, joint)[70] + share * LIMBS[joint].reach * way
    held = hold(STANDING, [Hold(joint, 60, 80, place)])
    before, after = (np.diff(tip(clip, joint), n=2, axis=0) * 900 for clip in (STANDING, held))
    assert np.linalg.norm(after, axis=1).max() < np.linalg.norm(before, axis=1).max() + 30.0
    speed = np.linalg.norm(np.diff(tip(held, joint), axis=0), axis=1) * 30
    assert speed.max() < 4.5


def test_frames_far_from_a_pin_are_the_very_same() -> None:
    held = hold(STANDING, [Hold("left_wrist", 70, 80, root(STANDING, "left_wrist")[70] + [0.2, 0.1, 0.3])])
    changed = np.flatnonzero((held.poses != STANDING.poses).any(axis=(1, 2)))
    assert 30 < changed.min() < 70 and 80 < changed.max() < 120
    others = [j for j in range(55) if j not in (INDEX["left_shoulder"], INDEX["left_elbow"])]
    assert np.array_equal(held.poses[:, others], STANDING.poses[:, others])


def test_what_is_too_far_is_reached_for() -> None:
    shoulder = root(STANDING, "right_wrist")[75]
    place = shoulder + np.array([-2.0, 0.0, 0.0])
    held = hold(STANDING, [Hold("right_wrist", 75, 75, place)])
    missed = float(np.linalg.norm(tip(held, "right_wrist")[75] - place))
    assert missed == pytest.approx(2.0 - LIMBS["right_wrist"].reach, abs=0.02)


def test_a_hand_goes_straight_from_one_place_to_a_near_one() -> None:
    shoulder = root(STANDING, "left_wrist")[75]
    places = [shoulder + np.array([0.2, 0.0, 0.3]), shoulder + np.array([0.2, 0.25, 0.3])]
    held = hold(STANDING, [Hold("left_wrist", 60, 70, places[0]), Hold("left_wrist", 80, 90, places[1])])
    way = tip(held, "left_wrist")[70:81]
    assert np.abs(way[:, [0, 2]] - places[0][[0, 2]]).max() < 1e-3
    assert (np.diff(way[:, 1]) >= -1e-6).all()


def test_a_pinned_foot_keeps_its_turn_and_no_longer_stands() -> None:
    clip = STANDING.replace(contacts=np.ones((len(STANDING), 4)))
    place = tip(clip, "left_foot")[75] + np.array([0.0, 0.2, 0.1])
    held = hold(clip, [Hold("left_foot", 70, 80, place)])
    assert held.contacts is not None
    assert not held.contacts[70:81, :2].any() and held.contacts[:, 2:].all()
    lever = tip(held, "left_foot") - tip(held, "left_ankle")
    assert np.allclose(lever, tip(clip, "left_foot") - tip(clip, "left_ankle"), atol=1e-6)


def test_where_there_is_no_room_nothing_changes() -> None:
    room = np.ones(len(STANDING))
    room[65:] = 0.0
    held = hold(STANDING, [Hold("left_wrist", 60, 80, np.array([0.3, 1.0, 0.3]))], room)
    assert np.array_equal(held.poses[65:], STANDING.poses[65:])
