"""JSON-RPC 2.0 messages in Content-Length frames, as the Language Server Protocol does it.

One frame is ``Content-Length: N CR LF CR LF`` and N bytes of UTF-8 JSON. Only the standard library is
used, because Blender's own Python reads and writes these frames too.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ..errors import UnderstudyError

PROTOCOL_VERSION = 1
"""Raised whenever a message changes its meaning; both sides refuse a partner of another version."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
JOB_FAILED = -32000
REQUEST_CANCELLED = -32800

MAX_HEADER = 4096
MAX_BODY = 512 * 1024 * 1024
"""Bytes. A minute of motion is under 5 MB; anything above this is a broken stream, not a message."""

_PREFIX = b"content-"
_LENGTH = re.compile(rb"content-length: *([0-9]{1,12})", re.IGNORECASE)
_OTHER = re.compile(rb"content-[a-z-]+: *[^\r\n]*", re.IGNORECASE)


class ProtocolError(UnderstudyError):
    """The other side sent something that is not a frame or not a JSON-RPC message."""

    code = "garbage"


def encode(message: dict[str, Any]) -> bytes:
    """One message as one frame. Lone surrogates are escaped by JSON, so any string passes."""
    body = json.dumps(message, allow_nan=False, separators=(",", ":")).encode("ascii")
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def decode(body: bytes) -> dict[str, Any]:
    """The message in one frame's body; :class:`ProtocolError` where it is not a JSON object."""
    try:
        message = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError("A message is not valid JSON.") from error
    if not isinstance(message, dict):
        raise ProtocolError("A message is not a JSON object.")
    return message


class FrameReader:
    """Cuts a byte stream, arriving in any pieces, into the bodies of its frames.

    Junk is noticed at its first byte that cannot belong to a header, not when the next frame would be
    due: a program that prints a greeting and then waits must not look like one that hangs. After an error
    the stream cannot be trusted again and every further call raises the same error.
    """

    def __init__(self, max_body: int = MAX_BODY) -> None:
        self._buffer = bytearray()
        self._length: int | None = None
        self._max_body = max_body
        self._error: ProtocolError | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the bodies of the frames that are now complete."""
        if self._error is not None:
            raise self._error
        self._buffer += data
        bodies = []
        try:
            while (body := self._next()) is not None:
                bodies.append(body)
        except ProtocolError as error:
            self._error = error
            if not bodies:
                raise
        return bodies

    @property
    def error(self) -> ProtocolError | None:
        """Set when junk followed the frames that the last call returned."""
        return self._error

    def _next(self) -> bytes | None:
        if self._length is None:
            self._length = self._header()
        if self._length is None or len(self._buffer) < self._length:
            return None
        body = bytes(self._buffer[: self._length])
        del self._buffer[: self._length]
        self._length = None
        return body

    def _header(self) -> int | None:
        start = bytes(self._buffer[: len(_PREFIX)]).lower()
        if not _PREFIX.startswith(start):
            raise ProtocolError(f"The stream carries something else than messages: {self._sample()}.")
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEADER)
        if end < 0:
            if len(self._buffer) >= MAX_HEADER:
                raise ProtocolError(f"A message header has no end: {self._sample()}.")
            return None
        length = None
        for line in bytes(self._buffer[:end]).split(b"\r\n"):
            if match := _LENGTH.fullmatch(line):
                length = int(match[1])
            elif not _OTHER.fullmatch(line) or line.lower().startswith(b"content-length"):
                raise ProtocolError(f"A message header cannot be read: {self._sample()}.")
        if length is None:
            raise ProtocolError(f"A message header lacks its length: {self._sample()}.")
        if length > self._max_body:
            raise ProtocolError(f"A message of {length} bytes is larger than the limit of {self._max_body}.")
        del self._buffer[: end + 4]
        return length

    def _sample(self) -> str:
        return repr(bytes(self._buffer[:60]).decode("utf-8", errors="replace"))


def request(request_id: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def notification(method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def response(request_id: int | str | None, result: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


_NUMBERS = {
    "bad_input": INVALID_PARAMS,
    "cancelled": REQUEST_CANCELLED,
    "unknown_method": METHOD_NOT_FOUND,
    "invalid_request": INVALID_REQUEST,
    "garbage": PARSE_ERROR,
}


def error_response(request_id: int | str | None, error: UnderstudyError) -> dict[str, Any]:
    """A typed error: JSON-RPC's number outside, our code, sentence, hint and field in ``data``."""
    return {
        "jsonrpc": "2.0",
        "id": request_id,
        "error": {
            "code": _NUMBERS.get(error.code, JOB_FAILED),
            "message": error.message,
            "data": error_data(error),
        },
    }


def error_data(error: UnderstudyError) -> dict[str, str]:
    return {"code": error.code, "message": error.message, "hint": error.hint, "field": error.field}
