"""The button that sets up an interpreter with torch: a child of Blender's own Python, and what it tells on its way."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty

from ...backend.errors import BadInput, Cancelled, JobFailed, UnderstudyError
from ...backend.protocol.child import child_environment, module_command, spawn_options
from ...backend.protocol.torch_environment import state
from ..layout import paragraph
from ..process.refusing import refuse
from ..process.tasks import redraw_preferences
from ..translations import t
from . import settings as preferences

_POLL = 0.2
_PATIENCE = 5.0
"""Seconds that the child has to end its own children."""


def folder() -> Path:
    """Where torch is set up: in the user's folder, which an update of the extension leaves alone."""
    try:
        return Path(bpy.utils.extension_path_user(preferences.PACKAGE, path="torch"))
    except ValueError:  # not installed as an extension
        return Path(bpy.utils.user_resource("DATAFILES", path="understudy")) / "torch"


class TorchSetup:
    """The set-up on its way, and how the last one ended."""

    state = ""
    """Of the folder, as it was last looked at: absent, unfinished, outdated or ready; empty: not yet."""
    step, total, text, part = 0, 1, "", 0.0
    error: UnderstudyError | None = None
    _child: subprocess.Popen[str] | None = None
    _thread: threading.Thread | None = None
    _result: dict[str, Any] | None = None

    @classmethod
    def running(cls) -> bool:
        return cls._thread is not None and cls._thread.is_alive()

    @classmethod
    def start(cls, arguments: list[str]) -> None:
        """Begin, or go on with an earlier one; :class:`JobFailed` where the child cannot be started."""
        command = module_command(
            sys.executable,
            "understudy.backend.cli.setup",
            ["setup", "torch", "--to", str(folder()), "--json", "--until-closed", *arguments],
            preferences.PACKAGE_DIR,
        )
        cls.step, cls.total, cls.text, cls.part, cls.error, cls._result = 0, 1, "", 0.0, None, None
        try:
            cls._child = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                errors="replace", env=child_environment(), **spawn_options(),
            )  # fmt: skip
        except OSError as error:
            raise JobFailed("The set-up cannot be started.", hint=str(error), field="python") from error
        cls._thread = threading.Thread(
            target=cls._listen, args=(cls._child,), name="understudy-torch", daemon=True
        )
        cls._thread.start()
        if bpy.app.background:
            cls._thread.join()
            tick()
            if cls.error is not None:
                raise cls.error
        elif not bpy.app.timers.is_registered(tick):
            bpy.app.timers.register(tick, first_interval=_POLL)

    @classmethod
    def _listen(cls, child: subprocess.Popen[str]) -> None:
        """In a thread: the child's lines, until it ends."""
        assert child.stdout is not None and child.stderr is not None
        for line in child.stdout:
            try:
                told = json.loads(line)
            except ValueError:
                continue
            if "result" in told:
                cls._result = told["result"]
            elif "step" in told:
                cls.step, cls.total, cls.text = int(told["step"]), int(told["total"]), str(told["text"])
                cls.part = float(told.get("part", 0.0))
        cls._result = cls._result if child.wait() == 0 else None
        if cls._result is None:
            cls.error = _error(child.stderr.read())

    @classmethod
    def cancel(cls, patience: float = 0.0) -> None:
        """The child ends itself and what it started where its input is closed."""
        child = cls._child
        if child is None or child.stdin is None:
            return
        child.stdin.close()
        if patience:
            try:
                child.wait(patience)
            except subprocess.TimeoutExpired:
                child.kill()

    @classmethod
    def finish(cls) -> None:
        """Take the result in: from now on the backend runs on the new interpreter."""
        cls._thread, cls._child = None, None
        result, cls._result = cls._result, None
        if result is None:
            cls.state = "unfinished"
            return
        cls.state = str(result["state"])
        addon = bpy.context.preferences.addons.get(preferences.PACKAGE)
        if addon is not None and addon.preferences is not None:
            addon.preferences.python = str(result["python"])
        restart()


def restart() -> None:
    """The backend, on the interpreter that was just set."""
    bpy.ops.understudy.restart_backend()


def _error(printed: str) -> UnderstudyError:
    """What the child said before it failed."""
    lines = [line for line in printed.splitlines() if line.strip()]
    try:
        said = json.loads(lines[-1])["error"]
        kind = {BadInput.code: BadInput, Cancelled.code: Cancelled}.get(said["code"], JobFailed)
        return kind(str(said["message"]), hint=str(said["hint"]), field=str(said["field"]))
    except (ValueError, KeyError, TypeError, IndexError):
        return JobFailed("The set-up ended before it was done.", hint=lines[-1] if lines else "")


def tick() -> float | None:
    """Look whether the child has ended, and redraw the preferences."""
    if not TorchSetup.running():
        if TorchSetup._thread is not None:
            TorchSetup.finish()
        redraw_preferences()
        return None
    redraw_preferences()
    return _POLL


class UNDERSTUDY_OT_setup_torch(bpy.types.Operator):
    bl_idname = "understudy.setup_torch"
    bl_label = "Set Up PyTorch"
    bl_description = (
        "Download PyTorch into a folder of its own and let the backend run on it: for graphics cards. "
        "One to four gigabytes"
    )
    bl_options = {"INTERNAL"}

    index: StringProperty(
        name="Wheels",
        description="A folder of wheels to install from, without the network",
        subtype="DIR_PATH",
        options={"SKIP_SAVE", "HIDDEN"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if TorchSetup.running():
            cls.poll_message_set("PyTorch is being set up")  # type: ignore[attr-defined]
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        online = bool(getattr(bpy.app, "online_access", False))
        if not online and not self.index:
            return refuse(
                self,
                BadInput(
                    "PyTorch is downloaded, and online access is not allowed.",
                    hint="Allow online access in Edit > Preferences > System.",
                ),
            )
        device = preferences.get().device
        arguments = ["--device", device if device in ("cpu", "cuda", "mps") else "auto"]
        arguments += ["--index", bpy.path.abspath(self.index)] if self.index else ["--online"]
        try:
            TorchSetup.start(arguments)
        except UnderstudyError as error:
            return refuse(self, error)
        return {"FINISHED"}


class UNDERSTUDY_OT_cancel_torch(bpy.types.Operator):
    bl_idname = "understudy.cancel_torch"
    bl_label = "Cancel"
    bl_description = "Stop setting up PyTorch. What is done stays, and is gone on with the next time"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        TorchSetup.cancel()
        return {"FINISHED"}


def draw(box: bpy.types.UILayout, width: int) -> None:
    """The button, or how far the set-up is."""
    setup = TorchSetup
    if setup.running():
        row = box.row(align=True)
        row.label(text=t("{step} of {total}: {text}", step=setup.step, total=setup.total, text=setup.text))
        if setup.part:
            row.label(text=f"{100 * setup.part:.0f} %", translate=False)
        row.operator("understudy.cancel_torch", text="", icon="X")
        return
    row = box.row()
    if setup.state == "unfinished":
        row.operator("understudy.setup_torch", text="Go On Setting Up PyTorch", icon="IMPORT")
    elif setup.state == "outdated":
        row.operator("understudy.setup_torch", text="Update PyTorch", icon="IMPORT")
    else:
        row.operator("understudy.setup_torch", icon="IMPORT")
    if setup.state == "ready":
        row.label(text="PyTorch is set up", icon="CHECKMARK")
    if setup.error is not None and not isinstance(setup.error, Cancelled):
        paragraph(box, setup.error.message, width, icon="ERROR")
        if setup.error.hint:
            paragraph(box, setup.error.hint, width, icon="BLANK1")


CLASSES = (UNDERSTUDY_OT_setup_torch, UNDERSTUDY_OT_cancel_torch)


def register() -> None:
    TorchSetup.state = str(state(folder())["state"])


def unregister() -> None:
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
    TorchSetup.cancel(_PATIENCE)
    TorchSetup._child, TorchSetup._thread, TorchSetup._result = None, None, None
    TorchSetup.state, TorchSetup.error = "", None
