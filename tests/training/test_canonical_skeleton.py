"""The stick figure: up stays up, left stays left, joints stay joined, whatever layout the motion comes in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.motion import clip as clips
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.rotations import yaw_matrix
from understudy.training.canonical import skeleton
from understudy.training.canonical.cleaning import clean, stature, upright
from understudy.training.canonical.figures import figures
from understudy.training.canonical.skeleton import (
    INDEX,
    JOINTS,
    SEGMENTS,
    disconnected,
    from_clip,
    from_joints,
    joints,
    mirror,
    project,
    segments,
    to_v1,
)
from understudy.training.data import deepmimic

RAW = Path(__file__).parents[1] / "data" / "raw"


def standing(frames: int = 20, **poses: tuple[float, float, float]) -> Clip:
    """Upright on the floor, facing +Z; joints by number: ``j16=(0, 0, 1)``."""
    values = np.zeros((frames, 55, 3))
    for name, value in poses.items():
        values[:, int(name[1:])] = value
    return Clip(values, np.tile([0.0, 1.31, 0.0], (frames, 1)), 30.0)


def moving(seed: int, size: float = 0.5, frames: int = 12) -> Clip:
    """Any body motion at all, cartwheels included."""
    rng = np.random.default_rng(seed)
    poses = np.zeros((frames, 55, 3))
    poses[:, :22] = np.cumsum(rng.normal(size=(frames, 22, 3)), axis=0) * size / 3
    return Clip(poses, np.cumsum(rng.normal(size=(frames, 3)), axis=0) * 0.05, 30.0)


def at(motion: np.ndarray, joint: str) -> np.ndarray:
    return joints(motion)[..., INDEX[joint], :]


def test_a_standing_figure_has_its_head_up_its_feet_down_and_its_left_on_x() -> None:
    made = figures(from_clip(standing()))
    assert made.motion.shape == (20, 48)
    head, ankle = at(made.motion, "head_center"), at(made.motion, "l_ankle")
    assert (head[:, 1] - ankle[:, 1]) == pytest.approx(1.8, abs=0.02)
    assert 0 < ankle[:, 1].min() < 0.15  # the floor is y = 0
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        assert (at(made.motion, f"l_{joint}")[:, 0] > at(made.motion, f"r_{joint}")[:, 0] + 0.1).all()
    assert (at(made.motion, "pelvis_center")[0, 0]) == pytest.approx(0.0)


@given(yaw=st.floats(-4, 4), seed=st.integers(0, 20))
@settings(max_examples=25, deadline=None)
def test_the_up_axis_is_never_lost(yaw: float, seed: int) -> None:
    """Turning the body about the up axis, or walking round it, leaves every height as it was."""
    clip = moving(seed)
    turned = clips.rotate_world(clip, yaw_matrix(yaw))
    points, other = from_clip(clip), from_clip(turned)
    heights = joints(figures(points).motion)[..., 1]
    for made in (figures(other), figures(points, view=yaw)):
        np.testing.assert_allclose(joints(made.motion)[..., 1], heights, atol=1e-9)
    np.testing.assert_allclose(heights / figures(points).scale, clean(points)[..., 1], atol=1e-9)


def test_the_world_is_seen_from_where_the_viewer_stands() -> None:
    point = np.array([[1.0, 2.0, 3.0]])
    np.testing.assert_allclose(project(point), [[1, 2]])
    np.testing.assert_allclose(project(point, np.pi / 2), [[-3, 2]], atol=1e-12)
    np.testing.assert_allclose(project(point, np.pi), [[-1, 2]], atol=1e-12)


@given(seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_mirror_twice_is_the_figure_and_once_is_the_mirrored_clip(seed: int) -> None:
    clip = moving(seed)
    motion = figures(from_clip(clip)).motion
    assert np.array_equal(mirror(mirror(motion)), motion)
    np.testing.assert_allclose(mirror(motion), figures(from_clip(clips.mirror(clip))).motion, atol=1e-9)
    assert disconnected(mirror(motion)) == ""


def test_the_mirror_exchanges_left_and_right() -> None:
    raised = figures(from_clip(standing(j16=(0, 0, 1.2)))).motion  # the left arm up
    up, level = at(raised, "l_wrist")[0, 1], at(raised, "r_wrist")[0, 1]
    assert up > level + 0.5
    mirrored = mirror(raised)
    assert (at(mirrored, "r_wrist")[0, 1], at(mirrored, "l_wrist")[0, 1]) == (up, level)
    assert at(mirrored, "l_hip")[0, 0] > at(mirrored, "r_hip")[0, 0]  # facing the viewer still
    two = np.stack([raised, mirrored], axis=1)
    assert np.array_equal(mirror(two)[:, 0], mirrored)


@given(
    st.integers(0, 1000), st.sampled_from([2, 3]), st.sampled_from([(), (2,)]), st.floats(0.001, 3)
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_any_joints_at_all_are_joined_after_cleaning(
    seed: int, dims: int, actors: tuple[int, ...], size: float
) -> None:
    points = np.random.default_rng(seed).normal(size=(6, *actors, 16, dims)) * size
    points[..., INDEX["pelvis_center"], :] = (
        points[..., INDEX["l_hip"], :] + points[..., INDEX["r_hip"], :]
    ) / 2
    motion = figures(points).motion
    assert motion.shape == (6, *actors, 48)
    assert disconnected(motion) == ""
    np.testing.assert_array_equal(segments(joints(motion)), motion)


def test_broken_bodies_are_repaired_and_sound_ones_are_left_alone() -> None:
    points = from_clip(moving(3))
    head = INDEX["head_center"]
    np.testing.assert_allclose(np.delete(clean(points), head, 1), np.delete(points, head, 1))

    collapsed = from_clip(standing())
    for name in ("hip", "knee", "elbow"):
        middle = (collapsed[:, INDEX[f"l_{name}"]] + collapsed[:, INDEX[f"r_{name}"]]) / 2
        collapsed[:, INDEX[f"l_{name}"]] = collapsed[:, INDEX[f"r_{name}"]] = middle
    fixed = clean(collapsed)
    gap = fixed[:, INDEX["l_knee"]] - fixed[:, INDEX["r_knee"]]
    np.testing.assert_allclose(gap, np.tile([0.2, 0, 0], (20, 1)), atol=1e-12)
    facing_away = collapsed * [-1, 1, -1]
    away = clean(facing_away)
    assert (away[:, INDEX["l_knee"], 0] < away[:, INDEX["r_knee"], 0]).all()

    stretched = from_clip(standing())
    stretched[:, INDEX["l_wrist"], 0] += 5.0
    reach = np.linalg.norm(clean(stretched)[:, INDEX["l_wrist"]] - stretched[:, INDEX["l_shoulder"]], axis=-1)
    torso = np.linalg.norm(stretched[0, INDEX["neck"]] - stretched[0, INDEX["pelvis_center"]])
    assert reach == pytest.approx(1.3 * torso)

    sunk = from_clip(standing())
    sunk[:, head, 1] -= 0.5
    assert (clean(sunk)[:, head, 1] - sunk[:, INDEX["neck"], 1]).min() > 0.19 * torso


def test_profiles_are_not_pulled_apart() -> None:
    """Hips seen from the side coincide in the picture; that is no fault."""
    motion = figures(from_clip(standing()), view=np.pi / 2).motion
    assert np.abs(at(motion, "l_hip") - at(motion, "r_hip")).max() < 0.01


def test_bows_and_cartwheels_stay_upside_down_but_a_tilted_camera_is_set_right() -> None:
    clip = standing(j0=(0, 0, np.pi))  # head down
    made = figures(from_clip(clip))
    assert (at(made.motion, "head_center")[:, 1] < at(made.motion, "pelvis_center")[:, 1]).all()
    points = from_clip(standing())
    level = upright(points) - upright(points)[:, :1]
    np.testing.assert_allclose(level, points - points[:, :1], atol=0.06)
    for roll, pitch in ((0.4, 0.2), (-0.8, -0.5), (3.1, 0.1), (np.pi, 0.0)):
        (cr, sr), (cp, sp) = (np.cos(roll), np.sin(roll)), (np.cos(pitch), np.sin(pitch))
        tilted = points @ np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]]).T
        tilted = tilted @ np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]]).T
        again = upright(tilted)
        np.testing.assert_allclose(again - again[:, :1], level, atol=1e-9)
        flat = upright((points @ np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]]).T)[..., :2])
        np.testing.assert_allclose(flat - flat[:, :1], (points - points[:, :1])[..., :2], atol=1e-9)


def test_a_sitting_figure_is_no_smaller_body() -> None:
    hips = {f"j{j}": (-1.5, 0.0, 0.0) for j in (1, 2)}
    knees = {f"j{j}": (1.5, 0.0, 0.0) for j in (4, 5)}
    sitting = figures(from_clip(standing(**hips, **knees)))  # type: ignore[arg-type]
    assert sitting.scale == pytest.approx(figures(from_clip(standing())).scale)


def test_actors_keep_their_places() -> None:
    one = from_clip(standing())
    other = one + [1.0, 0.0, 0.3]
    made = figures(np.stack([one, other], axis=1))
    assert made.motion.shape == (20, 2, 48) and made.lengths.shape == (2, 12)
    gap = at(made.motion, "neck")[:, 1] - at(made.motion, "neck")[:, 0]
    np.testing.assert_allclose(gap, np.tile([made.scale, 0.0], (20, 1)), atol=1e-9)


def test_v1_goes_from_neck_and_pelvis_to_hands_and_feet() -> None:
    motion = figures(from_clip(standing())).motion
    v1 = to_v1(motion).reshape(20, 5, 2, 2)
    np.testing.assert_array_equal(v1[:, 0, 0], at(motion, "neck"))
    np.testing.assert_array_equal(v1[:, 0, 1], at(motion, "pelvis_center"))
    np.testing.assert_array_equal(v1[:, 1, 1], at(motion, "l_ankle"))
    np.testing.assert_array_equal(v1[:, 4, 1], at(motion, "r_wrist"))


@pytest.mark.parametrize("segment", range(12))
def test_a_torn_figure_is_noticed(segment: int) -> None:
    motion = figures(from_clip(standing())).motion
    torn = motion.reshape(20, 12, 4).copy()
    torn[7, segment, :2] += 0.01
    free = segment in (3, 5)  # nothing else ends at a shoulder
    assert bool(disconnected(torn.reshape(20, 48))) != free
    assert "finite" in disconnected(np.full((3, 48), np.nan))


# ------------------------------------------------------------------------------------ other layouts


def laid_out(layout: str) -> np.ndarray:
    """A figure with its left arm raised, facing +Z, as joints of another layout in our axes."""
    body = standing(j16=(0, 0, 1.2)).joints()
    source: dict[str, list[int | tuple[int, int]]] = {
        "ntu25": [0, 6, 12, 15, 16, 18, 20, 28, 17, 19, 21, 43, 1, 4, 7, 10, 2, 5, 8, 11, (16, 17), 28, 37, 43, 52],
        "kit21": [0, 3, 6, 12, 15, 16, 18, 20, 17, 19, 21, 1, 4, 7, 7, 10, 2, 5, 8, 8, 11],
        "coco17": [15, 23, 24, 15, 15, 16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8],
        "smplx": list(range(55)),
    }  # fmt: skip
    return np.stack(
        [body[:, j] if isinstance(j, int) else body[:, list(j)].mean(1) for j in source[layout]], axis=1
    )


KINECT = np.array([-1.0, 1.0, -1.0])
LAYOUTS = {
    "smplx": ("smplx", np.ones(3)),
    "ntu, right-handed": ("ntu25", KINECT),
    "ntu, x to the right": ("ntu25", np.array([1.0, 1.0, -1.0])),
    "kit": ("kit21", np.ones(3)),
    "kit, as published: a mirror image": ("kit21", np.array([-1.0, 1.0, 1.0])),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_the_same_figure(name: str) -> None:
    layout, axes = LAYOUTS[name]
    expected = joints(figures(from_clip(standing(j16=(0, 0, 1.2)))).motion)
    made = joints(figures(from_joints(laid_out(layout) * axes, layout)).motion)
    limbs = [INDEX[name] for name in JOINTS if name[1] == "_"]
    np.testing.assert_allclose(made[:, limbs], expected[:, limbs], atol=0.02)
    assert made[0, INDEX["l_wrist"], 1] > made[0, INDEX["r_wrist"], 1] + 0.5
    middle = made[:, [INDEX["l_hip"], INDEX["r_hip"]]].mean(axis=1)
    np.testing.assert_allclose(made[:, INDEX["pelvis_center"]], middle, atol=1e-9)


def test_image_key_points_are_turned_upright() -> None:
    pixels = laid_out("coco17")[..., :2] * [100, -100] + [320, 400]
    made = joints(figures(from_joints(pixels, "coco17")).motion)[0]
    assert made[INDEX["head_center"], 1] > made[INDEX["pelvis_center"], 1] > made[INDEX["l_ankle"], 1]
    assert made[INDEX["l_wrist"], 1] > made[INDEX["r_wrist"], 1] + 0.5
    np.testing.assert_allclose(
        made[INDEX["pelvis_center"]], made[[INDEX["l_hip"], INDEX["r_hip"]]].mean(0), atol=1e-9
    )


def test_wrong_joints_are_refused() -> None:
    with pytest.raises(ValueError, match="ntu25 needs"):
        from_joints(np.zeros((5, 21, 3)), "ntu25")


# --------------------------------------------------------------------------------------- real motion


def test_a_real_walk_looks_like_walking() -> None:
    path = next((RAW / "deepmimic").rglob("humanoid3d_walk.txt"))
    clip = deepmimic.convert(path)
    side = figures(from_clip(clip), view=np.pi / 2).motion
    gap = at(side, "l_ankle")[:, 0] - at(side, "r_ankle")[:, 0]
    assert gap.max() > 0.4 and gap.min() < -0.4  # either foot comes to the front
    assert (at(side, "head_center")[:, 1] > 1.6).all()
    for leg in ("l", "r"):
        assert -0.1 < at(side, f"{leg}_ankle")[:, 1].min() < 0.2
    travel = at(side, "pelvis_center")[-1, 0] - at(side, "pelvis_center")[0, 0]
    assert travel < -0.5  # seen from its left, a body that faces +Z walks to the picture's left
    front = figures(from_clip(clip)).motion
    assert (at(front, "l_shoulder")[:, 0] > at(front, "r_shoulder")[:, 0]).all()


def test_stature_ignores_what_actors_do() -> None:
    points = np.stack([from_clip(standing()), from_clip(standing(j1=(-1.5, 0, 0)))], axis=1)
    first, second = stature(points)
    assert first == pytest.approx(second)


def test_schema() -> None:
    assert len(JOINTS) == 16 and next(iter(SEGMENTS)) == "head" and list(SEGMENTS)[11] == "pelvis_width"
    assert skeleton.DIM == 48 and skeleton.DIM_V1 == 20
