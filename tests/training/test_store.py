"""The store: real cuts in, clips and index out; resumable, parallel, and not stopped by a broken file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.errors import BadInput
from understudy.backend.motion import npz
from understudy.training import cli
from understudy.training.data.item import Item
from understudy.training.data.prepare import prepare
from understudy.training.data.sets import OPEN, jobs_of
from understudy.training.data.store import read_index, read_item

RAW = Path(__file__).parents[1] / "data" / "raw"
CLIPS = {
    "cmu/02_03", "cmu/11_01", "cmu/131_01", "cc0/base_Walk_Loop", "cc0/base_Punch_Jab", "cc0/addon_Head_Nod",
    "deepmimic/walk", "jump_cmu/88_06",
}  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store")
    captured = [name for name in OPEN if name != "authored"]  # which needs no files, and has tests of its own
    assert cli.main(["prepare", *captured, "--root", str(RAW), "--store", str(path), "--workers", "2"]) == 0
    return path


def test_clips_index_and_report(store: Path) -> None:
    made = {
        p.relative_to(store / "clips").with_suffix("").as_posix() for p in (store / "clips").rglob("*.npz")
    }
    assert made == CLIPS
    items = read_index(store)
    assert {item.path.removeprefix("clips/").removesuffix(".npz") for item in items} == CLIPS
    report = json.loads((store / "report.json").read_text())
    assert report["cmu"]["read"] == 3 + report["cmu"]["left_out_count"] and report["cmu"]["skipped"] == {}
    assert report["cmu"]["hours"] == pytest.approx((23 + 15 + 10) / 30 / 3600, abs=1e-4)
    assert sum(part["captions"] for part in report.values()) == sum(len(item.text) for item in items)
    low, middle, high = report["cmu"]["contact_sole_cm_p5_p50_p95_median_of_clips"]
    assert -2 < low <= middle <= high < 3


def test_a_clip_file_is_whole(store: Path) -> None:
    clip = npz.read_clip(store / "clips/cmu/02_03.npz")
    assert clip.fps == 30 and len(clip) == 23
    assert clip.contacts is not None and clip.contacts.any()
    assert not clip.known["hands"] and clip.known["upper"]
    assert "mocap.cs.cmu.edu" in clip.meta["source"] and "resale" in clip.meta["licence"]
    assert npz.read_clip(store / "clips/cc0/base_Punch_Jab.npz").known["hands"]


def test_humanml3d_cuts_lie_at_their_seconds(store: Path) -> None:
    rows = {(item.dataset, item.motion_name): item for item in read_index(store)}
    whole = rows["cmu", "02_03"]
    assert (whole.kind, whole.start_frame, whole.end_frame) == ("whole", 0, 23)
    assert whole.text == ["run or jog"]
    cut = rows["cmu", "002586"]  # 0 to 29 at 20 fps; the cut file ends earlier
    assert len(cut.text) == 3 and len(cut.tokens) == 3 and cut.tokens[0].split()[0] == "a/DET"
    assert (cut.start_frame, cut.end_frame, cut.fps) == (0, 23, 30.0)
    assert cut.split == "train" and cut.trial == "02_03" and set(cut.known) == {"lower_trans", "upper"}
    assert len(read_item(store, cut)) == cut.end_frame - cut.start_frame
    assert rows["cmu", "131_01"].text[0] == "a person starts to walk and stops"


def test_the_walk_on_the_spot_travels(store: Path) -> None:
    clip = npz.read_clip(store / "clips/cc0/base_Walk_Loop.npz")
    speed = np.linalg.norm((clip.trans[-1] - clip.trans[0])[[0, 2]]) / (clip.seconds - 1 / 30)
    assert 0.5 < speed < 2.5


def test_a_second_run_keeps_what_is_there_and_other_sets(store: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(store, copy)
    victim = copy / "clips/cmu/11_01.npz"
    victim.write_bytes(victim.read_bytes()[:500])  # an interrupted disk
    before = (copy / "clips/cmu/02_03.npz").stat().st_mtime_ns
    report = prepare("cmu", jobs_of("cmu", RAW, copy), copy)
    assert (report["made"], report["kept"]) == (1, 2)
    assert (copy / "clips/cmu/02_03.npz").stat().st_mtime_ns == before
    assert victim.read_bytes() == (store / "clips/cmu/11_01.npz").read_bytes()
    assert read_index(copy) == read_index(store)
    assert not list(copy.rglob(".*"))


def test_a_broken_file_is_skipped_counted_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "raw"
    shutil.copytree(RAW, root)
    broken = root / "cmu/bvh_mb/02/02_03.bvh"
    broken.write_text(broken.read_text()[:9000])
    (root / "cmu/bvh_other/131/131_01.bvh").unlink()
    assert (
        cli.main(["prepare", "cmu", "--root", str(root), "--store", str(tmp_path / "s"), "--workers", "1"])
        == 0
    )
    report = json.loads((tmp_path / "s/report.json").read_text())["cmu"]
    assert report["made"] == 1 and set(report["skipped"]) == {"02_03", "131_01"}
    assert "02_03.bvh" in report["skipped"]["02_03"] and "Traceback" not in json.dumps(report)
    assert {item.trial for item in read_index(tmp_path / "s")} == {"11_01"}
    assert "skipped 131_01" in capsys.readouterr().out


def test_bad_calls_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "nowhere")
    assert cli.main(["prepare", "cmu", "--root", missing, "--store", str(tmp_path / "s")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "empty").mkdir()
    assert (
        cli.main(["prepare", "cmu", "--root", str(tmp_path / "empty"), "--store", str(tmp_path / "s")]) == 2
    )
    assert "is missing" in capsys.readouterr().err
    file = tmp_path / "file"
    file.write_text("")
    assert cli.main(["prepare", "cmu", "--root", str(RAW), "--store", str(file / "s")]) == 2
    assert "store" in capsys.readouterr().err
    with pytest.raises(BadInput, match=r"index\.parquet"):
        read_index(tmp_path)
    with pytest.raises(SystemExit) as usage:
        cli.main(["prepare", "nonsense", "--root", str(RAW), "--store", missing])
    assert usage.value.code == 2


def test_all_files_broken_is_a_failed_job(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    shutil.copytree(RAW, root)
    for path in (root / "deepmimic/deepmimic").iterdir():
        path.write_text("{}")
    assert (
        cli.main(
            ["prepare", "deepmimic", "--root", str(root), "--store", str(tmp_path / "s"), "--workers", "1"]
        )
        == 1
    )


def test_preview_draws_and_measures(store: Path, tmp_path: Path) -> None:
    from PIL import Image

    arguments = ["preview", "--store", str(store), "--root", str(RAW), "--out", str(tmp_path / "out")]
    assert cli.main([*arguments, "--clips", "cmu/02_03", "cc0/base_Punch_Jab"]) == 0
    picture = np.asarray(Image.open(tmp_path / "out/sheet01.png").convert("RGB")).astype(int)
    red, blue = picture[..., 0] - picture[..., 2] > 100, picture[..., 2] - picture[..., 0] > 100
    assert red.sum() > 1000 and blue.sum() > 1000
    checks = json.loads((tmp_path / "out/checks.json").read_text())
    assert checks["cmu/02_03"]["worst_bone_degrees_p99"] < 2
    assert cli.main([*arguments, "--clips", "cmu/99_99"]) == 2


def test_items_know_their_place() -> None:
    item = Item(dataset="x", motion_name="a", start=1.0, end=3.0)
    placed = item.placed(75, 30.0, "clips/x/a.npz", ["upper"])
    assert placed is not None and (placed.start_frame, placed.end_frame) == (30, 75)  # clamped to the clip
    assert item.placed(31, 30.0, "p", []) is None  # nothing of it is there
    with pytest.raises(ValueError, match="tokens"):
        Item(dataset="x", motion_name="a", text=["a", "b"], tokens=["a/DET"])
