"""The alignment space: what its parts see, its loss, its retrieval protocols and the metrics on embeddings."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from understudy.backend.errors import BadInput
from understudy.backend.models.alignment import VIEWS, Alignment, AlignmentConfig, Gaussian
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import write_clip
from understudy.backend.text import WIDTH
from understudy.training.cli import main
from understudy.training.corpus.dataset import Motion, Segment
from understudy.training.data.item import Item
from understudy.training.data.prepare import write_index
from understudy.training.evaluation import retrieval
from understudy.training.stages import alignment, common
from understudy.training.stages.common import load_config

TINY = {
    "width": 16,
    "layers": 1,
    "text_layers": 1,
    "decoder_layers": 1,
    "heads": 2,
    "feed_forward": 32,
    "max_frames": 40,
}
SIZES = {"lower_trans": 5, "upper": 7}


@pytest.fixture
def model() -> Alignment:
    torch.manual_seed(0)
    return Alignment(AlignmentConfig(parts=SIZES, **TINY)).eval()


def motions(*lengths: int, seed: int = 0) -> list[retrieval.Features]:
    rng = np.random.default_rng(seed)
    return [
        {part: rng.standard_normal((length, size)).astype(np.float32) for part, size in SIZES.items()}
        for length in lengths
    ]


ALL = {"lower_trans": True, "upper": True}


# ---------------------------------------------------------------------------------- the model


@pytest.mark.parametrize("length", [8, 17, 18, 19, 20, 40])
def test_a_motion_lies_where_it_lies_whatever_else_is_in_the_batch(model: Alignment, length: int) -> None:
    one = motions(length)
    alone = retrieval.embed_motions(model, one, [ALL])
    among = retrieval.embed_motions(model, [*one, *motions(40, 33, seed=1)], [ALL] * 3)
    assert np.allclose(alone[0], among[0], atol=1e-5)
    assert not np.allclose(among[0], among[1], atol=1e-2)


def test_a_view_shows_its_half_only(model: Alignment) -> None:
    (plain,) = motions(24)
    arms = {**plain, "upper": plain["upper"] + 1.0}
    legs = {**plain, "lower_trans": plain["lower_trans"] + 1.0}
    at = {view: retrieval.embed_motions(model, [plain, arms, legs], [ALL] * 3, view) for view in VIEWS}
    assert np.array_equal(at["lower"][0], at["lower"][1]) and not np.allclose(at["lower"][0], at["lower"][2])
    assert np.array_equal(at["upper"][0], at["upper"][2]) and not np.allclose(at["upper"][0], at["upper"][1])
    assert not np.allclose(at["whole"][0], at["whole"][1]) and not np.allclose(at["whole"][0], at["whole"][2])


def test_an_unknown_part_is_not_looked_at(model: Alignment) -> None:
    (plain,) = motions(24)
    half = {"lower_trans": True, "upper": False}
    garbage = {**plain, "upper": np.full_like(plain["upper"], 9.0)}
    missing = {"lower_trans": plain["lower_trans"], "upper": np.zeros_like(plain["upper"])}
    first, second, third = retrieval.embed_motions(model, [plain, garbage, missing], [half] * 3)
    assert np.array_equal(first, second) and np.array_equal(first, third)
    assert not np.allclose(first, retrieval.embed_motions(model, [plain], [ALL])[0])


def test_words_may_be_padded_on_either_side(model: Alignment) -> None:
    words = torch.randn(1, 5, WIDTH)
    gap = torch.full((1, 3, WIDTH), 7.0)
    there, not_there = torch.ones(1, 5, dtype=torch.bool), torch.zeros(1, 3, dtype=torch.bool)
    plain = model.embed_text(words, there)
    left = model.embed_text(torch.cat([gap, words], 1), torch.cat([not_there, there], 1))
    right = model.embed_text(torch.cat([words, gap], 1), torch.cat([there, not_there], 1))
    for view in VIEWS:
        assert torch.allclose(plain[view], left[view], atol=1e-5)
        assert torch.allclose(plain[view], right[view], atol=1e-5)
        assert plain[view].norm(dim=-1).item() == pytest.approx(1, abs=1e-5)
    assert not torch.allclose(plain["lower"], plain["upper"], atol=1e-3)


@given(frames=st.integers(1, 2000), longest=st.integers(2, 300))
def test_stretches_cover_a_motion_and_are_no_longer_than_the_model_sees(frames: int, longest: int) -> None:
    found = retrieval.stretches(frames, longest)
    assert found[0][0] == 0 and found[-1][1] == frames
    assert all(0 < last - first <= longest for first, last in found)
    assert all(b[0] <= a[1] for a, b in pairwise(found))


def test_a_long_motion_that_repeats_lies_where_one_period_does(model: Alignment) -> None:
    (period,) = motions(40)
    long = {part: np.tile(values, (3, 1)) for part, values in period.items()}
    one, three = retrieval.embed_motions(model, [period, long], [ALL] * 2)
    assert one @ three > 0.8 and np.linalg.norm(three) == pytest.approx(1, abs=1e-5)


# ----------------------------------------------------------------------------------- the loss


def test_the_divergence_of_normal_distributions() -> None:
    zero, half = torch.zeros(1, 1), torch.full((1, 1), 2 * np.log(0.5))
    standard, moved = Gaussian(zero, zero), Gaussian(zero + 2.0, zero)
    assert standard.divergence(standard).item() == pytest.approx(0, abs=1e-7)
    assert moved.divergence(standard).item() == pytest.approx(2.0)
    assert Gaussian(zero, half).divergence(standard).item() == pytest.approx(
        0.5 * (0.25 - 1) + np.log(2), abs=1e-6
    )


def test_contrast_leaves_out_captions_that_mean_the_same() -> None:
    text = torch.eye(4)
    motion = torch.eye(4)
    motion[1] = motion[0]  # two equal motions
    nothing = torch.zeros(4, 4, dtype=torch.bool)
    same = nothing.clone()
    same[0, 1] = same[1, 0] = True
    text[1] = text[0]
    strict = alignment.contrastive(text, motion, nothing, 0.1)
    filtered = alignment.contrastive(text, motion, same, 0.1)
    assert filtered < 0.01 < np.log(2) / 2 * 0.9 < strict
    assert alignment.contrastive(text, motion, torch.ones(4, 4, dtype=torch.bool), 0.1) == 0


def segment(name: str, *captions: str, mirrored: bool = False, frames: int = 20) -> Segment:
    features = {part: np.zeros((frames, size), np.float32) for part, size in SIZES.items()}
    return Segment(name, Motion(name, "set", "train", features, ALL, mirrored), 0, frames, captions)


def test_a_left_is_never_taken_for_a_right() -> None:
    captions = [
        "a person lifts the left hand",
        "a person lifts the right hand",
        "a person lifts both the left and right hand",
    ]
    sentences = np.ones((3, 4)) / 2  # to the sentence encoder they are all alike
    segments = [segment("a"), segment("b"), segment("c")]
    same = alignment.same_meaning(captions, sentences, segments, 0.8)
    assert not same[0, 1] and not same[1, 0] and same[0, 2] and same[1, 2] and same.diagonal().all()


def test_pieces_of_one_motion_are_no_wrong_answers_to_each_other() -> None:
    segments = [segment("a"), segment("a"), segment("a", mirrored=True)]
    same = alignment.same_meaning(["walks", "runs", "runs"], np.eye(3), segments, 0.8)
    assert same.tolist() == [[True, True, False], [True, True, False], [False, False, True]]


# ---------------------------------------------------------------------------------- protocols


def test_ranks_count_ties_half() -> None:
    scores = np.array([[3.0, 1.0, 2.0], [5.0, 4.0, 4.0], [1.0, 1.0, 1.0]])
    assert retrieval.ranks(scores).tolist() == [0, 1.5, 1]
    right = np.array([[0, 1, 1], [1, 0, 0], [1, 1, 1]], bool)
    assert retrieval.ranks(scores, right).tolist() == [1, 0, 0]


def test_protocols_by_hand() -> None:
    rng = np.random.default_rng(0)
    text = retrieval._unit(rng.standard_normal((128, 16)))
    sentences = retrieval._unit(rng.standard_normal((128, 64)))
    perfect = retrieval.protocols(text, text, sentences)
    assert set(perfect) == {"all", "threshold", "nsim", "groups"}
    assert all(
        numbers["R1"] == 100 and numbers["MedR"] == 1 for p in perfect.values() for numbers in p.values()
    )
    chance = retrieval.protocols(text, retrieval._unit(rng.standard_normal((128, 16))), sentences)
    assert chance["groups"]["t2m"]["R3"] == pytest.approx(100 * 3 / 32, abs=6)
    assert chance["all"]["m2t"]["R10"] == pytest.approx(100 * 10 / 128, abs=6)
    few = retrieval.protocols(text[:40], text[:40], sentences[:40])
    assert set(few) == {"all", "threshold", "groups"}


def test_with_a_threshold_the_motion_of_an_equal_caption_is_right() -> None:
    motion = np.eye(8, dtype=np.float32)
    text = np.roll(motion, 1, axis=0)  # each caption finds its neighbour's motion
    sentences = np.repeat(np.eye(4, dtype=np.float32), 2, axis=0)  # captions equal in pairs
    found = retrieval.protocols(text, motion, sentences)
    assert found["all"]["t2m"]["R1"] == 0
    assert found["threshold"]["t2m"]["R1"] == 50
    # TMR's 0.95 is a cosine of 0.9.
    near = np.array([[1.0, 0.0], [0.91, np.sqrt(1 - 0.91**2)], [0.89, np.sqrt(1 - 0.89**2)]])
    assert retrieval.alike(near, 0.95)[0].tolist() == [True, True, False]


@given(seed=st.integers(0, 50))
def test_the_least_alike_captions_are_less_alike_than_most_that_are_drawn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sentences = retrieval._unit(rng.standard_normal((30, 3)))
    scores = sentences @ sentences.T
    chosen = retrieval.least_alike(sentences, 10)
    assert len(set(chosen.tolist())) == 10
    drawn = [
        scores[np.ix_(rows, rows)].sum() for rows in (rng.choice(30, 10, replace=False) for _ in range(50))
    ]
    assert scores[np.ix_(chosen, chosen)].sum() < np.quantile(drawn, 0.1)


# ------------------------------------------------------------------------------------ metrics


def test_r_precision_of_perfect_and_of_random_motion() -> None:
    rng = np.random.default_rng(0)
    text = rng.standard_normal((200, 8))
    perfect = retrieval.r_precision(text, text + 1e-3)
    assert [perfect[f"R{k}"].mean for k in (1, 2, 3)] == [1, 1, 1] and perfect["R3"].half == 0
    chance = retrieval.r_precision(text, rng.standard_normal((200, 8)))
    for k in (1, 2, 3):
        assert chance[f"R{k}"].mean == pytest.approx(k / 32, abs=0.02)
    assert 0 < chance["R3"].half < 0.02
    assert retrieval.r_precision(text, text[::-1].copy(), np.ones((200, 200), bool))["R1"].mean == 1
    with pytest.raises(BadInput, match="32"):
        retrieval.r_precision(text[:31], text[:31])


def test_fid_of_normal_distributions_with_known_distance() -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((20000, 3))
    assert retrieval.fid(rows, rows) == pytest.approx(0, abs=1e-9)
    assert retrieval.fid(rows, rows + [3, 0, 0]) == pytest.approx(9, rel=1e-6)
    assert retrieval.fid(rows, 2 * rows) == pytest.approx(3, rel=0.05)  # (2 - 1)^2 in each dimension
    few = rng.standard_normal((5, 64))  # fewer rows than dimensions
    assert retrieval.fid(few, few) == pytest.approx(0, abs=1e-6)


def test_distances_between_rows() -> None:
    text = np.zeros((4, 2))
    assert retrieval.mm_dist(text, text + [3, 4]) == 5
    assert retrieval.diversity(np.ones((10, 2))) == 0
    two = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert retrieval.diversity(two) == 5  # never a row with itself
    assert retrieval.multimodality(two[None]) == 5
    rng = np.random.default_rng(0)
    wide = rng.standard_normal((500, 8))
    assert retrieval.diversity(wide) == pytest.approx(np.sqrt(2 * 8), rel=0.1)
    samples = wide[:25].reshape(5, 5, 8)
    assert retrieval.multimodality(3 * samples) == pytest.approx(3 * retrieval.multimodality(samples))
    with pytest.raises(BadInput):
        retrieval.multimodality(wide[None, :1])
    interval = retrieval.replicated(lambda seed: float(seed % 2))
    assert interval.mean == 0.5 and interval.half == pytest.approx(1.96 * 0.5 / np.sqrt(20))


def test_the_whole_table_over_replications() -> None:
    rng = np.random.default_rng(0)
    text = rng.standard_normal((64, 4))
    tables = [
        retrieval.measure(text, text + 0.01 * rng.standard_normal((64, 4)), text, samples=text.reshape(16, 4, 4), seed=seed)
        for seed in range(4)
    ]  # fmt: skip
    table = retrieval.combine(tables)
    assert set(table) == {"R1", "R2", "R3", "mm_dist", "fid", "diversity", "multimodality"}
    assert table["R3"] == retrieval.Interval(1.0, 0.0) and table["fid"].mean < 0.01
    assert 0 < table["mm_dist"].half < table["mm_dist"].mean < 0.03


def test_the_nearest_caption_is_what_a_search_finds() -> None:
    def pairs(sentences: np.ndarray) -> retrieval.Pairs:
        return retrieval.Pairs(sentences, sentences, sentences, [""] * len(sentences))

    asked, known = pairs(np.eye(3)), pairs(np.eye(3)[[2, 0, 1]])
    assert retrieval.nearest_captions(asked, known).tolist() == [1, 2, 0]
    apart = np.zeros((3, 3), bool)
    apart[0, 1] = True
    assert retrieval.nearest_captions(asked, known, apart)[0] != 1


# ---------------------------------------------------------------------------------- the stage


def swing(joint: int, axis: int, *, frames: int = 60, rate: float = 1.0, size: float = 0.8) -> Clip:
    poses = np.zeros((frames, 55, 3))
    poses[:, joint, axis] = size * np.sin(2 * np.pi * rate * np.arange(frames) / 30)
    trans = np.tile([0.0, 1.31, 0.0], (frames, 1))
    return Clip(poses, trans, 30.0, known={"lower_trans": True, "upper": True, "hands": False, "face": False})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four movements, each told in its own words, a copy of each for validation."""
    folder = tmp_path_factory.mktemp("store")
    kinds = {"waves an arm": (16, 2), "kicks a ball": (1, 0), "nods": (15, 0), "bends the back": (3, 0)}
    items = []
    for split in ("train", "val"):
        for number, (words, (joint, axis)) in enumerate(kinds.items()):
            path = f"clips/made/{split}{number}.npz"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            clip = swing(joint, axis, frames=60 if split == "train" else 70)
            if number == 1:
                clip = clip.replace(known={**clip.known, "upper": False})
            write_clip(clip, folder / path)
            items.append(
                Item(dataset="made", motion_name=f"{split}{number}", split=split, path=path,
                     text=[f"someone {words}"], end_frame=len(clip), known=["lower_trans"])
            )  # fmt: skip
    write_index(folder, items)
    return folder


def config(folder: Path, store: Path, **changes: object) -> alignment.AlignmentStage:
    keys = {
        "store": str(store), "out": str(folder / "out"), "steps": 4, "batch_size": 6, "warmup": 1, "save_every": 2,
        "evaluate_every": 4, "log_every": 4, "model": TINY, **changes,
    }  # fmt: skip
    path = folder / "config.yaml"
    path.write_text("\n".join(f"{key}: {value}".replace("'", "") for key, value in keys.items()))
    return load_config(alignment.AlignmentStage, path, [])


def test_it_learns_which_words_go_with_which_motion(store: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    numbers = alignment.run(
        config(
            tmp_path,
            store,
            steps=200,
            learning_rate=0.002,
            ema=0.9,
            loss_contrastive=1.0,
            evaluate_every=200,
            save_every=200,
        )
    )
    trained = retrieval.load_alignment(tmp_path / "out")
    from understudy.training.corpus.dataset import load_corpus
    from understudy.training.stages.latents import CaptionEmbeddings

    segments = load_corpus(store, mirrored=False, extended=False).split("val").segments
    captions = CaptionEmbeddings([c for s in segments for c in s.captions], tmp_path / "out")
    pairs = retrieval.segment_embeddings(trained, segments, captions)
    first = retrieval.ranks(pairs.text @ pairs.motion.T) == 0
    assert first.sum() >= 3  # by chance 1 of 4; all of them with most seeds
    clips = [swing(16, 2, frames=66), swing(15, 0, frames=50)]
    assert np.argmax(pairs.motion @ retrieval.embed_clips(trained, clips).T, axis=0).tolist() == [0, 2]
    assert numbers["all_t2m_R3"] == 100


def test_a_resumed_run_equals_an_unbroken_one(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    alignment.run(config(tmp_path / "a", store))
    original = common.Ema.update

    def stop(self: common.Ema, model: torch.nn.Module, step: int) -> None:
        if step == 3:
            raise KeyboardInterrupt
        original(self, model, step)

    with monkeypatch.context() as patch:
        patch.setattr(common.Ema, "update", stop)
        with pytest.raises(KeyboardInterrupt):
            alignment.run(config(tmp_path / "b", store))
    alignment.run(config(tmp_path / "b", store))
    a, b = (load_file(tmp_path / name / "out" / "model.safetensors") for name in "ab")
    assert all(torch.equal(a[key], b[key]) for key in a)


def test_what_is_missing_is_said_in_one_sentence(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(BadInput, match="no trained alignment"):
        retrieval.load_alignment(tmp_path)
    config(tmp_path, store, datasets="[nothing]")
    assert main(["stage", "alignment", "--config", str(tmp_path / "config.yaml")]) == 2
    assert "too few captioned motions" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["small", "base", "large"])
@pytest.mark.parametrize("stage", ["alignment", "prior"])
def test_the_configurations_that_come_with_it_are_valid(size: str, stage: str) -> None:
    from understudy.backend.models.prior import PriorConfig
    from understudy.training.stages.prior import PriorStage

    path = Path(alignment.__file__).parents[1] / "configs" / size / f"{stage}.yaml"
    if stage == "alignment":
        loaded = load_config(alignment.AlignmentStage, path, [])
        assert AlignmentConfig(parts=SIZES, **loaded.model).width > 0
    else:
        assert PriorConfig(**load_config(PriorStage, path, []).model).model_dump()


def test_a_clip_that_was_cut_twice_counts_once() -> None:
    motion = segment("a", frames=100).motion
    cuts = [
        Segment("x", motion, 0, 50, ("walks",)), Segment("y", motion, 2, 50, ("strolls", "walks")),
        Segment("z", motion, 40, 100, ("turns",)), replace(segment("b", "walks"), start=0),
    ]  # fmt: skip
    found = retrieval.merged(cuts)
    assert [(s.name, s.captions) for s in found] == [
        ("x", ("walks", "strolls")), ("z", ("turns",)), ("b", ("walks",)),
    ]  # fmt: skip


def test_a_caption_that_names_a_side_is_held_against_its_mirror_image() -> None:
    left = segment("kick", "a kick", "a kick with the left foot")
    right = segment("kick--mirror", "a kick", "a kick with the right foot", mirrored=True)
    both = (
        segment("clap", "claps left and right hand"),
        segment("clap--mirror", "claps right and left hand", mirrored=True),
    )
    alone = segment("step", "a step with the left foot")
    found = alignment.sided_pairs([left, right, *both, alone])
    assert found == [((left, "a kick with the left foot"), (right, "a kick with the right foot"))]
