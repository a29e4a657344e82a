"""AIST++: dancers in metres on the floor, in the split of the authors, with beats and cameras."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion import rotations as rot
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.skeleton import INDEX
from understudy.training.data import aist
from understudy.training.data.aist import DanceName, bpm_of, convert_keypoints, convert_motion
from understudy.training.data.job import Job
from understudy.training.data.prepare import prepare
from understudy.training.data.raw import Raw
from understudy.training.data.sets import jobs_of
from understudy.training.data.store import read_index
from understudy.training.formats.beats import beat_frames, find_beats, onset_strength, read_audio

from .makers import aist as maker


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("raw")
    maker.write_aist(root / "aist")
    return root


@pytest.fixture(scope="module")
def jobs(root: Path) -> dict[str, Job]:
    return {job.name: job for job in jobs_of("aist", root, root / "store")}


def made(job: Job) -> aist.Converted:
    return job.convert(job.path, **job.arguments)


def same_place(clip: Clip, other: Clip) -> np.ndarray:
    """Distances of all body joints, after both stand on the floor."""
    ours, theirs = (c.joints()[:, :22] for c in (clip, other))
    shift = (ours[0, 0] - theirs[0, 0]) * [0, 1, 0]
    return np.linalg.norm(ours - theirs - shift, axis=-1)


# ------------------------------------------------------------------------------------------ names


def test_names_say_what_is_danced() -> None:
    name = DanceName.of("gBR_sBM_cAll_d04_mBR0_ch01")
    assert name == DanceName("BR", "BM", "cAll", ("d04",), "mBR0", "ch01") and name.bpm == 80
    group = DanceName.of("gJS_sGR_c01_d01_d02_d03_mJS3_ch04")
    assert group is not None and group.dancers == ("d01", "d02", "d03")
    for other in ("walk", "gBR_sBM_cAll_d04_mBR0", "", "gBR_sBM_cAll_d04_mBR0_ch01 2"):
        assert DanceName.of(other) is None


@pytest.mark.parametrize(
    ("music", "bpm"),
    [("mBR0", 80), ("mPO5", 130), ("mKR3", 110), ("mHO0", 110), ("mHO5", 135), ("mXX1", None), ("mBR", None), ("mBRx", None)],
)  # fmt: skip
def test_tempo_is_in_the_name_and_house_differs(music: str, bpm: float | None) -> None:
    assert bpm_of(music) == bpm


def test_every_genre_and_situation_has_words() -> None:
    for genre in aist.GENRES:
        for situation in (*aist.SITUATIONS, "ZZ"):
            name = DanceName.of(f"g{genre}_s{situation}_cAll_d01_m{genre}1_ch01")
            assert name is not None
            captions = name.captions()
            assert len(set(captions)) == 2 and all(
                "{" not in c and aist.GENRES[genre][1] in c for c in captions
            )
    unknown = DanceName.of("gZZ_sBM_cAll_d01_mZZ1_ch01")
    assert unknown is not None and unknown.captions() == []


# ------------------------------------------------------------------------------------------- jobs


def test_splits_are_the_authors_and_nothing_leaks(jobs: dict[str, Job]) -> None:
    wanted = {name: job.items[0].split for name, job in jobs.items() if not job.left_out}
    assert wanted == {
        maker.TRAIN: "train", maker.HOUSE: "train", maker.ONLY_KEYPOINTS: "train", maker.UNLISTED_SAFE: "train",
        maker.VAL: "val", maker.TEST: "test",
    }  # fmt: skip
    assert "ignore list" in jobs[maker.IGNORED].left_out
    assert "music" in jobs[maker.UNLISTED_MUSIC].left_out
    assert "choreography" in jobs[maker.UNLISTED_ROUTINE].left_out


def test_without_lists_everything_is_training(tmp_path: Path) -> None:
    maker.write_pickle(tmp_path / "motions" / f"{maker.IGNORED}.pkl", maker.motion(maker.dance(30)))
    maker.write_pickle(tmp_path / "motions" / "my own dance.pkl", maker.motion(maker.dance(30)))
    (tmp_path / "ignore_list.txt").write_bytes(b"\xff\xfe\x00rubbish")
    jobs = list(aist.jobs(Raw(tmp_path, tmp_path)))
    assert [(job.left_out, job.items[0].split) for job in jobs] == [("", "train")] * 2
    own = made(jobs[1])
    assert own.metadata is None and len(own.clip) == 15 and jobs[1].items[0].text == []
    for folder in aist.FOLDERS:  # the names people unpack it under
        (tmp_path / "raw" / folder / "motions").mkdir(parents=True)
        maker.write_pickle(tmp_path / "raw" / folder / "motions" / f"{maker.TRAIN}.pkl", {})
        assert [job.name for job in aist.jobs(Raw(tmp_path / "raw", tmp_path))] == [maker.TRAIN]
        (tmp_path / "raw" / folder).rename(tmp_path / f"moved {folder}")


def test_another_set_is_not_taken_for_aist(tmp_path: Path) -> None:
    maker.write_pickle(tmp_path / "motions" / "1.pkl", {})  # InterHuman's layout
    with pytest.raises(BadInput, match="aist") as error:
        list(aist.jobs(Raw(tmp_path, tmp_path)))
    assert error.value.field == "root"


# ----------------------------------------------------------------------------------------- motion


@pytest.mark.parametrize("name", [maker.TRAIN, maker.HOUSE])
def test_the_dance_is_where_it_was_in_metres(name: str, jobs: dict[str, Job]) -> None:
    clip = made(jobs[name]).clip
    danced = maker.dance(seed=[maker.TRAIN, maker.HOUSE].index(name))
    assert clip.fps == 30 and len(clip) == 61  # 121 frames at 60: two seconds and the first frame
    assert (
        same_place(clip, danced.replace(poses=danced.poses[::2], trans=danced.trans[::2], fps=30)).max()
        < 1e-4
    )
    assert abs(clip.joints()[:, 7:12, 1].min() - danced.joints()[:, 7:12, 1].min()) < 0.02  # on the floor
    assert clip.known == {"lower_trans": True, "upper": True, "hands": False, "face": False}
    assert not clip.poses[:, 22:].any() and clip.gender == "male" and not clip.betas.any()
    assert clip.meta["original_fps"] == 60 and clip.meta["original_frames"] == 121


@settings(max_examples=15, deadline=None)
@given(scaling=st.floats(0.5, 300), protocol=st.integers(0, 5))
def test_any_scaling_gives_the_same_clip(
    scaling: float, protocol: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / f"{maker.TRAIN}.pkl"
    maker.write_pickle(path, maker.motion(maker.dance(21), scaling=scaling), protocol)
    clip = convert_motion(path).clip
    path.write_bytes(pickle.dumps(maker.motion(maker.dance(21))))
    np.testing.assert_allclose(clip.trans, convert_motion(path).clip.trans, atol=1e-5)


def test_what_is_known_about_the_dance(jobs: dict[str, Job]) -> None:
    house = made(jobs[maker.HOUSE])
    assert house.metadata is not None and house.metadata.music is not None
    music = house.metadata.music
    assert (music.bpm, music.genre) == (135, "house")
    # 135 beats a minute at 30 fps: every 13.33 frames, from the first frame on.
    assert music.beat_frames == [0, 13, 27, 40, 53]
    assert house.clip.meta["beats"] == "tempo" and house.clip.meta["dancers"] == ["d20"]
    assert house.clip.meta["situation"] == "advanced dance" and house.clip.meta["choreography"] == "ch15"
    item = jobs[maker.HOUSE].items[0]
    assert item.text == [
        "a person dances an advanced house dance choreography",
        "someone is dancing house dance to music at 135 beats a minute",
    ]
    assert (
        item.actor == "Null" and item.commercial and "CC BY 4.0" in item.licence and "AIST++" in item.source
    )


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"smpl_scaling": np.array([0.0])}, "smpl_scaling"),
        ({"smpl_scaling": np.array([np.nan])}, "smpl_scaling"),
        ({"smpl_scaling": np.array([1.0, 2.0])}, "smpl_scaling"),
        ({"smpl_poses": np.zeros((10, 24, 3))}, "should be"),
        ({"smpl_poses": np.zeros((0, 24, 3)), "smpl_trans": np.zeros((0, 3))}, "should be"),
        ({"smpl_poses": np.full((21, 24, 3), np.nan)}, "not finite in 21 of 21"),
        ({"smpl_trans": np.where(np.arange(63).reshape(21, 3) == 7, np.inf, 0.0)}, "not finite in 1 of 21"),
        ({"smpl_trans": None}, "no smpl_trans"),
        ({"smpl_poses": "text"}, "no numbers"),
    ],
)
def test_a_bad_motion_is_named(change: dict[str, object], word: str, tmp_path: Path) -> None:
    path = maker.write_pickle(tmp_path / f"{maker.TRAIN}.pkl", {**maker.motion(maker.dance(21)), **change})
    with pytest.raises(BadInput, match=word) as error:
        convert_motion(path)
    assert maker.TRAIN in error.value.message


def test_files_that_are_no_motion(tmp_path: Path) -> None:
    path = tmp_path / f"{maker.TRAIN}.pkl"
    for content in (
        b"",
        pickle.dumps([1, 2]),
        pickle.dumps(maker.motion(maker.dance(21)))[:-400],
        b"cos\nsystem\n(S'true'\ntR.",
    ):
        path.write_bytes(content)
        for convert in (convert_motion, convert_keypoints):
            with pytest.raises(BadInput, match=maker.TRAIN):
                convert(path)


# -------------------------------------------------------------------------------------- keypoints


def test_a_dance_without_a_motion_is_fitted(jobs: dict[str, Job]) -> None:
    job = jobs[maker.ONLY_KEYPOINTS]
    assert job.path.parent.name == "keypoints3d" and jobs[maker.TRAIN].path.parent.name == "motions"
    clip = made(job).clip
    danced = maker.dance(seed=20)
    danced = danced.replace(poses=danced.poses[::2], trans=danced.trans[::2], fps=30)
    assert clip.fps == 30 and len(clip) == 61 and clip.meta["fit_error_mm"] < 10
    limbs = [
        INDEX[f"{side}_{joint}"]
        for side in ("left", "right")
        for joint in ("knee", "ankle", "elbow", "wrist")
    ]
    assert same_place(clip, danced)[:, limbs].mean() < 0.02
    assert not clip.known["hands"]


def test_gaps_in_keypoints(tmp_path: Path) -> None:
    points = maker.keypoints(maker.dance(61))
    gaps = points.copy()
    gaps[20:26, 9] = np.nan
    gaps[3, 15, 2] = np.inf
    path = tmp_path / f"{maker.TRAIN}.pkl"
    whole, holed = (
        convert_keypoints(maker.write_pickle(path, {"keypoints3d": p})).clip for p in (points, gaps)
    )
    assert np.isfinite(holed.poses).all() and same_place(whole, holed).max() < 0.08
    for bad, word in (
        (np.full_like(points, np.nan), "."),
        (points[:, :16], "17"),
        (points[:0], "17"),
        (points.reshape(-1), "17"),
    ):
        with pytest.raises(BadInput, match=word):
            convert_keypoints(maker.write_pickle(path, {"keypoints3d_optim": bad}))
    with pytest.raises(BadInput, match="neither"):
        convert_keypoints(maker.write_pickle(path, {"keypoints2d": points}))


# ---------------------------------------------------------------------------------------- cameras


def pixels(camera: dict[str, object], points: np.ndarray) -> np.ndarray:
    """(N, 2) of a pinhole camera, by the definition."""
    turn = rot.axis_angle_to_matrix(np.array(camera["rotation"]))
    at = (points @ turn.T + np.array(camera["translation"])) @ np.array(camera["matrix"]).T
    return at[:, :2] / at[:, 2:]


@pytest.mark.parametrize("name", [maker.TRAIN, maker.ONLY_KEYPOINTS])
def test_cameras_see_the_clip_where_they_saw_the_dancer(name: str, jobs: dict[str, Job]) -> None:
    converted = made(jobs[name])
    placed = json.loads(converted.files[".cameras.json"])
    assert placed["environment"] == "setting1" and [c["name"] for c in placed["cameras"]][:2] == [
        "c01",
        "c02",
    ]
    danced = maker.dance(seed=0 if name == maker.TRAIN else 20)
    unit = maker.SCALING if name == maker.TRAIN else 100.0
    ankles = [INDEX["left_ankle"], INDEX["right_knee"]]
    then = danced.joints()[0, ankles] * unit
    now = converted.clip.joints()[0, ankles]
    for before, after in zip(maker.cameras(), placed["cameras"], strict=True):
        limit = 0.5 if name == maker.TRAIN else 8.0  # a fitted body is a little elsewhere
        np.testing.assert_allclose(pixels(after, now), pixels(before, then), atol=limit)
        assert after["size"] == before["size"] and after["distortions"] == before["distortions"]


def test_a_broken_camera_file_costs_no_dance(jobs: dict[str, Job], tmp_path: Path) -> None:
    val = made(jobs[maker.VAL])
    assert val.files == {} and "setting2.json" in val.clip.meta["notes"][0]
    assert made(jobs[maker.UNLISTED_MUSIC]).files == {}  # in no environment: nothing to note
    for text in (
        "",
        "{}",
        "[1]",
        '[{"name": "c01"}]',
        json.dumps([{**maker.cameras()[0], "matrix": [[np.nan] * 3] * 3}]),
    ):
        (tmp_path / "s.json").write_text(text)
        if text == "{}":
            assert aist.read_cameras(tmp_path / "s.json") == []
            continue
        with pytest.raises(BadInput, match=r"s\.json"):
            aist.read_cameras(tmp_path / "s.json")


# ------------------------------------------------------------------------------------------ beats


@pytest.mark.parametrize(("bpm", "first"), [(80.0, 0.31), (110.0, 0.0), (130.0, 0.2), (135.0, 0.4)])
@pytest.mark.parametrize("told", [True, False])
def test_beats_are_found_in_the_music(bpm: float, first: float, told: bool, tmp_path: Path) -> None:
    path = maker.click_track(tmp_path / "m.wav", bpm, first)
    pulse = find_beats(onset_strength(*read_audio(path)), bpm if told else None)
    assert pulse is not None
    assert abs(pulse[0] / bpm - 1) < 0.003
    frames = np.array(beat_frames(*pulse, frames=450, fps=30.0))
    expected = np.array(beat_frames(bpm, first, 450, 30.0))
    assert len(frames) == len(expected) and np.abs(frames - expected).max() <= 1


def test_music_without_a_pulse(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0)
    assert find_beats(onset_strength(np.zeros(22050 * 10), 22050), 120) is None
    assert find_beats(onset_strength(numbers.normal(size=22050 * 20), 22050), 120) is None
    assert find_beats(np.ones(50), 120) is None
    with pytest.raises(BadInput, match=r"no\.wav"):
        read_audio(tmp_path / "no.wav")
    (tmp_path / "bad.wav").write_bytes(b"RIFFrubbish")
    with pytest.raises(BadInput, match=r"bad\.wav"):
        read_audio(tmp_path / "bad.wav")


@given(st.floats(60, 180), st.floats(0, 30), st.integers(1, 2000))
def test_beat_frames(bpm: float, first: float, frames: int) -> None:
    found = beat_frames(bpm, first, frames, 30.0)
    assert all(0 <= frame < frames for frame in found)
    steps = np.diff(found)
    assert all(abs(step - 1800 / bpm) <= 1 for step in steps)
    assert len(found) >= frames / (1800 / bpm) - 1.5


def test_the_wav_beside_the_motion_is_used(root: Path, tmp_path: Path) -> None:
    home = tmp_path / "aist"
    danced = maker.dance(600)
    maker.write_pickle(home / "motions" / f"{maker.TRAIN}.pkl", maker.motion(danced))
    maker.click_track(home / "music" / "mBR0.wav", 80.0, 0.3)
    (job,) = aist.jobs(Raw(tmp_path, tmp_path))
    converted = made(job)
    assert converted.clip.meta["beats"] == "audio" and converted.metadata is not None
    music = converted.metadata.music
    assert music is not None and music.bpm == 80 and music.beat_frames is not None
    assert np.abs(np.array(music.beat_frames) - beat_frames(80.0, 0.3, 300, 30.0)).max() <= 1
    (home / "music" / "mBR0.wav").write_bytes(b"RIFFrubbish")
    aist.pulse_of.cache_clear()
    converted = made(job)
    assert converted.clip.meta["beats"] == "tempo" and "mBR0.wav" in converted.clip.meta["notes"][0]


# ------------------------------------------------------------------------------------------ store


def test_a_store_of_it(root: Path, tmp_path: Path) -> None:
    motions = root / "aist" / "motions"
    broken = motions / "gMH_sBM_cAll_d22_mMH1_ch04.pkl"
    broken.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    try:
        report = prepare("aist", jobs_of("aist", root, tmp_path), tmp_path)
    finally:
        broken.unlink()
    assert report["read"] == 10 and report["made"] == 6 and report["left_out_count"] == 3
    assert list(report["skipped"]) == [broken.stem] and "os.system" in report["skipped"][broken.stem]
    rows = {item.motion_name: item for item in read_index(tmp_path)}
    assert len(rows) == 6 and rows[maker.VAL].split == "val"
    music = rows[maker.TRAIN].metadata.music
    assert music is not None and music.genre == "break" and music.bpm == 80
    assert (tmp_path / "clips" / "aist" / f"{maker.TRAIN}.cameras.json").is_file()
    assert rows[maker.TRAIN].metadata.temporal is not None
    assert rows[maker.TRAIN].metadata.temporal.original_fps == 60
