"""What a search remembers of the files it has read: a small database in the user's cache folder.

A file counts as known by path, time of change and size; one that was moved or touched, by its content. It is
only a cache: damaged or not to be written to, it is made anew or done without.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import numpy as np

from ..process.log import logger

VERSION = 1
_TABLES = """
create table files (path text primary key, changed integer, size integer, digest text) without rowid;
create table clips (
    digest text, model text, facts text, motion blob, sentence blob, primary key (digest, model)
) without rowid;
"""


@dataclass(frozen=True)
class Entry:
    """What a search knows of a clip.

    Attributes:
        text: what the file says that it shows.
        seconds, frames, fps: its length.
        layout: what its dialect is called.
        spans: start and stop of its stretches, seconds.
        motion: (N, D) unit rows, where the stretches lie in the alignment space.
        sentence: (384,) the sentence embedding of ``text``; None without a text.
    """

    text: str
    seconds: float
    frames: int
    fps: float
    layout: str
    spans: list[tuple[float, float]]
    motion: np.ndarray
    sentence: np.ndarray | None = None


def cache_file() -> Path:
    """Where the database lies."""
    import platformdirs

    return platformdirs.user_cache_path("understudy", appauthor=False) / "search.sqlite"


class ClipIndex:
    """The database, open for one model.

    Args:
        model: the hash of the alignment model: its rows mean nothing to another.
        path: the database; by default in the user's cache folder.
    """

    def __init__(self, model: str, path: Path | None = None) -> None:
        self._model = model
        self._path = cache_file() if path is None else path
        self._database = self._open()

    def __enter__(self) -> ClipIndex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._database.commit()
        self._database.close()

    def find(self, path: Path) -> Entry | None:
        """What is known of a file as it is now.

        Raises:
            OSError: it cannot be read.
        """
        stat = path.stat()
        try:
            row = self._database.execute(
                "select digest from files where path = ? and changed = ? and size = ?",
                (str(path), stat.st_mtime_ns, stat.st_size),
            ).fetchone()
            digest = row[0] if row else self._note(path)
            found = self._database.execute(
                "select facts, motion, sentence from clips where digest = ? and model = ?",
                (digest, self._model),
            ).fetchone()
            return None if found is None else _entry(*found)
        except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
            logger.warning("The search's cache cannot be read: %s", error)
            return None

    def keep(self, path: Path, entry: Entry) -> None:
        """Remember what was read of a file."""
        facts = {k: v for k, v in asdict(entry).items() if k not in ("motion", "sentence")}
        motion = entry.motion.astype(np.float32).tobytes()
        sentence = None if entry.sentence is None else entry.sentence.astype(np.float16).tobytes()
        try:
            row = self._database.execute("select digest from files where path = ?", (str(path),)).fetchone()
            self._database.execute(
                "insert or replace into clips values (?, ?, ?, ?, ?)",
                (row[0] if row else self._note(path), self._model, json.dumps(facts), motion, sentence),
            )
            self._database.commit()
        except (sqlite3.Error, OSError) as error:
            logger.warning("The search's cache cannot be written: %s", error)

    def _note(self, path: Path) -> str:
        """Hash a file and remember the hash."""
        stat = path.stat()
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        self._database.execute(
            "insert or replace into files values (?, ?, ?, ?)",
            (str(path), stat.st_mtime_ns, stat.st_size, digest),
        )
        return digest

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(sqlite3.DatabaseError):
                return _connected(str(self._path))
            self._path.unlink(missing_ok=True)  # damaged, or of another version
            return _connected(str(self._path))
        except (OSError, sqlite3.Error) as error:
            logger.warning("The search works without a cache: %s", error)
            return _connected(":memory:")


def _connected(path: str) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=5.0)
    try:
        version = database.execute("pragma user_version").fetchone()[0]
        if not version:
            database.executescript(f"begin; {_TABLES} pragma user_version = {VERSION}; commit;")
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"version {version}")
        database.execute("select count(*) from clips").fetchone()
    except sqlite3.Error:
        database.close()
        raise
    return database


def _entry(facts: str, motion: bytes, sentence: bytes | None) -> Entry:
    values = json.loads(facts)
    spans = [(float(start), float(stop)) for start, stop in values.pop("spans")]
    rows = np.frombuffer(motion, np.float32).reshape(len(spans), -1)
    return Entry(
        **values,
        spans=spans,
        motion=rows,
        sentence=None if sentence is None else np.frombuffer(sentence, np.float16).astype(np.float32),
    )
