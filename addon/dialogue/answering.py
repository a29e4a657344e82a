"""An answer that arrived becomes motion, sound and memory: all at once or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import npz
from ...backend.motion.clip import Clip, resample
from ...backend.protocol.replies import Answer, answer_of
from ..body.face import key_face
from ..keying.actions import Channels, assign, channels_of_slot, new_action
from ..keying.curve_keys import Keys
from ..keying.keying import extend_scene, keyed, scene_rate, wear
from ..keying.splice import spliced
from ..keying.splice import why_not as why_no_splice
from ..process.slices import Steps, aside
from . import sounds
from .acting import Cast, body_for, drop, select_again, selection
from .chat import CHAT, Order, last_frame


def answering(order: Order, result: Any) -> Steps[tuple[Answer, list[str]]]:
    """Put an answer into the scene, in slices. Nothing plays before the last of them.

    Returns:
        The answer, and sentences for the animator.

    Raises:
        UnderstudyError: it is no answer, or the body is gone; the scene is as it was.
    """
    rate = scene_rate(_scene(order))
    told, clip = yield from aside(_read, result, rate)
    scene = _scene(order)
    before = selection()
    cast = Cast([])
    made: list[bpy.types.Action] = []
    sound: Path | None = None
    try:
        name = order.name or "Understudy"
        body = yield from body_for(scene, order.body, name, 0, cast)
        yield
        reason = "" if order.after else "-"
        if order.after:
            reason = why_no_splice(body) if last_frame(body) is not None else "It plays something else now."
        if reason:
            action, channels = yield from keyed(
                body, clip, name=name, start_frame=order.start_frame, scene_fps=rate
            )
        else:
            action, channels = yield from _after(body, clip, order.start_frame, rate, name)
        made.append(action)
        if told.sound is not None:
            sound = yield from aside(sounds.store, told.sound, name)
    except BaseException:
        drop(made)
        cast.dismiss()
        select_again(before)
        if sound is not None:
            sound.unlink(missing_ok=True)
        raise
    # From here on the scene changes, in one slice.
    _keep(body)
    if reason:
        wear(body, action, channels, name)
    else:
        assign(body, action, channels)
    action[CHAT] = order.start_frame + len(clip) - 1
    action.name = name
    extend_scene(scene, action)
    warnings = list(told.warnings)
    if order.after and reason:
        warnings.append(f"The answer is an Action of its own. {reason}")
    if not order.after:
        sounds.remove(scene, (CHAT, body.name))
    if sound is not None and (
        refusal := sounds.place(scene, sound, order.start_frame, len(clip), (CHAT, body.name))
    ):
        warnings.append(refusal)
    _remember(scene, body, told)
    scene.frame_set(order.start_frame)
    return told, warnings


def _read(result: Any, rate: float) -> tuple[Answer, Clip]:
    told = answer_of(result)
    return told, resample(npz.clip_from_bytes(told.clip), rate)


def _scene(order: Order) -> bpy.types.Scene:
    scene = next((s for s in bpy.data.scenes if s.session_uid == order.scene), None)
    if scene is None:
        raise BadInput("The scene was deleted while the answer was made.", field="chat")
    return scene


def _keep(body: bpy.types.Object) -> None:
    """What plays and is no answer stays in the file."""
    animation = body.animation_data
    old = animation.action if animation is not None else None
    if old is not None and old.library is None and CHAT not in old:
        old.use_fake_user = True


def _after(
    body: bpy.types.Object, clip: Clip, start: int, rate: float, name: str
) -> Steps[tuple[bpy.types.Action, Channels]]:
    """A copy of the Action that plays, with an answer from a frame on; the face comes along."""
    action, channels = yield from spliced(
        body, clip, name=name, start_frame=start, scene_fps=rate, first=start - 1, last=None
    )
    scratch, fresh = new_action("Face")
    try:
        key_face(body, fresh, clip, start + np.arange(len(clip)))
        for index in range(len(fresh.fcurves)):
            curve = fresh.fcurves[index]
            old = channels.fcurves.find(curve.data_path)
            if old is not None:
                points = np.empty(2 * len(curve.keyframe_points), np.float32)
                curve.keyframe_points.foreach_get("co", points)
                frames, values = points.reshape(-1, 2).T
                _go_on(old, frames, values)
            yield
    except BaseException:
        drop([action])
        raise
    finally:
        drop([scratch])
    return action, channels_of_slot(action, channels.slot) or channels


def _go_on(curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray) -> None:
    """Put keys behind those of a curve, linear from the frame before."""
    before = float(frames[0]) - 1
    keys = Keys.of(curve)
    keys.border(before, curve.evaluate(before))
    keys.fill(before, np.inf, frames, values)
    keys.write(curve)


def _remember(scene: bpy.types.Scene, body: bpy.types.Object, told: Answer) -> None:
    chat = scene.understudy_chat
    chat.memory = json.dumps(told.memory, ensure_ascii=False)
    chat.said.clear()
    for entry in told.memory:
        said = chat.said.add()
        for field in ("who", "text", "emotion", "motion"):
            setattr(said, field, str(entry.get(field, "")))
    chat.active = max(len(chat.said) - 1, 0)
    chat.answered, chat.body = told.author, body
    chat.say = chat.speech = ""
