"""``understudy retarget``: what is refused before Blender starts, and one whole run with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.cli.main import main
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import write_clip


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.npz"
    write_clip(Clip(np.zeros((5, 55, 3)), np.zeros((5, 3)), 30.0), path)
    return path


@pytest.mark.parametrize(
    ("rig", "out", "more", "words"),
    [
        ("rig.txt", "out.blend", [], "must end in .blend"),
        ("rig.glb", "out.mp4", [], "out.mp4 must end in .blend"),
        ("none.glb", "out.glb", [], "There is no file"),
        ("rig.glb", "nowhere/out.glb", [], "does not exist"),
        ("rig.glb", "out.glb", ["--mapping", "none.json"], "There is no file none.json"),
        ("rig.glb", "out.glb", ["--root", "moon"], "invalid choice"),
        ("rig.glb", "out.glb", ["--blender", "/no/such/blender"], "There is no program"),
    ],
)
def test_wrong_input_is_one_sentence(
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    rig: str,
    out: str,
    more: list[str],
    words: str,
) -> None:
    (tmp_path / "rig.glb").write_bytes(b"glTF")
    (tmp_path / "rig.txt").write_bytes(b"")
    code = main(["retarget", str(clip), "--rig", str(tmp_path / rig), "--out", str(tmp_path / out), *more])
    said = capsys.readouterr()
    assert code == 2 and words in said.err and len(said.err.strip().splitlines()) == 1
    assert not (tmp_path / "out.glb").exists() and not list(tmp_path.glob(".understudy*"))


@pytest.mark.slow
def test_a_bvh_skeleton_of_ours_takes_a_clip(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("bpy")
    rig = tmp_path / "rig.bvh"
    assert main(["convert", str(clip), str(rig)]) == 0
    capsys.readouterr()
    out = tmp_path / "out.bvh"
    assert main(["retarget", str(clip), "--rig", str(rig), "--out", str(out), "--json"]) == 0
    done = json.loads(capsys.readouterr().out)
    assert done["family"] == "smplx" and done["missing"] == [] and done["frames"] == 5
    assert out.read_text(encoding="utf-8").startswith("HIERARCHY\nROOT pelvis")
    (tmp_path / "broken.glb").write_bytes(b"glTF")
    code = main(["retarget", str(clip), "--rig", str(tmp_path / "broken.glb"), "--out", str(out)])
    assert code == 2 and "cannot be opened" in capsys.readouterr().err
