"""Fitting joints: exact where joints tell, steady where they do not, honest about what was missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion import rotations as rot
from understudy.backend.motion.clip import Clip, mirror, rotate_world
from understudy.backend.motion.fitting.body import OURS
from understudy.backend.motion.fitting.finish import finish
from understudy.backend.motion.fitting.fit import fit_joints
from understudy.backend.motion.fitting.noise import jitter, steadied
from understudy.backend.motion.fitting.points import EXTRAS
from understudy.backend.motion.fitting.rest import relaxed_hands
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.skeleton import INDEX, JOINT_NAMES, REST_OFFSETS

BODY = JOINT_NAMES[:22]
HANDS = tuple(name for name in JOINT_NAMES if name not in ("jaw", "left_eye_smplhf", "right_eye_smplhf"))
LIMBS = tuple(
    f"{s}_{j}" for s in ("left", "right") for j in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
)
KINECT = ("pelvis", "spine2", "neck", "head", *LIMBS, "left_hand", "right_hand", "left_foot", "right_foot")
COCO = ("nose", "left_eye_smplhf", "right_eye_smplhf", "left_ear", "right_ear", *LIMBS)


def acting(frames: int = 90, fps: float = 30.0, seed: int = 0) -> Clip:
    """A lively motion with hinges for elbows and knees, the trunk bending and turning, the head looking about."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / fps

    def wave(size: float) -> np.ndarray:
        return size * np.sin(2 * np.pi * t * rng.uniform(0.3, 0.9) + rng.uniform(0, 6))

    poses = np.zeros((frames, 55, 3))
    poses[:, 0] = np.stack([wave(0.2), 1.0 * t + wave(0.4), wave(0.15)], axis=1)
    for name in ("spine1", "spine2", "spine3"):
        poses[:, INDEX[name]] = np.stack([wave(0.15), wave(0.1), wave(0.1)], axis=1)
    for name in ("left_collar", "right_collar"):
        poses[:, INDEX[name]] = np.stack([np.zeros(frames), wave(0.05), wave(0.1)], axis=1)
    for name in ("neck", "head"):
        poses[:, INDEX[name]] = np.stack([wave(0.2), wave(0.2), wave(0.1)], axis=1)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        poses[:, INDEX[f"{side}_hip"]] = np.stack(
            [-0.3 + wave(0.5), wave(0.15), sign * 0.1 + wave(0.15)], axis=1
        )
        poses[:, INDEX[f"{side}_knee"], 0] = 0.8 + wave(0.7)
        poses[:, INDEX[f"{side}_ankle"], 0] = wave(0.3)
        poses[:, INDEX[f"{side}_shoulder"]] = np.stack(
            [wave(0.3), wave(0.4), -sign * 0.9 + wave(0.5)], axis=1
        )
        bend = 0.9 + wave(0.8)
        poses[:, INDEX[f"{side}_elbow"]] = bend[:, None] * np.array(
            [0.0, -sign * np.cos(0.35), sign * np.sin(0.35)]
        )
        poses[:, INDEX[f"{side}_wrist"]] = np.stack([wave(0.4), wave(0.2), wave(0.3)], axis=1)
        for finger in ("index", "middle", "pinky", "ring"):
            poses[:, INDEX[f"{side}_{finger}1"], 2] = -sign * (0.4 + wave(0.3))
    return Clip(poses=poses, trans=np.stack([wave(0.3), 1.3 + wave(0.05), t], axis=1), fps=fps)


def points(clip: Clip, names: Sequence[str]) -> np.ndarray:
    return OURS.points(rot.axis_angle_to_matrix(clip.poses), clip.trans, names)[0]


def degrees_off(a: Clip, b: Clip, names: Sequence[str]) -> np.ndarray:
    """(T, N) degrees between world rotations."""
    turned = [forward_kinematics(clip.poses, clip.trans)[1] for clip in (a, b)]
    return np.degrees(rot.geodesic_angle(*turned))[:, [INDEX[name] for name in names]]


@pytest.mark.parametrize("seed", range(4))
def test_our_own_joints_come_back(seed: int) -> None:
    clip = acting(seed=seed)
    fitted = fit_joints(points(clip, BODY), BODY, fps=30.0)
    assert np.abs(points(fitted, BODY) - points(clip, BODY)).max() < 1e-6
    assert fitted.meta["fit_error_mm"] < 0.01 and fitted.meta["scale"] == 1.0
    assert degrees_off(fitted, clip, ["pelvis", "spine3"]).max() < 0.1
    limbs = degrees_off(
        fitted, clip, [f"{s}_{j}" for s in ("left", "right") for j in ("hip", "knee", "shoulder", "elbow")]
    )
    assert np.percentile(limbs, 90) < 4.0  # twists come from the hinges
    assert limbs.max() < 40.0


@pytest.mark.parametrize(("names", "limit"), [(KINECT, 12.0), (COCO, 15.0)])
def test_few_joints_still_give_the_pose(names: tuple[str, ...], limit: float) -> None:
    clip = acting(seed=1)
    fitted = fit_joints(points(clip, names), names, fps=30.0)
    assert fitted.meta["fit_error_mm"] < limit
    assert np.percentile(degrees_off(fitted, clip, ["pelvis", "spine3"]), 90) < 20
    assert (
        np.percentile(degrees_off(fitted, clip, ["left_knee", "right_knee", "left_elbow", "right_elbow"]), 90)
        < 12
    )
    assert fitted.known["upper"] and fitted.known["lower_trans"] and not fitted.known["hands"]


def test_a_face_turns_the_head() -> None:
    clip = acting(seed=2)
    fitted = fit_joints(points(clip, COCO), COCO, fps=30.0)
    assert np.percentile(degrees_off(fitted, clip, ["head"]), 90) < 3


def test_feet_without_points_are_level_on_the_floor_and_free_in_the_air() -> None:
    clip = acting(seed=14)
    poses = np.zeros_like(clip.poses)
    for side in ("left", "right"):  # a deep knee bend on flat feet
        poses[:, INDEX[f"{side}_hip"], 0], poses[:, INDEX[f"{side}_knee"], 0] = -0.8, 1.4
        poses[:, INDEX[f"{side}_ankle"], 0] = -0.6
    poses[45:, INDEX["left_hip"], 0] = -1.4  # and one foot goes up
    crouch = clip.replace(poses=poses, trans=np.broadcast_to([0.0, 1.1, 0.0], (90, 3)).copy())
    fitted = fit_joints(points(crouch, COCO), COCO, fps=30.0)
    assert degrees_off(fitted, crouch, ["right_ankle"]).max() < 12
    shin, foot = (
        forward_kinematics(fitted.poses, fitted.trans)[1][:, INDEX[n]] for n in ("left_knee", "left_ankle")
    )
    assert np.degrees(rot.geodesic_angle(shin, foot))[60:].max() < 5


def test_palms_and_fingers() -> None:
    clip = acting(seed=3)
    fitted = fit_joints(points(clip, HANDS), HANDS, fps=30.0)
    assert fitted.known["hands"] and not fitted.known["face"]
    assert degrees_off(fitted, clip, ["left_wrist", "right_wrist"]).max() < 0.1
    assert degrees_off(fitted, clip, ["left_index1", "right_pinky2"]).max() < 8.0
    without = fit_joints(points(clip, BODY), BODY, fps=30.0)
    assert np.allclose(without.poses[:, 25:], relaxed_hands()[25:], atol=1e-6)


@given(st.integers(0, 50), st.floats(-3.1, 3.1))
@settings(max_examples=8)
def test_turning_the_world_turns_the_fit(seed: int, yaw: float) -> None:
    clip = acting(40, seed=seed)
    turn = rot.yaw_matrix(np.array(yaw))
    a = rotate_world(fit_joints(points(clip, BODY), BODY, fps=30.0), turn)
    b = fit_joints(points(clip, BODY) @ turn.T, BODY, fps=30.0)
    assert degrees_off(a, b, BODY).max() < 1e-3 and np.abs(a.trans - b.trans).max() < 1e-6


@given(st.integers(0, 50))
@settings(max_examples=8)
def test_left_stays_left_in_a_mirror(seed: int) -> None:
    clip = acting(40, seed=seed)
    a = mirror(fit_joints(points(clip, BODY), BODY, fps=30.0))
    b = fit_joints(points(mirror(clip), BODY), BODY, fps=30.0)
    assert degrees_off(a, b, BODY).max() < 1e-3 and np.abs(a.joints() - b.joints()).max() < 1e-6


@pytest.mark.parametrize("factor", [0.5, 1000.0])
def test_any_size_of_body(factor: float) -> None:
    clip = acting(seed=4)
    fitted = fit_joints(points(clip, BODY) * factor, BODY, fps=30.0)
    assert fitted.meta["scale"] == pytest.approx(1 / factor, abs=1e-4)
    assert np.abs(points(fitted, BODY) - points(clip, BODY)).max() < 1e-4
    unscaled = fit_joints(points(clip, BODY) * 1.1, BODY, fps=30.0, scale=None)
    middle = [points(x, ("left_hip", "right_hip")).mean(axis=1) for x in (unscaled, clip)]
    assert np.abs(middle[0] - 1.1 * middle[1]).max() < 1e-6


def straightening(noise: float = 0.0) -> Clip:
    """An arm that bends, is straight for a second and a little overstretched, and bends again."""
    clip = acting(90, seed=5)
    poses = np.array(clip.poses)
    t = np.linspace(-1.5, 1.5, 90)
    bend = np.where(np.abs(t) < 0.5, -0.05, 1.2 * (np.abs(t) - 0.5))
    poses[:, INDEX["left_elbow"]] = bend[:, None] * np.array([0.0, -np.cos(0.35), np.sin(0.35)])
    poses[:, INDEX["left_knee"]] = np.maximum(bend - 0.05, -0.05)[:, None] * np.array([1.0, 0, 0])
    return clip.replace(poses=poses)


@pytest.mark.parametrize("noise", [0.0, 0.002])
def test_a_straight_limb_keeps_its_twist(noise: float) -> None:
    clip = straightening()
    joints = points(clip, BODY) + np.random.default_rng(0).normal(size=(90, 22, 3)) * noise
    fitted = fit_joints(joints, BODY, fps=30.0)
    off = degrees_off(fitted, clip, ["left_shoulder", "left_hip"])
    assert off.max() < 60.0 and np.percentile(off, 75) < 20.0
    local = rot.axis_angle_to_matrix(fitted.poses)
    steps = np.degrees(rot.geodesic_angle(local[1:], local[:-1]))[
        :, [INDEX["left_shoulder"], INDEX["left_hip"]]
    ]
    assert steps.max() < 15.0


def test_short_gaps_are_bridged_and_long_ones_are_at_rest() -> None:
    clip = acting(150, seed=6)
    joints = points(clip, BODY)
    joints[40:44, INDEX["right_wrist"]] = np.nan
    short = fit_joints(joints, BODY, fps=30.0)
    wrist = np.linalg.norm(short.joints() - clip.joints(), axis=-1)[40:44, INDEX["right_wrist"]]
    assert wrist.max() < 0.04
    joints[30:130, [INDEX["left_elbow"], INDEX["left_wrist"]]] = np.inf
    fitted = fit_joints(joints, BODY, fps=30.0)
    assert np.isfinite(fitted.poses).all()
    arm = fitted.joints()[80, INDEX["left_wrist"]] - fitted.joints()[80, INDEX["left_shoulder"]]
    assert arm[1] < -0.3  # hanging, not stretched out
    assert not fitted.known["upper"] and fitted.known["lower_trans"]
    steps = np.linalg.norm(np.diff(fitted.joints()[:, INDEX["left_wrist"]], axis=0), axis=-1)
    assert steps.max() < 0.2
    others = [INDEX[name] for name in BODY if name not in ("left_elbow", "left_wrist")]
    assert np.abs(fitted.joints() - short.joints())[:, others].max() < 0.03


def test_joints_that_are_never_there() -> None:
    clip = acting(seed=7)
    joints = points(clip, BODY)
    joints[:, [INDEX[name] for name in ("left_shoulder", "left_elbow", "left_wrist", "head")]] = np.nan
    fitted = fit_joints(joints, BODY, fps=30.0)
    assert np.isfinite(fitted.poses).all() and not fitted.known["upper"]
    assert fit_joints(joints, BODY, fps=30.0, known={"upper": True}).known["upper"]
    hips = [name for name in BODY if name not in ("left_hip", "right_hip")]
    fitted = fit_joints(points(clip, hips), hips, fps=30.0)
    assert np.percentile(np.linalg.norm(fitted.joints() - clip.joints(), axis=-1)[:, :9], 90) < 0.1


def test_legs_alone() -> None:
    legs = [name for name in BODY if any(part in name for part in ("pelvis", "hip", "knee", "ankle", "foot"))]
    clip = acting(seed=8)
    fitted = fit_joints(points(clip, legs), legs, fps=30.0)
    assert fitted.known == {"lower_trans": True, "upper": False, "hands": False, "face": False}
    assert np.abs(points(fitted, legs[1:]) - points(clip, legs[1:])).max() < 0.03


def test_jitter_is_measured_and_taken_off_but_clean_joints_are_left_alone() -> None:
    clean = points(acting(120, seed=9), BODY)
    seen = np.ones(clean.shape[:2], bool)
    assert np.array_equal(steadied(clean, seen, 30.0)[0], clean)
    for size in (0.006, 0.02):
        noisy = clean + np.random.default_rng(1).normal(size=clean.shape) * size
        assert np.allclose(jitter(noisy, seen), size, rtol=0.3)
        steady, _ = steadied(noisy, seen, 30.0)
        assert np.sqrt(((steady - clean) ** 2).mean()) < 0.75 * size
    fitted = fit_joints(noisy, BODY, fps=30.0)
    assert fitted.meta["fit"]["jitter_mm"] > 10


def test_refinement_never_makes_it_worse() -> None:
    for seed in range(3):
        clip = acting(60, seed=seed)
        joints = points(clip, KINECT) + 0.03 * np.sin(
            np.arange(60)[:, None, None] / 9 + np.arange(len(KINECT))[:, None]
        )
        plain = fit_joints(joints, KINECT, fps=30.0, steps=0)
        refined = fit_joints(joints, KINECT, fps=30.0)
        assert refined.meta["fit_error_mm"] <= plain.meta["fit_error_mm"]
        assert refined.meta["fit"]["closed_form_mm"] == plain.meta["fit_error_mm"]


def test_bones_that_rest_otherwise() -> None:
    """A source whose neck leans forward at rest does not make the character look at the floor."""
    clip = acting(seed=10)
    poses = np.zeros_like(clip.poses)
    poses[:, 0] = clip.poses[:, 0]
    leaning = (0.0, 0.79, 0.62)
    offsets = np.array(REST_OFFSETS)
    offsets[INDEX["head"]] = np.array(leaning) * np.linalg.norm(offsets[INDEX["head"]])
    joints = forward_kinematics(poses[:, :22], clip.trans, offsets)[0]
    told = fit_joints(joints, BODY, fps=30.0, bones={"head": leaning})
    assert np.degrees(np.linalg.norm(told.poses[:, INDEX["neck"]], axis=-1)).max() < 0.1
    assert told.meta["fit_error_mm"] < 0.01
    untold = fit_joints(joints, BODY, fps=30.0)
    assert np.degrees(np.linalg.norm(untold.poses[:, INDEX["neck"]], axis=-1)).min() > 20


def test_a_prior_fills_in_what_no_joint_tells() -> None:
    clip = acting(40, seed=11)
    asked: list[np.ndarray] = []

    def prior(poses: np.ndarray, told: np.ndarray) -> np.ndarray:
        asked.append(told)
        return np.full_like(poses, 0.1)

    fitted = fit_joints(points(clip, BODY), BODY, fps=30.0, prior=prior)
    (told,) = asked
    assert told.shape == (40, 21)
    assert np.allclose(fitted.poses[:, INDEX["head"]], 0.1) and np.allclose(
        fitted.poses[:, INDEX["left_wrist"]], 0.1
    )
    assert np.abs(points(fitted, BODY) - points(clip, BODY)).max() < 1e-6


def test_extra_points_may_be_given() -> None:
    names = (*BODY, "left_toe_tip", "right_toe_tip", "head_top", "left_heel")
    clip = acting(seed=12)
    fitted = fit_joints(points(clip, names), names, fps=30.0)
    assert np.abs(points(fitted, names) - points(clip, names)).max() < 0.03
    assert set(names) - set(BODY) < set(EXTRAS)


@pytest.mark.parametrize(
    ("names", "shape", "words"),
    [
        (("pelvis", "tail"), (5, 2, 3), "tail"),
        (("pelvis", "pelvis"), (5, 2, 3), "twice"),
        (BODY[:4], (5, 4, 3), "left knee"),
        ([name for name in BODY if name not in ("pelvis", "left_hip")], (5, 20, 3), "pelvis"),
        (BODY, (5, 21, 3), "shape"),
        (BODY, (1, 22, 3), "two frames"),
        (BODY, (5, 22, 3), "no length"),
    ],
)
def test_what_cannot_be_fitted_is_said(names: Sequence[str], shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        fit_joints(np.zeros(shape), names, fps=30.0)
    with pytest.raises(BadInput, match="frame rate"):
        fit_joints(points(acting(5), BODY), BODY, fps=0.0)


def test_a_leg_that_is_never_there_is_said() -> None:
    joints = points(acting(20), BODY)
    joints[:, INDEX["right_ankle"]] = np.nan
    with pytest.raises(BadInput, match="right ankle"):
        fit_joints(joints, BODY, fps=30.0)


@given(st.integers(0, 2**31), st.sampled_from([BODY, KINECT, COCO]), st.sampled_from([1e-3, 1.0, 1e3]))
@settings(max_examples=15)
def test_nonsense_gives_finite_poses(seed: int, names: tuple[str, ...], size: float) -> None:
    rng = np.random.default_rng(seed)
    joints = rng.normal(size=(12, len(names), 3)) * size
    joints[rng.random(joints.shape[:2]) < 0.2] = np.nan
    joints[3] = 0.0
    try:
        fitted = fit_joints(joints, names, fps=30.0)
    except BadInput:
        return
    assert np.isfinite(fitted.poses).all() and np.isfinite(fitted.trans).all()


def test_a_finished_clip_stands_on_the_floor_at_our_rate() -> None:
    clip = acting(80, fps=20.0, seed=13)
    poses = np.array(clip.poses)
    poses[:, 0, [0, 2]] = 0.0
    for side in ("left", "right"):
        poses[:, INDEX[f"{side}_hip"]] = poses[:, INDEX[f"{side}_knee"]] = poses[
            :, INDEX[f"{side}_ankle"]
        ] = 0.0
    poses[:, 0, 1] = 0.0
    standing = clip.replace(poses=poses, trans=np.broadcast_to([0.0, 2.0, 0.0], (80, 3)).copy())
    done = finish(fit_joints(points(standing, BODY), BODY, fps=20.0), 30.0)
    assert done.fps == 30 and len(done) == 119
    assert np.abs(done.joints()[:, [10, 11], 1] - 0.028).max() < 0.01
