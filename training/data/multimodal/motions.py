"""Clips of a store found by words: captions and questions as sentence embeddings, the nearest caption's motion first."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from filelock import FileLock

from ....backend.errors import BadInput
from ...formats.streamed import read_blocks
from ...words.actions import actions_of
from ...words.embeddings import (
    DEFAULT_MODEL,
    Encoder,
    SentenceEncoder,
    build,
    find_file,
    plain,
    read_about,
    read_table,
)
from ..item import Item
from ..store import iter_index
from .script import Performed

Kind = Literal["gestures", "everyday", "walking", "sport", "dance", "fight"]
KINDS: dict[Kind, frozenset[str]] = {
    "gestures": frozenset({"wave", "raise", "gesture"}),
    "everyday": frozenset({"sit", "wash", "pick", "stand", "fall", "other"}),
    "walking": frozenset({"walk", "run", "sneak", "climb", "crawl"}),
    "sport": frozenset({"cartwheel", "flip", "dribble", "kick", "swim", "golf", "throw", "jump"}),
    "dance": frozenset({"salsa", "dance"}),
    "fight": frozenset({"box", "slash"}),
}
"""What characters may be allowed to do, and the actions (:mod:`training.actions`) that belong to it."""
SHORTEST = 0.5
"""Seconds; a shorter clip shows nothing."""
CONTRADICTION = 0.2
"""Taken off the cosine of a caption that says the other hand, the other direction, or one hand for both: embeddings hardly tell."""
_OPPOSITES: tuple[tuple[str, str], ...] = (
    (r"\b(both|two|the|their|his) (hands|arms)\b|\barms\b", r"\b(a|one|left|right|the) (hand|arm)\b"),
    (r"\bleft\b", r"\bright\b"),
    (r"\bforwards?\b|\bahead\b", r"\bbackwards?\b"),
    (r"\bsit(s|ting)?\b|\bseated\b|\bchair\b", r"\bstand(s|ing)?\b"),
)
HELD_OUT = {"test": "val", "val": "test"}
"""Whose clips are given where a split of its own has none; never those of training."""
REMEMBERED = 4096
"""Questions whose answers are kept."""


class Found(NamedTuple):
    """A piece of a clip whose caption is near: ``set/name``, its seconds, that caption, the cosine."""

    clip: str
    start: float
    end: float
    caption: str
    score: float

    def performed(self, text: str, begins: float, longest: float) -> Performed:
        """As a part of a script; of a piece that is longer than ``longest`` seconds, its beginning."""
        end = min(self.end, self.start + longest)
        return Performed(
            text=text, clip=self.clip, start=round(self.start, 3), end=round(end, 3), begins=round(begins, 2)
        )


class MotionLibrary:
    """The captioned motions of a store that a run may use.

    Args:
        store: its folder.
        cache: folder for embeddings that this makes itself.
        datasets: only these sets; all when empty.
        kinds: only these kinds of motion; all when empty.
        embeddings: a file of ``understudy-train embeddings``, or its folder; made in ``cache`` when missing.
        encoder: makes the encoder of a model's name.

    Raises:
        BadInput: no store, no captions in it that may be used, or embeddings of another store.
    """

    def __init__(
        self,
        store: Path,
        cache: Path,
        *,
        datasets: Sequence[str] = (),
        kinds: Sequence[Kind] = (),
        embeddings: Path | None = None,
        encoder: Callable[[str], Encoder] = SentenceEncoder,
    ) -> None:
        allowed = frozenset().union(*(KINDS[kind] for kind in kinds or KINDS))
        self._items = [
            item
            for item in iter_index(store, datasets=tuple(datasets))
            if item.text and item.path and _seconds(item) >= SHORTEST and actions_of(item.text) & allowed
        ]
        if not self._items:
            raise BadInput(
                f"{store} has no captioned clips that may be used here.",
                hint="Look at datasets and interaction in the configuration.",
                field="store",
            )
        if embeddings is None:
            cache.mkdir(parents=True, exist_ok=True)
            with FileLock(cache / ".embeddings.lock"):  # parts of one run make them once
                path = build(store, cache, encoder=encoder)
        else:
            path = find_file(embeddings)
        self._model, self._make = str(read_about(path)["model"]) or DEFAULT_MODEL, encoder
        self._encoder: Encoder | None = None
        self._lock = threading.Lock()
        self._read(path)
        self._splits = np.array([item.split for item in self._items])
        self.splits = frozenset(self._splits.tolist())
        """Those that have clips."""
        self._embedded: dict[str, np.ndarray] = {}
        self._answered: dict[tuple[str, str, int, float], list[Found]] = {}

    def _read(self, path: Path) -> None:
        number = {text: row for row, text in enumerate(read_table(path).texts)}
        texts = [[plain(text) for text in item.text if plain(text)] for item in self._items]
        missing = next((text for of_item in texts for text in of_item if text not in number), None)
        if missing is not None:
            raise BadInput(
                f"{path} does not know the caption “{missing}” of the store.",
                hint="Make the embeddings anew: understudy-train embeddings build.",
                field="embeddings",
            )
        whole = np.concatenate(list(read_blocks(path, "embeddings", 65536)))
        self._captions = [text for of_item in texts for text in of_item]
        self._owners = np.array([i for i, of_item in enumerate(texts) for _ in of_item])
        self._rows = whole[[number[text] for text in self._captions]]
        self._sides = np.array([sides_of(text) for text in self._captions], np.int8)

    def encode(self, text: str) -> np.ndarray:
        """The embedding (D,) of a question; the encoder is loaded with the first one."""
        text = plain(text)
        with self._lock:  # several scripts are written at a time
            if text not in self._embedded:
                self._encoder = self._encoder or self._make(self._model)
                if len(self._embedded) >= REMEMBERED:
                    self._embedded.clear()
                self._embedded[text] = self._encoder.encode([text])[0]
            return self._embedded[text]

    def split_of(self, split: str) -> str:
        """The split whose clips stand for this one: itself, or where it has none :data:`HELD_OUT`'s."""
        return split if split in self.splits else HELD_OUT.get(split, split)

    def find(self, text: str, split: str, *, top: int = 5, least: float = -1.0) -> list[Found]:
        """The nearest pieces of one split, best first, each with its own nearest caption.

        Args:
            text: a motion in words; nothing is found for none.
            split: ``train``, ``val`` or ``test``; see :meth:`split_of`.
            top: how many.
            least: cosine below which nothing counts as found.
        """
        key = plain(text), self.split_of(split), top, least
        if not key[0]:
            return []
        if key not in self._answered:
            if len(self._answered) >= REMEMBERED:
                self._answered.clear()
            self._answered[key] = self._nearest(*key)
        return self._answered[key]

    def _nearest(self, text: str, split: str, top: int, least: float) -> list[Found]:
        against = (self._sides * np.array(sides_of(text), np.int8) < 0).any(axis=1)
        scores = self._rows @ self.encode(text) - CONTRADICTION * against
        scores[self._splits[self._owners] != split] = -np.inf
        best: dict[tuple[str, float], Found] = {}
        for row in np.argsort(-scores, kind="stable"):
            score = float(scores[row])
            if score < max(least, -2.0) or len(best) >= top:
                break
            item = self._items[self._owners[row]]
            found = Found(clip_of(item), *_piece(item), self._captions[row], round(score, 4))
            best.setdefault((found.clip, found.start), found)
        return list(best.values())


def sides_of(text: str) -> list[int]:
    """Of each pair of opposites: 1 where a text says the first alone, -1 the second alone, 0 none or both."""
    text = text.lower()
    return [bool(re.search(one, text)) - bool(re.search(other, text)) for one, other in _OPPOSITES]


def clip_of(item: Item) -> str:
    """``set/name`` of the clip file that an item is a piece of."""
    path = Path(item.path)
    return f"{path.parent.name}/{path.stem}"


def _piece(item: Item) -> tuple[float, float]:
    return item.start_frame / item.fps, item.end_frame / item.fps


def _seconds(item: Item) -> float:
    start, end = _piece(item)
    return end - start
