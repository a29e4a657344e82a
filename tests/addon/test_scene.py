"""The stage: the camera really sees the whole motion, and the clip plays in time."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.addon.render.framing import TRAVEL_LIMIT, frame_motion
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.skeleton import INDEX


def _clip(
    frames: int = 40, travel: float = 0.0, height: float = 0.0, fps: float = 30.0, turn: float = 0.0
) -> Clip:
    poses = np.zeros((frames, 55, 3))
    poses[:, 0, 1] = turn
    poses[:, INDEX["left_shoulder"], 2] = np.linspace(-1.2, 1.3, frames)
    trans = np.zeros((frames, 3))
    trans[:, 1] = 1.31 + height * np.sin(np.linspace(0, np.pi, frames))
    trans[:, 2] = np.linspace(0, travel, frames)
    return Clip(poses=poses, trans=trans, fps=fps, meta={"prompt": "a test"})


def _seen(clip: Clip, **options: object) -> np.ndarray:
    """Where in the picture (0...1) every joint of every frame falls: (T, 55, 2), by Blender's own camera."""
    import bpy
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    from understudy.addon.render.scene import FIRST_FRAME, build_stage

    bpy.ops.wm.read_factory_settings(use_empty=True)
    stage = build_stage(bpy.context, clip, **options)  # type: ignore[arg-type]
    scene = bpy.context.scene
    joints = stage.clip.joints()
    places = []
    for i in range(0, len(joints), 7):
        scene.frame_set(FIRST_FRAME + i)
        places.append(
            [world_to_camera_view(scene, stage.camera, Vector((x, -z, y)))[:2] for x, y, z in joints[i]]
        )
    return np.array(places)


@pytest.mark.parametrize("resolution", [(960, 540), (300, 400), (512, 512)])
@pytest.mark.parametrize("travel, height, turn", [(0.0, 0.0, 0.0), (3.0, 0.6, 1.0), (12.0, 0.0, -2.0)])
def test_the_whole_motion_is_in_the_picture(
    resolution: tuple[int, int], travel: float, height: float, turn: float
) -> None:
    seen = _seen(_clip(travel=travel, height=height, turn=turn), resolution=resolution)
    assert seen.min() > 0.02 and seen.max() < 0.98
    assert np.ptp(seen[..., 1]) > 0.6 or np.ptp(seen[..., 0]) > 0.6, "the figure is lost in the picture"


def test_far_travel_is_followed_and_stays_large() -> None:
    aspect, half = 16 / 9, 0.31
    fixed = frame_motion(_clip(travel=TRAVEL_LIMIT - 0.5), aspect, half_width=half)
    follows = frame_motion(_clip(travel=15.0), aspect, half_width=half)
    assert not fixed.travels and follows.travels
    assert np.ptp(fixed.follow, axis=0).max() == 0
    assert follows.distance < 9.0
    assert np.ptp(follows.follow[:, 1]) > 14.0


def test_a_single_frame_can_be_framed() -> None:
    framing = frame_motion(_clip(frames=1), 1.5, half_width=0.3)
    assert np.isfinite(framing.offset).all()


@pytest.mark.parametrize("fps", [30.0, 29.97, 24.0, 12.5])
def test_the_clip_plays_at_its_own_rate(fps: float) -> None:
    import bpy

    from understudy.addon.render.scene import build_stage

    clip = _clip(frames=25, fps=fps)
    build_stage(bpy.context, clip)
    scene = bpy.context.scene
    assert scene.render.fps / scene.render.fps_base == pytest.approx(fps, rel=1e-5)
    assert (scene.frame_start, scene.frame_end) == (1, 25)


def test_a_fast_clip_is_shown_at_thirty() -> None:
    import bpy

    from understudy.addon.render.scene import build_stage

    stage = build_stage(bpy.context, _clip(frames=121, fps=120.0))
    assert stage.clip.fps == 30 and bpy.context.scene.frame_end == len(stage.clip) == 31


def test_the_stage_is_lit_and_stands_on_a_floor() -> None:
    import bpy

    from understudy.addon.render.scene import build_stage

    build_stage(bpy.context, _clip())
    assert sum(o.type == "LIGHT" for o in bpy.data.objects) == 3
    floor = bpy.data.objects["Floor"]
    assert max(abs((floor.matrix_world @ v.co).z) for v in floor.data.vertices) == 0
    assert bpy.context.scene.camera is not None
