"""Sentences with choices and slots: ``[Hello|Hi], <other>![ How are you?|]`` becomes one of what it allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from random import Random

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"<(\w+)>")
_BEGINNING = re.compile(r"(^|[.!?]\s+)([a-zäöüß])")


def expand(pattern: str, random: Random, slots: Mapping[str, str]) -> str:
    """One of the sentences of a pattern, its beginnings in capitals.

    Args:
        pattern: ``[x|y|]`` is a choice (also within a choice, also of nothing), ``<name>`` a slot.
        random: decides.
        slots: what stands for each.

    Raises:
        KeyError: a slot is not known.
        ValueError: a bracket is not closed.
    """
    while found := _CHOICE.search(pattern):
        chosen = random.choice(found[1].split("|"))
        pattern = pattern[: found.start()] + chosen + pattern[found.end() :]
    if "[" in pattern or "]" in pattern:
        raise ValueError(f"a bracket is left open in {pattern!r}")
    text = " ".join(_SLOT.sub(lambda slot: slots[slot[1]], pattern).split())
    return _BEGINNING.sub(lambda first: first[1] + first[2].upper(), text)


def slots_of(pattern: str) -> set[str]:
    """The slots that a pattern may ask for."""
    return set(_SLOT.findall(pattern))


def count_of(pattern: str, size: Callable[[str], int]) -> int:
    """How many ways a pattern can be read, slots counted by ``size``."""
    total = 1
    while found := _CHOICE.search(pattern):
        total *= len(found[1].split("|"))
        pattern = pattern[: found.start()] + pattern[found.end() :]
    for slot in slots_of(pattern):
        total *= size(slot)
    return total
