"""Analytic two-bone inverse kinematics: a limb reaches a point, its knee or elbow stays in its plane."""

from __future__ import annotations

import numpy as np

from . import rotations

SOFT = 0.015
"""Share of the leg's length before full stretch within which the reach is eased, so that a knee never snaps."""


def soft_reach(distance: np.ndarray, length: float) -> np.ndarray:
    """Distance (...,) that a limb of ``length`` may take towards a target: eased near full stretch, never beyond."""
    margin = SOFT * length
    start = length - margin
    eased = length - margin * np.exp(-np.maximum(distance - start, 0.0) / margin)
    return np.where(distance > start, eased, distance)


def solve_two_bone(
    root: np.ndarray,
    middle: np.ndarray,
    end: np.ndarray,
    target: np.ndarray,
    hinge: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """World rotations that bring the end of a two-bone chain to a target.

    Args:
        root, middle, end: (T, 3) hip, knee and ankle.
        target: (T, 3) where the ankle shall be.
        hinge: (T, 3) world direction about which the knee bends (a positive turn flexes); it decides the
            plane when the leg is straight.

    Returns:
        Quaternions (T, 4), both to be applied from the left to world rotations: for the upper bone, and for
        the lower bone. Identity where the target is where the end already is.
    """
    upper, lower = middle - root, end - middle
    length_upper, length_lower = np.linalg.norm(upper, axis=-1), np.linalg.norm(lower, axis=-1)
    now = np.linalg.norm(end - root, axis=-1)
    wanted = np.linalg.norm(target - root, axis=-1)
    # Never stretch beyond the eased limit, but leave alone a leg that the source holds that straight.
    reach = np.minimum(
        wanted, np.maximum(now, soft_reach(wanted, float(np.max(length_upper + length_lower))))
    )
    axis = _bending_axis(upper, lower, hinge)

    # The dot product of the two bones while the lower one turns about the axis by an angle d is
    # a cos d + b sin d + c; the leg is straightest where d = peak.
    c = np.sum(upper * axis, axis=-1) * np.sum(lower * axis, axis=-1)
    a = np.sum(upper * lower, axis=-1) - c
    b = np.sum(upper * np.cross(axis, lower), axis=-1)
    peak = np.arctan2(b, a)
    wanted_dot = 0.5 * (reach**2 - length_upper**2 - length_lower**2)
    wanted_bend = np.arccos(np.clip((wanted_dot - c) / np.maximum(np.hypot(a, b), 1e-12), -1.0, 1.0))
    bend = -peak
    # A knee that bends the wrong way comes forward over the first centimetre of shortening.
    forward = np.clip((now - reach) / 0.01, 0.0, 1.0)
    signed = np.where(bend < 0, bend + (wanted_bend - bend) * forward, wanted_bend)
    change = np.where(np.abs(reach - now) > 1e-7, signed - bend, 0.0)

    bending = rotations.axis_angle_to_quaternion(axis * change[:, None])
    swing = rotations.shortest_arc(upper + rotations.rotate_vectors(bending, lower), target - root)
    return swing, rotations.quaternion_multiply(swing, bending)


def _bending_axis(upper: np.ndarray, lower: np.ndarray, hinge: np.ndarray) -> np.ndarray:
    """Unit axes (T, 3) of the knee: the plane of a bent leg, the anatomical hinge of a straight one.

    The bones of a straight leg still form a small angle, sideways as likely as forwards: following it would
    throw the knee out to the side.
    """
    cross = np.cross(upper, lower)
    sine = np.linalg.norm(cross, axis=-1, keepdims=True)
    cross = cross / np.maximum(sine, 1e-12)
    cross = np.where(np.sum(cross * hinge, axis=-1, keepdims=True) < 0, -cross, cross)
    sine = sine / (np.linalg.norm(upper, axis=-1) * np.linalg.norm(lower, axis=-1))[:, None]
    bent = np.clip((sine - 0.25) / 0.35, 0.0, 1.0)
    axis = hinge + (cross - hinge) * bent * bent * (3 - 2 * bent)
    return axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-12)


def ease_up(height: np.ndarray, soft: float) -> np.ndarray:
    """(T,) how far to rise so that ``height`` is not below zero; smooth within ``soft`` of zero."""
    return np.where(height < -soft, -height, np.where(height > soft, 0.0, (soft - height) ** 2 / (4 * soft)))


def raise_tip(tip: np.ndarray, rise: np.ndarray, limit: float, hinge: np.ndarray) -> np.ndarray:
    """World quaternions (T, 4) that swing a bone upwards so that its end rises.

    Args:
        tip: (T, 3) from the joint to the end of the bone, metres.
        rise: (T,) metres, at or above zero.
        limit: radians that the bone is swung at most.
        hinge: (T, 3) unit axis in the world about which the joint would bend it; it decides where the bone
            hangs straight down.
    """
    length = np.maximum(np.linalg.norm(tip, axis=-1), 1e-9)
    along = tip / length[:, None]
    axis = np.cross(along, np.array([0.0, 1.0, 0.0]))
    axis = axis + hinge * np.maximum(0.0, 5.0 - 10.0 * np.linalg.norm(axis, axis=-1, keepdims=True))
    axis = axis - along * np.sum(axis * along, axis=-1, keepdims=True)
    axis /= np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-9)
    # The height of the end while it turns about the axis: reach * cos(angle - highest).
    climb = np.cross(axis, along)[:, 1]
    reach, highest = np.hypot(along[:, 1], climb), np.arctan2(climb, along[:, 1])
    # A bone that hangs past straight down swings through the lowest point first.
    highest = np.where((highest < 0) & (along[:, 1] < 0), highest + 2 * np.pi, highest)
    wanted = (tip[:, 1] + rise) / length
    angle = highest - np.arccos(np.clip(wanted / np.maximum(reach, 1e-9), -1.0, 1.0))
    angle = np.where(rise > 0, np.clip(angle, 0.0, limit), 0.0)
    return rotations.axis_angle_to_quaternion(axis * angle[:, None])
