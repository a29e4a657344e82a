"""Re-use Settings of a take brings its direction back: what counted, where it was, and what is gone by name."""

from __future__ import annotations

import json
from typing import Any

import bpy
import numpy as np
import pytest

from .test_direction import Fake, add, body, direction, generate, marks  # noqa: F401  # body is a fixture


def reuse(capfd: pytest.CaptureFixture[str]) -> str:
    capfd.readouterr()
    assert bpy.ops.understudy.reuse_take() == {"FINISHED"}
    return capfd.readouterr().out


def test_marks_come_back_as_they_were(body: Any, capfd: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    way = add("PATH", (1, -3, 0))
    pin = add("PIN", (0.3, -1, 1), frame=20, joint="left_wrist")
    key = add("POSE", frame=40)
    direction().loop = False
    pin.understudy_mark.frame_end = 33
    before = generate()["constraints"]

    pin.location, pin.understudy_mark.frame_end, pin.understudy_mark.use = (5, 5, 5), 99, False
    way.data.splines[0].bezier_points[1].co = (4, 4, 0)
    key.pose.bones["left_elbow"].rotation_mode = "QUATERNION"
    key.pose.bones["left_elbow"].rotation_quaternion = (0.7, 0.7, 0, 0)
    later = add("WAYPOINT", (1, 1, 0), frame=10)
    direction().mode = "CONTINUE"
    assert "any more" not in reuse(capfd)
    assert direction().mode == "NEW" and not later.understudy_mark.use
    assert (pin.understudy_mark.use, pin.understudy_mark.frame_end) == (True, 33)
    after = generate()["constraints"]
    assert sorted(after) == sorted(before) == ["path", "pins", "poses"]
    assert np.allclose(after["path"]["points"], before["path"]["points"], atol=1e-4)
    assert np.allclose(after["pins"][0]["position"], before["pins"][0]["position"], atol=1e-5)
    assert np.allclose(after["poses"][0]["pose"], before["poses"][0]["pose"], atol=1e-5)


def test_what_was_deleted_is_named_and_the_rest_comes_back(
    body: Any,  # noqa: F811
    capfd: pytest.CaptureFixture[str],
) -> None:
    first, second = add("WAYPOINT", (0, -1, 0), frame=20), add("WAYPOINT", (1, -2, 0), frame=50)
    first.name = "Kitchen door"
    generate()
    bpy.data.objects.remove(first)
    second.understudy_mark.use = False
    assert "Kitchen door" in reuse(capfd)
    assert [thing.name for thing in marks() if thing.understudy_mark.use] == [second.name]


def test_a_mark_that_was_taken_away_becomes_one_again(body: Any) -> None:  # noqa: F811
    empty = bpy.data.objects.new("Table", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.location = (0, -1, 0)
    from understudy.addon.direction.marks import drop, mark

    mark(bpy.context.scene, empty, "WAYPOINT", body, frame=25)
    generate()
    drop(bpy.context.scene, empty)
    assert not marks()
    bpy.ops.understudy.reuse_take()
    assert [thing.name for thing in marks()] == ["Table"] and empty.understudy_mark.frame == 25


def test_a_take_without_direction_switches_it_off_and_an_old_one_leaves_it(body: Any) -> None:  # noqa: F811
    direction().use = False
    generate()
    direction().use = True
    bpy.ops.understudy.reuse_take()
    assert not direction().use
    direction().use = True
    take = bpy.context.scene.understudy_takes.items[0]
    values = json.loads(take.settings)
    del values["direction"]
    take.settings = json.dumps(values)
    bpy.ops.understudy.reuse_take()
    assert direction().use


def test_keyed_marks_keep_their_keys(body: Any) -> None:  # noqa: F811
    point = add("WAYPOINT", (0, -1, 0), frame=20)
    point.keyframe_insert("location", frame=20)
    generate()
    point.location = (3, 3, 0)
    point.keyframe_insert("location", frame=20)
    bpy.ops.understudy.reuse_take()
    assert tuple(point.location) == (3, 3, 0)
