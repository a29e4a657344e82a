"""What the numbers of a pose sequence are: which repeat each other, which travel, which belong together.

The refiner itself sees independent numbers without their travel; a layout leads there and back. Whatever
the network says, a stick figure that comes back is joined and a rotation is one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ...backend.errors import BadInput
from ...backend.motion import rotations as rot
from ...backend.motion.clip import Clip
from ...backend.motion.skeleton import MIRROR
from ..canonical.skeleton import INDEX, JOINTS, segments, to_v1

SIGMA = 15.0
"""Frames (0.5 s): deviation of the filter that parts the travel from the movement."""
SMPLX_JOINTS = 22
SMPLX_DIM = 6 * SMPLX_JOINTS + 3


@dataclass(frozen=True)
class Layout:
    """A pose of D numbers made of K independent ones.

    Attributes:
        name: as in the refiner's configuration.
        expand: (D, K): the pose of the independent numbers.
        reduce: (K, D): the independent numbers of a pose; where a pose contradicts itself, its nearest
            one that does not.
        paths: groups of independent numbers that travel together (all x of a figure).
        parts: groups of independent numbers that are measured together, as a joint is, and fail together.
        mirror: (K, K): the independent numbers of the mirrored pose; ``None`` where that is not known.
        finish: makes poses (..., D) exact after rounding: rotations are orthonormal again.
    """

    name: str
    expand: np.ndarray
    reduce: np.ndarray
    paths: tuple[tuple[int, ...], ...]
    parts: tuple[tuple[int, ...], ...]
    mirror: np.ndarray | None = None
    finish: Callable[[np.ndarray], np.ndarray] = lambda motion: motion

    @property
    def dim(self) -> int:
        return int(self.expand.shape[0])

    @property
    def inner(self) -> int:
        return int(self.expand.shape[1])

    def to_inner(self, motion: np.ndarray) -> np.ndarray:
        """(..., K) of poses (..., D)."""
        return np.asarray(motion @ self.reduce.T)

    def to_pose(self, inner: np.ndarray) -> np.ndarray:
        """Poses (..., D), joined and exact, of (..., K)."""
        return self.finish(inner @ self.expand.T)

    def travel(self, inner: np.ndarray) -> np.ndarray:
        """The slow path (T, P) of each group of numbers (T, K): its mean, low-passed without lag.

        Beyond both ends the path goes on as it came, so that steady travel is followed to the last frame.
        """
        if not self.paths:
            return np.zeros((len(inner), 0))
        path = np.stack([inner[:, list(group)].mean(axis=1) for group in self.paths], axis=1)
        if len(path) < 2:
            return path
        pad = round(3 * SIGMA)
        longer = np.pad(path, ((pad, pad), (0, 0)), mode="reflect", reflect_type="odd")
        smooth = gaussian_filter1d(longer, SIGMA, axis=0, truncate=3.0, mode="nearest")
        return np.asarray(smooth[pad : pad + len(path)])

    def along(self, travel: np.ndarray) -> np.ndarray:
        """What travel (..., P) adds to the numbers (..., K)."""
        added = np.zeros((*travel.shape[:-1], self.inner))
        for i, group in enumerate(self.paths):
            added[..., list(group)] = travel[..., i : i + 1]
        return added


def _figure(names: tuple[str, ...], draw: Callable[[np.ndarray], np.ndarray], name: str) -> Layout:
    """A stick figure of joints; the pelvis lies midway between the hips where both are drawn."""
    basis = np.zeros((2 * len(names), len(JOINTS), 2))
    for row in range(len(basis)):
        basis[row, INDEX[names[row // 2]], row % 2] = 1.0
    if "pelvis_center" not in names:
        basis[:, INDEX["pelvis_center"]] = (basis[:, INDEX["l_hip"]] + basis[:, INDEX["r_hip"]]) / 2
    expand = draw(basis).T
    other = [names.index({"l": "r", "r": "l"}[n[0]] + n[1:] if n[:2] in ("l_", "r_") else n) for n in names]
    swap = np.kron(np.eye(len(names))[other], np.diag([-1.0, 1.0]))
    return Layout(
        name,
        expand,
        np.linalg.pinv(expand),
        paths=(tuple(range(0, 2 * len(names), 2)),),
        parts=tuple((2 * i, 2 * i + 1) for i in range(len(names))),
        mirror=swap,
    )


def _rotations(motion: np.ndarray) -> np.ndarray:
    sixd = motion[..., : 6 * SMPLX_JOINTS].reshape(*motion.shape[:-1], SMPLX_JOINTS, 6)
    exact = rot.matrix_to_6d(rot.matrix_from_6d(sixd))
    return np.concatenate([exact.reshape(*motion.shape[:-1], -1), motion[..., 6 * SMPLX_JOINTS :]], axis=-1)


def _smplx_mirror() -> np.ndarray:
    """Rotations of the other side, reflected in x = 0, and x of trans with the other sign."""
    swap = np.zeros((SMPLX_DIM, SMPLX_DIM))
    signs = np.array([1.0, -1.0, -1.0, -1.0, 1.0, 1.0])  # of the first two columns of M R M
    for joint in range(SMPLX_JOINTS):
        rows, columns = 6 * joint + np.arange(6), 6 * MIRROR[joint] + np.arange(6)
        swap[rows, columns] = signs
    swap[range(-3, 0), range(-3, 0)] = (-1.0, 1.0, 1.0)
    return swap


def smplx_poses(clip: Clip) -> np.ndarray:
    """(T, 135) of a clip, see :data:`SMPLX`."""
    sixd = rot.matrix_to_6d(rot.axis_angle_to_matrix(clip.poses[:, :SMPLX_JOINTS]))
    return np.concatenate([sixd.reshape(len(clip), -1), clip.trans], axis=1)


def with_smplx_poses(clip: Clip, motion: np.ndarray) -> Clip:
    """The clip with the body and the path of (T, 135); hands and face stay."""
    poses = np.array(clip.poses)
    sixd = motion[:, : 6 * SMPLX_JOINTS].reshape(len(motion), SMPLX_JOINTS, 6)
    poses[:, :SMPLX_JOINTS] = rot.matrix_to_axis_angle(rot.matrix_from_6d(sixd))
    return clip.replace(poses=poses, trans=np.array(motion[:, -3:]))


def plain(dim: int) -> Layout:
    """Numbers of which nothing is known: none repeat each other, none travel."""
    return Layout("plain", np.eye(dim), np.eye(dim), (), tuple((i,) for i in range(dim)))


CANONICAL = _figure(tuple(j for j in JOINTS if j != "pelvis_center"), segments, "canonical")
"""Stick figures of schema v3, 48 numbers a frame."""
CANONICAL_V1 = _figure(
    ("pelvis_center", "neck", "l_wrist", "r_wrist", "l_ankle", "r_ankle"),
    lambda points: to_v1(segments(points)),
    "canonical_v1",
)
"""Stick figures of schema v1, 20 numbers a frame."""
SMPLX = Layout(
    "smplx",
    np.eye(SMPLX_DIM),
    np.eye(SMPLX_DIM),
    paths=((SMPLX_DIM - 3,), (SMPLX_DIM - 1,)),
    parts=(*(tuple(range(6 * j, 6 * j + 6)) for j in range(SMPLX_JOINTS)), tuple(range(6 * SMPLX_JOINTS, SMPLX_DIM))),
    mirror=_smplx_mirror(),
    finish=_rotations,
)  # fmt: skip
"""SMPL-X bodies, 135 numbers a frame: 22 local rotations as 6D (columns of the matrix), then trans in metres."""

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (CANONICAL, CANONICAL_V1, SMPLX)}


def layout_of(name: str, dim: int) -> Layout:
    """A layout by name.

    Args:
        name: one of :data:`LAYOUTS`, or ``plain``.
        dim: its independent numbers, which alone make a plain layout.

    Raises:
        BadInput: there is none of that name.
    """
    if name == "plain":
        return plain(dim)
    if name not in LAYOUTS:
        raise BadInput(f"There is no pose layout {name!r}; there are {', '.join(LAYOUTS)}.", field="layout")
    return LAYOUTS[name]
