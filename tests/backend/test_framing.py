"""Frames survive any cutting of the stream; junk is told at once and as nothing else than junk."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.protocol import framing
from understudy.backend.protocol.framing import FrameReader, ProtocolError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=6)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(MESSAGES, st.lists(st.integers(0, 10**6), max_size=30))
def test_any_cutting_gives_the_messages_back(messages: list[dict], cuts: list[int]) -> None:
    stream = b"".join(framing.encode(message) for message in messages)
    reader = FrameReader()
    received = [framing.decode(body) for piece in pieces(stream, cuts) for body in reader.feed(piece)]
    assert received == messages
    assert reader.error is None


def test_byte_by_byte() -> None:
    reader = FrameReader()
    stream = framing.encode({"prompt": "走る é"}) * 2
    received = [body for i in range(len(stream)) for body in reader.feed(stream[i : i + 1])]
    assert [framing.decode(body)["prompt"] for body in received] == ["走る é"] * 2


@given(st.binary(max_size=300))
def test_junk_raises_nothing_else(junk: bytes) -> None:
    reader = FrameReader()
    try:
        for body in reader.feed(junk):
            framing.decode(body)
    except ProtocolError as error:
        assert error.message
        assert "\n" not in error.message


@given(MESSAGES.filter(bool), st.binary(min_size=1, max_size=40).filter(lambda b: b[:1] not in b"cC"))
def test_junk_after_messages_does_not_lose_them(messages: list[dict], junk: bytes) -> None:
    reader = FrameReader()
    bodies = reader.feed(b"".join(framing.encode(message) for message in messages) + junk)
    assert [framing.decode(body) for body in bodies] == messages
    assert reader.error is not None
    with pytest.raises(ProtocolError):
        reader.feed(framing.encode({}))


@pytest.mark.parametrize(
    "junk",
    [
        b"H",
        b"Hello\n",
        b"Content-Length: x\r\n\r\n",
        b"Content-Length: -5\r\n\r\n",
        b"Content-Type: text\r\n\r\n",
        b"Content-Length: 99999999999\r\n\r\n",
        b"Content-Length: 2\n\n{}" + b" " * 5000,
        b"\xff\xfe",
    ],
)
def test_junk_is_told_at_once(junk: bytes) -> None:
    with pytest.raises(ProtocolError):
        FrameReader().feed(junk)


def test_other_headers_are_allowed() -> None:
    body = b'{"a": 1}'
    frame = b"content-length: 8\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n" + body
    assert FrameReader().feed(frame) == [body]


@pytest.mark.parametrize("body", [b"", b"[]", b"3", b"{", b"\xff", b"[" * 100_000])
def test_a_body_must_be_an_object(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        framing.decode(body)


def test_errors_carry_code_sentence_hint_and_field() -> None:
    message = framing.error_response(3, BadInput("No.", hint="Yes.", field="seed"))
    assert message["error"]["code"] == framing.INVALID_PARAMS
    assert message["error"]["data"] == {
        "code": "bad_input",
        "message": "No.",
        "hint": "Yes.",
        "field": "seed",
    }
    assert json.loads(framing.encode(message).split(b"\r\n\r\n")[1]) == message
