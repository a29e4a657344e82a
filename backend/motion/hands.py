"""Relaxed, living hands: what the fingers of a clip do when nothing says what they do.

A hand at rest is half open, its fingers bent more and more from the index to the little finger, and it never
stands still. Talking opens it: it spreads with the size of the gestures and, for a moment, on a beat.

The shapes follow the hands of the CC0 clips of Mesh2Motion (idle, listening, talking). Every angle stays within
the ranges of motion of the American Academy of Orthopaedic Surgeons ("Joint motion", 1965).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import rotations
from .clip import Clip
from .features import FPS
from .filters import gaussian
from .skeleton import PARTS

FINGERS = ("index", "middle", "pinky", "ring", "thumb")
"""In the order of the joints."""
BEND_LIMITS = np.radians([(-10.0, 90.0), (0.0, 100.0), (0.0, 70.0)])
"""(3, 2) how far the three joints of a finger bend, radians: straight is 0."""
SPREAD_LIMIT = np.radians(20.0)
"""How far a finger moves sideways at its knuckle, radians."""


@dataclass(frozen=True)
class Shape:
    """A posture of the left hand.

    Attributes:
        bend: (4, 3) radians at the three joints of index, middle, little and ring finger.
        spread: (4,) radians sideways at their knuckles, away from the middle of the hand.
        thumb: (3, 3) axis-angle of the thumb's joints.
    """

    bend: np.ndarray
    spread: np.ndarray
    thumb: np.ndarray


def _shape(bend: list[list[float]], spread: list[float], thumb: list[list[float]]) -> Shape:
    return Shape(np.array(bend), np.array(spread), np.array(thumb))


RELAXED = _shape(
    [[0.34, 0.46, 0.26], [0.42, 0.54, 0.32], [0.52, 0.58, 0.36], [0.48, 0.58, 0.36]],
    [0.04, 0.0, 0.05, 0.01],
    [[0.10, 0.08, -0.20], [-0.04, -0.06, -0.12], [0.04, 0.14, 0.02]],
)
"""At rest."""
OPEN = _shape(
    [[0.10, 0.16, 0.10], [0.13, 0.20, 0.12], [0.14, 0.24, 0.14], [0.15, 0.24, 0.13]],
    [0.11, 0.01, 0.16, 0.06],
    [[0.03, -0.04, -0.08], [-0.02, -0.10, -0.06], [0.02, 0.06, 0.02]],
)
"""Shown to a listener, fingers apart."""
POINTING = _shape(
    [[0.12, 0.18, 0.12], [0.52, 0.66, 0.40], [0.72, 0.72, 0.48], [0.66, 0.72, 0.46]],
    [0.02, 0.0, 0.02, 0.0],
    [[0.09, 0.10, -0.23], [-0.03, -0.04, -0.12], [0.05, 0.20, 0.05]],
)
"""Half closed with the index finger straighter than the rest, as people hold a hand in talk."""

_KNOT_SECONDS = 0.9
_WANDER = 0.10  # radians, of one finger by itself
_COMMON = 0.14  # radians, of all fingers together


def relaxed_hands(
    frames: int, seed: int, rhythm: np.ndarray | None = None, *, fps: float = FPS, first: int = 0
) -> np.ndarray:
    """Finger rotations (frames, 30, 3), axis-angle, flat-hand mean, left hand first; the same for the same seed.

    A longer result begins with the shorter one of the same seed.

    Args:
        frames: how many.
        seed: of the wandering.
        rhythm: (frames, 3) of :mod:`.rhythm`; hands open with its energy and on its beats. Without it they rest.
        fps: frames per second.
        first: where in a longer result this one begins; the rhythm is smoothed over half a second.
    """
    opening = np.zeros((frames, 2))
    if rhythm is not None:
        if len(rhythm) != frames:
            raise ValueError(f"The rhythm must have {frames} frames, not {len(rhythm)}.")
        beat, energy, phrase = np.asarray(rhythm, np.float64).T
        size = gaussian(energy * phrase, 0.2 * fps)
        accent = gaussian(beat * phrase, 0.07 * fps)
        # The hand that leads opens wider.
        lead = (
            np.array([1.0, 0.7]) if np.random.default_rng([seed, 1]).random() < 0.5 else np.array([0.7, 1.0])
        )
        opening = np.clip(1.1 * size[:, None] + 0.4 * accent[:, None], 0.0, 1.0) * lead
    sides = [
        _posture(opening[:, side], wander(frames, 7, [seed, 2 + side], _KNOT_SECONDS * fps, first=first))
        for side in (0, 1)
    ]
    sides[1] = sides[1] * np.array([1.0, -1.0, -1.0])  # the right hand is a reflection
    return np.concatenate(sides, axis=1)


def posed(shape: Shape) -> np.ndarray:
    """A posture as axis-angle (15, 3) of the left hand; the right one's is its reflection, (1, -1, -1) times it."""
    fingers = _finger_rotations(shape.bend[None], shape.spread[None])
    return np.concatenate([fingers[0], shape.thumb[None]]).reshape(15, 3)


def fill_hands(clip: Clip, seed: int, rhythm: np.ndarray | None = None) -> Clip:
    """The clip with living hands where its source had none; a clip whose hands are known comes back as it is.

    Args:
        clip: the motion, at any frame rate.
        seed: of the wandering.
        rhythm: (T, 3) as in :func:`relaxed_hands`, a row for every frame of the clip.
    """
    if clip.known["hands"]:
        return clip
    poses = np.array(clip.poses)
    poses[:, list(PARTS["hands"])] = relaxed_hands(len(clip), seed, rhythm, fps=clip.fps)
    return clip.replace(poses=poses, known={**clip.known, "hands": True})


def _posture(opening: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """The left hand (T, 15, 3): between the shapes by ``opening`` (T,), moved by ``noise`` (T, 7) of unit size."""
    # Talking hands are open or half pointing; which of the two wanders.
    pointing = np.clip(0.25 + 0.35 * noise[:, 6], 0.0, 0.7) * (1.0 - opening)
    weights = np.stack(
        [1.0 - opening - pointing * (1.0 - opening), opening, pointing * (1.0 - opening)], axis=1
    )
    shapes = (RELAXED, OPEN, POINTING)
    bend = np.einsum("tk,kfj->tfj", weights, np.stack([shape.bend for shape in shapes]))
    spread = np.einsum("tk,kf->tf", weights, np.stack([shape.spread for shape in shapes]))
    thumb = np.einsum("tk,kjc->tjc", weights, np.stack([shape.thumb for shape in shapes]))

    room = 1.0 - 0.6 * opening[:, None]  # an open hand is held
    move = room * (_COMMON * noise[:, 5:6] + _WANDER * noise[:, :4])
    # The middle joint bends most; the last one follows it, as its tendon makes it.
    bend = bend + move[..., None] * np.array([0.7, 1.0, 0.6])
    thumb = thumb + (room * 0.06 * noise[:, 4:5])[..., None] * np.array([0.2, 1.0, -0.6])
    bend = np.clip(bend, *BEND_LIMITS.T)
    spread = np.clip(spread, -SPREAD_LIMIT, SPREAD_LIMIT)

    result = np.empty((len(opening), 5, 3, 3))
    result[:, :4] = _finger_rotations(bend, spread)
    result[:, 4] = thumb
    return result.reshape(len(opening), 15, 3)


_OUTWARDS = np.array([-1.0, -1.0, 1.0, 1.0])  # about +Y, of index, middle, little and ring finger


def _finger_rotations(bend: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Axis-angle (T, 4, 3, 3) of the left hand, whose fingers point to +X with the palm down."""
    bent = np.zeros((*bend.shape, 3))
    bent[..., 2] = -bend
    apart = np.zeros((*spread.shape, 3))
    apart[..., 1] = _OUTWARDS * spread
    knuckle = rotations.quaternion_multiply(
        rotations.axis_angle_to_quaternion(apart), rotations.axis_angle_to_quaternion(bent[:, :, 0])
    )
    bent[:, :, 0] = rotations.quaternion_to_axis_angle(knuckle)
    return bent


def wander(frames: int, channels: int, seed: int | list[int], knot: float, *, first: int = 0) -> np.ndarray:
    """Smooth seeded noise (frames, channels) of about unit size, with a new value every ``knot`` frames.

    A cubic B-spline through random knots: it never jumps, and a longer result begins with the shorter one.
    ``first`` is where in it the result begins.
    """
    count = int(np.ceil((first + frames) / knot)) + 4
    knots = np.random.default_rng(seed).normal(size=(count, channels)).clip(-2.0, 2.0)
    position = (first + np.arange(frames)) / knot
    low = position.astype(int)
    t = (position - low)[:, None]
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    # A spline averages its knots: 1.6 brings the spread back to about one.
    return 1.6 / 6.0 * sum(weight * knots[low + i] for i, weight in enumerate(weights))
