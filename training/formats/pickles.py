"""Pickles of data sets, read without running them.

A pickle is a program. Some data sets ship nothing else, so they are read here by an unpickler that knows
plain Python values and numpy arrays, and refuses every other name before it is looked up.

Even numpy's own constructors are not handed to the file: ``numpy.dtype`` can be told that pointers are
numbers, ``numpy.ndarray`` can be told to reserve a terabyte. Dtypes are rebuilt from their text through
the public constructor and an array takes exactly the bytes that the file holds for it.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput

LARGEST = 2 << 30
"""Bytes; a larger file is no motion."""


def read_pickle(path: Path) -> Any:
    """Plain values and numpy arrays out of a pickle file of any protocol, of Python 2 or 3.

    Raises:
        BadInput: the file is damaged or too large, or it asks for anything that is not data; nothing of
            it has been run.
    """
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput("It is too large.")
        return loads(path.read_bytes())
    except BadInput as error:
        raise BadInput(f"{path.name} was not read. {error.message}", field="path") from None
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read ({error.strerror}).", field="path") from None


def loads(data: bytes) -> Any:
    """As :func:`read_pickle`, from bytes. Strings of Python 2 are taken as Latin-1, as numpy asks."""
    try:
        stream = io.BytesIO(data)
        value = _Unpickler(stream, encoding="latin1").load()
        if stream.read(1):
            raise BadInput("It is a row of several pickles, as old files of torch are.")
        return _plain(value, {})
    except BadInput:
        raise
    except RecursionError:
        raise BadInput("The pickle is nested too deeply.") from None
    except Exception as error:  # a damaged pickle may raise anything
        raise BadInput(f"The pickle is damaged ({type(error).__name__}).") from None


# ----------------------------------------------------------------------- what a pickle may ask for

_SIMPLE = re.compile(r"[<>|=]?[?biufcSUOV][0-9]*")
_NDARRAY = object()
"""Stands for the class ``numpy.ndarray``, which a pickle names but may not call."""


class _Dtype:
    """A dtype as the pickle describes it; :meth:`real` makes it, by numpy's public constructor."""

    def __init__(self, text: Any, *_: Any) -> None:
        if not isinstance(text, str) or not _SIMPLE.fullmatch(text):
            raise BadInput(f"It holds an array of the type {str(text)[:40]}, which is not read.")
        self._text = text
        self._state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._state = state

    def real(self) -> np.dtype:
        order, inner, names, fields, size = (*self._state[1:6], *[None] * 5)[:5]
        if inner is not None:
            base, shape = inner
            return np.dtype((base.real(), shape))
        if names:
            formats = [fields[name][0].real() for name in names]
            offsets = [fields[name][1] for name in names]
            return np.dtype({"names": list(names), "formats": formats, "offsets": offsets, "itemsize": size})  # type: ignore[call-overload, no-any-return]
        dtype = np.dtype(self._text)
        return dtype.newbyteorder(order) if order in ("<", ">") else dtype


class _Array(np.ndarray):
    """An array in the making; numpy's own ``__setstate__`` sees only what was checked."""

    def __setstate__(self, state: Any) -> None:
        *_, shape, dtype, fortran, data = state
        real = dtype.real()
        if real.hasobject:
            if real != np.dtype(object) or not isinstance(data, list) or len(data) != math.prod(shape):
                raise ValueError("object array")
        else:
            data = _checked(data, real, shape)
        super().__setstate__((1, tuple(shape), real, bool(fortran), data))


def _checked(data: Any, dtype: np.dtype, shape: Any) -> bytes:
    """The bytes of an array, if they are as many as its shape and type need."""
    raw = data.encode("latin1") if isinstance(data, str) else bytes(memoryview(data))
    sizes = [int(length) for length in shape]
    if min(sizes, default=0) < 0 or dtype.itemsize == 0 or len(raw) != math.prod(sizes) * dtype.itemsize:
        raise ValueError("array size")
    return raw


class _Make:
    """What a pickle may call. Bound methods, because a pickle may also set attributes, and these have none."""

    def dtype(self, text: Any, *_: Any) -> _Dtype:
        return _Dtype(text)

    def reconstruct(self, kind: Any, *_: Any) -> np.ndarray:
        if kind is not _NDARRAY:
            raise BadInput("It holds a kind of array that is not plain.")
        return _Array((0,), np.int8)

    def scalar(self, dtype: _Dtype, data: Any) -> Any:
        real = dtype.real()
        if real.hasobject:
            raise ValueError("object scalar")
        return np.frombuffer(_checked(data, real, (1,)), real)[0]

    def frombuffer(self, data: Any, dtype: _Dtype, shape: Any, order: str, *_: Any) -> np.ndarray:
        """Protocol 5 stores arrays so."""
        real = dtype.real()
        if real.hasobject:
            raise ValueError("object array")
        flat = np.frombuffer(bytearray(_checked(data, real, shape)), real)
        return flat.reshape(shape, order="F" if order == "F" else "C").view(_Array)

    def encode(self, text: str, encoding: str) -> bytes:
        """Bytes in the protocols that have none."""
        if encoding not in ("latin1", "latin-1"):
            raise ValueError("encoding")
        return text.encode("latin1")

    def no_bytes(self) -> bytes:
        """``bytes()``, which is how those protocols write none at all."""
        return b""


_MAKE = _Make()
_KNOWN: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _MAKE.dtype,
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _MAKE.encode,
}
for _core in ("numpy.core", "numpy._core"):  # numpy 1 and numpy 2
    _KNOWN |= {
        (f"{_core}.multiarray", "_reconstruct"): _MAKE.reconstruct,
        (f"{_core}.multiarray", "scalar"): _MAKE.scalar,
        (f"{_core}.numeric", "_frombuffer"): _MAKE.frombuffer,
    }
for _builtins in ("builtins", "__builtin__"):  # Python 3 and Python 2
    _KNOWN |= {(_builtins, kind.__name__): kind for kind in (set, frozenset, complex)}
    _KNOWN[_builtins, "bytes"] = _MAKE.no_bytes

ALLOWED: frozenset[tuple[str, str]] = frozenset(_KNOWN)
"""The only names a pickle may ask for."""


class _Unpickler(pickle._Unpickler):  # type: ignore[name-defined, misc]
    """Python's own unpickler written in Python.

    The one written in C reserves its memo as an array, so that a file of ten bytes can ask for 64 GB.
    """

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) not in ALLOWED:
            raise BadInput(f"It asks for {module}.{name}, which is not data."[:200])
        found: Callable[..., Any] = _KNOWN[module, name]
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise BadInput("It refers to data outside of itself, as files of torch do.")


def _plain(value: Any, seen: dict[int, Any]) -> Any:
    """The value with our stand-ins for numpy's types replaced, each object once, cycles included."""
    if id(value) in seen:
        return seen[id(value)][1]
    result = value
    # The original is kept beside its replacement, so that its id is not given to another object.
    seen[id(value)] = value, value
    if isinstance(value, _Dtype):
        result = value.real()
    elif isinstance(value, _Array):
        result = value.view(np.ndarray)
        seen[id(value)] = value, result
        if result.dtype == object:
            for i, item in enumerate(result.flat):
                result.flat[i] = _plain(item, seen)
    elif isinstance(value, dict):
        for key, item in list(dict.items(value)):
            dict.__setitem__(value, key, _plain(item, seen))
    elif isinstance(value, list):
        value[:] = [_plain(item, seen) for item in value]
    elif isinstance(value, tuple):
        result = tuple(_plain(item, seen) for item in value)
    elif value is _NDARRAY or callable(value):
        raise BadInput("It holds code instead of data.")
    seen[id(value)] = value, result
    return result
