"""The name tables: those that come with Understudy, and the user's own beside them. No Blender in here."""

from __future__ import annotations

from pathlib import Path

from ...backend.errors import BadInput
from ...backend.motion.rig_families import FOLDER, built_in, read_family
from ...backend.motion.rig_names import Family

__all__ = ["FOLDER", "built_in", "families", "read_family"]


def families(user_folder: Path | None = None) -> tuple[list[Family], list[str]]:
    """All tables, the user's first at equal fit, and a sentence for each of the user's that is broken.

    A user's table with the name of a built-in one replaces it.
    """
    own: list[Family] = []
    broken: list[str] = []
    for path in sorted(user_folder.glob("*.json")) if user_folder and user_folder.is_dir() else ():
        try:
            own.append(read_family(path))
        except BadInput as error:
            broken.append(error.message)
    keys = {family.key for family in own}
    return [*own, *(family for family in built_in() if family.key not in keys)], broken
