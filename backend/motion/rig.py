"""A character's skeleton in plain arrays: what retargeting has to know of an armature, without Blender."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Rig:
    """An armature at rest.

    Space: the armature's own, in its own units; a bone's frame is whatever the file gave it (Blender's Y
    runs along the bone, other programs have other customs), nothing here relies on it.

    Attributes:
        name: of the armature, for messages.
        bones: names, parents before children.
        parents: (N,) index of the parent, -1 for a root.
        rest: (N, 4, 4) rest matrices: rotation and head.
        tails: (N, 3) where each bone ends; a hint at best for skeletons without bone ends (glTF).
        follows: (N,) whether the bone inherits its parent's rotation.
        world: (3, 3) rotation of armature space in the world, to find the vertical of a slanted skeleton.
    """

    name: str
    bones: tuple[str, ...]
    parents: np.ndarray
    rest: np.ndarray
    tails: np.ndarray
    follows: np.ndarray
    world: np.ndarray = field(default_factory=lambda: np.eye(3))

    def __post_init__(self) -> None:
        count = len(self.bones)
        for name, shape in (("parents", (count,)), ("rest", (count, 4, 4)), ("tails", (count, 3))):
            if getattr(self, name).shape != shape:
                raise ValueError(f"Rig.{name} must have the shape {shape}, not {getattr(self, name).shape}.")
        if np.any(self.parents >= np.arange(count)):
            raise ValueError("A rig lists parents before their children.")

    def __len__(self) -> int:
        return len(self.bones)

    @cached_property
    def index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.bones)}

    @cached_property
    def heads(self) -> np.ndarray:
        """(N, 3)"""
        return self.rest[:, :3, 3]

    @cached_property
    def rotations(self) -> np.ndarray:
        """(N, 3, 3) rest orientations, without the scale that some importers leave in them."""
        basis = self.rest[:, :3, :3]
        lengths = np.linalg.norm(basis, axis=1, keepdims=True)
        return basis / np.maximum(lengths, 1e-12)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        lists: list[list[int]] = [[] for _ in self.bones]
        for i, parent in enumerate(self.parents):
            if parent >= 0:
                lists[parent].append(i)
        return tuple(tuple(items) for items in lists)

    @cached_property
    def size(self) -> float:
        """The longest side of the box around all bones, armature units."""
        points = np.concatenate([self.heads, self.tails]) if len(self) else np.zeros((1, 3))
        return float(np.max(np.ptp(points, axis=0)))

    def line(self, bone: int) -> list[int]:
        """The bone and everything above it, nearest first."""
        found = [bone]
        while self.parents[found[-1]] >= 0:
            found.append(int(self.parents[found[-1]]))
        return found

    def is_above(self, upper: int, lower: int) -> bool:
        """Whether ``lower`` hangs on ``upper``, directly or not."""
        return upper != lower and upper in self.line(lower)
