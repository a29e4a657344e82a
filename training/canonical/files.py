"""Files of samples: a list of dictionaries of tensors and plain values, one file or numbered shards.

``torch.load(path, weights_only=True)`` reads them anywhere; nothing in them can run. A file is held in
memory as a whole, here and in every program that loads it: about 260 bytes a frame and actor, 30 MB an
hour at 30 fps. Shards (``canonical.00000.pt``, ...) keep that flat.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...backend.errors import BadInput
from .samples import Sample

_TENSORS = ("motion", "actions", "physics", "camera")


def shard_path(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number:05d}{path.suffix}")


def _shards(path: Path) -> list[Path]:
    """The shards of ``path`` that are there, in order."""
    pattern = re.compile(re.escape(path.stem) + r"\.\d{5}" + re.escape(path.suffix))
    folder = path.parent
    return sorted(p for p in folder.iterdir() if pattern.fullmatch(p.name)) if folder.is_dir() else []


def files_of(path: Path) -> list[Path]:
    """The file itself, or its shards.

    Raises:
        BadInput: neither is there.
    """
    path = Path(path)
    found = [path] if path.is_file() else _shards(path)
    if not found:
        raise BadInput(f"There is no {path}.", hint="Run understudy-train canonical build.", field="file")
    return found


def load(path: Path) -> list[Sample]:
    """The samples of one file.

    Raises:
        BadInput: it is no file of samples.
    """
    import torch

    try:
        samples = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds for a damaged file
        raise BadInput(f"{path} is no file of samples ({type(error).__name__}).", field="file") from None
    if not isinstance(samples, list):
        raise BadInput(f"{path} holds no list of samples.", field="file")
    for number, sample in enumerate(samples):
        missing = [key for key in _TENSORS if not isinstance(sample, dict) or key not in sample]
        if missing or not all(isinstance(sample[key], torch.Tensor) for key in _TENSORS):
            raise BadInput(
                f"Sample {number} of {path} lacks the tensors {', '.join(_TENSORS)}.", field="file"
            )
    return samples


def iter_samples(path: Path) -> Iterator[Sample]:
    """The samples of a file or of its shards; one shard is in memory at a time."""
    for file in files_of(path):
        yield from load(file)


def save(samples: list[Sample], path: Path) -> None:
    """Write a file that appears whole or not at all."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        torch.save(samples, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write(samples: Iterable[Sample], path: Path, *, shard: int = 0) -> list[Path]:
    """Write samples as they come.

    Args:
        samples: taken one after the other.
        path: the file; with ``shard`` the shards are named after it.
        shard: samples per shard; 0 writes one file.

    Returns:
        What was written. Files that an earlier run left under the same name are gone then.
    """
    path = Path(path)
    before = {*_shards(path), *([path] if path.is_file() else [])}
    written: list[Path] = []
    waiting: list[Sample] = []
    for sample in samples:
        waiting.append(sample)
        if shard and len(waiting) == shard:
            written.append(shard_path(path, len(written)))
            save(waiting, written[-1])
            waiting = []
    if waiting or not written:
        written.append(shard_path(path, len(written)) if shard else path)
        save(waiting, written[-1])
    for stale in before.difference(written):
        stale.unlink()
    return written
