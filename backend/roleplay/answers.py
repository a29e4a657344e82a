"""What an author hands over: an answer in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """An answer before it is performed.

    Attributes:
        text: what the character says.
        emotion: one of :data:`..dialogue.emotions.EMOTIONS`.
        motion: what its body does beyond talking, as somebody does it (``walks to the door``); may be empty.
        act: a meaning of :mod:`..speech.gesture_shapes` that the first word is said with; may be empty.
    """

    text: str
    emotion: str = "neutral"
    motion: str = ""
    act: str = ""
