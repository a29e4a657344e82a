"""The clip and what is done to it: resampling by time, mirror, turning the world."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip, mirror, move, place_at_origin, resample, rotate_world
from understudy.backend.motion.skeleton import INDEX, J0, MIRROR

from .synthetic import random_clip, walk


def same_poses(a: Clip, b: Clip, tolerance: float = 1e-9) -> None:
    np.testing.assert_allclose(
        rotations.axis_angle_to_matrix(a.poses), rotations.axis_angle_to_matrix(b.poses), atol=tolerance
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("poses", np.zeros((3, 54, 3))),
        ("poses", np.zeros((4, 55, 3))),
        ("trans", np.zeros((3, 2))),
        ("expressions", np.zeros((3, 50))),
        ("contacts", np.zeros((2, 4))),
    ],
)
def test_wrong_shape_is_refused_by_name(field: str, value: np.ndarray) -> None:
    good = {"poses": np.zeros((3, 55, 3)), "trans": np.zeros((3, 3)), "fps": 30.0}
    with pytest.raises(ValueError, match="shape"):
        Clip(**{**good, field: value})


def test_no_frames_and_no_rate_are_refused() -> None:
    with pytest.raises(ValueError, match="one frame"):
        Clip(poses=np.zeros((0, 55, 3)), trans=np.zeros((0, 3)), fps=30.0)
    for fps in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="frame rate"):
            Clip(poses=np.zeros((1, 55, 3)), trans=np.zeros((1, 3)), fps=fps)


def test_slice_cuts_everything() -> None:
    clip = random_clip(20)
    part = clip.slice(5, 9)
    assert len(part) == 4
    for name in ("poses", "trans", "expressions", "contacts"):
        np.testing.assert_array_equal(getattr(part, name), getattr(clip, name)[5:9])


@given(
    frames=st.integers(2, 90),
    source=st.sampled_from([24.0, 25.0, 30.0, 59.94, 60.0, 100.0, 120.0, 150.0, 250.0]),
    target=st.sampled_from([12.5, 20.0, 24.0, 30.0, 60.0, 120.0]),
)
def test_resampling_keeps_the_duration(frames: int, source: float, target: float) -> None:
    clip = random_clip(frames, source)
    result = resample(clip, target)
    assert result.fps == target
    span, kept = (frames - 1) / source, (len(result) - 1) / target
    assert kept <= span + 1e-6
    assert span - kept < 1 / target + 1e-6


@pytest.mark.parametrize("source", [100.0, 120.0, 59.99998856, 250.0])
def test_resampling_plays_at_the_right_speed(source: float) -> None:
    """The trap of int(source / target): 100 to 30 fps by steps of three plays 11 % too fast."""
    frames = round(3 * source) + 1
    trans = np.zeros((frames, 3))
    trans[:, 2] = 1.5 * np.arange(frames) / source
    poses = np.zeros((frames, 55, 3))
    poses[:, 0, 1] = 0.7 * np.arange(frames) / source
    result = resample(Clip(poses=poses, trans=trans, fps=source), 30.0)
    time = np.arange(len(result)) / 30
    np.testing.assert_allclose(result.trans[:, 2], 1.5 * time, atol=1e-6)
    np.testing.assert_allclose(result.poses[:, 0, 1], 0.7 * time, atol=1e-6)
    assert abs(len(result) - 91) <= 1


def test_resampling_turns_the_short_way() -> None:
    poses = np.zeros((2, 55, 3))
    poses[:, 0, 1] = [np.pi - 0.1, -np.pi + 0.1]
    middle = resample(Clip(poses=poses, trans=np.zeros((2, 3)), fps=1.0), 2.0).poses[1, 0]
    assert abs(middle[1]) == pytest.approx(np.pi)


def test_resampling_to_the_same_rate_changes_nothing() -> None:
    clip = random_clip()
    assert resample(clip, clip.fps) is clip


def test_resampling_up_and_down_gives_the_clip_back() -> None:
    clip = random_clip(30, 30.0)
    back = resample(resample(clip, 120.0), 30.0)
    assert len(back) == len(clip)
    same_poses(back, clip, 1e-6)
    np.testing.assert_allclose(back.trans, clip.trans, atol=1e-9)
    np.testing.assert_array_equal(back.contacts, clip.contacts)


def test_one_frame_can_be_resampled() -> None:
    assert len(resample(random_clip(1, 100.0), 30.0)) == 1


def test_mirror_twice_is_the_identity() -> None:
    clip = random_clip()
    twice = mirror(mirror(clip))
    np.testing.assert_array_equal(twice.poses, clip.poses)
    np.testing.assert_allclose(twice.trans, clip.trans, atol=1e-12)
    np.testing.assert_array_equal(twice.contacts, clip.contacts)


def test_mirror_reflects_every_joint() -> None:
    """Left stays left: the mirrored left wrist is where the right wrist was, reflected."""
    clip = random_clip()
    reflected = clip.joints()[:, list(MIRROR)] * [-1.0, 1.0, 1.0]
    np.testing.assert_allclose(mirror(clip).joints(), reflected, atol=1e-9)


def test_mirror_swaps_the_feet_that_stand() -> None:
    contacts = np.zeros((20, 4))
    contacts[:, 0] = 1
    mirrored = mirror(random_clip().replace(contacts=contacts)).contacts
    assert mirrored is not None
    assert mirrored[:, 2].all()
    assert not mirrored[:, [0, 1, 3]].any()


def test_mirror_does_not_change_its_input() -> None:
    clip = random_clip()
    before = clip.trans.copy()
    mirror(clip)
    np.testing.assert_array_equal(clip.trans, before)


@given(st.floats(-3, 3), st.floats(-1, 1), st.floats(-1, 1))
def test_turning_the_world_turns_every_joint_about_the_origin(yaw: float, pitch: float, roll: float) -> None:
    """Only right when trans accounts for J0; turning trans alone moves the body by up to 0.7 m."""
    clip = random_clip(5)
    turn = rotations.axis_angle_to_matrix(np.array([pitch, yaw, roll]))
    np.testing.assert_allclose(rotate_world(clip, turn).joints(), clip.joints() @ turn.T, atol=1e-9)


def test_turning_there_and_back() -> None:
    clip = random_clip()
    turn = rotations.axis_angle_to_matrix(np.array([0.4, 2.0, -1.0]))
    back = rotate_world(rotate_world(clip, turn), turn.T)
    same_poses(back, clip)
    np.testing.assert_allclose(back.trans, clip.trans, atol=1e-9)


def test_move_shifts_every_joint() -> None:
    clip = random_clip()
    np.testing.assert_allclose(
        move(clip, np.array([1, 2, 3])).joints(), clip.joints() + [1, 2, 3], atol=1e-12
    )


def test_place_at_origin_faces_forward_and_keeps_heights() -> None:
    clip, _ = walk(1.0)
    away = move(rotate_world(clip, rotations.yaw_matrix(2.2)), np.array([3.0, 0.0, -4.0]))
    placed = place_at_origin(away)
    np.testing.assert_allclose((placed.trans[0] + J0)[[0, 2]], 0, atol=1e-9)
    assert rotations.heading(rotations.axis_angle_to_matrix(placed.poses[0, 0])) == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(placed.joints()[..., 1], away.joints()[..., 1], atol=1e-9)
    # It still walks the way it faces.
    assert placed.trans[-1, 2] - placed.trans[0, 2] > 0.8


def test_left_hand_is_on_the_left_after_everything() -> None:
    clip = resample(rotate_world(random_clip(10, 60.0).replace(poses=np.zeros((10, 55, 3))), np.eye(3)), 30.0)
    joints = clip.joints()
    assert (joints[:, INDEX["left_wrist"], 0] > joints[:, INDEX["right_wrist"], 0] + 1.0).all()
