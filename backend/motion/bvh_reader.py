"""Read BVH: a hierarchy of joints with offsets and channels, then one line of numbers a frame.

Read as the format is used by motion capture houses: the order of rotation channels is the order of
multiplication (``Zrotation Yrotation Xrotation`` = ``Rz Ry Rx`` on column vectors), degrees, and
position channels replace the joint's OFFSET. Line ends, tabs and ``Frame Time: .008`` are all met
in the wild. Source: Meredith & Maddock, "Motion Capture File Formats Explained" (2001).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import BadInput
from .rotations import quaternion_multiply

_CHANNEL = re.compile(r"[XYZxyz](position|rotation)")


@dataclass(frozen=True)
class Bvh:
    """A BVH file as written: units and angles of the file.

    Attributes:
        names: joint names in file order (depth first).
        parents: index of the parent, -1 for the root.
        offsets: (J, 3).
        ends: (J, 3) offset of the joint's End Site, NaN where it has none.
        channels: per joint the channel names, in order.
        values: (T, C) one row a frame.
        frame_time: seconds, as the header says (which may be wrong: see the data set's manifest).
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    ends: np.ndarray
    channels: tuple[tuple[str, ...], ...]
    values: np.ndarray
    frame_time: float


def read_bvh(path: Path | str) -> Bvh:
    """Parse a file.

    Raises:
        BadInput: it is no BVH, a row is short, or a number is not finite.
    """
    text = Path(path).read_text(encoding="latin-1")
    head, separator, tail = text.partition("MOTION")
    if not separator or "HIERARCHY" not in head:
        raise BadInput(f"{Path(path).name} is no BVH file: HIERARCHY or MOTION is missing.", field="path")
    try:
        names, parents, offsets, ends, channels = _hierarchy(head)
        count, frame_time, numbers = _motion(tail)
    except (ValueError, IndexError) as error:
        raise BadInput(f"{Path(path).name} is a damaged BVH file ({error}).", field="path") from None
    width = sum(len(c) for c in channels)
    if not count or numbers.size != count * width:
        raise BadInput(
            f"{Path(path).name} promises {count} frames of {width} numbers but holds {numbers.size} numbers.",
            field="path",
        )
    if not np.isfinite(numbers).all():
        raise BadInput(f"{Path(path).name} holds numbers that are not finite.", field="path")
    return Bvh(names, parents, offsets, ends, channels, numbers.reshape(count, width), frame_time)


def _hierarchy(
    head: str,
) -> tuple[tuple[str, ...], tuple[int, ...], np.ndarray, np.ndarray, tuple[tuple[str, ...], ...]]:
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    ends: list[list[float]] = []
    channels: list[tuple[str, ...]] = []
    stack: list[int] = []  # -2 stands for an End Site
    tokens = head.split()
    i = 0
    opened = -1
    while i < len(tokens):
        token = tokens[i]
        if token in ("ROOT", "JOINT"):
            parents.append(stack[-1] if stack else -1)
            opened = len(names)
            names.append(tokens[i + 1])
            offsets.append([0.0, 0.0, 0.0])
            ends.append([np.nan] * 3)
            channels.append(())
            i += 2
        elif token == "End":
            opened = -2
            i += 2
        elif token == "{":
            stack.append(opened)
            i += 1
        elif token == "}":
            stack.pop()
            i += 1
        elif token == "OFFSET":
            values = [float(x) for x in tokens[i + 1 : i + 4]]
            if stack[-1] == -2:
                ends[stack[-2]] = values
            else:
                offsets[stack[-1]] = values
            i += 4
        elif token == "CHANNELS":
            n = int(tokens[i + 1])
            channels[stack[-1]] = tuple(tokens[i + 2 : i + 2 + n])
            unknown = [name for name in channels[stack[-1]] if not _CHANNEL.fullmatch(name)]
            if unknown:
                raise ValueError(f"no channel is called {unknown[0]}")
            i += 2 + n
        else:
            i += 1
    if not names or stack:
        raise ValueError("unbalanced hierarchy")
    return tuple(names), tuple(parents), np.array(offsets), np.array(ends), tuple(channels)


def _motion(tail: str) -> tuple[int, float, np.ndarray]:
    after_frames = tail.split("Frames:", 1)[1]
    count_text, after = after_frames.split("Frame Time:", 1)
    time_text, _, numbers = after.lstrip().partition("\n")
    return int(count_text), float(time_text), np.array(numbers.split(), dtype=np.float64)


def frame_rate(bvh: Bvh, name: str) -> float:
    """Frames per second by the header, to a hundredth: a Frame Time of 0.0333333 means 30, not 30.00003.

    Args:
        bvh: the file.
        name: of the file, for the error.

    Raises:
        BadInput: the header's frame time is none.
    """
    if not 0 < bvh.frame_time < 1:
        raise BadInput(f"{name} gives no frame time.", field="path")
    return round(1 / bvh.frame_time, 2)


def euler_quaternion(degrees: np.ndarray, order: str) -> np.ndarray:
    """Angles (..., n) about single axes, multiplied in the order given -> quaternions (..., 4)."""
    half = 0.5 * np.radians(degrees)
    result: np.ndarray | None = None
    for i, axis in enumerate(order):
        q = np.zeros((*degrees.shape[:-1], 4))
        q[..., 0] = np.cos(half[..., i])
        q[..., 1 + "XYZ".index(axis)] = np.sin(half[..., i])
        result = q if result is None else quaternion_multiply(result, q)
    assert result is not None
    return result
