"""Features of a whole store: the published folder, resumed, in parts, with every clip accounted for."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.errors import BadInput
from understudy.backend.motion import clip as clips
from understudy.backend.motion import npz
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.fitting.layouts import HUMANML3D, KIT, WHOLEBODY
from understudy.backend.motion.fitting.recover import recover_from_ric
from understudy.backend.motion.skeleton import J0
from understudy.training import cli
from understudy.training.data.item import Item
from understudy.training.data.parquet import TableWriter
from understudy.training.features.export import export_folder, export_store
from understudy.training.features.extract import extract
from understudy.training.features.skeletons import joints_for
from understudy.training.features.statistics import Moments, mean_and_std, of_files
from understudy.training.features.tasks import Settings, identity_of
from understudy.training.features.unified import read_unified

PLAIN = Settings("humanml3d", HUMANML3D, HUMANML3D.contact_threshold)
UNIFIED = Settings("unified", WHOLEBODY, WHOLEBODY.contact_threshold)


def _clip(seed: int, frames: int = 45) -> Clip:
    rng = np.random.default_rng(seed)
    seconds = np.arange(frames)[:, None, None] / 30
    poses = 0.2 * rng.normal(size=(1, 55, 3)) * np.sin(3 * seconds + rng.uniform(0, 6, (1, 55, 3)))
    trans = np.concatenate([seconds[:, 0] * 0.5, np.ones((frames, 1)), seconds[:, 0]], axis=1) - J0
    known = {"lower_trans": True, "upper": True, "hands": seed % 2 == 0, "face": False}
    return Clip(poses=poses, trans=trans, fps=30.0, known=known)


def _item(number: int, **changes: object) -> Item:
    clip = f"clips/set/clip{number // 2}.npz"
    start = 5 * (number % 2)
    known = ["lower_trans", "upper", *(["hands"] if number // 2 % 2 == 0 else [])]
    item = Item(
        dataset="set", motion_name=f"{number:03d}", split=("train", "val", "test")[number % 3], path=clip,
        text=["a person turns left # slowly"], tokens=["a/DET person/NOUN turn/VERB left/ADV"] if number % 2 else [],
        start_frame=start, end_frame=start + 40, known=known,
    )  # fmt: skip
    return item.model_copy(update=changes)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    (folder / "clips" / "set").mkdir(parents=True)
    for number in range(4):
        npz.write_clip(_clip(number), folder / "clips" / "set" / f"clip{number}.npz")
    with TableWriter(folder / "index.parquet", Item) as table:
        table.add([_item(number) for number in range(8)])
    return folder


def _command(*words: object) -> int:
    return cli.main(["features", *(str(word) for word in words)])


def _tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "parts" not in path.parts and path.name != "report.json"
    }


def test_the_published_layout(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert _command("humanml3d", "--store", store, "--out", out, "--workers", 1) == 0
    names = [f"set--{number:03d}" for number in range(8)]
    assert (out / "all.txt").read_text().split() == names
    assert (out / "train.txt").read_text().split() == names[0::3]
    assert (out / "train_val.txt").read_text().split() == [n for i, n in enumerate(names) if i % 3 < 2]
    rows = [np.load(out / "new_joint_vecs" / f"{name}.npy") for name in names]
    joints = np.load(out / "new_joints" / f"{names[3]}.npy")
    clip = clips.resample(_clip(1).slice(5, 45), 20.0)
    np.testing.assert_allclose(rows[3], extract(joints_for(clip, HUMANML3D), HUMANML3D), atol=2e-5)
    np.testing.assert_array_equal(joints, recover_from_ric(rows[3], HUMANML3D))
    assert rows[3].shape == (26, 263) and rows[3].dtype == joints.dtype == np.float32
    every = np.concatenate(rows).astype(np.float64)
    np.testing.assert_allclose(np.load(out / "Mean.npy"), every.mean(0), atol=1e-6)
    std = np.load(out / "Std.npy")
    np.testing.assert_allclose(std[4:67], every.std(0)[4:67].mean(), rtol=1e-5)
    assert (out / "texts" / f"{names[1]}.txt").read_text() == (
        "a person turns left slowly#a/DET person/NOUN turn/VERB left/ADV#0.0#0.0\n"
    )
    assert (
        "#a/OTHER person/OTHER turns/OTHER left/OTHER slowly/OTHER#"
        in (out / f"texts/{names[0]}.txt").read_text()
    )
    report = json.loads((out / "report.json").read_text())
    assert report["made"] == 8 and report["frames"] == len(every) and report["skipped"] == {}


@pytest.mark.parametrize(
    ("layout", "kind"), [(HUMANML3D, "humanml3d"), (KIT, "kit"), (WHOLEBODY, "wholebody")]
)
def test_resampling_keeps_the_duration(store: Path, tmp_path: Path, layout: object, kind: str) -> None:
    fps = {"humanml3d": 20.0, "kit": 12.5, "wholebody": 30.0}[kind]
    out = tmp_path / "out"
    assert _command(kind, "--store", store, "--out", out, "--workers", 1) == 0
    frames = len(np.load(out / "new_joint_vecs" / "set--000.npy"))
    assert abs(frames / fps - 39 / 30) <= 1 / fps


def test_workers_and_parts_give_the_same(store: Path, tmp_path: Path) -> None:
    assert _command("humanml3d", "--store", store, "--out", tmp_path / "one", "--workers", 1, "--mirror") == 0
    assert _command("humanml3d", "--store", store, "--out", tmp_path / "two", "--workers", 2, "--mirror") == 0
    assert _tree(tmp_path / "one") == _tree(tmp_path / "two")
    for part in (2, 0, 1):
        words = ["--period", 3, "--part", part, "--workers", 1, "--mirror"]
        assert _command("humanml3d", "--store", store, "--out", tmp_path / "three", *words) == 0
    one, parts = _tree(tmp_path / "one"), _tree(tmp_path / "three")
    assert one.keys() == parts.keys()
    for name in one:
        if name in ("Mean.npy", "Std.npy"):
            ours, theirs = (np.load(tmp_path / folder / name) for folder in ("one", "three"))
            np.testing.assert_allclose(ours, theirs, atol=1e-6)
        elif name.endswith(".txt") and "/" not in name:
            assert sorted(one[name].split()) == sorted(parts[name].split()), name
        else:
            assert one[name] == parts[name], name


def test_mirrored_clips(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert _command("humanml3d", "--store", store, "--out", out, "--workers", 1, "--mirror") == 0
    assert len((out / "all.txt").read_text().split()) == 16
    assert (out / "texts" / "Mset--001.txt").read_text() == (
        "a person turns right slowly#a/DET person/NOUN turn/VERB right/ADV#0.0#0.0\n"
    )
    mean = np.load(out / "Mean.npy")
    assert abs(mean[0]) < 1e-4  # as many turns to the left as to the right
    assert not np.array_equal(
        np.load(out / "new_joints/set--000.npy"), np.load(out / "new_joints/Mset--000.npy")
    )


def test_a_run_that_was_ended_goes_on(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    class Ended(Exception):
        pass

    def stop(done: int, name: str) -> None:
        raise Ended

    with pytest.raises(Ended):
        export_store(store, out, PLAIN, progress=stop)
    assert not (out / "Mean.npy").exists()
    made = sorted((out / "new_joint_vecs").glob("*.npy"))
    assert made and not [path for path in out.rglob(".*") if path.is_file()]
    made[0].unlink()
    (out / "new_joint_vecs" / made[1].name).write_bytes(b"half a file")
    report = export_store(store, out, PLAIN)
    assert (report["made"], report["kept"]) == (2, 6)
    again = export_store(store, out, PLAIN)
    assert (again["made"], again["kept"]) == (0, 8) and again["frames"] == report["frames"]
    whole = export_store(store, tmp_path / "whole", PLAIN)
    assert whole["frames"] == report["frames"] and _tree(out) == _tree(tmp_path / "whole")


def test_what_changed_is_made_again_and_other_settings_are_refused(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_store(store, out, PLAIN)
    clip = store / "clips" / "set" / "clip1.npz"
    later = (out / "Mean.npy").stat().st_mtime_ns + 10**9
    os.utime(clip, ns=(later, later))
    report = export_store(store, out, PLAIN)
    assert (report["made"], report["kept"]) == (2, 6)
    with pytest.raises(BadInput, match="other settings"):
        export_store(store, out, replace(PLAIN, contact_threshold=0.1))
    with pytest.raises(BadInput, match="other settings"):
        export_store(store, out, UNIFIED)


def test_every_clip_that_is_left_out_is_named(store: Path, tmp_path: Path) -> None:
    (store / "clips" / "set" / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    items = [
        _item(0),
        _item(1, motion_name="missing", path="clips/set/gone.npz"),
        _item(2, motion_name="broken", path="clips/set/broken.npz"),
        _item(3, motion_name="long", start_frame=0, end_frame=999),
        _item(4, motion_name="short", start_frame=3, end_frame=4),
        _item(5, motion_name="a/b c", path="../outside.npz"),
    ]
    report = export_store(store, tmp_path / "out", PLAIN, items=lambda: items)
    assert report["made"] + report["kept"] == 1 and report["skipped_count"] == 5
    why = report["skipped"]
    assert "missing" in why["set--missing"] and "45" in why["set--long"] and "set--short" in why
    assert "broken.npz" in why["set--broken"] and "missing" in why[identity_of("set", "a/b c")]
    assert (tmp_path / "out" / "all.txt").read_text() == "set--000\n"


def test_nothing_usable_is_a_failure(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(store / "clips")
    assert _command("humanml3d", "--store", store, "--out", tmp_path / "out", "--workers", 1) == 1
    captured = capsys.readouterr()
    assert "not one clip" in captured.err and "The clip clip0.npz is missing." in captured.out


def test_clips_without_fingers_can_be_left_out(store: Path, tmp_path: Path) -> None:
    words = ["--known-hands", "--workers", 1, "--datasets", "set"]
    assert _command("wholebody", "--store", store, "--out", tmp_path / "out", *words) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["made"] == 4 and set(report["skipped"].values()) == {"Its source has no fingers."}
    assert np.load(tmp_path / "out" / "Mean.npy").shape == (623,)


def test_names_are_safe_and_stay_apart() -> None:
    assert identity_of("inter", "inter--G001--0") == "inter--G001--0"
    assert identity_of("a", "x/y") != identity_of("a", "x_y")
    assert "/" not in identity_of("a", "../../x") and identity_of("a", "x y").isascii()


def test_a_folder_of_joints(tmp_path: Path) -> None:
    """What whoever holds HumanML3D's intermediate ``joints`` folder runs."""
    joints = tmp_path / "joints"
    joints.mkdir()
    for number in range(3):
        np.save(joints / f"{number:06d}.npy", _clip(number).joints())
    np.save(joints / "000003.npy", np.full((9, 22, 3), np.nan))
    (joints / "notes.txt").write_text("no joints")
    out = tmp_path / "out"
    assert _command("humanml3d", "--joints", joints, "--out", out, "--workers", 1) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["made"] == 3 and "no numbers" in report["skipped"]["000003"]
    assert (out / "all.txt").read_text().split() == ["000000", "000001", "000002"]
    np.testing.assert_array_equal(
        np.load(out / "new_joint_vecs/000001.npy"), extract(_clip(1).joints()[:, :22], HUMANML3D)
    )
    assert export_folder(joints, out, PLAIN)["kept"] == 3


def test_rows_are_taken_as_they_come(store: Path, tmp_path: Path) -> None:
    """No list of all rows is made: what is ahead stays within a few chunks."""
    taken = ended = 0

    def items() -> Iterator[Item]:
        nonlocal taken
        for number in range(80):
            taken += 1
            yield _item(number % 8, motion_name=str(number))

    def progress(done: int, name: str) -> None:
        nonlocal ended
        ended = max(ended, taken - done)

    report = export_store(store, tmp_path / "out", PLAIN, items=items, progress=progress)
    assert report["made"] == 80 and ended <= 16


# ----- statistics -------------------------------------------------------------------------------------


def test_moments_equal_numpy_however_they_are_added() -> None:
    rng = np.random.default_rng(0)
    pieces = [rng.normal(1e4, 1e-2, size=(n, 7)) for n in (1, 0, 40, 3, 900)]
    every = np.concatenate(pieces)
    one, first, second = Moments(), Moments(), Moments()
    for number, piece in enumerate(pieces):
        one.add(piece)
        (first if number % 2 else second).add(piece)
    first.merge(second)
    for moments in (one, first, Moments.of(first.arrays("x:"), "x:")):
        assert moments.count == len(every)
        np.testing.assert_allclose(moments.mean, every.mean(0), rtol=1e-12)
        np.testing.assert_allclose(moments.std(), every.std(0), rtol=1e-6)


def test_groups_share_a_deviation() -> None:
    rng = np.random.default_rng(0)
    moments = Moments()
    rows = rng.normal(size=(50, 623)) * np.arange(1, 624)
    moments.add(rows)
    mean, std = mean_and_std(moments, WHOLEBODY)
    assert [len(np.unique(std[piece])) for piece in WHOLEBODY.slices.values()] == [1] * 7
    np.testing.assert_allclose(mean, rows.mean(0), rtol=1e-5)
    _, biased = mean_and_std(moments, WHOLEBODY, feat_bias=5)
    np.testing.assert_allclose(biased[[0, 1, 3, 620]], std[[0, 1, 3, 620]] / 5, rtol=1e-6)
    np.testing.assert_array_equal(biased[4:619], std[4:619])
    _, solami = mean_and_std(moments, WHOLEBODY, grouping="solami")
    edges = [0, 1, 3, 4, 67, 112, 157, 283, 373, 463, 529, 574, 619, 623]
    assert list(np.flatnonzero(np.diff(solami)) + 1) == edges[1:-1]
    np.testing.assert_allclose(solami[67], rows.std(0)[67:112].mean(), rtol=1e-6)
    with pytest.raises(BadInput, match="one frame"):
        mean_and_std(Moments(), WHOLEBODY)


def test_statistics_command_skips_and_names_bad_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    good = rng.normal(size=(2, 30, 263)).astype(np.float32)
    for number, rows in enumerate(good):
        np.save(tmp_path / f"{number}.npy", rows)
    broken = good[0].copy()
    broken[3, 7] = np.nan
    np.save(tmp_path / "nan.npy", broken)
    np.save(tmp_path / "narrow.npy", good[0][:, :5])
    np.save(tmp_path / "empty.npy", good[0][:0])
    (tmp_path / "text.npy").write_text("no array")
    moments, skipped = of_files(sorted(tmp_path.glob("*.npy")), HUMANML3D)
    assert moments.count == 60 and set(skipped) == {"nan.npy", "narrow.npy", "empty.npy", "text.npy"}
    assert (
        cli.main(
            ["statistics", "--features", str(tmp_path), "--out", str(tmp_path / "out"), "--feat-bias", "5"]
        )
        == 0
    )
    std = np.load(tmp_path / "out" / "Std.npy")
    np.testing.assert_allclose(std[0], np.concatenate(good)[:, 0].std() / 5, rtol=1e-5)
    assert "60 frames, 4 files skipped" in capsys.readouterr().out
    (tmp_path / "list.txt").write_text("1\n")
    assert cli.main(["statistics", "--features", str(tmp_path), "--out", str(tmp_path / "out"), "--list", str(tmp_path / "list.txt")]) == 0  # fmt: skip
    np.testing.assert_allclose(np.load(tmp_path / "out" / "Mean.npy"), good[1].mean(0), atol=1e-6)
    assert cli.main(["statistics", "--features", str(tmp_path / "out"), "--out", str(tmp_path / "x")]) == 2


# ----- unified, as files ------------------------------------------------------------------------------


def test_unified_files_items_and_partners(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    items = [
        _item(0, motion_name="duet--0", actor="Y", next_partner_motion_name="duet--1"),
        _item(2, motion_name="duet--1", actor="N", last_partner_motion_name="duet--0"),
        _item(4, motion_name="alone"),
    ]
    report = export_store(store, out, replace(UNIFIED, mirror=True), items=lambda: iter(items))
    assert report["made"] == 6 and not list((out / "parts").rglob("*.sqlite"))
    entries = json.loads((out / "dataset_items.json").read_text())
    assert set(entries) == {f"{m}set--{n}" for m in ("", "M") for n in ("duet--0", "duet--1", "alone")}
    first = entries["Mset--duet--0"]
    assert first["next_partner_motion_name"] == "Mset--duet--1" and first["text"] == [
        "a person turns right # slowly"
    ]
    assert (out / first["motion_data_path"]).is_file() and first["actor"] == "Y"
    assert entries["set--alone"]["next_partner_motion_name"] is None
    there, back, alone = (
        read_unified(out / f"unified_data/set--{n}.npz") for n in ("duet--0", "duet--1", "alone")
    )
    assert first["end_frame"] == len(there["ske_feature"]) == 39
    assert "ske_relative_pos" in there["transforms"] and "ske_relative_pos" in back["transforms"]
    assert "ske_relative_pos" not in alone["transforms"]
    with np.load(out / "mean_variance.npz", allow_pickle=False) as file:
        assert file["ske_feature/mean"].shape == (623,) and int(file["num"]) == 6 * 39
        assert file["transforms/smplx_relative_cont6d/std"].shape == (6,)
        assert file["smplx_feature/cont6d_local/mean"].shape == (51, 6)
    assert export_store(store, out, replace(UNIFIED, mirror=True), items=lambda: iter(items))["kept"] == 6
