"""The ``.npz`` container itself: safe to open, the same bytes for the same content, atomic on disk.

numpy's own ``np.load`` would do for files of ours, but a clip comes from anywhere: this reader never
unpickles, looks at each array's header before it reserves memory (an archive of 1 kB can announce an
array of 1 TB), reads only the arrays asked for, and turns every failure into one sentence.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import threading
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from ..errors import BadInput

Source = str | os.PathLike[str] | BinaryIO

MAX_ARRAY_BYTES = 512 * 1024**2
"""Largest array that is read: 30 minutes of SMPL-X poses in double precision at 120 fps are 285 MB."""

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's zero: no clock in the file
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError,
    # numpy parses the text of an array's header as Python.
    SyntaxError, tokenize.TokenError, TypeError, OverflowError, LookupError, struct.error,
)  # fmt: skip


def source_name(source: Source) -> str:
    """What to call a file in a sentence: its path, or ``the data`` when it has none."""
    if isinstance(source, (str, os.PathLike)):
        return str(source)
    name = getattr(source, "name", "")
    return name if isinstance(name, str) and name else "the data"


class Archive:
    """The arrays of one ``.npz`` file, read one by one when asked for.

    Raises:
        BadInput: from the constructor and from :meth:`read`, one sentence naming the file.
    """

    def __init__(self, source: Source) -> None:
        self.name = source_name(source)
        try:
            owned = isinstance(source, (str, os.PathLike))
            data: BinaryIO = Path(source).open("rb") if owned else source  # type: ignore  # noqa: SIM115
            self._file, self._owned = data, owned
        except FileNotFoundError:
            raise BadInput(f"{self.name} does not exist.", field="path") from None
        except IsADirectoryError:
            raise BadInput(f"{self.name} is a folder, not an .npz file.", field="path") from None
        except OSError as error:
            raise BadInput(f"{self.name} cannot be read: {error.strerror or error}.", field="path") from None
        try:
            start = data.read(4)
            data.seek(0)
            self._zip = zipfile.ZipFile(data)
        except _DAMAGE:
            self.close()
            raise BadInput(self._not_an_archive(start), field="path") from None
        self._members = {
            info.filename.removesuffix(".npy"): info
            for info in self._zip.infolist()
            if info.filename.endswith(".npy")
        }
        if not self._members:
            self.close()
            raise BadInput(
                f"{self.name} is a zip archive without numpy arrays, not an .npz file.", field="path"
            )

    def _not_an_archive(self, start: bytes) -> str:
        if not start:
            return f"{self.name} is empty."
        if start[:2] == b"PK":
            return f"{self.name} is damaged: the .npz archive is cut short."
        if start == b"\x93NUM":
            return f"{self.name} is a single numpy array (.npy), not an .npz file."
        return f"{self.name} is not an .npz file."

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if getattr(self, "_zip", None) is not None:
            self._zip.close()
        if self._owned:
            self._file.close()

    def __contains__(self, key: str) -> bool:
        return key in self._members

    @property
    def keys(self) -> list[str]:
        return sorted(self._members)

    def read(self, key: str) -> np.ndarray:
        """One array by name; never an object array, never larger than :data:`MAX_ARRAY_BYTES`."""
        info = self._members[key]
        try:
            with self._zip.open(info) as member:
                shape, dtype = _read_header(member)
                if dtype.hasobject:
                    raise BadInput(
                        f"{self.name}: the array {key} holds Python objects (a pickle), which are not read.",
                        hint="Save the file again with plain number arrays.",
                        field=key,
                    )
                count = 1
                for length in shape:
                    count *= int(length)
                size = count * dtype.itemsize
                if size > MAX_ARRAY_BYTES:
                    raise BadInput(
                        f"{self.name}: the array {key} has the shape {shape}, more than "
                        f"{MAX_ARRAY_BYTES // 1024**2} MB.",
                        hint="Cut the motion into shorter files.",
                        field=key,
                    )
                if size > info.file_size:
                    raise BadInput(f"{self.name} is damaged: the array {key} is cut short.", field=key)
            with self._zip.open(info) as member:
                return np.lib.format.read_array(member, allow_pickle=False)
        except BadInput:
            raise
        except _DAMAGE:
            raise BadInput(f"{self.name} is damaged: the array {key} cannot be read.", field=key) from None


def _read_header(member: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of a ``.npy`` stream, from its header alone."""
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(member)
    else:
        raise ValueError(f"npy version {version}")
    if any(length < 0 for length in shape):
        raise ValueError("negative length")
    return shape, dtype


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """An ``.npz`` archive in memory. The same arrays in the same order give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for key, array in arrays.items():
            info = zipfile.ZipInfo(f"{key}.npy", _EPOCH)
            info.external_attr = 0o644 << 16
            # Level 1: hands and face are often zero, so most of the gain comes at no cost in time.
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asanyarray(array), version=(1, 0), allow_pickle=False)
            archive.writestr(info, data.getvalue(), compress_type=zipfile.ZIP_DEFLATED, compresslevel=1)
    return buffer.getvalue()


def write_bytes(data: bytes, path: str | os.PathLike[str]) -> None:
    """Write a file in one step: whole or not at all, an existing file stays until the new one is complete.

    Raises:
        BadInput: the folder is missing or cannot be written to.
    """
    path = Path(path)
    if not path.name:
        raise BadInput(f"{path} is not a file name.", field="path")
    if path.is_dir():
        raise BadInput(f"{path} is a folder, not a file name.", field="path")
    if not path.parent.is_dir():
        raise BadInput(f"The folder {path.parent} does not exist.", field="path")
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise BadInput(
            f"{path} cannot be written: {error.strerror or error}.",
            hint="Choose another folder.",
            field="path",
        ) from None
