"""BABEL's annotation files (Punnakkal et al., CVPR 2021): sequences of AMASS with actions in seconds.

``babel_v1.0_release/{train,val,test,extra_train,extra_val}.json``, each an object keyed by sequence id. The
dense files have one annotator a sequence (``seq_ann``, ``frame_ann``), the extra files several (``seq_anns``,
``frame_anns``); any of them may be null, and so may ``act_cat`` and, in the test file, every label.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...backend.errors import BadInput
from .amass_files import name_of_path, sequence_key
from .item import Split
from .raw import Raw

FILES: dict[str, Split] = {
    "train": "train", "val": "val", "test": "test", "extra_train": "train", "extra_val": "val",
}  # fmt: skip
"""Annotation files, the dense ones first, and the split of their sequences."""


@dataclass(frozen=True)
class Label:
    """One action.

    Attributes:
        text: what the annotator typed, and its cleaned form where that differs; none in the test split.
        categories: action categories (``walk``, ``take/pick something up``).
        start, end: seconds; the whole sequence when ``end`` is None.
    """

    text: tuple[str, ...]
    categories: tuple[str, ...]
    start: float = 0.0
    end: float | None = None


@dataclass
class Entry:
    """An annotated sequence.

    Attributes:
        sid: BABEL's id.
        name: the AMASS sequence, see :func:`.amass_files.sequence_name`.
        seconds: its duration; None when the file does not say.
        split: of the file that names the sequence first.
        labels: of all annotators, each once.
    """

    sid: str
    name: str
    seconds: float | None
    split: Split
    labels: list[Label] = field(default_factory=list)


def find(raw: Raw) -> Path | None:
    """The folder with BABEL's files, or None."""
    for folder in (
        "babel/babel_v1.0_release",
        "babel",
        "babel_v1.0_release",
        "BABEL/babel_v1.0_release",
        "BABEL",
        ".",
    ):
        if any((raw.root / folder / f"{name}.json").is_file() for name in FILES):
            return raw.root / folder
    return None


def durations(raw: Raw) -> dict[str, float]:
    """Seconds of every sequence, by :func:`.amass_files.sequence_key`; empty when BABEL is not there."""
    home = find(raw)
    if home is None:
        return {}
    entries, _ = read(home)
    return {
        sequence_key(entry.name): entry.seconds for entry in entries.values() if entry.seconds is not None
    }


def read(home: Path) -> tuple[dict[str, Entry], dict[Path, str]]:
    """All sequences by id, and why files could not be read.

    A sequence of several files is one entry with the labels of all.
    """
    entries: dict[str, Entry] = {}
    broken: dict[Path, str] = {}
    for name, split in FILES.items():
        path = home / f"{name}.json"
        if not path.is_file():
            continue
        try:
            for sid, value in _read_object(path).items():
                _add(entries, sid, value, split)
        except BadInput as error:
            broken[path] = error.message
    return entries, broken


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path.name} is no JSON file ({type(error).__name__}).", field="path") from None
    if not isinstance(value, dict):
        raise BadInput(f"{path.name} is not an object keyed by sequence id.", field="path")
    return value


def _add(entries: dict[str, Entry], sid: str, value: Any, split: Split) -> None:
    """Take up one value of a file; what is no annotation of a sequence is passed over."""
    if not isinstance(value, dict) or not isinstance(value.get("feat_p"), str):
        return
    entry = entries.setdefault(
        sid, Entry(sid, name_of_path(value["feat_p"]), _number(value.get("dur")), split)
    )
    for label in _labels(value):
        if label not in entry.labels:
            entry.labels.append(label)


def _labels(value: dict[str, Any]) -> Iterator[Label]:
    for kind in ("seq", "frame"):
        annotations = value.get(f"{kind}_anns") or value.get(f"{kind}_ann") or []
        for annotation in [annotations] if isinstance(annotations, dict) else _list(annotations):
            for label in _list(annotation.get("labels")) if isinstance(annotation, dict) else ():
                if isinstance(label, dict):
                    yield from _label(label, timed=kind == "frame")


def _label(label: dict[str, Any], *, timed: bool) -> Iterator[Label]:
    texts = (str(label.get(key) or "").strip() for key in ("raw_label", "proc_label"))
    text = tuple(dict.fromkeys(text for text in texts if text))
    categories = tuple(str(name).strip() for name in _list(label.get("act_cat")) if name)
    if categories and not text:
        text = (", ".join(categories),)
    if not timed:
        yield Label(text, categories)
        return
    start, end = _number(label.get("start_t")), _number(label.get("end_t"))
    if start is not None and end is not None and end > max(start, 0.0):
        yield Label(text, categories, max(start, 0.0), end)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
