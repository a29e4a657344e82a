"""The Render button: a film of the body, and a scene that is exactly as it was."""

from __future__ import annotations

import json
import time
import wave
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest

from understudy.addon.process.client import backend
from understudy.addon.render import filming
from understudy.addon.render import panel as render_panel
from understudy.addon.render.panel import Studio

from .drawing import draw
from .test_render import needs_egl

Fake = Callable[[str], None]


@pytest.fixture
def performed(fake: Fake, tmp_path: Path) -> bpy.types.Object:
    """A user's scene: their own camera, light and sphere, and a body elsewhere than at the origin."""
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("mine", bpy.data.cameras.new("mine"))
    scene.collection.objects.link(scene.camera)
    scene.cursor.location = (3.0, -2.0, 0.5)
    bpy.ops.understudy.add_body()
    bpy.ops.understudy.generate(prompt="a person walks", seconds=0.5)
    scene.understudy_render.size = "960x540"
    return scene.understudy.body


def contents() -> dict[str, object]:
    """Everything in the file that a render could leave behind or change."""
    scene = bpy.context.scene
    render = scene.render
    kinds = (
        "scenes",
        "objects",
        "meshes",
        "cameras",
        "lights",
        "worlds",
        "materials",
        "actions",
        "collections",
        "sounds",
    )
    return {
        **{kind: sorted(block.name for block in getattr(bpy.data, kind)) for kind in kinds},
        "render": (render.engine, render.filepath, render.resolution_x, render.fps, render.fps_base),
        "camera": scene.camera.name,
        "frames": (scene.frame_start, scene.frame_end, scene.frame_current),
        "view": scene.view_settings.view_transform,
    }


def pixels(path: Path) -> np.ndarray:
    image = bpy.data.images.load(str(path))
    values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(values)
    shape = (image.size[1], image.size[0], 4)
    bpy.data.images.remove(image)
    return values.reshape(shape)[..., :3]


@needs_egl
def test_a_picture_of_the_body_and_nothing_else_changed(performed: bpy.types.Object, tmp_path: Path) -> None:
    before = contents()
    out = tmp_path / "picture.png"
    assert bpy.ops.understudy.render(filepath=str(out)) == {"FINISHED"}
    assert contents() == before
    middle = pixels(out)[100:440, 380:580]
    assert (middle[..., 2] - middle[..., 0]).max() > 0.08, "the shirt is in the picture"
    assert [p.name for p in tmp_path.glob("*.png")] == ["picture.png"]
    assert not list(Path(bpy.app.tempdir).glob("understudy-film-*"))
    shown = " ".join(draw(bpy.types.UNDERSTUDY_PT_render))
    assert "picture.png is ready." in shown and "<understudy.play_film>" in shown


@needs_egl
def test_a_film_has_the_range_the_rate_and_the_voice(performed: bpy.types.Object, tmp_path: Path) -> None:
    voice = tmp_path / "voice.wav"
    with wave.open(str(voice), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes((8000 * np.sin(np.arange(16000) * 0.2)).astype("<i2").tobytes())
    scene = bpy.context.scene
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    try:
        strips.new_sound("voice", str(voice), 1, 1)
        has_sound = True
    except RuntimeError:  # 4.2 as a module has no sound
        has_sound = False
    out = tmp_path / "film.mp4"
    scene.understudy_render.size = "960x540"
    assert bpy.ops.understudy.render(filepath=str(out)) == {"FINISHED"}
    assert (b"mp4a" in out.read_bytes()) == has_sound
    film = bpy.data.movieclips.load(str(out))
    first, last = performed.animation_data.action.frame_range
    assert film.frame_duration == round(last) - round(first) + 1
    assert film.fps == pytest.approx(scene.render.fps, abs=0.01)


def test_what_cannot_be_filmed_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="There is no body to film"):
        bpy.ops.understudy.render(filepath=str(tmp_path / "a.mp4"))
    bpy.ops.understudy.add_body()
    assert "Generate a motion first." in draw(bpy.types.UNDERSTUDY_PT_render)
    for path, sentence in (
        (tmp_path / "a.mp4", "has no animation"),
        (tmp_path / "a.gif", "must end in .mp4 or .png"),
        (tmp_path / "none" / "a.mp4", "There is no folder"),
        ("//a.mp4", "Save the .blend first"),
    ):
        with pytest.raises(RuntimeError, match=sentence):
            bpy.ops.understudy.render(filepath=str(path))
    assert not list(tmp_path.iterdir())


def pretend(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    import sys

    monkeypatch.setattr(filming, "command", lambda job: [sys.executable, "-c", script, str(job)])


def test_a_second_blender_that_fails_leaves_nothing(
    performed: bpy.types.Object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, "import sys; sys.exit('out of memory')")
    out = tmp_path / "film.mp4"
    out.write_bytes(b"precious")
    with pytest.raises(RuntimeError, match="Rendering failed: out of memory"):
        bpy.ops.understudy.render(filepath=str(out))
    assert out.read_bytes() == b"precious" and backend.error is not None
    assert not list(Path(bpy.app.tempdir).glob("understudy-film-*"))


def test_cancelling_ends_the_second_blender(
    performed: bpy.types.Object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, "import time; print('Fra:1', flush=True); time.sleep(600)")
    film = render_panel._start(bpy.context, str(tmp_path / "film.mp4"))
    deadline = time.monotonic() + 20
    while not film.seen and time.monotonic() < deadline:
        time.sleep(0.01)
    shown = " ".join(draw(bpy.types.UNDERSTUDY_PT_render))
    assert "Frame 1 of" in shown and "<understudy.cancel_render>" in shown
    assert bpy.ops.understudy.cancel_render() == {"FINISHED"}
    assert film.process.poll() is not None and film.state == "cancelled" and not Studio.busy()
    assert not film.folder.exists()


def test_the_job_names_what_crosses(performed: bpy.types.Object, tmp_path: Path) -> None:
    job = filming.job_of(
        bpy.context.scene,
        performed,
        tmp_path / "x.mp4",
        tmp_path,
        engine="cycles",
        resolution=(64, 48),
        samples=4,
        follow=True,
        sound=True,
    )
    assert json.loads(json.dumps(job)) == job
    assert job["objects"][0] == performed.name and len(job["objects"]) == 2
    assert (tmp_path / "body.blend").stat().st_size > 1000
