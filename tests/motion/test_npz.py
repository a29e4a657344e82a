"""Clip files: what we write, and everything the field writes."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip, rotate_world
from understudy.backend.motion.dialects import SMPLH_J0, Z_UP
from understudy.backend.motion.npz import clip_from_bytes, clip_to_bytes, read_clip, write_clip
from understudy.backend.motion.skeleton import J0

from .synthetic import random_clip, walk

GOLDEN = Path(__file__).parent / "golden.npz"


def read_keys(**keys: object) -> Clip:
    """Read a file that holds exactly these keys."""
    buffer = io.BytesIO()
    np.savez(buffer, **keys)  # type: ignore[arg-type]
    buffer.seek(0)
    return read_clip(buffer)


def foreign(frames: int = 12, columns: int = 165, up: str = "z", seed: int = 0) -> tuple[dict, Clip]:
    """The keys of a foreign file of an upright person, and the clip that must come out."""
    clip = random_clip(frames, 120.0, seed)
    poses = np.array(clip.poses)
    poses[:, 0] *= 0.1
    if columns == 156:
        poses[:, 22:25] = 0
    clip = clip.replace(poses=poses)
    turned = rotate_world(clip, Z_UP) if up == "z" else clip
    flat = turned.poses.reshape(frames, 165)
    if columns == 156:
        flat = np.concatenate([flat[:, :66], flat[:, 75:]], axis=1)
    return {"poses": flat, "trans": turned.trans, "betas": np.zeros(16), "gender": "female"}, clip


def assert_same_motion(a: Clip, b: Clip, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(
        rotations.axis_angle_to_matrix(a.poses), rotations.axis_angle_to_matrix(b.poses), atol=tolerance
    )
    np.testing.assert_allclose(a.trans, b.trans, atol=tolerance)


def assert_round_trip(clip: Clip, back: Clip) -> None:
    assert_same_motion(back, clip, 1e-5)
    np.testing.assert_allclose(back.betas, clip.betas, atol=1e-6)
    for name in ("expressions", "contacts"):
        values = getattr(clip, name)
        if values is None:
            assert getattr(back, name) is None
        else:
            np.testing.assert_allclose(getattr(back, name), values, atol=1e-6)
    assert (back.fps, back.gender, back.known, back.meta) == (clip.fps, clip.gender, clip.known, clip.meta)


# ------------------------------------------------------------------------------------ our own files


@pytest.mark.parametrize("dialect", ["amass", "smplx"])
@given(
    seed=st.integers(0, 10_000),
    frames=st.integers(1, 40),
    fps=st.sampled_from([30.0, 29.97, 120.0]),
    full=st.booleans(),
    meta=st.dictionaries(st.text(max_size=5), st.one_of(st.text(), st.integers(), st.none()), max_size=4),
)
def test_round_trip(dialect: str, seed: int, frames: int, fps: float, full: bool, meta: dict) -> None:
    clip = random_clip(frames, fps, seed).replace(meta=meta)
    if not full:
        clip = clip.replace(expressions=None, contacts=None)
    buffer = io.BytesIO()
    write_clip(clip, buffer, dialect=dialect)  # type: ignore[arg-type]
    buffer.seek(0)
    assert_round_trip(clip, read_clip(buffer))


def test_joints_survive_the_file() -> None:
    clip, _ = walk(1.0)
    np.testing.assert_allclose(clip_from_bytes(clip_to_bytes(clip)).joints(), clip.joints(), atol=1e-5)


def test_same_clip_same_bytes() -> None:
    assert clip_to_bytes(random_clip()) == clip_to_bytes(random_clip())
    assert clip_to_bytes(random_clip(seed=1)) != clip_to_bytes(random_clip(seed=2))


def test_order_of_meta_does_not_matter() -> None:
    a = random_clip().replace(meta={"a": 1, "b": 2})
    assert clip_to_bytes(a) == clip_to_bytes(a.replace(meta={"b": 2, "a": 1}))


def test_meta_may_hold_numpy_numbers() -> None:
    clip = random_clip().replace(meta={"seed": np.int64(3), "score": np.float32(0.5), "path": Path("a")})
    assert clip_from_bytes(clip_to_bytes(clip)).meta == {"seed": 3, "score": 0.5, "path": "a"}


def test_amass_keys_shapes_and_types() -> None:
    with np.load(io.BytesIO(clip_to_bytes(random_clip(7, 30.0))), allow_pickle=False) as data:
        shapes = {key: data[key].shape for key in data.files}
        assert shapes == {
            "poses": (7, 165), "trans": (7, 3), "betas": (16,), "num_betas": (), "gender": (),
            "surface_model_type": (), "mocap_frame_rate": (), "mocap_time_length": (), "root_orient": (7, 3),
            "pose_body": (7, 63), "pose_hand": (7, 90), "pose_jaw": (7, 3), "pose_eye": (7, 6),
            "expressions": (7, 100), "contacts": (7, 4), "understudy": (),
        }  # fmt: skip
        for key in ("poses", "trans", "betas", "root_orient", "pose_body", "expressions", "contacts"):
            assert data[key].dtype == np.float32, key
        assert float(data["mocap_frame_rate"]) == 30.0
        assert float(data["mocap_time_length"]) == pytest.approx(7 / 30)
        assert str(data["surface_model_type"]) == "smplx"
        poses = data["poses"]
        parts = [data[k] for k in ("root_orient", "pose_body", "pose_jaw", "pose_eye", "pose_hand")]
        np.testing.assert_array_equal(np.concatenate(parts, axis=1), poses)
        facts = json.loads(str(data["understudy"]))
        assert {"version", "known", "meta", "up", "fps"} <= set(facts)
        assert facts["up"] == "z"


def test_amass_file_is_z_up() -> None:
    """As a SMPL-X tool reads it: the pelvis at J0 + trans, about one metre up along z; the head above."""
    clip, _ = walk(1.0)
    with np.load(io.BytesIO(clip_to_bytes(clip)), allow_pickle=False) as data:
        seen = Clip(poses=data["poses"].reshape(-1, 55, 3), trans=data["trans"], fps=30.0).joints()
    np.testing.assert_allclose(seen, clip.joints() @ Z_UP.T, atol=1e-5)
    assert 0.8 < seen[:, 0, 2].mean() < 1.0
    assert (seen[:, 15, 2] > seen[:, 0, 2] + 0.4).all()


def test_smplx_dialect_is_as_beat2_has_it(tmp_path: Path) -> None:
    clip = random_clip(7, 30.0)
    write_clip(clip, tmp_path / "a.npz", dialect="smplx")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as data:
        assert data["poses"].shape == (7, 165)
        assert data["betas"].shape == (300,)
        assert data["expressions"].shape == (7, 100)
        assert str(data["model"]) == "smplx2020"
        assert data["mocap_frame_rate"].dtype.kind == "i"
        np.testing.assert_allclose(data["poses"].reshape(7, 55, 3), clip.poses, atol=1e-6)
        np.testing.assert_allclose(data["trans"], clip.trans, atol=1e-6)


def test_up_axis_is_never_lost_between_dialects(tmp_path: Path) -> None:
    clip, _ = walk(0.5)
    for dialect in ("smplx", "amass", "smplx", "amass"):
        write_clip(clip, tmp_path / "a.npz", dialect=dialect)  # type: ignore[arg-type]
        clip = read_clip(tmp_path / "a.npz")
    np.testing.assert_allclose(clip.joints(), walk(0.5)[0].joints(), atol=1e-5)


def test_a_lying_clip_of_ours_is_not_stood_up() -> None:
    clip, _ = walk(0.5)
    lying = rotate_world(clip, rotations.axis_angle_to_matrix(np.array([np.pi / 2, 0, 0])))
    np.testing.assert_allclose(clip_from_bytes(clip_to_bytes(lying)).joints(), lying.joints(), atol=1e-5)


def test_golden_file_still_reads_the_same() -> None:
    """A file of the first version, with numbers noted then: neither the format nor the kinematics may drift."""
    clip = read_clip(GOLDEN)
    assert (len(clip), clip.fps, clip.gender) == (9, 30.0, "neutral")
    assert clip.meta == {"prompt": "a person walks forward", "seed": 1, "licence": "CC0-1.0"}
    assert clip.known == {"lower_trans": True, "upper": True, "hands": False, "face": False}
    joints = clip.joints()
    np.testing.assert_allclose(
        joints[[0, 4, 8]][:, [0, 10, 15, 20]],
        np.array(json.loads(GOLDEN.with_suffix(".json").read_text())),
        atol=1e-4,
    )


# ------------------------------------------------------------------------------------ foreign files


@pytest.mark.parametrize("spelling", ["mocap_frame_rate", "mocap_framerate", "fps", "frame_rate"])
@pytest.mark.parametrize("value", [120, 120.0, np.float32(120), "120", b"120", np.array([120.0])])
def test_spellings_of_the_frame_rate(spelling: str, value: object) -> None:
    keys, _ = foreign()
    assert read_keys(**keys, **{spelling: value}).fps == 120.0


def test_frame_rate_from_the_length_in_seconds() -> None:
    keys, _ = foreign(frames=60)
    assert read_keys(**keys, mocap_time_length=0.5).fps == pytest.approx(120.0)


def test_no_frame_rate_at_all_is_noted_not_fatal() -> None:
    keys, _ = foreign()
    clip = read_keys(**keys, surface_model_type="smplx")
    assert clip.fps == 30.0
    assert "mocap_frame_rate" in clip.meta["notes"][0]


def test_frame_rate_can_be_overridden() -> None:
    """AMASS SMPL-X files say 120 fps whatever the truth is."""
    buffer = io.BytesIO()
    np.savez(buffer, **foreign()[0], mocap_frame_rate=120.0)
    buffer.seek(0)
    assert read_clip(buffer, fps=60.0).fps == 60.0


def test_amass_smplx() -> None:
    keys, clip = foreign(up="z")
    back = read_keys(**keys, mocap_frame_rate=120.0, surface_model_type="smplx", num_betas=16)
    assert_same_motion(back, clip)
    assert back.expressions is None
    assert back.gender == "female"
    assert back.known == {"lower_trans": True, "upper": True, "hands": True, "face": True}


def test_amass_smplh() -> None:
    """156 numbers: the hands follow the body at once, without jaw and eyes; the rest pelvis is SMPL+H's."""
    keys, clip = foreign(columns=156, up="z")
    keys["trans"] = keys["trans"] + J0 - SMPLH_J0
    back = read_keys(**keys, mocap_framerate=120.0, dmpls=np.zeros((12, 8)))
    assert_same_motion(back, clip)
    assert not back.poses[:, 22:25].any()
    assert back.known["hands"]
    assert not back.known["face"]


def test_smplh_pelvis_is_where_smplh_has_it() -> None:
    keys, _ = foreign(columns=156, up="z")
    keys["poses"][:, :3] = [np.pi / 2, 0, 0]
    pelvis = read_keys(**keys, mocap_framerate=120.0).joints()[:, 0]
    np.testing.assert_allclose(pelvis @ Z_UP.T, keys["trans"] + SMPLH_J0, atol=1e-6)


def test_addon_and_beat2() -> None:
    keys, clip = foreign(up="y")
    back = read_keys(
        **keys, mocap_frame_rate=np.int32(120), model="smplx2020", expressions=np.ones((12, 100))
    )
    assert_same_motion(back, clip)
    assert back.expressions is not None
    assert back.expressions.shape == (12, 100)


@pytest.mark.parametrize("up", ["y", "z"])
def test_up_axis_from_the_data_when_no_key_tells(up: str) -> None:
    keys, clip = foreign(up=up)
    assert_same_motion(read_keys(**keys, mocap_frame_rate=120.0), clip)


@pytest.mark.parametrize(("dialect", "up"), [("amass", "z"), ("smplx", "y")])
def test_a_named_dialect_settles_the_up_axis(dialect: str, up: str) -> None:
    keys, clip = foreign(up=up)
    keys["poses"][:, :3] = 0.0  # says nothing about up in one of the two worlds
    buffer = io.BytesIO()
    np.savez(buffer, **keys, mocap_frame_rate=120.0)
    buffer.seek(0)
    clip = read_clip(buffer, dialect=dialect)  # type: ignore[arg-type]
    upright = rotations.axis_angle_to_matrix(clip.poses[0, 0])[:, 1]
    np.testing.assert_allclose(upright, [0, 1, 0] if up == "y" else [0, 0, -1], atol=1e-6)


@pytest.mark.parametrize(
    ("gender", "expected"),
    [
        ("male", "male"), (b"male", "male"), (np.array(["female"]), "female"), (np.array([b"Female"]), "female"),
        ("b'male'", "male"), ("neutral", "neutral"), ("robot", "neutral"), (3, "neutral"),
    ],
)  # fmt: skip
def test_gender_in_any_clothing(gender: object, expected: str) -> None:
    keys, _ = foreign()
    assert read_keys(**{**keys, "gender": gender}, fps=30).gender == expected


def test_gender_missing() -> None:
    keys, _ = foreign()
    del keys["gender"], keys["betas"]
    clip = read_keys(**keys, fps=30)
    assert clip.gender == "neutral"
    assert clip.betas.shape == (16,)


@pytest.mark.parametrize("shape", [(10,), (16,), (300,), (1, 10), (12, 10)])
def test_betas_of_any_length(shape: tuple[int, ...]) -> None:
    keys, _ = foreign()
    assert read_keys(**{**keys, "betas": np.ones(shape)}, fps=30).betas.shape == shape[-1:]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_precision_of_the_numbers_does_not_matter(dtype: type) -> None:
    keys, clip = foreign()
    keys = {k: v.astype(dtype) if isinstance(v, np.ndarray) else v for k, v in keys.items()}
    assert_same_motion(read_keys(**keys, fps=120.0), clip, 5e-3)


@pytest.mark.parametrize(("columns", "joints"), [(165, 55), (156, 52)])
def test_poses_by_joint(columns: int, joints: int) -> None:
    keys, _ = foreign(columns=columns)
    flat = read_keys(**keys, fps=120.0)
    keys["poses"] = keys["poses"].reshape(12, joints, 3)
    assert_same_motion(read_keys(**keys, fps=120.0), flat)


@pytest.mark.parametrize("columns", [66, 72])
def test_body_only(columns: int) -> None:
    keys, _ = foreign()
    whole = read_keys(**keys, mocap_frame_rate=30, surface_model_type="smplx")
    keys["poses"] = np.concatenate([keys["poses"][:, :66], np.ones((12, columns - 66))], axis=1)
    clip = read_keys(**keys, mocap_frame_rate=30, surface_model_type="smplx")
    np.testing.assert_allclose(clip.poses[:, 1:22], whole.poses[:, 1:22])
    assert not clip.poses[:, 22:].any()
    assert not clip.known["hands"]


def named(keys: dict, spelling: str) -> dict:
    poses, trans = keys["poses"], keys["trans"]
    if spelling == "amass":
        return {
            "root_orient": poses[:, :3], "pose_body": poses[:, 3:66], "pose_jaw": poses[:, 66:69],
            "pose_eye": poses[:, 69:75], "pose_hand": poses[:, 75:], "trans": trans,
        }  # fmt: skip
    if spelling == "smplx":
        return {
            "global_orient": poses[:, :3], "body_pose": poses[:, 3:66].reshape(-1, 21, 3),
            "jaw_pose": poses[:, 66:69], "leye_pose": poses[:, 69:72], "reye_pose": poses[:, 72:75],
            "left_hand_pose": poses[:, 75:120], "right_hand_pose": poses[:, 120:], "transl": trans,
        }  # fmt: skip
    return {
        "root_orient": poses[:, :3], "pose_body": poses[:, 3:66].reshape(-1, 21, 3), "trans": trans,
        "pose_lhand": poses[:, 75:120].reshape(-1, 15, 3), "pose_rhand": poses[:, 120:].reshape(-1, 15, 3),
    }  # fmt: skip


@pytest.mark.parametrize("spelling", ["amass", "smplx", "interx"])
def test_separate_keys_only(spelling: str) -> None:
    keys, clip = foreign(up="y")
    if spelling == "interx":
        keys["poses"][:, 66:75] = 0
        poses = np.array(clip.poses)
        poses[:, 22:25] = 0
        clip = clip.replace(poses=poses)
    assert_same_motion(read_keys(**named(keys, spelling), fps=120.0), clip)


def test_fingers_as_pca_are_left_out_with_a_note() -> None:
    keys, _ = foreign(up="y")
    parts = named(keys, "smplx")
    parts["left_hand_pose"] = np.ones((12, 6))
    del parts["right_hand_pose"]
    clip = read_keys(**parts, fps=30)
    assert not clip.poses[:, 25:].any()
    assert not clip.known["hands"]
    assert "PCA" in clip.meta["notes"][0]


def test_relaxed_hands_get_their_mean_added_as_vectors() -> None:
    keys, clip = foreign(up="y")
    mean = np.random.default_rng(5).normal(size=90)
    keys["poses"] = keys["poses"].copy()
    keys["poses"][:, 75:] -= mean
    same = {"fps": 120.0, "model": "smplx2020", "flat_hand_mean": False}
    assert_same_motion(read_keys(**keys, **same, hands_mean=mean), clip)
    assert_same_motion(read_keys(**keys, **same, hands_meanl=mean[:45], hands_meanr=mean[45:]), clip)
    with pytest.raises(BadInput, match="hands_mean is missing"):
        read_keys(**keys, **same)
    buffer = io.BytesIO()
    np.savez(buffer, **keys, fps=120.0, model="smplx2020")
    buffer.seek(0)
    assert_same_motion(read_clip(buffer, hands_mean=mean), clip)


def test_hands_that_never_move_were_not_captured() -> None:
    """AMASS writes the relaxed mean where there were no finger markers."""
    keys, _ = foreign()
    keys["poses"][:, 75:] = 0.2
    assert not read_keys(**keys, fps=30).known["hands"]


@pytest.mark.parametrize("columns", [10, 50, 100])
def test_expressions_of_any_width(columns: int) -> None:
    keys, _ = foreign()
    values = np.random.default_rng(0).normal(size=(12, columns))
    expressions = read_keys(**keys, fps=30, expressions=values).expressions
    assert expressions is not None
    np.testing.assert_allclose(expressions[:, :columns], values)
    assert not expressions[:, columns:].any()


def test_unread_pickles_do_no_harm() -> None:
    """AMASS SMPL-X files carry markers_latent_vids, an object array; nothing of it is read."""
    keys, clip = foreign()
    vids = np.array({"head": 1}, dtype=object)
    assert_same_motion(read_keys(**keys, fps=120, surface_model_type="smplx", markers_latent_vids=vids), clip)


def test_source_is_the_file_name_without_the_folder(tmp_path: Path) -> None:
    np.savez(tmp_path / "walk.npz", **foreign()[0], fps=30)
    assert read_clip(tmp_path / "walk.npz").meta["source"] == "walk.npz"


# ------------------------------------------------------------------------------------ writing


def test_writing_replaces_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"old")

    def fail(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(BadInput, match="No space left"):
        write_clip(random_clip(), path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_nothing_but_the_file_is_left(tmp_path: Path) -> None:
    write_clip(random_clip(), tmp_path / "a.npz")
    write_clip(random_clip(), str(tmp_path / "a.npz"))
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("where", ["missing/a.npz", "file.txt/a.npz", "."])
def test_a_place_that_cannot_be_written_to(tmp_path: Path, where: str) -> None:
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(BadInput) as caught:
        write_clip(random_clip(), tmp_path / where)
    assert caught.value.exit_code == 2
    assert caught.value.message.count("\n") == 0


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere"
)
def test_a_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(BadInput, match="cannot be written"):
            write_clip(random_clip(), tmp_path / "a.npz")
    finally:
        tmp_path.chmod(0o700)


def test_a_clip_with_nan_is_not_written(tmp_path: Path) -> None:
    clip = random_clip()
    clip.trans[3] = np.nan
    with pytest.raises(BadInput, match="trans holds numbers that are not finite"):
        write_clip(clip, tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


def test_unknown_dialect(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="Unknown dialect"):
        write_clip(random_clip(), tmp_path / "a.npz", dialect="fbx")  # type: ignore[arg-type]
