"""Hips that move over feet that stand."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.skeleton import INDEX
from understudy.backend.speech.gestures import gesture
from understudy.backend.speech.stance import move_hips

from .test_gestures import listened, standing
from .voices import speak

FEET = [INDEX[name] for name in ("left_ankle", "right_ankle", "left_foot", "right_foot")]


@settings(max_examples=20, deadline=None)
@given(
    turn=st.lists(st.floats(-0.08, 0.08), min_size=3, max_size=3),
    shift=st.lists(st.floats(-0.03, 0.03), min_size=2, max_size=2),
    heading=st.floats(-3.0, 3.0),
)
def test_feet_stay_where_they_are(turn: list[float], shift: list[float], heading: float) -> None:
    clip = standing(4)
    poses, trans = np.array(clip.poses), np.array(clip.trans)
    poses[:, 0, 1] = heading
    poses[:, [INDEX["left_hip"], INDEX["right_hip"]], 0] = -0.2  # knees that are a little bent
    poses[:, [INDEX["left_knee"], INDEX["right_knee"]], 0] = 0.4
    before, world = forward_kinematics(poses, trans)
    move_hips(poses, trans, np.tile(turn, (4, 1)), np.tile(shift, (4, 1)))
    after, turned = forward_kinematics(poses, trans)
    assert np.abs(after[:, FEET] - before[:, FEET]).max() < 1e-4
    assert np.abs(turned[:, FEET] - world[:, FEET]).max() < 1e-4
    moved = (after[0, 0] - before[0, 0])[[0, 2]]
    assert np.isclose(np.linalg.norm(moved), np.linalg.norm(shift), atol=1e-6)


def test_what_does_not_move_is_left_alone() -> None:
    clip = standing(6)
    poses, trans = np.array(clip.poses), np.array(clip.trans)
    turn = np.zeros((6, 3))
    turn[3] = 0.03
    move_hips(poses, trans, turn, np.zeros((6, 2)))
    same = np.arange(6) != 3
    assert np.array_equal(poses[same], clip.poses[same]) and np.array_equal(trans[same], clip.trans[same])
    assert not np.array_equal(poses[3], clip.poses[3])


def test_hips_talk_along_and_can_be_left_out() -> None:
    voice = listened(speak(3, 12.0).samples)
    clip = standing(len(voice))
    made = gesture(clip, voice, 2)
    assert np.ptp(made.trans[:, 0]) > 0.005
    assert np.abs(made.joints()[:, FEET] - clip.joints()[:, FEET]).max() < 0.004, (
        "straight legs reach less far"
    )
    assert np.array_equal(gesture(clip, voice, 2, hips=False).trans, clip.trans)
