"""The evaluation: what is asked for, what is counted, and the whole of it on an untrained pack."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.motion.clip import Clip
from understudy.backend.motion.features import FPS, features_from_clip
from understudy.backend.motion.npz import write_clip
from understudy.backend.motion.skeleton import PARTS
from understudy.backend.pipeline import load_pipeline
from understudy.training.cli import main
from understudy.training.corpus.dataset import Motion, Segment
from understudy.training.data.item import Item
from understudy.training.data.prepare import write_index
from understudy.training.evaluation import cases, reconstruct, text_metrics
from understudy.training.evaluation.metrics import plausibility
from understudy.training.evaluation.summary import headline, physics_table, report, tables
from understudy.training.words.paraphrase import paraphrases

from .makers.tiny_pack import make_alignment, make_pack

KNOWN = {"lower_trans": True, "upper": True, "hands": False, "face": False}
VERBS = ["walks", "runs", "jumps", "waves", "kicks", "sits down", "dances", "bows"]


def swaying(frames: int, seed: int, speed: float = 0.5) -> Clip:
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / FPS
    poses = np.zeros((frames, 55, 3))
    poses[:, :22] = 0.15 * np.sin(3 * time + rng.normal(size=(22, 3))) * rng.normal(size=(22, 3))
    trans = np.stack([0 * time[:, 0, 0], 1.31 + 0 * time[:, 0, 0], speed * time[:, 0, 0]], axis=1)
    return Clip(poses, trans, FPS, known=KNOWN)


def segment(name: str, *captions: str, frames: int = 40) -> Segment:
    features, known = features_from_clip(swaying(frames, 0))[0], dict(KNOWN)
    return Segment(name, Motion(name, "made", "train", features, known, False), 0, frames, captions)


# ------------------------------------------------------------------------------------- the cases


def test_every_segment_is_asked_for_before_any_is_twice() -> None:
    segments = [
        segment("a", "walks", "strolls"),
        segment("b", "runs"),
        segment("c", "jumps", "hops", "leaps"),
    ]
    few = cases.draw_cases(segments, 3, seed=5)
    assert {case.segment.name for case in few} == {"a", "b", "c"}
    everything = cases.draw_cases(segments, 99, seed=5)
    assert everything[:3] == few and len({case.caption for case in everything}) == 6
    assert [case.seed for case in few] == [5, 6, 7]
    assert cases.draw_cases([], 3, seed=5) == []


def test_balanced_cases_name_each_action_as_often() -> None:
    segments = [segment(f"w{i}", "a person walks") for i in range(9)]
    segments.append(segment("k", "someone kicks a ball", "a person stands still"))
    chosen = cases.draw_balanced(segments, 9, seed=0)
    counts = [sum(case.action == action for case in chosen) for action in ("walk", "kick", "stand")]
    assert counts == [3, 3, 3]
    assert cases.draw_balanced([segment("x", "blorp")], 9, seed=0) == []


def test_other_words_are_never_those_of_training() -> None:
    asked = cases.draw_cases([segment("a", "a person walks forward slowly"), segment("b", "blorp")], 9, 0)
    (case,) = cases.reworded(asked)
    assert case.segment.name == "a" and case.caption != "a person walks forward slowly"
    assert case.caption not in paraphrases("a person walks forward slowly")


def test_what_else_is_right() -> None:
    first = segment("one", "a person walks", "A person jumps.")
    asked = [
        cases.Case("a person walks", first, 0),
        cases.Case("a person jumps", first, 0),  # the same recording
        cases.Case("A person jumps.", segment("two", "a person jumps"), 0),  # the same words
        cases.Case("somebody walks away", segment("three", "walks"), 0),  # the same action
        cases.Case("blorp", segment("four", "blorp"), 0),
        cases.Case("glorp", segment("five", "glorp"), 0),  # neither has an action
    ]
    strict, wide = (cases.right_answers(asked, action=action) for action in (False, True))
    assert strict.diagonal().all()
    # The first recording has been told "a person jumps" too, so the third caption finds it right twice.
    assert np.argwhere(strict & ~np.eye(6, dtype=bool)).tolist() == [[0, 1], [1, 0], [1, 2], [2, 0], [2, 1]]
    more = np.argwhere(wide & ~strict).tolist()
    assert more == [[0, 3], [3, 0]]
    assert cases.right_answers([], action=True).shape == (0, 0)


# ----------------------------------------------------------------------------------- the numbers


def test_hits_are_r_precision_case_by_case() -> None:
    rng = np.random.default_rng(0)
    text = rng.standard_normal((70, 8))
    motion = text + 1e-3 * rng.standard_normal((70, 8))
    motion[:35] = rng.standard_normal((35, 8))
    found = text_metrics.hits(text, motion)
    assert np.nanmean(found[35:]) == 1.0 and np.nanmean(found[:35]) < 0.3
    numbers = text_metrics.row(text, motion, text, {"": None}, replications=20, seed=0)
    assert numbers["R3"]["mean"] == pytest.approx(np.nanmean(found), abs=0.03)
    assert np.isnan(text_metrics.hits(text[:31], motion[:31])).all()


def test_chance_grows_with_the_number_of_right_answers() -> None:
    alone = text_metrics.by_chance(40)
    assert [alone[f"R{k}"] for k in (1, 2, 3)] == pytest.approx([1 / 32, 2 / 32, 3 / 32])
    pairs = np.kron(np.eye(32, dtype=bool), np.ones((2, 2), bool))
    twins = text_metrics.by_chance(64, pairs, replications=50)
    assert alone["R3"] < twins["R3"] < 1 - 29 * 28 / (32 * 31)  # a twin is in the same group half of the time
    assert text_metrics.by_chance(32, np.ones((32, 32), bool))["R1"] == 1


def test_a_row_of_motion_that_is_right_and_of_one_that_is_not() -> None:
    rng = np.random.default_rng(1)
    text, other = rng.standard_normal((2, 64, 4))
    right = text_metrics.row(text, text, text, {"": None}, replications=10, seed=3)
    wrong = text_metrics.row(text, 2 * other + 3, text, {"": None, "_all": np.ones((64, 64), bool)}, replications=10, seed=3)  # fmt: skip
    assert right["R1"]["mean"] == 1 and right["fid"]["mean"] < 1e-6 and right["mm_dist"]["mean"] == 0
    assert wrong["R3"]["mean"] < 0.3 and wrong["R1_all"]["mean"] == 1 and wrong["fid"]["mean"] > 30
    assert 0.05 < wrong["R3"]["half"] < 0.13 and wrong["fid"]["half"] > 0
    again = text_metrics.row(text, 2 * other + 3, text, {"": None}, replications=10, seed=3)
    assert again["fid"] == wrong["fid"] and again["R3"] == wrong["R3"]
    few = text_metrics.row(text[:9], text[:9], text, {"": None}, replications=4, seed=0)
    assert "R3" not in few and "fid" in few


def test_the_fid_of_real_motion_falls_with_the_number_of_clips() -> None:
    rng = np.random.default_rng(2)
    real, other = rng.standard_normal((300, 8)), rng.standard_normal((300, 8))
    few = text_metrics.subset_fid(real, other, 12, replications=8, seed=0)
    many = text_metrics.subset_fid(real, other, 200, replications=8, seed=0)
    assert few and many and few["mean"] > 3 * many["mean"] and few["half"] > many["half"] > 0
    assert text_metrics.subset_fid(real[:1], other, 12, replications=8, seed=0) is None


@given(scale=st.floats(0.1, 3.0))
def test_variety_is_a_ratio_of_spreads(scale: float) -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((8, 4))
    found = text_metrics.variety({"walk": scale * rows}, {"walk": rows}, replications=3, seed=0)
    assert found["ratio"] == pytest.approx(scale, rel=0.35)
    assert set(found["actions"]) == {"walk"}


def test_a_clip_that_slides_is_said_to_slide() -> None:
    still = Clip(np.zeros((60, 55, 3)), np.zeros((60, 3)), FPS)
    feet = still.joints()[:, [7, 8], 1].min()
    trans = np.zeros((60, 3))
    trans[:, 1] = 0.08 - feet  # ankles where they are when the foot stands flat
    trans[:, 2] = 0.2 * np.arange(60) / FPS
    sliding = plausibility(Clip(np.zeros((60, 55, 3)), trans, FPS))
    assert sliding["foot_skate"] == pytest.approx(20, rel=1e-3) and sliding["skate_share"] == 1
    standing = plausibility(Clip(np.zeros((60, 55, 3)), trans * [1, 1, 0], FPS))
    assert standing["foot_skate"] < 1e-6 and standing["jerk"] < 1e-3
    sunk = plausibility(Clip(np.zeros((60, 55, 3)), trans * [1, 1, 0] - [0, 0.03, 0], FPS))
    assert sunk["penetration"] == pytest.approx(3 + standing["penetration"], abs=0.5)
    table = physics_table([sliding, standing], [standing, standing])
    assert table["skate_share"]["generated"]["mean"] == 0.5 and table["skate_share"]["ratio"] is None


def test_tables_leave_out_what_is_not_known() -> None:
    rows = [
        {"action": "walk", "match": 1.0, "R3": 0.5},
        {"action": "walk", "match": 0.0, "R3": None},
        {"action": "run", "match": None, "R3": None},
    ]
    found = tables(rows, "action")
    assert list(found) == ["walk", "run"]
    assert found["walk"]["match"] == 0.5 and found["walk"]["R3"] == 0.5 and found["run"]["match"] is None


# ----------------------------------------------------------------------------- through tokenizers


def sixd(matrix: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.concatenate([matrix[..., 0], matrix[..., 1]], axis=-1)).float()


@given(degrees=st.floats(0, 179))
def test_angles_between_rotations(degrees: float) -> None:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned = sixd(np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]))
    found = reconstruct.rotation_degrees(turned[None], sixd(np.eye(3))[None])
    assert found.item() == pytest.approx(degrees, abs=0.01)


def test_joint_errors_and_drift_by_hand() -> None:
    features = features_from_clip(swaying(450, 0))[0]["lower_trans"]
    target = torch.from_numpy(features)
    decoded = target.clone()
    decoded[:, 2] += 0.03  # 3 cm/s too fast: 30 cm in ten seconds
    assert reconstruct.drifts(decoded, target) == [pytest.approx(30, rel=0.02)]
    assert reconstruct.drifts(decoded[:200], target[:200]) == [pytest.approx(20, rel=0.02)]
    assert reconstruct.drifts(decoded[:100], target[:100]) == []
    upper = PARTS["upper"]
    straight = sixd(np.broadcast_to(np.eye(3), (len(upper), 3, 3))).reshape(-1)
    assert reconstruct.joint_errors(straight, straight, upper).max() == 0
    bent = straight.clone()
    elbow = upper.index(18)
    bent[6 * elbow : 6 * elbow + 6] = sixd(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]))
    errors = reconstruct.joint_errors(bent, straight, upper)
    assert errors.shape == (len(upper),)
    assert np.flatnonzero(errors.numpy() > 1e-6).tolist() == [upper.index(20)]  # the wrist behind it moves


# -------------------------------------------------------------------------------------- the whole


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 36 validation and 20 training segments, a pack and an alignment model."""
    folder = tmp_path_factory.mktemp("evaluate")
    items = []
    for i in range(56):
        split = "val" if i < 36 else "train"
        path = f"clips/made/c{i}.npz"
        (folder / "store" / path).parent.mkdir(parents=True, exist_ok=True)
        clip = swaying(36 + i % 5, i % 8)
        write_clip(clip, folder / "store" / path)
        text = f"a person {VERBS[0 if i >= 46 else i % 8]} slowly, number {i}"
        items.append(
            Item(dataset="made" if i % 2 else "other", motion_name=f"c{i}", split=split, path=path, text=[text],
                 end_frame=len(clip), known=["lower_trans", "upper"])
        )  # fmt: skip
    write_index(folder / "store", items)
    make_pack(folder, swaying(64, 0))
    make_alignment(folder / "alignment")
    return folder


@pytest.mark.parametrize("without", ["language", "diffusion"])
def test_without_a_model_the_other_one_still_performs(
    made: Path, without: cases.Without, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = load_pipeline(str(made / "tiny"), "cpu")
    asked = cases.draw_cases([segment("a", "a person walks")], 1, 0)

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError(f"the {without} model was asked")

    whole = cases.perform(pipeline, asked)[0].clips[0]
    engine = pipeline.engine
    with monkeypatch.context() as patch, cases.ablated(pipeline, without):
        for name in ("plan_step", "plan_start") if without == "language" else ("denoise",):
            patch.setattr(engine, name, refuse)
        clip = cases.perform(pipeline, asked)[0].clips[0]
    assert pipeline.engine is engine
    assert len(clip) == len(whole) == 40 and np.isfinite(clip.poses).all()
    assert not np.array_equal(clip.poses, whole.poses)


def test_without_a_choice_among_plans_one_is_written(made: Path) -> None:
    pipeline = load_pipeline(str(made / "tiny"), "cpu")
    sampling = pipeline.config.sampling.model_copy(update={"candidates": 4})
    pipeline.config = config = pipeline.config.model_copy(update={"sampling": sampling})
    with cases.ablated(pipeline, "best_of_n"):
        assert pipeline.config.sampling.candidates == 1
    assert pipeline.config is config


@pytest.mark.slow
def test_the_whole_command(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
    out, page = tmp_path / "metrics.json", tmp_path / "page" / "report.md"
    assert main([
        "evaluate", "--pack", str(made / "tiny"), "--store", str(made / "store"), "--alignment", str(made / "alignment"),
        "--cases", "34", "--replications", "3", "--without", "diffusion", "best_of_n", "--guidance", "1", "3", "--steps", "2",
        "--sliders", "2", "--halves",
        "--out", str(out), "--page", str(page),
    ]) == 0  # fmt: skip
    assert "new captions" in capsys.readouterr().out
    numbers = json.loads(out.read_text())
    assert {"train", "balanced", "val", "reworded"} <= set(numbers)  # what the card has always shown
    assert len(numbers["cases"]["val"]) == 34 and numbers["text"]["val"]["captions"] == 34
    table = numbers["text"]["val"]
    assert set(table["generated"]) >= {
        "R1",
        "R2",
        "R3",
        "R3_recording",
        "R3_action",
        "mm_dist",
        "fid",
        "diversity",
    }
    assert table["captured"]["fid"]["mean"] < table["generated"]["fid"]["mean"]
    assert table["generated"]["R3_action"]["mean"] >= table["generated"]["R3"]["mean"]
    assert "R3" not in numbers["text"]["train"]["generated"]  # 20 captions make no group of 32
    assert set(numbers["tables"]["dataset"]) == {"made", "other"}
    assert set(numbers["tokenizers"]) == {"lower_trans", "upper", "body"}
    assert numbers["variety"]["samples"] == 8 and "walk" in numbers["variety"]["actions"]
    assert set(numbers["ablations"]) == {"diffusion"} and set(numbers["guidance"]) == {"1", "3"}
    assert set(numbers["steps"]) == {"2"} and numbers["steps"]["2"]["text"]["R3"]
    assert numbers["guidance"]["1"]["text"]["R3"] and numbers["physics"]["val"]["jerk"]["ratio"] > 0
    for name in ("told", "sliders", "halves"):  # measured, or said why not
        assert numbers[name] or any("The pack tiny" in said for said in numbers["settings"]["missing"])
    assert any("writes one plan" in said for said in numbers["settings"]["missing"])
    assert len(numbers["targets"]) == 18 and any(row["met"] for row in numbers["targets"])
    lines = headline(numbers)
    assert lines["new captions: R-precision@3 of 32, generated"] == table["generated"]["R3"]["mean"]
    assert all(np.isfinite(value) for value in lines.values())
    text = page.read_text()
    assert (
        "± " in text
        and "guidance.png" in text
        and "2 steps" in text
        and "## Targets" in text
        and "Not measured: " in text
    )
    for name in ("r-precision", "guidance"):
        assert (page.parent / "report-plots" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "new captions" in report(numbers)

    def again(name: str) -> dict[str, object]:
        file = tmp_path / name
        assert main([
            "evaluate", "--pack", str(made / "tiny"), "--store", str(made / "store"), "--cases", "3",
            "--datasets", "made", "--out", str(file), "--page", str(tmp_path / "p.html"),
        ]) == 0  # fmt: skip
        found = json.loads(file.read_text())
        for split in ("train", "balanced", "val", "reworded"):
            found[split].pop("compute_seconds_per_second")
        assert found.pop("speed")["seconds"] > 0
        found["targets"] = [row for row in found["targets"] if "6 s" not in row["name"]]
        return found

    first = again("a.json")
    assert first == again("b.json")
    assert first["text"] == {} and {each["dataset"] for each in first["cases"]["val"]} == {"made"}  # type: ignore[attr-defined, index]
    html = (tmp_path / "p.html").read_text()
    assert "<table>" in html and "No alignment model was given" in html


def test_wrong_arguments_are_one_sentence(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["evaluate", "--pack", str(made / "tiny"), "--store", str(made / "store")]
    for wrong, said in (
        (["--page", "report.pdf"], "report.pdf"),
        (["--cases", "0"], "cases"),
        (["--sliders", "-1"], "sliders"),
        (["--alignment", str(tmp_path)], "alignment"),
        (["--datasets", "nothing"], "store"),
    ):
        assert main([*common, *wrong]) == 2
        error = capsys.readouterr().err
        assert said in error and "Traceback" not in error
