"""Arrays of numbers in ``.npy`` files, read without trusting them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import BadInput
from .archive import MAX_ARRAY_BYTES


def read_array(path: Path | str) -> np.ndarray:
    """The array of a ``.npy`` file as float64.

    Raises:
        BadInput: the file is damaged, a pickle, too large, or holds no finite numbers.
    """
    name = Path(path).name
    try:
        with open(path, "rb") as stream:
            version = np.lib.format.read_magic(stream)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read(stream)
        if dtype.hasobject:
            raise BadInput(f"{name} holds Python objects (a pickle), which are not read.", field="path")
        if int(np.prod(shape, dtype=object)) * dtype.itemsize > MAX_ARRAY_BYTES:
            raise BadInput(f"{name} has the shape {shape}, which is too large.", field="path")
        if dtype.kind not in "fiu":
            raise BadInput(f"{name} holds no numbers.", field="path")
        values = np.load(path, allow_pickle=False).astype(np.float64)
    except BadInput:
        raise
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror or 'it is damaged'}.", field="path") from None
    except Exception:  # a damaged header may raise anything
        raise BadInput(f"{name} is damaged or no numpy array.", field="path") from None
    if not np.isfinite(values).all():
        raise BadInput(f"{name} holds numbers that are not finite (NaN or infinity).", field="path")
    return values
