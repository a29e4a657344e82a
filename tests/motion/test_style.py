"""What the measures of style see, and what they do not."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.backend.motion.style import MEASURED, Ranks, measure


def swing(size: float, rate: float, noise: float = 0.0) -> np.ndarray:
    time = np.arange(180) / 30
    joints = np.zeros((180, 4, 3))
    joints[:, 1:, 0] = size * np.sin(2 * np.pi * rate * time)[:, None]
    return joints + noise * np.random.default_rng(0).normal(size=joints.shape)


def test_tempo_is_rate_and_energy_is_speed() -> None:
    slow, fast, large = (measure(swing(*made), 30) for made in ((0.1, 0.5), (0.1, 1.0), (0.2, 0.5)))
    assert fast["tempo"] == pytest.approx(2 * slow["tempo"], rel=0.05)
    assert large["tempo"] == pytest.approx(slow["tempo"], rel=1e-3)
    assert large["energy_level"] == pytest.approx(2 * slow["energy_level"], rel=1e-3)
    assert fast["energy_level"] == pytest.approx(2 * slow["energy_level"], rel=0.05)


def test_jerk_is_not_smooth_whatever_the_speed() -> None:
    clean = measure(swing(0.1, 0.5), 30)["smoothness"]
    assert measure(swing(0.1, 0.5, noise=0.005), 30)["smoothness"] < clean - 0.3
    assert measure(swing(0.3, 1.0), 30)["smoothness"] == pytest.approx(clean, abs=0.1)


def test_a_still_and_a_short_motion_have_numbers() -> None:
    for joints in (np.zeros((60, 3, 3)), np.zeros((2, 3, 3)), np.zeros((0, 3, 3))):
        assert all(np.isfinite(value) for value in measure(joints, 30).values())


def test_ranks_are_shares_of_the_sample() -> None:
    sample = [dict.fromkeys(MEASURED, float(value)) for value in range(101)]
    ranks = Ranks.of(sample)
    assert ranks.rank("tempo", 80) == pytest.approx(0.8)
    assert ranks.ranks(dict.fromkeys(MEASURED, 1e9)) == dict.fromkeys(MEASURED, 1.0)
    assert ranks.rank("tempo", -5) == 0
