"""The user's SMPL-X model as a body: its mesh, shape, expressions and pose correctives on our armature.

Sliders are custom properties of the armature object, as on the built-in body (see :mod:`.face`), named like the
shape keys of the official SMPL-X add-on: ``Exp000`` and so on. Correctives are shape keys ``Pose000`` and so on
that plain drivers, without scripts, read off the bones.
"""

from __future__ import annotations

from itertools import product

import bpy
import numpy as np

from ...backend.motion.skeleton import JOINT_NAMES
from .builtin import _armature, _directions, add_weights, leave_mode, place_bones, select, to_blender, wear
from .face import add_slider
from .smplx_model import BodyModel

BETAS, GENDER = "understudy_betas", "understudy_gender"
"""Custom properties of the armature: the shape that it has."""

CORRECTED_JOINTS = 21
"""Correctives of the body's joints are made; those of fingers and face are too small to be seen."""
_VISIBLE = 0.0005
"""Metres per unit from which a corrective is worth a shape key."""
_BATCH = 4

# Entries of a rotation matrix minus identity, row by row, of the unit quaternion (w, x, y, z).
_ENTRIES = (
    "-2*(y*y+z*z)", "2*(x*y-w*z)", "2*(x*z+w*y)",
    "2*(x*y+w*z)", "-2*(x*x+z*z)", "2*(y*z-w*x)",
    "2*(x*z-w*y)", "2*(y*z+w*x)", "-2*(x*x+y*y)",
)  # fmt: skip


def add_smplx_body(
    context: bpy.types.Context,
    model: BodyModel,
    betas: np.ndarray,
    *,
    name: str = "SMPL-X",
    correctives: bool = True,
) -> bpy.types.Object:
    """Add a body of a model file to the scene, standing on the floor at the origin, and select it.

    Args:
        context: its scene gets the body; the mode is left as object mode.
        model: the arrays of the file.
        betas: (B,) the shape.
        name: of the armature object.
        correctives: let the mesh keep its volume where joints bend; costs some playback speed.

    Returns:
        The armature object. The mesh is its child.
    """
    leave_mode(context)
    vertices, joints = model.shaped(betas)
    armature = _armature(context, name, joints)
    skin = _mesh(name, model, vertices)
    wear(context, armature, skin)
    _shape_keys(skin, armature, model, vertices, correctives)
    _stand(armature, model, vertices, betas)
    select(context, armature)
    return armature


def reshape(
    context: bpy.types.Context, armature: bpy.types.Object, model: BodyModel, betas: np.ndarray
) -> None:
    """Give a body made by :func:`add_smplx_body` another shape, mesh and skeleton; its animation stays."""
    vertices, joints = model.shaped(betas)
    skin = skin_of(armature)
    assert skin is not None
    points = to_blender(vertices)
    old = np.empty(3 * len(points), np.float32)
    skin.data.vertices.foreach_get("co", old)
    change = points.ravel() - old
    for key in skin.data.shape_keys.key_blocks if skin.data.shape_keys else ():
        values = np.empty_like(old)
        key.data.foreach_get("co", values)
        key.data.foreach_set("co", (values + change).astype(np.float32))
    skin.data.vertices.foreach_set("co", points.astype(np.float32).ravel())
    skin.data.update()

    leave_mode(context)
    selected, active = list(context.selected_objects), context.view_layer.objects.active
    select(context, armature)
    bpy.ops.object.mode_set(mode="EDIT")
    heads = to_blender(joints)
    place_bones(armature.data, heads, _directions(heads, ours=False))
    bpy.ops.object.mode_set(mode="OBJECT")
    armature.select_set(False)
    for other in selected:
        other.select_set(True)
    context.view_layer.objects.active = active
    _stand(armature, model, vertices, betas, keep_pose=True)


def skin_of(armature: bpy.types.Object | None) -> bpy.types.Object | None:
    """The mesh of a body made by :func:`add_smplx_body`; None for any other object (cheap: for draw)."""
    if armature is None or armature.type != "ARMATURE" or BETAS not in armature:
        return None
    return next((c for c in armature.children if c.type == "MESH" and BETAS in c), None)


def _mesh(name: str, model: BodyModel, vertices: np.ndarray) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(f"{name} mesh")
    count = len(model.faces)
    mesh.vertices.add(len(vertices))
    mesh.loops.add(3 * count)
    mesh.polygons.add(count)
    mesh.vertices.foreach_set("co", to_blender(vertices).astype(np.float32).ravel())
    mesh.loops.foreach_set("vertex_index", model.faces.astype(np.int32).ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
    mesh.update(calc_edges=True)
    mesh.polygons.foreach_set("use_smooth", np.ones(count, bool))
    mesh.materials.append(_material())
    skin = bpy.data.objects.new(f"{name} mesh", mesh)
    add_weights(skin, _limited(model.weights))
    return skin


def _material() -> bpy.types.Material:
    found = bpy.data.materials.get("Understudy SMPL-X")
    if found is not None:
        return found
    material = bpy.data.materials.new("Understudy SMPL-X")
    if bpy.app.version < (5, 0):  # from there on always so, and a warning
        material.use_nodes = True
    material.diffuse_color = (0.42, 0.44, 0.48, 1.0)
    shader = next(n for n in material.node_tree.nodes if n.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (0.42, 0.44, 0.48, 1.0)
    shader.inputs["Roughness"].default_value = 0.55
    return material


def _limited(weights: np.ndarray) -> np.ndarray:
    """Rows of skin weights with at most four entries, what game engines take; they sum to one."""
    kept = np.where(weights >= np.sort(weights, axis=1)[:, [-_BATCH]], weights, 0.0)
    kept[kept < 1e-4] = 0.0
    return kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-9)


def _shape_keys(
    skin: bpy.types.Object,
    armature: bpy.types.Object,
    model: BodyModel,
    vertices: np.ndarray,
    correctives: bool,
) -> None:
    skin.shape_key_add(name="Basis", from_mix=False)
    rest = to_blender(vertices).astype(np.float32)
    for k in range(model.expressions.shape[2]):
        key = _key(skin, f"Exp{k:03d}", rest, model.expressions[:, :, k], reach=5.0)
        add_slider(key, armature, key.name, low=-5.0, high=5.0)
    if not correctives:
        return
    for joint, entry in product(range(1, CORRECTED_JOINTS + 1), range(9)):
        k = 9 * (joint - 1) + entry
        offsets = model.correctives[:, :, k]
        if np.abs(offsets).max() < _VISIBLE:
            continue
        key = _key(skin, f"Pose{k:03d}", rest, offsets, reach=4.0)
        _drive(key, armature, JOINT_NAMES[joint], _ENTRIES[entry])


def _key(
    skin: bpy.types.Object, name: str, rest: np.ndarray, offsets: np.ndarray, *, reach: float
) -> bpy.types.ShapeKey:
    key = skin.shape_key_add(name=name, from_mix=False)
    key.data.foreach_set("co", (rest + to_blender(offsets)).astype(np.float32).ravel())
    key.slider_min, key.slider_max = -reach, reach
    return key


def _drive(key: bpy.types.ShapeKey, armature: bpy.types.Object, bone: str, expression: str) -> None:
    """Let one entry of a bone's rotation matrix drive a shape key."""
    driver = key.driver_add("value").driver
    driver.type = "SCRIPTED"
    path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"].rotation_quaternion'
    for index, letter in enumerate("wxyz"):
        if letter not in expression:
            continue
        variable = driver.variables.new()
        variable.name = letter
        variable.targets[0].id = armature
        variable.targets[0].data_path = f"{path}[{index}]"
    driver.expression = expression  # arithmetic only: Blender evaluates it without Python


def _stand(
    armature: bpy.types.Object,
    model: BodyModel,
    vertices: np.ndarray,
    betas: np.ndarray,
    *,
    keep_pose: bool = False,
) -> None:
    if not keep_pose:
        armature.pose.bones["pelvis"].location = (0.0, -float(vertices[:, 1].min()), 0.0)
    armature[BETAS] = [float(b) for b in betas]
    armature[GENDER] = model.gender
    for child in armature.children:
        if child.type == "MESH":
            child[BETAS] = [float(b) for b in betas]
