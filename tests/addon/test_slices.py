"""Long work in slices: the same result, nothing half done left behind, and the window has its turn."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import bpy
import numpy as np
import pytest

from understudy.addon.body.builtin import adding_body
from understudy.addon.keying import keying
from understudy.addon.process import slices
from understudy.addon.process.slices import Steps, Work, aside
from understudy.addon.takes import preview
from understudy.backend.errors import BadInput, JobFailed
from understudy.backend.motion import npz
from understudy.backend.motion.clip import Clip


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there was a window."""
    monkeypatch.setattr(slices, "in_window", lambda: True)


@pytest.fixture
def body() -> bpy.types.Object:
    bpy.ops.understudy.add_body()
    return bpy.context.scene.understudy.body


def swaying(frames: int = 90) -> Clip:
    poses = np.zeros((frames, 55, 3))
    poses[:, 16, 2] = 0.5 * np.sin(np.linspace(0, 6, frames))
    return Clip(poses=poses, trans=np.zeros((frames, 3)), fps=30.0)


def in_slices(steps: Steps[object]) -> tuple[int, object]:
    """Run a work one step at a time; how many there were, and the result."""
    work, count = Work(steps), 0
    while not work.advance(0.0):
        count += 1
        time.sleep(0.0005)
    return count, work.result


def test_slices_give_the_same_keys_as_doing_it_at_once(body: bpy.types.Object) -> None:
    clip = swaying()
    whole = keying.key_clip(body, clip, name="whole", start_frame=1, scene_fps=30.0)
    count, made = in_slices(keying.keyed(body, clip, name="slices", start_frame=1, scene_fps=30.0))
    assert count > 50
    assert preview.digest(made[0]) == preview.digest(whole)  # type: ignore[index]


def test_a_body_comes_in_its_last_slice_or_leaves_nothing() -> None:
    def things() -> set[str]:
        return {
            repr(thing) for kind in ("objects", "meshes", "armatures") for thing in getattr(bpy.data, kind)
        }

    count, made = in_slices(adding_body(bpy.context, "first"))
    assert count > 50 and made.visible_get()  # type: ignore[attr-defined]
    before = things()
    for stop in (1, 5, count // 2, count - 2, count - 1):
        steps = adding_body(bpy.context)
        for _ in range(stop):
            next(steps)
        assert not any(o.visible_get() for o in bpy.context.scene.objects if repr(o) not in before)
        steps.close()
        assert things() == before, stop


def test_until_the_last_slice_the_body_plays_what_it_did(body: bpy.types.Object) -> None:
    before = keying.key_clip(body, swaying(), name="before", start_frame=1, scene_fps=30.0)
    work = Work(preview.showing(bpy.context.scene, body, swaying(60), take="x.npz", name="take", start=1))
    while not work.advance(0.0):
        assert body.animation_data.action == before
        assert preview.current(body) is None
    assert body.animation_data.action == work.result
    assert preview.current(body) == work.result


def test_a_work_that_is_closed_leaves_nothing_behind(body: bpy.types.Object) -> None:
    before = keying.key_clip(body, swaying(), name="before", start_frame=1, scene_fps=30.0)
    work = Work(preview.showing(bpy.context.scene, body, swaying(60), take="x.npz", name="take", start=1))
    for _ in range(20):
        work.advance(0.0)
    assert len(bpy.data.actions) == 2
    work.close()
    assert list(bpy.data.actions) == [before]
    assert body.animation_data.action == before
    with pytest.raises(JobFailed, match="meanwhile"):
        work.advance()


def test_undo_and_loading_close_what_has_begun(body: bpy.types.Object) -> None:
    work = Work(keying.keyed(body, swaying(), name="x", start_frame=1, scene_fps=30.0))
    for _ in range(10):
        work.advance(0.0)
    bpy.ops.wm.read_homefile(use_empty=True)
    with pytest.raises(JobFailed, match="meanwhile"):
        work.finish()


def test_a_body_that_was_removed_is_said(body: bpy.types.Object) -> None:
    work = Work(preview.showing(bpy.context.scene, body, swaying(), take="x.npz", name="x", start=1))
    work.advance(0.0)
    bpy.data.objects.remove(body)
    with pytest.raises(JobFailed, match="removed meanwhile"):
        work.finish()


def test_aside_computes_in_another_thread_and_brings_back_what_it_raises(window: None) -> None:
    def where() -> threading.Thread:
        time.sleep(0.05)
        return threading.current_thread()

    def wrong() -> None:
        raise BadInput("There is no such file.")

    count, thread = in_slices(aside(where))
    assert count > 0
    assert thread is not threading.main_thread()
    with pytest.raises(BadInput, match="no such file"):
        in_slices(aside(wrong))


def test_in_background_aside_computes_at_once() -> None:
    count, thread = in_slices(aside(threading.current_thread))
    assert count == 0
    assert thread is threading.main_thread()


def _selected(body: bpy.types.Object) -> list[str]:
    posed = "select" in bpy.types.PoseBone.bl_rna.properties
    return [bone.name for bone in (body.pose.bones if posed else body.data.bones) if bone.select]


def test_the_timeline_has_keys_to_show(body: bpy.types.Object) -> None:
    """It lists the keys of selected bones: all of them are, unless somebody has chosen some."""
    bones = body.pose.bones if "select" in bpy.types.PoseBone.bl_rna.properties else body.data.bones
    for bone in bones:
        bone.select = False
    keying.key_clip(body, swaying(), name="x", start_frame=1, scene_fps=30.0)
    assert len(_selected(body)) == 55
    for bone in bones:
        bone.select = bone.name == "head"
    keying.key_clip(body, swaying(), name="x", start_frame=1, scene_fps=30.0)
    assert _selected(body) == ["head"]


def test_scripts_get_the_result_when_the_operator_returns(
    window: None, tmp_path: Path, body: bpy.types.Object
) -> None:
    npz.write_clip(swaying(600), tmp_path / "sway.npz")
    assert bpy.ops.understudy.import_npz(filepath=str(tmp_path / "sway.npz")) == {"FINISHED"}
    assert body.animation_data.action.frame_range[1] == 480  # of 24 a second
