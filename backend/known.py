"""What a pack knows: its training captions, and whether a prompt is far from all of them.

A pack may hold ``known.json`` (captions, actions, styles, minutes) and ``known.safetensors`` (``embeddings``
(N, 384), the captions' unit sentence embeddings in half precision). A prompt is far when no caption is
similar to it *and* it has a word that no caption has: the first alone takes single words such as "sprint"
for far, the second alone every new adjective.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import BadInput
from .text import WIDTH, normalize_prompt

if TYPE_CHECKING:
    from .motion.clip import Clip
    from .packs import Pack

LIST, EMBEDDINGS = "known.json", "known.safetensors"
NEAREST = 3
"""Known actions that a warning names."""
_SHOWN = 60
"""Characters of a prompt, or of a caption, in a warning."""


class Amount(BaseModel):
    """How much of an action, or of a style, the pack was trained on."""

    model_config = ConfigDict(extra="forbid")

    name: str
    captions: int
    """Different captions."""
    seconds: float
    """Captured motion, nothing counted twice and nothing mirrored."""


class KnownList(BaseModel):
    """``known.json``."""

    model_config = ConfigDict(extra="forbid")

    threshold: float = Field(ge=-1, le=1)
    """Cosine similarity below which no caption counts as similar."""
    captions: list[str] = Field(min_length=1)
    labels: list[str]
    """The action of each caption, empty where it has none with a name."""
    actions: list[Amount]
    styles: list[Amount] = []

    @model_validator(mode="after")
    def _aligned(self) -> KnownList:
        if len(self.labels) != len(self.captions):
            raise ValueError("labels must be one per caption")
        return self


def read_list(pack: Pack) -> KnownList | None:
    """What a pack says about itself; ``None`` for packs made without.

    Raises:
        BadInput: the file is not readable.
    """
    if LIST not in pack.files:
        return None
    try:
        return KnownList.model_validate_json(pack.file(LIST).read_bytes())
    except (OSError, ValidationError) as error:
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
