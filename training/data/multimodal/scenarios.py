"""The plots and words of the author without a language model, read from ``scenarios.yaml`` and ``words.yaml`` beside it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .grammar import slots_of
from .script import Emotion

Content = Literal["everyday", "feelings", "teaching", "play"]
"""What kind of conversation it is."""
When = Literal["start", "middle", "end"]
PEOPLE = ("self", "other")
"""Slots that hold the names of who speaks and who listens."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Motion(_Part):
    """Something a body does, by a name of its own."""

    say: list[str] = Field(min_length=1)
    """Ways to say it; each is a question to the store."""
    when: When
    """When a listener shows it: soon after the first word, in the middle, or as the last words fall."""
    instead: str = "stand"
    """Performed where the store has no clip of it."""


class Word(_Part):
    """A choice of a slot."""

    say: str
    does: str = ""
    """The motion that it brings."""


class Words(_Part):
    """``words.yaml``."""

    names: list[str]
    personalities: list[str]
    faces: dict[Emotion, list[str]]
    motions: dict[str, Motion]
    slots: dict[str, list[Word]]

    @model_validator(mode="before")
    @classmethod
    def _short_words(cls, values: Any) -> Any:
        slots = values.get("slots", {})
        return {
            **values,
            "slots": {
                name: [{"say": word} if isinstance(word, str) else word for word in words]
                for name, words in slots.items()
            },
        }

    @model_validator(mode="after")
    def _motions_are_known(self) -> Words:
        named = [motion.instead for motion in self.motions.values()]
        named += [word.does for words in self.slots.values() for word in words if word.does]
        if unknown := sorted(set(named) - set(self.motions)):
            raise ValueError(f"no such motions: {', '.join(unknown)}")
        return self


class Beat(_Part):
    """One says something, and both do something."""

    a: str = ""
    b: str = ""
    feels: Emotion = Field(alias="is")
    does: list[str] = Field(min_length=1)
    """Motions of the speaker, one of them is chosen; ``<exercise>`` is the motion that the slot's word brings."""
    meets: str
    """Of the listener."""

    @model_validator(mode="after")
    def _one_speaks(self) -> Beat:
        if bool(self.a) == bool(self.b):
            raise ValueError("a beat has a or b, what one of them says")
        return self

    @property
    def speaker(self) -> int:
        return 0 if self.a else 1

    @property
    def says(self) -> str:
        return self.a or self.b


class Scenario(_Part):
    """A kind of scene with its plots."""

    name: str
    content: Content
    places: list[str] = Field(min_length=1)
    relations: list[str] = Field(min_length=1)
    variants: list[list[Beat]] = Field(min_length=3)
    """The last is kept for test, the one before it for val."""

    @property
    def about_topic(self) -> bool:
        """Whether its plots talk about a topic."""
        return all(any("<topic>" in beat.says for beat in variant) for variant in self.variants)

    def variants_of(self, split: str) -> range:
        """Numbers of the plots of a split."""
        last = len(self.variants) - 1
        return {"train": range(last - 1), "val": range(last - 1, last), "test": range(last, last + 1)}[split]


@lru_cache(maxsize=1)
def load() -> tuple[Words, tuple[Scenario, ...]]:
    """Both files, checked against one another.

    Raises:
        ValueError: a plot names a motion or a slot that is not there.
    """
    import yaml

    here = Path(__file__).parent
    words = Words.model_validate(yaml.safe_load((here / "words.yaml").read_text("utf-8")))
    plots = yaml.safe_load((here / "scenarios.yaml").read_text("utf-8"))
    scenarios = tuple(Scenario.model_validate(plot) for plot in plots)
    for scenario in scenarios:
        for beat in (beat for variant in scenario.variants for beat in variant):
            check(beat, words)
    return words, scenarios


def check(beat: Beat, words: Words) -> None:
    """Raises ValueError where a beat needs what the words lack."""
    for slot in slots_of(beat.says) - {*words.slots, *PEOPLE}:
        raise ValueError(f"no such slot: {slot} in {beat.says!r}")
    for name in (*beat.does, beat.meets):
        slot = name.strip("<>")
        options = words.slots.get(slot, []) if name.startswith("<") else []
        if name not in words.motions and not (options and all(word.does for word in options)):
            raise ValueError(f"no such motion: {name} in {beat.says!r}")
