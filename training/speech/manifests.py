"""Manifests: one row per recording of a speech set, as Parquet or as lines of JSON.

A run that was stopped goes on: what it has looked at lies in a journal beside the manifest until that is whole.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...backend.errors import BadInput, JobFailed
from ...backend.speech.audio import read_blocks
from ..data.parquet import TableWriter
from .sets import Entry, Split, entries

SUFFIXES = (".parquet", ".jsonl")
EVERY = 200
"""Recordings after which the journal is on disk."""


class Utterance(BaseModel):
    """A recording of one speaker."""

    model_config = ConfigDict(extra="forbid")

    path: str
    """Relative to the manifest's folder where it lies below, else absolute; POSIX."""
    speaker: str
    text: str
    """What is said; empty where nobody wrote it down."""
    seconds: float = Field(gt=0)
    rate: int = Field(gt=0)
    """Samples a second of the file."""
    split: Split


class Manifest(BaseModel):
    """What came of a set."""

    kind: str
    utterances: int = 0
    hours: float = 0.0
    speakers: int = 0
    splits: dict[str, int] = {}
    without_text: int = 0
    broken: list[tuple[str, str]] = []
    """Path and reason of what could not be used."""


def write_manifest(
    kind: str,
    root: Path,
    out: Path,
    *,
    decode: bool = False,
    on_file: Callable[[int], None] = lambda done: None,
) -> Manifest:
    """Look at every recording of a set and write its manifest, with ``<out>.report.json`` beside it.

    Args:
        kind: one of :data:`.sets.SETS`.
        out: ends with ``.parquet`` or ``.jsonl``; a manifest that is there is replaced when the new one is whole.
        decode: read each file to its end, which finds what its head hides, and takes as long.
        on_file: called with the number of recordings done.

    Raises:
        BadInput: the folder is not laid out as the set is, or none of its recordings can be used.
        JobFailed: it could not be written.
    """
    if out.suffix not in SUFFIXES:
        raise BadInput(f"A manifest ends with {' or '.join(SUFFIXES)}, not {out.name!r}.", field="out")
    journal = out.with_name(out.name + ".partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        done = _resumed(journal, kind, root)
        with journal.open("a", encoding="utf-8") as file:
            if not done:
                file.write(json.dumps({"kind": kind, "root": str(root.resolve())}) + "\n")
            count = 0
            for count, entry in enumerate(entries(kind, root), 1):
                key = _key(entry, root)
                if key not in done:
                    done[key] = _looked_at(entry, out.parent, decode=decode)
                    file.write(json.dumps([key, done[key]], ensure_ascii=False) + "\n")
                if count % EVERY == 0:
                    file.flush()
                    os.fsync(file.fileno())
                    on_file(count)
        report = _finish(kind, out, done)
        journal.unlink()
    except OSError as error:
        raise JobFailed(f"{out} cannot be written: {error.strerror or error}.", field="out") from error
    return report


def _key(entry: Entry, root: Path) -> str:
    return entry.path.relative_to(root).as_posix()


def _resumed(journal: Path, kind: str, root: Path) -> dict[str, dict[str, Any]]:
    """What an earlier run found; nothing where it was of something else. A torn last line is left out."""
    try:
        lines = journal.read_text("utf-8").splitlines()
        if not lines or json.loads(lines[0]) != {"kind": kind, "root": str(root.resolve())}:
            raise ValueError
    except (OSError, ValueError):
        journal.unlink(missing_ok=True)
        return {}
    done = {}
    for line in lines[1:]:
        try:
            key, found = json.loads(line)
        except ValueError:
            continue
        done[key] = found
    whole = [lines[0], *(json.dumps([key, found], ensure_ascii=False) for key, found in done.items())]
    journal.write_text("\n".join(whole) + "\n", "utf-8")
    return done


def _looked_at(entry: Entry, home: Path, *, decode: bool) -> dict[str, Any]:
    """The row of a recording, or ``{"broken": reason}``."""
    path = entry.path.resolve()
    shown = path.relative_to(home.resolve()) if path.is_relative_to(home.resolve()) else path
    try:
        recording, blocks = read_blocks(entry.path)
        if decode:
            for _ in blocks:
                pass
            if recording.warnings and "could be read" in recording.warnings[0]:
                return {"broken": recording.warnings[0]}
        else:
            blocks.close()  # type: ignore[attr-defined]
        row = Utterance(
            path=shown.as_posix(),
            speaker=entry.speaker,
            text=entry.text,
            seconds=round(recording.seconds, 3),
            rate=recording.rate,
            split=entry.split,
        )
    except BadInput as error:
        return {"broken": error.message}
    except ValidationError:
        return {"broken": f"{entry.path.name} holds no sound."}
    return row.model_dump()


def _finish(kind: str, out: Path, done: dict[str, dict[str, Any]]) -> Manifest:
    broken = [(key, found["broken"]) for key, found in done.items() if "broken" in found]
    rows = [Utterance(**found) for found in done.values() if "broken" not in found]
    if not rows:
        reason = f", the first because: {broken[0][1]}" if broken else "."
        raise BadInput(f"None of {len(done)} recordings can be used{reason}", field="root")
    if out.suffix == ".parquet":
        with TableWriter(out, Utterance) as table:
            table.add(rows)
    else:
        temporary = out.with_name(f".{out.name}.{os.getpid()}")
        temporary.write_text("".join(row.model_dump_json() + "\n" for row in rows), "utf-8")
        temporary.replace(out)
    report = Manifest(
        kind=kind,
        utterances=len(rows),
        hours=round(sum(row.seconds for row in rows) / 3600, 4),
        speakers=len({row.speaker for row in rows}),
        splits=dict(sorted(Counter(row.split for row in rows).items())),
        without_text=sum(not row.text for row in rows),
        broken=broken,
    )
    report_path = out.with_name(out.name + ".report.json")
    temporary = report_path.with_suffix(".tmp")
    temporary.write_text(report.model_dump_json(indent=1) + "\n", "utf-8")
    temporary.replace(report_path)
    return report


def read_manifest(path: Path) -> list[Utterance]:
    """The rows of a manifest, their paths absolute.

    Raises:
        BadInput: it cannot be read, or is none.
    """
    path = Path(path)
    rows: Iterable[dict[str, Any]]
    try:
        rows = list(_rows(path))
        found = [Utterance(**row) for row in rows]
    except (OSError, ValueError, TypeError) as error:  # what pyarrow and pydantic raise are among them
        raise BadInput(
            f"{path} cannot be read as a manifest.",
            hint="Make one with understudy-train manifest.",
            field="manifest",
        ) from error
    home = path.resolve().parent
    return [row.model_copy(update={"path": str(home / row.path)}) for row in found]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(4096):
                yield from batch.to_pylist()
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)
