"""The small operators of the panel and the preferences."""

import random
import threading

import bpy
from bpy.props import EnumProperty

from ...backend.errors import UnderstudyError
from ...backend.protocol.child import own_libraries, run_quietly
from ..preferences import settings as preferences
from ..process import client
from ..process.client import backend
from ..process.refusing import refuse
from ..translations import t
from .properties import MAX_SEED
from .style import EMOTIONS, FIELDS, choose


def warm_up() -> None:
    """Start the backend ahead of the first prompt. A failure shows in the panel, and again if asked for."""
    try:
        backend.start()
    except UnderstudyError as error:
        backend.error = error
    client.watch()


class UNDERSTUDY_OT_randomize_seed(bpy.types.Operator):
    bl_idname = "understudy.randomize_seed"
    bl_label = "New Seed"
    bl_description = "Roll another seed"
    bl_options = {"UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.scene.understudy.seed = random.randint(0, MAX_SEED)
        return {"FINISHED"}


class UNDERSTUDY_OT_style(bpy.types.Operator):
    bl_idname = "understudy.style"
    bl_label = "Style of an Emotion"
    bl_description = "Set the style sliders to an emotion"
    bl_options = {"UNDO"}

    emotion: EnumProperty(
        name="Emotion",
        items=[
            ("none", "None", "Switch every slider off: the model decides"),
            *((name, name.capitalize(), "") for name in EMOTIONS),
        ],
        options={"SKIP_SAVE"},
    )

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        emotion = EMOTIONS.get(properties.emotion)
        if emotion is None:
            return "Switch every slider off: the model decides"
        return ", ".join(
            f"{FIELDS[field][0].lower()} {value:.2f}" for field, value in emotion._asdict().items()
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        emotion = EMOTIONS.get(self.emotion)
        choose(context.scene.understudy, {} if emotion is None else emotion._asdict())
        return {"FINISHED"}


class UNDERSTUDY_OT_restart_backend(bpy.types.Operator):
    bl_idname = "understudy.restart_backend"
    bl_label = "Restart Backend"
    bl_description = "End the backend process and start a fresh one. A running generation is cancelled"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            backend.restart()
        except UnderstudyError as error:
            return refuse(self, error)
        client.watch()
        client.redraw()
        return {"FINISHED"}


class UNDERSTUDY_OT_dismiss_error(bpy.types.Operator):
    bl_idname = "understudy.dismiss_error"
    bl_label = "Dismiss"
    bl_description = "Close this message"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        backend.error = None
        client.redraw()
        return {"FINISHED"}


CHECK = """\
import sys, importlib.util as u
sys.path[:0] = [path for path in sys.argv[1:] if path]
if sys.version_info < (3, 11):
    sys.exit("Python %d.%d is too old, 3.11 or newer is needed" % sys.version_info[:2])
missing = [n for n in ("numpy", "pydantic", "safetensors", "tokenizers") if u.find_spec(n) is None]
engines = [n for n in ("onnxruntime", "torch") if u.find_spec(n) is not None]
if missing or not engines:
    sys.exit("missing: " + ", ".join(missing or ["onnxruntime"]))
print("Python %d.%d.%d" % sys.version_info[:3] + "".join(", " + n + " " + __import__(n).__version__ for n in engines))
"""


class Check:
    """Whether the interpreter of the preferences can run the backend; found out in a thread."""

    result = ""
    failed = False
    _thread: threading.Thread | None = None

    @classmethod
    def running(cls) -> bool:
        return cls._thread is not None and cls._thread.is_alive()

    @classmethod
    def start(cls, python: str) -> None:
        cls.result, cls.failed = "Checking…", False
        cls._thread = threading.Thread(target=cls._run, args=(python,), daemon=True)
        cls._thread.start()

    @classmethod
    def finish(cls, timeout: float | None = None) -> None:
        if cls._thread is not None:
            cls._thread.join(timeout)

    @classmethod
    def _run(cls, python: str) -> None:
        try:
            done = run_quietly([python, "-c", CHECK, own_libraries(python)], timeout=60.0)
        except OSError as error:
            cls.result, cls.failed = f"Cannot be run: {error.strerror or error}", True
        except Exception as error:  # a timeout, above all: a thread has nobody to raise to
            cls.result, cls.failed = f"Did not answer: {error}", True
        else:
            lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            cls.failed = done.returncode != 0
            cls.result = lines[-1] if lines else f"Ended with exit code {done.returncode}"


class UNDERSTUDY_OT_check_python(bpy.types.Operator):
    bl_idname = "understudy.check_python"
    bl_label = "Check"
    bl_description = "Find out whether this Python can run the backend"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not Check.running()

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            python = preferences.find_python()
        except UnderstudyError as error:
            Check.result, Check.failed = error.message, True
            return refuse(self, error)
        Check.start(python)
        if bpy.app.background:
            Check.finish(70.0)
            if Check.failed:
                self.report({"ERROR"}, f"{python}: {t(Check.result)}.")
                return {"CANCELLED"}
            self.report({"INFO"}, t(Check.result))
        else:
            bpy.app.timers.register(_redraw_preferences, first_interval=0.2)
        return {"FINISHED"}


def _redraw_preferences() -> float | None:
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
    return 0.2 if Check.running() else None


CLASSES = (
    UNDERSTUDY_OT_randomize_seed,
    UNDERSTUDY_OT_style,
    UNDERSTUDY_OT_restart_backend,
    UNDERSTUDY_OT_dismiss_error,
    UNDERSTUDY_OT_check_python,
)


def _add_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    self.layout.operator("understudy.add_body", text="Understudy Body", icon="OUTLINER_OB_ARMATURE")


def register() -> None:
    bpy.types.VIEW3D_MT_armature_add.append(_add_entry)


def unregister() -> None:
    bpy.types.VIEW3D_MT_armature_add.remove(_add_entry)
    if bpy.app.timers.is_registered(_redraw_preferences):
        bpy.app.timers.unregister(_redraw_preferences)
    Check.finish(0.0)
    Check.result, Check.failed = "", False
