"""Arms, head and trunk that talk with a voice, and everything that they must leave alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.limits import violations
from understudy.backend.motion.skeleton import INDEX, J0, MIRROR, PARTS
from understudy.backend.speech import arms, gestures
from understudy.backend.speech.features import SpeechFeatures, features_of
from understudy.backend.speech.gesture_score import score
from understudy.backend.speech.gesture_shapes import READY, SHAPES
from understudy.backend.speech.gestures import gesture
from understudy.backend.speech.manner import Manner
from understudy.backend.speech.movements import Track
from understudy.backend.speech.rhythm import syllables, voice_rhythm
from understudy.backend.speech.voice import Voice

from .voices import RATE, speak

WRISTS = [INDEX["left_wrist"], INDEX["right_wrist"]]
VOICES = ((1, 115.0, 4.5), (2, 210.0, 5.0), (3, 260.0, 3.6), (4, 88.0, 4.0))


def listened(samples: np.ndarray) -> Voice:
    features = features_of(samples.astype(np.float32))
    return Voice(features, voice_rhythm(features))


def standing(frames: int, fps: float = 30.0) -> Clip:
    """Arms that hang, and a body that does nothing else."""
    poses = np.zeros((frames, 55, 3))
    poses[:, INDEX["left_shoulder"], 2], poses[:, INDEX["right_shoulder"], 2] = -1.25, 1.25
    poses[:, INDEX["left_elbow"], 1], poses[:, INDEX["right_elbow"], 1] = -0.2, 0.2
    return Clip(poses, np.zeros((frames, 3)), fps)


def walking(frames: int) -> Clip:
    clip = standing(frames)
    poses, trans = np.array(clip.poses), np.array(clip.trans)
    swing = 0.5 * np.sin(2 * np.pi * np.arange(frames) / 30.0)
    for joint, sign in (("left_hip", 1), ("right_hip", -1), ("left_shoulder", -1), ("right_shoulder", 1)):
        turn = np.zeros((frames, 3))
        turn[:, 0] = sign * swing
        own = rotations.axis_angle_to_quaternion(poses[:, INDEX[joint]])
        turned = rotations.quaternion_multiply(rotations.axis_angle_to_quaternion(turn), own)
        poses[:, INDEX[joint]] = rotations.quaternion_to_axis_angle(turned)
    trans[:, 2] = 1.2 * np.arange(frames) / 30.0
    return clip.replace(poses=poses, trans=trans)


def speeds(clip: Clip, joints: list[int]) -> np.ndarray:
    """(T, J) metres a second, the pelvis at the origin."""
    places = clip.replace(trans=np.zeros_like(clip.trans)).joints()[:, joints]
    return np.linalg.norm(np.gradient(places, 1.0 / clip.fps, axis=0), axis=-1)


@pytest.fixture(scope="module", params=VOICES, ids=lambda v: f"{v[1]:.0f} Hz")
def voice(request: pytest.FixtureRequest) -> Voice:
    seed, pitch, pace = request.param
    return listened(speak(seed, 20.0, pitch, pace).samples)


@pytest.fixture(scope="module")
def paused() -> Voice:
    """Seven seconds of talk, six of silence, seven of talk."""
    talk = speak(5, 7.0).samples
    return listened(np.concatenate([talk, np.zeros(6 * RATE), talk]))


@pytest.fixture(scope="module")
def said(voice: Voice) -> Clip:
    return gesture(standing(len(voice)), voice, 3)


# --- with the voice -----------------------------------------------------------------------------------------


def test_hands_talk(said: Clip) -> None:
    speed = speeds(said, WRISTS)
    assert 0.15 < speed.mean() < 0.8, "as talking hands do: about half a metre a second"
    assert np.percentile(speed, 99) < 2.2


def test_strokes_stop_with_the_syllables_rather_than_with_those_of_another_time(voice: Voice) -> None:
    """Many seeds, so that chance has no say: the stops of the hands lie nearer to this voice's syllables."""
    onsets = syllables(voice.features)

    def closeness(stops: np.ndarray, times: np.ndarray) -> float:
        nearest = np.abs(times[:, None] - stops).min(axis=1)
        return float(np.exp(-0.5 * (nearest / 0.15) ** 2).mean())

    gain = []
    for seed in range(6):
        speed = speeds(gesture(standing(len(voice)), voice, seed), WRISTS).max(axis=1)
        inner = speed[7:-7]
        lowest = np.min([speed[k : k + len(inner)] for k in range(15)], axis=0)
        stops = (np.flatnonzero((inner == lowest) & (inner > 0.1)) + 7) / 30.0
        other = [(onsets + shift) % voice.features.seconds for shift in np.arange(2.1, 18.0, 1.3)]
        gain.append(closeness(stops, onsets) - np.mean([closeness(stops, times) for times in other]))
    assert np.mean(gain) > 0.0


def test_louder_talk_moves_more() -> None:
    """The same phrases, every other stretch of three seconds 12 dB lower."""
    samples = speak(7, 24.0, pause=0.3).samples
    low = (np.arange(len(samples)) // (3 * RATE)) % 2 == 1
    voice = listened(np.where(low, 0.25 * samples, samples))
    speed = np.mean(
        [speeds(gesture(standing(len(voice)), voice, s), WRISTS).max(axis=1) for s in range(4)], 0
    )
    frames = low[np.minimum(np.arange(len(voice)) * RATE // 30, len(low) - 1)]
    assert speed[~frames].mean() > 1.3 * speed[frames].mean()


def test_hands_go_home_in_a_pause_and_rest_there(paused: Voice) -> None:
    clip = standing(len(paused))
    made = gesture(clip, paused, 1)
    silent = slice(int(9.0 * 30), int(12.0 * 30))
    arms_ = [INDEX[f"{s}_{j}"] for s in ("left", "right") for j in ("shoulder", "elbow", "wrist")]
    assert np.abs(made.poses[silent][:, arms_] - clip.poses[silent][:, arms_]).max() < 1e-6
    assert speeds(made, [*WRISTS, INDEX["head"]])[silent].max() < 0.06
    assert speeds(made, WRISTS)[: 6 * 30].mean() > 0.2


@pytest.mark.parametrize("seconds", [0.1, 5.0])
def test_silence_gestures_nothing(seconds: float) -> None:
    voice = listened(np.zeros(int(seconds * RATE)))
    clip = standing(max(len(voice), 1))
    made = gesture(clip, voice, 0)
    body = [j for j in range(55) if j not in PARTS["hands"]]
    assert np.abs(made.poses[:, body] - clip.poses[:, body]).max() < 1e-9


# --- what is left alone -------------------------------------------------------------------------------------


def test_legs_and_root_are_the_motions_own(voice: Voice) -> None:
    clip = walking(len(voice))
    made = gesture(clip, voice, 3)
    assert np.array_equal(made.trans, clip.trans)
    lower = list(PARTS["lower_trans"])
    assert np.array_equal(made.poses[:, lower], clip.poses[:, lower])


def test_strength_nought_changes_nothing_and_more_moves_more(voice: Voice) -> None:
    clip = standing(len(voice))
    assert gesture(clip, voice, 3, Manner(0.0)) is clip
    soft, usual, lively = (speeds(gesture(clip, voice, 3, Manner(s)), WRISTS).mean() for s in (0.4, 1.0, 1.5))
    assert soft < usual < lively


def test_arms_can_be_left_to_a_prompt(voice: Voice) -> None:
    clip = walking(len(voice))
    made = gesture(clip, voice, 3, arms=False)
    for side in ("left", "right"):
        for joint in ("shoulder", "elbow", "wrist"):
            assert np.array_equal(
                made.poses[:, INDEX[f"{side}_{joint}"]], clip.poses[:, INDEX[f"{side}_{joint}"]]
            )
    assert np.abs(made.poses[:, INDEX["head"]] - clip.poses[:, INDEX["head"]]).max() > np.radians(1.0)


def test_a_hand_that_is_up_has_something_else_to_do(voice: Voice) -> None:
    clip = standing(len(voice))
    poses = np.array(clip.poses)
    poses[:, INDEX["right_shoulder"], 2] = -0.9
    clip = clip.replace(poses=poses)
    made = gesture(clip, voice, 3)
    assert np.array_equal(made.poses[:, INDEX["right_elbow"]], clip.poses[:, INDEX["right_elbow"]])
    assert not np.array_equal(made.poses[:, INDEX["left_elbow"]], clip.poses[:, INDEX["left_elbow"]])


# --- a body that can do it ----------------------------------------------------------------------------------


def test_joints_stay_within_their_ranges(said: Clip) -> None:
    assert violations(rotations.axis_angle_to_quaternion(said.poses[:, :22])) == 0.0


def test_hands_stay_out_of_the_body_and_of_each_other(said: Clip) -> None:
    joints, world = forward_kinematics(said.poses, said.trans)
    chest = INDEX["spine3"]
    local = np.einsum("tij,tkj->tki", np.swapaxes(world[:, chest], 1, 2), joints - joints[:, chest, None])
    for wrist, finger in (("left_wrist", "left_middle2"), ("right_wrist", "right_middle2")):
        for x, y, z in local[:, [INDEX[wrist], INDEX[finger]]].reshape(-1, 3):
            inside = (x / 0.15) ** 2 + ((z + 0.02) / 0.11) ** 2 < 1.0
            assert not (inside and -0.28 < y < 0.16)
            assert np.linalg.norm([x, y - 0.33, z]) > 0.13, "the head"
    apart = np.linalg.norm(local[:, WRISTS[0]] - local[:, WRISTS[1]], axis=-1)
    assert apart.min() > 0.09


def test_nothing_jumps(said: Clip) -> None:
    speed = np.linalg.norm(np.diff(said.joints()[:, :22], n=2, axis=0), axis=-1) * 30.0**2
    assert speed.max() < 35.0, "metres a second squared; those of captured talk reach 23"
    turn = rotations.geodesic_angle(
        rotations.axis_angle_to_matrix(said.poses[1:, :22]),
        rotations.axis_angle_to_matrix(said.poses[:-1, :22]),
    )
    assert turn.max() < np.radians(30.0)


def test_both_hands_are_used_and_not_alike(voice: Voice) -> None:
    moved = np.sum(
        [speeds(gesture(standing(len(voice)), voice, seed), WRISTS).sum(axis=0) for seed in range(6)], 0
    )
    assert 0.4 < moved[0] / moved[1] < 1.4
    made = gesture(standing(len(voice)), voice, 3)
    mirrored = made.poses[:, list(MIRROR)] * np.array([1.0, -1.0, -1.0])
    assert np.abs(made.poses - mirrored)[:, INDEX["left_elbow"]].max() > 0.3


@given(
    place=st.tuples(st.floats(-0.3, 0.6), st.floats(-0.6, 0.6), st.floats(-0.3, 0.7)),
    palm=st.floats(-1.2, 1.2),
    lift=st.floats(0.0, 1.0),
)
@settings(max_examples=60, deadline=None)
def test_an_arm_reaches_what_is_in_reach_and_never_enters_the_trunk(
    place: tuple[float, float, float], palm: float, lift: float
) -> None:
    hand = np.array([[*place, lift, palm, 0.0, 0.0]])
    shoulder = np.array([[0.174, 0.154, -0.03]])
    upper, elbow, wrist = arms.solve(shoulder, hand)
    poses = np.zeros((1, 55, 3))
    for joint, turn in (("shoulder", upper), ("elbow", elbow), ("wrist", wrist)):
        poses[:, INDEX[f"left_{joint}"]] = rotations.quaternion_to_axis_angle(turn)
    joints = forward_kinematics(poses, -J0[None])[0][0]
    got = joints[INDEX["left_wrist"]] - joints[INDEX["spine3"]]
    wanted = arms.in_free_space(hand[:, :3])[0]
    distance = np.linalg.norm(wanted - shoulder[0])
    if 0.15 < distance < 0.47:
        assert np.linalg.norm(got - wanted) < 0.005
    assert np.isfinite(poses).all()
    # An elbow bends one way.
    assert poses[0, INDEX["left_elbow"], 1] < 0.05


def test_palms_turn_as_their_shapes_say() -> None:
    """Up for an offer, down for a beat, towards the body for the chest."""
    shoulder = np.array([[0.174, 0.154, -0.03]])

    def normal(name: str) -> np.ndarray:
        turn = np.array([1.0, 0.0, 0.0, 0.0])
        for local in arms.solve(shoulder, SHAPES[name].end()[None]):
            turn = rotations.quaternion_multiply(turn, local[0])
        return rotations.rotate_vectors(turn, np.array([0.0, -1.0, 0.0]))

    assert normal("offer")[1] > 0.5
    assert normal("beat")[1] < -0.2
    assert normal("chest")[2] < -0.5


# --- the same again, in any length --------------------------------------------------------------------------


def test_the_seed_decides(voice: Voice) -> None:
    clip = standing(len(voice))
    once, again, other = (gesture(clip, voice, seed) for seed in (5, 5, 6))
    assert np.array_equal(once.poses, again.poses)
    assert np.abs(once.poses - other.poses)[:, WRISTS].max() > 0.1


def test_blocks_leave_no_seam(voice: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = standing(len(voice))
    whole = gesture(clip, voice, 3)
    monkeypatch.setattr(gestures, "BLOCK", 77)
    assert np.abs(gesture(clip, voice, 3).poses - whole.poses).max() < 1e-9


@pytest.mark.parametrize("fps", [24.0, 60.0])
def test_other_frame_rates_do_the_same(voice: Voice, fps: float) -> None:
    usual = gesture(standing(len(voice)), voice, 3).joints()[:, WRISTS]
    other = gesture(standing(int(len(voice) / 30.0 * fps), fps), voice, 3).joints()[:, WRISTS]
    at = np.arange(30, len(voice) - 60, 10)
    assert np.abs(usual[at] - other[np.round(at / 30.0 * fps).astype(int)]).max() < 0.06


def test_a_clip_may_be_longer_or_shorter_than_its_voice(voice: Voice) -> None:
    longer = gesture(standing(len(voice) + 200), voice, 3)
    assert speeds(longer, WRISTS)[-60:].max() < 0.05
    assert len(gesture(standing(40), voice, 3)) == 40


def test_the_score_is_of_this_voice(voice: Voice) -> None:
    strokes = [
        s for unit in score(voice.features, voice.rhythm[:, 1]) for p in unit.phrases for s in p.strokes
    ]
    times = np.array([stroke.time for stroke in strokes])
    assert np.all(np.diff(times) > 0.3) and len(times) < 2.4 * voice.features.seconds
    assert all(0.0 <= stroke.size <= 1.0 for stroke in strokes)
    quiet = dataclasses.replace(voice.features, onset=np.zeros(len(voice)))
    assert isinstance(quiet, SpeechFeatures) and score(quiet, voice.rhythm[:, 1]) == []


def test_a_track_goes_through_its_goals() -> None:
    track = Track(READY)
    goal = READY + 1.0
    track.to(goal, 1.0, 1.5)
    track.to(READY, 2.0, 2.5)
    curve = track.sample(np.arange(0, 4, 0.05))
    assert (
        np.allclose(curve[:20], READY) and np.allclose(curve[31:40], goal) and np.allclose(curve[-20:], READY)
    )
    assert np.all(np.diff(curve[20:31, 0]) >= 0)
