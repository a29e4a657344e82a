"""Tempo and energy as playing speed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.motion.clip import Clip
from understudy.backend.motion.style import measure_clip
from understudy.backend.performance.pace import frames_to_perform, pace, played

UNIT = st.floats(0, 1)


def swaying(frames: int) -> Clip:
    time = np.arange(frames) / 30
    poses = np.zeros((frames, 55, 3))
    poses[:, 16, 2] = 0.5 * np.sin(6 * time)
    return Clip(poses, np.tile([0, 1.3, 0], (frames, 1)), 30.0)


@given(UNIT, UNIT, st.integers(2, 400))
def test_what_is_performed_has_the_length_asked_for_when_it_is_played(
    tempo: float, energy: float, frames: int
) -> None:
    times = pace({"tempo": tempo, "energy": energy})
    clip = played(swaying(frames_to_perform(frames, times)), times, frames)
    assert len(clip) == frames
    assert clip.fps == 30.0


def test_more_of_either_is_faster_and_neither_is_as_it_was() -> None:
    assert pace({}) == pace({"smoothness": 1.0}) == 1.0
    assert pace({"tempo": 0.1}) < 1 < pace({"tempo": 0.9})
    assert pace({"energy": 0.1}) < 1 < pace({"energy": 0.9})
    clip = swaying(60)
    assert played(clip, 1.0) is clip


@pytest.mark.parametrize("times", [0.8, 1.25])
def test_tempo_and_energy_go_with_the_speed_and_smoothness_stays(times: float) -> None:
    before, after = measure_clip(swaying(200)), measure_clip(played(swaying(200), times))
    assert after["tempo"] == pytest.approx(times * before["tempo"], rel=0.05)
    assert after["energy_level"] == pytest.approx(times * before["energy_level"], rel=0.05)
    assert after["smoothness"] == pytest.approx(before["smoothness"], abs=0.15)
