"""The corpus as the tokenizers see it: latent frames and first-level codes, with caption embeddings."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from ...backend.errors import BadInput
from ...backend.models.tokenizer import PartTokenizer, TokenizerConfig
from ...backend.motion.rhythm import per_latent, rhythm_of_features
from ...backend.text import WIDTH, TextEncoder, normalize_prompt
from ..corpus.dataset import Corpus, Motion, Segment


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
        if config.source != "parts":
            raise BadInput(
                f"{folder} codes HumanML3D's whole-body features, which no clip can be made of.",
                hint="Train the tokenizer on the store: leave its key features out.",
                field=part,
            )
        model = PartTokenizer(config)
        model.load_state_dict(load_file(weights))
        result[part] = model.eval()
    return result


@dataclass(frozen=True)
class Encoded:
    """One motion from one starting frame ``phase`` on.

    latents (L, D) of all parts side by side, codes ``{part: (L,)}``, known (D,) which columns count,
    rhythm (L, 12) of the four frames of each latent frame; ``None`` where the upper body is not known.
    """

    latents: np.ndarray
    codes: dict[str, np.ndarray]
    known: np.ndarray
    rhythm: np.ndarray | None = None
    phase: int = 0


class Latents:
    """Encodes each captioned motion from ``phases`` of the ``stride`` possible starting frames, on
    ``device``; what it keeps lies in memory as arrays."""

    def __init__(
        self,
        corpus: Corpus,
        tokenizers: dict[str, PartTokenizer],
        *,
        phases: int = 2,
        device: torch.device | None = None,
    ) -> None:
        self.device = device or torch.device("cpu")
        self.tokenizers = {part: t.to(self.device) for part, t in tokenizers.items()}
        self.stride = next(iter(tokenizers.values())).config.stride
        self.phases = [i * self.stride // phases for i in range(phases)]
        self.widths = {part: t.config.latent for part, t in tokenizers.items()}
        self._encoded = {
            (id(motion), phase): self._encode(motion, phase)
            for motion in {id(segment.motion): segment.motion for segment in corpus.segments}.values()
            for phase in self.phases
            if len(motion) >= phase + 2 * self.stride
        }
        self.tokenizers = {part: t.cpu() for part, t in tokenizers.items()}

    def draw(self, segment: Segment, rng: np.random.Generator) -> tuple[Encoded, int, int] | None:
        """The segment's motion from a random phase, and the segment as its latent frames (half-open)."""
        phase = int(rng.choice(self.phases))
        encoded = self.encoded(segment.motion, phase)
        if encoded is None:
            return None
        first = -(-(segment.start - phase) // self.stride)  # rounded up
        last = min((segment.stop - phase) // self.stride, len(encoded.latents))
        return encoded, max(first, 0), last

    def encoded(self, motion: Motion, phase: int) -> Encoded | None:
        """A captioned motion of the corpus from one of ``phases`` on; ``None`` where it is too short."""
        return self._encoded.get((id(motion), phase))

    @torch.inference_mode()
    def _encode(self, motion: Motion, phase: int) -> Encoded:
        frames = (len(motion) - phase) // self.stride * self.stride
        columns, known, codes = [], [], {}
        for part, tokenizer in self.tokenizers.items():
            width = tokenizer.config.latent
            if motion.known[part]:
                features = torch.from_numpy(motion.features[part][phase : phase + frames])[None].to(
                    self.device
                )
                latents = tokenizer.encode(features)
                codes[part] = tokenizer.quantize(latents).codes[0, :, 0].cpu().numpy()
                columns.append(latents[0].cpu().numpy())
            else:
                columns.append(np.zeros((frames // self.stride, width), np.float32))
            known.append(np.full(width, motion.known[part]))
        rhythm = None
        if motion.known["upper"]:
            rhythm = per_latent(rhythm_of_features(motion.features["upper"][phase : phase + frames]))
        return Encoded(np.concatenate(columns, axis=1), codes, np.concatenate(known), rhythm, phase)

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
    """Every caption's token embeddings, encoded once and kept in a file of ``cache`` named after them."""

    def __init__(self, captions: Iterable[str], cache: Path) -> None:
        wanted = sorted({normalize_prompt(c) for c in captions})
        digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:16]
        kept = cache / f"captions-{digest}.npz"
        if kept.exists():
            with np.load(kept, allow_pickle=False) as data:
                self._tokens, ends = data["tokens"], data["ends"]
        else:
            with torch.random.fork_rng(devices=[]):  # a run is the same whether the file is there or not
                rows = TextEncoder().encode_many(wanted)
            self._tokens = np.concatenate([np.zeros((0, WIDTH), np.float32), *rows]).astype(np.float16)
            ends = np.cumsum([len(row) for row in rows], dtype=np.int64)
            cache.mkdir(parents=True, exist_ok=True)
            temporary = cache / f"captions.{os.getpid()}.npz"
            np.savez(temporary, tokens=self._tokens, ends=ends)
            temporary.replace(kept)
        starts = [0, *ends[:-1].tolist()]
        self._places = dict(zip(wanted, zip(starts, ends.tolist(), strict=True), strict=True))

    def batch(self, captions: Sequence[str | None]) -> tuple[np.ndarray, np.ndarray]:
        """Left-padded embeddings (B, W, 384) and mask (B, W); ``None`` is an empty prompt."""
        places = [(0, 0) if c is None else self._places[normalize_prompt(c)] for c in captions]
        width = max(1, *(stop - start for start, stop in places))
        tokens = np.zeros((len(places), width, WIDTH), np.float32)
        mask = np.zeros((len(places), width), bool)
        for i, (start, stop) in enumerate(places):
            if stop > start:
                tokens[i, start - stop :], mask[i, start - stop :] = self._tokens[start:stop], True
        return tokens, mask
