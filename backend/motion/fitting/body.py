"""Bodies to fit to: ours, and one with the proportions of a source, on which a fit is judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..kinematics import forward_kinematics_matrices
from ..skeleton import INDEX, JOINT_NAMES, PARENTS, REST_OFFSETS
from .points import EXTRAS

_HIPS = (INDEX["left_hip"], INDEX["right_hip"])
_RIGID = ("pelvis", "spine3")
"""Joints that carry several bones."""


@dataclass(frozen=True)
class Body:
    """Proportions.

    Attributes:
        offsets: (55, 3) of each joint from its parent in the rest pose, metres.
        extras: (3,) of further points from the joints that carry them.
    """

    offsets: np.ndarray
    extras: Mapping[str, np.ndarray]

    def trans(self, hips: np.ndarray, local: np.ndarray) -> np.ndarray:
        """(T, 3) that puts the middle of the hips there, for rotations (T, 55, 3, 3)."""
        return hips - local[:, 0] @ self.middle - self.offsets[0]

    @property
    def middle(self) -> np.ndarray:
        """(3,) from the pelvis to between the hips."""
        return 0.5 * (self.offsets[_HIPS[0]] + self.offsets[_HIPS[1]])

    def points(
        self, local: np.ndarray, trans: np.ndarray, names: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Points (T, N, 3) of the posed body, by name, and its joints (T, 55, 3).

        Args:
            local: (T, 55, 3, 3) rotations relative to the parents.
            trans: (T, 3); the pelvis stands at ``offsets[0] + trans``.
            names: joints and extra points.
        """
        joints, world = forward_kinematics_matrices(local, trans, self.offsets)
        columns = []
        for name in names:
            j = INDEX[EXTRAS[name][0] if name in EXTRAS else name]
            columns.append(joints[:, j] + world[:, j] @ self.extras[name] if name in EXTRAS else joints[:, j])
        return np.stack(columns, axis=1), joints


OURS = Body(REST_OFFSETS, {name: np.array(offset) for name, (_, offset) in EXTRAS.items()})


def body_of_source(
    world: np.ndarray,
    at: Mapping[str, np.ndarray],
    seen: Mapping[str, np.ndarray],
    offsets: np.ndarray,
) -> Body:
    """A body with the source's proportions, as constant over time as bones are.

    A bone keeps its rest direction and takes the source's median length. Where several bones are rigid to one
    joint (hips and spine on the pelvis, neck and collars on the chest), or where the source lacks the joint
    before, the mean place relative to what carries it is taken: no rotation could make up for other
    proportions there.

    Args:
        world: (T, 55, 3, 3) rotations found.
        at, seen: positions (T, 3) and truth values (T,) by name.
        offsets: (55, 3) rest offsets, see :func:`.points.bone_offsets`.
    """
    body = Body(np.array(offsets), dict(OURS.extras))
    places = {INDEX[name]: (at[name], seen[name]) for name in at if name in INDEX}
    if 0 not in places:
        places[0] = (at["hips"] - world[:, 0] @ body.middle, seen["hips"])
    for j, parent in enumerate(PARENTS):
        name = JOINT_NAMES[j]
        if parent < 0 or name not in at:
            continue
        base, base_seen = _place(parent, places, world, body.offsets)
        bone, there = at[name] - base, seen[name] & base_seen
        if not there.any():
            continue
        if parent not in places or JOINT_NAMES[parent] in _RIGID:
            body.offsets[j] = _mean_place(world[there, parent], bone[there])
        else:
            length = np.median(np.linalg.norm(bone[there], axis=-1))
            body.offsets[j] *= length / np.linalg.norm(body.offsets[j])
    extras = dict(body.extras)
    for name in at:
        if name in EXTRAS:
            j = INDEX[EXTRAS[name][0]]
            base, base_seen = _place(j, places, world, body.offsets)
            there = seen[name] & base_seen
            if there.any():
                extras[name] = _mean_place(world[there, j], (at[name] - base)[there])
    return Body(body.offsets, extras)


def _place(
    joint: int,
    places: Mapping[int, tuple[np.ndarray, np.ndarray]],
    world: np.ndarray,
    offsets: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Where a joint is: the source's, or by way of the bones from the nearest one before it that it has."""
    if joint in places:
        return places[joint]
    base, seen = _place(PARENTS[joint], places, world, offsets)
    return base + world[:, PARENTS[joint]] @ offsets[joint], seen


def _mean_place(world: np.ndarray, bone: np.ndarray) -> np.ndarray:
    return np.median(np.einsum("tji,tj->ti", world, bone), axis=0)
