"""Joints and features of HumanML3D, KIT and their kin, read by fitting: what they are, their rate, and what they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from understudy.backend.errors import BadInput
from understudy.backend.motion import rotations as rot
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.fitting.layouts import HUMANML3D, KIT, WHOLEBODY
from understudy.backend.motion.grounding import foot_heights
from understudy.backend.motion.reading import read_motion
from understudy.backend.motion.skeleton import CONTACT_REST_HEIGHTS, INDEX, J0

ELBOWS = [INDEX["left_elbow"], INDEX["right_elbow"]]


def walk(frames: int = 60, fps: float = 20.0) -> Clip:
    """Along a curve; the right elbow bent by 70 degrees, the left arm out to the side, feet near the floor."""
    t = np.arange(frames) / fps
    swing = np.sin(2 * np.pi * t + 0.7)
    poses = np.zeros((frames, 55, 3))
    poses[:, 0, 1] = 0.3 * t
    # Nobody's shoulders and hips lie exactly along the axes, where KIT's turns are undefined.
    poses[:, INDEX["spine3"]], poses[:, INDEX["spine1"], 1] = (0.02, 0.05, 0.04), 0.06 * swing
    poses[:, 0, 2] = 0.03
    poses[:, INDEX["left_hip"], 0], poses[:, INDEX["right_hip"], 0] = -0.2 + 0.35 * swing, -0.2 - 0.35 * swing
    poses[:, INDEX["left_knee"], 0], poses[:, INDEX["right_knee"], 0] = 0.5 - 0.3 * swing, 0.5 + 0.3 * swing
    poses[:, [INDEX["left_ankle"], INDEX["right_ankle"]], 0] = -0.25
    poses[:, INDEX["right_shoulder"], 2] = 1.1
    poses[:, INDEX["right_elbow"], 1] = np.radians(70)
    clip = Clip(poses, np.stack([0.15 * t**2, 0 * t, t], axis=1) - J0, fps)
    lowest = (clip.joints()[:, [7, 10, 8, 11], 1] - np.array(CONTACT_REST_HEIGHTS)).min()
    return clip.replace(trans=clip.trans - np.array([0.0, lowest, 0.0]))


def joints(count: int = 22, fps: float = 20.0) -> np.ndarray:
    return walk(fps=fps).joints()[:, :count]


def read(tmp_path: Path, values: np.ndarray, **options: object) -> Clip:
    np.save(tmp_path / "a.npy", values)
    return read_motion(tmp_path / "a.npy", **options).clip  # type: ignore[arg-type]


def bends(clip: Clip) -> np.ndarray:
    """Degrees of the left and of the right elbow."""
    return np.degrees(np.linalg.norm(clip.poses[:, ELBOWS], axis=-1)).mean(axis=0)


def assert_is_the_walk(clip: Clip, truth: Clip) -> None:
    left, right = bends(clip)
    assert left < 15 and abs(right - 70) < 8, "left is left, and the elbow is bent as it was"
    way, wanted = (c.trans[-1, [0, 2]] - c.trans[0, [0, 2]] for c in (clip, truth))
    assert np.abs(way - wanted).max() < 0.05
    assert np.abs(np.percentile(foot_heights(clip).min(axis=1), 50)) < 0.02, "feet are on the floor"
    local = rot.axis_angle_to_matrix(clip.poses[:, 1:22])
    assert np.degrees(rot.geodesic_angle(local[1:], local[:-1])).max() < 45, "nothing flips"


@pytest.mark.parametrize(
    ("shape", "label"),
    [
        ((-1, 22, 3), "HumanML3D joints"),
        ((-1, 66), "HumanML3D joints"),
        ((1, -1, 22, 3), "HumanML3D joints"),
    ],
)
def test_humanml3d_joints_in_every_shape_they_are_saved_in(
    tmp_path: Path, shape: tuple[int, ...], label: str
) -> None:
    np.save(tmp_path / "a.npy", joints().reshape(shape).astype(np.float32))
    found = read_motion(tmp_path / "a.npy")
    assert (found.layout, found.clip.fps, len(found.clip)) == (label, 20.0, 60)
    assert found.clip.known == {"lower_trans": True, "upper": True, "hands": False, "face": False}
    assert found.clip.meta["fit_error_mm"] < 5
    assert_is_the_walk(found.clip, walk())


def test_joints_first_as_mdm_has_them(tmp_path: Path) -> None:
    assert_is_the_walk(read(tmp_path, np.moveaxis(joints(), 0, 2)), walk())


def test_the_rate_is_the_set_s_unless_told_otherwise(tmp_path: Path) -> None:
    clip = read(tmp_path, joints(fps=30.0), fps=30.0)
    assert clip.fps == 30 and clip.seconds == walk(fps=30.0).seconds
    assert not clip.meta.get("notes")


def test_joints_of_body_models_say_that_their_rate_is_assumed(tmp_path: Path) -> None:
    whole = walk(fps=30.0).joints()
    clip = read(tmp_path, whole)
    assert clip.fps == 30 and "30 fps assumed" in clip.meta["notes"][0]
    assert clip.known["hands"]
    hands = np.concatenate([whole[:, :22], whole[:, [20, 21]]], axis=1)
    assert_is_the_walk(read(tmp_path, hands), walk(fps=30.0))


def test_another_world_is_stood_up(tmp_path: Path) -> None:
    x, y, z = np.moveaxis(joints(), -1, 0)
    z_up = np.stack([x, -z, y], axis=-1)
    assert_is_the_walk(read(tmp_path, z_up), walk())
    assert_is_the_walk(read(tmp_path, z_up, dialect="amass"), walk())


def test_somebody_who_lies_stays_lying(tmp_path: Path) -> None:
    x, y, z = np.moveaxis(joints(), -1, 0)
    lying = np.stack([x, z - z.min(), -y], axis=-1)
    clip = read(tmp_path, lying - [0, lying[..., 1].min(), 0])
    up = rot.axis_angle_to_matrix(clip.poses[:, 0])[:, 1, 1]
    assert np.abs(np.median(up)) < 0.3


def test_a_mirrored_world_is_mirrored_back_and_said(tmp_path: Path) -> None:
    clip = read(tmp_path, joints() * np.array([-1.0, 1.0, 1.0]))
    assert "mirrored" in clip.meta["notes"][0]
    assert_is_the_walk(clip, walk())


def features(layout: object, truth: Clip) -> np.ndarray:
    from understudy.training.features.extract import extract
    from understudy.training.features.skeletons import joints_for

    return extract(joints_for(truth, layout, reflected=layout is KIT), layout)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layout", "label", "fps"),
    [
        (HUMANML3D, "HumanML3D features", 20.0),
        (KIT, "KIT features", 12.5),
        (WHOLEBODY, "Whole-body features", 30.0),
    ],
)
def test_features_and_their_joints_are_the_same_motion(
    tmp_path: Path, layout: object, label: str, fps: float
) -> None:
    from understudy.backend.motion.fitting.recover import recover_from_ric

    truth = walk(frames=round(3 * fps), fps=fps)
    rows = features(layout, truth)
    np.save(tmp_path / "a.npy", rows)
    found = read_motion(tmp_path / "a.npy")
    assert (found.layout, found.clip.fps) == (label, fps)
    assert found.clip.known["hands"] == (layout is WHOLEBODY)
    left, right = bends(found.clip)
    assert left < 15 and abs(right - 70) < 10
    assert found.clip.meta["fit_error_mm"] < 6
    assert abs(np.linalg.norm(found.clip.trans[-1] - found.clip.trans[0]) - 3.2) < 0.5
    again = read(tmp_path, recover_from_ric(rows, layout))  # type: ignore[arg-type]
    assert np.abs(again.joints()[:, :22] - found.clip.joints()[:, :22]).max() < 0.02


@pytest.mark.parametrize("layout", [HUMANML3D, KIT])
def test_normalised_features_are_called_that(tmp_path: Path, layout: object) -> None:
    rows = features(layout, walk(frames=80, fps=layout.fps))  # type: ignore[attr-defined]
    # The deviation of a data set is some of each group's: never so small that noise would stand out.
    std = np.maximum(rows.std(axis=0), 0.1 * np.abs(rows).mean())
    with pytest.raises(BadInput, match="normalised") as caught:
        read(tmp_path, (rows - rows.mean(axis=0)) / std)
    assert "Mean.npy" in caught.value.hint


def test_features_of_a_network_with_soft_contacts_are_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = features(HUMANML3D, walk(frames=80))
    rows[:, -4:] = np.clip(rows[:, -4:] + rng.normal(0, 0.05, (len(rows), 4)), -0.1, 1.1)
    rows[:, 4:67] += rng.normal(0, 0.004, (len(rows), 63))
    clip = read(tmp_path, rows)
    assert abs(bends(clip)[1] - 70) < 12


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (walk().poses[:, :22], "holds no positions"),
        (walk().poses[:, :22].reshape(60, 66), "holds no positions"),
        (np.random.default_rng(1).normal(size=(40, 22, 3)), "holds no positions"),
        (np.stack([joints(), joints()]), "holds 2 motions"),
        (joints()[:1], "has 1 frame;"),
        (np.random.default_rng(1).normal(size=(40, 263)), "normalised"),
    ],
)
def test_what_only_has_the_shape_is_refused_in_one_sentence(
    tmp_path: Path, values: np.ndarray, says: str
) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        read(tmp_path, values)
    assert "\n" not in caught.value.message and (caught.value.hint or "frame" in says)
