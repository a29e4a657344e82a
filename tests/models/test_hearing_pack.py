"""Packs that hear a voice themselves, and packs with a learned face."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.expressions import CHANNELS
from understudy.backend.motion.skeleton import INDEX
from understudy.backend.performance.telling import hear
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.protocol.messages import GenerateParams
from understudy.backend.speech.face_model import FILE, OUTPUTS, WIDTH, FaceModel
from understudy.backend.speech.features import features_of
from understudy.backend.speech.hearing import HEARD
from understudy.backend.speech.voice import Voice
from understudy.backend.speech.words import Word

from ..speech.voices import RATE, speak
from .conftest import TOKENIZERS, make_pack

OURS = list(CHANNELS.values())
SCANS = np.setdiff1d(np.arange(100), OURS)


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("voices")
    paths = [folder / f"{seed}.wav" for seed in range(2)]
    for seed, path in enumerate(paths):
        soundfile.write(path, speak(seed, 4.0).samples, RATE)
    return paths


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    heard = {"sound": HEARD, "words": 384, "plan": False}
    folder = make_pack(
        tmp_path_factory.mktemp("hearing"), conditions=False, parts=(*TOKENIZERS, "face"), heard=heard
    )
    return load_pipeline(str(folder), "cpu", "torch")


def perform(pipeline: Pipeline, **wishes: object) -> Clip:
    (clip,) = pipeline.generate(GenerateParams(seed=3, cleanup=False, **wishes))
    return clip


def test_another_voice_is_another_motion_and_as_long(hearing: Pipeline, voices: list[Path]) -> None:
    one, same, other = (perform(hearing, speech=str(voices[i])) for i in (0, 0, 1))
    assert len(one) == 120
    np.testing.assert_array_equal(one.poses, same.poses)
    assert np.abs(one.poses - other.poses).max() > 1e-3


def test_its_own_face_is_kept_and_a_body_of_ours_can_show_it(hearing: Pipeline, voices: list[Path]) -> None:
    clip = perform(hearing, speech=str(voices[0]))
    assert clip.known["face"] and clip.expressions is not None
    assert np.abs(clip.expressions[:, SCANS]).max() > 0  # which no rule of ours moves
    assert np.abs(clip.poses[:, INDEX["left_eye_smplhf"]]).max() > 0  # the eyes live
    assert clip.expressions[:, CHANNELS["blink_left"]].max() > 0.5


def test_sound_and_words_have_a_strength_each(hearing: Pipeline, voices: list[Path]) -> None:
    plain = perform(hearing, speech=str(voices[0]))
    loud = perform(hearing, speech=str(voices[0]), guidances={"speech": 4.0})
    assert np.abs(plain.poses - loud.poses).max() > 1e-3
    with pytest.raises(BadInput, match=r"no guidance of 'words\.nose'"):
        perform(hearing, speech=str(voices[0]), guidances={"words.nose": 1.0})


def test_words_are_heard_where_they_are_known(hearing: Pipeline, voices: list[Path]) -> None:
    features = features_of(speak(0, 4.0).samples)
    voice = Voice(features, np.zeros((120, 3), np.float32))
    silent = hear(hearing.engine, hearing.config, voice, 30, 2)
    assert silent.words is None and silent.sound is not None and silent.rhythm is None
    assert silent.sound[0].shape == (2, 30, HEARD) and silent.sound[1].all()
    told = replace(voice, words=(Word("hello", 1.0, 2.0),))
    heard = hear(hearing.engine, hearing.config, told, 30, 2)
    assert heard.words is not None
    spoken = np.abs(heard.words[0][0]).max(axis=1) > 0
    assert spoken.nonzero()[0].tolist() == list(range(7, 15))
    assert hear(hearing.engine, hearing.config, None, 30, 2) == hear(
        hearing.engine, hearing.config, voice, None, 2
    )


def test_both_engines_hear_the_same(hearing: Pipeline, voices: list[Path]) -> None:
    other = load_pipeline(str(hearing.pack.path), "cpu", "onnx")
    transcript = "well this is what I say"
    one, two = (
        perform(pipeline, speech=str(voices[0]), transcript=transcript) for pipeline in (hearing, other)
    )
    assert other.engine.name == "onnx"
    np.testing.assert_allclose(one.poses, two.poses, atol=2e-3)
    assert one.expressions is not None and two.expressions is not None
    np.testing.assert_allclose(one.expressions, two.expressions, atol=2e-3)
    untold = perform(hearing, speech=str(voices[0]))
    assert np.abs(untold.poses - one.poses).max() > 1e-3


def face(folder: Path, *, commercial: bool = False) -> FaceModel:
    """A jaw that is always open by 0.1 and an expression that follows a band."""
    folder.mkdir(parents=True, exist_ok=True)
    weights, bias = np.zeros((WIDTH, OUTPUTS)), np.zeros(OUTPUTS)
    bias[0], weights[5, 3 + SCANS[0]] = 0.1, 0.5
    model = FaceModel(weights, bias, "X-NC", commercial)
    model.save(folder / FILE)
    return model


def test_a_learned_face_speaks_and_keeps_silent_without_a_voice(tmp_path: Path, voices: list[Path]) -> None:
    model = face(tmp_path / "face")
    folder = make_pack(tmp_path, licence="CC-BY-NC-4.0", face=tmp_path / "face")
    pipeline = load_pipeline(str(folder), "cpu")
    clip = perform(pipeline, speech=str(voices[0]))
    features = features_of(soundfile.read(voices[0], dtype="float32")[0])
    _, expected = model.perform(features, 0, len(clip))
    assert clip.expressions is not None
    np.testing.assert_allclose(clip.poses[:, INDEX["jaw"], 0], 0.1, atol=1e-6)
    np.testing.assert_allclose(clip.expressions[:, SCANS[0]], expected[:, SCANS[0]], atol=1e-2)
    silent = perform(pipeline, prompt="a person walks", seconds=3)
    assert np.abs(silent.poses[:, INDEX["jaw"], 0]).max() < 0.05
    card = (folder / "README.md").read_text()
    assert "X-NC" in card and "not for commercial use" in card


def test_a_face_for_research_does_not_go_into_a_free_pack(tmp_path: Path) -> None:
    face(tmp_path / "face")
    with pytest.raises(BadInput, match="may not be used commercially") as caught:
        make_pack(tmp_path, face=tmp_path / "face")
    assert caught.value.field == "face"
    face(tmp_path / "face", commercial=True)
    assert (make_pack(tmp_path / "free", face=tmp_path / "face") / FILE).exists()
