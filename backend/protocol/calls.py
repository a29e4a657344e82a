"""What passes between a parent and its backend process, as seen by the parent: calls, events, errors."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadInput, Cancelled, JobFailed, UnderstudyError
from .framing import ProtocolError

RESTART = "Restart the backend."


class BackendError(UnderstudyError):
    """The backend process itself failed; a restart is needed.

    ``code`` is one of ``backend_missing`` (could not be started), ``backend_died``, ``backend_hung``,
    ``backend_garbage`` (nonsense on its stdout) and ``version_mismatch``.
    """

    def __init__(self, code: str, message: str, hint: str = RESTART) -> None:
        super().__init__(message, hint=hint)
        self.code = code


@dataclass(eq=False)
class Request:
    """One call on its way.

    Attributes:
        state: ``running``, then ``done``, ``failed`` or ``cancelled`` for good.
        progress: the last progress notification (``stage``, ``step``, ``total``, ``seconds_left``).
    """

    id: int
    method: str
    on_progress: Callable[[dict[str, Any]], None] | None = None
    state: str = "running"
    progress: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    error: UnderstudyError | None = None
    sent_at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class Event:
    """What :meth:`Client.poll` found.

    ``kind``: ``ready`` (the backend answered; ``data`` is its description), ``progress``, ``result``,
    ``error``, ``cancelled`` (these four belong to ``request``) or ``stopped`` (the process is gone).
    """

    kind: str
    request: Request | None = None
    data: Any = None
    error: UnderstudyError | None = None


def error_of(message: dict[str, Any]) -> UnderstudyError | None:
    """The typed error in a response, or None where it carries a result."""
    raw = message.get("error")
    if raw is None:
        return None
    raw = raw if isinstance(raw, dict) else {}
    data = raw.get("data")
    data = data if isinstance(data, dict) else {}
    code = str(data.get("code", "job_failed"))
    kind = {"bad_input": BadInput, "cancelled": Cancelled}.get(code, JobFailed)
    text = str(data.get("message") or raw.get("message") or "The backend reports an unknown error.")
    error = kind(text, hint=str(data.get("hint", "")), field=str(data.get("field", "")))
    error.code = code
    return error


def warnings_of(result: Any) -> list[str]:
    """The warnings in the result of ``generate``; none where the backend does not know them yet."""
    found = result.get("warnings") if isinstance(result, dict) else None
    return [text for text in found if isinstance(text, str)] if isinstance(found, list) else []


@dataclass(frozen=True)
class Dialogue:
    """The result of ``dialogue`` as its parent keeps it.

    Attributes:
        clips: ``.npz`` bytes of both characters.
        names: of the two.
        sound: bytes of a WAV file.
        turns: ``number``, ``speaker``, ``text``, ``start`` and ``end`` (seconds) of each.
        distance: metres between the two.
        measures: by name.
        warnings: sentences for the user.
    """

    clips: tuple[bytes, bytes]
    names: tuple[str, str]
    sound: bytes
    turns: list[dict[str, Any]]
    distance: float
    measures: dict[str, float]
    warnings: list[str]


def dialogue_of(result: Any) -> Dialogue:
    """Both characters and their sound in the result of ``dialogue``."""
    try:
        first, second = (base64.b64decode(clip, validate=True) for clip in result["clips"])
        one, other = (str(name) for name in result["names"])
        turns = [
            {
                "number": int(turn["number"]),
                "speaker": str(turn["speaker"]),
                "text": str(turn["text"]),
                "start": float(turn["start"]),
                "end": float(turn["end"]),
            }
            for turn in result["turns"]
        ]
        return Dialogue(
            (first, second),
            (one, other),
            base64.b64decode(result["sound"], validate=True),
            turns,
            float(result["distance"]),
            {str(name): float(value) for name, value in result["measures"].items()},
            warnings_of(result),
        )
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise ProtocolError("The backend's answer holds no readable dialogue.") from error


def clips_of(result: Any) -> list[bytes]:
    """The ``.npz`` bytes of every clip in the result of ``generate``."""
    try:
        return [base64.b64decode(clip["npz"], validate=True) for clip in result["clips"]]
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise ProtocolError("The backend's answer holds no readable clip.") from error
