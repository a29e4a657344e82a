"""The scenes of the user guide's pictures, one after the other; runs inside Blender, see ``make_pictures.py``."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

NAME = "bl_ext.user_default.understudy"
READY = Path("/tmp/understudy-pictures/ready.json")
WALK = "a person walks forward and waves"


def module(name: str) -> object:
    return sys.modules[f"{NAME}.addon.{name}"]


def view() -> tuple[bpy.types.Window, bpy.types.Area]:
    window = bpy.context.window_manager.windows[0]
    return window, next(a for a in window.screen.areas if a.type == "VIEW_3D")


_times = 0

OF_THEIR_OWN = ("takes", "library", "retarget", "dialogue", "chat")
"""Panels of the tab that are no part of the first one."""


def sections(*wanted: str) -> None:
    """Open these parts of the panel and close the others.

    Blender remembers by a panel's name whether it is open, so they get new names each time.
    """
    global _times
    found = []
    for name, loaded in list(sys.modules.items()):
        if name.startswith(f"{NAME}.addon"):
            for cls in getattr(loaded, "CLASSES", ()):
                if issubclass(cls, bpy.types.Panel) and cls not in found:
                    found.append(cls)
    for cls in reversed(found):
        bpy.utils.unregister_class(cls)
    _times += 1
    for cls in found:
        short = cls.__name__.split("_PT_")[1]
        cls.bl_idname = f"{cls.__name__}_{_times}"
        parent = getattr(cls, "bl_parent_id", "")
        if parent:
            cls.bl_parent_id = f"{parent.rstrip('0123456789').rstrip('_')}_{_times}"
        if parent or short in OF_THEIR_OWN:
            cls.bl_options = set() if short in wanted else {"DEFAULT_CLOSED"}
        bpy.utils.register_class(cls)


def run(function: Callable[[], object]) -> None:
    window, area = view()
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=window, area=area, region=region):
        function()


def setting_up() -> None:
    for obj in list(bpy.data.objects):
        bpy.data.objects.remove(obj)
    bpy.context.scene.render.fps = 30
    _, area = view()
    space = area.spaces.active
    space.show_region_ui = True
    space.overlay.show_relationship_lines = False
    space.region_3d.view_location, space.region_3d.view_distance = (0, -0.6, 0.9), 5.5
    space.region_3d.view_rotation = (0.84, 0.44, 0.15, 0.28)


def perform(**settings: object) -> None:
    scene = bpy.context.scene
    for key, value in settings.items():
        setattr(scene.understudy, key, value)
    try:
        bpy.ops.understudy.generate("EXEC_DEFAULT")
    except RuntimeError as error:
        print(f"Without motion: {error}")
    module("process.client").backend.news = ""  # how long it took on this machine is of no interest
    scene.frame_end = 150
    scene.frame_set(min(60, scene.frame_end))


def mark(kind: str, place: tuple[float, float, float], frame: int) -> None:
    scene = bpy.context.scene
    scene.cursor.location = place
    scene.frame_set(frame)
    bpy.ops.understudy.mark_add(kind=kind)


def talk() -> None:
    """Lines of a dialogue; it is not performed."""
    dialogue = bpy.context.scene.understudy_dialogue
    for speaker, text, emotion in (
        ("FIRST", "You are late again.", "annoyed"),
        ("SECOND", "I know. The train did not come.", "tired"),
        ("FIRST", "Never mind. Sit down, there is soup.", "calm"),
        ("SECOND", "You waited with the soup? Thank you!", "happy"),
    ):
        line = dialogue.lines.add()
        line.speaker, line.text, line.emotion = speaker, text, emotion


def say(text: str) -> None:
    chat = bpy.context.scene.understudy_chat
    chat.role, chat.personality = "lighthouse keeper", "shy, precise, a little ironic"
    try:
        bpy.ops.understudy.chat_say("EXEC_DEFAULT", text=text)
    except RuntimeError as error:
        print(f"Without an answer: {error}")


Box = list[int] | None
"""Width, height, left and top on the screen; None is all of it."""


def scenes() -> Iterator[tuple[str, Box | str]]:
    """Name of each picture, and what is in it, ``sidebar`` or a box; yielded when it is set up."""
    setting_up()
    sections()
    yield "start", "sidebar"
    run(bpy.ops.understudy.add_body)
    run(lambda: perform(prompt=WALK, use_seconds=True, seconds=4.0, seed=1, samples=3))
    sections("takes")
    yield "first-clip", None
    yield "takes", "sidebar"
    sections("body", "style")
    yield "body-and-style", "sidebar"
    sections("halves", "advanced", "backend")
    yield "halves-and-backend", "sidebar"
    bpy.context.scene.understudy.voice = "FILE"
    sections("speech")
    yield "speech", "sidebar"
    bpy.context.scene.understudy.voice = "NONE"
    _, area = view()
    area.spaces.active.region_3d.view_location, area.spaces.active.region_3d.view_distance = (
        (0.7, -1.3, 0.6),
        8.0,
    )
    run(lambda: mark("PATH", (1.6, -2.6, 0.0), 1))
    run(lambda: mark("WAYPOINT", (1.6, -2.6, 0.0), 90))
    run(lambda: mark("POSE", (0.0, 0.0, 0.0), 40))
    sections("direction")
    yield "direction", None
    run(bpy.ops.understudy.line_add)
    run(bpy.ops.understudy.line_add)
    for line, text in zip(
        bpy.context.scene.understudy_script.lines, (WALK, "a person sits down"), strict=False
    ):
        line.prompt = text
    sections("script")
    yield "script", "sidebar"
    bpy.context.scene.understudy_script.use = False
    sections("render")
    yield "render", "sidebar"
    dialogue = bpy.context.scene.understudy_dialogue
    dialogue.first.name, dialogue.second.name = "Anna", "Ben"
    for text in ("Did you bring the map?", "It is in the bag, over there.", "Then we can go."):
        bpy.ops.understudy.dialogue_line_add()
        dialogue.lines[-1].text = text
    sections("dialogue", "dialogue_scene")
    yield "dialogue", "sidebar"
    sections("chat", "chat_character")
    yield "role-play", "sidebar"
    sections("retarget")
    yield "own-character", "sidebar"
    bpy.ops.screen.userpref_show()
    bpy.context.preferences.active_section = "ADDONS"
    bpy.ops.preferences.addon_show(module=NAME)
    module("process.client").backend.python = ""  # where it lies on this machine is of no interest
    yield "preferences", [509, 292, 634, 576]  # Blender puts the window into the middle
    yield "end", None


def sidebar() -> list[int]:
    """The box of the sidebar."""
    window, area = view()
    region = next(r for r in area.regions if r.type == "UI")
    return [region.width, min(region.height, 900), region.x, window.height - region.y - region.height]


if os.environ.get("UNDERSTUDY_LANGUAGE"):
    bpy.context.preferences.view.language = os.environ["UNDERSTUDY_LANGUAGE"]
    bpy.context.preferences.view.use_translate_interface = True
_scenes = scenes()
_waiting: list[tuple[str, Box | str]] = []
_pauses = 0


def step() -> float | None:
    """Set the next picture up, let the window draw it, announce it, and wait until it was taken."""
    global _pauses
    try:
        if READY.exists():
            return 0.2
        if not _waiting:
            _waiting.append(next(_scenes))
            _, area = view()
            for region in area.regions:
                region.tag_redraw()
            _pauses = 0
            return 1.5
        _pauses += 1
        if _pauses == 1:  # the sidebar has tabs only once it was drawn
            region = next(r for r in view()[1].regions if r.type == "UI")
            region.active_panel_category = "Understudy"
            region.tag_redraw()
        if _pauses < 4:
            return 0.7
        name, box = _waiting.pop()
        temporary = READY.with_suffix(".tmp")
        temporary.write_text(json.dumps({"name": name, "box": sidebar() if box == "sidebar" else box}))
        os.replace(temporary, READY)
        return None if name == "end" else 0.2
    except Exception:
        traceback.print_exc()
        os._exit(1)


bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(step, first_interval=1.0)
