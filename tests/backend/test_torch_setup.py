"""Torch set up in a folder of its own, from a folder of wheels: whole, interrupted, cancelled, refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from understudy.backend import torch_setup
from understudy.backend.errors import BadInput, Cancelled, JobFailed
from understudy.backend.protocol import torch_environment
from understudy.backend.protocol.torch_environment import BEGUN, READY, interpreter, state
from understudy.backend.torch_setup import set_up

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ["numpy==1.26.4", "torch==2.13.0", "transformers==5.23.0", "vector-quantize-pytorch==1.32.0"]
"""Enough for the check at the end; stand-ins of a few bytes, since nothing is fetched in tests."""
TORCH = """\
__version__ = "2.13.0"
class cuda: is_available = staticmethod(lambda: False)
class mps: is_available = staticmethod(lambda: False)
class backends: mps = mps
"""


def add_wheel(folder: Path, pinned: str) -> None:
    """A wheel with one module."""
    name, _, version = pinned.partition("==")
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {
        f"{module}/__init__.py": TORCH if name == "torch" else "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in files) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{module}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for library in LIBRARIES:
        add_wheel(folder, library)
    monkeypatch.setattr(torch_environment, "libraries", lambda: LIBRARIES)
    monkeypatch.setattr(torch_setup, "_uv", lambda: None)
    return folder


def test_it_is_made_once(wheels: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "torch"
    told: list[dict[str, Any]] = []
    assert state(folder)["state"] == "absent"
    found = set_up(folder, "cpu", told.append, wheels=wheels)
    assert found["state"] == "ready" and found["torch"] == "2.13.0" and found["devices"] == ["cpu"]
    assert state(folder) == found
    assert [one["text"] for one in told if one["stage"] == "install"] == LIBRARIES
    assert [one["step"] for one in told] == sorted(one["step"] for one in told)
    assert told[-1]["step"] == told[-1]["total"]
    printed = subprocess.run(
        [found["python"], "-c", "import torch; print(torch.__version__)"], capture_output=True, text=True
    )
    assert printed.stdout.strip() == "2.13.0"
    told.clear()
    assert set_up(folder, "cpu", told.append, wheels=wheels) == found and not told
    torch_setup.remove(folder)
    assert not folder.exists()


def test_what_failed_goes_on_where_it_stopped(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "torch"
    missing = wheels / "transformers-5.23.0-py3-none-any.whl"
    missing.rename(tmp_path / missing.name)
    with pytest.raises(JobFailed, match="transformers") as caught:
        set_up(folder, "auto", lambda about: None, wheels=wheels)
    assert "goes on" in caught.value.hint
    assert state(folder) == {"state": "unfinished", "python": None}
    (tmp_path / missing.name).rename(missing)
    (module,) = folder.glob("**/torch/__init__.py")
    before = module.stat()
    made = torch_setup._make_environment
    monkeypatch.setattr(torch_setup, "_make_environment", lambda *rest: pytest.fail("it was made before"))
    assert set_up(folder, "auto", lambda about: None, wheels=wheels)["state"] == "ready"
    assert module.stat().st_mtime_ns == before.st_mtime_ns and module.stat().st_ino == before.st_ino
    # An environment whose making was interrupted is made anew.
    (folder / READY).unlink()
    interpreter(folder).unlink()
    monkeypatch.setattr(torch_setup, "_make_environment", made)
    assert set_up(folder, "auto", lambda about: None, wheels=wheels)["state"] == "ready"


def test_cancelling_ends_the_child_and_keeps_what_is_done(wheels: Path, tmp_path: Path) -> None:
    folder, stop = tmp_path / "torch", threading.Event()

    def report(about: dict[str, Any]) -> None:
        if about["text"].startswith("torch") and about["stage"] == "install":
            stop.set()

    with pytest.raises(Cancelled):
        set_up(folder, "auto", report, wheels=wheels, cancelled=stop)
    assert state(folder)["state"] == "unfinished"
    assert set_up(folder, "auto", lambda about: None, wheels=wheels)["state"] == "ready"


@pytest.mark.skipif(os.name == "nt", reason="process groups of POSIX")
def test_a_running_child_and_its_children_are_ended(tmp_path: Path) -> None:
    stop, note = threading.Event(), tmp_path / "pid"
    child = f"import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); open({str(note)!r}, 'w').write(str(p.pid)); time.sleep(60)"
    threading.Thread(target=lambda: (_until(note.exists), time.sleep(0.3), stop.set()), daemon=True).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        torch_setup._run([sys.executable, "-c", child], stop)
    assert time.monotonic() - began < 20
    grandchild = Path(f"/proc/{note.read_text()}/stat")
    _until(lambda: not grandchild.exists() or grandchild.read_text().rpartition(")")[2].split()[0] == "Z")


def _until(met: Any, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_network_has_to_be_allowed(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="online access is not allowed"):
        set_up(tmp_path / "torch", "auto", lambda about: None)
    assert not (tmp_path / "torch").exists()
    with pytest.raises(BadInput, match="not a folder of wheels"):
        set_up(tmp_path / "torch", "auto", lambda about: None, wheels=tmp_path / "nowhere")


def test_a_folder_of_somebody_else_is_left_alone(wheels: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    for refused in (lambda: set_up(folder, "auto", print, wheels=wheels), lambda: torch_setup.remove(folder)):
        with pytest.raises(BadInput):
            refused()
    assert [path.name for path in folder.iterdir()] == ["thesis.txt"]


@pytest.mark.skipif(os.name == "nt", reason="msvcrt's locks are per process")
def test_only_one_works_in_a_folder(wheels: Path, tmp_path: Path) -> None:
    folder = tmp_path / "torch"
    with torch_setup._alone(folder), pytest.raises(JobFailed, match="already"):
        set_up(folder, "auto", lambda about: None, wheels=wheels)


def test_another_version_of_us_is_set_up_again(wheels: Path, tmp_path: Path) -> None:
    folder = tmp_path / "torch"
    folder.mkdir()
    (folder / BEGUN).write_text("{}")
    (folder / READY).write_text(json.dumps({"fingerprint": "older", "torch": "2.6", "devices": ["cpu"]}))
    interpreter(folder).parent.mkdir()
    interpreter(folder).symlink_to(sys.executable)
    assert state(folder)["state"] == "outdated"


def test_versions_are_those_of_the_constraints() -> None:
    constraints = (ROOT / "constraints.txt").read_text().lower().splitlines()
    pinned = json.loads((ROOT / "backend" / "protocol" / "torch_requirements.json").read_text())
    assert {one.lower() for one in [*pinned, torch_environment.ENCODER]} <= set(constraints)


def test_the_command_tells_in_lines_of_json(tmp_path: Path) -> None:
    """From a process of its own that is ended by closing its input."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    command = [sys.executable, "-m", "understudy.backend", "setup", "torch", "--json", "--until-closed"]
    child = subprocess.Popen(
        [*command, "--to", str(tmp_path / "torch"), "--index", str(wheels)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdin is not None and child.stdout is not None
    first = json.loads(child.stdout.readline())
    assert first["stage"] == "environment" and first["step"] == 0
    child.stdin.close()
    assert child.wait(timeout=60) == 1
    assert child.stderr is not None
    error = json.loads(child.stderr.read().splitlines()[-1])["error"]
    assert error["code"] in ("cancelled", "job_failed")
    child.stdout.close()
    child.stderr.close()
