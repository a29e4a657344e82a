"""The stages train, resume exactly and feed each other; the corpus they read is what the store holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.features import clip_from_features, features_from_clip
from understudy.backend.motion.fitting.layouts import layout_of
from understudy.backend.motion.npz import write_clip
from understudy.training.cli import main
from understudy.training.corpus.augment import extend, find_cycle
from understudy.training.corpus.dataset import load_corpus
from understudy.training.data.captions import mirror_caption
from understudy.training.data.item import Item
from understudy.training.data.prepare import write_index
from understudy.training.evaluation.metrics import Neighbours, descriptor
from understudy.training.stages import diffusion, language, tokenizer
from understudy.training.stages.common import load_config
from understudy.training.stages.latents import load_tokenizers
from understudy.training.stages.tokenizer_data import columns, of_store
from understudy.training.words.actions import action_of


def gait(frames: int, *, speed: float = 1.2, period: float = 1.0, phase: float = 0.0) -> Clip:
    """A periodic swing of legs and arms that travels along +Z."""
    time = np.arange(frames) / 30.0
    angle = 2 * np.pi * time / period + phase
    poses = np.zeros((frames, 55, 3))
    poses[:, 1, 0], poses[:, 2, 0] = 0.4 * np.sin(angle), -0.4 * np.sin(angle)
    poses[:, 4, 0], poses[:, 5, 0] = 0.3 + 0.3 * np.cos(angle), 0.3 - 0.3 * np.cos(angle)
    poses[:, 16, 2], poses[:, 17, 2] = -1.2, 1.2
    poses[:, 16, 0], poses[:, 17, 0] = -0.3 * np.sin(angle), 0.3 * np.sin(angle)
    trans = np.stack([0 * time, 1.31 + 0.02 * np.cos(2 * angle), speed * time], axis=1)
    return Clip(poses, trans, 30.0, known={"lower_trans": True, "upper": True, "hands": False, "face": False})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    items = []
    for i in range(5):
        clip = gait(90 + 10 * i, speed=0.5 + 0.3 * i, phase=i)
        if i == 4:
            clip = clip.replace(known={"lower_trans": True, "upper": True, "hands": True, "face": False})
        path = f"clips/cmu/t{i}.npz"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_clip(clip, folder / path)
        items.append(
            Item(
                dataset="cmu", motion_name=f"t{i}", split="val" if i == 3 else "train", path=path,
                text=[f"a person walks and waves the left hand {i}"], end_frame=len(clip), known=["lower_trans", "upper"],
            )
        )  # fmt: skip
    write_index(folder, items)
    return folder


def config_file(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def tokenizer_yaml(store: Path, out: Path, part: str = "upper", steps: int = 4) -> str:
    return (
        f"store: {store}\nout: {out}\npart: {part}\nsteps: {steps}\nbatch_size: 4\nwarmup: 1\nsave_every: 2\n"
        "evaluate_every: 4\nlog_every: 2\nmodel: {width: 16, latent: 8, codes: 8, quantizers: 2, depth: 1}\n"
    )


def test_the_corpus_is_the_store_mirrored_and_extended(store: Path) -> None:
    corpus = load_corpus(store)
    assert len([m for m in corpus.motions if not m.mirrored and not m.name.endswith("--long")]) == 5
    plain, mirrored = (next(s for s in corpus.segments if s.name == name) for name in ("t0", "t0--mirror"))
    assert "left" in plain.captions[0] and "right" in mirrored.captions[0]
    back = clip_from_features({p: plain.motion.features[p] for p in ("lower_trans", "upper")})
    assert np.allclose(back.joints()[:, :22], gait(90, speed=0.5).joints()[:, :22], atol=0.02)
    assert any(s.name == "t0--long" and len(s) > 250 for s in corpus.segments)
    assert {s.motion.split for s in corpus.split("val").segments} == {"val"}
    assert load_corpus(store).motions[0].features["upper"].shape == corpus.motions[0].features["upper"].shape


def test_an_extended_gait_travels_on_without_a_jump() -> None:
    clip = gait(75, speed=1.0)
    features, _ = features_from_clip(clip)
    cycle = find_cycle(features)
    assert cycle is not None and (cycle[1] - cycle[0]) % 30 in (0, 1, 29)
    longer = extend(features, 300)
    assert longer is not None
    result = clip_from_features(longer)
    assert abs(len(result) - 300) <= 30
    assert result.trans[-1, 2] == pytest.approx(len(result) / 30.0, rel=0.05)
    speed = np.linalg.norm(np.diff(result.joints(), axis=0), axis=-1) * 30
    assert speed.max() < 1.3 * np.linalg.norm(np.diff(clip.joints(), axis=0), axis=-1).max() * 30


def test_a_still_body_and_a_single_jump_have_no_cycle() -> None:
    still, _ = features_from_clip(Clip(np.zeros((90, 55, 3)), np.tile([0.0, 1.31, 0.0], (90, 1)), 30.0))
    assert extend(still, 300) is None
    ramp = np.zeros((90, 55, 3))
    ramp[:, 16, 2] = np.linspace(0, 2.5, 90)
    once, _ = features_from_clip(Clip(ramp, np.tile([0.0, 1.31, 0.0], (90, 1)), 30.0))
    assert extend(once, 300) is None


def test_a_resumed_tokenizer_equals_an_unbroken_one(store: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    whole = load_config(
        tokenizer.TokenizerStage, config_file(tmp_path, tokenizer_yaml(store, tmp_path / "a")), []
    )
    numbers = tokenizer.run(whole)
    assert numbers["joints_mm"] > 0
    # Stop after two of four steps, as a kill between checkpoints would, then go on.
    path = config_file(tmp_path, tokenizer_yaml(store, tmp_path / "b"))
    with pytest.raises(KeyboardInterrupt):
        _interrupted(load_config(tokenizer.TokenizerStage, path, []), after=2)
    tokenizer.run(load_config(tokenizer.TokenizerStage, path, []))
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in "ab")
    assert all(torch.equal(a[key], b[key]) for key in a)


def _interrupted(config: tokenizer.TokenizerStage, after: int) -> None:
    from understudy.training.stages import common

    original, count = common.Ema.update, 0

    def update(self: common.Ema, model: torch.nn.Module, step: int) -> None:
        nonlocal count
        if count == after:
            raise KeyboardInterrupt
        count += 1
        original(self, model, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(common.Ema, "update", update)
        tokenizer.run(config)


def test_language_and_diffusion_train_on_trained_tokenizers(store: Path, tmp_path: Path) -> None:
    for part in ("lower_trans", "upper", "hands"):
        file = config_file(tmp_path, tokenizer_yaml(store, tmp_path / part, part, steps=2))
        tokenizer.run(load_config(tokenizer.TokenizerStage, file, []))
    common = f"store: {store}\nsteps: 2\nbatch_size: 3\nwarmup: 1\nevaluate_every: 2\nlog_every: 1\n"
    planned = f"tokenizers: {{lower_trans: {tmp_path}/lower_trans, upper: {tmp_path}/upper"
    file = config_file(
        tmp_path,
        f"{common}out: {tmp_path}/language\n{planned}}}\n"
        "model: {width: 16, layers: 1, heads: 2, feed_forward: 32, max_length: 20}\n",
    )
    numbers = language.run(load_config(language.LanguageStage, file, []))
    assert 0 < numbers["train_loss"] < 5 and "val_loss" in numbers
    file = config_file(
        tmp_path,
        f"{common}out: {tmp_path}/diffusion\n{planned}, hands: {tmp_path}/hands}}\n"
        "model: {width: 16, layers: 1, heads: 2, feed_forward: 32, window: 16}\n",
    )
    numbers = diffusion.run(load_config(diffusion.DiffusionStage, file, []))
    assert np.isfinite(numbers["train"]) and np.isfinite(numbers["val"])


def test_wrong_configurations_are_one_sentence(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = config_file(tmp_path, tokenizer_yaml(store, tmp_path / "x") + "colour: red\n")
    assert main(["stage", "tokenizer", "--config", str(file)]) == 2
    assert "colour" in capsys.readouterr().err
    file = config_file(tmp_path, tokenizer_yaml(store, tmp_path / "x"))
    assert main(["stage", "tokenizer", "--config", str(file), "--set", "part=tail"]) == 2
    assert "tail" in capsys.readouterr().err
    assert main(["stage", "tokenizer", "--config", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err
    assert main(["pack", "--config", str(tmp_path / "none.yaml"), "--out", str(tmp_path / "p")]) == 2
    with pytest.raises(BadInput, match="face"):
        tokenizer.run(load_config(tokenizer.TokenizerStage, file, ["part=face"]))


def test_the_nearest_motion_of_a_motion_is_itself_or_its_kin() -> None:
    def describe(clip: Clip) -> np.ndarray:
        return descriptor(features_from_clip(clip)[0])

    slow, fast = gait(120, speed=0.5, period=1.4), gait(120, speed=2.5, period=0.7)
    neighbours = Neighbours(np.stack([describe(slow), describe(fast)]))
    assert neighbours.order(describe(gait(90, speed=0.6, period=1.3)))[0] == 0
    assert neighbours.order(describe(gait(150, speed=2.3, period=0.75)))[0] == 1


@pytest.mark.parametrize(
    ("caption", "action"),
    [
        ("a person performs a cartwheel", "cartwheel"),
        ("a man jogs forward", "run"),
        ("someone dribbles a basketball while walking", "dribble"),
        ("he boxes the air", "other"),
    ],
)
def test_actions_of_captions(caption: str, action: str) -> None:
    assert action_of(caption) == action


def test_mirrored_captions_swap_each_side_once() -> None:
    text = "Left arm up, turns counterclockwise, then steps right and clockwise"
    assert mirror_caption(text) == "Right arm up, turns clockwise, then steps left and counterclockwise"
    assert mirror_caption(mirror_caption(text)) == text
    assert (
        mirror_caption("a bright, rightful upright man left-handed")
        == "a bright, rightful upright man right-handed"
    )


def test_decoder_only_leaves_latents_and_codes_alone(store: Path, tmp_path: Path) -> None:
    first = config_file(tmp_path, tokenizer_yaml(store, tmp_path / "whole", steps=2))
    tokenizer.run(load_config(tokenizer.TokenizerStage, first, []))
    second = config_file(
        tmp_path,
        tokenizer_yaml(store, tmp_path / "decoder", steps=2)
        + f"start: {tmp_path}/whole\ndecoder_only: true\nrare: 5\n",
    )
    tokenizer.run(load_config(tokenizer.TokenizerStage, second, []))
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "decoder"))
    assert all(torch.equal(a[key], b[key]) for key in a if key.startswith("encoder.") or key == "codebooks")
    assert any(not torch.equal(a[key], b[key]) for key in a if key.startswith("decoder."))


def test_the_tilt_of_a_motion_is_that_of_its_pelvis(tmp_path: Path) -> None:
    turned = np.zeros((100, 55, 3))
    turned[:, 0, 0] = np.pi
    for name, clip in {"up": gait(100), "down": gait(100).replace(poses=turned)}.items():
        (tmp_path / "clips/cmu").mkdir(parents=True, exist_ok=True)
        write_clip(clip, tmp_path / f"clips/cmu/{name}.npz")
    write_index(
        tmp_path,
        [
            Item(dataset="cmu", motion_name=name, split="train", path=f"clips/cmu/{name}.npz", text=["a"], end_frame=100, known=["upper"])
            for name in ("up", "down")
        ],
    )  # fmt: skip
    upright, over = of_store(tmp_path, (), "upper").tilts[::2]  # each motion, then its mirror image
    assert upright.max() < 0.1 and over.min() > 0.99


def test_upside_down_windows_are_drawn_oftener() -> None:
    tilts = [np.zeros(100), np.ones(100)]
    places, chances = tokenizer.window_chances(tilts, 64, rare=9.0)
    assert len(places) == 2 * 37 and chances[-1] == 1.0
    assert 1 - chances[36] == pytest.approx(10 / 11, abs=0.01)


def feature_folder(folder: Path, columns: int = 623) -> Path:
    """Four motions in the layout of published whole-body features."""
    rng = np.random.default_rng(0)
    (folder / "new_joint_vecs").mkdir(parents=True)
    for i in range(4):
        rows = np.cumsum(rng.normal(0, 0.1, (80, columns)), axis=0).astype(np.float32)
        np.save(folder / f"new_joint_vecs/m{i}.npy", rows)
    (folder / "train.txt").write_text("m0\nm1\nm2\n")
    (folder / "val.txt").write_text("m3\n")
    return folder


def test_whole_body_features_are_split_as_published() -> None:
    layout = layout_of("wholebody")
    parts = {part: columns(layout, part) for part in ("upper", "hands", "lower_trans")}
    assert {part: len(found) for part, found in parts.items()} == {
        "upper": 156, "hands": 360, "lower_trans": 107,
    }  # fmt: skip
    assert sorted(np.concatenate(list(parts.values()))) == list(range(623))


@pytest.mark.parametrize("part", ["upper", "hands", "lower_trans"])
def test_a_tokenizer_of_whole_body_features(tmp_path: Path, part: str) -> None:
    features = feature_folder(tmp_path / "features")
    text = tokenizer_yaml(tmp_path / "no-store", tmp_path / "run", part).replace(
        "depth: 1", "depth: 1, activation: relu"
    )
    config = config_file(tmp_path, text + f"features: {features}\nloss_recon: l2\n")
    numbers = tokenizer.run(load_config(tokenizer.TokenizerStage, config, []))
    assert numbers["joints_mm"] > 0 and "root_drift_10s_cm" not in numbers
    with pytest.raises(BadInput, match="no clip can be made of"):
        load_tokenizers({part: tmp_path / "run"})


def test_wrong_whole_body_features_are_told(tmp_path: Path) -> None:
    features = feature_folder(tmp_path / "features", columns=263)
    config = config_file(
        tmp_path, tokenizer_yaml(tmp_path, tmp_path / "run") + f"features: {tmp_path / 'nowhere'}\n"
    )
    with pytest.raises(BadInput, match=r"train\.txt cannot be read"):
        tokenizer.run(load_config(tokenizer.TokenizerStage, config, []))
    with pytest.raises(BadInput, match="623 columns"):
        tokenizer.run(load_config(tokenizer.TokenizerStage, config, [f"features={features}"]))
    with pytest.raises(BadInput, match="no part face"):
        tokenizer.run(load_config(tokenizer.TokenizerStage, config, [f"features={features}", "part=face"]))
