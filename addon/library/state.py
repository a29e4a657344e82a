"""What the library shows: the folders, the query, what was found. Results live with the window, not in the file."""

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ..preferences import settings as preferences
from ..translations import CONTEXT
from .folders import UNDERSTUDY_PG_folder, UNDERSTUDY_PG_folders

LIMIT = 50
"""Clips that a search lists."""


def _asked(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """Enter in the search field."""
    from . import operators

    operators.search_soon()


def _clicked(self: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """A click on a row shows its clip."""
    from . import operators

    operators.clicked(context, self)


class UNDERSTUDY_PG_found(bpy.types.PropertyGroup):
    name: StringProperty()
    path: StringProperty(subtype="FILE_PATH")
    score: FloatProperty()
    seconds: FloatProperty()
    text: StringProperty(description="What the file says of itself")
    layout: StringProperty()


class UNDERSTUDY_PG_library(bpy.types.PropertyGroup):
    query: StringProperty(
        name="Search", description="What the clips show, in plain English", maxlen=500, update=_asked
    )
    found: CollectionProperty(type=UNDERSTUDY_PG_found)
    active: IntProperty(
        name="Clip",
        description="Click a clip to see it on the body",
        update=_clicked,
        translation_context=CONTEXT,
    )
    quiet: BoolProperty(options={"SKIP_SAVE"})
    searched: StringProperty(description="The query that the list answers")
    read: IntProperty(description="How many clips there are")
    skipped: IntProperty(description="How many files could not be read")
    skipped_text: StringProperty(description="The first of them, and why")
    own: PointerProperty(type=UNDERSTUDY_PG_folders)
    told: StringProperty(description="The last description of an Action")
    told_of: StringProperty(description="The Action's name")


def library(context: bpy.types.Context) -> UNDERSTUDY_PG_library:
    return context.window_manager.understudy_library


def folders(context: bpy.types.Context) -> Any:
    """The user's folders: in the preferences, or with the window where Blender has no preferences for us."""
    addon = context.preferences.addons.get(preferences.PACKAGE)
    kept = getattr(addon.preferences, "library", None) if addon is not None else None
    return kept if kept is not None else library(context).own


def select(state: UNDERSTUDY_PG_library, index: int) -> None:
    """Make a row the active one without showing it."""
    state.quiet = True
    try:
        state.active = index
    finally:
        state.quiet = False


CLASSES = (UNDERSTUDY_PG_found, UNDERSTUDY_PG_library)
__all__ = ["CLASSES", "UNDERSTUDY_PG_folder", "folders", "library", "select"]


def register() -> None:
    bpy.types.WindowManager.understudy_library = PointerProperty(
        type=UNDERSTUDY_PG_library, options={"SKIP_SAVE"}
    )


def unregister() -> None:
    del bpy.types.WindowManager.understudy_library
