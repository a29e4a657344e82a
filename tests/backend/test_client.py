"""Children that misbehave: each ends in a typed error within its time, none blocks the parent."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from understudy.backend.errors import Cancelled, JobFailed
from understudy.backend.protocol.wire import PROTOCOL_VERSION, BackendError, Client, backend_command

CHILDREN = Path(__file__).parent / "children"
VERSION = str(PROTOCOL_VERSION)

MakeClient = Callable[..., Client]


@pytest.fixture
def child() -> Iterator[MakeClient]:
    clients = []

    def make(script: str, *arguments: str, **options: float) -> Client:
        client = Client([sys.executable, str(CHILDREN / script), *arguments], **options)  # type: ignore[arg-type]
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


def fails_to_start(client: Client) -> BackendError:
    with pytest.raises(BackendError) as caught:
        client.start()
    assert client.state == "stopped"
    return caught.value


def test_a_program_that_is_not_there() -> None:
    error = fails_to_start(Client(["/no/such/python"]))
    assert error.code == "backend_missing"
    assert "/no/such/python" in error.message


def test_a_child_that_hangs_without_a_word(child: MakeClient) -> None:
    began = time.monotonic()
    error = fails_to_start(child("hangs.py", start_timeout=0.5))
    assert error.code == "backend_hung"
    assert "0.5 seconds" in error.message
    assert time.monotonic() - began < 5


def test_starting_does_not_block_a_window(child: MakeClient) -> None:
    client = child("hangs.py", start_timeout=0.3)
    client.open()
    events = []
    slowest = 0.0
    while not events:
        began = time.monotonic()
        events += client.poll()
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.01)
    assert [event.kind for event in events] == ["stopped"]
    assert slowest < 0.2


def test_garbage_is_told_at_once(child: MakeClient) -> None:
    began = time.monotonic()
    error = fails_to_start(child("babbles.py"))
    assert error.code == "backend_garbage"
    assert "Welcome to the machine!" in error.message
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("answer", ['{"protocol": 99}', '{"protocol": "1"}', "{}", "null", "[1]"])
def test_another_version_is_refused(child: MakeClient, answer: str) -> None:
    error = fails_to_start(child("other_version.py", answer))
    assert error.code == "version_mismatch"


def test_a_child_that_dies_leaves_its_exit_code_and_last_words(child: MakeClient) -> None:
    error = fails_to_start(child("dies.py"))
    assert error.code == "backend_died"
    assert "exit code 3" in error.message
    assert error.message.endswith("no module named \ufffd\ufffdtorch")


@pytest.mark.skipif(os.name == "nt", reason="Windows closes the pipe with its owner")
def test_a_dead_child_is_noticed_although_its_own_child_holds_the_pipe(child: MakeClient) -> None:
    began = time.monotonic()
    error = fails_to_start(child("leaves_a_child.py"))
    assert (error.code, "exit code 4" in error.message) == ("backend_died", True)
    assert time.monotonic() - began < 6


def test_a_child_that_does_not_read_blocks_nobody(child: MakeClient) -> None:
    client = child("does_not_read.py", VERSION, silence_timeout=0.5)
    client.start()
    began = time.monotonic()
    request = client.request("generate", {"prompt": "x" * 3_000_000})  # far more than a pipe holds
    assert time.monotonic() - began < 1
    with pytest.raises(BackendError) as caught:
        client.wait(request, timeout=10)
    assert caught.value.code == "backend_hung"
    client.close()
    assert client._pipes is not None
    assert client._pipes.process.poll() is not None
    assert not any(thread.is_alive() for thread in client._pipes._threads)


def test_a_child_that_ignores_polite_ends_is_killed(child: MakeClient) -> None:
    client = child("does_not_read.py", VERSION)
    client.start()
    began = time.monotonic()
    client.close(timeout=0.9)
    assert time.monotonic() - began < 4
    assert client._pipes is not None
    assert client._pipes.process.poll() is not None


def test_wait_gives_up_after_its_time(child: MakeClient) -> None:
    client = child("does_not_read.py", VERSION)
    client.start()
    request = client.request("generate", {})
    with pytest.raises(JobFailed, match=r"did not answer within 0\.2 seconds"):
        client.wait(request, timeout=0.2)
    assert request.state == "cancelled"


def test_a_late_result_of_a_cancelled_request_is_dropped(child: MakeClient) -> None:
    client = child("answers_late.py", VERSION)
    client.start()
    client.poll()
    reported = []
    first = client.request("generate", {}, on_progress=reported.append)
    client.cancel(first)
    client.cancel(first)
    second = client.request("generate", {})
    assert client.wait(second, timeout=10) == "second"
    events = client.poll()
    assert [(event.kind, event.request) for event in events] == [("cancelled", first)]
    assert (first.state, first.result, reported) == ("cancelled", None, [])
    with pytest.raises(Cancelled):
        client.wait(first)


def test_requests_to_a_stopped_backend_are_refused(child: MakeClient) -> None:
    client = child("dies.py")
    fails_to_start(client)
    with pytest.raises(BackendError) as caught:
        client.request("generate", {})
    assert caught.value.code == "backend_died"


def test_the_real_backend_starts_from_any_folder_name(tmp_path: Path, repository: Path) -> None:
    """Blender keeps the extension beside others, a checkout may be called anything."""
    folder = tmp_path / "söme folder" / "main"
    folder.parent.mkdir()
    folder.symlink_to(repository, target_is_directory=True)
    (tmp_path / "numpy.py").write_text("raise RuntimeError('a stray file was imported')")
    client = Client(backend_command(sys.executable, folder), cwd=str(tmp_path), options={"warm": False})
    try:
        info = client.start()
    finally:
        client.close()
    assert info["protocol"] == PROTOCOL_VERSION
    assert info["limits"]["seconds"] == [0.5, 60.0]
    assert "cpu" in info["devices"]


def test_the_parents_python_settings_do_not_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/blender/python")
    monkeypatch.setenv("PYTHONPATH", "/blender/modules")
    with Client(backend_command(sys.executable), options={"warm": False}) as client:
        assert client.info["version"]


def test_the_client_needs_the_standard_library_only() -> None:
    """It runs in Blender's Python, which has neither pydantic nor rich."""
    code = (
        "import sys; import understudy.backend.protocol.wire;"
        "known = set(sys.stdlib_module_names) | {'understudy', '__main__'};"
        "extra = {name.split('.')[0] for name in set(sys.modules) - before} - known;"
        "print(sorted(name for name in extra if not name.startswith('_')))"
    )
    code = "import sys; before = set(sys.modules);" + code
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert child.stdout.strip() == "[]"
