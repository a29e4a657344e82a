"""Feet and hands on other proportions: standing feet stand, soles stay above the floor, hands keep touching."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.contacts import detect_contacts
from understudy.backend.motion.filters import gaussian
from understudy.backend.motion.footlock import LEGS, Leg
from understudy.backend.motion.kinematics import forward_kinematics, forward_kinematics_matrices
from understudy.backend.motion.retarget_ik import PALM, LegFit, fit_feet, fit_hands, legs_of
from understudy.backend.motion.skeleton import CONTACT_JOINTS, INDEX, PARENTS, REST_OFFSETS, rest_joints

from .synthetic import spoil, walk

LEG_JOINTS = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("knee", "ankle", "foot")]
ARM_JOINTS = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("elbow", "wrist")]
UPPER = [i for i in range(22) if i not in (1, 2, 4, 5, 7, 8, 10, 11)]


def body(
    *, leg: float = 1.0, shin: float = 1.0, hips: float = 1.0, arm: float = 1.0, shoulders: float = 1.0
) -> np.ndarray:
    """Offsets (22, 3) of a body with other limbs than ours."""
    offsets = np.array(REST_OFFSETS[:22])
    offsets[LEG_JOINTS] *= leg
    offsets[[7, 8]] *= shin
    offsets[[1, 2], 0] *= hips
    offsets[ARM_JOINTS] *= arm
    offsets[[13, 14, 16, 17], 0] *= shoulders
    return offsets


def rest_of(offsets: np.ndarray) -> np.ndarray:
    joints, _ = forward_kinematics_matrices(np.tile(np.eye(3), (1, 22, 1, 1)), np.zeros((1, 3)), offsets)
    return joints[0]


def transferred(clip: Clip, offsets: np.ndarray, legs: tuple[Leg, Leg]) -> tuple[np.ndarray, ...]:
    """Joints of the source, and joints and rotations of a body that turns alike, its root path scaled."""
    source, world = forward_kinematics(clip.poses[:, :22], clip.trans)
    local = rotations.axis_angle_to_matrix(clip.poses[:, :22])
    scale = legs[0].length / LEGS[0].length
    joints, _ = forward_kinematics_matrices(local, scale * source[:, 0] - offsets[0], offsets)
    return source, joints, world


def posed(world: np.ndarray, root: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    joints = np.empty((len(root), 22, 3))
    joints[:, 0] = root
    for joint in range(1, 22):
        above = PARENTS[joint]
        joints[:, joint] = joints[:, above] + world[:, above] @ offsets[joint]
    return joints


def skate(joints: np.ndarray, contacts: np.ndarray, fps: float) -> float:
    """Mean horizontal speed in cm/s of the foot joints in contact."""
    held = (contacts[1:] > 0.5) & (contacts[:-1] > 0.5)
    steps = np.diff(joints[:, list(CONTACT_JOINTS)][..., [0, 2]], axis=0)
    return float(100 * fps * np.linalg.norm(steps, axis=-1)[held].mean())


def depth(joints: np.ndarray, world: np.ndarray, legs: tuple[Leg, Leg]) -> float:
    """How deep the soles go below the floor at most, centimetres."""
    soles = [
        (joints[:, joint] + world[:, joint] @ point)[:, 1]
        for leg in legs
        for joint, point in ((leg.joints[2], leg.heel), (leg.joints[3], leg.ball), (leg.joints[3], leg.tip))
    ]
    return float(-100 * min(0.0, np.min(soles)))


def fitted(clip: Clip, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray, LegFit, tuple[Leg, Leg]]:
    """The source's joints, the fitted joints, the fit, and the legs."""
    legs = legs_of(rest_of(offsets))
    source, joints, world = transferred(clip, offsets, legs)
    fit = fit_feet(source, joints, world, legs, fps=clip.fps)
    return source, posed(fit.world, joints[:, 0] + fit.shift, offsets), fit, legs


def test_our_own_legs_are_found_from_our_rest_pose() -> None:
    for found, own in zip(legs_of(rest_joints()[:22]), LEGS, strict=True):
        assert found.length == pytest.approx(own.length)
        assert found.ankle_height == pytest.approx(own.ankle_height, abs=1e-3)
        np.testing.assert_allclose(found.ball, own.ball, atol=1e-3)
        np.testing.assert_allclose(found.tip, own.tip, atol=0.02)
        np.testing.assert_allclose(found.heel, own.heel, atol=0.02)


BODIES = {
    "legs 0.6": {"leg": 0.6},
    "legs 0.8": {"leg": 0.8, "hips": 1.1},
    "legs 1.3, long shins": {"leg": 1.3, "shin": 1.25},
    "legs 1.6": {"leg": 1.6},
    "short shins": {"shin": 0.7, "hips": 1.3},
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_feet_skate_no_more_than_the_source(name: str, noise: float) -> None:
    clip = walk(4.0)[0]
    if noise:
        clip = spoil(clip, noise=noise)
    source, joints, fit, legs = fitted(clip, body(**BODIES[name]))
    contacts = detect_contacts(clip)
    assert skate(joints, contacts, 30.0) <= 1.2 * skate(source, contacts, 30.0)
    assert skate(joints, fit.contacts, 30.0) < 1.0
    assert fit.contacts.any(axis=1).mean() > 0.9
    assert depth(joints, fit.world, legs) < 1.0
    # The feet do not float either: while one stands its sole is on the floor.
    low = joints[:, [10, 11], 1].min(axis=1)[fit.contacts[:, [1, 3]].any(axis=1)]
    assert np.abs(np.median(low) + legs[0].ball[1]) < 0.01


@pytest.mark.parametrize("name", BODIES)
def test_without_the_fit_they_would_skate(name: str) -> None:
    """The test can fail: rotations alone let the feet of some bodies slide or sink."""
    offsets = body(**BODIES[name])
    legs = legs_of(rest_of(offsets))
    clip = walk(4.0)[0]
    source, joints, world = transferred(clip, offsets, legs)
    contacts = detect_contacts(clip)
    assert (
        skate(joints, contacts, 30.0) > 1.2 * skate(source, contacts, 30.0)
        or depth(joints, world, legs) > 1.0
    )


def test_the_same_body_keeps_its_motion() -> None:
    clip = walk(4.0)[0]
    source, joints, _, _ = fitted(clip, body())
    assert np.abs(joints - source).max() < 0.03
    assert np.median(np.linalg.norm(joints - source, axis=-1)) < 0.005


def test_the_upper_body_only_moves_along() -> None:
    clip = walk(2.0)[0]
    offsets = body(leg=0.7)
    legs = legs_of(rest_of(offsets))
    source, joints, world = transferred(clip, offsets, legs)
    fit = fit_feet(source, joints, world, legs, fps=30.0)
    np.testing.assert_array_equal(fit.world[:, UPPER], world[:, UPPER])
    assert not fit.shift[:, [0, 2]].any()


@pytest.mark.parametrize("leg", [0.6, 1.6])
def test_knees_turn_no_faster_than_the_sources(leg: float) -> None:
    clip = walk(4.0)[0]
    _, world = forward_kinematics(clip.poses[:, :22], clip.trans)
    _, _, fit, _ = fitted(clip, body(leg=leg))

    def fastest(turns: np.ndarray) -> float:
        local = np.swapaxes(turns[:, [1, 2]], -1, -2) @ turns[:, [4, 5]]
        return float(rotations.geodesic_angle(local[1:], local[:-1]).max())

    assert fastest(fit.world) < 1.5 * fastest(world) + 0.03


def clapping(frames: int = 90, gap: float = 0.0) -> Clip:
    """Arms in front; the palms meet and part again, twice."""
    poses = np.zeros((frames, 55, 3))
    swing = 0.35 * np.sin(2 * np.pi * np.arange(frames) / 45) ** 2 + gap
    for side, sign in (("left", 1.0), ("right", -1.0)):
        poses[:, INDEX[f"{side}_shoulder"], 1] = -sign * (1.05 - swing)
        poses[:, INDEX[f"{side}_elbow"], 1] = -sign * 1.45
    trans = np.zeros((frames, 3))
    trans[:, 1] = 1.31
    return Clip(poses=poses, trans=trans, fps=30.0)


def palms(joints: np.ndarray, world: np.ndarray, scale: float = 1.0) -> np.ndarray:
    return np.stack(
        [
            joints[:, 20] + scale * PALM * world[:, 20, :, 0],
            joints[:, 21] - scale * PALM * world[:, 21, :, 0],
        ],
        1,
    )


@pytest.mark.parametrize(
    "kind", [{"arm": 0.7}, {"arm": 1.4}, {"shoulders": 1.4}, {"arm": 0.8, "shoulders": 1.3}]
)
def test_hands_that_touch_still_touch(kind: dict[str, float]) -> None:
    clip = clapping()
    offsets = body(**kind)
    source, joints, world = transferred(clip, offsets, LEGS)
    turned = fit_hands(source, joints, world)
    scale = kind.get("arm", 1.0)
    before = np.linalg.norm(np.diff(palms(source, world), axis=1)[:, 0], axis=1)
    plain = np.linalg.norm(np.diff(palms(joints, world, scale), axis=1)[:, 0], axis=1)
    after = np.linalg.norm(
        np.diff(palms(posed(turned, joints[:, 0], offsets), turned, scale), axis=1)[:, 0], axis=1
    )
    touch = before < 0.12
    assert touch.any()
    assert not touch.all()
    assert np.abs(plain - before)[touch].max() > 0.03  # it was wrong
    assert np.abs(after - scale * before)[touch].max() < 0.01
    np.testing.assert_array_equal(turned[:, [20, 21]], world[:, [20, 21]])
    speed = np.abs(np.diff(after)).max()
    assert speed < 2.0 * np.abs(np.diff(plain)).max() + 0.01  # nothing pops


def test_a_hand_on_the_head_stays_on_the_head() -> None:
    poses = np.zeros((30, 55, 3))
    poses[:, INDEX["left_shoulder"]] = [0.0, 0.0, 0.9]
    poses[:, INDEX["left_elbow"]] = [0.0, 0.0, 2.0]
    clip = Clip(poses=poses, trans=np.zeros((30, 3)), fps=30.0)
    offsets = body(arm=1.35)
    source, joints, world = transferred(clip, offsets, LEGS)
    assert np.linalg.norm(palms(source, world)[0, 0] - source[0, INDEX["head"]]) < 0.25
    turned = fit_hands(source, joints, world, hand_scale=1.0)
    new = posed(turned, joints[:, 0], offsets)

    def off(positions: np.ndarray) -> float:
        wanted = palms(source, world)[:, 0] - source[:, INDEX["head"]]
        is_now = palms(positions, world)[:, 0] - positions[:, INDEX["head"]]
        return float(np.linalg.norm(is_now - wanted, axis=1).max())

    assert off(joints) > 0.08
    assert off(new) < 0.4 * off(joints)


def test_hands_in_the_air_keep_their_rotations() -> None:
    poses = np.zeros((20, 55, 3))
    clip = Clip(poses=poses, trans=np.tile([0.0, 1.31, 0.0], (20, 1)), fps=30.0)
    source, joints, world = transferred(clip, body(arm=1.4), LEGS)
    np.testing.assert_array_equal(fit_hands(source, joints, world), world)


def own_feet(leg: float) -> np.ndarray:
    """Offsets of a body with longer or shorter legs on feet of our size."""
    offsets = body()
    offsets[[4, 5, 7, 8]] *= leg
    return offsets


def pointing() -> Clip:
    """A walk whose toes hang while they swing, and just clear the floor."""
    clip = walk(4.0)[0]
    contacts = detect_contacts(clip)
    poses = np.array(clip.poses)
    for joint, columns in ((7, [0, 1]), (8, [2, 3])):
        swing = gaussian((contacts[:, columns].max(axis=1) < 0.5).astype(np.float64), 2.0)
        poses[:, joint, 0] += 0.5 * swing
    return clip.replace(poses=poses)


@pytest.mark.parametrize("leg", [0.6, 0.8, 1.6])
def test_swinging_feet_clear_the_floor_in_proportion(leg: float) -> None:
    """Feet are not as much shorter as the legs: in proportion to those alone, their toes would drag."""
    clip = pointing()
    source, joints, fit, legs = fitted(clip, own_feet(leg))
    _, world = forward_kinematics(clip.poses[:, :22], clip.trans)

    def clearance(points: np.ndarray, turns: np.ndarray, which: tuple[Leg, Leg]) -> np.ndarray:
        heels = [(points[:, g.joints[2]] + turns[:, g.joints[2]] @ g.heel)[:, 1] for g in which]
        balls = [(points[:, g.joints[3]] + turns[:, g.joints[3]] @ g.ball)[:, 1] for g in which]
        return np.minimum(heels, balls).T

    before, after = clearance(source, world, LEGS), clearance(joints, fit.world, legs)
    swing = ~fit.contacts.reshape(-1, 2, 2).any(axis=2) & (before > 0.02)
    assert swing.any()
    assert (after - leg * before)[swing].min() > -0.01
    # And they come up without a jerk.
    assert (
        np.abs(np.diff(after, n=2, axis=0)).max()
        < 2.0 * max(leg, 1.0) * np.abs(np.diff(before, n=2, axis=0)).max() + 0.01
    )


@pytest.mark.parametrize("leg", [0.6, 1.6])
def test_low_feet_are_no_faster_in_proportion_than_the_sources(leg: float) -> None:
    """Contacts that are measured on the result: a foot that drags is low and fast."""
    clip = pointing()
    source, joints, _, _ = fitted(clip, own_feet(leg))

    def low_speed(points: np.ndarray, size: float) -> float:
        toes = points[:, [10, 11]]
        low = toes[..., 1] < 0.028 + 0.03 * size
        steps = np.linalg.norm(np.diff(toes[..., [0, 2]], axis=0), axis=-1) / size
        return float(steps[low[1:] & low[:-1]].mean())

    assert low_speed(joints, leg) <= 1.2 * low_speed(source, 1.0)
