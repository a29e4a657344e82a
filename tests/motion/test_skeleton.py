"""The skeleton against the SMPL-X joint table and against human proportions."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.backend.motion import skeleton as s

# Parent of each joint, written out from the SMPL-X table (joints 0 to 24), then the two hands.
BODY = [-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 15, 15, 15]
LEFT_HAND = [20, 25, 26, 20, 28, 29, 20, 31, 32, 20, 34, 35, 20, 37, 38]
RIGHT_HAND = [21, 40, 41, 21, 43, 44, 21, 46, 47, 21, 49, 50, 21, 52, 53]


def test_names_are_those_of_smplx_in_its_order() -> None:
    expected = [
        "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
        "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
        "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "jaw",
        "left_eye_smplhf", "right_eye_smplhf",
    ]  # fmt: skip
    for side in ("left", "right"):
        # The order of SMPL-X: pinky before ring.
        expected += [
            f"{side}_{f}{i}" for f in ("index", "middle", "pinky", "ring", "thumb") for i in (1, 2, 3)
        ]
    assert list(s.JOINT_NAMES) == expected
    assert len(set(s.JOINT_NAMES)) == s.NUM_JOINTS == 55
    assert all(s.JOINT_NAMES[i] == name for name, i in s.INDEX.items())


def test_parents_are_those_of_smplx() -> None:
    assert list(s.PARENTS) == BODY + LEFT_HAND + RIGHT_HAND


def test_every_parent_comes_before_its_child() -> None:
    assert all(parent < child for child, parent in enumerate(s.PARENTS))


def test_rest_pose_is_symmetric() -> None:
    joints = s.rest_joints()
    np.testing.assert_allclose(joints[list(s.MIRROR)] * [-1, 1, 1], joints, atol=1e-12)


def test_mirror_pairs_left_with_right_and_undoes_itself() -> None:
    for i, j in enumerate(s.MIRROR):
        assert s.MIRROR[j] == i
        swapped = s.JOINT_NAMES[i].replace("left_", "?").replace("right_", "left_").replace("?", "right_")
        assert s.JOINT_NAMES[j] == swapped


def test_left_is_plus_x_and_feet_point_forwards() -> None:
    joints = s.rest_joints()
    for i, name in enumerate(s.JOINT_NAMES):
        if name.startswith("left_"):
            assert joints[i, 0] > 0, name
    assert joints[s.INDEX["left_foot"], 2] > joints[s.INDEX["left_ankle"], 2] + 0.1
    assert joints[s.INDEX["left_eye_smplhf"], 2] > joints[s.INDEX["head"], 2]


def test_soles_are_on_the_floor_level() -> None:
    joints = s.rest_joints()
    toe, ankle = joints[s.INDEX["left_foot"], 1], joints[s.INDEX["left_ankle"], 1]
    assert s.REST_FLOOR < toe < ankle
    np.testing.assert_allclose(s.CONTACT_REST_HEIGHTS, (ankle - s.REST_FLOOR, toe - s.REST_FLOOR) * 2)
    assert 0.02 < s.CONTACT_REST_HEIGHTS[1] < 0.04
    assert 0.06 < s.CONTACT_REST_HEIGHTS[0] < 0.10


def test_proportions_are_human() -> None:
    """Segment lengths as shares of the stature (Drillis and Contini, 1966), within a fifth."""
    joints, stature = s.rest_joints(), 1.73

    def length(a: str, b: str) -> float:
        return float(np.linalg.norm(joints[s.INDEX[a]] - joints[s.INDEX[b]]) / stature)

    assert length("left_hip", "left_knee") == pytest.approx(0.245, rel=0.2)
    assert length("left_knee", "left_ankle") == pytest.approx(0.246, rel=0.2)
    assert length("left_shoulder", "left_elbow") == pytest.approx(0.186, rel=0.2)
    assert length("left_elbow", "left_wrist") == pytest.approx(0.146, rel=0.2)
    eyes = joints[s.INDEX["left_eye_smplhf"], 1] - s.REST_FLOOR
    assert eyes / stature == pytest.approx(0.936, rel=0.05)


def test_pelvis_rests_where_smplx_bodies_have_it() -> None:
    # So that trans means the same: the origin lies about 0.35 m above the pelvis.
    np.testing.assert_allclose(s.J0, [0.0, -0.35, 0.0], atol=0.02)


def test_parts_hold_every_joint_once() -> None:
    joints = [j for part in s.PARTS.values() for j in part]
    assert sorted(joints) == list(range(s.NUM_JOINTS))


def test_rest_offsets_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        s.REST_OFFSETS[0] = 0
