"""Role-play: a character who answers, what was said so far, and what is asked of the backend; kept in the scene."""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import bpy
import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import npz
from ...backend.motion.clip import resample
from ..body.bodymap import BodyMap, find_body, why_not_editable
from ..keying.keying import clip_from_action
from ..preferences import settings as preferences
from ..process.client import backend
from ..translations import t
from .acting import world_of

CHAT = "understudy_chat"
"""Custom property of the Actions of role-play: the last frame of the last answer. Of its strips: the body's name."""
_BEFORE = 2.0
"""Seconds of the last answer that the next one goes on from."""
_RATE = 30.0
FIELDS = ("role", "personality", "background", "scene")


@dataclass(frozen=True)
class Order:
    """A question on its way. IDs are kept by number: undo replaces the objects.

    Attributes:
        params: of the request.
        scene: where.
        body: who answers; 0: one is added.
        name: of the character.
        start_frame: of the answer's first pose.
        after: whether it is appended to the Action that the body plays.
    """

    params: dict[str, Any]
    scene: int
    body: int
    name: str
    start_frame: int
    after: bool


def body_of(context: bpy.types.Context) -> bpy.types.Object | None:
    """Who answers: the chosen body of the panel, else that of the scene; None: a body is added."""
    body = context.scene.understudy_chat.body
    if body is not None and context.scene.objects.get(body.name) == body:
        return body
    return find_body(context)


def last_frame(body: bpy.types.Object | None) -> int | None:
    """The last frame of the last answer; None where the body plays no answer (cheap, for draw)."""
    animation = body.animation_data if body is not None else None
    action = animation.action if animation is not None else None
    last = action.get(CHAT) if action is not None else None
    return last if isinstance(last, int) else None


def character_name(chat: Any) -> str:
    """What the character is called in the panel."""
    if chat.character == "FILE" and chat.file.strip():
        return os.path.splitext(os.path.basename(chat.file.replace("\\", "/")))[0]
    return " ".join(chat.name.split())


def local(url: str) -> bool:
    """Whether an endpoint is on this machine."""
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return False
    return host in ("localhost", "::1") or bool(re.fullmatch(r"127(\.\d{1,3}){3}", host))


def endpoint(chat: Any) -> dict[str, str] | None:
    """Who writes the answers, as a request names it; None: the author that comes with Understudy."""
    chosen = preferences.get()
    if chat.author != "ENDPOINT" or not chosen.chat_url.strip():
        return None
    found = {"base_url": chosen.chat_url.strip(), "model": chosen.chat_model.strip()}
    return {**found, "api_key_env": chosen.chat_key.strip()} if chosen.chat_key.strip() else found


def online() -> bool:
    """Whether Blender may go online."""
    return bool(getattr(bpy.app, "online_access", False))


def who_answers(chat: Any) -> str:
    """Who writes the next answer, in a sentence (cheap, for draw)."""
    asked = endpoint(chat)
    if asked is None:
        return t("Understudy's own author answers, offline. Nothing leaves this machine.")
    try:
        host = urlsplit(asked["base_url"]).hostname or asked["base_url"]
    except ValueError:
        host = asked["base_url"]
    model = asked["model"]
    if local(asked["base_url"]):
        return t("{model} answers, on this machine.", model=model)
    return t("{model} at {host} answers: what you say goes there.", model=model, host=host)


def why_not_say(context: bpy.types.Context) -> str:
    """Why the character cannot be spoken to now, in one short sentence; empty when it can (cheap, for draw)."""
    chat = context.scene.understudy_chat
    if not chat.say.strip() and not chat.speech.strip():
        return "Say something."
    return why_not(context)


def why_not(context: bpy.types.Context) -> str:
    """Why there can be no answer, whatever is said; empty when there can (cheap, for draw)."""
    if backend.busy:
        return "A generation is under way."
    chat = context.scene.understudy_chat
    if chat.character == "FILE" and not chat.file.strip():
        return "Choose the file of a character."
    if chat.character == "FIELDS" and not chat.name.strip():
        return "Give the character a name."
    if (asked := endpoint(chat)) is not None:
        if not asked["model"]:
            return "Name the endpoint's model in the preferences."
        if not online() and not local(asked["base_url"]):
            return "The endpoint is on another machine, and Blender's online access is off: Preferences > System."
    elif chat.author == "ENDPOINT":
        return "Set an endpoint in the preferences first."
    body = body_of(context)
    return "Leave Edit Mode first." if body is not None and body.mode == "EDIT" else ""


def take_order(context: bpy.types.Context, *, text: str | None = None, speech: str | None = None) -> Order:
    """Check what is said in the panel, or what a script gives instead.

    Args:
        context: with the scene.
        text: what is said.
        speech: a recording of it.

    Raises:
        BadInput: with one sentence on the first thing that is wrong.
    """
    scene = context.scene
    chat = scene.understudy_chat
    given = text is not None or speech is not None
    if reason := why_not(context) if given else why_not_say(context):
        raise BadInput(reason, field="chat")
    said = " ".join(((text or "") if given else chat.say).split())
    params: dict[str, Any] = {
        "memory": memory_of(chat),
        "language": chat.language.strip() or "en",
        "pack": scene.understudy.pack or "open",
        **_who(chat),
        **preferences.machine(),
    }
    params["seed"] = (chat.seed + len(params["memory"])) % 2**31
    if said:
        params["text"] = said
    else:
        params["speech"] = _file(speech if given else chat.speech)
    if (asked := endpoint(chat)) is not None:
        params |= {"endpoint": asked, "allow_network": online()}
    body, start, after = body_of(context), scene.frame_current, False
    if body is not None:
        body_map = BodyMap.of(body)
        if reason := why_not_editable(body):
            raise BadInput(reason, field="body")
        if (last := last_frame(body)) is not None:
            params["previous"] = _previous(scene, body, last)
            after = chat.place == "AFTER"
            start = last + 1 if after else round(body.animation_data.action.frame_range[0])
        if chat.to_camera and scene.camera is not None:
            point = np.linalg.inv(world_of(body, body_map)) @ np.array(scene.camera.matrix_world)[:, 3]
            params["user"] = [round(float(point[0]), 3), round(float(point[2]), 3)]
    name = character_name(chat)
    return Order(params, scene.session_uid, 0 if body is None else body.session_uid, name, start, after)


def memory_of(chat: Any) -> list[dict[str, Any]]:
    """What the character remembers; a damaged memory is empty."""
    try:
        found = json.loads(chat.memory or "[]")
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _who(chat: Any) -> dict[str, Any]:
    if chat.character == "FILE":
        return {"character_file": _file(chat.file)}
    character: dict[str, Any] = {"name": " ".join(chat.name.split()), "emotion": chat.emotion}
    character |= {
        name: text for name in (*FIELDS, "voice") if (text := " ".join(getattr(chat, name).split()))
    }
    return {"character": character}


def _file(path: str | None) -> str:
    found = os.path.abspath(bpy.path.abspath((path or "").strip()))
    if not os.path.isfile(found):
        raise BadInput(f"There is no file {os.path.basename(found)} in its folder.", field="chat")
    return found


def _previous(scene: bpy.types.Scene, body: bpy.types.Object, last: int) -> str:
    """The end of what the body did, as base64 of a clip."""
    first = round(body.animation_data.action.frame_range[0])
    rate = scene.render.fps / scene.render.fps_base
    clip = clip_from_action(body, (max(first, last - round(_BEFORE * rate)), last), scene=scene)
    return base64.b64encode(npz.clip_to_bytes(resample(clip, _RATE))).decode("ascii")
