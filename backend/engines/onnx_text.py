"""The sentence encoder without torch: words looked up in numpy, the transformer in onnxruntime.

Its matrices are rounded to eight bits per output channel and computed with in single precision, which keeps the
cosine to the original above 0.999. The torch engine rounds them likewise, so that both read a prompt alike.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from ..models.eight_bits import compacted, restored
from ..text import MAX_WORDS, TextEmbedding, compact_weights, model_folder, normalize_prompt, padded
from .onnx_session import Session
from .onnx_weights import read_index, read_weights

GRAPH = Path(__file__).parent / "text"
"""Folder of the graph; written by ``understudy-train export-onnx --text``."""


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
        self._one = lru_cache(maxsize=256)(self._encode_one)

    def _encode_one(self, prompt: str) -> np.ndarray:
        """Token embeddings (W, 384) of a normalised prompt."""
        ids = self._tokenizer.encode(prompt).ids
        rows = {name: value[ids] for name, value in self._words.items()}
        words = restored(rows, "embeddings.word_embeddings.weight") + self._places[: len(ids)]
        hidden = self._session({"words": words[None], "mask": np.ones((1, len(ids)), np.int32)})[0]
        tokens: np.ndarray = hidden[0]
        return tokens

    def encode(self, prompts: list[str]) -> TextEmbedding:
        """Embeddings of prompts, padded to the longest."""
        return padded([self._one(normalize_prompt(prompt)) for prompt in prompts])
