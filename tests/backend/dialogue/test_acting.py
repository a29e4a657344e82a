"""Two characters on one clock: placing, gestures while speaking only, listening, and what cannot be."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.speech.voices import speak
from understudy.backend.dialogue import acting, placing
from understudy.backend.dialogue.acting import Acted, act
from understudy.backend.dialogue.bending import HEAD, bend
from understudy.backend.dialogue.fountain import Speech
from understudy.backend.dialogue.listening import listens
from understudy.backend.dialogue.resting import hanging
from understudy.backend.dialogue.turns import RATE, Turn, mixed, plan_turns, seconds_of, tracks
from understudy.backend.errors import BadInput
from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.skeleton import INDEX
from understudy.backend.speech.voice import Voice

NAMES = ["ANNA", "BEN"]


def standing(frames: int) -> Clip:
    """Arms that hang, a body that sways by a few millimetres and looks somewhere."""
    poses = np.zeros((frames, 55, 3))
    poses[:, INDEX["left_shoulder"], 2], poses[:, INDEX["right_shoulder"], 2] = -1.25, 1.25
    poses[:, INDEX["left_elbow"], 1], poses[:, INDEX["right_elbow"], 1] = -0.2, 0.2
    poses[:, 0, 1] = 0.7
    trans = np.zeros((frames, 3))
    trans[:, 0] = 3.0 + 0.004 * np.sin(np.arange(frames) / 20.0)
    return Clip(poses, trans, 30.0)


def body(voice: Voice, seed: int, name: str) -> Clip:
    return standing(len(voice))


def script(*directions: tuple[str, ...]) -> tuple[list[Turn], list[np.ndarray]]:
    sounds, speeches = [], []
    for index in range(4):
        voice = speak(index, 3.5, 110.0 if index % 2 else 190.0).samples
        sounds.append(np.repeat(voice, 3)[::2].astype(np.float32))  # from 16 to 24 kHz
        said = directions[index] if index < len(directions) else ()
        text = "We talk about the weather and the big house over there"
        speeches.append(Speech(index + 1, 3 * index + 1, NAMES[index % 2], (text,), said))
    return plan_turns(speeches, [len(sound) / RATE for sound in sounds], 0), sounds


@pytest.fixture(scope="module")
def scene() -> tuple[list[Turn], np.ndarray]:
    turns, sounds = script(("furious",), (), ("resigned", "to the dog"), ("polishing a glass",))
    return turns, tracks(turns, sounds, NAMES)


@pytest.fixture(scope="module")
def acted(scene: tuple[list[Turn], np.ndarray]) -> Acted:
    return act(scene[0], NAMES, scene[1], body, seed=3)


def test_the_scene_keeps_what_it_must(acted: Acted, scene: tuple[list[Turn], np.ndarray]) -> None:
    measures = acted.measures
    assert measures["facing_degrees"] < 15.0
    assert measures["distance_least_m"] >= 0.8 and measures["distance_most_m"] <= 2.5
    assert measures["within_each_other_cm"] <= 2.0
    assert measures["gesture_ratio"] >= 2.0
    assert measures["listener_looks"] > 0.5
    assert all(len(clip) == round(seconds_of(scene[0]) * 30) for clip in acted.clips)
    assert all(np.isfinite(clip.poses).all() and clip.known["face"] for clip in acted.clips)


def test_the_same_seed_gives_the_same_scene(acted: Acted, scene: tuple[list[Turn], np.ndarray]) -> None:
    again = act(scene[0], NAMES, scene[1], body, seed=3)
    # Sums of arrays that lie elsewhere in memory may differ in their last digit.
    assert np.abs(again.clips[1].poses - acted.clips[1].poses).max() < 1e-5


def test_moods_change_the_gestures_and_pass_without_a_jump(acted: Acted) -> None:
    turns, _ = script()
    moody, usual = acted.clips[0], act(*_plain(), body, seed=3).clips[0]
    speeds = [acting.hand_speed(clip) for clip in (moody, usual)]
    first, second = (slice(round(turns[i].start * 30), round(turns[i].end * 30)) for i in (0, 2))
    shares = [speeds[0][here].mean() / speeds[1][here].mean() for here in (first, second)]
    assert shares[0] > 1.2 > 1.0 > shares[1]
    turns_between = rotations.geodesic_angle(
        *(rotations.axis_angle_to_matrix(part) for part in (moody.poses[1:, :22], moody.poses[:-1, :22]))
    )
    assert np.degrees(turns_between).max() < 25.0


def _plain() -> tuple[list[Turn], list[str], np.ndarray]:
    turns, sounds = script()
    return turns, NAMES, tracks(turns, sounds, NAMES)


def test_bodies_that_would_touch_stand_further_apart() -> None:
    def reaching(voice: Voice, seed: int, name: str) -> Clip:
        clip = standing(len(voice))
        poses = np.array(clip.poses)
        for side, sign in (("left", -1.0), ("right", 1.0)):
            poses[:, INDEX[f"{side}_shoulder"]] = (0.0, sign * np.pi / 2, 0.0)
            poses[:, INDEX[f"{side}_elbow"]] = 0.0
        return clip.replace(poses=poses)

    turns, names, whole = _plain()
    found = act(turns, names, whole, reaching, distance=0.8, gestures=False)
    assert found.distance > 1.0 and found.measures["within_each_other_cm"] <= 2.0
    assert any("they would touch" in warning for warning in found.warnings)


@pytest.mark.parametrize("distance", [0.79, 2.51, float("nan"), -1.0])
def test_no_other_distance_than_a_personal_one(distance: float) -> None:
    with pytest.raises(BadInput, match=r"The distance must be 0\.8 to 2\.5 metres"):
        act(*_plain(), body, distance=distance)


def test_a_dialogue_is_for_two() -> None:
    turns, _, whole = _plain()
    with pytest.raises(BadInput, match="needs two speakers, this one has 1: ANNA"):
        act(turns, ["ANNA"], whole, body)


def test_gaze_finds_the_others_eyes_wherever_the_head_was() -> None:
    clip, other = placing.opposite(standing(120), standing(120), 1.4)
    poses = np.array(clip.poses)
    bend(poses, HEAD, np.tile([0.15, 0.5, 0.0], (120, 1)))
    lost = clip.replace(poses=poses)
    assert np.degrees(placing.gaze_error(lost, other)).min() > 20.0
    assert np.degrees(placing.gaze_error(placing.regard(lost, other), other)).max() < 2.0


def test_a_listener_nods_where_phrases_end_and_not_while_it_speaks() -> None:
    base = standing(600)
    other, own = np.zeros(600), np.zeros(600)
    other[30:120], other[150:240], other[300:390] = 1.0, 1.0, 1.0
    own[400:560] = 1.0
    down = np.mean([listens(base, own, other, seed).poses[:, INDEX["head"], 0] for seed in range(12)], axis=0)
    nodding = down[[*range(124, 145), *range(244, 265)]].max()
    assert nodding > np.radians(1.5) > down[60:115].max()
    feet = listens(base, own, other, 1).joints()[:, [INDEX["left_ankle"], INDEX["right_ankle"]]]
    assert np.linalg.norm(feet - base.joints()[:, [7, 8]], axis=-1).max() < 0.02
    assert np.abs(listens(base, own, other, 1).poses[:, INDEX["left_hip"]]).max() > 0.0  # it is alive


def test_turns_take_their_time() -> None:
    speeches = [
        Speech(1, 1, "ANNA", ("One",)),
        Speech(2, 4, "BEN", ("Two",)),
        Speech(3, 7, "BEN", ("Three",), before="action"),
        Speech(4, 9, "ANNA", ("Four",), dual=True),
        Speech(5, 12, "ANNA", ("Five",), beat=True),
    ]
    turns = plan_turns(speeches, [2.0] * 5, 1)
    gaps = [later.start - earlier.end for earlier, later in pairwise(turns)]
    assert 0.1 <= gaps[0] <= 0.5 < 1.0 < gaps[1]
    assert turns[3].start == turns[2].start
    assert gaps[3] > 0.7
    whole = tracks(turns, [np.full(2 * RATE, 0.8, np.float32)] * 5, NAMES)
    both = round((turns[2].start + 1.0) * RATE)
    assert whole[0, both] == whole[1, both] == np.float32(0.8)
    assert np.abs(mixed(whole)).max() <= 1.0
    with pytest.raises(BadInput, match="more than an hour"):
        plan_turns(speeches, [900.0] * 5, 1)


def test_capsules_tell_how_near_two_bodies_are() -> None:
    one = standing(2)
    near = [placing.apart(*placing.opposite(one, one, d)).min() for d in (0.1, 0.8, 1.6)]
    assert near[0] < -0.02 < 0.0 < near[1] < near[2]
    assert near[2] - near[1] == pytest.approx(0.8, abs=0.05)


def test_arms_hang_and_stay_alive() -> None:
    raised = standing(60)
    poses = np.array(raised.poses)
    poses[:, INDEX["left_elbow"], 1] = -1.5 + 0.2 * np.sin(np.arange(60) / 9.0)
    poses[:, INDEX["right_elbow"], 1] = 1.5
    found = hanging(raised.replace(poses=poses)).joints()
    before = raised.replace(poses=poses).joints()
    wrists = [INDEX["left_wrist"], INDEX["right_wrist"]]
    assert np.all(found[:, wrists, 1] < before[:, wrists, 1] - 0.05)
    assert np.ptp(found[:, wrists[0]], axis=0).max() > 0.005
