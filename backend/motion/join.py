"""One motion after another without a seam, and motions that pass through given poses.

All of it is inertialisation (:mod:`.inertia`): one motion plays at a time, and what it lacks to go on where the
other one was dies out. Feet may slide a little while it does: :func:`~.cleanup.clean_up` holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import BadInput
from . import rotations
from .clip import Clip, move, resample, rotate_world
from .filters import continuous
from .inertia import ahead, ahead_rotation, decay, turn_between, turned
from .skeleton import J0, NUM_EXPRESSIONS, NUM_JOINTS

SECONDS = 0.4
"""How long a difference takes to die out."""


@dataclass(frozen=True)
class KeyPose:
    """A pose that a motion has to pass through.

    Attributes:
        poses: (55, 3) axis-angle.
        trans: (3,) metres; None leaves the root where the motion has it.
        joints: which joints count; None means all.
    """

    poses: np.ndarray
    trans: np.ndarray | None = None
    joints: Sequence[int] | None = None


def join(
    first: Clip,
    second: Clip,
    *,
    at: int | None = None,
    start: int = 0,
    seconds: float = SECONDS,
    align: bool = True,
) -> Clip:
    """The first motion up to a frame, and the second from there on.

    Args:
        first: its frame rate, body and information are kept.
        second: comes to the first one's frame rate.
        at: the frame of the result from which the second plays; by default after the first's last frame.
        start: the second's frame that is shown there.
        seconds: how long the difference between the two takes to die out.
        align: turn and move the second about the vertical so that it goes on from where the first one was;
            else it stays where it is, and the root glides there.

    Returns:
        A clip of ``at + len(second) - start`` frames; joints and root have no jump in place or speed.

    Raises:
        BadInput: a frame lies outside its clip, or the seconds are below zero.
    """
    second = resample(second, first.fps)
    at = len(first) if at is None else at
    if not 1 <= at <= len(first):
        raise BadInput(f"The first motion can be left at frames 1 to {len(first)}, not at {at}.", field="at")
    if not 0 <= start < len(second):
        raise BadInput(
            f"The second motion can start at frames 0 to {len(second) - 1}, not at {start}.", field="start"
        )
    _check_seconds(seconds)
    if align:
        second = _aligned(first, second, at, start)
    frames = max(1, round(seconds * first.fps))
    tail = second.slice(start, len(second))
    count = min(frames, len(tail))

    # The difference is measured where both motions have a frame: at the seam, or just before it.
    base = -1 if at == len(first) and start > 0 else 0
    source, target = _quaternions(first), _quaternions(second)
    now, before = (
        turn_between(ahead_rotation(target, start + step), ahead_rotation(source, at + step))
        for step in (base, base - 1)
    )
    before = same_turn(now, before)
    poses = np.array(tail.poses, dtype=np.float64)
    offset = decay(now, now - before, frames, count - base)[-base:]
    poses[:count] = rotations.quaternion_to_axis_angle(turned(target[start : start + count], offset))

    def carried(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        result = np.array(b[start:], dtype=np.float64)
        now, before = (ahead(a, at + step) - ahead(b, start + step) for step in (base, base - 1))
        result[:count] += decay(now, now - before, frames, count - base)[-base:]
        return result

    return first.replace(
        poses=np.concatenate([first.poses[:at], poses]),
        trans=np.concatenate([first.trans[:at], carried(first.trans, second.trans)]),
        expressions=_joined_expressions(first, second, at, start, carried),
        contacts=_joined_contacts(first, second, at, start),
        known={part: known and second.known.get(part, True) for part, known in first.known.items()},
    )


def hit_poses(clip: Clip, keys: Mapping[int, KeyPose], *, seconds: float = SECONDS) -> Clip:
    """The motion, bent so that it passes exactly through poses at frames.

    Args:
        clip: the motion.
        keys: what it has to look like at which frame.
        seconds: how long before and after a key the motion is bent; neighbouring keys do not disturb each
            other.

    Raises:
        BadInput: a frame lies outside the clip, a pose has another shape, or the seconds are below zero.
    """
    _check_seconds(seconds)
    for frame, key in keys.items():
        if not 0 <= frame < len(clip):
            raise BadInput(
                f"The clip has the frames 0 to {len(clip) - 1}; there is no frame {frame}.", field="frame"
            )
        if np.shape(key.poses) != (NUM_JOINTS, 3):
            raise BadInput(
                f"A key pose needs {NUM_JOINTS} joints of three numbers, not {np.shape(key.poses)}.",
                field="poses",
            )
    quaternions = _quaternions(clip)
    turns = np.zeros((len(clip), NUM_JOINTS, 3))
    shifts = np.zeros((len(clip), 3))
    order = sorted(keys)
    longest = max(1, round(seconds * clip.fps))
    for i, frame in enumerate(order):
        key = keys[frame]
        wanted = rotations.axis_angle_to_quaternion(np.asarray(key.poses, dtype=np.float64))
        turn = turn_between(quaternions[frame], wanted)
        if key.joints is not None:
            turn[[j for j in range(NUM_JOINTS) if j not in set(key.joints)]] = 0.0
        shift = np.zeros(3) if key.trans is None else np.asarray(key.trans, np.float64) - clip.trans[frame]
        after = min(longest, order[i + 1] - frame) if i + 1 < len(order) else longest
        before = min(longest, frame - order[i - 1]) if i > 0 else longest
        for length, step in ((after, 1), (before, -1)):
            room = len(clip) - frame if step > 0 else frame + 1
            count = min(length, room)
            at = frame + step * np.arange(count)
            for total, offset in ((turns, turn), (shifts, shift)):
                values = decay(offset, np.zeros_like(offset), length, count)
                # The key's own frame belongs to both sides and is written once.
                total[at[1:]] += values[1:]
                total[frame] = offset
    bent = np.abs(turns).max(axis=-1) > 0.0
    poses = np.array(clip.poses, dtype=np.float64)
    poses[bent] = rotations.quaternion_to_axis_angle(turned(quaternions[bent], turns[bent]))
    return clip.replace(poses=poses, trans=clip.trans + shifts)


def bridge(first: Clip, second: Clip, frames: int) -> Clip:
    """The frames between two motions: the first runs out while the second comes up to its start.

    Both may be single poses. Neither is turned or moved.

    Args:
        first: ends where the bridge begins.
        second: begins where it ends; at the first's frame rate.
        frames: how many to make.

    Returns:
        A clip of ``frames`` frames, continuous in place and speed with both.

    Raises:
        BadInput: no frames were asked for, or the frame rates differ.
    """
    if frames < 1:
        raise BadInput(f"A bridge needs at least one frame, not {frames}.", field="frames")
    if abs(first.fps - second.fps) > 1e-6:
        raise BadInput(
            f"Both motions must have one frame rate, not {first.fps:g} and {second.fps:g}.", field="fps"
        )
    t = np.arange(1, frames + 1)[:, None] / (frames + 1)
    weight = t * t * t * (t * (6 * t - 15) + 10)
    # What is left of the speed: all at the near end, none at the far one.
    leaving, coming = (frames + 1) * t * (1 - t) ** 2, -(frames + 1) * t**2 * (1 - t)
    a, b = _quaternions(first), _quaternions(second)
    speed_a = turn_between(a[max(len(a) - 2, 0)], a[-1])
    speed_b = turn_between(b[0], b[min(1, len(b) - 1)])
    out = turned(np.repeat(a[-1:], frames, axis=0), leaving[..., None] * speed_a)
    into = turned(np.repeat(b[:1], frames, axis=0), coming[..., None] * speed_b)
    poses = rotations.quaternion_to_axis_angle(rotations.slerp(out, into, weight[..., None]))

    def between(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        speed_x, speed_y = x[-1] - x[max(len(x) - 2, 0)], y[min(1, len(y) - 1)] - y[0]
        return (1 - weight) * (x[-1] + leaving * speed_x) + weight * (y[0] + coming * speed_y)

    expressions = None
    if first.expressions is not None and second.expressions is not None:
        expressions = between(first.expressions, second.expressions)
    return first.replace(
        poses=poses, trans=between(first.trans, second.trans), expressions=expressions, contacts=None
    )


def _check_seconds(seconds: float) -> None:
    if not seconds >= 0.0:
        raise BadInput(f"The blend must not be shorter than zero seconds, not {seconds:g}.", field="seconds")


def _quaternions(clip: Clip) -> np.ndarray:
    return continuous(rotations.axis_angle_to_quaternion(np.asarray(clip.poses, dtype=np.float64)))


def same_turn(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The rotation vector (..., 3) of the frame before, written near that of a frame.

    A turn by almost half a circle may be written about opposite axes in the two frames.
    """
    angle = np.linalg.norm(before, axis=-1, keepdims=True)
    other = before * (1.0 - 2.0 * np.pi / np.maximum(angle, 1e-9))
    nearer = np.linalg.norm(other - now, axis=-1, keepdims=True) < np.linalg.norm(
        before - now, axis=-1, keepdims=True
    )
    return np.where(nearer, other, before)


def _aligned(first: Clip, second: Clip, at: int, start: int) -> Clip:
    """The second clip, turned about the vertical and moved so that its root starts where the first's is."""
    root = ahead_rotation(_quaternions(first)[:, 0], at)
    yaw = rotations.heading(rotations.quaternion_to_matrix(root)) - rotations.heading(
        rotations.axis_angle_to_matrix(second.poses[start, 0])
    )
    second = rotate_world(second, rotations.yaw_matrix(yaw))
    gap = ahead(first.trans, at) + J0 - (second.trans[start] + J0)
    return move(second, gap * np.array([1.0, 0.0, 1.0]))


def _joined_contacts(first: Clip, second: Clip, at: int, start: int) -> np.ndarray | None:
    if first.contacts is None or second.contacts is None:
        return None
    return np.concatenate([first.contacts[:at], second.contacts[start:]])


def _joined_expressions(
    first: Clip,
    second: Clip,
    at: int,
    start: int,
    carried: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray | None:
    if first.expressions is None and second.expressions is None:
        return None
    a, b = (
        np.zeros((len(clip), NUM_EXPRESSIONS)) if clip.expressions is None else clip.expressions
        for clip in (first, second)
    )
    return np.concatenate([a[:at], carried(a, b)])
