"""The user's own language model, on a server inside the test: good, slow, rude, failing and malformed ones."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.dialogue.emotions import EMOTIONS
from understudy.backend.errors import BadInput, Cancelled
from understudy.backend.protocol.chat import Character, Endpoint, Remembered
from understudy.backend.roleplay import endpoint as asking
from understudy.backend.roleplay.endpoint import EndpointError, ask
from understudy.backend.roleplay.model_author import conversation, read_words, written

MARA = Character(
    name="Mara", role="lighthouse keeper", knows=["The light turns."], places={"door": [1.0, 2.0]}
)
GOOD = '{"text": "Aye.", "emotion": "proud", "motion": "walks to the door"}'
Reply = Callable[[BaseHTTPRequestHandler, int], None]


def completion(content: Any, **more: Any) -> bytes:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content, **more}}]}).encode()


def sends(body: bytes, status: int = 200, **headers: str) -> Reply:
    def reply(handler: BaseHTTPRequestHandler, number: int) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return reply


class Server:
    """Answers as told; keeps what it was asked."""

    def __init__(self) -> None:
        self.reply: Reply = sends(completion(GOOD))
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["Content-Length"]))
                server.asked.append({"path": self.path, **json.loads(data)})
                server.headers.append({name.lower(): value for name, value in self.headers.items()})
                with contextlib.suppress(OSError):
                    server.reply(self, len(server.asked))

            def log_message(self, *args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(asking, "BACKOFF", 0.01)
    found = Server()
    yield found
    found.http.shutdown()
    found.http.server_close()


def endpoint(server: Server, **more: Any) -> Endpoint:
    return Endpoint(base_url=server.url, model="small", **{"timeout": 10.0, "retries": 1, **more})


def answer(server: Server, **more: Any) -> Any:
    return written(endpoint(server, **more), MARA, [], "Hi", language="en", allow_network=False)


def test_the_model_is_told_who_it_is_and_what_was_said(server: Server) -> None:
    memory = [
        Remembered(who="user", text="Hello"),
        Remembered(who="character", text="Hm.", motion="nods", emotion="calm"),
    ]
    words, warnings = written(
        endpoint(server, temperature=0.5), MARA, memory, "Who are you?", language="de", allow_network=False
    )
    assert (words.text, words.emotion, words.motion, warnings) == ("Aye.", "proud", "walks to the door", [])
    (asked,) = server.asked
    assert (asked["path"], asked["model"], asked["temperature"]) == ("/v1/chat/completions", "small", 0.5)
    assert [message["role"] for message in asked["messages"]] == ["system", "user", "assistant", "user"]
    system = asked["messages"][0]["content"]
    assert all(
        part in system
        for part in ("Mara", "I am a lighthouse keeper.", "The light turns.", "door", "code de")
    )
    assert json.loads(asked["messages"][2]["content"]) == {"text": "Hm.", "emotion": "calm", "motion": "nods"}
    assert "authorization" not in server.headers[0]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (f"```json\n{GOOD}\n```", ("Aye.", "proud", "walks to the door")),
        (f"<think>{{not this}}</think> Here you are: {GOOD} Enjoy!", ("Aye.", "proud", "walks to the door")),
        (
            '{"text": "Aye.", "emotion": "grumpy and furious", "motion": ["nods", "points"],}',
            ("Aye.", "angry", "nods and then points"),
        ),
        (
            '{"text": "*shrugs* Who knows?", "emotion": 7, "motion": null}',
            ("Who knows?", "neutral", "shrugs"),
        ),
        ('{"text": "Mara: Aye.\nAye.", "emotion": "", "motion": "None"}', ("Aye. Aye.", "neutral", "")),
        ('{"thought": 1} {"text": "Aye.", "motion": "Mara sits down."}', ("Aye.", "neutral", "sits down")),
    ],
)
def test_replies_that_can_be_mended(reply: str, expected: tuple[str, str, str]) -> None:
    words = read_words(reply, MARA)
    assert words is not None and (words.text, words.emotion, words.motion) == expected


@given(
    st.text(max_size=200)
    | st.dictionaries(
        st.sampled_from(["text", "emotion", "motion"]),
        st.none() | st.text(max_size=30) | st.integers() | st.lists(st.text(max_size=5)),
    ).map(json.dumps)
)
def test_any_reply_is_an_answer_or_none(reply: str) -> None:
    words = read_words(reply, MARA)
    assert words is None or (words.text.strip() and words.emotion in EMOTIONS and len(words.motion) <= 160)


def test_a_model_that_does_not_follow_is_asked_once_more(server: Server) -> None:
    server.reply = lambda handler, number: sends(completion("Ahoy there!" if number == 1 else GOOD))(
        handler, number
    )
    words, warnings = answer(server)
    assert (words.motion, warnings) == ("walks to the door", [])
    assert [message["role"] for message in server.asked[1]["messages"][-2:]] == ["assistant", "user"]


def test_a_model_that_never_follows_is_taken_at_its_word_with_a_warning(server: Server) -> None:
    server.reply = sends(completion("Ahoy there! *waves*"))
    words, warnings = answer(server)
    assert (words.text, words.motion) == ("Ahoy there!", "waves")
    assert warnings == ["The model small answers in plain text: its words alone are used."]


def drips(handler: BaseHTTPRequestHandler, number: int) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


def hangs_up(handler: BaseHTTPRequestHandler, number: int) -> None:
    handler.connection.close()


SECRET = "sk-secret-0123456789"
KINDS: list[tuple[Reply, str, str, int]] = [
    (
        sends(b'{"error": {"message": "bad key sk-secret-0123456789"}}', 401),
        "endpoint_refused",
        "refuses the key (status 401): bad key ***",
        1,
    ),
    (sends(b"<html>no</html>", 404), "endpoint_refused", "has no such address or model", 1),
    (sends(b'{"error": "quota"}', 400), "endpoint_refused", "refuses the request (status 400): quota", 1),
    (sends(b"oops", 500), "endpoint_failing", "fails (status 500)", 2),
    (sends(b"{}", 429, Retry_After="0"), "endpoint_failing", "has too much to do", 2),
    (sends(b"{}", 503, Retry_After="3600"), "endpoint_failing", "fails (status 503)", 1),
    (sends(b"", 302, Location="http://127.0.0.1:9/elsewhere"), "endpoint_refused", "sends elsewhere", 1),
    (sends(b"<html>hello</html>"), "endpoint_malformed", "is no chat completion", 2),
    (sends(b'{"choices": []}'), "endpoint_malformed", "is no chat completion", 2),
    (sends(completion("")), "endpoint_malformed", "is empty", 2),
    (sends(completion({"a": 1})), "endpoint_malformed", "is no text", 2),
    (sends(completion(None, refusal="No.")), "endpoint_refused", "The model small refuses", 1),
    (sends(completion('{"text": 5')), "endpoint_malformed", "cannot be read", 2),
    (sends(b"[" * 100000), "endpoint_malformed", "is no chat completion", 2),
    (hangs_up, "endpoint_failing", "broke off", 2),
]


@pytest.mark.parametrize(("reply", "code", "words", "times"), KINDS)
def test_every_kind_of_failure_has_its_name(
    server: Server, monkeypatch: pytest.MonkeyPatch, reply: Reply, code: str, words: str, times: int
) -> None:
    monkeypatch.setenv("MY_KEY", SECRET)
    server.reply = reply
    with pytest.raises(EndpointError) as caught:
        answer(server, api_key_env="MY_KEY")
    assert caught.value.code == code and words in caught.value.message
    assert caught.value.hint and caught.value.exit_code == 1
    assert "\n" not in caught.value.message and SECRET not in caught.value.message + caught.value.hint
    assert len(server.asked) == times
    assert all(headers["authorization"] == f"Bearer {SECRET}" for headers in server.headers)


def test_a_server_that_fails_once_is_asked_again(server: Server) -> None:
    server.reply = lambda handler, number: (sends(b"", 500) if number == 1 else sends(completion(GOOD)))(
        handler, number
    )
    assert answer(server)[0].text == "Aye."


@pytest.mark.parametrize("reply", [drips, lambda handler, number: time.sleep(3)])
def test_a_slow_server_is_not_waited_for(server: Server, reply: Reply) -> None:
    server.reply = reply
    began = time.monotonic()
    with pytest.raises(EndpointError, match=r"did not answer within 0.5 seconds") as caught:
        answer(server, timeout=0.5)
    assert caught.value.code == "endpoint_slow" and time.monotonic() - began < 2.5


def test_a_cancel_does_not_wait_for_the_server(server: Server) -> None:
    server.reply = lambda handler, number: time.sleep(3)
    began = time.monotonic()
    with pytest.raises(Cancelled):
        ask(endpoint(server), [], allow_network=False, cancelled=lambda: time.monotonic() - began > 0.2)
    assert time.monotonic() - began < 2.0


def test_nobody_there() -> None:
    nobody = Endpoint(base_url="http://127.0.0.1:9/v1", model="x", retries=0)
    with pytest.raises(EndpointError, match="cannot be reached") as caught:
        ask(nobody, [], allow_network=False)
    assert caught.value.code == "endpoint_unreachable"


def test_another_machine_is_asked_only_where_that_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    far = Endpoint(base_url="https://models.example/v1", model="x", retries=0)
    asked: list[str] = []
    monkeypatch.setattr(
        asking, "_once", lambda endpoint, messages, seed: asked.append(endpoint.base_url) or "yes"
    )
    with pytest.raises(BadInput, match="on another machine, and the network is not allowed") as caught:
        ask(far, [], allow_network=False)
    assert caught.value.field == "allow_network" and not asked
    assert ask(far, [], allow_network=True) == "yes"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:11434/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://[::1]:8080/v1", True),
        ("http://127.0.0.1.example.org/v1", False),
        ("http://localhost.example.org/v1", False),
        ("https://192.168.1.5/v1", False),
    ],
)
def test_what_is_this_machine(url: str, local: bool) -> None:
    assert Endpoint(base_url=url, model="x").local is local


def test_a_key_that_is_not_there_is_told_before_anything_is_sent(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    with pytest.raises(BadInput, match="environment variable MY_KEY with the endpoint's key is not set"):
        answer(server, api_key_env="MY_KEY")
    assert not server.asked


def test_a_proxy_of_the_environment_does_not_see_what_stays_here(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert answer(server)[0].text == "Aye."


def test_a_long_memory_is_cut() -> None:
    memory = [Remembered(who="user", text=str(number)) for number in range(300)]
    messages = conversation(MARA, memory, "now", "en")
    assert len(messages) == 42 and messages[1]["content"] == "260"
