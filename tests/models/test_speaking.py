"""A voice in, a clip out: as long as the recording, with a face, whatever the recording is like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from understudy.backend.errors import BadInput
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.protocol.messages import GenerateParams, parse

from .conftest import make_pack

RATE = 16000


def syllables(seconds: float, rate: int = RATE) -> np.ndarray:
    """Four buzzing syllables a second for a while, then silence for as long."""
    time = np.arange(round(seconds * rate)) / rate
    buzz = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
    swell = np.clip(np.sin(2 * np.pi * 4 * time), 0, 1) * (time < seconds / 2)
    return (0.2 * buzz * swell).astype(np.float32)


@pytest.fixture(scope="module")
def pipeline(tiny_pack: Path) -> Pipeline:
    return load_pipeline(str(tiny_pack), "cpu")


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("voice") / "hello.wav"
    soundfile.write(path, syllables(4.03), RATE)
    return path


@pytest.mark.parametrize("samples", [1, 2])
def test_the_clip_is_as_long_as_the_voice_and_has_a_face(
    pipeline: Pipeline, voice: Path, samples: int
) -> None:
    clips = pipeline.generate(GenerateParams(speech=str(voice), samples=samples, seed=3))
    assert len(clips) == samples
    for clip in clips:
        assert len(clip) == round(4.03 * 30)
        assert clip.known["face"]
        assert clip.meta["speech"] == "hello.wav"
        assert clip.meta["prompt"] == ""
        jaw = np.abs(clip.poses[:, 22]).sum(axis=1)
        assert jaw[:55].max() > 0.05 > jaw[75:].max()


def test_words_and_wishes_go_with_a_voice(pipeline: Pipeline, voice: Path) -> None:
    plain = pipeline.generate(GenerateParams(speech=str(voice)))[0]
    walking = pipeline.generate(GenerateParams(speech=str(voice), lower="walks forward"))[0]
    assert len(plain) == len(walking)
    assert not np.allclose(plain.trans, walking.trans, atol=1e-4)
    assert walking.meta["lower"] == "walks forward"


def test_the_shortest_voice_still_is_a_clip(pipeline: Pipeline, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "ah.wav", syllables(0.1), RATE)
    (clip,) = pipeline.generate(GenerateParams(speech=str(tmp_path / "ah.wav")))
    assert len(clip) == 3


def test_silence_is_said_and_performed(pipeline: Pipeline, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "hush.wav", np.zeros(2 * RATE, np.float32), RATE)
    (clip,) = pipeline.generate(GenerateParams(speech=str(tmp_path / "hush.wav")))
    assert len(clip) == 60
    assert any("speech" in warning or "silen" in warning for warning in clip.meta["warnings"])
    assert np.abs(clip.poses[:, 22]).max() < 0.02


@pytest.mark.parametrize("kind", ["8 kHz", "7 channels", "music", "noise"])
def test_odd_recordings_are_performed_all_the_same(pipeline: Pipeline, tmp_path: Path, kind: str) -> None:
    rate = 8000 if kind == "8 kHz" else RATE
    samples = syllables(4.0, rate)
    if kind == "7 channels":
        samples = np.repeat(samples[:, None], 7, axis=1)
    elif kind == "music":
        time = np.arange(4 * rate) / rate
        samples = 0.2 * np.sin(2 * np.pi * 440 * time).astype(np.float32)
    elif kind == "noise":
        samples = (0.1 * np.random.default_rng(1).standard_normal(4 * rate)).astype(np.float32)
    soundfile.write(tmp_path / "odd.wav", samples, rate)
    (clip,) = pipeline.generate(GenerateParams(speech=str(tmp_path / "odd.wav")))
    assert len(clip) == 120
    assert np.isfinite(clip.poses).all() and np.isfinite(clip.trans).all()


@pytest.mark.parametrize("kind", ["empty", "jpeg", "garbage", "numbers that are not finite"])
def test_recordings_that_cannot_be_used_are_a_sentence(pipeline: Pipeline, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bad.wav"
    if kind == "numbers that are not finite":
        soundfile.write(path, np.full(RATE, np.nan, np.float32), RATE, subtype="FLOAT")
    else:
        path.write_bytes(
            {
                "empty": b"",
                "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(2000),
                "garbage": bytes(range(256)) * 9,
            }[kind]
        )
    with pytest.raises(BadInput) as caught:
        pipeline.generate(GenerateParams(speech=str(path)))
    assert caught.value.field == "speech"
    assert caught.value.message.count(".") <= 3 and "\n" not in caught.value.message


def test_a_transcript_is_heard(pipeline: Pipeline, voice: Path, tmp_path: Path) -> None:
    plain = pipeline.generate(GenerateParams(speech=str(voice)))[0]
    said = pipeline.generate(GenerateParams(speech=str(voice), transcript="No no, never ever."))[0]
    assert len(said) == len(plain)
    assert not np.allclose(said.poses, plain.poses)
    with pytest.raises(BadInput) as caught:
        pipeline.generate(GenerateParams(speech=str(voice), transcript=str(tmp_path / "none.srt")))
    assert caught.value.field == "transcript"


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({}, "neither a prompt nor a voice"),
        ({"speech": "a.wav", "seconds": 3.0}, "A voice decides the length"),
        ({"speech": ""}, "speech is empty"),
        ({"prompt": "a person waves", "transcript": "Hello"}, "there is no voice"),
    ],
)
def test_requests_that_contradict_themselves(request_: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        parse(GenerateParams, request_)


def test_a_missing_recording_and_a_pack_that_cannot_hear(
    pipeline: Pipeline, voice: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as caught:
        pipeline.generate(GenerateParams(speech=str(tmp_path / "none.wav")))
    assert caught.value.field == "speech"
    deaf = load_pipeline(str(make_pack(tmp_path, conditions=False)), "cpu")
    with pytest.raises(BadInput, match="cannot follow a voice"):
        deaf.generate(GenerateParams(speech=str(voice)))
