"""When a foot stands: contact detection from heights and speeds, and the numbers that judge a clip's feet.

All thresholds are metres and metres per second, so that the same motion gives the same contacts at any frame
rate (HumanML3D's threshold is per frame and therefore means 0.89 m/s at 20 fps and 1.34 m/s at 30 fps).
"""

from __future__ import annotations

import numpy as np

from .clip import Clip
from .kinematics import forward_kinematics
from .skeleton import CONTACT_JOINTS, CONTACT_REST_HEIGHTS

LEG_JOINTS = 12
"""The leading SMPL-X joints that contain both legs."""

ENTER_HEIGHT, ENTER_SPEED = 0.045, 0.30
"""A contact is certain below both: metres above the standing height, metres per second."""
STAY_HEIGHT, STAY_SPEED = 0.070, 0.55
"""A certain contact goes on while below both: the foot rolls, and shoes and markers shift."""
LOWEST = -0.15
"""Metres: further below the floor than this, a foot does not stand on it."""
SHORTEST_CONTACT, SHORTEST_GAP = 0.06, 0.10
"""Seconds: shorter contacts are dropped, shorter gaps are filled."""
SPEED_WINDOW = 1 / 30
"""Seconds on either side over which a speed is measured, so that high frame rates do not measure noise."""

SOLE_POINTS: tuple[tuple[int, tuple[float, float, float]], ...] = (
    (7, (0.0, -0.080, -0.045)),
    (10, (0.0, -0.028, 0.0)),
    (10, (0.0, -0.028, 0.065)),
    (8, (0.0, -0.080, -0.045)),
    (11, (0.0, -0.028, 0.0)),
    (11, (0.0, -0.028, 0.065)),
)
"""Heel, ball and toe tip of the left and of the right sole: the joint and the point in its frame, metres."""


def detect_contacts(clip: Clip, *, floor: float = 0.0) -> np.ndarray:
    """Which foot joints stand on the floor.

    Args:
        clip: the motion, Y up.
        floor: height of the floor, metres.

    Returns:
        (T, 4) of 0 and 1: left ankle, left toe, right ankle, right toe.
    """
    joints, _ = forward_kinematics(clip.poses[:, :LEG_JOINTS], clip.trans)
    return contacts_from_positions(joints[:, list(CONTACT_JOINTS)], clip.fps, floor=floor)


def contacts_from_positions(
    positions: np.ndarray, fps: float, *, floor: float = 0.0, hint: np.ndarray | None = None
) -> np.ndarray:
    """As :func:`detect_contacts`, from the positions (T, 4, 3) of the contact joints.

    Args:
        positions: world positions of the contact joints, metres.
        fps: frames per second.
        floor: height of the floor, metres.
        hint: (T, 4) truth values, contacts that a model predicts: taken where height and speed allow
            twice what a detected contact may have, since a predicted foot slides.
    """
    heights = contact_heights(positions, floor)
    speeds = np.linalg.norm(velocities(positions, fps), axis=-1)
    near = heights > LOWEST
    certain = near & (heights < ENTER_HEIGHT) & (speeds < ENTER_SPEED)
    possible = near & (heights < STAY_HEIGHT) & (speeds < STAY_SPEED)
    if hint is not None:
        hinted = hint & near & (heights < 2 * STAY_HEIGHT) & (speeds < 2 * STAY_SPEED)
        certain |= hinted
        possible |= hinted
    mask = _hysteresis(certain, possible)
    mask = ~_drop_short(~mask, int(SHORTEST_GAP * fps), keep_ends=True)
    mask = _drop_short(mask, int(SHORTEST_CONTACT * fps), keep_ends=True)
    return mask.astype(np.float64)


def contact_heights(positions: np.ndarray, floor: float = 0.0) -> np.ndarray:
    """Heights (T, 4) of the contact joints above where they are when the foot stands flat, metres."""
    return positions[..., 1] - np.asarray(CONTACT_REST_HEIGHTS) - floor


def velocities(positions: np.ndarray, fps: float) -> np.ndarray:
    """Velocities of positions (T, ..., 3) in metres per second, measured over a window of time."""
    frames = len(positions)
    if frames < 2:
        return np.zeros_like(positions)
    step = max(1, round(SPEED_WINDOW * fps))
    index = np.arange(frames)
    after, before = np.minimum(index + step, frames - 1), np.maximum(index - step, 0)
    seconds = ((after - before) / fps).reshape(-1, *[1] * (positions.ndim - 1))
    return (positions[after] - positions[before]) / seconds


def intervals(mask: np.ndarray) -> list[tuple[int, int]]:
    """Runs of a truth vector (T,) as half-open frame ranges."""
    padded = np.concatenate([[False], np.asarray(mask, dtype=bool), [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def _hysteresis(certain: np.ndarray, possible: np.ndarray) -> np.ndarray:
    """Runs of ``possible`` (T, N) that hold at least one ``certain`` frame."""
    mask = np.zeros_like(possible)
    for column in range(possible.shape[1]):
        for start, stop in intervals(possible[:, column]):
            if certain[start:stop, column].any():
                mask[start:stop, column] = True
    return mask


def _drop_short(mask: np.ndarray, frames: int, *, keep_ends: bool) -> np.ndarray:
    """Without the runs of ``frames`` or fewer frames; a run cut by the clip's ends may be longer in truth."""
    mask = mask.copy()
    for column in range(mask.shape[1]):
        for start, stop in intervals(mask[:, column]):
            at_end = start == 0 or stop == len(mask)
            if stop - start <= frames and not (keep_ends and at_end):
                mask[start:stop, column] = False
    return mask


def sole_points(joints: np.ndarray, world: np.ndarray) -> np.ndarray:
    """Heel, ball and toe tip of both soles (T, 6, 3), from joints (T, J, 3) and global rotations (T, J, 3, 3)."""
    return np.stack([joints[:, j] + world[:, j] @ np.asarray(point) for j, point in SOLE_POINTS], axis=1)


def foot_float(joints: np.ndarray, world: np.ndarray) -> np.ndarray:
    """How far the left and right foot (T, 2) are off the floor, metres; negative below it.

    The lowest of heel and ball counts. A foot on its toe tips, where both are high, does not float, and a
    toe tip below the floor does not count, since toes bend.
    """
    heel, ball, tip = np.moveaxis(sole_points(joints, world)[..., 1].reshape(-1, 2, 3), -1, 0)
    low = np.minimum(heel, ball)
    return np.where(low < 0, low, np.maximum(np.minimum(low, tip), 0.0))


def contact_report(clip: Clip, contacts: np.ndarray | None = None, *, floor: float = 0.0) -> dict[str, float]:
    """The physical quality of a clip's feet, in the units that papers print.

    Args:
        clip: the motion, Y up.
        contacts: (T, 4); the clip's own when left out, else detected.
        floor: height of the floor, metres.

    Returns:
        ``slide_median`` cm/s, the horizontal speed of feet in contact; ``slide_share`` of contact frames above
        2.5 cm/s; ``contact_share`` of frames with a foot on the floor; ``penetration_mean`` and
        ``penetration_max`` cm, how deep the soles go below the floor; ``lowest`` cm, the lowest foot joint
        relative to its standing height; ``jerk`` m/s^3, mean over the 22 body joints.
    """
    joints, world = forward_kinematics(clip.poses[:, :22], clip.trans)
    feet = joints[:, list(CONTACT_JOINTS)]
    if contacts is None:
        contacts = clip.contacts
    if contacts is None:
        contacts = contacts_from_positions(feet, clip.fps, floor=floor)
    mask = np.asarray(contacts) > 0.5
    held = mask[1:] & mask[:-1]
    speed = 100.0 * clip.fps * np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1)
    slides = speed[held]
    depth = 100.0 * np.maximum(0.0, floor - sole_points(joints, world)[..., 1]).max(axis=1)
    jerk = (
        np.linalg.norm(np.diff(joints, n=3, axis=0), axis=-1) * clip.fps**3 if len(clip) > 3 else np.zeros(1)
    )
    return {
        "slide_median": float(np.median(slides)) if slides.size else 0.0,
        "slide_share": float((slides > 2.5).mean()) if slides.size else 0.0,
        "contact_share": float(mask.any(axis=1).mean()),
        "penetration_mean": float(depth.mean()),
        "penetration_max": float(depth.max()),
        "lowest": float(100.0 * contact_heights(feet, floor).min()),
        "jerk": float(jerk.mean()),
    }


def floor_height(clip: Clip) -> float:
    """Where the floor of a clip is, metres: the median height of the feet while they rest.

    A clip of another body or from another source may stand a few centimetres off zero. Without a resting
    foot the lowest sole counts.
    """
    joints, world = forward_kinematics(clip.poses[:, :LEG_JOINTS], clip.trans)
    feet = joints[:, list(CONTACT_JOINTS)]
    heights = contact_heights(feet)
    slow = np.linalg.norm(velocities(feet, clip.fps), axis=-1) < ENTER_SPEED
    lowest = float(np.percentile(sole_points(joints, world)[..., 1].min(axis=1), 5))
    resting = slow & (np.abs(heights - lowest) < 0.08)
    return float(np.median(heights[resting])) if resting.any() else lowest
