"""A clip becomes an Action on a SMPL-X armature, and an armature's animation becomes a clip."""

from __future__ import annotations

import json
import math

import bpy
import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import rotations
from ...backend.motion.clip import Clip, resample
from ..body.bodymap import BodyMap, why_not_editable
from ..body.face import key_face, read_face, with_read_face
from ..process.slices import Steps, Work
from .actions import (
    META_KEY,
    Channels,
    action_name,
    assign,
    channels_of,
    fill_curve,
    new_action,
    read_meta,
    removed_unless_done,
)
from .reduction import check, key_body


def scene_rate(scene: bpy.types.Scene) -> float:
    """Frames per second of a scene."""
    return scene.render.fps / scene.render.fps_base


def continuous(quaternions: np.ndarray) -> np.ndarray:
    """Flip signs along time (T, J, 4) so that neighbours lie on the same side.

    q and -q are one rotation, but curves interpolate the numbers: a change of sign between two keys
    would swing the joint through everything on the way.
    """
    dots = np.sum(quaternions[1:] * quaternions[:-1], axis=-1)
    first = np.where(quaternions[:1, :, 0] < 0, -1.0, 1.0)
    signs = np.concatenate([first, np.where(dots < 0, -1.0, 1.0)]).cumprod(axis=0)
    return quaternions * signs[..., None]


def key_clip(
    armature: bpy.types.Object,
    clip: Clip,
    *,
    name: str,
    start_frame: float,
    scene_fps: float,
    keep_poses: bool = False,
    reduce: float = 0.0,
) -> bpy.types.Action:
    """Key a clip on an armature as a new Action, and make that Action the one that plays.

    Args:
        armature: a SMPL-X armature.
        clip: the motion.
        name: what to call the Action; a prompt will do.
        start_frame: the scene frame of the clip's first pose.
        scene_fps: frames per second of the scene; the clip plays at its own speed.
        keep_poses: key the clip's own poses, between frames where the rates differ, rather than
            resampling it so that every key lies on a whole frame.
        reduce: degrees that a joint may be off for the sake of fewer keys (see :mod:`.reduction`); 0 keys
            every pose.

    Raises:
        BadInput: the armature or the tolerance is not usable; nothing has changed then.
    """
    steps = keyed(
        armature,
        clip,
        name=name,
        start_frame=start_frame,
        scene_fps=scene_fps,
        keep_poses=keep_poses,
        reduce=reduce,
    )
    return wear(armature, *Work(steps).finish(), name)


def keyed(
    armature: bpy.types.Object,
    clip: Clip,
    *,
    name: str,
    start_frame: float,
    scene_fps: float,
    keep_poses: bool = False,
    reduce: float = 0.0,
) -> Steps[tuple[bpy.types.Action, Channels]]:
    """The Action of :func:`key_clip` in slices; nothing plays it yet, see :func:`wear`. An unfinished one goes."""
    body_map = BodyMap.of(armature)
    reason = why_not_editable(armature)
    if reason:
        raise BadInput(reason, field="body")
    if reduce:
        check(reduce)
    played = clip if keep_poses else resample(clip, scene_fps)
    played = played.replace(trans=body_map.carried(played.trans, clip.meta))
    yield
    frames = start_frame + np.arange(len(played)) * (scene_fps / played.fps)
    quaternions = continuous(rotations.axis_angle_to_quaternion(played.poses))
    yield

    action, channels = new_action(name)
    with removed_unless_done(action):
        action[META_KEY] = describe(clip)
        if reduce:
            yield from key_body(channels, body_map, quaternions, played, frames, reduce)
        else:
            turned = body_map.to_bones(quaternions)
            yield
            for k, bone in enumerate(body_map.names):
                _key(channels, bone, "rotation_quaternion", frames, turned[:, k])
                yield
            _key(channels, "pelvis", "location", frames, body_map.to_location(played.trans))
        key_face(armature, channels, played, frames)
        for bone in body_map.ancestors:
            # The SMPL-X add-on leaves its root bone turned after an AMASS import: hold it at rest.
            _key(channels, bone, "location", frames[:1], np.zeros((1, 3)))
            _key(channels, bone, "rotation_quaternion", frames[:1], np.array([[1.0, 0, 0, 0]]))
        yield
    return action, channels


def wear(
    armature: bpy.types.Object, action: bpy.types.Action, channels: Channels, name: str
) -> bpy.types.Action:
    """Let an armature play an Action that was :func:`keyed` for it."""
    body_map = BodyMap.of(armature)
    for bone in (*body_map.names, *body_map.ancestors):
        armature.pose.bones[bone].rotation_mode = "QUATERNION"
    assign(armature, action, channels)
    action.name = action_name(name)  # the Action that it replaced may have had the name until now
    show_keys(armature)
    return action


def show_keys(armature: bpy.types.Object) -> None:
    """Select all bones where none is: the timeline shows the keys of selected bones only.

    While somebody poses the body, its selection is theirs.
    """
    posed = "select" in bpy.types.PoseBone.bl_rna.properties  # from 5.0 on
    bones = armature.pose.bones if posed else armature.data.bones
    if armature.mode == "POSE" or not (posed or armature.data.is_editable):
        return
    if not any(bone.select for bone in bones):
        for bone in bones:
            bone.select = True


def _key(channels: Channels, bone: str, channel: str, frames: np.ndarray, values: np.ndarray) -> None:
    """All components (T, n) of one channel of one bone, in the bone's group."""
    path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"].{channel}'
    group = channels.groups.get(bone) or channels.groups.new(bone)
    for index in range(values.shape[1]):
        curve = channels.fcurves.new(path, index=index)
        fill_curve(curve, frames, values[:, index])
        curve.group = group


def describe(clip: Clip) -> str:
    """What curves cannot hold of a clip, as the text of :data:`.actions.META_KEY`."""
    values = {
        "meta": clip.meta,
        "betas": [float(value) for value in clip.betas],
        "gender": clip.gender,
        "known": clip.known,
        "fps": clip.fps,
    }
    return json.dumps(values, ensure_ascii=False)


def extend_scene(scene: bpy.types.Scene, action: bpy.types.Action) -> None:
    """Let the scene's range hold the whole Action; it is never shortened."""
    scene.frame_end = max(scene.frame_end, math.floor(action.frame_range[1] + 1e-3))


def clip_from_action(
    armature: bpy.types.Object,
    frame_range: tuple[int, int] | None = None,
    *,
    scene: bpy.types.Scene | None = None,
) -> Clip:
    """The animation of an armature as a clip at the scene's frame rate, one pose a frame.

    The curves are read directly where they alone make the motion; with constraints, drivers, NLA
    strips, Euler bones or a moving parent bone Blender evaluates every frame instead.

    Args:
        armature: a SMPL-X armature.
        frame_range: first and last scene frame, both included; by default the Action's range, or
            the scene's where NLA strips or drivers move the body.
        scene: defaults to the context's.

    Raises:
        BadInput: not a usable armature, or nothing animates it.
    """
    scene = scene or bpy.context.scene
    body_map = BodyMap.of(armature)
    animation = armature.animation_data
    channels = channels_of(animation) if animation is not None else None
    if frame_range is None:
        frame_range = _range(armature, channels, scene)
    first, last = frame_range
    if last < first:
        raise BadInput(f"The last frame ({last}) lies before the first one ({first}).", field="frame_range")
    frames = np.arange(first, last + 1)
    if channels is not None and _plain(body_map, channels):
        quaternions, location = _sample_curves(body_map, channels, frames)
    else:
        quaternions, location = _sample_scene(body_map, scene, frames)
    stored = read_meta(animation.action if animation is not None else None)
    meta = stored["meta"] if isinstance(stored.get("meta"), dict) else {}
    defaults = Clip(np.zeros((1, 55, 3)), np.zeros((1, 3)), 30.0)
    known = stored.get("known")
    clip = Clip(
        poses=rotations.quaternion_to_axis_angle(body_map.from_bones(quaternions)),
        trans=body_map.uncarried(body_map.from_location(location), meta),
        fps=scene_rate(scene),
        betas=np.asarray(stored["betas"], np.float32) if stored.get("betas") else defaults.betas,
        gender=str(stored.get("gender", defaults.gender)),
        known={k: bool(v) for k, v in known.items()} if isinstance(known, dict) else defaults.known,
        meta=meta,
    )
    return with_read_face(clip, read_face(armature, channels, frames))


def _range(armature: bpy.types.Object, channels: Channels | None, scene: bpy.types.Scene) -> tuple[int, int]:
    animation = armature.animation_data
    if channels is not None and len(channels.fcurves) and not len(animation.nla_tracks):
        spans = [curve.range() for curve in channels.fcurves if len(curve.keyframe_points)]
        if spans:
            return round(min(s[0] for s in spans)), math.floor(max(s[1] for s in spans) + 1e-3)
    moved = animation is not None and (len(animation.nla_tracks) or len(animation.drivers))
    if moved or any(len(bone.constraints) for bone in armature.pose.bones):
        return scene.frame_start, scene.frame_end
    raise BadInput(
        f"“{armature.name}” has no animation.",
        hint="Generate or import one first, or choose an animated armature.",
        field="body",
    )


def _plain(body_map: BodyMap, channels: Channels) -> bool:
    """Whether the curves of the Action alone make the motion."""
    armature = body_map.armature
    animation = armature.animation_data
    if len(animation.nla_tracks) or len(animation.drivers) or animation.use_tweak_mode:
        return False
    if animation.action_influence != 1.0 or animation.action_blend_type != "REPLACE":
        return False
    bones = armature.pose.bones
    if any(len(bone.constraints) for bone in bones) or armature.data.pose_position != "POSE":
        return False
    if any(bones[name].rotation_mode != "QUATERNION" for name in body_map.names):
        return False
    # Any other bone (a root above the pelvis, a helper in between) could move the joints too.
    joints = set(body_map.names)
    for bone in bones:
        if bone.name in joints:
            continue
        if any(child.name in joints for child in bone.bone.children_recursive):
            keyed = [c for c in channels.fcurves if c.data_path.startswith(f'pose.bones["{bone.name}"]')]
            still = all(_resting(c) for c in keyed) and (bool(keyed) or _at_rest(bone))
            if not still:
                return False
    return True


def _resting(curve: bpy.types.FCurve) -> bool:
    rest = 1.0 if curve.data_path.endswith("scale") else 0.0
    if curve.data_path.endswith("rotation_quaternion") and curve.array_index == 0:
        rest = 1.0
    return not len(curve.modifiers) and all(abs(k.co[1] - rest) < 1e-7 for k in curve.keyframe_points)


def _at_rest(bone: bpy.types.PoseBone) -> bool:
    return bool(np.allclose(np.array(bone.matrix_basis), np.eye(4), atol=1e-6))


def _sample_curves(
    body_map: BodyMap, channels: Channels, frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bone quaternions (T, J, 4) and pelvis location (T, 3) from the curves alone."""
    curves = {(c.data_path, c.array_index): c for c in channels.fcurves if not c.mute}

    def sample(bone: str, channel: str, size: int) -> np.ndarray:
        rest = getattr(body_map.armature.pose.bones[bone], channel)
        values = np.tile(np.array(rest, np.float64), (len(frames), 1))
        path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"].{channel}'
        for index in range(size):
            curve = curves.get((path, index))
            if curve is not None:
                values[:, index] = evaluated(curve, frames)
        return values

    quaternions = np.stack([sample(name, "rotation_quaternion", 4) for name in body_map.names], axis=1)
    return rotations.normalize_quaternion(quaternions), sample("pelvis", "location", 3)


def evaluated(curve: bpy.types.FCurve, frames: np.ndarray) -> np.ndarray:
    """A curve's values (T,) at frames (T,); where it has keys, theirs are read in one go."""
    count = len(curve.keyframe_points)
    keys = np.empty(2 * count, np.float32)
    curve.keyframe_points.foreach_get("co", keys)
    keys = keys.reshape(-1, 2)
    nearest = np.clip(np.searchsorted(keys[:, 0], frames - 1e-3), 0, max(count - 1, 0))
    keyed = np.zeros(len(frames), bool)
    if count and not len(curve.modifiers):
        keyed = np.abs(keys[nearest, 0] - frames) < 1e-4
    values = np.where(keyed, keys[nearest, 1], 0.0) if count else np.zeros(len(frames))
    for i in np.flatnonzero(~keyed):
        values[i] = curve.evaluate(frames[i])
    return values


def _sample_scene(
    body_map: BodyMap, scene: bpy.types.Scene, frames: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The same from Blender's evaluation of every frame; the scene's frame is put back."""
    posed = np.empty((len(frames), len(body_map.names), 4, 4))
    current, subframe = scene.frame_current, scene.frame_subframe
    view_layer = next((v for v in scene.view_layers if body_map.armature.name in v.objects), None)
    if view_layer is None:
        raise BadInput(f"“{body_map.armature.name}” is not in the scene “{scene.name}”.", field="body")
    try:
        for i, frame in enumerate(frames):
            scene.frame_set(int(frame))
            view_layer.update()
            evaluated = body_map.armature.evaluated_get(view_layer.depsgraph)
            for k, name in enumerate(body_map.names):
                posed[i, k] = evaluated.pose.bones[name].matrix
    finally:
        scene.frame_set(current, subframe=subframe)
    return local_pose(body_map, posed)


def local_pose(body_map: BodyMap, posed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the bones' own channels would have to be for a pose, with every other bone at rest.

    Args:
        body_map: of the armature.
        posed: (T, J, 4, 4) the bones' matrices in armature space.

    Returns:
        Bone quaternions (T, J, 4) and the pelvis' location (T, 3).
    """
    bones = body_map.armature.data.bones
    rest = np.array([np.array(bones[name].matrix_local) for name in body_map.names])
    rotation = posed[..., :3, :3] / np.linalg.norm(posed[..., :3, :3], axis=-2, keepdims=True)
    # Rotation of every bone away from its rest pose, in armature space; then relative to the parent.
    turned = rotation @ np.swapaxes(rest[:, :3, :3], 1, 2)
    local = np.array(rotation)
    for k, name in enumerate(body_map.names):
        parent = next((p.name for p in bones[name].parent_recursive if p.name in body_map.names), None)
        above = np.eye(3) if parent is None else turned[:, body_map.names.index(parent)]
        relative = np.swapaxes(above, -1, -2) @ turned[:, k]
        local[:, k] = rest[k, :3, :3].T @ relative @ rest[k, :3, :3]
    pelvis = body_map.names.index("pelvis")
    offset = posed[:, pelvis, :3, 3] - rest[pelvis, :3, 3]
    return rotations.matrix_to_quaternion(local), offset @ rest[pelvis, :3, :3]
