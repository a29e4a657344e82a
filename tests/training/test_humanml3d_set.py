"""HumanML3D's published joints and features become clips: right rate, right side, faults named."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion.fitting.layouts import HUMANML3D
from understudy.backend.motion.skeleton import INDEX
from understudy.training.data import humanml3d, t2m_layout
from understudy.training.data.job import Converted, Job
from understudy.training.data.raw import Raw

from .makers import humanml3d as maker


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return maker.make(tmp_path_factory.mktemp("raw"))


@pytest.fixture(scope="module")
def jobs(folder: Path) -> dict[str, Job]:
    return {job.name: job for job in humanml3d.jobs(Raw(folder.parent, folder.parent / "cache"))}


def made(job: Job) -> Converted:
    return job.convert(job.path, **job.arguments)


def elbows(converted: Converted) -> np.ndarray:
    """Mean bend of the left and of the right elbow, degrees."""
    poses = converted.clip.poses[:, [INDEX["left_elbow"], INDEX["right_elbow"]]]
    return np.degrees(np.linalg.norm(poses, axis=-1)).mean(axis=0)


def test_every_file_has_a_job(jobs: dict[str, Job], folder: Path) -> None:
    files = {path.stem for kind in ("new_joints", "new_joint_vecs") for path in (folder / kind).glob("*.npy")}
    assert set(jobs) == files
    assert jobs["009707"].left_out and not jobs["000000"].left_out


def test_a_clip_lasts_as_long_stands_on_the_floor_and_keeps_its_sides(jobs: dict[str, Job]) -> None:
    converted = made(jobs["000000"])
    clip = converted.clip
    assert clip.fps == 30 and len(clip) == 59 * 30 // 20 + 1
    assert clip.meta["original_fps"] == 20 and clip.meta["original_frames"] == 60
    assert clip.meta["fit_error_mm"] < 2
    assert clip.known == {"lower_trans": True, "upper": True, "hands": False, "face": False}
    assert abs(np.percentile(clip.joints()[:, [10, 11], 1].min(axis=1), 20) - 0.028) < 0.02
    left, right = elbows(converted)
    assert left < 15 and abs(right - 70) < 10
    wrist = clip.joints()[:, INDEX["left_wrist"]] - clip.joints()[:, INDEX["left_shoulder"]]
    side = clip.joints()[:, INDEX["left_hip"]] - clip.joints()[:, INDEX["right_hip"]]
    assert (np.sum(wrist * side, axis=1) > 0).all()


def test_features_and_joints_give_the_same_clip(jobs: dict[str, Job]) -> None:
    arguments = jobs["000000"].arguments
    a = humanml3d.convert(jobs["000000"].path, **{**arguments, "vectors": None}).clip
    b = humanml3d.convert(jobs["000000"].path, **{**arguments, "joints": None}).clip
    assert np.abs(a.joints() - b.joints()).max() < 1e-3


def test_normalised_features_are_recognised(jobs: dict[str, Job], folder: Path, tmp_path: Path) -> None:
    plain = maker.features(60)
    mean, std = np.load(folder / "Mean.npy"), np.load(folder / "Std.npy")
    wanted = humanml3d.convert(jobs["000001"].path, **jobs["000001"].arguments).clip.joints()
    for biased in (False, True):
        scaled = std.copy()
        if biased:  # as text-to-motion's training code writes them
            scaled[:4] /= 5
            scaled[-4:] /= 5
        path = tmp_path / f"{biased}.npy"
        np.save(path, ((plain - mean) / scaled).astype(np.float32))
        clip = humanml3d.convert(path, joints=None, vectors=path, folder=folder, fps=20.0).clip
        assert np.abs(clip.joints() - wanted).max() < 5e-3
    with pytest.raises(BadInput, match="normalised"):
        humanml3d.convert(path, joints=None, vectors=path, folder=tmp_path, fps=20.0)


def test_captions_come_as_items_with_seconds(jobs: dict[str, Job]) -> None:
    whole, part = jobs["000000"].items
    assert whole.motion_name == "000000" and len(whole.text) == len(whole.tokens) == 2
    assert whole.text[1] == "walks" and whole.tokens[0] == maker.TOKENS
    assert (part.motion_name, part.start, part.end) == ("000000_0.5_1.5", 0.5, 1.5)
    assert whole.split == "train" and jobs["000002"].items[0].split == "val"
    assert not whole.commercial and "AMASS" in whole.licence
    assert whole.trial == "CMU/80/80_63"
    assert jobs["M000000"].items[0].trial == whole.trial


def test_a_mirror_image_mirrors_motion_and_words(jobs: dict[str, Job]) -> None:
    plain, mirrored = made(jobs["000002"]), made(jobs["M000002"])
    assert np.allclose(elbows(plain), elbows(mirrored)[::-1], atol=3)
    assert "left" in jobs["000002"].items[0].text[0]
    assert "right" in jobs["M000002"].items[0].text[0] and "right/ADJ" in jobs["M000002"].items[0].tokens[0]
    assert "right" in jobs["M000000"].items[0].text[0]  # its own text file


def test_mirror_images_can_be_left_out(folder: Path) -> None:
    jobs = {job.name: job for job in humanml3d.jobs(Raw(folder.parent, folder), mirrored=False)}
    assert jobs["M000000"].left_out and not jobs["000000"].left_out


def test_clips_that_do_not_play_at_20_fps(jobs: dict[str, Job]) -> None:
    act12 = made(jobs["000006"]).clip
    assert act12.meta["original_fps"] == 15 and abs(act12.seconds - 59 / 15) < 0.05
    item = jobs["000006"].items[0]
    assert (item.start, item.end) == pytest.approx((0.8, 2.4))
    assert made(jobs["000007"]).clip.meta["original_fps"] == pytest.approx(250 / 12)


@pytest.mark.parametrize(
    ("name", "reason"), [("000004", "2 frames"), ("000005", "cannot be read"), ("000008", "cannot be read")]
)
def test_broken_files_are_named(jobs: dict[str, Job], name: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason) as caught:
        made(jobs[name])
    assert name in caught.value.message and "\n" not in caught.value.message


def test_the_sound_file_of_two_serves(jobs: dict[str, Job]) -> None:
    clip = made(jobs["000003"]).clip
    assert len(clip) == 89
    assert "1 of 60" in clip.meta["faults"][0]


def test_a_root_without_the_set_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        next(iter(humanml3d.jobs(Raw(tmp_path, tmp_path))))
    assert caught.value.field == "root"


def test_the_set_may_be_the_root_itself_and_lack_everything_but_joints(tmp_path: Path) -> None:
    maker.write(tmp_path, "000042", maker.positions(30), None, None)
    (job,) = humanml3d.jobs(Raw(tmp_path, tmp_path))
    assert job.items[0].text == [] and job.items[0].split == "train" and not job.left_out


@pytest.mark.parametrize("shape", [(5, 21, 3), (5, 22, 2), (0, 22, 3), (), (263,)])
def test_wrong_shapes_are_refused_in_one_sentence(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros(shape))
    with pytest.raises(BadInput):
        t2m_layout.read_motion(path, None, HUMANML3D, tmp_path)


@given(st.binary(max_size=300), st.integers(0, 127), st.booleans())
@settings(max_examples=60)
def test_damaged_files_are_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "a.npy"
    np.save(path, np.zeros((4, 22, 3), np.float32))
    content = path.read_bytes()
    path.write_bytes(content[:at] + noise + (b"" if cut else content[at + len(noise) :]))
    try:
        positions, _ = t2m_layout.read_motion(path, None, HUMANML3D, folder)
    except BadInput as error:
        assert "\n" not in error.message
    else:
        assert positions.shape[1:] == (22, 3)


def test_a_header_that_promises_terabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((4, 22, 3), np.float32))
    path.write_bytes(path.read_bytes().replace(b"(4, 22, 3), }         ", b"(99999999999, 22, 3), }"))
    with pytest.raises(BadInput):
        t2m_layout.read_motion(path, None, HUMANML3D, tmp_path)


def test_jobs_cross_process_borders(jobs: dict[str, Job]) -> None:
    job = pickle.loads(pickle.dumps(jobs["000000"]))
    assert len(job.convert(job.path, **job.arguments).clip) == 89
