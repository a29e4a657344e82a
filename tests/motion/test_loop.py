"""Loops: the cycle is found, its end goes over into its start, and it goes on or stays in place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip, rotate_world
from understudy.backend.motion.loop import PATHS, LoopPath, find_cycle, loop, repeat
from understudy.backend.motion.skeleton import J0

from .synthetic import random_clip, spoil, walk


def speed_changes(clip: Clip) -> np.ndarray:
    """(T - 2,) the largest change of speed in m/s of any joint, from frame to frame."""
    return np.linalg.norm(np.diff(clip.joints()[:, :22], n=2, axis=0), axis=-1).max(axis=1) * clip.fps


def turning_walk() -> Clip:
    """A walk along a circle: every frame is turned on about a point aside."""
    clip = walk(4.0)[0]
    angle = 0.5 * np.arange(len(clip)) / 30
    poses, trans = np.array(clip.poses), np.array(clip.trans)
    for i, a in enumerate(angle):
        turned = rotate_world(clip.slice(i, i + 1), rotations.yaw_matrix(np.asarray(a)))
        poses[i], trans[i] = turned.poses[0], turned.trans[0]
    trans[:, [0, 2]] = np.cumsum(np.stack([np.sin(angle), np.cos(angle)], axis=1) / 30, axis=0)
    return clip.replace(poses=poses, trans=trans)


def test_the_step_cycle_of_a_walk_is_found() -> None:
    start, stop = find_cycle(walk(4.0)[0])
    assert (stop - start) % 30 in (0, 1, 29)  # whole seconds: one double step a second
    short = find_cycle(walk(4.0)[0], longest=1.5)
    assert short[1] - short[0] in (29, 30, 31)


def test_standing_still_is_not_taken_for_the_cycle() -> None:
    """Two seconds of waving between two of standing: the waving is what repeats."""
    poses = np.zeros((180, 55, 3))
    time = np.arange(60) / 30
    poses[60:120, 17, 2] = 0.6 * np.sin(2 * np.pi * time) ** 2
    poses[:, 3, 1] = 0.002 * np.sin(np.arange(180))
    clip = Clip(poses=poses, trans=np.tile([0.0, 1.31, 0.0], (180, 1)), fps=30.0)
    start, stop = find_cycle(clip)
    assert start < 120
    assert stop > 60
    inside = np.ptp(poses[start:stop, 17, 2])
    assert inside > 0.5


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_no_jump_at_the_seam(path: LoopPath, noise: float) -> None:
    clip = spoil(walk(4.0)[0], noise=noise) if noise else walk(4.0)[0]
    cycle = loop(clip, start=13, stop=72, path=path)
    assert len(cycle) == 59
    changes = speed_changes(repeat(cycle, 3))
    seam = max(changes[57:60].max(), changes[116:119].max())
    assert seam <= 1.2 * np.percentile(changes, 98) + 0.02
    cut = clip.slice(13, 72).replace(meta={"loop": cycle.meta["loop"]})
    assert seam < 0.5 * speed_changes(repeat(cut, 3))[57:60].max()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 50), st.integers(20, 60), st.integers(0, 100))
def test_any_part_of_any_motion_loops(start: int, length: int, seed: int) -> None:
    clip = random_clip(120, seed=seed)
    cycle = loop(clip, start=start, stop=start + length)
    twice = repeat(cycle, 2)
    root = rotations.axis_angle_to_matrix(twice.poses[:, 0])
    assert np.isfinite(twice.poses).all()
    steps = rotations.geodesic_angle(
        rotations.axis_angle_to_matrix(twice.poses[1:, 1:]),
        rotations.axis_angle_to_matrix(twice.poses[:-1, 1:]),
    ).max(axis=1)
    # The step over the seam is one like its neighbours.
    assert steps[length - 1] <= 1.3 * max(
        steps[length - 3 : length - 1].max(), steps[length : length + 2].max()
    )
    assert rotations.geodesic_angle(root[1:], root[:-1])[length - 1] < 1.0


def test_the_root_goes_on() -> None:
    cycle = loop(walk(4.0)[0], start=10, stop=70)
    way = np.asarray(cycle.meta["loop"]["way"])
    np.testing.assert_allclose(way, [0.0, 0.0, 2.0], atol=0.01)
    long = repeat(cycle, 4)
    np.testing.assert_allclose(np.diff(long.trans[:, 2]) * 30, 1.0, atol=0.05)
    np.testing.assert_allclose(long.trans[180] - long.trans[0], 3 * way, atol=1e-9)


def test_a_turning_cycle_goes_round() -> None:
    cycle = loop(turning_walk(), start=15, stop=75)
    assert cycle.meta["loop"]["turn"] == pytest.approx(1.0, abs=0.03)
    long = repeat(cycle, 6)
    steps = np.diff((long.trans + J0)[:, [0, 2]], axis=0)
    heading = np.unwrap(np.arctan2(steps[:, 0], steps[:, 1]))
    assert heading[-1] - heading[0] == pytest.approx(6.0, abs=0.1)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1) * 30, 1.0, atol=0.15)
    assert np.abs(np.diff(heading)).max() < 0.1


def test_in_place_stays_in_place() -> None:
    for clip in (walk(4.0)[0], turning_walk()):
        cycle = loop(clip, start=15, stop=75, path="in place")
        long = repeat(cycle, 5)
        assert np.abs(np.ptp(long.trans[:, [0, 2]], axis=0)).max() < 0.15
        headings = rotations.heading(rotations.axis_angle_to_matrix(long.poses[:, 0]))
        assert np.ptp(np.unwrap(headings)) < 0.2
        np.testing.assert_allclose(long.trans[:60], long.trans[60:120], atol=1e-9)


def test_straight_goes_on_without_turning() -> None:
    cycle = loop(turning_walk(), start=15, stop=75, path="straight")
    assert cycle.meta["loop"]["turn"] == 0.0
    long = repeat(cycle, 5)
    headings = np.unwrap(rotations.heading(rotations.axis_angle_to_matrix(long.poses[:, 0])))
    assert np.ptp(headings) < 0.2
    steps = np.diff(long.trans[:, [0, 2]], axis=0)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1) * 30, 1.0, atol=0.15)
    assert np.ptp(np.unwrap(np.arctan2(steps[:, 0], steps[:, 1]))) < 0.2


def test_the_middle_is_left_alone() -> None:
    clip = walk(4.0)[0]
    cycle = loop(clip, start=20, stop=80, seconds=0.2)
    np.testing.assert_allclose(cycle.joints()[7:53], clip.joints()[27:73], atol=1e-9)


def test_expressions_loop_too() -> None:
    clip = random_clip(60)
    ramp = np.linspace(0, 1, 60)[:, None] * np.ones(100)
    cycle = loop(clip.replace(expressions=ramp), start=0, stop=50)
    assert cycle.expressions is not None
    assert np.abs(cycle.expressions[0] - cycle.expressions[-1]).max() < 0.05
    assert np.abs(np.diff(cycle.expressions, axis=0)).max() < 0.2


def test_what_is_no_cycle_is_refused() -> None:
    clip = walk(2.0)[0]
    for start, stop in ((-1, 20), (30, 31), (10, 61)):
        with pytest.raises(BadInput, match="no cycle"):
            loop(clip, start=start, stop=stop)
    with pytest.raises(BadInput, match="in place"):
        loop(clip, path="sideways")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="too short"):
        find_cycle(clip.slice(0, 10))
    with pytest.raises(BadInput, match="make one"):
        repeat(clip, 2)
    with pytest.raises(BadInput, match="at least once"):
        repeat(loop(clip, start=0, stop=30), 0)
