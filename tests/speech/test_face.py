"""A face for a voice: the mouth in time with the sound, and eyes that live."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.signal import lfilter

from understudy.backend.motion.clip import Clip
from understudy.backend.motion.expressions import CHANNELS, channels_of
from understudy.backend.motion.skeleton import INDEX
from understudy.backend.speech import gaze, mouth
from understudy.backend.speech.face import face_blocks, perform_face, with_face
from understudy.backend.speech.features import SpeechFeatures, features_of

from .voices import RATE, Voice, speak

VOICES = ((1, 115.0, 4.5), (2, 210.0, 5.0), (3, 260.0, 3.6), (4, 88.0, 4.0))


@pytest.fixture(scope="module", params=VOICES, ids=lambda v: f"{v[1]:.0f} Hz")
def heard(request: pytest.FixtureRequest) -> tuple[Voice, SpeechFeatures]:
    seed, pitch, pace = request.param
    voice = speak(seed, 20.0, pitch, pace)
    return voice, features_of(voice.samples)


def envelope(samples: np.ndarray, frames: int) -> np.ndarray:
    """Root mean square (T,) of the 50 ms around each frame, computed without the features."""
    half = int(0.025 * RATE)
    power = np.concatenate([[0.0], np.cumsum(np.pad(samples.astype(float), half) ** 2)])
    at = np.minimum(np.round(np.arange(frames) / 30 * RATE).astype(int), len(samples) - 1)
    return np.sqrt((power[at + 2 * half] - power[at]) / (2 * half))


def correlation(a: np.ndarray, b: np.ndarray, lag: int = 0) -> float:
    """Of a with b delayed by ``lag`` frames."""
    n = len(a)
    return float(np.corrcoef(a[max(-lag, 0) : n - max(lag, 0)], b[max(lag, 0) : n + min(lag, 0)])[0, 1])


def vowel(formants: tuple[int, ...], seconds: float = 0.5, pitch: float = 120.0) -> np.ndarray:
    count = int(seconds * RATE)
    sound = lfilter([1.0], [1.0, -0.95], np.diff(np.floor(np.arange(count) * pitch / RATE), prepend=0.0))
    for formant in formants:
        radius, turn = np.exp(-np.pi * 90 / RATE), 2 * np.pi * formant / RATE
        sound = lfilter([1 - radius], [1.0, -2 * radius * np.cos(turn), radius**2], sound)
    return 0.1 * sound / np.sqrt(np.mean(sound**2)) * np.hanning(count) ** 0.25


A, I, U = (730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240)  # noqa: E741
PAUSE = np.zeros(int(0.4 * RATE))


# --- the mouth ----------------------------------------------------------------------------------------------


def test_the_jaw_follows_loudness_without_lag(heard: tuple[Voice, SpeechFeatures]) -> None:
    voice, features = heard
    jaw = perform_face(features, len(features), 0)[0]
    assert jaw.shape == (len(features), 3) and not jaw[:, 1:].any()
    loud = envelope(voice.samples, len(features))
    by_lag = [correlation(loud, jaw[:, 0], lag) for lag in range(-5, 6)]
    assert by_lag[5] >= 0.6
    assert abs(int(np.argmax(by_lag)) - 5) <= 1
    shuffled = np.random.default_rng(0).permutation(loud.reshape(-1, 20)).ravel()
    assert correlation(shuffled, jaw[:, 0]) < 0.3, "the measure cannot fail"


def test_pauses_close_the_mouth(heard: tuple[Voice, SpeechFeatures]) -> None:
    voice, features = heard
    jaw = perform_face(features, len(features), 0)[0][:, 0]
    spoken = voice.spoken()[: len(jaw)]
    inside_pause = np.convolve(spoken, np.ones(9), mode="same") == 0  # four frames from any speech
    assert inside_pause.sum() > 20
    assert jaw[inside_pause].max() < 0.02 and np.median(jaw[inside_pause]) == 0.0
    assert jaw[spoken].mean() > 0.03 and 0.08 < jaw.max() < 0.35


def test_silence_is_a_face_at_rest() -> None:
    features = features_of(np.zeros(5 * RATE, np.float32))
    jaw, eyes, expressions = perform_face(features, 150, 1)
    assert not jaw.any()
    assert np.abs(np.diff(eyes, axis=0)).max() > 0, "eyes live in silence too"
    still = [CHANNELS[n] for n in CHANNELS if not n.startswith("blink")]
    assert not expressions[:, still].any()


def test_noise_does_not_make_it_talk() -> None:
    noise = np.random.default_rng(0).normal(size=8 * RATE).astype(np.float32) * 0.02
    jaw = perform_face(features_of(noise), 240, 1)[0][:, 0]
    assert np.percentile(jaw, 90) < 0.05


def test_vowels_take_the_shapes_they_are_spoken_with() -> None:
    """A opens the jaw most, I is wide, U is round."""
    sounds = [A, I, U] * 3
    samples = np.concatenate([np.concatenate([vowel(f), PAUSE]) for f in sounds]).astype(np.float32)
    features = features_of(samples)
    jaw, _, expressions = perform_face(features, len(features), 0)
    length = 0.9 * 30
    parts = [
        slice(round(i * length + 4), round(i * length + 11)) for i in range(3, 9)
    ]  # once it knows the voice

    def level(values: np.ndarray, which: int) -> float:
        return float(np.mean([values[s].mean() for s in parts[which::3]]))

    wide, round_ = expressions[:, CHANNELS["mouth_wide"]], expressions[:, CHANNELS["mouth_round"]]
    assert level(jaw[:, 0], 0) > 1.25 * max(level(jaw[:, 0], 1), level(jaw[:, 0], 2))
    assert level(wide, 1) > 0.2 + max(level(wide, 0), level(wide, 2))
    assert level(round_, 2) > 0.2 + max(level(round_, 0), level(round_, 1))


def test_lips_close_in_a_short_dip_and_not_in_a_pause() -> None:
    syllable = vowel(A, 0.3)
    gap = np.zeros(int(0.09 * RATE))
    dips = np.concatenate([PAUSE, *[np.concatenate([syllable, gap])] * 6, PAUSE, PAUSE]).astype(np.float32)
    features = features_of(dips)
    jaw, _, expressions = perform_face(features, len(features), 0)
    press = expressions[:, CHANNELS["lips_press"]]
    for i in range(5):
        centre = round((0.4 + 0.3 * (i + 1) + 0.09 * i + 0.045) * 30)
        assert press[centre - 1 : centre + 2].max() > 0.4
        assert jaw[centre - 1 : centre + 2, 0].min() < 0.5 * jaw[:, 0].max()
    assert press[:9].max() < 0.05 and press[-15:].max() < 0.05


def test_blocks_are_parts_of_the_whole(heard: tuple[Voice, SpeechFeatures]) -> None:
    _, features = heard
    whole = perform_face(features, len(features), 7)
    blocks = list(face_blocks(features, len(features), 7, block=97))
    for i in range(3):
        joined = np.concatenate([block[i] for block in blocks])
        assert joined.shape == whole[i].shape
        assert np.abs(joined - whole[i]).max() < 1e-9


def test_a_part_reads_no_further_than_it_says() -> None:
    features = features_of(speak(5, 30.0).samples)
    spoilt = dataclasses.replace(features, mel=features.mel.copy(), loudness=features.loudness.copy())
    spoilt.mel[500 + mouth.REACH :] = 3.0
    spoilt.loudness[500 + mouth.REACH :] = 9.0
    clean, touched = mouth.part(features, 300, 500), mouth.part(spoilt, 300, 500)
    assert np.abs(clean.jaw - touched.jaw).max() < 1e-9
    assert np.abs(clean.mouth_wide - touched.mouth_wide).max() < 1e-9


# --- the eyes -----------------------------------------------------------------------------------------------


def talk(seconds: float, phrase: float = 3.0, pause: float = 0.8) -> np.ndarray:
    """Activity of somebody who talks in phrases."""
    time = np.arange(int(seconds * 30)) / 30
    return ((time % (phrase + pause)) < phrase).astype(float)


def shut_at(lids: np.ndarray) -> np.ndarray:
    """Frames at which blinks begin."""
    return np.flatnonzero((lids[1:] > 0) & (lids[:-1] == 0)) + 1


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("activity", [talk(600), np.zeros(18000)], ids=["talks", "listens"])
def test_blinks_come_as_often_and_last_as_long_as_people_s(seed: int, activity: np.ndarray) -> None:
    lids = gaze.blinks(activity, gaze.look(activity, seed), seed)
    starts = shut_at(lids)
    assert 10 <= len(starts) / 10 <= 20
    for start in starts[:-1]:
        length = int(np.argmax(lids[start:] == 0)) + 1  # the frames between two open eyes
        assert 0.14 <= length / 30 <= 0.34
        assert lids[start : start + length].max() == 1.0
    waits = np.diff(starts) / 30
    assert waits.min() > 0.5 and waits.std() > 0.4 * waits.mean(), "a metronome"


def test_blinks_gather_at_the_ends_of_phrases() -> None:
    activity = talk(1200)
    lids = gaze.blinks(activity, gaze.look(activity, 4), 4)
    ends = gaze.phrase_ends(activity)
    near = np.zeros(len(activity), bool)
    for end in ends:
        near[end : end + 8] = True
    starts = shut_at(lids)
    assert near[starts].mean() > 2.0 * near.mean()


def test_phrase_ends_are_where_speech_stops_for_a_while() -> None:
    activity = np.concatenate([np.ones(30), np.zeros(3), np.ones(30), np.zeros(20), np.ones(10)])
    assert gaze.phrase_ends(activity).tolist() == [63]


def test_eyes_fixate_and_jump() -> None:
    activity = talk(300)
    directions = gaze.look(activity, 3)
    assert directions.shape == (9000, 2)
    speed = np.degrees(np.linalg.norm(np.diff(directions, axis=0), axis=1)) * 30
    assert (speed < 5.0).mean() > 0.85, "most of the time they rest on something"
    jumps = np.diff(np.flatnonzero(speed > 40.0)) > 2
    assert 15 < (jumps.sum() + 1) / 5 < 90, "saccades a minute"
    assert np.degrees(np.abs(directions).max()) <= 14.01
    assert np.degrees(directions[:, 1].std()) > np.degrees(directions[:, 0].std()), "more sideways"
    at_other = np.degrees(np.linalg.norm(directions, axis=1)) < 2.5
    assert at_other.mean() > 0.5
    listening = gaze.look(np.zeros(9000), 3)
    assert (np.degrees(np.linalg.norm(listening, axis=1)) < 2.5).mean() > at_other.mean()


def test_both_eyes_turn_together() -> None:
    features = features_of(speak(6, 10.0).samples)
    eyes = perform_face(features, 300, 5)[1]
    assert eyes.shape == (300, 2, 3)
    assert np.array_equal(eyes[:, 0], eyes[:, 1])


def test_a_seed_decides_and_longer_begins_with_shorter() -> None:
    features = features_of(speak(6, 12.0).samples)
    first, again, other = (perform_face(features, 360, seed) for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1]) and not np.array_equal(first[2], other[2])
    assert np.array_equal(first[0], other[0]), "the mouth is the voice's, not the seed's"
    activity = np.ones(900)
    assert np.array_equal(gaze.look(activity, 2)[:400], gaze.look(activity[:400], 2))


# --- on a clip ----------------------------------------------------------------------------------------------


def body(frames: int, fps: float = 30.0) -> Clip:
    rng = np.random.default_rng(0)
    known = {"lower_trans": True, "upper": True, "hands": False, "face": False}
    return Clip(
        rng.normal(size=(frames, 55, 3)), rng.normal(size=(frames, 3)), fps, known=known, meta={"prompt": "p"}
    )


@pytest.mark.parametrize("frames", [1, 100, 330])
def test_a_clip_keeps_its_length_and_its_body(frames: int) -> None:
    features = features_of(speak(6, 8.0).samples)
    clip = body(frames)
    talking = with_face(clip, features, 3)
    face = [INDEX["jaw"], INDEX["left_eye_smplhf"], INDEX["right_eye_smplhf"]]
    others = [j for j in range(55) if j not in face]
    assert len(talking) == frames and talking.known == {**clip.known, "face": True}
    assert np.array_equal(talking.poses[:, others], clip.poses[:, others])
    assert talking.expressions is not None and talking.expressions.shape == (frames, 100)
    assert set(channels_of(talking)) == set(CHANNELS) and talking.meta["prompt"] == "p"
    if frames > len(features):
        assert not talking.poses[len(features) + 5 :, face[0]].any(), "silence follows the voice"


def test_another_frame_rate_speaks_at_the_same_time() -> None:
    features = features_of(speak(6, 8.0).samples)
    slow, fast = (with_face(body(n, fps), features, 3) for n, fps in ((200, 30.0), (400, 60.0)))
    jaw = INDEX["jaw"]
    assert np.abs(fast.poses[::2, jaw] - slow.poses[:, jaw]).max() < 1e-9


def test_without_a_voice_only_the_eyes_live() -> None:
    silent = with_face(body(600), None, 3)
    channels = channels_of(silent)
    assert not silent.poses[:, INDEX["jaw"]].any() and not channels["mouth_wide"].any()
    assert channels["blink_left"].max() == 1.0 and len(shut_at(channels["blink_left"])) >= 3
    assert np.ptp(silent.poses[:, INDEX["left_eye_smplhf"]], axis=0).max() > 0.03


def test_a_smile_lies_over_speech() -> None:
    features = features_of(speak(6, 8.0).samples)
    smiling = perform_face(features, 240, 3, smile=0.7)
    assert smiling[2][:, CHANNELS["smile"]].max() == pytest.approx(0.7)
    assert np.array_equal(smiling[0], perform_face(features, 240, 3)[0])
