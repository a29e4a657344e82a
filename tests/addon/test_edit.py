"""Clean-up, loops and joins of a body's animation in Blender: new Actions, the old ones kept."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from understudy.addon.body.bodymap import SMPL_TO_BLENDER
from understudy.addon.body.builtin import add_body
from understudy.addon.keying import keying
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.quality import measure

from .test_keying import curves_of, posed_joints


def swaying(seconds: float = 4.0, speed: float = 0.1, phase: float = 0.0) -> Clip:
    """The trunk sways once in two seconds while the body glides aside with trembling feet."""
    frames = round(30 * seconds)
    time = np.arange(frames) / 30 + phase
    poses = np.zeros((frames, 55, 3))
    poses[:, [3, 6], 2] = 0.15 * np.sin(np.pi * time)[:, None]
    poses[:, 16, 2] = -1.2 + 0.3 * np.sin(np.pi * time)
    poses[:, :22] += 0.005 * np.random.default_rng(0).normal(size=(frames, 22, 3))
    trans = np.stack([speed * time, np.full(frames, 1.29), 0 * time], axis=1)
    return Clip(poses=poses, trans=trans, fps=30.0)


@pytest.fixture
def body() -> bpy.types.Object:
    bpy.context.scene.render.fps = 30
    armature = add_body(bpy.context)
    bpy.context.scene.understudy.body = armature
    keying.key_clip(armature, swaying(), name="sway", start_frame=11, scene_fps=30.0)
    return armature


def test_clean_up_makes_a_new_action_and_keeps_the_old_one(body: bpy.types.Object) -> None:
    before = keying.clip_from_action(body)
    assert bpy.ops.understudy.clean_up() == {"FINISHED"}
    after = keying.clip_from_action(body)
    assert measure(after).slide < 0.2 * measure(before).slide
    assert measure(after).penetration < 0.2
    assert after.meta["cleanup"]["before"]["slide"] > 5
    assert body.animation_data.action.name == "sway (clean)"
    assert bpy.data.actions["sway"].use_fake_user
    assert body.animation_data.action.frame_range[0] == 11


def test_no_strength_changes_nothing(body: bpy.types.Object) -> None:
    before = keying.clip_from_action(body)
    assert bpy.ops.understudy.clean_up(strength=0.0) == {"FINISHED"}
    after = keying.clip_from_action(body)
    np.testing.assert_allclose(after.poses, before.poses, atol=1e-5)


def test_a_loop_plays_on_and_on(body: bpy.types.Object) -> None:
    assert bpy.ops.understudy.loop() == {"FINISHED"}
    curve = curves_of(body)[('pose.bones["pelvis"].location', 0)]
    first, last = (round(x) for x in curve.range())
    length = last - first
    assert length > 20
    way = np.array(keying.clip_from_action(body).meta["loop"]["way"])
    here = posed_joints(body, first + 5)
    for times in (1, 3):
        there = posed_joints(body, first + 5 + times * length)
        np.testing.assert_allclose(there, here + times * (SMPL_TO_BLENDER @ way), atol=1e-3)


def test_a_loop_in_place_with_few_keys(body: bpy.types.Object) -> None:
    assert bpy.ops.understudy.loop(in_place=True, whole=True, reduce=1.5) == {"FINISHED"}
    curve = curves_of(body)[('pose.bones["spine1"].rotation_quaternion', 3)]
    first, last = (round(x) for x in curve.range())
    assert last - first == 120
    assert len(curve.keyframe_points) < 60
    np.testing.assert_allclose(posed_joints(body, first), posed_joints(body, last), atol=0.013)
    np.testing.assert_allclose(posed_joints(body, first + 7), posed_joints(body, last + 7), atol=1e-4)


def test_a_join_at_the_current_frame(body: bpy.types.Object) -> None:
    first = body.animation_data.action
    first.use_fake_user = True
    other = keying.key_clip(body, swaying(2.0, phase=0.7), name="other", start_frame=1, scene_fps=30.0)
    other.use_fake_user = True
    body.animation_data.action = first
    if hasattr(first, "slots"):
        body.animation_data.action_slot = first.slots[0]
    bpy.context.scene.frame_set(60)
    assert bpy.ops.understudy.join(action="other") == {"FINISHED"}
    joined = keying.clip_from_action(body)
    assert len(joined) == 49 + 60
    steps = np.linalg.norm(np.diff(joined.joints()[:, :22], axis=0), axis=-1).max(axis=1)
    assert steps[46:52].max() < 1.5 * np.percentile(steps, 95)
    assert {a.name for a in bpy.data.actions} >= {"sway", "other", "sway (join)"}


def test_what_cannot_be_done_is_one_sentence(body: bpy.types.Object) -> None:
    with pytest.raises(RuntimeError, match="no Action “nothing”"):
        bpy.ops.understudy.join(action="nothing")
    assert body.animation_data.action.name == "sway"
    body.animation_data_clear()
    for operator in (bpy.ops.understudy.clean_up, bpy.ops.understudy.loop, bpy.ops.understudy.join):
        assert not operator.poll()
