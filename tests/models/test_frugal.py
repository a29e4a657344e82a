"""A device that is full: fewer samples at once, then the processor, the same clip and a sentence about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from understudy.backend.engines.base import OutOfMemory
from understudy.backend.engines.frugal import Frugal, is_lack_of_memory
from understudy.backend.engines.together import perform_together
from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.protocol.messages import GenerateParams

WISH: dict[str, Any] = {"prompt": "a person walks", "seconds": 2.0, "samples": 4, "seed": 3}


class FullCard:
    """The real engine, as one on a card that has room for so many rows in each call."""

    def __init__(self, engine: Any, room: dict[str, int], error: Callable[[], Exception]) -> None:
        self._engine, self._room, self._error = engine, room, error
        self.name, self.device, self.alphas = engine.name, "cuda", engine.alphas
        self.rows: dict[str, list[int]] = {"denoise": [], "decode": [], "plan_step": []}

    def __getattr__(self, name: str) -> Any:
        made = getattr(self._engine, name)
        if name not in self.rows:
            return made

        def limited(*values: Any, **more: Any) -> Any:
            rows = len(values[1] if name == "plan_step" else values[0])
            if rows > self._room.get(name, 1000):
                raise self._error()
            self.rows[name].append(rows)
            return made(*values, **more)

        return limited


def out_of_memory() -> Exception:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.fixture
def full(able_pack: Path) -> Callable[..., tuple[Pipeline, FullCard]]:
    def make(error: Callable[[], Exception] = out_of_memory, **room: int) -> tuple[Pipeline, FullCard]:
        pipeline = load_pipeline(str(able_pack), "cpu", "torch")
        card = FullCard(pipeline.engine, room, error)
        pipeline.engine = Frugal(card)  # type: ignore[assignment, arg-type]
        return pipeline, card

    return make


@pytest.fixture(scope="module")
def expected(able_pack: Path) -> list[Clip]:
    return load_pipeline(str(able_pack), "cpu", "torch").generate(GenerateParams(**WISH))


def assert_same(clips: list[Clip], expected: list[Clip]) -> None:
    assert len(clips) == len(expected)
    for ours, theirs in zip(clips, expected, strict=True):
        assert np.abs(ours.poses - theirs.poses).max() < 1e-3
        assert np.abs(ours.trans - theirs.trans).max() < 1e-3


def test_fewer_rows_at_once_where_not_all_fit(
    full: Callable[..., tuple[Pipeline, FullCard]], expected: list[Clip]
) -> None:
    pipeline, card = full(denoise=3, decode=1)
    clips = pipeline.generate(GenerateParams(**WISH))
    assert_same(clips, expected)
    assert max(card.rows["denoise"]) <= 3 and set(card.rows["decode"]) == {1}
    assert "warnings" not in clips[0].meta, "it was made where it was to be made"


@pytest.mark.parametrize("call", ["denoise", "decode", "plan_step"])
def test_the_processor_where_nothing_fits(
    full: Callable[..., tuple[Pipeline, FullCard]], expected: list[Clip], call: str
) -> None:
    pipeline, card = full(**{call: 0})
    clips = pipeline.generate(GenerateParams(**WISH))
    assert_same(clips, expected)
    assert any("cuda has not enough memory" in said for said in clips[0].meta["warnings"])
    card._room.clear()
    again = pipeline.generate(GenerateParams(**WISH))
    assert "warnings" not in again[0].meta and card.rows[call], "the card is tried again"
    assert_same(again, expected)


def test_all_conditions_are_divided_with_the_rows(
    full: Callable[..., tuple[Pipeline, FullCard]], able_pack: Path
) -> None:
    wish = {**WISH, "upper": "a person waves", "style": {"energy": 0.9}}
    pipeline, card = full(denoise=5)
    plain = load_pipeline(str(able_pack), "cpu", "torch")
    assert_same(pipeline.generate(GenerateParams(**wish)), plain.generate(GenerateParams(**wish)))
    assert max(card.rows["denoise"]) <= 5


def test_requests_of_a_batch_are_told_apart(full: Callable[..., tuple[Pipeline, FullCard]]) -> None:
    pipeline, _ = full(plan_step=0)
    for result in perform_together(pipeline, [GenerateParams(**WISH)] * 2):
        assert isinstance(result, OutOfMemory), "the batch performs each of them alone then"


@pytest.mark.parametrize(
    ("error", "lacks"),
    [
        (out_of_memory(), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("[ONNXRuntimeError] : 6 : Failed to allocate memory for requested buffer"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory lane"), False),
        (BadInput("no"), False),
    ],
)
def test_lack_of_memory_is_known_from_other_faults(error: Exception, lacks: bool) -> None:
    assert is_lack_of_memory(error) is lacks


def test_other_faults_stay_what_they_are(full: Callable[..., tuple[Pipeline, FullCard]]) -> None:
    pipeline, _ = full(lambda: RuntimeError("a fault of ours"), denoise=0)
    with pytest.raises(RuntimeError, match="a fault of ours"):
        pipeline.generate(GenerateParams(**WISH))
