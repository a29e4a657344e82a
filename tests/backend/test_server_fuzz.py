"""Whatever a client sends in well-formed frames: each request gets one answer, and the server lives on."""

from __future__ import annotations

import os
import threading
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.process.server import Server
from understudy.backend.protocol import framing

VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
PARAMS = st.dictionaries(
    st.sampled_from(["prompt", "seconds", "seed", "pack", "id", "protocol", "warm", "x"]),
    VALUES | st.lists(VALUES, max_size=2),
    max_size=4,
)
METHODS = st.sampled_from(["initialize", "generate", "cancel", "describe", ""])


def refuse(pack: str, device: str) -> Any:
    raise BadInput("No pack here.")


def converse(messages: list[Any]) -> list[dict[str, Any]]:
    """All answers to these messages, from a server that has no pack."""
    source, to_server = os.pipe()
    from_server, sink = os.pipe()
    server = Server(source, sink, refuse)
    codes = []
    thread = threading.Thread(target=lambda: codes.append(server.run()), daemon=True)
    thread.start()
    frames = b"".join(framing.encode(message) for message in messages)
    answers: list[dict[str, Any]] = []
    reader = framing.FrameReader()
    with os.fdopen(to_server, "wb") as stream:
        stream.write(frames)
        stream.write(framing.encode(framing.request(999_999, "last", {})))
        stream.flush()
        waiting = {message["id"] for message in messages if message.get("method") == "generate"}
        while not any(answer["id"] == 999_999 for answer in answers) or waiting - {a["id"] for a in answers}:
            for body in reader.feed(os.read(from_server, 65536)):
                message = framing.decode(body)
                if "id" in message:
                    answers.append(message)
    thread.join(timeout=10)
    assert codes == [0]
    for descriptor in (source, sink, from_server):
        os.close(descriptor)
    return answers


@given(st.lists(st.tuples(METHODS, PARAMS), max_size=8))
def test_every_request_gets_one_answer(calls: list[tuple[str, dict[str, Any]]]) -> None:
    hello = framing.request(1, "initialize", {"protocol": framing.PROTOCOL_VERSION, "warm": False})
    requests = [framing.request(number, *call) for number, call in enumerate(calls, start=2)]
    answers = converse([hello, *requests])
    assert Counter(answer["id"] for answer in answers) == Counter([*range(1, len(calls) + 2), 999_999])
    for answer in answers:
        if "error" in answer:
            data = answer["error"]["data"]
            assert data["code"]
            assert data["message"]
            assert "\n" not in data["message"]
