"""Style sliders: is each followed, and is the content kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.features import FPS, features_from_clip
from understudy.backend.motion.style import Ranks, measure_clip
from understudy.backend.protocol.messages import GenerateParams
from understudy.training.corpus.dataset import Motion, Segment
from understudy.training.evaluation import sliders
from understudy.training.evaluation.cases import Case

KNOWN = {"lower_trans": True, "upper": True, "hands": False, "face": False}


def swinging(rate: float, size: float, shake: float = 0.0, frames: int = 90) -> Clip:
    """Arms that swing ``rate`` times a second."""
    time = np.arange(frames) / FPS
    poses = np.zeros((frames, 55, 3))
    poses[:, 16, 2] = poses[:, 17, 2] = size * np.sin(2 * np.pi * rate * time) + shake * np.sin(
        2 * np.pi * 7 * time
    )
    return Clip(poses, np.tile([0.0, 1.31, 0.0], (frames, 1)), FPS, known=KNOWN)


RANKS = Ranks.of([measure_clip(swinging(0.6 + level, 0.2 + 0.6 * level)) for level in np.linspace(0, 1, 11)])


def cases(count: int) -> list[Case]:
    features, _ = features_from_clip(swinging(1, 0.5))
    return [
        Case(f"a person does thing {i}", Segment(f"s{i}", Motion(f"m{i}", "made", "val", features, KNOWN, False), 0, 90, (f"a person does thing {i}",)), i)
        for i in range(count)
    ]  # fmt: skip


class FakePipeline:
    """Follows tempo and energy, and does not care for smoothness."""

    def __init__(self) -> None:
        self.asked: list[GenerateParams] = []

    def generate(self, params: GenerateParams) -> list[Clip]:
        self.asked.append(params)
        style = params.style
        return [swinging(0.6 + style.get("tempo", 0.5), 0.2 + 0.6 * style.get("energy", 0.5))]


def test_what_is_followed_and_what_is_not() -> None:
    pipeline, asked = FakePipeline(), cases(3)
    found = sliders.measure_sliders(pipeline, asked, asked, None, ranks=RANKS, replications=3, seed=0)  # type: ignore[arg-type]
    by_name = found["sliders"]
    assert by_name["tempo"]["spearman"]["mean"] == pytest.approx(1)
    assert by_name["energy"]["spearman"]["mean"] == pytest.approx(1)
    assert by_name["smoothness"]["spearman"] == {"mean": 0, "half": 0}
    assert by_name["energy"]["measured"] == sorted(by_name["energy"]["measured"])
    assert by_name["energy"]["measured"][0] < by_name["energy"]["without"] < by_name["energy"]["measured"][-1]
    lowest, *_, highest = by_name["energy"]["ranks"]
    assert 0 <= lowest < 0.35 and 0.65 < highest <= 1
    assert len(pipeline.asked) == 3 * (3 * len(sliders.LEVELS) + 1)
    assert {params.seed for params in pipeline.asked if params.prompt.endswith("1")} == {1}
    assert all(len(params.style) <= 1 for params in pipeline.asked)


def test_a_pack_without_styles_says_so() -> None:
    class Plain(FakePipeline):
        def generate(self, params: GenerateParams) -> list[Clip]:
            raise BadInput("The pack has no styles.", field="style")

    with pytest.raises(BadInput, match="no styles"):
        sliders.measure_sliders(Plain(), cases(1), cases(1), None, ranks=RANKS, replications=1, seed=0)  # type: ignore[arg-type]


@given(st.lists(st.floats(-100, 100), min_size=5, max_size=5, unique=True))
def test_following_depends_on_the_order_alone(values: list[float]) -> None:
    levels, rising = sliders.LEVELS, np.sort(np.array(values))
    assert sliders.follows(levels, rising[None])["mean"] == pytest.approx(1)
    assert sliders.follows(levels, rising[None, ::-1])["mean"] == pytest.approx(-1)
    assert sliders.follows(levels, np.stack([rising, rising[::-1]]))["mean"] == pytest.approx(0)


def test_content_is_kept_where_a_motion_stays_nearer_than_the_crowd() -> None:
    rng = np.random.default_rng(0)
    crowd = rng.standard_normal((60, 8))
    text = rng.standard_normal((4, 8))
    wrong = np.ones((4, 60), bool)
    assert sliders.kept(text, text, crowd, wrong, replications=5, seed=0).tolist() == [1, 1, 1, 1]
    assert sliders.kept(text, text + 50, crowd, wrong, replications=5, seed=0).max() == 0
    far = sliders.kept(text, text + 50, crowd, np.zeros((4, 60), bool), replications=5, seed=0)
    assert far.tolist() == [1, 1, 1, 1]  # nobody stands in the way
    some = sliders.kept(text, crowd[:4], crowd, wrong, replications=50, seed=0)
    assert np.array_equal(some, sliders.kept(text, crowd[:4], crowd, wrong, replications=50, seed=0))


def test_prompts_are_different_and_the_crowd_has_nobody_twice() -> None:
    asked = cases(3)
    twice = [*asked, Case(asked[0].caption, asked[1].segment, 9)]
    assert [c.caption for c in sliders.differing(twice, 9)] == [c.caption for c in asked]
    assert len(sliders.differing(twice, 2)) == 2
    assert len(sliders.crowd_of(twice)) == 3
