"""Weights of a pack as its ONNX graphs name them.

An initializer's name is an expression over the tensors of one ``.safetensors`` file: a tensor's name, with ``|T``
for a matrix transposed, with ``|C`` for a convolution (O, I, K) as the matrix (K * I, O) that multiplies K
neighbouring frames side by side; several with ``+`` between them are joined along the last axis.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import JobFailed
from ..models.eight_bits import restored

GRAPHS = "onnx"
"""The folder of a pack that holds its graphs."""
INDEX = "graphs.json"
"""Its list: for every graph the weights' file and the expressions."""
FORMAT = 1
"""Of graphs and list together; graphs of another are written anew."""


def evaluate(expression: str, state: Mapping[str, np.ndarray]) -> np.ndarray:
    """The float32 array that an expression stands for."""
    arrays = []
    for term in expression.split("+"):
        name, _, change = term.partition("|")
        array = restored(state, name)
        if change == "T":
            array = array.T
        elif change == "C":
            array = array.transpose(2, 1, 0).reshape(-1, len(array))
        arrays.append(array)
    joined = arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=-1)
    return np.ascontiguousarray(joined, np.float32)


def shape_of(expression: str, shape: Callable[[str], tuple[int, ...]]) -> tuple[int, ...]:
    """The shape of what an expression stands for, from the shapes of the tensors."""
    shapes = []
    for term in expression.split("+"):
        name, _, change = term.partition("|")
        of_tensor = tuple(shape(name))
        if change == "T":
            of_tensor = of_tensor[::-1]
        elif change == "C":
            of_tensor = (math.prod(of_tensor[1:]), of_tensor[0])
        shapes.append(of_tensor)
    return (*shapes[0][:-1], sum(one[-1] for one in shapes))


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a ``.safetensors`` file as they are stored."""
    from safetensors.numpy import load_file

    return load_file(path)


@dataclass(frozen=True)
class GraphEntry:
    """A graph of a folder: the file that its weights come from, and their expressions."""

    weights: str
    expressions: tuple[str, ...]


def read_index(folder: Path) -> dict[str, GraphEntry]:
    """The graphs of a folder by name.

    Raises:
        JobFailed: there is no list, or one that makes no sense.
    """
    path = folder / INDEX
    try:
        table = json.loads(path.read_bytes())
        if table["format"] != FORMAT:
            raise JobFailed(
                f"The graphs in {folder} are of another version.",
                hint="Write them again with: understudy-train export-onnx PACK",
            )
        return {
            name: GraphEntry(str(entry["weights"]), tuple(map(str, entry["expressions"])))
            for name, entry in table["graphs"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise JobFailed(
            f"{path} cannot be read.", hint="Write it again with: understudy-train export-onnx PACK"
        ) from error
