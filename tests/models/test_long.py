"""Long motions are decoded and cleaned up in pieces: as if at once, without a seam, in memory that stays."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.motion.cleanup import clean_up_with_report
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.features import clip_from_features, features_from_clip
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.skeleton import CONTACT_JOINTS
from understudy.backend.performance import cleaning, decoding
from understudy.backend.performance.decoding import decoded
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.protocol.messages import GenerateParams


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline("open", "cpu")


@pytest.fixture(scope="module")
def walk(pipeline: Pipeline) -> Clip:
    """Fifteen seconds as they are decoded."""
    wish = GenerateParams(prompt="a person walks forward", seconds=15.0, cleanup=False)
    return pipeline.generate(wish)[0]


def test_blocks_are_decoded_as_the_whole_is(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    latents = np.random.default_rng(0).standard_normal((2, 131, 160)).astype(np.float32)
    whole = pipeline.engine.decode(latents)
    monkeypatch.setattr(decoding, "BLOCK", 30)
    pieces = decoded(pipeline.engine, latents)
    assert whole.keys() == pieces.keys()
    for part, values in whole.items():
        assert np.abs(pieces[part] - values).max() < 1e-4


def test_clean_up_in_windows_leaves_no_seam(walk: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "WHOLE", 5.0)
    monkeypatch.setattr(cleaning, "WINDOW", 5.0)
    windows, report = cleaning.cleaned(walk)
    whole, at_once = clean_up_with_report(walk)
    assert len(windows) == len(whole)
    assert np.abs(windows.trans - whole.trans).max() < 0.1, "it goes where it went"
    assert report.after.slide <= at_once.after.slide + 1.0 and report.after.penetration < 0.1
    joints = forward_kinematics(windows.poses[:, :22], windows.trans)[0]
    harsh = 900.0 * np.linalg.norm(np.diff(joints, n=2, axis=0), axis=-1).max(axis=1)
    borders = (np.array([0, 1, 2, 3]) * len(walk) / 3).round().astype(int)[1:-1]
    near = np.array([frame + step for frame in borders for step in range(-12, 12)])
    away = np.setdiff1d(np.arange(len(harsh)), near)
    assert harsh[near].max() <= 1.5 * harsh[away].max()
    feet = joints[:, list(CONTACT_JOINTS)]
    assert windows.contacts is not None
    stands = (windows.contacts[1:] > 0.5) & (windows.contacts[:-1] > 0.5)
    slides = 30.0 * np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1)
    at_borders = np.zeros_like(stands)
    at_borders[near] = True
    assert np.median(slides[stands & at_borders]) < 0.05


def test_what_is_short_is_cleaned_up_at_once(walk: Clip) -> None:
    assert np.array_equal(cleaning.cleaned(walk)[0].poses, clean_up_with_report(walk)[0].poses)


def test_clean_up_takes_little_more_room_for_longer_motions(walk: Clip) -> None:
    """Beside the clip itself: ten minutes need no more than the windows of two."""
    features, _ = features_from_clip(walk)

    def room(times: int) -> float:
        long = clip_from_features({part: np.tile(values, (times, 1)) for part, values in features.items()})
        tracemalloc.start()
        made, _ = cleaning.cleaned(long)
        peak = tracemalloc.get_traced_memory()[1] - made.poses.nbytes - made.trans.nbytes
        tracemalloc.stop()
        return peak / 1e6

    assert room(16) < 1.25 * room(8)


def test_a_minute_and_more_of_a_script_is_whole(pipeline: Pipeline, tmp_path: Path) -> None:
    lines = [{"prompt": prompt, "seconds": 12.5} for prompt in ("a person walks", "a person waves") * 3]
    (clip,) = pipeline.generate(GenerateParams(script=lines, steps=1))
    assert len(clip) == 75 * 30 and np.isfinite(clip.poses).all() and "cleanup" in clip.meta
    joints = forward_kinematics(clip.poses[:, :22], clip.trans)[0]
    assert 30.0 * np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() < 15.0
