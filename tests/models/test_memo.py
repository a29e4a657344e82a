"""What was made is not made again: only what depends on a change is, and clips are those of a fresh start."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from understudy.backend.motion.npz import clip_to_bytes
from understudy.backend.performance.memo import Memo, digest, state_of
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.protocol.messages import GenerateParams

LINES = [
    {"prompt": "a person walks", "seconds": 2, "seed": 1},
    {"prompt": "a person waves", "seconds": 2, "seed": 2, "style": {"energy": 0.2}},
    {"prompt": "a person jumps", "seconds": 2, "seed": 3, "style": {"energy": 0.2}},
]


class Counted:
    """A pipeline whose model calls are counted."""

    def __init__(self, pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pipeline: Pipeline = load_pipeline(str(pack), "cpu")
        self.calls: Counter[str] = Counter()
        for name in ("plan_step", "denoise"):
            monkeypatch.setattr(self.pipeline.engine, name, self._counting(name))

    def _counting(self, name: str) -> Any:
        made = getattr(self.pipeline.engine, name)

        def counted(*values: Any, **more: Any) -> Any:
            self.calls[name] += 1
            return made(*values, **more)

        return counted

    def __call__(self, **wishes: Any) -> tuple[bytes, Counter[str]]:
        """The file of a clip, and the calls it took."""
        self.calls.clear()
        (clip,) = self.pipeline.generate(GenerateParams(**wishes))
        return clip_to_bytes(clip), Counter(self.calls)


@pytest.fixture
def counted(able_pack: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(able_pack, monkeypatch)


def changed(at: int, **more: Any) -> list[dict[str, Any]]:
    return [{**line, **more} if i == at else line for i, line in enumerate(LINES)]


def test_the_same_again_needs_no_model(counted: Counted) -> None:
    first, calls = counted(script=LINES)
    again, none = counted(script=LINES)
    assert again == first and calls["denoise"] and calls["plan_step"]
    assert not none


@pytest.mark.parametrize("change", [{"style": {"energy": 0.9}}, {"prompt": "a person sits down"}])
def test_only_the_changed_last_line_is_made(
    counted: Counted, able_pack: Path, change: dict[str, Any]
) -> None:
    _, whole = counted(script=LINES)
    clip, calls = counted(script=changed(2, **change))
    for name in ("denoise", "plan_step"):
        assert 0 < calls[name] <= 0.6 * whole[name]
    (fresh,) = load_pipeline(str(able_pack), "cpu").generate(GenerateParams(script=changed(2, **change)))
    assert clip == clip_to_bytes(fresh)


def test_what_comes_before_a_changed_line_stays(counted: Counted, able_pack: Path) -> None:
    counted(script=LINES)
    middle, calls = counted(script=changed(1, style={"energy": 0.9}))
    (fresh,) = load_pipeline(str(able_pack), "cpu").generate(
        GenerateParams(script=changed(1, style={"energy": 0.9}))
    )
    assert middle == clip_to_bytes(fresh) and calls["denoise"]


def test_another_seed_guidance_or_number_of_steps_is_made_anew(counted: Counted) -> None:
    wish: dict[str, Any] = {"prompt": "a person walks", "seconds": 2.0}
    files = {counted(**wish)[0]}
    for more in ({"seed": 5}, {"guidance": 3.0}, {"steps": 3}, {"style": {"tempo": 0.9}}):
        file, calls = counted(**wish, **more)
        assert calls["denoise"], more
        files.add(file)
    assert len(files) == 5


def test_a_cancelled_clip_leaves_nothing_half_made(counted: Counted) -> None:
    wish: dict[str, Any] = {"prompt": "a person walks", "seconds": 2.0}
    asked = iter(range(1000))
    with pytest.raises(Exception, match="cancelled"):
        counted.pipeline.generate(GenerateParams(**wish), cancelled=lambda: next(asked) > 6)
    file, _ = counted(**wish)
    assert counted(**wish)[0] == file


@given(st.lists(st.integers(1, 400), min_size=1, max_size=40))
def test_it_holds_no_more_than_it_may(sizes: list[int]) -> None:
    memo = Memo(most=4000)
    for number, size in enumerate(sizes):
        memo(lambda size=size: {"x": np.zeros(size, np.uint8)}, [], number)  # type: ignore[misc]
        assert len(memo) * 500 <= 4000
    known = memo(lambda: {"x": np.ones(1, np.uint8)}, [], len(sizes) - 1)
    assert known[1] and len(known[0]["x"]) == sizes[-1], "the newest is there"


def test_generators_stand_where_they_would() -> None:
    memo = Memo()

    def drawn() -> tuple[float, float, Any]:
        rng = np.random.default_rng(7)

        def make() -> dict[str, np.ndarray]:
            (child,) = rng.spawn(1)
            return {"x": np.array([rng.random(), child.random()])}

        memo(make, [rng])
        return rng.random(), rng.spawn(1)[0].random(), state_of(rng)

    assert drawn() == drawn() and len(memo) == 1


@given(
    arrays.arrays(
        np.float32, arrays.array_shapes(max_dims=2, max_side=4), elements=st.floats(-1, 1, width=32)
    ),
    st.data(),
)
def test_names_tell_contents_apart(array: np.ndarray, data: st.DataObject) -> None:
    assert digest(array) == digest(array.copy())
    other = array.copy()
    at = tuple(data.draw(st.integers(0, size - 1)) for size in array.shape)
    other[at] += 1.0
    assert digest(array) != digest(other)
    assert digest(array, other) != digest(other, array)
    assert digest([array], None) != digest([array, None])
    assert digest(array) != digest(array[None])
