"""Eyes that are alive: where they look and when they blink, by chance within what people do.

Sources: Lee, Badler and Badler, "Eyes Alive", SIGGRAPH 2002, for how long talkers and listeners look at the other and
away, how far, and how long a saccade takes; Bentivoglio et al., Movement Disorders 12, 1997, for blinks a minute;
Cummins, Language and Cognitive Processes 27, 2012, for blinks and gaze in talk. The same seed gives the same eyes, and a longer
performance begins with the shorter one.
"""

from __future__ import annotations

import numpy as np

from ..motion.features import FPS

FURTHEST = np.radians(14.0)
"""Eyes that turn further take the head along, which is not theirs to do."""
LOOK_AT = {"talk": 2.6, "listen": 4.5}
"""Mean seconds of a look at the other."""
LOOK_AWAY = {"talk": 0.95, "listen": 0.6}
"""Mean seconds of a look elsewhere."""
BLINKS = 18.0
"""A minute, by chance; phrase ends and wide looks add some."""
AT_PHRASE_END = 0.4
"""Probability of a blink where a phrase ends."""
BLINK_SECONDS = (0.17, 0.30)
_APART = 0.9  # seconds from blink to blink at least
_LEAST_PAUSE = 0.25  # seconds of silence that end a phrase


def phrase_ends(activity: np.ndarray, fps: float = FPS) -> np.ndarray:
    """Frames (N,) at which speech of ``activity`` (T,) stops for a while."""
    heard = np.asarray(activity) > 0.5
    edges = np.flatnonzero(np.diff(np.concatenate([[False], heard, [False]]).astype(int)))
    stops, starts = edges[1::2], edges[2::2]
    pause = np.append(starts, len(heard) + fps)[: len(stops)] - stops
    return stops[(pause >= _LEAST_PAUSE * fps) & (stops < len(heard))]


def look(activity: np.ndarray, seed: int, fps: float = FPS) -> np.ndarray:
    """Direction of the eyes (T, 2), radians: down and to the character's left are positive.

    Args:
        activity: (T,) above one half where the character talks; elsewhere it listens.
        seed: of the looks.
        fps: frames per second.
    """
    frames = len(activity)
    rng = np.random.default_rng([seed, 11])
    result = np.zeros((frames, 2))
    at, now, away = 0.0, np.zeros(2), False
    while at < frames:
        first = min(int(at), frames - 1)
        mode = "talk" if activity[first] > 0.5 else "listen"
        seconds, target = _next_look(rng, away, mode)
        size = float(np.linalg.norm(target - now))
        # 25 ms and 2.4 ms for every degree: one frame or two.
        lasts = (0.025 + 0.0024 * np.degrees(size)) * fps
        stop = min(int(np.ceil(at + seconds * fps)) + 1, frames)
        share = np.clip((np.arange(first, stop) - at) / lasts, 0.0, 1.0)[:, None]
        result[first:stop] = now + share * share * (3 - 2 * share) * (target - now)
        result[first:stop] += _tremor(rng, stop - first, seconds, fps)
        at, now, away = at + seconds * fps, target, not away
    return np.clip(result, -FURTHEST, FURTHEST)


def _next_look(rng: np.random.Generator, away: bool, mode: str) -> tuple[float, np.ndarray]:
    """How long, and where to: at the other after a look away, or away."""
    chance, angle, spot = rng.random(), rng.random(), rng.normal(size=2)
    wait = -np.log(1.0 - 0.999 * rng.random(2)).sum() / 2.0  # a gamma distribution of mean 1
    if not away:
        # The other's face is not a point: from eye to eye and to the mouth.
        return float(0.35 + LOOK_AT[mode] * wait), np.radians(0.9) * spot * (0.8, 1.0)
    distance = np.clip(-6.9 * np.log(15.0 * (1.0 - chance) / 15.7), 3.0, 13.0)
    direction = 2 * np.pi * angle
    # Sideways more than up, and up more than down.
    target = np.radians(distance) * np.array([-0.6 * np.sin(direction) - 0.08, np.cos(direction)])
    return float(0.25 + LOOK_AWAY[mode] * wait), target


def _tremor(rng: np.random.Generator, frames: int, seconds: float, fps: float) -> np.ndarray:
    """Small jumps (frames, 2) within a look, a few a second, as fixating eyes make them."""
    count = max(int(seconds * 2.5), 1)
    jumps = np.radians(0.35) * rng.normal(size=(count, 2))
    jumps[0] = 0.0
    which = np.minimum((np.arange(frames) / (seconds * fps) * count).astype(int), count - 1)
    return jumps[which]


def blinks(activity: np.ndarray, directions: np.ndarray, seed: int, fps: float = FPS) -> np.ndarray:
    """How far the lids are shut (T,), 0 to 1.

    Args:
        activity: (T,) as for :func:`look`.
        directions: (T, 2) of :func:`look`; wide looks bring blinks along.
        seed: of the blinks.
        fps: frames per second.
    """
    frames = len(activity)
    chance = np.random.default_rng([seed, 12]).random((frames, 3))
    hazard = np.full(frames, BLINKS / 60.0 / fps)
    ends = phrase_ends(activity, fps)
    hazard[np.minimum(ends + 1, frames - 1)] += AT_PHRASE_END
    wide = np.linalg.norm(np.diff(directions, axis=0, prepend=directions[:1]), axis=1) > np.radians(6.0)
    hazard[wide] += 0.12
    shut = np.zeros(frames)
    ready = 0.3 * fps
    for frame in np.flatnonzero(chance[:, 0] < hazard):
        if frame < ready:
            continue
        seconds = BLINK_SECONDS[0] + (BLINK_SECONDS[1] - BLINK_SECONDS[0]) * chance[frame, 1]
        shape = _blink(seconds * fps)
        span = slice(frame, min(frame + len(shape), frames))
        shut[span] = np.maximum(shut[span], shape[: span.stop - span.start])
        ready = frame + (_APART + 0.6 * chance[frame, 2]) * fps
    return shut


def _blink(frames: float) -> np.ndarray:
    """Lids that fall in the first third and rise in the rest; one frame is quite shut."""
    fall = max(round(0.34 * frames), 1)
    rise = max(round(frames) - fall, 2)
    down = np.arange(1, fall + 1) / fall
    up = 1.0 - np.arange(1, rise) / rise
    return np.concatenate([down**0.8, up**1.6])
