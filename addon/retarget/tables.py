"""The name tables: those that come with the add-on, and the user's own beside them. No Blender in here."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from ...backend.errors import BadInput
from ...backend.motion.rig_names import Family, family_from_json

FOLDER = Path(__file__).parent / "families"


@lru_cache(maxsize=1)
def built_in() -> tuple[Family, ...]:
    """The families of this folder."""
    return tuple(read_family(path) for path in sorted(FOLDER.glob("*.json")))


def read_family(path: Path) -> Family:
    """One table.

    Raises:
        BadInput: the file cannot be read; its name is in the sentence.
    """
    try:
        return family_from_json(json.loads(path.read_text(encoding="utf-8")))
    except BadInput as error:
        raise BadInput(f"{path.name}: {error.message}", field=error.field) from error
    except (OSError, ValueError) as error:
        raise BadInput(f"{path.name} is not a readable JSON file.", field="families") from error


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
