"""Seamless loops: a cycle is found in a motion or taken as given, and its ends are brought together.

The end of a cycle has to go over into its start in place and speed: joints, the root's height and lean, and its
speed over the floor. Half of what is missing is added to either end and dies out inwards (:mod:`.inertia`).
Over the floor the next cycle starts where this one ends, turned by what it turned: as a walk goes on. Where the
mean turn is taken out it goes on straight, and with the mean speed taken out too it stays "in place", as game
engines and treadmills want it.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from ..errors import BadInput
from . import rotations
from .clip import Clip
from .features import FPS
from .filters import continuous
from .inertia import ahead, ahead_rotation, decay, turn_between, turned
from .kinematics import forward_kinematics
from .skeleton import J0, NUM_BODY_JOINTS

LoopPath = Literal["advance", "straight", "in place"]
PATHS: tuple[str, ...] = get_args(LoopPath)

SECONDS = 0.3
"""How far from the seam, on either side, the cycle is bent."""
SHORTEST, LONGEST = 0.5, 12.0
"""Seconds of a cycle that is looked for."""
_NEARLY = 1.15
"""Of two seams that are nearly as good the one of the longer cycle is taken: it repeats itself less."""
_SPEED_WEIGHT = 0.1
"""Seconds: how many metres apart weigh as much as a metre a second of difference in speed."""

_STILL = 0.02
"""m/s: a body whose joints move so little stands still."""


def find_cycle(clip: Clip, shortest: float = SHORTEST, longest: float = LONGEST) -> tuple[int, int]:
    """The part of a motion that repeats with the smallest jump: its first frame, and the frame after its last.

    Poses are compared by the positions and speeds of the body's joints as seen from the root, and the jump is
    measured against how much moves in the cycle: else a moment of standing still would be the best cycle.

    Raises:
        BadInput: the clip is shorter than the shortest cycle.
    """
    least = max(2, round(shortest * clip.fps))
    if len(clip) <= least:
        raise BadInput(
            f"A clip of {clip.seconds:.1f} s is too short to look for a cycle of at least {shortest:g} s.",
            field="shortest",
        )
    points, activity = _seen_from_root(clip)
    norms = np.sum(points**2, axis=1)
    distance = np.maximum(norms[:, None] + norms[None] - 2.0 * points @ points.T, 0.0)
    length = np.arange(len(points))[None] - np.arange(len(points))[:, None]
    usable = (length >= least) & (length <= max(longest * clip.fps, least))
    total = np.concatenate([[0.0], np.cumsum(activity)[:-1]])
    mean = (total[None] - total[:, None]) / np.maximum(length, 1)
    distance = np.where(usable, np.sqrt(distance / NUM_BODY_JOINTS) / (_STILL + mean), np.inf)
    good = distance <= _NEARLY * distance.min() + 1e-4
    start, stop = np.unravel_index(np.argmax(np.where(good, length, -1)), good.shape)
    return int(start), int(stop)


def loop(
    clip: Clip,
    *,
    start: int | None = None,
    stop: int | None = None,
    path: LoopPath = "advance",
    seconds: float = SECONDS,
) -> Clip:
    """A cycle that can be played over and over.

    Args:
        clip: the motion.
        start: first frame of the cycle; found (:func:`find_cycle`) if neither end is given, else 0.
        stop: the frame after its last; by default the clip's length.
        path: ``advance``: every cycle goes on from where the last one ended (:func:`repeat`);
            ``straight``: the same without the mean turn; ``in place``: without the mean speed too.
        seconds: how far from the seam the motion is bent, on either side.

    Returns:
        A clip of ``stop - start`` frames whose first frame follows its last one. ``meta["loop"]`` has the way
        (metres) and the turn (radians) of one cycle.

    Raises:
        BadInput: the frames are not a part of the clip of at least two frames, or the path is unknown.
    """
    if path not in PATHS:
        raise BadInput(f"The path of a loop is one of {', '.join(PATHS)}, not {path}.", field="path")
    if not seconds >= 0.0:
        raise BadInput(f"The blend must not be shorter than zero seconds, not {seconds:g}.", field="seconds")
    if start is None and stop is None:
        start, stop = find_cycle(clip)
    start, stop = start or 0, len(clip) if stop is None else stop
    if start < 0 or stop > len(clip) or stop - start < 2:
        raise BadInput(
            f"The frames {start} to {stop} are no cycle of a clip of {len(clip)} frames.", field="start"
        )
    frames = max(1, min(round(seconds * clip.fps), (stop - start) // 2))
    quaternions = continuous(rotations.axis_angle_to_quaternion(np.asarray(clip.poses, dtype=np.float64)))
    trans = np.array(clip.trans, dtype=np.float64)
    turn, way = _cycle_motion(quaternions[:, 0], trans, start, stop)
    cycle = clip.slice(start, stop)

    # The start as the next cycle shows it, against what comes after the end.
    spin = np.tile(np.array([1.0, 0.0, 0.0, 0.0]), (quaternions.shape[1], 1))
    spin[0] = _yaw(turn)
    missing, before = (
        turn_between(
            ahead_rotation(quaternions, stop + step),
            rotations.quaternion_multiply(spin, ahead_rotation(quaternions, start + step)),
        )
        for step in (0, -1)
    )
    turns = _both_ends(missing, missing - before, frames, stop - start)
    # At the start the root's share is seen from this cycle, not from the next one.
    back = rotations.yaw_matrix(np.asarray(-turn))
    head, tail = turns
    head[:, 0] = head[:, 0] @ back.T
    poses = rotations.quaternion_to_axis_angle(turned(quaternions[start:stop], head + tail))

    def next_cycle(frame: int) -> np.ndarray:
        return (ahead(trans, frame) + J0) @ rotations.yaw_matrix(np.asarray(turn)).T + way - J0

    gap, gap_before = (next_cycle(start + step) - ahead(trans, stop + step) for step in (0, -1))
    shift_head, shift_tail = _both_ends(gap, gap - gap_before, frames, stop - start)
    moved = trans[start:stop] + shift_head @ back.T + shift_tail
    expressions = cycle.expressions
    if clip.expressions is not None:
        gap, gap_before = (
            ahead(clip.expressions, start + step) - ahead(clip.expressions, stop + step) for step in (0, -1)
        )
        expressions = clip.expressions[start:stop] + sum(
            _both_ends(gap, gap - gap_before, frames, stop - start)
        )
    result = cycle.replace(poses=poses, trans=moved, expressions=expressions)
    if path != "advance":
        result, way = _straight(result, turn, way, stay=path == "in place")
        turn = 0.0
    about = {"turn": float(turn), "way": [float(x) for x in way], "path": path, "frames": [start, stop]}
    return result.replace(meta={**clip.meta, "loop": about})


def repeat(cycle: Clip, times: int) -> Clip:
    """A loop played several times, each cycle going on from the last one.

    Raises:
        BadInput: the clip did not come from :func:`loop`, or it shall play less than once.
    """
    about = cycle.meta.get("loop")
    if not isinstance(about, dict):
        raise BadInput("Only a loop can be repeated: make one of the clip first.", field="clip")
    if times < 1:
        raise BadInput(f"A loop plays at least once, not {times} times.", field="times")
    turn, way = float(about["turn"]), np.asarray(about["way"], dtype=np.float64)
    parts_poses, parts_trans = [], []
    place, spin = np.array(cycle.trans) + J0, rotations.axis_angle_to_quaternion(cycle.poses[:, 0])
    for _ in range(times):
        poses = np.array(cycle.poses, dtype=np.float64)
        poses[:, 0] = rotations.quaternion_to_axis_angle(spin)
        parts_poses.append(poses)
        parts_trans.append(place - J0)
        place = place @ rotations.yaw_matrix(np.asarray(turn)).T + way
        spin = rotations.quaternion_multiply(_yaw(turn), spin)

    def again(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else np.concatenate([values] * times)

    return cycle.replace(
        poses=np.concatenate(parts_poses),
        trans=np.concatenate(parts_trans),
        expressions=again(cycle.expressions),
        contacts=again(cycle.contacts),
    )


def _yaw(angle: float) -> np.ndarray:
    return rotations.axis_angle_to_quaternion(np.array([0.0, angle, 0.0]))


def _seen_from_root(clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """Positions and speeds (T, D) of the body's joints in the heading frame; how fast they move (T,), m/s."""
    joints, world = forward_kinematics(clip.poses[:, :NUM_BODY_JOINTS], clip.trans)
    facing = rotations.yaw_matrix(-rotations.heading(world[:, 0]))
    local = joints - joints[:, :1] * np.array([1.0, 0.0, 1.0])
    speeds = np.gradient(joints, axis=0) * clip.fps if len(clip) > 1 else np.zeros_like(joints)
    # A frame's noise is no speed: a mean over a tenth of a second.
    width = max(1, round(3 * clip.fps / FPS))
    kernel = np.ones(width) / width
    speeds = np.apply_along_axis(
        lambda x: np.convolve(np.pad(x, width // 2, "edge"), kernel, "valid")[: len(x)], 0, speeds
    )
    seen = np.concatenate([local, _SPEED_WEIGHT * speeds], axis=1)
    points = np.einsum("tij,tkj->tki", facing, seen).reshape(len(clip), -1)
    own = speeds - speeds[:, :1] * np.array([1.0, 0.0, 1.0])
    return points, np.sqrt(np.mean(np.sum(own**2, axis=-1), axis=1))


def _cycle_motion(root: np.ndarray, trans: np.ndarray, start: int, stop: int) -> tuple[float, np.ndarray]:
    """The turn about the vertical (radians) and the way (3,) that take the cycle's start to the next one's."""
    here, there = (
        rotations.heading(rotations.quaternion_to_matrix(ahead_rotation(root, frame)))
        for frame in (start, stop)
    )
    turn = float(rotations.wrap_angle(there - here))
    way = ahead(trans, stop) + J0 - (trans[start] + J0) @ rotations.yaw_matrix(np.asarray(turn)).T
    return turn, way * np.array([1.0, 0.0, 1.0])


def _both_ends(
    missing: np.ndarray, speed: np.ndarray, frames: int, length: int
) -> tuple[np.ndarray, np.ndarray]:
    """What is added (length, ...) after the start and before the end so that the two meet half way."""
    head, tail = np.zeros((length, *missing.shape)), np.zeros((length, *missing.shape))
    head[:frames] = decay(-0.5 * missing, -0.5 * speed, frames)
    # Backwards in time from the seam; the seam itself is the next cycle's first frame.
    tail[length - frames :] = decay(0.5 * missing, -0.5 * speed, frames + 1)[1:][::-1]
    return head, tail


def _straight(cycle: Clip, turn: float, way: np.ndarray, *, stay: bool) -> tuple[Clip, np.ndarray]:
    """The cycle without its mean turn, and without its mean speed if it shall ``stay``; and its way then."""
    frames = len(cycle)
    time = np.arange(frames + 1) / frames
    root = rotations.axis_angle_to_quaternion(cycle.poses[:, 0])
    place = cycle.trans + J0
    # With the next cycle's first frame, so that the last step counts.
    place = np.concatenate([place, place[:1] @ rotations.yaw_matrix(np.asarray(turn)).T + way])
    unturned = rotations.yaw_matrix(-turn * time)
    steps = np.einsum("tij,tj->ti", unturned[:-1], np.diff(place, axis=0))
    flat = np.array([1.0, 0.0, 1.0])
    if stay:
        steps -= steps.mean(axis=0) * flat
    trans = place[0] + np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    poses = np.array(cycle.poses)
    against = np.stack([np.zeros(frames), -turn * time[:-1], np.zeros(frames)], axis=-1)
    poses[:, 0] = rotations.quaternion_to_axis_angle(turned(root, against))
    way = np.zeros(3) if stay else (trans[-1] - trans[0]) * flat
    return cycle.replace(poses=poses, trans=trans[:-1] - J0), way
