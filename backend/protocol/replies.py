"""``chat`` as its caller sees it: the words of a request, and the answer. Standard library only: Blender runs this."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any

from ..dialogue.emotions import EMOTIONS
from .framing import ProtocolError

__all__ = ["EMOTIONS", "MOMENTS", "Answer", "answer_of"]

MOMENTS = ("greeting", "farewell", "thanks", "yes", "no", "unknown", "refusal")
"""At which a character may have a gesture of its own."""


@dataclass(frozen=True)
class Answer:
    """What a character says and does.

    Attributes:
        text, emotion, motion: in words; ``motion`` is empty where it only talks.
        clip: an ``.npz`` file.
        sound: a ``.wav`` file as long as the clip, or None: nothing could speak it.
        seconds: of the clip.
        author: ``offline``, or a model's name.
        heard: what the user said.
        memory: to be sent with the next request, as it is.
        warnings: sentences for the user.
    """

    text: str
    emotion: str
    motion: str
    clip: bytes
    sound: bytes | None
    seconds: float
    author: str
    heard: str
    memory: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def answer_of(result: Any) -> Answer:
    """The answer in the result of ``chat``.

    Raises:
        ProtocolError: it is something else.
    """
    try:
        sound = result.get("sound")
        words = {name: result[name] for name in ("text", "emotion", "motion", "author", "heard")}
        memory, warnings = result["memory"], result.get("warnings", [])
        if not all(isinstance(value, str) for value in (*words.values(), *warnings)):
            raise TypeError("no text")
        if not isinstance(memory, list) or not all(isinstance(entry, dict) for entry in memory):
            raise TypeError("no memory")
        return Answer(
            **words,
            clip=base64.b64decode(result["clip"], validate=True),
            sound=None if sound is None else base64.b64decode(sound, validate=True),
            seconds=float(result["seconds"]),
            memory=memory,
            warnings=list(warnings),
        )
    except (AttributeError, KeyError, TypeError, ValueError, binascii.Error) as error:
        raise ProtocolError("The backend's answer is no character's.") from error
