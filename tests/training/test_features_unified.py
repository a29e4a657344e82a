"""SOLAMI's unified features: they invert, and two people stand where they stood."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.motion import clip as clips
from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.fitting.layouts import WHOLEBODY
from understudy.backend.motion.fitting.recover import recover_from_ric
from understudy.backend.motion.skeleton import J0
from understudy.training.features.extract import extract
from understudy.training.features.placement import Frame, invert, place, relative
from understudy.training.features.skeletons import joints_for
from understudy.training.features.unified import clip_of, frames_of, read_unified, to_bytes, unify


def person(seed: int, where: tuple[float, float, float], heading: float, frames: int = 40) -> Clip:
    rng = np.random.default_rng(seed)
    seconds = np.arange(frames)[:, None, None] / 30
    poses = 0.25 * rng.normal(size=(1, 55, 3)) * np.sin(3 * seconds + rng.uniform(0, 6, (1, 55, 3)))
    drift = np.stack([0.3 * seconds[:, 0, 0], 0.05 * np.sin(seconds[:, 0, 0]), seconds[:, 0, 0]], axis=1)
    clip = Clip(
        poses=poses, trans=drift - J0 + [0, 1, 0], fps=30.0, betas=rng.normal(size=10).astype(np.float32)
    )
    return clips.move(clips.rotate_world(clip, rotations.yaw_matrix(np.array(heading))), np.array(where))


def test_the_fields_and_their_shapes(tmp_path: Path) -> None:
    clip = person(0, (2.0, 0.1, -3.0), 1.0)
    unified = unify(clip, partner=person(1, (2.0, 0.1, -2.0), 3.0))
    shapes = {
        "ske_joints": (39, 52, 3), "ske_feature": (39, 623), "smplx_feature/root_velocity": (39, 2),
        "smplx_feature/root_height": (39, 1), "smplx_feature/global_root_cont6d": (39, 6),
        "smplx_feature/cont6d_local": (39, 51, 6), "smplx_feature/cont6d_global": (39, 54, 6),
        "smplx_params/global_orient": (40, 3), "smplx_params/body_pose": (40, 63), "smplx_params/left_hand_pose": (40, 45),
        "smplx_params/betas": (40, 10), "smplx_params/t_root_J": (40, 3), "transforms/ske_forward": (40, 4),
        "transforms/ske_root": (40, 3), "transforms/scale": (), "transforms/smplx_forward": (1, 4),
        "transforms/ske_relative_cont6d": (6,), "transforms/smplx_relative_pos": (3,),
    }  # fmt: skip
    (tmp_path / "one.npz").write_bytes(to_bytes(unified))
    again = read_unified(tmp_path / "one.npz")
    for name, shape in shapes.items():
        outer, _, inner = name.partition("/")
        for either in (unified, again):
            assert (either[outer][inner] if inner else either[outer]).shape == shape, name
    np.testing.assert_array_equal(again["ske_feature"], extract(joints_for(clip, WHOLEBODY), WHOLEBODY))
    np.testing.assert_array_equal(again["ske_joints"], recover_from_ric(again["ske_feature"], WHOLEBODY))
    with pytest.raises(BadInput, match="cannot be read"):
        read_unified(tmp_path / "none.npz")


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), heading=st.floats(-3.1, 3.1), frames=st.integers(3, 60))
def test_smplx_features_invert(seed: int, heading: float, frames: int) -> None:
    clip = person(seed, (2.0, 0.3, -3.0), heading, frames)
    unified = unify(clip)
    back = clip_of(unified["smplx_feature"])
    params = unified["smplx_params"]
    np.testing.assert_allclose(back.trans, params["transl"][:-1], atol=2e-5)
    turns = [rotations.axis_angle_to_matrix(p) for p in (back.poses, clip.poses[:-1])]
    np.testing.assert_allclose(turns[0][:, 1:], turns[1][:, 1:], atol=2e-5)
    # In its own space the person starts at x = z = 0 on the floor and faces +Z.
    joints = back.joints()
    assert np.abs(joints[0, 0, [0, 2]]).max() < 1e-5 and abs(joints[:, :22, 1].min()) < 0.02
    across = joints[0, 1] - joints[0, 2] + joints[0, 16] - joints[0, 17]
    assert across[0] > 0 and abs(across[2]) < 1e-4


def test_local_and_global_rotations_are_those_of_the_pose() -> None:
    clip = person(4, (0, 0, 0), 0.5)
    feature = unify(clip)["smplx_feature"]
    local = rotations.axis_angle_to_matrix(clip.poses[:-1])
    np.testing.assert_allclose(
        rotations.matrix_from_6d(feature["cont6d_local"][:, 0]), local[:, 1], atol=1e-5
    )
    np.testing.assert_allclose(
        rotations.matrix_from_6d(feature["cont6d_local"][:, 21]), local[:, 25], atol=1e-5
    )
    knee = local[:, 1] @ local[:, 4]  # relative to the root, which is left out
    np.testing.assert_allclose(rotations.matrix_from_6d(feature["cont6d_global"][:, 3]), knee, atol=1e-5)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 1000),
    where=st.tuples(st.floats(-3, 3), st.floats(0, 1), st.floats(-3, 3)),
    headings=st.tuples(st.floats(-3.1, 3.1), st.floats(-3.1, 3.1)),
)
def test_a_partner_is_placed_where_it_stood(
    seed: int, where: tuple[float, float, float], headings: tuple[float, float]
) -> None:
    me, you = person(seed, where, headings[0]), person(seed + 1, (0.5, 0.0, 1.0), headings[1])
    mine, yours = unify(me, partner=you), unify(you, partner=me)
    # My joints, in your space, back in the world.
    frame = frames_of(yours)["smplx"]
    own = clip_of(mine["smplx_feature"]).joints()
    transform = mine["transforms"]
    in_yours = place(own, transform["smplx_relative_cont6d"], transform["smplx_relative_pos"])
    turn = rotations.quaternion_to_matrix(frame.forward.astype(np.float64))
    world = in_yours @ turn + frame.origin
    np.testing.assert_allclose(world, me.joints()[:-1], atol=2e-4)
    # The way back is the inverse, and what the partner's own file says.
    for kind in ("ske", "smplx"):
        there = mine["transforms"][f"{kind}_relative_cont6d"], mine["transforms"][f"{kind}_relative_pos"]
        back = yours["transforms"][f"{kind}_relative_cont6d"], yours["transforms"][f"{kind}_relative_pos"]
        for one, other in zip(invert(*there), back, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4)
        again = place(place(own, *there), *invert(*there))
        np.testing.assert_allclose(again, own, atol=1e-4)


def test_heights_are_not_counted_twice() -> None:
    """Two people of different height on one floor: the placed one stands on it too."""
    tall = Frame(np.array([1.0, 0, 0, 0]), np.array([0.0, 1.2, 0.0]), 0.0)
    small = Frame(np.array([1.0, 0, 0, 0]), np.array([1.0, 0.6, 0.0]), 0.0)
    _, position = relative(tall, small)
    np.testing.assert_allclose(position, [-1.0, 0.0, 0.0])
    _, position = relative(Frame(tall.forward, tall.root, 0.4), small)
    np.testing.assert_allclose(position, [-1.0, 0.4, 0.0])


def test_distances_are_scaled_by_the_mean_of_both() -> None:
    frames = [
        Frame(np.array([1.0, 0, 0, 0]), np.array([x, 1.0, 0.0]), 0.0, scale)
        for x, scale in ((1.0, 0.9), (0.0, 1.1))
    ]
    assert relative(*frames)[1][0] == pytest.approx(1.0)


def test_a_figure_that_faces_exactly_back_is_not_lost() -> None:
    clip = Clip(poses=np.zeros((10, 55, 3)), trans=-J0 + np.array([[0, 1.0, 0.0]] * 10), fps=30.0)
    clip.poses[:, 0] = [0, np.pi, 0]
    clip.poses[:, 16] = [0.1, 0.2, 0.3]
    unified = unify(clip)
    assert np.isfinite(unified["transforms"]["ske_forward"]).all()


def test_other_rates_are_resampled_by_time() -> None:
    clip = clips.resample(person(2, (0, 0, 0), 0.0), 120.0)
    unified = unify(clip)
    assert len(unified["smplx_params"]["transl"]) == 40
