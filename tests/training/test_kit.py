"""KIT-ML in both layouts: unit and reflection found out, rates by time, broken files named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion.fitting.axes import left_is_left, upright
from understudy.backend.motion.skeleton import INDEX
from understudy.training.data import kit_ml
from understudy.training.data.job import Job
from understudy.training.data.raw import Raw

from .makers import humanml3d as walk
from .makers import kit as maker


def jobs_of(root: Path, **options: object) -> dict[str, Job]:
    return {job.name: job for job in kit_ml.jobs(Raw(root, root / "cache"), **options)}  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return maker.make_original(tmp_path_factory.mktemp("original")).parent


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return maker.make_release(tmp_path_factory.mktemp("release")).parent


def bends(job: Job) -> np.ndarray:
    clip = job.convert(job.path, **job.arguments).clip
    return np.degrees(
        np.linalg.norm(clip.poses[:, [INDEX["left_elbow"], INDEX["right_elbow"]]], axis=-1)
    ).mean(axis=0)


def test_the_original_is_reflected_back_scaled_and_resampled_by_time(original: Path) -> None:
    job = jobs_of(original)["00001"]
    clip = job.convert(job.path, **job.arguments).clip
    assert clip.fps == 30 and len(clip) == 299 * 30 // 100 + 1
    assert clip.meta["original_fps"] == 100 and clip.meta["original_frames"] == 300
    assert (clip.meta["unit"], clip.meta["up"], clip.meta["reflected"]) == ("mm", "+y", True)
    assert clip.meta["fit_error_mm"] < 5
    truth = walk.motion(300, 100.0)
    left, right = bends(job)
    assert left < 15 and abs(right - 70) < 10  # the right elbow is the bent one, as the joints' names say
    # It walks as far as the walker did, and turns to the same side.
    way, wanted = (x[-1, [0, 2]] - x[0, [0, 2]] for x in (clip.trans, truth.trans))
    assert np.abs(way - wanted).max() < 0.05


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("header", [True, False])
def test_tables_with_and_without_header_and_numbers(tmp_path: Path, header: bool, numbered: bool) -> None:
    joints = maker.positions(5, 100.0)
    maker.fke(tmp_path / "a_fke.csv", joints, header=header, numbered=numbered)
    assert np.abs(kit_ml.read_fke(tmp_path / "a_fke.csv") - joints).max() < 1e-5


def test_columns_may_stand_in_another_order(tmp_path: Path) -> None:
    joints = maker.positions(4, 100.0)
    maker.fke(tmp_path / "a_fke.csv", joints)
    rows = [line.split(",") for line in (tmp_path / "a_fke.csv").read_text().splitlines()]
    (tmp_path / "a_fke.csv").write_text("\n".join(",".join(row[::-1]) for row in rows))
    assert np.abs(kit_ml.read_fke(tmp_path / "a_fke.csv") - joints).max() < 1e-5


@pytest.mark.parametrize("reflected", [True, False])
@pytest.mark.parametrize("unit", [1.0, 0.1, 0.001, 0.001 / 0.056444])
def test_reflection_and_unit_are_measured(tmp_path: Path, reflected: bool, unit: float) -> None:
    joints = maker.positions(200, 100.0, reflected=reflected) * unit
    maker.original(tmp_path / "kit", "00001", joints, ["walks"])
    job = jobs_of(tmp_path)["00001"]
    clip = job.convert(job.path, **job.arguments).clip
    assert clip.meta["reflected"] is reflected
    left, right = bends(job)
    assert left < 15 and abs(right - 70) < 10
    assert abs(np.median(clip.joints()[:, 0, 1]) - 0.87) < 0.1


def test_the_release_can_be_read_as_its_authors_do(release: Path) -> None:
    ours, theirs = jobs_of(release)["00001"], jobs_of(release, sides="release")["00001"]
    assert bends(ours)[1] > 55 > 20 > bends(ours)[0]
    assert bends(theirs)[0] > 55 > 20 > bends(theirs)[1]


def test_the_release_plays_at_12_and_a_half_frames(release: Path) -> None:
    jobs = jobs_of(release)
    clip = jobs["00010"].convert(jobs["00010"].path, **jobs["00010"].arguments).clip
    assert clip.meta["original_fps"] == 12.5 and len(clip) == int(58 / 12.5 * 30) + 1
    assert jobs["00010"].items[0].split == "test" and jobs["00001"].items[0].split == "train"
    assert "right arm" in jobs["M00001"].items[0].text[0]
    assert np.allclose(bends(jobs["00001"]), bends(jobs["M00001"])[::-1], atol=4)
    assert jobs_of(release, mirrored=False)["M00001"].left_out


def test_captions_and_licence(original: Path) -> None:
    jobs = jobs_of(original)
    item = jobs["00001"].items[0]
    assert item.text == ["A person walks forward", "Someone holds the left arm out"]
    assert not item.commercial and item.dataset == "kit_ml"
    assert jobs["00002"].items[0].text == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("00004", "joints are missing"),
        ("00005", "cut short"),
        ("00006_annotations.json", "no JSON"),
        ("00007", "not finite"),
        ("00008", "1 frame"),
        ("00009", "60 columns|61 columns"),
    ],
)
def test_broken_files_are_named(original: Path, name: str, reason: str) -> None:
    job = jobs_of(original)[name]
    with pytest.raises(BadInput, match=reason):
        job.convert(job.path, **job.arguments)


def test_motion_survives_broken_captions(original: Path) -> None:
    job = jobs_of(original)["00006"]
    assert job.items[0].text == [] and len(job.convert(job.path, **job.arguments).clip) == 90


def test_of_both_layouts_the_faster_one_is_taken(original: Path, tmp_path: Path) -> None:
    folder = maker.make_release(tmp_path)
    maker.original(folder, "00001", maker.positions(100, 100.0), ["walks"])
    jobs = jobs_of(tmp_path)
    assert jobs["00001"].convert is kit_ml.convert_original and jobs["00001"].items[0].split == "train"
    assert "100" in jobs["00001.release"].left_out and not jobs["00010"].left_out


def test_a_root_without_the_set_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        jobs_of(tmp_path)
    assert caught.value.field == "root"


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_up_axis_is_found_and_left_stays_left(axes: tuple[int, int, int], sign: float) -> None:
    clip = walk.motion(20, 20.0)
    names = ["head", *(f"{s}_{j}" for s in ("left", "right") for j in ("hip", "ankle", "foot"))]
    joints = clip.joints()[:, [INDEX[name] for name in names]]
    # A proper rotation to other axes: cyclic, and both other axes turned with the sign.
    moved = joints[..., list(axes)] * (np.array([1, 1, 1]) if sign > 0 else np.array([-1, -1, 1]))
    turned, _ = upright(moved, names)
    assert np.median(turned[:, 0, 1] - turned[:, 2, 1]) > 1.0
    assert left_is_left(turned, names) > 0.9
    assert left_is_left(turned * np.array([-1, 1, 1]), names) < -0.9


@given(st.text(alphabet="0123456789.,-+eE \nnaif_tx", max_size=200))
@settings(max_examples=50)
def test_any_table_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: str) -> None:
    path = tmp_path_factory.mktemp("tables") / "a_fke.csv"
    path.write_text(content)
    with pytest.raises(BadInput) as caught:
        kit_ml.read_fke(path)
    assert "\n" not in caught.value.message
