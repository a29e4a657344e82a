"""``train_data.pt`` out of ``canonical.pt``: every sample with the embedding of its description."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...backend.errors import BadInput, JobFailed
from ..words.embeddings import DEFAULT_MODEL
from . import files
from .samples import Sample

MODEL = "BAAI/bge-large-en-v1.5"
"""The default encoder: 1024 numbers a sentence."""
INSTALLED = DEFAULT_MODEL
"""The encoder that is installed with Understudy: 384 numbers a sentence."""
BATCH = 256


class Encoder(Protocol):
    """Anything that turns sentences into rows (N, D); :class:`~..words.embeddings.SentenceEncoder` does."""

    def encode(self, texts: Sequence[str]) -> np.ndarray: ...


def find_model(name: str, *, download: bool = False) -> str:
    """Where the model is: its folder on this machine, or its name if it is to be fetched.

    Args:
        name: a folder, or a model's name on the Hugging Face hub.
        download: whether the hub may be asked for a model that is not here.

    Raises:
        BadInput: it is not on this machine and may not be fetched.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    if name.removeprefix("sentence-transformers/") == INSTALLED or Path(name).is_dir():
        return name
    try:
        return str(snapshot_download(name, local_files_only=True))
    except HFValidationError:
        raise BadInput(f"{name} is neither a folder nor the name of a model.", field="model") from None
    except OSError:
        if download:
            return name
    raise BadInput(
        f"The sentence encoder {name} is not on this machine.",
        hint="Add --download to fetch it from huggingface.co, or name a folder or another model with --model.",
        field="model",
    )


def embed(
    source: Path,
    target: Path,
    encoder: Encoder,
    *,
    model: str = MODEL,
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Add ``embedding`` (D,) float32 to every sample; shards stay shards, one in memory at a time.

    ``meta`` says which model it was and how wide: ``embedding_model``, ``embedding_dim``.

    Args:
        source: ``canonical.pt`` or what its shards are named after.
        target: ``train_data.pt``, in the same manner.
        encoder: embeds the descriptions.
        model: its name.
        progress: is told the number of samples done.

    Returns:
        samples, model, dimension.

    Raises:
        BadInput: there are no samples.
        JobFailed: the encoder gave something else than one finite row per sentence.
    """
    done, width = 0, 0

    def embedded() -> Iterator[Sample]:
        nonlocal done, width
        import torch

        for file in sources:
            samples = files.load(file)
            for first in range(0, len(samples), BATCH):
                batch = samples[first : first + BATCH]
                # Captions repeat, in mirrored and in cut motions.
                texts = list(dict.fromkeys(str(sample.get("description", "")) for sample in batch))
                rows = np.asarray(encoder.encode(texts), dtype=np.float32)
                if rows.shape[:1] != (len(texts),) or rows.ndim != 2 or not np.isfinite(rows).all():
                    raise JobFailed(f"The sentence encoder {model} gave no embedding for some descriptions.")
                width = rows.shape[1]
                by_text = dict(zip(texts, rows, strict=True))
                for sample in batch:
                    row = by_text[str(sample.get("description", ""))]
                    meta = {**(sample.get("meta") or {}), "embedding_model": model, "embedding_dim": width}
                    yield {**sample, "embedding": torch.from_numpy(row.copy()), "meta": meta}
                done += len(batch)
                progress(done)

    sources = files.files_of(source)
    sharded = sources != [Path(source)]
    shard = len(files.load(sources[0])) if sharded else 0
    files.write(embedded(), target, shard=shard)
    return {"samples": done, "model": model, "dimension": width}
