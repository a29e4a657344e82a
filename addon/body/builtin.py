"""The built-in body in Blender: an armature with the 55 SMPL-X bones, and the mannequin that it moves.

Blender world: Z up, the body faces -Y; (x, y, z) of a clip is (x, -z, y) here. Every bone rests at
+90 degrees about X, which maps the clip's axes onto Blender's: so a pose bone's quaternion is the joint's
rotation of the clip, and the pelvis' location is the clip's translation, number for number.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

import bpy
import numpy as np
from mathutils import Quaternion, Vector

from ...backend.motion.skeleton import INDEX, JOINT_NAMES, PARENTS, REST_FLOOR, rest_joints
from ..mannequin import stored as mannequin_file
from ..mannequin.mannequin import ZONES, mannequin
from ..mannequin.sculpt import FINGERS, finger_tip
from ..process.slices import Steps, Work, aside
from .face import add_shapes

# Base colour (linear), roughness, subsurface or sheen left out: the look holds in every engine.
_LOOK: dict[str, tuple[tuple[float, float, float], float]] = {
    "skin": ((0.62, 0.37, 0.26), 0.48),
    "hair": ((0.040, 0.032, 0.030), 0.55),
    "shirt": ((0.040, 0.150, 0.200), 0.75),
    "trousers": ((0.040, 0.045, 0.060), 0.80),
    "shoes": ((0.72, 0.70, 0.66), 0.55),
    "soles": ((0.62, 0.16, 0.07), 0.60),
    "lips": ((0.52, 0.205, 0.165), 0.42),
    "mouth": ((0.085, 0.018, 0.018), 0.60),
    "teeth": ((0.80, 0.77, 0.70), 0.30),
    "tongue": ((0.42, 0.13, 0.12), 0.45),
    "eyes": ((0.82, 0.81, 0.79), 0.18),
    "iris": ((0.085, 0.135, 0.150), 0.15),
    "pupil": ((0.006, 0.006, 0.007), 0.10),
}
_RING = "Understudy ring"
_PALETTES = {"left": "THEME04", "right": "THEME01"}  # blue and red, the middle yellow


def to_blender(points: np.ndarray) -> np.ndarray:
    """Points (..., 3) of the clip's world (Y up) in Blender's (Z up)."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def add_body(context: bpy.types.Context, name: str = "Understudy") -> bpy.types.Object:
    """Add the body to the scene, standing on the floor at the origin, and select it.

    Args:
        context: its scene gets the body, in its collection; the mode is left as object mode.
        name: of the armature object; the mesh is called ``<name> mesh``.

    Returns:
        The armature object. The mesh is its child.
    """
    return Work(adding_body(context, name)).finish()


def adding_body(context: bpy.types.Context, name: str = "Understudy") -> Steps[bpy.types.Object]:
    """:func:`add_body` in slices. The scene gets the body in the last of them; an unfinished one goes."""
    shape = yield from aside(prepared)  # worked out where the extension does not bring it along
    mesh = bpy.data.objects.new(f"{name} mesh", _mesh(name, shape))
    armature = None
    try:
        for zone in ZONES:
            yield
            mesh.data.materials.append(_material(zone))
        yield from add_groups(mesh, shape.groups)
        yield
        leave_mode(context)
        armature = _armature(context, name)
        armature.hide_set(True)  # until it has its skin
        yield
        wear(context, armature, mesh)
        add_shapes(mesh, armature, shape.shapes)
        armature.hide_set(False)
        select(context, armature)
    except BaseException:
        for thing in (mesh, armature):
            with suppress(ReferenceError):
                remove(thing)
        raise
    return armature


def remove(thing: bpy.types.Object | None) -> None:
    """Remove an object with its data."""
    if thing is not None:
        data = thing.data
        bpy.data.objects.remove(thing)
        bpy.data.batch_remove([data])


def leave_mode(context: bpy.types.Context) -> None:
    """Object mode, whatever the mode is now."""
    active = context.view_layer.objects.active
    if active is not None and active.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")


def wear(context: bpy.types.Context, armature: bpy.types.Object, mesh: bpy.types.Object) -> None:
    """Link a mesh to the scene and let an armature move it."""
    _collection(context).objects.link(mesh)
    mesh.parent = armature
    modifier = mesh.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature


def select(context: bpy.types.Context, armature: bpy.types.Object) -> None:
    """Make one object the only selected and the active one."""
    for other in context.selected_objects:
        other.select_set(False)
    armature.select_set(True)
    context.view_layer.objects.active = armature


def _collection(context: bpy.types.Context) -> bpy.types.Collection:
    collection = getattr(context, "collection", None)
    return collection if collection is not None else context.scene.collection


# --- armature ---------------------------------------------------------------------------------------------


def _armature(context: bpy.types.Context, name: str, rest: np.ndarray | None = None) -> bpy.types.Object:
    """The 55 bones at rest joints (55, 3) of the clip's world, those of our own body by default."""
    data = bpy.data.armatures.new(name)
    data.display_type = "STICK"
    armature = bpy.data.objects.new(name, data)
    _collection(context).objects.link(armature)
    context.view_layer.objects.active = armature
    joints = to_blender(rest_joints() if rest is None else rest)
    directions = _directions(joints, ours=rest is None)

    bpy.ops.object.mode_set(mode="EDIT")
    for i, joint_name in enumerate(JOINT_NAMES):
        bone = data.edit_bones.new(joint_name)
        if PARENTS[i] >= 0:
            bone.parent = data.edit_bones[JOINT_NAMES[PARENTS[i]]]
            bone.use_connect = False
    place_bones(data, joints, directions)
    bpy.ops.object.mode_set(mode="OBJECT")

    for part, names in _bone_collections().items():
        collection = data.collections.new(part)
        for bone_name in names:
            collection.assign(data.bones[bone_name])
    ring = _ring()
    for i, joint_name in enumerate(JOINT_NAMES):
        bone = armature.pose.bones[joint_name]
        bone.rotation_mode = "QUATERNION"
        bone.color.palette = _PALETTES.get(joint_name.split("_")[0], "THEME09")
        _wear_ring(bone, ring, directions[i])
    # The rest pose has its origin at the chest, as SMPL-X bodies do; the fresh body stands.
    if rest is None:
        armature.pose.bones["pelvis"].location = (0.0, -REST_FLOOR, 0.0)
    return armature


def place_bones(data: bpy.types.Armature, joints: np.ndarray, directions: np.ndarray) -> None:
    """Put the edit bones' heads at the joints (55, 3), pointing up: see this module's first lines."""
    for i, joint_name in enumerate(JOINT_NAMES):
        bone = data.edit_bones[joint_name]
        bone.head = joints[i]
        bone.tail = joints[i] + (0, 0, float(np.clip(0.6 * np.linalg.norm(directions[i]), 0.012, 0.2)))
        bone.align_roll(Vector((0, -1, 0)))


def _bone_collections() -> dict[str, list[str]]:
    face = ("jaw", "left_eye_smplhf", "right_eye_smplhf")
    hands = [n for n in JOINT_NAMES if n[-1].isdigit() and not n.startswith("spine")]
    return {
        "Body": [n for n in JOINT_NAMES if n not in hands and n not in face],
        "Hands": hands,
        "Face": list(face),
    }


def _directions(joints: np.ndarray, *, ours: bool = True) -> np.ndarray:
    """(55, 3) from each joint (55, 3) to the end of its segment, Blender's axes, metres.

    On bodies that are not ``ours`` the last phalanges are as long as the ones before.
    """
    children = {
        "pelvis": "spine1", "spine1": "spine2", "spine2": "spine3", "spine3": "neck", "neck": "head",
        "left_hip": "left_knee", "left_knee": "left_ankle", "left_ankle": "left_foot",
        "left_collar": "left_shoulder", "left_shoulder": "left_elbow", "left_elbow": "left_wrist",
        "left_wrist": "left_middle1",
    }  # fmt: skip
    for finger in FINGERS:
        children |= {f"left_{finger}{i}": f"left_{finger}{i + 1}" for i in (1, 2)}
    ends = {a: joints[INDEX[b]] - joints[INDEX[a]] for a, b in children.items()}
    ends |= {"left_foot": np.array([0.006, -0.06, 0.0]), "head": np.array([0.0, 0.0, 0.17])}
    ends |= {"jaw": np.array([0, -0.07, -0.03]), "left_eye_smplhf": np.array([0.0, -0.04, 0.0])}
    for finger in FINGERS:
        last = joints[INDEX[f"left_{finger}3"]]
        tip = to_blender(finger_tip(finger)) if ours else 2 * last - joints[INDEX[f"left_{finger}2"]]
        ends[f"left_{finger}3"] = tip - last
    for left in [n for n in ends if n.startswith("left_")]:
        ends[left.replace("left_", "right_")] = ends[left] * (-1, 1, 1)
    return np.array([ends[n] for n in JOINT_NAMES], float)


# Radius of each control ring, metres; fingers and face come from the default.
_RINGS = {
    "pelvis": 0.24, "spine1": 0.19, "spine2": 0.20, "spine3": 0.21, "neck": 0.09, "head": 0.15, "hip": 0.13,
    "knee": 0.095, "ankle": 0.07, "foot": 0.06, "collar": 0.07, "shoulder": 0.085, "elbow": 0.065, "wrist": 0.065,
    "jaw": 0.03, "eye_smplhf": 0.014,
}  # fmt: skip


def _ring() -> bpy.types.Object:
    """The wire circle that bones show instead of all pointing up; shared by every body of the file."""
    found = bpy.data.objects.get(_RING)
    if found is not None and found.type == "MESH":
        return found
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    points = np.stack([np.cos(angle), np.zeros(32), np.sin(angle)], -1)
    mesh = bpy.data.meshes.new(_RING)
    mesh.from_pydata(points.tolist(), [(i, (i + 1) % 32) for i in range(32)], [])
    return bpy.data.objects.new(_RING, mesh)


def _wear_ring(bone: bpy.types.PoseBone, ring: bpy.types.Object, direction: np.ndarray) -> None:
    local = Vector((direction[0], direction[2], -direction[1]))  # bones rest with the clip's axes
    short = bone.name.removeprefix("left_").removeprefix("right_")
    radius = _RINGS.get(short, 0.015)
    along = 0.0 if short in ("pelvis", "spine1", "spine2", "spine3") else 0.5
    turn: Quaternion = Vector((0, 1, 0)).rotation_difference(local)
    bone.custom_shape = ring
    bone.use_custom_shape_bone_size = False
    bone.custom_shape_translation = local * along
    bone.custom_shape_rotation_euler = turn.to_euler()
    bone.custom_shape_scale_xyz = (radius, radius, radius)


# --- skin -------------------------------------------------------------------------------------------------


class Prepared(NamedTuple):
    """The mannequin in Blender's axes, as lists and arrays that Blender takes over at once."""

    vertices: np.ndarray
    """(V, 3) metres."""
    corners: np.ndarray
    """(L,) vertex of every face corner."""
    starts: np.ndarray
    """(F,) first corner of each face."""
    zones: np.ndarray
    """(F,) index into :data:`..body.mannequin.ZONES`."""
    groups: list[list[tuple[float, list[int]]]]
    """For each of the 55 joints its weights, and the vertices that have them."""
    shapes: dict[str, np.ndarray]
    """(V, 3) offsets by name."""


@lru_cache(maxsize=1)
def prepared() -> Prepared:
    """The mannequin, ready for Blender; kept for the life of the process. Needs no bpy: a thread may ask first."""
    shape = mannequin_file.load() or mannequin()
    return Prepared(
        np.ascontiguousarray(to_blender(shape.vertices), np.float32),
        np.ascontiguousarray(shape.corners, np.int32),
        np.ascontiguousarray(shape.starts, np.int32),
        np.ascontiguousarray(shape.zones, np.int32),
        weight_groups(shape.weights),
        {name: np.ascontiguousarray(to_blender(moves), np.float32) for name, moves in shape.shapes.items()},
    )


def _mesh(name: str, shape: Prepared) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(f"{name} mesh")
    mesh.vertices.add(len(shape.vertices))
    mesh.loops.add(len(shape.corners))
    mesh.polygons.add(len(shape.starts))
    # Attributes are copied as a block, properties of the elements one by one.
    mesh.attributes["position"].data.foreach_set("vector", shape.vertices.ravel())
    mesh.attributes[".corner_vert"].data.foreach_set("value", shape.corners)
    mesh.polygons.foreach_set("loop_start", shape.starts)
    mesh.attributes.new("material_index", "INT", "FACE").data.foreach_set("value", shape.zones)
    mesh.update(calc_edges=True)
    return mesh


def weight_groups(weights: np.ndarray) -> list[list[tuple[float, list[int]]]]:
    """Skin weights (V, 55) as Blender takes them fastest: for each joint every weight with all its vertices."""
    joints = []
    for column in weights.T:
        used = np.flatnonzero(column > 0)
        used = used[np.argsort(column[used], kind="stable")]
        parts = np.split(used, np.flatnonzero(np.diff(column[used])) + 1)
        joints.append([(float(column[part[0]]), part.tolist()) for part in parts if len(part)])
    return joints


def add_groups(skin: bpy.types.Object, joints: list[list[tuple[float, list[int]]]]) -> Iterator[None]:
    """Vertex groups of :func:`weight_groups`, one a joint; after each the window may have its turn."""
    for joint_name, groups in zip(JOINT_NAMES, joints, strict=True):
        yield
        add = skin.vertex_groups.new(name=joint_name).add
        for weight, vertices in groups:
            add(vertices, weight, "REPLACE")


def _material(zone: str) -> bpy.types.Material:
    name = f"Understudy {zone}"
    found = bpy.data.materials.get(name)
    if found is not None:
        return found
    colour, roughness = _LOOK[zone]
    material = bpy.data.materials.new(name)
    if bpy.app.version < (5, 0):  # from there on always so, and a warning
        material.use_nodes = True
    material.diffuse_color = (*colour, 1.0)
    material.roughness = roughness
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    if zone == "skin" and "Subsurface Weight" in shader.inputs:
        shader.inputs["Subsurface Weight"].default_value = 0.12
        shader.inputs["Subsurface Radius"].default_value = (0.02, 0.008, 0.005)
    return material
