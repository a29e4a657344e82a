"""Metrics of talkers against cases made by hand, and the command that measures clips with their voices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import write_clip
from understudy.backend.motion.skeleton import INDEX
from understudy.backend.speech.rhythm import syllables
from understudy.training import cli
from understudy.training.data.item import Item
from understudy.training.data.prepare import write_index
from understudy.training.evaluation.cospeech import UPPER_BODY
from understudy.training.evaluation.onsets import onsets
from understudy.training.evaluation.speech_metrics import (
    CHIN,
    Heard,
    body_numbers,
    clip_numbers,
    face_numbers,
    joints_of,
    mouth_numbers,
    shifted_numbers,
    spread,
    table,
)
from understudy.training.evaluation.talkers import Measuring, Talker
from understudy.training.stages.gestures import latents_of, load_judge

from ..speech.voices import RATE, speak
from .test_cospeech import stopping
from .test_stages import gait

ONES = np.ones(55)


def test_onsets_are_those_that_librosa_finds() -> None:
    rng = np.random.default_rng(0)
    bursts = np.zeros(32000, np.float32)
    for start in (5000, 9000, 20000, 26000):
        bursts[start : start + 800] += rng.normal(size=800) * np.linspace(1, 0, 800)
    # librosa 0.11.0: onset.onset_detect(y=bursts, sr=16000, hop_length=512, units="time")
    np.testing.assert_allclose(onsets(bursts), [0.32, 0.352, 0.576, 0.608, 1.28, 1.632, 1.664])
    assert len(onsets(np.zeros(32000, np.float32))) == len(onsets(bursts[:1000])) == 0


@pytest.fixture(scope="module")
def heard() -> Heard:
    return Heard.of(speak(3, 16.0).samples)


def test_what_is_shifted_comes_later_and_round_the_end(heard: Heard) -> None:
    later = heard.shifted(3.0)
    np.testing.assert_array_equal(later.samples[3 * RATE :], heard.samples[: -3 * RATE])
    np.testing.assert_array_equal(later.samples[: 3 * RATE], heard.samples[-3 * RATE :])


def test_onsets_are_looked_for_between_the_edges_alone(heard: Heard) -> None:
    found = heard.onsets(480, 30.0)
    assert len(found) > 5 and found.min() >= 2.0 and found.max() <= 14.0
    inside = heard.samples[2 * RATE : 14 * RATE]
    np.testing.assert_allclose(found, onsets(inside) + 2.0)


def test_the_envelope_is_the_root_mean_square() -> None:
    time = np.arange(2 * RATE) / RATE
    loud = np.where(time < 1.0, 0.5, 0.1) * np.sin(2 * np.pi * 200 * time) * np.sqrt(2)
    envelope = Heard.of(loud.astype(np.float32)).envelope(60, 30.0)
    np.testing.assert_allclose(envelope[2:28], 0.5, atol=0.01)
    np.testing.assert_allclose(envelope[32:58], 0.1, atol=0.01)


def test_stops_at_the_onsets_are_consistent_and_who_never_stops_is_not(heard: Heard) -> None:
    times = syllables(heard.features)
    apart: list[float] = []
    for time in times:
        if not apart or time - apart[-1] > 1.5:
            apart.append(float(time))
    joints = stopping(apart, seconds=16.0, joints=55)
    own = body_numbers(joints, 30.0, heard, ONES)
    still = stopping([1.0], seconds=16.0, joints=55)  # the one stop is among the first two seconds
    assert own["bc_syllables"] > 0.4 and own["bc"] > 0.4
    assert body_numbers(still, 30.0, heard, ONES)["bc_syllables"] == 0.0
    resting = joints.copy()
    resting[:, list(UPPER_BODY)] = 0.0
    assert body_numbers(resting, 30.0, heard, ONES)["bc"] == 0.0


def test_hands_that_move_with_the_loudness_follow_it_and_rest_in_pauses(heard: Heard) -> None:
    joints = np.zeros((len(heard.features), 55, 3))
    volume = np.maximum(heard.features.loudness + 40.0, 0.0)
    joints[:, 20, 0] = np.cumsum(volume) / 300.0
    found = body_numbers(joints, 30.0, heard, ONES)
    assert found["follows"] > 0.9 and found["pauses"] < 0.8
    still = body_numbers(np.zeros((len(heard.features), 55, 3)), 30.0, heard, ONES)
    assert still["follows"] == 0.0


def speaking(jaw: np.ndarray, expressions: np.ndarray | None = None) -> Clip:
    poses = np.zeros((len(jaw), 55, 3))
    poses[:, INDEX["jaw"], 0] = jaw
    known = {"lower_trans": True, "upper": True, "hands": False, "face": True}
    return Clip(poses, np.zeros((len(jaw), 3)), 30.0, expressions=expressions, known=known)


@pytest.mark.parametrize("late", [-2, 0, 3])
def test_the_mouths_lag_is_found(heard: Heard, late: int) -> None:
    found = mouth_numbers(speaking(0.2 * np.roll(heard.envelope(480, 30.0), late)), heard)
    assert found["jaw_lag"] == late
    assert (found["jaw"] > 0.99) == (late == 0)


def test_a_shut_mouth_and_an_unknown_face_have_no_numbers(heard: Heard) -> None:
    assert mouth_numbers(speaking(np.zeros(480)), heard) == {}
    clip = speaking(heard.envelope(480, 30.0))
    assert mouth_numbers(clip.replace(known={**clip.known, "face": False}), heard) == {}


def test_faces_beside_captured_ones() -> None:
    rng = np.random.default_rng(0)
    real = 0.1 * rng.random(90)
    shown = rng.normal(size=(90, 100)) * np.linspace(1, 0.1, 100)
    captured = speaking(real, shown)
    same = face_numbers(captured, captured)
    assert same == pytest.approx(
        {"jaw_captured": 1.0, "expressions_captured": 1.0, "chin_lvd": 0.0}, abs=1e-9
    )
    opposite = face_numbers(speaking(0.1 - real, -shown), captured)
    assert opposite["jaw_captured"] == pytest.approx(-1) and opposite[
        "expressions_captured"
    ] == pytest.approx(-1)
    # A jaw that turns by a degree a frame beside one that rests: the chin's path is an arc.
    turned = face_numbers(speaking(np.radians(np.arange(90.0))), speaking(np.zeros(90)))
    angle = np.radians(np.arange(90.0))
    y, z = CHIN[1:]
    path = np.stack([y * np.cos(angle) - z * np.sin(angle), y * np.sin(angle) + z * np.cos(angle)], axis=1)
    assert turned["chin_lvd"] == pytest.approx(1000 * np.abs(np.diff(path, axis=0)).sum() / 90, rel=1e-6)


def test_what_depends_on_no_voice_is_not_measured_with_another(heard: Heard) -> None:
    clip = gait(480, speed=0.0)
    own = clip_numbers(clip, heard, ONES)
    other = shifted_numbers(clip, [heard.shifted(3.0), heard.shifted(5.0)], ONES)
    assert "l1div" in own and "l1div" not in other and {"bc", "follows"} <= set(other)
    assert np.allclose(joints_of(clip)[:, 0], 0.0)


def test_a_table_has_what_was_measured() -> None:
    groups = {"captured": spread([{"bc": 0.4}]), "made": spread([{"bc": 0.3, "l1div": 12.0}, {"bc": 0.5}])}
    assert groups["made"] == {"bc": (0.4, pytest.approx(0.1)), "l1div": (12.0, 0.0)}
    lines = table(groups, {"captured": 1, "made": 2}).splitlines()
    assert lines[0] == "| | clips | BC | L1div |"
    assert lines[2] == "| captured | 1 | 0.400 |  |"
    assert lines[3] == "| made | 2 | 0.400 ± 0.100 | 12.00 ± 0.00 |"


# --- the judge and the command ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    (folder / "clips/beat2").mkdir(parents=True)
    items = []
    for i, split in enumerate(("train", "val")):
        write_clip(gait(240, speed=0.0, phase=i), folder / f"clips/beat2/t{i}.npz")
        soundfile.write(folder / f"clips/beat2/t{i}.wav", speak(i, 8.0).samples, RATE)
        items.append(
            Item(
                dataset="beat2", motion_name=f"t{i}", split=split, path=f"clips/beat2/t{i}.npz", end_frame=240,
                known=["lower_trans", "upper"], speech=f"clips/beat2/t{i}.wav",
            )
        )  # fmt: skip
    write_index(folder, items)
    return folder


@pytest.fixture(scope="module")
def judge(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judge")
    config = folder / "config.yaml"
    config.write_text(
        f"store: {store}\nout: {folder / 'run'}\nparts: [lower_trans, upper]\nsteps: 3\nbatch_size: 4\nwarmup: 1\n"
        "window: 32\nmodel: {width: 16, latent: 6, depth: 1}\n"
    )
    assert cli.main(["stage", "gestures", "--config", str(config)]) == 0
    return folder / "run"


def test_the_judge_tells_another_motion_from_the_captured_one(store: Path, judge: Path) -> None:
    model, parts = load_judge(judge)
    assert latents_of(model, np.zeros((43, 132), np.float32)).shape == (10, 6) and parts == [
        "lower_trans",
        "upper",
    ]
    voice = Heard.of(speak(0, 8.0).samples)
    measuring = Measuring([Talker("t", voice, gait(240, speed=0.0))], judge)
    for group, clip in (
        ("made", gait(240, speed=0.0)),
        ("made of silence", gait(240, speed=0.0, period=0.3)),
    ):
        clip = clip if group == "made" else clip.replace(poses=3.0 * clip.poses)
        measuring.add(group, Talker("t", voice, gait(240, speed=0.0)), clip, 1)
    found = measuring.result()
    assert found["made"]["fgd"][0] == pytest.approx(0.0, abs=1e-4)
    assert found["made of silence"]["fgd"][0] > found["captured"]["fgd"][0] >= 0.0


def test_clips_made_elsewhere_are_measured(store: Path, judge: Path, tmp_path: Path, capsys) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    for i in (1, 2):
        write_clip(gait(240, speed=0.0, phase=2.0), clips / f"t{i}.npz")
        soundfile.write(clips / f"t{i}.wav", speak(i, 8.0).samples, RATE)
    out, page = tmp_path / "numbers.json", tmp_path / "page.md"
    words = ["speech-metrics", "--clips", str(clips), "--store", str(store), "--judge", str(judge)]
    assert cli.main([*words, "--out", str(out), "--page", str(page)]) == 0
    numbers = json.loads(out.read_text())
    assert {g: row["clips"] for g, row in numbers.items()} == {
        "captured": 1, "captured, other sound": 1, "made": 2, "made, other sound": 2,
    }  # fmt: skip
    assert numbers["made"]["l1div"]["mean"] > 0 and "fgd" in numbers["made"]
    assert page.read_text().strip() == capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--pack", "open"], "nobody to measure"),
        (["--clips", "."], r"no NAME\.npz with NAME\.wav"),
        (["--clips", ".", "--store", "."], "index"),
    ],
)
def test_nothing_to_measure_is_one_sentence(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["speech-metrics", *words]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_no_judge_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no judge"):
        load_judge(tmp_path)
