"""What talking hands do: places in gesture space, how the palm is turned, from where a stroke comes.

The places follow McNeill's division of gesture space ("Hand and Mind", 1992): centre before the chest and belly, where
most strokes are, and the periphery around it; the forms are those that speakers of many languages use without a
meaning of their own: the open palm that offers or is held out ("Forms and uses of the Palm Up Open Hand", Müller
2004), the beat of a loose wrist, both hands apart as around something, a hand to the chest, a small turn outwards.
All numbers are ours, of the left hand, for :func:`.arms.solve`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..motion.hands import OPEN
from ..motion.hands import Shape as Hand

OWN_SIDE = 0.06
"""Metres from the middle of the chest that a wrist keeps where a stroke begins: hands that come together do not cross."""


@dataclass(frozen=True)
class Shape:
    """A stroke's end, and where it comes from.

    Attributes:
        place: (3,) metres in the chest's frame, of the left wrist.
        came: (3,) metres from the place to where a stroke of full size begins.
        palm: (3,) radians at the end: turned up, bent, to the thumb.
        palm_before: (3,) the same where the stroke begins.
        lift: of the elbow.
        weight: how often it is chosen.
        both: how well two hands do it at once, against one.
    """

    place: np.ndarray
    came: np.ndarray
    palm: np.ndarray
    palm_before: np.ndarray
    lift: float
    weight: float
    both: float

    def end(self) -> np.ndarray:
        """(7,) of :func:`.arms.solve`."""
        return np.concatenate([self.place, [self.lift], self.palm])

    def before(self, size: float) -> np.ndarray:
        """(7,) where a stroke of ``size`` (0 to 1 and more in lively talk) begins; on the hand's own side."""
        turned = min(size, 1.5)
        palm = self.palm + turned * (self.palm_before - self.palm)
        place = self.place + size * self.came
        place[0] = max(place[0], min(OWN_SIDE, self.place[0]))
        return np.concatenate([place, [self.lift + 0.12 * turned], palm])


def _shape(
    place: tuple[float, float, float],
    came: tuple[float, float, float],
    palm: tuple[float, float, float],
    before: tuple[float, float, float],
    lift: float,
    weight: float,
    both: float,
) -> Shape:
    return Shape(
        np.array(place), np.array(came), np.radians(palm), np.radians(before), lift, weight, both
    )  # fmt: skip


READY = np.concatenate([[0.19, -0.20, 0.21], [0.05], np.radians([-25.0, 8.0, 0.0])])
"""Where a hand waits between strokes: low before the belly, loose."""

SHAPES = {
    "beat": _shape((0.19, -0.15, 0.29), (0.02, 0.15, -0.02), (-30, 12, -6), (-38, -22, 6), 0.1, 2.6, 0.8),
    "offer": _shape((0.22, -0.12, 0.32), (-0.05, 0.11, -0.09), (55, -8, 0), (5, 14, 6), 0.05, 2.2, 1.0),
    "apart": _shape((0.28, -0.08, 0.28), (-0.12, 0.06, 0.0), (18, -6, 0), (0, 10, 0), 0.1, 1.3, 3.0),
    "centre": _shape((0.11, -0.07, 0.31), (0.05, 0.13, -0.04), (-18, 6, -8), (-30, -14, 8), 0.15, 1.4, 0.7),
    "flip": _shape((0.25, -0.16, 0.27), (-0.04, 0.09, 0.02), (48, -14, -4), (-30, 8, 4), 0.05, 1.5, 1.0),
    "side": _shape((0.34, -0.02, 0.25), (-0.14, 0.05, 0.05), (30, -12, 0), (-12, 8, 4), 0.1, 0.8, 0.6),
    "chest": _shape((0.07, 0.0, 0.20), (0.11, -0.09, 0.10), (4, 14, 0), (20, -4, 0), 0.3, 0.4, 0.05),
    "wave": _shape((0.33, 0.19, 0.24), (-0.05, -0.16, 0.0), (-88, 2, -12), (-40, 6, 0), 0.25, 0.0, 0.0),
    "towards": _shape((0.15, -0.03, 0.40), (0.04, -0.02, -0.15), (38, -22, 0), (8, 12, 4), 0.1, 0.0, 0.0),
    "point": _shape((0.24, 0.08, 0.38), (-0.04, 0.03, -0.15), (-32, 0, 6), (-20, 14, 6), 0.2, 0.0, 0.0),
    "count": _shape((0.21, 0.10, 0.27), (0.01, -0.10, -0.02), (62, -4, 0), (24, 6, 0), 0.12, 0.0, 0.0),
    "sweep": _shape((0.40, -0.09, 0.20), (-0.24, 0.03, 0.07), (20, -8, 0), (4, 8, 0), 0.1, 0.0, 3.0),
    "cut": _shape((0.36, -0.13, 0.24), (-0.26, 0.04, 0.05), (-72, -4, 0), (-66, 6, 0), 0.15, 0.0, 3.0),
    "wide": _shape((0.42, 0.0, 0.24), (-0.20, -0.04, 0.02), (6, -6, 0), (0, 10, 0), 0.2, 0.0, 3.0),
    "narrow": _shape((0.075, -0.05, 0.29), (0.10, 0.02, -0.01), (-6, 4, 0), (-12, 8, 0), 0.15, 0.0, 3.0),
    "shrug": _shape((0.33, -0.09, 0.26), (-0.09, -0.07, 0.02), (80, -18, 0), (20, 8, 0), 0.0, 0.0, 3.0),
}


@dataclass(frozen=True)
class Meaning:
    """How a meaning is shown.

    Attributes:
        shape: of :data:`SHAPES`.
        hands: how many of them.
        head: ``nod``, ``shake``, ``tilt`` or nothing of its own.
        fingers: of :data:`FINGERS`; empty leaves them as they are.
        shoulders: degrees that they are raised.
    """

    shape: str
    hands: int
    head: str = ""
    fingers: str = ""
    shoulders: float = 0.0


MEANINGS = {
    "no": Meaning("cut", 2, "shake", "flat"),
    "yes": Meaning("beat", 1, "nod"),
    "hello": Meaning("wave", 1, "nod", "flat"),
    "you": Meaning("towards", 1, "", "flat"),
    "me": Meaning("chest", 1, "", "flat"),
    "there": Meaning("point", 1, "", "1"),
    "all": Meaning("sweep", 2, "", "flat"),
    "big": Meaning("wide", 2, "", "flat"),
    "small": Meaning("narrow", 2),
    "doubt": Meaning("shrug", 2, "tilt", "flat", 9.0),
    "count": Meaning("count", 1),
    "item": Meaning("offer", 1),
}
"""By the first word of a stroke's meaning; ``count`` and ``item`` have a number behind them."""

WAVE = np.array([[0.05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.3], [-0.05, 0.0, 0.0, 0.0, 0.0, 0.0, -0.3]] * 2)
"""Where a hand that greets goes one after the other, beside its place."""
SIGN = 0.2
"""Seconds of a turn of a head that nods or shakes."""
HEAD_SIGNS = {
    "shake": ((0.0, 9.0, 0.0), (2.0, -10.0, 0.0), (2.0, 7.0, 0.0), (0.0, 0.0, 0.0)),
    "nod": ((9.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (7.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    "tilt": ((1.0, 3.0, 7.0), (1.0, 3.0, 7.0), (0.0, 0.0, 0.0)),
}
"""Degrees that a head goes to one after the other: down, to the left, tilted."""


def _fingers(straight: int) -> Hand:
    """So many fingers shown, from the index finger on, the rest in the palm; the thumb holds them or makes five."""
    shown, folded = np.array([0.04, 0.06, 0.04]), np.array([1.25, 1.35, 0.85])
    order = (0, 1, 3, 2)  # index, middle, ring and little finger, in the order of the joints
    bend = np.tile(folded, (4, 1))
    bend[list(order[:straight])] = shown
    spread = np.array([0.10, 0.0, 0.14, 0.05]) * (bend[:, 0] < 0.5)
    thumb = (
        OPEN.thumb if straight > 4 else np.array([[0.30, 0.34, -0.30], [0.0, -0.1, -0.35], [0.05, 0.5, 0.1]])
    )
    return Hand(bend, spread, thumb)


FINGERS = {
    "flat": Hand(0.5 * OPEN.bend, 0.7 * OPEN.spread, OPEN.thumb),
    **{str(count): _fingers(count) for count in range(1, 6)},
}
