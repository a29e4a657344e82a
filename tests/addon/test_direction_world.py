"""Axes, scale and time: whatever stands where in Blender comes back as the same place, way and moment."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mathutils import Euler, Matrix, Vector

from understudy.addon.body.builtin import _armature
from understudy.addon.direction import gather
from understudy.addon.direction.marks import mark
from understudy.addon.direction.world import ClipWorld
from understudy.addon.keying.keying import key_clip
from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.skeleton import J0

metres = st.floats(-20, 20)
angles = st.floats(-3.1, 3.1)
scales = st.floats(0.01, 100.0)
rates = st.sampled_from([(24, 1.0), (25, 1.0), (30, 1.0), (60, 1.0), (24, 1.001), (30, 1.001)])
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def body() -> bpy.types.Object:
    armature = _armature(bpy.context, "Understudy")
    bpy.context.scene.understudy.body = armature
    return armature


def stand(body: bpy.types.Object, place: tuple[float, ...], turn: float, scale: float) -> None:
    """Move, turn and scale the object, as animators do; the scene's unit may be anything."""
    body.matrix_world = (
        Matrix.Translation(place) @ Euler((0, 0, turn)).to_matrix().to_4x4() @ Matrix.Scale(scale, 4)
    )
    bpy.context.view_layer.update()


def asked(thing: Any, kind: str, body: bpy.types.Object, start: int = 1, **values: Any) -> dict[str, Any]:
    scene = bpy.context.scene
    try:
        mark(scene, thing, kind, body, **values)
        world = ClipWorld.of(body, scene, start)
        return gather.gather(bpy.context, body, world, None)[0]
    finally:
        bpy.data.objects.remove(thing)


def empty(place: Any, turn: float = 0.0) -> bpy.types.Object:
    thing = bpy.data.objects.new("spot", None)
    bpy.context.scene.collection.objects.link(thing)
    thing.location, thing.rotation_euler.z = place, turn
    return thing


@quick
@given(st.tuples(metres, metres, metres), angles, scales, st.tuples(metres, st.floats(0, 2), metres), angles)
def test_a_spot_of_the_clip_comes_back_from_blender(
    body: bpy.types.Object,
    place: tuple[float, ...],
    turn: float,
    scale: float,
    spot: tuple[float, ...],
    facing: float,
) -> None:
    """An empty is put where the keyed body's pelvis is, turned as it: it asks for just that."""
    stand(body, place, turn, scale)
    poses = np.zeros((1, 55, 3))
    poses[0, 0, 1] = facing
    key_clip(body, Clip(poses, np.array([spot]), 30.0), name="x", start_frame=1, scene_fps=30)
    bpy.context.scene.frame_set(1)
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    pelvis = evaluated.matrix_world @ evaluated.pose.bones["pelvis"].matrix
    # At rest the pelvis bone's +Z looks where the body looks.
    ahead = pelvis.to_3x3() @ Vector((0, 0, 1))
    turned = math.atan2(ahead.x, -ahead.y)
    found = asked(empty(pelvis.translation, turned), "WAYPOINT", body, frame=20)["waypoints"][0]
    assert found["position"] == pytest.approx([spot[0], spot[2]], abs=1e-2 / min(scale, 1.0) * 0.05 + 2e-3)
    assert abs(rotations.wrap_angle(np.array(found["facing"] - facing))) < 2e-3
    pinned = asked(empty(pelvis.translation), "PIN", body, frame=1, frame_end=5, joint="left_wrist")
    expected = np.array(spot) + J0
    assert pinned["pins"][0]["position"] == pytest.approx(expected, abs=1e-2 / min(scale, 1.0) * 0.05 + 2e-3)


@quick
@given(st.sampled_from([1.0, 0.01, 0.3048, 1000.0]), st.tuples(metres, metres, metres))
def test_the_scenes_units_do_not_matter(
    body: bpy.types.Object, unit: float, place: tuple[float, ...]
) -> None:
    """A body is as large as it looks, whatever Blender calls a metre."""
    stand(body, (1, 2, 0), 0.5, 1.0)
    before = asked(empty(place), "WAYPOINT", body, frame=10)
    bpy.context.scene.unit_settings.scale_length = unit
    assert asked(empty(place), "WAYPOINT", body, frame=10) == before


@quick
@given(rates, st.integers(-100, 1000), st.integers(0, 500))
def test_frames_and_seconds_are_each_others_inverse(
    body: bpy.types.Object, rate: tuple[int, float], start: int, later: int
) -> None:
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = rate
    world = ClipWorld.of(body, scene, start)
    seconds = world.seconds(start + later)
    assert seconds == pytest.approx(later * rate[1] / rate[0])
    assert world.frame(seconds) == pytest.approx(start + later)
    found = asked(empty((0, 0, 0)), "WAYPOINT", body, start, frame=start + later)["waypoints"][0]
    assert found["time"] == pytest.approx(seconds, abs=1e-4)


@quick
@given(st.tuples(metres, metres, metres), angles, st.floats(0.1, 10), angles, st.floats(0.5, 8))
def test_a_path_keeps_its_length_and_shape(
    body: bpy.types.Object,
    place: tuple[float, ...],
    turn: float,
    scale: float,
    curve_turn: float,
    length: float,
) -> None:
    """An L of two equal legs stays one, however body and curve are turned; its metres are the body's."""
    stand(body, place, turn, scale)
    data = bpy.data.curves.new("way", "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new("POLY")
    spline.points.add(2)
    for point, co in zip(spline.points, ((0, 0, 0), (0, -length, 0), (length, -length, 0)), strict=True):
        point.co = (*co, 1.0)
    thing = bpy.data.objects.new("way", data)
    thing.location, thing.rotation_euler.z = place, curve_turn
    bpy.context.scene.collection.objects.link(thing)
    points = np.array(asked(thing, "PATH", body)["path"]["points"])
    bpy.data.curves.remove(data)
    expected = length / scale
    assert points[0] == pytest.approx([0, 0], abs=1e-3)
    assert np.linalg.norm(points[-1]) == pytest.approx(math.sqrt(2) * expected, rel=1e-3, abs=1e-3)
    walked = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
    assert walked == pytest.approx(2 * expected, rel=0.02, abs=0.05)
    # Seen from above, turning left in Blender is turning left in the clip: +X is the left of +Z.
    first = math.atan2(*points[len(points) // 4])
    assert abs(rotations.wrap_angle(np.array(first - (curve_turn - turn)))) < 1e-2


@quick
@given(st.tuples(metres, metres, metres), angles, st.floats(0.2, 5), st.integers(0, 2**31))
def test_a_key_pose_of_any_body_anywhere_is_the_pose(
    body: bpy.types.Object, place: tuple[float, ...], turn: float, scale: float, seed: int
) -> None:
    stand(body, place, turn, scale)
    random = np.random.default_rng(seed)
    clip = Clip(random.normal(0, 0.5, (1, 55, 3)), random.normal(0, 1, (1, 3)), 30.0)
    key_clip(body, clip, name="x", start_frame=1, scene_fps=30)
    bpy.context.scene.frame_set(1)
    bpy.context.view_layer.update()
    bpy.ops.understudy.mark_add(kind="POSE")
    state = bpy.context.scene.understudy_direction
    thing = state.collection.objects[state.active]
    found = asked(thing, "POSE", body, frame=1)["poses"][0]
    wanted, given_ = (rotations.axis_angle_to_matrix(np.array(p)) for p in (clip.poses[0], found["pose"]))
    assert np.abs(wanted - given_).max() < 2e-3
    assert found["trans"] == pytest.approx(clip.trans[0], abs=5e-3)
