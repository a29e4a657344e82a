"""``understudy render``: a clip as a film or a picture, by a child process that has Blender in it."""

from __future__ import annotations

import argparse
import contextlib
import re
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ..errors import BadInput, JobFailed
from ..protocol.child import child_environment, spawn_options
from .blender import blender_command, find_blender
from .common import Bar, Staged, check_target, load_clip, print_json

_FRAME = re.compile(r"^Fra: ?(\d+)")


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("render", help="render a clip with Blender")
    parser.add_argument("clip", type=Path, metavar="CLIP", help="an .npz clip of any dialect")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="a .mp4 film or a .png picture"
    )
    parser.add_argument("--engine", choices=("cycles", "workbench", "eevee"), default="workbench")
    parser.add_argument("--blend", type=Path, metavar="FILE", help="also save the scene as a .blend file")
    parser.add_argument("--resolution", default="960x540", metavar="WxH", help="pixels (default: 960x540)")
    parser.add_argument("--samples", type=int, default=32, help="Cycles samples per pixel (default: 32)")
    parser.add_argument(
        "--frame", type=int, help="frame of the clip for a .png, from 0 (default: the middle)"
    )
    parser.add_argument("--audio", metavar="FILE", help="the voice, heard from the film's first frame on")
    parser.add_argument(
        "--follow",
        action=argparse.BooleanOptionalAction,
        help="let the camera follow the figure (default: where it travels)",
    )
    parser.add_argument("--blender", metavar="PROGRAM", help="the Blender program, or a Python that has bpy")
    parser.add_argument("--json", action="store_true", help="print the result, or the error, as JSON")
    parser.set_defaults(run=run)


def check(args: argparse.Namespace) -> None:
    """Refuse what could never be rendered, whatever the clip holds; :class:`BadInput` says why."""
    if args.out.suffix.lower() not in (".mp4", ".png"):
        raise BadInput(f"{args.out} must end in .mp4 or .png.", field="out")
    if args.blend is not None and args.blend.suffix.lower() != ".blend":
        raise BadInput(f"{args.blend} must end in .blend.", field="blend")
    check_resolution(args.resolution)
    if not 1 <= args.samples <= 65536:
        raise BadInput(f"Samples must be between 1 and 65536, not {args.samples}.", field="samples")
    if args.audio is not None and args.out.suffix.lower() != ".mp4":
        raise BadInput("Only a .mp4 film has sound.", field="audio")
    for target in targets_of(args):
        check_target(target)


def check_resolution(text: str) -> None:
    """Refuse what is no size of a picture; :class:`BadInput` says why."""
    size = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if size is None or not all(16 <= int(side) <= 8192 for side in size.groups()):
        raise BadInput("Resolution must look like 1280x720, each side from 16 to 8192.", field="resolution")


def targets_of(args: argparse.Namespace) -> list[Path]:
    """The files that are written."""
    return [path for path in (args.out, args.blend) if path is not None]


def run(args: argparse.Namespace) -> int:
    check(args)
    targets = targets_of(args)
    clip = load_clip(args.clip)  # a broken file is told in a moment, not by a child after seconds
    if args.frame is not None and not 0 <= args.frame < len(clip):
        raise BadInput(f"The clip has frames 0 to {len(clip) - 1}, not {args.frame}.", field="frame")

    found = find_blender(args.blender)
    with Staged() as staged:
        film = staged.path(args.out)
        arguments = [str(args.clip.resolve()), "--out", str(film.resolve()), "--engine", args.engine]
        arguments += ["--resolution", args.resolution, "--samples", str(args.samples)]
        if args.frame is not None:
            arguments += ["--frame", str(args.frame)]
        if args.blend is not None:
            arguments += ["--blend", str(staged.path(args.blend).resolve())]
            arguments += ["--shown-as", str(args.out.resolve())]
        if args.follow is not None:
            arguments.append("--follow" if args.follow else "--no-follow")
        if args.audio is not None:
            from .soundtrack import soundtrack

            voice = film.with_name("soundtrack.wav")  # in the hidden folder, which goes with it
            soundtrack(Path(args.audio), voice, clip.seconds)
            arguments += ["--audio", str(voice.resolve())]
        frames = len(clip) if args.out.suffix.lower() == ".mp4" else 1
        with Bar(not args.json) as bar:
            warnings = run_child(
                blender_command(found, "understudy.addon.render.cli", arguments), bar, frames
            )
        if not film.is_file():
            raise JobFailed("Blender ended without writing a picture.")
        staged.commit()
    if args.json:
        files = [str(path) for path in targets]
        print_json({"files": files, "engine": args.engine, "warnings": warnings})
    else:
        for warning in warnings:
            print(f"Warning: {warning}", file=sys.stderr)
        print("\n".join(str(path) for path in targets))
    return 0


def run_child(command: list[str], bar: Bar, frames: int) -> list[str]:
    """Run the rendering child; its exit code and last line become ours. It is ended with us.

    Returns what it warned about.

    Rendering may take hours on purpose, so there is no time limit; Ctrl-C ends it.
    """
    child: subprocess.Popen[str] | None = None
    last: deque[str] = deque(maxlen=20)
    warnings: list[str] = []

    def drain(lines: IO[str]) -> None:
        last.extend(line.strip() for line in lines if line.strip())

    try:
        with _signals_wait():
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env=child_environment(),
                **spawn_options(),
            )
        assert child.stdout is not None and child.stderr is not None
        reader = threading.Thread(target=drain, args=(child.stderr,), daemon=True)
        reader.start()
        bar("render", 0, frames)
        seen: set[str] = set()
        for line in child.stdout:
            if line.startswith("Warning: "):
                warnings.append(line.removeprefix("Warning: ").strip())
            if match := _FRAME.match(line):
                seen.add(match[1])
                bar("render", min(len(seen), frames) - 1, frames)
        code = child.wait()
        reader.join(timeout=5)
    except OSError as error:
        raise JobFailed(f"{command[0]} cannot be run: {error.strerror}.") from error
    finally:
        if child is not None and child.poll() is None:
            child.kill()
            child.wait(timeout=10)
    if code == 0:
        return warnings
    if code in (-6, 134):  # Workbench and EEVEE abort the process where EGL is missing or broken
        raise JobFailed(
            "Workbench and EEVEE need OpenGL, and Blender found no graphics driver here. Cycles needs none.",
            hint="Install a driver (apt install libegl1 libgl1-mesa-dri), or use --engine cycles.",
        )
    words = last[-1] if last else f"exit code {code}"
    if code == 2:
        raise BadInput(words)
    raise JobFailed(f"Rendering failed: {words}" if last else f"Rendering failed with {words}.")


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Hold back Ctrl-C and a polite end until the block is over.

    While a child is being made it exists before we know it, and could not be ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in handlers:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
