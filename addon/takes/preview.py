"""A take shown on a body while the animation that was there waits: accepted, it replaces that; rejected, that returns.

The state is kept on the body's object, so that undo, saving and reloading carry it.
"""

import hashlib
import json
import math
from typing import Any, NamedTuple

import bpy
import numpy as np
from bpy.props import BoolProperty, IntProperty, PointerProperty, StringProperty

from ...backend.motion.clip import Clip
from ...backend.motion.expressions import CHANNELS
from ..body.bodymap import BodyMap
from ..keying import cycles, splice
from ..keying.actions import Channels, action_name, assign
from ..keying.keying import extend_scene, keyed, scene_rate, show_keys, wear
from ..perform import sound
from ..process.slices import Steps, Work

TAKE_KEY = "understudy_take"
"""Custom property of a previewed Action: the take that it shows."""
KEYS_KEY = "understudy_keys"
"""Custom property of a previewed Action: a digest of its keys, to notice edits by hand."""


class UNDERSTUDY_PG_preview(bpy.types.PropertyGroup):
    take: StringProperty(description="The take that is shown; empty without a preview")
    start: IntProperty(description="The frame of its first pose")
    held: PointerProperty(type=bpy.types.Action, description="The Action that waits")
    slot: StringProperty(description="The slot that it played from")
    pose: StringProperty(description="How the body stood, JSON")
    end_before: IntProperty(description="The scene's last frame before the preview")
    end_after: IntProperty(description="and with it")
    spliced: BoolProperty(description="Whether it holds keys of the Action that it was made from")


def current(body: bpy.types.Object) -> bpy.types.Action | None:
    """The previewed Action if a preview is what the body plays now (cheap, for draw)."""
    state = body.understudy_preview
    action = body.animation_data.action if body.animation_data is not None else None
    return action if state.take and action is not None and action.get(TAKE_KEY) == state.take else None


class Span(NamedTuple):
    """The part of a body's animation that a take made anew.

    Attributes:
        first: the last frame that stays.
        last: the frame from which on all stays; None: nothing follows.
        base: digest of the Action whose keys stay.
    """

    first: int
    last: int | None
    base: str


def show(
    scene: bpy.types.Scene,
    body: bpy.types.Object,
    clip: Clip,
    *,
    take: str,
    name: str,
    start: int,
    span: Span | None = None,
) -> bpy.types.Action:
    """Key a take on a body in place of what it plays.

    Args:
        scene: whose range is extended.
        body: a SMPL-X armature.
        clip: the take's motion.
        take: its identifier.
        name: for the Action.
        start: scene frame of the first pose.
        span: what is new of it, where the other keys are to stay; if their Action is not there any more,
            all of the motion is keyed.

    Raises:
        BadInput: the body cannot be keyed; nothing has changed then.
    """
    return Work(showing(scene, body, clip, take=take, name=name, start=start, span=span)).finish()


def showing(
    scene: bpy.types.Scene,
    body: bpy.types.Object,
    clip: Clip,
    *,
    take: str,
    name: str,
    start: int,
    span: Span | None = None,
) -> Steps[bpy.types.Action]:
    """:func:`show` in slices. Until the last of them the body plays what it did before."""
    state = body.understudy_preview
    shown, returned = current(body), False
    if shown is not None and (yield from editing(shown)):
        shown.use_fake_user = True
    held = state.held
    if shown is not None and span is not None and held is not None:
        base = yield from digesting(shown)
        waits = yield from digesting(held)
        returned = base != span.base == waits
    if returned and shown is not None:
        # What is spliced into must be what plays, in the rotation modes of its keys.
        _play(body, held, state.slot)
        _set_pose(body, json.loads(state.pose or "{}"))
        if shown.users == 0:
            bpy.data.actions.remove(shown)
    action, channels, spliced = yield from _keyed(scene, body, clip, name, start, span)
    action[TAKE_KEY] = take
    action[KEYS_KEY] = yield from digesting(action)

    if returned or current(body) is not None:
        if scene.frame_end == state.end_after:
            scene.frame_end = state.end_before
    else:
        slot, pose = _slot(body), json.dumps(_pose(body))
        _release(state)
        # As a user of the Action that waits: it would be taken for a left-over otherwise.
        state.held = body.animation_data.action if body.animation_data is not None else None
        state.end_before, state.slot, state.pose = scene.frame_end, slot, pose
        if state.held is not None and body.override_library is not None and state.held.library is None:
            state.held.use_fake_user = True  # Blender does not save this state on a library override
    if spliced:
        assign(body, action, channels)
        action.name = action_name(name)
        show_keys(body)
    else:
        wear(body, action, channels, name)
    extend_scene(scene, action)
    state.take, state.start, state.end_after, state.spliced = take, start, scene.frame_end, spliced
    return action


def _keyed(
    scene: bpy.types.Scene, body: bpy.types.Object, clip: Clip, name: str, start: int, span: Span | None
) -> Steps[tuple[bpy.types.Action, Channels, bool]]:
    """Key a clip, or only what is new of it where the body plays what it was made from, and say which."""
    rate = scene_rate(scene)
    playing = body.animation_data.action if body.animation_data is not None else None
    if span is not None and playing is not None and not splice.why_not(body):
        base = yield from digesting(playing)
        if base == span.base:
            made = yield from splice.spliced(
                body,
                clip,
                name=name,
                start_frame=start,
                scene_fps=rate,
                first=span.first,
                last=span.last,
            )
            return *made, True
    if cycles.is_loop(clip):
        clip = cycles.closed(clip)
        action, channels = yield from keyed(body, clip, name=name, start_frame=start, scene_fps=rate)
        cycles.go_on(channels, clip)
        return action, channels, False
    made = yield from keyed(body, clip, name=name, start_frame=start, scene_fps=rate)
    return *made, False


def stop(scene: bpy.types.Scene, body: bpy.types.Object) -> bool:
    """Bring back what was there before the preview.

    Returns:
        Whether the previewed Action stays in the file because it was edited by hand.
    """
    state = body.understudy_preview
    shown = current(body)
    if shown is None:
        _release(state)
        return False
    kept = edited(shown)
    _restore(scene, body)
    if kept:
        _claim(shown)
        shown.use_fake_user = True
    elif shown.users == 0:
        bpy.data.actions.remove(shown)
    return kept


def accept(scene: bpy.types.Scene, body: bpy.types.Object) -> bpy.types.Action:
    """Let the previewed Action be the body's own; what was there stays in the file, protected."""
    action = current(body)
    assert action is not None, "nothing is previewed"
    _claim(action)
    action.use_fake_user = True
    sound.keep(scene, body)
    _release(body.understudy_preview)
    return action


def push(scene: bpy.types.Scene, body: bpy.types.Object, name: str) -> bpy.types.NlaTrack:
    """Move the previewed Action into a new NLA track, and bring back what was there before."""
    action = current(body)
    assert action is not None, "nothing is previewed"
    _claim(action)
    sound.keep(scene, body)
    state = body.understudy_preview
    state.end_before = max(state.end_before, scene.frame_end)  # the strip plays on
    _restore(scene, body)
    track = body.animation_data.nla_tracks.new()
    track.name = name
    start = action.frame_range[0]
    strip = track.strips.new(name, math.floor(start), action)
    strip.name = name
    strip.extrapolation = "HOLD_FORWARD"  # HOLD would pose the body before the first strip, too
    if hasattr(strip, "action_slot") and len(action.slots):
        strip.action_slot = action.slots[0]
    return track


def _claim(action: bpy.types.Action) -> None:
    """From now on the Action is the animator's, not a preview."""
    for key in (TAKE_KEY, KEYS_KEY):
        if key in action:
            del action[key]


def _release(state: UNDERSTUDY_PG_preview) -> None:
    """Forget what waits. It was somebody's work: without another user Blender would drop it when saving."""
    held = state.held
    state.held = None
    if held is not None and held.users == 0:
        held.use_fake_user = True
    state.take = state.slot = state.pose = ""


def _slot(body: bpy.types.Object) -> str:
    """The identifier of the slot that plays; empty without one."""
    slot = getattr(body.animation_data, "action_slot", None)
    return slot.identifier if slot is not None else ""


def _restore(scene: bpy.types.Scene, body: bpy.types.Object) -> None:
    """Put Action, slot, pose, range and sound back."""
    state = body.understudy_preview
    _play(body, state.held, state.slot)
    _set_pose(body, json.loads(state.pose or "{}"))
    if scene.frame_end == state.end_after:
        scene.frame_end = state.end_before
    sound.remove(scene, body)
    state.held = None
    state.take = state.slot = state.pose = ""
    body.update_tag()


def _play(body: bpy.types.Object, action: bpy.types.Action | None, slot: str) -> None:
    """Let an Action play, from the slot with an identifier where it has one."""
    animation = body.animation_data
    animation.action = action
    if action is not None and hasattr(action, "slots"):
        found = next((s for s in action.slots if s.identifier == slot), None)
        if found is not None:
            animation.action_slot = found


def _pose(body: bpy.types.Object) -> dict[str, Any]:
    """What keying touches of a body: the bones' channels with their modes, and the face's sliders."""
    body_map = BodyMap.of(body)
    bones = {}
    for name in (*body_map.names, *body_map.ancestors):
        bone = body.pose.bones[name]
        bones[name] = [
            bone.rotation_mode,
            list(bone.location),
            list(bone.rotation_quaternion),
            list(bone.rotation_euler),
            list(bone.rotation_axis_angle),
        ]
    return {"bones": bones, "face": {name: float(body[name]) for name in CHANNELS if name in body}}


def _set_pose(body: bpy.types.Object, pose: dict[str, Any]) -> None:
    for name, (mode, location, quaternion, euler, axis_angle) in pose.get("bones", {}).items():
        bone = body.pose.bones.get(name)
        if bone is None:
            continue
        bone.rotation_mode = mode
        bone.location = location
        bone.rotation_quaternion, bone.rotation_euler = quaternion, euler
        bone.rotation_axis_angle = axis_angle
    for name, value in pose.get("face", {}).items():
        if name in body:
            body[name] = value


def digest(action: bpy.types.Action) -> str:
    """A digest of the times and values of all keys of an Action."""
    return Work(digesting(action)).finish()


def digesting(action: bpy.types.Action) -> Steps[str]:
    """:func:`digest` in slices."""
    digest = hashlib.blake2b(digest_size=8)
    for curve in _curves(action):
        yield
        points = np.empty(2 * len(curve.keyframe_points), np.float32)
        curve.keyframe_points.foreach_get("co", points)
        digest.update(f"{curve.data_path}[{curve.array_index}]".encode())
        digest.update(points.tobytes())
    return digest.hexdigest()


def edited(action: bpy.types.Action) -> bool:
    """Whether somebody changed the keys of a previewed Action."""
    return Work(editing(action)).finish()


def editing(action: bpy.types.Action) -> Steps[bool]:
    """:func:`edited` in slices."""
    return bool(action.get(KEYS_KEY, "") != (yield from digesting(action)))


def _curves(action: bpy.types.Action) -> list[Any]:
    if not hasattr(action, "slots"):
        return list(action.fcurves)
    return [
        curve
        for layer in action.layers
        for strip in layer.strips
        for bag in strip.channelbags
        for curve in bag.fcurves
    ]


CLASSES = (UNDERSTUDY_PG_preview,)


def register() -> None:
    bpy.types.Object.understudy_preview = PointerProperty(type=UNDERSTUDY_PG_preview)


def unregister() -> None:
    del bpy.types.Object.understudy_preview
