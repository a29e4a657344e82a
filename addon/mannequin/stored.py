"""The finished mannequin as a small file, so that an installed add-on need not work it out (about a second).

The extension's zip carries it; it is made when the zip is built (``tools/build_extension.py``). A checkout has none.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from ...backend.motion.skeleton import NUM_JOINTS
from .mannequin import Mannequin
from .skinning import MAX_INFLUENCES

STORED = Path(__file__).with_name("mannequin.npz")

_STEPS = 256  # of the weights, see skinning.stepped


def save(shape: Mannequin, path: Path) -> None:
    """Write a mannequin: of the weights and the shapes only what is not zero."""
    order = np.argsort(-shape.weights, axis=1, kind="stable")[:, :MAX_INFLUENCES]
    arrays = {
        "vertices": shape.vertices.astype(np.float32),
        "corners": shape.corners.astype(np.uint16),
        "sizes": np.diff(shape.starts, append=len(shape.corners)).astype(np.uint8),
        "zones": shape.zones.astype(np.uint8),
        "joints": order.astype(np.uint8),
        "weights": np.rint(_STEPS * np.take_along_axis(shape.weights, order, 1)).astype(np.uint16),
    }
    for name, offsets in shape.shapes.items():
        moved = np.flatnonzero(offsets.any(1))
        arrays[f"moved {name}"] = moved.astype(np.uint16)
        arrays[f"moves {name}"] = offsets[moved].astype(np.float32)
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # numpy names its own argument there


def load(path: Path = STORED) -> Mannequin | None:
    """The mannequin of a file; None where there is none, or it cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        sizes = arrays["sizes"].astype(np.int32)
        vertices = arrays["vertices"]
        weights = np.zeros((len(vertices), NUM_JOINTS), np.float32)
        np.put_along_axis(
            weights, arrays["joints"].astype(np.int64), arrays["weights"] / np.float32(_STEPS), 1
        )
        shapes = {}
        for name in [key.removeprefix("moved ") for key in arrays if key.startswith("moved ")]:
            shapes[name] = np.zeros_like(vertices)
            shapes[name][arrays[f"moved {name}"]] = arrays[f"moves {name}"]
        return Mannequin(
            vertices=vertices,
            corners=arrays["corners"].astype(np.int32),
            starts=np.cumsum(sizes, dtype=np.int32) - sizes,
            zones=arrays["zones"].astype(np.int32),
            weights=weights,
            shapes=shapes,
        )
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
