"""What the commands share: an argument parser that raises, output that replaces files only when complete."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from ..errors import BadInput, JobFailed


class Parser(argparse.ArgumentParser):
    """Reports a wrong command line as one sentence, like every other error."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        sentence = message[:1].upper() + message[1:]
        raise BadInput(sentence.rstrip(".") + ".", hint=f"See: {self.prog} --help")


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def output_dialect(path: Path, dialect: str | None) -> str:
    """The dialect of an output file: as asked, or by its suffix; :class:`BadInput` where they disagree."""
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".bvh"):
        raise BadInput(f"{path} must end in .npz or .bvh.", field="out")
    by_suffix = "bvh" if suffix == ".bvh" else "amass"
    if dialect is None:
        return by_suffix
    if (dialect == "bvh") != (by_suffix == "bvh"):
        raise BadInput(f"The dialect {dialect} does not go into a {suffix} file.", field="dialect")
    return dialect


def check_target(path: Path) -> None:
    """Refuse a file that could not be written in the end, before the work starts.

    Asking the system is not enough (root, network drives, Windows): a file is made and removed again.
    """
    folder = path.parent
    if path.is_dir():
        raise BadInput(f"{path} is a folder, not a file.", field="out")
    if not folder.is_dir():
        raise BadInput(f"The folder {folder} does not exist.", field="out")
    probe = _hidden(folder)
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise BadInput(f"The folder {folder} cannot be written to: {error.strerror}.", field="out") from error


class Staged:
    """Files written beside their targets, put in place together at the end, removed on any failure.

    Each folder gets a hidden folder of its own for the time: what a killed child leaves there goes with it.
    """

    def __init__(self) -> None:
        self._files: list[tuple[Path, Path]] = []
        self._folders: dict[Path, Path] = {}

    def path(self, target: Path) -> Path:
        """Where to write what shall become ``target``."""
        if target.parent not in self._folders:
            folder = _hidden(target.parent)
            folder.mkdir()
            self._folders[target.parent] = folder
        temporary = self._folders[target.parent] / target.name
        self._files.append((temporary, target))
        return temporary

    def commit(self) -> None:
        """Replace the targets; those whose temporary file was not written are left alone."""
        for temporary, target in self._files:
            if temporary.exists():
                try:
                    os.replace(temporary, target)
                except OSError as error:
                    raise JobFailed(f"{target} cannot be replaced: {error.strerror}.", field="out") from error

    def __enter__(self) -> Staged:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for folder in self._folders.values():
            shutil.rmtree(folder, ignore_errors=True)


def _hidden(folder: Path) -> Path:
    """A new name in a folder. (``tempfile`` tries for long before it gives up on Windows.)"""
    return folder / f".understudy-{secrets.token_hex(4)}"


def save_clip(clip: Any, path: Path, dialect: str) -> None:
    """Write a clip in one of the dialects ``amass``, ``smplx`` or ``bvh``."""
    if dialect == "bvh":
        from ..motion.bvh import clip_to_bvh

        path.write_text(clip_to_bvh(clip), encoding="ascii", newline="\n")
    else:
        from ..motion.npz import write_clip

        write_clip(clip, path, dialect=dialect)  # type: ignore[arg-type]


def load_clip(path: Path, *, fps: float | None = None) -> Any:
    """Read a clip from a motion file of any kind; ``fps`` instead of the rate that it states."""
    from ..motion.reading import read_motion

    return read_motion(path, fps=fps).clip


def megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


class Bar:
    """A progress bar on stderr, drawn only on a terminal. Called as ``bar(stage, step, total)``."""

    def __init__(self, show: bool) -> None:
        self._rich: Any = None
        self._task: Any = None
        if show and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._rich = Progress(
                TextColumn("{task.description:>12}"),
                BarColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )

    def __call__(self, stage: str, step: int, total: int) -> None:
        if self._rich is None:
            return
        if self._task is None or self._rich.tasks[0].description != stage:
            if self._task is not None:
                self._rich.remove_task(self._task)
            self._task = self._rich.add_task(stage, total=total)
        self._rich.update(self._task, completed=step, total=total)

    def __enter__(self) -> Bar:
        if self._rich is not None:
            self._rich.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._rich is not None:
            self._rich.stop()
