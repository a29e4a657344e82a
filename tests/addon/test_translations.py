"""Everything that is shown has German, Japanese and Chinese words, which say as much as the English ones."""

from __future__ import annotations

import ast
import re
from typing import Any

import bpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.addon import translations
from understudy.addon.translations import LANGUAGES, by_pattern, read, wrapped

from . import strings

_PLACEHOLDER = re.compile(r"{\w*}")
_SPOKEN = {"sneaking"}  # an example of a prompt, and prompts are English


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_shown_string_is_translated(language: str) -> None:
    words = read(language)
    missing = {
        text: where for text, where in (strings.shown() | strings.composed()).items() if text not in words
    }
    assert not missing, "\n".join(f"{where}: {text}" for text, where in missing.items())


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_agree(language: str) -> None:
    for text, translated in read(language).items():
        assert sorted(_PLACEHOLDER.findall(text)) == sorted(_PLACEHOLDER.findall(translated)), text
        assert translated.strip() == translated != "", text
        assert text.endswith("…") == translated.endswith("…"), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_left_over(language: str) -> None:
    """What is shown no longer needs no translation."""
    known = set(strings.shown()) | set(strings.composed())
    assert set(read(language)) - known == set()


@pytest.mark.parametrize(
    ("language", "letters"), [("ja_JP", r"[\u3040-\u9fff]"), ("zh_HANS", r"[\u4e00-\u9fff]")]
)
def test_sentences_are_in_the_language(language: str, letters: str) -> None:
    for text, translated in read(language).items():
        if len(text.split()) > 3 and text not in _SPOKEN:
            assert re.search(letters, translated), text


def test_every_class_and_property_is_translated() -> None:
    """What the source does not show at a glance: names and descriptions as Blender holds them."""
    words, missing = read("de_DE"), []
    for cls in _classes():
        texts = [getattr(cls, "bl_label", ""), getattr(cls, "bl_description", "")]
        for asked in _declared(cls).values():
            if "HIDDEN" not in asked.get("options", ()):
                texts += [asked.get("name", ""), asked.get("description", "")]
        missing += [(cls.__name__, t) for t in texts if t and len(t) > 2 and _spelled(t) and t not in words]
    patterned = [entry for entry in missing if by_pattern(entry[1], "de_DE") == entry[1]]
    assert not {m for m in patterned if m[1] not in _BLENDERS}


_BLENDERS = {
    "Name",
    "Filter",
    "Filepath",
    "Directory",
    "File Path",
    "Operator File List Element",
    "Filepath used for exporting the file",
    "Filepath used for importing the file",
    "Check and warn on overwriting existing files",
    "Check Existing",
}


def _spelled(text: str) -> bool:
    return text[0].isupper() and " " in text


def test_composed_sentences_are_known_by_their_pattern() -> None:
    assert by_pattern("Line 3 says nothing.", "de_DE") == "Zeile 3 sagt nichts."
    assert by_pattern("“a {b}” has no animation.", "de_DE") == "„a {b}“ hat keine Animation."
    assert by_pattern("Quite another sentence.", "de_DE") == "Quite another sentence."
    assert by_pattern("Line 3 says nothing.", "") == "Line 3 says nothing."


def test_blenders_names_of_languages_are_known() -> None:
    known = {
        "de_DE": "de_DE",
        "de": "de_DE",
        "ja_JP": "ja_JP",
        "zh_CN": "zh_HANS",
        "zh_HANS": "zh_HANS",
        "fr_FR": "",
    }
    assert {name: translations._language(name) for name in known} == known


@given(st.text(max_size=200), st.integers(16, 80))
def test_wrapping_loses_nothing_and_keeps_the_width(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("language", LANGUAGES)
def test_wide_letters_count_twice(language: str) -> None:
    text = max(read(language).values(), key=len)
    lines = wrapped(text, 30)
    assert len(lines) > 2
    widest = 15 if language != "de_DE" else 30
    wide = [sum(ord(letter) > 0x2FFF for letter in line) for line in lines]
    assert max(wide) <= widest + 1


def test_what_is_drawn_is_known_as_it_is_drawn() -> None:
    """“Compare as A” is in no dictionary where only “Compare as {0}” is: Blender looks labels up as they stand."""
    assert strings.put_together() == []


def test_words_that_blender_translates_otherwise_are_marked_as_ours() -> None:
    """Blender's own words go before ours: its “Speaker” is a loudspeaker, its “Direction” that of a vector."""
    unmarked, ours = [], set()
    for cls in _classes():
        marks = {"": (getattr(cls, "bl_label", ""), getattr(cls, "bl_translation_context", ""))}
        for key, asked in _declared(cls).items():
            marks[key] = (asked.get("name", ""), asked.get("translation_context", ""))
        for key, (name, context) in marks.items():
            if name in _OTHERWISE:
                ours.add(name)
                unmarked += [f"{cls.__name__}.{key}"] if context != translations.CONTEXT else []
    assert unmarked == []
    assert ours == _OTHERWISE


def _classes() -> list[type]:
    """All of ours; Blender does not list property groups, and the preferences are registered where there are some."""
    listed = [getattr(bpy.types, name) for name in dir(bpy.types) if name.startswith("UNDERSTUDY_")]
    groups = [*bpy.types.PropertyGroup.__subclasses__(), *bpy.types.AddonPreferences.__subclasses__()]
    return listed + [cls for cls in groups if cls.__name__.startswith("UNDERSTUDY_")]


def _declared(cls: type) -> dict[str, dict[str, Any]]:
    """What each property of a class was declared with."""
    return {
        key: declared.keywords
        for base in cls.__mro__
        for key, declared in vars(base).get("__annotations__", {}).items()
        if hasattr(declared, "keywords")
    }


_OTHERWISE = {
    "Clip",
    "Direction",
    "Endpoint",
    "Facing",
    "Feet",
    "From",
    "Height",
    "Line",
    "Pack",
    "Speaker",
    "To",
    "Weight",
}
"""Names of ours that mean something else in Blender's German, Japanese or Chinese."""


def test_what_operators_report_goes_through_translation() -> None:
    """No report says a sentence as it stands in the source."""
    plain = [
        f"{path.name}:{node.lineno}"
        for path in strings.sources()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "report" and len(node.args) == 2
        for said in (node.args[1],)
        if isinstance(said, ast.Constant)
        or (isinstance(said, ast.JoinedStr) and strings._has_words(said))
        or (
            isinstance(said, ast.BoolOp | ast.IfExp)
            and any(isinstance(part, ast.Constant | ast.JoinedStr) for part in ast.iter_child_nodes(said))
        )
    ]
    assert not plain, plain
