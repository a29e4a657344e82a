"""The user's SMPL-X model: reading it, shaping it, and a body in Blender that does what the arrays say."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from understudy.addon.body.bodymap import BodyMap, find_body, is_smplx
from understudy.addon.body.smplx_body import add_smplx_body, reshape, skin_of
from understudy.addon.body.smplx_model import BodyModel, find_models, read_model
from understudy.addon.keying.keying import clip_from_action, key_clip
from understudy.backend.errors import BadInput
from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.skeleton import JOINT_NAMES, PARENTS

from .model_file import arrays, write


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("models") / "SMPLX_FEMALE.npz")


@pytest.fixture(scope="module")
def model(model_path: Path) -> BodyModel:
    return read_model(model_path)


# -- the file -----------------------------------------------------------------------------------------------


def test_both_releases_are_told_apart(tmp_path: Path, model: BodyModel) -> None:
    newer = read_model(write(tmp_path / "SMPLX_MALE.npz", shapes=400))
    assert (newer.shapes.shape[2], newer.expressions.shape[2], newer.gender) == (300, 100, "male")
    assert (model.shapes.shape[2], model.expressions.shape[2], model.gender) == (10, 10, "female")


def test_files_are_found_by_gender(tmp_path: Path) -> None:
    (tmp_path / "smplx").mkdir()
    names = (
        "SMPLX_NEUTRAL_2020.npz",
        "SMPLX_NEUTRAL.npz",
        "notes.npz",
        "SMPLH_MALE.npz",
        "smplx/SMPLX_MALE.npz",
    )
    for name in names:
        (tmp_path / name).write_bytes(b"")
    found = find_models(tmp_path)
    assert {gender: path.name for gender, path in found.items()} == {
        "neutral": "SMPLX_NEUTRAL.npz",
        "male": "SMPLX_MALE.npz",
    }
    assert find_models(tmp_path / "nowhere") == {}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"posedirs": None}, "it has no posedirs"),
        ({"J_regressor": np.zeros((24, 440))}, "24 joints instead of 55 (a SMPL model)"),
        ({"J_regressor": np.zeros((52, 440))}, "52 joints instead of 55 (a SMPL-H model)"),
        ({"f": np.array([[0, 1, 100000]], np.uint32)}, "do not fit together"),
        ({"v_template": np.zeros((440, 2))}, "do not fit together"),
        ({"v_template": np.full((440, 3), np.nan)}, "do not fit together"),
        ({"weights": np.zeros((3, 55))}, "do not fit together"),
        ({"weights": np.array([[{"a": 1}]], dtype=object)}, "damaged, or holds something else"),
    ],
)
def test_wrong_files_are_one_sentence(tmp_path: Path, changed: dict, sentence: str) -> None:
    path = write(tmp_path / "SMPLX_NEUTRAL.npz", changed)
    with pytest.raises(BadInput) as caught:
        read_model(path)
    assert sentence in caught.value.message and caught.value.message.count(". ") == 0
    assert caught.value.field == "body_models"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a zip", b"text"])
def test_damaged_files_are_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "SMPLX_NEUTRAL.npz"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="damaged"):
        read_model(path)
    path.unlink()
    with pytest.raises(BadInput, match="There is no body model"):
        read_model(path)


# -- the shape ----------------------------------------------------------------------------------------------


def test_betas_shape_mesh_and_joints(model: BodyModel) -> None:
    vertices, joints = model.shaped(np.array([2.0]))
    assert np.allclose(vertices, 1.1 * model.template) and np.allclose(
        joints, 1.1 * model.shaped(np.zeros(0))[1]
    )
    assert len(model.shaped(np.zeros(300))[1]) == 55, "betas of a larger model are cut"


def test_height_and_weight_give_the_shape(model: BodyModel) -> None:
    height, weight = model.measured(np.zeros(10))
    betas = model.betas_for(1.06 * height, 1.3 * weight)
    reached = model.measured(betas)
    assert reached[0] == pytest.approx(1.06 * height, abs=0.01)
    assert reached[1] == pytest.approx(1.3 * weight, abs=1.0)
    assert np.allclose(model.betas_for(height, weight), 0.0, atol=1e-3), (
        "the mean body is the most ordinary one"
    )
    with pytest.raises(BadInput, match="has no body of 9") as caught:
        model.betas_for(9.0, weight)
    assert "nearest" in caught.value.hint


# -- in Blender ---------------------------------------------------------------------------------------------


def _posed(model: BodyModel, betas: np.ndarray, poses: np.ndarray, trans: np.ndarray, expression: np.ndarray):
    """The vertices (V, 3) in Blender's world by the arrays alone: linear blend skinning as SMPL-X defines it."""
    vertices, joints = model.shaped(betas)
    matrices = rotations.axis_angle_to_matrix(poses)
    feature = (matrices[1:] - np.eye(3)).reshape(-1)
    shaped = vertices + model.expressions @ expression + model.correctives @ feature
    world, places = [None] * 55, [None] * 55
    for j, parent in enumerate(PARENTS):
        if parent < 0:
            world[j], places[j] = matrices[j], joints[j] + trans
        else:
            world[j] = world[parent] @ matrices[j]
            places[j] = places[parent] + world[parent] @ (joints[j] - joints[parent])
    moved = np.stack([(shaped - joints[j]) @ world[j].T + places[j] for j in range(55)], axis=1)
    result = np.einsum("vj,vja->va", model.weights, moved)
    return np.stack([result[:, 0], -result[:, 2], result[:, 1]], axis=1)


def _evaluated(armature: bpy.types.Object) -> np.ndarray:
    bpy.context.view_layer.update()
    skin = skin_of(armature)
    evaluated = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
    found = np.empty(3 * len(skin.data.vertices), np.float32)
    evaluated.data.vertices.foreach_get("co", found)
    return found.reshape(-1, 3)


@pytest.mark.parametrize("reshaped", [False, True])
def test_the_body_does_what_the_arrays_say(model: BodyModel, reshaped: bool) -> None:
    random = np.random.default_rng(1)
    betas = random.normal(size=10)
    if reshaped:
        armature = add_smplx_body(bpy.context, model, np.zeros(10))
        reshape(bpy.context, armature, model, betas)
    else:
        armature = add_smplx_body(bpy.context, model, betas)
    poses, trans = random.normal(size=(55, 3)) * 0.4, np.array([0.2, 1.0, -0.5])
    expressions = random.normal(size=(1, 100)) * (np.arange(100) < 10)
    key_clip(
        armature,
        Clip(poses[None], trans[None], 30.0, expressions=expressions),
        name="x",
        start_frame=1,
        scene_fps=30.0,
    )
    bpy.context.scene.frame_set(1)
    assert np.abs(_evaluated(armature) - _posed(model, betas, poses, trans, expressions[0, :10])).max() < 2e-3


def test_a_fresh_body_stands_and_can_perform(model: BodyModel) -> None:
    armature = add_smplx_body(bpy.context, model, np.array([1.5]), name="Ann")
    assert is_smplx(armature) and find_body(bpy.context) == armature and armature.name == "Ann"
    assert abs(_evaluated(armature)[:, 2].min()) < 1e-3
    BodyMap.of(armature)
    skin = skin_of(armature)
    keys = [key.name for key in skin.data.shape_keys.key_blocks]
    assert "Exp009" in keys and "Pose000" in keys
    assert not any(f"Pose{k:03d}" in keys for k in range(9, 18)), "what moves nothing is no key"
    assert all(len(v.groups) <= 4 for v in skin.data.vertices)
    plain = add_smplx_body(bpy.context, model, np.zeros(10), correctives=False)
    assert not any(k.name.startswith("Pose") for k in skin_of(plain).data.shape_keys.key_blocks)


def test_expressions_come_back(model: BodyModel) -> None:
    armature = add_smplx_body(bpy.context, model, np.zeros(10))
    expressions = np.zeros((5, 100))
    expressions[:, 3] = np.linspace(-2, 2, 5)
    clip = Clip(np.zeros((5, 55, 3)), np.zeros((5, 3)), 30.0, expressions=expressions)
    key_clip(armature, clip, name="face", start_frame=1, scene_fps=30.0)
    back = clip_from_action(armature)
    assert np.abs(back.expressions - expressions).max() < 1e-5


@pytest.mark.parametrize("directed", [False, True])
def test_generated_motion_stands_on_other_legs_too(model: BodyModel, directed: bool) -> None:
    """The soles of a taller body neither sink nor slide; a path that was asked for stays where it is."""
    random = np.random.default_rng(2)
    poses = np.zeros((8, 55, 3))
    poses[:, 1:9] = random.normal(size=(8, 8, 3)) * 0.2
    trans = np.stack([np.linspace(0, 1, 8), np.full(8, 1.2), np.linspace(0, 2, 8)], axis=1)
    meta = {"pack": "open"} | ({"direction": [{"constraint": "path"}]} if directed else {})
    clip = Clip(poses, trans, 30.0, meta=meta)
    armature = add_smplx_body(bpy.context, model, np.array([2.0]))  # 10 % taller everywhere
    key_clip(armature, clip, name="walk", start_frame=1, scene_fps=30.0)
    expected = forward_kinematics(poses, trans)[0] * 1.1
    foot = JOINT_NAMES.index("left_foot")
    for i in range(8):
        bpy.context.scene.frame_set(1 + i)
        head = armature.matrix_world @ armature.pose.bones["left_foot"].head
        assert head.z == pytest.approx(expected[i, foot, 1], abs=1e-4)
        pelvis = armature.matrix_world @ armature.pose.bones["pelvis"].head
        grown = 1.0 if directed else 1.1
        assert pelvis.x == pytest.approx(grown * trans[i, 0], abs=1e-4)
    back = clip_from_action(armature)
    assert np.abs(back.trans - trans).max() < 1e-4, "read back as it was"


def test_imported_motion_is_not_changed_on_another_body(model: BodyModel) -> None:
    armature = add_smplx_body(bpy.context, model, np.array([2.0]))
    trans = np.array([[0.1, 1.2, 0.3]])
    key_clip(armature, Clip(np.zeros((1, 55, 3)), trans, 30.0), name="amass", start_frame=1, scene_fps=30.0)
    bpy.context.scene.frame_set(1)
    pelvis = armature.matrix_world @ armature.pose.bones["pelvis"].head
    expected = model.shaped(np.array([2.0]))[1][0] + trans[0]
    assert np.allclose((pelvis.x, pelvis.z, -pelvis.y), expected, atol=1e-4)


def test_an_armature_of_smplh_performs() -> None:
    """The official add-on's SMPL-H bodies have the same names, a root above, and neither jaw nor eyes."""
    from understudy.addon.body.builtin import _armature

    armature = _armature(bpy.context, "SMPLH-male")
    bpy.ops.object.mode_set(mode="EDIT")
    bones = armature.data.edit_bones
    for name in ("jaw", "left_eye_smplhf", "right_eye_smplhf"):
        bones.remove(bones[name])
    root = bones.new("root")
    root.head, root.tail = (0, 0, 0), (0, 0, 0.2)
    bones["pelvis"].parent = root
    bpy.ops.object.mode_set(mode="OBJECT")
    assert is_smplx(armature)
    poses = np.random.default_rng(0).normal(size=(4, 55, 3)) * 0.3
    poses[:, 22:25] = 0
    clip = Clip(poses, np.zeros((4, 3)), 30.0)
    key_clip(armature, clip, name="x", start_frame=1, scene_fps=30.0)
    assert np.abs(clip_from_action(armature).poses - poses).max() < 1e-4


def test_the_model_file_of_the_tests_has_the_real_keys() -> None:
    assert {"v_template", "f", "shapedirs", "posedirs", "J_regressor", "kintree_table", "weights"} <= set(
        arrays()
    )
