"""HumanML3D out of AMASS: trims, cuts, mirrors and captions by time; and its own joints to the last digit."""

from __future__ import annotations

import csv
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip, mirror, resample
from understudy.backend.motion.skeleton import INDEX
from understudy.training.data import humanml3d_amass
from understudy.training.data.amass import read_amass
from understudy.training.data.amass_joints import humanml3d_joints, read_body
from understudy.training.data.humanml3d_index import Cut, read_index, seconds_per_nominal
from understudy.training.data.humanml3d_texts import Texts, read_splits
from understudy.training.data.job import Converted, Job
from understudy.training.data.raw import Raw

from .makers import amass as made_amass
from .makers import humanml3d_amass as made

DATA = Path(os.environ.get("UNDERSTUDY_DATA", "/nonexistent"))


def jobs_of(root: Path) -> dict[str, Job]:
    return {job.name: job for job in humanml3d_amass.jobs(Raw(root, root / "cache"))}


def clip_of(job: Job) -> Clip:
    result = job.convert(job.path, **job.arguments)
    assert isinstance(result, Converted)
    return result.clip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    amass = tmp_path / "amass"
    made_amass.write(amass / "CMU/80/80_63_poses.npz", made_amass.smplh(6, 60))
    made_amass.write(amass / "MPI_HDM05/bk/HDM bk_poses.npz", made_amass.smplh(8, 120))
    made_amass.write(amass / "SSM_synced/x/y_poses.npz", made_amass.smplh(6, 59.9999885559082))
    made.write(
        tmp_path / "humanml3d",
        [
            ("CMU/80/80_63", 40, 100, "000004"),
            ("MPI_HDM05/bk/HDM bk", 10, 70, "000005"),
            ("SSM_synced/x/y", 0, 90, "000006"),
            ("humanact12/humanact12/P11G01R02F1812T1847A0402", 0, -1, "000007"),
            ("CMU/80/80_99", 0, 30, "000008"),
            ("CMU/80/80_63", 500, 560, "000009"),
            ("CMU/80/80_63", 0, 30, "000010"),
        ],
        {
            "000004": [
                "a person turns left.#a/DET person/NOUN turn/VERB left/ADV#0.0#0.0",
                "someone waves#someone/PRON wave/VERB#1.0#2.0",
                "a man turns left#a/DET man/NOUN#nan#nan",
            ],
            "M000004": ["a person turns right.#a/DET person/NOUN turn/VERB right/ADV#0.0#0.0"],
            "000005": ["a left turn#a/DET left/ADJ turn/NOUN#0.0#0.0"],
            "000006": ["he walks#he/PRON walk/VERB#1.0#3.0"],
        },
        {
            "train": ["000004", "M000004", "000005", "M000005", "000006"],
            "val": ["M000006"],
            "test": ["000009"],
        },
    )
    return tmp_path


def truth(first: float, count: int) -> Clip:
    poses, pelvis = made_amass.motion(first + np.arange(count) / 30)
    return Clip(poses=poses, trans=pelvis - made_amass.SMPLX_J0, fps=30.0)


def same_motion(clip: Clip, expected: Clip) -> None:
    ours, theirs = clip.joints(), expected.joints()
    shift = theirs[0, 0] - ours[0, 0]
    np.testing.assert_allclose(shift[[0, 2]], 0, atol=5e-3)
    np.testing.assert_allclose(ours + shift, theirs, atol=3e-3)


def test_a_cut_lies_at_its_seconds(root: Path) -> None:
    clip = clip_of(jobs_of(root)["000004"])
    same_motion(clip, truth(2.0, 90))
    assert (clip.meta["first_frame"], clip.meta["humanml3d_step"], clip.meta["original_fps"]) == (120, 3, 60)


def test_the_head_of_some_subsets_is_trimmed_first(root: Path) -> None:
    clip = clip_of(jobs_of(root)["000005"])
    assert len(clip) == 90
    same_motion(clip, truth(3.5, 90))


def test_a_rate_that_20_does_not_divide_is_taken_by_time(root: Path) -> None:
    """SSM: HumanML3D kept every second frame of 60, so its 90 frames are 3 s, and its second 1 is at 0.67 s."""
    jobs = jobs_of(root)
    clip = clip_of(jobs["000006"])
    assert len(clip) == pytest.approx(90, abs=1)
    same_motion(clip, truth(0.0, len(clip)))
    (item,) = jobs["000006"].items
    assert (item.start, item.end) == (pytest.approx(2 / 3, abs=1e-6), pytest.approx(2.0, abs=1e-6))


def test_captions_spans_and_names(root: Path) -> None:
    jobs = jobs_of(root)
    whole, part = jobs["000004"].items
    assert whole.motion_name == "humanml3d--000004--0" and part.motion_name == "humanml3d--000004--1"
    assert whole.text == ["a person turns left", "a man turns left"] and (whole.start, whole.end) == (
        0.0,
        None,
    )
    assert (part.text, part.start, part.end) == (["someone waves"], 1.0, 2.0)
    assert whole.tokens[0].endswith("left/ADV")
    assert not whole.commercial and "HumanML3D" in whole.source and "CMU" in whole.source
    assert jobs["M000006"].items[0].split == "val" and jobs["000006"].items[0].split == "train"


def test_the_mirror_image_has_its_own_texts(root: Path) -> None:
    jobs = jobs_of(root)
    assert jobs["M000004"].items[0].text == ["a person turns right"]
    assert jobs["M000005"].items[0].text == ["a right turn"]  # no text file: the original's, mirrored
    assert jobs["M000005"].items[0].tokens == ["a/DET right/ADJ turn/NOUN"]
    plain, mirrored = clip_of(jobs["000004"]), clip_of(jobs["M000004"])
    np.testing.assert_allclose(mirror(mirrored).joints(), plain.joints(), atol=1e-9)
    left, right = INDEX["left_wrist"], INDEX["right_wrist"]
    ours, theirs = plain.joints(), mirrored.joints()
    np.testing.assert_allclose(theirs[:, right], ours[:, left] * [-1, 1, 1], atol=1e-9)


def test_what_is_not_to_be_had_is_named(root: Path) -> None:
    jobs = jobs_of(root)
    assert set(jobs) == {f"{m}00000{k}" for k in range(4, 10) for m in ("", "M")} | {"000010", "M000010"}
    for name, reason in (
        ("000007", "HumanAct12"), ("M000007", "HumanAct12"), ("000008", "CMU/80/80_99 is not among"),
        ("000009", r"frames 500 to 560 at 20 fps, but CMU/80/80_63 has 120"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=reason):
            clip_of(jobs[name])
    assert jobs["000010"].left_out and jobs["M000009"].left_out and not jobs["000009"].left_out


def test_the_smplx_release_gives_the_same_clip(root: Path) -> None:
    """The files say 120 fps; believing them would cut another stretch at double speed."""
    before = clip_of(jobs_of(root)["000004"])
    (root / "amass/CMU/80/80_63_poses.npz").unlink()
    made_amass.write(root / "amass/CMU/80/80_63_stageii.npz", made_amass.smplx(6, 60))
    after = clip_of(jobs_of(root)["000004"])
    assert after.meta["original_fps"] == 60
    np.testing.assert_allclose(after.joints(), before.joints(), atol=5e-3)


def test_a_short_end_is_clamped(root: Path) -> None:
    cut = Cut("1", "CMU/1/1", 0, 100, 200)
    assert cut.frames(60.0, 450) == (300, 450, 3)
    assert Cut("1", "x/y", 0, 0, -1).frames(15.0, 40) == (0, 40, 1)


@pytest.mark.parametrize(
    ("fps", "step"), [(60, 3), (100, 5), (120, 6), (59.9999885559082, 2), (150, 7), (250, 12)]
)
def test_steps_are_humanml3ds(fps: float, step: int) -> None:
    assert Cut("1", "x/y", 0, 0, 10).frames(fps, 1000) == (0, 10 * step, step)
    assert seconds_per_nominal(fps) == pytest.approx(20 * step / fps)


def test_texts_come_from_archives_too(root: Path) -> None:
    inner = root / "humanml3d/HumanML3D"
    unpacked = jobs_of(root)["000004"].items
    with zipfile.ZipFile(inner / "texts.zip", "w") as archive:
        for path in (inner / "texts").iterdir():
            archive.write(path, f"texts/{path.name}")
    for path in (inner / "texts").iterdir():
        path.unlink()
    (inner / "texts").rmdir()
    assert jobs_of(root)["000004"].items == unpacked
    (inner / "texts.zip").write_bytes(b"PK\x03\x04 damaged")
    with pytest.raises(BadInput, match=r"texts\.zip cannot be read"):
        Texts(inner)


def test_broken_side_files_do_not_stop_it(root: Path) -> None:
    home = root / "humanml3d"
    with (home / "index.csv").open("ab") as file:
        file.write(b"./pose_data/CMU/1/2_poses.npy,many,3,000011.npy\n\xff\xfe\n./x,5,2,000012.npy\n")
    (home / "HumanML3D/texts/000004.txt").write_bytes(b"caf\xe9 walk#a/DET#0.0#0.0\nno caption\n#####\n")
    jobs = jobs_of(root)
    assert sum(name.startswith("index.csv.") for name in jobs) == 3
    with pytest.raises(BadInput, match=r"Line \d+ of index.csv"):
        jobs["index.csv.0"].convert(jobs["index.csv.0"].path, **jobs["index.csv.0"].arguments)
    assert len(jobs["000004"].items) == 1 and jobs["000004"].items[0].text[0].endswith("walk")
    (home / "index.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadInput, match="columns"):
        jobs_of(root)


# ------------------------------------------------------------------------------------- HumanML3D's joints


def test_joints_are_thinned_and_turned_as_humanml3d_does(root: Path, tmp_path: Path) -> None:
    made_amass.write_bodies(tmp_path / "smplh")
    path = root / "amass/MPI_HDM05/bk/HDM bk_poses.npz"
    cut = Cut("000005", "HDM05/bk/HDM_bk", 60, 10, 70)
    joints = humanml3d_joints(path, tmp_path / "smplh", cut=cut)
    assert joints.shape == (60, 22, 3)
    # The same by another way: our reader, whole frames 420, 426..., on the subject's own bones.
    clip, _ = read_amass(path)
    body = read_body(tmp_path / "smplh/male/model.npz")
    offsets = body.offsets(np.array(clip.meta["betas_smplh"]))
    from understudy.backend.motion.kinematics import forward_kinematics

    picked = clip.slice(420, 780)
    pelvis = picked.joints()[:, 0]
    theirs, _ = forward_kinematics(picked.poses[::6, :22], pelvis[::6] - offsets[0], offsets)
    half_turn = joints * np.array([-1.0, 1.0, -1.0])
    shift = theirs[0, 0] - half_turn[0, 0]
    assert np.abs(shift).max() < 0.3  # the rest pelvis of another body
    np.testing.assert_allclose(half_turn + shift, theirs, atol=1e-9)
    # The up axis and the sides are kept.
    assert (joints[:, 15, 1] - joints[:, 0, 1]).min() > 0.4
    across, forward = joints[0, 16] - joints[0, 17], joints[0, 10] - joints[0, 7]
    assert np.cross([0, 1, 0], forward) @ across > 0
    mirrored = humanml3d_joints(path, tmp_path / "smplh", cut=cut, mirrored=True)
    np.testing.assert_allclose(mirrored[:, 20], joints[:, 21] * [-1, 1, 1])
    np.testing.assert_allclose(mirrored[:, 0], joints[:, 0] * [-1, 1, 1])


def test_a_gender_in_bytes_is_female_to_humanml3d(tmp_path: Path) -> None:
    made_amass.write_bodies(tmp_path / "smplh")
    written = {
        kind: made_amass.write(tmp_path / f"{k}_poses.npz", made_amass.smplh(1, 60, gender=kind))
        for k, kind in enumerate(("female", "male", b"male"))
    }
    joints = {kind: humanml3d_joints(path, tmp_path / "smplh") for kind, path in written.items()}
    np.testing.assert_array_equal(joints[b"male"], joints["female"])
    assert np.abs(joints["male"] - joints["female"]).max() > 0.01
    read = humanml3d_joints(written[b"male"], tmp_path / "smplh", bytes_gender_is_female=False)
    np.testing.assert_array_equal(read, joints["male"])


def test_no_body_model_is_named(tmp_path: Path) -> None:
    path = made_amass.write(tmp_path / "1_poses.npz", made_amass.smplh(1, 60))
    with pytest.raises(BadInput, match="does not exist"):
        humanml3d_joints(path, tmp_path)
    made_amass.write(tmp_path / "male/model.npz", {"v_template": np.zeros((5, 3))})
    with pytest.raises(BadInput, match="no body model"):
        humanml3d_joints(path, tmp_path)


# ------------------------------------------------------------------------------------- the published index


@pytest.mark.skipif(not (DATA / "humanml3d/index.csv").is_file(), reason="UNDERSTUDY_DATA has no HumanML3D")
def test_the_published_cuts_of_cmu() -> None:
    cuts, faults = read_index(DATA / "humanml3d/index.csv")
    assert len(cuts) == 14616 and not faults
    assert sum(cut.is_humanact12 for cut in cuts) == 1191
    assert all((cut.end == -1) == cut.is_humanact12 for cut in cuts)
    assert all(0 <= cut.end - cut.start <= 200 for cut in cuts if not cut.is_humanact12)
    by_clip = {cut.clip: cut for cut in cuts}
    splits = read_splits(DATA / "humanml3d")
    with (DATA / "humanml3d/cmu_clips.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 253
    for row in rows:
        cut = by_clip[row["clip_id"]]
        assert cut.source.split("/")[-1] == row["trial"] and cut.source.startswith("CMU/")
        assert (cut.trim, cut.start, cut.end) == (0, int(row["start_frame"]), int(row["end_frame"]))
        assert splits[cut.clip] == row["split"]
    assert {name for name in by_clip if name not in splits} == {"009707", "011059"}


@pytest.mark.skipif(not (DATA / "humanml3d/index.csv").is_file(), reason="UNDERSTUDY_DATA has no HumanML3D")
def test_published_texts_are_read_from_their_archive() -> None:
    texts = Texts(DATA / "humanml3d")
    captions = humanml3d_amass.captions_of("002510", texts)
    assert len(captions) == 3 and captions[0].text.startswith("a person jumped forward three times")
    assert texts.get("no such id") == ""


def test_the_floor_is_the_whole_sequences(root: Path) -> None:
    clip = clip_of(jobs_of(root)["000004"])
    whole = resample(read_amass(root / "amass/CMU/80/80_63_poses.npz")[0], 30.0)
    raised = whole.joints()[60, 0, 1] - clip.joints()[0, 0, 1]
    assert raised == pytest.approx(clip.meta["floor"], abs=2e-4)
