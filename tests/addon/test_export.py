"""File > Export: clips of any armature, characters for game engines; checked by reading the files again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from understudy.addon.files import export_character
from understudy.backend.errors import BadInput
from understudy.backend.motion import npz
from understudy.backend.motion import rotations as rot
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.reading import read_motion
from understudy.backend.motion.skeleton import JOINT_NAMES

from .test_files import smooth_clip

BODY = JOINT_NAMES[:22]


@pytest.fixture(autouse=True)
def scene_at_30() -> None:
    bpy.context.scene.render.fps = 30


@pytest.fixture
def body(tmp_path: Path) -> bpy.types.Object:
    """A body that performs from frame 5 on, standing away from the origin, turned."""
    npz.write_clip(smooth_clip(31), tmp_path / "in.npz")
    bpy.context.scene.frame_set(5)
    bpy.ops.understudy.import_npz(filepath=str(tmp_path / "in.npz"))
    return bpy.context.scene.understudy.body


def places(armature: bpy.types.Object, frames: list[int]) -> np.ndarray:
    """World places (T, 22, 3) of the body's joints."""
    found = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        heads = [posed.matrix_world @ posed.pose.bones[name].head for name in BODY]
        found.append([list(head) for head in heads])
    return np.array(found)


def reopened(path: Path) -> bpy.types.Object:
    """The armature of an exported file, read into an empty scene at the same frame rate."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = 30
    if path.suffix == ".glb":
        bpy.ops.import_scene.gltf(filepath=str(path))
    elif path.suffix == ".bvh":
        bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01)
    elif hasattr(bpy.ops.import_scene, "fbx"):
        bpy.ops.import_scene.fbx(filepath=str(path))
    else:
        bpy.ops.wm.fbx_import(filepath=str(path))
    return next(obj for obj in bpy.context.scene.objects if obj.type == "ARMATURE")


@pytest.mark.parametrize("target", ["UNITY", "UNREAL", "GLTF", "BVH"])
def test_joints_stand_where_they_stood_after_export_and_import(
    body: bpy.types.Object, tmp_path: Path, target: str
) -> None:
    frames = [5, 12, 20, 35]
    before = places(body, frames)
    out = tmp_path / f"out{export_character.SUFFIX[target]}"
    assert bpy.ops.understudy.export_character(filepath=str(out), target=target) == {"FINISHED"}
    armature = reopened(out)
    first = round(armature.animation_data.action.frame_range[0])
    after = places(armature, [frame - 5 + first for frame in frames])
    # On our own body's proportions, at 1 m to the metre, the world's axes as they were.
    assert np.abs(after - before).max() < 1e-3
    last = armature.animation_data.action.frame_range[1]
    assert last - first == pytest.approx(30, abs=1e-2), "as long as it was"


@pytest.mark.parametrize("target", ["UNITY", "UNREAL", "GLTF"])
def test_a_character_brings_its_mesh_and_its_deforming_bones_alone(
    body: bpy.types.Object, tmp_path: Path, target: str
) -> None:
    out = tmp_path / f"out{export_character.SUFFIX[target]}"
    bpy.ops.understudy.export_character(filepath=str(out), target=target)
    armature = reopened(out)
    assert set(armature.data.bones.keys()) == set(JOINT_NAMES)
    assert np.allclose(armature.matrix_world.to_scale(), 1, atol=1e-4)
    meshes = [
        obj for obj in bpy.context.scene.objects if obj.type == "MESH" and obj.find_armature() == armature
    ]
    assert len(meshes) == 1
    assert meshes[0].data.shape_keys is not None, "the face can move"


def test_an_object_that_stands_elsewhere_stays_there(body: bpy.types.Object, tmp_path: Path) -> None:
    body.location = (2, 1, 0)
    body.rotation_mode = "XYZ"
    body.rotation_euler = (0, 0, 1.0)
    before = places(body, [5, 30])
    out = tmp_path / "out.fbx"
    bpy.ops.understudy.export_character(filepath=str(out), target="UNITY", mesh=False)
    armature = reopened(out)
    first = round(armature.animation_data.action.frame_range[0])
    assert np.abs(places(armature, [first, first + 25]) - before).max() < 1e-3
    assert not [obj for obj in bpy.context.scene.objects if obj.type == "MESH"]


def test_some_frames_alone_and_the_scene_as_it_was(body: bpy.types.Object, tmp_path: Path) -> None:
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 3, 200
    scene.frame_set(17)
    other = bpy.data.objects.new("other", None)
    scene.collection.objects.link(other)
    for obj in scene.objects:
        obj.select_set(obj == other)
    out = tmp_path / "out.glb"
    choice: dict[str, object] = {"range": "CUSTOM", "first_frame": 10, "last_frame": 20}
    assert bpy.ops.understudy.export_character(filepath=str(out), target="GLTF", **choice) == {"FINISHED"}
    assert (scene.frame_start, scene.frame_end, scene.frame_current) == (3, 200, 17)
    assert [obj for obj in scene.objects if obj.select_get()] == [other]
    action = reopened(out).animation_data.action
    assert action.frame_range[1] - action.frame_range[0] == pytest.approx(10, abs=1e-2)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"target": "UNITY", "filepath": "{}/nowhere/out.fbx"}, "does not exist"),
        ({"target": "UNITY", "filepath": "{}/out.glb"}, "must end in .fbx"),
        ({"target": "GLTF", "filepath": "{}/out.glb", "range": "PREVIEW"}, "no preview range"),
        ({"target": "BVH", "filepath": "{}/out.bvh", "range": "CUSTOM", "first_frame": 9, "last_frame": 2}, "lies before"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_told(
    body: bpy.types.Object, tmp_path: Path, arguments: dict[str, object], says: str
) -> None:
    arguments["filepath"] = str(arguments["filepath"]).format(tmp_path)
    with pytest.raises(RuntimeError, match=says):
        bpy.ops.understudy.export_character(**arguments)
    assert not list(tmp_path.glob(".*")), "nothing half-written is left"


def test_a_body_without_motion_is_told(tmp_path: Path) -> None:
    bpy.ops.understudy.add_body()
    with pytest.raises(RuntimeError, match="no animation"):
        bpy.ops.understudy.export_character(filepath=str(tmp_path / "a.fbx"), target="UNITY")
    with pytest.raises(RuntimeError, match="no animation"):
        bpy.ops.understudy.export_npz(filepath=str(tmp_path / "a.npz"))


# ------------------------------------------------------------------------------------ clips


def apart(a: Clip, b: Clip) -> float:
    angles = rot.geodesic_angle(rot.axis_angle_to_matrix(a.poses), rot.axis_angle_to_matrix(b.poses))
    return float(np.degrees(angles.max()))


@pytest.mark.parametrize("fps", [24.0, 60.0, 120.0])
def test_a_clip_is_resampled_by_time(body: bpy.types.Object, tmp_path: Path, fps: float) -> None:
    bpy.ops.understudy.export_npz(filepath=str(tmp_path / "out.npz"), fps=fps)
    back = npz.read_clip(tmp_path / "out.npz")
    assert back.fps == fps
    assert len(back) == round(fps) + 1, "one second and the frame it ends on"
    assert np.abs(back.trans[-1] - smooth_clip(31).trans[-1]).max() < 1e-4


@pytest.mark.parametrize("choice", ["CUSTOM", "PREVIEW", "SCENE"])
def test_a_range_of_frames(body: bpy.types.Object, tmp_path: Path, choice: str) -> None:
    scene = bpy.context.scene
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = 10, 19
    scene.frame_start, scene.frame_end = 10, 19
    arguments: dict[str, object] = {"range": choice, "first_frame": 10, "last_frame": 19}
    bpy.ops.understudy.export_npz(filepath=str(tmp_path / "out.npz"), **arguments)
    back = npz.read_clip(tmp_path / "out.npz")
    assert len(back) == 10
    assert apart(back.slice(0, 1), smooth_clip(31).slice(5, 6)) < 0.01


def test_bvh_is_a_dialect_too(body: bpy.types.Object, tmp_path: Path) -> None:
    bpy.ops.understudy.export_npz(filepath=str(tmp_path / "out.bvh"), dialect="bvh")
    assert apart(read_motion(tmp_path / "out.bvh").clip, smooth_clip(31)) < 0.01


def renamed(rename: Callable[[str], str], body: bpy.types.Object) -> None:
    for bone in body.data.bones:
        bone.name = rename(bone.name)


def test_an_armature_that_is_not_ours_is_exported_when_it_is_selected(
    body: bpy.types.Object, tmp_path: Path
) -> None:
    """Bones of SMPL-X with a prefix, as the Maya and Unreal packages of SMPL-X name them."""
    renamed(lambda name: f"SMPLX_neutral:{name}", body)
    bpy.ops.understudy.add_body()  # the panel's body now, without motion
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj == body)
    bpy.context.view_layer.objects.active = body
    bpy.ops.understudy.export_npz(filepath=str(tmp_path / "out.npz"))
    back = npz.read_clip(tmp_path / "out.npz")
    clip = smooth_clip(31)
    assert apart(back, clip) < 0.1
    assert np.abs(back.joints() - clip.joints()).max() < 2e-3


def test_an_armature_that_is_no_figure_is_refused(tmp_path: Path) -> None:
    data = bpy.data.armatures.new("chair")
    obj = bpy.data.objects.new("chair", data)
    bpy.context.scene.collection.objects.link(obj)
    bpy.context.view_layer.objects.active = obj
    obj.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    data.edit_bones.new("seat").tail = (0, 0, 1)
    bpy.ops.object.mode_set(mode="OBJECT")
    with pytest.raises(RuntimeError, match="not a SMPL-X armature"):
        bpy.ops.understudy.export_npz(filepath=str(tmp_path / "a.npz"))


def test_errors_of_the_range() -> None:
    with pytest.raises(BadInput):
        from understudy.addon.files.export_clip import frames_of

        frames_of(bpy.context.scene, "CUSTOM", 5, 4)
