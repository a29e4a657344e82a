"""The mannequin as a mesh, and the armature as an instrument that plays clips."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from understudy.addon.mannequin import stored as mannequin_file
from understudy.addon.mannequin.mannequin import ZONES, Mannequin, mannequin
from understudy.backend.motion import rotations
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.skeleton import INDEX, JOINT_NAMES, MIRROR, PARENTS, REST_FLOOR, rest_joints


@pytest.fixture(scope="module")
def shape() -> Mannequin:
    return mannequin()


def test_the_mesh_is_closed_and_oriented(shape: Mannequin) -> None:
    edges: Counter[tuple[int, int]] = Counter()
    for face in shape.faces():
        corners = face.tolist()
        assert len(set(corners)) == len(corners) >= 3
        edges.update(zip(corners, corners[1:] + corners[:1], strict=True))
    assert set(edges.values()) == {1}, "an edge is used twice in one direction"
    assert all((b, a) in edges for a, b in edges), "the mesh has a hole"
    assert set(shape.corners.tolist()) == set(range(len(shape.vertices))), "a vertex belongs to no face"
    volume = 0.0
    for face in shape.faces():
        p = shape.vertices[face].astype(float)
        volume += sum(np.dot(p[0], np.cross(p[i], p[i + 1])) for i in range(1, len(p) - 1)) / 6
    assert 0.045 < volume < 0.085, "a person's volume, positive: faces look outwards"


def test_the_mesh_is_a_person_in_size_and_detail(shape: Mannequin) -> None:
    low, high = shape.vertices.min(0), shape.vertices.max(0)
    assert abs(low[1] - REST_FLOOR) < 0.002, "the soles stand on the floor"
    assert high[1] - low[1] == pytest.approx(1.73, abs=0.01)
    assert 8_000 < len(shape.vertices) < 26_000
    assert set(shape.zones.tolist()) == set(range(len(ZONES)))
    # every joint of body and hands lies inside, or at least no farther than a few millimetres outside
    for name in JOINT_NAMES:
        distance = np.linalg.norm(shape.vertices - rest_joints()[INDEX[name]], axis=1).min()
        assert distance < 0.14, name


def test_left_and_right_mirror_each_other(shape: Mannequin) -> None:
    def rounded(vertices: np.ndarray) -> set[tuple[int, ...]]:
        return set(map(tuple, np.round(vertices * 2e4).astype(int).tolist()))

    mirrored = shape.vertices * np.array([-1, 1, 1], np.float32)
    assert len(rounded(shape.vertices) ^ rounded(mirrored)) < 0.02 * len(shape.vertices)
    order, other = (np.lexsort(np.round(v.T, 3)) for v in (shape.vertices, mirrored))
    gap = np.abs(shape.weights[order].sum(0) - shape.weights[other].sum(0)[list(MIRROR)])
    assert gap.max() < 0.05


def test_the_weights_are_sound(shape: Mannequin) -> None:
    weights = shape.weights
    assert weights.shape == (len(shape.vertices), 55)
    assert weights.min() >= 0
    assert np.abs(weights.sum(1) - 1).max() < 1e-5
    assert ((weights > 0).sum(1) <= 4).all()
    eyes = {INDEX["left_eye_smplhf"], INDEX["right_eye_smplhf"]}
    assert {j for j in range(55) if weights[:, j].max() < 0.5} <= eyes | {INDEX["jaw"]}


def test_no_limb_moves_another(shape: Mannequin) -> None:
    weights, x = shape.weights, shape.vertices[:, 0]

    def branch(name: str) -> np.ndarray:
        members = [j for j in range(55) if j == INDEX[name] or INDEX[name] in _ancestors(j)]
        return weights[:, members].sum(1)

    left_leg, right_leg = branch("left_knee"), branch("right_knee")
    assert not ((left_leg > 0.01) & (right_leg > 0.01)).any()
    assert x[left_leg > 0.01].min() > 0
    assert not ((branch("left_elbow") > 0.01) & (np.abs(x) < 0.3)).any(), "the arm pulls at the torso"
    for side in ("left", "right"):
        fingers = [branch(f"{side}_{f}2") for f in ("index", "middle", "ring", "pinky", "thumb")]
        assert ((np.stack(fingers) > 0.05).sum(0) <= 1).all(), "one finger bends another"
    skull = (shape.vertices[:, 1] > 0.30) & (weights[:, 23:25].max(1) == 0)
    assert weights[skull][:, INDEX["head"]].min() > 0.95, "the skull is stiff"


def _ancestors(j: int) -> set[int]:
    found = set()
    while PARENTS[j] >= 0:
        j = PARENTS[j]
        found.add(j)
    return found


def test_building_it_is_quick() -> None:
    mannequin.cache_clear()
    start = time.process_time()
    mannequin()
    assert time.process_time() - start < 10.0  # about 0.8 s of an idle core


def test_the_stored_mannequin_is_the_one_that_is_worked_out(shape: Mannequin, tmp_path: Path) -> None:
    path = tmp_path / "mannequin.npz"
    mannequin_file.save(shape, path)
    stored = mannequin_file.load(path)
    assert stored is not None
    for name in ("vertices", "corners", "starts", "zones", "weights"):
        np.testing.assert_array_equal(getattr(stored, name), getattr(shape, name))
    assert list(stored.shapes) == list(shape.shapes)
    for name, moves in shape.shapes.items():
        np.testing.assert_array_equal(stored.shapes[name], moves)
    path.write_bytes(path.read_bytes()[:5000])
    assert mannequin_file.load(path) is None
    assert mannequin_file.load(tmp_path / "none.npz") is None


def test_the_mesh_in_blender_has_what_the_mannequin_has(shape: Mannequin) -> None:
    import bpy

    from understudy.addon.body.builtin import add_body, to_blender

    skin = add_body(bpy.context).children[0]
    mesh = skin.data
    assert not mesh.validate(), "Blender finds nothing to mend"
    assert [material.name for material in mesh.materials] == [f"Understudy {zone}" for zone in ZONES]
    np.testing.assert_array_equal([p.material_index for p in mesh.polygons], shape.zones)
    assert all(p.use_smooth for p in mesh.polygons)
    for v in range(0, len(shape.vertices), 97):
        weights = {skin.vertex_groups[g.group].name: g.weight for g in mesh.vertices[v].groups}
        expected = {JOINT_NAMES[j]: shape.weights[v, j] for j in np.flatnonzero(shape.weights[v])}
        assert weights == pytest.approx(expected)
    for name, moves in shape.shapes.items():
        keys = mesh.shape_keys.key_blocks[name].data
        for v in [int(moves.any(1).argmax()), len(shape.vertices) - 1]:
            place = to_blender(shape.vertices[v] + moves[v])
            np.testing.assert_allclose(keys[v].co, place, atol=1e-6)


def _pose(armature, poses: np.ndarray, trans: np.ndarray) -> np.ndarray:
    """Play one pose (55, 3), return the bone heads (55, 3) in the clip's world."""
    import bpy

    quaternions = rotations.axis_angle_to_quaternion(poses)
    for name, q in zip(JOINT_NAMES, quaternions, strict=True):
        armature.pose.bones[name].rotation_quaternion = q.tolist()
    armature.pose.bones["pelvis"].location = trans.tolist()
    bpy.context.view_layer.update()
    heads = np.array([(armature.matrix_world @ armature.pose.bones[n].head)[:] for n in JOINT_NAMES])
    return np.stack([heads[:, 0], heads[:, 2], -heads[:, 1]], axis=1)


def test_bones_stand_where_forward_kinematics_says() -> None:
    import bpy

    from understudy.addon.body.builtin import add_body

    armature = add_body(bpy.context)
    random = np.random.default_rng(3)
    for _ in range(5):
        poses = random.normal(size=(55, 3)) * 0.8
        trans = random.normal(size=3)
        expected = forward_kinematics(poses[None], trans[None])[0][0]
        assert np.abs(_pose(armature, poses, trans) - expected).max() < 1e-4


def test_the_skin_follows_the_bones() -> None:
    import bpy

    from understudy.addon.body.builtin import add_body, to_blender

    armature = add_body(bpy.context)
    skin = armature.children[0]
    random = np.random.default_rng(4)
    poses, trans = random.normal(size=(55, 3)) * 0.5, np.array([0.3, 1.2, -0.4])
    _pose(armature, poses, trans)
    evaluated = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
    found = np.empty(3 * len(skin.data.vertices), np.float32)
    evaluated.data.vertices.foreach_get("co", found)

    shape = mannequin()
    joints, world = forward_kinematics(poses[None], trans[None])
    relative = shape.vertices[:, None] - rest_joints()[None]
    moved = np.einsum("jab,vjb->vja", world[0], relative) + joints[0]
    expected = to_blender(np.einsum("vj,vja->va", shape.weights, moved))
    assert np.abs(found.reshape(-1, 3) - expected).max() < 1e-3


def test_a_fresh_body_stands_on_the_floor_and_is_chosen() -> None:
    import bpy

    from understudy.addon.body.builtin import add_body

    armature = add_body(bpy.context, name="Actor")
    assert armature.name == "Actor" and bpy.context.view_layer.objects.active == armature
    assert [b.name for b in armature.data.bones] == list(JOINT_NAMES) or set(JOINT_NAMES) == {
        b.name for b in armature.data.bones
    }
    assert not any(b.use_connect for b in armature.data.bones)
    assert {c.name for c in armature.data.collections} == {"Body", "Hands", "Face"}
    bpy.context.view_layer.update()
    skin = armature.children[0]
    evaluated = skin.evaluated_get(bpy.context.evaluated_depsgraph_get())
    heights = [(evaluated.matrix_world @ v.co).z for v in evaluated.data.vertices]
    assert abs(min(heights)) < 0.002 and max(heights) == pytest.approx(1.73, abs=0.01)
    assert tuple(armature.location) == (0.0, 0.0, 0.0)
    assert all(b.rotation_mode == "QUATERNION" for b in armature.pose.bones)


def test_two_bodies_share_materials_and_ring() -> None:
    import bpy

    from understudy.addon.body.builtin import add_body

    first, second = add_body(bpy.context), add_body(bpy.context)
    assert first.name != second.name
    assert len(bpy.data.materials) == len(ZONES)
    assert sum(m.name.startswith("Understudy ring") for m in bpy.data.meshes) == 1
