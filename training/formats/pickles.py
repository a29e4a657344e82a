"""Pickles of data sets, read without running them.

A pickle is a program. Some data sets ship nothing else, so they are read here by an unpickler that can
build plain Python values and numpy arrays, and refuses every other name before it is looked up.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput

_NUMPY = {"numpy": ("ndarray", "dtype")}
_NUMPY |= {f"numpy.{core}.multiarray": ("_reconstruct", "scalar") for core in ("core", "_core")}
_NUMPY |= {f"numpy.{core}.numeric": ("_frombuffer",) for core in ("core", "_core")}
ALLOWED: frozenset[tuple[str, str]] = frozenset(
    [(module, name) for module, names in _NUMPY.items() for name in names]
    + [("collections", "OrderedDict"), ("_codecs", "encode")]
)
"""The only names a pickle may ask for."""

LARGEST = 2 << 30
"""Bytes; a larger file is no motion."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise BadInput(f"It asks for {module}.{name}, which is not data.")
        if module.startswith("numpy._core"):  # numpy 2 wrote it, numpy 1 may read it
            module = module.replace("numpy._core", "numpy.core") if np.__version__ < "2" else module
        return super().find_class(module, name)


def read_pickle(path: Path) -> Any:
    """Plain values and numpy arrays out of a pickle file.

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
        return _Unpickler(io.BytesIO(data), encoding="latin1").load()
    except BadInput:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise BadInput(f"The pickle is damaged ({type(error).__name__}).") from None
