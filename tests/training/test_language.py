"""The language stages: what training shows, older weights, pretrained bases, instructions, captions measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from understudy.backend.engines.torch_planner import TorchPlanner
from understudy.backend.errors import BadInput
from understudy.backend.models.language import TASKS, LanguageConfig, MotionLanguageModel
from understudy.backend.models.tokenizer import PartTokenizer, TokenizerConfig
from understudy.backend.motion.features import SIZES, features_from_clip
from understudy.backend.motion.npz import write_clip
from understudy.backend.packs.config import Sampling
from understudy.backend.performance.describing import tell
from understudy.backend.performance.pieces import FILE, learn_pieces, read_pieces, word_ids
from understudy.backend.performance.planning import plan
from understudy.training.cli import main
from understudy.training.corpus.dataset import Corpus, Motion, Segment
from understudy.training.corpus.styles import SegmentStyles, StyleDropout
from understudy.training.data.item import Item
from understudy.training.data.prepare import write_index
from understudy.training.stages import instruction, language
from understudy.training.stages.common import load_config
from understudy.training.stages.language import plan_loss
from understudy.training.stages.latents import Latents
from understudy.training.stages.plans import PlanBatch, Plans, TaskMix
from understudy.training.stages.wording import Captions, Wording
from understudy.training.words.instructions import PHRASINGS, instructions

from .test_stages import gait

PARTS = {"lower_trans": 8, "upper": 8}


class _Encoder:
    """Every prompt as one word that is its own number."""

    def encode_many(self, texts: list[str]) -> list[np.ndarray]:
        return [np.full((len(text.split()), 384), 1.0, np.float32) for text in texts]


@pytest.fixture(autouse=True)
def _no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("latents", "language"):
        monkeypatch.setattr(f"understudy.training.stages.{module}.TextEncoder", _Encoder)


def tokenizers() -> dict[str, PartTokenizer]:
    torch.manual_seed(1)
    made = {
        part: PartTokenizer(TokenizerConfig(features=SIZES[part], width=8, latent=4, codes=8, quantizers=2))
        for part in PARTS
    }
    for tokenizer in made.values():
        tokenizer.codebooks.normal_()
    return {part: tokenizer.eval() for part, tokenizer in made.items()}


@pytest.fixture(scope="module")
def segments() -> list[Segment]:
    made = []
    for i, caption in enumerate(["a person walks forward", "someone waves", "a person jumps", "a man sits"]):
        features, _ = features_from_clip(gait(100 + 8 * i, speed=0.5 + i, phase=i))
        flags = {"lower_trans": True, "upper": True, "hands": False, "face": False}
        motion = Motion(f"m{i}", "cmu", "train", features, flags, False)
        made.append(Segment(f"s{i}", motion, 0, len(motion), (caption,)))
    return made


@pytest.fixture
def batches(segments: list[Segment], tmp_path: Path) -> Callable[..., PlanBatch]:
    def make(instructed: float = 0.0, **mix: object) -> PlanBatch:
        pieces = learn_pieces([s.captions[0] for s in segments], 130)
        config = LanguageConfig(
            parts=PARTS, max_length=40, tasks=TASKS, pieces=pieces.get_vocab_size(), style=True, rhythm=True
        )
        latents = Latents(Corpus([s.motion for s in segments], segments), tokenizers())
        captions = (language.Asked if instructed else Captions)(segments, Wording(), tmp_path)
        keys = TaskMix(**{"corrupt": 0.0, "halves": 0.0, **mix})
        return PlanBatch(config, keys, latents, captions, SegmentStyles(segments), pieces, instructed)

    return make


def only(task: str) -> dict[str, dict[str, float]]:
    return {"shares": {task: 1.0}}


def draw(batch: PlanBatch, segments: list[Segment], times: int = 8) -> list[Plans]:
    found = [batch(segments, np.random.default_rng(i)) for i in range(times)]
    assert all(plans is not None for plans in found)
    return found  # type: ignore[return-value]


def test_tasks_are_drawn_as_often_as_asked(
    batches: Callable[..., PlanBatch], segments: list[Segment]
) -> None:
    shares = {"text_to_motion": 0.5, "in_between": 0.2, "motion_to_text": 0.2, "speech_to_motion": 0.1}
    drawn = np.concatenate([plans.tasks for plans in draw(batches(shares=shares), segments, 100)])
    for task, share in shares.items():
        assert np.mean(drawn == TASKS.index(task)) == pytest.approx(share, abs=0.08)
    for wrong in ({"dance": 1.0}, {"text_to_motion": -1.0}, {"text_to_motion": 0.0}):
        with pytest.raises(ValueError, match=r"shar|task"):
            TaskMix(shares=wrong)


def test_continuation_is_told_nothing_and_speech_its_rhythm(
    batches: Callable[..., PlanBatch], segments: list[Segment]
) -> None:
    for plans in draw(batches(**only("continuation")), segments):
        assert not plans.context_mask.any() and not plans.style.any() and not plans.rhythm.any()
    for plans in draw(batches(**only("speech_to_motion")), segments):
        assert not plans.context_mask.any()
        frames = (plans.targets != 9).any(axis=2).sum(axis=1) - 1
        assert np.array_equal(plans.rhythm[..., -1].sum(axis=1), frames), (
            "one for each frame, none for the end"
        )


def test_text_is_sometimes_with_style_each_slider_alone_too(
    batches: Callable[..., PlanBatch], segments: list[Segment]
) -> None:
    batch = batches(**only("text_to_motion"), style=StyleDropout(whole=0.1, field=0.6))
    known = np.concatenate([plans.style[:, 5:] for plans in draw(batch, segments, 80)])[:, :3]
    assert {1} <= set(known.sum(axis=1).astype(int)), "one alone"
    assert 0.05 < np.mean(~known.any(axis=1)) < 0.5
    plain = batch(segments, np.random.default_rng(0), use="plain")
    assert plain is not None and not plain.style.any() and not plain.rhythm.any()
    told = batch(segments, np.random.default_rng(0), use="plain", styled=True, in_rhythm=True)
    assert told is not None and told.style.any() and told.rhythm.any()
    assert np.array_equal(told.inputs, plain.inputs)


def test_only_the_middle_is_asked_between_given_frames(
    batches: Callable[..., PlanBatch], segments: list[Segment]
) -> None:
    for plans in draw(batches(**only("in_between"), text=1.0), segments):
        for row in range(len(plans.tasks)):
            length = plans.lengths[row]
            codes = plans.inputs[row, 1 : length + 1, 0]
            asked = plans.targets[row, :length, 0]
            middle = asked != 9
            assert np.array_equal(asked[middle], codes[middle])
            first, last = np.flatnonzero(middle)[[0, -1]]
            assert 1 <= first <= 4 and 1 <= length - 1 - last <= 4
            # The context is text, then the last frames, right before the motion.
            order, text = plans.order[row], plans.text.shape[1]
            ends = order[plans.context_mask[row]] >= text
            assert ends.sum() == length - 1 - last and ends[-ends.sum() :].all() and not ends[0]
            given = plans.ends[row, order[-ends.sum() :] - text, 0]
            assert np.array_equal(given, codes[last + 1 :])


def test_words_of_a_motion_follow_it_and_only_they_are_asked(
    batches: Callable[..., PlanBatch], segments: list[Segment]
) -> None:
    batch = batches(**only("motion_to_text"))
    for plans in draw(batch, segments):
        assert (plans.targets == 9).all() and not plans.context_mask.any()
        for row, segment in enumerate(segments):
            asked = plans.pieces_out[row]
            places = np.flatnonzero(asked >= 0)
            assert batch.pieces is not None
            assert batch.pieces.decode(asked[places].tolist()) == segment.captions[0]
            assert np.array_equal(plans.pieces_in[row, places[1:]], asked[places[:-1]])
            before = plans.inputs[row, 1 : places[0]]
            assert before[-1, 0] == 8 and before[-1, 1] < 8, "the whole motion, the later part too"
            assert plans.inputs.shape[1] <= 41, "no row is longer than a plan"


def test_the_words_lead_one_part_whatever_the_other_does(
    batches: Callable[..., PlanBatch], segments: list[Segment]
) -> None:
    seen = set()
    for plans in draw(batches(**only("text_to_motion"), halves=1.0, length_dropout=0.0), segments[:2]):
        for row in range(len(plans.tasks)):
            asked = [part for part in (0, 1) if (plans.targets[row, :, part] < 8).any()]
            assert len(asked) == 1
            seen.add(asked[0])
            for part in (0, 1):
                frames = slice(part, plans.lengths[row] + part)
                read = plans.inputs[row, 1 + part : plans.lengths[row] + 1, part]
                assert (read < 8).all(), "both are read"
                if part in asked:
                    assert (plans.targets[row, frames, part] < 8).all()
    assert seen == {0, 1}


def test_instructions_ask_and_only_the_answer_counts(
    batches: Callable[..., PlanBatch], segments: list[Segment]
) -> None:
    asked = [set(PHRASINGS[task]) for task in ("motion_to_text", "continuation", "speech_to_motion")]
    assert all(asked) and not set.intersection(*asked)
    forms = instructions("text_to_motion", "a person walks.")
    assert len(set(forms)) == 3 and all("a person walks" in form for form in forms)
    assert forms == instructions("text_to_motion", "a person walks.")
    used = {form.replace(c, "") for c in map(str, range(99)) for form in instructions("text_to_motion", c)}
    assert len(used) == len(PHRASINGS["text_to_motion"]), "over many captions, each of them"
    for plans in draw(batches(1.0, **only("continuation")), segments):
        assert plans.context_mask.any(axis=1).all() and set(plans.tasks) == {TASKS.index("continuation")}
        first = (plans.targets[..., 0] < 8).argmax(axis=1)
        assert (first >= 1).all(), "what is given is not asked back"
    for plans in draw(batches(1.0, **only("motion_to_text")), segments, 3):
        assert plans.context_mask.any(axis=1).all() and (plans.targets == 9).all()


def test_words_after_a_motion_are_learnt_without_disturbing_motion(
    batches: Callable[..., PlanBatch], segments: list[Segment]
) -> None:
    """A mixed batch gives each row what it gets alone."""
    batch = batches(shares={"text_to_motion": 0.5, "motion_to_text": 0.3, "in_between": 0.2})
    torch.manual_seed(0)
    sizes = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 16}
    model = MotionLanguageModel(batch.config.model_copy(update=sizes)).eval()
    plans = next(p for p in draw(batch, segments, 40) if len(set(p.tasks)) == 3)
    whole, numbers = plan_loss(model, plans)
    assert torch.isfinite(whole) and "caption_accuracy" in numbers
    counts = []
    for row in range(len(plans.tasks)):
        one = Plans(*(array[row : row + 1] for array in plans))
        padding = (~one.context_mask[0]).sum()
        alone = one._replace(context_mask=one.context_mask)
        embedded, mask = language.embed_plans(model, alone)
        with torch.inference_mode():
            padded = model.read(embedded, mask)[0][:, padding:]
            bare = model.read(embedded[:, padding:], mask[:, padding:])[0]
        assert torch.allclose(padded, bare, atol=1e-4)
        counts.append(int(padding))
    assert len(set(counts)) > 1


# The stages themselves.


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    (folder / "clips/cmu").mkdir(parents=True)
    items = []
    for i, text in enumerate(["a person walks forward", "someone waves", "a man jumps up", "a person walks"]):
        clip = gait(60 + 10 * i, speed=0.5 + 0.3 * i, phase=i)
        write_clip(clip, folder / f"clips/cmu/t{i}.npz")
        items.append(
            Item(
                dataset="cmu", motion_name=f"t{i}", split="val" if i == 3 else "train", path=f"clips/cmu/t{i}.npz",
                text=[text], end_frame=len(clip), known=["lower_trans", "upper"],
            )
        )  # fmt: skip
    write_index(folder, items)
    from safetensors.torch import save_file

    for part, tokenizer in tokenizers().items():
        (folder / part).mkdir()
        save_file(tokenizer.state_dict(), folder / part / "model.safetensors")
        (folder / part / "config.json").write_text(tokenizer.config.model_dump_json())
    return folder


def stage(store: Path, out: Path, *more: str, kind: type = language.LanguageStage) -> dict[str, float]:
    torch.set_num_threads(1)
    path = out.with_suffix(".yaml")
    path.write_text(
        f"store: {store}\nout: {out}\nsteps: 2\nbatch_size: 6\nwarmup: 1\nevaluate_every: 2\npieces: 120\n"
        f"device: cpu\ntokenizers: {{lower_trans: {store}/lower_trans, upper: {store}/upper}}\n"
        "model: {width: 16, layers: 1, heads: 2, feed_forward: 32, max_length: 40}\n"
    )
    config = load_config(kind, path, list(more))
    return (instruction if kind is instruction.InstructionStage else language).run(config)


def test_a_stage_begins_with_an_older_one_and_is_then_instructed(store: Path, tmp_path: Path) -> None:
    old = stage(store, tmp_path / "old", "pieces=0")
    assert not (tmp_path / "old" / FILE).exists() and "val_told_loss" not in old
    start = [f"init_from={tmp_path / 'old'}", "steps=0"]
    new = stage(store, tmp_path / "new", *start)
    assert new["val_loss"] == pytest.approx(old["val_loss"], abs=1e-5)
    assert {"val_told_loss", "val_between_loss", "val_styled_loss", "val_bleu4", "val_similarity"} <= set(new)
    with pytest.raises(BadInput, match="no trained language model"):
        stage(store, tmp_path / "none", f"init_from={tmp_path / 'nowhere'}")
    with pytest.raises(BadInput, match="needs init_from"):
        stage(store, tmp_path / "none", kind=instruction.InstructionStage)
    stage(store, tmp_path / "two")
    told = stage(
        store, tmp_path / "three", f"init_from={tmp_path / 'two'}", kind=instruction.InstructionStage
    )
    assert np.isfinite(told["val_told_loss"])
    assert (tmp_path / "three" / FILE).read_bytes() == (tmp_path / "two" / FILE).read_bytes()


def tiny_base(folder: Path, kind: str) -> Path:
    """A causal language model of some words, untrained, as save_pretrained leaves it."""
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    words = learn_pieces(["a person walks forward", "someone waves", "describe the motion"], 160)
    fast = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<end>", unk_token="<unknown>")
    fast.save_pretrained(folder)
    sizes = {"vocab_size": words.get_vocab_size(), "eos_token_id": 0, "bos_token_id": 0}
    if kind == "gpt2":
        sizes |= {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256}
    else:
        sizes |= {
            "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24,
            "tie_word_embeddings": False,
        }  # fmt: skip
    AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("kind", "target"), [("gpt2", "c_attn"), ("llama", "q_proj")])
def test_a_pretrained_model_is_the_base_with_lora_merged_and_instructed(
    store: Path, tmp_path: Path, kind: str, target: str
) -> None:
    base = load_file(tiny_base(tmp_path / "base", kind) / "model.safetensors")
    with pytest.raises(BadInput, match="no matrices named nothing"):
        stage(store, tmp_path / "a", f"base_model={tmp_path}/base", "lora={targets: [nothing]}")
    lora = f"lora={{rank: 2, targets: [{target}]}}"
    keys = [f"base_model={tmp_path}/base", lora, "learning_rate=0.01", "ema=0.5"]
    numbers = stage(store, tmp_path / "b", *keys)
    assert np.isfinite(numbers["val_loss"]) and np.isfinite(numbers["val_told_loss"])
    state = load_file(tmp_path / "b" / "model.safetensors")
    config = LanguageConfig.model_validate_json((tmp_path / "b" / "config.json").read_text())
    assert config.width == 16 and config.backbone["model_type"] == kind
    model = MotionLanguageModel(config)
    model.load_state_dict(state)  # without peft, and without the base's folder
    changed = set()
    for name, value in base.items():
        mine = state.get(f"backbone.{name.removeprefix('model.').removeprefix('transformer.')}")
        if mine is not None and not torch.equal(mine, value):
            changed.add(name)
    assert changed and all(target in name for name in changed), "nothing else of the base has moved"
    words = read_pieces(tmp_path / "b" / FILE)
    assert words.get_vocab_size() == config.pieces
    planner = TorchPlanner(model.eval(), torch.device("cpu"))

    def write(*prompts: str) -> dict[str, np.ndarray]:
        rngs = [np.random.default_rng(i) for i in range(len(prompts))]
        text = word_ids(words, list(prompts))
        return plan(planner, config, Sampling(), text, 12, rngs, lambda *_: None)  # type: ignore[arg-type]

    alone, beside = write("a person waves"), write("a person waves", "someone walks forward and forward")
    assert alone["upper"].shape == (1, 12) and np.array_equal(alone["upper"], beside["upper"][:1])
    assert all(piece < config.pieces for piece in tell(planner, config, {p: c[0] for p, c in alone.items()}))
    more = stage(
        store, tmp_path / "c", f"init_from={tmp_path}/b", "steps=1", kind=instruction.InstructionStage
    )
    assert np.isfinite(more["val_told_loss"])
    assert json.loads((tmp_path / "c" / "config.json").read_text())["backbone"] == config.backbone


def test_a_base_that_is_none_is_a_sentence(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadInput, match="cannot be loaded as a causal language model"):
        stage(store, tmp_path / "a", f"base_model={tmp_path / 'nowhere'}")
    with pytest.raises(BadInput, match="LoRA needs"):
        stage(store, tmp_path / "b", "lora={}")
    assert main(["stage", "instruction", "--config", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err
