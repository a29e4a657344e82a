"""BVH text from a skeleton and joint directions, for makers of sets that come as BVH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from understudy.backend.motion.rotations import matrix_to_euler

WORDS = {
    "left": (1, 0, 0), "right": (-1, 0, 0), "up": (0, 1, 0),
    "down": (0, -1, 0), "front": (0, 0, 1), "back": (0, 0, -1),
}  # fmt: skip


def facing(words: str) -> np.ndarray:
    """The rotation (3, 3) of a joint whose X, Y and Z axes point in three of the :data:`WORDS`."""
    return np.array([WORDS[word] for word in words.split()], float).T


@dataclass(frozen=True)
class Joint:
    """One line of a hierarchy: its parent's name, OFFSET, and the channels in their order."""

    name: str
    parent: str
    offset: tuple[float, float, float]
    channels: str
    end: tuple[float, float, float] | None = None


def header(joints: Sequence[Joint], *, newline: str = "\n") -> str:
    """``HIERARCHY`` up to its last brace."""
    lines = ["HIERARCHY"]

    def numbers(values: Sequence[float]) -> str:
        return " ".join(f"{v:g}" for v in values)

    def write(joint: Joint, depth: int) -> None:
        pad = "  " * depth
        lines.append(f"{pad}{'JOINT' if joint.parent else 'ROOT'} {joint.name}")
        lines.append(f"{pad}{{")
        lines.append(f"{pad}  OFFSET {numbers(joint.offset)}")
        lines.append(f"{pad}  CHANNELS {len(joint.channels.split())} {joint.channels}")
        for child in joints:
            if child.parent == joint.name:
                write(child, depth + 1)
        if joint.end is not None:
            lines.extend(
                [f"{pad}  End Site", f"{pad}  {{", f"{pad}    OFFSET {numbers(joint.end)}", f"{pad}  }}"]
            )
        lines.append(f"{pad}}}")

    write(joints[0], 0)
    return newline.join(lines) + newline


def rows(
    joints: Sequence[Joint],
    world: Mapping[str, np.ndarray],
    moved: Mapping[str, np.ndarray],
    frames: int,
) -> np.ndarray:
    """The numbers (T, C) of a motion: world rotations (3, 3) or (T, 3, 3) by joint, and positions (T, 3).

    A joint without a rotation turns with its parent; positions left out are the OFFSET.
    """
    turned: dict[str, np.ndarray] = {"": np.broadcast_to(np.eye(3), (frames, 3, 3))}
    columns = []
    for joint in joints:
        parent = turned[joint.parent]
        mine = np.broadcast_to(world.get(joint.name, parent), (frames, 3, 3))
        turned[joint.name] = mine
        names = joint.channels.split()
        order = "".join(name[0] for name in names if name.endswith("rotation"))
        angles = np.degrees(matrix_to_euler(np.swapaxes(parent, -1, -2) @ mine, order))
        places = np.broadcast_to(moved.get(joint.name, np.array(joint.offset)), (frames, 3))
        for name in names:
            if name.endswith("position"):
                columns.append(places[:, "XYZ".index(name[0])])
            else:
                columns.append(angles[:, order.index(name[0])])
    return np.stack(columns, axis=1)


def text(head: str, values: np.ndarray, frame_time: str, *, decimals: int, newline: str = "\n") -> str:
    """A whole file."""
    body = newline.join(" ".join(f"{v:.{decimals}f}" for v in row) for row in values)
    return f"{head}MOTION{newline}Frames:\t{len(values)}{newline}Frame Time:\t{frame_time}{newline}{body}{newline}"
