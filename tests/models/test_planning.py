"""Plans follow what is asked: style, rhythm, prompts of halves, given frames, and the best of several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from understudy.backend.errors import BadInput
from understudy.backend.models.language import MotionLanguageModel
from understudy.backend.models.language_config import TASKS, LanguageConfig, delayed_grid
from understudy.backend.packs.config import Sampling
from understudy.backend.performance.planning import log_softmax, plan
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.text import TextEmbedding

LENGTH = 10


@pytest.fixture(scope="module")
def pipeline(able_pack: Path) -> Pipeline:
    return load_pipeline(str(able_pack), "cpu", "torch")


def write(
    pipeline: Pipeline, *prompts: str, seed: int = 1, length: int | None = LENGTH, **wishes: Any
) -> Any:
    rngs = [np.random.default_rng((seed, i)) for i in range(len(prompts))]
    sampling = wishes.pop("sampling", Sampling())
    text = pipeline.engine.encode_text(list(prompts))
    config = pipeline.config.language
    return plan(pipeline.engine, config, sampling, text, length, rngs, lambda *_: None, **wishes)


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(a[part], b[part]) for part in a)


def test_a_plan_has_the_length_asked_for_and_the_seed_decides(pipeline: Pipeline) -> None:
    codes = write(pipeline, "walk")
    assert {part: values.shape for part, values in codes.items()} == {
        "lower_trans": (1, LENGTH),
        "upper": (1, LENGTH),
    }
    assert same(codes, write(pipeline, "walk")) and not same(codes, write(pipeline, "walk", seed=2))


def test_prompts_of_different_length_do_not_disturb_each_other(pipeline: Pipeline) -> None:
    alone = write(pipeline, "walk")
    beside = write(pipeline, "walk", "a person walks around a very long table and sits down")
    assert same(alone, {part: values[:1] for part, values in beside.items()})


@pytest.mark.parametrize("field", range(5))
def test_one_slider_alone_changes_the_plan(pipeline: Pipeline, field: int) -> None:
    known = np.zeros((1, 5), bool)
    plain = write(pipeline, "walk")
    assert same(plain, write(pipeline, "walk", style=(np.ones((1, 5), np.float32), known)))
    known[0, field] = True
    low, high = (write(pipeline, "walk", style=(np.full((1, 5), v, np.float32), known)) for v in (0.0, 1.0))
    assert not same(low, high) and not same(low, plain)


def test_a_rhythm_changes_the_plan_from_its_frame_on(pipeline: Pipeline) -> None:
    silent = np.zeros((LENGTH, 12), np.float32)
    loud = silent.copy()
    loud[6:] = 1.0
    a, b = write(pipeline, "walk", rhythm=silent), write(pipeline, "walk", rhythm=loud)
    for part in a:
        assert np.array_equal(a[part][:, :5], b[part][:, :5]), "what comes before knows nothing of it"
    assert not same(a, b)
    assert not same(a, write(pipeline, "walk")), "silence is not the same as no rhythm"
    short = write(pipeline, "walk", rhythm=silent[:3])
    assert short["upper"].shape == (1, LENGTH), "a rhythm may end early"


class Heard:
    """An engine whose model says that the next token is the first letter of its row's prompt.

    Rows read their prompt as numbers; every plan must therefore tell which prompt led each part.
    """

    def __init__(self, config: LanguageConfig) -> None:
        self.config, self.rows, self.read = config, np.zeros(0), []

    def plan_start(self, text: TextEmbedding, length: np.ndarray, task: np.ndarray, **more: Any) -> Any:
        self.rows = np.where(text.mask[:, -1], text.tokens[:, -1, 0], 0).astype(int)
        self.tasks, self.more, self.lengths = task, more, length
        return self

    def plan_step(self, state: Any, tokens: np.ndarray, rhythm: np.ndarray | None = None) -> Any:
        self.read.append(tokens)
        return {part: 9.0 * np.eye(codes + 1)[self.rows] for part, codes in self.config.parts.items()}


def words(*numbers: int) -> TextEmbedding:
    tokens = np.zeros((len(numbers), 1, 384), np.float32)
    tokens[:, 0, 0] = numbers
    return TextEmbedding(tokens, np.ones((len(numbers), 1), bool))


CONFIG = LanguageConfig(parts={"lower_trans": 8, "upper": 8}, max_length=20, tasks=TASKS)
SURE = Sampling(temperature=0.01)


def scripted(length: int | None = 6, config: LanguageConfig = CONFIG, **wishes: Any) -> tuple[Any, Heard]:
    engine = Heard(config)
    text = wishes.pop("text", words(3, 4))
    sampling = wishes.pop("sampling", SURE)
    rngs = [np.random.default_rng(i) for i in range(len(text.tokens))]
    return plan(engine, config, sampling, text, length, rngs, lambda *_: None, **wishes), engine  # type: ignore[arg-type]


def test_each_half_is_led_by_its_own_prompt_and_both_read_one_body() -> None:
    codes, engine = scripted(part_text={"upper": words(5, 6)})
    assert np.array_equal(codes["lower_trans"], np.repeat([[3], [4]], 6, axis=1))
    assert np.array_equal(codes["upper"], np.repeat([[5], [6]], 6, axis=1))
    for tokens in engine.read:
        assert len(tokens) == 3 * 2, "two prompts, and none, of two samples"
        assert np.array_equal(tokens, np.tile(tokens[:2], (3, 1, 1)))


def test_what_is_given_is_kept_and_read(pipeline: Pipeline) -> None:
    start = {"lower_trans": np.array([1, 2]), "upper": np.array([3, 4])}
    end = {"lower_trans": np.array([7, 6, 5]), "upper": np.array([2, 1, 0])}
    codes, engine = scripted(9, start=start, end=end)
    for part, middle in (("lower_trans", [3, 4]), ("upper", [3, 4])):
        for row, number in enumerate(middle):
            assert codes[part][row].tolist() == [*start[part], *[number] * 4, *end[part]]
    first = engine.read[0]
    assert first.shape[1] == 3, "nothing written, then two frames"
    assert first[0].tolist() == [[9, 9], [1, 9], [2, 3]], "the upper body a step behind"
    assert engine.more["ends"][0].tolist() == [[7, 2], [6, 1], [5, 0]]
    assert set(engine.tasks) == {TASKS.index("in_between")} and set(engine.lengths) == {9}
    real = write(pipeline, "walk", start=start, end=end)
    for part in start:
        assert real[part][0, :2].tolist() == start[part].tolist()
        assert real[part][0, -3:].tolist() == end[part].tolist()
    assert not same(real, write(pipeline, "walk", start=start, end={p: v[::-1] for p, v in end.items()}))


def test_a_far_end_is_told_once_it_is_in_sight() -> None:
    end = {"lower_trans": np.array([7]), "upper": np.array([2])}
    codes, engine = scripted(45, end=end)
    assert codes["upper"].shape == (2, 45) and set(codes["upper"][:, -1]) == {2}
    assert "ends" in engine.more
    old, engine = scripted(9, CONFIG.model_copy(update={"tasks": TASKS[:2]}), end=end)
    assert old["upper"][0, -1] == 2 and "ends" not in engine.more, "a model that never learnt it"


@pytest.mark.parametrize(
    ("wishes", "task"),
    [
        ({}, ["text_to_motion", "continuation"]),
        ({"rhythm": np.zeros((6, 12))}, ["text_to_motion", "text_to_motion", "continuation"]),
    ],
)
def test_the_model_is_told_what_it_is_given(wishes: dict[str, Any], task: list[str]) -> None:
    config = CONFIG.model_copy(update={"rhythm": True})
    _, engine = scripted(config=config, **wishes)
    assert [TASKS[i] for i in engine.tasks] == [name for name in task for _ in range(2)]


def test_of_several_plans_the_one_its_prompt_explains_is_kept(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured by reading plans back: the kept ones gain more from their prompts than single ones."""

    def gain(codes: dict[str, np.ndarray]) -> float:
        model, config = pipeline.engine._language, pipeline.config.language
        text = pipeline.engine.encode_text(["a person waves"])
        total = []
        for row in range(len(codes["upper"])):
            grid = delayed_grid(config, {part: values[row] for part, values in codes.items()})
            tokens = torch.from_numpy(np.concatenate([config.absent[None], grid[:-1]])[None])
            scores = []
            for tokens_of_text, task in ((text.tokens, 0), (np.zeros_like(text.tokens), 1)):
                one = torch.tensor([LENGTH])
                prefix = model.prefix(torch.from_numpy(tokens_of_text), one, torch.tensor([task]))
                mask = torch.ones(1, prefix.shape[1] + tokens.shape[1], dtype=torch.long)
                if task:
                    mask[:, : text.tokens.shape[1]] = 0
                with torch.inference_mode():
                    logits, _ = model(torch.cat([prefix, model.embed(tokens)], 1), mask)
                scores.append({p: log_softmax(v[0, prefix.shape[1] :].numpy()) for p, v in logits.items()})
            for i, (part, delay) in enumerate(config.delays.items()):
                places = np.arange(delay, LENGTH + delay)
                wanted, free = (one[part][places, grid[places, i]] for one in scores)
                total += list(wanted - free)
        return float(np.mean(total))

    prompts = ["a person waves"] * 6
    one = gain(write(pipeline, *prompts))
    best = gain(write(pipeline, *prompts, sampling=Sampling(candidates=8)))
    assert best > one


def test_what_the_model_cannot_take_is_refused_in_a_sentence(tiny_pack: Path, pipeline: Pipeline) -> None:
    plain = load_pipeline(str(tiny_pack), "cpu")
    with pytest.raises(BadInput, match="no style") as caught:
        write(plain, "walk", style=(np.zeros((1, 5)), np.ones((1, 5), bool)))
    assert caught.value.field == "style"
    with pytest.raises(BadInput, match="no rhythm"):
        write(plain, "walk", rhythm=np.zeros((LENGTH, 12)))
    given = {"lower_trans": np.zeros(4, int), "upper": np.zeros(4, int)}
    with pytest.raises(BadInput, match="needs a length"):
        write(pipeline, "walk", length=None, end=given)
    with pytest.raises(BadInput, match="no room"):
        write(pipeline, "walk", length=8, start=given, end=given)
    with pytest.raises(BadInput, match="no upper"):
        write(pipeline, "walk", start={"lower_trans": np.zeros(4, int)})


def test_a_model_begins_with_what_an_older_one_knows() -> None:
    torch.manual_seed(0)
    sizes = {
        "parts": {"lower_trans": 5, "upper": 7},
        "width": 16,
        "layers": 1,
        "heads": 2,
        "feed_forward": 16,
    }
    old = MotionLanguageModel(LanguageConfig(**sizes, max_length=9)).eval()
    able = {"tasks": TASKS, "pieces": 6, "style": True, "rhythm": True}
    new = MotionLanguageModel(LanguageConfig(**sizes, max_length=12, **able)).eval()
    assert new.start_from(old.state_dict(), old.config) == ["style.weight", "rhythm.weight"]
    tokens, text = torch.randint(5, (2, 4, 2)), torch.randn(2, 3, 384)
    length, task = torch.tensor([0, 9]), torch.tensor([0, 1])
    ones = torch.ones(2, 4, 13)
    with torch.inference_mode():
        expected = old(torch.cat([old.prefix(text, length, task), old.embed(tokens)], 1))[0]
        conditions = (torch.ones(2, 10), ones)
        found = new(torch.cat([new.prefix(text, length, task), new.embed(tokens, *conditions)], 1))[0]
    for part in expected:
        assert torch.equal(expected[part], found[part])
    wider = MotionLanguageModel(LanguageConfig(**{**sizes, "width": 32}, max_length=9))
    before = wider.embedding.weight.clone()
    assert "backbone.norm.weight" in wider.start_from(old.state_dict(), old.config)
    assert torch.equal(before, wider.embedding.weight)
