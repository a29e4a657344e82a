"""Where two people stand relative to each other after each was put at the origin, and putting them back.

Features forget place and heading: each person starts at x = z = 0 on the floor, facing +Z. What was taken
away is kept as a :class:`Frame`; out of two of them comes the transform from one person's space into the
other's, in the form of SOLAMI (Jiang et al., CVPR 2025): a 6D rotation and a position.

Unlike there, heights are compared from floor to floor. SOLAMI adds the difference of the two roots'
heights although the joints it places already stand on their own floor, so that a tall partner floats.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...backend.motion import rotations


@dataclass(frozen=True)
class Frame:
    """One person's own space in the world.

    Attributes:
        forward: (4,) quaternion w, x, y, z about Y that turns the world so that the person faces +Z.
        root: (3,) the person's root in the world at the first frame.
        floor: height of the person's floor in the world.
        scale: size of the person's space divided by the world's.
    """

    forward: np.ndarray
    root: np.ndarray
    floor: float
    scale: float = 1.0

    @property
    def origin(self) -> np.ndarray:
        """(3,) where this space has its zero, in the world."""
        return np.array([self.root[0], self.floor, self.root[2]])


def relative(mine: Frame, partner: Frame) -> tuple[np.ndarray, np.ndarray]:
    """The transform from my space into my partner's.

    Two bodies of different sizes cannot both keep their distance; it is scaled by the mean of the two.

    Returns:
        rotation (6,) in columns layout and position (3,), for :func:`place`.
    """
    mean = 0.5 * (mine.scale + partner.scale)
    turn = rotations.quaternion_multiply(partner.forward, rotations.quaternion_conjugate(mine.forward))
    offset = rotations.rotate_vectors(partner.forward, mean * (mine.origin - partner.origin))
    return rotations.matrix_to_6d(rotations.quaternion_to_matrix(turn)), offset


def invert(rotation: np.ndarray, position: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The transform back: from my partner's space into mine."""
    back = rotations.matrix_from_6d(rotation).T
    return rotations.matrix_to_6d(back), -(back @ position)


def place(joints: np.ndarray, rotation: np.ndarray, position: np.ndarray) -> np.ndarray:
    """My joints (..., 3), which stand in my own space, in my partner's space."""
    return joints @ rotations.matrix_from_6d(rotation).T + position
