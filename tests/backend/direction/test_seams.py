"""Speeds that pass over where something new begins."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.direction.seams import softened
from understudy.backend.motion.clip import Clip

from .conftest import walking


def stopping(at: int, speed: float) -> Clip:
    """Somebody who stands still from one frame to the next."""
    clip = walking(speed=speed)
    frame = np.minimum(np.arange(len(clip)), at)
    return clip.replace(poses=clip.poses[frame], trans=clip.trans[frame])


def hardest(clip: Clip) -> float:
    """m/s², of the pelvis over the floor."""
    return float(np.linalg.norm(np.diff(clip.trans[:, [0, 2]], n=2, axis=0), axis=1).max()) * 900


@given(st.integers(30, 110), st.floats(0.8, 3.0))
def test_a_body_comes_to_a_stop_over_a_while(at: int, speed: float) -> None:
    clip = stopping(at, speed)
    soft = softened(clip, [at + 1])
    assert hardest(clip) > 25 * speed
    assert hardest(soft) < 8 * speed + 4
    assert np.allclose(soft.trans[: at + 1], clip.trans[: at + 1], atol=1e-12)
    assert np.array_equal(soft.poses[: at + 1], clip.poses[: at + 1])
    assert np.abs(np.diff(soft.trans[at + 20 :], axis=0)).max() < 1e-9, "and stands then"


@given(st.integers(30, 110))
def test_a_body_comes_up_to_the_speed_that_it_arrives_with(at: int) -> None:
    clip = walking()
    frame = np.maximum(np.arange(len(clip)), at)
    waiting = clip.replace(poses=clip.poses[frame], trans=clip.trans[frame])
    soft = softened(waiting, [], at)
    assert hardest(soft) < 0.5 * hardest(waiting)
    assert np.allclose(np.diff(soft.trans[at:], axis=0), np.diff(waiting.trans[at:], axis=0), atol=1e-9)
    assert np.allclose(soft.poses[at + 1 :], waiting.poses[at + 1 :])


def test_a_motion_that_goes_on_as_it_was_is_left_alone() -> None:
    clip = walking()
    soft = softened(clip, [60])
    assert np.abs(soft.trans - clip.trans).max() < 0.02
    assert np.array_equal(softened(clip, []).poses, clip.poses)
