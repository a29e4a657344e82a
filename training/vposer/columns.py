"""Tables that are larger than memory: written row by row, saved as ``.pt``, read without being loaded."""

from __future__ import annotations

import os
import shutil
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...backend.errors import BadInput

if TYPE_CHECKING:
    import torch


COPIED = 1 << 20
"""Bytes copied at a time."""


class Columns:
    """Rows appended to one raw file per column; :meth:`save` turns each into a ``.pt`` tensor.

    The table is never in memory.

    Args:
        folder: where ``<column>.pt`` is to be; its raw files are hidden beside it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*.raw"):  # of a run that was killed
            left.unlink()
        self.rows = 0
        self._kinds: dict[str, tuple[np.dtype, tuple[int, ...]]] = {}

    def _raw(self, column: str) -> Path:
        return self.folder / f".{column}.raw"

    def add(self, rows: Mapping[str, np.ndarray]) -> None:
        """Append rows. A column that earlier or later rows lack is zero there."""
        count = len(next(iter(rows.values())))
        for column, values in rows.items():
            if column not in self._kinds:
                self._kinds[column] = values.dtype, values.shape[1:]
                self._raw(column).write_bytes(b"")
                self._fill(column, self.rows)
        for column in self._kinds:
            if column not in rows:
                self._fill(column, count)
                continue
            with self._raw(column).open("ab") as file:
                np.ascontiguousarray(rows[column]).tofile(file)
        self.rows += count

    def _fill(self, column: str, count: int) -> None:
        dtype, shape = self._kinds[column]
        path = self._raw(column)
        # A longer file reads as zeros where nothing was written.
        os.truncate(path, path.stat().st_size + count * dtype.itemsize * int(np.prod(shape, dtype=int)))

    def save(self) -> list[str]:
        """Write the tensors, remove the raw files and tensors of other columns; returns the columns."""
        import torch

        for old in self.folder.glob("*.pt"):
            if old.stem not in self._kinds:
                old.unlink()
        for column, (dtype, shape) in self._kinds.items():
            raw, temporary = self._raw(column), self.folder / f".{column}.pt.{os.getpid()}"
            # Room for a tensor whose memory is never touched; the bytes are copied into it, file to file.
            tensor = torch.empty((self.rows, *shape), dtype=torch.from_numpy(np.empty(0, dtype)).dtype)
            with torch.serialization.skip_data():
                torch.save(tensor, temporary)
            with raw.open("rb") as source, temporary.open("r+b") as target:
                target.seek(_storage_offset(temporary))
                shutil.copyfileobj(source, target, COPIED)
            os.replace(temporary, self.folder / f"{column}.pt")
            raw.unlink()
        return list(self._kinds)


def _storage_offset(path: Path) -> int:
    """Where the bytes of the only tensor of a ``.pt`` file begin: it is a zip archive, and they are not packed."""
    with zipfile.ZipFile(path) as archive:
        info = next(info for info in archive.infolist() if info.filename.endswith("/data/0"))
    with path.open("rb") as file:
        file.seek(info.header_offset + 26)
        name, extra = struct.unpack("<HH", file.read(4))
    return int(info.header_offset + 30 + name + extra)


def read_column(folder: Path, column: str) -> torch.Tensor:
    """One tensor of a stage, mapped, not loaded.

    Raises:
        BadInput: it is not there or damaged.
    """
    import torch

    path = folder / f"{column}.pt"
    try:
        tensor = torch.load(path, mmap=True, weights_only=True)
    except FileNotFoundError:
        raise BadInput(f"{path} is missing.", hint="Run the stage before this one.", field="stage") from None
    except Exception as error:  # torch raises many kinds for a damaged file
        raise BadInput(
            f"{path} is damaged ({type(error).__name__}).", hint="Delete it and run its stage again."
        ) from None
    if not isinstance(tensor, torch.Tensor):
        raise BadInput(f"{path} holds no tensor.", field="stage")
    return tensor
