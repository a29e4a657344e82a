"""The rhythm of a motion: when its gestures come to a stop, how big they are, and when there are any.

A voice has the same three channels (its accents, its loudness, its phrases), so that a model which learned
from motion alone how gestures follow a rhythm can be given one that was heard.
"""

from __future__ import annotations

import numpy as np

from .features import FIELDS, FPS
from .filters import gaussian
from .skeleton import JOINT_NAMES, PARTS

CHANNELS = ("beat", "energy", "phrase")
PER_LATENT = 4
"""Frames of rhythm that a latent frame of the tokenizers covers."""
BEAT_WIDTH = 0.05
"""Seconds: the spread of the bump around a beat."""
PROMINENCE = 0.2
"""Metres a second that a hand must slow down and get going again by, for a stop to be a beat."""
USUAL_SPEED = 0.5
"""Metres a second at which the energy is a half."""
REST = 0.12
"""Metres a second below which hands and head are at rest."""
PAUSE = 0.5
"""Seconds that a rest must last to end a phrase."""

_POINTS = ("head", "left_wrist", "right_wrist")


def _columns() -> np.ndarray:
    joints = [PARTS["upper"].index(JOINT_NAMES.index(name)) for name in _POINTS]
    start = FIELDS["upper"]["positions"].start
    return np.array([[start + 3 * j + axis for axis in range(3)] for j in joints])


def bumps(beats: np.ndarray, frames: int, fps: float = FPS) -> np.ndarray:
    """Times of beats (N,) in seconds as a curve (frames,): 1 at a beat, falling to 0 around it."""
    time = np.arange(frames) / fps
    # Only the nearest beat before and after counts: a matrix of all beats and frames of an hour would not fit.
    edged = np.concatenate([[-np.inf], np.sort(beats), [np.inf]])
    after = np.searchsorted(edged[1:-1], time) + 1
    distance = np.minimum(time - edged[after - 1], edged[after] - time)
    return np.exp(-0.5 * (distance / BEAT_WIDTH) ** 2).astype(np.float32)


def stops(speed: np.ndarray) -> np.ndarray:
    """Frames at which a speed (T,) has a minimum with a peak on either side, :data:`PROMINENCE` above it."""
    turning = np.flatnonzero(np.diff(np.sign(np.diff(speed)))) + 1
    found, low, high = [], None, -np.inf
    for frame in turning:
        if low is None:
            if speed[frame] > high:
                high = speed[frame]
            elif high - speed[frame] >= PROMINENCE:
                low = frame
        elif speed[frame] < speed[low]:
            low = frame
        elif speed[frame] - speed[low] >= PROMINENCE:
            found.append(low)
            low, high = None, speed[frame]
    return np.array(found, int)


def phrases(speed: np.ndarray, fps: float = FPS) -> np.ndarray:
    """Where a speed (T,) is not at rest, with short rests counted in, eased at the borders: 0 to 1."""
    moving = speed > REST
    edges = np.flatnonzero(np.diff(np.concatenate([[True], moving, [True]]).astype(int)))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start < PAUSE * fps:
            moving[start:stop] = True
    return gaussian(moving.astype(float), 0.1 * fps)


def rhythm_of_features(upper: np.ndarray) -> np.ndarray:
    """Rhythm (T, 3) float32, 0 to 1, in the order of :data:`CHANNELS`.

    Args:
        upper: (T, F) the features of the part ``upper`` at 30 frames a second.
    """
    frames = len(upper)
    if frames < 3:
        return np.zeros((frames, len(CHANNELS)), np.float32)
    points = gaussian(upper[:, _columns()].astype(float).reshape(frames, -1), 1.0).reshape(frames, -1, 3)
    speeds = np.linalg.norm(np.gradient(points, 1.0 / FPS, axis=0), axis=-1)
    beats = np.unique(np.concatenate([stops(speeds[:, hand]) for hand in (1, 2)]))
    speed = speeds[:, 1:].max(axis=1) + speeds[:, 0]
    envelope = gaussian(speed, 0.15 * FPS)
    energy = envelope / (envelope + USUAL_SPEED)
    return np.stack([bumps(beats / FPS, frames), energy, phrases(envelope)], axis=1).astype(np.float32)


def per_latent(rhythm: np.ndarray) -> np.ndarray:
    """(T, 3) -> (T / 4, 12): the rhythm of the frames that each latent frame covers; a rest is left out."""
    length = len(rhythm) // PER_LATENT
    return rhythm[: length * PER_LATENT].reshape(length, PER_LATENT * len(CHANNELS))
