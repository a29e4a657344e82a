"""Praat's TextGrid files: words, phonemes or other labels with their seconds.

Written in two forms (long and short) and three encodings, by Praat and by forced aligners; praatio parses the
text. An empty label is silence and is left out.
"""

from __future__ import annotations

import codecs
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import BadInput

LARGEST = 64 << 20
"""Bytes; a larger file is no transcript."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SIZE = re.compile(r"^\s*(?:intervals|points) ?: ?size ?= ?(\d+)\s*$", re.MULTILINE)
"""In the long form, the number of labels of a tier; praatio does not look at it."""


class Label(NamedTuple):
    """A piece of a tier; ``start == end`` in a tier of points. Seconds."""

    text: str
    start: float
    end: float


def read_textgrid(path: Path) -> dict[str, list[Label]]:
    """All tiers by name, in the order of the file; of two with one name the second is ``name_2``.

    Labels are in the order of time.

    Raises:
        BadInput: the file is damaged, empty or no TextGrid.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{path.name} is too large for a TextGrid.", field="textgrid")
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read ({error.strerror}).", field="textgrid") from None
    try:
        return parse_textgrid(decoded(data), path.name)
    except UnicodeDecodeError:
        raise BadInput(f"{path.name} is no TextGrid: it is not a text.", field="textgrid") from None


def is_textgrid(text: str) -> bool:
    """Whether a text is a TextGrid, whole or not."""
    return "ooTextFile" in text[:200] and "TextGrid" in text[:400]


def parse_textgrid(text: str, name: str) -> dict[str, list[Label]]:
    """As :func:`read_textgrid`, of the text itself; ``name`` is for sentences about it.

    Raises:
        BadInput: it is damaged, empty or no TextGrid.
    """
    from praatio.utilities.textgrid_io import parseTextgridStr

    try:
        tiers: list[dict[str, Any]] = parseTextgridStr(text, includeEmptyIntervals=True)["tiers"]
        promised = sum(int(number) for number in _SIZE.findall(text))
        if promised and promised != sum(len(tier["entries"]) for tier in tiers):
            raise BadInput(f"{name} is cut off: it promises {promised} labels.", field="textgrid")
        found: dict[str, list[Label]] = {}
        for tier in tiers:
            found[_unused(str(tier["name"]), found)] = _labels(tier["entries"])
    except BadInput:
        raise
    except Exception as error:  # praatio raises whatever its parsing meets
        raise BadInput(f"{name} is no TextGrid ({type(error).__name__}).", field="textgrid") from None
    if not found:
        raise BadInput(f"{name} has no tiers.", field="textgrid")
    return found


def decoded(data: bytes) -> str:
    """Praat writes UTF-8 or UTF-16 with a mark, aligners UTF-8 without, old files Latin-1."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding).replace("\r\n", "\n")
    if data[1:2] == b"\0" or data[:1] == b"\0":
        return data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-16-be").replace("\r\n", "\n")
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return data.decode("latin-1").replace("\r\n", "\n")


def _unused(name: str, names: dict[str, Any]) -> str:
    number, unused = 2, name
    while unused in names:
        unused, number = f"{name}_{number}", number + 1
    return unused


def _labels(entries: list[Any]) -> list[Label]:
    labels = []
    for entry in entries:
        *times, text = entry
        start, end = float(times[0]), float(times[-1])
        if not (math.isfinite(start) and math.isfinite(end) and end >= start):
            raise ValueError("times")
        if str(text).strip():
            labels.append(Label(" ".join(str(text).split()), start, end))
    return sorted(labels, key=lambda label: (label.start, label.end))
