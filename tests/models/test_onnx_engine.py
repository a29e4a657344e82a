"""The onnx engine against the torch engine: the same calls, the same clips, and no torch on its way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from understudy.backend.engines.choose import choose
from understudy.backend.engines.codes import first_codes
from understudy.backend.engines.onnx_engine import OnnxEngine
from understudy.backend.engines.onnx_text import GRAPH, OnnxTextEncoder
from understudy.backend.engines.onnx_weights import evaluate, read_index, shape_of
from understudy.backend.engines.torch_engine import TorchEngine
from understudy.backend.errors import BadInput, JobFailed
from understudy.backend.models.eight_bits import SCALE, compacted, restored
from understudy.backend.models.language_config import TASKS
from understudy.backend.models.tokenizer import PartTokenizer, TokenizerConfig
from understudy.backend.packs.finding import SHIPPED
from understudy.backend.performance.conditions import Conditions
from understudy.backend.performance.describing import clip_codes, describe_clip, tell
from understudy.backend.performance.planning import aligned, no_text
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.process import machine
from understudy.backend.protocol.child import PACKAGE_DIR, child_environment, module_command
from understudy.backend.protocol.messages import GenerateParams
from understudy.backend.text import TextEmbedding, TextEncoder
from understudy.training.packing.export_onnx import export_pack, export_text, pack_graphs

Engines = tuple[OnnxEngine, TorchEngine]
TORCH_ALONE = (
    *(
        f"understudy.backend.models.{name}"
        for name in ("alignment", "compact", "diffusion", "language", "prior", "refiner", "tokenizer")
    ),
    "understudy.backend.engines.torch_",
    "understudy.backend.cli.blender",
)
"""Modules that only the torch engine imports."""


@pytest.fixture(scope="module")
def tiny(able_pack: Path) -> tuple[Pipeline, Pipeline]:
    """The untrained pack that takes every condition, in both engines."""
    return tuple(load_pipeline(str(able_pack), "cpu", engine) for engine in ("onnx", "torch"))  # type: ignore[return-value]


@pytest.fixture(scope="module")
def engines(tiny: tuple[Pipeline, Pipeline]) -> Engines:
    onnx, torch_ = (pipeline.engine for pipeline in tiny)
    assert isinstance(onnx, OnnxEngine) and isinstance(torch_, TorchEngine)
    return onnx, torch_


def prompts(rng: np.random.Generator, rows: int, words: int) -> TextEmbedding:
    mask = np.arange(words) < rng.integers(1, words + 1, rows)[:, None]
    return TextEmbedding(rng.standard_normal((rows, words, 384)).astype(np.float32), mask)


# -- single calls ------------------------------------------------------------------------------------


def test_a_prompt_is_read_alike(engines: Engines) -> None:
    texts = ["a person walks forward", "jump", "someone waves both hands, then sits down on the floor"]
    ours, theirs = (engine.encode_text(texts) for engine in engines)
    assert np.array_equal(ours.mask, theirs.mask)
    assert np.abs(ours.tokens - theirs.tokens).max() < 1e-4


def test_eight_bits_change_a_sentence_by_less_than_a_hundredth() -> None:
    texts = [
        "a person walks forward",
        "a man does a cartwheel",
        "she dances the waltz",
        "kicks",
        "crawl under a table",
    ]
    rounded, original = OnnxTextEncoder("cpu").encode(texts), TextEncoder().encode(texts)
    cosines = (rounded.pooled() * original.pooled()).sum(-1)
    assert cosines.min() > 0.999
    words = [
        np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b)
        for a, b in zip(rounded.tokens[rounded.mask], original.tokens[original.mask], strict=True)
    ]
    assert min(words) > 0.99


@pytest.mark.parametrize("ends", [False, True])
@pytest.mark.parametrize("manner", [False, True])
def test_plans_are_written_alike_step_by_step(engines: Engines, ends: bool, manner: bool) -> None:
    rng = np.random.default_rng(0)
    text = aligned([prompts(rng, 2, 7), no_text(engines[0].language, 1)])
    wishes: dict[str, Any] = {}
    if manner:
        wishes["style"] = rng.standard_normal((3, 10)).astype(np.float32)
    if ends:
        wishes["ends"] = rng.integers(0, 12, (3, 2, 2))
    task = np.array([0, TASKS.index("in_between"), 1])
    states = [engine.plan_start(text, np.array([9, 9, 0]), task, **wishes) for engine in engines]
    for step in range(4):
        tokens = rng.integers(0, 12, (3, 3 if step == 0 else 1, 2))
        rhythm = rng.random((3, tokens.shape[1], 13)).astype(np.float32) if manner else None
        ours, theirs = (e.plan_step(s, tokens, rhythm) for e, s in zip(engines, states, strict=True))
        for part in theirs:
            assert np.abs(ours[part] - theirs[part]).max() < 1e-4


def test_captions_are_told_alike_in_beams_that_change_places(engines: Engines) -> None:
    rng = np.random.default_rng(1)
    states = []
    for engine in engines:
        state = engine.plan_start(no_text(engines[0].language, 1), np.array([0]), np.array([3]))
        engine.plan_step(state, np.full((1, 5, 2), 3))
        states.append(state)
    rows = None
    for beams in (1, 3, 3, 2):
        pieces = rng.integers(0, 100, (beams, 1))
        if beams > 1:
            rows = rng.integers(0, 1 if rows is None else 2, beams)
        ours, theirs = (e.tell_step(s, pieces, rows) for e, s in zip(engines, states, strict=True))
        assert np.abs(ours - theirs).max() < 1e-4


def test_latents_are_denoised_alike_whatever_is_given(engines: Engines) -> None:
    rng = np.random.default_rng(2)
    batch, length, width = 3, 11, 24

    def pair(columns: int, *, frames: bool = True) -> tuple[np.ndarray, np.ndarray]:
        shape = (batch, length) if frames else (batch, columns)
        values = rng.random((batch, length, columns) if frames else shape).astype(np.float32)
        return values, rng.random(shape) < 0.5

    text = prompts(rng, batch, 6)
    halves = {half: prompts(rng, batch, 4) for half in ("lower", "upper")}
    wishes = [
        Conditions(text, np.array([True, False, True])),
        Conditions(text, np.zeros(batch, bool), halves),
        Conditions(text, np.ones(batch, bool), {}, pair(5, frames=False), pair(12)),
        Conditions(text, np.ones(batch, bool), halves, pair(5, frames=False)),
    ]
    latents = {
        name: rng.standard_normal((batch, length, width)).astype(np.float32)
        for name in ("x", "plan", "known")
    }
    for conditions in wishes:
        for timestep in (0, 57, 99):
            ours, theirs = (
                engine.denoise(
                    latents["x"],
                    timestep,
                    conditions=conditions,
                    plan=latents["plan"],
                    with_plan=rng.random((batch, length)) < 2,
                    known=latents["known"],
                    known_mask=np.arange(length)[None].repeat(batch, 0) < 3,
                )
                for engine in engines
            )
            assert np.abs(ours - theirs).max() < 1e-4


def test_features_and_latents_go_both_ways_alike(engines: Engines) -> None:
    rng = np.random.default_rng(3)
    latents = rng.standard_normal((2, 9, 24)).astype(np.float32)
    ours, theirs = (engine.decode(latents) for engine in engines)
    for part in theirs:
        assert ours[part].shape == theirs[part].shape and np.abs(ours[part] - theirs[part]).max() < 1e-4
    features = {part: values[0] for part, values in theirs.items()}
    codes = [engine.plan_codes(features) for engine in engines]
    for part in codes[1]:
        assert np.array_equal(codes[0][part], codes[1][part])
    assert np.abs(engines[0].plan_vectors(codes[1]) - engines[1].plan_vectors(codes[1])).max() < 1e-5


@pytest.mark.parametrize("norm", ["time", "frame"])
@pytest.mark.parametrize("activation", ["silu", "relu", "gelu"])
def test_tokenizers_of_every_kind_have_graphs(tmp_path: Path, norm: str, activation: str) -> None:
    from safetensors.numpy import save_file

    from understudy.backend.engines.onnx_session import Session
    from understudy.backend.engines.onnx_weights import read_weights
    from understudy.training.graphs.tokenizer import decoder_graph, encoder_graph
    from understudy.training.packing.export_onnx import shapes_of

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"norm": norm, "activation": activation, "rates": 3, "depth": 3, "down": 1}
    config = TokenizerConfig(features=20, width=16, latent=8, codes=6, quantizers=2, **sizes)
    tokenizer = PartTokenizer(config).eval()
    tokenizer.std.uniform_(0.5, 2.0)
    weights = tmp_path / "tokenizer.safetensors"
    save_file({name: value.numpy() for name, value in tokenizer.state_dict().items()}, weights)
    features = torch.randn(2, 14, 20)
    with torch.inference_mode():
        latents = tokenizer.encode(features)
        expected = {"encode": latents, "decode": tokenizer.decode(latents)}
    given = {"encode": ("features", features), "decode": ("latents", latents)}
    for name, build in (("encode", encoder_graph), ("decode", decoder_graph)):
        graph = build("part", config, shapes_of(weights))
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(graph.model())
        session = Session(path, graph.weights, read_weights(weights), "cpu")
        value = session({given[name][0]: given[name][1].numpy()})[0]
        assert np.abs(value - expected[name].numpy()).max() < 1e-4


@given(
    rates=st.integers(0, 3), levels=st.integers(1, 4), length=st.integers(1, 12), seed=st.integers(0, 2**31)
)
@settings(max_examples=30, deadline=None)
def test_codes_are_found_as_the_tokenizer_finds_them(rates: int, levels: int, length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    config = TokenizerConfig(features=8, width=8, latent=6, codes=9, quantizers=levels, rates=rates)
    tokenizer = PartTokenizer(config)
    tokenizer.codebooks.copy_(torch.from_numpy(rng.standard_normal((levels, 9, 6))))
    latents = rng.standard_normal((length, 6)).astype(np.float32)
    expected = tokenizer.quantize(torch.from_numpy(latents)[None]).codes[0, :, 0].numpy()
    assert np.array_equal(first_codes(latents, tokenizer.codebooks.numpy(), config), expected)


# -- weights and graphs ------------------------------------------------------------------------------


@given(rows=st.integers(1, 5), columns=st.integers(1, 5), seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_expressions_make_what_their_shape_says(rows: int, columns: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    state = {
        "a": rng.standard_normal((rows, columns)).astype(np.float16),
        "b": rng.standard_normal((2 * rows, columns)).astype(np.float32),
        "conv": rng.standard_normal((rows, columns, 3)).astype(np.float32),
    }
    for expression in ("a", "a|T", "a|T+b|T", "conv|C"):
        made = evaluate(expression, state)
        assert made.dtype == np.float32 and made.flags.c_contiguous
        assert made.shape == shape_of(expression, lambda name: state[name].shape)
    assert np.array_equal(evaluate("a|T+b|T", state)[:, rows:], state["b"].T)
    frames = rng.standard_normal((3, columns)).astype(np.float32)
    by_hand = np.einsum("oik,ki->o", state["conv"], frames)
    assert np.allclose(frames.reshape(-1) @ evaluate("conv|C", state), by_hand, atol=1e-4)


@given(rows=st.integers(1, 6), columns=st.integers(1, 6), seed=st.integers(0, 2**31))
@settings(max_examples=30, deadline=None)
def test_eight_bits_are_within_half_a_step(rows: int, columns: int, seed: int) -> None:
    value = np.random.default_rng(seed).standard_normal((rows, columns)).astype(np.float32)
    state = compacted({"weight": value, "bias": value[0]})
    assert (state["weight"].dtype == np.int8 and state["bias"] is value[0]) or np.array_equal(
        state["bias"], value[0]
    )
    step = state["weight" + SCALE][:, None]
    assert (np.abs(restored(state, "weight") - value) <= 0.5001 * step).all()


@pytest.mark.parametrize("name", ["open", "styles"])
def test_the_graphs_of_shipped_packs_are_what_their_models_are_now(name: str, tmp_path: Path) -> None:
    folder = SHIPPED / name
    for graph, (_, built) in pack_graphs(folder).items():
        shipped = onnx.load_model_from_string((folder / "onnx" / f"{graph}.onnx").read_bytes())
        now = onnx.load_model_from_string(built.model())
        hint = f"write them anew: understudy-train export-onnx packs/{name}"
        for one, other in zip(shipped.graph.initializer, now.graph.initializer, strict=True):
            if not one.external_data:  # tables, which another processor rounds otherwise
                tables = numpy_helper.to_array(one), numpy_helper.to_array(other)
                assert np.allclose(*tables, atol=1e-4), hint
                other.CopyFrom(one)
        assert shipped == now, hint
    assert set(read_index(folder / "onnx")) == set(pack_graphs(folder))


def test_prompts_that_are_read_together_are_read_alike() -> None:
    texts = [f"a person {'walks slowly and ' * (i % 4)}waves {i}" for i in range(20)]
    together, alone = OnnxTextEncoder("cpu"), OnnxTextEncoder("cpu")
    several = together.encode(texts)
    for row, text in enumerate(texts):
        single = alone.encode([text])
        assert several.mask[row].sum() == single.mask.sum()
        assert np.abs(several.tokens[row][several.mask[row]] - single.tokens[0]).max() < 1e-4
    again = together.encode(texts[::-1])
    assert np.array_equal(again.tokens[::-1], several.tokens), "what was read is remembered"


def test_the_graph_of_the_sentence_encoder_is_what_it_is_now(tmp_path: Path) -> None:
    for path in export_text(tmp_path):
        assert path.read_bytes() == (GRAPH / path.name).read_bytes()


def test_graphs_hold_no_weights(able_pack: Path) -> None:
    weights = sum(path.stat().st_size for path in SHIPPED.glob("open/*.safetensors"))
    assert sum(path.stat().st_size for path in SHIPPED.glob("open/onnx/*")) < weights / 20
    files = json.loads((able_pack / "onnx" / "graphs.json").read_text())["graphs"]
    assert all((able_pack / entry["weights"]).is_file() for entry in files.values())


def test_exporting_again_changes_nothing_and_the_pack_stays_whole(able_pack: Path, tmp_path: Path) -> None:
    before = (able_pack / "pack.toml").read_bytes()
    export_pack(able_pack)
    assert (able_pack / "pack.toml").read_bytes() == before
    elsewhere = export_pack(able_pack, tmp_path / "graphs")
    assert {path.parent for path in elsewhere} == {tmp_path / "graphs"}
    assert (able_pack / "pack.toml").read_bytes() == before


# -- which engine ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "graphs", "device", "chosen"),
    [
        ({"onnx", "torch"}, True, "auto", "onnx"),
        ({"onnx", "torch"}, False, "auto", "torch"),
        ({"onnx", "torch"}, True, "mps", "torch"),
        ({"onnx", "torch"}, True, "cuda", "torch"),
        ({"onnx"}, True, "cuda", "onnx"),
        ({"torch"}, True, "auto", "torch"),
    ],
)
def test_auto_takes_onnx_where_it_can(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, there: set[str], graphs: bool, device: str, chosen: str
) -> None:
    monkeypatch.setattr(machine, "engines", lambda: dict.fromkeys(there, "1"))
    monkeypatch.setattr(machine, "onnx_devices", lambda: ["cpu"])
    if graphs:
        (tmp_path / "onnx").mkdir()
        (tmp_path / "onnx" / "graphs.json").write_text("{}")
    assert choose(tmp_path, "auto", device) == chosen


def test_what_is_missing_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "engines", lambda: {"onnx": "1"})
    with pytest.raises(JobFailed, match="no graphs") as missing:
        choose(tmp_path, "auto", "auto")
    assert "export-onnx" in missing.value.hint
    with pytest.raises(JobFailed, match="torch engine is not installed"):
        choose(tmp_path, "torch", "auto")
    with pytest.raises(BadInput, match="does not know the device 'mps'"):
        choose(tmp_path, "onnx", "mps")


def test_a_broken_graph_is_one_sentence(able_pack: Path, tmp_path: Path) -> None:
    from understudy.backend.engines.onnx_session import Session

    broken = tmp_path / "language.onnx"
    broken.write_bytes(b"not a graph")
    with pytest.raises(JobFailed, match="cannot be loaded"):
        Session(broken, (), {}, "cpu")
    (tmp_path / "graphs.json").write_text('{"format": 99, "graphs": {}}')
    with pytest.raises(JobFailed, match="another version"):
        read_index(tmp_path)


def test_a_device_that_fails_is_said_aloud_and_the_cpu_takes_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from understudy.backend.engines import onnx_session
    from understudy.backend.engines.onnx_text import OnnxTextEncoder

    real = onnx_session.Session._open

    def fails_elsewhere(self: onnx_session.Session, path: Path, weights: Any, device: str) -> Any:
        if device != "cpu":
            raise RuntimeError("no driver")
        return real(self, path, weights, device)

    monkeypatch.setattr(onnx_session.Session, "_open", fails_elsewhere)
    with caplog.at_level("WARNING", logger="understudy"):
        encoder = OnnxTextEncoder("cuda")
    assert "the CPU takes over" in caplog.text
    assert encoder.encode(["walk"]).tokens.shape[2] == 384


# -- whole clips -------------------------------------------------------------------------------------


def apart(pipelines: tuple[Pipeline, Pipeline], **wishes: Any) -> float:
    """The largest difference between the clips of both engines, radians or metres."""
    ours, theirs = (pipeline.generate(GenerateParams(**wishes)) for pipeline in pipelines)
    assert [clip.meta["engine"] for clip in (ours[0], theirs[0])] == ["onnx", "torch"]
    assert [len(clip) for clip in ours] == [len(clip) for clip in theirs]
    return max(
        float(max(np.abs(a.poses - b.poses).max(), np.abs(a.trans - b.trans).max()))
        for a, b in zip(ours, theirs, strict=True)
    )


@pytest.fixture(scope="module")
def shipped() -> tuple[Pipeline, Pipeline]:
    return tuple(load_pipeline("open", "cpu", engine) for engine in ("onnx", "torch"))  # type: ignore[return-value]


CASES: dict[str, dict[str, Any]] = {
    "text": {"prompt": "a person walks forward and waves", "seconds": 3.0, "samples": 2},
    "no length": {"prompt": "a person jumps", "seed": 5},
    "halves": {"prompt": "a person walks", "upper": "waves both hands", "lower": "kicks", "seconds": 2.0},
    "style": {"prompt": "a person dances", "style": {"energy": 0.9, "tempo": 0.2}, "seconds": 2.0},
    "several windows": {"prompt": "a person runs in a circle", "seconds": 9.0},
}


@pytest.mark.parametrize("case", CASES)
def test_the_same_seed_is_the_same_clip(shipped: tuple[Pipeline, Pipeline], case: str) -> None:
    assert apart(shipped, **CASES[case]) < 1e-3


def test_the_same_voice_is_the_same_clip(shipped: tuple[Pipeline, Pipeline], tmp_path: Path) -> None:
    import soundfile

    time = np.arange(3 * 16000) / 16000
    loudness = np.clip(np.sin(2 * np.pi * 2.5 * time), 0, None)
    voice = tmp_path / "voice.wav"
    soundfile.write(voice, 0.4 * loudness * np.sin(2 * np.pi * 160 * time), 16000)
    assert apart(shipped, speech=str(voice)) < 1e-3


def test_the_same_clip_is_described_alike(tiny: tuple[Pipeline, Pipeline]) -> None:
    clip = tiny[1].generate(GenerateParams(prompt="a person walks", seconds=3.0))[0]
    ours, theirs = (describe_clip(pipeline, clip) for pipeline in tiny)
    assert [one.text for one in ours] == [one.text for one in theirs]
    config = tiny[0].config.language
    codes = clip_codes(tiny[1].engine, config, clip)
    assert tell(tiny[0].engine, config, codes) == tell(tiny[1].engine, config, codes)


def test_nothing_on_the_way_of_a_clip_imports_torch() -> None:
    """In a process of its own, with torch made impossible to import, as in Blender's Python."""
    script = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'scipy', 'onnx', 'rich'):\n"
        "    sys.modules[name] = None\n"
        "import importlib, pkgutil, understudy.backend as backend\n"
        f"left = {TORCH_ALONE!r}\n"
        "for found in pkgutil.walk_packages(backend.__path__, 'understudy.backend.'):\n"
        "    if not found.name.startswith(left) and not found.name.endswith('__main__'):\n"
        "        importlib.import_module(found.name)\n"
        "from understudy.backend.performance import describing\n"
        "from understudy.backend.pipeline import load_pipeline\n"
        "from understudy.backend.protocol.messages import GenerateParams\n"
        "pipeline = load_pipeline('open', 'cpu')\n"
        "clip = pipeline.generate(GenerateParams(prompt='a person walks', seconds=1.0))[0]\n"
        "print(pipeline.engine.name, len(clip), len(describing.describe_clip(pipeline, clip)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=child_environment(), timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[:2] == ["onnx", "30"]


def test_a_child_of_this_interpreter_is_told_where_its_libraries_are() -> None:
    import onnxruntime

    command = module_command(sys.executable, "understudy.backend")
    assert command[5:7] == [str(PACKAGE_DIR), str(Path(onnxruntime.__file__).parent.parent)]
    assert module_command("/another/python", "understudy.backend")[6] == ""
