"""Key poses: an armature object beside the body, of the same bones, that can be moved and posed like any other."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...backend.errors import BadInput
from ...backend.motion import rotations
from ...backend.motion.skeleton import J0
from ..body.bodymap import BodyMap
from ..keying.keying import local_pose
from .world import ClipWorld, clip_to_armature

_LOOK = "understudy_key_pose"
"""Custom property of the material of key poses."""


def store(
    context: bpy.types.Context, body: bpy.types.Object, name: str, collection: bpy.types.Collection
) -> bpy.types.Object:
    """A new key pose that stands as the body stands now.

    Raises:
        BadInput: the object is no SMPL-X armature.
    """
    pose = bpy.data.objects.new(name, body.data)  # no copy: without animation, constraints and children
    collection.objects.link(pose)
    pose.show_in_front = True
    pose.show_name = True
    for mesh in body.children:
        if mesh.type == "MESH" and any(m.type == "ARMATURE" and m.object == body for m in mesh.modifiers):
            _ghost(mesh, pose, collection)
    update(context, body, pose)
    return pose


def _ghost(mesh: bpy.types.Object, pose: bpy.types.Object, collection: bpy.types.Collection) -> None:
    """The body's mesh on a key pose, seen through, and neither clicked nor rendered."""
    ghost = bpy.data.objects.new(f"{pose.name} ghost", mesh.data)
    collection.objects.link(ghost)
    ghost.parent = pose
    ghost.matrix_parent_inverse = mesh.matrix_parent_inverse
    ghost.matrix_basis = mesh.matrix_basis
    ghost.modifiers.new("Armature", "ARMATURE").object = pose
    ghost.hide_select = ghost.hide_render = True
    look = _look()
    for slot in ghost.material_slots:
        slot.link = "OBJECT"  # the mesh is the body's, too
        slot.material = look


def _look() -> bpy.types.Material:
    """A blue that is seen through, shared by all key poses."""
    found = next((m for m in bpy.data.materials if _LOOK in m and m.library is None), None)
    if found is not None:
        return found
    material = bpy.data.materials.new("Key Pose")
    material[_LOOK] = True
    material.diffuse_color = (0.25, 0.55, 1.0, 0.3)
    if bpy.app.version < (5, 0):  # from there on always so, and a warning
        material.use_nodes = True
    material.surface_render_method = "BLENDED"
    for node in material.node_tree.nodes:
        if node.type == "BSDF_PRINCIPLED":
            node.inputs["Base Color"].default_value = (0.25, 0.55, 1.0, 1.0)
            node.inputs["Alpha"].default_value = 0.3
    return material


def present(context: bpy.types.Context, body: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """The body as it stands now: bone quaternions (1, J, 4) and the pelvis' location (1, 3).

    Raises:
        BadInput: the object is no SMPL-X armature.
    """
    body_map = BodyMap.of(body)
    context.view_layer.update()
    evaluated = body.evaluated_get(context.evaluated_depsgraph_get())
    posed = np.array([[np.array(evaluated.pose.bones[name].matrix) for name in body_map.names]])
    return local_pose(body_map, posed)


def as_clip(
    armature: bpy.types.Object, quaternions: np.ndarray, location: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bone channels (1, J, 4) and (1, 3) as a clip has them: poses (55, 3) axis-angle and trans (3,)."""
    body_map = BodyMap.of(armature)
    poses = rotations.quaternion_to_axis_angle(body_map.from_bones(quaternions))[0]
    return poses, body_map.from_location(location)[0]


def update(context: bpy.types.Context, body: bpy.types.Object, pose: bpy.types.Object) -> None:
    """Let a key pose stand as the body stands now, constraints and drivers included.

    Raises:
        BadInput: one of them is no SMPL-X armature.
    """
    body_map = BodyMap.of(body)
    quaternions, location = present(context, body)
    # The object stands on the floor under the pose: it is turned and moved from there.
    trans = body_map.from_location(location)
    under = trans[0] * [1.0, 0.0, 1.0]
    if pose.pose is None:
        context.view_layer.update()
    if pose.pose is None:
        raise BadInput(
            f"“{pose.name}” is not in the view layer.",
            hint="Switch the collection of the marks on in the Outliner.",
            field="pose",
        )
    for bone in pose.pose.bones:
        bone.matrix_basis = Matrix.Identity(4)
        bone.rotation_mode = "QUATERNION"
    for k, name in enumerate(body_map.names):
        pose.pose.bones[name].rotation_quaternion = quaternions[0, k]
    pose.pose.bones["pelvis"].location = body_map.to_location(trans - under)[0]
    way = Vector(body_map.scale * body_map.axes @ under)
    pose.matrix_world = body.matrix_world @ Matrix.Translation(way)
    context.view_layer.update()


def read(pose: bpy.types.Object, world: ClipWorld) -> tuple[np.ndarray, np.ndarray]:
    """A key pose as a pose of a clip.

    Args:
        pose: the armature object.
        world: of the clip.

    Returns:
        poses (55, 3) axis-angle and trans (3,).

    Raises:
        BadInput: the object is no SMPL-X armature, or was never shown.
    """
    body_map = BodyMap.of(pose)
    if pose.pose is None:
        raise BadInput(
            f"The key pose “{pose.name}” is hidden from the view layer.",
            hint="Switch its collection on, or untick the key pose.",
            field="poses",
        )
    posed = _posed(pose)
    quaternions, location = local_pose(body_map, np.array([[posed[name] for name in body_map.names]]))
    poses, trans = as_clip(pose, quaternions, location)
    # From the clip's world as it lies in the pose's armature to the one of the body that performs.
    matrix = np.linalg.inv(world.matrix) @ np.array(pose.matrix_world) @ clip_to_armature(body_map)
    turn = matrix[:3, :3] / np.cbrt(np.linalg.det(matrix[:3, :3]))
    root = turn @ rotations.axis_angle_to_matrix(poses[0])
    poses[0] = rotations.matrix_to_axis_angle(root)
    return poses, matrix[:3, :3] @ (J0 + trans) + matrix[:3, 3] - J0


def _posed(armature: bpy.types.Object) -> dict[str, np.ndarray]:
    """Every bone's matrix in armature space, from its own channels: right in hidden collections, too."""
    done: dict[str, np.ndarray] = {}
    for bone in sorted(armature.data.bones, key=lambda bone: len(bone.parent_recursive)):
        rest = np.array(bone.matrix_local)
        if bone.parent is not None:
            above = np.array(bone.parent.matrix_local)
            rest = done[bone.parent.name] @ np.linalg.inv(above) @ rest
        done[bone.name] = rest @ np.array(armature.pose.bones[bone.name].matrix_basis)
    return done
