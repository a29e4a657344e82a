"""Every kind of motion file through one door; a broken one ends in one sentence."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion import npz
from understudy.backend.motion import rotations as rot
from understudy.backend.motion.bvh import clip_to_bvh
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.reading import read_motion
from understudy.backend.motion.skeleton import J0

RAW = Path(__file__).parents[1] / "data" / "raw" / "cmu"


def walker(frames: int = 20, fps: float = 30.0) -> Clip:
    rng = np.random.default_rng(3)
    time = np.arange(frames)[:, None, None] / fps
    poses = 0.3 * np.sin(3 * time + rng.normal(size=(55, 3))) * rng.normal(size=(55, 3))
    trans = np.stack([0.1 * time[:, 0, 0], 1.31 + 0 * time[:, 0, 0], time[:, 0, 0]], axis=1)
    return Clip(poses, trans, fps)


def apart(a: Clip, b: Clip) -> float:
    angles = rot.geodesic_angle(rot.axis_angle_to_matrix(a.poses), rot.axis_angle_to_matrix(b.poses))
    return float(angles.max())


def test_a_bvh_of_ours_comes_back_as_it_was(tmp_path: Path) -> None:
    clip = walker()
    (tmp_path / "a.bvh").write_text(clip_to_bvh(clip))
    found = read_motion(tmp_path / "a.bvh")
    assert found.layout == "BVH (SMPL-X)"
    assert (found.clip.fps, len(found.clip)) == (30, 20)
    assert apart(found.clip, clip) < 1e-4
    assert np.abs(found.clip.trans - clip.trans).max() < 1e-6
    assert found.clip.known == {"lower_trans": True, "upper": True, "hands": True, "face": True}


def test_fingers_that_never_move_were_not_captured(tmp_path: Path) -> None:
    clip = walker()
    poses = np.array(clip.poses)
    poses[:, 22:] = 0
    (tmp_path / "a.bvh").write_text(clip_to_bvh(clip.replace(poses=poses)))
    assert read_motion(tmp_path / "a.bvh").clip.known == {
        "lower_trans": True, "upper": True, "hands": False, "face": False
    }  # fmt: skip


@pytest.mark.parametrize(
    "file",
    ["bvh_mb/02/02_03.bvh", "bvh_other/131/131_01.bvh", "bvh_other/11/11_01.bvh", "amc/02/02_03.amc", "amc/11/11_01.amc"],
)  # fmt: skip
def test_captured_motion_of_other_skeletons_stands_on_the_floor_at_its_own_speed(file: str) -> None:
    clip = read_motion(RAW / file).clip
    joints = clip.joints()
    assert clip.fps == 120
    assert 1.3 < np.median(joints[:, 15, 1]) < 1.7, "the head is where a head is"
    assert -0.08 < joints[:, [10, 11], 1].min() < 0.15, "the toes are near the floor"
    # Left is left: the face looks where the toes point.
    forward = rot.axis_angle_to_matrix(clip.poses[:, 0])[:, :, 2]
    toes = joints[:, [10, 11]].mean(1) - joints[:, [7, 8]].mean(1)
    assert np.median((forward * toes).sum(-1)) > 0.05


def test_bvh_and_amc_of_one_trial_agree() -> None:
    bvh, amc = (read_motion(RAW / file).clip for file in ("bvh_mb/02/02_03.bvh", "amc/02/02_03.amc"))
    frames = min(len(bvh), len(amc))
    gap = np.linalg.norm(bvh.joints()[:frames, :22] - amc.joints()[:frames, :22], axis=-1)
    assert np.median(gap) < 0.06
    assert "fps assumed" in amc.meta["notes"][0]


def test_up_may_be_z_in_a_bvh(tmp_path: Path) -> None:
    """Blender writes its own axes."""
    clip = walker()
    lines = []
    for line in clip_to_bvh(clip).splitlines():
        words = line.split()
        if words[:1] == ["OFFSET"]:
            x, y, z = map(float, words[1:])
            line = f"OFFSET {x} {-z} {y}"
        elif words[:1] == ["CHANNELS"]:
            # (x, y, z) -> (x, -z, y): a turn about Z becomes one about -Y, one about Y one about Z.
            line = line.replace("Zrotation Xrotation Yrotation", "Yrotation Xrotation Zrotation")
        elif len(words) > 100:
            values = np.array(words, dtype=float)
            x, y, z = values[:3]
            angles = values[3:].reshape(-1, 3) * np.array([-1.0, 1.0, 1.0])
            line = " ".join(str(v) for v in [x, -z, y, *angles.reshape(-1)])
        lines.append(line)
    (tmp_path / "z.bvh").write_text("\n".join(lines))
    found = read_motion(tmp_path / "z.bvh").clip
    assert apart(found, clip) < 1e-4
    assert np.abs(found.trans - clip.trans).max() < 1e-4


def test_motionx_arrays(tmp_path: Path) -> None:
    clip = walker()
    rows = np.zeros((len(clip), 322))
    rows[:, :66] = clip.poses[:, :22].reshape(len(clip), -1)
    rows[:, 66:156] = clip.poses[:, 25:].reshape(len(clip), -1)
    rows[:, 156:159] = clip.poses[:, 22]
    rows[:, 309:312] = clip.trans
    rows[:, 312] = 0.7
    np.save(tmp_path / "a.npy", rows)
    found = read_motion(tmp_path / "a.npy")
    assert found.layout == "Motion-X"
    assert np.delete(np.abs(found.clip.poses - clip.poses), [23, 24], axis=1).max() < 1e-12
    assert found.clip.betas[0] == np.float32(0.7)
    assert found.clip.known["hands"]


def test_kimodo_arrays(tmp_path: Path) -> None:
    clip = walker()
    turns = rot.axis_angle_to_matrix(clip.poses[:, :22])
    np.savez(tmp_path / "a.npz", local_rot_mats=turns, root_positions=clip.trans + J0, fps=30.0)
    found = read_motion(tmp_path / "a.npz")
    assert found.layout == "Kimodo"
    assert np.abs(found.clip.joints()[:, :22] - clip.joints()[:, :22]).max() < 1e-9
    assert not found.clip.known["hands"]
    np.savez(
        tmp_path / "b.npz", local_rot_mats=np.tile(np.eye(3), (5, 77, 1, 1)), root_positions=np.zeros((5, 3))
    )
    with pytest.raises(BadInput, match="77 joints"):
        read_motion(tmp_path / "b.npz")


@pytest.mark.parametrize("dialect", ["amass", "smplx"])
def test_npz_is_named_by_its_layout(tmp_path: Path, dialect: str) -> None:
    npz.write_clip(walker(), tmp_path / "a.npz", dialect=dialect)  # type: ignore[arg-type]
    assert read_motion(tmp_path / "a.npz").layout.startswith("Understudy, ")
    np.savez(tmp_path / "b.npz", poses=np.zeros((4, 156)), trans=np.zeros((4, 3)), mocap_framerate=60.0)
    assert read_motion(tmp_path / "b.npz").layout == "AMASS SMPL+H"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.txt", "not a motion file"),
        ("missing.bvh", "There is no file"),
        ("folder.npz", "is a folder"),
        ("alone.amc", "is not beside it"),
        ("joints.npy", "legs have no length"),
        ("pickled.npy", "pickle"),
        ("chair.bvh", "No human figure"),
        ("twice.bvh", "two joints of the same name"),
        ("still.bvh", "frame time"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_sentence(tmp_path: Path, name: str, says: str) -> None:
    joint = (
        "ROOT a\n{\nOFFSET 0 0 0\nCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n"
    )
    end = "End Site\n{\nOFFSET 0 1 0\n}\n"
    motion = "}\nMOTION\nFrames: 1\nFrame Time: 0.033\n0 0 0 0 0 0\n"
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "folder.npz").mkdir()
    (tmp_path / "alone.amc").write_text(":DEGREES\n1\nroot 0 0 0 0 0 0\n")
    np.save(tmp_path / "joints.npy", np.zeros((5, 22, 3)))
    np.save(tmp_path / "pickled.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "chair.bvh").write_text("HIERARCHY\n" + joint + end + motion)
    second = "JOINT a\n{\nOFFSET 0 1 0\nCHANNELS 0\n" + end + "}\n"
    (tmp_path / "twice.bvh").write_text("HIERARCHY\n" + joint + second + motion)
    text = clip_to_bvh(walker(2))
    (tmp_path / "still.bvh").write_text(text.replace("Frame Time: 0.03333333333", "Frame Time: 0"))
    with pytest.raises(BadInput, match=says) as caught:
        read_motion(tmp_path / name)
    assert "\n" not in caught.value.message


def _whole(kind: str) -> bytes:
    clip = walker(3)
    if kind == "bvh":
        return clip_to_bvh(clip).encode()
    stream = io.BytesIO()
    if kind == "npy":
        np.save(stream, np.zeros((3, 322)))
    else:
        npz.write_clip(clip, stream)
    return stream.getvalue()


WHOLE = {kind: _whole(kind) for kind in ("bvh", "npz", "npy")}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)  # fmt: skip
@given(
    kind=st.sampled_from(sorted(WHOLE)),
    at=st.floats(0, 1),
    junk=st.binary(max_size=30),
    cut=st.integers(0, 400),
    last=st.booleans(),
)
def test_damaged_files_never_end_in_a_traceback(
    tmp_path: Path, kind: str, at: float, junk: bytes, cut: int, last: bool
) -> None:
    data = WHOLE[kind]
    place = int(at * len(data))
    broken = data[:place] + junk + (b"" if last else data[place + cut :])
    path = tmp_path / f"a.{kind}"
    path.write_bytes(broken)
    try:
        clip = read_motion(path).clip
    except BadInput as error:
        assert error.message and "\n" not in error.message
    else:
        assert np.isfinite(clip.poses).all()


def test_what_only_a_suffix_tells_from_each_other(tmp_path: Path) -> None:
    """An .npy of another shape is refused with the shapes that are read."""
    np.save(tmp_path / "a.npy", np.zeros((5, 7)))
    with pytest.raises(BadInput, match=r"the shape \(5, 7\)") as caught:
        read_motion(tmp_path / "a.npy")
    assert "(frames, 322)" in caught.value.hint and "(frames, 22, 3)" in caught.value.hint
