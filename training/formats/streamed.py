"""``.npz`` files larger than memory: plain numpy archives, written and read a block of rows at a time."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from ...backend.errors import BadInput


class StreamWriter:
    """Arrays into an uncompressed ``.npz`` that appears whole, when the block ends, or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = Path(path)
        self._temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._zip = zipfile.ZipFile(self._temporary, "w", zipfile.ZIP_STORED)

    def add(self, key: str, values: np.ndarray) -> None:
        self.add_blocks(key, values.shape, values.dtype, [values])

    def add_blocks(
        self, key: str, shape: tuple[int, ...], dtype: np.dtype, blocks: Iterable[np.ndarray]
    ) -> None:
        """An array whose rows come in blocks.

        Raises:
            ValueError: the blocks together have not this shape.
        """
        header = {"shape": shape, "fortran_order": False, "descr": np.lib.format.dtype_to_descr(dtype)}
        rows = 0
        with self._zip.open(f"{key}.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array_header_1_0(member, header)  # type: ignore[arg-type]
            for block in blocks:
                if block.shape[1:] != shape[1:]:
                    raise ValueError(f"a block of {key} has the shape {block.shape}")
                member.write(np.ascontiguousarray(block, dtype).tobytes())
                rows += len(block) if shape else 0
        if shape and rows != shape[0]:
            raise ValueError(f"{key} has {rows} rows, not {shape[0]}")

    def __enter__(self) -> StreamWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._zip.close()
        if kind is None:
            os.replace(self._temporary, self._path)
        else:
            self._temporary.unlink(missing_ok=True)


def read_blocks(path: Path, key: str, rows: int = 65536) -> Iterator[np.ndarray]:
    """The rows of one array of an ``.npz``, never more than ``rows`` at a time.

    Raises:
        BadInput: the file or the array is not there, is damaged or holds Python objects.
    """
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as member:
            version = np.lib.format.read_magic(member)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran, dtype = read(member)
            if dtype.hasobject or not shape or (fortran and len(shape) > 1):
                raise ValueError("not an array of plain rows")
            width = dtype.itemsize * int(np.prod(shape[1:], dtype=np.int64))
            for first in range(0, shape[0], rows):
                count = min(rows, shape[0] - first)
                data = member.read(count * width)
                yield np.frombuffer(data, dtype).reshape(count, *shape[1:])
    except FileNotFoundError:
        raise BadInput(f"{path} does not exist.", field="path") from None
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} is damaged or has no {key} ({error}).", field="path") from None
