"""Character files: every kind reads alike, and every mistake is one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from understudy.backend.errors import BadInput
from understudy.backend.roleplay.character import facts_of, read_character

YAML = """
name: Mara Quill
role: lighthouse keeper
background: She was born on a ferry. You keep the light and never sleep well. Mara has a cat; she loves it.
likes: [tea]
knows: [The light turns once every twelve seconds]
places: {door: [1.5, 0]}
gestures: {yes: nods, no: shakes the head}
emotion: calm
"""
VALUES = {
    "name": "Mara Quill",
    "role": "lighthouse keeper",
    "background": "She was born on a ferry. You keep the light and never sleep well. Mara has a cat; she loves it.",
    "likes": ["tea"],
    "knows": ["The light turns once every twelve seconds"],
    "places": {"door": [1.5, 0]},
    "gestures": {"yes": "nods", "no": "shakes the head"},
    "emotion": "calm",
}
TOML = """
name = "Mara Quill"
role = "lighthouse keeper"
background = "She was born on a ferry. You keep the light and never sleep well. Mara has a cat; she loves it."
likes = ["tea"]
knows = ["The light turns once every twelve seconds"]
emotion = "calm"
[places]
door = [1.5, 0]
[gestures]
yes = "nods"
no = "shakes the head"
"""


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_yaml_json_and_toml_are_the_same_character(tmp_path: Path) -> None:
    found = [
        read_character(written(tmp_path, name, text))
        for name, text in (("a.yaml", YAML), ("a.json", json.dumps(VALUES)), ("a.toml", TOML))
    ]
    assert found[0] == found[1] == found[2]
    assert found[0].gestures == {"yes": "nods", "no": "shakes the head"}
    assert found[0].places["door"] == [1.5, 0]


def test_a_character_tells_its_facts_in_the_first_person(tmp_path: Path) -> None:
    texts = [fact.text for fact in facts_of(read_character(written(tmp_path, "a.yaml", YAML)))]
    assert texts == [
        "I am a lighthouse keeper.",
        "The light turns once every twelve seconds.",
        "I was born on a ferry.",
        "I keep the light and never sleep well.",
        "I have a cat; I love it.",
        "I like tea.",
    ]


@pytest.mark.parametrize(
    ("name", "text", "words", "field"),
    [
        ("a.txt", "name: A", "is no character file", "character"),
        ("a.yaml", "name: [", "is no readable YAML: there is a mistake in line", "character"),
        ("a.json", '{"name": "A",}', "is no readable JSON: there is a mistake in line 1", "character"),
        (
            "a.toml",
            'name = "A"\nrole = = 2',
            "is no readable TOML: there is a mistake in line 2",
            "character",
        ),
        ("a.yaml", "- Mara", "must hold names and values", "character"),
        ("a.yaml", "", "must hold names and values", "character"),
        ("a.yaml", "1: Mara", "must hold names and values", "character"),
        ("a.yaml", b"name: \xff\xfe", "is not a text in UTF-8", "character"),
        ("a.yaml", "role: cook", "lacks its name", "name"),
        ("a.yaml", "name: ''", "The name is empty", "name"),
        ("a.yaml", "name: 7", "Name must be a text, not 7", "name"),
        ("a.yaml", "name: A\nhobby: chess", "Unknown setting 'hobby'", "hobby"),
        ("a.yaml", "name: A\nlikes: tea", "Likes must be a list, not 'tea'", "likes"),
        (
            "a.yaml",
            "name: A\nemotion: hungry",
            "The emotion 'hungry' is not known: neutral, happy",
            "emotion",
        ),
        ("a.yaml", "name: A\ngestures: {lunch: eats}", "There is no moment 'lunch': greeting", "gestures"),
        ("a.yaml", "name: A\nplaces: {door: [1]}", "must have at least 2 entries, not 1", "places.door"),
        ("a.yaml", "name: A\nplaces: {door: far}", "must be a list, not 'far'", "places.door"),
        ("a.yaml", "name: &a A\nrole: *a", "there is a mistake in line 2", "character"),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, name: str, text: str | bytes, words: str, field: str
) -> None:
    with pytest.raises(BadInput) as caught:
        read_character(written(tmp_path, name, text))
    assert words in caught.value.message and "\n" not in caught.value.message
    assert caught.value.field == field


def test_a_file_that_is_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_character(tmp_path / "none.yaml")
    with pytest.raises(BadInput, match="is too large"):
        read_character(written(tmp_path, "a.yaml", b"#" * (2 << 20)))


def test_the_characters_of_the_documentation_can_be_read(repository: Path) -> None:
    found = [read_character(path) for path in sorted((repository / "docs" / "characters").iterdir())]
    assert len({character.name for character in found}) == len(found) == 3
    assert all(len(facts_of(character)) > 6 and character.places for character in found)
