"""Every conversion there and back, at the places where conversions fail: near zero and near a half turn."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.motion import rotations as r

components = st.floats(-1, 1, allow_nan=False, width=32)
axes = st.tuples(components, components, components).filter(lambda v: np.linalg.norm(v) > 0.1)
# Half of the angles lie where formulas break.
angles = st.one_of(
    st.floats(0, np.pi),
    st.sampled_from([0.0, 1e-12, 1e-8, 1e-5, 1e-3, np.pi - 1e-3, np.pi - 1e-6, np.pi - 1e-9, np.pi]),
)


@st.composite
def axis_angles(draw: st.DrawFn) -> np.ndarray:
    axis = np.array(draw(axes))
    return axis / np.linalg.norm(axis) * draw(angles)


@st.composite
def quaternions(draw: st.DrawFn) -> np.ndarray:
    return r.axis_angle_to_quaternion(draw(axis_angles()))


def same_rotation(a: np.ndarray, b: np.ndarray, tolerance: float = 1e-6) -> bool:
    return bool(np.abs(a - b).max() < tolerance)


@given(axis_angles())
def test_axis_angle_survives_the_quaternion(v: np.ndarray) -> None:
    back = r.quaternion_to_axis_angle(r.axis_angle_to_quaternion(v))
    assert same_rotation(r.axis_angle_to_matrix(back), r.axis_angle_to_matrix(v), 1e-9)
    if np.linalg.norm(v) < np.pi - 1e-6:  # at a half turn both signs of the axis are right
        np.testing.assert_allclose(back, v, atol=1e-7)


@given(axis_angles())
def test_axis_angle_survives_the_matrix(v: np.ndarray) -> None:
    matrix = r.axis_angle_to_matrix(v)
    assert same_rotation(r.axis_angle_to_matrix(r.matrix_to_axis_angle(matrix)), matrix, 1e-7)


@given(axis_angles())
def test_matrices_are_rotations(v: np.ndarray) -> None:
    matrix = r.axis_angle_to_matrix(v)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1.0)


@given(axis_angles())
def test_rotation_against_rodrigues(v: np.ndarray) -> None:
    angle = np.linalg.norm(v)
    k = v / angle if angle > 0 else v
    cross = np.array([[0, -k[2], k[1]], [k[2], 0, -k[0]], [-k[1], k[0], 0]])
    expected = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    np.testing.assert_allclose(r.axis_angle_to_matrix(v), expected, atol=1e-9)


@given(axis_angles())
def test_axis_angle_takes_the_short_way(v: np.ndarray) -> None:
    long_way = v * (1 - 2 * np.pi / max(np.linalg.norm(v), 1e-3))
    assert np.linalg.norm(r.quaternion_to_axis_angle(r.axis_angle_to_quaternion(long_way))) <= np.pi + 1e-9


@pytest.mark.parametrize("layout", ["columns", "rows", "interleaved"])
@given(v=axis_angles())
def test_6d_round_trip(layout: r.SixDLayout, v: np.ndarray) -> None:
    matrix = r.axis_angle_to_matrix(v)
    np.testing.assert_allclose(r.matrix_from_6d(r.matrix_to_6d(matrix, layout), layout), matrix, atol=1e-9)


def test_6d_layouts_are_what_the_field_means_and_differ() -> None:
    matrix = np.arange(9.0).reshape(3, 3)
    assert r.matrix_to_6d(matrix, "columns").tolist() == [0, 3, 6, 1, 4, 7]
    assert r.matrix_to_6d(matrix, "rows").tolist() == [0, 1, 2, 3, 4, 5]
    assert r.matrix_to_6d(matrix, "interleaved").tolist() == [0, 1, 3, 4, 6, 7]
    rotation = r.axis_angle_to_matrix(np.array([0.3, -0.5, 0.9]))
    for a, b in itertools.permutations(("columns", "rows", "interleaved"), 2):
        mixed = r.matrix_from_6d(r.matrix_to_6d(rotation, a), b)  # type: ignore[arg-type]
        assert np.degrees(r.geodesic_angle(mixed, rotation)) > 20


def test_6d_of_rows_is_6d_columns_of_the_transpose() -> None:
    rotation = r.axis_angle_to_matrix(np.array([0.3, -0.5, 0.9]))
    np.testing.assert_array_equal(r.matrix_to_6d(rotation, "rows"), r.matrix_to_6d(rotation.T, "columns"))


@given(axis_angles(), st.floats(0.2, 5.0), st.floats(-1.0, 1.0))
def test_6d_that_a_network_gives_becomes_a_rotation(v: np.ndarray, scale: float, skew: float) -> None:
    sixd = r.matrix_to_6d(r.axis_angle_to_matrix(v))
    spoilt = np.concatenate([scale * sixd[:3], sixd[3:] + skew * sixd[:3]])
    np.testing.assert_allclose(r.matrix_from_6d(spoilt), r.matrix_from_6d(sixd), atol=1e-9)


@given(quaternions(), quaternions())
def test_product_of_quaternions_is_product_of_matrices(a: np.ndarray, b: np.ndarray) -> None:
    product = r.quaternion_to_matrix(r.quaternion_multiply(a, b))
    np.testing.assert_allclose(product, r.quaternion_to_matrix(a) @ r.quaternion_to_matrix(b), atol=1e-12)


@given(quaternions())
def test_conjugate_undoes(q: np.ndarray) -> None:
    np.testing.assert_allclose(r.quaternion_multiply(q, r.quaternion_conjugate(q)), [1, 0, 0, 0], atol=1e-12)


@given(quaternions(), axes)
def test_vectors_turn_as_by_the_matrix(q: np.ndarray, v: tuple[float, float, float]) -> None:
    np.testing.assert_allclose(r.rotate_vectors(q, np.array(v)), r.quaternion_to_matrix(q) @ v, atol=1e-12)


def test_no_rotation_is_lost_in_a_batch() -> None:
    v = np.random.default_rng(0).normal(size=(4, 5, 3))
    matrices = r.axis_angle_to_matrix(v)
    assert matrices.shape == (4, 5, 3, 3)
    np.testing.assert_allclose(matrices[2, 3], r.axis_angle_to_matrix(v[2, 3]), atol=1e-15)
    assert r.matrix_to_axis_angle(matrices).shape == v.shape


def test_zero_quaternion_is_the_identity() -> None:
    np.testing.assert_array_equal(r.quaternion_to_matrix(np.zeros(4)), np.eye(3))


@given(quaternions(), quaternions(), st.floats(0, 1))
def test_slerp_goes_at_constant_speed_the_short_way(a: np.ndarray, b: np.ndarray, weight: float) -> None:
    middle = r.slerp(a, b, np.array([weight]))
    whole = r.geodesic_angle(r.quaternion_to_matrix(a), r.quaternion_to_matrix(b))
    part = r.geodesic_angle(r.quaternion_to_matrix(a), r.quaternion_to_matrix(middle))
    assert part == pytest.approx(weight * whole, abs=2e-6)


@given(quaternions(), quaternions())
def test_slerp_reaches_both_ends_whatever_their_signs(a: np.ndarray, b: np.ndarray) -> None:
    for sign in (1, -1):
        start, end = r.slerp(a, sign * b, np.array([0.0])), r.slerp(a, sign * b, np.array([1.0]))
        np.testing.assert_allclose(r.quaternion_to_matrix(start), r.quaternion_to_matrix(a), atol=1e-6)
        np.testing.assert_allclose(r.quaternion_to_matrix(end), r.quaternion_to_matrix(b), atol=1e-6)


@pytest.mark.parametrize("order", ["".join(p) for p in itertools.permutations("XYZ")])
@given(v=axis_angles())
def test_euler_round_trip(order: str, v: np.ndarray) -> None:
    matrix = r.axis_angle_to_matrix(v)
    np.testing.assert_allclose(r.euler_to_matrix(r.matrix_to_euler(matrix, order), order), matrix, atol=1e-6)


@pytest.mark.parametrize("order", ["".join(p) for p in itertools.permutations("XYZ")])
@pytest.mark.parametrize("quarter", [-np.pi / 2, np.pi / 2])
def test_euler_survives_gimbal_lock(order: str, quarter: float) -> None:
    matrix = r.euler_to_matrix(np.array([0.7, quarter, -0.4]), order)
    np.testing.assert_allclose(r.euler_to_matrix(r.matrix_to_euler(matrix, order), order), matrix, atol=1e-7)


def test_euler_order_is_that_of_bvh_channels() -> None:
    # Zrotation Yrotation Xrotation in a file: the vector is turned about X first.
    a = np.radians([90.0, 0.0, 90.0])
    np.testing.assert_allclose(r.euler_to_matrix(a, "ZYX") @ [0, 1, 0], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(r.euler_to_matrix(a, "XYZ") @ [0, 1, 0], [-1, 0, 0], atol=1e-12)


def test_euler_refuses_an_order_with_one_axis_twice() -> None:
    with pytest.raises(ValueError, match="three different axes"):
        r.matrix_to_euler(np.eye(3), "ZXZ")


@given(axes, axes)
def test_shortest_arc_brings_one_direction_to_the_other(a: tuple, b: tuple) -> None:
    a, b = np.array(a) / np.linalg.norm(a), np.array(b) / np.linalg.norm(b)
    np.testing.assert_allclose(r.rotate_vectors(r.shortest_arc(a, b), a), b, atol=1e-6)
    angle = np.linalg.norm(r.quaternion_to_axis_angle(r.shortest_arc(a, b)))
    assert angle == pytest.approx(np.arccos(np.clip(a @ b, -1, 1)), abs=1e-4)


@pytest.mark.parametrize("direction", np.eye(3).tolist() + (-np.eye(3)).tolist())
def test_shortest_arc_of_opposite_directions(direction: list[float]) -> None:
    d = np.array(direction)
    np.testing.assert_allclose(r.rotate_vectors(r.shortest_arc(d, -d), d), -d, atol=1e-9)


@given(axis_angles(), st.sampled_from([1e-10, 1e-6, 1e-3, 0.5, 3.0]))
def test_geodesic_angle_keeps_small_angles(v: np.ndarray, angle: float) -> None:
    matrix = r.axis_angle_to_matrix(v)
    turned = matrix @ r.axis_angle_to_matrix(np.array([0.0, angle, 0.0]))
    assert r.geodesic_angle(matrix, turned) == pytest.approx(angle, rel=1e-5, abs=1e-12)


@given(st.floats(-3.1, 3.1), st.floats(-1.2, 1.2), st.floats(-1.2, 1.2))
def test_heading_is_the_yaw_and_ignores_a_lean(yaw: float, lean: float, tilt: float) -> None:
    assert r.heading(r.yaw_matrix(yaw)) == pytest.approx(yaw)
    lean_only = r.axis_angle_to_matrix(np.array([lean, 0.0, tilt]))
    assert r.wrap_angle(r.heading(r.yaw_matrix(yaw) @ lean_only) - yaw) == pytest.approx(0.0, abs=1e-9)


def test_positive_yaw_turns_the_face_to_the_left() -> None:
    np.testing.assert_allclose(r.yaw_matrix(np.pi / 2) @ [0, 0, 1], [1, 0, 0], atol=1e-12)
