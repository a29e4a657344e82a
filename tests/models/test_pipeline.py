"""The way from a prompt to a clip, with a tiny untrained pack of the real architecture."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.errors import BadInput, Cancelled
from understudy.backend.motion.npz import clip_to_bytes
from understudy.backend.motion.style import measure_clip
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.protocol.messages import GenerateParams


@pytest.fixture(scope="module")
def pipeline(tiny_pack: Path) -> Pipeline:
    return load_pipeline(str(tiny_pack), "cpu")


def generate(pipeline: Pipeline, **changes: object):
    values = {"prompt": "a person walks", "seconds": 1.5, "seed": 1, **changes}
    return pipeline.generate(GenerateParams(**values))


def test_a_clip_has_the_length_asked_for_and_says_where_it_comes_from(pipeline: Pipeline) -> None:
    (clip,) = generate(pipeline, seconds=1.7)
    assert len(clip) == 51 and clip.fps == 30.0
    assert clip.meta["prompt"] == "a person walks" and clip.meta["seed"] == 1
    assert (
        clip.meta["pack"] == "tiny"
        and clip.meta["licence"] == "CC0-1.0"
        and clip.meta["pack_version"] == "1.2.3"
    )
    assert clip.known == {"lower_trans": True, "upper": True, "hands": True, "face": True}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_motion(pipeline: Pipeline) -> None:
    first, again, other = (generate(pipeline, seed=seed)[0] for seed in (3, 3, 4))
    assert clip_to_bytes(first) == clip_to_bytes(again)
    assert np.abs(first.poses - other.poses).max() > 0.01


def test_samples_differ_and_the_first_is_the_single_one(pipeline: Pipeline) -> None:
    single = generate(pipeline)[0]
    three = generate(pipeline, samples=3)
    assert len(three) == 3
    assert np.abs(three[0].poses - single.poses).max() < 1e-3
    assert np.abs(three[0].poses - three[1].poses).max() > 0.01


def test_eyes_live_and_the_mouth_is_shut_without_a_voice(pipeline: Pipeline) -> None:
    (clip,) = generate(pipeline, seconds=8.0)
    assert np.ptp(clip.poses[:, 23], axis=0).max() > 0.01
    assert np.abs(clip.poses[:, 22]).max() < 0.02


def test_the_prompt_matters(pipeline: Pipeline) -> None:
    assert np.abs(generate(pipeline)[0].poses - generate(pipeline, prompt="jump")[0].poses).max() > 1e-3


def test_long_clips_slide_over_several_windows(pipeline: Pipeline) -> None:
    (clip,) = generate(pipeline, seconds=12.0)
    assert len(clip) == 360
    assert np.isfinite(clip.poses).all() and np.isfinite(clip.trans).all()


def test_without_a_length_the_model_ends_the_motion(pipeline: Pipeline) -> None:
    (clip,) = generate(pipeline, seconds=None)
    longest = pipeline.config.language.max_length * pipeline.config.stride
    assert 8 * pipeline.config.stride <= len(clip) <= longest


def test_progress_walks_through_the_stages(pipeline: Pipeline) -> None:
    seen: list[tuple[str, int, int]] = []
    pipeline.generate(GenerateParams(prompt="a", seconds=1.0), lambda *report: seen.append(report))
    stages = list(dict.fromkeys(stage for stage, _, _ in seen))
    assert stages == ["text", "plan", "refine", "decode", "clean-up"]
    assert all(0 <= done <= total for _, done, total in seen)
    assert seen[-1] == ("clean-up", 1, 1)


@pytest.mark.parametrize("stage", ["plan", "refine"])
def test_cancel_takes_effect_within_one_model_step_and_leaves_the_pipeline_usable(
    pipeline: Pipeline, stage: str
) -> None:
    calls = 0
    state = {"stage": "", "asked": False}

    def progress(name: str, done: int, total: int) -> None:
        nonlocal calls
        state["stage"] = name
        calls += state["asked"]
        state["asked"] = state["asked"] or name == stage

    with pytest.raises(Cancelled):
        pipeline.generate(GenerateParams(prompt="a", seconds=2.0), progress, lambda: bool(state["asked"]))
    assert calls == 0, "no step was reported after the cancel"
    assert len(generate(pipeline)[0]) == 45


def test_a_missing_device_is_a_clear_sentence(tiny_pack: Path) -> None:
    with pytest.raises(BadInput, match="no mps device") as caught:
        load_pipeline(str(tiny_pack), "mps")
    assert caught.value.field == "device"


def test_a_changed_weight_file_is_refused(tiny_pack: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_pack, tmp_path / "copy")
    weights = copy / "language.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\1\2\3")
    with pytest.raises(BadInput, match=r"language\.safetensors"):
        load_pipeline(str(copy), "cpu")


def test_with_sliders_the_performance_nearest_to_them_is_kept(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tempo(tries: int, level: float, samples: int = 1) -> list[float]:
        sampling = pipeline.config.sampling.model_copy(update={"performances": tries})
        config = pipeline.config.model_copy(
            update={"sampling": sampling, "style_ranks": {"tempo": [0.0, 60.0]}}
        )
        monkeypatch.setattr(pipeline, "config", config)
        params = GenerateParams(
            prompt="a person walks", seconds=2, seed=3, samples=samples, style={"tempo": level}
        )
        clips = pipeline.generate(params)
        assert [clip.meta["sample"] for clip in clips] == list(range(samples))
        return [measure_clip(clip)["tempo"] for clip in clips]

    for level, better in ((1.0, max), (0.0, min)):
        first, chosen = tempo(1, level)[0], tempo(6, level)[0]
        assert chosen == better(first, chosen) and chosen != first
        assert tempo(6, level)[0] == chosen  # the same again
    assert len(set(tempo(3, 1.0, samples=2))) == 2
