"""The gate: every promised shape passes, every kind of broken motion is named."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.training.canonical import style
from understudy.training.canonical.validator import DataValidator, joint_angles

VALIDATOR = DataValidator()


def rigid(frames: int = 40, segments: int = 12, speed: float = 1.0) -> np.ndarray:
    """Segments of fixed length that turn and travel, (T, 4 * segments)."""
    t = np.arange(frames)[:, None] / 30
    angle = t + np.arange(segments)
    start = np.stack([np.arange(segments) * 0.3 + speed * t, np.ones_like(angle)], axis=-1)
    end = start + 0.4 * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return np.concatenate([start, end], axis=-1).reshape(frames, -1)


@given(st.integers(1, 12), st.sampled_from([None, 1, 2, 3]))
@settings(max_examples=30, deadline=None)
def test_any_number_of_segments_and_actors(segments: int, actors: int | None) -> None:
    motion = rigid(segments=segments if segments != 12 else 11)
    motion = motion if actors is None else np.stack([motion] * actors, axis=1)
    assert VALIDATOR.check_skeleton_consistency(motion).valid
    physics = style.physics(motion, 30.0)
    assert physics.shape == (*motion.shape[:-1], 6)
    assert VALIDATOR.check_physics_consistency(physics) == (True, 1.0, "")


def test_tensors_and_lists_are_read_too() -> None:
    torch = pytest.importorskip("torch")
    motion = rigid(segments=5)
    for values in (torch.from_numpy(motion), motion.tolist()):
        assert VALIDATOR.check_skeleton_consistency(values).valid


@pytest.mark.parametrize(
    "values", [np.zeros((5, 7)), np.zeros(48), np.zeros((5, 1, 1, 48)), [[1], [1, 2]], "x"]
)
def test_wrong_shapes_are_a_sentence(values: Any) -> None:
    for check in (VALIDATOR.check_skeleton_consistency, VALIDATOR.check_physics_consistency):
        valid, score, reason = check(values)
        assert not valid and score == 0.0 and reason.startswith("The ")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite(bad: float) -> None:
    motion = rigid(segments=5)
    motion[3, 4] = bad
    assert not VALIDATOR.check_skeleton_consistency(motion).valid
    assert not VALIDATOR.check_physics_consistency(style.physics(motion, 30.0)).valid
    assert not VALIDATOR.check_skeleton_consistency(np.zeros((0, 20))).valid


@given(st.floats(1.0, 50.0), st.integers(1, 38), st.sampled_from([15.0, 30.0, 120.0]))
@settings(max_examples=30, deadline=None)
def test_teleports_are_rejected(distance: float, frame: int, fps: float) -> None:
    motion = rigid(speed=0.0)
    motion[frame:, 0::2] += distance
    assert not VALIDATOR.check_physics_consistency(style.physics(motion, fps)).valid


def test_limits_are_per_second_whatever_the_frame_rate() -> None:
    for fps in (15.0, 30.0, 120.0):
        t = np.arange(int(3 * fps)) / fps
        for speed, valid in ((19.0, True), (21.0, False)):
            physics = np.zeros((len(t), 6))
            physics[:, 0] = speed
            assert VALIDATOR.check_physics_consistency(physics).valid is valid
    still = np.zeros((10, 2, 6))
    still[4, 1, 3] = -101.0
    assert "acceleration" in VALIDATOR.check_physics_consistency(still).reason
    assert DataValidator("moon").max_velocity == 30.0
    assert not DataValidator("underwater").check_physics_consistency(still * 0.5).valid


def test_a_motion_that_starts_while_it_moves_is_no_impact() -> None:
    running = rigid(speed=8.0)
    physics = style.physics(running, 60.0)
    assert np.linalg.norm(physics[1, 2:4]) > 400 and VALIDATOR.check_physics_consistency(physics).valid
    both = np.stack([physics, physics], axis=1)
    assert VALIDATOR.check_physics_consistency(both).valid
    both[0, 1, 0] = 0.1  # this one has a velocity in its first frame, so the change is real
    assert not VALIDATOR.check_physics_consistency(both).valid
    assert VALIDATOR.check_physics_consistency(physics[:1]).valid


def test_limbs_keep_their_length_within_15_percent() -> None:
    for factor, valid in ((1.1, True), (1.3, False)):
        motion = rigid(segments=5)
        motion[10, 2:4] = motion[10, :2] + factor * (motion[10, 2:4] - motion[10, :2])
        assert VALIDATOR.check_skeleton_consistency(motion).valid is valid
    absent = np.stack([rigid(segments=5), np.zeros((40, 20))], axis=1)
    assert VALIDATOR.check_skeleton_consistency(absent).valid


def test_projected_limbs_may_look_shorter_but_never_longer() -> None:
    motion = rigid(segments=5)
    motion[5, 2:4] = motion[5, :2]  # points at the viewer
    assert not VALIDATOR.check_skeleton_consistency(motion).valid
    assert VALIDATOR.check_skeleton_consistency(motion, [0.4] * 5).valid
    verdict = VALIDATOR.check_skeleton_consistency(motion, [0.4, 0.4, 0.3, 0.4, 0.4])
    assert not verdict.valid and "Segment 2 of actor 0" in verdict.reason
    assert not VALIDATOR.check_skeleton_consistency(motion, [0.4]).valid


def bent(degrees: float, frames: int = 20) -> np.ndarray:
    """All elbows and knees bent to an inner angle."""
    motion = np.zeros((frames, 12, 4))
    angle = np.radians(degrees)
    for upper, lower in ((3, 4), (5, 6), (7, 8), (9, 10)):
        motion[:, upper] = [0, 1, 0, 0]
        motion[:, lower] = [0, 0, np.sin(angle), np.cos(angle)]
    return motion.reshape(frames, 48)


@pytest.mark.parametrize("degrees", [2, 30, 90, 175])
def test_angles(degrees: float) -> None:
    motion = bent(degrees)
    np.testing.assert_allclose(np.degrees(joint_angles(motion)), degrees, atol=1e-6)
    assert VALIDATOR.check_joint_angles(motion).valid is (degrees > 5)
    assert VALIDATOR.check_joint_angles(np.stack([motion, motion], axis=1)).valid  # one actor only
    part = bent(90)
    part[0] = bent(1)[0]
    assert VALIDATOR.check_joint_angles(part).score == pytest.approx(1 - 0.05 / 0.5)
    seen_from_the_front = [1.0] * 4 + [3.0] + [1.0] * 7  # the left forearm points at the viewer
    folded = VALIDATOR.check_joint_angles(bent(2), seen_from_the_front)
    assert not folded.valid and VALIDATOR.check_joint_angles(bent(2), [3.0] * 12).valid


def test_actors_inside_each_other() -> None:
    motion = rigid(segments=5)
    assert not VALIDATOR.check_interaction_consistency(np.stack([motion, motion], axis=1)).valid
    assert VALIDATOR.check_interaction_consistency(np.stack([motion, motion + 1.0], axis=1)).valid
    assert VALIDATOR.check_interaction_consistency(motion).valid


@pytest.mark.parametrize(
    ("metadata", "valid"),
    [
        (None, True), ({}, True), ({"motion_style": None}, True), ({"motion_style": {"tempo": 0.3}}, True),
        ({"motion_style": {"tempo": 1.3}}, False), ({"quality": {"marker_quality": -0.1}}, False),
        ({"temporal": {"original_fps": 500}}, False), ({"temporal": {"original_num_frames": 0}}, False),
        ({"temporal": {"original_duration_sec": -1.0}}, False), ({"temporal": {"original_fps": 240}}, True),
    ],
)  # fmt: skip
def test_metadata_ranges(metadata: dict[str, Any] | None, valid: bool) -> None:
    assert VALIDATOR.check_metadata(metadata).valid is valid


# ------------------------------------------------------------------------- the formulas of the numbers


def swinging(hz: float, fps: float, seconds: float = 6.0, size: float = 0.3) -> np.ndarray:
    """Figures whose speed has one peak ``hz`` times a second."""
    t = np.arange(int(seconds * fps)) / fps
    pulse = np.exp(8 * (np.cos(2 * np.pi * hz * t) - 1)) * np.sign(np.sin(np.pi * hz * t) + 1e-9)
    motion = np.tile(np.cumsum(pulse)[:, None] * size / fps, (1, 48))
    motion[:, 1::2] = 0.0
    return motion


@pytest.mark.parametrize(("hz", "expected"), [(1.0, 0.2), (1.5, 0.4), (2.0, 0.6)])
@pytest.mark.parametrize("fps", [30.0, 60.0])
def test_tempo_is_the_rate_of_the_strongest_rhythm(hz: float, expected: float, fps: float) -> None:
    assert style.tempo(swinging(hz, fps), fps) == pytest.approx(expected, abs=0.05)


def test_the_formulas_against_plain_loops() -> None:
    rng = np.random.default_rng(0)
    motion, fps = np.cumsum(rng.normal(size=(50, 48)), axis=0) * 0.003, 30.0

    def mean_norm(order: int) -> float:
        values = motion
        for _ in range(order):
            values = np.array([b - a for a, b in pairwise(values)])
        return float(np.mean([np.sqrt((row**2).sum()) for row in values]))

    energy = (0.1 * mean_norm(1) * fps + 0.01 * mean_norm(2) * fps**2) / 2
    assert style.energy_level(motion, fps) == pytest.approx(min(energy, 1.0))
    assert style.smoothness(motion, fps) == pytest.approx(1 - min(mean_norm(3) * fps**3 / 1e6, 1))
    second = motion[2:] - 2 * motion[1:-1] + motion[:-2]
    variance = ((second - second.mean()) ** 2).sum() / (second.size - 1)
    assert style.marker_quality(motion, fps) == pytest.approx(1 - variance * fps**2 / 100)

    speed = [np.linalg.norm(b - a) for a, b in pairwise(motion)]
    centred = np.array(speed) - np.mean(speed)
    lag = max(range(3, 49), key=lambda k: float((centred[k:] * centred[:-k]).sum()))
    assert style.tempo(motion, fps) == pytest.approx(min(max((fps / lag - 0.5) / 2.5, 0), 1))

    physics = style.physics(motion, fps)
    middle = motion.reshape(50, 24, 2).mean(1)
    assert not physics[0].any()
    np.testing.assert_allclose(physics[7, :2], (middle[7] - middle[6]) * fps)
    np.testing.assert_allclose(physics[1, 2:4], physics[1, :2] * fps)
    np.testing.assert_allclose(physics[7, 2:4], (physics[7, :2] - physics[6, :2]) * fps)
    np.testing.assert_array_equal(physics[:, 4:], physics[:, :2])
    assert not style.physics(motion[:2], fps)[:, 2:4].any()


def test_two_actors_touch_and_lead() -> None:
    t = np.arange(60)[:, None] / 30
    still = np.tile(rigid(1), (60, 1))
    passing = still.copy()
    passing[:, 0::2] += 2.0 * np.abs(t - 1.0) ** 2
    both = np.stack([passing, still], axis=1)
    gap = 2.0 * np.abs(t[:, 0] - 1.0) ** 2
    expected = [int(i) for i in np.flatnonzero(np.sqrt(2) * gap < 0.5)]
    found = style.interaction(both)
    assert found is not None and found.contact_frames == expected
    assert found.interaction_role == "leader" and style.role(both[:, ::-1]) == "follower"
    assert style.role(np.stack([passing, passing], axis=1)) == "symmetric"
    assert style.interaction(still) is None


def test_the_camera_follows_and_widens() -> None:
    motion = rigid(120)
    film = style.camera(motion)
    assert film.shape == (120, 3) and (film[:, 2] >= 0.5).all() and (film[:, 2] <= 2).all()
    np.testing.assert_allclose(film[60, :2], style.centre(motion)[60], atol=0.05)
    assert style.camera(np.zeros((5, 2, 48)))[0, 2] == 2.0
