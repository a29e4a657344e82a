"""Keying a rig's motion as an Action: one call, all or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import bpy
import numpy as np
from mathutils import Matrix

from ...backend.errors import BadInput
from ...backend.motion import rotations
from ...backend.motion.clip import Clip, resample
from ...backend.motion.mapping import Mapping
from ...backend.motion.retarget import Retargeter, RigMotion, Root
from ...backend.motion.retarget_fit import fit_to_rig
from ..keying.actions import (
    META_KEY,
    Channels,
    action_name,
    assign,
    bone_curves,
    fill_curve,
    kept_action,
    new_action,
)
from ..keying.keying import continuous
from .armature import BASE_KEY, check_locks, read_base, read_rig, why_not_a_rig
from .bake import bake_bones, unbake

Controls = Literal["ik feet", "ik", "fk", "bones"]
"""What is keyed on a control rig: goals for the feet, goals for hands and feet, FK controls, or its bones."""
IK_LIMBS: dict[str, tuple[str, ...]] = {"ik feet": ("leg",), "ik": ("leg", "arm"), "fk": (), "bones": ()}

IK_STRETCH = "ik_stretch"
"""A bone's own property among the settings: a solver that may squash a limb bends it less than its FK chain."""


@dataclass(frozen=True)
class Keyed:
    """What :func:`key_on_rig` did."""

    action: bpy.types.Action
    bones: int
    muted: tuple[str, ...]


def key_on_rig(
    obj: bpy.types.Object,
    clip: Clip,
    mapping: Mapping,
    *,
    name: str,
    start_frame: float,
    scene_fps: float,
    root: Root = "hips",
    mute: bool = True,
    fit: bool = True,
    controls: Controls = "ik feet",
) -> Keyed:
    """Key a clip on a rig as a new Action that plays at once.

    Args:
        obj: the armature.
        clip: the motion.
        mapping: its bones.
        name: of the Action.
        start_frame: scene frame of the clip's first pose.
        scene_fps: frames per second of the scene; the clip keeps its speed.
        root: where the path over the floor goes.
        mute: switch off constraints on the bones that are keyed.
        fit: let feet that stand and hands that touch do so on the rig's proportions, too; without, every
            bone points exactly where the clip's does.
        controls: which limbs of a control rig follow goals, or that its bones are keyed instead of its
            controls; nothing to choose on other rigs.

    Raises:
        BadInput: the rig or its mapping cannot be used; nothing has changed then.
    """
    reason = why_not_a_rig(obj)
    if reason:
        raise BadInput(reason, field="rig")
    retargeter = Retargeter(read_rig(obj), mapping)
    check_locks(obj, retargeter.mapping)
    played = resample(clip, scene_fps)
    by_ik = IK_LIMBS[controls]
    motion = retargeter.perform(fit_to_rig(retargeter, played) if fit else played, root, ik=by_ik)
    if motion.object is not None:
        scale = np.array(obj.scale)
        if np.ptp(np.abs(scale)) > 1e-4 * np.abs(scale).max():
            raise BadInput(
                f"“{obj.name}” is scaled unevenly and cannot carry the path itself.",
                hint="Apply its scale, or put the path on the hips.",
                field="root",
            )
    frames = start_frame + np.arange(len(played)) * (scene_fps / played.fps)
    with _undone_on_failure(obj):
        unbake(obj)
        keyed = _key(obj, clip, retargeter.mapping, motion, frames, name, mute)
        if controls == "bones" and retargeter.mapping.is_control_rig:
            return Keyed(keyed.action, bake_bones(obj, frames), keyed.muted)
        return keyed


def _key(
    obj: bpy.types.Object,
    clip: Clip,
    mapping: Mapping,
    motion: RigMotion,
    frames: np.ndarray,
    name: str,
    mute: bool,
) -> Keyed:
    base = read_base(obj)
    base = np.array(obj.matrix_basis) if base is None else base
    action, channels = new_action(name)
    try:
        rotation = continuous(motion.rotations)
        for k, bone in enumerate(motion.bones):
            bone_curves(channels, bone, "rotation_quaternion", frames, rotation[:, k])
        for bone, location in motion.locations.items():
            bone_curves(channels, bone, "location", frames, _own_axes(obj, bone, location))
        for bone in motion.resting:  # an unmapped bone between two others must not bend them
            bone_curves(channels, bone, "location", frames[:1], np.zeros((1, 3)))
            bone_curves(channels, bone, "rotation_quaternion", frames[:1], np.array([[1.0, 0, 0, 0]]))
        if motion.object is not None:
            _object_curves(channels, frames, base @ motion.object)
        pose = obj.pose.bones
        for bone in (*motion.bones, *motion.resting):
            pose[bone].matrix_basis = Matrix()  # a left-over location or scale would stay
            pose[bone].rotation_mode = "QUATERNION"
        _settings(obj, channels, motion.settings, frames[:1])
        if motion.object is not None:
            obj.rotation_mode = "QUATERNION"
        elif read_base(obj) is not None:
            obj.matrix_basis = Matrix(base.tolist())
        # A control rig's own constraints carry its controls to its bones.
        muted = _mute(obj, motion.bones) if mute and not mapping.is_control_rig else ()
        description = {
            "meta": clip.meta,
            "known": clip.known,
            "fps": clip.fps,
            "family": mapping.family,
            **({BASE_KEY: base.ravel().tolist()} if motion.object is not None else {}),
        }
        action[META_KEY] = json.dumps(description, ensure_ascii=False)
        assign(obj, action, channels)
    except BaseException:
        bpy.data.actions.remove(action)
        raise
    for track in obj.animation_data.nla_tracks:
        track.mute = True  # it would play on the bones that are not keyed here
    action.name = action_name(name)
    return Keyed(action, len(motion.bones), muted)


def _settings(
    obj: bpy.types.Object, channels: Channels, settings: dict[str, dict[str, float]], frame: np.ndarray
) -> None:
    """Set and key switches of a control rig; a rig of another version may lack some."""
    for bone, values in settings.items():
        pose = obj.pose.bones.get(bone)
        for key, value in values.items() if pose is not None else ():
            path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"]'
            if key in pose:
                pose[key] = type(pose[key])(value)
                path += f'["{bpy.utils.escape_identifier(key)}"]'
            elif key == IK_STRETCH:
                pose.ik_stretch = value
                path += f".{key}"
            else:
                continue
            fill_curve(channels.fcurves.new(path), frame, np.array([value]))


def _own_axes(obj: bpy.types.Object, bone: str, location: np.ndarray) -> np.ndarray:
    """A location (T, 3) along the axes that the bone wants: its own, or with Local Location off its parent's."""
    data = obj.data.bones[bone]
    if data.use_local_location:
        return location
    turned = location @ np.array(data.matrix_local)[:3, :3].T
    return turned if data.parent is None else turned @ np.array(data.parent.matrix_local)[:3, :3]


def _object_curves(channels: Channels, frames: np.ndarray, matrices: np.ndarray) -> None:
    """Location and rotation of the object (T, 4, 4); its scale stays."""
    turned = matrices[:, :3, :3] / np.linalg.norm(matrices[:, :3, :3], axis=1, keepdims=True)
    quaternions = continuous(rotations.matrix_to_quaternion(turned)[:, None])[:, 0]
    group = channels.groups.new("Object Transforms")
    for path, values in (("location", matrices[:, :3, 3]), ("rotation_quaternion", quaternions)):
        for index in range(values.shape[1]):
            curve = channels.fcurves.new(path, index=index)
            fill_curve(curve, frames, values[:, index])
            curve.group = group


def _mute(obj: bpy.types.Object, bones: tuple[str, ...]) -> tuple[str, ...]:
    """Switch off the constraints of keyed bones, and inverse kinematics that reaches them; their names."""
    keyed = set(bones)
    muted = []
    for bone in obj.pose.bones:
        for constraint in bone.constraints:
            reached = {bone.name}
            if constraint.type == "IK":
                count = constraint.chain_count or 255
                reached |= {parent.name for parent in bone.parent_recursive[: count - 1]}
            if not constraint.mute and constraint.influence > 0 and reached & keyed:
                constraint.mute = True
                muted.append(f"{bone.name}: {constraint.name}")
    return tuple(muted)


@contextmanager
def _undone_on_failure(obj: bpy.types.Object) -> Iterator[None]:
    """Put the rig back as it was if keying fails half-way."""
    pose = [(bone, bone.rotation_mode, bone.matrix_basis.copy()) for bone in obj.pose.bones]
    constraints = [(c, c.mute) for bone in obj.pose.bones for c in bone.constraints]
    stretch = [(bone, bone.ik_stretch) for bone in obj.pose.bones]
    switches = [
        (bone, key, value)
        for bone in obj.pose.bones
        for key, value in bone.items()
        if isinstance(value, int | float)
    ]
    mode, basis = obj.rotation_mode, obj.matrix_basis.copy()
    with kept_action(obj):
        try:
            yield
        except BaseException:
            for bone, rotation_mode, matrix in pose:
                bone.rotation_mode = rotation_mode
                bone.matrix_basis = matrix
            for constraint, mute in constraints:
                constraint.mute = mute
            for bone, value in stretch:
                bone.ik_stretch = value
            for bone, key, value in switches:
                bone[key] = value
            obj.rotation_mode = mode
            obj.matrix_basis = basis
            raise
