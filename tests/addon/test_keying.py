"""Clips on armatures: exact, at the right time, on every Blender version."""

from __future__ import annotations

import json
import time

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Quaternion

from understudy.addon.body.bodymap import SMPL_TO_BLENDER, BodyMap, find_body, is_smplx
from understudy.addon.body.builtin import add_body
from understudy.addon.keying import actions, keying
from understudy.backend.errors import BadInput
from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip, resample
from understudy.backend.motion.skeleton import J0, JOINT_NAMES, PARENTS, rest_joints


def random_clip(frames: int = 20, fps: float = 30.0, seed: int = 0, joints: int = 55) -> Clip:
    """Smooth, large rotations of every joint: each turns about its own axis, up to beyond half a turn."""
    rng = np.random.default_rng(seed)
    axes = rng.normal(size=(55, 3))
    axes /= np.linalg.norm(axes, axis=-1, keepdims=True)
    angles = np.linspace(0, 1, frames)[:, None] * rng.uniform(-3, 3, size=55) + rng.uniform(-1, 1, size=55)
    poses = angles[..., None] * axes
    poses[:, joints:] = 0
    trans = np.cumsum(rng.normal(size=(frames, 3)) * 0.05, axis=0) + [0, 1.31, 0]
    meta = {"prompt": "größer ✓", "seed": seed}
    return Clip(poses, trans, fps, betas=np.linspace(-1, 1, 16, dtype=np.float32), gender="female", meta=meta)


def smplx_armature(
    bone_rotation: Matrix | None = None, *, root: bool = False, name: str = "other", scale: float = 1.0
) -> bpy.types.Object:
    """An armature as other tools make them: other bone axes, an extra root bone, other units."""
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    edit_bones = armature.data.edit_bones
    rotation = (bone_rotation or Matrix.Rotation(np.pi / 2, 3, "X")).to_4x4()
    joints = rest_joints() @ SMPL_TO_BLENDER.T * scale
    if root:
        bone = edit_bones.new("root")
        bone.head, bone.tail = (0, 0, 0), (0, 0, 0.1)
        bone.matrix = rotation
    for i, joint in enumerate(JOINT_NAMES):
        bone = edit_bones.new(joint)
        bone.head, bone.tail = (0, 0, 0), (0, 0.05 * scale, 0)
        bone.matrix = Matrix.Translation(joints[i]) @ rotation
        parent = PARENTS[i]
        if parent >= 0:
            bone.parent = edit_bones[JOINT_NAMES[parent]]
        elif root:
            bone.parent = edit_bones["root"]
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def posed_joints(armature: bpy.types.Object, frame: int) -> np.ndarray:
    """(55, 3) bone heads in armature space, as Blender evaluates them."""
    bpy.context.scene.frame_set(frame)
    evaluated = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.pose.bones[name].head for name in JOINT_NAMES])


def curves_of(armature: bpy.types.Object) -> dict[tuple[str, int], bpy.types.FCurve]:
    channels = actions.channels_of(armature.animation_data)
    assert channels is not None
    return {(c.data_path, c.array_index): c for c in channels.fcurves}


@pytest.mark.parametrize("root", [False, True])
@pytest.mark.parametrize(
    "rotation",
    [None, Matrix.Identity(3), Quaternion((0.5, 0.1, -0.7, 0.3)).normalized().to_matrix()],
    ids=["smplx", "identity", "oblique"],
)
def test_blender_shows_the_joints_of_the_clip(rotation: Matrix | None, root: bool) -> None:
    """Blender's own evaluation against our forward kinematics, whatever the bones' rest axes are."""
    armature = smplx_armature(rotation, root=root)
    if root:  # the SMPL-X add-on leaves this behind after an AMASS import
        armature.pose.bones["root"].rotation_mode = "XYZ"
        armature.pose.bones["root"].rotation_euler = (-np.pi / 2, 0, 0)
    clip = random_clip()
    keying.key_clip(armature, clip, name="x", start_frame=5, scene_fps=30.0)
    expected = clip.joints() @ SMPL_TO_BLENDER.T
    for frame in (0, 7, 19):
        assert np.abs(posed_joints(armature, 5 + frame) - expected[frame]).max() < 2e-5


def test_our_own_body_shows_the_joints_too_and_its_keys_are_the_numbers_of_the_clip() -> None:
    armature = add_body(bpy.context)
    clip = random_clip()
    keying.key_clip(armature, clip, name="x", start_frame=1, scene_fps=30.0)
    assert np.abs(posed_joints(armature, 4) - clip.joints()[3] @ SMPL_TO_BLENDER.T).max() < 2e-5
    curves = curves_of(armature)
    location = [curves['pose.bones["pelvis"].location', i].evaluate(4) for i in range(3)]
    np.testing.assert_allclose(location, clip.trans[3], atol=1e-6)
    quaternion = [curves['pose.bones["left_knee"].rotation_quaternion', i].evaluate(4) for i in range(4)]
    back = rotations.quaternion_to_axis_angle(np.array(quaternion))
    assert rotations.geodesic_angle(
        rotations.axis_angle_to_matrix(back), rotations.axis_angle_to_matrix(clip.poses[3, 4])
    ) == pytest.approx(0, abs=1e-6)


def test_a_rig_in_centimetres_moves_in_centimetres() -> None:
    armature = smplx_armature(scale=100.0)
    clip = random_clip()
    keying.key_clip(armature, clip, name="x", start_frame=1, scene_fps=30.0)
    assert np.abs(posed_joints(armature, 9) / 100 - clip.joints()[8] @ SMPL_TO_BLENDER.T).max() < 2e-5


def same_motion(a: Clip, b: Clip) -> tuple[float, float]:
    angle = rotations.geodesic_angle(
        rotations.axis_angle_to_matrix(a.poses), rotations.axis_angle_to_matrix(b.poses)
    )
    return float(angle.max()), float(np.abs(a.trans - b.trans).max())


@pytest.mark.parametrize("rotation", [None, Matrix.Identity(3)], ids=["smplx", "identity"])
def test_round_trip(rotation: Matrix | None) -> None:
    armature = smplx_armature(rotation)
    bpy.context.scene.render.fps = 30
    clip = random_clip(frames=40)
    keying.key_clip(armature, clip, name="x", start_frame=-3, scene_fps=30.0)
    back = keying.clip_from_action(armature)
    assert len(back) == len(clip)
    assert max(same_motion(clip, back)) < 1e-5
    assert back.fps == 30
    assert back.gender == "female"
    assert back.meta == clip.meta
    np.testing.assert_allclose(back.betas, clip.betas, atol=1e-6)


@pytest.mark.parametrize("hinder", ["constraint", "euler", "nla", "root"])
def test_what_curves_do_not_tell_is_evaluated(hinder: str) -> None:
    """Constraints, Euler bones, NLA strips and a moving root give the motion that is seen."""
    armature = smplx_armature(root=True)
    bpy.context.scene.render.fps = 30
    clip = random_clip(frames=12, joints=22)
    action = keying.key_clip(armature, clip, name="x", start_frame=1, scene_fps=30.0)
    bpy.context.scene.frame_end = 12
    bpy.context.scene.frame_set(3)
    bones = armature.pose.bones
    expected = clip
    if hinder == "constraint":
        limit = bones["head"].constraints.new("LIMIT_ROTATION")
        limit.owner_space = "LOCAL"
        for axis in "xyz":
            setattr(limit, f"use_limit_{axis}", True)
        poses = clip.poses.copy()
        poses[:, JOINT_NAMES.index("head")] = 0
        expected = clip.replace(poses=poses)
    elif hinder == "euler":
        bones["jaw"].rotation_mode = "XYZ"
    elif hinder == "nla":
        track = armature.animation_data.nla_tracks.new()
        strip = track.strips.new("x", 1, action)
        armature.animation_data.action = None
        if hasattr(strip, "action_slot") and strip.action_slot is None:
            strip.action_slot = action.slots[0]
    else:
        for curve in list(curves_of(armature).values()):
            if '"root"' in curve.data_path:
                actions.channels_of(armature.animation_data).fcurves.remove(curve)
        bones["root"].rotation_quaternion = (np.sqrt(0.5), 0, np.sqrt(0.5), 0)  # a quarter turn about Y
        turn = rotations.yaw_matrix(np.array(np.pi / 2))
        root_rotation = turn @ rotations.axis_angle_to_matrix(clip.poses[:, 0])
        poses = clip.poses.copy()
        poses[:, 0] = rotations.matrix_to_axis_angle(root_rotation)
        expected = clip.replace(poses=poses, trans=(clip.trans + J0) @ turn.T - J0)
    back = keying.clip_from_action(armature)
    assert len(back) == 12
    assert max(same_motion(expected, back)) < 1e-4
    assert bpy.context.scene.frame_current == 3


@pytest.mark.parametrize(("fps", "base"), [(24, 1.0), (25, 1.0), (30, 1.001), (60, 1.0), (120, 1.0)])
def test_speed_is_right_at_any_scene_rate(fps: int, base: float) -> None:
    """A pose of the clip at time t stands at frame start + t * rate, and keys lie on whole frames."""
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = fps, base
    armature = smplx_armature()
    clip = random_clip(frames=61, fps=30.0)
    rate = keying.scene_rate(scene)
    action = keying.key_clip(armature, clip, name="x", start_frame=10, scene_fps=rate)
    first, last = action.frame_range
    assert first == 10
    assert last == int(last)
    assert (last - first) / rate == pytest.approx(2.0, abs=1 / rate)
    played = keying.clip_from_action(armature)
    assert max(same_motion(resample(clip, rate), played)) < 1e-5


def test_every_pose_can_be_kept_between_frames() -> None:
    armature = smplx_armature()
    clip = random_clip(frames=51, fps=100.0)
    keying.key_clip(armature, clip, name="x", start_frame=1, scene_fps=24.0, keep_poses=True)
    points = curves_of(armature)['pose.bones["pelvis"].location', 0].keyframe_points
    assert len(points) == 51
    assert points[-1].co[0] == pytest.approx(1 + 0.5 * 24)


def test_neighbouring_keys_never_go_the_long_way_round() -> None:
    """A joint that turns through 180 degrees flips the sign of its canonical quaternion."""
    poses = np.zeros((30, 55, 3))
    angle = np.linspace(np.pi - 0.5, np.pi + 0.5, 30)
    poses[:, 16, 0] = np.where(angle > np.pi, angle - 2 * np.pi, angle)
    armature = smplx_armature()
    clip = Clip(poses, np.zeros((30, 3)), 30.0)
    keying.key_clip(armature, clip, name="x", start_frame=0, scene_fps=30.0)
    curves = curves_of(armature)
    path = 'pose.bones["left_shoulder"].rotation_quaternion'
    halfway = np.array([[curves[path, i].evaluate(f + 0.5) for i in range(4)] for f in range(29)])
    np.testing.assert_allclose(np.linalg.norm(halfway, axis=1), 1.0, atol=1e-3)


def test_keys_are_linear_and_grouped_by_bone() -> None:
    armature = smplx_armature()
    keying.key_clip(armature, random_clip(), name="x", start_frame=1, scene_fps=30.0)
    curves = curves_of(armature)
    assert len(curves) == 55 * 4 + 3
    for (path, _), curve in curves.items():
        assert curve.group.name == path.split('"')[1]
        assert {point.interpolation for point in curve.keyframe_points} == {"LINEAR"}


def test_a_second_generation_plays_and_the_first_one_does_not_pile_up() -> None:
    armature = smplx_armature()
    first, second = random_clip(seed=1), random_clip(seed=2)
    keying.key_clip(armature, first, name="one", start_frame=1, scene_fps=30.0)
    keying.key_clip(armature, second, name="two", start_frame=1, scene_fps=30.0)
    expected = second.joints()[6] @ SMPL_TO_BLENDER.T
    assert np.abs(posed_joints(armature, 7) - expected).max() < 2e-5
    assert [action.name for action in bpy.data.actions] == ["two"]
    if hasattr(bpy.types, "ActionSlot"):
        assert armature.animation_data.action_slot is not None
        assert armature.animation_data.action_slot.name_display == actions.SLOT_NAME


def test_swapping_takes_by_hand_keeps_playing() -> None:
    """Whoever picks another of our Actions in the editor must not lose the slot (Blender 4.4+)."""
    armature = smplx_armature()
    first, second = random_clip(seed=1), random_clip(seed=2)
    one = keying.key_clip(armature, first, name="one", start_frame=1, scene_fps=30.0)
    one.use_fake_user = True
    keying.key_clip(armature, second, name="two", start_frame=1, scene_fps=30.0)
    armature.animation_data.action = one
    assert np.abs(posed_joints(armature, 7) - first.joints()[6] @ SMPL_TO_BLENDER.T).max() < 2e-5


def test_what_the_animator_kept_stays() -> None:
    """A fake user, another user, or an Action of the animator's own are never removed."""
    armature, other = smplx_armature(), smplx_armature(name="second")
    own = bpy.data.actions.new("my own")
    armature.animation_data_create().action = own
    kept = keying.key_clip(armature, random_clip(), name="kept", start_frame=1, scene_fps=30.0)
    kept.use_fake_user = True
    shared = keying.key_clip(armature, random_clip(), name="shared", start_frame=1, scene_fps=30.0)
    other.animation_data_create().action = shared
    keying.key_clip(armature, random_clip(), name="last", start_frame=1, scene_fps=30.0)
    assert {action.name for action in bpy.data.actions} == {"my own", "kept", "shared", "last"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a person  walks\nforward", "a person walks forward"),
        ("", "Understudy"),
        ("word " * 40, "word word word word word word word word word word word…"),
        ("漢" * 80, "漢" * 19 + "…"),
    ],
)
def test_names_of_actions_are_short_lines(text: str, name: str) -> None:
    assert actions.action_name(text) == name
    assert bpy.data.actions.new(actions.action_name(text)).name == name


def test_information_of_the_clip_travels_with_the_action() -> None:
    armature = smplx_armature()
    action = keying.key_clip(armature, random_clip(), name="x", start_frame=1, scene_fps=30.0)
    assert json.loads(action[actions.META_KEY])["meta"]["prompt"] == "größer ✓"


def test_the_scene_grows_but_never_shrinks() -> None:
    scene = bpy.context.scene
    armature = smplx_armature()
    scene.frame_end = 250
    action = keying.key_clip(armature, random_clip(), name="x", start_frame=1, scene_fps=30.0)
    keying.extend_scene(scene, action)
    assert scene.frame_end == 250
    action = keying.key_clip(armature, random_clip(), name="x", start_frame=240, scene_fps=30.0)
    keying.extend_scene(scene, action)
    assert scene.frame_end == 259


def test_unusable_armatures_are_refused_in_one_sentence_and_left_alone() -> None:
    plain = bpy.data.objects.new("plain", bpy.data.armatures.new("plain"))
    bpy.context.scene.collection.objects.link(plain)
    assert not is_smplx(plain)
    lying = smplx_armature(name="lying")
    lying.data.transform(Matrix.Rotation(np.pi / 2, 4, "Y"))
    tweaked = smplx_armature(name="tweaked")
    connected = smplx_armature(name="connected", root=True)
    bpy.context.view_layer.objects.active = connected
    bpy.ops.object.mode_set(mode="EDIT")
    edit_bones = connected.data.edit_bones
    edit_bones["root"].tail = edit_bones["pelvis"].head
    edit_bones["pelvis"].use_connect = True
    bpy.ops.object.mode_set(mode="OBJECT")
    action = bpy.data.actions.new("mine")
    strip = tweaked.animation_data_create().nla_tracks.new().strips.new("mine", 1, action)
    strip.select = True
    tweaked.animation_data.nla_tracks[0].select = True
    tweaked.animation_data.use_tweak_mode = True
    for armature, words in [
        (plain, "not a SMPL-X armature"),
        (lying, "does not stand upright"),
        (connected, "connected"),
        (tweaked, "tweak mode"),
    ]:
        with pytest.raises(BadInput, match=words) as caught:
            keying.key_clip(armature, random_clip(), name="x", start_frame=1, scene_fps=30.0)
        assert armature.name in str(caught.value)
    assert [action.name for action in bpy.data.actions] == ["mine"]


def test_an_a_pose_is_told_from_a_t_pose() -> None:
    armature = smplx_armature(name="relaxed")
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    edit_bones = armature.data.edit_bones
    for side in ("left", "right"):
        shoulder = edit_bones[f"{side}_shoulder"].head.copy()
        edit_bones[f"{side}_wrist"].translate(shoulder + (edit_bones[f"{side}_wrist"].head - shoulder) * 0.7
                                              - edit_bones[f"{side}_wrist"].head)  # fmt: skip
        edit_bones[f"{side}_wrist"].head.z -= 0.35
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(BadInput, match="T-pose"):
        BodyMap.of(armature)


def test_a_still_body_has_nothing_to_export() -> None:
    with pytest.raises(BadInput, match="no animation"):
        keying.clip_from_action(smplx_armature())


def test_the_body_is_found_from_its_mesh_and_never_from_another_scene() -> None:
    body = add_body(bpy.context)
    mesh = body.children[0]
    bpy.context.view_layer.objects.active = mesh
    assert find_body(bpy.context) == body
    bpy.context.scene.understudy.body = body
    bpy.context.view_layer.objects.active = None
    assert find_body(bpy.context) == body
    bpy.context.scene.collection.objects.unlink(body)  # deleted: the pointer alone keeps it in the file
    assert find_body(bpy.context) is None


def test_keying_ten_seconds_is_quick() -> None:
    """The budget is 50 ms; keyframe_insert would need seconds. Wide margin: machines are busy."""
    armature = smplx_armature()
    clip = random_clip(frames=300)
    best = min(
        _timed(lambda: keying.key_clip(armature, clip, name="x", start_frame=1, scene_fps=30.0))
        for _ in range(3)
    )
    assert best < 0.25


def _timed(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
