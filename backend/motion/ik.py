"""Analytic two-bone inverse kinematics: a leg reaches a point, its knee stays in its plane."""

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
    cosine = (reach**2 - length_upper**2 - length_lower**2) / (2 * length_upper * length_lower)
    wanted_bend = np.arccos(np.clip(cosine, -1.0, 1.0))
    moved = np.abs(reach - now) > 1e-7

    bending = np.zeros((len(root), 4))
    bending[:, 0] = 1.0
    # A nearly straight leg has no plane of its own and leans on the anatomical hinge; its axis is then not
    # quite square to both bones, which the second pass makes up for.
    for lean in (0.02, 1e-6):
        cross = np.cross(upper, lower)
        back = np.sum(cross * hinge, axis=-1) < 0  # a knee bent the wrong way
        axis = np.where(back[:, None], -cross, cross)
        axis = axis + lean * (length_upper * length_lower)[:, None] * hinge
        axis = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-12)
        bend = np.arctan2(np.sum(cross * axis, axis=-1), np.sum(upper * lower, axis=-1))
        # It bends the right way once it has to bend at all, over the first centimetre of shortening.
        forward = np.clip((now - reach) / 0.01, 0.0, 1.0)
        signed = np.where(back & (bend < 0), bend + (wanted_bend - bend) * forward, wanted_bend)
        change = np.where(moved, signed - bend, 0.0)
        step = rotations.axis_angle_to_quaternion(axis * change[:, None])
        lower = rotations.rotate_vectors(step, lower)
        bending = rotations.quaternion_multiply(step, bending)
    swing = rotations.shortest_arc(upper + lower, target - root)
    return swing, rotations.quaternion_multiply(swing, bending)
