"""Everything that imports ``bpy``: body, keying, panel, import and export."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

MODULES = (
    # what the scene, a body and the user keep
    "translations",
    "library.folders",
    "preferences.settings",
    "body.models",
    "perform.properties",
    "body.bodies",
    "direction.marks",
    "script.lines",
    "dialogue.lines",
    "dialogue.chat_properties",
    "takes.preview",
    "takes.records",
    "perform.sound",
    # the job
    "process.slices",
    "perform.generate",
    # what buttons do
    "perform.operators",
    "preferences.operators",
    "preferences.torch",
    "perform.mending",
    "process.tasks",
    # files and the library
    "files.facts",
    "files.importing",
    "files.export_clip",
    "files.export_character",
    "library.state",
    "library.asking",
    "library.operators",
    "library.words",
    "library.assets",
    "edit",
    # panels, from the top of the tab to its end
    "perform.panel",
    "script.operators",
    "direction.operators",
    "script.panel",
    "direction.panel",
    "takes.operators",
    "takes.compare",
    "render.panel",
    "takes.panel",
    "dialogue.operators",
    "dialogue.panel",
    "dialogue.chat_operators",
    "dialogue.chat_panel",
    "library.panel",
    # rigs of the animator
    "retarget.stored",
    "retarget.operators",
    "retarget.panel",
    # the process, which stops first when the add-on goes
    "process.client",
    "process.command",
)
"""What is registered, in this order: a class must exist before another refers to it."""


def _modules() -> list[ModuleType]:
    return [import_module(f".{name}", __package__) for name in MODULES]


def register() -> None:
    """Register everything; if a step fails, undo the earlier ones, so that a retry starts clean."""
    import bpy

    done = []
    try:
        for module in _modules():
            for cls in getattr(module, "CLASSES", ()):
                bpy.utils.register_class(cls)
                done.append(lambda cls=cls: bpy.utils.unregister_class(cls))
            if hasattr(module, "register"):
                module.register()
                if hasattr(module, "unregister"):
                    done.append(module.unregister)
    except Exception:
        for undo in reversed(done):
            undo()
        raise


def unregister() -> None:
    """Remove everything, the backend process included."""
    import bpy

    for module in reversed(_modules()):
        if hasattr(module, "unregister"):
            module.unregister()
        for cls in reversed(getattr(module, "CLASSES", ())):
            bpy.utils.unregister_class(cls)
