"""Pictures and films of a clip, and what happens when they cannot be made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from understudy.addon.render import cli as render_cli
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import write_clip

PACKAGE_PARENT = Path(render_cli.__file__).resolve().parents[2]


@pytest.fixture
def clip_file(tmp_path: Path) -> Path:
    poses = np.zeros((12, 55, 3))
    poses[:, 16, 2] = np.linspace(-1.2, 1.0, 12)
    trans = np.tile([0.0, 1.31, 0.0], (12, 1))
    path = tmp_path / "clip.npz"
    write_clip(Clip(poses=poses, trans=trans, fps=24.0, meta={"prompt": "a test"}), path)
    return path


def _run(*arguments: object) -> int:
    return render_cli.main([*map(str, arguments), "--threads", "2"])


def _pixels(path: Path) -> np.ndarray:
    import bpy

    image = bpy.data.images.load(str(path))
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(height, width, 4)[..., :3]


def _egl() -> bool:
    import ctypes

    try:
        ctypes.CDLL("libEGL.so.1")
    except OSError:
        return not sys.platform.startswith("linux")
    return True


needs_egl = pytest.mark.skipif(not _egl(), reason="Workbench needs the system library EGL")


def test_a_cycles_picture_shows_the_figure(clip_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "picture.png"
    assert _run(clip_file, "--out", out, "--engine", "cycles", "--samples", 2, "--resolution", "96x54") == 0
    pixels = _pixels(out)
    assert pixels.shape == (54, 96, 3)
    middle = pixels[15:40, 40:56]
    blue = middle[..., 2] - middle[..., 0]
    assert blue.max() > 0.08, "the shirt is in the picture"
    assert 0.15 < pixels.mean() < 0.9, "neither night nor glare"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.npz", "picture.png"]


@needs_egl
def test_a_workbench_film_has_the_clips_frames_and_rate(
    clip_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import bpy

    out = tmp_path / "film.mp4"
    assert _run(clip_file, "--out", out, "--resolution", "97x54") == 0
    film = bpy.data.movieclips.load(str(out))
    assert film.frame_duration == 12 and film.fps == pytest.approx(24.0, abs=0.01)
    assert tuple(film.size) == (98, 54)
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line.startswith("Fra:")][-1] == "Fra:12"


@needs_egl
def test_frames_differ_and_a_blend_is_saved(clip_file: Path, tmp_path: Path) -> None:
    import bpy

    blend = tmp_path / "out.blend"
    for frame in (0, 11):
        code = _run(
            clip_file,
            "--out",
            tmp_path / f"{frame}.png",
            "--frame",
            frame,
            "--resolution",
            "96x54",
            "--blend",
            blend,
        )
        assert code == 0
    assert np.abs(_pixels(tmp_path / "0.png") - _pixels(tmp_path / "11.png")).max() > 0.2
    bpy.ops.wm.open_mainfile(filepath=str(blend))
    body = bpy.data.objects["Understudy"]
    assert body.animation_data.action is not None and bpy.context.scene.camera is not None
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--out", "x.gif"], "must end in .png or .mp4"),
        (["--out", "missing/x.png"], "no folder"),
        (["--out", "x.png", "--resolution", "4x4"], "resolution"),
        (["--out", "x.png", "--frame", "99"], "frames 0 to 11"),
        (["--out", "x.png", "--samples", "0"], "Samples"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: list[str],
    words: str,
    clip_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run(clip_file, *arguments) == 2
    error = capsys.readouterr().err.strip()
    assert words in error and "\n" not in error and "Traceback" not in error
    assert [p.name for p in tmp_path.iterdir()] == ["clip.npz"]


def test_a_missing_system_library_is_a_sentence(
    clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import ctypes
    import ctypes.util

    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert _run(clip_file, "--out", tmp_path / "x.png", "--engine", "workbench") == 1
    assert "apt install libegl1" in capsys.readouterr().err


def test_a_failed_render_leaves_the_old_picture(
    clip_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from understudy.addon.render import scene

    out = tmp_path / "old.png"
    out.write_bytes(b"old")
    # Without a camera Blender refuses to render.
    monkeypatch.setattr(scene, "_camera", lambda *_: None)
    assert _run(clip_file, "--out", out, "--engine", "cycles", "--resolution", "32x32") == 1
    assert "camera" in capsys.readouterr().err.lower()
    assert out.read_bytes() == b"old" and not list(tmp_path.glob(".*"))


def test_it_runs_as_a_child_and_ends_cleanly(clip_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "child.png"
    done = subprocess.run(
        [sys.executable, "-m", "understudy.addon.render.cli", str(clip_file), "--out", str(out)]
        + ["--engine", "cycles", "--samples", "1", "--resolution", "32x32", "--threads", "2"],
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
    )
    assert done.returncode == 0, done.stderr
    assert out.is_file() and "Fra:" in done.stdout
