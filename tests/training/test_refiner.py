"""The refiner: styles with a mask, layouts that stay joined, damage, training that resumes, refinement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from understudy.backend.errors import BadInput
from understudy.backend.models.refiner import PoseRefiner, RefinerConfig, rank_table
from understudy.backend.models.style import FIELDS, StyleCondition, arrays, extract_style_conditions
from understudy.backend.motion import npz
from understudy.backend.motion.clip import Clip, mirror
from understudy.training import cli
from understudy.training.canonical import files
from understudy.training.canonical.samples import sample_of_joints
from understudy.training.canonical.skeleton import DIM, INDEX, JOINTS, disconnected
from understudy.training.canonical.skeleton import mirror as mirror_figures
from understudy.training.canonical.validator import DataValidator
from understudy.training.data.item import Item
from understudy.training.data.metadata import EnhancedMetadata, MotionStyle
from understudy.training.data.parquet import TableWriter
from understudy.training.data.store import INDEX as INDEX_FILE
from understudy.training.refinement.degrade import Degradation, dropped, jumped, noisy
from understudy.training.refinement.pose_layout import (
    CANONICAL,
    CANONICAL_V1,
    LAYOUTS,
    SMPLX,
    layout_of,
    plain,
    smplx_poses,
    with_smplx_poses,
)
from understudy.training.refinement.refine import Refiner, Windows, resampled
from understudy.training.stages import refiner as stage

SIZES = {"window": 32, "channels": 16, "width": 32, "layers": 1, "heads": 2, "feed_forward": 32}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def walker(frames: int = 70, *, speed: float = 1.0, swing: float = 0.3, phase: float = 0.0) -> np.ndarray:
    """Joints (T, 16, 2) of a figure that walks along x, metres."""
    rest = {
        "pelvis_center": (0, 0.95), "chest": (0, 1.35), "neck": (0, 1.45), "head_center": (0, 1.65),
        "l_shoulder": (0.18, 1.4), "r_shoulder": (-0.18, 1.4), "l_elbow": (0.2, 1.1), "r_elbow": (-0.2, 1.1),
        "l_wrist": (0.2, 0.85), "r_wrist": (-0.2, 0.85), "l_hip": (0.1, 0.95), "r_hip": (-0.1, 0.95),
        "l_knee": (0.1, 0.5), "r_knee": (-0.1, 0.5), "l_ankle": (0.1, 0.08), "r_ankle": (-0.1, 0.08),
    }  # fmt: skip
    points = np.tile(np.array([rest[name] for name in JOINTS], float), (frames, 1, 1))
    time = np.arange(frames) / 30
    beat = np.sin(2 * np.pi * time + phase)
    for side, sign in (("l_", 1), ("r_", -1)):
        points[:, INDEX[side + "ankle"], 0] += sign * swing * beat
        points[:, INDEX[side + "knee"], 0] += sign * swing * beat / 2
        points[:, INDEX[side + "wrist"], 0] -= sign * swing * beat
    points[..., 0] += speed * time[:, None]
    return points


def sample(name: str, split: str, **how: Any) -> dict[str, Any]:
    made = sample_of_joints(walker(**how), 30.0, name=name, text=["a person walks happily"])
    made["meta"]["split"] = split
    return made


@pytest.fixture(scope="module")
def canonical(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("figures") / "canonical.pt"
    samples = [sample(f"w{i}", "train", speed=0.3 * i, phase=i, swing=0.1 * (1 + i)) for i in range(4)]
    samples.append(sample("held", "val", speed=0.7))
    two = np.stack([walker(60), walker(60, phase=2.0) + (1.0, 0.0)], axis=1)
    scene = sample_of_joints(two, 30.0, name="scene")
    scene["meta"]["split"] = "train"
    files.save([*samples, scene], path)
    return path


def config(canonical: Path, out: Path, **keys: Any) -> stage.RefinerStage:
    values: dict[str, Any] = {
        "canonical": [canonical], "out": out, "steps": 4, "batch_size": 4, "warmup": 1, "save_every": 2,
        "evaluate_every": 4, "log_every": 2, "model": SIZES, "device": "cpu", **keys,
    }  # fmt: skip
    return stage.RefinerStage(**values)


@pytest.fixture(scope="module")
def trained(canonical: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("run")
    steps, sizes = 120, {**SIZES, "channels": 32}
    noise = Degradation(noisy=1.0, spread=(3.0, 5.0), dropped=0.0, jumped=0.0)
    keys = {
        "learning_rate": 5e-3,
        "ema": 0.9,
        "evaluate_every": steps,
        "save_every": steps,
        "log_every": steps,
    }
    stage.run(
        config(
            canonical,
            out,
            steps=steps,
            batch_size=16,
            given_share=0.8,
            degradation=noise,
            model=sizes,
            **keys,
        )
    )
    return out


# ------------------------------------------------------------------------------------------ style


def test_what_the_metadata_do_not_know_is_masked_and_no_number() -> None:
    metadata = {
        "motion_style": {"tempo": 0.0, "energy_level": None},
        "emotion": {"valence": -1.0},
        "music": None,
    }
    style = StyleCondition.from_enhanced_meta(metadata)
    values, known = arrays([style, None])
    assert style.known == (True, False, False, True, False)  # a tempo of zero is known
    assert known.tolist() == [[True, False, False, True, False], [False] * 5]
    assert values[0].tolist() == [0.0, 0.0, 0.0, -1.0, 0.0]
    for nothing in (None, {}, {"motion_style": None}):
        assert StyleCondition.from_enhanced_meta(nothing) == StyleCondition()


@pytest.mark.parametrize(
    ("field", "value"),
    [("tempo", 1.2), ("valence", -1.5), ("arousal", float("nan")), ("smoothness", "high"), ("tempo", True)],
)
def test_a_style_outside_its_range_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(BadInput, match=field):
        StyleCondition(**{field: value})


def test_styles_come_from_batches_of_all_shapes() -> None:
    rows = [{"enhanced_meta": {"motion_style": {"tempo": 0.2}}}, {"enhanced_meta": None}, {}]
    wanted = [StyleCondition(tempo=0.2), StyleCondition(), StyleCondition()]
    assert extract_style_conditions(rows) == wanted
    assert extract_style_conditions({"enhanced_meta": [row.get("enhanced_meta") for row in rows]}) == wanted
    collated = {"motion_style": {"tempo": torch.tensor([0.25, float("nan"), float("nan")])}, "emotion": None}
    wanted[0] = StyleCondition(tempo=0.25)
    assert extract_style_conditions({"enhanced_meta": collated}) == wanted
    with pytest.raises(BadInput, match="enhanced_meta"):
        extract_style_conditions({"motion": torch.zeros(2)})
    with pytest.raises(BadInput, match="one length"):
        extract_style_conditions(
            {"enhanced_meta": {"motion_style": {"tempo": [0.1], "smoothness": [0.1, 0.2]}}}
        )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.floats(0, 1), st.floats(0, 1))
def test_ranks_rise_with_values_and_values_with_ranks(values: list[float], a: float, b: float) -> None:
    knots, ranks = rank_table(np.array(values))
    assert (np.diff(knots) >= 0).all() and (np.diff(ranks) >= 0).all() and 0 <= ranks[0] <= ranks[-1] <= 1
    low, high = sorted((a, b))
    assert np.interp(low, knots, ranks) <= np.interp(high, knots, ranks)


# ------------------------------------------------------------------------------------------ layouts


@pytest.mark.parametrize("layout", [CANONICAL, CANONICAL_V1])
def test_figures_are_made_of_joints_and_joined_whatever_comes(layout: Any) -> None:
    rng = np.random.default_rng(0)
    motion = layout.to_pose(rng.standard_normal((5, layout.inner)))
    assert np.allclose(layout.to_pose(layout.to_inner(motion)), motion)
    torn = motion + 0.1 * rng.standard_normal(motion.shape)
    joined = layout.to_pose(layout.to_inner(torn))
    assert np.abs(joined - motion).mean() < np.abs(torn - motion).mean()  # the mean of what contradicts
    if layout.dim == DIM:
        assert disconnected(torn) and not disconnected(joined)


def test_mirrored_numbers_are_mirrored_poses() -> None:
    rng = np.random.default_rng(1)
    figure = CANONICAL.to_pose(rng.standard_normal((3, CANONICAL.inner)))
    assert CANONICAL.mirror is not None and SMPLX.mirror is not None
    assert np.allclose(
        CANONICAL.to_pose(CANONICAL.to_inner(figure) @ CANONICAL.mirror.T), mirror_figures(figure)
    )
    clip = Clip(rng.uniform(-1, 1, (4, 55, 3)), rng.uniform(-1, 1, (4, 3)), 30.0)
    ours, theirs = smplx_poses(clip) @ SMPLX.mirror.T, smplx_poses(mirror(clip))
    assert np.allclose(ours[:, :-3], theirs[:, :-3]) and np.allclose(ours[:, -2:], theirs[:, -2:])


def test_bodies_go_there_and_back_and_their_rotations_stay_rotations() -> None:
    rng = np.random.default_rng(2)
    clip = Clip(rng.uniform(-1, 1, (4, 55, 3)), rng.uniform(-1, 1, (4, 3)), 30.0)
    back = with_smplx_poses(clip, smplx_poses(clip))
    assert np.allclose(back.poses, clip.poses) and np.allclose(back.trans, clip.trans)
    made = SMPLX.to_pose(smplx_poses(clip) + 0.1 * rng.standard_normal((4, SMPLX.dim)))
    columns = made[:, :-3].reshape(4, 22, 2, 3)
    assert np.allclose(np.linalg.norm(columns, axis=-1), 1)
    assert np.allclose((columns[..., 0, :] * columns[..., 1, :]).sum(-1), 0)


@pytest.mark.parametrize("frames", [2, 5, 40, 200])
def test_steady_travel_is_followed_to_both_ends(frames: int) -> None:
    inner = CANONICAL.to_inner(CANONICAL.to_pose(np.zeros((frames, 30))))
    inner[:, ::2] += 3.0 + 0.05 * np.arange(frames)[:, None]
    rest = inner - CANONICAL.along(CANONICAL.travel(inner))
    assert np.abs(rest).max() < 1e-9
    assert CANONICAL.along(np.ones((1, 1)))[0, 1::2].max() == 0  # heights do not travel


def test_layouts_have_names() -> None:
    assert all(layout_of(name, 1) is layout for name, layout in LAYOUTS.items())
    assert layout_of("plain", 7).dim == 7
    with pytest.raises(BadInput, match="nonsense"):
        layout_of("nonsense", 3)


# ------------------------------------------------------------------------------------------ damage


def test_noise_is_of_its_size_with_and_without_memory() -> None:
    still, rng = np.zeros((4000, 8)), np.random.default_rng(3)
    white, drifting = noisy(still, rng, 0.02), noisy(still, rng, 0.02, memory=0.9)
    assert white.std() == pytest.approx(0.02, rel=0.05) and drifting.std() == pytest.approx(0.02, rel=0.15)
    assert np.diff(drifting, axis=0).std() < 0.6 * np.diff(white, axis=0).std()


def test_dropped_frames_show_the_last_one_that_came() -> None:
    motion = np.arange(3000.0)[:, None]
    made = dropped(motion, np.random.default_rng(4), 0.3, longest=5)[:, 0]
    lost = made != motion[:, 0]
    assert 0.2 < lost.mean() < 0.4 and made[0] == 0
    assert (np.diff(made) >= 0).all() and (made <= motion[:, 0]).all()


def test_what_jumps_comes_back_and_moves_as_one() -> None:
    still = np.zeros((900, 30))
    made = jumped(still, np.random.default_rng(5), 1.0, 0.2, parts=CANONICAL.parts, whole=0.5)
    away = made != 0
    assert 0.01 < away.any(axis=1).mean() < 0.2
    pairs = away.reshape(900, 15, 2)
    assert (pairs[..., 0] == pairs[..., 1]).all()
    assert set(pairs[..., 0].sum(axis=1)) >= {0, 1, 15}


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 40), st.integers(1, 9), st.integers(0, 99))
def test_training_damage_takes_any_motion(frames: int, width: int, seed: int) -> None:
    motion = np.random.default_rng(seed).standard_normal((frames, width))
    before = motion.copy()
    made = Degradation().apply(motion, np.random.default_rng(seed), energy=0.5, parts=plain(width).parts)
    assert made.shape == motion.shape and np.isfinite(made).all() and (motion == before).all()


def test_athletic_motion_gets_more_noise() -> None:
    only = Degradation(noisy=1, coloured=0, dropped=0, jumped=0, spread=(1.0, 1.0))
    still = np.zeros((2000, 4))
    calm, wild = (only.apply(still, np.random.default_rng(6), energy=energy).std() for energy in (0.0, 1.0))
    assert calm == pytest.approx(0.01, rel=0.05) and wild == pytest.approx(0.02, rel=0.05)


# ------------------------------------------------------------------------------------------ windows


@given(st.integers(1, 300), st.sampled_from([8, 32, 96]))
def test_windows_cover_a_sequence_and_join_to_it(length: int, size: int) -> None:
    windows = Windows(length, size, 4)
    values = np.random.default_rng(length).standard_normal((2, length, 3))
    rows = windows.cut(values)
    assert rows.shape[1] % 4 == 0 and rows.shape[1] <= size
    assert np.allclose(windows.join(rows), values)


def test_resampling_keeps_curves_and_ends() -> None:
    time = np.linspace(0, 1, 31)
    values = np.stack([time, np.sin(3 * time)], axis=1)
    made = resampled(values, np.linspace(0, 30, 61))
    assert (
        np.allclose(made[::2], values) and np.abs(made[:, 1] - np.sin(3 * np.linspace(0, 1, 61))).max() < 1e-3
    )
    assert np.allclose(resampled(values[:1], np.zeros(3)), values[0])


# ------------------------------------------------------------------------------------------ training


def test_a_resumed_refiner_equals_an_unbroken_one(canonical: Path, tmp_path: Path) -> None:
    keys = {"steps": 3, "evaluate_every": 3, "save_every": 3}
    stage.run(config(canonical, tmp_path / "a", **keys))
    stage.run(config(canonical, tmp_path / "b", minutes=1e-9, **keys))  # stops after one step
    assert int(torch.load(tmp_path / "b/checkpoint.pt", weights_only=True)["step"]) == 1
    stage.run(config(canonical, tmp_path / "b", **keys))
    one, other = (load_file(tmp_path / run / "model.safetensors") for run in "ab")
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_held_back_motion_and_worthless_samples_take_no_part(canonical: Path, tmp_path: Path) -> None:
    samples = files.load(canonical)
    samples[0]["meta"]["split"] = "test"
    samples[1]["enhanced_meta"]["quality"]["marker_quality"] = 0.0
    samples[2]["enhanced_meta"]["quality"] = None
    files.save(samples, tmp_path / "c.pt")
    corpus = stage.load_corpus(config(tmp_path / "c.pt", tmp_path), 30.0)
    weights = {motion.name: motion.weight for motion in corpus.split("train")}
    assert set(weights) == {"w1.0", "w2.0", "w3.0", "scene.0", "scene.1"}  # the actors of a scene, each alone
    assert weights["w1.0"] == 0.05 and weights["w2.0"] == 1.0 and weights["w3.0"] > 0.9
    assert {motion.name for motion in corpus.split("val")} == {"held.0"}


def test_conditions_are_dropped_as_often_as_asked(canonical: Path, tmp_path: Path) -> None:
    settings = config(canonical, tmp_path, batch_size=400, style_dropout=0.1, field_dropout=0.2)
    corpus = stage.load_corpus(settings, 30.0)
    model = PoseRefiner(RefinerConfig(dim=30, paths=1, layout="canonical", **SIZES))
    batch = stage.Drawer(corpus, corpus.motions, settings, model)(np.random.default_rng(8))
    known = batch["with_style"]
    assert (~known.any(axis=1)).mean() == pytest.approx(0.1, abs=0.05)
    assert known[known.any(axis=1)].mean() == pytest.approx(0.8, abs=0.05)
    assert batch["with_given"].mean() == pytest.approx(0.5, abs=0.1)


def test_what_is_not_known_or_not_there_does_not_reach_the_network() -> None:
    torch.manual_seed(0)
    model = PoseRefiner(RefinerConfig(dim=6, paths=1, **SIZES)).eval()
    model.alphas.copy_(torch.linspace(1, 0.01, 1000))
    inputs = {
        "given": torch.randn(3, 16, 6), "with_given": torch.tensor([False, True, False]),
        "speeds": torch.randn(3, 16, 1), "ranks": torch.rand(3, 5),
        "with_style": torch.tensor([[False] * 5, [False] * 5, [True] * 5]),
        "mask": torch.ones(3, 16, dtype=torch.bool),
    }  # fmt: skip
    inputs["mask"][:, 12:] = False
    torch.nn.init.normal_(model.head.weight)  # it starts at zero
    noisy_frames, steps = torch.randn(3, 16, 6), torch.tensor([500, 500, 500])
    before = model(noisy_frames, steps, **inputs)
    other = {**inputs, "given": torch.randn(3, 16, 6), "ranks": torch.rand(3, 5)}
    after = model(noisy_frames, steps, **other)
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1]) and not torch.allclose(before[2], after[2])
    assert torch.equal(
        before[1], model(torch.randn(3, 16, 6), steps - 100, **inputs)[1]
    )  # repair has no noise
    beyond = noisy_frames.clone()
    beyond[:, 12:] = 9.0
    assert torch.allclose(model(beyond, steps, **inputs)[:, :12], before[:, :12], atol=1e-6)


def test_a_step_on_a_batch_of_ones_own(canonical: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    settings = config(canonical, tmp_path)
    corpus = stage.load_corpus(settings, 30.0)
    model = PoseRefiner(RefinerConfig(dim=30, paths=1, layout="canonical", **SIZES))
    model.alphas.copy_(torch.from_numpy(stage.training_alphas(1000)))
    drawer = stage.Drawer(corpus, corpus.motions, settings, model)
    stage.fit(model, drawer, 50)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    clean = np.stack([files.load(canonical)[0]["motion"].numpy()[:32]] * 4)
    styles = [StyleCondition(tempo=0.5), None, StyleCondition(), StyleCondition(energy_level=0.3)]
    losses = [
        stage.train_step(model, optimizer, drawer, clean, styles, np.random.default_rng(0))["loss"]
        for _ in range(25)
    ]
    assert losses[-1] < 0.8 * losses[0]
    with pytest.raises(BadInput, match="up to 32"):
        stage.train_step(model, optimizer, drawer, np.zeros((1, 33, 48)), [None], np.random.default_rng(0))


def test_a_store_is_seen_from_several_sides(tmp_path: Path) -> None:
    store = tmp_path / "store"
    rng = np.random.default_rng(12)
    with TableWriter(store / INDEX_FILE, Item) as table:
        for i, split in enumerate(("train", "train", "val", "test")):
            trans = np.tile([0.0, 1.31, 0.0], (50, 1)) + np.linspace(0, 1, 50)[:, None] * (0.0, 0.0, 1.0)
            clip = Clip(0.1 * np.cumsum(rng.standard_normal((50, 55, 3)), axis=0) / 20, trans, 60.0)
            (store / "clips/made").mkdir(parents=True, exist_ok=True)
            npz.write_clip(clip, store / f"clips/made/{i}.npz")
            row = Item(
                dataset="made", motion_name=str(i), split=split, path=f"clips/made/{i}.npz", end_frame=50, fps=60.0,
                metadata=EnhancedMetadata(motion_style=MotionStyle(tempo=0.3)),
            )  # fmt: skip
            table.add([row])
    for layout, width in (("canonical", 30), ("smplx", 135)):
        keys = {"store": store, "layout": layout, "views": [0.0, 90.0], "steps": 2}
        settings = config(tmp_path, tmp_path / layout, **keys).model_copy(update={"canonical": []})
        corpus = stage.load_corpus(settings, 30.0)
        assert {m.split for m in corpus.motions} == {"train", "val"}
        front, side = corpus.split("val")
        assert front.inner.shape == side.inner.shape == (25, width)  # at the model's rate
        assert not np.allclose(front.inner, side.inner, atol=0.1)
        stage.run(settings)
        refiner = Refiner.load(tmp_path / layout)
        motion = refiner.layout.to_pose(front.inner.astype(np.float64))
        made = refiner.refine(motion, 30.0, style=StyleCondition(energy_level=0.5), steps=2)
        assert np.allclose(
            refiner.layout.to_pose(refiner.layout.to_inner(made.astype(np.float64))), made, atol=1e-5
        )


@pytest.mark.parametrize("layout", ["v1", "plain"])
def test_poses_of_other_dimensions_are_learned_too(canonical: Path, tmp_path: Path, layout: str) -> None:
    samples = files.load(canonical)
    width = {"v1": 20, "plain": 9}[layout]
    for one in samples:
        one["motion"] = one["motion"][..., :width].clone()
    files.save(samples, tmp_path / "c.pt")
    stage.run(config(tmp_path / "c.pt", tmp_path / "run", steps=2))
    refiner = Refiner.load(tmp_path / "run")
    assert refiner.layout.dim == width
    made = refiner.refine(samples[0]["motion"].numpy(), 30.0, style=StyleCondition(arousal=0.9), steps=2)
    assert made.shape == samples[0]["motion"].shape and np.isfinite(made).all()


# ------------------------------------------------------------------------------------------ refining


def test_repair_brings_noisy_figures_nearer_to_the_clean_ones(trained: Path, canonical: Path) -> None:
    refiner = Refiner.load(trained)
    clean = next(s for s in files.load(canonical) if s["meta"]["name"] == "held")["motion"].numpy()
    inner = CANONICAL.to_inner(clean)
    spoilt = CANONICAL.to_pose(noisy(inner, np.random.default_rng(9), 0.05))
    made = refiner.refine(spoilt, 30.0, polish=0.0)
    assert np.abs(made - clean).mean() < 0.6 * np.abs(spoilt - clean).mean()
    assert not disconnected(made) and made.dtype == np.float32
    several = refiner.refine(spoilt, 30.0, repair_steps=6)
    assert np.abs(several - clean).mean() < 0.75 * np.abs(spoilt - clean).mean()


def test_refining_is_deterministic_and_obeys_its_options(trained: Path) -> None:
    refiner = Refiner.load(trained)
    motion = CANONICAL.to_pose(np.random.default_rng(10).standard_normal((20, 30)) * 0.1)
    style = StyleCondition(energy_level=0.4)
    first = refiner.refine(motion, 30.0, style=style, steps=3, seed=1)
    assert np.array_equal(first, refiner.refine(motion, 30.0, style=style, steps=3, seed=1))
    assert not np.array_equal(first, refiner.refine(motion, 30.0, style=style, steps=3, seed=2))
    assert not np.array_equal(first, refiner.refine(motion, 30.0, style=style, steps=3, seed=1, guidance=5.0))
    none = refiner.refine(motion, 30.0, repair=False)
    assert np.array_equal(none, motion.astype(np.float32))  # nothing was asked for
    empty = refiner.refine(motion, 30.0, style=StyleCondition(), repair=False)
    assert np.array_equal(empty, none)
    gentle = refiner.refine(motion, 30.0, style=style, repair=False, strength=0.05, steps=3)
    assert np.abs(gentle - motion).mean() < np.abs(first - motion).mean()


def test_actors_are_refined_one_by_one_and_absent_ones_stay_away(trained: Path) -> None:
    refiner = Refiner.load(trained)
    rng = np.random.default_rng(11)
    one, two = (CANONICAL.to_pose(rng.standard_normal((40, 30)) * 0.1) for _ in range(2))
    scene = np.stack([one, np.zeros_like(one), two + 1.0], axis=1)
    made = refiner.refine(scene, 30.0, style=[None, None, StyleCondition(tempo=0.1)], steps=2)
    assert made.shape == scene.shape and not made[:, 1].any()
    alone = refiner.refine(one, 30.0, seed=0)
    # The first actor asks for no style; its repair is its own affair.
    swapped = refiner.refine(np.stack([one, two], axis=1), 30.0)
    assert np.allclose(swapped[:, 0], alone, atol=1e-5)
    with pytest.raises(BadInput, match="3 actors and 2 styles"):
        refiner.refine(scene, 30.0, style=[StyleCondition(tempo=0.1), None])


@pytest.mark.parametrize(
    ("frames", "fps"), [(1, 30.0), (2, 30.0), (3, 60.0), (33, 24.0), (150, 30.0), (80, 50.0)]
)
def test_any_length_and_any_rate(trained: Path, frames: int, fps: float) -> None:
    refiner = Refiner.load(trained)
    sample = sample_of_joints(walker(max(frames, 2)), fps, name="x")
    motion = sample["motion"].numpy()[:frames]
    made = refiner.refine(motion, fps, repair_steps=1)
    assert made.shape == motion.shape and np.isfinite(made).all() and not disconnected(made)
    assert np.abs(made[:, 0] - motion[:, 0]).max() < 0.5  # the path stays


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"motion": np.zeros((4, 47))}, "48"), ({"motion": np.full((4, 48), np.nan)}, "finite"), ({"fps": 0.0}, "above"),
        ({"strength": 0.0}, "strength"), ({"strength": 1.5}, "strength"), ({"steps": 51}, "steps"),
        ({"steps": 50, "style": StyleCondition(tempo=0.5)}, "together"), ({"guidance": float("nan")}, "guidance"),
        ({"repair_steps": 0}, "repair_steps"), ({"polish": -0.1}, "polish"),
    ],
)  # fmt: skip
def test_bad_requests_are_named(trained: Path, change: dict[str, Any], word: str) -> None:
    request: dict[str, Any] = {"motion": np.ones((4, 48)), "fps": 30.0, **change}
    with pytest.raises(BadInput, match=word):
        Refiner.load(trained).refine(**request)


def test_a_folder_without_or_with_a_damaged_refiner_is_refused(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no refiner"):
        Refiner.load(tmp_path)
    (tmp_path / "config.json").write_text((trained / "config.json").read_text())
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(BadInput, match=r"model\.safetensors"):
        Refiner.load(tmp_path)


# ------------------------------------------------------------------------------------------ command


def refine(*words: Any) -> int:
    return cli.main(["refine", *map(str, words)])


def test_the_command_refines_a_file(trained: Path, canonical: Path, tmp_path: Path) -> None:
    samples = files.load(canonical)
    samples[0]["motion"] = torch.cat([samples[0]["motion"], samples[0]["motion"][-1:].repeat(5, 1)])
    for key in ("physics", "actions", "camera"):
        last = samples[0][key][-1:]
        samples[0][key] = torch.cat([samples[0][key], last.repeat(5, *[1] * (last.ndim - 1))])
    files.save(samples, tmp_path / "c.pt")
    out = tmp_path / "refined.pt"
    assert refine(tmp_path / "c.pt", "--model", trained, "--out", out, "--style", "own", "--steps", 2) == 0
    made = files.load(out)
    assert [s["meta"]["name"] for s in made] == [s["meta"]["name"] for s in samples]
    assert made[0]["motion"].shape == samples[0]["motion"].shape
    assert torch.equal(made[0]["motion"][-5:], made[0]["motion"][-6:-5].repeat(5, 1))  # held frames stay held
    assert not made[0]["physics"][-5:].any()
    for before, after in zip(samples, made, strict=True):
        assert not disconnected(after["motion"].numpy())
        assert after["enhanced_meta"]["emotion"] == before["enhanced_meta"]["emotion"]
        assert after["enhanced_meta"]["motion_style"] != before["enhanced_meta"]["motion_style"]
        assert DataValidator().check_metadata(after["enhanced_meta"]).valid
    assert (
        refine(out, "--model", trained, "--out", tmp_path / "b.pt", "--names", "held", "--style", "tempo=80%")
        == 0
    )
    assert len(files.load(tmp_path / "b.pt")) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--style", "speed=1"], "FIELD=VALUE"), (["--style", "tempo=fast"], "tempo"), (["--style", "tempo=2"], "tempo"),
        (["--style", "tempo=120%"], "100 %"), (["--style", "own", "--style", "tempo=1"], "own"),
        (["--names", "nobody"], "nobody"),
    ],
)  # fmt: skip
def test_bad_words_are_answered_in_a_sentence(
    trained: Path,
    canonical: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    assert refine(canonical, "--model", trained, "--out", tmp_path / "o.pt", *words) == 2
    assert said in capsys.readouterr().err


def test_the_command_measures(
    trained: Path, canonical: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    words = ["--measure", report, "--most", 2, "--steps", 2, "--repair-steps", 2]
    assert refine(canonical, "--model", trained, *words) == 0
    measured = json.loads(report.read_text())
    row = measured["repair"]["noise 0.02"]
    assert set(row) == {"none", "Gaussian", "Savitzky-Golay", "median, Gaussian", "refiner, mean", "refiner"}
    assert row["Gaussian"]["error"] < row["none"]["error"] and row["none"]["jerk"] > 2
    assert set(measured["style"]) == set(FIELDS[:3])
    assert "| noise 0.02 | none |" in capsys.readouterr().out
