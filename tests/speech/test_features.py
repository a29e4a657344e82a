"""What is heard is what was made: levels, pitch, onsets, who speaks, and that blocks do not matter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.speech.activity import runs
from understudy.backend.speech.features import (
    FLOOR,
    QUIETEST,
    SpeechFeatures,
    at_frames,
    features_of,
    speech_features,
)
from understudy.backend.speech.spectrum import HOP, REACH, Analysis, pitches

from .voices import RATE, Voice, in_noise, music, noise, speak

NAMES = ("mel", "onset", "loudness", "pitch", "voiced", "activity")


def pulses(pitch: np.ndarray) -> np.ndarray:
    """A buzz whose pitch (N,) in Hz is told for every sample, with harmonics below 4 kHz."""
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return 0.1 * sum(np.sin(k * phase) / k for k in range(1, int(4000 / pitch.max())))


def test_shapes_ranges_and_length(voice: Voice, features: SpeechFeatures) -> None:
    frames = round(len(voice.samples) / RATE * 30)
    assert features.mel.shape == (frames, 80)
    for name in NAMES:
        values = getattr(features, name)
        assert len(values) == frames == len(features)
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    assert features.seconds == len(voice.samples) / RATE
    assert features.fps == 30.0
    assert features.mel.min() >= FLOOR
    assert features.loudness.min() >= QUIETEST
    assert features.onset.min() >= 0
    assert features.activity.min() >= 0 and features.activity.max() <= 1
    assert set(np.unique(features.voiced)) == {0.0, 1.0}
    assert ((features.pitch > 0) == (features.voiced > 0)).all()
    assert features.warnings == ()


@pytest.mark.parametrize("size", [1, 37, 1600, 16001])
def test_blocks_give_the_same_looks(voice: Voice, size: int) -> None:
    samples = voice.samples[: RATE // 4 if size < 100 else 4 * RATE]
    whole, cut = Analysis(), Analysis()
    at_once = [whole.push(samples), whole.finish()]
    in_blocks = [cut.push(samples[k : k + size]) for k in range(0, len(samples), size)] + [cut.finish()]
    for name in ("mel", "flux", "power", "pitch", "harmonicity"):
        one, many = (
            np.concatenate([getattr(look, name) for look in looks]) for looks in (at_once, in_blocks)
        )
        assert len(one) == len(many) == -(-len(samples) // HOP) + 1
        np.testing.assert_allclose(one, many, rtol=1e-4, atol=1e-6)


@given(st.integers(1, 9000))
@settings(max_examples=20)
def test_any_length_has_features(count: int) -> None:
    features = features_of(noise(1.0)[:count])
    assert len(features) == max(int(count / RATE * 30 + 0.5), 1)
    assert np.isfinite(features.mel).all()


def test_a_file_gives_what_its_samples_give(tmp_path: Path, voice: Voice, features: SpeechFeatures) -> None:
    soundfile.write(tmp_path / "v.wav", voice.samples, RATE, subtype="FLOAT")
    read = speech_features(tmp_path / "v.wav")
    for name in NAMES:
        np.testing.assert_allclose(getattr(read, name), getattr(features, name), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("gain", [0.02, 5.0])
def test_a_louder_recording_is_the_same_voice(voice: Voice, features: SpeechFeatures, gain: float) -> None:
    louder = features_of(voice.samples * gain)
    np.testing.assert_allclose(louder.loudness, features.loudness, atol=0.1)
    np.testing.assert_allclose(louder.mel, features.mel, atol=0.05)
    np.testing.assert_allclose(louder.onset, features.onset, atol=0.01)
    assert np.mean((louder.activity > 0.5) == (features.activity > 0.5)) > 0.99


def test_frames_are_where_they_say_for_an_hour() -> None:
    """Look k is at k / 100 s (its windows are counted in samples), frame t at t / 30 s: ten looks are three frames."""
    seconds = np.arange(360001) / 100
    np.testing.assert_allclose(
        at_frames(seconds, 108000)[1:], np.arange(1, 108000) / 30, rtol=1e-6, atol=2e-3
    )
    late = np.zeros(360001)
    late[359960] = 1.0
    assert at_frames(late, 108000).argmax() == 107988


def test_a_click_lies_in_its_frame() -> None:
    for frame in (30, 31, 32, 298):
        samples = np.zeros(RATE * 10)
        samples[round(frame / 30 * RATE)] = 0.5
        loudness = features_of(samples).loudness
        assert loudness.argmax() == frame
        assert loudness[frame - 1] == pytest.approx(loudness[frame + 1], abs=4.0)


# ------------------------------------------------------------------------------------------- pitch


@pytest.mark.parametrize("hertz", [70, 110, 180, 260, 420])
def test_pitch_of_a_steady_buzz(hertz: float) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(pulses(np.full(RATE, float(hertz))), 2 * REACH)[::HOP]
    pitch, harmonicity = pitches(windows)
    np.testing.assert_allclose(pitch, hertz, rtol=0.01)
    assert harmonicity.min() > 0.85


def test_pitch_follows_a_glide() -> None:
    glide = np.linspace(100, 300, 2 * RATE)
    windows = np.lib.stride_tricks.sliding_window_view(pulses(glide), 2 * REACH)[::HOP]
    pitch, _ = pitches(windows)
    expected = glide[REACH : len(glide) - REACH + 1 : HOP]
    np.testing.assert_allclose(pitch, expected[: len(pitch)], rtol=0.02)


def test_noise_has_no_pitch() -> None:
    windows = np.lib.stride_tricks.sliding_window_view(noise(2.0), 2 * REACH)[::HOP]
    assert (pitches(windows)[1] > 0.5).mean() < 0.02


def test_voice_has_its_pitch(voice: Voice, features: SpeechFeatures) -> None:
    """120 Hz that falls by a third along a phrase and rises by a quarter at accents: 90 to 185 Hz."""
    heard = features.pitch[features.pitch > 0]
    assert ((heard > 85) & (heard < 190)).mean() > 0.97
    assert (features.voiced[voice.spoken()] > 0).mean() > 0.7
    assert (features.voiced[~voice.spoken()] > 0).mean() < 0.05


# ---------------------------------------------------------------------------------------- activity


@pytest.mark.parametrize(
    ("kind", "decibels", "share"),
    [
        ("white", 60, 0.97), ("white", 20, 0.97), ("white", 10, 0.96), ("white", 5, 0.95), ("white", 0, 0.92),
        ("pink", 10, 0.95), ("pink", 0, 0.90), ("hum", 5, 0.95),
    ],
)  # fmt: skip
def test_activity_in_noise(kind: str, decibels: float, share: float) -> None:
    right = []
    for seed, pitch in ((0, 120.0), (1, 210.0)):
        made = speak(seed, pitch=pitch)
        activity = features_of(in_noise(made, decibels, kind)).activity
        right.append(np.mean((activity > 0.5) == made.spoken()))
    assert np.mean(right) >= share


@pytest.mark.parametrize("seconds", [0.3, 0.8, 2.0])
def test_a_recording_cut_to_the_speech_is_speech(voice: Voice, seconds: float) -> None:
    start = voice.phrases[1, 0]
    cut = features_of(voice.samples[int(start * RATE) : int((start + seconds) * RATE)])
    assert cut.share > 0.8
    assert cut.warnings == ()


@pytest.mark.parametrize(
    ("samples", "says"),
    [
        (np.zeros(5 * RATE), "silent"),
        (noise(5.0, kind="white"), "No speech"),
        (noise(5.0, kind="pink"), "No speech"),
        (noise(5.0, kind="hum"), "No speech"),
        (music(kind="chords"), "music"),
        (music(kind="melody"), "music"),
        (music(kind="drums"), "music"),
        (noise(0.1), "short"),
    ],
    ids=["silence", "white", "pink", "hum", "chords", "melody", "drums", "short"],
)
def test_what_is_no_speech_is_a_warning(samples: np.ndarray, says: str) -> None:
    features = features_of(samples)
    assert len(features.warnings) == 1
    assert says in features.warnings[0]


@pytest.mark.parametrize("seed", range(4))
def test_a_voice_is_not_warned_of(seed: int) -> None:
    made = speak(seed, 8.0, pitch=100.0 + 40 * seed)
    assert features_of(made.samples).warnings == ()
    assert features_of(in_noise(made, 10)).warnings == ()


def test_onsets_are_heard_in_speech_only(voice: Voice) -> None:
    features = features_of(in_noise(voice, 10))
    inside = np.convolve(voice.spoken().astype(float), np.ones(5), mode="same") > 0
    assert features.onset[~inside].max() == 0.0


@given(st.lists(st.booleans(), max_size=40))
def test_runs_are_where_flags_are(flags: list[bool]) -> None:
    found = np.zeros(len(flags), bool)
    for start, end in runs(np.array(flags, bool)):
        assert start < end
        found[start:end] = True
    assert found.tolist() == flags
