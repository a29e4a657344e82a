"""Curve reduction: the fewest keys whose curves stay within a tolerance of motion sampled on every frame.

A key holds a frame, a value and, for Bezier curves, a slope. A Bezier segment whose handles lie at a third of
the way to the next key is a cubic in time (Hermite's form), so curves are fitted as cubics with one slope a key
by linear least squares, and the handles follow: :func:`bezier_handles`.

Keys are added where the error is worst until every curve is within its tolerance, and those that are not
needed are taken out again (after Schneider, Graphics Gems, 1990, and Douglas & Peucker, 1973). Small errors of
joints add up along the limbs: the positions of all joints are checked by forward kinematics, and where they
are too far off, the joints above get more keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import BadInput
from . import rotations
from .filters import continuous
from .skeleton import PARENTS, REST_OFFSETS

Interpolation = Literal["bezier", "linear"]

ANGLE, LENGTH = float(np.radians(0.25)), 0.002
"""The tolerances that no eye sees: radians of a joint's turn, metres of a joint's position."""
_SAFETY = 0.98  # of the tolerance: single precision in the host, and curves evaluated there
_STEADY = 1e-3  # how much a slope that no frame determines is drawn to the motion's own
_REACH = 4  # keys on either side that take over from one that is taken out
_POSITION_ROUNDS = 60


@dataclass(frozen=True)
class Keys:
    """The keys of one channel.

    Attributes:
        frames: (K,) ascending frame numbers from 0.
        values: (K, C) one row a key.
        slopes: (K, C) change of the value per frame at each key; None where the keys are joined by lines.
    """

    frames: np.ndarray
    values: np.ndarray
    slopes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def at(self, frames: np.ndarray) -> np.ndarray:
        """Values (T, C) at any frames; before the first and after the last key they hold."""
        if len(self.frames) == 1:
            return np.repeat(self.values, len(frames), axis=0)
        by_value, by_slope = _basis(
            self.frames, np.asarray(frames, dtype=np.float64), self.slopes is not None
        )
        result = by_value @ self.values
        return result if self.slopes is None else result + by_slope @ self.slopes


@dataclass(frozen=True)
class Reduced:
    """A motion as keys: one channel of quaternions a joint, one of root positions."""

    rotations: tuple[Keys, ...]
    translation: Keys

    @property
    def count(self) -> int:
        """Number of keys, a key of a channel with several components counted once."""
        return sum(len(keys) for keys in self.rotations) + len(self.translation)


def bezier_handles(keys: Keys) -> tuple[np.ndarray, np.ndarray]:
    """Handles left and right of each key, (K, C, 2) as frame and value; at the ends the interval is one frame."""
    if keys.slopes is None:
        raise ValueError("Keys that are joined by lines have no handles.")
    gaps = np.diff(keys.frames).astype(np.float64)
    sides = []
    for sign, spans in ((-1.0, np.concatenate([[1.0], gaps])), (1.0, np.concatenate([gaps, [1.0]]))):
        third = sign * spans[:, None] / 3.0
        frames = np.broadcast_to(keys.frames[:, None] + third, keys.values.shape)
        sides.append(np.stack([frames, keys.values + third * keys.slopes], axis=-1))
    return sides[0], sides[1]


def reduce_values(
    values: np.ndarray,
    tolerance: float,
    interpolation: Interpolation = "bezier",
    *,
    quaternions: bool = False,
) -> Keys:
    """Few keys for one channel.

    Args:
        values: (T, C), one row a frame.
        tolerance: largest distance between curve and motion at any frame, in the unit of ``values``; for
            quaternions radians of the turn between them.
        interpolation: what joins the keys.
        quaternions: C is 4 and the values are unit quaternions on one side (:func:`~.filters.continuous`).
    """
    _check(tolerance, "tolerance")
    return _Channel(np.asarray(values, dtype=np.float64), tolerance, interpolation, quaternions).keys()


def reduce_motion(
    quaternions: np.ndarray,
    translation: np.ndarray,
    *,
    angle: float = ANGLE,
    length: float = LENGTH,
    interpolation: Interpolation = "bezier",
    parents: Sequence[int] = PARENTS,
    offsets: np.ndarray = REST_OFFSETS,
    rest: np.ndarray | None = None,
) -> Reduced:
    """Few keys for a skeleton's motion.

    Args:
        quaternions: (T, J, 4) rotations relative to the parent (and to the rest pose, where ``rest`` is given).
        translation: (T, 3) of the root.
        angle: radians that a joint may turn away from the motion at any frame.
        length: how far a joint may move from it, in the unit of ``translation`` and ``offsets``.
        interpolation: ``bezier`` or ``linear``.
        parents: (J,) index of each joint's parent, -1 for a root; parents come first.
        offsets: (J, 3) each joint from its parent at rest, in the parent's frame.
        rest: (J, 3, 3) each joint's rest rotation relative to its parent's frame; identity when left out.

    Raises:
        BadInput: a tolerance is not above zero.
    """
    _check(angle, "angle")
    _check(length, "length")
    dense = continuous(rotations.normalize_quaternion(np.asarray(quaternions, dtype=np.float64)))
    translation = np.asarray(translation, dtype=np.float64)
    joints = dense.shape[1]
    channels = [_Channel(dense[:, j], _SAFETY * angle, interpolation, True) for j in range(joints)]
    root = _Channel(translation, _SAFETY * 0.5 * length, interpolation, False)
    skeleton = _Skeleton(list(parents)[:joints], offsets[:joints], rest)
    truth, _ = skeleton.joints(dense, translation)
    for _ in range(_POSITION_ROUNDS):
        curves = np.stack([channel.curve for channel in channels], axis=1)
        found, _ = skeleton.joints(rotations.normalize_quaternion(curves), root.curve)
        off = np.linalg.norm(found - truth, axis=-1)
        if off.max() <= _SAFETY * length:
            break
        _add_where_off(channels, root, skeleton, truth, off, _SAFETY * length)
    else:
        for channel in (*channels, root):
            channel.key_every_frame()
    return Reduced(tuple(channel.keys() for channel in channels), root.keys())


def _check(tolerance: float, name: str) -> None:
    if not tolerance > 0.0:
        raise BadInput(f"The tolerance ({name}) must be above zero, not {tolerance:g}.", field=name)


def _basis(keys: np.ndarray, frames: np.ndarray, cubic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Weights (T, K) of the keys' values and of their slopes at ``frames``."""
    left = np.clip(np.searchsorted(keys, frames, side="right") - 1, 0, len(keys) - 2)
    span = (keys[left + 1] - keys[left]).astype(np.float64)
    u = np.clip((frames - keys[left]) / span, 0.0, 1.0)
    by_value, by_slope = np.zeros((2, len(frames), len(keys)))
    rows = np.arange(len(frames))
    rise = u * u * (3 - 2 * u) if cubic else u
    by_value[rows, left], by_value[rows, left + 1] = 1 - rise, rise
    if cubic:
        by_slope[rows, left] = span * u * (1 - u) ** 2
        by_slope[rows, left + 1] = -span * u * u * (1 - u)
    return by_value, by_slope


class _Channel:
    """One channel while its keys are being chosen; ``curve`` is what the keys make at every frame."""

    def __init__(
        self, values: np.ndarray, tolerance: float, interpolation: Interpolation, quaternions: bool
    ) -> None:
        self.values = values
        self.tolerance = tolerance
        self.cubic = interpolation == "bezier"
        self.quaternions = quaternions
        self._every = np.arange(len(values))
        # The motion's own slopes: what the curve falls back on where frames do not tell.
        self._slope = np.gradient(values, axis=0) if len(values) > 1 else np.zeros_like(values)
        self.frames = np.array([0])
        self._fit()
        if self.errors().max() > tolerance:
            self.frames = np.array([0, len(values) - 1])
            self._fit()
            self._grow()
            self._prune()

    def keys(self) -> Keys:
        slopes = self._slopes if self.cubic else None
        return Keys(self.frames, self.values[self.frames], slopes)

    def key_every_frame(self) -> None:
        if len(self.frames) > 1:
            self.frames = self._every
            self._fit()

    def errors(self) -> np.ndarray:
        """(T,) distance of the curve from the motion, radians for quaternions."""
        return self._distance(self.curve, self.values)

    def _distance(self, curve: np.ndarray, values: np.ndarray) -> np.ndarray:
        if not self.quaternions:
            return np.linalg.norm(curve - values, axis=-1)
        unit = curve / np.maximum(np.linalg.norm(curve, axis=-1, keepdims=True), 1e-12)
        return 4.0 * np.arcsin(np.clip(0.5 * np.linalg.norm(unit - values, axis=-1), 0.0, 1.0))

    def _solve(
        self, frames: np.ndarray, left: np.ndarray | None = None, right: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The curve from the first of some keys to the last one, and its slopes (K, C) at the keys.

        ``left`` and ``right`` are the slopes at the ends where the curve goes on beyond them.
        """
        if len(frames) == 1:
            return np.repeat(self.values[frames], len(self.values), axis=0), np.zeros_like(
                self.values[frames]
            )
        wanted = self.values[frames[0] : frames[-1] + 1]
        by_value, by_slope = _basis(frames - frames[0], self._every[: len(wanted)], self.cubic)
        curve = by_value @ self.values[frames]
        slopes = self._slope[frames]
        if self.cubic:
            first, last = int(left is not None), len(frames) - int(right is not None)
            if left is not None:
                slopes[0] = left
            if right is not None:
                slopes[-1] = right
            curve += by_slope[:, :first] @ slopes[:first] + by_slope[:, last:] @ slopes[last:]
            free = by_slope[:, first:last]
            normal = free.T @ free + _STEADY * np.eye(last - first)
            known = free.T @ (wanted - curve) + _STEADY * slopes[first:last]
            slopes[first:last] = np.linalg.solve(normal, known)
            curve += free @ slopes[first:last]
        return curve, slopes

    def _fit(self) -> None:
        self.curve, self._slopes = self._solve(self.frames)

    def insert(self, frames: np.ndarray) -> None:
        """Add keys at frames."""
        if len(self.frames) == 1:
            frames = np.concatenate([[0, len(self.values) - 1], frames])
        self.frames = np.union1d(self.frames, frames)
        self._fit()
        self._grow()  # a curve through one more key may run elsewhere between the others

    def _grow(self) -> None:
        """A key at the worst frame of every segment that is not within the tolerance, until all are."""
        while True:
            errors = self.errors()
            errors[self.frames] = 0.0
            if errors.max() <= self.tolerance:
                return
            worst = []
            for start, stop in zip(self.frames[:-1], self.frames[1:], strict=True):
                if stop - start > 1:
                    frame = start + int(np.argmax(errors[start:stop]))
                    if errors[frame] > self.tolerance:
                        worst.append(frame)
            self.frames = np.union1d(self.frames, worst)
            self._fit()

    def _prune(self) -> None:
        """Take out keys that the others can do without; what is a few keys away stays as it is."""
        at = 1
        while at < len(self.frames) - 1:
            low, high = max(at - _REACH, 0), min(at + _REACH, len(self.frames) - 1)
            fewer = np.delete(self.frames[low : high + 1], at - low)
            left = self._slopes[low] if low > 0 else None
            right = self._slopes[high] if high < len(self.frames) - 1 else None
            curve, slopes = self._solve(fewer, left, right)
            piece = slice(int(fewer[0]), int(fewer[-1]) + 1)
            if self._distance(curve, self.values[piece]).max() <= self.tolerance:
                self.frames = np.delete(self.frames, at)
                self._slopes = np.concatenate([self._slopes[:low], slopes, self._slopes[high + 1 :]])
                self.curve[piece] = curve
            else:
                at += 1


class _Skeleton:
    """Parents, offsets and rest rotations, for forward kinematics of any armature."""

    def __init__(self, parents: list[int], offsets: np.ndarray, rest: np.ndarray | None) -> None:
        self.parents = parents
        self.offsets = np.asarray(offsets, dtype=np.float64)
        self.rest = rest

    def joints(self, quaternions: np.ndarray, translation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions (T, J, 3) and global rotations (T, J, 3, 3)."""
        local = rotations.quaternion_to_matrix(quaternions)
        if self.rest is not None:
            local = self.rest @ local
        positions: list[np.ndarray] = []
        world: list[np.ndarray] = []
        for joint, parent in enumerate(self.parents):
            if parent < 0:
                positions.append(self.offsets[joint] + translation)
                world.append(local[:, joint])
            else:
                positions.append(positions[parent] + world[parent] @ self.offsets[joint])
                world.append(world[parent] @ local[:, joint])
        return np.stack(positions, axis=1), np.stack(world, axis=1)

    def above(self, joint: int) -> list[int]:
        """The joints whose rotations move a joint, nearest first."""
        chain = []
        while self.parents[joint] >= 0:
            joint = self.parents[joint]
            chain.append(joint)
        return chain


def _add_where_off(
    channels: list[_Channel],
    root: _Channel,
    skeleton: _Skeleton,
    truth: np.ndarray,
    off: np.ndarray,
    limit: float,
) -> None:
    """More keys for what moves a joint that is too far off: where it happens, for whom it is owed to most."""
    errors = np.stack([channel.errors() for channel in channels], axis=1)
    shift = root.errors()
    wanted: dict[int, set[int]] = {}
    worst = off.argmax(axis=1)
    frames = np.flatnonzero(off.max(axis=1) > limit)
    # One frame of each run of bad frames: the worst one.
    for run in np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1):
        frame = int(run[np.argmax(off[run, worst[run]])])
        joint = int(worst[frame])
        owed = {-1: float(shift[frame])}
        for above in skeleton.above(joint):
            lever = float(np.linalg.norm(truth[frame, joint] - truth[frame, above]))
            owed[above] = float(errors[frame, above]) * lever
        for channel in sorted(owed, key=lambda index: -owed[index])[:2]:
            if owed[channel] > 0.1 * limit:
                wanted.setdefault(channel, set()).add(frame)
    for index, at in wanted.items():
        (root if index < 0 else channels[index]).insert(np.array(sorted(at)))
