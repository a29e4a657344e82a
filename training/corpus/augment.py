"""Longer gaits from short ones: a cycle of a walk is found and repeated.

Captured walks and runs end after the few metres that a studio has; prompts ask for longer ones. The
features are relative to the heading and to the ground under the pelvis, so repeating a cycle of them
goes on along the path.
"""

from __future__ import annotations

import numpy as np

from ...backend.motion.features import FIELDS, FPS

MIN_PERIOD, MAX_PERIOD = int(0.5 * FPS), int(2.4 * FPS)
TOLERANCE = 0.075
"""Mean distance in metres of all joints between the two ends of a cycle, velocities counting 1/10 s."""
BLEND = 5


def _phase(features: dict[str, np.ndarray]) -> np.ndarray:
    """(T, J, 3): where the joints are now and, a little, where they are going."""
    lower, upper = features["lower_trans"], features["upper"]
    positions, velocities = [], []
    for values, fields in ((lower, FIELDS["lower_trans"]), (upper, FIELDS["upper"])):
        positions.append(values[:, fields["positions"].slice])
        velocities.append(values[:, fields["velocities"].slice])
    frames = len(lower)
    joined = np.concatenate(positions, 1) + 0.1 * np.concatenate(velocities, 1)
    return joined.reshape(frames, -1, 3)


def find_cycle(features: dict[str, np.ndarray]) -> tuple[int, int] | None:
    """Frames (a, b) so that what follows ``b`` looks like what follows ``a``; None if nothing repeats.

    Of the good enough pairs the best is taken; a still body has no cycle.
    """
    phase = _phase(features)
    frames = len(phase)
    best: tuple[float, int, int] | None = None
    for period in range(MIN_PERIOD, min(MAX_PERIOD, frames - 2) + 1):
        distance = np.linalg.norm(phase[period:] - phase[:-period], axis=-1).mean(-1)
        at = int(np.argmin(distance))
        if best is None or distance[at] < best[0]:
            best = (float(distance[at]), at, at + period)
    if best is None or best[0] > TOLERANCE:
        return None
    start, stop = best[1], best[2]
    moving = np.linalg.norm(np.diff(phase[start:stop], axis=0), axis=-1).mean() * FPS
    return (start, stop) if moving > 0.15 else None


def extend(features: dict[str, np.ndarray], frames: int) -> dict[str, np.ndarray] | None:
    """The motion with one cycle repeated until it is about ``frames`` long; None if it has no cycle.

    The start and the end stay as they were; each repetition is eased into over a few frames.
    """
    cycle = find_cycle(features)
    length = len(features["lower_trans"])
    if cycle is None or length >= frames:
        return None
    start, stop = cycle
    repeats = max(1, round((frames - length) / (stop - start)))
    order = np.concatenate(
        [np.arange(stop), np.tile(np.arange(start, stop), repeats), np.arange(stop, length)]
    )
    result = {part: values[order].copy() for part, values in features.items()}
    for repeat in range(1, repeats + 1):
        join = stop + (repeat - 1) * (stop - start)
        # Just after a join the motion eases from what would have come next into the cycle's start.
        for i in range(min(BLEND, length - stop, stop - start)):
            weight = (i + 1) / (BLEND + 1)
            for part, values in features.items():
                result[part][join + i] = (1 - weight) * values[stop + i] + weight * values[start + i]
    return result
