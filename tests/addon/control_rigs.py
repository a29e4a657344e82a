"""Control rigs for the tests: Rigify's, made by Blender itself, and one in the manner of Mixamo's add-on."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector

from .rigs import build, rigs


def save_rigify(path: Path) -> bool:
    """Generate Rigify's human and save it; false where this Blender has no Rigify."""
    import addon_utils

    if addon_utils.enable("rigify", default_set=True) is None:
        return False
    try:
        bpy.ops.object.armature_human_metarig_add()
        meta = bpy.context.view_layer.objects.active
        bpy.ops.pose.rigify_generate()
        rig = next(o for o in bpy.data.objects if o.type == "ARMATURE" and o != meta)
        bpy.data.libraries.write(str(path), {rig})
    finally:
        addon_utils.disable("rigify", default_set=True)
    return True


def load_rig(path: Path) -> bpy.types.Object:
    with bpy.data.libraries.load(str(path)) as (source, wanted):
        wanted.objects = [name for name in source.objects if name == "rig"]
    rig = wanted.objects[0]
    bpy.context.scene.collection.objects.link(rig)
    return rig


def mixamo_controls() -> bpy.types.Object:
    """A Mixamo skeleton whose bones follow controls with the names, parents, constraints and switches of
    Adobe's control rig: master, hips, spine, FK and IK limbs with poles."""
    points = rigs.rest_points(arms=10)
    for side in ("left", "right"):  # solvers want to know to which side a limb bends
        points[f"{side}_knee"] = points[f"{side}_knee"] + np.array([0, 0, 0.02])
        points[f"{side}_elbow"] = points[f"{side}_elbow"] + np.array([0, 0, -0.02])
    obj = build("mixamo", points=points)
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    bones = obj.data.edit_bones
    for bone in bones:
        bone.use_deform = True

    def add(name: str, like: str, parent: str = "") -> None:
        bone, model = bones.new(name), bones[like]
        bone.head, bone.tail, bone.roll = model.head, model.tail, model.roll
        bone.use_deform = False
        if parent:
            bone.parent = bones[parent]

    def limb(upper: str, lower: str, end: str, z_axis: Vector) -> None:
        """Bones that end where the next one begins."""
        for bone, below in ((upper, lower), (lower, end)):
            bones[bone].tail = bones[below].head
            bones[bone].align_roll(z_axis)

    m = "mixamorig:"
    master = bones.new("Ctrl_Master")
    master.head, master.tail, master.use_deform = (0, 0, 0), (0, 0.2, 0), False
    for name, bone, parent in (
        ("Hips", "Hips", "Ctrl_Master"), ("Hips_Free", "Hips", "Ctrl_Hips"), ("Spine", "Spine", "Ctrl_Hips"),
        ("Spine1", "Spine1", "Ctrl_Spine"), ("Spine2", "Spine2", "Ctrl_Spine1"),
        ("Neck", "Neck", "Ctrl_Spine2"), ("Head", "Head", "Ctrl_Neck"),
    ):  # fmt: skip
        add(f"Ctrl_{name}", m + bone, parent)
    for side in ("Left", "Right"):
        s = f"_{side}"
        limb(f"{m}{side}UpLeg", f"{m}{side}Leg", f"{m}{side}Foot", Vector((0, -1, 0)))
        limb(f"{m}{side}Arm", f"{m}{side}ForeArm", f"{m}{side}Hand", Vector((0, 0, 1)))
        bones[f"{m}{side}Shoulder"].tail = bones[f"{m}{side}Arm"].head
        for name, bone, parent in (
            ("Ctrl_UpLeg_FK", "UpLeg", "Ctrl_Hips_Free"), ("Ctrl_Leg_FK", "Leg", f"Ctrl_UpLeg_FK{s}"),
            ("Ctrl_Foot_FK", "Foot", f"Ctrl_Leg_FK{s}"), ("Ctrl_Toe_FK", "ToeBase", f"Ctrl_Foot_FK{s}"),
            ("UpLeg_IK", "UpLeg", "Ctrl_Hips_Free"), ("Leg_IK", "Leg", f"UpLeg_IK{s}"),
            ("Ctrl_Foot_IK", "Foot", ""), ("Ctrl_Toe_IK", "ToeBase", f"Ctrl_Foot_IK{s}"),
            ("Ctrl_Shoulder", "Shoulder", "Ctrl_Spine2"), ("Ctrl_Arm_FK", "Arm", "Ctrl_Spine2"),
            ("Ctrl_ForeArm_FK", "ForeArm", f"Ctrl_Arm_FK{s}"), ("Ctrl_Hand_FK", "Hand", f"Ctrl_ForeArm_FK{s}"),
            ("Arm_IK", "Arm", f"Ctrl_Shoulder{s}"), ("ForeArm_IK", "ForeArm", f"Arm_IK{s}"),
            ("Ctrl_Hand_IK", "Hand", ""),
        ):  # fmt: skip
            add(name + s, f"{m}{side}{bone}", parent)
        for name, joint, forward in (("LegPole", "Leg", -1), ("ArmPole", "ForeArm", 1)):
            pole = bones.new(f"Ctrl_{name}_IK{s}")
            pole.head = _in_plane(bones, f"{m}{side}", joint, 0.8 * forward)
            pole.tail, pole.use_deform = pole.head + Vector((0, 0, 0.1)), False
    bpy.ops.object.mode_set(mode="OBJECT")
    for side in ("Left", "Right"):
        _constrain(obj, side)
    for name in ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head"):
        _copy(obj, m + name, f"Ctrl_{'Hips_Free' if name == 'Hips' else name}")
    bpy.context.view_layer.objects.active = None
    return obj


def _in_plane(bones: bpy.types.ArmatureEditBones, prefix: str, joint: str, distance: float) -> Vector:
    """A point beside a knee or an elbow, in the plane of the limb at rest."""
    upper, end = {"Leg": ("UpLeg", "Foot"), "ForeArm": ("Arm", "Hand")}[joint]
    top, middle, last = (bones[prefix + name].head for name in (upper, joint, end))
    line = (last - top).normalized()
    off = (middle - top) - (middle - top).dot(line) * line
    return middle + off.normalized() * abs(distance)


def _copy(obj: bpy.types.Object, bone: str, control: str, switch: str = "", invert: bool = False) -> None:
    constraint = obj.pose.bones[bone].constraints.new("COPY_TRANSFORMS")
    constraint.target, constraint.subtarget = obj, control
    if switch:
        driver = constraint.driver_add("influence").driver
        variable = driver.variables.new()
        variable.name = "fk"
        variable.targets[0].id = obj
        variable.targets[0].data_path = f'pose.bones["{switch}"]["ik_fk_switch"]'
        driver.type = "SCRIPTED"
        driver.expression = "1 - fk" if invert else "fk"


def _child_of(obj: bpy.types.Object, bone: str, parent: str) -> None:
    constraint = obj.pose.bones[bone].constraints.new("CHILD_OF")
    constraint.target, constraint.subtarget = obj, parent
    constraint.inverse_matrix = (obj.matrix_world @ obj.pose.bones[parent].bone.matrix_local).inverted()


def _constrain(obj: bpy.types.Object, side: str) -> None:
    s, m = f"_{side}", f"mixamorig:{side}"
    for kind, upper, lower, end, chain in (
        ("Leg", "UpLeg", "Leg", "Foot", ("UpLeg", "Leg", "Foot", "ToeBase")),
        ("Arm", "Arm", "ForeArm", "Hand", ("Arm", "ForeArm", "Hand")),
    ):
        goal, pole = f"Ctrl_{end}_IK{s}", f"Ctrl_{kind}Pole_IK{s}"
        obj.pose.bones[goal]["ik_fk_switch"] = 0.0
        _child_of(obj, goal, "Ctrl_Master")
        _child_of(obj, pole, goal if kind == "Leg" else "Ctrl_Hips")
        ik = obj.pose.bones[f"{lower}_IK{s}"].constraints.new("IK")
        ik.target, ik.subtarget, ik.pole_target, ik.pole_subtarget = obj, goal, obj, pole
        ik.chain_count, ik.use_stretch = 2, False
        ik.pole_angle = _pole_angle(obj, f"{upper}_IK{s}", pole)
        bone = obj.pose.bones[f"{lower}_IK{s}"]
        bone.lock_ik_y = True  # a knee bends about its X axis, an elbow about its Z axis
        bone.lock_ik_x, bone.lock_ik_z = kind == "Arm", kind == "Leg"
        for name in chain:
            control = {"ToeBase": "Toe"}.get(name, name)
            if name in (upper, lower):
                solved = f"{name}_IK{s}"
            else:
                solved = f"Ctrl_{control}_IK{s}"
            _copy(obj, m + name, solved)
            _copy(obj, m + name, f"Ctrl_{control}_FK{s}", goal)
    _copy(obj, f"{m}Shoulder", f"Ctrl_Shoulder{s}")
    carried = obj.pose.bones[f"Ctrl_Arm_FK{s}"].constraints.new("COPY_LOCATION")
    carried.target, carried.subtarget, carried.head_tail = obj, f"Ctrl_Shoulder{s}", 1.0


def _pole_angle(obj: bpy.types.Object, upper: str, pole: str) -> float:
    """The angle about the upper bone from its X axis to the pole, which keeps the rest pose at rest."""
    bone = obj.data.bones[upper]
    lower = next(child for child in bone.children)
    line = (lower.tail_local - bone.head_local).normalized()
    away = obj.data.bones[pole].head_local - bone.head_local
    x, y = bone.x_axis, bone.y_axis
    local = bone.matrix_local.to_3x3()
    x, y, z = (local.col[i] for i in range(3))
    facing = away - away.dot(line) * line
    facing = facing - (facing.dot(y) / line.dot(y)) * line
    return float(np.arctan2(facing.dot(z), facing.dot(x)))
