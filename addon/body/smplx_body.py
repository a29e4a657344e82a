"""The user's SMPL-X model as a body: its mesh, shape, expressions and pose correctives on our armature.

Sliders are custom properties of the armature object, as on the built-in body (see :mod:`.face`), named like the
shape keys of the official SMPL-X add-on: ``Exp000`` and so on. Correctives are shape keys ``Pose000`` and so on
that plain drivers, without scripts, read off the bones.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from typing import NamedTuple

import bpy
import numpy as np

from ...backend.motion.skeleton import JOINT_NAMES
from ..process.slices import Steps, Work, aside
from .builtin import (
    _armature,
    _directions,
    add_groups,
    leave_mode,
    place_bones,
    remove,
    select,
    to_blender,
    wear,
    weight_groups,
)
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
    return Work(adding_smplx_body(context, model, betas, name=name, correctives=correctives)).finish()


def adding_smplx_body(
    context: bpy.types.Context,
    model: BodyModel,
    betas: np.ndarray,
    *,
    name: str = "SMPL-X",
    correctives: bool = True,
) -> Steps[bpy.types.Object]:
    """:func:`add_smplx_body` in slices. The scene gets the body in the last of them; an unfinished one goes."""
    vertices, joints = model.shaped(betas)
    groups = yield from aside(lambda: weight_groups(_limited(model.weights)))
    skin = _mesh(name, model, vertices)
    armature = None
    try:
        yield
        yield from add_groups(skin, groups)
        keys = yield from aside(_keys, model, vertices, correctives)
        skin.shape_key_add(name="Basis", from_mix=False)
        for one in keys:
            yield
            _add_key(skin, one)
        yield
        leave_mode(context)
        armature = _armature(context, name, joints)
        armature.hide_set(True)  # until it has its skin
        for one in keys:
            yield
            key = skin.data.shape_keys.key_blocks[one.name]
            if one.joint is None:
                add_slider(key, armature, key.name, low=-one.reach, high=one.reach)
            else:
                _drive(key, armature, JOINT_NAMES[one.joint], _ENTRIES[one.entry])
        yield
        wear(context, armature, skin)
        _stand(armature, model, vertices, betas)
        armature.hide_set(False)
        select(context, armature)
    except BaseException:
        for thing in (skin, armature):
            with suppress(ReferenceError):
                remove(thing)
        raise
    return armature


def reshape(
    context: bpy.types.Context, armature: bpy.types.Object, model: BodyModel, betas: np.ndarray
) -> None:
    """Give a body made by :func:`add_smplx_body` another shape, mesh and skeleton; its animation stays."""
    Work(reshaping(context, armature, model, betas)).finish()


def reshaping(
    context: bpy.types.Context, armature: bpy.types.Object, model: BodyModel, betas: np.ndarray
) -> Steps[None]:
    """:func:`reshape` in slices; where it stops early, the body is as it was."""
    vertices, joints = model.shaped(betas)
    skin = skin_of(armature)
    assert skin is not None
    points = to_blender(vertices).astype(np.float32).ravel()
    old = np.empty_like(points)
    skin.data.vertices.foreach_get("co", old)
    change = points - old
    done: list[str] = []
    try:
        for name in skin.data.shape_keys.key_blocks.keys() if skin.data.shape_keys else ():
            yield
            _shift(skin, name, change)
            done.append(name)
    except BaseException:
        with suppress(ReferenceError):
            for name in done:
                _shift(skin, name, -change)
        raise
    skin.data.vertices.foreach_set("co", points)
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


def _shift(skin: bpy.types.Object, key: str, change: np.ndarray) -> None:
    data = skin.data.shape_keys.key_blocks[key].data
    values = np.empty_like(change)
    data.foreach_get("co", values)
    data.foreach_set("co", values + change)


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
    return bpy.data.objects.new(f"{name} mesh", mesh)


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


class _Key(NamedTuple):
    """A shape key.

    Attributes:
        points: (3 V,) where it moves the vertices, Blender's axes, metres.
        reach: how far its slider goes either way.
        joint: that drives it; None: a slider of the armature does.
        entry: of that joint's rotation matrix.
    """

    name: str
    points: np.ndarray
    reach: float
    joint: int | None = None
    entry: int = 0


def _keys(model: BodyModel, vertices: np.ndarray, correctives: bool) -> list[_Key]:
    """The shape keys of a body; needs no bpy."""
    rest = to_blender(vertices)

    def moved(offsets: np.ndarray) -> np.ndarray:
        return (rest + to_blender(offsets)).astype(np.float32).ravel()

    keys = [
        _Key(f"Exp{k:03d}", moved(model.expressions[:, :, k]), 5.0) for k in range(model.expressions.shape[2])
    ]
    for joint, entry in product(range(1, CORRECTED_JOINTS + 1), range(9)) if correctives else ():
        k = 9 * (joint - 1) + entry
        offsets = model.correctives[:, :, k]
        if np.abs(offsets).max() >= _VISIBLE:
            keys.append(_Key(f"Pose{k:03d}", moved(offsets), 4.0, joint, entry))
    return keys


def _add_key(skin: bpy.types.Object, one: _Key) -> None:
    key = skin.shape_key_add(name=one.name, from_mix=False)
    key.data.foreach_set("co", one.points)
    key.slider_min, key.slider_max = -one.reach, one.reach


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
