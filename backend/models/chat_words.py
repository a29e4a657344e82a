"""What a language model that takes part in conversations has words for, beside text, motion and word pieces.

They are rows of the one embedding table, behind everything else, so that the table of a model without them is the
beginning of this one.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

MARKS = ("chat", "persona", "self", "other", "directed", "moves", "reacts", "still")
"""A conversation begins; who the answering character is; a turn of that character, or of the other; what the speaker
is asked to do; motion of who speaks; of who listens; who listens does nothing."""
SECONDS, SECONDS_STEP = 32, 0.5
"""Lengths of speech that there are words for, and how far they lie apart."""
DELAYS, DELAYS_STEP, FIRST_DELAY = 64, 0.25, -2.0
"""The same of the time from the first word of a turn to the reaction of who listens."""


class ChatConfig(BaseModel):
    """What a language model knows of conversations."""

    model_config = ConfigDict(extra="forbid")

    emotions: tuple[str, ...]
    """The first of them stands for all that are not among them."""
    speech: int = 0
    """Codes of the voice's first level; 0: voices are not heard."""

    @property
    def size(self) -> int:
        return len(MARKS) + len(self.emotions) + SECONDS + DELAYS + self.speech

    @property
    def words(self) -> ChatWords:
        marks = {mark: i for i, mark in enumerate(MARKS)}
        emotions = len(MARKS)
        seconds = emotions + len(self.emotions)
        delays = seconds + SECONDS
        return ChatWords(marks, emotions, seconds, delays, delays + DELAYS)


class ChatWords(NamedTuple):
    """Where each kind begins, counted from the first of all."""

    marks: dict[str, int]
    emotions: int
    seconds: int
    delays: int
    speech: int

    def of_seconds(self, seconds: float) -> int:
        """The word of a length of speech."""
        return self.seconds + int(np.clip(round(seconds / SECONDS_STEP), 0, SECONDS - 1))

    def of_delay(self, delay: float) -> int:
        """The word of a delay in seconds."""
        return self.delays + int(np.clip(round((delay - FIRST_DELAY) / DELAYS_STEP), 0, DELAYS - 1))


def delay_of(index: int) -> float:
    """Seconds of a delay's word, counted from the first of them."""
    return FIRST_DELAY + DELAYS_STEP * index
