"""Retargeting in Blender: reading, keying and reading back rigs, the operators, files, and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Vector

from understudy.backend.errors import BadInput
from understudy.backend.motion import rotations as rot
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import read_clip, write_clip
from understudy.backend.motion.retarget import Retargeter
from understudy.backend.motion.skeleton import INDEX

from .rigs import build, rigs


def walk(frames: int = 25, seed: int = 0, fps: float = 24.0) -> Clip:
    """Everything moves, and the figure walks and turns."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0, 2 * np.pi, frames)[:, None, None]
    poses = rng.normal(0, 0.3, (1, 55, 3)) * np.sin(time + rng.uniform(0, 6, (1, 55, 3)))
    poses[:, 0, 1] += np.linspace(0, 1.5, frames)
    trans = np.stack([0.3 * time[:, 0, 0], np.full(frames, 1.31), 0.2 * time[:, 0, 0]], axis=-1)
    return Clip(poses=poses, trans=trans, fps=fps, meta={"prompt": "a walk"})


def key(obj: bpy.types.Object, clip: Clip, **how: object):  # type: ignore[no-untyped-def]
    from understudy.addon.retarget.armature import read_rig
    from understudy.addon.retarget.key import key_on_rig
    from understudy.addon.retarget.stored import mapping_of

    mapping = mapping_of(obj, read_rig(obj))
    options = {"name": "walk", "start_frame": 1, "scene_fps": clip.fps, "fit": False, **how}
    return mapping, key_on_rig(obj, clip, mapping, **options)  # type: ignore[arg-type]


def posed_heads(obj: bpy.types.Object, names: list[str], frames: list[int]) -> np.ndarray:
    """World positions (T, K, 3) of bone heads as Blender evaluates them."""
    found = np.empty((len(frames), len(names), 3))
    for i, frame in enumerate(frames):
        bpy.context.scene.frame_set(frame)
        evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        for k, name in enumerate(names):
            found[i, k] = evaluated.matrix_world @ evaluated.pose.bones[name].head
    return found


def worst_angle(obj: bpy.types.Object, clip: Clip, joints: dict[str, str], turn: np.ndarray) -> float:
    """Degrees between the clip's limbs and the evaluated rig's, on some frames; ``joints`` is joint to bone."""
    frames = [0, len(clip) // 3, len(clip) - 1]
    heads = posed_heads(obj, list(joints.values()), [1 + frame for frame in frames])
    theirs = {joint: heads[:, k] @ turn for k, joint in enumerate(joints)}
    positions = clip.joints()[frames]
    ours = {joint: positions[:, INDEX[joint]] for joint in joints}
    first, second = rigs.limb_directions(ours), rigs.limb_directions(theirs)
    assert len(first) >= 8
    cosines = np.concatenate([np.sum(first[k] * second[k], axis=-1) for k in first])
    return float(np.degrees(np.arccos(np.clip(cosines.min(), -1, 1))))


BLENDER = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
SOME = ("mixamo", "unreal (UE5)", "daz (Genesis 8)", "mmd", "plain")


@pytest.mark.parametrize("family", SOME)
def test_the_evaluated_rig_points_where_the_clip_does(family: str) -> None:
    points = rigs.rest_points(arms=45, legs=5, thighs=1.2)
    obj = build(family, points=points, rng=np.random.default_rng(3), scale=1.5)
    obj.rotation_euler = (0.3, -0.2, 1.0)
    obj.location, obj.scale = (3, 4, 5), (0.5, 0.5, 0.5)
    clip = walk()
    mapping, keyed = key(obj, clip)
    turn = np.array(obj.rotation_euler.to_matrix()) @ BLENDER
    joints = {slot: bone for slot, bone in mapping.bones.items() if slot in INDEX}
    assert worst_angle(obj, clip, joints, turn) < 0.1
    assert obj.animation_data.action == keyed.action and keyed.action.name == "walk"


@pytest.mark.parametrize("root", ["hips", "root", "object"])
def test_there_and_back_through_blender(root: str) -> None:
    from understudy.addon.retarget.armature import clip_from_rig, read_rig

    obj = build("unreal (UE4)", points=rigs.rest_points(arms=50), rng=np.random.default_rng(1))
    obj.location, obj.rotation_euler = (1, 2, 0), (0, 0, 0.7)
    clip = walk()
    scene = bpy.context.scene
    scene.render.fps = 24
    mapping, _ = key(obj, clip, root=root)
    scene.frame_set(7)
    back = clip_from_rig(obj, Retargeter(read_rig(obj), mapping), scene=scene)
    assert scene.frame_current == 7
    assert len(back) == len(clip) and back.fps == 24
    mapped = [j for name, j in INDEX.items() if name in mapping.bones or name.startswith("spine")]
    ours, theirs = (rot.axis_angle_to_matrix(c.poses[:, mapped]) for c in (clip, back))
    assert np.degrees(rot.geodesic_angle(ours, theirs)).max() < 0.05
    np.testing.assert_allclose(back.trans, clip.trans, atol=2e-4)


def test_keying_again_on_the_object_starts_from_the_same_place() -> None:
    obj = build("mixamo")
    obj.location = (5, 0, 0)
    clip = walk()
    key(obj, clip, root="object")
    bpy.context.scene.frame_set(20)
    assert obj.location.x > 5.2
    key(obj, clip, root="object")
    bpy.context.scene.frame_set(1)
    assert obj.location.x == pytest.approx(5, abs=1e-3)
    bpy.context.scene.frame_set(20)
    key(obj, clip, root="hips")
    assert tuple(obj.location) == pytest.approx((5, 0, 0), abs=1e-4)
    assert len(bpy.data.actions) == 1


def test_left_over_poses_and_constraints_do_not_bend_the_motion() -> None:
    obj = build("mixamo")
    bones = obj.pose.bones
    bones["mixamorig:LeftArm"].rotation_mode = "XYZ"
    bones["mixamorig:LeftArm"].location = (0, 1, 0)
    bones["mixamorig:LeftArm"].scale = (2, 2, 2)
    target = bpy.data.objects.new("Goal", None)
    bpy.context.scene.collection.objects.link(target)
    target.location = (3, 3, 3)
    ik = bones["mixamorig:LeftLeg"].constraints.new("IK")
    ik.target, ik.chain_count = target, 2
    clip = walk()
    mapping, keyed = key(obj, clip)
    assert ik.mute and keyed.muted == ("mixamorig:LeftLeg: IK",)
    joints = {slot: bone for slot, bone in mapping.bones.items() if slot in INDEX}
    assert worst_angle(obj, clip, joints, BLENDER) < 0.1


@pytest.mark.parametrize("root", ["hips", "root"])
def test_bones_that_do_not_inherit_and_locations_along_other_axes(root: str) -> None:
    obj = build("unreal (UE4)", points=rigs.rest_points(arms=40), rng=np.random.default_rng(8))
    bones = obj.data.bones
    for name in ("lowerarm_l", "head", "thigh_r"):
        bones[name].use_inherit_rotation = False
    clip = walk()
    for local in (True, False):
        bones["pelvis"].use_local_location = local
        mapping, _ = key(obj, clip, root=root)
        joints = {slot: bone for slot, bone in mapping.bones.items() if slot in INDEX}
        assert worst_angle(obj, clip, joints, BLENDER) < 0.1
        hips = posed_heads(obj, ["pelvis"], [1, 13, 25])[:, 0] @ BLENDER
        np.testing.assert_allclose(hips, clip.joints()[[0, 12, 24], 0], atol=0.002)


def test_the_operators_carry_a_bodys_motion_over_and_back() -> None:
    from understudy.addon.keying.keying import clip_from_action, key_clip

    scene = bpy.context.scene
    body = build("smplx")
    scene.understudy.body = body
    clip = walk()
    key_clip(body, clip, name="a walk", start_frame=10, scene_fps=24)
    rig = build("vrm")
    scene.understudy_retarget.rig = rig
    scene.understudy_retarget.fit = False
    assert bpy.ops.understudy.recognise_rig() == {"FINISHED"}
    rows = {row.name: row for row in rig.data.understudy_rig.rows}
    assert rows["left_knee"].bone == "J_Bip_L_LowerLeg" and rows["left_knee"].by == "name"
    assert bpy.ops.understudy.retarget() == {"FINISHED"}
    assert tuple(rig.animation_data.action.frame_range) == (10, 34)
    mine = body.animation_data.action
    assert bpy.ops.understudy.rig_to_body() == {"FINISHED"}
    assert body.animation_data.action != mine
    back = clip_from_action(body, scene=scene)
    ours, theirs = (c.joints()[:, :22] for c in (clip, back))
    assert np.abs(ours - theirs).max() < 0.002


def test_a_choice_in_the_list_is_kept_with_the_rig_and_used() -> None:
    from understudy.addon.retarget.armature import read_rig
    from understudy.addon.retarget.stored import mapping_of, stored

    rig = build("mixamo", rename={"mixamorig:Head": "Kopf"})
    bpy.context.scene.understudy_retarget.rig = rig
    bpy.ops.understudy.recognise_rig()
    row = next(row for row in rig.data.understudy_rig.rows if row.name == "head")
    row.bone = "mixamorig:HeadTop_End"
    assert row.by == "user"
    kept = stored(rig)
    assert kept is not None and kept.by["head"] == "user" and kept.by["neck.1"] == "name"
    assert mapping_of(rig, read_rig(rig)).bones["head"] == "mixamorig:HeadTop_End"


def test_a_clip_file_onto_a_rig_and_a_rig_to_a_clip_file(tmp_path: Path) -> None:
    write_clip(walk(), tmp_path / "walk.npz")
    rig = build("mixamo")
    bpy.context.scene.understudy_retarget.rig = rig
    bpy.context.scene.render.fps = 24
    assert bpy.ops.understudy.retarget(filepath=str(tmp_path / "walk.npz"), root="in place") == {"FINISHED"}
    assert rig.data.understudy_rig.rows["left_knee"].bone == "mixamorig:LeftLeg", (
        "what it recognised is shown"
    )
    assert bpy.ops.understudy.rig_to_npz(filepath=str(tmp_path / "back.npz")) == {"FINISHED"}
    back = read_clip(tmp_path / "back.npz")
    assert len(back) == 25 and back.known["hands"] and not back.known["face"]
    assert np.abs(back.trans[:, [0, 2]]).max() < 0.35


def _linked(tmp_path: Path) -> bpy.types.Object:
    build("mixamo")
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path, copy=True)
    bpy.data.batch_remove(list(bpy.data.objects) + list(bpy.data.armatures))
    with bpy.data.libraries.load(path, link=True) as (source, wanted):
        wanted.objects = list(source.objects)
    obj = wanted.objects[0]
    bpy.context.scene.collection.objects.link(obj)
    return obj


def _locked(tmp_path: Path) -> bpy.types.Object:
    obj = build("mixamo")
    obj.pose.bones["mixamorig:LeftArm"].lock_rotation = (True, True, True)
    return obj


def _connected(tmp_path: Path) -> bpy.types.Object:
    obj = build("unreal (UE4)")
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    obj.data.edit_bones["root"].tail = obj.data.edit_bones["pelvis"].head
    obj.data.edit_bones["pelvis"].use_connect = True
    bpy.ops.object.mode_set(mode="OBJECT")
    return obj


def _empty(tmp_path: Path) -> bpy.types.Object:
    obj = bpy.data.objects.new("Empty", bpy.data.armatures.new("Empty"))
    bpy.context.scene.collection.objects.link(obj)
    return obj


def _unknown(tmp_path: Path) -> bpy.types.Object:
    obj = _empty(tmp_path)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    for i in range(4):
        bone = obj.data.edit_bones.new(f"Bone{i}")
        bone.tail = (0, i, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    return obj


def _without_length(tmp_path: Path) -> bpy.types.Object:
    obj = build("mixamo")
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    bones = obj.data.edit_bones
    knee = bones["mixamorig:LeftLeg"]
    knee.head = bones["mixamorig:LeftUpLeg"].head
    knee.tail = knee.head + Vector((0, 0, -0.1))
    bpy.ops.object.mode_set(mode="OBJECT")
    return obj


def _without_knee(tmp_path: Path) -> bpy.types.Object:
    obj = build("mixamo")
    bpy.context.scene.understudy_retarget.rig = obj
    bpy.ops.understudy.recognise_rig()
    next(row for row in obj.data.understudy_rig.rows if row.name == "left_knee").bone = ""
    return obj


def _edited(tmp_path: Path) -> bpy.types.Object:
    obj = build("mixamo")
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    return obj


def _override(tmp_path: Path) -> bpy.types.Object:
    obj = _linked(tmp_path).override_create(remap_local_usages=True)
    obj.override_library.is_system_override = True
    return obj


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_linked, "linked from another file"),
        (_override, "library override"),
        (_locked, "“mixamorig:LeftArm” of “Character” is locked"),
        (_without_length, "has no length"),
        (_without_knee, "not mapped: left shin missing"),
        (_edited, "Edit Mode"),
        (_connected, "connected to their parent bone"),
        (_empty, "no bones"),
        (_unknown, "not recognised"),
        (lambda tmp_path: None, "Choose an armature"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_changes_nothing(make, words: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    write_clip(walk(), tmp_path / "walk.npz")
    rig = make(tmp_path)
    if rig is not None:
        bpy.context.scene.understudy_retarget.rig = rig
    before = _state(rig)
    with pytest.raises(RuntimeError, match=words) as caught:
        bpy.ops.understudy.retarget(filepath=str(tmp_path / "walk.npz"))
    assert len(str(caught.value).strip().splitlines()) == 1
    assert _state(rig) == before


def _state(rig: bpy.types.Object | None) -> tuple:
    poses = (
        [(b.name, b.rotation_mode, str(b.matrix_basis)) for b in rig.pose.bones] if rig and rig.pose else []
    )
    animation = rig.animation_data if rig is not None else None
    action = animation.action.name if animation is not None and animation.action is not None else ""
    return poses, action, len(bpy.data.actions), len(bpy.data.objects), len(bpy.data.armatures)


def test_what_is_no_armature_is_told_and_left_alone() -> None:
    mesh = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    bpy.context.scene.collection.objects.link(mesh)
    from understudy.addon.retarget.key import key_on_rig
    from understudy.backend.motion.mapping import Mapping

    with pytest.raises(BadInput, match="“Cube” is no armature"):
        key_on_rig(mesh, walk(), Mapping(), name="walk", start_frame=1, scene_fps=24)
    assert mesh.animation_data is None and not bpy.data.actions


def test_a_failure_half_way_puts_everything_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from understudy.addon.retarget import key as keying

    obj = build("mixamo")
    key(obj, walk())
    before = _state(obj)

    def fail(*args: object) -> None:
        raise BadInput("Stop.")

    monkeypatch.setattr(keying, "assign", fail)
    with pytest.raises(BadInput, match="Stop"):
        key(obj, walk(seed=1), root="object")
    assert _state(obj) == before


def test_an_unevenly_scaled_object_cannot_walk() -> None:
    obj = build("mixamo")
    obj.scale = (1, 1, 2)
    with pytest.raises(BadInput, match="scaled unevenly"):
        key(obj, walk(), root="object")


class Layout:
    """Records what a panel draws; every sub-layout is the same object."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.operators: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in ("row", "column", "box", "split"):
            return lambda **_: self
        if name == "operator":
            return lambda idname, **_: self.operators.append(idname)
        if name == "label":
            return lambda **given: self.texts.append(given.get("text", ""))
        return lambda *_, **__: None


def drawn() -> str:
    from understudy.addon.retarget.panel import UNDERSTUDY_PT_retarget as Panel

    layout = Layout()
    context = SimpleNamespace(
        scene=bpy.context.scene,
        view_layer=bpy.context.view_layer,
        preferences=bpy.context.preferences,
        region=None,
    )
    Panel.draw(SimpleNamespace(layout=layout, _draw_mapping=Panel._draw_mapping), context)
    return " ".join([*layout.texts, *layout.operators])


def test_the_panel_says_what_is_chosen_found_and_missing() -> None:
    assert "Choose an armature" in drawn()
    rig = build("plain", rename={"head": "Melon", "neck": "Stem"})
    settings = bpy.context.scene.understudy_retarget
    settings.rig = rig
    assert "Not looked at yet" in drawn() and "understudy.retarget" in drawn()
    bpy.ops.understudy.recognise_rig()
    shown = drawn()
    assert "Plain names" in shown and "sure" in shown and "Missing" not in shown
    next(row for row in rig.data.understudy_rig.rows if row.name == "left_wrist").bone = ""
    assert "Missing: left hand" in drawn()
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    assert "Edit Mode" in drawn()
    bpy.ops.object.mode_set(mode="OBJECT")


def test_the_list_shows_what_matters_and_what_is_searched_for() -> None:
    from understudy.addon.retarget.panel import UNDERSTUDY_UL_bones as List

    rig = build("plain")
    bpy.context.scene.understudy_retarget.rig = rig
    bpy.ops.understudy.recognise_rig()
    rows = rig.data.understudy_rig

    def shown(words: str = "") -> list[str]:
        fake = SimpleNamespace(filter_name=words, bitflag_filter_item=1)
        flags, _ = List.filter_items(fake, bpy.context, rows, "rows")
        return [row.name for row, flag in zip(rows.rows, flags, strict=True) if flag]

    assert "left_knee" in shown() and "left_knee_twist.1" not in shown()
    assert shown("shin") == ["left_knee", "right_knee"]
    bpy.context.scene.understudy_retarget.show_all = True
    assert len(shown()) == len(rows.rows)


def test_a_mapping_is_saved_and_loaded_as_a_file(tmp_path: Path) -> None:
    from understudy.addon.retarget.stored import stored

    settings = bpy.context.scene.understudy_retarget
    settings.rig = first = build("mixamo")
    bpy.ops.understudy.recognise_rig()
    assert bpy.ops.understudy.save_mapping(filepath=str(tmp_path / "map.json")) == {"FINISHED"}
    settings.rig = second = build("mixamo")
    assert bpy.ops.understudy.load_mapping(filepath=str(tmp_path / "map.json")) == {"FINISHED"}
    assert stored(second) == stored(first)
    (tmp_path / "map.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RuntimeError, match="not a bone mapping"):
        bpy.ops.understudy.load_mapping(filepath=str(tmp_path / "map.json"))


def test_feet_that_stand_do_so_on_other_proportions() -> None:
    obj = build("mixamo", points=rigs.rest_points(thighs=0.6))
    poses = np.zeros((30, 55, 3))
    lean = np.radians(25) * np.sin(np.linspace(0, np.pi, 30))
    for sign, joint in ((-1, "hip"), (2, "knee"), (-1, "ankle")):  # a knee bend on standing feet
        for side in ("left", "right"):
            poses[:, INDEX[f"{side}_{joint}"], 0] = sign * lean
    still = Clip(poses, np.tile([0.0, 1.31, 0.0], (30, 1)), 24.0, contacts=np.ones((30, 4)))
    feet = still.joints()[:, INDEX["left_ankle"]]
    clip = still.replace(trans=still.trans + (feet[:1] - feet))
    bones = ["mixamorig:LeftFoot", "mixamorig:RightFoot"]
    spread = {}
    for fit in (False, True):
        key(obj, clip, fit=fit)
        spread[fit] = np.ptp(posed_heads(obj, bones, [1, 8, 15, 22]), axis=0).max()
    assert spread[True] <= max(spread[False], 0.005)
    assert spread[True] < 0.01


def test_many_rigs_and_takes_leave_nothing_behind() -> None:
    obj = build("plain")
    for seed in range(20):
        key(obj, walk(frames=3, seed=seed))
    assert len(bpy.data.actions) == 1
    bpy.data.batch_remove([obj.data, obj])
    assert not bpy.data.objects and not bpy.data.armatures


def test_the_mapping_is_saved_with_the_file(tmp_path: Path) -> None:
    from understudy.addon.retarget.stored import stored

    rig = build("mmd")
    bpy.context.scene.understudy_retarget.rig = rig
    bpy.ops.understudy.recognise_rig()
    wanted = stored(rig)
    path = str(tmp_path / "kept.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert stored(bpy.data.objects["Character"]) == wanted


def _dressed(family: str, path: Path) -> None:
    """A family's rig with a small skin on every bone, as a .blend: exporters keep bones that move something."""
    obj = build(family, points=rigs.rest_points(arms=30))
    heads = [bone.head_local for bone in obj.data.bones]
    mesh = bpy.data.meshes.new("Skin")
    corners = [head + Vector(step) for head in heads for step in ((0, 0, 0), (0.01, 0, 0), (0, 0.01, 0))]
    mesh.from_pydata(corners, [], [(3 * i, 3 * i + 1, 3 * i + 2) for i in range(len(heads))])
    skin = bpy.data.objects.new("Skin", mesh)
    bpy.context.scene.collection.objects.link(skin)
    skin.parent = obj
    skin.modifiers.new("Armature", "ARMATURE").object = obj
    for i, bone in enumerate(obj.data.bones):
        skin.vertex_groups.new(name=bone.name).add([3 * i, 3 * i + 1, 3 * i + 2], 1.0, "REPLACE")
    bpy.ops.wm.save_as_mainfile(filepath=str(path))


@pytest.mark.parametrize("suffix", ["glb", "fbx", "bvh"])
@pytest.mark.parametrize("family", ["mixamo", "unreal (UE4)"])
def test_other_programs_get_the_same_motion(family: str, suffix: str, tmp_path: Path) -> None:
    from understudy.addon.retarget import cli

    _dressed(family, tmp_path / "rig.blend")
    write_clip(walk(frames=8), tmp_path / "walk.npz")
    arguments = [str(tmp_path / "walk.npz"), "--rig", str(tmp_path / "rig.blend"), "--out"]
    for out in ("out.blend", f"out.{suffix}"):
        assert cli.main([*arguments, str(tmp_path / out)]) == 0
    names = [
        bone
        for bone, joint in rigs.joint_of(family).items()
        if joint in INDEX and not joint.endswith("3") and not bone.startswith("ik_")
    ]

    def played(path: Path) -> np.ndarray:
        if path.suffix == ".blend":
            bpy.ops.wm.open_mainfile(filepath=str(path))
        else:
            bpy.ops.wm.read_factory_settings(use_empty=True)
            bpy.context.scene.render.fps = 24
            readers = {
                ".glb": lambda: bpy.ops.import_scene.gltf(filepath=str(path)),
                ".fbx": lambda: bpy.ops.import_scene.fbx(filepath=str(path)),
                ".bvh": lambda: bpy.ops.import_anim.bvh(
                    filepath=str(path), global_scale=0.01, rotate_mode="QUATERNION"
                ),
            }
            readers[path.suffix]()
        obj = next(o for o in bpy.context.scene.objects if o.type == "ARMATURE")
        first = round(obj.animation_data.action.frame_range[0])
        return posed_heads(obj, names, [first, first + 4, first + 7])

    wanted = played(tmp_path / "out.blend")
    assert np.ptp(wanted, axis=0).max() > 0.5
    np.testing.assert_allclose(played(tmp_path / f"out.{suffix}"), wanted, atol=1e-3)


def _data(name: str) -> Path:
    path = Path(os.environ.get("UNDERSTUDY_DATA", "")) / "cc0" / name
    if not os.environ.get("UNDERSTUDY_DATA") or not path.is_file():
        pytest.skip(f"UNDERSTUDY_DATA names no folder with cc0/{name}")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["human-base-animations.glb", "human-addon-animations.glb"])
def test_real_characters_are_recognised_and_moved(name: str, tmp_path: Path) -> None:
    from understudy.addon.retarget import cli

    write_clip(walk(), tmp_path / "walk.npz")
    arguments = [str(tmp_path / "walk.npz"), "--rig", str(_data(name)), "--out", str(tmp_path / "out.blend")]
    assert cli.main([*arguments, "--no-fit", "--report", str(tmp_path / "report.json")]) == 0
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["confidence"] == 1.0 and report["missing"] == [] and report["bones"] >= 50
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "out.blend"))
    rig = bpy.data.objects[report["rig"]]
    from understudy.addon.retarget.armature import read_rig
    from understudy.addon.retarget.stored import recognised

    joints = {slot: bone for slot, bone in recognised(read_rig(rig)).bones.items() if slot in INDEX}
    assert worst_angle(rig, walk(), joints, BLENDER) < 0.2


@pytest.fixture
def rigify() -> Iterator[bpy.types.Object]:
    """Rigify's human meta-rig, made by Blender itself; Rigify is switched off again."""
    import addon_utils

    if addon_utils.enable("rigify", default_set=True) is None:
        pytest.skip("This Blender has no Rigify.")
    try:
        bpy.ops.object.armature_human_metarig_add()
        yield bpy.context.view_layer.objects.active
    finally:
        addon_utils.disable("rigify", default_set=True)


def test_rigifys_meta_rig(rigify: bpy.types.Object) -> None:
    clip = walk()
    mapping, _ = key(rigify, clip)
    assert mapping.family == "rigify_meta" and mapping.missing == () and mapping.confidence == 1.0
    joints = {slot: bone for slot, bone in mapping.bones.items() if slot in INDEX}
    assert len(joints) > 48
    assert worst_angle(rigify, clip, joints, BLENDER) < 0.1


@pytest.mark.slow
def test_a_generated_rigify_character_moves_by_its_controls(rigify: bpy.types.Object) -> None:
    bpy.ops.pose.rigify_generate()
    obj = next(o for o in bpy.data.objects if o.type == "ARMATURE" and o != rigify)
    clip = walk()
    mapping, keyed = key(obj, clip)
    assert mapping.family == "rigify" and mapping.confidence > 0.9
    # What counts is the deform bones, which hang on the controls by constraints.
    deform = {}
    for side, word in (("left", "L"), ("right", "R")):
        for joint, bone in (
            ("hip", "thigh"), ("knee", "shin"), ("ankle", "foot"),
            ("shoulder", "upper_arm"), ("elbow", "forearm"), ("wrist", "hand"),
            *((f"{f}{i}", f"{'' if f == 'thumb' else 'f_'}{f}.0{i}") for f in rigs.FINGERS for i in (1, 2, 3)),
        ):  # fmt: skip
            deform[f"{side}_{joint}"] = f"DEF-{bone}.{word}"
    assert worst_angle(obj, clip, deform, BLENDER) < 0.5
    assert keyed.muted == ()
