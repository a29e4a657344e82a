"""German, Japanese and Chinese words for everything that is shown.

One JSON file a language, ``{"English": "translation"}``. Blender looks labels, names and descriptions up by
itself; what is put together from parts, or wrapped to the width of a panel, goes through :func:`t` first.
"""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import bpy

LANGUAGES = ("de_DE", "ja_JP", "zh_HANS")
_CONTEXTS = ("*", "Operator")


def read(language: str) -> dict[str, str]:
    """The words of one language."""
    file = Path(__file__).parent / f"{language}.json"
    words = json.loads(file.read_text(encoding="utf-8"))
    assert isinstance(words, dict)
    return words


def t(message: str, **values: Any) -> str:
    """A sentence in the language of the interface, its ``{placeholders}`` filled in."""
    translated = bpy.app.translations.pgettext_iface(message)
    return translated.format(**values) if values else translated


def wrapped(text: str, width: int) -> list[str]:
    """Text in lines of at most ``width`` columns, broken at spaces, or anywhere between wide letters."""
    lines, line, columns = [], "", 0
    for word in _pieces(text):
        size = sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in word)
        if line and columns + len(word.rstrip()) - len(word) + size > width:
            lines.append(line.rstrip())
            line, columns = "", 0
        while size > width and not line:  # a path, above all
            lines.append(word[:width])
            word = word[width:]
            size = len(word)
        line, columns = line + word, columns + size
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _pieces(text: str) -> list[str]:
    """Where a line may be broken: words with the space after them, and single wide letters."""
    pieces, word = [], ""
    for letter in " ".join(text.split()):
        wide = unicodedata.east_asian_width(letter) in "WF"
        if wide and not unicodedata.category(letter).startswith("P"):
            pieces += [word, letter] if word else [letter]
            word = ""
        elif wide:  # punctuation stays with what it ends
            if word:
                word += letter
            elif pieces:
                pieces[-1] += letter
            else:
                word = letter
        else:
            word += letter
            if letter == " ":
                pieces.append(word)
                word = ""
    return [*pieces, word] if word else pieces


def register() -> None:
    words = {}
    for language in LANGUAGES:
        found = {(context, key): value for key, value in read(language).items() for context in _CONTEXTS}
        words[language] = found
    words["zh_CN"] = words["zh_HANS"]  # as older Blenders call it
    bpy.app.translations.register(__package__, words)


def unregister() -> None:
    bpy.app.translations.unregister(__package__)
