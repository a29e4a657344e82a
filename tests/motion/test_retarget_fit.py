"""Clips fitted to rigs of other proportions: feet of any rig stand, hands that touch still touch."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.addon.retarget.tables import built_in
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.contacts import detect_contacts
from understudy.backend.motion.recognise import recognise
from understudy.backend.motion.retarget import Retargeter
from understudy.backend.motion.retarget_fit import fit_to_rig
from understudy.backend.motion.skeleton import CONTACT_JOINTS, INDEX, JOINT_NAMES

from .rigs import build_rig, pose, rest_points
from .synthetic import walk
from .test_retarget_ik import clapping

FEET = [JOINT_NAMES[joint] for joint in CONTACT_JOINTS]
BLENDER = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


def target(family: str, **changes: float) -> Retargeter:
    rig = build_rig(family, points=rest_points(**changes), scale=100.0, rng=np.random.default_rng(1))
    return Retargeter(rig, recognise(rig, built_in()))


def heads(retargeter: Retargeter, clip: Clip, slots: list[str]) -> np.ndarray:
    """(T, n, 3) metres, Y up, as Blender would pose the rig."""
    posed = pose(retargeter.rig, retargeter.perform(clip))
    bones = [retargeter.rig.index[retargeter.mapping.bones[slot]] for slot in slots]
    return posed[:, bones][..., :3, 3] @ BLENDER / 100.0


def skate(feet: np.ndarray, contacts: np.ndarray, fps: float) -> float:
    """Mean horizontal speed in cm/s of feet in contact."""
    held = (contacts[1:] > 0.5) & (contacts[:-1] > 0.5)
    return float(100 * fps * np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1)[held].mean())


@pytest.mark.parametrize("family", ["mixamo", "unreal (UE5)", "rigify_deform"])
@pytest.mark.parametrize("thighs", [0.6, 1.6])
def test_feet_skate_no_more_than_the_source_and_stay_on_the_floor(family: str, thighs: float) -> None:
    clip = walk(4.0)[0]
    contacts = detect_contacts(clip)
    retargeter = target(family, thighs=thighs, legs=8)
    rest = heads(retargeter, Clip(np.zeros((1, 55, 3)), np.array([[0.0, 1.31, 0.0]]), 30.0), FEET)[0, :, 1]
    before = skate(clip.joints()[:, list(CONTACT_JOINTS)], contacts, 30.0)
    fitted = heads(retargeter, fit_to_rig(retargeter, clip), FEET)
    if thighs > 1:  # rotations alone do not do
        assert skate(heads(retargeter, clip, FEET), contacts, 30.0) > 1.2 * before
    assert skate(fitted, contacts, 30.0) <= 1.2 * before
    # The joints of a standing foot are never deeper than at rest, by a centimetre.
    assert (fitted[..., 1] - rest).min() > -0.01
    toes = fitted[:, [1, 3], 1] - rest[[1, 3]]
    assert np.abs(np.median(toes.min(axis=1))) < 0.015


def test_hands_that_touch_still_touch() -> None:
    clip = clapping()
    retargeter = target("mixamo", thighs=1.5)
    wrists = ["left_wrist", "right_wrist"]

    def gap(points: np.ndarray) -> np.ndarray:
        return np.linalg.norm(points[:, 0] - points[:, 1], axis=1)

    source = gap(clip.joints()[:, [INDEX[name] for name in wrists]])
    fitted = gap(heads(retargeter, fit_to_rig(retargeter, clip), wrists))
    touch = source < source.min() + 0.02
    assert np.abs(fitted - source)[touch].max() < 0.02


def test_what_is_switched_off_is_left_alone() -> None:
    clip = walk(2.0)[0]
    retargeter = target("mixamo", thighs=1.4)
    assert fit_to_rig(retargeter, clip, feet=False, hands=False) is clip
    only_hands = fit_to_rig(retargeter, clip, feet=False)
    np.testing.assert_array_equal(only_hands.trans, clip.trans)
    np.testing.assert_array_equal(only_hands.poses[:, :12], clip.poses[:, :12])
    only_feet = fit_to_rig(retargeter, clip, hands=False)
    np.testing.assert_array_equal(only_feet.poses[:, 12:], clip.poses[:, 12:])
    assert np.abs(only_feet.poses[:, :12] - clip.poses[:, :12]).max() > 0.01


def test_on_our_own_proportions_little_changes() -> None:
    clip = walk(3.0)[0]
    fitted = fit_to_rig(target("mixamo"), clip)
    moved = np.linalg.norm(fitted.joints() - clip.joints(), axis=-1)[:, :22]
    assert np.median(moved) < 0.01
    assert moved.max() < 0.04
