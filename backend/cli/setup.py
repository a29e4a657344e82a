"""``understudy setup torch``: an interpreter with torch, in a folder of the user's.

Blender's own Python runs this module as a program, too: it takes nothing but the standard library then.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from ..errors import BadInput, UnderstudyError


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("setup", help="set up the torch engine in a folder of its own")
    parser.add_argument("what", choices=("torch",), help="what is set up")
    parser.add_argument("--to", type=Path, metavar="DIR", help="where (default: beside installed packs)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps (default: auto)")
    parser.add_argument("--online", action="store_true", help="the network may be used")
    parser.add_argument(
        "--index", type=Path, metavar="DIR", help="a folder of wheels to install from instead"
    )
    parser.add_argument("--state", action="store_true", help="only say whether it is set up")
    parser.add_argument("--remove", action="store_true", help="delete what was set up")
    parser.add_argument(
        "--until-closed",
        action="store_true",
        help="end when the standard input is closed, as by who started it",
    )
    parser.add_argument("--json", action="store_true", help="print progress and the result as lines of JSON")
    parser.set_defaults(run=run)


def default_folder() -> Path:
    """Where torch is set up unless somebody says otherwise."""
    import platformdirs

    return platformdirs.user_data_path("understudy", appauthor=False) / "torch"


def run(args: argparse.Namespace) -> int:
    from .. import torch_setup
    from ..protocol import torch_environment

    if args.device not in torch_setup.DEVICES:
        raise BadInput(f"There is no device {args.device!r} to set torch up for.", field="device")
    folder: Path = (args.to or default_folder()).expanduser().absolute()
    if args.state:
        _say(torch_environment.state(folder), as_json=args.json)
        return 0
    if args.remove:
        torch_setup.remove(folder)
        _say(torch_environment.state(folder), as_json=args.json)
        return 0
    stop = threading.Event()
    if args.until_closed:
        threading.Thread(
            target=_until_closed, args=(stop,), name="understudy_setup_input", daemon=True
        ).start()

    def report(about: dict[str, Any]) -> None:
        if args.json:
            print(json.dumps(about), flush=True)
        elif "part" not in about:
            print(f"{about['step']}/{about['total']}  {about['stage']}  {about['text']}", flush=True)

    done = torch_setup.set_up(
        folder, args.device, report, online=args.online, wheels=args.index, cancelled=stop
    )
    _say(done, as_json=args.json)
    return 0


def _until_closed(stop: threading.Event) -> None:
    """Whoever started this keeps the standard input open; its end, or their own, ends this."""
    # Past sys.stdin, whose lock a thread would still hold when the interpreter ends.
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    stop.set()


def _say(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"result": found}), flush=True)
        return
    if found["state"] in ("ready", "outdated"):
        print(
            f"{found['state']}: torch {found['torch']} for {', '.join(found['devices'])}, {found['python']}"
        )
    else:
        print(found["state"])


def _main() -> int:
    parser = argparse.ArgumentParser(prog="understudy")
    add(parser.add_subparsers(required=True))
    args = parser.parse_args()
    try:
        return int(args.run(args))
    except UnderstudyError as error:
        said = {"code": error.code, "message": error.message, "hint": error.hint, "field": error.field}
        print(json.dumps({"error": said}), file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(_main())
