"""The command as a user runs it: a process with an exit code, two streams and a Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from understudy import __version__
from understudy.backend.packs.finding import SHIPPED
from understudy.backend.protocol.child import inside_blender, module_command, run_quietly

NEEDS_PACK = pytest.mark.skipif(not (SHIPPED / "open" / "pack.toml").is_file(), reason="no trained pack here")


def understudy(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        module_command(sys.executable, "understudy.backend", arguments),
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )


def test_version_and_help() -> None:
    assert understudy("--version").stdout == f"understudy {__version__}\n"
    child = understudy("--help")
    assert child.returncode == 0
    for command in ("generate", "render", "convert", "info", "doctor", "packs", "serve"):
        assert command in child.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "The following arguments are required: COMMAND."),
        (["sing"], "invalid choice: 'sing'"),
        (["generate", "", "--out", "x.npz"], "The prompt is empty."),
        (["generate", "x", "--out", "/no/such/folder/x.npz"], "The folder /no/such/folder does not exist."),
        (["info", "/no/such/clip.npz"], "There is no file /no/such/clip.npz."),
    ],
)
def test_bad_usage_is_exit_2_and_one_line(arguments: list[str], words: str) -> None:
    child = understudy(*arguments)
    assert (child.returncode, child.stdout) == (2, "")
    assert words in child.stderr
    assert len(child.stderr.splitlines()) == 1


def test_an_unknown_pack_is_told_before_any_model_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from understudy.backend.cli.main import main;"
        f"code = main(['generate', 'x', '--out', {str(tmp_path / 'a.npz')!r}, '--pack', 'nowhere']);"
        "print(code, 'torch' in sys.modules)"
    )
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert child.stdout.strip() == "2 False"
    assert child.stderr.startswith("There is no pack 'nowhere'.")


@pytest.mark.parametrize("arguments", [["packs"], ["info", "/none.npz"], ["convert", "a.npz", "b.npz"]])
def test_quick_commands_import_nothing_slow(arguments: list[str]) -> None:
    code = (
        "import sys; from understudy.backend.cli.main import main;"
        f"main({arguments!r});"
        "print('@', *[n for n in ('torch', 'bpy', 'pydantic', 'transformers', 'scipy') if n in sys.modules])"
    )
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert child.stdout.splitlines()[-1].strip() == "@"


def test_a_closed_pipe_is_no_error() -> None:
    child = subprocess.Popen(
        module_command(sys.executable, "understudy.backend", ["packs"]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None and child.stderr is not None
    child.stdout.close()
    words = child.stderr.read()
    assert child.wait(timeout=60) == 0
    assert words == b""
    child.stderr.close()


SLOW = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test run in the background hands on "ignore"
from understudy.backend.process import worker
class Slow:
    def generate(self, params, progress=None, cancelled=None):
        print("working", file=sys.stderr, flush=True)
        time.sleep(60)
worker.load_shipped = lambda pack, device, engine: Slow()
from understudy.backend.cli.main import main
sys.exit(main())
"""


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_cleanly(tmp_path: Path, number: int, code: int) -> None:
    out = tmp_path / "a.npz"
    out.write_bytes(b"precious")
    child = subprocess.Popen(
        [sys.executable, "-c", SLOW, "generate", "x", "--out", str(out)], stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    while "working" not in child.stderr.readline():
        assert child.poll() is None
    child.send_signal(number)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == code
    assert "Traceback" not in errors
    assert out.read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_signal_ends_the_rendering_child_too(tmp_path: Path) -> None:
    """Otherwise a film that nobody waits for would go on rendering."""
    import numpy as np

    from understudy.backend.motion.clip import Clip
    from understudy.backend.motion.npz import write_clip

    write_clip(Clip(np.zeros((5, 55, 3)), np.zeros((5, 3)), 30.0), tmp_path / "a.npz")
    note = tmp_path / "pid"
    fake = tmp_path / "blender"
    fake.write_text(f"#!/bin/sh\necho $$ > {note}\nexec sleep 60\n")
    fake.chmod(0o755)
    child = subprocess.Popen(
        module_command(
            sys.executable,
            "understudy.backend",
            ["render", str(tmp_path / "a.npz"), "--out", str(tmp_path / "a.mp4"), "--blender", str(fake)],
        ),
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 30
    while not (note.exists() and note.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=30)
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


@NEEDS_PACK
@pytest.mark.slow
def test_generate_with_the_shipped_pack(tmp_path: Path) -> None:
    """The same seed gives the same file in another process; another seed another one."""
    files = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        files.append(tmp_path / f"{name}.npz")
        child = understudy(
            "generate", "a person walks forward", "--seconds", "2", "--seed", seed, "--out", str(files[-1])
        )
        assert child.returncode == 0, child.stderr
    one, same, other = (file.read_bytes() for file in files)
    assert one == same
    assert one != other


@NEEDS_PACK
@pytest.mark.slow
def test_serve_with_the_shipped_pack() -> None:
    from understudy.backend.motion.npz import clip_from_bytes
    from understudy.backend.protocol.wire import Client, backend_command, clips_of

    with Client(backend_command(sys.executable)) as client:
        stages: list[str] = []
        params = {"prompt": "a person walks forward", "seconds": 2}
        request = client.request("generate", params, on_progress=lambda p: stages.append(p["stage"]))
        clip = clip_from_bytes(clips_of(client.wait(request, timeout=120))[0])
        assert (len(clip), clip.fps, clip.meta["pack"]) == (60, 30, "open")
        assert stages

        long = client.request("generate", {**params, "seconds": 60, "samples": 4})
        while not long.progress:
            client.poll()
            time.sleep(0.005)
        client.cancel(long)
        clip = clip_from_bytes(clips_of(client.wait(client.request("generate", params), timeout=120))[0])
        assert len(clip) == 60
        assert long.result is None


def test_a_module_runs_inside_a_blender_program(tmp_path: Path) -> None:
    """With a program that takes Blender's flags and is this Python: what stands behind "--" reaches the module."""
    blender = tmp_path / "blender"
    blender.write_text(f'#!/bin/sh\nshift 3\ncode=$1\nshift\nexec "{sys.executable}" -c "$code" "$@"\n')
    blender.chmod(0o755)
    command = inside_blender(blender, "understudy.backend.cli.main", ["packs", "--json"])
    done = run_quietly(command, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "open" in {pack["name"] for pack in json.loads(done.stdout)}
