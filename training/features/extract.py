"""HumanML3D features out of joint positions, all frames and bones at once.

The steps and their quirks are those of HumanML3D's ``motion_representation`` (Guo et al., CVPR 2022), so
that the result equals the published files and the published models can be fed with it. Inside, arrays
have the axis first and time last, ``(3, J, T)``: every operation then runs along time in one stretch of
memory, which is where the speed comes from. The finished joints and rotations are single precision, as in
the original; what amplifies rounding (shortest turns close to half a circle) is worked out in double.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ...backend.errors import BadInput
from ...backend.motion.fitting.layouts import SMOOTHING, Layout

SHORTEST = 1e-9
"""A bone shorter than this, in the layout's unit, has no direction."""

NOWHERE = 1e-6
"""A line across hips and shoulders that is steeper than this tells no facing direction, only rounding."""


@dataclass(frozen=True)
class Extracted:
    """Features and what was taken away to get them.

    Attributes:
        features: (T - 1, D) float32.
        positions: (T, J, 3) float32, the joints that the features describe: the layout's bone lengths, on
            the floor, starting at x = z = 0 and facing +Z.
        scale: size of the layout's body divided by the size of this one.
        floor: height of the lowest joint of the clip, after scaling.
        forward: (4,) quaternion w, x, y, z that turned the first frame to face +Z.
        root: (T, 3) where the root was, before everything.
    """

    features: np.ndarray
    positions: np.ndarray
    scale: float
    floor: float
    forward: np.ndarray
    root: np.ndarray


def extract(joints: np.ndarray, layout: Layout, *, contact_threshold: float | None = None) -> np.ndarray:
    """Features (T - 1, D) float32 of joints (T, J, 3).

    Args:
        joints: Y up, any size of body and any unit: the first frame is scaled to the layout's body.
        layout: the skeleton.
        contact_threshold: squared distance per frame below which a foot stands; the layout's by default.

    Raises:
        BadInput: wrong shape, or a frame for which the features are not defined (the reason is named).
    """
    return extract_all(joints, layout, contact_threshold=contact_threshold).features


def extract_all(joints: np.ndarray, layout: Layout, *, contact_threshold: float | None = None) -> Extracted:
    """As :func:`extract`, with the joints it describes and the transform that led to them."""
    source = _checked(joints, layout)
    root = source[:, 0].T.copy()
    uniform, directions, scale = _uniform(source, layout)
    floor = float(uniform[1].min())
    uniform[1] -= floor
    uniform[0] -= uniform[0, 0, 0]
    uniform[2] -= uniform[2, 0, 0]
    turn = first_facing(uniform[:, :, 0].T, layout)
    positions = _turned(uniform, *turn).astype(np.float32)
    directions = _turned(directions, *turn)

    features = np.empty((source.shape[2] - 1, layout.dim), np.float32)
    heading = _headings(positions, layout)
    _write_root(features, positions, heading)
    _write_joints(features, positions, heading, layout)
    _write_rotations(features, directions[:, :, :-1], heading[:, :-1], layout)
    threshold = layout.contact_threshold if contact_threshold is None else contact_threshold
    _write_contacts(features, positions, threshold, layout)
    if not np.isfinite(features.sum(dtype=np.float64)):
        raise BadInput(_why_undefined(features, directions, layout), field="joints")
    forward = np.array([turn[0], 0.0, turn[1], 0.0])
    return Extracted(features, positions.transpose(2, 1, 0), scale, floor, forward, root)


def _checked(joints: np.ndarray, layout: Layout) -> np.ndarray:
    """The layout's joints as (3, J, T) float64."""
    joints = np.asarray(joints)
    if joints.ndim != 3 or joints.shape[1:] != (layout.joints, 3):
        raise BadInput(
            f"{layout.name} features need joints of the shape (T, {layout.joints}, 3), not {joints.shape}.",
            field="joints",
        )
    if joints.dtype.kind not in "fiu":
        raise BadInput(f"Joints must be numbers, not {joints.dtype}.", field="joints")
    if len(joints) < 2:
        raise BadInput("Features need at least two frames.", field="joints")
    source = np.ascontiguousarray(joints.transpose(2, 1, 0), np.float64)
    if not np.isfinite(source.sum()):
        frame = int(np.argmin(np.isfinite(source).all((0, 1))))
        if not np.isfinite(source[:, :, frame]).all():
            raise BadInput(f"Frame {frame} has joints that are no numbers.", field="joints")
    return source


def _uniform(source: np.ndarray, layout: Layout) -> tuple[np.ndarray, np.ndarray, float]:
    """The motion on the layout's body: bones keep their directions and take its lengths.

    Returns:
        positions (3, J, T), bone directions (3, J - 1, T) by the joint at the bone's end, and the scale.
    """
    parents = layout.parents
    bones = source[:, 1:] - source[:, list(parents[1:])]
    lengths = np.sqrt(bones[0] ** 2 + bones[1] ** 2 + bones[2] ** 2)
    if lengths.min() < SHORTEST:
        joint, frame = np.unravel_index(int(lengths.argmin()), lengths.shape)
        raise BadInput(
            f"The bone to {layout.names[joint + 1]} has no length in frame {frame}.", field="joints"
        )
    directions = bones / lengths
    size = sum(float(lengths[joint - 1, 0]) for joint in layout.legs)
    scale = layout.leg_length / size
    steps = directions * layout.lengths[1:, None]
    positions = np.empty_like(source)
    np.multiply(source[:, 0], scale, out=positions[:, 0])
    for chain in layout.chains:
        for parent, child in itertools.pairwise(chain):
            np.add(positions[:, parent], steps[:, child - 1], out=positions[:, child])
    return positions, directions, scale


def facing(joints: np.ndarray, layout: Layout) -> np.ndarray:
    """Quaternions (..., 4), w, x, y, z, that turn each frame of joints (..., J, 3) to face +Z.

    Not a number where a frame faces exactly -Z, or nowhere: hips and shoulders lie above each other.
    """
    right_hip, left_hip, right_shoulder, left_shoulder = layout.facing
    across = (joints[..., right_hip, :] - joints[..., left_hip, :]) + (
        joints[..., right_shoulder, :] - joints[..., left_shoulder, :]
    )
    w, y = _arc_to_z(across[..., 2], -across[..., 0])
    flat = np.hypot(across[..., 0], across[..., 2])
    w = np.where(flat > NOWHERE * np.abs(across[..., 1]), w, np.nan)
    zero = np.zeros_like(w)
    return np.stack([w, zero, y, zero], axis=-1)


def first_facing(frame: np.ndarray, layout: Layout) -> tuple[float, float]:
    """w and y of the quaternion that turns one frame (J, 3) to face +Z.

    Raises:
        BadInput: it has no facing direction, or faces exactly away from +Z.
    """
    w, _, y, _ = facing(frame, layout)
    if not np.isfinite(w + y):
        raise BadInput(
            "The first frame faces nowhere, or exactly along -Z, where the turn is undefined.", field="joints"
        )
    return float(w), float(y)


def _arc_to_z(x: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The shortest turn of horizontal directions (x, z) to +Z: w and y of the quaternion.

    Undefined (not a number) exactly at -Z, as in the original.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        norm = np.sqrt(x**2 + z**2)
        x, z = x / norm, z / norm
        w = 1 + z
        norm = np.sqrt(w**2 + x**2)
        return w / norm, -x / norm


def _turned(vectors: np.ndarray, w: Any, y: Any) -> np.ndarray:
    """Vectors (3, ..., T) turned about Y by quaternions (w, 0, y, 0), one for all or one per frame."""
    cosine, sine = 1 - 2 * y * y, 2 * w * y
    turned = np.empty_like(vectors)
    np.multiply(vectors[0], cosine, out=turned[0])
    turned[0] += vectors[2] * sine
    turned[1] = vectors[1]
    np.multiply(vectors[2], cosine, out=turned[2])
    turned[2] -= vectors[0] * sine
    return turned


def _headings(positions: np.ndarray, layout: Layout) -> np.ndarray:
    """(2, T): w and y of the smoothed turn from each frame's facing to +Z; the first is no turn.

    The original hands the hips over in the wrong order, so their term works against the shoulders'.
    That is part of the published features.
    """
    left_hip, right_hip, right_shoulder, left_shoulder = layout.facing
    across = (positions[:, right_hip] - positions[:, left_hip]) + (
        positions[:, right_shoulder] - positions[:, left_shoulder]
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        across = across / np.sqrt(across[0] ** 2 + across[1] ** 2 + across[2] ** 2)
    forward = np.stack([across[2], -across[0]]).astype(np.float64)
    forward = gaussian_filter1d(forward, SMOOTHING, axis=1, mode="nearest")
    heading = np.stack(_arc_to_z(forward[0], forward[1])).astype(np.float32)
    heading[:, 0] = (1.0, 0.0)
    return heading


def _write_root(features: np.ndarray, positions: np.ndarray, heading: np.ndarray) -> None:
    """Half the yaw step, the planar step as the next frame sees it, the height."""
    w, y = heading
    features[:, 0] = np.arcsin(np.clip(y[1:] * w[:-1] - w[1:] * y[:-1], -1, 1))
    root = positions[:, 0]
    step = _turned(root[:, 1:] - root[:, :-1], w[1:], y[1:])
    features[:, 1] = step[0]
    features[:, 2] = step[2]
    features[:, 3] = root[1, :-1]


def _write_joints(features: np.ndarray, positions: np.ndarray, heading: np.ndarray, layout: Layout) -> None:
    """Positions relative to the root in the plane, absolute in height, and velocities, both as the frame sees them."""
    joints, frames = layout.joints, len(features)
    both = np.empty((3, 2 * joints - 1, frames), np.float32)
    here = positions[:, :, :-1]
    both[:, : joints - 1] = here[:, 1:]
    both[0, : joints - 1] -= here[0, 0]
    both[2, : joints - 1] -= here[2, 0]
    np.subtract(positions[:, :, 1:], here, out=both[:, joints - 1 :])
    both = _turned(both, heading[0, :-1], heading[1, :-1]).transpose(2, 1, 0)
    where = layout.slices
    features[:, where["positions"]] = both[:, : joints - 1].reshape(frames, -1)
    features[:, where["velocities"]] = both[:, joints - 1 :].reshape(frames, -1)


def _write_rotations(
    features: np.ndarray, directions: np.ndarray, heading: np.ndarray, layout: Layout
) -> None:
    """The turn of each bone relative to the bone before it, as the first two columns of its matrix.

    A bone's turn in the world is the shortest one from its rest axis to its direction. The first bone of
    each chain counts from the heading, also where the chain hangs on the chest or on a wrist.
    """
    # Double precision as far as the shortest turn: near the opposite of the rest axis "1 +" cancels.
    axis_x, axis_y, axis_z = layout.raw_offsets.T[:, 1:, None]
    dx, dy, dz = directions
    world = np.empty((4, *directions.shape[1:]))
    world[0] = 1 + (axis_x * dx + axis_y * dy + axis_z * dz)
    world[1] = axis_y * dz - axis_z * dy
    world[2] = axis_z * dx - axis_x * dz
    world[3] = axis_x * dy - axis_y * dx
    with np.errstate(invalid="ignore", divide="ignore"):
        world /= np.sqrt(world[0] ** 2 + world[1] ** 2 + world[2] ** 2 + world[3] ** 2)
    world = world.astype(np.float32)

    before = world[:, np.maximum(np.array(layout.parents[1:]) - 1, 0)]
    starts = np.array(layout.chain_starts) - 1
    before[:, starts] = 0
    before[0, starts] = heading[0]
    before[2, starts] = heading[1]

    pw, px, py, pz = before
    aw, ax, ay, az = world
    w = pw * aw + px * ax + py * ay + pz * az
    x = pw * ax - px * aw - py * az + pz * ay
    y = pw * ay + px * az - py * aw - pz * ax
    z = pw * az - px * ay + py * ax - pz * aw

    sixd = np.empty((6, *directions.shape[1:]), np.float32)
    yy, zz, xx = y * y, z * z, x * x
    sixd[0] = 1 - 2 * (yy + zz)
    sixd[1] = 2 * (x * y + w * z)
    sixd[2] = 2 * (x * z - w * y)
    sixd[3] = 2 * (x * y - w * z)
    sixd[4] = 1 - 2 * (xx + zz)
    sixd[5] = 2 * (y * z + w * x)
    features[:, layout.slices["rotations"]] = sixd.transpose(2, 1, 0).reshape(len(features), -1)


def _write_contacts(features: np.ndarray, positions: np.ndarray, threshold: float, layout: Layout) -> None:
    """Left ankle, left toe, right ankle, right toe: 1 where it moves less than the threshold to the next frame."""
    feet = positions[:, [*layout.feet_left, *layout.feet_right]]
    moved = feet[:, :, 1:] - feet[:, :, :-1]
    squared = moved[0] ** 2 + moved[1] ** 2 + moved[2] ** 2
    features[:, layout.slices["contacts"]] = (squared < np.float64(threshold)).T


def _why_undefined(features: np.ndarray, directions: np.ndarray, layout: Layout) -> str:
    """One sentence on the first frame whose features are no numbers."""
    good = np.isfinite(features)
    frame = int(np.argmin(good.all(1)))
    if not good[frame, layout.slices["planar"]].all() or not good[frame, layout.slices["yaw"]].all():
        return f"The facing direction of frame {frame} or the next is undefined."
    opposite = (layout.raw_offsets[1:] * directions[:, :, frame].T).sum(1)
    joint = layout.names[int(opposite.argmin()) + 1]
    return f"In frame {frame} the bone to {joint} points exactly against its rest axis, where its turn is undefined."
