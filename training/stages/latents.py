"""The corpus as the tokenizers see it: latent frames and first-level codes, with caption embeddings."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from ...backend.errors import BadInput
from ...backend.models.tokenizer import PartTokenizer, TokenizerConfig
from ...backend.text import MAX_WORDS, WIDTH, TextEncoder, normalize_prompt
from ..dataset import Corpus, Motion, Segment


def load_tokenizers(folders: dict[str, Path]) -> dict[str, PartTokenizer]:
    """Trained tokenizers by part.

    Raises:
        BadInput: a folder holds no trained tokenizer.
    """
    result = {}
    for part, folder in folders.items():
        weights = folder / "model.safetensors"
        if not weights.exists():
            raise BadInput(
                f"{folder} holds no trained tokenizer of {part}; run 'stage tokenizer' first.", field=part
            )
        config = TokenizerConfig.model_validate_json((folder / "config.json").read_text("utf-8"))
        model = PartTokenizer(config)
        model.load_state_dict(load_file(weights))
        result[part] = model.eval()
    return result


@dataclass(frozen=True)
class Encoded:
    """One motion from one starting frame ``phase``.

    latents (L, D) of all parts side by side, codes ``{part: (L,)}``, known (D,) which columns count.
    """

    latents: np.ndarray
    codes: dict[str, np.ndarray]
    known: np.ndarray


class Latents:
    """Encodes each captioned motion from ``phases`` of the ``stride`` possible starting frames."""

    def __init__(self, corpus: Corpus, tokenizers: dict[str, PartTokenizer], *, phases: int = 2) -> None:
        self.tokenizers = tokenizers
        self.stride = next(iter(tokenizers.values())).config.stride
        self.phases = [i * self.stride // phases for i in range(phases)]
        self.widths = {part: t.config.latent for part, t in tokenizers.items()}
        self._encoded = {
            (id(motion), phase): self._encode(motion, phase)
            for motion in {id(segment.motion): segment.motion for segment in corpus.segments}.values()
            for phase in self.phases
            if len(motion) >= phase + 2 * self.stride
        }

    def draw(self, segment: Segment, rng: np.random.Generator) -> tuple[Encoded, int, int] | None:
        """The segment's motion from a random phase, and the segment as its latent frames (half-open)."""
        phase = int(rng.choice(self.phases))
        encoded = self._encoded.get((id(segment.motion), phase))
        if encoded is None:
            return None
        first = -(-(segment.start - phase) // self.stride)  # rounded up
        last = min((segment.stop - phase) // self.stride, len(encoded.latents))
        return encoded, max(first, 0), last

    @torch.inference_mode()
    def _encode(self, motion: Motion, phase: int) -> Encoded:
        frames = (len(motion) - phase) // self.stride * self.stride
        columns, known, codes = [], [], {}
        for part, tokenizer in self.tokenizers.items():
            width = tokenizer.config.latent
            if motion.known[part]:
                features = torch.from_numpy(motion.features[part][phase : phase + frames])[None]
                latents = tokenizer.encode(features)
                codes[part] = tokenizer.quantize(latents).codes[0, :, 0].numpy()
                columns.append(latents[0].numpy())
            else:
                columns.append(np.zeros((frames // self.stride, width), np.float32))
            known.append(np.full(width, motion.known[part]))
        return Encoded(np.concatenate(columns, axis=1), codes, np.concatenate(known))

    def statistics(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and spread (D,) of the latents, over the frames that know each column."""
        total = np.zeros(sum(self.widths.values()))
        square, frames = total.copy(), total.copy()
        for encoded in self._encoded.values():
            known = encoded.known.astype(float)
            total += encoded.latents.sum(0) * known
            square += (encoded.latents.astype(float) ** 2).sum(0) * known
            frames += len(encoded.latents) * known
        frames = np.maximum(frames, 1)
        mean = total / frames
        return mean.astype(np.float32), np.sqrt(np.maximum(square / frames - mean**2, 1e-4)).astype(
            np.float32
        )


class CaptionEmbeddings:
    """Every caption's token embeddings, encoded once and kept in a file."""

    def __init__(self, captions: list[str], cache: Path) -> None:
        wanted = sorted({normalize_prompt(c) for c in captions})
        key = cache / "captions.json"
        values = cache / "captions.npy"
        if key.exists() and json.loads(key.read_text("utf-8")) == wanted:
            table = np.load(values)
        else:
            table = np.zeros((len(wanted), MAX_WORDS, WIDTH), np.float16)
            for i, tokens in enumerate(TextEncoder().encode_many(wanted)):
                table[i, : len(tokens)] = tokens
            cache.mkdir(parents=True, exist_ok=True)
            temporary = cache / f"captions.{os.getpid()}.npy"
            np.save(temporary, table)
            temporary.replace(values)
            key.write_text(json.dumps(wanted), "utf-8")
        self._index = {caption: i for i, caption in enumerate(wanted)}
        self._table = table

    def batch(self, captions: list[str | None]) -> tuple[np.ndarray, np.ndarray]:
        """Left-padded embeddings (B, W, 384) and mask (B, W); ``None`` is an empty prompt."""
        rows = []
        for caption in captions:
            if caption is None:
                rows.append(np.zeros((0, WIDTH), np.float32))
            else:
                row = self._table[self._index[normalize_prompt(caption)]].astype(np.float32)
                rows.append(row[np.abs(row).sum(-1) > 0])
        width = max(1, *(len(row) for row in rows))
        tokens = np.zeros((len(rows), width, WIDTH), np.float32)
        mask = np.zeros((len(rows), width), bool)
        for i, row in enumerate(rows):
            if len(row):
                tokens[i, -len(row) :], mask[i, -len(row) :] = row, True
        return tokens, mask
