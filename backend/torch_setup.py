"""An interpreter of its own for the torch engine: made in a folder of the user's, step by step, with nothing but Python.

Started with whatever Python is at hand, Blender's own too: a virtual environment is made (by ``uv`` where that is
installed), and the pinned libraries are installed into it, one after the other. What is done is done: a set-up that was
interrupted goes on where it stopped. The file :data:`READY` is written last, so that half a set-up is known as such.
Nothing is fetched from the network unless that was allowed; a folder of wheels will do instead.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from .errors import BadInput, Cancelled, JobFailed
from .protocol import torch_environment
from .protocol.child import child_environment, spawn_options
from .protocol.torch_environment import BEGUN, READY, fingerprint, interpreter, state

DEVICES = ("auto", "cpu", "cuda", "mps")
WHEELS = "https://download.pytorch.org/whl/"
"""Builds of torch that PyPI does not have."""
OLDEST = (3, 11)
_CHECK = """\
import json, torch, transformers, vector_quantize_pytorch
found = ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()
print(json.dumps({"torch": torch.__version__, "devices": found}))
"""

Report = Callable[[dict[str, Any]], None]
"""Told ``{"stage", "step", "total", "text"}``, and ``"part"``, 0 to 1, of a download."""


def set_up(
    folder: Path,
    device: str,
    report: Report,
    *,
    online: bool = False,
    wheels: Path | None = None,
    cancelled: threading.Event | None = None,
) -> dict[str, Any]:
    """Make the environment, or finish it.

    Args:
        folder: where; it may hold nothing but an earlier set-up.
        device: that torch is wanted for; ``auto``: what the package index gives.
        report: is told of every step.
        online: whether the network may be used.
        wheels: a folder of wheels that is used instead.
        cancelled: set by another thread to end it; what is done stays.

    Returns:
        What :func:`state` then says.

    Raises:
        BadInput: the network is needed and not allowed, or the folder belongs to something else.
        JobFailed: a step failed; started again, the set-up goes on with it.
        Cancelled: ``cancelled`` was set.
    """
    if sys.version_info < OLDEST:
        raise BadInput("The torch engine needs Python 3.11 or newer.", field="python")
    if not online and wheels is None:
        raise BadInput(
            "Setting up torch downloads it, and online access is not allowed.",
            hint="Allow online access in Blender's preferences, say --online, or name a folder of wheels with --index.",
            field="online",
        )
    if wheels is not None and not wheels.is_dir():
        raise BadInput(f"{wheels} is not a folder of wheels.", field="index")
    stop = cancelled or threading.Event()
    libraries = torch_environment.libraries()
    with _alone(folder):
        found = state(folder)
        if found["state"] == "ready" and device in ("auto", *found.get("devices", ())):
            return found
        (folder / READY).unlink(missing_ok=True)
        total = len(libraries) + 2
        report({"stage": "environment", "step": 0, "total": total, "text": str(folder)})
        if not _runs(interpreter(folder)):
            _make_environment(folder, stop)
        source = _source(device, online=online, wheels=wheels)
        for number, library in enumerate(libraries, 1):
            about = {"stage": "install", "step": number, "total": total, "text": library}
            report(about)
            _install(folder, library, libraries, source, stop, _downloading(report, about))
        report({"stage": "check", "step": total - 1, "total": total, "text": "torch"})
        facts = json.loads(_run([str(interpreter(folder)), "-c", _CHECK], stop).splitlines()[-1])
        done = {"python": str(interpreter(folder)), "fingerprint": fingerprint(libraries), **facts}
        _write(folder / READY, done)
        report({"stage": "check", "step": total, "total": total, "text": "torch"})
        return state(folder)


def remove(folder: Path) -> None:
    """Delete a set-up, finished or not; :class:`BadInput` for a folder that is none."""
    if not (folder / BEGUN).exists():
        raise BadInput(f"{folder} is not a set-up of torch.", field="to")
    with _alone(folder):
        (folder / READY).unlink(missing_ok=True)
    shutil.rmtree(folder)


def _write(path: Path, value: dict[str, Any]) -> None:
    """At once: nobody finds half a file."""
    new = path.with_suffix(".tmp")
    new.write_text(json.dumps(value, indent=2), encoding="utf-8")
    os.replace(new, path)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The folder, made and marked as ours, with nobody else at work in it.

    Raises:
        BadInput: it cannot be made, or holds something else.
        JobFailed: another set-up works in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / BEGUN).exists():
            if any(folder.iterdir()):
                raise BadInput(f"The folder {folder} holds something else.", field="to")
            _write(folder / BEGUN, {"made by": "understudy"})
        lock = (folder / "understudy.lock").open("a+b")  # closed below
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be used: {error.strerror}.", field="to") from error
    with lock:
        try:
            _lock(lock)
        except OSError as error:
            raise JobFailed("Torch is being set up already.", hint="Wait until that is finished.") from error
        yield


def _lock(file: IO[bytes]) -> None:
    """For as long as the file is open, or its process lives."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _source(device: str, *, online: bool, wheels: Path | None) -> list[str]:
    """Where the libraries come from, as pip and uv understand it."""
    if wheels is not None:
        return ["--no-index", "--find-links", str(wheels)]
    # PyPI's torch knows CUDA on Linux and nothing but the processor elsewhere.
    build = {("cpu", "linux"): "cpu", ("cuda", "win32"): "cu130"}.get((device, sys.platform))
    return ["--extra-index-url", WHEELS + build] if online and build else []


def _runs(python: Path) -> bool:
    """Whether the environment is whole as far as it can install: its making may have been interrupted."""
    command = [str(python), "-m", "pip", "--version"] if not _uv() else [str(python), "--version"]
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, env=child_environment(), timeout=60, check=False,
            **spawn_options(),
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _uv() -> str | None:
    return shutil.which("uv")


def _make_environment(folder: Path, stop: threading.Event) -> None:
    uv = _uv()
    # The folder is not empty: it has our marks.
    command = (
        [uv, "venv", "--allow-existing", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
    )
    _run([*command, str(folder)], stop)


def _install(
    folder: Path,
    library: str,
    all_of_them: Sequence[str],
    source: Sequence[str],
    stop: threading.Event,
    line: Callable[[str], None],
) -> None:
    """One library and what it needs; none may change the version of another."""
    python, uv = str(interpreter(folder)), _uv()
    pins = folder / "understudy-constraints.txt"
    pins.write_text("\n".join(all_of_them) + "\n", encoding="utf-8")
    if uv:
        command = [uv, "pip", "install", "--python", python]
    else:
        quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar", _bar(python)]
        command = [python, "-m", "pip", "install", *quiet]
    _run([*command, "-c", str(pins), *source, library], stop, line)


def _bar(python: str) -> str:
    """How pip tells of a download: in numbers since 24.1."""
    done = subprocess.run(
        [python, "-m", "pip", "--version"], capture_output=True, text=True, env=child_environment(), check=False,
        **spawn_options(),
    )  # fmt: skip
    version = re.search(r"pip (\d+)\.(\d+)", done.stdout)
    return "raw" if version and tuple(map(int, version.groups())) >= (24, 1) else "off"


def _downloading(report: Report, about: dict[str, Any]) -> Callable[[str], None]:
    """Takes pip's lines, and tells how much of a file has come, in steps of a hundredth."""
    told = -1

    def line(text: str) -> None:
        nonlocal told
        numbers = re.fullmatch(r"Progress (\d+) of (\d+)", text.strip())
        if numbers is None or int(numbers[2]) == 0:
            return
        share = int(numbers[1]) / int(numbers[2])
        if int(100 * share) != told:
            told = int(100 * share)
            report({**about, "part": round(share, 2)})

    return line


def _run(command: Sequence[str], stop: threading.Event, line: Callable[[str], None] | None = None) -> str:
    """Run a program to its end and return what it printed; it is ended where ``stop`` is set.

    Raises:
        JobFailed: it failed; the sentence is what it says about that.
        Cancelled: it was ended.
    """
    if stop.is_set():
        raise Cancelled("The set-up was cancelled.", hint="Started again, it goes on.")
    try:
        child = subprocess.Popen(
            list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            encoding="utf-8", errors="replace", env=child_environment(), **spawn_options(),
        )  # fmt: skip
    except OSError as error:
        raise JobFailed(f"{command[0]} cannot be run: {error.strerror}.") from error
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            if stop.wait(0.1):
                _end(child)
                return

    watcher = threading.Thread(target=watch, name="understudy_setup", daemon=True)
    watcher.start()
    printed: list[str] = []
    try:
        assert child.stdout is not None
        for text in child.stdout:
            printed.append(text.rstrip())
            if line is not None:
                line(text)
        code = child.wait()
    except BaseException:
        _end(child)
        raise
    finally:
        ended.set()
        watcher.join()
    if stop.is_set():
        raise Cancelled("The set-up was cancelled.", hint="Started again, it goes on.")
    if code:
        raise JobFailed(
            f"Setting up torch failed: {_complaint(printed) or f'exit code {code}'}.",
            hint="Started again, the set-up goes on where it stopped.",
        )
    return "\n".join(printed)


def _complaint(printed: Sequence[str]) -> str:
    """What a program that failed says about it: its first error, or its last words."""
    lines = [text.strip() for text in printed if text.strip()]
    errors = [text for text in lines if text.lower().startswith("error")]
    said = (errors or lines[-1:] or [""])[0]
    return re.sub(r"^error: *", "", said, flags=re.IGNORECASE).rstrip(".")


def _end(child: subprocess.Popen[str]) -> None:
    """A child and its own children."""
    with contextlib.suppress(OSError):
        if os.name == "nt":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL)  # it leads a group of its own, see spawn_options
