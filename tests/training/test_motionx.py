"""Motion-X in: 322 numbers a frame, faces stretched in time, its AIST units, and the cuts made at a wrong rate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.skeleton import INDEX
from understudy.training.data import motionx
from understudy.training.data.job import Converted, Job
from understudy.training.data.motionx_files import BETAS, EXPRESSION, JAW, TRANS, with_face
from understudy.training.data.raw import Raw

from .makers import amass as made_amass
from .makers import humanml3d_amass as made_h3d
from .makers import motionx as made


def jobs_of(root: Path) -> dict[str, Job]:
    return {job.name: job for job in motionx.jobs(Raw(root, root / "cache"))}


def result_of(job: Job) -> Converted:
    result = job.convert(job.path, **job.arguments)
    assert isinstance(result, Converted)
    return result


def test_the_motion_the_hands_and_the_face(tmp_path: Path) -> None:
    home = tmp_path / "motionx"
    made.write(home, "idea400/subset_0001/Wave_clip1", made.array(3), "A person waves.\n", "val")
    (job,) = jobs_of(tmp_path).values()
    clip = result_of(job).clip
    poses, pelvis = made_amass.motion(np.arange(90) / 30)
    truth = Clip(poses=poses, trans=pelvis - made_amass.SMPLX_J0, fps=30.0)
    theirs, ours = truth.joints(), clip.joints()
    shift = theirs[0, 0] - ours[0, 0]
    bodies = [*range(22), *range(25, 55)]
    np.testing.assert_allclose((ours + shift)[:, bodies], theirs[:, bodies], atol=1e-5)
    assert abs(shift[0]) < 1e-6 and ours[0, INDEX["left_wrist"], 0] > 0.3 > ours[0, INDEX["right_wrist"], 0]
    assert clip.known == {"lower_trans": True, "upper": True, "hands": True, "face": True}
    assert clip.expressions is not None and np.ptp(clip.expressions[:, :50]) > 0.1
    assert not clip.expressions[:, 50:].any()
    assert clip.poses[0, 22, 0] == pytest.approx(0.2, abs=1e-6) and clip.betas[0] == 0.5
    (item,) = job.items
    assert (item.text, item.split, item.motion_name) == (
        ["A person waves"],
        "val",
        "idea400/subset_0001/Wave_clip1",
    )
    assert not item.commercial and "non-commercial" in item.licence


def test_texts_emotions_and_poses_in_words(tmp_path: Path) -> None:
    home = tmp_path / "motionx"
    made.write(home, "humanml/000021", made.array(2))
    made.side_text(
        home,
        "semantic_labels",
        "humanml/000021",
        "he walks.#he/PRON walk/VERB#0.0#0.0\nhe stops#he/PRON#1.0#2.0\n",
    )
    made.side_text(home, "face_texts", "humanml/000021", "Surprise")
    made.pose_text(home, "body_texts", "humanml/000021", 60)
    (job,) = jobs_of(tmp_path).values()
    whole, part = job.items
    assert (whole.text, whole.tokens) == (["he walks"], ["he/PRON walk/VERB"])
    assert (part.text, part.start, part.end, part.motion_name) == (
        ["he stops"],
        1.0,
        2.0,
        "humanml/000021--1",
    )
    assert whole.emotion == "surprise" and whole.metadata.emotion is not None
    assert whole.metadata.emotion.emotion_label == "surprised"
    texts = json.loads(result_of(job).files[".pose_texts.json"])
    assert texts["body"][59] == "pose 59" and len(texts["body"]) == 60
    (home / "texts/body_texts/humanml/000021.json").write_text("[]")
    with pytest.raises(BadInput, match=r"000021\.json"):
        result_of(job)


def test_a_face_of_its_own_is_stretched_over_the_motion(tmp_path: Path) -> None:
    home = tmp_path / "motionx"
    for subset in ("EgoBody", "GRAB"):
        values = made.array(4, face=False)
        values[:, JAW] = 0.33
        made.write(home, f"{subset}/clip", values)
        made.face(home, f"{subset}/clip", 50)
    jobs = jobs_of(tmp_path)
    jaw = result_of(jobs["EgoBody/clip"]).clip.poses[:, 22, 0]
    assert len(jaw) == 120 and jaw[0] == pytest.approx(0, abs=0.01) and jaw[-1] == pytest.approx(1, abs=0.01)
    assert jaw[60] == pytest.approx(0.5, abs=0.02)
    grab = result_of(jobs["GRAB/clip"]).clip
    np.testing.assert_allclose(grab.poses[:, 22, 0], 0.33, atol=1e-6)
    assert grab.expressions is not None and grab.expressions[-1, 0] == pytest.approx(1, abs=0.02)
    assert grab.known["face"]


def test_a_face_that_is_there_already_stays(tmp_path: Path) -> None:
    home = tmp_path / "motionx"
    made.write(home, "EgoBody/clip", made.array(2))
    made.face(home, "EgoBody/clip", 77)
    clip = result_of(jobs_of(tmp_path)["EgoBody/clip"]).clip
    assert clip.poses[:, 22, 0].max() < 0.31


@given(frames=st.integers(1, 90), given_frames=st.integers(1, 90), seed=st.integers(0, 99))
def test_stretching_agrees_with_torch(frames: int, given_frames: int, seed: int) -> None:
    torch = pytest.importorskip("torch")
    face = np.random.default_rng(seed).normal(size=(given_frames, 153))
    result = with_face(np.zeros((frames, 322)), face, keep_jaw=False)
    wanted = torch.nn.functional.interpolate(torch.from_numpy(face.T[None]), size=frames, mode="linear")[
        0
    ].T.numpy()
    np.testing.assert_allclose(result[:, JAW], wanted[:, :3], atol=1e-9)
    np.testing.assert_allclose(result[:, EXPRESSION], wanted[:, 3:53], atol=1e-9)
    assert not result[:, BETAS].any()


@pytest.mark.parametrize("processed", [False, True])
def test_aist_is_in_metres_whichever_way_it_came(processed: bool, tmp_path: Path) -> None:
    home = tmp_path / "motionx"
    values = made.array(3)
    expected = values[:, TRANS].copy()
    if not processed:
        values[:, TRANS] *= np.array([94.0, 94.0, -94.0])
    made.write(home, "aist/subset_0000/Dance_clip_1", values)
    clip = result_of(jobs_of(tmp_path)["aist/subset_0000/Dance_clip_1"]).clip
    np.testing.assert_allclose(clip.trans - clip.trans[0], expected - expected[0], atol=1e-5)
    assert clip.meta["aist_rescaled"] is not processed


# ------------------------------------------------------------------------------- the wrong frame rate


def script(
    seconds: float, fps: float, trim: float, start: int, end: int, tagged: float = 120.0
) -> np.ndarray:
    """What Motion-X's script makes of a sequence: every int(tagged / 30)-th frame, cut as if that were 30 fps."""
    values = made.array(seconds, fps)[:: int(tagged / 30)]
    return values[int(trim * 30) :][int(start * 1.5) : int(end * 1.5)]


@pytest.fixture
def defective(tmp_path: Path) -> Path:
    rows = [
        ("CMU/80/80_63", 100, 180, "000004"),
        ("CMU/80/80_64", 60, 120, "000005"),
        ("KIT/3/kick", 0, 100, "000006"),
        ("CMU/01/01_01", 20, 80, "000007"),
    ]
    made_h3d.write(tmp_path / "humanml3d", rows, {}, {})
    home = tmp_path / "motionx"
    made.write(home, "humanml/000004", script(10, 60, 0, 100, 180), "he waves")
    made.write(home, "humanml/000005", script(10, 60, 0, 60, 120), "he walks")
    made.write(home, "humanml/000006", script(5, 100, 0, 0, 100), "he kicks")
    made.write(home, "humanml/M000006", script(5, 100, 0, 0, 100), "he kicks")
    made.write(home, "humanml/000007", script(10, 120, 0, 20, 80), "he runs")
    return tmp_path


def test_clips_cut_at_a_wrong_rate_are_found(defective: Path) -> None:
    jobs = jobs_of(defective)
    with pytest.raises(BadInput, match="no frames"):
        result_of(jobs["humanml/000004"])
    assert "another stretch" in jobs["humanml/000004"].left_out and not jobs["humanml/000004"].items
    assert "CMU/80/80_64" in jobs["humanml/000005"].left_out
    assert not jobs["humanml/000006"].left_out and not jobs["humanml/000007"].left_out


def test_a_whole_clip_at_a_wrong_rate_is_put_right(defective: Path) -> None:
    """KIT's 100 fps thinned by 4 are 25, not 30: 5 s of it, of which the cut wants 100 / 20 = 5."""
    for name in ("humanml/000006", "humanml/M000006"):
        clip = result_of(jobs_of(defective)[name]).clip
        assert clip.meta["original_fps"] == 25 and len(clip) == pytest.approx(149, abs=2)
        poses, _ = made_amass.motion(np.arange(len(clip)) / 30)
        np.testing.assert_allclose(clip.poses[:, 1, 0], poses[:, 1, 0], atol=5e-3)
    assert len(result_of(jobs_of(defective)["humanml/000007"]).clip) == 90


def test_a_folder_with_right_rates_is_left_alone(tmp_path: Path) -> None:
    rows = [(f"CMU/80/80_{k}", 60, 120, f"0000{k}") for k in range(10, 30)]
    made_h3d.write(tmp_path / "humanml3d", rows, {}, {})
    for *_, name in rows:
        made.write(tmp_path / "motionx", f"humanml/{name}", script(8, 60, 0, 60, 120, tagged=60), "he walks")
    jobs = jobs_of(tmp_path)
    assert not any(job.left_out for job in jobs.values())
    assert len(result_of(jobs["humanml/000010"]).clip) == 90


# ------------------------------------------------------------------------------- bad files


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.zeros((0, 322)), "no frames"),
        (np.zeros((10, 321)), "shape"),
        (np.zeros(322), "shape"),
        (np.full((10, 322), np.nan), "not finite"),
        (np.full((10, 322), "x"), "numbers"),
    ],
)
def test_bad_arrays_are_named(values: np.ndarray, reason: str, tmp_path: Path) -> None:
    made.write(tmp_path / "motionx", "music/clip", values)
    with pytest.raises(BadInput, match=reason) as error:
        result_of(jobs_of(tmp_path)["music/clip"])
    assert "clip.npy" in error.value.message and "\n" not in error.value.message


def test_a_pickle_inside_is_never_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    made.write(tmp_path / "motionx", "music/clip", made_amass.hostile(trace))
    (job,) = jobs_of(tmp_path).values()
    with pytest.raises(BadInput, match="Python objects"):
        result_of(job)
    assert not trace.exists()


@given(data=st.data())
def test_damaged_files_are_named(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.npy"
    np.save(path, made.array(0.5))
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        for _ in range(5):
            content[data.draw(st.integers(0, 127))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    try:
        clip = motionx.convert(path, subset="music").clip
    except BadInput as error:
        assert "damaged.npy" in error.message
    else:
        assert np.isfinite(clip.poses).all()


def test_no_motionx_is_a_wrong_root(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        jobs_of(tmp_path)
    assert error.value.field == "root"
