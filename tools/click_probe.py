"""Runs inside Blender beside ``click_panel.py``: answers what is under the mouse, and what the file holds."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

import bpy

SHARED = Path(os.environ["UNDERSTUDY_CLICKS"])
NAME = "bl_ext.user_default.understudy"

_times = 0


def module(name: str) -> object:
    return sys.modules[f"{NAME}.addon.{name}"]


def places() -> tuple[bpy.types.Window, bpy.types.Area, bpy.types.Region]:
    """The window, its 3D view and that one's sidebar."""
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    return window, area, next(r for r in area.regions if r.type == "UI")


def sidebar() -> list[int]:
    """Left, top, width and height of the sidebar on the screen, pixels from its upper left corner."""
    window, _, region = places()
    return [region.x, window.height - region.y - region.height, region.width, region.height]


def button() -> list[str]:
    """What the button under the mouse does: an operator with its arguments, or the path of a property."""
    window, area, region = places()
    manager = bpy.context.window_manager
    found = []
    with bpy.context.temp_override(window=window, area=area, region=region):
        for copy in (bpy.ops.ui.copy_python_command_button, bpy.ops.ui.copy_data_path_button):
            manager.clipboard = ""
            try:
                if copy is bpy.ops.ui.copy_data_path_button:
                    copy(full_path=True)
                else:
                    copy()
            except RuntimeError:  # not a button of that kind
                continue
            found.append(manager.clipboard)
    return [text for text in found if text]


def sections(*wanted: str) -> None:
    """Open these panels and close the others (Blender remembers by name: they get new names)."""
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
        cls.bl_idname = f"{cls.__name__}_{_times}"
        parent = getattr(cls, "bl_parent_id", "")
        if parent:
            cls.bl_parent_id = f"{parent.rstrip('0123456789').rstrip('_')}_{_times}"
        cls.bl_options = set() if cls.__name__.split("_PT_")[1] in ("main", *wanted) else {"DEFAULT_CLOSED"}
        bpy.utils.register_class(cls)


def answer(question: dict[str, str]) -> object:
    if question["kind"] == "button":
        return button()
    values: dict[str, object] = {
        "bpy": bpy,
        "scene": bpy.context.scene,
        "module": module,
        "sidebar": sidebar,
        "sections": sections,
        "places": places,
        "answer": None,
    }
    exec(question["code"], values)
    return values["answer"]


def poll() -> float:
    for ask in sorted(SHARED.glob("ask-*.json")):
        question = json.loads(ask.read_text())
        ask.unlink()
        try:
            reply = {"answer": answer(question)}
        except Exception:
            reply = {"error": traceback.format_exc()}
        target = SHARED / ask.name.replace("ask", "reply")
        temporary = target.with_suffix(".tmp")
        temporary.write_text(json.dumps(reply))
        os.replace(temporary, target)
    return 0.02


bpy.context.preferences.view.show_splash = False
bpy.context.preferences.view.filebrowser_display_type = "SCREEN"
bpy.context.preferences.view.render_display_type = "NONE"
bpy.app.timers.register(poll, first_interval=1.0, persistent=True)
