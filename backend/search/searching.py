"""Search folders of clips by meaning: how they move, and what they say of themselves.

A clip is as near to a query as the best of its stretches in the pack's alignment space, or, where the file
carries a caption or the prompt that made it, as that text, whichever is nearer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput, Cancelled
from ..motion.clip import Clip
from ..motion.reading import read_motion
from ..text import TextEmbedding
from .alignment_space import FILE, AlignmentSpace
from .clip_index import ClipIndex, Entry

if TYPE_CHECKING:
    from ..packs.finding import Pack

SUFFIXES = (".npz", ".bvh", ".amc")
MOST_FILES = 20_000
LONGEST = 600.0
"""Seconds of a clip that are looked at; what comes after could only be cut out by hand anyway."""
_TEXTS = ("prompt", "caption", "captions", "text", "texts", "description")

Encode = Callable[[list[str]], TextEmbedding]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Found:
    """A clip and how near it is to the query, a cosine; ``start`` and ``stop`` are where it is nearest, seconds."""

    path: Path
    score: float
    start: float
    stop: float
    entry: Entry


@dataclass(frozen=True)
class Findings:
    """The nearest clips, the best first; why files were left out; how many clips there were."""

    found: list[Found]
    skipped: list[tuple[Path, str]]
    read: int


def text_of(clip: Clip) -> str:
    """What a clip says of itself: the prompt that made it, or its captions."""
    for key in _TEXTS:
        value = clip.meta.get(key)
        lines = value if isinstance(value, (list, tuple)) else [value]
        text = "; ".join(" ".join(line.split()) for line in lines if isinstance(line, str) and line.strip())
        if text:
            return text[:500]
    script = clip.meta.get("script")
    if isinstance(script, list):
        return "; ".join(str(line.get("prompt", "")) for line in script if isinstance(line, dict))[:500]
    return ""


def clips_in(folders: Sequence[Path]) -> list[Path]:
    """The motion files of some folders and everything below, sorted, none twice.

    Raises:
        BadInput: a folder does not exist, or there are too many files for a search.
    """
    found: dict[Path, None] = {}
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"The folder {folder} does not exist.", field="folder")
        for path in _walk(folder):
            found[path] = None
            if len(found) > MOST_FILES:
                raise BadInput(
                    f"{folder} holds more than {MOST_FILES} motion files.",
                    hint="Choose a folder further down.",
                    field="folder",
                )
    return list(found)


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield Path(where, name)


class Library:
    """Searches with one pack; what it has read stays in the user's cache.

    Args:
        pack: whose alignment space is used.
        encode: token embeddings of sentences, by any engine.
        cache: the database; by default in the user's cache folder.

    Raises:
        BadInput: the pack has no alignment space.
    """

    def __init__(self, pack: Pack, encode: Encode, cache: Path | None = None) -> None:
        self._space = AlignmentSpace.of(pack)
        self._encode = encode
        self._model = pack.files[FILE]
        self._cache = cache

    def search(
        self,
        query: str,
        folders: Sequence[Path],
        limit: int = 20,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Findings:
        """The clips nearest to a query.

        Args:
            query: what they are to show.
            folders: where to look, with everything below.
            limit: how many at most.
            progress: called with ("read", files done, files).
            cancelled: asked before every file.

        Raises:
            BadInput: a folder is not there.
            Cancelled: ``cancelled()`` turned true; what was read is remembered.
        """
        paths = clips_in(folders)
        words = self._encode([query])
        wanted, sentence = self._space.embed_text(words)[0], words.pooled()[0]
        found: list[Found] = []
        skipped: list[tuple[Path, str]] = []
        with ClipIndex(self._model, self._cache) as index:
            for done, path in enumerate(paths):
                if cancelled is not None and cancelled():
                    raise Cancelled("The search was cancelled.")
                if progress is not None:
                    progress("read", done, len(paths))
                try:
                    entry = index.find(path)
                    if entry is None:
                        entry = self._read(path)
                        index.keep(path, entry)
                except BadInput as error:
                    skipped.append((path, error.message))
                    continue
                except OSError as error:
                    skipped.append((path, f"{path} cannot be read: {error.strerror or error}."))
                    continue
                found.append(_score(path, entry, wanted, sentence))
        found.sort(key=lambda one: (-one.score, str(one.path)))
        return Findings(found[:limit], skipped, len(found))

    def _read(self, path: Path) -> Entry:
        contents = read_motion(path)
        clip, text = contents.clip, text_of(contents.clip)
        motion, spans = self._space.embed_clip(clip.slice(0, max(int(LONGEST * clip.fps), 1)))
        sentence = self._encode([text]).pooled()[0] if text else None
        return Entry(text, clip.seconds, len(clip), float(clip.fps), contents.layout, spans, motion, sentence)


def _score(path: Path, entry: Entry, wanted: np.ndarray, sentence: np.ndarray) -> Found:
    nearness = entry.motion @ wanted
    best = int(np.argmax(nearness))
    score = float(nearness[best])
    if entry.sentence is not None:
        score = max(score, float(entry.sentence @ sentence))
    return Found(path, score, *entry.spans[best], entry)


def text_encoder() -> Encode:
    """The sentence encoder of whatever engine is installed, for those who need no other model."""
    from ..process import machine

    if "onnx" in machine.engines():
        from ..engines.onnx_text import OnnxTextEncoder

        return OnnxTextEncoder("cpu").encode
    from ..text import TextEncoder

    return TextEncoder().encode
