"""What multimodal scripts are made from in tests: a store that has every motion, an encoder of words, a language model of rules.

Absolute imports alone: a child process loads this file by its path.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from understudy.training.data.item import Item
from understudy.training.data.multimodal.scenarios import load
from understudy.training.data.parquet import TableWriter
from understudy.training.data.store import INDEX

WIDTH = 256
HELD_OUT = ("wave", "point", "stand", "chest", "offer", "clap", "stop", "raise", "hips", "scratch")
"""Motions of which val has a clip too."""


class BagOfWords:
    """Sentences that share words are near."""

    def __init__(self, name: str) -> None:
        self.name = name

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.full((len(texts), WIDTH), 1e-6, np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in re.findall(r"\w+", text.lower()):
                row[zlib.crc32(word.encode()) % WIDTH] += (
                    0.2 if word in ("a", "the", "person", "someone") else 1.0
                )
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def write_store(folder: Path) -> Path:
    """An index with two train clips of every motion that plots know, and a val clip of some."""
    words, _ = load()
    folder.mkdir(parents=True, exist_ok=True)
    items = []
    for name, motion in words.motions.items():
        for split, copies in (("train", 2), ("val", 1 if name in HELD_OUT else 0)):
            for copy in range(copies):
                clip = f"{name}_{split}_{copy}"
                items.append(
                    Item(
                        dataset="made", motion_name=clip, split=split, text=motion.say, fps=30.0,
                        start_frame=30, end_frame=120, path=f"clips/made/{clip}.npz",
                    )
                )  # fmt: skip
    with TableWriter(folder / INDEX, Item) as table:
        table.add(items)
    return folder


MOTIONS = (
    "a person waves",
    "a person claps their hands",
    "a person points forward",
    "a person scratches the head",
)


def answered(request: dict[str, Any], number: int = 0) -> str:
    """What a well-behaved language model says to the questions of :mod:`training.data.multimodal.prompts`."""
    asked = request["messages"][-1]["content"]
    mark = zlib.crc32(json.dumps([request["messages"], request.get("seed")]).encode())
    if "Write the whole scene" in asked:
        turns = int(re.search(r"scene: (\d+) turns, (\w+)", asked)[1])  # type: ignore[index]
        names = re.findall(r"^(\w+) is ", request["messages"][0]["content"], re.MULTILINE)
        return json.dumps({"turns": [turn(names[k % 2], f"line {k} of {mark}") for k in range(turns)]})
    if said := re.search(r"Write the next turn, (.+)'s\.", asked):
        return json.dumps(turn(said[1], f"Well, this is number {mark}."))
    text = re.search(r"about to say \(\w+\): (.*)", asked)[1]  # type: ignore[index]
    motions, reactions = (
        len(re.findall(r"^[1-9]", part, re.MULTILINE)) for part in asked.split("Clips in the library:")[1:]
    )
    return json.dumps(
        {"motion": min(2, motions), "reaction": min(1, reactions), "speech": f"{text} You see?", "motion_text": "a person waves slowly",
         "reaction_text": "a person nods their head"}
    )  # fmt: skip


def turn(speaker: str, speech: str, **changes: Any) -> dict[str, Any]:
    """A turn as a language model writes it."""
    return {
        "speaker": speaker, "speech": speech, "emotion": "happy", "expression": "a smile",
        "motion": MOTIONS[len(speech) % len(MOTIONS)], "reaction": "a person nods their head", "when": "end", **changes,
    }  # fmt: skip
