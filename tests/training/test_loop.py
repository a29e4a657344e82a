"""The training loop: schedules, accumulation, resuming, compiling, several processes; and every recipe."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor, nn

from understudy.backend.errors import BadInput, JobFailed
from understudy.backend.models.language import LanguageConfig, MotionLanguageModel
from understudy.backend.models.tokenizer import PartTokenizer, TokenizerConfig
from understudy.backend.motion.features import SIZES
from understudy.backend.text import WIDTH
from understudy.training.commands import stage as stage_command
from understudy.training.corpus.dataset import Corpus, Motion, Segment
from understudy.training.data.metadata import Emotion, EnhancedMetadata
from understudy.training.stages import parallel, wording
from understudy.training.stages.common import load_config, set_up, train
from understudy.training.stages.language import plan_loss
from understudy.training.stages.latents import Latents
from understudy.training.stages.plans import PlanBatch, Plans, TaskMix
from understudy.training.words.paraphrase import paraphrases

from .makers import loop
from .makers.loop import fit, settings

CONFIGS = Path(stage_command.__file__).parent.parent / "configs"
WORKER = Path(loop.__file__)


def test_schedules(tmp_path: Path) -> None:
    cosine = settings(tmp_path, steps=100, warmup=10, learning_rate=1.0)
    assert cosine.rate(0) == pytest.approx(0.1) and cosine.rate(100) == pytest.approx(0.02)
    assert cosine.rate(50) == pytest.approx(0.51)
    assert settings(tmp_path, steps=100, learning_rate=1.0, final=0.005).rate(100) == pytest.approx(0.005)
    constant = settings(tmp_path, schedule="constant", warmup=4, learning_rate=2.0)
    assert [constant.rate(i) for i in (0, 3, 999)] == pytest.approx([0.5, 2.0, 2.0])
    steps = settings(tmp_path, schedule="steps", decay=0.05, decay_at=[20, 30], learning_rate=1.0)
    assert [steps.rate(i) for i in (19, 20, 29, 30)] == pytest.approx([1.0, 0.05, 0.05, 0.0025])


def test_a_resumed_run_equals_an_unbroken_one_and_a_changed_plan_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, broken = tmp_path / "a", tmp_path / "b"
    fit(settings(whole, ahead=2, accumulate=2))  # drawn ahead or in line: the same
    fit(settings(broken, accumulate=2, minutes=0.0))
    assert int(torch.load(broken / "checkpoint.pt", weights_only=True)["step"]) == 1
    fit(settings(broken, accumulate=2))
    assert capsys.readouterr().err == ""
    a, b = (load_file(folder / "model.safetensors") for folder in (whole, broken))
    assert all(torch.equal(a[key], b[key]) for key in a)
    fit(settings(broken, steps=6, accumulate=1))
    told = capsys.readouterr().err
    assert "steps 4 -> 6" in told and "at step 4" in told and "8 samples" in told
    # A run that is already done is measured, not trained.
    before = (broken / "checkpoint.pt").read_bytes()
    fit(settings(broken, steps=6))
    assert (broken / "checkpoint.pt").read_bytes() == before


def test_checkpoints_of_the_former_format_are_resumed_and_foreign_ones_refused(tmp_path: Path) -> None:
    fit(settings(tmp_path))
    path = tmp_path / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    assert state.pop("plan")["steps"] == 4
    torch.save(state, path)  # what earlier versions wrote
    fit(settings(tmp_path, steps=5))
    assert torch.load(path, weights_only=True)["step"] == 5
    state["model"]["layers.0.weight"] = torch.zeros(2, 2)
    torch.save(state, path)
    with pytest.raises(BadInput, match=r"cannot be resumed .*layers\.0\.weight"):
        fit(settings(tmp_path))
    path.write_bytes(b"half")
    with pytest.raises(BadInput, match=r"checkpoint\.pt"):
        fit(settings(tmp_path))


def test_accumulated_batches_are_one_large_batch(tmp_path: Path) -> None:
    """Without statistics of batches, two batches of 4 make the step that one of 8 makes."""

    def run(out: Path, **keys: Any) -> Tensor:
        config = settings(out, steps=1, clip_grad=1e9, **keys)
        device = set_up(config)
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        rows = torch.arange(24.0).view(8, 3) / 24
        parts = iter(rows.split(config.batch_size))

        def loss(_: Any) -> tuple[Tensor, dict[str, Tensor]]:
            return model(next(parts)).square().mean(), {}

        train(config, model, loss, lambda _: {}, name="net", description={}, draw=lambda rng: 0)
        return model.weight.detach().to(device)

    assert torch.allclose(run(tmp_path / "a", batch_size=8), run(tmp_path / "b", accumulate=2), atol=1e-7)


def test_a_loss_that_is_no_number_stops_before_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(JobFailed, match="nan at step 1"):
        fit(settings(tmp_path, log_every=100, save_every=1), poison=math.nan)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_bf16_and_compiling_train_the_same_network(tmp_path: Path) -> None:
    plain = fit(settings(tmp_path / "a"))
    # aot_eager goes through dynamo and autograd tracing as inductor does, without a C++ compiler.
    fast = fit(settings(tmp_path / "b", precision="bf16", compile=True, compile_backend="aot_eager"))
    assert plain.state_dict().keys() == fast.state_dict().keys()
    for key, value in plain.state_dict().items():
        assert torch.allclose(value.float(), fast.state_dict()[key].float(), atol=0.02), key
    assert fast.layers[0].weight.dtype == torch.float32


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def test_two_processes_train_one_model_copied_or_spread(tmp_path: Path) -> None:
    """DDP and FSDP over gloo on the CPU: equal weights on both ranks, whole checkpoints, other batches."""
    environment = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1",
                   "MASTER_PORT": str(free_port()), "CUDA_VISIBLE_DEVICES": "", "TORCH_CPP_LOG_LEVEL": "ERROR"}  # fmt: skip
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(tmp_path)],
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    told = [worker.communicate(timeout=240) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], told
    for kind in ("ddp", "fsdp"):
        ranks = [torch.load(tmp_path / f"{kind}_{rank}.pt", weights_only=True) for rank in (0, 1)]
        assert [r["kind"] for r in ranks] == [kind, kind]
        for key, value in ranks[0]["model"].items():
            assert torch.equal(value, ranks[1]["model"][key]), key
        assert not torch.equal(ranks[0]["seen"], ranks[1]["seen"])
        # One process goes on from there, with the same optimiser and averages.
        alone = fit(settings(tmp_path / kind, steps=5, batch_size=2))
        assert not torch.equal(alone.layers[0].weight, ranks[0]["model"]["layers.0.weight"])
        state = torch.load(tmp_path / kind / "checkpoint.pt", weights_only=True)
        assert state["step"] == 5 and not any(hasattr(v, "full_tensor") for v in state["ema"].values())
    # Copied or spread, the steps are the same but for the order of sums.
    a, b = (torch.load(tmp_path / f"{kind}_0.pt", weights_only=True) for kind in ("ddp", "fsdp"))
    for key in a["model"]:
        if key != "idle":  # FSDP gives weights that no loss uses a gradient of zero, and so the weight decay
            assert torch.allclose(a["model"][key].float(), b["model"][key].float(), atol=1e-5), key
    assert a["spread"] == 0 and b["spread"] > 0
    output = told[0][0]
    assert "net 4/4 loss" in output and "nan" not in output
    assert told[1][0] == "", "only the main process logs"


def test_the_key_processes_starts_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        started.append(command)
        return subprocess.CompletedProcess(command, 1 if len(started) > 1 else 0)

    monkeypatch.setattr(parallel.subprocess, "run", run)
    file = tmp_path / "c.yaml"
    file.write_text(f"store: {tmp_path}\nout: {tmp_path}\npart: upper\nprocesses: 3\n")
    from understudy.training.cli import main

    words = ["stage", "tokenizer", "--config", str(file), "--set", "steps=3"]
    assert main(words) == 0
    assert started[0][-6:] == words and "--nproc-per-node=3" in started[0]
    assert started[0][started[0].index("-m", 3) + 1] == "understudy.training.cli"
    assert main(words) == 1


# ------------------------------------------------------------------------------------ recipes


def recipes() -> list[Path]:
    """The YAML files of the stages (a pack's recipe is none)."""
    return sorted(
        path for path in CONFIGS.glob("*/*.yaml") if path.stem != "pack" and path.parent.name != "multimodal"
    )


def stage_of(path: Path) -> str:
    if path.stem in stage_command.STAGES:
        return path.stem
    name = path.stem.split("_")[0]
    return "tokenizer" if name == "decoder" else name


def network(name: str, config: Any) -> nn.Module | None:
    """The stage's network; ``None`` for stages whose sizes need more than their configuration."""
    if name == "tokenizer":
        return PartTokenizer(TokenizerConfig(features=SIZES[config.part], **config.model))
    if name == "speech_tokenizer":
        module = import_module("understudy.training.speech.model")
        sizes = TokenizerConfig(features=80, norm="frame", **config.model)
        return module.SpeechTokenizer(module.SpeechTokenizerConfig(tokenizer=sizes, speaker=config.speaker))
    if name in ("language", "instruction", "chat"):
        parts = dict.fromkeys(config.tokenizers, 512)
        return MotionLanguageModel(LanguageConfig(parts=parts, text_width=WIDTH, **config.model))
    if name == "diffusion":
        module = import_module("understudy.backend.models.diffusion")
        parts = dict.fromkeys(config.tokenizers, 512)
        return module.Denoiser(module.DiffusionConfig(parts=parts, text_width=WIDTH, **config.model))
    if name == "alignment":
        module = import_module("understudy.backend.models.alignment")
        return module.Alignment(module.AlignmentConfig(parts={"upper": SIZES["upper"]}, **config.model))
    if name == "prior":
        module = import_module("understudy.backend.models.prior")
        return module.PosePrior(module.PriorConfig(**config.model))
    return None


@pytest.mark.parametrize("path", recipes(), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_recipe_is_valid_and_its_network_can_be_built(path: Path) -> None:
    name = stage_of(path)
    module = import_module(f"understudy.training.stages.{name}")
    config = load_config(getattr(module, stage_command.STAGES[name]), path, [])
    assert config.out == Path("runs") / path.parent.name / path.stem
    with torch.device("meta"):
        built = network(name, config)
    if built is not None:
        assert sum(p.numel() for p in built.parameters()) > 1000
    written = yaml.safe_load(path.read_text("utf-8"))
    # What a recipe begins with, another recipe makes.
    for folder in [*(written.get("tokenizers") or {}).values(), *filter(None, [written.get("init_from")])]:
        assert (CONFIGS / Path(folder).relative_to("runs").with_suffix(".yaml")).exists()


def test_large_recipes_have_the_published_sizes() -> None:
    for part in ("lower_trans", "upper", "hands"):
        model = yaml.safe_load((CONFIGS / "large" / f"tokenizer_{part}.yaml").read_text())["model"]
        assert [model[k] for k in ("width", "latent", "codes", "quantizers", "down", "depth")] == [
            512,
            512,
            512,
            6,
            2,
            3,
        ]
    diffusion = yaml.safe_load((CONFIGS / "large" / "diffusion.yaml").read_text())
    model = diffusion["model"]
    assert [model[k] for k in ("width", "layers", "heads", "feed_forward", "window")] == [512, 8, 4, 1024, 32]
    assert diffusion["betas"] == [0.5, 0.999] and diffusion["learning_rate"] == 5e-5
    model = yaml.safe_load((CONFIGS / "large" / "language.yaml").read_text())["model"]
    assert [model[k] for k in ("width", "layers", "heads", "feed_forward")] == [768, 12, 12, 2048]


# ----------------------------------------------------------------------------------- captions


def spoken(split: str = "train", emotion: str | None = "happy") -> Segment:
    features = {part: np.zeros((60, SIZES[part]), np.float32) for part in ("lower_trans", "upper")}
    motion = Motion("m", "cmu", split, features, {"lower_trans": False, "upper": True}, False)
    metadata = EnhancedMetadata(emotion=Emotion(emotion_label=emotion)) if emotion else EnhancedMetadata()
    return Segment("s", motion, 0, 60, ("a person walks forward",), metadata)


class _Encoder:
    def encode_many(self, texts: list[str]) -> list[np.ndarray]:
        return [np.full((len(text.split()), WIDTH), hash(text) % 7 + 1.0, np.float32) for text in texts]


def test_captions_come_in_other_words_and_with_their_emotion(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("understudy.training.stages.latents.TextEncoder", _Encoder)
    rng = np.random.default_rng(0)
    plain = wording.Captions([spoken()], wording.Wording(), tmp_path)
    assert {plain.choose(spoken(), rng) for _ in range(20)} == {"a person walks forward"}
    keys = wording.Wording(paraphrase=0.5, emotion=0.5, variants=3)
    segments = [spoken(), spoken(emotion=None), spoken("val")]
    captions = wording.Captions(segments, keys, tmp_path)
    drawn = [captions.choose(spoken(), rng) for _ in range(300)]
    assert 0.35 < np.mean([text.startswith("<HAPPY> ") for text in drawn]) < 0.65
    bare = [text.removeprefix("<HAPPY> ") for text in drawn]
    assert 0.35 < np.mean([text != "a person walks forward" for text in bare]) < 0.65
    assert set(bare) - {"a person walks forward"} <= set(paraphrases("a person walks forward"))
    assert len(set(bare)) == 4
    assert not any("<" in captions.choose(segments[1], rng) for _ in range(20))
    other = captions.choose(segments[2], rng, "evaluation")
    assert other in paraphrases("a person walks forward", evaluation=True)
    tokens, mask = captions.batch([*drawn, other, None])  # everything drawn has been embedded
    assert tokens.shape[0] == 302 and mask[:-1].any(1).all() and not mask[-1].any()


def test_plans_of_unknown_parts_and_short_segments_do_no_harm(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("understudy.training.stages.latents.TextEncoder", _Encoder)
    tokenizer = PartTokenizer(
        TokenizerConfig(features=SIZES["upper"], width=8, latent=4, codes=8, quantizers=2)
    )
    model = MotionLanguageModel(
        LanguageConfig(
            parts={"upper": 8, "hands": 5}, width=16, layers=1, heads=2, feed_forward=16, max_length=20
        )
    )
    short = Segment("short", spoken().motion, 0, 9, ("a person walks forward",))
    latents = Latents(Corpus([spoken().motion], [spoken(), short]), {"upper": tokenizer.eval()})
    batch = PlanBatch(
        model.config, TaskMix(), latents, wording.Captions([short], wording.Wording(), tmp_path)
    )
    rng = np.random.default_rng(0)
    assert batch([short], rng) is None
    segment = Segment("s", short.motion, 0, 60, short.captions)
    plans = batch([segment], rng, use="plain")
    assert isinstance(plans, Plans) and plans.targets.shape[2] == 2
    value, parts = plan_loss(model, plans, 0.05)
    assert torch.isfinite(value) and 0 <= parts["accuracy"] <= 1
    value.backward()
    assert model.heads["hands"].weight.grad.abs().max() == 0  # nothing is asked of a part that is not there
