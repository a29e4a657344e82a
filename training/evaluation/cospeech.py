"""Metrics of gestures that go with speech, as EMAGE defines them (Liu et al., CVPR 2024), on plain arrays.

FGD and BC are the numbers themselves; papers print both times ten. Joint positions are metres, at any
frame rate that is told; the pelvis is to be at the origin (translation zeroed), as in the papers' numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...backend.errors import BadInput
from .retrieval import fid

UPPER_BODY = (3, 6, 9, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21)
"""SMPL-X joints whose beats count: spine, neck, head, collars, shoulders, elbows and wrists."""
SIGMA = 0.3
"""Seconds: how far a gesture's beat may be from an onset before it hardly counts."""
ORDER = 7
"""Frames on either side that are all faster than a beat's frame."""
THRESHOLD = 0.3
"""A slow moment of a joint that moves less than this share of its mean speed is rest, not a beat."""
EDGE = 60
"""Frames left out at either end."""


def fgd(real: Sequence[np.ndarray], made: Sequence[np.ndarray]) -> float:
    """Frechet gesture distance between two sets of clips.

    Args:
        real, made: per clip the latents (L, D) that one autoencoder of 6D rotations gives them. Every
            latent frame is a sample, clips only follow each other.

    Raises:
        BadInput: there are fewer than two latent frames on a side.
    """
    rows = [np.concatenate([np.zeros((0, np.shape(clips[0])[-1])), *clips]) if clips else np.zeros((0, 1)) for clips in (real, made)]  # fmt: skip
    if min(len(rows[0]), len(rows[1])) < 2:
        raise BadInput(
            "The Frechet gesture distance needs at least two latent frames on either side.", field="clips"
        )
    return fid(rows[0], rows[1])


def l1_diversity(clips: Sequence[np.ndarray]) -> float:
    """L1div: how far joints are from their mean place in their own clip, summed over joints and axes, mean
    over frames.

    Args:
        clips: joint positions (T, J, 3), translation zeroed.
    """
    total = sum(float(np.abs(clip - clip.mean(axis=0)).sum()) for clip in clips)
    frames = sum(len(clip) for clip in clips)
    return total / frames if frames else 0.0


def speeds(joints: np.ndarray, fps: float) -> np.ndarray:
    """Speeds (T, J), metres a second, of positions (T, J, 3): central differences, one-sided at the ends."""
    if len(joints) < 2:
        return np.zeros(joints.shape[:2])
    return np.linalg.norm(np.gradient(joints, 1.0 / fps, axis=0), axis=-1)


def mean_speeds(clips: Sequence[np.ndarray], fps: float) -> np.ndarray:
    """Mean speed (J,) of each joint over a data set: the measure of what counts as moving."""
    return np.concatenate([speeds(clip, fps) for clip in clips]).mean(axis=0)


def gesture_beats(
    joints: np.ndarray,
    fps: float,
    usual: np.ndarray,
    *,
    edge: int = EDGE,
    order: int = ORDER,
    threshold: float = THRESHOLD,
) -> list[np.ndarray]:
    """When each joint comes to a short stop: seconds from the clip's first frame, one array a joint.

    Args:
        joints: (T, J, 3) positions.
        usual: (J,) mean speeds of the data set (:func:`mean_speeds`).
    """
    speed = speeds(joints, fps)[edge : max(len(joints) - edge, edge)]
    slower = np.ones(speed.shape, bool)
    index = np.arange(len(speed))
    for step in range(1, order + 1):
        for neighbour in (index - step, index + step):
            # Frames beyond an end are the end itself, which is never slower than itself.
            slower &= speed < speed[np.clip(neighbour, 0, len(speed) - 1)] if len(speed) else slower
    slower &= speed > threshold * usual
    return [(np.flatnonzero(column) + edge) / fps for column in slower.T]


def closeness(beats: np.ndarray, onsets: np.ndarray, sigma: float = SIGMA) -> float:
    """Mean over onsets of ``exp(-d^2 / 2 sigma^2)``, d seconds to the nearest beat; 0 without a beat."""
    if not len(beats):
        return 0.0
    nearest = np.abs(np.asarray(onsets)[:, None] - np.asarray(beats)).min(axis=1)
    return float(np.exp(-(nearest**2) / (2 * sigma**2)).mean())


def beat_consistency(
    clips: Sequence[np.ndarray],
    onsets: Sequence[np.ndarray],
    fps: float,
    usual: np.ndarray,
    *,
    joints: Sequence[int] = UPPER_BODY,
    edge: int = EDGE,
    sigma: float = SIGMA,
) -> float:
    """BC: how near the stops of the upper body are to the onsets of speech; the mean over joints, and over
    clips by their length.

    Args:
        clips: joint positions (T, J, 3).
        onsets: seconds from the first frame, per clip. Those in the frames left out at the ends do not
            count, nor do clips without an onset.
        usual: (J,) mean speeds of the data set.

    Raises:
        BadInput: no clip has an onset and enough frames.
    """
    total = frames = 0.0
    for clip, times in zip(clips, onsets, strict=True):
        length = len(clip) - 2 * edge
        inside = np.asarray(times)[(np.asarray(times) >= edge / fps) & (np.asarray(times) < (edge + length) / fps)]  # fmt: skip
        if length <= 0 or not len(inside):
            continue
        beats = gesture_beats(clip, fps, usual, edge=edge)
        total += length * float(np.mean([closeness(beats[joint], inside, sigma) for joint in joints]))
        frames += length
    if not frames:
        raise BadInput(
            "No clip has an onset of speech between its first and last two seconds.", field="onsets"
        )
    return total / frames


def face_mse(made: np.ndarray, real: np.ndarray) -> float:
    """Mean squared distance of coordinates of face vertices (T, V, 3)."""
    return float(np.square(made - real).mean())


def face_lvd(made: np.ndarray, real: np.ndarray) -> float:
    """Mean absolute difference of the steps from frame to frame, summed over frames and divided by all
    coordinates (T, V, 3), the first frame's included, as the reference does."""
    return float(np.abs(np.diff(made, axis=0) - np.diff(real, axis=0)).sum() / made.size)
