"""Clean-up: feet stand still, stay on the floor, nothing pops, and what was right stays as it was."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.errors import BadInput
from understudy.backend.motion import anchors, rotations
from understudy.backend.motion.cleanup import clean_up, clean_up_with_report
from understudy.backend.motion.clip import Clip, mirror, move, resample, rotate_world
from understudy.backend.motion.contacts import contact_report, foot_float, intervals, sole_points
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.quality import measure
from understudy.backend.motion.skeleton import INDEX, REST_FLOOR

from .synthetic import random_clip, spoil, walk

LEGS = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("knee", "ankle", "foot")]

SPOILT = {
    "noise": {"noise": 0.02},
    "side drift": {"noise": 0.01, "drift": (0.10, 0.0, 0.0)},
    "runs ahead": {"noise": 0.01, "drift": (0.0, 0.0, 0.15)},
    "sinks": {"noise": 0.01, "drift": (0.0, -0.03, 0.0)},
    "floats off": {"noise": 0.01, "drift": (0.0, 0.02, 0.0)},
}


@pytest.fixture(params=SPOILT)
def spoilt(request: pytest.FixtureRequest) -> Clip:
    return spoil(walk(4.0)[0], **SPOILT[request.param])


def accelerations(clip: Clip, joints: list[int]) -> np.ndarray:
    """Largest acceleration in m/s^2 of each joint."""
    change = np.diff(clip.joints()[:, joints], n=2, axis=0) * clip.fps**2
    return np.linalg.norm(change, axis=-1).max(axis=0)


def test_feet_stand_still(spoilt: Clip) -> None:
    truth = walk(4.0)[1]
    assert contact_report(spoilt, truth)["slide_median"] > 10  # it was bad
    cleaned = clean_up(spoilt)
    report = contact_report(cleaned)
    assert report["slide_median"] < 0.5
    assert report["slide_share"] < 0.05
    assert report["contact_share"] > 0.9
    # Judged by the contacts that are true, not only by those it chose itself.
    assert contact_report(cleaned, truth)["slide_median"] < 2.0


def test_no_foot_below_the_floor(spoilt: Clip) -> None:
    report = contact_report(clean_up(spoilt))
    assert report["lowest"] > -1.0
    assert report["penetration_max"] < 1.0


def test_nothing_pops(spoilt: Clip) -> None:
    before, after = accelerations(spoilt, LEGS), accelerations(clean_up(spoilt), LEGS)
    assert (after < 1.3 * before + 5).all()


def test_no_leg_joint_turns_faster_than_before(spoilt: Clip) -> None:
    def fastest(clip: Clip) -> float:
        matrices = rotations.axis_angle_to_matrix(clip.poses[:, [1, 2, 4, 5, 7, 8]])
        return float(rotations.geodesic_angle(matrices[1:], matrices[:-1]).max())

    assert fastest(clean_up(spoilt)) < 1.3 * fastest(spoilt) + 0.02


def test_the_motion_stays_what_it_was(spoilt: Clip) -> None:
    cleaned = clean_up(spoilt)
    assert (len(cleaned), cleaned.fps) == (len(spoilt), spoilt.fps)
    upper = [i for i in range(55) if i not in (1, 2, 4, 5, 7, 8, 10, 11)]
    angle = rotations.geodesic_angle(
        rotations.axis_angle_to_matrix(cleaned.poses[:, upper]),
        rotations.axis_angle_to_matrix(spoilt.poses[:, upper]),
    )
    assert np.degrees(angle.max()) < 3
    knees = np.abs(cleaned.poses[:, [4, 5], 0] - spoilt.poses[:, [4, 5], 0])
    assert np.degrees(np.median(knees)) < 8
    steps = [len(intervals(walk(4.0)[1][:, i] < 0.5)) for i in (1, 3)]
    assert cleaned.contacts is not None
    assert [len(intervals(cleaned.contacts[:, i] < 0.5)) for i in (1, 3)] == steps


def test_a_good_walk_is_left_nearly_alone() -> None:
    clip, truth = walk(4.0)
    cleaned = clean_up(clip)
    moved = np.linalg.norm(cleaned.joints() - clip.joints(), axis=-1)
    assert np.median(moved) < 0.005
    assert moved.max() < 0.03
    assert contact_report(cleaned, truth)["slide_median"] < 0.1


def test_twice_is_as_once(spoilt: Clip) -> None:
    once = clean_up(spoilt)
    assert np.abs(clean_up(once).joints() - once.joints()).max() < 0.04


def test_without_contact_nothing_is_touched() -> None:
    """A clip in the air: only smoothing and joint limits, which can be switched off."""
    clip = move(walk(2.0)[0], np.array([0.0, 2.0, 0.0]))
    cleaned = clean_up(clip, smooth=False, limits=False)
    np.testing.assert_array_equal(cleaned.trans, clip.trans)
    np.testing.assert_allclose(cleaned.joints(), clip.joints(), atol=1e-6)
    assert cleaned.contacts is not None
    assert not cleaned.contacts.any()


def test_arms_and_spine_are_never_touched_by_feet() -> None:
    clip = spoil(walk(2.0)[0])
    cleaned = clean_up(clip, smooth=False)
    upper = [i for i in range(55) if i not in (1, 2, 4, 5, 7, 8, 10, 11)]
    np.testing.assert_array_equal(cleaned.poses[:, upper], clip.poses[:, upper])


def test_each_step_can_be_switched_off() -> None:
    clip = move(spoil(walk(2.0)[0], drift=(0.1, 0.0, 0.0)), np.array([0.0, -0.05, 0.0]))
    nothing = clean_up(clip, feet=False, floor=False, smooth=False, limits=False)
    np.testing.assert_array_equal(nothing.poses, clip.poses)
    np.testing.assert_array_equal(nothing.trans, clip.trans)
    only_floor = contact_report(clean_up(clip, feet=False, smooth=False))
    assert only_floor["penetration_max"] < 1
    assert only_floor["slide_median"] > 5
    only_feet = contact_report(clean_up(clip, floor=False, smooth=False))
    assert only_feet["slide_median"] < 0.5
    assert only_feet["penetration_max"] > 2
    only_smooth = clean_up(clip, feet=False, floor=False)
    assert contact_report(only_smooth)["jerk"] < contact_report(clip)["jerk"]


def test_the_input_is_not_changed() -> None:
    clip = spoil(walk(2.0)[0])
    poses, trans = clip.poses.copy(), clip.trans.copy()
    clean_up(clip)
    np.testing.assert_array_equal(clip.poses, poses)
    np.testing.assert_array_equal(clip.trans, trans)


def test_everything_else_travels_along() -> None:
    clip = random_clip(30)
    cleaned = clean_up(clip)
    assert cleaned.expressions is clip.expressions
    assert (cleaned.meta, cleaned.known, cleaned.gender) == (clip.meta, clip.known, clip.gender)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 7])
def test_very_short_clips(frames: int) -> None:
    clip = walk(1.0)[0].slice(0, frames)
    cleaned = clean_up(clip)
    assert len(cleaned) == frames
    assert np.isfinite(cleaned.joints()).all()


@pytest.mark.parametrize("seed", range(5))
def test_nonsense_stays_finite(seed: int) -> None:
    clip = random_clip(60, 30.0, seed)
    cleaned = clean_up(clip)
    assert np.isfinite(cleaned.poses).all()
    assert np.isfinite(cleaned.trans).all()


def test_any_frame_rate() -> None:
    for fps in (12.5, 60.0, 120.0):
        clip = spoil(resample(walk(3.0)[0], fps), noise=0.003, drift=(0.1, 0.0, 0.0))
        assert contact_report(clean_up(clip))["slide_median"] < 0.5


def test_direction_and_side_do_not_matter() -> None:
    clip = spoil(walk(3.0)[0])
    turn = rotations.yaw_matrix(2.0)
    expected = clean_up(clip).joints()
    np.testing.assert_allclose(clean_up(rotate_world(clip, turn)).joints(), expected @ turn.T, atol=1e-6)
    np.testing.assert_allclose(mirror(clean_up(mirror(clip))).joints(), expected, atol=1e-6)


def test_a_predicted_contact_locks_a_foot_that_slides_fast() -> None:
    clip, truth = walk(4.0)
    sliding = spoil(clip, noise=0.0, drift=(0.0, 0.0, 0.5))
    alone = contact_report(clean_up(sliding), truth)["slide_median"]
    helped = contact_report(clean_up(sliding.replace(contacts=truth)), truth)["slide_median"]
    assert helped < 2.0
    assert helped < alone


def lying(height: float, frames: int = 60) -> Clip:
    """A body on its back whose pelvis lies at a height."""
    poses = np.zeros((frames, 55, 3))
    poses[:, 0, 0] = -np.pi / 2
    trans = np.zeros((frames, 3))
    trans[:, 1] = height + 0.35
    return Clip(poses=poses, trans=trans, fps=30.0)


def test_a_lying_body_is_not_lifted() -> None:
    clip = lying(0.12)
    np.testing.assert_allclose(clean_up(clip).trans, clip.trans, atol=0.01)


def test_a_body_in_the_floor_is_lifted() -> None:
    assert clean_up(lying(-0.05)).joints()[:, :22, 1].min() > -0.01


def test_a_handstand_is_not_lifted() -> None:
    """Upside down with the hands on the floor: the feet say nothing about the floor."""
    poses = np.zeros((60, 55, 3))
    poses[:, 0, 0] = np.pi
    poses[:, INDEX["left_shoulder"], 2] = np.pi / 2
    poses[:, INDEX["right_shoulder"], 2] = -np.pi / 2
    clip = Clip(poses=poses, trans=np.zeros((60, 3)), fps=30.0)
    hands = clip.joints()[:, [20, 21], 1].min()
    clip = move(clip, np.array([0.0, 0.04 - hands, 0.0]))
    cleaned = clean_up(clip).joints()
    np.testing.assert_allclose(cleaned[:, :22], clip.joints()[:, :22], atol=1e-4)
    # The straight hands went through the floor: they lie on it now.
    fingers = [INDEX["left_middle3"], INDEX["right_middle3"]]
    assert clip.joints()[:, fingers, 1].max() < -0.05
    assert cleaned[:, fingers, 1].min() > -0.001


def test_a_jump_keeps_its_height() -> None:
    trans = np.zeros((90, 3))
    time = (np.arange(90) - 45) / 30
    trans[:, 1] = np.maximum(0.0, 0.40 - 4.9 * time**2) - REST_FLOOR
    clip = Clip(poses=np.zeros((90, 55, 3)), trans=trans, fps=30.0)
    cleaned = clean_up(clip)
    assert cleaned.joints()[:, 0, 1].max() == pytest.approx(clip.joints()[:, 0, 1].max(), abs=0.01)
    assert cleaned.contacts is not None
    assert not cleaned.contacts[40:51].any()


def test_the_toes_bend_instead_of_going_through_the_floor() -> None:
    """At toe-off the foot points down while the ball stands."""
    poses = np.zeros((40, 55, 3))
    poses[:, INDEX["left_ankle"], 0] = np.linspace(0, 0.9, 40)
    poses[:, INDEX["left_knee"], 0] = np.linspace(0, 0.5, 40)
    trans = np.zeros((40, 3))
    clip = Clip(poses=poses, trans=trans, fps=30.0)
    trans[:, 1] = 0.028 - clip.joints()[:, INDEX["left_foot"], 1]
    clip = clip.replace(trans=trans)
    before = sole_points(*forward_kinematics(clip.poses, clip.trans))[:, 2, 1]
    after = clean_up(clip, smooth=False)
    assert before.min() < -0.04
    assert sole_points(*forward_kinematics(after.poses, after.trans))[:, 2, 1].min() > -0.01


def stand(frames: int = 90) -> Clip:
    """Standing with straight legs."""
    trans = np.zeros((frames, 3))
    trans[:, 1] = -REST_FLOOR
    return Clip(poses=np.zeros((frames, 55, 3)), trans=trans, fps=30.0)


def test_a_whole_body_that_glides_is_held_without_stretching_its_legs() -> None:
    """Half a metre of drift in three seconds: the root must follow the feet, legs alone could not."""
    clip = stand()
    trans = np.array(clip.trans)
    trans[:, 0] += 0.16 * np.arange(90) / 30
    cleaned = clean_up(clip.replace(trans=trans))
    assert contact_report(cleaned)["slide_median"] < 0.1
    assert np.abs(cleaned.trans[:, 0] - cleaned.trans[0, 0]).max() < 0.05
    assert np.abs(cleaned.poses[:, [1, 2]]).max() < 0.1


def test_the_pelvis_comes_down_where_the_legs_are_too_short() -> None:
    clip = stand()
    trans = np.array(clip.trans)
    trans[:, 1] += 0.04 * np.sin(np.pi * np.arange(90) / 15).clip(0)
    rising = clip.replace(trans=trans, contacts=np.ones((90, 4)))
    cleaned = clean_up(rising, smooth=False)
    feet = cleaned.joints()[:, [7, 10, 8, 11]]
    assert np.abs(feet - feet.mean(axis=0)).max() < 0.004
    assert cleaned.joints()[:, 0, 1].max() < rising.joints()[:, 0, 1].max() - 0.02


def test_a_fading_correction_starts_with_the_speed_it_had() -> None:
    """Else the foot would jerk at the moment it leaves."""
    offsets = np.zeros((60, 3))
    offsets[20:31, 2] = np.linspace(-0.01, 0.01, 11)
    anchors._fade(offsets, [(20, 31)], 30.0)
    speed = np.diff(offsets[:, 2])
    still = np.diff(offsets[20:31, 2])[0]  # 2 mm a frame inside the contact
    assert still == pytest.approx(0.002)
    # It turns round at 2 mm a frame in five frames: a jump to the fade's own speed would change it by 3 mm.
    assert abs(speed[30] - still) < 0.0022
    assert abs(speed[19] - still) < 0.0022
    assert abs(offsets[[0, 10, 45, 59]]).max() == 0


def test_two_contacts_close_together_are_joined_smoothly() -> None:
    offsets = np.zeros((40, 3))
    offsets[5:15, 0], offsets[20:30, 0] = 0.03, -0.03
    anchors._fade(offsets, [(5, 15), (20, 30)], 30.0)
    assert (np.diff(offsets[14:21, 0]) < 0).all()


def test_a_dancer_on_the_toe_tips_is_not_pulled_down() -> None:
    poses = np.zeros((60, 55, 3))
    poses[:, [INDEX["left_ankle"], INDEX["right_ankle"]], 0] = 1.0
    trans = np.zeros((60, 3))
    soles = sole_points(*forward_kinematics(poses[:, :22], trans))[..., 1]
    assert soles[0, 1] - soles[0, 2] > 0.03  # the ball stands well above the tip
    trans[:, 1] = -soles.min()
    assert np.abs(foot_float(*forward_kinematics(poses[:, :22], trans))).max() < 1e-9
    clip = Clip(poses=poses, trans=trans, fps=30.0, contacts=np.tile([0.0, 1.0, 0.0, 1.0], (60, 1)))
    cleaned = clean_up(clip)
    np.testing.assert_allclose(cleaned.trans[:, 1], trans[:, 1], atol=0.005)
    np.testing.assert_allclose(cleaned.joints()[:, :22], clip.joints()[:, :22], atol=0.01)


def on_all_fours(hands_below: float, frames: int = 60) -> Clip:
    """Kneeling with both arms straight down, the hands in the floor by a depth in metres."""
    poses = np.zeros((frames, 55, 3))
    poses[:, 0, 0] = 1.3  # leaning forwards: the arms hang down in front
    poses[:, [1, 2], 0] = -2.5
    poses[:, [4, 5], 0] = 1.9
    for side, sign in (("left", 1.0), ("right", -1.0)):
        poses[:, INDEX[f"{side}_shoulder"], 1] = -sign * np.pi / 2
        poses[:, INDEX[f"{side}_elbow"], 1] = -sign * 0.2
    clip = Clip(poses=poses, trans=np.zeros((frames, 3)), fps=30.0)
    lowest = clip.joints()[:, [INDEX["left_wrist"], INDEX["right_wrist"]], 1].min()
    return move(clip, np.array([0.0, -hands_below - lowest, 0.0]))


@pytest.mark.parametrize("depth", [0.02, 0.12])
def test_hands_in_the_floor_are_raised_by_the_arms_alone(depth: float) -> None:
    clip = on_all_fours(depth)
    knees = clip.joints()[:, [4, 5], 1].min()
    assert knees > 0.05  # only the hands are below
    cleaned = clean_up(clip, feet=False, smooth=False)
    joints = cleaned.joints()
    assert joints[:, [INDEX["left_wrist"], INDEX["right_wrist"]], 1].min() > 0.02
    assert joints[:, [INDEX["left_middle3"], INDEX["right_middle3"]], 1].min() > 0.0
    np.testing.assert_allclose(joints[:, 0], clip.joints()[:, 0], atol=1e-6)
    np.testing.assert_allclose(joints[:, 15], clip.joints()[:, 15], atol=1e-6)


def test_a_foot_that_is_dragged_far_takes_steps() -> None:
    """One foot stands, the other is dragged away by half a metre: it must stand too, step by step."""
    clip = walk(4.0)[0]
    poses, trans = np.array(clip.poses[:1].repeat(120, axis=0)), clip.trans[:1].repeat(120, axis=0)
    poses[:, 2, 2] += np.linspace(-0.35, 0.1, 120)
    dragged = Clip(poses=poses, trans=trans, fps=30.0, contacts=np.ones((120, 4)))
    before = contact_report(dragged, np.ones((120, 4)))
    cleaned = clean_up(dragged)
    report = contact_report(cleaned)
    assert before["slide_share"] > 0.4
    assert report["slide_median"] < 0.1
    assert report["slide_share"] < 0.05
    assert cleaned.contacts is not None
    assert cleaned.contacts[:, 3].mean() > 0.5
    assert len(intervals(cleaned.contacts[:, 3] > 0.5)) >= 2
    moved = cleaned.joints()[:, 11]
    lifted = moved[:, 1].max() - moved[:, 1].min()
    assert 0.01 < lifted < 0.06  # it is lifted, not pulled along the floor


def test_strength_zero_is_the_clip_itself() -> None:
    clip = spoil(walk(2.0)[0])
    assert clean_up(clip, strength=0.0) is clip
    cleaned, report = clean_up_with_report(clip, strength=0.0)
    assert cleaned is clip
    assert report.before == report.after


def test_more_strength_is_never_worse(spoilt: Clip) -> None:
    full, _ = clean_up_with_report(spoilt)
    found = [
        measure(clean_up(spoilt, strength=strength), full.contacts)
        for strength in (0.01, 0.25, 0.5, 0.75, 1.0)
    ]
    for weaker, stronger in pairwise(found):
        assert stronger.slide < weaker.slide
        assert stronger.penetration <= weaker.penetration + 1e-3
        assert stronger.jitter <= weaker.jitter + 1e-3


def test_half_the_strength_is_half_the_way() -> None:
    clip = spoil(walk(2.0)[0], drift=(0.1, 0.0, 0.0))
    half, full = clean_up(clip, strength=0.5), clean_up(clip)
    np.testing.assert_allclose(half.trans, 0.5 * (clip.trans + full.trans))
    off = np.linalg.norm(half.joints() - 0.5 * (clip.joints() + full.joints()), axis=-1)
    assert off.max() < 0.01


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_out_of_range_is_refused(strength: float) -> None:
    with pytest.raises(BadInput, match="between 0 and 1"):
        clean_up(stand(5), strength=strength)


def test_the_report_has_the_numbers(spoilt: Clip) -> None:
    cleaned, report = clean_up_with_report(spoilt)
    np.testing.assert_array_equal(cleaned.poses, clean_up(spoilt).poses)
    assert report.before == measure(spoilt, cleaned.contacts)
    assert report.after == measure(cleaned, cleaned.contacts)
    assert report.before.slide > 10 * report.after.slide
    assert report.before.jitter > 1.2 * report.after.jitter
    assert report.after.penetration_max < 1.0
    stored = report.as_dict()
    assert stored["strength"] == 1.0
    assert stored["before"]["slide"] == pytest.approx(report.before.slide, abs=1e-3)  # type: ignore[index]


def test_steps_can_be_switched_off_in_the_report_too() -> None:
    clip = spoil(walk(2.0)[0])
    cleaned, _ = clean_up_with_report(clip, feet=False, floor=False, smooth=False, limits=False)
    np.testing.assert_array_equal(cleaned.poses, clip.poses)


def punching(noise: float, speed: float = 0.06) -> Clip:
    """Standing with a trembling body while the right arm punches twice."""
    clip = stand(120)
    poses = np.array(clip.poses)
    time = np.arange(120) / 30
    for at in (1.2, 2.8):
        reach = np.exp(-0.5 * ((time - at) / speed) ** 2)
        poses[:, INDEX["right_shoulder"], 1] += 1.6 * reach
    rng = np.random.default_rng(0)
    poses[:, :22] += noise * rng.normal(size=(120, 22, 3))
    return clip.replace(poses=poses)


def fist_speed(clip: Clip) -> np.ndarray:
    """(T - 1,) m/s of the right hand seen from the pelvis."""
    joints = clip.joints()
    return 30 * np.linalg.norm(np.diff(joints[:, INDEX["right_wrist"]] - joints[:, 0], axis=0), axis=-1)


@pytest.mark.parametrize("noise", [0.0, 0.004])
def test_a_punch_keeps_its_speed(noise: float) -> None:
    clip = punching(noise)
    cleaned = clean_up(clip)
    assert fist_speed(clip).max() > 6
    assert fist_speed(cleaned).max() == pytest.approx(fist_speed(clip).max(), rel=0.05)


def test_the_trembling_between_punches_is_taken_off() -> None:
    clip = punching(0.008)
    quiet = slice(50, 70)
    assert fist_speed(clean_up(clip))[quiet].mean() < 0.7 * fist_speed(clip)[quiet].mean()
    assert measure(clean_up(clip)).jitter < 0.7 * measure(clip).jitter


def test_a_broken_knee_is_mended() -> None:
    poses = np.array(stand(60).poses)
    poses[20:40, INDEX["left_knee"], 0] = -0.9
    clip = stand(60).replace(poses=poses)
    cleaned, report = clean_up_with_report(clip, feet=False, floor=False)
    assert report.before.limits == pytest.approx(20 / 60)
    assert report.after.limits == 0.0
    assert cleaned.poses[:, INDEX["left_knee"], 0].min() > np.radians(-11)
    unlimited = clean_up(clip, feet=False, floor=False, limits=False)
    assert unlimited.poses[:, INDEX["left_knee"], 0].min() < -0.8


def golden_clips() -> dict[str, Clip]:
    """Motions whose cleaned versions are kept in ``golden_cleanup.npz``."""
    return {
        "walk": spoil(walk(3.0)[0], noise=0.015, drift=(0.08, -0.01, 0.05)),
        "crawl": on_all_fours(0.08),
        "punch": punching(0.006),
    }


@pytest.mark.parametrize("name", ["walk", "crawl", "punch"])
def test_cleaned_clips_are_what_they_were(name: str) -> None:
    """A change of more than five millimetres is to be looked at, and the golden file written anew if it is better."""
    with np.load(Path(__file__).parent / "golden_cleanup.npz") as golden:
        joints, contacts = golden[name], golden[f"{name} contacts"]
    cleaned = clean_up(golden_clips()[name])
    np.testing.assert_allclose(cleaned.joints()[::5, :22], joints, atol=0.005)
    assert cleaned.contacts is not None
    assert (cleaned.contacts == contacts).mean() > 0.98


def swaying_on_all_fours(sway: float = 0.03) -> Clip:
    """On hands and knees; the whole body, hands and all, sways forwards and back."""
    clip = on_all_fours(0.0, frames=90)
    trans = np.array(clip.trans)
    trans[:, 2] += sway * np.sin(np.arange(90) * 2 * np.pi / 45)
    return clip.replace(trans=trans)


def hand_slide(clip: Clip) -> float:
    """cm/s over the floor, mean of both wrists."""
    return float(
        100
        * clip.fps
        * np.linalg.norm(np.diff(clip.joints()[:, [20, 21]][..., [0, 2]], axis=0), axis=-1).mean()
    )


def test_hands_that_bear_the_body_are_held() -> None:
    clip = swaying_on_all_fours()
    cleaned = clean_up(clip)
    assert hand_slide(clip) > 5.0
    assert hand_slide(cleaned) < 0.3 * hand_slide(clip)
    assert cleaned.joints()[:, [20, 21], 1].min() > 0.0
    assert hand_slide(clean_up(clip, feet=False)) > 0.7 * hand_slide(clip)


def test_a_hand_that_only_touches_the_floor_moves_on() -> None:
    clip = swaying_on_all_fours(sway=0.3)  # faster than hands that bear anything
    cleaned = clean_up(clip)
    assert hand_slide(cleaned) > 0.7 * hand_slide(clip)
