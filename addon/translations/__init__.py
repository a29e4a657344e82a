"""German, Japanese and Chinese words for everything that is shown.

One JSON file a language, ``{"English": "translation"}``. Blender looks labels, names and descriptions up by
itself; what is put together from parts, or wrapped to the width of a panel, goes through :func:`t` first.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

import bpy

LANGUAGES = ("de_DE", "ja_JP", "zh_HANS")
CONTEXT = "Understudy"
"""Of words that Blender itself translates otherwise: its own words go before ours in every other context."""
_CONTEXTS = ("*", "Operator", CONTEXT)
_NUMBER = re.compile(r"{(\d)}")

_words: dict[str, dict[str, str]] = {}
"""By language, read at registration."""


def read(language: str) -> dict[str, str]:
    """The words of one language."""
    file = Path(__file__).parent / f"{language}.json"
    words = json.loads(file.read_text(encoding="utf-8"))
    assert isinstance(words, dict)
    return words


def t(message: str, **values: Any) -> str:
    """A sentence in the language of the interface, its ``{placeholders}`` filled in.

    A finished sentence that was put together elsewhere, such as an error's, is known by its pattern.
    """
    translated = bpy.app.translations.pgettext_iface(message, CONTEXT)
    if values:
        return translated.format(**values)
    if translated == message and bpy.app.translations.locale[:2] not in ("", "en"):
        return by_pattern(message, _language(bpy.app.translations.locale))
    return translated


def _language(locale: str) -> str:
    """Our file for one of Blender's locales; the empty string where there is none."""
    short = "zh_HANS" if locale in ("zh_CN", "zh_HANS") else locale
    return next((name for name in LANGUAGES if name == short or name.split("_")[0] == short), "")


@lru_cache(maxsize=512)
def by_pattern(message: str, language: str) -> str:
    """A sentence such as ``"Line 3 says nothing."`` by the entry ``"Line {0} says nothing."``; else as it is."""
    for pattern, words in _patterns(language) if language else ():
        match = pattern.fullmatch(message)
        if match:
            return words.format(*match.groups())
    return message


@lru_cache(maxsize=len(LANGUAGES))
def _patterns(language: str) -> list[tuple[re.Pattern[str], str]]:
    """The numbered sentences, the most definite first."""
    numbered = [(key, words) for key, words in _words.get(language, {}).items() if "{0}" in key]
    numbered.sort(key=lambda entry: -len(entry[0]))
    return [
        (
            re.compile(
                "".join("(.+?)" if i % 2 else re.escape(part) for i, part in enumerate(_NUMBER.split(key)))
            ),
            words,
        )
        for key, words in numbered
    ]


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
    _words.update({language: read(language) for language in LANGUAGES})
    known = {
        language: {(context, key): value for key, value in words.items() for context in _CONTEXTS}
        for language, words in _words.items()
    }
    known["zh_CN"] = known["zh_HANS"]  # as older Blenders call it
    bpy.app.translations.register(__package__, known)


def unregister() -> None:
    bpy.app.translations.unregister(__package__)
    _words.clear()
    by_pattern.cache_clear()
    _patterns.cache_clear()
