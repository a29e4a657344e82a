"""File > Import and Export > SMPL-X animation."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from understudy.backend.motion import npz, rotations
from understudy.backend.motion.clip import Clip


def smooth_clip(frames: int = 31, fps: float = 30.0, seed: int = 0) -> Clip:
    rng = np.random.default_rng(seed)
    axes = rng.normal(size=(55, 3))
    angle = np.linspace(0, 0.5, frames)[:, None, None]
    trans = np.cumsum(rng.normal(size=(frames, 3)) * 0.02, axis=0) + [0, 1.31, 0]
    betas = rng.normal(size=16).astype(np.float32)
    return Clip(angle * axes, trans, fps, betas=betas, gender="male", meta={"prompt": "walks"})


@pytest.fixture(autouse=True)
def scene_at_30() -> None:
    bpy.context.scene.render.fps = 30


@pytest.mark.parametrize("dialect", ["amass", "smplx"])
@pytest.mark.parametrize("back_dialect", ["amass", "smplx"])
def test_import_and_export_give_the_file_back(tmp_path: Path, dialect: str, back_dialect: str) -> None:
    clip = smooth_clip()
    npz.write_clip(clip, tmp_path / "in.npz", dialect=dialect)
    bpy.context.scene.frame_set(12)
    assert bpy.ops.understudy.import_npz(filepath=str(tmp_path / "in.npz")) == {"FINISHED"}
    body = bpy.context.scene.understudy.body
    assert body.animation_data.action.name == "in"
    assert tuple(body.animation_data.action.frame_range) == (12, 42)
    assert bpy.ops.understudy.export_npz(filepath=str(tmp_path / "out.npz"), dialect=back_dialect) == {
        "FINISHED"
    }
    back = npz.read_clip(tmp_path / "out.npz")
    assert len(back) == len(clip)
    assert back.fps == 30
    assert back.gender == "male"
    assert back.meta["prompt"] == "walks"
    np.testing.assert_allclose(back.betas, clip.betas, atol=1e-6)
    angle = rotations.geodesic_angle(
        rotations.axis_angle_to_matrix(back.poses), rotations.axis_angle_to_matrix(clip.poses)
    )
    assert angle.max() < 1e-4
    assert np.abs(back.trans - clip.trans).max() < 1e-4


def test_import_lands_on_the_selected_body(tmp_path: Path) -> None:
    bpy.ops.understudy.add_body()
    body = bpy.context.scene.understudy.body
    npz.write_clip(smooth_clip(), tmp_path / "a.npz")
    bpy.ops.understudy.import_npz(filepath=str(tmp_path / "a.npz"))
    assert [o for o in bpy.data.objects if o.type == "ARMATURE"] == [body]
    assert body.animation_data.action.name == "a"


def test_several_files_become_takes_of_one_body(tmp_path: Path) -> None:
    files = [{"name": f"{name}.npz"} for name in "abc"]
    for i, item in enumerate(files):
        npz.write_clip(smooth_clip(seed=i), tmp_path / item["name"])
    bpy.ops.understudy.import_npz(directory=str(tmp_path), files=files)
    body = bpy.context.scene.understudy.body
    assert len([o for o in bpy.data.objects if o.type == "ARMATURE"]) == 1
    assert sorted(action.name for action in bpy.data.actions) == ["a", "b", "c"]
    assert body.animation_data.action.name == "a"
    bpy.context.scene.frame_set(20)
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    expected = smooth_clip(seed=0).trans[19]
    np.testing.assert_allclose(evaluated.pose.bones["pelvis"].location, expected, atol=1e-5)


def test_several_files_can_each_bring_a_body(tmp_path: Path) -> None:
    files = [{"name": f"{name}.npz"} for name in "ab"]
    for item in files:
        npz.write_clip(smooth_clip(), tmp_path / item["name"])
    bpy.ops.understudy.import_npz(directory=str(tmp_path), files=files, target="NEW")
    bodies = [o for o in bpy.data.objects if o.type == "ARMATURE"]
    assert len(bodies) == 2
    assert abs(bodies[0].location.x - bodies[1].location.x) > 1
    assert {b.animation_data.action.name for b in bodies} == {"a", "b"}


def test_a_file_at_another_rate_plays_at_its_own_speed(tmp_path: Path) -> None:
    """Peers' bug: 100 fps stepped by int(100 / 30) plays too fast."""
    clip = smooth_clip(frames=201, fps=100.0)
    npz.write_clip(clip, tmp_path / "a.npz")
    bpy.ops.understudy.import_npz(filepath=str(tmp_path / "a.npz"), start="FIRST")
    action = bpy.context.scene.understudy.body.animation_data.action
    assert tuple(action.frame_range) == (1, 61)
    bpy.ops.understudy.import_npz(filepath=str(tmp_path / "a.npz"), keep_poses=True)
    action = bpy.context.scene.understudy.body.animation_data.action
    assert action.frame_range[1] == pytest.approx(61, abs=1e-3)


def test_a_file_without_a_frame_rate_is_read_and_the_guess_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Peers' bug: a missing mocap_framerate key crashed."""
    np.savez(tmp_path / "a.npz", poses=np.zeros((31, 165)), trans=np.zeros((31, 3)))
    assert bpy.ops.understudy.import_npz(filepath=str(tmp_path / "a.npz")) == {"FINISHED"}
    assert tuple(bpy.context.scene.understudy.body.animation_data.action.frame_range) == (1, 31)
    assert "30 fps assumed" in capfd.readouterr().out


def write_bad(path: Path, kind: str) -> None:
    if kind == "truncated":
        npz.write_clip(smooth_clip(), path)
        path.write_bytes(path.read_bytes()[:2000])
    elif kind == "pickled":
        np.savez(path, poses=np.array([{"evil": 1}], dtype=object), trans=np.zeros((1, 3)))
    elif kind == "no poses":
        np.savez(path, trans=np.zeros((3, 3)), mocap_frame_rate=30.0)
    elif kind == "shape":
        np.savez(path, poses=np.zeros((3, 17)), trans=np.zeros((3, 3)), mocap_frame_rate=30.0)


@pytest.mark.parametrize("kind", ["truncated", "pickled", "no poses", "shape", "missing"])
def test_a_bad_file_is_named_and_nothing_changes(tmp_path: Path, kind: str) -> None:
    good, bad = tmp_path / "good.npz", tmp_path / "bad.npz"
    npz.write_clip(smooth_clip(), good)
    write_bad(bad, kind)
    with pytest.raises(RuntimeError, match=r"bad\.npz") as caught:
        bpy.ops.understudy.import_npz(
            directory=str(tmp_path), files=[{"name": "good.npz"}, {"name": "bad.npz"}]
        )
    assert "Traceback" not in str(caught.value)
    assert not bpy.data.objects
    assert not bpy.data.actions


def test_export_without_a_body_or_animation_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no body"):
        bpy.ops.understudy.export_npz(filepath=str(tmp_path / "out.npz"))
    bpy.ops.understudy.add_body()
    with pytest.raises(RuntimeError, match="no animation"):
        bpy.ops.understudy.export_npz(filepath=str(tmp_path / "out.npz"))
    assert not (tmp_path / "out.npz").exists()


def test_a_failed_export_keeps_the_old_file(tmp_path: Path) -> None:
    npz.write_clip(smooth_clip(), tmp_path / "in.npz")
    bpy.ops.understudy.import_npz(filepath=str(tmp_path / "in.npz"))
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.understudy.export_npz(filepath=str(tmp_path / "no such folder" / "out.npz"))
    assert "Traceback" not in str(caught.value)
    folder = tmp_path / "folder.npz"
    folder.mkdir()
    with pytest.raises(RuntimeError):
        bpy.ops.understudy.export_npz(filepath=str(folder))
    assert folder.is_dir()


def test_the_range_of_an_export(tmp_path: Path) -> None:
    npz.write_clip(smooth_clip(), tmp_path / "in.npz")
    bpy.context.scene.frame_start, bpy.context.scene.frame_end = 5, 14
    bpy.ops.understudy.import_npz(filepath=str(tmp_path / "in.npz"), start="FIRST")
    bpy.context.scene.frame_end = 14
    bpy.ops.understudy.export_npz(filepath=str(tmp_path / "out.npz"), range="SCENE")
    assert len(npz.read_clip(tmp_path / "out.npz")) == 10


def test_the_shipped_bodys_scene_scale_does_not_disturb(tmp_path: Path) -> None:
    """The body may stand anywhere: placement belongs to the object, motion to the clip."""
    clip = smooth_clip()
    npz.write_clip(clip, tmp_path / "in.npz")
    bpy.context.scene.cursor.location = (3, 4, 0)
    bpy.ops.understudy.import_npz(filepath=str(tmp_path / "in.npz"))
    assert tuple(bpy.context.scene.understudy.body.location) == (3, 4, 0)
    bpy.ops.understudy.export_npz(filepath=str(tmp_path / "out.npz"))
    assert np.abs(npz.read_clip(tmp_path / "out.npz").trans - clip.trans).max() < 1e-4


# ------------------------------------------------------------------ other kinds of files, and where they go


def pelvis_at(body: bpy.types.Object, frame: int) -> np.ndarray:
    bpy.context.scene.frame_set(frame)
    posed = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array(posed.matrix_world @ posed.pose.bones["pelvis"].head)


CMU = Path(__file__).parents[1] / "data" / "raw" / "cmu"


@pytest.mark.parametrize("file", ["bvh_mb/02/02_03.bvh", "amc/02/02_03.amc"])
def test_captured_motion_of_other_skeletons_is_keyed_at_its_own_speed(file: str) -> None:
    """Peers' bug: 120 fps played at another speed."""
    assert bpy.ops.understudy.import_npz(filepath=str(CMU / file), start="FIRST") == {"FINISHED"}
    body = bpy.context.scene.understudy.body
    action = body.animation_data.action
    assert action.name == "02_03"
    assert action.frame_range[1] - action.frame_range[0] == pytest.approx(90 * 30 / 120, abs=1)
    assert 0.7 < pelvis_at(body, 10)[2] < 1.1


def test_a_stated_frame_rate_can_be_overruled(tmp_path: Path) -> None:
    npz.write_clip(smooth_clip(frames=61, fps=60.0), tmp_path / "a.npz")
    bpy.ops.understudy.import_npz(filepath=str(tmp_path / "a.npz"), start="FIRST", fps=30.0)
    action = bpy.context.scene.understudy.body.animation_data.action
    assert tuple(action.frame_range) == (1, 61)


@pytest.mark.parametrize("target", ["SELECTED", "NEW"])
@pytest.mark.parametrize("place", ["ORIGIN", "CURSOR"])
def test_a_motion_starts_where_it_is_wanted(tmp_path: Path, target: str, place: str) -> None:
    clip = smooth_clip()
    npz.write_clip(clip.replace(trans=clip.trans + [3, 0, -7]), tmp_path / "a.npz")
    bpy.ops.understudy.add_body()
    body = bpy.context.scene.understudy.body
    body.location, body.rotation_euler, body.rotation_mode = (1, 5, 0), (0, 0, 0.7), "XYZ"
    bpy.context.view_layer.update()
    bpy.context.scene.cursor.location = (-2, 4, 0)
    bpy.ops.understudy.import_npz(filepath=str(tmp_path / "a.npz"), start="FIRST", place=place, target=target)
    found = pelvis_at(bpy.context.scene.understudy.body, 1)
    wanted = (-2, 4) if place == "CURSOR" else (0, 0)
    np.testing.assert_allclose(found[:2], wanted, atol=1e-4)


def test_several_new_bodies_at_the_cursor_stand_side_by_side(tmp_path: Path) -> None:
    for name in "abc":
        npz.write_clip(smooth_clip(), tmp_path / f"{name}.npz")
    bpy.context.scene.cursor.location = (2, 0, 0)
    files = [{"name": f"{name}.npz"} for name in "abc"]
    bpy.ops.understudy.import_npz(
        directory=str(tmp_path), files=files, target="NEW", place="CURSOR", start="FIRST"
    )
    bodies = [obj for obj in bpy.data.objects if obj.type == "ARMATURE"]
    at = sorted(pelvis_at(body, 1)[0] for body in bodies)
    np.testing.assert_allclose(at, [2, 3.2, 4.4], atol=1e-4)


def test_what_is_in_a_file_is_told_before_it_is_imported(tmp_path: Path) -> None:
    from understudy.addon.files.facts import Inspector, facts_of

    npz.write_clip(
        smooth_clip().replace(meta={"prompt": "somebody sneaks", "licence": "CC0-1.0"}), tmp_path / "a.npz"
    )
    facts = facts_of(str(tmp_path / "a.npz"))
    assert facts.lines[:2] == ("Understudy, AMASS SMPL-X", "31 frames at 30 fps, 1.0 s")
    assert (
        "hands" in facts.lines[2] and "“somebody sneaks”" in facts.lines and "Licence: CC0-1.0" in facts.lines
    )
    assert "no hands" in facts_of(str(CMU / "amc/02/02_03.amc")).lines[2]
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04")
    assert facts_of(str(tmp_path / "bad.npz")).error.endswith(".")
    # The dialog asks, and is told later.
    path = str(tmp_path / "a.npz")
    assert Inspector.look([path]) == [None]
    assert Inspector._thread is not None
    Inspector._thread.join(10)
    (told,) = Inspector.look([path])
    assert told is not None and told.lines == facts.lines


def test_motion_files_can_be_dropped() -> None:
    handler = bpy.types.UNDERSTUDY_FH_npz
    assert handler.bl_file_extensions == ".npz;.bvh;.amc;.npy"
    assert handler.bl_import_operator == "understudy.import_npz"


def test_joints_and_features_of_humanml3d_are_keyed_at_their_own_speed(tmp_path: Path) -> None:
    from understudy.addon.files.facts import facts_of
    from understudy.backend.motion.skeleton import INDEX

    clip = smooth_clip(frames=41, fps=20.0)
    np.save(tmp_path / "a.npy", clip.joints()[:, :22].astype(np.float32))
    facts = facts_of(str(tmp_path / "a.npy"))
    assert facts.lines[:3] == ("HumanML3D joints", "41 frames at 20 fps, 2.0 s", "Body; no hands and no face")
    assert "mm off" in facts.lines[3]
    bpy.context.scene.render.fps = 30
    assert bpy.ops.understudy.import_npz(filepath=str(tmp_path / "a.npy"), start="FIRST") == {"FINISHED"}
    body = bpy.context.scene.understudy.body
    assert tuple(body.animation_data.action.frame_range) == (1, 61)
    bpy.context.scene.frame_set(31)
    evaluated = body.evaluated_get(bpy.context.evaluated_depsgraph_get())
    hips = evaluated.pose.bones["pelvis"].head
    wrist = evaluated.pose.bones["left_wrist"].head - hips
    joints = clip.joints()[20]
    wanted = joints[INDEX["left_wrist"]] - joints[0]
    assert abs(wrist.length - np.linalg.norm(wanted)) < 0.08
    np.save(tmp_path / "n.npy", np.random.default_rng(0).normal(size=(40, 263)))
    assert "normalised" in facts_of(str(tmp_path / "n.npy")).error
    with pytest.raises(RuntimeError, match="normalised"):
        bpy.ops.understudy.import_npz(filepath=str(tmp_path / "n.npy"))
