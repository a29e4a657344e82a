"""What an arm does not reach the body leans to; feet stay, and the rest is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.direction.limbs import LIMBS, Hold, hold
from understudy.backend.motion import rotations as rot
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.skeleton import INDEX

from .conftest import walking

STANDING = walking(speed=0.0)
FIRST, LAST = 65, 80
FEET = [INDEX[f"{side}_{part}"] for side in ("left", "right") for part in ("ankle", "foot")]
WAYS = {
    "forward": (0, 0, 1), "low": (0, -1, 0.2), "aside": (-1, 0, 0), "across": (0.7, 0, 0.7), "down": (0, -0.7, 0.7),
}  # fmt: skip


def beyond(way: tuple[float, float, float], metres: float, joint: str = "right_wrist") -> np.ndarray:
    shoulder = STANDING.joints()[FIRST : LAST + 1, LIMBS[joint].chain[0]].mean(axis=0)
    return shoulder + (LIMBS[joint].reach + metres) * np.asarray(way, float) / np.linalg.norm(way)


def missed(clip: Clip, place: np.ndarray, joint: str = "right_wrist") -> float:
    return float(np.linalg.norm(clip.joints()[FIRST : LAST + 1, INDEX[joint]] - place, axis=1).max())


def held(place: np.ndarray, joint: str = "right_wrist", clip: Clip = STANDING) -> Clip:
    return hold(clip, [Hold(joint, FIRST, LAST, place)])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("metres", [0.05, 0.2])
def test_twenty_centimetres_beyond_reach_is_met_on_the_same_feet(way: str, metres: float) -> None:
    place = beyond(WAYS[way], metres)
    clip = held(place)
    assert missed(clip, place) < 0.01
    assert np.abs(clip.joints()[:, FEET] - STANDING.joints()[:, FEET]).max() < 1e-3
    turned = rot.axis_angle_to_matrix(clip.poses[:, :22])
    change = np.degrees(rot.geodesic_angle(turned, rot.axis_angle_to_matrix(STANDING.poses[:, :22])))
    trunk = change[:, [INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3")]]
    assert 1 < trunk.max() < 41, "the trunk leans, none of it breaks"


def test_nothing_leans_to_what_the_arm_reaches() -> None:
    clip = held(beyond((0, 0, 1), -0.06))
    others = [j for j in range(55) if j not in LIMBS["right_wrist"].chain]
    assert np.array_equal(clip.poses[:, others], STANDING.poses[:, others])
    assert np.array_equal(clip.trans, STANDING.trans)


def test_what_is_past_leaning_is_reached_for_and_what_is_out_of_sight_let_be() -> None:
    far, away = beyond((0, 0, 1), 0.55), beyond((0, 0, 1), 1.5)
    assert 0.02 < missed(held(far), far) < 0.3
    clip = held(away)
    assert np.array_equal(clip.trans, STANDING.trans)


@given(st.sampled_from(sorted(WAYS)), st.floats(0.02, 0.5), st.sampled_from(["left_wrist", "right_wrist"]))
@settings(max_examples=10, deadline=None)
def test_leaning_comes_and_leaves_without_a_jump(way: str, metres: float, joint: str) -> None:
    x, y, z = WAYS[way]
    clip = held(beyond((-x if joint == "left_wrist" else x, y, z), metres, joint), joint)
    chest = clip.joints()[:, [INDEX["pelvis"], INDEX["spine3"], INDEX["head"]]]
    assert np.isfinite(chest).all()
    faster = np.linalg.norm(np.diff(chest, n=2, axis=0) * clip.fps**2, axis=-1)
    assert faster.max() < 25.0, "metres a second squared"
    assert np.linalg.norm(np.diff(chest, axis=0), axis=-1).max() * clip.fps < 2.0


def test_both_hands_lean_together() -> None:
    places = {joint: beyond((0, -0.4, 1), 0.2, joint) for joint in ("left_wrist", "right_wrist")}
    clip = hold(STANDING, [Hold(joint, FIRST, LAST, place) for joint, place in places.items()])
    for joint, place in places.items():
        assert missed(clip, place, joint) < 0.01


def test_steps_stay_steps_while_a_walking_body_leans(walk: Clip) -> None:
    shoulder = walk.joints()[70, LIMBS["right_wrist"].chain[0]]
    place = shoulder + np.array([-LIMBS["right_wrist"].reach - 0.15, -0.1, 0.0])
    clip = hold(walk, [Hold("right_wrist", 70, 72, place)])
    assert np.linalg.norm(clip.joints()[70:73, INDEX["right_wrist"]] - place, axis=1).max() < 0.02
    assert np.abs(clip.joints()[:, FEET] - walk.joints()[:, FEET]).max() < 5e-3
