"""BABEL's annotation files with every variant of null and list that the published ones have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def label(
    raw: str | None, categories: list[str] | None, start: float | None = None, end: float | None = None
) -> dict[str, Any]:
    value: dict[str, Any] = {"raw_label": raw, "proc_label": raw, "seg_id": "s", "act_cat": categories}
    if start is not None:
        value |= {"start_t": start, "end_t": end}
    return value


def annotation(*labels: dict[str, Any]) -> dict[str, Any]:
    return {"babel_lid": "l", "anntr_id": "a", "mul_act": len(labels) > 1, "labels": list(labels)}


def entry(sid: int, path: str, seconds: float, **annotations: Any) -> dict[str, Any]:
    """``seq_ann``, ``frame_ann`` or their plurals; ``path`` as in AMASS, without BABEL's extra folder."""
    subset = path.split("/")[0]
    return {
        "babel_sid": sid,
        "url": f"https://example.org/{sid:06d}.mp4",
        "feat_p": f"{subset.replace('_', '')}/{path}",
        "dur": seconds,
        **annotations,
    }


def write(folder: Path, **files: list[dict[str, Any]]) -> Path:
    """``babel_v1.0_release/<file>.json``."""
    home = folder / "babel_v1.0_release"
    home.mkdir(parents=True, exist_ok=True)
    for name, entries in files.items():
        content = {str(entry["babel_sid"]): entry for entry in entries}
        (home / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return home
