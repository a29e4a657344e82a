"""Files that appear whole under their name or not at all."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np

from ...backend.errors import JobFailed


def npy_bytes(array: np.ndarray) -> bytes:
    """A ``.npy`` file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def write_whole(path: Path, data: bytes) -> None:
    """Write under a temporary name, then rename.

    Raises:
        JobFailed: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise JobFailed(f"{path} cannot be written ({error.strerror}).") from None


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """A ``.npz`` file of named arrays."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()
