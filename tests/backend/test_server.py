"""The real server in a real child process, with a pipeline that pretends (children/fake_backend.py)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.backend.errors import BadInput, JobFailed
from understudy.backend.motion.npz import clip_from_bytes
from understudy.backend.protocol import framing
from understudy.backend.protocol.wire import BackendError, Client, Event, clips_of

FAKE = Path(__file__).parent / "children" / "fake_backend.py"


@pytest.fixture
def command(repository: Path) -> list[str]:
    return [sys.executable, str(FAKE), str(repository)]


@pytest.fixture
def client(command: list[str]) -> Iterator[Client]:
    with Client(command, options={"warm": False, "client": "tests"}) as client:
        client.poll()
        yield client


def generate(client: Client, **params: Any) -> Any:
    return client.wait(client.request("generate", {"prompt": "walk", **params}), timeout=30)


def poll_until(client: Client, kind: str, seconds: float = 20.0) -> list[Event]:
    events: list[Event] = []
    deadline = time.monotonic() + seconds
    while not any(event.kind == kind for event in events):
        assert time.monotonic() < deadline, events
        events += client.poll()
        time.sleep(0.005)
    return events


def test_initialize_describes_the_backend(client: Client) -> None:
    info = client.info
    assert info["pid"] == client.pid
    assert info["methods"] == [
        "initialize",
        "generate",
        "describe",
        "search",
        "dialogue",
        "chat",
        "cancel",
        "shutdown",
    ]
    assert {"auto", "cpu"} <= set(info["devices"])
    assert info["limits"]["samples"] == [1, 8]
    assert Path(info["log_file"]).is_file()
    assert isinstance(info["packs"], list)


def test_a_prompt_becomes_clips_with_progress(client: Client) -> None:
    reported: list[dict[str, Any]] = []
    request = client.request(
        "generate",
        {"prompt": "走る – wäve 🙂", "seconds": 2, "samples": 2, "seed": 2**31 - 1, "steps": 20},
        on_progress=reported.append,
    )
    result = client.wait(request, timeout=30)
    clips = [clip_from_bytes(data) for data in clips_of(result)]
    assert [len(clip) for clip in clips] == [60, 60]
    assert [clip.meta["sample"] for clip in clips] == [0, 1]
    assert clips[0].meta["prompt"] == "走る – wäve 🙂"
    assert clips[0].meta["seed"] == 2**31 - 1
    assert result["clips"][0]["frames"] == 60

    assert reported[0]["stage"] == "load"
    steps = [progress for progress in reported if progress["stage"] == "diffusion"]
    assert [p["step"] for p in steps] == sorted(p["step"] for p in steps)
    assert steps[-1] == {**steps[-1], "step": 20, "total": 20, "seconds_left": 0.0}
    middle = [p["seconds_left"] for p in steps if 5 <= p["step"] <= 15]
    assert middle
    assert all(0 < left < 20 for left in middle)


def test_the_pack_stays_warm(client: Client) -> None:
    first, second = generate(client), generate(client, seed=1)
    assert [r["clips"][0]["meta"]["loads"] for r in (first, second)] == [1, 1]
    assert generate(client, pack="another")["clips"][0]["meta"]["loads"] == 2
    assert generate(client, seed=5)["clips"][0]["npz"] == generate(client, seed=5)["clips"][0]["npz"]


def test_cancel_stops_at_the_next_step_and_keeps_the_process_warm(client: Client) -> None:
    generate(client)
    request = client.request("generate", {"prompt": "slowly", "steps": 50})  # ten seconds
    poll_until(client, "progress")
    client.cancel(request)
    began = time.monotonic()
    result = generate(client, steps=1, seed=3)
    assert time.monotonic() - began < 5  # a step takes 0.2 s
    assert result["clips"][0]["meta"] == {**result["clips"][0]["meta"], "seed": 3, "loads": 1}
    assert (request.state, request.result) == ("cancelled", None)
    kinds = [event.kind for event in client.poll() if event.request is request]
    assert "result" not in kinds
    assert kinds.count("cancelled") == 1


def test_the_result_of_a_model_that_ignores_the_cancel_is_dropped(client: Client) -> None:
    request = client.request("generate", {"prompt": "deaf", "steps": 20})
    while request.progress.get("stage") != "diffusion":
        client.poll()
        time.sleep(0.005)
    client.cancel(request)
    assert generate(client, seed=9)["clips"][0]["meta"]["seed"] == 9
    assert request.result is None


def test_a_second_job_waits_its_turn_and_can_be_cancelled_there(client: Client) -> None:
    first = client.request("generate", {"prompt": "first", "steps": 25})
    second = client.request("generate", {"prompt": "second", "steps": 1})
    third = client.request("generate", {"prompt": "third", "steps": 1})
    poll_until(client, "progress")
    client.cancel(second)
    assert client.wait(third, 30)["clips"][0]["meta"]["prompt"] == "third"
    assert first.state == "done"  # it came first, so it was finished first
    assert second.state == "cancelled"


def test_a_job_is_cancelled_at_once_while_its_pack_loads(client: Client) -> None:
    request = client.request("generate", {"prompt": "walk", "pack": "endless"})
    poll_until(client, "progress")
    # The raw answer counts here, not the client's own bookkeeping.
    other = client.request("cancel", {"id": request.id})
    began = time.monotonic()
    assert client.wait(other, 10) == {"found": True}
    events = poll_until(client, "cancelled")
    assert time.monotonic() - began < 5
    assert any(event.request is request for event in events)


def test_warming_up_happens_before_the_first_request(command: list[str]) -> None:
    with Client(command, options={"pack": "slow", "device": "cpu"}) as client:
        time.sleep(1.3)
        reported: list[dict[str, Any]] = []
        request = client.request(
            "generate", {"prompt": "x", "pack": "slow", "device": "cpu"}, on_progress=reported.append
        )
        assert client.wait(request, 30)["clips"][0]["meta"]["loads"] == 1
        assert "load" not in [progress["stage"] for progress in reported]


def test_a_failed_warm_up_is_told_by_the_first_request(command: list[str]) -> None:
    with Client(command, options={"pack": "missing"}) as client:
        with pytest.raises(BadInput, match="There is no pack 'missing'"):
            generate(client, pack="missing")
        assert generate(client)["clips"]


@pytest.mark.parametrize(
    ("method", "params", "code", "field"),
    [
        ("generate", {"prompt": ""}, "bad_input", "prompt"),
        ("generate", {"prompt": "a", "seconds": 0}, "bad_input", "seconds"),
        ("generate", {"prompt": "a", "seconds": 1000}, "bad_input", "seconds"),
        ("generate", {"prompt": "a", "seed": 2**31}, "bad_input", "seed"),
        ("generate", {"prompt": "a", "speech": 3}, "bad_input", "speech"),
        ("generate", {"prompt": "refuse"}, "bad_input", "prompt"),
        ("generate", {"prompt": "crash"}, "job_failed", ""),
        ("cancel", {}, "bad_input", "id"),
        ("dance", {}, "unknown_method", ""),
        ("initialize", {"protocol": 99}, "version_mismatch", ""),
        ("shutdown", {"now": True}, "bad_input", "now"),
    ],
)
def test_errors_are_typed_and_leave_the_process_alive(
    client: Client, method: str, params: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises((JobFailed, BadInput)) as caught:
        client.wait(client.request(method, params), timeout=20)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.message
    assert "\n" not in caught.value.message
    assert generate(client)["clips"]


def test_cancelling_nothing_is_no_error(client: Client) -> None:
    assert client.wait(client.request("cancel", {"id": 12345}), 10) == {"found": False}


def test_prints_and_a_flood_on_stderr_do_not_disturb(client: Client) -> None:
    assert generate(client, prompt="babble")["clips"]
    tail = "\n".join(client.log_tail())
    assert "not utf-8" in tail


def test_a_job_that_kills_the_process(client: Client) -> None:
    request = client.request("generate", {"prompt": "die"})
    with pytest.raises(BackendError) as caught:
        client.wait(request, timeout=20)
    assert caught.value.code == "backend_died"
    assert "exit code 7" in caught.value.message
    assert "last words" in caught.value.message
    assert [event.kind for event in client.poll()][-1:] == ["stopped"]


def test_a_process_killed_in_the_middle(client: Client, command: list[str]) -> None:
    request = client.request("generate", {"prompt": "walk", "steps": 50})
    poll_until(client, "progress")
    assert client.pid is not None
    os.kill(client.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    events = poll_until(client, "stopped")
    assert request.state == "failed"
    assert [event.kind for event in events if event.kind != "progress"] == ["error", "stopped"]
    with Client(command, options={"warm": False}) as fresh:
        assert generate(fresh)["clips"]


def test_a_job_that_freezes_is_noticed(command: list[str]) -> None:
    with Client(command, options={"warm": False}, silence_timeout=1.0) as client:
        with pytest.raises(BackendError) as caught:
            generate(client, prompt="freeze")
        assert caught.value.code == "backend_hung"


def raw(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def talk(command: list[str], data: bytes) -> tuple[list[dict[str, Any]], int]:
    """All answers to these bytes, and the exit code after the end of the input."""
    child = raw(command)
    output, _ = child.communicate(data, timeout=20)
    return [framing.decode(body) for body in framing.FrameReader().feed(output)], child.returncode


def test_the_end_of_stdin_ends_the_process_in_the_middle_of_a_job(command: list[str]) -> None:
    child = raw(command)
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(framing.encode(framing.request(1, "initialize", {"protocol": 1, "warm": False})))
    child.stdin.write(framing.encode(framing.request(2, "generate", {"prompt": "freeze"})))
    child.stdin.flush()
    child.stdout.read(20)
    child.stdin.close()
    assert child.wait(timeout=10) == 0
    child.stdout.close()


def test_shutdown_answers_and_ends(command: list[str]) -> None:
    hello = framing.encode(framing.request(1, "initialize", {"protocol": 1, "warm": False}))
    answers, code = talk(command, hello + framing.encode(framing.request(2, "shutdown", {})) + hello)
    assert [answer["id"] for answer in answers] == [1, 2]
    assert code == 0


def test_junk_on_stdin_is_answered_and_ends_the_process(command: list[str]) -> None:
    answers, code = talk(command, b"GET / HTTP/1.1\r\n\r\n")
    assert answers[0]["error"]["code"] == framing.PARSE_ERROR
    assert code == 2


def frame(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not json", framing.PARSE_ERROR),
        (b"[]", framing.PARSE_ERROR),
        (b'{"id": 5}', framing.INVALID_REQUEST),
        (b'{"jsonrpc": "1.0", "id": 5, "method": "generate"}', framing.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": [], "method": "generate"}', framing.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "generate", "params": [1]}', framing.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "generate", "params": {}}', framing.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 5, "method": "nonsense"}', framing.METHOD_NOT_FOUND),
    ],
)
def test_a_wrong_message_does_not_end_the_process(command: list[str], body: bytes, code: int) -> None:
    """The seventh is a request before the greeting."""
    hello = framing.encode(framing.request(9, "initialize", {"protocol": 1, "warm": False}))
    answers, exit_code = talk(command, frame(body) + hello)
    assert [answers[0]["error"]["code"], answers[1]["id"]] == [code, 9]
    assert answers[0]["error"]["data"]["code"]
    assert exit_code == 0


def test_notifications_get_no_answer(command: list[str]) -> None:
    hello = framing.encode(framing.request(9, "initialize", {"protocol": 1, "warm": False}))
    cancel = framing.encode(framing.notification("cancel", {"id": 4}))
    wrong = framing.encode(framing.notification("nonsense", {}))
    answers, _ = talk(command, hello + cancel + wrong)
    assert [answer.get("id") for answer in answers] == [9]


def test_the_same_seed_is_the_same_clip_and_another_is_not(client: Client) -> None:
    one, same, other = (generate(client, seed=seed) for seed in (1, 1, 2))
    clips = [clip_from_bytes(clips_of(result)[0]) for result in (one, same, other)]
    assert np.array_equal(clips[0].poses, clips[1].poses)
    assert not np.array_equal(clips[0].poses, clips[2].poses)
