"""Preferences: which Python runs the backend, on which engine and device, and where body models lie.

There may be none: with ``--factory-startup``, or when the package is used as a plain module, Blender
does not know the add-on and ``preferences.addons[...]`` raises KeyError. :func:`get` falls back then.
"""

import os
import shutil
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import bpy
from bpy.props import EnumProperty, PointerProperty, StringProperty

from ...backend.errors import BadInput
from ...backend.protocol.child import own_libraries
from ..library.folders import UNDERSTUDY_PG_folders
from ..translations import CONTEXT

PACKAGE = __package__.removesuffix(".addon.preferences")
"""How Blender calls the extension: ``bl_ext.<repository>.understudy``."""

PACKAGE_DIR = Path(__file__).parents[2]
"""The extension's folder, a link to a checkout not resolved."""

PYTHON_VARIABLE = "UNDERSTUDY_PYTHON"

_USUAL_FOLDERS = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "~/.local/bin")
# A Blender started from the desktop often has a PATH without these.


def _models_chosen(self: bpy.types.AddonPreferences, context: bpy.types.Context) -> None:
    from ..body.models import Models

    Models.scan()


class UNDERSTUDY_AP_preferences(bpy.types.AddonPreferences):
    bl_idname = PACKAGE

    python: StringProperty(
        name="Python",
        description="The Python interpreter that runs the backend: 3.11 or newer, with onnxruntime or torch "
        "installed. Empty: Blender's own",
        subtype="FILE_PATH",
    )
    engine: EnumProperty(
        name="Engine",
        description="Which library computes the motion",
        items=[
            ("auto", "Automatic", "The quickest engine that the backend finds"),
            ("onnx", "ONNX Runtime", "Light and quick on processors"),
            ("torch", "PyTorch", "For graphics cards, and for packs under training"),
        ],
        default="auto",
    )
    device: EnumProperty(
        name="Device",
        description="What computes the motion",
        items=[
            ("auto", "Automatic", "The fastest device that the backend finds"),
            ("cpu", "CPU", "The processor"),
            ("cuda", "CUDA", "An NVIDIA graphics card"),
            ("mps", "Metal", "The graphics unit of an Apple computer"),
        ],
        default="auto",
    )
    body_models: StringProperty(
        name="SMPL-X Models",
        description="The folder of your SMPLX_NEUTRAL.npz, SMPLX_FEMALE.npz and SMPLX_MALE.npz. "
        "Empty: only the built-in body",
        subtype="DIR_PATH",
        update=_models_chosen,
    )

    chat_url: StringProperty(
        name="Endpoint",
        translation_context=CONTEXT,
        description="Who writes the answers in role-play: a server with OpenAI's chat completions, such as "
        "http://localhost:11434/v1. Empty: the author that comes with Understudy, offline",
    )
    chat_model: StringProperty(name="Model", description="The model of the endpoint, as it names it")
    chat_key: StringProperty(
        name="Key Variable",
        description="The name of the environment variable that holds the endpoint's key: never the key itself",
    )

    library: PointerProperty(type=UNDERSTUDY_PG_folders)

    def draw(self, context: bpy.types.Context) -> None:
        from .panel import draw_preferences

        draw_preferences(self.layout, self)


@dataclass(frozen=True)
class Settings:
    """The preferences, or their defaults where Blender has none for us."""

    python: str = ""
    device: str = "auto"
    engine: str = "auto"
    body_models: str = ""
    chat_url: str = ""
    chat_model: str = ""
    chat_key: str = ""


def get() -> Settings:
    """The preferences as they are now."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    preferences = addon.preferences if addon is not None else None
    if preferences is None or not hasattr(preferences, "python"):
        return Settings()
    return Settings(**{field.name: getattr(preferences, field.name) for field in fields(Settings)})


def machine() -> dict[str, str]:
    """What computes, as a request names it."""
    settings = get()
    chosen = {"device": settings.device}
    return chosen if settings.engine == "auto" else {**chosen, "engine": settings.engine}


def find_python() -> str:
    """The interpreter that runs the backend.

    In this order: the environment variable UNDERSTUDY_PYTHON, the preference, ``.venv`` beside the
    package (a checkout, through a link, too), Blender's own where the extension brought what it takes,
    ``python3`` on the PATH and in the usual folders.

    Raises:
        BadInput: what was asked for does not exist, or nothing was found.
    """
    for origin, wanted in (
        (f"the environment variable {PYTHON_VARIABLE}", os.environ.get(PYTHON_VARIABLE, "")),
        ("the preferences of Understudy", get().python),
    ):
        if not wanted.strip():
            continue
        path = os.path.expanduser(bpy.path.abspath(wanted.strip()))
        found = shutil.which(path)
        if found is None:
            raise BadInput(
                f"The Python interpreter set in {origin} cannot be run: {wanted.strip()}.",
                hint="Set the path of a Python 3.11 or newer that has onnxruntime or torch installed.",
                field="python",
            )
        return found
    name = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    for folder in dict.fromkeys((PACKAGE_DIR, PACKAGE_DIR.resolve())):
        if os.access(folder / ".venv" / name, os.X_OK):
            return str(folder / ".venv" / name)
    # Blender's own Python, where the extension brought its libraries along; as a module, it may well have them.
    if sys.executable and (own_libraries() or not bpy.app.binary_path):
        return sys.executable
    path = os.pathsep.join([os.environ.get("PATH", ""), *map(os.path.expanduser, _USUAL_FOLDERS)])
    for name in ("python3", "python"):
        found = shutil.which(name, path=path)
        if found is not None:
            return found
    raise BadInput(
        "No Python interpreter was found to run the backend.",
        hint="Set one in the preferences of Understudy: Python 3.11 or newer with onnxruntime or torch installed.",
        field="python",
    )


CLASSES = (UNDERSTUDY_AP_preferences,)
