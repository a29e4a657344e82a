"""SMPL-X motion on rigs of every family and rest pose, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.addon.retarget.tables import built_in
from understudy.backend.errors import BadInput
from understudy.backend.motion import rotations as rot
from understudy.backend.motion.clip import Clip, mirror
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.recognise import recognise
from understudy.backend.motion.retarget import Retargeter
from understudy.backend.motion.skeleton import INDEX, J0, REST_FLOOR

from .rigs import FAMILIES, build_rig, joint_of, limb_directions, pose, rest_points

BLENDER = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def random_clip(seed: int = 0, frames: int = 40, turning: bool = True) -> Clip:
    """Smooth, large motion of every joint, walking about."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 2 * np.pi, frames)[:, None, None]
    amplitude = rng.normal(0, 0.35, (1, 55, 3))
    poses = amplitude * np.sin(time * rng.uniform(0.5, 2, (1, 55, 3)) + rng.uniform(0, 6, (1, 55, 3)))
    if turning:
        poses[:, 0, 1] += np.linspace(0, 2.0, frames)
    trans = np.stack([0.4 * time[:, 0, 0], 1.31 + 0.05 * np.sin(time[:, 0, 0]), 0.3 * time[:, 0, 0]], axis=-1)
    return Clip(poses=poses, trans=trans, fps=30.0)


def target(family: str, **changes: object) -> Retargeter:
    rig = build_rig(family, **changes)  # type: ignore[arg-type]
    return Retargeter(rig, recognise(rig, built_in()))


def worst_angle(family: str, retargeter: Retargeter, clip: Clip, axes: np.ndarray) -> float:
    """Degrees between limb directions of the clip and of the posed rig."""
    posed = pose(retargeter.rig, retargeter.perform(clip))
    assert np.isfinite(posed).all()
    joints = clip.joints()
    names = joint_of(family)
    theirs = {
        joint: posed[:, retargeter.rig.index[bone], :3, 3] @ axes
        for bone, joint in names.items()
        if bone in retargeter.mapping.bones.values()
    }
    ours = {joint: joints[:, INDEX[joint]] for joint in theirs}
    first, second = limb_directions(ours), limb_directions(theirs)
    assert len(first) >= 8
    cosines = [np.sum(first[key] * second[key], axis=-1) for key in first]
    return float(np.degrees(np.arccos(np.clip(np.min(cosines), -1, 1))))


@pytest.mark.parametrize("family", FAMILIES)
def test_limbs_of_every_family_point_where_the_clips_do(family: str) -> None:
    points = rest_points(arms=40, legs=6, thighs=1.1)
    retargeter = target(family, points=points, rng=np.random.default_rng(5), scale=0.9)
    assert worst_angle(family, retargeter, random_clip(), BLENDER) < 0.05


@settings(max_examples=25, deadline=None)
@given(
    family=st.sampled_from(sorted(FAMILIES)),
    arms=st.floats(-10, 75),
    legs=st.floats(0, 15),
    scale=st.floats(0.01, 200),
    thighs=st.floats(0.6, 1.6),
    seed=st.integers(0, 10_000),
    turned=st.integers(0, 23),
)
def test_any_rest_pose_roll_size_and_up_axis(
    family: str, arms: float, legs: float, scale: float, thighs: float, seed: int, turned: int
) -> None:
    axes = _turns()[turned]
    points = rest_points(arms=arms, legs=legs, thighs=thighs)
    retargeter = target(family, points=points, rng=np.random.default_rng(seed), scale=scale, axes=axes)
    assert retargeter.mapping.confidence > 0.9
    assert worst_angle(family, retargeter, random_clip(seed, frames=6), axes) < 0.05


def _turns() -> list[np.ndarray]:
    """The 24 ways to turn a frame onto the axes."""
    found = []
    for x in range(3):
        for y in range(3):
            for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                if x != y:
                    first, second = np.zeros(3), np.zeros(3)
                    first[x], second[y] = signs
                    found.append(np.stack([first, second, np.cross(first, second)], axis=1))
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_the_trunk_turns_as_ours_does(family: str) -> None:
    retargeter = target(family, rng=np.random.default_rng(1))
    clip = random_clip(3)
    posed = pose(retargeter.rig, retargeter.perform(clip))
    world = forward_kinematics(clip.poses, clip.trans)[1]
    mapping = retargeter.mapping.bones
    spine = [slot for slot in mapping if slot.startswith("spine")]
    for slot, joint in (("pelvis", "pelvis"), (spine[-1], "spine3"), ("head", "head")):
        bone = retargeter.rig.index[mapping[slot]]
        turned = posed[:, bone, :3, :3] @ retargeter.rig.rotations[bone].T
        wanted = BLENDER @ world[:, INDEX[joint]] @ BLENDER.T
        assert np.degrees(rot.geodesic_angle(turned, wanted)).max() < 0.01, slot


@pytest.mark.parametrize(
    "family", ["smplx", "unreal (UE4)", "unreal (UE5)", "vrm", "mixamo", "character_creator"]
)
@pytest.mark.parametrize("root", ["hips", "root", "object"])
def test_there_and_back_is_the_same_motion(family: str, root: str) -> None:
    points = rest_points(arms=50)
    retargeter = target(family, points=points, rng=np.random.default_rng(2), scale=100.0)
    clip = random_clip(4)
    if root == "root" and retargeter.root_bone < 0:
        with pytest.raises(BadInput, match="no root bone"):
            retargeter.perform(clip, root="root")
        return
    posed = pose(retargeter.rig, retargeter.perform(clip, root=root))  # type: ignore[arg-type]
    back = retargeter.read(posed[:, [retargeter.rig.index[bone] for bone in retargeter.sources]], clip.fps)
    mapped = [j for name, j in INDEX.items() if name in retargeter.mapping.bones or name.startswith("spine")]
    ours, theirs = (forward_kinematics(c.poses, c.trans)[1][:, mapped] for c in (clip, back))
    assert np.degrees(rot.geodesic_angle(ours, theirs)).max() < 0.01
    np.testing.assert_allclose(back.trans, clip.trans, atol=1e-9)
    assert back.known["hands"] and back.fps == clip.fps


def test_where_the_path_lies_changes_nothing_but_its_owner() -> None:
    retargeter = target("unreal (UE4)", rng=np.random.default_rng(0))
    clip = random_clip(1)
    rig = retargeter.rig
    body = [rig.index[bone] for bone in retargeter.mapping.bones.values() if bone != "root"]
    on_hips = retargeter.perform(clip)
    reference = pose(rig, on_hips)[:, body]
    assert "root" not in on_hips.locations
    on_root = retargeter.perform(clip, root="root")
    np.testing.assert_allclose(pose(rig, on_root)[:, body], reference, atol=1e-9)
    moved = np.ptp(on_root.locations["root"], axis=0)
    assert moved.max() > 1.0, "the root bone walks"
    assert np.ptp(on_root.locations["pelvis"], axis=0).max() < 0.35, "the hips only sway"
    on_object = retargeter.perform(clip, root="object")
    assert on_object.object is not None
    np.testing.assert_allclose(pose(rig, on_object)[:, body], reference, atol=1e-9)


def test_in_place_stays_and_keeps_height_and_pose() -> None:
    retargeter = target("mixamo")
    clip = random_clip(1)
    there = pose(retargeter.rig, retargeter.perform(clip))
    here = pose(retargeter.rig, retargeter.perform(clip, root="in place"))
    hips = retargeter.rig.index["mixamorig:Hips"]
    assert np.ptp(there[:, hips, 0, 3]) > 1.0
    assert np.abs(here[:, hips, :2, 3]).max() < 0.3
    np.testing.assert_allclose(here[:, hips, 2, 3], there[:, hips, 2, 3], atol=1e-12)
    np.testing.assert_allclose(here[..., :3, :3], there[..., :3, :3], atol=1e-12)


@pytest.mark.parametrize("thighs", [0.6, 1.0, 1.6])
def test_a_standing_figure_stands_on_the_floor_with_any_legs(thighs: float) -> None:
    points = rest_points(thighs=thighs, legs=8)
    retargeter = target("mixamo", points=points, scale=1.0)
    standing = Clip(np.zeros((2, 55, 3)), np.tile([0.0, -REST_FLOOR, 0.0], (2, 1)), 30.0)
    posed = pose(retargeter.rig, retargeter.perform(standing))
    ankle = retargeter.rig.index["mixamorig:LeftFoot"]
    assert posed[0, ankle, 2, 3] == pytest.approx(points["left_ankle"][1], abs=0.003)


def test_steps_are_scaled_to_the_legs() -> None:
    retargeter = target("mixamo", points=rest_points(thighs=1.5))
    clip = random_clip(1, turning=False)
    still = clip.replace(poses=np.zeros_like(clip.poses))
    hips = retargeter.perform(still).locations["mixamorig:Hips"]
    travelled = np.linalg.norm(np.delete(hips[-1] - hips[0], np.argmin(np.ptp(hips, axis=0))))
    ours = np.linalg.norm((clip.trans[-1] - clip.trans[0])[[0, 2]])
    assert travelled == pytest.approx(1.5 * ours, rel=0.01)


@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 1000), family=st.sampled_from(["mixamo", "unreal (UE5)", "daz (Genesis 8)", "mmd"])
)
def test_a_mirrored_clip_moves_the_mirrored_bones(seed: int, family: str) -> None:
    retargeter = target(family, points=rest_points(arms=35))
    clip = random_clip(seed, frames=5)
    first = pose(retargeter.rig, retargeter.perform(clip))
    second = pose(retargeter.rig, retargeter.perform(mirror(clip)))
    bones = retargeter.mapping.bones
    flip = np.array([-1.0, 1.0, 1.0])
    for slot, bone in bones.items():
        other = slot.replace("left_", "RIGHT_").replace("right_", "left_").replace("RIGHT_", "right_")
        np.testing.assert_allclose(
            second[:, retargeter.rig.index[bones[other]], :3, 3],
            first[:, retargeter.rig.index[bone], :3, 3] * flip,
            atol=1e-6,
        )


def test_twist_bones_share_the_turn_of_the_hand() -> None:
    retargeter = target("unreal (UE5)")
    poses = np.zeros((1, 55, 3))
    poses[0, INDEX["left_wrist"], 0] = np.radians(60)  # about the forearm, which lies along X
    motion = retargeter.perform(Clip(poses, np.zeros((1, 3)), 30.0))
    angles = {
        bone: np.degrees(np.linalg.norm(rot.quaternion_to_axis_angle(motion.rotations[0, k])))
        for k, bone in enumerate(motion.bones)
    }
    assert angles["lowerarm_twist_02_l"] == pytest.approx(60 * 0.33, abs=1.5)
    assert angles["lowerarm_twist_01_l"] == pytest.approx(60 * 0.66, abs=1.5)
    assert angles["lowerarm_l"] == pytest.approx(0, abs=0.1)
    assert angles["lowerarm_twist_01_r"] == pytest.approx(0, abs=0.1)


def test_extra_spine_bones_bend_evenly() -> None:
    retargeter = target("unreal (UE5)")
    poses = np.zeros((1, 55, 3))
    poses[0, [INDEX["spine2"], INDEX["spine3"]], 0] = np.radians(20)
    motion = retargeter.perform(Clip(poses, np.zeros((1, 3)), 30.0))
    bends = [
        np.degrees(np.linalg.norm(rot.quaternion_to_axis_angle(motion.rotations[0, motion.bones.index(b)])))
        for b in ("spine_01", "spine_02", "spine_03", "spine_04", "spine_05")
    ]
    np.testing.assert_allclose(bends, [0, 10, 10, 10, 10], atol=1e-6)


def test_unknown_fingers_and_faces_are_left_alone() -> None:
    retargeter = target("smplx")
    clip = random_clip(0, frames=3)
    known = {"lower_trans": True, "upper": True, "hands": False, "face": False}
    bones = retargeter.perform(clip.replace(known=known)).bones
    assert "left_wrist" in bones and "left_index1" not in bones and "jaw" not in bones
    assert "left_index1" in retargeter.perform(clip).bones


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.changed(bones={}), "missing"),
        (
            lambda m: m.changed(bones={k: v for k, v in m.bones.items() if k != "left_knee"}),
            "left shin missing",
        ),
        (lambda m: m.changed(bones={**m.bones, "head": m.bones["neck.1"]}), "mapped twice"),
    ],
)
def test_a_mapping_that_cannot_work_is_one_sentence(change, words: str) -> None:  # type: ignore[no-untyped-def]
    rig = build_rig("mixamo")
    with pytest.raises(BadInput, match=words):
        Retargeter(rig, change(recognise(rig, built_in())))


def test_a_limb_without_length_is_one_sentence() -> None:
    points = rest_points()
    points["left_knee"] = points["left_hip"]
    rig = build_rig("mixamo", points)
    with pytest.raises(BadInput, match="has no length"):
        Retargeter(rig, recognise(rig, built_in()))


def test_numbers_that_are_none_are_refused() -> None:
    clip = random_clip(0, frames=3)
    broken = clip.replace(trans=np.full_like(clip.trans, np.nan))
    with pytest.raises(BadInput, match="not finite"):
        target("mixamo").perform(broken)


def test_a_rig_that_stands_beside_its_origin_plane_keeps_its_floor() -> None:
    points = {name: point - np.array([0.0, 0.95, 0.0]) for name, point in rest_points().items()}
    retargeter = target("mixamo", points=points)
    assert retargeter.stance.floor == pytest.approx(-0.95, abs=0.01)
    standing = Clip(np.zeros((1, 55, 3)), np.array([[0.0, -REST_FLOOR, 0.0]]), 30.0)
    hips = retargeter.perform(standing).locations["mixamorig:Hips"]
    np.testing.assert_allclose(hips, 0, atol=0.003)
    assert J0[1] < 0
