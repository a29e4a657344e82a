"""Borders of what was composed: speeds that change from one frame to the next change over a while instead.

The models go on from where a motion was, not always with its speed: who sits down begins from standing still. A
joint's difference in speed dies out after the border as inertia has it (:mod:`..motion.inertia`); the body's way over
the floor passes from the one speed to the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..motion import rotations
from ..motion.clip import Clip
from ..motion.filters import continuous
from ..motion.inertia import decay, turn_between, turned

SECONDS = 0.4
STOPPING = 0.33
"""Seconds in which a body that walks comes to another speed over the floor."""
_BEFORE = 3
"""Frames whose mean is the speed at a border."""


def softened(clip: Clip, borders: Sequence[int], arriving: int | None = None) -> Clip:
    """The clip without jumps in speed.

    Args:
        clip: the motion; its places and poses are continuous.
        borders: frames that are the first of something new; what comes after them is bent.
        arriving: the first frame of what is arrived at; what comes before it is bent.
    """
    edges = [(border, 1) for border in borders] + ([] if arriving is None else [(arriving, -1)])
    edges = [(frame, way) for frame, way in edges if 2 <= frame <= len(clip) - 2]
    if not edges:
        return clip
    longest = round(SECONDS * clip.fps)
    source = _near(clip, [frame for frame, _ in edges], longest + 2)
    turns, lifts = np.zeros((*clip.poses.shape[:2], 3)), np.zeros(len(clip))
    steps = np.diff(np.asarray(clip.trans, np.float64), axis=0)[:, [0, 2]]
    for frame, way in edges:
        last = frame - 1 if way > 0 else frame  # the given frame next to the border
        others = [other for other, _ in edges if (other - frame) * way > 0]
        room = min([abs(other - frame) for other in others] + [len(clip) - frame if way > 0 else frame])
        count = min(longest, room)
        there = last + way * np.arange(count + 1)
        there = there[(there >= 0) & (there < len(clip))]
        height, before, after = (clip.trans[last + way * step, 1] for step in (0, -1, 1))
        lifts[there] += decay(np.zeros(()), 2.0 * height - before - after, count, len(there))
        _pass_over(steps, frame, way, min(round(STOPPING * clip.fps), count))
        spin = turn_between(source[last - way], source[last]) - turn_between(source[last], source[last + way])
        turns[there] += decay(np.zeros_like(spin), spin, count, len(there))
    bent = np.abs(turns).max(axis=-1) > 0.0
    poses = np.array(clip.poses, np.float64)
    poses[bent] = rotations.quaternion_to_axis_angle(turned(source[bent], turns[bent]))
    trans = np.array(clip.trans, np.float64)
    trans[1:, [0, 2]] = trans[0, [0, 2]] + np.cumsum(steps, axis=0)
    trans[:, 1] += lifts
    return clip.replace(poses=poses, trans=trans)


def _near(clip: Clip, frames: Sequence[int], reach: int) -> np.ndarray:
    """Quaternions (T, 55, 4) of what lies so near to some frames, continuous in each stretch; zeros elsewhere."""
    wanted = np.zeros(len(clip) + 2, bool)
    for frame in frames:
        wanted[max(frame - reach, 0) + 1 : min(frame + reach, len(clip)) + 1] = True
    result = np.zeros((*clip.poses.shape[:2], 4))
    for start, stop in np.flatnonzero(np.diff(wanted)).reshape(-1, 2):
        poses = np.asarray(clip.poses[start:stop], np.float64)
        result[start:stop] = continuous(rotations.axis_angle_to_quaternion(poses))
    return result


def _pass_over(steps: np.ndarray, frame: int, way: int, count: int) -> None:
    """Steps (T - 1, 2) over the floor after a border, in place: from the speed before it to their own."""
    if way > 0:
        known, new = steps[max(frame - 1 - _BEFORE, 0) : frame - 1], np.arange(frame - 1, frame - 1 + count)
    else:
        known, new = steps[frame : frame + _BEFORE], np.arange(frame - 1, frame - 1 - count, -1)
    new = new[(new >= 0) & (new < len(steps))]
    u = (np.arange(len(new)) + 0.5) / count
    share = (u * u * (3.0 - 2.0 * u))[:, None]
    steps[new] = (1.0 - share) * known.mean(axis=0) + share * steps[new]
