"""Fewer keys in Blender: the curves that Blender evaluates stay within the tolerance, on any bone axes."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Quaternion

from understudy.addon.body.bodymap import SMPL_TO_BLENDER
from understudy.addon.body.builtin import add_body
from understudy.addon.keying import keying
from understudy.backend.errors import BadInput
from understudy.backend.motion import npz, rotations
from understudy.backend.motion.clip import Clip, resample

from .test_keying import curves_of, posed_joints, random_clip, smplx_armature


def swaying(frames: int = 60, fps: float = 30.0) -> Clip:
    """Every joint sways smoothly about an axis of its own, the root walks off."""
    rng = np.random.default_rng(3)
    axes = rng.normal(size=(55, 3))
    time = np.arange(frames)[:, None, None] / fps
    poses = 0.4 * axes * np.sin(4 * time + rng.uniform(0, 6, size=(1, 55, 1)))
    trans = np.stack([0 * time[:, 0, 0], 1.3 + 0.02 * np.sin(9 * time[:, 0, 0]), 1.2 * time[:, 0, 0]], axis=1)
    return Clip(poses, trans, fps)


def key_count(armature: bpy.types.Object) -> int:
    return sum(len(curve.keyframe_points) for curve in curves_of(armature).values())


def off(clip: Clip, found: Clip) -> tuple[float, float]:
    """Degrees and metres that joints are off at most."""
    a, b = (rotations.axis_angle_to_matrix(c.poses) for c in (clip, found))
    moved = np.linalg.norm(clip.joints() - found.joints(), axis=-1)
    return float(np.degrees(rotations.geodesic_angle(a, b).max())), float(moved.max())


@pytest.mark.parametrize("degrees", [0.25, 2.0])
def test_what_blender_evaluates_stays_within_the_tolerance(degrees: float) -> None:
    armature = add_body(bpy.context)
    clip = swaying()
    keying.key_clip(armature, clip, name="all", start_frame=5, scene_fps=30.0)
    every = key_count(armature)
    keying.key_clip(armature, clip, name="few", start_frame=5, scene_fps=30.0, reduce=degrees)
    assert key_count(armature) < (0.4 if degrees < 1 else 0.25) * every
    turned, moved = off(clip, keying.clip_from_action(armature))
    assert turned <= degrees
    assert moved <= 0.008 * degrees
    # Blender's own pose, not only its curves.
    expected = clip.joints() @ SMPL_TO_BLENDER.T
    for frame in (0, 13, 31, 59):
        assert np.abs(posed_joints(armature, 5 + frame) - expected[frame]).max() <= 0.008 * degrees + 1e-5


@pytest.mark.parametrize(
    "rotation", [None, Quaternion((0.5, 0.1, -0.7, 0.3)).normalized().to_matrix()], ids=["smplx", "oblique"]
)
def test_other_bone_axes_and_units(rotation: Matrix | None) -> None:
    armature = smplx_armature(rotation, scale=100.0)
    clip = swaying()
    keying.key_clip(armature, clip, name="few", start_frame=1, scene_fps=30.0, reduce=0.5)
    turned, moved = off(clip, keying.clip_from_action(armature))
    assert turned <= 0.5
    assert moved <= 0.004


@pytest.mark.parametrize("keep_poses", [False, True])
def test_another_frame_rate(keep_poses: bool) -> None:
    armature = add_body(bpy.context)
    bpy.context.scene.render.fps = 24
    clip = swaying(91)
    keying.key_clip(
        armature, clip, name="few", start_frame=1, scene_fps=24.0, keep_poses=keep_poses, reduce=0.25
    )
    found = keying.clip_from_action(armature)
    turned, moved = off(resample(clip, 24.0), found)
    # Between the poses of the clip, a curve is not the resampled line.
    assert turned <= (0.6 if keep_poses else 0.25)
    assert moved <= (0.006 if keep_poses else 0.002)


def test_keys_are_bezier_with_handles_on_a_line() -> None:
    armature = add_body(bpy.context)
    keying.key_clip(armature, swaying(), name="few", start_frame=1, scene_fps=30.0, reduce=0.25)
    curve = curves_of(armature)[('pose.bones["left_elbow"].rotation_quaternion', 1)]
    assert {key.interpolation for key in curve.keyframe_points} == {"BEZIER"}
    for key in curve.keyframe_points:
        before, after = key.co - key.handle_left, key.handle_right - key.co
        assert before.x > 0
        assert after.x > 0
        assert before.y / before.x == pytest.approx(after.y / after.x, abs=1e-3)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_very_short_clips(frames: int) -> None:
    armature = add_body(bpy.context)
    clip = random_clip(frames)
    keying.key_clip(armature, clip, name="few", start_frame=1, scene_fps=30.0, reduce=0.25)
    turned, moved = off(clip, keying.clip_from_action(armature))
    assert turned <= 0.25
    assert moved <= 0.002


@pytest.mark.parametrize("degrees", [-1.0, 11.0, float("nan")])
def test_a_tolerance_out_of_range_changes_nothing(degrees: float) -> None:
    armature = add_body(bpy.context)
    with pytest.raises(BadInput, match="between 0 and 10"):
        keying.key_clip(armature, swaying(5), name="x", start_frame=1, scene_fps=30.0, reduce=degrees)
    assert not len(bpy.data.actions)


def test_the_import_offers_it(tmp_path: Path) -> None:
    clip = swaying()
    path = tmp_path / "sway.npz"
    path.write_bytes(npz.clip_to_bytes(clip))
    armature = add_body(bpy.context)
    bpy.context.scene.understudy.body = armature
    bpy.context.scene.render.fps = 30
    assert bpy.ops.understudy.import_npz(filepath=str(path)) == {"FINISHED"}
    every = key_count(armature)
    assert bpy.ops.understudy.import_npz(filepath=str(path), reduce=0.25) == {"FINISHED"}
    assert key_count(armature) < 0.4 * every
    assert off(clip, keying.clip_from_action(armature))[0] <= 0.25
