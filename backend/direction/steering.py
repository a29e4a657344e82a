"""Steering: a motion's way over the floor bent so that it is at given places at given frames.

The motion keeps its own speeds, turned about the vertical by an angle and scaled by a factor that change slowly
over time. Both are cubic B-splines, found by Gauss-Newton steps: the places are met, and turns and factors are as
gentle as that allows. What is missing then (somebody who stands has no speed to scale) is spread over the time
between two places.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..motion import rotations

KNOT_SECONDS = 0.5
SCALES = (0.4, 1.8)
"""Factors of the motion's own speed, at the least and at the most."""
_PLACE, _FACING = 0.005, 0.01
"""Metres and radians by which a place and a direction are missed for a cost of one."""
_TURN, _SCALE, _SCALE_CHANGE = 0.12, 0.8, 0.3
"""Radians and logarithms of the factor, from knot to knot or in all, for a cost of one."""
_ITERATIONS = 20
_MOVING = 0.02
"""m/s that standing counts for when what is missing is spread: more is made up where the body moves."""


@dataclass(frozen=True)
class Anchor:
    """Where the pelvis is at a frame.

    Attributes:
        frame: of the motion.
        place: (2,) x and z in metres; None leaves it to the motion.
        facing: radians about the vertical; None leaves it to the motion.
        name: what asked for it, for the report.
    """

    frame: int
    place: np.ndarray | None = None
    facing: float | None = None
    name: str = "waypoint"


@dataclass(frozen=True)
class Course:
    """A new way over the floor.

    Attributes:
        places: (T, 2) of the pelvis, x and z.
        turns: (T,) radians that the body is turned by.
        scales: (T,) how many times as fast as before it moves.
        glide: metres that the body is moved beyond what turns and scales do, at the most.
        sway: (T, 2) metres of the places that are a pelvis's sway about its way, where that is known apart.
    """

    places: np.ndarray
    turns: np.ndarray
    scales: np.ndarray
    glide: float = 0.0
    sway: np.ndarray | None = None


def steer(
    places: np.ndarray,
    headings: np.ndarray,
    fps: float,
    anchors: Sequence[Anchor],
    *,
    held: int | None = None,
    arriving: int | None = None,
    straight: bool = False,
) -> Course:
    """The course of a motion that meets its anchors.

    Args:
        places: (T, 2) of the pelvis.
        headings: (T,) radians.
        fps: frames per second.
        anchors: in any order, at most one a frame.
        held: up to this frame the motion stays as it is, and goes on from there without a turn.
        arriving: at this frame it comes in with its own speed and without turning.
        straight: only the factor changes, nothing turns.
    """
    frames = len(places)
    order = sorted(anchors, key=lambda anchor: anchor.frame)
    steps = np.diff(places, axis=0)
    basis = _basis(np.arange(frames), frames, KNOT_SECONDS * fps)
    middle = _basis(np.arange(frames - 1) + 0.5, frames, KNOT_SECONDS * fps)
    knots = basis.shape[1]
    origin = places[0]
    first = next((a for a in order if a.place is not None), None)
    if held is None and first is not None and first.frame == 0 and first.place is not None:
        origin = first.place
    guess = np.zeros(knots) if straight else _guess(places, order, origin, basis)
    free = np.concatenate([guess, np.zeros(knots)])

    gentle = _differences(knots)
    zero = np.zeros_like(gentle)
    rows = [
        np.hstack([gentle / _TURN, zero]),
        np.hstack([zero, gentle / _SCALE_CHANGE]),
        np.hstack([np.zeros((knots, knots)), np.eye(knots) / _SCALE]),
    ]
    for frame in (held, arriving):
        if frame is None:
            continue
        here = basis[[frame]]
        change = basis[[min(frame + 1, frames - 1)]] - basis[[max(frame - 1, 0)]]
        nothing = np.zeros_like(here)
        if frame == held:
            rows.append(np.hstack([here / 1e-4, nothing]))
        rows += [np.hstack([change / 1e-3, nothing]), np.hstack([nothing, here / 1e-3])]
        rows.append(np.hstack([nothing, change / 1e-3]))
    if straight:
        rows.append(np.hstack([np.eye(knots) / 1e-6, np.zeros((knots, knots))]))
    rest = np.concatenate(rows)

    def way(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Places, and speeds per step with their change when they are turned."""
        turn, scale = middle @ values[:knots], np.exp(middle @ values[knots:])
        turned = scale[:, None] * rotated(steps, turn)
        return origin + np.concatenate([np.zeros((1, 2)), np.cumsum(turned, axis=0)]), turned, turn

    lowest, highest = np.log(SCALES)
    for _ in range(_ITERATIONS):
        course, turned, _ = way(free)
        across = np.stack([turned[:, 1], -turned[:, 0]], axis=1)
        errors, slopes = [rest @ free], [rest]
        for anchor in order:
            if anchor.place is not None and anchor.frame > 0:
                until = slice(0, anchor.frame)
                errors.append((course[anchor.frame] - anchor.place) / _PLACE)
                slopes.append(
                    np.hstack([across[until].T @ middle[until], turned[until].T @ middle[until]]) / _PLACE
                )
            if anchor.facing is not None:
                missing = headings[anchor.frame] + basis[anchor.frame] @ free[:knots] - anchor.facing
                errors.append(np.atleast_1d(rotations.wrap_angle(np.asarray(missing))) / _FACING)
                slopes.append(np.hstack([basis[[anchor.frame]], np.zeros((1, knots))]) / _FACING)
        step = np.linalg.lstsq(np.concatenate(slopes), -np.concatenate(errors), rcond=1e-10)[0]
        # A turn that is far off its place is no straight line: not too far at once.
        step *= min(1.0, 0.7 / max(float(np.abs(step).max()), 1e-9))
        free = free + step
        free[knots:] = np.clip(free[knots:], lowest, highest)
        if np.abs(step).max() < 1e-4:
            break
    course, _, _ = way(free)
    turns = basis @ free[:knots]
    pace = np.linalg.norm(steps, axis=1) * fps
    missing = [(a.frame, a.place - course[a.frame]) for a in order if a.place is not None]
    extra = spread(missing, pace, held, frames)
    course = course + extra
    facing = [
        (
            a.frame,
            np.atleast_1d(rotations.wrap_angle(np.asarray(a.facing - headings[a.frame] - turns[a.frame]))),
        )
        for a in order
        if a.facing is not None
    ]
    turns = turns + spread(facing, np.ones(frames - 1), held, frames)[:, 0] if facing else turns
    glide = float(np.linalg.norm(extra - extra[0], axis=1).max())
    return Course(course, turns, np.exp(basis @ free[knots:]), glide)


def spread(
    missing: Sequence[tuple[int, np.ndarray]], pace: np.ndarray, held: int | None, frames: int
) -> np.ndarray:
    """What is missing (D,) at frames as a smooth curve (T, D): it stands still at each of them.

    Args:
        missing: frames, growing, and what is added there.
        pace: (T - 1,) how much of the change each step takes; m/s of the body.
        held: up to this frame nothing is added.
        frames: T.
    """
    if not missing:
        return np.zeros((frames, 2))
    if held is not None:
        missing = [(held, np.zeros_like(missing[0][1])), *((f, m) for f, m in missing if f > held)]
    progress = np.concatenate([[0.0], np.cumsum(pace + _MOVING)])
    result = np.empty((frames, len(missing[0][1])))
    result[: missing[0][0] + 1] = missing[0][1]
    result[missing[-1][0] :] = missing[-1][1]
    for (a, before), (b, after) in pairwise(missing):
        u = (progress[a : b + 1] - progress[a]) / (progress[b] - progress[a])
        # In time as well, so that it begins and ends softly even where the body stands.
        u = 0.5 * u + 0.5 * np.linspace(0.0, 1.0, b - a + 1)
        weight = u * u * u * (u * (6 * u - 15) + 10)
        result[a : b + 1] = before + weight[:, None] * (after - before)
    return result


def rotated(vectors: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Vectors (T, 2) over the floor turned about the vertical by (T,) radians."""
    sin, cos = np.sin(turns), np.cos(turns)
    return np.stack(
        [cos * vectors[:, 0] + sin * vectors[:, 1], cos * vectors[:, 1] - sin * vectors[:, 0]], axis=1
    )


def _basis(at: np.ndarray, frames: int, spacing: float) -> np.ndarray:
    """Cubic B-splines (N, K) on even knots over the frames, at positions (N,)."""
    count = max(round((frames - 1) / spacing), 1)
    x = at[:, None] / max(frames - 1, 1) * count - np.arange(-1, count + 2)[None]
    x = np.abs(x)
    near, far = 2 / 3 - x**2 + x**3 / 2, (2 - x) ** 3 / 6
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _differences(knots: int) -> np.ndarray:
    """(K - 1, K): each knot less the one before."""
    return np.diff(np.eye(knots), axis=0)


def _guess(places: np.ndarray, order: Sequence[Anchor], origin: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Turns (K,) that bring the chord between two places onto the one that is wanted."""
    frames = len(places)
    known = [(0, origin)] + [(a.frame, a.place) for a in order if a.place is not None and a.frame > 0]
    turns, last = np.zeros(frames), 0.0
    for (a, start), (b, end) in pairwise(known):
        own, wanted = places[b] - places[a], end - start
        if min(np.linalg.norm(own), np.linalg.norm(wanted)) > 0.1:
            turn = np.arctan2(wanted[0], wanted[1]) - np.arctan2(own[0], own[1])
            last += float(rotations.wrap_angle(np.asarray(turn - last)))
        turns[a:] = last
    return np.linalg.lstsq(basis, turns, rcond=1e-6)[0]
