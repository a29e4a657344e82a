"""Bugs that shipped in comparable add-ons, one test each: none of them may happen here.

Where a behaviour has tests of its own elsewhere in more detail, this file holds the shortest case that would fail.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from understudy.addon.keying.actions import META_KEY, channels_of
from understudy.addon.keying.keying import key_clip
from understudy.addon.perform import properties
from understudy.addon.perform.orders import take_order
from understudy.addon.preferences import settings as preferences
from understudy.addon.process import client
from understudy.addon.process.client import backend
from understudy.backend.errors import BadInput, UnderstudyError
from understudy.backend.motion import npz
from understudy.backend.motion.clip import Clip, resample
from understudy.backend.protocol import child

from .drawing import draw, panels

Fake = Callable[[str], None]
PARAMS = {"prompt": "a person walks", "seconds": 0.5, "seed": 0, "pack": "open"}


@pytest.fixture
def body(fake: Fake) -> bpy.types.Object:
    bpy.ops.understudy.add_body()
    return bpy.context.scene.understudy.body


def generate(**changes: object) -> None:
    assert bpy.ops.understudy.generate(**({"prompt": "a person walks", "seconds": 0.5} | changes)) == {
        "FINISHED"
    }


def pid() -> int:
    assert backend.client is not None
    return backend.client._pipes.process.pid


# -- the process --------------------------------------------------------------------------------------------


def test_a_cancelled_result_is_not_imported_and_the_pipe_stays_in_step(fake: Fake) -> None:
    fake("deaf")  # answers although it was told to stop
    first = backend.submit({**PARAMS, "seed": 1})
    while backend.state != "ready":
        backend.poll()
    backend.cancel()
    clips = backend.wait(backend.submit({**PARAMS, "seed": 2}), timeout=30)
    assert first.state == "cancelled" and not first.clips
    assert clips[0].meta["seed"] == 2


def test_a_child_that_hangs_at_its_start_is_given_up(fake: Fake) -> None:
    fake("silent")
    job = backend.submit(PARAMS)
    assert backend.client is not None
    backend.client.start_timeout = 0.3
    with pytest.raises(UnderstudyError, match="did not answer within"):
        backend.wait(job, timeout=20)


def test_much_on_stderr_blocks_nothing(fake: Fake) -> None:
    fake("floods")
    assert backend.wait(backend.submit(PARAMS), timeout=30)


def test_one_process_serves_all_requests(body: bpy.types.Object) -> None:
    generate()
    first = pid()
    generate(prompt="a person waves")
    assert pid() == first


def test_a_dead_child_is_noticed_and_bytes_that_are_no_text_are_read(fake: Fake) -> None:
    fake("dies")  # with a broken letter on stderr
    began = time.monotonic()
    with pytest.raises(UnderstudyError, match="a model file is broken"):
        backend.wait(backend.submit(PARAMS), timeout=60)
    assert time.monotonic() - began < 60
    fake("well")
    assert backend.wait(backend.submit(PARAMS), timeout=30), "the next one starts a fresh process"


def test_a_path_stripped_by_the_desktop_is_no_obstacle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    monkeypatch.delenv("UNDERSTUDY_PYTHON", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(preferences, "PACKAGE_DIR", tmp_path / "nowhere")
    monkeypatch.setattr(preferences, "_USUAL_FOLDERS", (str(tmp_path),))
    found = preferences.find_python()
    assert os.access(found, os.X_OK)


def test_no_console_window_flashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child.os, "name", "nt")
    monkeypatch.setattr(child.subprocess, "CREATE_NO_WINDOW", 0x08000000, raising=False)
    assert child.spawn_options() == {"creationflags": 0x08000000}


def test_half_a_pack_is_not_taken_for_a_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("platformdirs")  # not in a bare Blender
    from understudy.backend.packs import finding as packs

    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "pack.toml").write_text(
        'name="half"\nversion="1"\nlicence="MIT"\nformat=1\n[files]\n"model.safetensors"="' + "0" * 64 + '"\n'
    )
    monkeypatch.setattr(packs, "user_folder", lambda: tmp_path)
    with pytest.raises(BadInput, match="incomplete: model.safetensors is missing"):  # noqa: RUF043
        packs.find_pack("half")


# -- the panel ----------------------------------------------------------------------------------------------


def test_drawing_asks_no_process(body: bpy.types.Object, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    def forbidden(*args: object, **keywords: object) -> None:
        raise AssertionError(f"a panel started {args[:1]}")

    monkeypatch.setattr(subprocess, "Popen", forbidden)
    assert len(panels()) > 8
    for panel in panels():
        draw(panel)


@pytest.mark.parametrize("seed", [0, 2**31 - 1])
def test_seeds_fit_into_blenders_integers(body: bpy.types.Object, seed: int) -> None:
    assert properties.MAX_SEED == 2**31 - 1
    generate(seed=seed)
    with pytest.raises((RuntimeError, TypeError, ValueError, OverflowError)):
        bpy.ops.understudy.generate(prompt="a person walks", seed=2**31)


def test_the_slider_allows_what_the_backend_does() -> None:
    pytest.importorskip("pydantic")  # not in a bare Blender
    from understudy.backend.protocol import messages

    assert messages.SEED[1] == properties.MAX_SEED
    assert tuple(messages.SECONDS) == properties.SECONDS
    shown = properties.UNDERSTUDY_PG_settings.bl_rna.properties["seconds"]
    assert (shown.hard_min, shown.hard_max) == properties.SECONDS


def test_the_length_that_was_asked_for_comes(body: bpy.types.Object) -> None:
    generate(seconds=30.0)
    rate = bpy.context.scene.render.fps
    first, last = body.animation_data.action.frame_range
    assert (last - first + 1) / rate == pytest.approx(30.0, abs=2 / rate)


def test_a_rows_button_acts_on_its_own_row(body: bpy.types.Object) -> None:
    generate(samples=3)
    takes = bpy.context.scene.understudy_takes
    takes.active = 0
    bpy.ops.understudy.star_take(file=takes.items[2].file)
    assert [take.starred for take in takes.items] == [False, False, True]


def test_a_constraint_is_sent_or_refused_but_never_dropped(body: bpy.types.Object) -> None:
    settings = bpy.context.scene.understudy
    settings.prompt, settings.use_seconds, settings.seconds = "a person walks", True, 2.0
    bpy.context.scene.frame_current = 20
    assert bpy.ops.understudy.mark_add(kind="WAYPOINT") == {"FINISHED"}
    bpy.context.scene.frame_current = 1
    order = take_order(bpy.context)
    assert len(order.params["constraints"]["waypoints"]) == 1


# -- the animation ------------------------------------------------------------------------------------------


def test_a_second_generation_plays(body: bpy.types.Object) -> None:
    """Since Blender 4.4 an Action without its slot moves nothing."""
    for prompt in ("a person walks", "a person waves"):
        generate(prompt=prompt)
        channels = channels_of(body.animation_data)
        assert channels is not None and len(channels.fcurves) > 100
        scene = bpy.context.scene
        places = []
        for frame in body.animation_data.action.frame_range:
            scene.frame_set(round(frame))
            places.append(body.pose.bones["pelvis"].matrix.translation.copy())
        assert (places[1] - places[0]).length > 0.2, "the body moves"


def test_actions_and_armatures_do_not_pile_up(body: bpy.types.Object) -> None:
    generate()
    before = (len(bpy.data.actions), len(bpy.data.armatures), len(bpy.data.objects), len(bpy.data.meshes))
    for seed in range(4):
        generate(seed=seed)
    gc.collect()
    assert (
        len(bpy.data.actions),
        len(bpy.data.armatures),
        len(bpy.data.objects),
        len(bpy.data.meshes),
    ) == before
    assert not [a for a in bpy.data.actions if META_KEY in a and a.users == 0]


@pytest.mark.parametrize(("source", "target"), [(100.0, 30.0), (30.0, 24.0), (120.0, 25.0), (29.97, 60.0)])
def test_any_frame_rate_plays_at_the_right_speed(source: float, target: float) -> None:
    frames = round(4 * source)
    trans = np.stack([np.zeros(frames), np.zeros(frames), np.arange(frames) / source], axis=1)
    played = resample(Clip(np.zeros((frames, 55, 3)), trans, source), target)
    speed = np.diff(played.trans[:, 2]) * played.fps
    assert np.allclose(speed[:-1], 1.0, atol=1e-3), "one metre a second stays one metre a second"
    assert abs(played.seconds - frames / source) <= 1 / target + 1 / source


def test_relaxed_hands_are_added_not_composed(tmp_path: Path) -> None:
    """The mean of SMPL-X's hands is added to the axis-angle numbers; a clip holds the sum, and files say so."""
    poses = np.zeros((2, 55, 3))
    poses[:, 25:] = np.random.default_rng(0).normal(size=(2, 30, 3))
    npz.write_clip(Clip(poses, np.zeros((2, 3)), 30.0), tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as file:
        assert np.allclose(file["pose_hand"].reshape(2, 30, 3), poses[:, 25:], atol=1e-6)
    assert np.allclose(npz.read_clip(tmp_path / "x.npz").poses, poses, atol=1e-6)


def test_the_gender_is_not_read_from_a_name(body: bpy.types.Object) -> None:
    body.name = "SMPLX-female"
    from understudy.addon.keying.keying import clip_from_action

    clip = Clip(np.zeros((2, 55, 3)), np.zeros((2, 3)), 30.0, gender="male")
    key_clip(body, clip, name="x", start_frame=1, scene_fps=30.0)
    assert clip_from_action(body).gender == "male"


@pytest.mark.parametrize("key", ["mocap_frame_rate", "mocap_framerate", None])
def test_both_spellings_of_the_rate_and_none_are_read(tmp_path: Path, key: str | None) -> None:
    arrays = {
        "poses": np.zeros((4, 165)),
        "trans": np.zeros((4, 3)),
        "betas": np.zeros(10),
        "gender": "neutral",
    }
    if key is not None:
        arrays[key] = np.array(60.0)
    np.savez(tmp_path / "x.npz", **arrays)
    try:
        clip = npz.read_clip(tmp_path / "x.npz")
    except BadInput as error:
        assert key is None and "rate" in error.message
    else:
        assert clip.fps == pytest.approx(60.0 if key else clip.fps)


def test_keys_are_not_inserted_one_by_one(body: bpy.types.Object) -> None:
    """``keyframe_insert`` per bone and frame takes seconds."""
    calls = []

    def watch(frame: object, event: str, function: object) -> None:
        if event == "c_call" and getattr(function, "__name__", "") == "keyframe_insert":
            calls.append(1)

    clip = Clip(np.random.default_rng(0).normal(size=(300, 55, 3)) * 0.1, np.zeros((300, 3)), 30.0)
    sys.setprofile(watch)
    try:
        key_clip(body, clip, name="x", start_frame=1, scene_fps=30.0)
    finally:
        sys.setprofile(None)
    assert not calls


# -- files --------------------------------------------------------------------------------------------------


def test_nothing_is_written_into_the_extension(body: bpy.types.Object) -> None:
    """Files beside ``__file__`` are lost at an upgrade, and the log is one of them."""
    folders = [Path(preferences.PACKAGE_DIR) / name for name in ("addon", "backend", "packs")]

    def files() -> set[Path]:
        return {
            p for f in folders for p in f.rglob("*") if "__pycache__" not in p.parts and p.suffix != ".py"
        }

    before = files()
    generate()
    bpy.ops.understudy.accept_take()
    assert files() <= before | {p for p in files() if ".tmp" in p.name}
    pytest.importorskip("platformdirs")  # not in a bare Blender
    from understudy.backend.process import log

    assert not log.log_folder().resolve().is_relative_to(preferences.PACKAGE_DIR.resolve())
    assert client.packs.licences
