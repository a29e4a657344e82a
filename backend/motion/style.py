"""How a motion is performed, measured on its joints: tempo, energy and smoothness.

The numbers are physical and have no upper end; what a style slider means by 0.8 is more than 80 % of the
motion that a pack was trained on, by the :class:`Ranks` that it carries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .clip import Clip
from .features import FIELDS, FPS
from .filters import gaussian

MEASURED = ("tempo", "energy_level", "smoothness")
_SMOOTHING = 0.03
"""Seconds: noise of single frames is no style."""
_SMALL = 1e-6


def measure(joints: np.ndarray, fps: float) -> dict[str, float]:
    """Style of a motion.

    * ``tempo``, 1/s: acceleration over speed, the rate at which the joints swing; twice as much for the
      same motion twice as fast, the same for a larger one.
    * ``energy_level``, m/s: the mean speed of the joints.
    * ``smoothness``: speed times jerk over the square of acceleration, its logarithm's negative: the same
      for faster and for larger motion, less for jerky motion.

    Args:
        joints: (T, J, 3) positions in metres; without the travel of the whole body, where that is not to count.
    """
    sigma = _SMOOTHING * fps
    edge = int(np.ceil(3 * sigma))  # frames at the ends that the smoothing bends
    if len(joints) < 2 * edge + 5:
        return dict.fromkeys(MEASURED, 0.0)
    smooth = gaussian(joints.reshape(len(joints), -1).astype(float), sigma)[edge:-edge]
    smooth = smooth.reshape(-1, *joints.shape[1:])

    def size(order: int) -> float:
        change = np.diff(smooth, n=order, axis=0) * fps**order
        return float(np.sqrt((change**2).sum(-1).mean())) + _SMALL

    speed, acceleration, jerk = size(1), size(2), size(3)
    return {
        "tempo": acceleration / speed if speed > 10 * _SMALL else 0.0,
        "energy_level": speed,
        "smoothness": -float(np.log(speed * jerk / acceleration**2)),
    }


def measure_features(features: Mapping[str, np.ndarray]) -> dict[str, float]:
    """:func:`measure` of the features ``{part: (T, F)}`` of a stretch, in the heading frame: travel left out."""
    columns = [
        values[:, FIELDS[part]["positions"].slice].reshape(len(values), -1, 3)
        for part, values in features.items()
        if part in ("lower_trans", "upper")
    ]
    return measure(np.concatenate(columns, axis=1), FPS)


def measure_clip(clip: Clip) -> dict[str, float]:
    """:func:`measure` of a clip's body, as :func:`measure_features` sees it."""
    from .features import features_from_clip

    return measure_features(features_from_clip(clip)[0])


@dataclass(frozen=True)
class Ranks:
    """Turns measured styles into ranks among training motion, and back.

    Attributes:
        knots: ``{field: values at equally spaced ranks from 0 to 1}``.
    """

    knots: Mapping[str, tuple[float, ...]]

    @classmethod
    def of(cls, measured: list[dict[str, float]], points: int = 21) -> Ranks:
        """The ranks of a sample of measurements."""
        shares = np.linspace(0, 1, points)
        return cls({f: tuple(np.quantile([m[f] for m in measured], shares).tolist()) for f in MEASURED})

    def rank(self, field: str, value: float) -> float:
        knots = np.asarray(self.knots[field])
        return float(np.interp(value, knots, np.linspace(0, 1, len(knots))))

    def ranks(self, measured: Mapping[str, float]) -> dict[str, float]:
        return {field: self.rank(field, measured[field]) for field in self.knots}
