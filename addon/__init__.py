"""Everything that imports ``bpy``: body, keying, panel, import and export."""

from __future__ import annotations


def _modules() -> list:
    """In the order of registration: a class must exist before another refers to it."""
    from . import (
        bodies,
        client,
        command,
        edit,
        export_character,
        export_clip,
        file_facts,
        files,
        generate,
        mending,
        models,
        operators,
        panels,
        preferences,
        preview,
        properties,
        render_panel,
        script,
        script_operators,
        script_panel,
        setup_operators,
        sound,
        takes,
        takes_compare,
        takes_operators,
        takes_panel,
        tasks,
        translations,
    )
    from .direction import marks
    from .direction import operators as direction_operators
    from .direction import panel as direction_panel
    from .library import asking, assets, folders, words
    from .library import operators as library_operators
    from .library import panel as library_panel
    from .library import state as library_state
    from .retarget import operators as retarget_operators
    from .retarget import panel as retarget_panel
    from .retarget import stored

    retarget = [stored, retarget_operators, retarget_panel]
    state = [
        translations,
        folders,
        preferences,
        models,
        properties,
        bodies,
        marks,
        script,
        preview,
        takes,
        sound,
    ]
    staging = [script_operators, direction_operators, script_panel, direction_panel]
    house = [operators, setup_operators, mending, tasks]
    library = [
        file_facts,
        files,
        export_clip,
        export_character,
        library_state,
        asking,
        library_operators,
        words,
        assets,
    ]
    return [
        *state,
        generate,
        *house,
        *library,
        edit,
        panels,
        *staging,
        takes_operators,
        takes_compare,
        render_panel,
        takes_panel,
        library_panel,
        *retarget,
        client,
        command,
    ]


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
