"""What every motion file becomes before it is retargeted: a skeleton at rest and its rotations.

One form for BVH, ASF/AMC, glTF and DeepMimic, so that :mod:`~..retargeting.retarget` knows a single input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class SourceMotion:
    """A motion on the skeleton it was recorded with.

    Axes: Y up, the rest pose faces +Z with its left on +X. Units: metres.

    Attributes:
        names: joint names, parents before children.
        parents: for each joint the index of its parent, -1 for a root.
        rest: (J, 3) joint positions of the rest pose.
        rotations: (T, J, 3, 3) world rotation of each joint away from the rest pose: a vector ``v``
            fixed to the joint in the rest pose points to ``rotations[t, j] @ v``.
        positions: (T, J, 3) world joint positions.
        fps: frames per second.
        tips: free ends of bones in the rest pose, by the joint they are fixed to.
        original: frames per second (the mean, where frames last differently) and number of frames of the
            file, before anything was resampled; ``None`` where nobody said.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    rest: np.ndarray
    rotations: np.ndarray
    positions: np.ndarray
    fps: float
    tips: dict[str, np.ndarray] = field(default_factory=dict)
    original: tuple[float, int] | None = None

    def __len__(self) -> int:
        return len(self.rotations)

    def index(self, name: str) -> int:
        return self.names.index(name)

    def rest_point(self, name: str) -> np.ndarray:
        """Rest position (3,) of a joint, or of a tip written ``joint.tip``."""
        joint = name.removesuffix(".tip")
        return self.rest[self.index(name)] if joint == name else self.tips[joint]

    def point(self, name: str) -> np.ndarray:
        """World positions (T, 3) of a joint, or of a tip written ``joint.tip``."""
        joint = name.removesuffix(".tip")
        j = self.index(joint)
        if joint == name:
            return self.positions[:, j]
        return self.positions[:, j] + self.rotations[:, j] @ (self.tips[joint] - self.rest[j])

    def replace(self, **changes: object) -> SourceMotion:
        return replace(self, **changes)  # type: ignore[arg-type]


def rest_positions(parents: Sequence[int], offsets: np.ndarray) -> np.ndarray:
    """Joint positions (J, 3) of a rest pose from offsets (J, 3) to the parents."""
    rest = np.array(offsets, dtype=np.float64)
    for j, parent in enumerate(parents):
        if parent >= 0:
            rest[j] += rest[parent]
    return rest


def pose(
    parents: Sequence[int], offsets: np.ndarray, local: np.ndarray, root: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Forward kinematics for a rest pose without rotations.

    Args:
        parents: -1 for the root.
        offsets: (J, 3) joint offsets to the parent in the rest pose, or (T, J, 3) where they change.
        local: (T, J, 3, 3) rotations relative to the parent.
        root: (T, 3) world positions of the root joint.

    Returns:
        World rotations (T, J, 3, 3) and positions (T, J, 3).
    """
    world = np.empty_like(local)
    positions = np.empty((*local.shape[:2], 3))
    for j, parent in enumerate(parents):
        if parent < 0:
            world[:, j], positions[:, j] = local[:, j], root
        else:
            world[:, j] = world[:, parent] @ local[:, j]
            step = world[:, parent] @ offsets[..., j, :, None]
            positions[:, j] = positions[:, parent] + step[..., 0]
    return world, positions


def frame_picks(frames: int, fps: float, target_fps: float) -> np.ndarray:
    """Frame positions (N,), not always whole, at which a motion is read to play at ``target_fps``.

    By time, never by integer decimation: position ``k * fps / target_fps`` for as long as it lies in the motion.
    """
    last = (frames - 1) / fps
    times = np.arange(int(np.floor(last * target_fps + 1e-6)) + 1) / target_fps
    return np.clip(times * fps, 0, frames - 1)
