"""Joins: no jump in place or speed at the seam, the rest of both motions as it was, poses hit exactly."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.backend.errors import BadInput
from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip, move, resample, rotate_world
from understudy.backend.motion.join import KeyPose, bridge, hit_poses, join

from .synthetic import random_clip, walk


def largest_jump(clip: Clip, frame: int) -> float:
    """Change of speed in m/s of any body joint within two frames of a frame."""
    change = np.linalg.norm(np.diff(clip.joints()[:, :22], n=2, axis=0), axis=-1) * clip.fps
    return float(change[max(0, frame - 4) : frame + 2].max())


def usual_jump(*clips: Clip) -> float:
    return max(largest_jump(clip, frame) for clip in clips for frame in range(4, len(clip) - 4, 3))


def waving(frames: int = 60) -> Clip:
    time = np.arange(frames) / 30
    poses = np.zeros((frames, 55, 3))
    poses[:, 17, 2] = 0.4 + 0.5 * np.sin(6 * time)
    poses[:, 19, 1] = 0.8 + 0.4 * np.cos(5 * time)
    poses[:, 0, 1] = 0.3
    poses[:, 3, 0] = 0.1
    trans = np.tile([2.0, 1.3, -1.0], (frames, 1))
    return Clip(poses=poses, trans=trans, fps=30.0)


@pytest.mark.parametrize("at", [20, 37, 60])
@pytest.mark.parametrize("start", [0, 11])
def test_the_seam_has_no_jump(at: int, start: int) -> None:
    first, second = walk(2.0)[0], waving()
    joined = join(first, second, at=at, start=start)
    assert len(joined) == at + len(second) - start
    assert largest_jump(joined, at) < 1.2 * usual_jump(first, second) + 0.05
    cut = first.replace(
        poses=np.concatenate([first.poses[:at], second.poses[start:]]),
        trans=np.concatenate([first.trans[:at], second.trans[start:]]),
    )
    assert largest_jump(cut, at) > 3 * largest_jump(joined, at)  # a plain cut jumps


def test_the_speed_goes_on() -> None:
    first, second = walk(2.0)[0], waving()
    joined = join(first, second, at=40)
    before, after = (joined.trans[i + 1] - joined.trans[i] for i in (38, 39))
    np.testing.assert_allclose(after, before, atol=0.006)


def test_both_motions_are_what_they_were_away_from_the_seam() -> None:
    first, second = walk(2.0)[0], waving()
    joined = join(first, second, at=30, seconds=0.3)
    np.testing.assert_array_equal(joined.poses[:30], first.poses[:30])
    np.testing.assert_array_equal(joined.trans[:30], first.trans[:30])
    a, b = (rotations.axis_angle_to_matrix(p[:, 1:]) for p in (joined.poses[39:], second.poses[9:]))
    assert rotations.geodesic_angle(a, b).max() < 1e-6


def test_the_second_goes_on_from_where_the_first_was() -> None:
    first = rotate_world(walk(2.0)[0], rotations.yaw_matrix(np.asarray(1.0)))
    second = move(
        rotate_world(walk(2.0)[0], rotations.yaw_matrix(np.asarray(-2.0))), np.array([5.0, 0.0, 3.0])
    )
    joined = join(first, second)
    steps = np.diff(joined.trans[:, [0, 2]], axis=0)
    heading = np.arctan2(steps[:, 0], steps[:, 1])
    np.testing.assert_allclose(heading, 1.0, atol=0.1)  # straight on, at the first one's heading
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1) * 30, 1.0, atol=0.1)


def test_without_alignment_the_root_comes_to_where_the_second_is() -> None:
    joined = join(walk(1.0)[0], waving(), align=False)
    np.testing.assert_allclose(joined.trans[-1], [2.0, 1.3, -1.0], atol=1e-9)
    assert np.abs(np.diff(joined.trans, axis=0)).max() < 0.6


def test_the_same_motion_cut_in_two_is_whole_again() -> None:
    clip = walk(3.0)[0]
    joined = join(clip.slice(0, 50), clip.slice(40, 90), at=50, start=10)
    np.testing.assert_allclose(joined.joints(), clip.joints(), atol=0.02)


def test_other_frame_rates_and_all_that_belongs_to_a_clip() -> None:
    first, second = random_clip(40, 30.0, 1), resample(random_clip(60, 60.0, 2), 60.0)
    joined = join(first, second)
    assert joined.fps == 30.0
    assert joined.meta == first.meta
    assert joined.expressions is not None
    assert len(joined.expressions) == len(joined)
    assert (
        np.abs(joined.expressions[40] - joined.expressions[39]).max() < 12
    )  # noise in noise out, no length error
    assert joined.contacts is not None
    assert len(joined.contacts) == len(joined)
    assert join(first.replace(expressions=None), second).expressions is not None
    assert join(first.replace(contacts=None), second).contacts is None


@pytest.mark.parametrize("frames", [1, 2])
def test_single_poses(frames: int) -> None:
    joined = join(walk(1.0)[0].slice(0, frames), waving())
    assert np.isfinite(joined.poses).all()
    assert len(joined) == frames + 60


@pytest.mark.parametrize(("option", "value"), [("at", 0), ("at", 61), ("start", 60), ("start", -1)])
def test_frames_outside_are_refused(option: str, value: int) -> None:
    with pytest.raises(BadInput, match="not"):
        join(walk(2.0)[0], waving(), **{option: value})  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="zero seconds"):
        join(walk(2.0)[0], waving(), seconds=-1.0)


def test_a_key_pose_is_hit_exactly_and_fades() -> None:
    clip = walk(3.0)[0]
    wanted = waving().poses[17]
    trans = clip.trans[45] + [0.1, -0.05, 0.0]
    bent = hit_poses(clip, {45: KeyPose(wanted, trans)}, seconds=0.4)
    a, b = (rotations.axis_angle_to_matrix(p) for p in (bent.poses[45], wanted))
    assert rotations.geodesic_angle(a, b).max() < 1e-6
    np.testing.assert_allclose(bent.trans[45], trans)
    for part in (slice(0, 34), slice(57, 90)):
        np.testing.assert_array_equal(bent.poses[part], clip.poses[part])
    assert (
        np.abs(np.diff(bent.trans, n=2, axis=0)).max() < np.abs(np.diff(clip.trans, n=2, axis=0)).max() + 0.01
    )


def test_several_keys_are_all_hit() -> None:
    clip = walk(3.0)[0]
    poses = random_clip(90, seed=3).poses * 0.3
    keys = {frame: KeyPose(poses[frame], poses[frame, 0]) for frame in (0, 40, 44, 45, 89)}
    bent = hit_poses(clip, keys, seconds=0.5)
    for frame, key in keys.items():
        a, b = (rotations.axis_angle_to_matrix(p) for p in (bent.poses[frame], key.poses))
        assert rotations.geodesic_angle(a, b).max() < 1e-6
        np.testing.assert_allclose(bent.trans[frame], poses[frame, 0], atol=1e-12)


def test_only_the_chosen_joints_are_bent() -> None:
    clip = walk(2.0)[0]
    bent = hit_poses(clip, {30: KeyPose(waving().poses[10], joints=[17, 19])})
    others = [j for j in range(55) if j not in (17, 19)]
    np.testing.assert_array_equal(bent.poses[:, others], clip.poses[:, others])
    np.testing.assert_array_equal(bent.trans, clip.trans)
    np.testing.assert_allclose(bent.poses[30, [17, 19]], waving().poses[10, [17, 19]], atol=1e-9)


def test_bad_keys_are_refused() -> None:
    clip = walk(1.0)[0]
    with pytest.raises(BadInput, match="no frame 30"):
        hit_poses(clip, {30: KeyPose(np.zeros((55, 3)))})
    with pytest.raises(BadInput, match="55 joints"):
        hit_poses(clip, {3: KeyPose(np.zeros((22, 3)))})


def test_a_bridge_meets_both_ends() -> None:
    first = walk(2.0)[0]
    second = move(walk(2.0)[0], np.array([0.0, 0.0, 2.7]))
    between = bridge(first, second, 20)
    whole = first.replace(
        poses=np.concatenate([first.poses, between.poses, second.poses]),
        trans=np.concatenate([first.trans, between.trans, second.trans]),
    )
    assert len(between) == 20
    for seam in (60, 80):
        assert largest_jump(whole, seam) < 1.5 * usual_jump(first)
    steps = np.diff(whole.trans[:, 2])
    assert steps.min() > 0.0  # it goes on forwards all the time


def test_a_bridge_between_two_poses() -> None:
    a, b = waving().slice(3, 4), waving().slice(40, 41)
    between = bridge(a, b, 9)
    moved = np.linalg.norm(between.joints() - a.joints(), axis=-1).max(axis=1)
    assert (np.diff(moved) > 0).all()
    middle = rotations.geodesic_angle(
        rotations.axis_angle_to_matrix(between.poses[4, 17]), rotations.axis_angle_to_matrix(a.poses[0, 17])
    )
    whole = rotations.geodesic_angle(
        rotations.axis_angle_to_matrix(b.poses[0, 17]), rotations.axis_angle_to_matrix(a.poses[0, 17])
    )
    assert middle == pytest.approx(0.5 * whole, rel=1e-6)


def test_bad_bridges_are_refused() -> None:
    with pytest.raises(BadInput, match="at least one frame"):
        bridge(waving(), waving(), 0)
    with pytest.raises(BadInput, match="one frame rate"):
        bridge(waving(), resample(waving(), 60.0), 5)
