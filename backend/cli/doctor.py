"""``understudy doctor``: is everything here that Understudy needs, and what to do where it is not."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import UnderstudyError
from ..process import machine
from ..process.log import log_folder
from ..protocol.child import run_quietly
from .blender import find_blender
from .common import print_json

OLDEST_PYTHON = (3, 11)

_PROBE = "import bpy, json; print('\\n@' + json.dumps([bpy.app.version_string, bool(bpy.app.build_options.codec_ffmpeg)]))"


@dataclass(frozen=True)
class Check:
    """``state``: ``ok``, ``missing`` (needed: exit code 1) or ``absent`` (only some commands need it)."""

    name: str
    state: str
    detail: str
    hint: str = ""


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("doctor", help="check that everything needed is here")
    parser.add_argument("--blender", metavar="PROGRAM", help="the Blender program, or a Python that has bpy")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    checks = []
    for check in examine(args.blender):
        checks.append(check)
        if not args.json:
            print(f"{check.state:>8}  {check.name}: {check.detail}")
            if check.hint and check.state != "ok":
                print(f"{'':>8}  {check.hint}")
    bad = any(check.state == "missing" for check in checks)
    if args.json:
        print_json({"ok": not bad, "checks": [asdict(check) for check in checks]})
    elif bad:
        print("Something that Understudy needs is missing.", file=sys.stderr)
    return int(bad)


def examine(blender: str | None = None) -> Iterator[Check]:
    """All checks, one after the other."""
    yield _python()
    for name in ("numpy", "tokenizers", "safetensors"):
        yield _library(name)
    yield from _engines()
    yield _text_encoder()
    yield Check("devices", "ok", ", ".join(machine.devices()))
    yield from _packs()
    yield from _blender(blender)
    yield from _folders()


def _python() -> Check:
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Check("Python", "missing", f"{version} is too old", "Install Python 3.11 or newer.")
    return Check("Python", "ok", f"{version}, {sys.executable}")


def _library(name: str) -> Check:
    version = machine.installed_version(name)
    if version is None or not machine.has_module(name):
        return Check(name, "missing", "not installed", "Install it with: pip install 'understudy[onnx]'")
    return Check(name, "ok", version)


def _engines() -> Iterator[Check]:
    """One engine does; the other is named all the same."""
    there = machine.engines()
    needed = {"onnx": "torch performs alone", "torch": "onnx performs alone"}
    for name in ("onnx", "torch"):
        if name in there:
            yield Check(f"engine {name}", "ok", there[name])
        else:
            state = "absent" if there else "missing"
            detail = f"not installed{f'; {needed[name]}' if there else ''}"
            yield Check(f"engine {name}", state, detail, f"Install it with: pip install 'understudy[{name}]'")


def _text_encoder() -> Check:
    from ..text import model_folder

    try:
        return Check("text encoder", "ok", str(model_folder()))
    except UnderstudyError as error:
        return Check("text encoder", "missing", error.message, error.hint)


def _packs() -> Iterator[Check]:
    from ..packs.finding import pack_folders, read_pack, user_folder

    folders = list(pack_folders())
    if not folders:
        yield Check("packs", "missing", "no pack is installed", f"A pack's folder goes into {user_folder()}")
    for folder in folders:
        try:
            pack = read_pack(folder)
            pack.verify()
            yield Check(f"pack {pack.name}", "ok", f"{pack.version}, {len(pack.files)} files intact")
        except UnderstudyError as error:
            yield Check(f"pack {folder.name}", "missing", error.message, error.hint)


def _blender(asked: str | None) -> Iterator[Check]:
    needed = "Only `understudy render` needs it."
    try:
        kind, program = find_blender(asked)
    except UnderstudyError as error:
        yield Check("Blender", "absent", error.message, f"{needed} {error.hint}".strip())
        return
    inside = [program, "-c", _PROBE]
    if kind == "blender":
        inside = [program, "--background", "--factory-startup", "--python-expr", _PROBE]
    try:
        child = run_quietly(inside, timeout=120)
        answers = [line[1:] for line in child.stdout.splitlines() if line.startswith("@")]
        version, ffmpeg = json.loads(answers[-1])
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
        yield Check("Blender", "absent", f"{program} does not start", needed)
        return
    yield Check("Blender", "ok", f"{version}, {program}")
    if ffmpeg:
        yield Check("film output", "ok", "Blender can write .mp4")
    else:
        yield Check(
            "film output", "absent", "this Blender cannot write .mp4", "Render pictures (.png) instead."
        )


def _folders() -> Iterator[Check]:
    from ..packs.finding import user_folder

    places: tuple[tuple[str, Callable[[], Path]], ...] = (
        ("log folder", log_folder),
        ("pack folder", user_folder),
        ("temporary folder", lambda: Path(tempfile.gettempdir())),
    )
    for name, find in places:
        folder = find()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
            yield Check(name, "ok", str(folder))
        except OSError as error:
            hint = "Choose another with the system's own settings for user folders."
            yield Check(name, "missing", f"{folder} cannot be written to: {error.strerror}", hint)
