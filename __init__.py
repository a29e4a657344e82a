"""Understudy: type a prompt, and a SMPL-X character performs it in Blender.

This package is the Python distribution ``understudy`` and, in the same place, a Blender extension.
Blender calls :func:`register` and :func:`unregister`; nothing here imports ``bpy`` before that.
"""

from __future__ import annotations

__version__ = "0.1.0"


def register() -> None:
    """Called by Blender when the extension is enabled."""
    from . import addon

    addon.register()


def unregister() -> None:
    """Called by Blender when the extension is disabled."""
    from . import addon

    addon.unregister()
