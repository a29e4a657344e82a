"""Features of joints and back, against a slow implementation and against what must hold for any motion."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion import clip as clips
from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.fitting.layouts import (
    HUMANML3D,
    KIT,
    WHOLEBODY,
    WHOLEBODY_SYNTALKER,
    Layout,
    body_of,
    layout_of,
)
from understudy.backend.motion.fitting.recover import recover_from_ric, recover_from_rot
from understudy.backend.motion.skeleton import INDEX, J0, MIRROR, rest_joints
from understudy.training import cli
from understudy.training.features.extract import extract, extract_all
from understudy.training.features.skeletons import joints_for, select_joints

LAYOUTS = (HUMANML3D, KIT, WHOLEBODY, WHOLEBODY_SYNTALKER)
each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)


def motion(seed: int = 0, frames: int = 60, *, turn: float = 1.0, size: float = 1.0) -> Clip:
    """Smooth motion of all joints that walks a bow; ``turn`` radians a second."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(frames)[:, None, None] / 20
    swing = rng.normal(size=(1, 55, 3)) * np.sin(3 * seconds + rng.uniform(0, 6, (1, 55, 3)))
    poses = 0.25 * size * swing
    yaw = rotations.yaw_matrix(turn * seconds[:, 0, 0] + rng.uniform(-1, 1))
    poses[:, 0] = rotations.matrix_to_axis_angle(yaw @ rotations.axis_angle_to_matrix(0.3 * poses[:, 0]))
    trans = np.cumsum((yaw @ np.array([0.0, 0.0, 0.05])), axis=0) + [3.0, 1.0, -2.0] - J0
    trans[:, 1] += 0.05 * np.sin(5 * seconds[:, 0, 0])
    return Clip(poses=poses, trans=trans, fps=20.0)


# ----- the slow way: one frame and one bone after the other -----------------------------------------


def _times(a: list[float], b: list[float]) -> list[float]:
    return [
        a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
        a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
        a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
    ]


def _back(q: list[float]) -> list[float]:
    return [q[0], -q[1], -q[2], -q[3]]


def _turn(q: list[float], v: np.ndarray) -> np.ndarray:
    return np.array(_times(_times(q, [0.0, *v]), _back(q))[1:])


def _arc(a: np.ndarray, b: np.ndarray) -> list[float]:
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    q = [1 + float(a @ b), *np.cross(a, b)]
    norm = math.sqrt(sum(x * x for x in q))
    return [x / norm for x in q]


def _forward(frame: np.ndarray, hips: float, layout: Layout) -> np.ndarray:
    right_hip, left_hip, right_shoulder, left_shoulder = layout.facing
    across = hips * (frame[right_hip] - frame[left_hip]) + frame[right_shoulder] - frame[left_shoulder]
    return np.cross([0.0, 1.0, 0.0], across / np.linalg.norm(across))


def _smoothed(values: np.ndarray, sigma: float = 20.0) -> np.ndarray:
    radius = int(4 * sigma + 0.5)
    weights = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-radius, radius + 1)]
    last = len(values) - 1
    return np.array(
        [
            sum(
                w * values[min(max(t + k, 0), last)]
                for w, k in zip(weights, range(-radius, radius + 1), strict=True)
            )
            / sum(weights)
            for t in range(len(values))
        ]
    )


def slow_extract(joints: np.ndarray, layout: Layout) -> np.ndarray:
    """The published steps, taken literally, in double precision."""
    z = np.array([0.0, 0.0, 1.0])
    legs = sum(np.linalg.norm(joints[0, j] - joints[0, layout.parents[j]]) for j in layout.legs)
    scale = sum(layout.lengths[j] for j in layout.legs) / legs
    body = np.zeros_like(joints)
    for t, frame in enumerate(joints):
        body[t, 0] = scale * frame[0]
        for chain in layout.chains:
            for parent, child in zip(chain, chain[1:]):  # noqa: B905, RUF007
                bone = frame[child] - frame[parent]
                body[t, child] = body[t, parent] + layout.lengths[child] * bone / np.linalg.norm(bone)
    body[..., 1] -= body[..., 1].min()
    body -= body[0, 0] * [1, 0, 1]
    first = _arc(_forward(body[0], 1.0, layout), z)
    body = np.array([[_turn(first, joint) for joint in frame] for frame in body])

    forward = _smoothed(np.array([_forward(frame, -1.0, layout) for frame in body]))
    heading = [_arc(f, z) for f in forward]
    heading[0] = [1.0, 0.0, 0.0, 0.0]
    rows = []
    for t in range(len(body) - 1):
        q, following = heading[t], heading[t + 1]
        step = _turn(following, body[t + 1, 0] - body[t, 0])
        row = [math.asin(_times(following, _back(q))[2]), step[0], step[2], body[t, 0, 1]]
        for joint in body[t, 1:]:
            row += list(_turn(q, joint - body[t, 0] * [1, 0, 1]))
        local: dict[int, list[float]] = {}
        for chain in layout.chains:
            world = q
            for parent, child in zip(chain, chain[1:]):  # noqa: B905, RUF007
                bone = _arc(layout.raw_offsets[child], body[t, child] - body[t, parent])
                local[child] = _times(_back(world), bone)
                world = _times(world, local[child])
        for joint in range(1, layout.joints):
            row += [*_turn(local[joint], np.array([1.0, 0, 0])), *_turn(local[joint], np.array([0, 1.0, 0]))]
        for joint in range(layout.joints):
            row += list(_turn(q, body[t + 1, joint] - body[t, joint]))
        for foot in (*layout.feet_left, *layout.feet_right):
            moved = body[t + 1, foot] - body[t, foot]
            row.append(float(moved @ moved < layout.contact_threshold))
        rows.append(row)
    return np.array(rows)


@each_layout
def test_equals_the_slow_implementation(layout: Layout) -> None:
    frames = 12 if layout.joints == 52 else 25
    joints = joints_for(motion(3, frames), layout) * 1.3
    features, slow = extract(joints, layout), slow_extract(joints, layout)
    assert features.shape == (frames - 1, layout.dim) == slow.shape
    unit = 1000 if layout.unit == "mm" else 1
    for name, columns in layout.slices.items():
        lengths = name in ("planar", "height", "positions", "velocities")
        tolerance = 5e-6 * unit if lengths else 5e-5 if layout.unit == "mm" else 1e-5
        np.testing.assert_allclose(features[:, columns], slow[:, columns], atol=tolerance, err_msg=name)


def test_equals_the_slow_implementation_over_the_reach_of_the_filter() -> None:
    joints = joints_for(motion(5, 190, turn=0.6), HUMANML3D)
    np.testing.assert_allclose(extract(joints, HUMANML3D), slow_extract(joints, HUMANML3D), atol=2e-5)


def test_equals_the_published_example() -> None:
    folder = os.environ.get("UNDERSTUDY_DATA", "")
    pairs = sorted(Path(folder).glob("humanml3d/clips/*_new_joints.npy")) if folder else []
    if not pairs:
        pytest.skip("UNDERSTUDY_DATA names no folder with humanml3d/clips")
    for path in pairs:
        joints = np.load(path)
        published = np.load(path.with_name(path.name.replace("_new_joints", "_new_joint_vecs")))
        features = extract(joints, HUMANML3D)
        before = len(features) - 80  # the filter reaches that far back from the missing last frame
        assert np.abs(features[:before] - published[:before]).max() < 1e-4, path.name
        assert np.abs(recover_from_ric(published, HUMANML3D) - joints).max() < 2e-6
        assert np.abs(recover_from_rot(published, HUMANML3D) - joints).max() < 1e-5


# ----- what must hold -------------------------------------------------------------------------------

motions = st.builds(
    motion,
    seed=st.integers(0, 10_000),
    frames=st.integers(2, 90),
    turn=st.floats(-1.5, 1.5),
    size=st.floats(0.2, 2.0),
)


@settings(max_examples=15)
@given(clip=motions, layout=st.sampled_from(LAYOUTS))
def test_features_invert(clip: Clip, layout: Layout) -> None:
    clip = clip.slice(0, 26)
    extracted = extract_all(joints_for(clip, layout), layout)
    forward = _smoothed(np.array([_forward(frame, -1.0, layout) for frame in extracted.positions]))
    assume((forward[:, 2] > -0.9 * np.linalg.norm(forward, axis=1)).all())  # see the test of the seam below
    truth = extracted.positions[:-1] * layout.metres
    for recover in (recover_from_ric, recover_from_rot):
        back = recover(extracted.features, layout) * layout.metres
        assert np.abs(back - truth).max() < 2e-5, recover.__name__


@each_layout
def test_the_world_has_no_influence(layout: Layout) -> None:
    """Place, heading, size and unit of the joints are taken away; the up axis is not."""
    clip = motion(8, 40)
    joints = joints_for(clip, layout)
    features = extract(joints, layout)
    turned = 700.0 * joints @ rotations.yaw_matrix(np.array(2.1)).T + [9.0, -4.0, 5.0]
    again = extract(turned, layout)
    np.testing.assert_allclose(again, features, atol=3e-5 / layout.metres)
    tilted = joints @ rotations.axis_angle_to_matrix(np.array([0.0, 0.0, 0.5])).T
    assert np.abs(extract(tilted, layout) - features).max() > 0.05


def test_up_stays_up_and_left_stays_left() -> None:
    for layout in LAYOUTS:
        clip = Clip(poses=np.full((20, 55, 3), 0.01), trans=np.zeros((20, 3)), fps=20.0)
        clip.poses[:, INDEX["left_shoulder"]] = [0.0, 0.0, 1.2]  # the left arm up
        clip = clips.rotate_world(clip, rotations.yaw_matrix(np.array(1.0)))
        features = extract(joints_for(clip, layout), layout)
        left_wrist = "RW" if layout.name == "kit" else "left_wrist"
        right_wrist = "LW" if layout.name == "kit" else "right_wrist"
        for recover in (recover_from_ric, recover_from_rot):
            joints = recover(features, layout)[10] * layout.metres
            up, low = (joints[layout.names.index(name)] for name in (left_wrist, right_wrist))
            head, foot = joints[4 if layout.name == "kit" else 15], joints[layout.feet_left[1]]
            assert up[1] > head[1] > low[1] > foot[1] >= -1e-4
            assert up[0] > 0.1 > -0.1 > low[0]  # facing +Z, left is +X
            assert foot[2] > joints[layout.feet_left[0]][2]  # toes ahead of the ankle


@settings(max_examples=10)
@given(clip=motions)
def test_mirror_exchanges_the_sides_and_twice_is_the_same(clip: Clip) -> None:
    # The published body is a little lopsided; on a symmetric one the mirror image is exact.
    layout = HUMANML3D.with_template(rest_joints()[:22])
    features = extract(joints_for(clip, layout), layout)
    mirrored = extract(joints_for(clips.mirror(clip), layout), layout)
    twice = extract(joints_for(clips.mirror(clips.mirror(clip)), layout), layout)
    np.testing.assert_allclose(twice, features, atol=1e-4)
    joints, image = recover_from_ric(features, layout), recover_from_ric(mirrored, layout)
    np.testing.assert_allclose(image, joints[:, MIRROR[:22]] * np.array([-1, 1, 1]), atol=1e-4)
    np.testing.assert_array_equal(mirrored[:, -4:], features[:, [-2, -1, -4, -3]])
    np.testing.assert_allclose(mirrored[:, 0], -features[:, 0], atol=1e-5)


def test_kit_reflected_is_the_mirror_image() -> None:
    clip = motion(4)
    np.testing.assert_allclose(
        joints_for(clip, KIT, reflected=True), joints_for(clips.mirror(clip), KIT), atol=1e-9
    )


def test_yaw_is_half_the_turn_and_planar_steps_are_the_next_heading() -> None:
    """A figure that turns left by a steady rate on a steady path."""
    frames, rate = 300, 0.01
    poses = np.zeros((frames, 55, 3))
    poses[:, 0] = [0.0, 1.0, 0.0] * (rate * np.arange(frames)[:, None])
    yaw = rotations.yaw_matrix(rate * np.arange(frames))
    steps = (yaw @ np.array([0.0, 0.0, 0.04]))[:-1]
    trans = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])
    extracted = extract_all(joints_for(Clip(poses=poses, trans=trans, fps=20.0), HUMANML3D), HUMANML3D)
    middle = extracted.features[100:150]
    # A turn from the world to the heading: to the left it runs backwards.
    np.testing.assert_allclose(middle[:, 0], -rate / 2, atol=1e-5)
    np.testing.assert_allclose(np.hypot(middle[:, 1], middle[:, 2]), 0.04 * extracted.scale, atol=1e-5)
    assert np.abs(middle[:, 1]).max() < 0.01 and middle[:, 2].min() > 0.03


def test_at_the_seam_of_half_a_circle_the_yaw_step_is_published_with_the_other_sign() -> None:
    """The shortest turn jumps there; the arc sine of the product then reads the step backwards."""
    features = extract(joints_for(motion(2, 150, turn=1.0), HUMANML3D), HUMANML3D)
    steps = features[20:-20, 0]
    jumps = np.flatnonzero(np.sign(steps) != np.sign(np.median(steps)))
    assert len(jumps) == 1
    slow = slow_extract(joints_for(motion(2, 150, turn=1.0), HUMANML3D), HUMANML3D)
    np.testing.assert_allclose(features[:, 0], slow[:, 0], atol=1e-5)


def test_contacts_know_a_foot_that_moves_from_one_that_stands() -> None:
    clip = Clip(poses=np.full((10, 55, 3), 0.02), trans=np.zeros((10, 3)), fps=20.0)
    still = extract(joints_for(clip, HUMANML3D), HUMANML3D)
    assert (still[:, -4:] == 1).all()
    poses = clip.poses.copy()
    poses[:, INDEX["right_hip"]] = [1.0, 0, 0] * (-0.1 * np.arange(10)[:, None])
    kicking = extract(joints_for(clip.replace(poses=poses), HUMANML3D), HUMANML3D)
    assert (kicking[:, -4:-2] == 1).all() and (kicking[:, -2:] == 0).all()


def test_kit_contacts_by_speed_are_not_empty() -> None:
    still = motion(1, 80, size=0.2, turn=0.0)
    clip = still.replace(trans=np.broadcast_to(still.trans[0], still.trans.shape))
    joints = joints_for(clips.resample(clip, KIT.fps), KIT)
    published = extract(joints, KIT)[:, -4:]
    by_speed = extract(joints, KIT, contact_threshold=KIT.speed_threshold())[:, -4:]
    assert published.mean() < 0.05 < 0.3 < by_speed.mean()
    assert HUMANML3D.speed_threshold() == pytest.approx(0.002)
    assert WHOLEBODY.speed_threshold() == pytest.approx(0.002 * (20 / 30) ** 2)


def test_variants_differ_in_the_fingers_rotations_only() -> None:
    joints = joints_for(motion(6, 20), WHOLEBODY)
    one, other = extract(joints, WHOLEBODY), extract(joints, WHOLEBODY_SYNTALKER)
    differs = np.abs(one - other).max(0) > 1e-6
    fingers = np.arange(157 + 21 * 6, 463)
    assert set(np.flatnonzero(differs)) <= set(fingers) and differs[fingers].mean() > 0.5
    for features, layout in ((one, WHOLEBODY), (other, WHOLEBODY_SYNTALKER)):
        np.testing.assert_allclose(
            recover_from_rot(features, layout), recover_from_ric(features, layout), atol=1e-5
        )


def test_the_body_of_whole_body_rows() -> None:
    joints = joints_for(motion(6, 20), WHOLEBODY)
    body, alone = body_of(extract(joints, WHOLEBODY)), extract(joints[:, :22], HUMANML3D)
    assert body.shape == alone.shape == (19, 263)
    np.testing.assert_allclose(body, alone, atol=1e-5)


@each_layout
def test_layouts_are_whole(layout: Layout) -> None:
    assert layout.dim == {22: 263, 21: 251, 52: 623}[layout.joints]
    assert layout.slices["contacts"].stop == layout.dim
    assert sorted(child for chain in layout.chains for child in chain[1:]) == list(range(1, layout.joints))
    assert (np.linalg.norm(layout.raw_offsets[1:], axis=1) == 1).all()
    assert (layout.lengths[1:] > 0).all() and layout.lengths[0] == 0
    if layout.joints == 52:
        assert [layout.slices[name].start for name in ("rotations", "velocities", "contacts")] == [
            157,
            463,
            619,
        ]
        left, right = layout.lengths[22:37], layout.lengths[37:]
        np.testing.assert_allclose(left, right)
        assert left.min() > 0.01 and left.max() < 0.15


def test_a_template_gives_its_lengths() -> None:
    layout = HUMANML3D.with_template(joints_for(motion(1), HUMANML3D) * 2)
    extracted = extract_all(joints_for(motion(2), HUMANML3D), layout)
    assert extracted.scale == pytest.approx(2)
    with pytest.raises(BadInput, match="without a length"):
        HUMANML3D.with_template(np.zeros((3, 22, 3)))
    with pytest.raises(BadInput, match="shape"):
        HUMANML3D.with_template(np.zeros((3, 5, 3)))


# ----- what cannot be ---------------------------------------------------------------------------------


def _joints(frames: int = 30) -> np.ndarray:
    return joints_for(motion(0, frames), HUMANML3D)


def test_undefined_frames_are_named() -> None:
    joints = _joints()
    joints[7, 4] = np.nan
    with pytest.raises(BadInput, match="Frame 7 has joints that are no numbers"):
        extract(joints, HUMANML3D)
    joints = _joints()
    joints[5, 18] = joints[5, 16]
    with pytest.raises(BadInput, match="bone to left_elbow has no length in frame 5"):
        extract(joints, HUMANML3D)
    joints = _joints()
    joints[9, 16] = joints[9, 13] + [0.0, 0.1, 0.0]  # straight up, against its rest axis
    with pytest.raises(BadInput, match="In frame 9 the bone to left_shoulder points exactly against"):
        extract(joints, HUMANML3D)
    joints = _joints()
    for joint, parent, step in (
        (1, 0, 0.1),
        (2, 0, -0.1),
        (13, 9, 0.1),
        (14, 9, -0.1),
        (16, 13, 0.1),
        (17, 14, -0.1),
    ):
        joints[0, joint] = joints[0, parent] + [0.0, step, 0.0]  # hips and shoulders above each other
    with pytest.raises(BadInput, match="faces nowhere"):
        extract(joints, HUMANML3D)


def test_a_bone_that_nearly_points_against_its_axis_is_no_trouble() -> None:
    joints = _joints()
    joints[9, 16] = joints[9, 13] + [1e-3, 0.1, 0.0]
    features = extract(joints, HUMANML3D)
    slow = slow_extract(joints, HUMANML3D)
    np.testing.assert_allclose(features, slow, atol=1e-4)


@pytest.mark.parametrize(
    ("joints", "what"),
    [
        (np.zeros((1, 22, 3)), "two frames"),
        (np.zeros((0, 22, 3)), "two frames"),
        (np.zeros((5, 21, 3)), "shape"),
        (np.zeros((5, 22)), "shape"),
        (np.full((5, 22, 3), "a"), "numbers"),
        (np.zeros((5, 22, 3)), "no length"),
        (np.full((5, 22, 3), np.inf), "no numbers"),
    ],
)
def test_bad_arrays_are_refused(joints: np.ndarray, what: str) -> None:
    with pytest.raises(BadInput, match=what):
        extract(joints, HUMANML3D)


def test_recover_refuses_other_widths_and_takes_batches() -> None:
    with pytest.raises(BadInput, match="263"):
        recover_from_ric(np.zeros((5, 251)), HUMANML3D)
    features = extract(_joints(), HUMANML3D)
    both = recover_from_ric(np.stack([features, 2 * features]), HUMANML3D)
    np.testing.assert_array_equal(both[0], recover_from_ric(features, HUMANML3D))
    both = recover_from_rot(np.stack([features, features]), HUMANML3D)
    np.testing.assert_array_equal(both[1], recover_from_rot(features, HUMANML3D))


def test_joints_are_picked_as_other_tools_write_them() -> None:
    many = np.arange(4 * 127 * 3, dtype=float).reshape(4, 127, 3)
    np.testing.assert_array_equal(select_joints(many.reshape(4, -1), HUMANML3D), many[:, :22])
    picked = select_joints(many[:, :55], WHOLEBODY)
    np.testing.assert_array_equal(picked[:, 22:], many[:, 25:55])
    np.testing.assert_array_equal(select_joints(many, WHOLEBODY), picked)
    for layout, count in ((KIT, 22), (WHOLEBODY, 53), (HUMANML3D, 21)):
        with pytest.raises(BadInput, match="shape"):
            select_joints(many[:, :count], layout)
    with pytest.raises(BadInput, match="variant"):
        layout_of("wholebody", "other")


# ----- the command ------------------------------------------------------------------------------------


def _command(*words: object) -> int:
    return cli.main([str(word) for word in words])


@pytest.mark.parametrize("kind", ["humanml3d", "kit", "wholebody"])
def test_command_there_and_back(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    layout = layout_of(kind)
    np.save(tmp_path / "joints.npy", joints_for(motion(1, 25), layout))
    there, back = tmp_path / "deep" / "features.npy", tmp_path / "back.npy"
    assert _command("features", kind, "--joints", tmp_path / "joints.npy", "--out", there) == 0
    assert np.load(there).shape == (24, layout.dim) and np.load(there).dtype == np.float32
    for source in ("ric", "rot"):
        assert (
            _command(
                "features",
                kind,
                "--joints",
                there,
                "--out",
                back,
                "--recover",
                "--from",
                source,
                "--unit",
                "m",
            )
            == 0
        )
        joints = np.load(back)
        assert joints.shape == (24, layout.joints, 3) and 0.3 < joints[0, 0, 1] < 1.2
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["humanml3d", "--joints", "missing.npy"], "not there"),
        (["humanml3d", "--joints", "text.npy"], "cannot be read"),
        (["humanml3d", "--joints", "pickle.npy"], "cannot be read"),
        (["kit", "--joints", "joints.npy"], "shape"),
        (["humanml3d", "--joints", "joints.npy", "--recover"], "263"),
        (["unified", "--joints", "joints.npy"], "store"),
        (["humanml3d", "--store", "."], "no store"),
        (["humanml3d", "--joints", "joints.npy", "--part", "1"], "--part"),
    ],
)
def test_command_says_what_is_wrong(
    tmp_path: Path,
    words: list[str],
    what: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("joints.npy", _joints())
    Path("text.npy").write_text("no array")
    np.save("pickle.npy", np.array([{"a": 1}]), allow_pickle=True)
    assert _command("features", *words, "--out", "out.npy") == 2
    error = capsys.readouterr().err
    assert what in error and error.count("\n") == 1 and "Traceback" not in error
    assert not Path("out.npy").is_file()
