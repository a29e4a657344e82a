"""Direction: what objects in the scene ask of the next motion, in the clip's world and seconds."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from understudy.addon.body.bodymap import find_body
from understudy.addon.body.builtin import _armature
from understudy.addon.direction import gather, panel
from understudy.addon.direction.marks import is_mark
from understudy.addon.direction.operators import chosen
from understudy.addon.direction.world import ClipWorld
from understudy.addon.keying.actions import channels_of
from understudy.addon.keying.keying import clip_from_action, key_clip
from understudy.addon.perform import orders
from understudy.addon.process.client import backend
from understudy.backend.motion.clip import Clip

Fake = Callable[[str], None]


@pytest.fixture
def body(fake: Fake) -> bpy.types.Object:
    armature = _armature(bpy.context, "Understudy")
    bpy.context.scene.understudy.body = armature
    bpy.context.scene.render.fps = 30
    return armature


def direction() -> Any:
    return bpy.context.scene.understudy_direction


def marks() -> list[bpy.types.Object]:
    found = direction().collection.objects if direction().collection else ()
    return [thing for thing in found if is_mark(thing)]


def generate(prompt: str = "a person walks", **given: Any) -> dict[str, Any]:
    assert bpy.ops.understudy.generate(prompt=prompt, **given) == {"FINISHED"}
    assert backend.job is not None
    return backend.job.params


def add(kind: str, at: tuple[float, float, float] = (0, 0, 0), frame: int = 1, **given: Any) -> Any:
    bpy.context.scene.cursor.location = at
    bpy.context.scene.frame_set(frame)
    assert bpy.ops.understudy.mark_add(kind=kind, **given) == {"FINISHED"}
    bpy.context.scene.frame_set(1)
    return direction().collection.objects[direction().active]


def curve(points: list[tuple[float, float, float]], kind: str = "POLY") -> bpy.types.Object:
    data = bpy.data.curves.new("way", "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new(kind)
    spline.points.add(len(points) - 1)
    for point, co in zip(spline.points, points, strict=True):
        point.co = (*co, 1.0)
    thing = bpy.data.objects.new("way", data)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def select(*things: bpy.types.Object) -> None:
    bpy.context.view_layer.update()
    for other in bpy.context.view_layer.objects:
        other.select_set(other in things)


# -- marks are ordinary objects ---------------------------------------------------------------------


def test_each_kind_comes_with_one_click(body: bpy.types.Object) -> None:
    add("PATH", (2, -3, 0))
    add("WAYPOINT", (1, -2, 0), frame=24)
    add("PIN", (0.5, 0, 1), frame=10, joint="left_wrist")
    add("POSE", frame=40)
    assert {t.name for t in marks()} == {"Path", "Waypoint", "Left Hand", "Key Pose"}
    assert [c.name for c in bpy.context.scene.collection.children] == ["Direction"]
    assert {t.type for t in marks()} == {"CURVE", "EMPTY", "ARMATURE"}
    assert find_body(bpy.context) == body
    bpy.context.scene.understudy.body = None
    bpy.context.view_layer.objects.active = bpy.data.objects["Key Pose"]
    assert find_body(bpy.context) == body, "a key pose is an armature, and no performer"
    assert "UNDO" in bpy.types.UNDERSTUDY_OT_mark_add.bl_options


def test_a_row_removes_its_own_mark(body: bpy.types.Object) -> None:
    """Peers' bug: the X of a row removed the active row instead of its own."""
    add("WAYPOINT", frame=10)
    add("WAYPOINT", frame=20)
    add("PATH")
    direction().active = [t.name for t in marks()].index("Path")
    assert bpy.ops.understudy.mark_remove(name="Waypoint") == {"FINISHED"}
    assert {t.name for t in marks()} == {"Waypoint.001", "Path"}
    assert "Waypoint" not in bpy.data.objects
    bpy.ops.understudy.mark_remove(name="Path")
    assert not bpy.data.curves, "nothing is left over"


def test_what_is_used_elsewhere_only_ceases_to_be_a_mark(body: bpy.types.Object) -> None:
    way = curve([(0, 0, 0), (0, -2, 0)])
    select(way)
    bpy.ops.understudy.mark_selected()
    assert marks() == [way] and bpy.context.scene.collection.objects.get("way") == way
    bpy.ops.understudy.mark_remove()
    assert not marks() and bpy.context.scene.collection.objects.get("way") == way
    assert "constraints" not in generate(seconds=1.0)


def test_a_mark_deleted_in_the_view_is_gone_from_the_list(body: bpy.types.Object) -> None:
    waypoint = add("WAYPOINT", frame=20)
    bpy.data.objects.remove(waypoint)
    assert chosen(bpy.context.scene) is None
    assert "constraints" not in generate(seconds=1.0)


def test_marks_survive_saving_and_renaming(body: bpy.types.Object, tmp_path: Path) -> None:
    add("WAYPOINT", (1, -2, 0), frame=24).name = "Door"
    direction().collection.name = "Blocking"
    add("POSE", frame=10)
    path = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    asked = generate()["constraints"]
    assert len(asked["waypoints"]) == 1 and len(asked["poses"]) == 1


def test_marks_in_a_collection_that_is_switched_off(body: bpy.types.Object) -> None:
    add("WAYPOINT", frame=10)
    layer = bpy.context.view_layer.layer_collection.children["Direction"]
    layer.exclude = True
    for kind in ("PATH", "POSE"):
        assert bpy.ops.understudy.mark_add(kind=kind) == {"FINISHED"}
    assert set(generate(seconds=1.0)["constraints"]) == {"path", "waypoints", "poses"}, "hidden, not off"


def test_marks_switched_off_do_not_count(body: bpy.types.Object) -> None:
    waypoint = add("WAYPOINT", (1, -2, 0), frame=24)
    waypoint.understudy_mark.use = False
    assert "constraints" not in generate(seconds=1.0)
    waypoint.understudy_mark.use = True
    direction().use = False
    assert "constraints" not in generate(seconds=1.0)


def test_marks_are_for_their_own_body(body: bpy.types.Object) -> None:
    add("WAYPOINT", (1, -2, 0), frame=24)
    other = _armature(bpy.context, "Other")
    bpy.context.scene.understudy.body = other
    assert "constraints" not in generate(seconds=1.0)
    marks()[0].understudy_mark.body = None
    assert "waypoints" in generate(seconds=1.0)["constraints"]


# -- places -----------------------------------------------------------------------------------------


def test_a_waypoint_is_where_and_when_and_which_way(body: bpy.types.Object) -> None:
    waypoint = add("WAYPOINT", (1, -2, 0), frame=25)
    asked = generate()
    assert asked["constraints"]["waypoints"] == [
        {"time": pytest.approx(0.8), "position": pytest.approx([1, 2]), "facing": pytest.approx(0, abs=1e-5)}
    ]
    assert asked["seconds"] == pytest.approx(0.8 + 1 / 30), "as long as the last mark needs"
    waypoint.rotation_euler.z += math.radians(90)  # turns towards +X in Blender, to the body's left
    assert generate()["constraints"]["waypoints"][0]["facing"] == pytest.approx(math.pi / 2, abs=1e-5)
    waypoint.understudy_mark.turn = False
    assert "facing" not in generate()["constraints"]["waypoints"][0]


def test_any_empty_faces_as_a_character_does(body: bpy.types.Object) -> None:
    empty = bpy.data.objects.new("spot", None)
    bpy.context.scene.collection.objects.link(empty)
    empty.location = (0, -1, 0)
    empty.rotation_euler.z = math.radians(-90)
    select(empty)
    bpy.context.scene.frame_set(31)
    bpy.ops.understudy.mark_selected(empties="WAYPOINT")
    bpy.context.scene.frame_set(1)
    assert generate()["constraints"]["waypoints"][0]["facing"] == pytest.approx(-math.pi / 2, abs=1e-5)


def test_a_moving_empty_counts_where_it_is_at_its_frame(body: bpy.types.Object) -> None:
    waypoint = add("WAYPOINT", (0, 0, 0), frame=31)
    for frame, y in ((1, 0.0), (31, -3.0)):
        waypoint.location.y = y
        waypoint.keyframe_insert("location", frame=frame)
    bpy.context.scene.frame_set(1)
    assert generate()["constraints"]["waypoints"][0]["position"] == pytest.approx([0, 3])
    assert bpy.context.scene.frame_current == 1


def test_pins_hold_hands_and_soles(body: bpy.types.Object) -> None:
    add("PIN", (0.4, -0.5, 1.2), frame=7, joint="left_wrist")
    foot = add("PIN", (0.1, -0.3, 0.0), frame=16, joint="right_ankle")
    foot.understudy_mark.frame_end = 22
    hand, sole = generate()["constraints"]["pins"]
    assert hand == {
        "joint": "left_wrist",
        "start": pytest.approx(0.2),
        "end": pytest.approx(1.2),
        "position": pytest.approx([0.4, 1.2, 0.5]),
    }
    assert (sole["start"], sole["end"]) == (pytest.approx(0.5), pytest.approx(0.7))
    assert sole["position"] == pytest.approx([0.1, gather.ANKLE_HEIGHT, 0.3], abs=1e-4)


@pytest.mark.parametrize("joint", ["left_wrist", "right_ankle"])
def test_a_joint_is_held_where_it_is(body: bpy.types.Object, joint: str) -> None:
    body.location, body.rotation_euler.z, body.scale = (3, 1, 0), 0.7, (1.2,) * 3
    bpy.context.view_layer.update()
    add("PIN", frame=5, joint=joint, on_body=True)
    pin = generate()["constraints"]["pins"][0]
    world = ClipWorld.of(body, bpy.context.scene, 1)
    head = body.matrix_world @ body.pose.bones[joint].head
    assert np.allclose(world.to_blender(np.array(pin["position"])), head, atol=1e-3)


# -- paths ------------------------------------------------------------------------------------------


def test_a_path_is_the_curve_in_the_bodys_world(body: bpy.types.Object) -> None:
    way = curve([(0, 0, 0), (0, -2, 0), (2, -2, 0)])
    way.scale = (2, 2, 2)
    select(way)
    bpy.ops.understudy.mark_selected()
    asked = generate(seconds=3.0)["constraints"]["path"]
    points = np.array(asked["points"])
    assert "times" not in asked and asked["facing"] == "along"
    assert points[0] == pytest.approx([0, 0]) and points[-1] == pytest.approx([4, 4])
    assert np.linalg.norm(np.diff(points, axis=0), axis=1).max() < 0.06
    assert np.abs(points - [0, 4]).sum(axis=1).min() < 0.06, "round the corner"


@pytest.mark.parametrize("kind", ["BEZIER", "NURBS", "POLY"])
def test_every_kind_of_curve_is_a_path(body: bpy.types.Object, kind: str) -> None:
    if kind == "BEZIER":
        bpy.context.scene.cursor.location = (0, -4, 0)
        bpy.ops.understudy.mark_add(kind="PATH")
    else:
        way = curve([(0, 0, 0), (0, -1, 0), (0, -2, 0), (0, -4, 0)], kind)
        way.data.splines[0].use_endpoint_u = True
        way.data.bevel_depth = 0.2  # a tube is still a way
        way.data.splines.new("POLY").points.add(1)
        select(way)
        bpy.ops.understudy.mark_selected()
    before = (len(bpy.data.curves), len(bpy.data.objects), len(bpy.data.meshes))
    points = np.array(generate(seconds=1.0)["constraints"]["path"]["points"])
    assert (len(bpy.data.curves), len(bpy.data.objects), len(bpy.data.meshes)) == before
    assert points[0] == pytest.approx([0, 0], abs=1e-4) and points[-1] == pytest.approx([0, 4], abs=1e-4)
    assert np.allclose(points[:, 0], 0, atol=1e-4) and (np.diff(points[:, 1]) > 0).all()


def test_a_closed_curve_comes_back(body: bpy.types.Object) -> None:
    way = curve([(0, 0, 0), (1, 0, 0), (1, -1, 0), (0, -1, 0)])
    way.data.splines[0].use_cyclic_u = True
    select(way)
    bpy.ops.understudy.mark_selected()
    points = np.array(generate(seconds=1.0)["constraints"]["path"]["points"])
    assert points[0] == pytest.approx(points[-1])
    assert np.linalg.norm(np.diff(points, axis=0), axis=1).sum() == pytest.approx(4.0, abs=0.05)


def test_the_curves_own_timing(body: bpy.types.Object) -> None:
    way = curve([(0, 0, 0), (0, -4, 0)])
    select(way)
    bpy.ops.understudy.mark_selected()
    way.understudy_mark.timing = "CURVE"
    with pytest.raises(RuntimeError, match="has no timing of its own"):
        generate()
    way.data.use_path, way.data.path_duration = True, 50
    for frame, value in ((1, 0.0), (31, 25.0), (91, 50.0)):
        way.data.eval_time = value
        way.data.keyframe_insert("eval_time", frame=frame)
    for key in channels_of(way.data.animation_data).fcurves[0].keyframe_points:
        key.interpolation = "LINEAR"
    asked = generate()
    path = asked["constraints"]["path"]
    assert asked["seconds"] == pytest.approx(3.0 + 1 / 30, abs=1e-4)
    assert path["times"][0] == 0 and path["times"][-1] == pytest.approx(3.0)
    assert np.interp([1.0, 2.0, 3.0], path["times"], np.array(path["points"])[:, 1]) == pytest.approx(
        [2, 3, 4]
    )
    assert (np.diff(path["times"]) > 0).all()


def test_a_path_without_length_and_two_paths_are_refused(body: bpy.types.Object) -> None:
    way = curve([(0, 0, 0)])
    select(way)
    bpy.ops.understudy.mark_selected()
    with pytest.raises(RuntimeError, match="“way” has no length"):
        generate()
    bpy.ops.understudy.mark_add(kind="PATH")
    bpy.data.objects.remove(way)
    bpy.ops.understudy.mark_add(kind="PATH")
    with pytest.raises(RuntimeError, match="Two paths"):
        generate()


# -- key poses --------------------------------------------------------------------------------------


def test_a_key_pose_is_the_pose_and_the_place(body: bpy.types.Object) -> None:
    clip = Clip(np.random.default_rng(1).normal(0, 0.4, (3, 55, 3)), np.array([[0.2, 1.2, 0.4]] * 3), 30.0)
    key_clip(body, clip, name="x", start_frame=1, scene_fps=30)
    bpy.context.scene.frame_set(2)
    bpy.ops.understudy.mark_add(kind="POSE")
    bpy.context.scene.frame_set(1)
    body.animation_data_clear()
    pose = generate()["constraints"]["poses"][0]
    assert np.allclose(pose["pose"], clip.poses[1], atol=2e-3)
    assert pose["trans"] == pytest.approx([0.2, 1.2, 0.4], abs=1e-4)
    assert pose["time"] == pytest.approx(1 / 30, abs=1e-4)
    thing = marks()[0]
    thing.location.y -= 1.0  # the animator moves it: further ahead
    thing.rotation_euler.z = math.radians(90)
    moved = generate()["constraints"]["poses"][0]
    assert moved["trans"] == pytest.approx([0.2, 1.2, 1.4], abs=1e-4), "turned about itself"
    assert moved["pose"][0] != pytest.approx(pose["pose"][0], abs=0.1)
    thing.pose.bones["head"].rotation_quaternion = (1, 0, 0, 0)  # and poses it
    assert generate()["constraints"]["poses"][0]["pose"][15] == pytest.approx([0, 0, 0], abs=1e-4)
    thing.understudy_mark.place = False
    assert "trans" not in generate()["constraints"]["poses"][0]


def test_a_key_pose_shows_the_bodys_mesh_and_takes_it_along() -> None:
    bpy.ops.understudy.add_body()
    body = bpy.context.scene.understudy.body
    body.location = (1, 2, 0)
    before = set(bpy.data.objects)
    thing = add("POSE", frame=5)
    assert thing.matrix_world.translation == body.matrix_world.translation
    (ghost,) = set(bpy.data.objects) - before - {thing}
    assert ghost.data == body.children[0].data and ghost.hide_render and ghost.hide_select
    assert ghost.modifiers[0].object == thing
    assert {slot.material.name for slot in ghost.material_slots} == {"Key Pose"}
    assert "Key Pose" not in {slot.material.name for slot in body.children[0].material_slots}
    bpy.ops.understudy.mark_remove(name=thing.name)
    assert set(bpy.data.objects) == before


def test_key_poses_at_start_and_end(body: bpy.types.Object) -> None:
    add("POSE", frame=17, when="START")
    add("POSE", frame=17, when="END")
    assert bpy.context.scene.understudy.use_seconds, "an end needs a length"
    bpy.context.scene.understudy.seconds = 4.0
    times = sorted(p["time"] for p in generate()["constraints"]["poses"])
    assert times == [0.0, pytest.approx(4 - 1 / 30, abs=1e-4)]
    bpy.context.scene.understudy.use_seconds = False
    with pytest.raises(RuntimeError, match="no fixed length"):
        generate()


def test_a_key_pose_can_be_stored_again_in_pose_mode(body: bpy.types.Object) -> None:
    thing = add("POSE", frame=10)
    bpy.context.view_layer.objects.active = body
    bpy.ops.object.mode_set(mode="POSE")
    body.pose.bones["head"].rotation_quaternion = (math.cos(0.3), math.sin(0.3), 0, 0)
    assert bpy.ops.understudy.mark_pose(name=thing.name) == {"FINISHED"}
    assert bpy.ops.understudy.mark_add(kind="POSE") == {"FINISHED"}
    assert bpy.context.mode == "POSE" and bpy.context.view_layer.objects.active == body
    bpy.ops.object.mode_set(mode="OBJECT")
    for pose in generate()["constraints"]["poses"]:
        assert pose["pose"][15] == pytest.approx([0.6, 0, 0], abs=1e-4)


# -- when -------------------------------------------------------------------------------------------


def test_a_mark_outside_the_motion_is_named(body: bpy.types.Object) -> None:
    """Peers' bug: constraints were dropped silently."""
    add("WAYPOINT", (1, -2, 0), frame=40)
    with pytest.raises(RuntimeError, match=r"“Waypoint” is at frame 40, after the motion ends \(frame 31\)"):
        generate(seconds=1.0)
    bpy.context.scene.frame_set(60)
    with pytest.raises(RuntimeError, match="before the motion starts"):
        generate()
    direction().use_start, direction().start = True, 20
    assert generate()["constraints"]["waypoints"][0]["time"] == pytest.approx(20 / 30, abs=1e-4)
    assert find_body(bpy.context).animation_data.action.frame_range[0] == 20


def test_warnings_speak_of_frames_and_hands() -> None:
    told = gather.in_frames(
        "The pin left_wrist at 5.10 s is missed by 210 cm: it is 263 cm from the left shoulder.", 11, 30.0
    )
    assert told == "The left hand at frame 164 is missed by 210 cm: it is 263 cm from the left shoulder."
    assert (
        gather.in_frames("The motion gets 3.0 m in its 10.0 s.", 1, 24.0)
        == "The motion gets 3.0 m in its 10.0 s."
    )


def test_a_mark_on_the_last_frame_is_in_the_clip(body: bpy.types.Object) -> None:
    add("WAYPOINT", (1, -2, 0), frame=31)
    assert generate(seconds=1.0)["constraints"]["waypoints"][0]["time"] == pytest.approx(1 - 1 / 30, abs=1e-4)


def test_the_script_is_directed_from_its_start(body: bpy.types.Object) -> None:
    script = bpy.context.scene.understudy_script
    for prompt in ("walks", "waves"):
        script.lines.add().prompt = prompt
    script.use, script.start = True, 11
    add("WAYPOINT", (1, -2, 0), frame=41)
    bpy.ops.understudy.generate()
    assert backend.job is not None
    asked = backend.job.params
    assert asked["constraints"]["waypoints"][0]["time"] == pytest.approx(1.0)
    assert "seconds" not in asked and len(asked["script"]) == 2


def test_a_loop_plays_on(body: bpy.types.Object) -> None:
    direction().loop = True
    generate(seconds=2.0)
    channels = channels_of(body.animation_data)
    assert channels is not None
    assert all(c.modifiers[0].type == "CYCLES" for c in channels.fcurves if len(c.keyframe_points) > 1)
    far = channels.fcurves.find('pose.bones["pelvis"].location', index=2)
    assert far.evaluate(61 + 30) - far.evaluate(1 + 30) == pytest.approx(2.0, abs=0.1), "it walks on"
    bpy.ops.understudy.reject_take()
    assert not bpy.data.actions


def test_loop_and_in_place(body: bpy.types.Object) -> None:
    assert not {"loop", "in_place"} & set(generate(seconds=1.0))
    direction().loop = direction().in_place = True
    asked = generate(seconds=1.0)
    assert asked["loop"] is True and asked["in_place"] is True
    add("WAYPOINT", (1, -2, 0), frame=24)
    bpy.context.scene.understudy.prompt = "a person walks"
    assert "without marks" in orders.why_not(bpy.context) and "without marks" in seen()
    with pytest.raises(RuntimeError, match="without marks"):
        bpy.ops.understudy.generate()
    direction().loop = False
    assert "stays on the spot" in orders.why_not(bpy.context)
    marks()[0].understudy_mark.use = False
    assert generate(seconds=1.0)["in_place"] is True
    direction().mode = "CONTINUE"
    assert "new motion" in orders.why_not(bpy.context).lower()


# -- what was there ---------------------------------------------------------------------------------


def by_hand(body: bpy.types.Object) -> bpy.types.Action:
    bone = body.pose.bones["pelvis"]
    for frame, z in ((1, 0.0), (31, 1.0), (61, 2.0), (91, 3.0)):
        bone.location = (0, 1.31, z)
        bone.keyframe_insert("location", frame=frame)
    body.animation_data.action.name = "by hand"
    return body.animation_data.action


def keys(body: bpy.types.Object) -> list[int]:
    channels = channels_of(body.animation_data)
    assert channels is not None
    curve = channels.fcurves.find('pose.bones["pelvis"].location', index=2)
    return [round(k.co[0]) for k in curve.keyframe_points]


def test_in_between_leaves_authored_keys_alone(body: bpy.types.Object) -> None:
    action = by_hand(body)
    bpy.context.scene.frame_set(40)
    direction().mode = "BETWEEN"
    assert bpy.ops.understudy.between_keys() == {"FINISHED"}
    assert (direction().first, direction().last) == (31, 61)
    asked = generate("turns round")
    assert (asked["edit"]["start"], asked["edit"]["end"]) == (1.0, 2.0) and asked["seconds"] is None
    assert keys(body) == [1, *range(31, 62), 91]
    assert body.animation_data.action.name == "turns round" and body.animation_data.action != action
    take = bpy.context.scene.understudy_takes.items[0]
    bpy.ops.understudy.reject_take()
    assert body.animation_data.action == action and keys(body) == [1, 31, 61, 91]
    bpy.ops.understudy.preview_take()
    assert keys(body) == [1, *range(31, 62), 91], "the take comes back with the animator's keys"
    generate("something else", seconds=1.0)
    bpy.ops.understudy.preview_take(file=take.file)
    assert keys(body) == [1, *range(31, 62), 91]


def test_in_between_in_another_action_keys_everything_and_says_so(body: bpy.types.Object) -> None:
    by_hand(body)
    direction().mode, direction().first, direction().last = "BETWEEN", 31, 61
    generate("turns round")
    bpy.ops.understudy.reject_take()
    body.animation_data_clear()
    bpy.ops.understudy.preview_take()
    assert keys(body) == list(range(1, 92))
    assert "all of it is keyed" in backend.warning


def test_continue_after_the_current_frame(body: bpy.types.Object) -> None:
    by_hand(body)
    direction().mode = "CONTINUE"
    bpy.context.scene.frame_set(46)
    asked = generate("sits down", seconds=2.0)
    assert asked["edit"]["start"] == pytest.approx(1.5) and asked["edit"]["end"] is None
    assert asked["seconds"] == pytest.approx(2.0)
    assert keys(body)[:3] == [1, 31, 46] and keys(body)[-1] == 105
    assert clip_from_action(body, (31, 31)).trans[0] == pytest.approx([0, 1.31, 1.0], abs=1e-4)


def test_continue_a_preview_goes_on_in_its_clip(body: bpy.types.Object) -> None:
    generate("walks", seconds=2.0)
    direction().mode = "CONTINUE"
    bpy.context.scene.frame_set(31)
    generate("sits down", seconds=1.0)
    assert body.animation_data.action.frame_range[1] == 60
    assert len(bpy.data.actions) == 1


def test_continue_from_a_pose_without_animation(body: bpy.types.Object) -> None:
    body.pose.bones["head"].rotation_quaternion = (math.cos(0.3), math.sin(0.3), 0, 0)
    direction().mode = "CONTINUE"
    bpy.context.scene.frame_set(12)
    asked = generate("sits down", seconds=1.0)
    pose = asked["constraints"]["poses"][0]
    assert "edit" not in asked and pose["time"] == 0.0
    assert pose["pose"][15] == pytest.approx([0.6, 0, 0], abs=1e-4)
    assert pose["trans"][1] == pytest.approx(1.31, abs=1e-4)
    assert body.animation_data.action.frame_range[0] == 12


def test_what_an_edit_needs_is_said(body: bpy.types.Object) -> None:
    direction().mode = "BETWEEN"
    bpy.context.scene.understudy.prompt = "turns"
    assert "has no animation yet" in orders.why_not(bpy.context)
    assert not bpy.ops.understudy.between_keys.poll()
    by_hand(body)
    direction().first, direction().last = 10, 11
    assert "To must lie behind From" in orders.why_not(bpy.context)
    with pytest.raises(RuntimeError, match="To must lie behind From"):
        bpy.ops.understudy.generate()


def test_marks_outside_the_new_frames_are_counted(body: bpy.types.Object) -> None:
    by_hand(body)
    add("WAYPOINT", (1, -2, 0), frame=45)
    add("WAYPOINT", (1, -2, 0), frame=80)
    direction().mode, direction().first, direction().last = "BETWEEN", 31, 61
    asked = generate("turns round")
    assert len(asked["constraints"]["waypoints"]) == 1
    assert "1 marks lie outside" in backend.warning
    add("PIN", (0.5, 0, 1), frame=50, joint="left_wrist").understudy_mark.frame_end = 100
    add("POSE", frame=1, when="START")
    asked = generate("turns round")["constraints"]
    assert (asked["pins"][0]["start"], asked["pins"][0]["end"]) == (pytest.approx(49 / 30, abs=1e-4), 2.0)
    assert "poses" not in asked and "2 marks lie outside" in backend.warning


@pytest.mark.parametrize("fps", [24, 60])
def test_other_frame_rates_fill_the_same_frames(body: bpy.types.Object, fps: int) -> None:
    bpy.context.scene.render.fps = fps
    by_hand(body)
    direction().mode, direction().first, direction().last = "BETWEEN", 31, 61
    asked = generate("turns round")
    assert asked["edit"]["start"] == pytest.approx(30 / fps) and asked["edit"]["end"] == pytest.approx(
        60 / fps
    )
    assert keys(body) == [1, *range(31, 62), 91]


# -- the panel --------------------------------------------------------------------------------------


class Layout(SimpleNamespace):
    """Records what is drawn; every sub-layout is the same object."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def drawn(*given: Any, **named: Any) -> Any:
            self.seen += [str(part) for part in (*given, named.get("text", "")) if part]
            return self if name in ("row", "column", "box", "split") else SimpleNamespace()

        return drawn


def seen() -> str:
    layout = Layout(seen=[])
    context = SimpleNamespace(
        scene=bpy.context.scene,
        view_layer=bpy.context.view_layer,
        preferences=bpy.context.preferences,
        region=None,
    )
    drawn = panel.UNDERSTUDY_PT_direction
    statics = {name: getattr(drawn, name) for name in dir(drawn) if name.startswith("_draw")}
    drawn.draw(SimpleNamespace(layout=layout, **statics), context)
    panel.UNDERSTUDY_MT_mark_add.draw(SimpleNamespace(layout=layout), context)
    for thing in marks():
        panel.UNDERSTUDY_UL_marks.draw_item(None, context, layout, None, thing, 0, None, "active")
    return " ".join(layout.seen)


def test_the_panel_shows_marks_and_how_they_were_met(body: bpy.types.Object) -> None:
    assert "Add a path to walk" in seen()
    add("PATH", (0, -3, 0))
    add("WAYPOINT", (1, -2, 0), frame=10)
    add("PIN", (0.5, 0, 1), frame=13, joint="left_wrist")
    add("POSE", frame=40)
    generate()
    shown = seen()
    for words in (
        "13–43",
        "1 of 4 missed",
        "Key Pose, frame 40",
        "3.0 cm",
        "Left Hand, frame 13",
    ):
        assert words in shown, words
    kept = json.loads(bpy.context.scene.understudy_takes.items[0].report)
    assert [entry["error_cm"] for entry in kept] == [0.0, 1.0, 2.0, 3.0]
    direction().mode = "CONTINUE"
    assert "Goes on" in seen()
    direction().mode = "BETWEEN"
    assert "between_keys" in seen()
    late = [{"constraint": "waypoint", "time": 9.0, "error_cm": None}]
    bpy.context.scene.understudy_takes.items[0].report = json.dumps(late)
    assert "Waypoint, frame 271" in seen() and "after the end" in seen()
    bpy.context.scene.understudy_takes.items[0].report = "[{broken"
    assert "missed" not in seen()


# -- the world --------------------------------------------------------------------------------------


def test_the_clips_world_is_where_it_is_keyed(body: bpy.types.Object) -> None:
    """A joint of the clip, moved by ClipWorld, is where Blender shows the bone's head."""
    body.matrix_world = Matrix.Translation((2, -1, 0.5)) @ Matrix.Rotation(0.8, 4, "Z") @ Matrix.Scale(1.5, 4)
    clip = Clip(np.random.default_rng(2).normal(0, 0.3, (2, 55, 3)), np.array([[0.3, 1.2, 0.6]] * 2), 30.0)
    key_clip(body, clip, name="x", start_frame=1, scene_fps=30)
    bpy.context.scene.frame_set(1)
    world = ClipWorld.of(body, bpy.context.scene, 1)
    joints = clip.joints()[0]
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    for index, name in ((0, "pelvis"), (20, "left_wrist"), (8, "right_ankle")):
        shown = np.array(evaluated.matrix_world @ evaluated.pose.bones[name].head)
        assert np.allclose(world.to_blender(joints[index]), shown, atol=1e-4), name
        assert np.allclose(world.to_clip(shown), joints[index], atol=1e-4), name
