"""The pictures of the documentation: eight tiles, or several figures in one scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from understudy.addon.render.contact_sheet import _spread, contact_sheet, line_up, main
from understudy.backend.motion.clip import Clip

pillow = pytest.importorskip("PIL.Image")


def _clip(travel: float) -> Clip:
    poses = np.zeros((20, 55, 3))
    poses[:, 16, 2] = np.linspace(-1.3, 1.3, 20)
    trans = np.zeros((20, 3))
    trans[:, 1], trans[:, 2] = 1.31, np.linspace(0, travel, 20)
    return Clip(poses=poses, trans=trans, fps=20.0, meta={"prompt": "a test"})


def test_a_sheet_has_its_tiles_and_they_differ(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    contact_sheet(_clip(1.0), out, count=3, tile=(48, 64), engine="cycles", samples=1, threads=2)
    with pillow.open(out) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert pixels.shape[1] == 3 * 54 + 6
    tiles = [pixels[46:110, 6 + 54 * i : 54 + 54 * i] for i in range(3)]
    assert all(np.abs(tiles[0] - tile).max() > 60 for tile in tiles[1:])
    assert [p.name for p in tmp_path.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize("travel", [0.0, 1.5, 9.0])
def test_figures_stand_clear_of_one_another(travel: float) -> None:
    spread = _spread(_clip(travel), 5)
    moments = spread.trans[np.linspace(0, 19, 5).astype(int)][:, [0, 2]]
    assert np.linalg.norm(np.diff(moments, axis=0), axis=1).min() > 0.6


def test_a_line_up_shows_all_figures(tmp_path: Path) -> None:
    import bpy

    out = tmp_path / "line.png"
    line_up(_clip(0.0), out, count=4, resolution=(96, 48), samples=1, threads=2)
    assert out.is_file()
    figures = [o for o in bpy.data.objects if o.name.startswith("Moment")]
    assert len(figures) == 4
    middles = [np.mean([v.co[0] for v in o.data.vertices]) for o in figures]
    assert np.all(np.diff(middles) > 0.5), "side by side, to the figure's left"


def test_bad_input_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.npz"), "--out", str(tmp_path / "x.png")]) == 2
    assert "Traceback" not in capsys.readouterr().err
