"""What a pack was trained on, written beside its weights (:mod:`understudy.backend.packs.known` reads it)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ...backend.errors import BadInput
from ...backend.packs.known import EMBEDDINGS, LIST, Amount, KnownList
from ...backend.text import TextEncoder, normalize_prompt
from ..data.item import Item
from ..data.store import iter_index
from ..words.actions import action_of

THRESHOLD = 0.55
"""Measured on CMU, CC0, DeepMimic and Jump (1003 captions): with the rule about unknown words, a warning goes
to no caption of 'val' (0 of 83), to 2.8 % of the training captions when their own recording is left out, to
2 of 40 everyday wordings of known actions, and to 34 of 40 prompts about what the data does not have."""
OTHER = "other"


@dataclass
class _Heap:
    """What belongs to one action or style."""

    captions: set[str] = field(default_factory=set)
    spans: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, item: Item, captions: Iterable[str]) -> None:
        self.captions.update(captions)
        self.spans[item.path].append((item.start_frame / item.fps, item.end_frame / item.fps))

    def amount(self, name: str) -> Amount:
        seconds = sum(_covered(spans) for spans in self.spans.values())
        return Amount(name=name, captions=len(self.captions), seconds=round(seconds, 1))


def _covered(spans: list[tuple[float, float]]) -> float:
    """Seconds in at least one of the spans: segments of a clip overlap."""
    total, reached = 0.0, -np.inf
    for start, stop in sorted(spans):
        total += max(stop - max(start, reached), 0.0)
        reached = max(reached, stop)
    return float(total)


def collect(items: Iterable[Item]) -> KnownList | None:
    """Captions, actions and styles of the items of the split ``train``; ``None`` when none has a caption."""
    labels: dict[str, str] = {}
    actions: dict[str, _Heap] = defaultdict(_Heap)
    styles: dict[str, _Heap] = defaultdict(_Heap)
    for item in items:
        if item.split != "train":
            continue
        captions = {text: action_of(text) for text in map(normalize_prompt, item.text) if text}
        labels |= captions
        for action in set(captions.values()):
            actions[action].add(item, (text for text, named in captions.items() if named == action))
        emotion = item.metadata.emotion
        style = item.emotion or (emotion.emotion_label if emotion is not None else "")
        if style and captions:
            styles[style].add(item, captions)
    if not labels:
        return None
    return KnownList(
        threshold=THRESHOLD,
        captions=list(labels),
        labels=["" if label == OTHER else label for label in labels.values()],
        actions=_sorted(actions),
        styles=_sorted(styles),
    )


def _sorted(heaps: dict[str, _Heap]) -> list[Amount]:
    """The most first, what has no name last."""
    found = [heap.amount(name) for name, heap in heaps.items()]
    return sorted(found, key=lambda amount: (amount.name == OTHER, -amount.seconds, amount.name))


def write_known(folder: Path, store: Path, datasets: tuple[str, ...] = ()) -> KnownList:
    """Write both files into a pack's folder.

    Args:
        folder: the pack's.
        store: what its models were trained on.
        datasets: only these sets; all when empty.

    Raises:
        BadInput: there is no store, or nothing in it has a caption.
    """
    known = collect(iter_index(store, datasets=datasets))
    if known is None:
        raise BadInput(f"The store {store} has no captions to train on.", field="store")
    embeddings = np.stack([words.mean(0) for words in TextEncoder().encode_many(known.captions)])
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    save_file({"embeddings": embeddings.astype(np.float16)}, folder / EMBEDDINGS)
    (folder / EMBEDDINGS).chmod(0o644)  # safetensors writes for the owner alone
    (folder / LIST).write_text(known.to_json() + "\n", "utf-8")
    return known
