"""The sentence encoder without torch: words looked up in numpy, the transformer in onnxruntime.

Its matrices are rounded to eight bits per output channel and computed with in single precision, which keeps the
cosine to the original above 0.999. The torch engine rounds them likewise, so that both read a prompt alike.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import numpy as np

from ..models.eight_bits import compacted, restored
from ..text import MAX_WORDS, TextEmbedding, compact_weights, model_folder, normalize_prompt, padded
from .onnx_session import Session
from .onnx_weights import read_index, read_weights

GRAPH = Path(__file__).parent / "text"
"""Folder of the graph; written by ``understudy-train export-onnx --text``."""
REMEMBERED = 256
"""Prompts."""
AT_ONCE = 16
"""Prompts in one call."""


class OnnxTextEncoder:
    """Token embeddings of prompts; results for single prompts are remembered."""

    def __init__(self, device: str) -> None:
        from tokenizers import Tokenizer

        folder = model_folder()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_WORDS)
        shipped = compact_weights(folder)
        state = read_weights(shipped) if shipped else compacted(read_weights(folder / "model.safetensors"))
        entry = read_index(GRAPH)["text"]
        self._session = Session(GRAPH / "text.onnx", entry.expressions, state, device, alone=True)
        prefix = "embeddings.word_embeddings.weight"
        # The table of words stays in eight bits: a prompt needs a handful of its rows.
        self._words = {name: value for name, value in state.items() if name.startswith(prefix)}
        self._places = (
            restored(state, "embeddings.position_embeddings.weight")[:MAX_WORDS]
            + restored(state, "embeddings.token_type_embeddings.weight")[0]
        )
        self._known: OrderedDict[str, np.ndarray] = OrderedDict()

    def _read(self, prompts: list[str]) -> list[np.ndarray]:
        """Token embeddings (W, 384) of each normalised prompt."""
        ids = [self._tokenizer.encode(prompt).ids for prompt in prompts]
        width = max(map(len, ids))
        words = np.zeros((len(ids), width, self._places.shape[1]), np.float32)
        mask = np.zeros((len(ids), width), np.int32)
        for row, own in enumerate(ids):
            rows = {name: value[own] for name, value in self._words.items()}
            embedded = restored(rows, "embeddings.word_embeddings.weight")
            words[row, : len(own)], mask[row, : len(own)] = embedded + self._places[: len(own)], 1
        hidden = self._session({"words": words, "mask": mask})[0]
        return [values[: len(own)] for values, own in zip(hidden, ids, strict=True)]

    def encode(self, prompts: list[str]) -> TextEmbedding:
        """Embeddings of prompts, padded to the longest."""
        wanted = [normalize_prompt(prompt) for prompt in prompts]
        missing = sorted({prompt for prompt in wanted if prompt not in self._known}, key=len)
        fresh: dict[str, np.ndarray] = {}
        for first in range(0, len(missing), AT_ONCE):
            several = missing[first : first + AT_ONCE]  # of like length, so that little is padded
            fresh |= zip(several, self._read(several), strict=True)
        result = padded([fresh[prompt] if prompt in fresh else self._known[prompt] for prompt in wanted])
        self._known |= fresh
        for prompt in wanted:
            self._known.move_to_end(prompt)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return result
