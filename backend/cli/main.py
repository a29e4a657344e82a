"""The command ``understudy``: one module per subcommand, exit codes 0 done, 1 failed, 2 bad input."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence

from ... import __version__
from ..errors import JobFailed, UnderstudyError
from . import (
    batch,
    cache,
    chat,
    convert,
    describe,
    dialogue,
    doctor,
    edit,
    generate,
    info,
    packs,
    render,
    retarget,
    search,
    serve,
    setup,
)
from .common import Parser

_COMMANDS = (
    generate,
    batch,
    describe,
    search,
    render,
    dialogue,
    chat,
    retarget,
    edit,
    convert,
    info,
    packs,
    cache,
    doctor,
    setup,
    serve,
)


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="understudy", description="Type a prompt, and a SMPL-X character performs it.")
    parser.add_argument("--version", action="version", version=f"understudy {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in _COMMANDS:
        module.add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Errors become one sentence, or JSON with ``--json``."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # consoles that know few letters
    if argv is None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminated)
    try:
        args = build_parser().parse_args(arguments)
        code = int(args.run(args) or 0)
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where a reader that left is no error, not at the interpreter's end
        return code
    except UnderstudyError as error:
        return _report(error, arguments)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has seen enough: `understudy packs | head`
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError:
        return _report(JobFailed("There is not enough memory for this."), arguments)
    except Exception as error:
        if os.environ.get("UNDERSTUDY_DEBUG"):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        hint = "Set UNDERSTUDY_DEBUG=1 to see where."
        return _report(JobFailed(f"This went wrong inside Understudy: {reason}.", hint=hint), arguments)


def _terminated(number: int, frame: object) -> None:
    """A polite end is an ordinary exit: unfinished files are removed, a rendering child is ended."""
    raise SystemExit(128 + number)


def _report(error: UnderstudyError, arguments: Sequence[str]) -> int:
    """One plain sentence on stderr, or the error as JSON. People at a terminal also get the hint."""
    if "--json" in arguments:
        data = {"code": error.code, "message": error.message, "hint": error.hint, "field": error.field}
        print(json.dumps({"error": data}, ensure_ascii=False), file=sys.stderr)
    else:
        print(error.message, file=sys.stderr)
        if error.hint and sys.stderr.isatty():
            print(error.hint, file=sys.stderr)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
