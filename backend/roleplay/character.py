"""Character files, and what a character knows about itself as it would say it."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadInput
from ..protocol.chat import Character
from ..protocol.messages import parse
from .wording import article, ended, first_person, sentences

SUFFIXES = (".yaml", ".yml", ".json", ".toml")
LARGEST = 1 << 20
"""Bytes; a larger file is no character."""


@dataclass(frozen=True)
class Fact:
    """A sentence in the first person, and where in the file it comes from."""

    text: str
    kind: str


def read_character(path: Path) -> Character:
    """A character from a file.

    Raises:
        BadInput: the file cannot be read, is no YAML, JSON or TOML, or a field is wrong; the sentence names it.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInput(
            f"{path.name} is no character file.",
            hint=f"It must end in {', '.join(SUFFIXES)}.",
            field="character",
        )
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{path.name} is too large for a character.", field="character")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", field="character") from error
    except UnicodeDecodeError:
        raise BadInput(f"{path.name} is not a text in UTF-8.", field="character") from None
    values = _values(path.name, suffix, text)
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise BadInput(f"{path.name} must hold names and values, such as name: Mara.", field="character")
    try:
        return parse(Character, {key: value for key, value in values.items() if value is not None})
    except BadInput as error:
        raise BadInput(f"{path.name}: {error.message}", field=error.field) from None


def facts_of(character: Character) -> list[Fact]:
    """Everything that a character can say about itself, each fact once."""
    name = character.name
    found = []
    if character.role:
        role = first_person(character.role, name)
        found.append(Fact(role if re.match(r"i\b", role.lower()) else f"I am {article(role)}", "role"))
    for kind in ("knows", "background"):
        given = getattr(character, kind)
        parts = sentences(given) if isinstance(given, str) else given
        found += [Fact(first_person(part, name) if kind == "background" else part, kind) for part in parts]
    found += [Fact(f"I like {thing.rstrip('.')}", "likes") for thing in character.likes]
    found += [Fact(f"I don't care for {thing.rstrip('.')}", "dislikes") for thing in character.dislikes]
    return list(dict.fromkeys(Fact(ended(fact.text), fact.kind) for fact in found))


def listed(things: list[str]) -> str:
    """``tea, rain and old maps``."""
    things = [thing.rstrip(".") for thing in things]
    return things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"


def _values(name: str, suffix: str, text: str) -> Any:
    import yaml

    try:
        if suffix == ".json":
            return json.loads(text)
        if suffix == ".toml":
            return tomllib.loads(text)
        values = yaml.load(text, Loader=_loader())
        gestures = values.get("gestures") if isinstance(values, dict) else None
        if isinstance(gestures, dict):  # YAML takes the words yes and no for something else
            plain = {True: "yes", False: "no"}
            values["gestures"] = {
                plain.get(key, key) if isinstance(key, bool) else key: gestures[key] for key in gestures
            }
        return values
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        line = getattr(error, "lineno", None) if line is None else line + 1
        if line is None and (found := re.search(r"line (\d+)", str(error))):
            line = int(found[1])
        where = "" if line is None else f" in line {line}"
        kind = {".json": "JSON", ".toml": "TOML"}.get(suffix, "YAML")
        raise BadInput(
            f"{name} is no readable {kind}: there is a mistake{where}.", field="character"
        ) from None


def _loader() -> Any:
    """YAML without references: a few lines of them can stand for more than a memory holds."""
    import yaml

    class Loader(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.composer.ComposerError(
                    None, None, "references are not read", self.peek_event().start_mark
                )
            return super().compose_node(parent, index)

    return Loader
