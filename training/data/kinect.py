"""Bodies as a Kinect sees them, 25 joints in the camera's frame: whose they are, which way is up, and the fit.

The sensor gives joint positions only; rotations are fitted. The camera looks down or up at people by an
angle that no file tells: it is taken from people who stand, whose middle is over their feet.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import rotations as rot
from ...backend.motion.clip import Clip
from ...backend.motion.fitting.fit import fit_joints
from ...backend.motion.grounding import floor_height, ground, place_on_floor
from ...backend.motion.skeleton import J0

FITTED: dict[str, int] = {
    "pelvis": 0, "spine2": 1, "neck": 2, "head": 3,
    "left_shoulder": 4, "left_elbow": 5, "left_wrist": 6, "left_hand": 7,
    "right_shoulder": 8, "right_elbow": 9, "right_wrist": 10, "right_hand": 11,
    "left_hip": 12, "left_knee": 13, "left_ankle": 14, "left_foot": 15,
    "right_hip": 16, "right_knee": 17, "right_ankle": 18, "right_foot": 19,
}  # fmt: skip
"""Our points by Kinect joint. Left out: the point between the shoulders, which no joint of ours is, and
finger tips and thumbs, which jump by centimetres from frame to frame."""
_HIPS, _KNEES, _ANKLES = (12, 16), (13, 17), (14, 18)
_NECK, _BASE = 2, 0

SHORTEST = 10
"""Frames; a body seen for less is a glitch."""
STRETCHED = 0.95
"""Hip to ankle as a share of thigh and shin: legs stretched more than this stand."""
STEEPEST = 35.0
"""Degrees; a camera that seems to be tilted more is not believed."""
SAME_PERSON = 0.5
"""Metres between the end of one body and the start of the next for them to be one person."""


def joined(bodies: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Bodies (T, 25, 3) that the sensor lost and found again under another id, each put together.

    Frames in which a body is absent are NaN. A body that begins after another has ended, and within reach
    of where it ended, goes on with it.
    """
    result: list[np.ndarray] = []
    for body in sorted(bodies, key=lambda b: _span(b)[0]):
        first, _ = _span(body)
        near = [
            k
            for k, other in enumerate(result)
            if _span(other)[1] < first and _apart(other[_span(other)[1]], body[first]) < SAME_PERSON
        ]
        if near:
            k = min(near, key=lambda k: _apart(result[k][_span(result[k])[1]], body[first]))
            result[k] = np.where(np.isfinite(body), body, result[k])
        else:
            result.append(np.array(body))
    return result


def _span(body: np.ndarray) -> tuple[int, int]:
    """First and last frame in which any joint is there."""
    there = np.flatnonzero(np.isfinite(body).all(axis=2).any(axis=1))
    return (int(there[0]), int(there[-1])) if len(there) else (len(body), -1)


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    distance = np.linalg.norm(a - b, axis=-1)
    return float(np.nanmean(distance)) if np.isfinite(distance).any() else np.inf


def people(bodies: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The bodies (T, 25, 3) that are people, those who move most first.

    Chairs and tables that the sensor takes for bodies are wider than high in most frames; they are left
    out unless there is nothing else. The amount of motion is the variance of all coordinates, as the
    owners of NTU RGB+D choose the main actor.
    """
    found = [body for body in joined(bodies) if (np.isfinite(body).all(axis=2).any(axis=1)).sum() >= SHORTEST]
    upright = [body for body in found if not _flat(body)]
    return sorted(upright or found, key=_moving, reverse=True)


def _flat(body: np.ndarray) -> bool:
    there = np.isfinite(body).all(axis=2).any(axis=1)
    spread = np.nanmax(body[there], axis=1) - np.nanmin(body[there], axis=1)
    return bool((spread[:, 0] > 0.8 * spread[:, 1]).mean() > 0.7)


def _moving(body: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a joint that is never there
        return float(np.nansum(np.nanvar(body, axis=0)))


def to_world(joints: np.ndarray) -> np.ndarray:
    """Camera frame -> ours: Y stays up, who looks at the camera faces +Z. A turn, so left stays left."""
    return joints * np.array([-1.0, 1.0, -1.0])


def tilt(bodies: Sequence[np.ndarray]) -> np.ndarray:
    """The rotation (3, 3) that makes bodies (T, 25, 3), in our axes, stand upright.

    From frames in which both legs are stretched: there the neck and the hips are above the ankles on
    average. Identity where nobody stands, and where the answer is no camera's tilt.
    """
    ups = []
    for body in bodies:
        hips, knees, ankles = (body[:, list(k)] for k in (_HIPS, _KNEES, _ANKLES))
        length = np.linalg.norm(hips - knees, axis=-1) + np.linalg.norm(knees - ankles, axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            stretched = (np.linalg.norm(hips - ankles, axis=-1) / length > STRETCHED).all(axis=1)
        middle = 0.5 * (body[:, _NECK] + body[:, _BASE]) - ankles.mean(axis=1)
        # Somebody who bends over a stretched pair of legs does not stand upright.
        trunk, legs = body[:, _NECK] - body[:, _BASE], hips.mean(axis=1) - ankles.mean(axis=1)
        cosine = np.sum(trunk * legs, axis=-1) / np.maximum(
            np.linalg.norm(trunk, axis=-1) * np.linalg.norm(legs, axis=-1), 1e-9
        )
        chosen = stretched & np.isfinite(middle).all(axis=1) & (cosine > np.cos(np.radians(25.0)))
        ups.append(middle[chosen])
    all_ups = np.concatenate(ups) if ups else np.zeros((0, 3))
    if len(all_ups) < SHORTEST:
        return np.eye(3)
    up = np.median(all_ups / np.linalg.norm(all_ups, axis=1, keepdims=True), axis=0)
    if np.degrees(np.arccos(np.clip(up[1] / np.linalg.norm(up), -1, 1))) > STEEPEST:
        return np.eye(3)
    return rot.quaternion_to_matrix(rot.shortest_arc(up, np.array([0.0, 1.0, 0.0])))


def fit_people(bodies: Sequence[np.ndarray], *, fps: float) -> list[Clip]:
    """Clips of people (T, 25, 3) in our axes (see :func:`to_world`), all in one world: upright, floor at y = 0.

    Sizes differ: each body is scaled so that its legs are ours, and all paths over the floor are scaled
    alike, by the mean of the factors, so that people keep their places relative to each other.

    Args:
        bodies: NaN where a joint is missing.
        fps: frames per second.

    Raises:
        BadInput: a body cannot be fitted.
    """
    level = tilt(bodies)
    points = [body @ level.T for body in bodies]
    # The camera is metres away: scale about the people, not about it.
    middle = np.mean([np.nanmedian(body[:, _BASE], axis=0) for body in points], axis=0)
    points = [body - middle for body in points]
    clips = [fit_joints(body[:, list(FITTED.values())], list(FITTED), fps=fps) for body in points]
    common = float(np.mean([clip.meta["scale"] for clip in clips]))
    degrees = round(float(np.degrees(rot.geodesic_angle(level, np.eye(3)))), 1)
    result = []
    for clip in clips:
        ratio = common / clip.meta["scale"]
        pelvis = (clip.trans + J0) * np.array([ratio, 1.0, ratio])
        placed = clip.replace(trans=pelvis - J0, meta={**clip.meta, "camera_tilt_deg": degrees})
        result.append(ground(place_on_floor(placed, floor_height(placed))))
    return result


def trimmed(bodies: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The frames from the first to the last in which anybody is there.

    Raises:
        BadInput: nobody is, or for two frames only.
    """
    spans = [_span(body) for body in bodies]
    if not spans:
        raise BadInput("It shows no body.")
    first, last = min(s[0] for s in spans), max(s[1] for s in spans)
    if last - first < 1:
        raise BadInput("It shows a body for less than two frames.")
    return [body[first : last + 1] for body in bodies]
