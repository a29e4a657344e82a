"""Actions: naming, channels on every Blender version, and keeping the file free of left-overs.

Blender 4.4 gave Actions slots, layers and strips; 5.0 removed ``Action.fcurves``. In 4.2 and 4.3 the
Action itself holds the curves. Everything else in the add-on only sees :class:`Channels`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import bpy
import numpy as np

SLOT_NAME = "Understudy"
"""The slot of every generated Action has this name, so that Blender (which remembers the last slot's
name a body used) finds it again when an animator swaps one Action for another."""

META_KEY = "understudy"
"""Custom property of a generated Action: the clip's information as one JSON string."""

_NAME_BYTES = 60  # Blender 4.x cuts names at 63 bytes, and ".001" must still fit


class Channels(NamedTuple):
    """Where the curves of one Action for one object live."""

    fcurves: Any
    groups: Any
    slot: Any


def action_name(text: str) -> str:
    """A name for an Action from a prompt: one line, short enough for Blender, cut at a word."""
    line = " ".join(text.split()) or "Understudy"
    if len(line.encode()) <= _NAME_BYTES:
        return line
    cut = line.encode()[: _NAME_BYTES - 3].decode(errors="ignore")
    head, _, _ = cut.rpartition(" ")
    return (head or cut) + "…"


def new_action(name: str) -> tuple[bpy.types.Action, Channels]:
    """An empty Action for an object, with its channels ready to be filled."""
    action = bpy.data.actions.new(action_name(name))
    if not hasattr(action, "slots"):
        action.id_root = "OBJECT"
        return action, Channels(action.fcurves, action.groups, None)
    slot = action.slots.new(id_type="OBJECT", name=SLOT_NAME)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    bag = strip.channelbag(slot, ensure=True)
    return action, Channels(bag.fcurves, bag.groups, slot)


@contextmanager
def removed_unless_done(action: bpy.types.Action) -> Iterator[None]:
    """An Action that is not finished when the block ends early (an error, a work that is closed) is removed."""
    try:
        yield
    except BaseException:
        with suppress(ReferenceError):
            bpy.data.actions.remove(action)
        raise


def channels_of(animation: bpy.types.AnimData) -> Channels | None:
    """The channels that animate the owner of ``animation`` now; None without an Action."""
    action = animation.action
    return None if action is None else channels_of_slot(action, getattr(animation, "action_slot", None))


def channels_of_slot(action: bpy.types.Action, slot: Any) -> Channels | None:
    """The channels of an Action's slot; where Actions have no slots, those of the Action."""
    if not hasattr(action, "slots"):
        return Channels(action.fcurves, action.groups, None)
    if slot is None:
        return None
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot)
            if bag is not None:
                return Channels(bag.fcurves, bag.groups, slot)
    return None


def fill_curve(curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray) -> None:
    """Key a curve in one go, linear in between.

    Args:
        curve: an empty curve.
        frames: (T,) ascending.
        values: (T,).
    """
    points = np.empty((len(frames), 2), np.float32)
    points[:, 0], points[:, 1] = frames, values
    curve.keyframe_points.add(len(frames))
    curve.keyframe_points.foreach_set("co", points.ravel())
    linear = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
    curve.keyframe_points.foreach_set("interpolation", np.full(len(frames), linear, np.int32))
    curve.update()


def bone_curves(channels: Channels, bone: str, channel: str, frames: np.ndarray, values: np.ndarray) -> None:
    """Key one channel (T, n) of a bone, in a group of its name."""
    path = f'pose.bones["{bpy.utils.escape_identifier(bone)}"].{channel}'
    group = channels.groups.get(bone) or channels.groups.new(bone)
    for index in range(values.shape[1]):
        curve = channels.fcurves.new(path, index=index)
        fill_curve(curve, frames, values[:, index])
        curve.group = group


def assign(obj: bpy.types.Object, action: bpy.types.Action, channels: Channels) -> None:
    """Make the Action play on an object, and drop the generated one it replaces.

    A replaced Action of ours that nothing else uses would only pile up in the file. It is kept when
    the animator gave it a fake user (the shield) or uses it elsewhere.
    """
    animation = obj.animation_data_create()
    previous = animation.action
    animation.action = action
    if channels.slot is not None:
        animation.action_slot = channels.slot
    if previous is not None and previous != action and previous.users == 0 and META_KEY in previous:
        bpy.data.actions.remove(previous)


@contextmanager
def kept_action(obj: bpy.types.Object) -> Iterator[None]:
    """The Action that plays on an object is dropped by :func:`assign` only when all of the block has succeeded."""
    animation = obj.animation_data
    previous = animation.action if animation is not None else None
    slot = getattr(animation, "action_slot", None)
    shielded = previous is not None and previous.use_fake_user
    if previous is not None:
        previous.use_fake_user = True
    try:
        yield
    except BaseException:
        failed = obj.animation_data.action if obj.animation_data is not None else None
        if failed is not None and failed != previous:
            obj.animation_data.action = previous
            if slot is not None:
                obj.animation_data.action_slot = slot
            bpy.data.actions.remove(failed)
        raise
    finally:
        if previous is not None:
            previous.use_fake_user = shielded
    if previous is not None and previous.users == 0 and META_KEY in previous:
        bpy.data.actions.remove(previous)


def read_meta(action: bpy.types.Action | None) -> dict[str, Any]:
    """What :mod:`.keying` stored on an Action; empty if it is not one of ours or was edited."""
    text = action.get(META_KEY) if action is not None else None
    if not isinstance(text, str):
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
