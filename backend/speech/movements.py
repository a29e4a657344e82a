"""Movements laid over each other, as a hand makes them: each one straight, unhurried at both ends.

A person's reach has a bell-shaped speed, that of least jerk (Flash and Hogan, Journal of Neuroscience 5, 1985); a
reach that changes its goal on the way is the sum of two such movements (Flash and Henis, Journal of Cognitive
Neuroscience 3, 1991). So a curve through many goals is a sum of steps, each between its own times, and it rounds
its corners where they overlap.
"""

from __future__ import annotations

import numpy as np


def least_jerk(share: np.ndarray) -> np.ndarray:
    """How much of a way is behind after this share of its time; 0 before and 1 after."""
    t = np.clip(share, 0.0, 1.0)
    return np.asarray(t * t * t * (10.0 + t * (6.0 * t - 15.0)))


class Track:
    """A curve of several channels through goals, in seconds."""

    def __init__(self, start: np.ndarray, late: np.ndarray | float = 0.0) -> None:
        """``start``: (C,) where it is before the first movement; ``late``: (C,) seconds that a channel is behind."""
        self.start = np.array(start, np.float64)
        self.late = np.broadcast_to(np.asarray(late, np.float64), self.start.shape)
        self.last = np.array(start, np.float64)
        self._moves: list[tuple[float, float, np.ndarray]] = []

    def to(self, goal: np.ndarray, begin: float, end: float) -> None:
        """Move to ``goal`` (C,) between two times; begins later than the movements before it, not always after."""
        goal = np.asarray(goal, np.float64)
        self._moves.append((begin, max(end, begin + 1e-3), goal - self.last))
        self.last = goal

    def sample(self, times: np.ndarray) -> np.ndarray:
        """(T, C) at evenly rising times (T,)."""
        base, running = np.array(self.start), []
        latest = float(self.late.max(initial=0.0))
        for begin, end, way in self._moves:
            if end + latest <= times[0]:
                base += way
            elif begin < times[-1]:
                running.append((begin, end, way))
        curve = np.repeat(base[None], len(times), axis=0)
        for begin, end, way in running:
            first, last = np.searchsorted(times, [begin, end + latest])
            share = (times[first:last, None] - self.late - begin) / (end - begin)
            curve[first:last] += least_jerk(share) * way
            curve[last:] += way
        return curve
