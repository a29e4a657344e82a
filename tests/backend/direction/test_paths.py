"""Motions that go along a drawn path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.direction import paths
from understudy.backend.direction.stride import floor_places, headings, on_course

from .conftest import walking


@st.composite
def polylines(draw: st.DrawFn) -> list[list[float]]:
    """Paths of a few metres whose corners are at most right angles."""
    angle, place = (
        draw(st.floats(-np.pi, np.pi)),
        np.array(draw(st.tuples(st.floats(-2, 2), st.floats(-2, 2)))),
    )
    points = [place]
    for _ in range(draw(st.integers(1, 4))):
        place = place + draw(st.floats(1.0, 3.0)) * np.array([np.sin(angle), np.cos(angle)])
        points.append(place)
        angle += draw(st.floats(-np.pi / 2, np.pi / 2))
    return [list(map(float, point)) for point in points]


@given(polylines())
def test_a_path_keeps_its_ends_and_rounds_its_corners(points: list[list[float]]) -> None:
    line = paths.drawn(points)
    assert np.allclose(line.points[0], points[0], atol=1e-6)
    assert np.allclose(line.points[-1], points[-1], atol=1e-6)
    assert paths.distances_to(np.asarray(points), line.points).max() < 0.35
    turn = np.abs(np.diff(line.directions)) / (line.length / (len(line.points) - 1))
    assert turn.max() < 9.0, "radians a metre: no corner is sharper than an eleven centimetre bend"


@given(polylines())
def test_the_way_is_on_the_path_and_as_long_as_before(points: list[list[float]]) -> None:
    clip = walking()
    line = paths.drawn(points)
    course = paths.follow(floor_places(clip), headings(clip), clip.fps, line)
    own = np.linalg.norm(np.diff(paths.without_sway(floor_places(clip), clip.fps), axis=0), axis=1)
    walked = np.concatenate([[0.0], np.cumsum(own)])
    assert np.linalg.norm(course.places - course.sway - line.at(walked), axis=1).max() < 0.01
    assert np.linalg.norm(course.sway, axis=1).max() < 0.05


@given(polylines())
def test_the_body_turns_with_the_path(points: list[list[float]]) -> None:
    clip = walking()
    line = paths.drawn(points)
    course = paths.follow(floor_places(clip), headings(clip), clip.fps, line)
    moved = on_course(clip, course)
    along = line.direction(np.arange(len(clip)) / clip.fps * 1.2)
    assert np.abs(np.degrees(headings(moved) - along) % 360 - 180).min() > 180 - 40
    kept = on_course(clip, paths.follow(floor_places(clip), headings(clip), clip.fps, line, turn=False))
    assert np.allclose(headings(kept), headings(clip), atol=1e-6)


@given(polylines(), st.floats(0.6, 1.6))
def test_times_decide_where_there_are_any(points: list[list[float]], pace: float) -> None:
    clip = walking()
    line = paths.drawn(points)
    seconds = min(line.length / (1.2 * pace), 4.5)
    times = np.array([[0.0, 0.0], [seconds, line.length]])
    course = paths.follow(floor_places(clip), headings(clip), clip.fps, line, times=times)
    frame = round(seconds * clip.fps)
    assert np.linalg.norm(course.places[frame] - line.points[-1]) < 0.06


def test_a_circle_keeps_its_radius() -> None:
    angle = np.linspace(0, 2 * np.pi, 60)
    line = paths.drawn(np.stack([np.cos(angle), np.sin(angle)], axis=1).tolist())
    radius = np.linalg.norm(line.points, axis=1)[20:-20]
    assert np.abs(radius - 1.0).max() < 0.01


def test_standing_is_no_way() -> None:
    clip = walking(speed=0.0)
    line = paths.drawn([[0, 0], [0, 3]])
    course = paths.follow(floor_places(clip), headings(clip), clip.fps, line)
    assert np.linalg.norm(course.places - course.places[0], axis=1).max() < 0.1


def test_a_path_in_one_place_is_none() -> None:
    with pytest.raises(ValueError, match="one place"):
        paths.drawn([[1, 1], [1, 1]])
