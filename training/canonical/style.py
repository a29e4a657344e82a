"""How a stick figure moves, in numbers: the formulas of the enhanced metadata.

Everything takes figures (T, D) or (T, A, D), D a multiple of 4 (20 in schema v1, 48 in v3), in units of a
figure 1.8 high; where there are several actors the style is that of their mean.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..data.metadata import Interaction, MotionStyle

CONTACT = 0.5
"""Units: actors whose segments are nearer than this on average are in contact."""
ROLE_RATIO = 1.2


def _mean_actor(motion: np.ndarray) -> np.ndarray:
    return motion.mean(axis=1) if motion.ndim == 3 else motion


def _speed(motion: np.ndarray, order: int) -> np.ndarray:
    """Length (T - order,) of the frame difference of that order."""
    return np.asarray(np.linalg.norm(np.diff(motion, n=order, axis=0), axis=-1))


def tempo(motion: np.ndarray, fps: float) -> float:
    """Rate of the strongest rhythm: 0 at 0.5 Hz and below, 1 at 3 Hz and above; 0.5 where none can be told.

    The rhythm is the lag of 0.1 to 2 s at which the autocorrelation of the speed is greatest.
    """
    motion = _mean_actor(motion)
    if len(motion) < 10:
        return 0.5
    speed = _speed(motion, 1)
    centred = speed - speed.mean()
    frames = round(fps)
    lags = np.arange(max(2, frames // 10), min(len(centred), 2 * frames))
    if not len(lags) or np.allclose(centred, 0.0, atol=1e-9):
        return 0.5
    # Only the lags asked for: one row of the centred speed, shifted, for each.
    padded = np.concatenate([centred, np.zeros(lags[-1])])
    shifted = np.lib.stride_tricks.sliding_window_view(padded, len(centred))[lags]
    lag = lags[int(np.argmax(shifted @ centred))]
    return float(np.clip((1.0 / max(lag / fps, 0.1) - 0.5) / 2.5, 0.0, 1.0))


def energy_level(motion: np.ndarray, fps: float) -> float:
    """Mean speed and acceleration of the whole figure: 0 at rest, 1 at the most intense."""
    motion = _mean_actor(motion)
    if len(motion) < 3:
        return 0.0
    velocity = _speed(motion, 1).mean() * fps
    acceleration = _speed(motion, 2).mean() * fps**2
    return float(np.clip((0.1 * velocity + 0.01 * acceleration) / 2.0, 0.0, 1.0))


def smoothness(motion: np.ndarray, fps: float) -> float:
    """1 without any jerk, 0 at a million units per second cubed."""
    motion = _mean_actor(motion)
    if len(motion) < 4:
        return 0.5
    return 1.0 - float(np.clip(_speed(motion, 3).mean() * fps**3 / 1e6, 0.0, 1.0))


def marker_quality(motion: np.ndarray, fps: float) -> float:
    """1 for clean joints, less the more their second differences vary (unbiased, over all entries)."""
    motion = _mean_actor(motion)
    if len(motion) < 5:
        return 0.5
    variance = np.diff(motion, n=2, axis=0).var(ddof=1)
    return 1.0 - float(np.clip(variance * fps**2 / 100.0, 0.0, 1.0))


def motion_style(motion: np.ndarray, fps: float) -> MotionStyle:
    return MotionStyle(
        tempo=tempo(motion, fps),
        energy_level=energy_level(motion, fps),
        smoothness=smoothness(motion, fps),
    )


def centre(motion: np.ndarray) -> np.ndarray:
    """(..., 2): the mean of all segment ends of figures (..., D)."""
    return np.asarray(motion.reshape(*motion.shape[:-1], -1, 2).mean(axis=-2))


def physics(motion: np.ndarray, fps: float) -> np.ndarray:
    """Velocity, acceleration and momentum (unit mass) of the figure's :func:`centre`, per second.

    Returns:
        (T, 6) or (T, A, 6): vx, vy, ax, ay, mx, my. The first frame has no velocity, and with three frames
        or more the second has the first acceleration.
    """
    middle = centre(motion)
    velocity = np.zeros_like(middle)
    velocity[1:] = np.diff(middle, axis=0) * fps
    acceleration = np.zeros_like(middle)
    if len(middle) > 2:
        acceleration[1:] = np.diff(velocity, axis=0) * fps
    return np.concatenate([velocity, acceleration, velocity], axis=-1)


def camera(motion: np.ndarray) -> np.ndarray:
    """A camera (T, 3) that follows the figures: x, y and zoom, smoothed over time (Gaussian, 5 frames).

    The zoom is wide for figures that spread or travel and stays the same over the clip.
    """
    from scipy.ndimage import gaussian_filter1d

    ends = motion.reshape(len(motion), -1, 2)
    path = gaussian_filter1d(ends.mean(axis=1), sigma=5, axis=0, mode="nearest")
    spread = ends[..., 0].std() + ends[..., 1].std()
    zoom = np.full((len(motion), 1), np.clip(1.0 / (spread + 0.5), 0.5, 2.0))
    return np.concatenate([path, zoom], axis=-1)


def contact_frames(motion: np.ndarray) -> list[int]:
    """Frames in which the first two actors of (T, A, D) are in contact."""
    gap = (motion[:, 0] - motion[:, 1]).reshape(len(motion), -1, 4)
    near = np.linalg.norm(gap, axis=-1).mean(axis=-1) < CONTACT
    return [int(frame) for frame in np.flatnonzero(near)]


def role(motion: np.ndarray) -> Literal["leader", "follower", "symmetric"]:
    """What the first actor of (T, A, D) is to the second: the one whose speed varies more leads."""
    if len(motion) < 3:
        return "symmetric"
    first, second = (_speed(motion[:, actor], 1).var(ddof=1) for actor in (0, 1))
    if first > ROLE_RATIO * second:
        return "leader"
    return "follower" if second > ROLE_RATIO * first else "symmetric"


def interaction(motion: np.ndarray) -> Interaction | None:
    """Contact and role of two actors (T, A >= 2, D); ``None`` for one."""
    if motion.ndim != 3 or motion.shape[1] < 2:
        return None
    return Interaction(contact_frames=contact_frames(motion) or None, interaction_role=role(motion))
