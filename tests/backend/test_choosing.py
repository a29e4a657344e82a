"""Of several performances, the one that lies nearest to the style sliders is kept."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.backend.motion.clip import Clip
from understudy.backend.motion.style import Ranks, measure_clip
from understudy.backend.performance.choosing import MOST, choice


def swinging(hertz: float, reach: float) -> Clip:
    """Arms that swing so fast and so far, for three seconds."""
    time = np.arange(90) / 30.0
    poses = np.zeros((90, 55, 3))
    poses[:, 16, 2] = -0.8 + reach * np.sin(2 * np.pi * hertz * time)
    poses[:, 17, 2] = 0.8 + reach * np.sin(2 * np.pi * hertz * time)
    return Clip(poses, np.tile([0, 1.3, 0], (90, 1)), 30.0)


CLIPS = [swinging(hertz, reach) for hertz, reach in ((0.5, 0.3), (1.0, 0.3), (2.0, 0.3), (1.0, 0.9))]
KNOTS = {
    field: list(knots) for field, knots in Ranks.of([measure_clip(c) for c in CLIPS], points=7).knots.items()
}


@pytest.mark.parametrize(("slider", "low", "high"), [("tempo", 0, 2), ("energy", 0, 2)])
def test_the_ends_of_a_slider_choose_the_ends(slider: str, low: int, high: int) -> None:
    order = [0, 1, 2]
    clips = [CLIPS[i] for i in order]
    slow, fast = (choice({slider: value}, KNOTS, 3, 1) for value in (0.0, 1.0))
    assert slow is not None and fast is not None
    assert order[slow.nearest(clips)] == low and order[fast.nearest(clips)] == high


def test_two_sliders_are_met_together() -> None:
    found = choice({"tempo": 0.5, "energy": 1.0}, KNOTS, 4, 1)
    assert found is not None and found.nearest(CLIPS) == 3  # neither the fastest nor the calmest


def test_what_cannot_be_measured_is_not_chosen_by() -> None:
    assert choice({"valence": 1.0}, KNOTS, 4, 1) is None
    assert choice({}, KNOTS, 4, 1) is None
    assert choice({"tempo": 1.0}, {}, 4, 1) is None  # a pack without ranks
    assert choice({"tempo": 1.0}, KNOTS, 1, 1) is None


@pytest.mark.parametrize(("samples", "tries"), [(1, 4), (4, 4), (8, 2)])
def test_many_variations_leave_less_to_choose_among(samples: int, tries: int) -> None:
    found = choice({"tempo": 0.2}, KNOTS, 4, samples)
    assert found is not None and found.tries == tries and found.tries * samples <= MOST
