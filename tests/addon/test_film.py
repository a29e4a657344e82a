"""Films of PNG frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from understudy.addon.render import film_cli


def frames(folder: Path, count: int, size: tuple[int, int] = (64, 48)) -> Path:
    """Frames that get brighter, written by Blender itself: its Python may have no other library for it."""
    import bpy

    folder.mkdir()
    for i in range(count):
        image = bpy.data.images.new("frame", *size)
        image.pixels.foreach_set(np.full(4 * size[0] * size[1], i / count, np.float32))
        image.filepath_raw, image.file_format = str(folder / f"{i:03d}.png"), "PNG"
        image.save()
        bpy.data.images.remove(image)
    return folder


def test_a_film_has_all_frames_at_the_rate_asked_for(tmp_path: Path) -> None:
    import bpy

    folder, out = frames(tmp_path / "frames", 7), tmp_path / "film.mp4"
    assert film_cli.main(["--fps", "24", str(folder), str(out)]) == 0
    film = bpy.data.movieclips.load(str(out))
    assert film.frame_duration == 7 and film.fps == pytest.approx(24, abs=0.01)
    assert tuple(film.size) == (64, 48)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "frames"]


def test_wrong_arguments_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert film_cli.main([str(tmp_path / "empty"), str(tmp_path / "a.mp4")]) == 2
    assert "no PNG frames" in capsys.readouterr().err
    assert film_cli.main([str(tmp_path / "empty")]) == 2
    assert "name of its film" in capsys.readouterr().err
    assert not (tmp_path / "a.mp4").exists()
