"""What the buttons of the preferences do: checking the installation, packs, the cache, the log."""

import os
from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty

from ...backend.errors import BadInput, UnderstudyError
from ..body.models import Models
from ..process import client
from ..process.client import backend, packs
from ..process.refusing import refuse
from ..process.tasks import Errand
from ..takes import files as take_files
from ..translations import CONTEXT, t
from . import settings as preferences
from .report import compose, folder_size


class Found:
    """What the last checks found, for drawing."""

    checks: list[dict[str, Any]] = []
    report = ""
    cache: tuple[int, int] | None = None
    """Files and bytes."""
    takes: tuple[int, int] = (0, 0)

    @classmethod
    def clear(cls) -> None:
        cls.checks, cls.report, cls.cache, cls.takes = [], "", None, (0, 0)


def log_file() -> str:
    """The backend's log, as far as it said where that is."""
    return str(backend.info.get("log_file") or "")


class _Errand:
    """Shared by the buttons that wait for the backend's answer."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if Errand.title:
            cls.poll_message_set("Wait until the other task is finished")  # type: ignore[attr-defined]
            return False
        return True

    def _send(self, title: str, arguments: list[str], done: Any) -> set[str]:
        try:
            Errand.start(title, arguments, done)
        except UnderstudyError as error:
            Errand.error = error
            return refuse(self, error)
        return {"FINISHED"}


class UNDERSTUDY_OT_check_installation(_Errand, bpy.types.Operator):
    bl_idname = "understudy.check_installation"
    bl_label = "Check Installation"
    bl_description = "Find out whether everything is here that Understudy needs, and what is missing"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        Found.checks = []
        return self._send("Checking…", ["doctor"], _checked)


def _checked(answer: Any) -> None:
    from ... import __version__ as version

    Found.checks = list(answer.get("checks", []))
    facts = {
        "Add-on": preferences.PACKAGE,
        "Python of the backend": backend.python or "not started",
        "Backend": backend.state,
        "Online access": "allowed" if getattr(bpy.app, "online_access", False) else "not allowed",
        "Body models": ", ".join(Models.found) or "none",
    }
    if backend.error is not None:
        facts["Last error"] = backend.error.message
    Found.report = compose(version, Found.checks, facts)


class UNDERSTUDY_OT_copy_report(bpy.types.Operator):
    bl_idname = "understudy.copy_report"
    bl_label = "Copy Report"
    bl_description = "Copy what was found to the clipboard. Names and private paths are left out"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not Found.report:
            cls.poll_message_set("Check the installation first")
        return bool(Found.report)

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = Found.report
        self.report({"INFO"}, t("The report is in the clipboard."))
        return {"FINISHED"}


class UNDERSTUDY_OT_install_pack(_Errand, bpy.types.Operator):
    bl_idname = "understudy.install_pack"
    bl_label = "Install Pack…"
    bl_description = "Install trained weights from a .zip, or from the pack.toml of a folder"
    bl_options = {"INTERNAL"}

    filepath: StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.zip;pack.toml", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not os.path.exists(self.filepath):
            return refuse(self, BadInput("No file was chosen.", field="pack"))
        return self._send("Installing…", ["packs", "--install", self.filepath], _packs_changed)


class UNDERSTUDY_OT_remove_pack(_Errand, bpy.types.Operator):
    bl_idname = "understudy.remove_pack"
    bl_label = "Remove Pack"
    bl_description = "Delete this pack from your computer"
    bl_options = {"INTERNAL"}

    name: StringProperty(name="Pack", options={"SKIP_SAVE"}, translation_context=CONTEXT)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self._send("Removing…", ["packs", f"--remove={self.name}"], _packs_changed)


class UNDERSTUDY_OT_refresh_packs(_Errand, bpy.types.Operator):
    bl_idname = "understudy.refresh_packs"
    bl_label = "Refresh"
    bl_description = "Look which packs are installed, and how large the cache is"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        Found.takes = folder_size(Path(take_files.folder()))
        return self._send("Looking…", ["packs"], _listed)


def _packs_changed(answer: Any) -> None:
    _after(["packs"], _listed)


def _listed(answer: Any) -> None:
    packs.learn_all(answer)
    client.redraw()
    if Found.cache is None:
        _after(["cache"], _measured)


def _measured(answer: Any) -> None:
    Found.cache = (int(answer.get("files", 0)), int(answer.get("bytes", 0)))


def _after(arguments: list[str], done: Any) -> None:
    """One errand brings the next."""
    try:
        Errand.start("Looking…", arguments, done)
    except UnderstudyError as error:
        Errand.error = error


class UNDERSTUDY_OT_clear_cache(_Errand, bpy.types.Operator):
    bl_idname = "understudy.clear_cache"
    bl_label = "Clear Cache"
    bl_description = "Delete what can be made again at any time. Takes and packs stay"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        return self._send("Clearing…", ["cache", "--clear"], _measured)


class UNDERSTUDY_OT_open_log(bpy.types.Operator):
    bl_idname = "understudy.open_log"
    bl_label = "Open Log"
    bl_description = "Show what the backend wrote down"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not log_file():
            cls.poll_message_set("The backend says where its log is once it runs")
        return bool(log_file())

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = log_file()
        if not os.path.isfile(path):
            return refuse(self, BadInput("There is no log yet.", field="log"))
        bpy.ops.wm.path_open(filepath=path)
        return {"FINISHED"}


class UNDERSTUDY_OT_open_preferences(bpy.types.Operator):
    bl_idname = "understudy.open_preferences"
    bl_label = "Open Preferences"
    bl_description = "Show the preferences of Understudy"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        if preferences.PACKAGE not in context.preferences.addons:
            return refuse(self, BadInput("Understudy is not installed as an extension here."))
        bpy.ops.preferences.addon_show(module=preferences.PACKAGE)
        return {"FINISHED"}


CLASSES = (
    UNDERSTUDY_OT_check_installation,
    UNDERSTUDY_OT_copy_report,
    UNDERSTUDY_OT_install_pack,
    UNDERSTUDY_OT_remove_pack,
    UNDERSTUDY_OT_refresh_packs,
    UNDERSTUDY_OT_clear_cache,
    UNDERSTUDY_OT_open_log,
    UNDERSTUDY_OT_open_preferences,
)


def unregister() -> None:
    Found.clear()
