"""Requests performed together: each clip is what it would be alone, and each fails by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.backend.engines.together import CPU_ROWS, perform_together
from understudy.backend.errors import BadInput, Cancelled
from understudy.backend.performance.memo import Memo
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.protocol.messages import GenerateParams

ALIKE = [
    {"prompt": "a person walks forward", "seconds": 2.0, "seed": 1},
    {"prompt": "a person waves", "seconds": 2.0, "seed": 2},
    {"prompt": "someone jumps up and down and then turns around to the left", "seconds": 2.0, "seed": 3},
]
MIXED = [
    {"prompt": "a person walks", "seed": 4},
    {"prompt": "a person waves and jumps", "seed": 5, "samples": 2},
    {"prompt": "a person jumps", "seconds": 4.0, "steps": 3, "style": {"energy": 0.9}},
    {"prompt": "a person walks", "upper": "a person waves", "seconds": 2.0},
    {"script": [{"prompt": "a person walks", "seconds": 2}, {"prompt": "a person jumps", "seconds": 2}]},
]


@pytest.fixture(scope="module", params=["onnx", "torch"])
def pipeline(request: pytest.FixtureRequest, able_pack: Path) -> Pipeline:
    return load_pipeline(str(able_pack), "cpu", request.param)


@pytest.fixture(autouse=True)
def forgetful(pipeline: Pipeline) -> None:
    """What one test made is made again by the next."""
    pipeline.memo = Memo()


def requests_of(pipeline: Pipeline, wishes: list[dict[str, Any]]) -> list[GenerateParams]:
    return [GenerateParams(**{**one, "pack": str(pipeline.pack.path)}) for one in wishes]


@pytest.mark.parametrize("wishes", [ALIKE, MIXED], ids=["alike", "mixed"])
def test_each_clip_is_what_it_is_alone(pipeline: Pipeline, wishes: list[dict[str, Any]]) -> None:
    params = requests_of(pipeline, wishes)
    together = perform_together(pipeline, params)
    for one, clips in zip(params, together, strict=True):
        alone = pipeline.generate(one)
        assert not isinstance(clips, BaseException), clips
        assert [len(clip) for clip in clips] == [len(clip) for clip in alone]
        for ours, theirs in zip(clips, alone, strict=True):
            assert ours.meta == theirs.meta
            assert np.abs(ours.poses - theirs.poses).max() < 1e-3
            assert np.abs(ours.trans - theirs.trans).max() < 1e-3


def test_prompts_of_one_length_share_every_model_call(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    denoise = pipeline.engine.denoise

    def counted(noisy: np.ndarray, *rest: Any, **more: Any) -> np.ndarray:
        calls.append(len(noisy))
        return denoise(noisy, *rest, **more)

    monkeypatch.setattr(pipeline.engine, "denoise", counted)
    perform_together(pipeline, requests_of(pipeline, ALIKE))
    together = list(calls)
    calls.clear()
    pipeline.memo = Memo()
    pipeline.generate(requests_of(pipeline, ALIKE)[0])
    assert together == [len(ALIKE) * rows for rows in calls] and together


def test_a_processor_gets_the_denoiser_in_small_portions(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[str, list[int]] = {"denoise": [], "plan_step": []}

    def counting(name: str, at: int) -> None:
        made = getattr(pipeline.engine, name)

        def counted(*values: Any, **more: Any) -> Any:
            calls[name].append(len(values[at]))
            return made(*values, **more)

        monkeypatch.setattr(pipeline.engine, name, counted)

    counting("denoise", 0)
    counting("plan_step", 1)
    wishes = [{"prompt": "a person walks", "seconds": 2.0, "seed": seed} for seed in range(11)]
    found = perform_together(pipeline, requests_of(pipeline, wishes))
    assert not any(isinstance(one, BaseException) for one in found)
    assert max(calls["denoise"]) <= CPU_ROWS < min(calls["plan_step"])


def test_a_request_that_fails_leaves_the_others_alone(pipeline: Pipeline) -> None:
    wishes = [*ALIKE[:2], {"speech": "nowhere.wav"}]
    first, second, broken = perform_together(pipeline, requests_of(pipeline, wishes))
    assert isinstance(broken, BadInput)
    assert not isinstance(first, BaseException) and not isinstance(second, BaseException)


def test_a_call_that_fails_ends_all_who_wait_for_it(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> np.ndarray:
        raise MemoryError

    monkeypatch.setattr(pipeline.engine, "denoise", full)
    results = perform_together(pipeline, requests_of(pipeline, ALIKE))
    assert [type(result) for result in results] == [MemoryError] * len(ALIKE)
    assert not any(isinstance(result, Cancelled) for result in results)


def test_a_prompt_that_was_read_is_not_read_again(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pipeline.engine.encode_text(["a person bakes a cake"])

    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("the encoder was run")

    encoder = pipeline.engine._text  # type: ignore[attr-defined]
    monkeypatch.setattr(encoder, "_session" if pipeline.engine.name == "onnx" else "_run", read)
    again = pipeline.engine.encode_text(["A person bakes  a cake."])
    assert np.array_equal(first.tokens, again.tokens)
    with pytest.raises(AssertionError):
        pipeline.engine.encode_text(["a person bakes bread"])
