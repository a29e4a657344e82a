"""Holding a joint still: a fixed anchor for every contact, and corrections that fade in between.

Between contacts the correction follows cubic Hermite curves that match both the offset and the speed at the moment
of landing and leaving, so nothing pops.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .contacts import intervals

BLEND_SECONDS, MAX_BLEND_SECONDS = 0.17, 0.5
"""How long a correction fades before landing and after leaving: five frames at 30 fps, longer for a larger one."""
BLEND_LENGTH = 0.04
"""Metres: a correction above this takes longer to fade, in proportion."""
MAX_HOLD = 0.07
"""Metres: a foot that strays further from its anchor is being dragged, and is let go."""
STEP_SECONDS, STEP_LIFT = 0.25, 0.3
"""A dragged foot takes steps: how long one takes, and how high it goes for every metre it covers."""
MAX_STEP_LIFT = 0.05
LONGEST_DRAG = 0.25
"""Seconds that a foot may be dragged within a contact; a longer stretch gets an anchor of its own."""
MAX_FLOOR_SHIFT = 0.07
"""Metres: a foot further from the floor than this stands on something."""
_MAX_RELEASE_SPEED = 1.0  # m/s that a fading correction may start with


def corrections(
    positions: np.ndarray,
    held: np.ndarray,
    floor: np.ndarray | None,
    fps: float,
    *,
    slack: float,
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Offsets (T, 3) that hold a joint at an anchor in every contact and fade in between.

    The ends of a contact where the joint is more than ``slack`` metres above its anchor, or far aside, are
    landing, leaving or dragging, not standing: they are removed from ``held`` (T,), which is changed. Where
    a long contact needs several anchors, the joint is lifted from one to the next; the second result has
    the frames (half-open) of these steps.

    Args:
        positions: (T, 3) of the joint.
        held: (T,) truth values, the contacts.
        floor: (T,) heights that the joint has when it stands on the floor, NaN where it does not stand;
            None leaves heights as they are.
        fps: frames per second.
        slack: metres.
    """
    frames = len(positions)
    between = round(STEP_SECONDS * fps)
    offsets = np.zeros_like(positions)
    slow = (
        1.0 / (np.sum(np.gradient(positions, axis=0) ** 2, axis=1) * fps**2 + 0.05**2)
        if frames > 1
        else np.ones(1)
    )

    def mean(values: np.ndarray, first: int, last: int) -> np.ndarray:
        """Where the joint is slow counts."""
        return slow[first:last] @ values[first:last] / slow[first:last].sum()

    kept, steps = [], []
    waiting = intervals(held)[::-1]
    while waiting:
        start, stop = waiting.pop()
        first, last = start, stop
        for _ in range(2):  # the anchor moves when the ends go
            anchor = mean(positions, first, last)
            away = positions[first:last] - anchor
            stands = np.flatnonzero((away[:, 1] < slack) & (np.hypot(away[:, 0], away[:, 2]) < MAX_HOLD))
            if not stands.size:
                break
            first, last = first + int(stands[0]), first + int(stands[-1]) + 1
        held[start:first] = False
        held[last:stop] = False
        anchor = mean(positions, first, last)
        if floor is not None:
            height = float(mean(floor, first, last))
            if abs(height - anchor[1]) < MAX_FLOOR_SHIFT:  # false for NaN too
                anchor[1] = height
        offsets[first:last] = anchor - positions[first:last]
        kept.append((first, last))
        # A long contact whose foot strays from one anchor stands at another one before or after.
        for a, b, step in ((last + between, stop, last), (start, first - between, first - between)):
            if b - a >= LONGEST_DRAG * fps:
                waiting.append((a, b))
                steps.append(step)
    kept.sort()
    for first, last in kept:
        held[first:last] = True
    _fade(offsets, kept, fps)
    return offsets, _lift_steps(offsets, positions, kept, steps)


def _lift_steps(
    offsets: np.ndarray, positions: np.ndarray, kept: list[tuple[int, int]], steps: list[int]
) -> list[tuple[int, int]]:
    """Raise the foot, in place, between anchors of one contact; returns the frames of each step."""
    taken = []
    for (_, last), (first, _) in pairwise(kept):
        if any(last <= step < first for step in steps):
            travel = (positions + offsets)[[last - 1, first]][:, [0, 2]]
            phase = np.arange(1, first - last + 1) / (first - last + 1)
            height = min(STEP_LIFT * float(np.linalg.norm(travel[1] - travel[0])), MAX_STEP_LIFT)
            offsets[last:first, 1] += height * np.sin(np.pi * phase) ** 2
            taken.append((last, first))
    return taken


def _fade(offsets: np.ndarray, kept: list[tuple[int, int]], fps: float) -> None:
    """Fill the frames between contacts, in place, by Hermite curves from and to the offsets inside them."""
    frames = len(offsets)
    limit = _MAX_RELEASE_SPEED / fps

    def blend(offset: np.ndarray) -> int:
        seconds = BLEND_SECONDS * max(1.0, float(np.linalg.norm(offset)) / BLEND_LENGTH)
        return max(2, round(min(seconds, MAX_BLEND_SECONDS) * fps))

    def slope(at: int, inner: int) -> np.ndarray:
        """Change of the offset per frame at a contact's edge, seen from inside the contact."""
        step = (offsets[at] - offsets[inner]) * (1 if at > inner else -1)
        return step * min(1.0, limit / max(float(np.linalg.norm(step)), 1e-12))

    ends: list[tuple[int, np.ndarray | None]] = [(-1, None)]
    starts: list[tuple[int, np.ndarray | None]] = []
    for first, last in kept:
        single = last - first < 2
        starts.append((first, np.zeros(3) if single else slope(first, first + 1)))
        ends.append((last - 1, np.zeros(3) if single else slope(last - 1, last - 2)))
    starts.append((frames, None))
    zero = np.zeros(3)
    for (left, leaving), (right, landing) in zip(ends, starts, strict=True):
        after = blend(offsets[left]) if leaving is not None else 0
        before = blend(offsets[right]) if landing is not None else 0
        if leaving is not None and landing is not None and right - left <= after + before:
            _hermite(offsets, left, right, offsets[left], leaving, offsets[right], landing)
            continue
        if leaving is not None:
            _hermite(offsets, left, left + after, offsets[left], leaving, zero, zero)
        if landing is not None:
            _hermite(offsets, right - before, right, zero, zero, offsets[right], landing)


def _hermite(
    out: np.ndarray, left: int, right: int, p0: np.ndarray, v0: np.ndarray, p1: np.ndarray, v1: np.ndarray
) -> None:
    """Write the frames strictly between ``left`` and ``right``; speeds are per frame."""
    inside = np.arange(max(left + 1, 0), min(right, len(out)))
    if not inside.size:
        return
    length = right - left
    u = ((inside - left) / length)[:, None]
    h00, h10 = (1 + 2 * u) * (1 - u) ** 2, u * (1 - u) ** 2
    h01, h11 = u**2 * (3 - 2 * u), u**2 * (u - 1)
    out[inside] = h00 * p0 + h10 * length * v0 + h01 * p1 + h11 * length * v1


def soft_mask(mask: np.ndarray, fps: float) -> np.ndarray:
    """(T,) 1 in contact, fading to 0 over the blend time on either side."""
    held = np.flatnonzero(mask)
    if not held.size:
        return np.zeros(len(mask))
    frames = np.arange(len(mask))
    right = np.searchsorted(held, frames).clip(max=held.size - 1)
    distance = np.minimum(np.abs(held[right] - frames), np.abs(frames - held[np.maximum(right - 1, 0)]))
    u = np.clip(1 - distance / max(2, round(BLEND_SECONDS * fps)), 0.0, 1.0)
    return u * u * (3 - 2 * u)
