"""Job files of ``understudy batch``: one JSON object a line, each the flags of ``generate`` under a name."""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BadInput, UnderstudyError
from . import generate, render
from .common import Parser

_NAME = re.compile(r"[^\W_][\w .+-]{0,98}[\w+-]|[^\W_]")
"""Names become file names on every system: no separators, no leading or trailing dots, at most 100 letters."""

_OURS = {"name", "render"}
_NOT_OURS = {"out": "the batch names the files itself", "json": "the batch reports by itself"}
_PATHS = {"speech", "constraints", "script", "transcript", "edit"}
"""Flags that may name a file: taken from the job file's own folder where it lies there."""

_RENDER = {"format", "engine", "resolution", "samples", "frame", "blend", "follow"}
FORMATS = ("mp4", "png")


@dataclass(frozen=True)
class BatchJob:
    """One line of a job file.

    Attributes:
        line: its number, from 1.
        name: of its files.
        flags: what ``generate`` gets, as on its command line but with JSON values.
        render: how to render, or None.
        digest: sha256 of the line's meaning; a result under another one is out of date.
    """

    line: int
    name: str
    flags: Mapping[str, Any]
    render: Mapping[str, Any] | None
    digest: str


def read_jobs(path: Path) -> list[BatchJob]:
    """All jobs of a file. Empty lines and lines that start with ``#`` are passed over.

    Raises:
        BadInput: with the number of the first line that cannot be a job.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", field="jobs") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not a text file in UTF-8.", field="jobs") from error
    jobs: list[BatchJob] = []
    names: dict[str, int] = {}
    for number, text in enumerate(lines, 1):
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        try:
            job = _job(number, text)
            if job.name.casefold() in names:
                earlier = names[job.name.casefold()]
                raise BadInput(f"The name {job.name!r} is taken by line {earlier}.", field="name")
        except UnderstudyError as error:
            raise BadInput(f"Line {number}: {error.message}", hint=error.hint, field=error.field) from error
        names[job.name.casefold()] = number
        jobs.append(job)
    if not jobs:
        raise BadInput(f"{path} holds no job.", hint="Write one JSON object a line.", field="jobs")
    return jobs


def _job(number: int, text: str) -> BatchJob:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise BadInput(f"This is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BadInput('A job is a JSON object, such as {"name": "wave", "prompt": "a person waves"}.')
    name = value.get("name", f"job-{number:04d}")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} cannot be the name of a file.", field="name")
    flags = {key: item for key, item in value.items() if key not in _OURS and item is not None}
    rendering = value.get("render")
    if rendering is not None:
        _check_render(rendering)
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
    return BatchJob(number, name, flags, rendering, digest)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _check_render(rendering: Any) -> None:
    if not isinstance(rendering, dict):
        raise BadInput('render must be an object, such as {"engine": "workbench"}.', field="render")
    unknown = sorted(set(rendering) - _RENDER)
    if unknown:
        raise BadInput(
            f"render has no {unknown[0]!r}, only {', '.join(sorted(_RENDER))}.", field=f"render.{unknown[0]}"
        )
    if rendering.get("format", "mp4") not in FORMATS:
        raise BadInput("The format of render must be mp4 or png.", field="render.format")


def arguments_of(flags: Mapping[str, Any], out: Path, folder: Path, notes: Path) -> argparse.Namespace:
    """The arguments of ``generate`` for a job, parsed by its own parser: what it learns, a batch can too.

    Args:
        flags: of the job.
        out: the clip's file.
        folder: of the job file.
        notes: an existing folder for values that ``generate`` wants as files.
    """
    parser = _parser(generate)
    options = {action.dest: action for action in parser._actions if action.dest != "help"}
    command = ["--out", str(out)]
    prompt: list[str] = []
    for key, value in flags.items():
        action = options.get(key.replace("-", "_"))
        if key in _NOT_OURS or action is None:
            reason = _NOT_OURS.get(key, "generate has no such flag")
            raise BadInput(f"{key!r} cannot be in a job: {reason}.", field=key)
        if not action.option_strings:
            if not isinstance(value, str):
                raise BadInput(f"{key} must be text, not {json.dumps(value)}.", field=key)
            prompt = ["--", value]
            continue
        option = action.option_strings[0]
        if action.nargs == 0:
            if not isinstance(value, bool):
                raise BadInput(f"{key} must be true or false, not {json.dumps(value)}.", field=key)
            command += [option] if value else []
        else:
            command += [f"{option}={text}" for text in _texts(key, value, folder, notes)]
    return parser.parse_args([*command, *prompt])


def _texts(key: str, value: Any, folder: Path, notes: Path) -> list[str]:
    """A JSON value as one or several command line values."""
    if key in _PATHS and isinstance(value, (dict, list)):
        note = notes / f"{key}.json"
        note.write_text(json.dumps(value), encoding="utf-8")
        return [str(note)]
    if isinstance(value, dict):
        return [f"{name}={_text(key, item)}" for name, item in value.items()]
    if isinstance(value, list):
        return [_text(key, item) for item in value]
    text = _text(key, value)
    if key in _PATHS and not Path(text).is_absolute() and "\n" not in text and len(text) < 1000:
        beside = folder / text
        return [str(beside)] if beside.exists() else [text]
    return [text]


def _text(key: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise BadInput(f"{key} cannot be {json.dumps(value)}.", field=key)
    return str(value)


def render_arguments(
    rendering: Mapping[str, Any], clip: Path, out: Path, *, speech: str | None, blender: str | None
) -> argparse.Namespace:
    """The arguments of ``render`` for a job, parsed by its own parser."""
    command = [str(clip), "--out", str(out), "--json"]
    for key in ("engine", "resolution", "samples", "frame"):
        if rendering.get(key) is not None:
            command.append(f"--{key}={_text(f'render.{key}', rendering[key])}")
    if rendering.get("follow") is not None:
        command.append("--follow" if rendering["follow"] else "--no-follow")
    if rendering.get("blend"):
        command += ["--blend", str(out.with_suffix(".blend"))]
    if speech is not None and out.suffix == ".mp4":
        command += ["--audio", speech]
    if blender is not None:
        command += ["--blender", blender]
    return _parser(render).parse_args(command)


@functools.cache
def _parser(module: Any) -> argparse.ArgumentParser:
    parent = Parser(prog="understudy")
    commands = parent.add_subparsers()
    module.add(commands)
    return next(iter(commands.choices.values()))  # type: ignore[no-any-return]
