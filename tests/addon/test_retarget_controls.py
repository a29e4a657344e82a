"""Control rigs keyed on their controls: IK feet and hands with poles, FK, the switches, and baked bones."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
import pytest

from understudy.addon.retarget.armature import read_rig
from understudy.addon.retarget.key import Keyed, key_on_rig
from understudy.addon.retarget.stored import recognised
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.mapping import Mapping, mapping_from_json
from understudy.backend.motion.skeleton import INDEX

from .control_rigs import load_rig, mixamo_controls, save_rigify
from .test_retarget import BLENDER, posed_heads, walk, worst_angle

MIXAMO = {
    "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase",
    "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand",
}  # fmt: skip
RIGIFY = {
    "hip": "thigh", "knee": "shin", "ankle": "foot", "foot": "toe",
    "shoulder": "upper_arm", "elbow": "forearm", "wrist": "hand",
}  # fmt: skip


@pytest.fixture(scope="session")
def rigify_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    path = tmp_path_factory.mktemp("rigify") / "rigify.blend"
    if not save_rigify(path):
        pytest.skip("This Blender has no Rigify.")
    return path


@pytest.fixture(params=["mixamo", pytest.param("rigify", marks=pytest.mark.slow)])
def character(request: pytest.FixtureRequest) -> tuple[bpy.types.Object, dict[str, str]]:
    """A control rig, and our joints' names to the bones that deform."""
    if request.param == "mixamo":
        obj = mixamo_controls()
        names = {joint: f"mixamorig:{{S}}{bone}" for joint, bone in MIXAMO.items()}
    else:
        path = request.getfixturevalue("rigify_file")
        obj = load_rig(path)
        names = {joint: f"DEF-{bone}.{{s}}" for joint, bone in RIGIFY.items()}
    sides = (("left", "L", "Left"), ("right", "R", "Right"))
    return obj, {
        f"{side}_{joint}": name.format(s=s, S=word)
        for side, s, word in sides
        for joint, name in names.items()
    }


def bending(frames: int = 25) -> Clip:
    """Limbs that bend to the side that bodies bend to, on a figure that walks and turns."""
    clip = walk(frames)
    poses = np.array(clip.poses)
    swing = np.linspace(0, 2 * np.pi, frames)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        poses[:, INDEX[f"{side}_knee"]] = np.outer(0.7 - 0.6 * np.cos(swing), [1, 0, 0])
        poses[:, INDEX[f"{side}_elbow"]] = np.outer(0.8 - 0.5 * np.cos(swing), [0, -sign, 0])
    return clip.replace(poses=poses)


def key(obj: bpy.types.Object, clip: Clip, **how: object) -> tuple[Mapping, Keyed]:
    mapping = recognised(read_rig(obj))
    options = {"name": "walk", "start_frame": 1, "scene_fps": clip.fps, "fit": False, **how}
    return mapping, key_on_rig(obj, clip, mapping, **options)  # type: ignore[arg-type]


FRAMES = [1, 9, 17, 25]


def test_the_rigs_stand_as_they_rest(character: tuple[bpy.types.Object, dict[str, str]]) -> None:
    obj, bones = character
    names = list(bones.values())
    for bone in obj.pose.bones:
        for switch in ("IK_FK", "ik_fk_switch"):
            if switch in bone:
                bone[switch] = 0.0
    rest = np.array([obj.data.bones[name].head_local for name in names])
    np.testing.assert_allclose(posed_heads(obj, names, [1])[0], rest, atol=2e-3)


@pytest.mark.parametrize("root", ["hips", "root", "object"])
@pytest.mark.parametrize("controls", ["ik feet", "ik", "fk", "bones"])
def test_the_bones_that_deform_follow(
    character: tuple[bpy.types.Object, dict[str, str]], controls: str, root: str
) -> None:
    obj, bones = character
    clip = bending()
    mapping, keyed = key(obj, clip, controls=controls, root=root)
    assert mapping.is_control_rig and mapping.confidence > 0.9 and not mapping.missing
    assert worst_angle(obj, clip, bones, BLENDER) < 0.5
    feet = [bones[f"{side}_{joint}"] for side in ("left", "right") for joint in ("ankle", "foot")]
    found = posed_heads(obj, feet, FRAMES)
    key(obj, clip, controls="fk", root=root)
    assert np.abs(found - posed_heads(obj, feet, FRAMES)).max() < 0.01
    assert keyed.muted == ()


def test_goals_poles_and_both_chains_are_keyed_and_the_switch_changes_nothing(
    character: tuple[bpy.types.Object, dict[str, str]],
) -> None:
    obj, bones = character
    mapping, _ = key(obj, bending(), controls="ik")
    from understudy.addon.keying.actions import channels_of

    channels = channels_of(obj.animation_data)
    assert channels is not None
    paths = {curve.data_path for curve in channels.fcurves}
    assert len(mapping.ik) == 4
    for controls in mapping.ik.values():
        assert f'pose.bones["{controls.goal}"].location' in paths
        assert f'pose.bones["{controls.goal}"].rotation_quaternion' in paths
        assert f'pose.bones["{controls.pole}"].location' in paths
        for bone, values in controls.settings.items():
            for name in values:
                assert {f'pose.bones["{bone}"]["{name}"]', f'pose.bones["{bone}"].{name}'} & paths, name
    for slot in ("left_knee", "right_elbow"):
        assert f'pose.bones["{mapping.bones[slot]}"].rotation_quaternion' in paths
    names = list(bones.values())
    by_ik = posed_heads(obj, names, FRAMES)
    for curve in channels.fcurves:
        if "IK_FK" in curve.data_path or "ik_fk_switch" in curve.data_path:
            curve.keyframe_points[0].co.y = 1.0
            curve.update()
    assert np.abs(by_ik - posed_heads(obj, names, FRAMES)).max() < 0.01


def test_feet_of_other_proportions_stand_by_their_goals(
    character: tuple[bpy.types.Object, dict[str, str]],
) -> None:
    """What the contacts' fit finds is what the goals do."""
    obj, bones = character
    names = list(bones.values())
    key(obj, bending(), controls="fk", fit=True)
    wanted = posed_heads(obj, names, FRAMES)
    key(obj, bending(), controls="ik", fit=True)
    assert np.abs(wanted - posed_heads(obj, names, FRAMES)).max() < 0.01


def test_baked_bones_need_no_constraints_and_controls_get_them_back(
    character: tuple[bpy.types.Object, dict[str, str]],
) -> None:
    obj, bones = character
    names = list(bones.values())
    before = {(b.name, c.name): c.mute for b in obj.pose.bones for c in b.constraints}
    key(obj, bending(), controls="bones")
    baked = posed_heads(obj, names, FRAMES)
    for name in names:
        assert all(constraint.mute for constraint in obj.pose.bones[name].constraints)
    key(obj, bending(), controls="ik feet")
    assert {(b.name, c.name): c.mute for b in obj.pose.bones for c in b.constraints} == before
    assert np.abs(baked - posed_heads(obj, names, FRAMES)).max() < 0.01
    assert len(bpy.data.actions) == 1


def test_a_bake_that_fails_puts_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from understudy.addon.retarget import bake

    obj = mixamo_controls()
    key(obj, bending(), controls="fk")
    before = _state(obj)

    def fail(*args: object) -> None:
        raise RuntimeError("Stop.")

    monkeypatch.setattr(bake, "_local", fail)
    with pytest.raises(RuntimeError, match="Stop"):
        key(obj, bending(9), controls="bones")
    assert _state(obj) == before


def _state(obj: bpy.types.Object) -> tuple:
    pose = [
        (b.name, b.rotation_mode, b.matrix_basis.copy(), b.ik_stretch, dict(b.items()))
        for b in obj.pose.bones
    ]
    mute = [c.mute for b in obj.pose.bones for c in b.constraints]
    return pose, mute, obj.animation_data.action.name, [a.name for a in bpy.data.actions]


def test_the_panels_choice_is_what_the_operator_keys(tmp_path: Path) -> None:
    from understudy.addon.keying.actions import channels_of
    from understudy.backend.motion.npz import write_clip

    write_clip(bending(5), tmp_path / "walk.npz")
    obj = mixamo_controls()
    settings = bpy.context.scene.understudy_retarget
    settings.rig = obj
    for controls, arms_by_ik in (("ik feet", False), ("ik", True)):
        settings.controls = controls
        assert bpy.ops.understudy.retarget(filepath=str(tmp_path / "walk.npz")) == {"FINISHED"}
        channels = channels_of(obj.animation_data)
        assert channels is not None
        switches = {
            c.data_path.split('"')[1]: c.evaluate(1) for c in channels.fcurves if "ik_fk" in c.data_path
        }
        assert switches["Ctrl_Foot_IK_Left"] == 0.0
        assert switches["Ctrl_Hand_IK_Right"] == (0.0 if arms_by_ik else 1.0)


def test_a_table_with_impossible_controls_is_told() -> None:
    from understudy.backend.errors import BadInput
    from understudy.backend.motion.rig_names import family_from_json

    table = {"family": "mine", "sides": [["L", "R"]], "bones": {"pelvis": ["hips"]}}
    ik = {"leg": {"goal": "foot", "pole": "knee", "pole_on": "moon"}}
    assert family_from_json(table).ik == {}
    with pytest.raises(BadInput, match="moon"):
        family_from_json({**table, "ik": ik})


def test_controls_are_kept_with_the_mapping_as_a_file() -> None:
    mapping = recognised(read_rig(mixamo_controls()))
    assert mapping.family == "mixamo_control"
    assert mapping_from_json(mapping.to_json()) == mapping
    broken = json.loads(mapping.to_json())
    broken["ik"]["left_leg"] = {"goal": 3}
    from understudy.backend.errors import BadInput

    with pytest.raises(BadInput, match="not a bone mapping"):
        mapping_from_json(json.dumps(broken))


@pytest.mark.parametrize("target", ["UNITY", "UNREAL", "GLTF"])
@pytest.mark.parametrize("controls", ["ik feet", "bones"])
def test_game_engines_get_what_the_controls_do(target: str, controls: str, tmp_path: Path) -> None:
    """The deforming bones of a control rig, written by the export's settings and read again."""
    from understudy.addon.files.export_character import SUFFIX, write_character

    scene = bpy.context.scene
    scene.render.fps = 24
    obj = mixamo_controls()
    key(obj, bending(9), controls=controls, fit=True)
    names = [f"mixamorig:{side}{bone}" for side in ("Left", "Right") for bone in MIXAMO.values()]
    wanted = posed_heads(obj, names, [1, 5, 9])
    path = tmp_path / f"out{SUFFIX[target]}"
    bpy.context.view_layer.objects.active = obj
    write_character(bpy.context, obj, str(path), target, (1, 9), mesh=False)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 24
    if target == "GLTF":
        bpy.ops.import_scene.gltf(filepath=str(path))
    else:
        bpy.ops.import_scene.fbx(filepath=str(path))
    back = next(o for o in bpy.context.scene.objects if o.type == "ARMATURE")
    assert not [bone.name for bone in back.data.bones if bone.name.endswith("_IK_Left")], (
        "controls stay at home"
    )
    first = round(back.animation_data.action.frame_range[0])
    found = posed_heads(back, names, [first, first + 4, first + 8])
    assert np.ptp(wanted, axis=0).max() > 0.1
    np.testing.assert_allclose(found, wanted, atol=1e-3)
