"""Readers of raw motion files: the numbers of real files, and one sentence for a broken one."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion.rotations import axis_angle_to_matrix, euler_to_matrix, geodesic_angle
from understudy.training.data import cmu
from understudy.training.formats import asf, bvh, deepmimic, gltf
from understudy.training.formats.source import frame_picks

RAW = Path(__file__).parents[1] / "data" / "raw"
BVH = RAW / "cmu/bvh_mb/02/02_03.bvh"
AMC, ASF = RAW / "cmu/amc/02/02_03.amc", RAW / "cmu/amc/02/02.asf"

TINY = """HIERARCHY\r
ROOT Hips\r
{\r
\tOFFSET 1 2 3\r
\tCHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation\r
\tJOINT Knee\r
\t{\r
\t\tOFFSET 0 -4 0\r
\t\tCHANNELS 3 Zrotation Xrotation Yrotation\r
\t\tEnd Site\r
\t\t{\r
\t\t\tOFFSET 0 -5 0\r
\t\t}\r
\t}\r
}\r
MOTION\r
Frames:\t2\r
Frame Time: .0083333\r
10 20 30 0 0 0 0 0 0\r
10 20 30 90 0 0 0 90 0\r
"""


def test_bvh_channels_are_multiplied_in_their_order_and_positions_replace_the_offset(tmp_path: Path) -> None:
    path = tmp_path / "tiny.bvh"
    path.write_bytes(TINY.encode())
    file = bvh.read_bvh(path)
    assert file.frame_time == pytest.approx(0.0083333)
    motion = bvh.motion_of(file, rows=np.array([0, 1]), fps=30, unit=0.1)
    # The root's OFFSET has no place in the pose; the knee hangs below by default.
    assert motion.positions[0, 0] == pytest.approx([1, 2, 3])
    assert motion.positions[0, 1] == pytest.approx([1, 1.6, 3])
    # 90 degrees about Z carries -Y to +X; the knee then turns about its own X: -Y stays in the X direction's plane.
    assert motion.positions[1, 1] == pytest.approx([1.4, 2, 3])
    assert motion.point("Knee.tip")[1] == pytest.approx([1.4, 2, 2.5])
    expected = euler_to_matrix(np.radians([[90.0, 0, 0]]), "ZYX") @ euler_to_matrix(
        np.radians([[0, 90.0, 0]]), "ZXY"
    )
    assert motion.rotations[1, 1] == pytest.approx(expected[0])


def test_bvh_positions_of_any_joint_replace_its_offset_and_a_rest_pose_may_be_given(tmp_path: Path) -> None:
    path = tmp_path / "moving.bvh"
    text = TINY.replace(
        "3 Zrotation Xrotation Yrotation", "6 Xposition Yposition Zposition Zrotation Xrotation Yrotation"
    )
    text = text.replace("30 0 0 0 0 0 0", "30 0 0 0 7 8 9 0 0 0").replace(
        "90 0 0 0 90 0", "90 0 0 1 2 3 0 90 0"
    )
    path.write_bytes(text.encode())
    sideways = axis_angle_to_matrix(np.array([0, 0, np.pi / 2]))
    motion = bvh.motion_of(
        bvh.read_bvh(path),
        rows=np.array([0, 1]),
        fps=30,
        unit=1.0,
        rest_axes={"Hips": sideways, "Knee": sideways},
    )
    assert motion.positions[0, 1] - motion.positions[0, 0] == pytest.approx([7, 8, 9])
    assert motion.positions[1, 1] - motion.positions[1, 0] == pytest.approx([-2, 1, 3])
    # In the rest pose the hips are turned by 90 degrees about Z: the knee lies at their +X, and in the second
    # frame, turned just so, they are at rest.
    assert motion.rest_point("Knee") - motion.rest_point("Hips") == pytest.approx([4, 0, 0])
    assert motion.rotations[1, 0] == pytest.approx(np.eye(3))
    assert motion.point("Knee.tip")[1] - motion.positions[1, 1] == pytest.approx([0, 0, -5])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("no motion here", "HIERARCHY"),
        (TINY.replace("10 20 30 90 0 0 0 90 0", "10 20 30"), "promises"),
        (TINY.replace("Frames:\t2", "Frames: two"), "damaged"),
        (TINY.replace("OFFSET 0 -4 0", "OFFSET 0 x 0"), "damaged"),
        (TINY.replace("3 Zrotation", "3 Wrotation"), "Wrotation"),
        (TINY.replace("10 20 30 90", "10 20 nan 90"), "finite"),
        (TINY.split("MOTION")[0], "MOTION"),
    ],
)
def test_a_broken_bvh_is_one_sentence(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "broken.bvh"
    path.write_text(text)
    with pytest.raises(BadInput, match=word):
        bvh.read_bvh(path)


@given(st.integers(0, len(TINY) - 1), st.integers(0, 40), st.binary(max_size=12))
def test_a_bvh_with_damage_anywhere_is_read_or_refused(at: int, cut: int, put: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.bvh"
        path.write_bytes(TINY.encode()[:at] + put + TINY.encode()[at + cut :])
        try:
            file = bvh.read_bvh(path)
        except BadInput as error:
            assert "\n" not in error.message
        else:
            motion = bvh.motion_of(file, rows=np.arange(len(file.values)), fps=30, unit=1.0)
            assert motion.positions.shape == (len(file.values), len(file.names), 3)


def test_bvh_with_its_missing_bones_agrees_with_the_original_amc() -> None:
    missing = [(["Neck", "LeftShoulder", "RightShoulder"], [0.00151, 2.06805, 0.00804]),
               (["LeftFingerBase", "LThumb"], [1.67777, 0, 0]), (["RightFingerBase", "RThumb"], [-1.68216, 0, 0])]  # fmt: skip
    ours, _ = cmu.read_bvh_motion(BVH, fps=120, skip=1, missing=missing)
    original, _ = cmu.read_amc_motion(AMC, fps=120, skip=0, skeleton=ASF)
    assert len(ours) == len(original) == 23
    for name in ("root", "lfoot", "rtoes", "upperneck", "lhumerus", "rwrist", "lfingers", "lthumb"):
        assert np.abs(ours.point(name) - original.point(name)).max() < 1e-4, name
    without, _ = cmu.read_bvh_motion(BVH, fps=120, skip=1, missing=[])
    assert np.abs(without.point("upperneck") - original.point("upperneck")).max() > 0.1


def test_the_t_pose_row_is_no_motion() -> None:
    file = bvh.read_bvh(BVH)
    with_row, _ = cmu.read_bvh_motion(BVH, fps=120, skip=0, missing=[], target_fps=120)
    without, _ = cmu.read_bvh_motion(BVH, fps=120, skip=1, missing=[], target_fps=120)
    assert len(without) == len(file.values) - 1 == len(with_row) - 1
    wrists = with_row.point("lwrist") - with_row.point("lhumerus")
    assert wrists[0, 0] > 0.45 > wrists[1, 0]  # the arm is stretched sideways in row 0 only


def test_asf_turns_bones_about_their_own_axes() -> None:
    skeleton = asf.read_asf(ASF)
    values = np.zeros((1, len(skeleton.names), 6))
    knee = skeleton.names.index("ltibia")
    values[0, knee, 3] = 90.0
    motion = asf.motion_of(skeleton, values, rows=np.array([0]), fps=30, unit=1.0)
    shin = motion.point("lfoot")[0] - motion.point("ltibia")[0]
    length = skeleton.lengths[knee]
    assert shin == pytest.approx([0, 0, -length], abs=1e-4)  # a bent knee puts the shin behind
    assert np.linalg.norm(shin) == pytest.approx(length)
    others = [i for i, n in enumerate(skeleton.names) if n not in ("ltibia", "lfoot", "ltoes")]
    assert motion.rotations[0, others] == pytest.approx(np.broadcast_to(np.eye(3), (len(others), 3, 3)))


def test_amc_that_does_not_fit_or_is_empty(tmp_path: Path) -> None:
    skeleton = asf.read_asf(ASF)
    bad = tmp_path / "bad.amc"
    bad.write_text(":DEGREES\n1\nroot 1 2 3\n")
    with pytest.raises(BadInput, match="does not fit"):
        asf.read_amc(bad, skeleton)
    bad.write_text(":DEGREES\n1\nroot 1 2 3 4 5 six\n")
    with pytest.raises(BadInput, match="damaged number"):
        asf.read_amc(bad, skeleton)
    bad.write_text(":DEGREES\n")
    with pytest.raises(BadInput, match="no frames"):
        asf.read_amc(bad, skeleton)
    bad.write_text(":bonedata\nbegin\nname x\nend\n")
    with pytest.raises(BadInput, match="ASF"):
        asf.read_asf(bad)


def test_glb_keys_are_sampled_by_time() -> None:
    glb = gltf.read_glb(RAW / "cc0/human-base-animations.glb")
    assert set(glb.animation_names()) == {"Walk_Loop", "Punch_Jab", "Idle"}
    motion = gltf.motion_of(glb, "Walk_Loop", fps=30)
    assert len(motion) == 41  # 1.333 s
    keys = gltf.motion_of(glb, "Walk_Loop", fps=24)
    assert motion.positions[[0, 5, 10]] == pytest.approx(keys.positions[[0, 4, 8]], abs=1e-4)
    assert motion.rest_point("DEF-thigh.L")[0] > 0 > motion.rest_point("DEF-thigh.R")[0]
    # Rotations are measured from the rest pose: a bone at rest turned by them is the bone as it stands.
    shin, foot = motion.index("DEF-shin.L"), motion.index("DEF-foot.L")
    bone = motion.rest[foot] - motion.rest[shin]
    assert motion.rotations[:, shin] @ bone == pytest.approx(
        motion.positions[:, foot] - motion.positions[:, shin], abs=1e-5
    )


def test_glb_errors(tmp_path: Path) -> None:
    data = (RAW / "cc0/human-addon-animations.glb").read_bytes()
    with pytest.raises(BadInput, match="no animation"):
        gltf.motion_of(gltf.read_glb(RAW / "cc0/human-addon-animations.glb"), "Moonwalk", fps=30)
    for broken in (b"glTX" + data[4:], data[:3000], b""):
        path = tmp_path / "broken.glb"
        path.write_bytes(broken)
        with pytest.raises(BadInput, match="GLB"):
            gltf.read_glb(path)


def test_deepmimic_durations_hinges_and_facing(tmp_path: Path) -> None:
    still = [
        0.5,
        0,
        1,
        0,
        *([1, 0, 0, 0] * 4),
        0.0,
        *([1, 0, 0, 0] * 2),
        0.0,
        1,
        0,
        0,
        0,
        0.0,
        *([1, 0, 0, 0] * 2),
        0.0,
    ]
    bent = list(still)
    bent[20], bent[1] = -np.pi / 2, 1.0  # right knee, one metre along the file's +X
    frames = np.array([still, bent, bent])
    frames[-1, 0] = 0.0
    motion = deepmimic.motion_of(frames, fps=10)
    assert len(motion) == 11  # two durations of half a second
    assert motion.positions[5, 0] == pytest.approx([0, 1, 1], abs=1e-9)  # forward is +Z
    assert motion.positions[0, motion.index("left_hip"), 0] > 0
    shin = motion.point("right_ankle")[-1] - motion.point("right_knee")[-1]
    assert shin[2] == pytest.approx(-0.40987)  # backwards
    half = motion.rotations[2, motion.index("right_knee")]
    assert np.degrees(geodesic_angle(half, axis_angle_to_matrix(np.array([np.radians(36.0), 0, 0])))) < 1e-6
    assert len(deepmimic.motion_of(frames, fps=10, time_scale=2.0)) == 21
    path = tmp_path / "x.txt"
    path.write_text(json.dumps({"Frames": [[1, 2]]}))
    with pytest.raises(BadInput, match="44"):
        deepmimic.read_frames(path)
    path.write_text("{")
    with pytest.raises(BadInput, match="Frames"):
        deepmimic.read_frames(path)


@pytest.mark.parametrize(
    ("frames", "fps", "count"), [(121, 120, 31), (120, 120, 30), (61, 60, 31), (101, 100, 31), (2, 120, 1)]
)
def test_frames_are_picked_by_time(frames: int, fps: float, count: int) -> None:
    picks = frame_picks(frames, fps, 30.0)
    assert len(picks) == count
    assert picks / fps == pytest.approx(np.arange(count) / 30.0)
