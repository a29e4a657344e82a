"""The one currency between the parts: SMPL-X poses over time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from . import rotations
from .kinematics import forward_kinematics
from .skeleton import J0, MIRROR, NUM_EXPRESSIONS, NUM_JOINTS, PARTS


@dataclass(frozen=True)
class Clip:
    """A motion of one character in the SMPL world: Y up, facing +Z at rest, its left on +X.

    Attributes:
        poses: (T, 55, 3) axis-angle relative to the parent joint, radians, SMPL-X joint order.
            Hands are absolute rotations (flat-hand mean).
        trans: (T, 3) metres; the pelvis stands at ``J0 + trans``.
        fps: frames per second.
        betas: (B,) shape parameters of the body the motion was made for.
        expressions: (T, 100) face expression coefficients, zero where unknown.
        contacts: (T, 4) in [0, 1]: left ankle, left toe, right ankle, right toe on the floor.
        gender: ``neutral``, ``female`` or ``male``.
        known: per part of :data:`~.skeleton.PARTS`, whether the source really contained it.
        meta: free information that travels with the clip (prompt, seed, pack, licence, source...).
    """

    poses: np.ndarray
    trans: np.ndarray
    fps: float
    betas: np.ndarray = field(default_factory=lambda: np.zeros(16, np.float32))
    expressions: np.ndarray | None = None
    contacts: np.ndarray | None = None
    gender: str = "neutral"
    known: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(PARTS, True))
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        frames = len(self.trans)
        expected = {
            "poses": (self.poses, (frames, NUM_JOINTS, 3)),
            "trans": (self.trans, (frames, 3)),
        }
        if self.expressions is not None:
            expected["expressions"] = (self.expressions, (frames, NUM_EXPRESSIONS))
        if self.contacts is not None:
            expected["contacts"] = (self.contacts, (frames, 4))
        for name, (array, shape) in expected.items():
            if array.shape != shape:
                raise ValueError(f"Clip.{name} must have the shape {shape}, not {array.shape}.")
        if frames == 0:
            raise ValueError("A clip needs at least one frame.")
        if not self.fps > 0:
            raise ValueError(f"The frame rate must be above zero, not {self.fps}.")

    def __len__(self) -> int:
        return len(self.trans)

    @property
    def seconds(self) -> float:
        """Playing time: one frame lasts ``1 / fps``."""
        return len(self) / self.fps

    def joints(self) -> np.ndarray:
        """World joint positions (T, 55, 3) on our own body, metres."""
        return forward_kinematics(self.poses, self.trans)[0]

    def replace(self, **changes: Any) -> Clip:
        return replace(self, **changes)

    def slice(self, start: int, stop: int) -> Clip:
        """Frames ``start`` to ``stop`` (half-open)."""
        return self.replace(
            poses=self.poses[start:stop],
            trans=self.trans[start:stop],
            expressions=None if self.expressions is None else self.expressions[start:stop],
            contacts=None if self.contacts is None else self.contacts[start:stop],
        )


def resample(clip: Clip, fps: float) -> Clip:
    """The same motion at another frame rate, by time (:func:`sampled`).

    The first frame stays where it is and no frame lies beyond the last one, so the duration between
    the first and the last pose is kept to within one frame of the new rate.
    """
    if fps == clip.fps:
        return clip
    last = (len(clip) - 1) / clip.fps
    times = np.arange(int(np.floor(last * fps + 1e-6)) + 1) / fps
    return sampled(clip, times * clip.fps).replace(fps=fps)


def sampled(clip: Clip, positions: np.ndarray) -> Clip:
    """The clip's frames at positions (N,), counted in frames: slerp for rotations, linear for the rest.

    Positions outside the clip give its first or last frame.
    """
    position = np.clip(positions, 0, len(clip) - 1)
    low = np.minimum(np.floor(position).astype(int), max(len(clip) - 2, 0))
    high = np.minimum(low + 1, len(clip) - 1)
    weight = (position - low)[:, None]

    def linear(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else (1 - weight) * values[low] + weight * values[high]

    poses = np.array(clip.poses[np.where(weight[:, 0] > 0.5, high, low)])
    # Most frames of 120 fps lie on frames of 30 fps: only those between two frames are computed.
    between = np.flatnonzero(np.minimum(weight, 1 - weight)[:, 0] > 1e-9)
    before, after = (rotations.axis_angle_to_quaternion(clip.poses[at[between]]) for at in (low, high))
    poses[between] = rotations.quaternion_to_axis_angle(
        rotations.slerp(before, after, weight[between, :, None])
    )
    trans = linear(clip.trans)
    assert trans is not None
    contacts = None if clip.contacts is None else np.round(linear(clip.contacts))  # type: ignore[arg-type]
    return clip.replace(poses=poses, trans=trans, expressions=linear(clip.expressions), contacts=contacts)


def mirror(clip: Clip) -> Clip:
    """Left and right exchanged: a reflection in the plane x = 0. Twice gives the clip back.

    Expressions are kept: SMPL-X has no mirror table for them.
    """
    poses = clip.poses[:, list(MIRROR)] * np.array([1.0, -1.0, -1.0])
    trans = clip.trans * np.array([-1.0, 1.0, 1.0])
    trans[:, 0] -= 2 * J0[0]  # the pelvis stands at J0 + trans
    contacts = None if clip.contacts is None else clip.contacts[:, [2, 3, 0, 1]]
    return clip.replace(poses=poses, trans=trans, contacts=contacts)


def rotate_world(clip: Clip, rotation: np.ndarray) -> Clip:
    """Turn the whole motion about the world's origin by a matrix (3, 3)."""
    root = rotation @ rotations.axis_angle_to_matrix(clip.poses[:, 0])
    poses = np.array(clip.poses)
    poses[:, 0] = rotations.matrix_to_axis_angle(root)
    trans = (clip.trans + J0) @ rotation.T - J0
    return clip.replace(poses=poses, trans=trans)


def move(clip: Clip, offset: np.ndarray) -> Clip:
    """Shift the whole motion by (3,) metres."""
    return clip.replace(trans=clip.trans + np.asarray(offset))


def place_at_origin(clip: Clip) -> Clip:
    """Start at x = z = 0 and facing +Z; heights are kept."""
    yaw = rotations.heading(rotations.axis_angle_to_matrix(clip.poses[0, 0]))
    turned = rotate_world(clip, rotations.yaw_matrix(-yaw))
    start = turned.trans[0] + J0
    return move(turned, np.array([-start[0], 0.0, -start[2]]))
