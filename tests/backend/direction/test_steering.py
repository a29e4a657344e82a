"""Ways that are bent to be at places at frames."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.direction import paths
from understudy.backend.direction.steering import Anchor, spread, steer
from understudy.backend.direction.stride import floor_places, headings, on_course
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.contacts import velocities
from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.skeleton import INDEX

from .conftest import walking

PLACE = st.tuples(st.floats(-3, 3), st.floats(-3, 3))
TIMES = st.lists(st.integers(15, 149), min_size=1, max_size=4, unique=True)


@st.composite
def anchors(draw: st.DrawFn) -> list[Anchor]:
    """Places that somebody who walks may come to, one after the other, some with a direction."""
    found, place, before = [], np.zeros(2), 0
    for frame in sorted(draw(TIMES)):
        angle = draw(st.floats(-np.pi, np.pi))
        speed = draw(st.floats(0.1, 2.0))
        place = place + speed * (frame - before) / 30 * np.array([np.sin(angle), np.cos(angle)])
        facing = draw(st.none() | st.floats(-np.pi, np.pi))
        found.append(Anchor(frame, place, facing))
        before = frame
    return found


@given(anchors())
def test_every_place_and_direction_is_met(marks: list[Anchor]) -> None:
    clip = walking()
    course = steer(floor_places(clip), headings(clip), clip.fps, marks)
    moved = on_course(clip, course)
    for mark in marks:
        assert np.linalg.norm(floor_places(moved)[mark.frame] - mark.place) < 1e-6
        if mark.facing is not None:
            missing = headings(moved)[mark.frame] - mark.facing
            assert abs(np.sin(missing / 2)) < 1e-6
    assert np.isfinite(moved.poses).all()


@given(anchors())
def test_the_way_has_no_jump(marks: list[Anchor]) -> None:
    clip = walking()
    # Places a tenth of a second apart may need any speed; these are apart.
    marks = [mark for i, mark in enumerate(marks) if i == 0 or mark.frame - marks[i - 1].frame > 20]
    course = steer(floor_places(clip), headings(clip), clip.fps, marks)
    speed = np.linalg.norm(np.diff(course.places, axis=0), axis=1) * clip.fps
    assert speed.max() < 14.0
    assert np.abs(np.diff(course.turns, n=2)).max() < 0.2


def test_what_is_held_stays_and_the_rest_goes_on_from_there() -> None:
    clip = walking()
    held, mark = 40, Anchor(130, np.array([2.0, 3.0]))
    course = steer(floor_places(clip), headings(clip), clip.fps, [mark], held=held)
    assert (
        np.abs(
            course.places[held] - course.places[held - 1] - np.diff(floor_places(clip), axis=0)[held - 1]
        ).max()
        < 0.01
    )
    assert abs(course.turns[held]) < 1e-3
    assert abs(course.turns[held + 1] - course.turns[held]) < 1e-2
    assert np.linalg.norm(course.places[130] - mark.place) < 1e-6


def test_a_motion_that_is_where_it_shall_be_is_left_alone() -> None:
    clip = walking()
    marks = [Anchor(frame, floor_places(clip)[frame]) for frame in (50, 100)]
    course = steer(floor_places(clip), headings(clip), clip.fps, marks)
    assert np.abs(course.places - floor_places(clip)).max() < 1e-3
    assert course.glide < 1e-3


def test_somebody_who_stands_glides_and_it_is_said() -> None:
    standing = walking(speed=0.0)
    marks = [Anchor(0, np.zeros(2)), Anchor(120, np.array([0.0, 2.0]))]
    course = steer(floor_places(standing) * 0, headings(standing), 30.0, marks)
    assert np.linalg.norm(course.places[120] - course.places[0]) > 1.99
    assert course.glide > 1.9


def slip(clip: Clip) -> float:
    """Metres a second that the slower foot moves over the floor, in the mean."""
    joints, _ = forward_kinematics(clip.poses[:, :22], clip.trans)
    feet = joints[:, [INDEX["left_ankle"], INDEX["right_ankle"]]][..., [0, 2]]
    return float(np.linalg.norm(velocities(feet, clip.fps), axis=-1).min(axis=1)[10:-10].mean())


def test_steps_get_longer_and_shorter_with_the_way() -> None:
    clip = walking()
    assert slip(clip) < 0.04
    for factor in (0.5, 0.8, 1.3):
        goal = Anchor(149, floor_places(clip)[149] * factor)
        course = steer(floor_places(clip), headings(clip), clip.fps, [goal])
        moved = on_course(clip, course)
        glided = moved.replace(poses=clip.poses)
        # What is left is the sway, whose speed is no way.
        assert slip(moved) < 0.5 * slip(glided), "feet slide less than without other steps"


def test_feet_stand_on_a_way_to_the_side() -> None:
    clip = walking(speed=0.6)
    line = paths.drawn([[0, 0], [3, 0]])
    kept = on_course(clip, paths.follow(floor_places(clip), headings(clip), clip.fps, line, turn=False))
    assert floor_places(kept)[-1, 0] > 2.5
    assert slip(kept) < 0.1


@given(st.lists(st.tuples(st.integers(0, 99), PLACE), min_size=1, max_size=5, unique_by=lambda x: x[0]))
def test_what_is_missing_is_given_at_each_frame_and_softly(
    missing: list[tuple[int, tuple[float, float]]],
) -> None:
    order = [(frame, np.array(gap)) for frame, gap in sorted(missing)]
    curve = spread(order, np.full(99, 1.0), None, 100)
    for frame, gap in order:
        assert np.allclose(curve[frame], gap)
        if 0 < frame < 99:
            wide = all(abs(frame - other) > 8 for other, _ in order if other != frame)
            assert not wide or np.abs(np.diff(curve, axis=0)[frame - 1 : frame + 1]).max() < 0.2
    lowest, highest = np.min([g for _, g in order], axis=0), np.max([g for _, g in order], axis=0)
    assert (curve >= lowest - 1e-9).all() and (curve <= highest + 1e-9).all()
