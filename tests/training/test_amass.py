"""AMASS in: both body models, every naming, true frame rates, our world, and bad files by name."""

from __future__ import annotations

import json
import os
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip, resample
from understudy.backend.motion.grounding import foot_heights
from understudy.backend.motion.skeleton import INDEX
from understudy.training.data import amass
from understudy.training.data.amass_files import AmassFiles, name_of_path, sequence_key, sequence_name
from understudy.training.data.amass_fps import Rate, listed_rate, true_rate
from understudy.training.data.job import Converted, Job
from understudy.training.data.raw import Raw

from .makers import amass as made
from .makers import babel as made_babel

DATA = Path(os.environ.get("UNDERSTUDY_DATA", "/nonexistent"))


def jobs_of(root: Path) -> dict[str, Job]:
    return {job.name: job for job in amass.jobs(Raw(root, root / "cache"))}


def clip_of(job: Job) -> Clip:
    result = job.convert(job.path, **job.arguments)
    return result.clip if isinstance(result, Converted) else result


# ------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("CMU/01/01_01_poses.npz", "CMU/01/01_01"),
        ("amass/SMPLX_N/CMU/01/01_01_stageii.npz", "CMU/01/01_01"),
        ("MPI_mosh/50020/salsa 1_poses.npz", "MoSh/50020/salsa_1"),
        ("MoSh/50021/stretch_poses_stageii.npz", "MoSh/50021/stretch_poses"),
        ("MPI_mosh/50021/stretch_poses_poses.npz", "MoSh/50021/stretch_poses"),
        ("BMLrub/BioMotionLab_NTroje/rub055/0020_lift_poses.npz", "BMLrub/rub055/0020_lift"),
        ("DFaust/DFaust_67/50002/50002_hips_poses.npz", "DFaust/50002/50002_hips"),
        ("smplh/NewSet/s1/a b_poses.npz", "NewSet/s1/a_b"),
        ("./pose_data/Eyes_Japan_Dataset/kudo/pose 1-kudo_poses.npy", "pose_data/pose"),
    ],
)
def test_names_of_every_release_meet(path: str, name: str) -> None:
    if name.startswith("pose_data"):
        assert name_of_path(path, skip=("pose_data",)) == "Eyes_Japan_Dataset/kudo/pose_1-kudo"
    else:
        assert sequence_name(PurePosixPath(path)) == name


def test_babels_paths_lose_their_first_folder() -> None:
    assert name_of_path("CMU/CMU/141/141_05_poses.npz") == "CMU/141/141_05"
    assert (
        name_of_path("MPIHDM05/MPI_HDM05/bk/HDM_bk_01-01_01_120_poses.npz") == "HDM05/bk/HDM_bk_01-01_01_120"
    )
    assert sequence_key("ACCAD/x/B15 -  Walk") == sequence_key("ACCAD/x/B15_-__walk")


def test_vposers_splits() -> None:
    assert [amass.split_of(s) for s in ("HDM05", "MoSh", "SFU", "HumanEva")] == ["val"] * 4
    assert [amass.split_of(s) for s in ("Transitions", "SSM")] == ["test"] * 2
    assert [amass.split_of(s) for s in ("CMU", "ACCAD", "BMLrub", "GRAB")] == ["train"] * 4


# ------------------------------------------------------------------------------------- frame rates


def test_the_listing_knows_mixed_subsets() -> None:
    assert listed_rate("CMU/80/80_63") == Rate(60.0, "listing")
    assert listed_rate("CMU/84/84_09") == Rate(120.0, "listing")
    assert listed_rate("CMU/84/84_08") == Rate(60.0, "listing")
    assert listed_rate("KIT/3/kick_high_left02") == Rate(100.0, "listing")
    assert listed_rate("TCDHands/ExperimentDatabase/Flute05_A") == Rate(150.0, "listing")
    assert listed_rate("TCDHands/ExperimentDatabase/writing001_2") == Rate(120.0, "listing")
    assert listed_rate("MoSh/50020/salsa_1") == Rate(100.0, "listing")
    ssm = listed_rate("SSM/20160330_03333/shoulders")
    assert ssm is not None and ssm.fps == pytest.approx(59.99998856, abs=1e-6)
    assert listed_rate("CMU/999/999_01") == Rate(120.0, "most of the subset")
    assert listed_rate("GRAB/s1/airplane_fly_1") is None


@pytest.mark.skipif(not (DATA / "cmu/amass_fps.json").is_file(), reason="UNDERSTUDY_DATA has no CMU rates")
def test_the_listing_has_every_rate_of_cmu() -> None:
    rates = json.loads((DATA / "cmu/amass_fps.json").read_text())
    mine = {trial: listed_rate(f"CMU/{_subject(trial)}/{trial}") for trial in rates}
    assert {trial: rate.fps for trial, rate in mine.items() if rate} == rates
    assert Counter(rates.values()) == {120.0: 1456, 60.0: 483}


def _subject(trial: str) -> str:
    for takes in ("18_19_rory", "18_19_Justin", "20_21_Justin1", "20_21_rory1", "22_23_justin", "22_23_Rory"):
        if trial.startswith(takes[:5]):
            return takes
    return trial.rsplit("_", 1)[0]


def test_the_twin_gives_the_rate(tmp_path: Path) -> None:
    made.write(tmp_path / "amass/SMPLX_N/GRAB/s 1/walk one_stageii.npz", made.smplx(2, 50))
    made.write(tmp_path / "amass/SMPLH_G/GRAB/s 1/walk one_poses.npz", made.smplh(2, 50))
    job = jobs_of(tmp_path)["GRAB/s_1/walk_one"]
    clip = clip_of(job)
    assert (clip.meta["original_fps"], clip.meta["fps_source"], clip.meta["fps_in_file"]) == (
        50,
        "smplh twin",
        120,
    )
    assert clip.meta["model"] == "smplx" and clip.meta["original_frames"] == 100
    assert len(clip) == 60


def test_a_twin_of_other_frames_is_not_believed(tmp_path: Path) -> None:
    made.write(tmp_path / "amass/SMPLX/CMU/80/80_63_stageii.npz", made.smplx(2, 60))
    made.write(tmp_path / "amass/SMPLH/CMU/80/80_63_poses.npz", made.smplh(1, 50))
    clip = clip_of(jobs_of(tmp_path)["CMU/80/80_63"])
    assert (clip.meta["original_fps"], clip.meta["fps_source"]) == (60, "listing")
    (tmp_path / "amass/SMPLH/CMU/80/80_63_poses.npz").write_bytes(b"PK damaged")
    assert clip_of(jobs_of(tmp_path)["CMU/80/80_63"]).meta["original_fps"] == 60


def test_without_any_list_the_file_is_believed_and_says_so(tmp_path: Path) -> None:
    made.write(tmp_path / "GRAB/s1/cup_stageii.npz", made.smplx(1, 120))
    clip = clip_of(jobs_of(tmp_path)["GRAB/s1/cup"])
    assert (clip.meta["original_fps"], clip.meta["fps_source"]) == (120, "file, not checked")


def test_babels_duration_decides_and_checks(tmp_path: Path) -> None:
    made.write(tmp_path / "amass/GRAB/s1/cup_stageii.npz", made.smplx(4, 60))
    made.write(tmp_path / "amass/GRAB/s1/jar_stageii.npz", made.smplx(4, 60))
    made_babel.write(
        tmp_path / "babel",
        train=[
            made_babel.entry(1, "GRAB/s1/cup_poses.npz", 4.0),
            made_babel.entry(2, "GRAB/s1/jar_poses.npz", 9.0),
        ],
    )
    jobs = jobs_of(tmp_path)
    clip = clip_of(jobs["GRAB/s1/cup"])
    assert (clip.meta["original_fps"], clip.meta["fps_source"]) == (60, "BABEL's duration")
    with pytest.raises(BadInput, match=r"jar_stageii.npz lasts 2.00 s at 120 fps, but BABEL says 9.00 s"):
        clip_of(jobs["GRAB/s1/jar"])


def test_a_rate_from_nowhere_is_refused() -> None:
    with pytest.raises(BadInput, match="states no frame rate"):
        true_rate("a.npz", 10, tagged=None, smplx=False)
    assert true_rate("a.npz", 10, tagged=None, smplx=False, listed=Rate(100, "listing")).fps == 100
    assert true_rate("a.npz", 10, tagged=250, smplx=False, listed=Rate(120, "listing")).fps == 250


# ------------------------------------------------------------------------------------- the motion


@pytest.mark.parametrize("model", ["smplh", "smplx"])
def test_the_motion_is_the_truth_in_our_world(model: str, tmp_path: Path) -> None:
    keys = made.smplh(3, 120) if model == "smplh" else made.smplx(3, 120)
    ending = "poses" if model == "smplh" else "stageii"
    made.write(tmp_path / f"amass/CMU/01/01_01_{ending}.npz", keys)
    result = amass.convert(tmp_path / f"amass/CMU/01/01_01_{ending}.npz")
    clip = result.clip
    poses, pelvis = made.motion(np.arange(len(clip)) / 30)
    truth = Clip(poses=poses, trans=pelvis - made.SMPLX_J0, fps=30.0)
    shift = truth.joints()[0, 0] - clip.joints()[0, 0]
    np.testing.assert_allclose(shift[[0, 2]], 0, atol=2e-3)
    np.testing.assert_allclose(clip.joints() + shift, truth.joints(), atol=1e-3)
    assert len(clip) == 90 and clip.fps == 30
    # Left stays left: the raised arm, seen from a body that faces +Z at the start.
    joints = clip.joints()[0]
    assert joints[INDEX["left_wrist"], 0] > 0.3 > joints[INDEX["right_wrist"], 0]
    assert joints[INDEX["left_wrist"], 1] > joints[INDEX["head"], 1] - 0.2 > joints[INDEX["right_wrist"], 1]
    assert joints[INDEX["head"], 1] > 1.3
    assert clip.known == {"lower_trans": True, "upper": True, "hands": True, "face": False}


def test_the_floor_is_at_zero_and_nothing_is_bent(tmp_path: Path) -> None:
    keys = made.smplh(3, 60)
    keys["trans"][:, 2] += 0.37
    clip = amass.convert(made.write(tmp_path / "CMU/1/1_poses.npz", keys)).clip
    plain, _ = amass.read_amass(tmp_path / "CMU/1/1_poses.npz")
    np.testing.assert_array_equal(clip.poses, resample(plain, 30).poses)
    moved = clip.trans - resample(plain, 30).trans
    np.testing.assert_allclose(moved - moved[0], 0, atol=1e-12)
    assert abs(np.percentile(foot_heights(clip).min(axis=1), 10)) < 0.03
    assert clip.meta["floor"] == pytest.approx(0.37, abs=0.05)


def test_the_subject_is_kept(tmp_path: Path) -> None:
    result = amass.convert(made.write(tmp_path / "CMU/1/1_poses.npz", made.smplh(1, 60)))
    subject = result.metadata.subject if result.metadata else None
    assert subject is not None and (subject.height_cm, subject.gender) == (185.0, "male")
    # SMPL-X tools would take SMPL+H's shape for their own.
    assert not result.clip.betas.any() and result.clip.meta["betas_smplh"][0] == 1.5
    other = amass.convert(made.write(tmp_path / "CMU/1/2_stageii.npz", made.smplx(1, 60)))
    subject = other.metadata.subject if other.metadata else None
    assert subject is not None and (subject.height_cm, subject.gender) == (178.0, None)
    assert other.clip.betas[0] == 1.0


@pytest.mark.parametrize("gender", ["female", b"female", np.array(["female"]), "b'female'"])
def test_gender_in_every_spelling(gender: object, tmp_path: Path) -> None:
    path = made.write(tmp_path / "CMU/1/1_poses.npz", made.smplh(1, 60, gender=gender))
    assert amass.convert(path).clip.gender == "female"


@settings(max_examples=15)
@given(
    fps=st.sampled_from([59.9999885559082, 60.0, 100.0, 120.0, 150.0, 250.0]),
    frames=st.integers(2, 400),
    yaw=st.floats(-3, 3),
)
def test_resampling_keeps_duration_and_up(fps: float, frames: int, yaw: float) -> None:
    from io import BytesIO

    from understudy.backend.motion.archive import Archive
    from understudy.backend.motion.dialects import to_clip

    keys = made.smplh(frames / fps, fps)
    turn = made.Rotation.from_euler("z", yaw)
    keys["poses"][:, :3] = (turn * made.Rotation.from_rotvec(keys["poses"][:, :3])).as_rotvec()
    buffer = BytesIO()
    np.savez(buffer, **keys)
    buffer.seek(0)
    clip = resample(to_clip(Archive(buffer), dialect="smplh"), 30.0)
    assert abs((len(clip) - 1) / 30 - (frames - 1) / fps) < 1 / 30 + 1e-6
    joints = clip.joints()
    assert (joints[:, INDEX["head"], 1] - joints[:, INDEX["pelvis"], 1]).min() > 0.4


# ------------------------------------------------------------------------------------- all files


def test_every_file_is_a_job_with_a_reason(tmp_path: Path) -> None:
    root = tmp_path / "amass"
    made.write(root / "SMPLX_G/MoSh/50020/salsa_1_stageii.npz", made.smplx(1, 100))
    made.write(root / "SMPLX_N/MoSh/50020/salsa_1_stageii.npz", made.smplx(1, 100))
    made.write(root / "SMPLH_G/MPI_mosh/50020/salsa 1_poses.npz", made.smplh(1, 100))
    made.write(root / "SMPLH_G/SSM_synced/a/b_poses.npz", made.smplh(1, 60))
    made.write_side_files(root / "SMPLX_N/MoSh/50020")
    jobs = jobs_of(tmp_path)
    kept = {name: job for name, job in jobs.items() if not job.left_out and job.items}
    assert set(kept) == {"MoSh/50020/salsa_1", "SSM/a/b"}
    assert "SMPLX_N" in str(kept["MoSh/50020/salsa_1"].path)
    assert kept["MoSh/50020/salsa_1"].items[0].split == "val" and kept["SSM/a/b"].items[0].split == "test"
    item = kept["SSM/a/b"].items[0]
    assert (
        not item.commercial
        and "non-commercial" in item.licence
        and "AMASS" in item.source
        and item.text == []
    )
    left_out = {job.path.name: job.left_out for job in jobs.values() if job.left_out}
    assert set(left_out) == {"salsa_1_stageii.npz", "salsa 1_poses.npz"}
    assert "SMPL+H copy" in left_out["salsa 1_poses.npz"]
    for job in jobs.values():
        if job.left_out:  # a second, at 100 fps whatever the file says
            assert len(clip_of(job)) == 30
    sides = [job for job in jobs.values() if not job.items and not job.left_out]
    assert {job.path.name for job in sides} == {"shape.npz", "neutral_stagei.npz"}
    for job in sides:
        with pytest.raises(BadInput, match="no motion"):
            clip_of(job)
    assert len(jobs) == 6
    assert len(AmassFiles(root).sequences) == 2


def test_renamed_smplx_files_are_told_by_their_keys(tmp_path: Path) -> None:
    made.write(tmp_path / "amass/SMPLX/KIT/3/walk_poses.npz", made.smplx(2, 100))
    made.write(tmp_path / "amass/KIT/4/walk_poses.npz", made.smplx(2, 100, surface_model_type=None))
    jobs = jobs_of(tmp_path)
    for name in ("KIT/3/walk", "KIT/4/walk"):
        clip = clip_of(jobs[name])
        assert (clip.meta["model"], clip.meta["original_fps"]) == ("smplx", 100)


def test_no_amass_is_a_wrong_root(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        jobs_of(tmp_path)
    assert error.value.field == "root"


# ------------------------------------------------------------------------------------- bad files


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"poses": np.full((100, 156), np.nan)}, "not finite"),
        ({"poses": np.zeros((100, 150))}, "shape"),
        ({"poses": np.zeros((0, 156)), "trans": np.zeros((0, 3))}, "no frames"),
        ({"trans": np.zeros((99, 3))}, "trans"),
        ({"trans": None}, "trans"),
        ({"poses": None}, "poses"),
        ({"mocap_framerate": np.array(0.0)}, "frames per second"),
        ({"mocap_framerate": np.array("fast")}, "frame rate"),
    ],
)
def test_bad_arrays_are_named(changes: dict[str, object], reason: str, tmp_path: Path) -> None:
    path = made.write(tmp_path / "CMU/1/1_poses.npz", made.smplh(1, 100, **changes))
    with pytest.raises(BadInput, match=reason) as error:
        amass.convert(path)
    assert "1_poses.npz" in error.value.message and "\n" not in error.value.message


def test_a_pickle_inside_is_never_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    bad = made.write(tmp_path / "CMU/1/1_poses.npz", made.smplh(1, 60, poses=made.hostile(trace)))
    with pytest.raises(BadInput, match="pickle"):
        amass.convert(bad)
    # A key that nobody reads does not spoil the file; AMASS itself has such keys.
    fine = made.write(
        tmp_path / "CMU/1/2_stageii.npz", made.smplx(1, 60, markers_latent_vids=made.hostile(trace))
    )
    assert len(amass.convert(fine).clip) == 15
    assert not trace.exists()


@pytest.mark.parametrize(
    "header", [b"{'descr': '<f8', (((", b"{'descr': 3, 'shape': 'x'}", b"\xff\xfe", b'{"""']
)
def test_a_damaged_array_header_is_named(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "bad_poses.npz"
    with zipfile.ZipFile(path, "w") as archive:
        text = header.ljust(53) + b"\n"
        archive.writestr(
            "poses.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(800)
        )
    with pytest.raises(BadInput, match=r"bad_poses\.npz"):
        amass.convert(path)


@settings(max_examples=25)
@given(data=st.data())
def test_truncated_and_damaged_files_are_named(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    source = folder / "CMU/1/1_poses.npz"
    if not source.is_file():
        made.write(source, made.smplh(0.5, 60))
    content = bytearray(source.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(20):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    bad = folder / "bad_poses.npz"
    bad.write_bytes(bytes(content))
    try:
        clip = amass.convert(bad, listed=(60.0, "listing")).clip
    except BadInput as error:
        assert "bad_poses.npz" in error.message
    else:
        assert len(clip) >= 1
