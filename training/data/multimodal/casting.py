"""Who talks where about what: everything of a script that is settled before anybody speaks, from its seed and number alone."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from .scenarios import Content, Scenario, load
from .script import Character
from .settings import Profile, ScriptSettings, Splits

Split = Literal["train", "val", "test"]
ABOUT = 0.5
"""Share of plots about a topic, where one is given."""


@dataclass(frozen=True)
class Cast:
    """A script before its turns.

    Attributes:
        number: among the scripts of a run; with the seed it decides on everything.
        topic: what is talked about; empty where a plot needs none.
        random: for the rest of the decisions.
    """

    number: int
    seed: int
    split: Split
    topic: str
    content: Content
    characters: tuple[Character, Character]
    place: str
    relation: str
    user: str
    turns: int
    random: Random
    scenario: Scenario
    variant: int


def cast(
    number: int, seed: int, profiles: Sequence[Profile], settings: ScriptSettings, topics: Sequence[str] = ()
) -> Cast:
    """The cast of a script; the same for the same arguments, whatever else was or will be made.

    A language model's scripts on one topic are all in one split. Of the rules' scripts, a plot is.
    """
    _, scenarios = load()
    random = Random(f"{seed}/{number}")
    profile = profiles[number % len(profiles)]
    allowed = [each for each in scenarios if not settings.content or each.content in settings.content]
    about = [*profile.topics, *topics]
    topic = random.choice(about) if about else ""
    telling = [each for each in allowed if each.about_topic]
    scenario = random.choice(telling if topic and telling and random.random() < ABOUT else allowed)
    share = random.random()
    if settings.method != "rules" and topic:
        share = zlib.crc32(f"{seed}/{topic.casefold()}".encode()) / 2**32
    split = _split(settings.splits, share)
    return Cast(
        number=number, seed=seed, split=split, topic=topic, content=scenario.content,
        characters=_characters(profile, random),
        place=profile.place or random.choice(scenario.places),
        relation=profile.relation or random.choice(scenario.relations),
        user=profile.user,
        turns=random.randint(settings.least_turns, settings.most_turns),
        random=random, scenario=scenario, variant=random.choice(scenario.variants_of(split)),
    )  # fmt: skip


def _split(splits: Splits, share: float) -> Split:
    share *= splits.train + splits.val + splits.test
    if share < splits.train:
        return "train"
    return "val" if share < splits.train + splits.val else "test"


def _characters(profile: Profile, random: Random) -> tuple[Character, Character]:
    words, _ = load()
    known = random.sample(profile.characters, min(2, len(profile.characters)))
    taken = {character.name.casefold() for character in known}
    for name in random.sample(words.names, len(words.names)):
        if len(known) < 2 and name.casefold() not in taken:
            known.append(Character(name=name, personality=random.choice(words.personalities)))
    if len(known) == 2 and profile.user and known[1] == profile.characters[0]:
        known.reverse()  # the user's own character is the first
    return known[0], known[1]
