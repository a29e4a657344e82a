"""The backend process as the add-on keeps it: warm, replaced when dead, never waited for without end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

from understudy.addon.preferences import settings as preferences
from understudy.addon.process import client
from understudy.addon.process.client import backend
from understudy.backend.errors import BadInput, Cancelled, JobFailed, UnderstudyError

PARAMS = {"prompt": "a person walks", "seconds": 2.0, "seed": 1, "pack": "open", "device": "auto"}
Fake = Callable[[str], None]


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Poll as the window's timer does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        backend.poll()
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_nothing_runs_before_it_is_needed() -> None:
    assert backend.state == "off"
    assert backend.client is None


def test_one_process_serves_many_jobs(fake: Fake) -> None:
    clips = backend.wait(backend.submit(PARAMS))
    assert backend.client is not None
    pid = backend.client.pid
    assert len(clips[0]) == 60
    assert backend.state == "ready"
    backend.wait(backend.submit({**PARAMS, "seed": 2}))
    assert backend.client.pid == pid


def test_progress_is_told_while_the_job_runs(fake: Fake) -> None:
    fake("slow")
    job = backend.submit(PARAMS)
    until(lambda: job.fraction > 0)
    assert job.stage == "refine"
    assert 0 < job.fraction < 1
    assert job.seconds_left is not None and job.seconds_left > 0
    assert backend.busy


def test_one_job_at_a_time(fake: Fake) -> None:
    fake("slow")
    backend.submit(PARAMS)
    with pytest.raises(JobFailed, match="under way"):
        backend.submit(PARAMS)


def test_cancel_keeps_the_process_and_the_next_job_gets_its_own_result(fake: Fake) -> None:
    """Peers' bug: the cancelled result was imported anyway, and every later answer was the one before."""
    fake("slow")
    job = backend.submit(PARAMS)
    until(lambda: job.fraction > 0)
    assert backend.client is not None
    pid = backend.client.pid
    backend.cancel()
    assert job.state == "cancelled" and not backend.busy
    assert job.request is not None and job.request.state == "cancelled"  # the backend was told, too
    with pytest.raises(Cancelled):
        backend.wait(job)
    fake("well")  # does not matter: the process is the same
    second = backend.submit(PARAMS)
    until(lambda: second.fraction > 0)
    assert backend.client.pid == pid
    assert job.clips == []


def test_a_result_that_comes_after_cancel_is_dropped(fake: Fake) -> None:
    fake("deaf")  # finishes its work although it was told to stop
    first = backend.submit(PARAMS)
    until(lambda: first.fraction > 0)
    backend.cancel()
    second = backend.submit({**PARAMS, "seconds": 3.0})
    clips = backend.wait(second)
    assert len(clips[0]) == 90
    assert first.state == "cancelled" and first.clips == []


def test_a_flood_on_stderr_blocks_nothing(fake: Fake) -> None:
    """Peers' bug: an unread stderr pipe blocked the child."""
    fake("floods")
    assert backend.wait(backend.submit(PARAMS), timeout=20)


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("dies", "ended unexpectedly"),  # also: bytes on stderr that are not UTF-8
        ("babbles", "confused"),
        ("newer", "protocol 99"),
        ("fails", "pack is not there"),
        ("rubbish", "npz|zip"),
    ],
)
def test_every_failure_is_a_sentence_and_the_next_job_works(fake: Fake, behaviour: str, words: str) -> None:
    fake(behaviour)
    with pytest.raises(UnderstudyError, match=words) as caught:
        backend.wait(backend.submit(PARAMS), timeout=20)
    assert caught.value.message.endswith((".", "\ufffd"))
    assert "\n" not in caught.value.message
    assert backend.error is caught.value
    assert not backend.busy
    fake("well")
    backend.restart()
    assert backend.error is None
    assert backend.wait(backend.submit(PARAMS))


def test_a_child_that_never_answers_is_given_up(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Peers' bug: a child that hangs without printing froze the start forever."""
    fake("silent")
    job = backend.submit(PARAMS)
    assert backend.client is not None
    backend.client.start_timeout = 0.3
    pid = backend.client.pid
    with pytest.raises(UnderstudyError, match="did not answer"):
        backend.wait(job, timeout=10)
    assert backend.state == "stopped"
    until(lambda: backend.client._pipes.process.poll() is not None)
    assert pid is not None and not alive(pid)


def test_a_job_without_end_is_given_up_in_background(fake: Fake) -> None:
    fake("slow")
    job = backend.submit(PARAMS)
    with pytest.raises(JobFailed, match="did not finish"):
        backend.wait(job, timeout=0.3)
    assert job.state == "cancelled"


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_process_killed_in_the_middle_is_reported_and_one_killed_at_rest_is_replaced(fake: Fake) -> None:
    fake("slow")
    job = backend.submit(PARAMS)
    until(lambda: job.fraction > 0)
    assert backend.client is not None and backend.client.pid is not None
    os.kill(backend.client.pid, signal.SIGKILL)
    with pytest.raises(UnderstudyError, match="signal 9"):
        backend.wait(job, timeout=10)
    fake("well")
    backend.wait(backend.submit(PARAMS))
    first = backend.client.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: backend.state == "stopped")
    backend.wait(backend.submit(PARAMS))
    assert backend.client.pid != first


def test_loading_a_file_cancels_the_job(fake: Fake) -> None:
    fake("slow")
    job = backend.submit(PARAMS)
    bpy.ops.wm.read_homefile(use_empty=True)
    assert job.state == "cancelled"


# -- which interpreter ------------------------------------------------------------------------------


def test_the_environment_variable_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    python = tmp_path / "my python"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    monkeypatch.setenv("UNDERSTUDY_PYTHON", str(python))
    assert preferences.find_python() == str(python)


def test_a_wrong_interpreter_is_named_with_its_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_PYTHON", "/nowhere/python")
    with pytest.raises(BadInput, match=r"UNDERSTUDY_PYTHON.*/nowhere/python"):
        backend.submit(PARAMS)
    assert backend.error is not None
    assert backend.state == "off"


def test_a_checkout_uses_its_own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also through the link by which developers install the extension."""
    monkeypatch.delenv("UNDERSTUDY_PYTHON", raising=False)
    folder = tmp_path / "checkout/.venv" / ("Scripts" if os.name == "nt" else "bin")
    folder.mkdir(parents=True)
    python = folder / ("python.exe" if os.name == "nt" else "python")
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    link = tmp_path / "extensions" / "understudy"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "checkout", target_is_directory=True)
    monkeypatch.setattr(preferences, "PACKAGE_DIR", link)
    assert Path(preferences.find_python()).resolve() == python


def test_a_stripped_path_is_no_obstacle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Peers' bug: Blender started from the desktop has a PATH without the usual folders."""
    monkeypatch.delenv("UNDERSTUDY_PYTHON", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(preferences, "PACKAGE_DIR", tmp_path)
    assert os.access(preferences.find_python(), os.X_OK)


def test_without_preferences_the_defaults_hold() -> None:
    assert preferences.PACKAGE not in bpy.context.preferences.addons
    assert preferences.get() == preferences.Settings()


def test_check_tells_what_an_interpreter_lacks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("UNDERSTUDY_PYTHON", str(python))
    with pytest.raises(RuntimeError, match=r"missing: .*pydantic"):
        bpy.ops.understudy.check_python()


def test_the_licence_of_the_pack_is_known(fake: Fake) -> None:
    backend.wait(backend.submit(PARAMS))
    assert client.packs.licences["open"] == "CC-BY-4.0"
    assert client.packs.licences["styles"] == "CC-BY-NC-4.0"
    assert [item[0] for item in client.packs.items] == ["open", "styles"]
