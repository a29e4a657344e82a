"""The flags of ``understudy generate`` that direct: a script, constraints, an edit, a loop."""

from __future__ import annotations

import argparse
import base64
import json
from pathlib import Path
from typing import Any

from ..errors import BadInput

LINE_SECONDS = 4.0
"""What a line of a script lasts where nothing is said."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("direction", "docs/direction.md has the files with an example of each")
    group.add_argument(
        "--script",
        metavar="FILE|TEXT",
        help="several prompts as one motion: a .json file, or the prompts with a ; between them, each with "
        '"@ SECONDS" behind it or 4 seconds long',
    )
    group.add_argument(
        "--constraints",
        type=Path,
        metavar="FILE",
        help="a .json file with a path, waypoints, pins and key poses",
    )
    group.add_argument(
        "--edit",
        type=Path,
        metavar="CLIP",
        help="make a part of this .npz clip anew; the rest stays as it is, to the bit",
    )
    group.add_argument(
        "--from", dest="edit_from", type=float, metavar="S", help="where the part begins, in seconds (0)"
    )
    group.add_argument(
        "--to",
        dest="edit_to",
        type=float,
        metavar="S",
        help="where it ends; left out, the motion goes on from --from",
    )
    group.add_argument("--loop", action="store_true", help="a cycle that can be played over and over")
    group.add_argument("--in-place", action="store_true", help="without the way over the floor")


def direction_of(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of a request that the flags ask for.

    Raises:
        BadInput: a file cannot be read, or the flags do not go together.
    """
    fields: dict[str, Any] = {"loop": args.loop, "in_place": args.in_place}
    if args.script is not None:
        fields["script"] = _script(args.script)
    if args.constraints is not None:
        fields["constraints"] = _read_json(args.constraints, "constraints")
    if args.edit is not None:
        start = 0.0 if args.edit_from is None else args.edit_from
        fields["edit"] = {"npz": _clip(args.edit), "start": start, "end": args.edit_to}
    elif args.edit_from is not None or args.edit_to is not None:
        raise BadInput("--from and --to say which part of an --edit clip is made anew.", field="edit")
    return fields


def _script(text: str) -> Any:
    """Lines from a file, or from ``"a person walks @ 4; a person waves"``."""
    if text.lower().endswith(".json"):
        found = _read_json(Path(text), "script")
        return found["script"] if isinstance(found, dict) and set(found) == {"script"} else found
    lines = []
    for part in text.split(";"):
        prompt, at, seconds = part.rpartition("@")
        if not at:
            prompt, seconds = part, ""
        if not prompt.strip():
            raise BadInput(f"A line of the script has no prompt: {text!r}.", field="script")
        try:
            length = float(seconds) if at else LINE_SECONDS
        except ValueError:
            raise BadInput(
                f"A line of the script needs a number of seconds after its @, not {seconds.strip()!r}.",
                field="script",
            ) from None
        lines.append({"prompt": prompt.strip(), "seconds": length})
    return lines


def _read_json(path: Path, field: str) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", field=field) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not a text file.", field=field) from error
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{path} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}.", field=field
        ) from error
    except RecursionError:
        raise BadInput(f"{path} is nested too deeply.", field=field) from None


def _clip(path: Path) -> str:
    """A clip as it goes into a request."""
    if path.suffix.lower() != ".npz":
        raise BadInput(f"{path} is not an .npz file.", field="edit")
    try:
        return base64.b64encode(path.read_bytes()).decode("ascii")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", field="edit") from error
