"""The add-on's entry in Edit > Preferences. Nothing in here reads a file or asks a process."""

import os

import bpy

from ..body.models import Models
from ..layout import paragraph
from ..perform.operators import Check
from ..perform.panel import STATES
from ..process.client import backend, packs
from ..process.tasks import Errand
from ..translations import t
from . import settings as preferences
from . import torch
from .operators import Found
from .report import size_in_words

_ICONS = {"ok": "CHECKMARK", "missing": "ERROR", "absent": "INFO"}


def _width() -> int:
    """How many characters of a label fit into the window of the preferences."""
    region, scale = bpy.context.region, bpy.context.preferences.system.ui_scale or 1.0
    return max(int(((region.width if region else 600) / scale - 110) / 6.6), 40)


def draw_preferences(layout: bpy.types.UILayout, settings: bpy.types.AddonPreferences) -> None:
    """Everything, in boxes."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    _draw_backend(layout.box(), settings)
    _draw_packs(layout.box())
    _draw_models(layout.box(), settings)
    _draw_chat(layout.box(), settings)
    _draw_check(layout.box())
    if Errand.title:
        layout.label(text=Errand.title, icon="SORTTIME")
    elif Errand.error is not None:
        paragraph(layout, Errand.error.message, _width(), icon="ERROR")
        if Errand.error.hint:
            paragraph(layout, Errand.error.hint, _width(), icon="BLANK1")


def _draw_backend(box: bpy.types.UILayout, settings: bpy.types.AddonPreferences) -> None:
    text, icon = STATES[backend.state]
    row = box.row()
    row.label(text="Backend")
    row.label(text=text, icon=icon)
    row.operator(
        "understudy.restart_backend",
        text="Start" if backend.state == "off" else "Restart",
        icon="FILE_REFRESH",
    )
    row = box.row(align=True)
    row.prop(settings, "python")
    row.operator("understudy.check_python")
    if Check.result:
        paragraph(box, Check.result, _width(), icon="ERROR" if Check.failed else "CHECKMARK")
    if backend.python:
        paragraph(box, t("In use: {path}", path=backend.python), _width(), icon="BLANK1")
    variable = preferences.PYTHON_VARIABLE
    if os.environ.get(variable, "").strip():
        said = t("The environment variable {name} overrides Python.", name=variable)
        paragraph(box, said, _width(), icon="BLANK1")
    box.prop(settings, "engine")
    box.prop(settings, "device")
    engines = ", ".join(f"{e.get('name')} {e.get('version')}" for e in backend.info.get("engines", []))
    devices = ", ".join(str(d) for d in backend.info.get("devices", []) if d != "auto")
    if engines:
        found = t("Found: {engines}; {devices}", engines=engines, devices=devices)
        paragraph(box, found, _width(), icon="BLANK1")
    torch.draw(box, _width())
    box.operator("understudy.open_log", icon="TEXT")
    paragraph(
        box, "Understudy works offline and downloads nothing by itself.", _width(), icon="INTERNET_OFFLINE"
    )


def _draw_packs(box: bpy.types.UILayout) -> None:
    row = box.row()
    row.label(text="Packs")
    row.operator("understudy.install_pack", icon="IMPORT")
    row.operator("understudy.refresh_packs", text="", icon="FILE_REFRESH")
    column = box.column(align=True)
    for name, _, licence in packs.items:
        facts = packs.facts.get(name, {})
        row = column.row()
        row.label(text=f"{name} {facts.get('version', '')}", icon="PACKAGE", translate=False)
        row.label(text=licence, translate=False)
        if facts.get("ships"):
            row.label(text="comes with Understudy")
        else:
            row.operator("understudy.remove_pack", text="Remove", icon="TRASH").name = name
    row = box.row()
    if Found.cache is None:
        row.label(text="Cache: not measured")
    else:
        row.label(text=t("Cache: {size}", size=size_in_words(Found.cache[1])))
        count, size = Found.takes
        row.label(text=t("Stored takes: {count}, {size}", count=count, size=size_in_words(size)))
    row.operator("understudy.clear_cache", icon="TRASH")


def _draw_models(box: bpy.types.UILayout, settings: bpy.types.AddonPreferences) -> None:
    box.prop(settings, "body_models")
    if Models.found:
        names = ", ".join(path.name for path in Models.found.values())
        paragraph(box, t("Found: {names}", names=names), _width(), icon="CHECKMARK")
    elif settings.body_models:
        paragraph(box, "There is no SMPLX_NEUTRAL.npz or the like in this folder.", _width(), icon="ERROR")


def _draw_chat(box: bpy.types.UILayout, settings: bpy.types.AddonPreferences) -> None:
    box.label(text="Role-play")
    for name in ("chat_url", "chat_model", "chat_key"):
        box.prop(settings, name)
    paragraph(
        box,
        "What is said to a character goes to this endpoint, where role-play asks for it. Another machine's takes "
        "Blender's online access, too."
        if settings.chat_url
        else "The answers are written by Understudy's own author, offline.",
        _width(),
        icon="INFO",
    )


def _draw_check(box: bpy.types.UILayout) -> None:
    row = box.row()
    row.operator("understudy.check_installation", icon="VIEWZOOM")
    row.operator("understudy.copy_report", icon="COPYDOWN")
    for check in Found.checks:
        state = str(check.get("state"))
        said = f"{check.get('name')}: {check.get('detail')}"
        paragraph(box, said, _width(), icon=_ICONS.get(state, "QUESTION"))
        if state != "ok" and check.get("hint"):
            paragraph(box, str(check["hint"]), _width(), icon="BLANK1")
