"""Prompts of the halves, style and rhythm: told, dropped, guided, and refused by packs without."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from understudy.backend.errors import BadInput
from understudy.backend.models.diffusion import HALVES, Denoiser, DiffusionConfig, Words
from understudy.backend.performance.conditions import NAMES, Conditions, Guidance
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.protocol.messages import GenerateParams, parse
from understudy.backend.text import TextEmbedding

from .conftest import make_pack

SIZES = {"a": 4, "b": 2}


def denoiser(**changes: object) -> Denoiser:
    torch.manual_seed(0)
    sizes = {"parts": SIZES, "width": 16, "layers": 2, "heads": 2, "feed_forward": 32, **changes}
    return Denoiser(DiffusionConfig(**sizes)).eval()  # type: ignore[arg-type]


def full() -> Denoiser:
    """A model with every condition, each of which has learned something."""
    model = denoiser(halves=True, style=5, rhythm=12, sound=8, words=3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def call(model: Denoiser, **changes: object) -> torch.Tensor:
    rng = torch.Generator().manual_seed(1)

    def words() -> Words:
        return Words(torch.randn(2, 3, 384, generator=rng), torch.ones(2, 3, dtype=torch.bool))

    yes = torch.ones(2, 5, dtype=torch.bool)
    values = {
        "text": words().tokens,
        "text_mask": torch.ones(2, 3, dtype=torch.bool),
        "with_text": torch.ones(2, dtype=torch.bool),
        "plan": torch.randn(2, 5, 6, generator=rng),
        "with_plan": yes,
        "known": torch.zeros(2, 5, 6),
        "known_mask": ~yes,
        "mask": yes,
        "halves": {half: words() for half in HALVES},
        "style": torch.rand(2, 5, generator=rng),
        "style_known": torch.ones(2, 5, dtype=torch.bool),
        "rhythm": torch.rand(2, 5, 12, generator=rng),
        "with_rhythm": yes,
        "sound": torch.randn(2, 5, 8, generator=rng),
        "with_sound": yes,
        "words": torch.randn(2, 5, 3, generator=rng),
        "with_words": yes,
        **changes,
    }
    noisy = torch.randn(2, 5, 6, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        return model(noisy, torch.tensor([10, 10]), **values)


def test_new_conditions_begin_without_effect_on_a_model_that_had_none() -> None:
    old, new = denoiser(), denoiser(halves=True, style=5, rhythm=12, sound=8, words=3)
    new.load_state_dict(old.state_dict(), strict=False)
    silent = {half: Words(torch.randn(2, 3, 384), torch.zeros(2, 3, dtype=torch.bool)) for half in HALVES}
    assert torch.allclose(call(old), call(new, halves=silent), atol=1e-6)


def test_what_is_not_given_has_no_influence_and_what_is_given_has() -> None:
    model = full()
    no = torch.zeros(2, 5, dtype=torch.bool)
    columns = {"style": 5, "rhythm": 12, "sound": 8, "words": 3}
    for values, width in columns.items():
        flags = "style_known" if values == "style" else f"with_{values}"
        other = torch.rand(2, 5, width)
        other = other[:, 0] if values == "style" else other
        assert torch.equal(call(model, **{flags: no}), call(model, **{flags: no, values: other}))
        assert not torch.allclose(call(model), call(model, **{values: other}), atol=1e-4)
    some = torch.tensor([[True, False, False, False, False]] * 2)
    style = torch.rand(2, 5)
    assert torch.allclose(
        call(model, style=style, style_known=some),
        call(model, style=torch.where(some, style, torch.rand(2, 5)), style_known=some),
    )
    rng = torch.Generator().manual_seed(5)
    words = {
        half: Words(torch.randn(2, 3, 384, generator=rng), torch.ones(2, 3, dtype=torch.bool))
        for half in HALVES
    }
    swapped = {"lower": words["upper"], "upper": words["lower"]}
    assert not torch.allclose(call(model, halves=words), call(model, halves=swapped), atol=1e-4)
    silent = {half: Words(torch.randn(2, 3, 384), torch.zeros(2, 3, dtype=torch.bool)) for half in HALVES}
    assert torch.allclose(call(model, halves=silent), call(model, halves={}), atol=1e-5)


def test_a_model_without_a_plan_does_not_read_one() -> None:
    other = torch.rand(2, 5, 6)
    assert torch.equal(call(denoiser(plan=False)), call(denoiser(plan=False), plan=other))
    assert not torch.allclose(call(denoiser()), call(denoiser(), plan=other), atol=1e-4)


def embedding(rows: int = 2) -> TextEmbedding:
    rng = np.random.default_rng(0)
    return TextEmbedding(rng.normal(size=(rows, 3, 384)).astype(np.float32), np.ones((rows, 3), bool))


def everything() -> Conditions:
    style = np.full((2, 5), 0.5, np.float32), np.ones((2, 5), bool)
    rhythm = np.ones((2, 8, 12), np.float32), np.ones((2, 8), bool)
    sound = np.ones((2, 8, 100), np.float32), np.ones((2, 8), bool)
    words = np.ones((2, 8, 384), np.float32), np.ones((2, 8), bool)
    return Conditions(
        embedding(), np.array([True, True]), dict.fromkeys(HALVES, embedding()), style, rhythm, sound, words
    )


@pytest.mark.parametrize("name", NAMES)
def test_each_condition_is_dropped_alone(name: str) -> None:
    given = everything()
    assert given.active == NAMES
    assert set(NAMES) - set(given.without(name).active) <= {name} or name in HALVES
    lacking = given.without(name)
    if name in HALVES:
        assert not lacking.halves[name].mask.any()
    assert given.active == NAMES, "nothing was changed in place"


def test_passes_lie_one_after_another_and_windows_are_cut_from_what_is_heard() -> None:
    given = everything()
    both = Conditions.stack([given, given.without("speech")])
    assert both.rhythm is not None and both.sound is not None and both.words is not None
    assert both.rhythm[1].tolist() == both.sound[1].tolist() == [[True] * 8] * 2 + [[False] * 8] * 2
    assert both.words[1].all()
    assert both.text.tokens.shape[0] == both.halves["upper"].mask.shape[0] == 4
    window = given.window(2, 5)
    for pair, width in ((window.rhythm, 12), (window.sound, 100), (window.words, 384)):
        assert pair is not None
        assert pair[0].shape == (2, 3, width) and pair[1].shape == (2, 3)


def test_guidance_of_one_condition_is_classifier_free_guidance() -> None:
    rng = np.random.default_rng(0)
    given, free = rng.normal(size=(2, 1, 5, 6)).astype(np.float32)
    found = Guidance({"text": 2.5}, SIZES).combine(["text"], np.stack([given, free]))
    assert np.allclose(found, free + 2.5 * (given - free), atol=1e-6)
    assert np.allclose(Guidance({}, SIZES).combine(["text"], np.stack([given, free])), given)


def test_a_part_has_its_own_strength() -> None:
    rng = np.random.default_rng(0)
    given, free = rng.normal(size=(2, 1, 5, 6)).astype(np.float32)
    found = Guidance({"text": 1.0, "text.b": 3.0}, SIZES).combine(["text"], np.stack([given, free]))
    assert np.allclose(found[..., :4], given[..., :4])
    assert np.allclose(found[..., 4:], (free + 3 * (given - free))[..., 4:], atol=1e-5)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A tiny pack whose conditions have learned something."""
    folder = make_pack(tmp_path_factory.mktemp("full"), conditions=True)
    weights = folder / "diffusion.safetensors"
    rng = torch.Generator().manual_seed(3)
    state = {
        key: value + 0.3 * torch.randn(value.shape, generator=rng).to(value.dtype)
        if key.startswith(("style", "roles", "pooled_halves")) and value.is_floating_point()
        else value
        for key, value in load_file(weights).items()
    }
    save_file(state, weights)
    _sign(folder)
    return load_pipeline(str(folder), "cpu")


def _sign(folder: Path) -> None:
    import hashlib
    import re

    file = folder / "pack.toml"
    digest = hashlib.sha256((folder / "diffusion.safetensors").read_bytes()).hexdigest()
    file.write_text(re.sub(r'("diffusion.safetensors" = )"\w+"', rf'\1"{digest}"', file.read_text()))


def make(pipeline: Pipeline, **wishes: object) -> np.ndarray:
    params = parse(GenerateParams, {"prompt": "walk", "seconds": 2.0, "cleanup": False, **wishes})
    (clip,) = pipeline.generate(params)
    json.dumps(clip.meta)
    return clip.poses


def test_wishes_change_the_motion_and_their_strength_too(pipeline: Pipeline) -> None:
    plain = make(pipeline)
    for wishes in (
        {"style": {"energy": 0.9}},
        {"upper": "waves"},
        {"lower": "run", "upper": "waves"},
        {"style": {"energy": 0.9}, "guidances": {"style": 4.0}},
        {"guidances": {"text.upper": 4.0}},
    ):
        assert not np.allclose(make(pipeline, **wishes), plain, atol=1e-4), wishes
    assert np.array_equal(make(pipeline, style={}), plain)
    strong = make(pipeline, style={"energy": 0.9}, guidances={"style": 4.0})
    assert not np.allclose(strong, make(pipeline, style={"energy": 0.9}), atol=1e-4)


def test_the_clip_says_what_it_was_asked(pipeline: Pipeline) -> None:
    params = GenerateParams(prompt="walk", upper="waves", style={"tempo": 0.25}, seconds=1.0)
    (clip,) = pipeline.generate(params)
    assert clip.meta["upper"] == "waves"
    assert clip.meta["style"] == {"tempo": 0.25}
    assert "lower" not in clip.meta


@pytest.mark.parametrize(
    ("wishes", "field", "words"),
    [
        ({"style": {"tempo": 1.5}}, "style.tempo", "between 0 and 1"),
        ({"style": {"speed": 0.5}}, "style.speed", "must be"),
        ({"upper": "  "}, "upper", "empty"),
        ({"guidances": {"mood": 2.0}}, "guidances", "no guidance of 'mood'"),
        ({"guidances": {"text.nose": 2.0}}, "guidances", "no guidance of 'text.nose'"),
    ],
)
def test_wrong_wishes_are_one_sentence(
    pipeline: Pipeline, wishes: dict[str, object], field: str, words: str
) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        make(pipeline, **wishes)
    assert caught.value.field.startswith(field.split(".")[0])


@pytest.mark.parametrize("wishes", [{"style": {"tempo": 0.5}}, {"upper": "waves"}, {"lower": "walks"}])
def test_a_pack_without_conditions_says_so(tmp_path: Path, wishes: dict[str, object]) -> None:
    plain = load_pipeline(str(make_pack(tmp_path, conditions=False)), "cpu")
    with pytest.raises(BadInput, match="The pack tiny has no") as caught:
        make(plain, **wishes)
    assert caught.value.field in wishes
