"""Paths: a motion's own way over the floor exchanged for one that was drawn.

The body's way without its sway (a mean over a step) is measured along its length, and each frame goes to where the
drawn path has that length; the body turns with the path as it stood to its own way. Corners are rounded: nobody
turns on the spot at full speed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..motion.filters import gaussian
from .steering import Anchor, Course, rotated, steer

SWAY_SECONDS = 0.3
"""What a pelvis does within such a time is sway, not way."""
DIRECTION_SECONDS = 0.5
ONTO_SECONDS = 1.0
"""How long a motion that is given takes to come onto a path."""
ROUNDING = 0.25
"""Metres over which corners are rounded."""
SPACING = 0.02
"""Metres between the points of a path as it is walked."""
STANDING = 0.12
"""m/s: a slower body stands and sways; it does not go along the path."""


@dataclass(frozen=True)
class Drawn:
    """A path as it is walked: rounded, with points at even distances.

    Attributes:
        points: (N, 2) metres.
        length: metres.
        directions: (N,) radians about the vertical, unwrapped.
    """

    points: np.ndarray
    length: float
    directions: np.ndarray

    def at(self, distances: np.ndarray) -> np.ndarray:
        """Places (T, 2) at distances (T,) from the start; past the ends it goes straight on."""
        inside = np.clip(distances, 0.0, self.length)
        marks = np.linspace(0.0, self.length, len(self.points))
        places = np.stack([np.interp(inside, marks, column) for column in self.points.T], axis=1)
        angle = self.direction(distances)
        return places + (distances - inside)[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)

    def direction(self, distances: np.ndarray) -> np.ndarray:
        """Radians (T,) at distances (T,)."""
        marks = np.linspace(0.0, self.length, len(self.points))
        return np.interp(distances, marks, self.directions)

    def nearest(self, places: np.ndarray) -> np.ndarray:
        """Distances (T,) from the start of the points nearest to places (T, 2)."""
        gaps = np.sum((places[:, None] - self.points[None]) ** 2, axis=-1)
        return gaps.argmin(axis=1) * (self.length / (len(self.points) - 1))


def drawn(points: Sequence[Sequence[float]]) -> Drawn:
    """A path through points (N, 2), its corners rounded, its ends kept.

    Raises:
        ValueError: all points are in one place.
    """
    corners = np.asarray(points, dtype=np.float64)
    corners = corners[np.concatenate([[True], np.linalg.norm(np.diff(corners, axis=0), axis=1) > 1e-6])]
    if len(corners) < 2:
        raise ValueError("all points are in one place")
    marks = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    count = max(round(marks[-1] / SPACING), 8) + 1
    even = _even(corners, marks, count)
    # Smoothed twice with what the first time took away given back: a circle keeps its radius.
    sigma = ROUNDING / (marks[-1] / (count - 1))
    smooth = _smoothed(even, sigma)
    smooth = smooth + _smoothed(even - smooth, sigma)
    walked = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(smooth, axis=0), axis=1))])
    even = _even(smooth, walked, count)
    way = np.gradient(even, axis=0)
    return Drawn(even, float(walked[-1]), np.unwrap(np.arctan2(way[:, 0], way[:, 1])))


def distances_to(points: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Metres (T,) from places (T, 2) to a polyline (N, 2)."""
    start, way = points[:-1], np.diff(points, axis=0)
    size = np.maximum(np.sum(way**2, axis=1), 1e-12)
    result = np.full(len(places), np.inf)
    for a, d, s in zip(start, way, size, strict=True):
        along = np.clip((places - a) @ d / s, 0.0, 1.0)
        result = np.minimum(result, np.linalg.norm(places - a - along[:, None] * d, axis=1))
    return result


def without_sway(places: np.ndarray, fps: float) -> np.ndarray:
    """(T, 2) the way of a pelvis (T, 2) without what it does within a step; a straight run goes on at the ends."""
    margin = min(round(3 * SWAY_SECONDS * fps), len(places) - 1)
    if margin < 1:
        return np.array(places)
    before = 2 * places[:1] - places[margin:0:-1]
    after = 2 * places[-1:] - places[-2 : -margin - 2 : -1]
    return gaussian(np.concatenate([before, places, after]), SWAY_SECONDS * fps)[margin:-margin]


def follow(
    places: np.ndarray,
    headings: np.ndarray,
    fps: float,
    path: Drawn,
    *,
    times: np.ndarray | None = None,
    turn: bool = True,
    held: int | None = None,
) -> Course:
    """The course of a motion along a path.

    Args:
        places: (T, 2) of the pelvis.
        headings: (T,) radians.
        fps: frames per second.
        path: from its start on.
        times: (N, 2) seconds and the distances from the path's start where the body is then; without, its own
            speed decides.
        turn: whether the body turns with the path.
        held: up to this frame the motion stays as it is, and comes onto the path from there.
    """
    frames = len(places)
    begin = 0 if held is None else held
    carried = without_sway(places, fps)
    steps = np.diff(carried, axis=0)
    speed = np.linalg.norm(steps, axis=1) * fps
    going = speed**2 / (speed**2 + STANDING**2 / 9 + 1e-9) * (speed > 0.3 * STANDING)
    own = np.concatenate([[0.0], np.cumsum(speed * going / fps)])
    own -= own[begin]
    scales = np.ones(frames)
    if times is not None:
        line = np.stack([np.zeros(frames), own], axis=1)
        marks = [
            Anchor(int(min(max(round(second * fps), 0), frames - 1)), np.array([0.0, distance]))
            for second, distance in times
        ]
        unique = {anchor.frame: anchor for anchor in marks}
        timed = steer(line, np.zeros(frames), fps, list(unique.values()), straight=True)
        own, scales = timed.places[:, 1], timed.scales
    turns = path.direction(own) - _directions(steps, headings, speed, fps)
    turns = gaussian(np.unwrap(turns), 0.1 * fps)
    sway = places - carried
    sway = rotated(sway, turns)
    course = path.at(own) + sway
    if held is not None:
        # Onto the path over a while, from the way and the direction that the body has.
        u = np.clip((np.arange(frames) - held) / (ONTO_SECONDS * fps), 0.0, 1.0)
        share = u * u * u * (u * (6 * u - 15) + 10)
        course = places + share[:, None] * (course - places)
        turns = share * (
            turns - 2 * np.pi * np.round(turns[min(held + round(fps), frames - 1)] / (2 * np.pi))
        )
        scales = 1.0 + share * (scales - 1.0)
    return Course(course, turns if turn else np.zeros(frames), scales, sway=sway)


def _directions(steps: np.ndarray, headings: np.ndarray, speed: np.ndarray, fps: float) -> np.ndarray:
    """(T,) which way the body goes, radians, unwrapped; where it stands, on the way between before and after."""
    frames = len(headings)
    way = gaussian(steps * np.minimum(speed / STANDING, 1.0)[:, None], DIRECTION_SECONDS * fps)
    moving = np.flatnonzero(np.linalg.norm(way, axis=1) * fps > 0.5 * STANDING)
    if not moving.size:
        return headings
    angles = np.unwrap(np.arctan2(way[moving, 0], way[moving, 1]))
    return np.interp(np.arange(frames), moving + 0.5, angles)


def _even(points: np.ndarray, marks: np.ndarray, count: int) -> np.ndarray:
    at = np.linspace(0.0, marks[-1], count)
    return np.stack([np.interp(at, marks, column) for column in points.T], axis=1)


def _smoothed(points: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian mean that keeps the ends: beyond them the path is mirrored through its end points."""
    margin = min(int(np.ceil(4 * sigma)), len(points) - 1)
    before = 2 * points[:1] - points[margin:0:-1]
    after = 2 * points[-1:] - points[-2 : -margin - 2 : -1]
    return gaussian(np.concatenate([before, points, after]), sigma)[margin : margin + len(points)]
