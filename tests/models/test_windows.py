"""A voice in windows: no seam, the same however it is cut, progress and cancelling at every step."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from understudy.backend.errors import Cancelled
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.performance import windows
from understudy.backend.performance.joining import Joined
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.protocol.messages import GenerateParams

from ..speech.voices import RATE, speak

BLOCK = 40
"""Latent frames of the windows in these tests: five seconds."""


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline("open", "cpu")


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("voice") / "talk.wav"
    soundfile.write(path, speak(1, 17.0).samples, RATE)
    return path


def performed(
    pipeline: Pipeline, voice: Path, block: int, monkeypatch: pytest.MonkeyPatch, **more: object
) -> Clip:
    monkeypatch.setattr(windows, "BLOCK", block)
    return pipeline.generate(GenerateParams(speech=str(voice), seed=4, steps=1, **more))[0]  # type: ignore[arg-type]


@pytest.mark.parametrize("lower", [None, "a person walks forward"])
def test_windows_leave_no_seam(
    pipeline: Pipeline, voice: Path, monkeypatch: pytest.MonkeyPatch, lower: str | None
) -> None:
    """Joints are no faster where windows meet than elsewhere, and nothing jumps."""
    clip = performed(pipeline, voice, BLOCK, monkeypatch, lower=lower)
    assert len(clip) == 17 * 30
    joints = forward_kinematics(clip.poses[:, :22], clip.trans)[0]
    speed = 30.0 * np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(axis=1)
    harsh = 900.0 * np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1).max(axis=1)
    length = -(-len(clip) // 4)
    at = (np.linspace(0, length, round(length / BLOCK) + 1).round().astype(int) * 4)[1:-1]
    assert len(at) >= 2
    near = np.array([frame + step for frame in at for step in range(-8, 8)])
    away = np.setdiff1d(np.arange(len(speed)), near)
    assert np.mean(speed[near]) <= np.percentile(speed[away], 95)
    assert np.mean(harsh[near]) <= np.percentile(harsh[away[away < len(harsh)]], 95)


def test_who_stays_neither_drifts_nor_turns_and_still_moves() -> None:
    time = np.arange(300) / 30.0
    lower = np.zeros((300, 110))
    lower[:, 0] = 0.2 + np.cos(2 * np.pi * 1.5 * time)  # radians a second: away all the time, and to and fro
    lower[:, 1] = 0.1
    kept = windows.staying(lower)
    yaw = np.cumsum(kept[:, 0]) / 30.0
    assert np.abs(yaw).max() < 0.2 < np.cumsum(lower[:, 0])[-1] / 30.0
    assert np.ptp(yaw) > 0.15
    assert np.abs(np.cumsum(kept[:, 1]) / 30.0).max() < 0.01
    np.testing.assert_array_equal(kept[:, 3:], lower[:, 3:])


def test_cut_into_windows_or_not_it_is_the_same_motion(
    pipeline: Pipeline, voice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without clean-up, which looks at a window as a whole."""
    whole = performed(pipeline, voice, 1000, monkeypatch, cleanup=False)
    cut = performed(pipeline, voice, BLOCK, monkeypatch, cleanup=False)
    places = [forward_kinematics(clip.poses, clip.trans)[0] for clip in (whole, cut)]
    assert np.abs(places[0] - places[1]).max() < 0.005
    np.testing.assert_allclose(whole.expressions, cut.expressions, atol=1e-4)


def test_progress_rises_to_its_end(pipeline: Pipeline, voice: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "BLOCK", BLOCK)
    seen: list[tuple[int, int]] = []
    pipeline.generate(
        GenerateParams(speech=str(voice), steps=1),
        progress=lambda stage, done, total: seen.append((done, total)) if stage == "refine" else None,
    )
    assert [done for done, _ in seen] == list(range(1, seen[-1][1] + 1))
    assert len({total for _, total in seen}) == 1


@pytest.mark.parametrize("after", [1, 3])
def test_it_is_cancelled_at_any_step_and_no_thread_stays(pipeline: Pipeline, voice: Path, after: int) -> None:
    steps = 0

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal steps
        steps += stage == "refine"

    with pytest.raises(Cancelled):
        pipeline.generate(
            GenerateParams(speech=str(voice), steps=1), progress, cancelled=lambda: steps >= after
        )
    assert steps == after
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("understudy_plan")]


def test_samples_are_the_same_alone_and_together(pipeline: Pipeline, tmp_path: Path) -> None:
    """Twice the same seed is twice the same clip, and samples differ."""
    soundfile.write(tmp_path / "a.wav", speak(2, 4.0).samples, RATE)
    request = GenerateParams(speech=str(tmp_path / "a.wav"), samples=2, steps=1, seed=7)
    first, again = pipeline.generate(request), pipeline.generate(request)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_allclose(one.poses, other.poses, atol=1e-5)
    assert np.abs(first[0].poses - first[1].poses).max() > 0.1


def test_windows_that_stand_apart_are_brought_together() -> None:
    """The second window stands elsewhere, as a clean-up of its own may leave it."""
    count = 100
    contacts = np.ones((count, 4))
    still = Clip(np.zeros((count, 55, 3)), np.zeros((count, 3)), 30.0, contacts=contacts)
    joined = Joined(140)
    joined.add(still, 0, 0, 80)
    joined.add(still.slice(0, 80).replace(trans=np.full((80, 3), (0.03, 0.0, -0.02))), 60, 80, 140)
    clip = joined.clip()
    assert len(clip) == 140
    assert np.abs(clip.trans).max() < 1e-6
    assert (clip.contacts == 1).all()
