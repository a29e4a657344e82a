"""What a pack knows: its training captions, and whether a prompt is far from all of them.

A pack may hold ``known.json`` (captions, actions, styles, minutes) and ``known.safetensors`` (``embeddings``
(N, 384), the captions' unit sentence embeddings in half precision). A prompt is far when no caption is
similar to it *and* it has a word that no caption has: the first alone takes single words such as "sprint"
for far, the second alone every new adjective.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInput
from ..text import WIDTH, normalize_prompt

if TYPE_CHECKING:
    from ..motion.clip import Clip
    from .finding import Pack

LIST, EMBEDDINGS = "known.json", "known.safetensors"
NEAREST = 3
"""Known actions that a warning names."""
_SHOWN = 60
"""Characters of a prompt, or of a caption, in a warning."""


@dataclass(frozen=True)
class Amount:
    """How much of an action, or of a style, the pack was trained on."""

    name: str
    captions: int
    """Different captions."""
    seconds: float
    """Captured motion, nothing counted twice and nothing mirrored."""


@dataclass(frozen=True)
class KnownList:
    """``known.json``; plain, because ``understudy packs`` answers before a validation library is loaded.

    Raises:
        ValueError: the fields do not belong together.
    """

    threshold: float
    """Cosine similarity below which no caption counts as similar."""
    captions: list[str]
    labels: list[str]
    """The action of each caption, empty where it has none with a name."""
    actions: list[Amount]
    styles: list[Amount] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1:
            raise ValueError("the threshold is a cosine")
        if not self.captions or len(self.labels) != len(self.captions):
            raise ValueError("labels must be one per caption")

    @classmethod
    def from_json(cls, data: bytes) -> KnownList:
        """Read what :meth:`to_json` wrote.

        Raises:
            ValueError: it is something else.
        """
        found: Any = json.loads(data)
        try:
            amounts = {
                field: [Amount(str(a["name"]), int(a["captions"]), float(a["seconds"])) for a in found[field]]
                for field in ("actions", "styles")
            }
            captions, labels = (list(map(str, found[field])) for field in ("captions", "labels"))
            return cls(float(found["threshold"]), captions, labels, **amounts)
        except (TypeError, KeyError) as error:
            raise ValueError(f"a field is missing or wrong: {error}") from error

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=1, ensure_ascii=False)


def read_list(pack: Pack) -> KnownList | None:
    """What a pack says about itself; ``None`` for packs made without.

    Raises:
        BadInput: the file is not readable.
    """
    if LIST not in pack.files:
        return None
    try:
        return KnownList.from_json(pack.file(LIST).read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput(f"The pack {pack.name} has no readable {LIST}.", field="pack") from error


class Known:
    """Compares prompts with the captions of a pack.

    Args:
        pack: its name, for the sentence.
        known: the captions.
        embeddings: (N, 384), unit length.
    """

    def __init__(self, pack: str, known: KnownList, embeddings: np.ndarray) -> None:
        self._pack, self._known = pack, known
        self._embeddings = embeddings.astype(np.float32)
        self._words = {word for caption in known.captions for word in content_words(caption)}

    @classmethod
    def of(cls, pack: Pack) -> Known | None:
        """Read a pack's files; ``None`` for packs made without.

        Raises:
            BadInput: they are damaged or do not belong together.
        """
        known = read_list(pack)
        if known is None:
            return None
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            embeddings = load_file(pack.file(EMBEDDINGS))["embeddings"]
        except (OSError, SafetensorError, KeyError) as error:
            raise BadInput(f"The pack {pack.name} has no readable {EMBEDDINGS}.", field="pack") from error
        if embeddings.shape != (len(known.captions), WIDTH):
            raise BadInput(
                f"The pack {pack.name} has a wrong {EMBEDDINGS}: it does not fit {LIST}.", field="pack"
            )
        return cls(pack.name, known, embeddings)

    def warning(self, prompt: str, embedding: np.ndarray) -> str | None:
        """A sentence about a prompt that is far from all captions, else ``None``.

        Args:
            prompt: as the user wrote it.
            embedding: (384,), its unit sentence embedding.
        """
        similarity = self._embeddings @ embedding.astype(np.float32)
        if similarity.max() >= self._known.threshold:
            return None
        words = content_words(prompt)
        if words and words <= self._words:
            return None
        nearest: dict[str, None] = {}  # an ordered set
        for i in np.argsort(-similarity):
            nearest[self._known.labels[i] or f"“{_short(self._known.captions[i])}”"] = None
            if len(nearest) == NEAREST:
                break
        return (
            f"The pack {self._pack} knows little like “{_short(prompt)}”: nearest are {', '.join(nearest)}."
        )


def warnings_of(clips: Iterable[Clip]) -> list[str]:
    """Every warning in the meta data of clips made together, once."""
    return list(dict.fromkeys(text for clip in clips for text in clip.meta.get("warnings", ())))


def amounts(known: Sequence[Amount]) -> str:
    """One line for people: ``walk 12.3 min, jump 30 s``."""

    def length(seconds: float) -> str:
        return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{max(seconds, 1):.0f} s"

    return ", ".join(f"{amount.name} {length(amount.seconds)}" for amount in known)


_SMALL_WORDS = (
    "a an the and or then of with in on at by for from to into is are was be as like while its it this that "
    "person people man woman someone somebody guy character figure he she they his her their him them one"
)
_EMPTY = frozenset(_SMALL_WORDS.split())
_ENDINGS = ("ings", "ing", "ers", "er", "ed", "es", "s", "ly")


def content_words(text: str) -> set[str]:
    """The words that say what happens, roughly stemmed: ``jogging`` and ``jogs`` are both ``jog``."""
    return {_stem(word) for word in re.findall(r"\w+", normalize_prompt(text)) if word not in _EMPTY}


def _stem(word: str) -> str:
    ending = next((e for e in _ENDINGS if word.endswith(e) and len(word) - len(e) >= 3), "")
    stem = word.removesuffix(ending) if ending else word
    if len(stem) > 3 and stem[-1] == stem[-2]:
        stem = stem[:-1]
    return stem.rstrip("e") or stem


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1].rstrip() + "…"
