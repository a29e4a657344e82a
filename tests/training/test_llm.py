"""The client of a language model, against a real endpoint on this machine: what it sends, retries, journals, replays."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from understudy.backend.errors import BadInput, JobFailed
from understudy.training.data.interx_texts import AnnotationSettings
from understudy.training.words import llm
from understudy.training.words.llm import Chat, Endpoint, Question, messages, read_config

Reply = tuple[int, Any, dict[str, str]]


class Server:
    """An OpenAI-compatible endpoint; ``answers`` decides on each request, given its JSON and its number."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.busy = self.most_busy = 0
        self.lock = threading.Lock()
        self.answers: Callable[[dict[str, Any], int], Any] = lambda request, number: f"answer {number}"
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with owner.lock:
                    owner.requests.append(body)
                    owner.headers.append({key.lower(): value for key, value in self.headers.items()})
                    owner.paths.append(self.path)
                    number = len(owner.requests)
                    owner.busy += 1
                    owner.most_busy = max(owner.busy, owner.most_busy)
                try:
                    reply = owner.answers(body, number)
                finally:
                    with owner.lock:
                        owner.busy -= 1
                status, content, headers = reply if isinstance(reply, tuple) else (200, completion(reply), {})
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for key, value in {
                    "content-type": "application/json",
                    "content-length": str(len(data)),
                    **headers,
                }.items():
                    self.send_header(key, value)
                self.end_headers()
                with contextlib.suppress(OSError):  # the client did not wait
                    self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def completion(text: Any, tokens: tuple[int, int] = (100, 10)) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "1", "object": "chat.completion", "created": 0, "model": "served",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)},
    }  # fmt: skip


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "OPENAI_API_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    running = Server()
    yield running
    running.close()


def endpoint(server: Server, **changes: Any) -> Endpoint:
    return Endpoint(
        **{"base_url": server.url, "model": "m", "backoff": 0.01, "timeout": 5.0, "retries": 3, **changes}
    )


def question(name: str = "q", number: int = 0, **changes: Any) -> Question:
    return Question(name=name, messages=messages("be brief", f"say {name}"), number=number, **changes)


def test_what_is_sent_is_what_was_configured(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-secret")
    settings = endpoint(
        server,
        api_key_env="MY_KEY",
        temperature=1.0,
        presence_penalty=1.0,
        max_tokens=64,
        seed=7,
        json_answers=True,
    )
    with Chat(settings, tmp_path / "journal.jsonl") as chat:
        assert chat.ask(question(number=2, wants_json=True)) == "answer 1"
        chat.ask(question("r"))
    first, second = server.requests
    assert first == {
        "model": "m", "temperature": 1.0, "presence_penalty": 1.0, "max_tokens": 64, "seed": 9,
        "response_format": {"type": "json_object"},
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "say q"}],
    }  # fmt: skip
    assert second["seed"] == 7 and "response_format" not in second
    assert server.paths == ["/v1/chat/completions"] * 2
    assert server.headers[0]["authorization"] == "Bearer sk-secret"
    assert "secret" not in (tmp_path / "journal.jsonl").read_text()


def test_tokens_and_cost_are_counted_of_the_run_and_of_the_journal(server: Server, tmp_path: Path) -> None:
    settings = endpoint(server, price_in=2.0, price_out=10.0)
    for run in (1, 2):
        with Chat(settings, tmp_path / "j.jsonl") as chat:
            for name in ("a", "b", f"run {run}"):
                chat.ask(question(name))
            assert chat.usage.asked == (3 if run == 1 else 1) and chat.usage.known == (0 if run == 1 else 2)
            assert chat.usage.cost == pytest.approx(chat.usage.asked * (100 * 2 + 10 * 10) / 1e6)
    assert chat.total.asked == 4 and chat.total.tokens_in == 400 and chat.total.tokens_out == 40
    assert len(server.requests) == 4


def test_a_run_that_was_killed_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    journal = tmp_path / "j.jsonl"
    with Chat(endpoint(server), journal) as chat:
        answers = [chat.ask(question(name)) for name in "abc"]
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-15] if whole.endswith(b"\n") else whole)  # the kill came within a line
    with Chat(endpoint(server), journal) as chat:
        assert [chat.ask(question(name)) for name in "ab"] == answers[:2]
        assert len(server.requests) == 3
        assert chat.ask(question("c")) == "answer 4"
    rows = [json.loads(line) for line in journal.read_text().splitlines()]
    assert [row["name"] for row in rows] == ["a", "b", "c"]


def test_another_question_setting_or_number_is_another_answer(server: Server, tmp_path: Path) -> None:
    asked = [
        (question(), {}),
        (question(number=1), {}),
        (question("r"), {}),
        (question(), {"temperature": 0.5}),
        (question(), {"model": "n"}),
    ]
    for one, changes in [*asked, *asked]:
        with Chat(endpoint(server, **changes), tmp_path / "j.jsonl") as chat:
            chat.ask(one)
    assert len(server.requests) == len(asked)


def test_the_same_question_from_many_threads_is_asked_once(server: Server, tmp_path: Path) -> None:
    server.answers = lambda request, number: time.sleep(0.05) or f"answer {number}"
    with Chat(endpoint(server, concurrency=8), tmp_path / "j.jsonl") as chat:
        assert set(chat.map(chat.ask, [question()] * 16)) == {"answer 1"}
    assert len(server.requests) == 1 and chat.usage.asked == 1


def test_many_at_a_time_and_in_order_and_no_more_taken_than_needed(server: Server, tmp_path: Path) -> None:
    server.answers = lambda request, number: time.sleep(0.02) or request["messages"][1]["content"]
    taken = 0

    def tasks() -> Iterator[Question]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield question(str(number))

    with Chat(endpoint(server, concurrency=4), tmp_path / "j.jsonl") as chat:
        results = chat.map(chat.ask, tasks())
        assert [next(results) for _ in range(10)] == [f"say {k}" for k in range(10)]
        assert taken < 30
        results.close()  # type: ignore[attr-defined]
    assert 2 <= server.most_busy <= 4


@pytest.mark.parametrize(
    "failure",
    [
        (500, {"error": {"message": "oops"}}, {}),
        (503, b"<html>busy</html>", {"content-type": "text/html"}),
        (429, {"error": {"message": "slow down"}}, {"retry-after": "0.02"}),
        (200, b"not json", {}),
        (200, {"choices": []}, {}),
        (200, {"hello": "world"}, {}),
        (200, b"hello", {"content-type": "text/plain"}),
        (
            200,
            {**completion("x"), "choices": [{"index": 0, "message": {"role": "assistant", "content": [1]}}]},
            {},
        ),
        (200, b"", {"content-length": "50"}),
    ],
)
def test_a_failing_endpoint_is_asked_again(server: Server, tmp_path: Path, failure: Reply) -> None:
    server.answers = lambda request, number: failure if number < 3 else "at last"
    with Chat(endpoint(server), tmp_path / "j.jsonl") as chat:
        assert chat.ask(question()) == "at last"
        assert chat.usage.retries == 2 and chat.usage.asked == 1
    assert len((tmp_path / "j.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("failure", "words", "asked"),
    [
        ((500, {"error": {"message": "oops"}}, {}), "status 500: oops", 4),
        ((200, b"not json", {}), "no chat completion", 4),
        ((401, {"error": {"message": "bad key"}}, {}), "status 401: bad key", 1),
        ((404, {"error": {"message": "no such model"}}, {}), "status 404: no such model", 1),
        ((400, {"error": {"message": "unknown field seed"}}, {}), "unknown field seed", 1),
        ((429, {"error": {"message": "pay", "code": "insufficient_quota"}}, {}), "status 429", 1),
        ((429, {"error": {"message": "wait"}}, {"retry-after": "900"}), "wait 900 s", 1),
    ],
)
def test_a_refusal_is_one_sentence(
    server: Server, tmp_path: Path, failure: Reply, words: str, asked: int
) -> None:
    server.answers = lambda request, number: failure
    with Chat(endpoint(server), tmp_path / "j.jsonl") as chat, pytest.raises(JobFailed, match=words) as error:
        chat.ask(question())
    assert len(server.requests) == asked and "\n" not in error.value.message
    assert (tmp_path / "j.jsonl").read_bytes() == b""


def test_a_slow_endpoint_is_not_waited_for(server: Server, tmp_path: Path) -> None:
    server.answers = lambda request, number: time.sleep(0.5) or "late"
    settings = endpoint(server, timeout=0.1, retries=1)
    with Chat(settings, tmp_path / "j.jsonl") as chat, pytest.raises(JobFailed, match=r"within 0\.1 s"):
        chat.ask(question())


def test_an_endpoint_that_is_not_there(server: Server, tmp_path: Path) -> None:
    settings = endpoint(server, base_url="http://127.0.0.1:9/v1", retries=0)
    with Chat(settings, tmp_path / "j.jsonl") as chat, pytest.raises(JobFailed, match="cannot be reached"):
        chat.ask(question())


def test_an_empty_answer_is_an_answer(server: Server, tmp_path: Path) -> None:
    server.answers = lambda request, number: (200, completion(None), {})
    with Chat(endpoint(server), tmp_path / "j.jsonl") as chat:
        assert chat.ask(question()) == ""


def test_a_failure_ends_the_work_and_keeps_what_is_answered(server: Server, tmp_path: Path) -> None:
    server.answers = lambda request, number: (
        "fine" if number <= 5 else (401, {"error": {"message": "key gone"}}, {})
    )
    with (
        Chat(endpoint(server, concurrency=2), tmp_path / "j.jsonl") as chat,
        pytest.raises(JobFailed, match="key gone"),
    ):
        list(chat.map(chat.ask, [question(str(k)) for k in range(100)]))
    assert len(server.requests) < 15
    assert len((tmp_path / "j.jsonl").read_text().splitlines()) == 5


def test_a_budget_is_kept(server: Server, tmp_path: Path) -> None:
    settings = endpoint(server, price_in=10.0, budget=0.0025)  # 0.001 a question
    with Chat(settings, tmp_path / "j.jsonl") as chat, pytest.raises(JobFailed, match="budget"):
        for name in "abcdef":
            chat.ask(question(name))
    assert len(server.requests) == 3
    with Chat(settings, tmp_path / "j.jsonl") as chat:
        assert chat.ask(question("a")) == "answer 1"  # known answers cost nothing


def test_one_process_at_a_time_holds_a_journal(server: Server, tmp_path: Path) -> None:
    with Chat(endpoint(server), tmp_path / "j.jsonl"), pytest.raises(BadInput, match="Another run"):
        Chat(endpoint(server), tmp_path / "j.jsonl")


def test_lines_of_a_journal_that_are_not_ours_are_passed_over(server: Server, tmp_path: Path) -> None:
    (tmp_path / "j.jsonl").write_text('{"key": 1}\nnoise\n[]\n')
    with Chat(endpoint(server), tmp_path / "j.jsonl") as chat:
        assert chat.ask(question()) == "answer 1"


# ------------------------------------------------------------------------------- recorded answers


def test_recorded_answers_need_no_endpoint(tmp_path: Path) -> None:
    recorded = tmp_path / "recorded.jsonl"
    recorded.write_text('{"name": "q", "answer": "from the tape"}\n\n')
    with Chat(Endpoint(answers=recorded), tmp_path / "j.jsonl") as chat:
        assert chat.ask(question()) == "from the tape"
        with pytest.raises(JobFailed, match="no recorded answer to r"):
            chat.ask(question("r"))


def test_a_journal_can_be_replayed(server: Server, tmp_path: Path) -> None:
    with Chat(endpoint(server), tmp_path / "first.jsonl") as chat:
        chat.ask(question())
    with Chat(Endpoint(answers=tmp_path / "first.jsonl"), tmp_path / "second.jsonl") as chat:
        assert chat.ask(question()) == "answer 1" and chat.usage.cost == 0
    assert len(server.requests) == 1


@pytest.mark.parametrize("content", ["{", '{"name": "q"}', "[]", "3"])
def test_broken_recorded_answers_are_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "r.jsonl").write_text(content)
    with pytest.raises(BadInput, match="Line 1"):
        Chat(Endpoint(answers=tmp_path / "r.jsonl"), tmp_path / "j.jsonl")


# --------------------------------------------------------------------------------- configuration


def test_nothing_is_sent_before_the_endpoint_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk")
    for settings, word in ((Endpoint(), "base_url"), (Endpoint(base_url="http://127.0.0.1:1/v1"), "model")):
        with pytest.raises(BadInput, match=word):
            Chat(settings, tmp_path / "j.jsonl")


def test_a_key_is_wanted_away_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    settings = Endpoint(base_url="https://example.invalid/v1", model="m", api_key_env="MY_KEY")
    with pytest.raises(BadInput, match="MY_KEY"):
        Chat(settings, tmp_path / "j.jsonl")
    Chat(settings.model_copy(update={"api_key_env": ""}), tmp_path / "j.jsonl").close()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("llm: {model: m, api_key: sk-1}", "llm.api_key"),
        ("llm: {base_url: 'ftp://x'}", "llm.base_url"),
        ("llm: {temperature: 9}", "llm.temperature"),
        ("repeat: 5", "llm"),
        ("[1", "cannot be read"),
        ("3", "wrong"),
    ],
)
def test_a_wrong_configuration_is_named(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=word):
        read_config(AnnotationSettings, path)


def test_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("llm: {base_url: 'http://127.0.0.1:1/v1/', model: m, answers: tape.jsonl}\nrepeat: 3\n")
    settings = read_config(AnnotationSettings, path)
    assert (
        settings.llm.base_url == "http://127.0.0.1:1/v1" and settings.repeat == 3 and settings.attempts == 5
    )
    assert settings.llm.answers == tmp_path / "tape.jsonl"


def test_the_example_is_a_configuration() -> None:
    path = Path(llm.__file__).parents[1] / "configs/annotate.yaml"
    settings = read_config(AnnotationSettings, path)
    assert (settings.attempts, settings.repeat) == (5, 5)
    assert set(yaml.safe_load(path.read_text("utf-8"))["llm"]) <= set(Endpoint.model_fields)
