"""Read Acclaim ASF (a subject's skeleton) and AMC (a trial), as CMU delivers them.

World rotation of a bone: ``W = W_parent C L C^-1`` with ``C = Rz Ry Rx`` of its ``axis`` angles and
``L = Rz Ry Rx`` of the AMC values that its ``dof`` list places (missing = 0); the bone ends at
``end_of_parent + W direction length``. Root: TX TY TZ RX RY RZ. Degrees. Y up.
Source: http://mocap.cs.cmu.edu and Lander, "Working with Motion Capture File Formats" (1998).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import BadInput


@dataclass(frozen=True)
class Asf:
    """A skeleton. Bone 0 is ``root`` (no length)."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    directions: np.ndarray
    lengths: np.ndarray
    axes: np.ndarray
    dofs: tuple[tuple[str, ...], ...]


def read_asf(path: Path | str) -> Asf:
    """Parse a skeleton.

    Raises:
        BadInput: a section is missing or a number is damaged.
    """
    name = Path(path).name
    lines = [line.split("#")[0].split() for line in Path(path).read_text(encoding="latin-1").splitlines()]
    lines = [line for line in lines if line]
    bones: dict[str, dict[str, list[str]]] = {}
    parents: dict[str, str] = {}
    section = ""
    bone: dict[str, list[str]] = {}
    try:
        for words in lines:
            if words[0].startswith(":"):
                section = words[0]
            elif section == ":bonedata":
                if words[0] == "begin":
                    bone = {}
                elif words[0] == "end":
                    bones[bone["name"][0]] = bone
                else:
                    bone[words[0]] = words[1:]
            elif section == ":hierarchy" and words[0] not in ("begin", "end"):
                parents.update(dict.fromkeys(words[1:], words[0]))
        order = ["root"]
        for known in order:  # grows while it is read: parents before children
            order += [child for child, parent in parents.items() if parent == known]
        index = {n: i for i, n in enumerate(order)}
        body = order[1:]
        if not body:
            raise KeyError(":hierarchy")
        return Asf(
            names=tuple(order),
            parents=(-1, *(index[parents[n]] for n in body)),
            directions=np.array([[0.0] * 3] + [[float(x) for x in bones[n]["direction"][:3]] for n in body]),
            lengths=np.array([0.0] + [float(bones[n]["length"][0]) for n in body]),
            axes=np.array([[0.0] * 3] + [[float(x) for x in bones[n]["axis"][:3]] for n in body]),
            dofs=(("tx", "ty", "tz", "rx", "ry", "rz"), *(tuple(bones[n].get("dof", ())) for n in body)),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise BadInput(
            f"{name} is no usable ASF skeleton: {error} is missing or damaged.", field="path"
        ) from None


def read_amc(path: Path | str, asf: Asf) -> np.ndarray:
    """Angles and root positions (T, B, 6), in the order tx ty tz rx ry rz, zero where not given.

    Raises:
        BadInput: no frames, or a line that does not fit the skeleton.
    """
    index = {n: i for i, n in enumerate(asf.names)}
    slots = ("tx", "ty", "tz", "rx", "ry", "rz")
    columns = [[slots.index(d) for d in dof] for dof in asf.dofs]
    frames: list[np.ndarray] = []
    for line in Path(path).read_text(encoding="latin-1").splitlines():
        words = line.split()
        if not words or words[0][0] in "#:":
            continue
        if words[0].isdigit():
            frames.append(np.zeros((len(asf.names), 6)))
            continue
        bone = index.get(words[0])
        if bone is None or not frames or len(words) - 1 != len(columns[bone]):
            raise BadInput(f"{Path(path).name} does not fit its ASF: {line[:60]!r}.", field="path")
        try:
            frames[-1][bone, columns[bone]] = [float(x) for x in words[1:]]
        except ValueError:
            raise BadInput(
                f"{Path(path).name} holds a damaged number: {line[:60]!r}.", field="path"
            ) from None
    if not frames:
        raise BadInput(f"{Path(path).name} holds no frames.", field="path")
    return np.stack(frames)
