"""Segments are drawn as often as quality, data set and the rarity of their action say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from understudy.backend.errors import BadInput
from understudy.training.corpus.dataset import Motion, Segment
from understudy.training.corpus.weights import Chooser, Weighting, segment_weights
from understudy.training.data.metadata import EnhancedMetadata, Quality


def segment(caption: str = "a person walks", dataset: str = "cmu", **quality: float) -> Segment:
    motion = Motion(caption, dataset, "train", {"lower_trans": np.zeros((9, 1), np.float32)}, {}, False)
    metadata = EnhancedMetadata(quality=Quality(**quality)) if quality else EnhancedMetadata()
    return Segment(caption, motion, 0, 9, (caption,), metadata)


def drawn(segments: list[Segment], weighting: Weighting, count: int = 20_000) -> np.ndarray:
    """Share of draws that each segment gets."""
    chosen = Chooser(segments, weighting)(np.random.default_rng(3), count)
    return np.array([sum(one is s for one in chosen) for s in segments]) / count


def test_without_keys_the_draws_are_those_of_before() -> None:
    segments = [segment(marker_quality=0.1), segment(), segment("a person kicks", "cc0")]
    assert Weighting().uniform
    chosen = Chooser(segments, Weighting())(np.random.default_rng(5), 50)
    assert chosen == [segments[i] for i in np.random.default_rng(5).integers(3, size=50)]


def test_quality_counts_where_it_is_known_and_is_asked_for() -> None:
    segments = [
        segment(marker_quality=0.5, physics_score=0.5),
        segment(),
        segment(marker_quality=0.0),
        segment(marker_quality=1.0, physics_score=7.0),
    ]
    weighting = Weighting(quality={"marker_quality": 1.0, "physics_score": 2.0}, least=0.1)
    weights = segment_weights(segments, weighting)
    assert weights.mean() == pytest.approx(1.0)
    assert weights / weights[1] == pytest.approx([0.5 * 0.25, 1.0, 0.1, 1.0])
    assert drawn(segments, weighting) == pytest.approx(weights / 4, abs=0.02)


def test_data_sets_have_their_factor_and_a_wrong_name_is_told() -> None:
    segments = [segment(dataset="cmu"), segment(dataset="cc0"), segment(dataset="deepmimic")]
    share = drawn(segments, Weighting(datasets={"cc0": 3.0, "deepmimic": 0.0}))
    assert share == pytest.approx([0.25, 0.75, 0.0], abs=0.02)
    with pytest.raises(BadInput, match=r"kmu.*cc0, cmu, deepmimic"):
        Chooser(segments, Weighting(datasets={"kmu": 1.0}))
    with pytest.raises(BadInput, match="no segment"):
        Chooser(segments, Weighting(datasets={"cmu": 0, "cc0": 0, "deepmimic": 0}))


@pytest.mark.parametrize(("power", "kick"), [(1.0, 1 / 10), (0.5, 1 / 4), (0.0, 1 / 2)])
def test_rare_actions_are_drawn_oftener_as_the_power_falls(power: float, kick: float) -> None:
    segments = [*(segment(f"a person walks {i} steps") for i in range(9)), segment("a person kicks a ball")]
    assert drawn(segments, Weighting(actions=power))[9] == pytest.approx(kick, abs=0.02)


@given(
    st.lists(st.sampled_from(["walks", "runs", "kicks", "sways oddly"]), min_size=1, max_size=12),
    st.floats(0, 1),
    st.floats(0.01, 1),
)
def test_weights_are_positive_and_their_mean_is_one(verbs: list[str], power: float, quality: float) -> None:
    segments = [segment(f"someone {verb}", marker_quality=quality / (i + 1)) for i, verb in enumerate(verbs)]
    weights = segment_weights(segments, Weighting(actions=power, quality={"marker_quality": 1.0}))
    assert (weights > 0).all() and weights.mean() == pytest.approx(1.0)


def test_a_measure_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError, match="niceness"):
        Weighting(quality={"niceness": 1.0})  # type: ignore[dict-item]
