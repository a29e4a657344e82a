"""Style sliders as a choice: of several performances of one prompt, the one that lies nearest to the sliders.

The models follow a style as one wish among others, and not in every performance. What a slider asks for can be
measured on the finished clip, so a few performances of the same prompt are made at once and measured
(rejection sampling; best-of-N).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..motion.clip import Clip
from ..motion.style import Ranks, measure_clip

SLIDERS = {"tempo": "tempo", "energy": "energy_level", "smoothness": "smoothness"}
"""Sliders whose style can be measured, and the names it is measured under."""
MOST = 16
"""Clips that are made at once at most."""


@dataclass(frozen=True)
class Choice:
    """How the performances of a request are chosen among.

    Attributes:
        wanted: measured field -> rank, 0 to 1.
        ranks: where a measurement lies among the motion that the pack was trained on.
        tries: performances of each sample.
    """

    wanted: Mapping[str, float]
    ranks: Ranks
    tries: int

    def distance(self, clip: Clip) -> float:
        """How far a clip lies from what is wanted: ranks, root of the mean square."""
        measured = measure_clip(clip)
        return float(
            np.sqrt(np.mean([(self.ranks.rank(f, measured[f]) - v) ** 2 for f, v in self.wanted.items()]))
        )

    def nearest(self, clips: Sequence[Clip]) -> int:
        """Index of the clip that lies nearest to what is wanted; the first of equals."""
        return int(np.argmin([self.distance(clip) for clip in clips]))


def choice(
    style: Mapping[Any, float], knots: Mapping[str, Sequence[float]], tries: int, samples: int
) -> Choice | None:
    """The choice that a style asks for, or ``None`` where no slider can be measured or there is nothing to choose.

    Args:
        style: sliders, 0 to 1.
        knots: of the pack's :class:`~..motion.style.Ranks`; none where the pack carries none.
        tries: performances of a sample that the pack asks for.
        samples: clips that are wanted; many of them leave less to choose among.
    """
    wanted = {field: style[slider] for slider, field in SLIDERS.items() if slider in style and field in knots}
    tries = min(tries, max(MOST // samples, 1))
    if not wanted or tries < 2:
        return None
    return Choice(wanted, Ranks({field: tuple(values) for field, values in knots.items()}), tries)
