"""Contact detection: right on motion whose contacts are known, the same at any frame rate."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip, mirror, move, resample, rotate_world
from understudy.backend.motion.contacts import (
    contact_report,
    contacts_from_positions,
    detect_contacts,
    floor_height,
    intervals,
)
from understudy.backend.motion.skeleton import REST_FLOOR

from .synthetic import spoil, walk


def standing(frames: int = 60, fps: float = 30.0, height: float = 0.0) -> Clip:
    trans = np.zeros((frames, 3))
    trans[:, 1] = height - REST_FLOOR
    return Clip(poses=np.zeros((frames, 55, 3)), trans=trans, fps=fps)


@pytest.mark.parametrize("fps", [20.0, 30.0, 60.0, 120.0])
@pytest.mark.parametrize("speed", [0.6, 1.0])
def test_a_walk_at_any_rate(fps: float, speed: float) -> None:
    clip, truth = walk(4.0, fps, speed)
    found = detect_contacts(clip)
    assert found.shape == truth.shape
    assert set(np.unique(found)) <= {0.0, 1.0}
    # A foot counts a few hundredths of a second early and late: it is down and slow.
    assert (found[truth > 0.5]).mean() > 0.98
    assert (found == truth).mean() > 0.91


def test_contacts_do_not_depend_on_the_frame_rate() -> None:
    clip, _ = walk(4.0, 120.0)
    fast = detect_contacts(clip)[::4]
    slow = detect_contacts(resample(clip, 30.0))
    assert (fast == slow).mean() > 0.97


def test_feet_alternate() -> None:
    found = detect_contacts(walk(4.0)[0])
    left, right = found[:, :2].any(axis=1), found[:, 2:].any(axis=1)
    assert (left | right).all()
    assert len(intervals(~left)) >= 3
    assert len(intervals(~right)) >= 3
    assert not (~left & ~right).any()


def test_standing_is_contact_and_flying_is_not() -> None:
    assert detect_contacts(standing()).all()
    assert not detect_contacts(standing(height=0.5)).any()


def test_a_glide_over_the_floor_is_no_contact() -> None:
    clip = standing()
    trans = np.array(clip.trans)
    trans[:, 2] = 1.5 * np.arange(60) / 30
    assert not detect_contacts(clip.replace(trans=trans)).any()


def test_a_jump_has_a_flight() -> None:
    clip = standing(60)
    trans = np.array(clip.trans)
    time = (np.arange(60) - 30) / 30
    trans[:, 1] += np.maximum(0.0, 0.35 - 4.9 * time**2)
    found = detect_contacts(clip.replace(trans=trans))
    assert not found[25:36].any()
    assert found[:20].all()
    assert found[-20:].all()


def test_floor_elsewhere() -> None:
    clip = standing(height=2.0)
    assert detect_contacts(clip, floor=2.0).all()
    assert floor_height(clip) == pytest.approx(2.0, abs=0.01)
    assert floor_height(move(walk(3.0)[0], np.array([0, -0.3, 0]))) == pytest.approx(-0.3, abs=0.02)


def test_turning_the_world_about_the_vertical_changes_nothing() -> None:
    clip, _ = walk(3.0)
    turned = rotate_world(clip, rotations.yaw_matrix(1.1))
    np.testing.assert_array_equal(detect_contacts(turned), detect_contacts(clip))


def test_mirror_swaps_sides() -> None:
    clip, _ = walk(3.0)
    np.testing.assert_array_equal(detect_contacts(mirror(clip)), detect_contacts(clip)[:, [2, 3, 0, 1]])


def test_short_gaps_are_filled_and_short_contacts_dropped() -> None:
    feet = np.zeros((60, 4, 3))
    feet[:, :, 1] = [0.08, 0.028, 0.08, 0.028]
    feet[30, 0, 1] += 0.5  # one wild frame in a contact
    feet[:, 2, 1] += 0.5
    feet[30, 2, 1] -= 0.5  # one low frame in a flight
    found = contacts_from_positions(feet, 120.0)
    assert found[:, 0].all()
    assert not found[:, 2].any()


def test_a_prediction_is_believed_where_it_can_be_true() -> None:
    feet = np.zeros((60, 4, 3))
    feet[:, :, 1] = [0.08, 0.028, 0.08, 0.028]
    feet[:, :, 2] = 0.8 * np.arange(60)[:, None] / 30  # slides at 0.8 m/s
    hint = np.zeros((60, 4), bool)
    hint[:, :2] = True
    found = contacts_from_positions(feet, 30.0, hint=hint)
    assert found[:, :2].all()
    assert not found[:, 2:].any()
    feet[:, :, 1] += 0.5  # a foot in the air is not on the floor, whatever a model says
    assert not contacts_from_positions(feet, 30.0, hint=hint).any()


def test_one_and_two_frames() -> None:
    assert detect_contacts(standing(1)).shape == (1, 4)
    assert detect_contacts(standing(2)).all()


def test_intervals() -> None:
    assert intervals(np.array([1, 1, 0, 0, 1, 0, 1], bool)) == [(0, 2), (4, 5), (6, 7)]
    assert intervals(np.zeros(3, bool)) == []


def test_report_of_a_perfect_walk_and_of_a_spoilt_one() -> None:
    clip, truth = walk(4.0)
    good = contact_report(clip, truth)
    assert good["slide_median"] < 0.01
    assert good["slide_share"] < 0.01
    assert good["penetration_max"] < 0.01
    assert good["contact_share"] == 1.0
    bad = contact_report(move(spoil(clip, drift=(0.1, 0.0, 0.0)), np.array([0.0, -0.05, 0.0])), truth)
    assert bad["slide_median"] > 5
    assert bad["slide_share"] > 0.9
    assert bad["penetration_max"] > 4
    assert bad["lowest"] < -4
    assert bad["jerk"] > good["jerk"]


def test_report_of_known_numbers() -> None:
    clip = standing(30)
    trans = np.array(clip.trans)
    trans[:, 0] = 0.04 * np.arange(30) / 30  # 4 cm/s
    trans[:, 1] -= 0.02
    report = contact_report(clip.replace(trans=trans), np.ones((30, 4)))
    assert report["slide_median"] == pytest.approx(4.0)
    assert report["slide_share"] == 1.0
    assert report["penetration_max"] == pytest.approx(2.0)
    assert report["lowest"] == pytest.approx(-2.0)
    assert report["jerk"] == pytest.approx(0.0, abs=1e-6)


def test_report_without_contacts_is_zero_not_nan() -> None:
    report = contact_report(standing(30, height=1.0))
    assert report["slide_median"] == 0.0
    assert report["contact_share"] == 0.0
    assert all(np.isfinite(value) for value in report.values())
