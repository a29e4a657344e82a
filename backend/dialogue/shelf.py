"""What a library of clips holds for a dialogue: its clips by what they show, of a store with captions or of any folder."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput
from ..motion.clip import Clip, resample
from ..motion.features import FPS
from ..motion.reading import read_motion
from ..search.searching import Library

if TYPE_CHECKING:
    from ..pipeline import Pipeline

INDEX_FILE = "index.parquet"
"""In a store; the captions of its clips."""
NEAREST = 12
"""Clips among which is chosen."""
_COLUMNS = ("path", "text", "start", "end", "fps")


@dataclass(frozen=True)
class Piece:
    """A stretch of a clip that was found, seconds, with what it shows and how near that is, a cosine."""

    path: Path
    start: float
    end: float
    text: str
    score: float

    def clip(self) -> Clip:
        """Its motion at 30 fps."""
        whole = _read(self.path)
        first, last = (round(seconds * whole.fps) for seconds in (self.start, self.end))
        return resample(whole.slice(first, max(min(last, len(whole)), first + 2)), FPS)


Find = Callable[[str], list[Piece]]
"""The nearest pieces to what is asked for, the best first."""


def finder(pipeline: Pipeline, library: Path) -> Find:
    """How a library is searched.

    Args:
        pipeline: whose sentence encoder and alignment space are used.
        library: a store (with ``index.parquet``), or a folder of motion files.

    Raises:
        BadInput: there is nothing, or it cannot be read.
    """
    if not library.is_dir():
        raise BadInput(f"The folder {library} does not exist.", field="library")
    if (library / INDEX_FILE).is_file():
        return _by_captions(pipeline, _captions(library))
    search = Library(pipeline.pack, pipeline.engine.encode_text)

    @functools.cache
    def find(query: str) -> list[Piece]:
        findings = search.search(query, [library], NEAREST)
        if not findings.found:
            raise BadInput(f"{library} holds no clip that can be read.", field="library")
        return [Piece(one.path, one.start, one.stop, one.entry.text, one.score) for one in findings.found]

    return find


def _captions(store: Path) -> list[Piece]:
    """Every caption of a store with the stretch that it describes."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise BadInput(
            "A store with captions is read by pyarrow, which is not installed.",
            hint="Install understudy with its training part, or name a folder of clips.",
            field="library",
        ) from error
    try:
        rows = parquet.read_table(store / INDEX_FILE, columns=list(_COLUMNS)).to_pylist()
    except (OSError, ArrowException, KeyError) as error:
        raise BadInput(f"The index of {store} cannot be read.", field="library") from error
    found = []
    for row in rows:
        path = (store / str(row["path"])).resolve()
        if store.resolve() not in path.parents:
            continue  # an index does not name files elsewhere
        start = float(row["start"] or 0.0)
        end = float(row["end"]) if row["end"] else np.inf
        found += [Piece(path, start, end, text, 0.0) for text in row["text"] or () if text]
    if not found:
        raise BadInput(f"No clip of {store} has a caption.", field="library")
    return found


def _by_captions(pipeline: Pipeline, pieces: Sequence[Piece]) -> Find:
    texts = list(dict.fromkeys(piece.text for piece in pieces))
    vectors = np.concatenate(
        [pipeline.engine.encode_text(texts[at : at + 64]).pooled() for at in range(0, len(texts), 64)]
    )
    row = {text: index for index, text in enumerate(texts)}
    rows = np.array([row[piece.text] for piece in pieces])

    @functools.cache
    def find(query: str) -> list[Piece]:
        near = (vectors @ pipeline.engine.encode_text([query]).pooled()[0])[rows]
        best: dict[tuple[Path, float], Piece] = {}
        for index in np.argsort(-near, kind="stable"):
            piece = pieces[index]
            if (piece.path, piece.start) not in best and piece.path.is_file():
                seconds = _read(piece.path).seconds if piece.end == np.inf else piece.end
                best[piece.path, piece.start] = Piece(
                    piece.path, piece.start, seconds, piece.text, float(near[index])
                )
                if len(best) == NEAREST:
                    break
        return list(best.values())

    return find


@functools.lru_cache(maxsize=64)
def _read(path: Path) -> Clip:
    return read_motion(path).clip
