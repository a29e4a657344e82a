"""What the store measures on every item: timing, quality, subject, emotion; broken meta data do no harm."""

from __future__ import annotations

import math

import numpy as np
import pytest

from understudy.backend.motion.clip import Clip
from understudy.training.canonical.emotion import emotion_of_motion, emotion_of_text, label
from understudy.training.canonical.measure import measured


def wave(frames: int = 150, hz: float = 1.0, size: float = 0.8, **changes: object) -> Clip:
    """Both arms swing up and down in the picture's plane, ``hz`` times a second."""
    poses = np.zeros((frames, 55, 3))
    angle = size * np.sin(2 * np.pi * hz * np.arange(frames) / 30)
    poses[:, 16, 2], poses[:, 17, 2] = angle, -angle
    return Clip(poses, np.tile([0.0, 1.31, 0.0], (frames, 1)), 30.0).replace(**changes)


def test_every_block_of_an_ordinary_clip() -> None:
    clip = wave(
        betas=np.array([0.5, 0.1]), gender="female",
        meta={"original_fps": 120, "original_frames": 600, "fit_error_mm": 20.0},
    )  # fmt: skip
    result = measured(clip, ["a person waves happily"])
    assert result.motion_style is not None and result.quality is not None
    assert 0 < (result.motion_style.energy_level or 0) < 1 and (result.motion_style.smoothness or 0) > 0.9
    assert result.quality.physics_score == 1.0 and (result.quality.marker_quality or 0) > 0.99
    assert result.quality.reconstruction_confidence == pytest.approx(0.8)
    assert result.subject is not None
    assert (result.subject.height_cm, result.subject.gender) == (174.0, "female")
    assert result.temporal is not None
    assert result.temporal.model_dump() == {
        "original_fps": 120.0, "original_duration_sec": 5.0, "original_num_frames": 600,
    }  # fmt: skip
    assert result.emotion is not None and result.emotion.emotion_label == "excited"


def test_a_piece_reports_its_own_share_of_the_source() -> None:
    clip = wave(meta={"original_fps": 120.0, "original_frames": 600}).slice(30, 90)
    temporal = measured(clip).temporal
    assert temporal is not None
    assert (temporal.original_num_frames, temporal.original_duration_sec) == (240, 2.0)


@pytest.mark.parametrize("rate", ["120", None, math.nan, -1, 0, True, [30]])
def test_meta_data_from_files_may_be_anything(rate: object) -> None:
    result = measured(wave(meta={"original_fps": rate, "original_frames": "x", "fit_error_mm": math.inf}))
    assert result.temporal is None
    assert result.quality is not None and result.quality.reconstruction_confidence is None


def test_a_body_without_shape_or_with_a_broken_one_has_no_height() -> None:
    assert measured(wave()).subject is None
    assert measured(wave(betas=np.array([-40.0]))).subject is None
    assert measured(wave(betas=np.zeros(0))).subject is None


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 9, 10, 11])
def test_short_clips_are_measured(frames: int) -> None:
    assert measured(wave(frames)).motion_style is not None


def test_a_still_figure_has_no_energy_and_no_rhythm() -> None:
    style = measured(wave(size=0.0)).motion_style
    assert style is not None
    assert (style.energy_level, style.tempo, style.smoothness) == (0.0, 0.5, 1.0)


def test_a_teleport_fails_the_physics() -> None:
    clip = wave()
    trans = clip.trans.copy()
    trans[75:, 0] += 3.0
    quality = measured(clip.replace(trans=trans)).quality
    assert quality is not None and quality.physics_score == 0.0


def test_emotion_words_are_whole_words_and_are_averaged() -> None:
    assert emotion_of_text(["a person puts a saddle on the contents"]) is None
    assert emotion_of_text([]) is None
    sad, both = emotion_of_text(["He walks sadly."]), emotion_of_text(["he is sad", "then happy"])
    assert sad is not None and (sad.emotion_label, sad.valence, sad.arousal) == ("sad", -0.7, 0.3)
    assert both is not None and both.emotion_label == "neutral" and both.valence == pytest.approx(0.05)
    assert [label(v, a) for v, a in ((0.5, 0.9), (0.5, 0.5), (-0.5, 0.9), (-0.5, 0.1), (0.3, 1.0))] == [
        "excited", "happy", "angry", "sad", "neutral",
    ]  # fmt: skip


def test_no_feeling_is_read_into_a_quiet_motion() -> None:
    quiet = emotion_of_motion(np.zeros((30, 48)), 30.0)
    assert quiet is not None and quiet.emotion_label is None and quiet.arousal == 0.0
