"""The model's own motion features and their exact inverse.

A clip at 30 fps becomes one vector a frame, grouped by body part. Everything is measured in the
character's heading frame (the yaw of the pelvis), so where the motion happens does not matter; the
place and direction of the first frame are returned apart. Rates are per second.

=============  ======================================================================= =====
part           content                                                                  size
=============  ======================================================================= =====
lower_trans    yaw rate 1, planar velocity 2 (x, z), pelvis height 1, pelvis 6D without
               yaw 6, eight leg joints' 6D 48, their positions 24 and velocities 24,
               contacts 4                                                                110
upper          thirteen joints' 6D 78, positions 39, velocities 39                       156
hands          thirty finger joints' 6D                                                  180
face           jaw and eyes' 6D 18, expressions 100                                      118
=============  ======================================================================= =====

Only rates, height and rotations carry the motion back (the rotations are never fitted); positions,
velocities and contacts are redundant and make the learned latent space respect where limbs are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from . import rotations
from .clip import Clip
from .kinematics import forward_kinematics_matrices
from .skeleton import J0, NUM_EXPRESSIONS, NUM_JOINTS, PARTS

VERSION = 2
"""Raised when the same clip gets other features; kept features of another version are made anew."""
FPS = 30.0
"""The frame rate of the features; a clip is resampled to it first."""

_LEGS = PARTS["lower_trans"][1:]
_UPPER = PARTS["upper"]


class Field(NamedTuple):
    """A named run of columns inside a part's features."""

    start: int
    stop: int

    @property
    def slice(self) -> slice:
        return slice(self.start, self.stop)


def _fields(sizes: dict[str, int]) -> dict[str, Field]:
    result, at = {}, 0
    for name, size in sizes.items():
        result[name] = Field(at, at + size)
        at += size
    return result


FIELDS: dict[str, dict[str, Field]] = {
    "lower_trans": _fields(
        {
            "yaw_rate": 1,
            "velocity": 2,
            "height": 1,
            "rotations": 6 * (1 + len(_LEGS)),
            "positions": 3 * len(_LEGS),
            "velocities": 3 * len(_LEGS),
            "contacts": 4,
        }
    ),
    "upper": _fields(
        {"rotations": 6 * len(_UPPER), "positions": 3 * len(_UPPER), "velocities": 3 * len(_UPPER)}
    ),
    "hands": _fields({"rotations": 6 * len(PARTS["hands"])}),
    "face": _fields({"rotations": 6 * len(PARTS["face"]), "expressions": NUM_EXPRESSIONS}),
}
SIZES: dict[str, int] = {part: max(f.stop for f in fields.values()) for part, fields in FIELDS.items()}


class Start(NamedTuple):
    """Where the first frame stands: what the features leave out."""

    yaw: float = 0.0
    x: float = 0.0
    z: float = 0.0


UPRIGHT = 0.15
"""Squared cosine of half the pelvis's tilt below which (134 degrees and more) it has no heading."""


def _steady_heading(pelvis: np.ndarray) -> np.ndarray:
    """Unwrapped yaw (T,) of pelvis rotations (T, 3, 3), carried across frames that are upside down.

    Near inversion the heading turns arbitrarily fast; the inverse only needs its steps, so any smooth
    course there is exact, and a smooth one can be learned.
    """
    quaternion = rotations.matrix_to_quaternion(pelvis)
    upright = np.flatnonzero(quaternion[:, 0] ** 2 + quaternion[:, 2] ** 2 >= UPRIGHT)
    if len(upright) == 0:
        return np.zeros(len(pelvis))
    yaw = np.unwrap(rotations.heading(pelvis[upright]))
    return np.interp(np.arange(len(pelvis)), upright, yaw)


_AT_ONCE = 1800
"""Frames whose rotations are converted at once: matrices take much more room than what they come from."""


def features_from_clip(clip: Clip) -> tuple[dict[str, np.ndarray], Start]:
    """Features of a clip at :data:`FPS`.

    Returns:
        ``{part: (T, SIZES[part]) float32}`` for every part, and the :class:`Start`.

    Raises:
        ValueError: the clip is not at 30 fps.
    """
    if abs(clip.fps - FPS) > 1e-6:
        raise ValueError(f"Features need a clip at {FPS:g} fps, not {clip.fps:g}.")
    frames = len(clip)
    local = rotations.axis_angle_to_matrix(clip.poses.astype(np.float64))
    joints, _ = forward_kinematics_matrices(local, clip.trans.astype(np.float64))
    pelvis = joints[:, 0]

    yaw = _steady_heading(local[:, 0])
    to_heading = rotations.yaw_matrix(-yaw)
    previous = np.concatenate([yaw[:1], yaw[:-1]])
    step = np.diff(pelvis, axis=0, prepend=pelvis[:1])
    planar = np.einsum("tij,tj->ti", rotations.yaw_matrix(-previous), step)[:, [0, 2]] * FPS
    yaw_rate = np.diff(yaw, prepend=yaw[:1])[:, None] * FPS
    # The first frame has no step; repeating the second keeps the training windows free of a jerk.
    if frames > 1:
        planar[0], yaw_rate[0] = planar[1], yaw_rate[1]

    ground = pelvis * np.array([1.0, 0.0, 1.0])
    positions = np.einsum("tij,tkj->tki", to_heading, joints - ground[:, None])
    velocities = np.einsum("tij,tkj->tki", to_heading, np.diff(joints, axis=0, prepend=joints[:1])) * FPS
    if frames > 1:
        velocities[0] = velocities[1]

    local = local.copy()
    local[:, 0] = to_heading @ local[:, 0]
    sixd = rotations.matrix_to_6d(local, "columns")
    contacts = clip.contacts if clip.contacts is not None else np.zeros((frames, 4))
    expressions = clip.expressions if clip.expressions is not None else np.zeros((frames, NUM_EXPRESSIONS))

    def flat(values: np.ndarray, joint_ids: tuple[int, ...]) -> np.ndarray:
        return values[:, list(joint_ids)].reshape(frames, -1)

    parts = {
        "lower_trans": [
            yaw_rate, planar, pelvis[:, 1:2], flat(sixd, PARTS["lower_trans"]),
            flat(positions, _LEGS), flat(velocities, _LEGS), contacts,
        ],
        "upper": [flat(sixd, _UPPER), flat(positions, _UPPER), flat(velocities, _UPPER)],
        "hands": [flat(sixd, PARTS["hands"])],
        "face": [flat(sixd, PARTS["face"]), expressions],
    }  # fmt: skip
    features = {part: np.concatenate(blocks, axis=-1).astype(np.float32) for part, blocks in parts.items()}
    return features, Start(float(yaw[0]), float(pelvis[0, 0]), float(pelvis[0, 2]))


def clip_from_features(features: dict[str, np.ndarray], start: Start = Start()) -> Clip:
    """The exact inverse of :func:`features_from_clip`.

    Parts that are missing from ``features`` stay in the rest pose and are marked unknown.
    ``lower_trans`` is required.
    """
    lower = features["lower_trans"].astype(np.float64)
    frames = len(lower)
    fields = FIELDS["lower_trans"]
    yaw_step = lower[:, 0] / FPS
    yaw_step[0] = 0.0
    yaw = start.yaw + np.cumsum(yaw_step)
    previous = np.concatenate([yaw[:1], yaw[:-1]])
    planar = np.zeros((frames, 3))
    planar[:, [0, 2]] = lower[:, fields["velocity"].slice] / FPS
    planar[0] = 0.0
    pelvis = np.cumsum(np.einsum("tij,tj->ti", rotations.yaw_matrix(previous), planar), axis=0)
    pelvis += np.array([start.x, 0.0, start.z])
    pelvis[:, 1] = lower[:, fields["height"].start]

    poses = np.zeros((frames, NUM_JOINTS, 3))
    for first in range(0, frames, _AT_ONCE):
        here = slice(first, first + _AT_ONCE)
        poses[here] = _poses({part: values[here] for part, values in features.items()}, yaw[here])
    expressions = None
    if "face" in features:
        expressions = features["face"][:, FIELDS["face"]["expressions"].slice]
    return Clip(
        poses=poses,
        trans=pelvis - J0,
        fps=FPS,
        expressions=expressions,
        contacts=np.clip(lower[:, fields["contacts"].slice], 0.0, 1.0),
        known={part: part in features for part in PARTS},
    )


def _poses(features: dict[str, np.ndarray], yaw: np.ndarray) -> np.ndarray:
    """Axis-angle (T, 55, 3) of every part's rotations, the body turned by ``yaw`` (T,)."""
    local = np.broadcast_to(np.eye(3), (len(yaw), NUM_JOINTS, 3, 3)).copy()
    for part, values in features.items():
        joints = list(PARTS[part])
        sixd = values[:, FIELDS[part]["rotations"].slice].astype(np.float64)
        local[:, joints] = rotations.matrix_from_6d(sixd.reshape(len(yaw), len(joints), 6), "columns")
    local[:, 0] = rotations.yaw_matrix(yaw) @ local[:, 0]
    return rotations.matrix_to_axis_angle(local)
