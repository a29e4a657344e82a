"""The parts of the stack, each by what it must guarantee."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from understudy.backend.models.compact import compact, restored
from understudy.backend.models.diffusion import Denoiser, DiffusionConfig
from understudy.backend.models.language import MotionLanguageModel
from understudy.backend.models.language_config import TASKS, LanguageConfig, Vocabulary, delayed_grid
from understudy.backend.models.schedule import ddim, sampling_steps
from understudy.backend.models.tokenizer import PartTokenizer, TokenizerConfig
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.features import FIELDS, SIZES, features_from_clip
from understudy.backend.performance.conditions import Guidance
from understudy.backend.performance.planning import choose
from understudy.backend.performance.refining import Refiner
from understudy.backend.text import TextEncoder, normalize_prompt
from understudy.training.stages.diffusion import training_alphas
from understudy.training.stages.geometry import chain_positions, integrate_root


def language(**keys: object) -> MotionLanguageModel:
    torch.manual_seed(0)
    sizes = {"width": 16, "layers": 2, "heads": 2, "feed_forward": 32, "max_length": 9, **keys}
    return MotionLanguageModel(LanguageConfig(parts={"lower_trans": 5, "upper": 7}, **sizes)).eval()


@pytest.mark.parametrize("tasks", [TASKS[:2], TASKS, (*TASKS[:2], "motion_to_text")])
def test_the_vocabulary_has_a_row_for_everything_and_none_for_two_things(tasks: tuple[str, ...]) -> None:
    model = language(tasks=tasks, pieces=11)
    spans = model.vocabulary.spans(model.config)
    assert {f"task {task}" for task in tasks} <= set(spans)
    assert [spans["lower_trans"][1] - spans["lower_trans"][0], spans["pieces"][1] - spans["pieces"][0]] == [
        5 + 2,
        11,
    ]
    everything = [row for first, last in spans.values() for row in range(first, last)]
    assert sorted(everything) == list(range(Vocabulary.build(model.config).size))


def test_delayed_grid_lags_the_later_parts_and_ends_the_first() -> None:
    config = language().config
    grid = delayed_grid(config, {"lower_trans": np.array([1, 2, 3]), "upper": np.array([4, 5, 6])})
    assert grid[:, 0].tolist() == [1, 2, 3, 5], "its codes, then the end"
    assert grid[:, 1].tolist() == [config.absent[1], 4, 5, 6]


def test_cached_steps_equal_one_pass() -> None:
    model = language()
    inputs = torch.randn(2, 6, 16)
    with torch.inference_mode():
        whole, _ = model(inputs)
        cache, steps = None, []
        for i in range(6):
            logits, cache = model(inputs[:, i : i + 1], None, cache, use_cache=True)
            steps.append(logits["upper"])
    assert torch.allclose(whole["upper"], torch.cat(steps, dim=1), atol=1e-5)


def test_padding_on_the_left_does_not_change_a_prompt() -> None:
    model = language()
    text = torch.randn(1, 3, 384)
    padded = torch.cat([torch.zeros(1, 4, 384), text], dim=1)
    zero, one = torch.tensor([0]), torch.ones(1, 3 + 2, dtype=torch.long)
    mask = torch.cat([torch.zeros(1, 4, dtype=torch.long), one], dim=1)
    with torch.inference_mode():
        plain, _ = model(model.prefix(text, zero, zero), one)
        shifted, _ = model(model.prefix(padded, zero, zero), mask)
    assert torch.allclose(plain["upper"][:, -1], shifted["upper"][:, -1], atol=1e-4)


def test_each_level_codes_what_the_levels_before_left_over() -> None:
    torch.manual_seed(0)
    config = TokenizerConfig(features=SIZES["upper"], width=16, latent=8, codes=12, quantizers=3)
    model = PartTokenizer(config).eval()
    features = torch.randn(2, 32, SIZES["upper"])
    with torch.inference_mode():
        latents = model.encode(features)
        model.codebooks[0].copy_(latents.flatten(0, 1)[:12])
        model.codebooks[1].normal_(std=0.1)
        quantized = model.quantize(latents)
        assert quantized.codes.shape == (2, 8, 3) and int(quantized.codes.max()) < 12
        rebuilt = sum(model.codebooks[level][quantized.codes[..., level]] for level in range(3))
        assert torch.allclose(rebuilt, quantized.latents, atol=1e-5)
        assert torch.allclose(model.embed(quantized.codes[..., 0])[0, 3], latents[0, 3], atol=1e-5), (
            "its own code"
        )
        assert model.decode(quantized.latents).shape == features.shape


def denoiser() -> Denoiser:
    torch.manual_seed(0)
    return Denoiser(
        DiffusionConfig(parts={"a": 4, "b": 2}, width=16, layers=2, heads=2, feed_forward=32)
    ).eval()


def call(model: Denoiser, **changes: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    values = {
        "text": torch.randn(2, 3, 384, generator=generator),
        "text_mask": torch.ones(2, 3, dtype=torch.bool),
        "with_text": torch.tensor([True, True]),
        "plan": torch.randn(2, 5, 6, generator=generator),
        "with_plan": torch.ones(2, 5, dtype=torch.bool),
        "known": torch.randn(2, 5, 6, generator=generator),
        "known_mask": torch.zeros(2, 5, dtype=torch.bool),
        "mask": torch.ones(2, 5, dtype=torch.bool),
        **changes,
    }
    noisy = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        return model(noisy, torch.tensor([10, 10]), **values)


def test_dropped_conditions_have_no_influence() -> None:
    model = denoiser()
    none = torch.tensor([False, False])
    assert torch.equal(
        call(model, with_text=none), call(model, with_text=none, text=torch.randn(2, 3, 384))
    ), "a dropped prompt"
    empty = torch.zeros(2, 5, dtype=torch.bool)
    assert torch.equal(call(model, with_plan=empty), call(model, with_plan=empty, plan=torch.randn(2, 5, 6)))
    assert torch.equal(call(model), call(model, known=torch.randn(2, 5, 6))), (
        "known frames that are not given"
    )


def test_given_conditions_have_influence() -> None:
    model = denoiser()
    base = call(model)
    for name in ("text", "plan"):
        assert not torch.allclose(
            base,
            call(model, **{name: torch.randn(2, 5 if name == "plan" else 3, 6 if name == "plan" else 384)}),
        )
    mask = torch.tensor([[True, True, True, False, False]] * 2)
    assert torch.allclose(
        call(model, mask=mask)[:, :3], call(model, mask=mask, plan=_changed_tail())[:, :3], atol=1e-5
    )


def _changed_tail() -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    torch.randn(2, 3, 384, generator=generator)
    plan = torch.randn(2, 5, 6, generator=generator)
    plan[:, 3:] += 5.0
    return plan


@pytest.mark.parametrize("steps", [1, 4, 10])
def test_the_sampler_ends_on_the_clean_prediction(steps: int) -> None:
    schedule = sampling_steps(training_alphas(1000), steps)
    assert len(schedule) == steps and schedule[0].timestep == 999 and schedule[-1].next_alpha == 1.0
    assert all(a.timestep > b.timestep for a, b in pairwise(schedule))
    clean = np.full((1, 2, 3), 0.7)
    x = np.random.default_rng(0).normal(size=clean.shape)
    for step in schedule:
        x = ddim(x, clean, step)
    assert np.allclose(x, clean)


def test_nucleus_sampling_keeps_to_the_nucleus() -> None:
    logits = np.log(np.array([0.6, 0.3, 0.06, 0.04]))
    rng = np.random.default_rng(0)
    chosen = [choose(logits, rng, 1.0, 0.85) for _ in range(300)]
    assert set(chosen) == {0, 1}
    assert {choose(logits, rng, 1e-4, 1.0) for _ in range(20)} == {0}


@pytest.mark.parametrize("length", [1, 15, 16, 17, 40, 200])
def test_windows_cover_the_clip_and_overlap(length: int) -> None:
    spans = Refiner(None, np.ones(1), window=16, overlap=4, steps=1, guidance=Guidance({}, {})).windows(
        length
    )  # type: ignore[arg-type]
    assert spans[0][0] == 0 and spans[-1][1] == length
    assert all(b[0] == a[1] - 4 and b[1] > a[1] for a, b in pairwise(spans))
    assert all(stop - start <= 16 for start, stop in spans)


def test_losses_see_the_path_and_the_joints_of_the_clip() -> None:
    rng = np.random.default_rng(0)
    poses = np.cumsum(rng.normal(size=(40, 55, 3)) * 0.03, axis=0)
    clip = Clip(poses, np.cumsum(rng.normal(size=(40, 3)) * 0.02, axis=0), 30.0)
    features, start = features_from_clip(clip)
    path = integrate_root(torch.from_numpy(features["lower_trans"]))[None][0].numpy()
    pelvis = clip.joints()[:, 0]
    turn = np.array([[np.cos(start.yaw), np.sin(start.yaw)], [-np.sin(start.yaw), np.cos(start.yaw)]])
    expected = (pelvis[:, [0, 2]] - pelvis[0, [0, 2]]) @ turn.T @ np.diag([1, 1])
    back = np.linalg.norm(path[:, [0, 2]], axis=1)
    assert np.allclose(back, np.linalg.norm(expected, axis=1), atol=1e-3)
    assert np.allclose(path[:, 1], pelvis[:, 1], atol=1e-4)
    rotations = FIELDS["upper"]["rotations"].slice
    from understudy.backend.motion.skeleton import PARTS

    chain = chain_positions(torch.from_numpy(features["upper"][:, rotations]), PARTS["upper"]).numpy()
    elbow, wrist = (PARTS["upper"].index(joint) for joint in (18, 20))
    joints = clip.joints()
    assert np.allclose(
        np.linalg.norm(chain[:, elbow] - chain[:, wrist], axis=-1),
        np.linalg.norm(joints[:, 18] - joints[:, 20], axis=-1),
        atol=1e-4,
    )


def test_the_sentence_encoder_knows_what_means_the_same() -> None:
    encoder = TextEncoder()
    a, b, c = encoder.encode(["A person walks forward.", "someone strolls ahead", "a cartwheel"]).pooled()
    assert a @ b > 0.6 > a @ c
    assert normalize_prompt("  A person   WALKS. ") == "a person walks"


def test_a_tokenizer_with_rates_keeps_the_path() -> None:
    """Whatever the networks and codebooks are: means of rates come back, and their errors do not add up."""
    torch.manual_seed(3)
    config = TokenizerConfig(
        features=12, width=16, latent=8, codes=64, quantizers=2, norm="frame", rates=3, dropout=0.0
    )
    model = PartTokenizer(config).eval()
    model.codebooks.normal_(0, 1.5)
    features = torch.randn(2, 160, 12)
    with torch.no_grad():
        latents = model.encode(features)
        exact = model.decode(latents)
        codes = model.quantize(latents)
        plain = model._nearest(latents)

    def path(x: torch.Tensor) -> torch.Tensor:
        return x[..., :3].unflatten(1, (-1, config.stride)).mean(2).cumsum(1)

    torch.testing.assert_close(path(exact), path(features), atol=1e-4, rtol=1e-4)
    drift = (path(model.decode(codes.latents)) - path(features)).abs().amax()
    without = (path(model.decode(plain.latents)) - path(features)).abs().amax()
    assert drift <= 1.0 + 1e-4 < without
    rebuilt = sum(model.codebooks[level][codes.codes[..., level]] for level in range(2))
    torch.testing.assert_close(rebuilt, codes.latents)


def test_frame_norm_sees_each_frame_alone() -> None:
    """A window and the whole clip give the same latents where the window's edges are far."""
    torch.manual_seed(4)
    for norm, same in (("frame", True), ("time", False)):
        config = TokenizerConfig(
            features=6, width=16, latent=4, codes=8, quantizers=1, norm=norm, depth=1, dropout=0.0
        )
        model = PartTokenizer(config).eval()
        features = torch.randn(1, 128, 6) * torch.linspace(0.1, 3.0, 128)[None, :, None]
        with torch.no_grad():
            whole, part = model.encode(features)[:, 10:14], model.encode(features[:, 16:80])[:, 6:10]
        assert bool(torch.allclose(whole, part, atol=1e-5)) == same


def test_eight_bits_are_within_half_a_step_and_only_where_asked() -> None:
    torch.manual_seed(5)
    state = {
        "encoder.0.weight": torch.randn(8, 4, 3),
        "encoder.0.bias": torch.randn(8),
        "decoder.0.weight": torch.randn(4, 8, 3),
        "codes": torch.arange(4),
    }
    packed = compact(state, "encoder.")
    assert (
        packed["encoder.0.weight"].dtype == torch.int8 and packed["decoder.0.weight"].dtype == torch.float32
    )
    back = restored(packed)
    assert set(back) == set(state)
    step = state["encoder.0.weight"].abs().amax((1, 2), keepdim=True) / 127
    assert ((back["encoder.0.weight"] - state["encoder.0.weight"]).abs() <= 0.5001 * step).all()
    for key in ("encoder.0.bias", "decoder.0.weight", "codes"):
        torch.testing.assert_close(back[key], state[key])
