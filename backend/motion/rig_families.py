"""The name tables that come with Understudy, one JSON file for each family of rigs."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from ..errors import BadInput
from .rig_names import Family, family_from_json

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
