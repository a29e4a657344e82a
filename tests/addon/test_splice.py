"""New motion between two keys: what the animator keyed outside is the same afterwards, to the last handle."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from understudy.addon.body.builtin import _armature
from understudy.addon.keying.actions import channels_of
from understudy.addon.keying.curve_keys import Keys
from understudy.addon.keying.keying import clip_from_action, evaluated
from understudy.addon.keying.splice import splice, why_not
from understudy.backend.motion.clip import Clip


@pytest.fixture
def body() -> bpy.types.Object:
    armature = _armature(bpy.context, "Understudy")
    bpy.context.scene.render.fps = 30
    return armature


def key(body: bpy.types.Object, bone: str, channel: str, keys: dict[int, tuple[float, ...]]) -> None:
    for frame, value in keys.items():
        setattr(body.pose.bones[bone], channel, value)
        body.pose.bones[bone].keyframe_insert(channel, frame=frame)


def by_hand(body: bpy.types.Object) -> bpy.types.Action:
    """Four keys of an animator: Bezier, an Euler arm, a quaternion spine."""
    body.pose.bones["left_shoulder"].rotation_mode = "XYZ"
    frames = (1, 20, 40, 60)
    key(
        body,
        "pelvis",
        "location",
        {f: (0.1 * i, 1.31 - 0.1 * (i % 2), 0.3 * i) for i, f in enumerate(frames)},
    )
    key(body, "left_shoulder", "rotation_euler", {f: (0.2 * i, 0.5, 4.0 - i) for i, f in enumerate(frames)})
    turned = {f: (math.cos(0.3 * i), 0, math.sin(0.3 * i), 0) for i, f in enumerate(frames)}
    key(body, "spine1", "rotation_quaternion", turned)
    body.animation_data.action.name = "by hand"
    return body.animation_data.action


def curves(body: bpy.types.Object) -> dict[tuple[str, int], Any]:
    channels = channels_of(body.animation_data)
    assert channels is not None
    return {(c.data_path, c.array_index): c for c in channels.fcurves}


def points(curve: Any, keep: Any) -> list[tuple[Any, ...]]:
    return [
        (*k.co, *k.handle_left, *k.handle_right, k.interpolation)
        for k in curve.keyframe_points
        if keep(k.co[0])
    ]


def new_motion(frames: int) -> Clip:
    poses = np.zeros((frames, 55, 3))
    poses[:, 3, 1] = np.linspace(0.3, -2.9, frames)
    poses[:, 16, 2] = np.linspace(-1.0, 1.0, frames)
    trans = np.tile([0.5, 1.2, 0.0], (frames, 1))
    return Clip(poses, trans, 30.0, meta={"prompt": "new"})


def sampled(body: bpy.types.Object, frames: Any) -> dict[Any, list[float]]:
    return {name: [curve.evaluate(f) for f in frames] for name, curve in curves(body).items()}


def test_keys_outside_stay_and_inside_is_new(body: bpy.types.Object) -> None:
    old = by_hand(body)
    outside = [*np.arange(1, 20.01, 0.5), *np.arange(40, 60.01, 0.5)]
    before = sampled(body, outside)
    kept = {n: points(c, lambda f: f < 19.5 or f > 40.5) for n, c in curves(body).items()}
    everything = {n: points(c, lambda f: True) for n, c in curves(body).items()}
    clip = new_motion(60)
    new = splice(body, clip, name="fill", start_frame=1, scene_fps=30, first=20, last=40)
    assert body.animation_data.action == new != old and new.name == "fill"
    for name, values in before.items():
        assert np.allclose([curves(body)[name].evaluate(f) for f in outside], values, atol=2e-5), name
        assert points(curves(body)[name], lambda f: f < 19.5 or f > 40.5) == kept[name]
    assert body.pose.bones["left_shoulder"].rotation_mode == "XYZ"
    done = clip_from_action(body, (1, 60))
    assert np.allclose(done.trans[20:39], clip.trans[20:39], atol=1e-5)
    for joint in (3, 16):
        assert np.allclose(done.poses[20:39, joint], clip.poses[20:39, joint], atol=1e-4)
    body.animation_data.action = old
    if hasattr(old, "slots"):
        body.animation_data.action_slot = old.slots[0]
    assert {n: points(c, lambda f: True) for n, c in curves(body).items()} == everything


def test_bones_without_keys_return_to_where_they_were(body: bpy.types.Object) -> None:
    by_hand(body)
    body.pose.bones["head"].rotation_quaternion = (math.cos(0.2), math.sin(0.2), 0, 0)
    clip = new_motion(60)
    clip.poses[:, 15] = (0.0, 0.8, 0.0)
    splice(body, clip, name="fill", start_frame=1, scene_fps=30, first=20, last=40)
    done = clip_from_action(body, (1, 60))
    for frame in (1, 19, 20 - 1, 39, 59):
        assert np.allclose(done.poses[frame, 15], (0.4, 0, 0), atol=1e-4), frame
    assert np.allclose(done.poses[30, 15], (0, 0.8, 0), atol=1e-4)


def test_going_on_drops_what_came_after(body: bpy.types.Object) -> None:
    by_hand(body)
    before = sampled(body, [1, 7.5, 20, 29.5, 30])
    splice(body, new_motion(90), name="on", start_frame=1, scene_fps=30, first=30, last=None)
    for name, values in before.items():
        assert np.allclose(
            [curves(body)[name].evaluate(f) for f in [1, 7.5, 20, 29.5, 30]], values, atol=2e-5
        )
    assert body.animation_data.action.frame_range[1] == 90
    assert np.allclose(clip_from_action(body, (31, 90)).trans, new_motion(90).trans[30:], atol=1e-5)


def test_the_sign_of_a_quaternion_never_swings_the_joint(body: bpy.types.Object) -> None:
    """q and -q are one rotation: between two frames of different sign nothing may be interpolated."""
    by_hand(body)
    clip = new_motion(60)
    clip.poses[19:40, 3, 1] = np.linspace(0.6, 1.2 - 2 * math.pi, 21)  # the long way round, to -q
    splice(body, clip, name="fill", start_frame=1, scene_fps=30, first=20, last=40)
    for frame in np.arange(20, 40, 0.125):
        q = [curves(body)[('pose.bones["spine1"].rotation_quaternion', i)].evaluate(frame) for i in range(4)]
        assert np.linalg.norm(q) > 0.9, frame


@pytest.mark.skipif(bpy.app.version < (4, 4), reason="slots came with Blender 4.4")
def test_the_slot_stays(body: bpy.types.Object) -> None:
    """Peers' bug: the slot was lost at the second generation, and the animation stopped."""
    by_hand(body)
    slot = body.animation_data.action_slot.identifier
    for _ in range(2):
        new = splice(body, new_motion(60), name="fill", start_frame=1, scene_fps=30, first=20, last=40)
        assert body.animation_data.action_slot.identifier == slot
        assert [s.identifier for s in new.slots] == [slot]


def test_easing_outside_is_kept(body: bpy.types.Object) -> None:
    by_hand(body)
    key = curves(body)[('pose.bones["pelvis"].location', 2)].keyframe_points[0]
    key.interpolation, key.easing, key.amplitude = "ELASTIC", "EASE_OUT", 0.7
    before = sampled(body, np.arange(1, 20))
    splice(body, new_motion(60), name="fill", start_frame=1, scene_fps=30, first=20, last=40)
    key = curves(body)[('pose.bones["pelvis"].location', 2)].keyframe_points[0]
    assert (key.interpolation, key.easing, round(key.amplitude, 3)) == ("ELASTIC", "EASE_OUT", 0.7)
    for name, values in before.items():
        assert np.allclose([curves(body)[name].evaluate(f) for f in np.arange(1, 20)], values, atol=2e-5)


def test_what_else_moves_the_body_is_named(body: bpy.types.Object) -> None:
    assert why_not(body) == "It has no Action."
    by_hand(body)
    assert why_not(body) == ""
    constraint = body.pose.bones["left_wrist"].constraints.new("COPY_ROTATION")
    assert "constraints" in why_not(body)
    body.pose.bones["left_wrist"].constraints.remove(constraint)
    body.animation_data.nla_tracks.new()
    assert "NLA" in why_not(body)


def test_curves_are_read_as_blender_plays_them(body: bpy.types.Object) -> None:
    by_hand(body)
    frames = np.arange(-3.0, 70.0)
    curve = curves(body)[('pose.bones["pelvis"].location', 2)]
    assert np.allclose(evaluated(curve, frames), [curve.evaluate(f) for f in frames], atol=1e-6)
    curve.modifiers.new("CYCLES")
    assert np.allclose(evaluated(curve, frames), [curve.evaluate(f) for f in frames], atol=1e-6)


@settings(max_examples=40, deadline=None)
@example([(1.0, 0.0), (1.0, 0.0), (1.0, 1.0)], 0.49609375, "AUTO", "BEZIER")  # too close to a key
@given(
    st.lists(st.tuples(st.floats(1, 9), st.floats(-5, 5)), min_size=2, max_size=5),
    st.floats(0.02, 0.98),
    st.sampled_from(["AUTO", "AUTO_CLAMPED", "VECTOR", "ALIGNED"]),
    st.sampled_from(["BEZIER", "LINEAR", "CONSTANT"]),
)
def test_a_key_put_between_two_does_not_bend_the_curve(
    steps: list[tuple[float, float]], where: float, handles: str, interpolation: str
) -> None:
    action = bpy.data.actions.new("curve")
    thing = bpy.data.objects.new("thing", None)
    try:
        thing.animation_data_create().action = action
        frame = 0.0
        for gap, value in steps:
            frame += gap
            thing.location.x = value
            thing.keyframe_insert("location", index=0, frame=frame)
        channels = channels_of(thing.animation_data)
        assert channels is not None
        curve = channels.fcurves.find("location", index=0)
        for k in curve.keyframe_points:
            k.handle_left_type = k.handle_right_type = handles
            k.interpolation = interpolation
        curve.update()
        begin, end = curve.range()
        at = begin + where * (end - begin)
        frames = np.linspace(begin, end, 60)
        before = np.array([curve.evaluate(f) for f in frames])
        keys = Keys.of(curve)
        keys.border(at, curve.evaluate(at))
        keys.write(curve)
        after = np.array([curve.evaluate(f) for f in frames])
        far = np.abs(frames - at) > 0.02  # a step is where it is to within the key's own frame
        scale = max(float(np.ptp(before)), 1.0)
        assert np.allclose(after[far], before[far], atol=2e-3 * scale)
    finally:
        bpy.data.objects.remove(thing)
        bpy.data.actions.remove(action)
