"""The gallery: fixed prompts, sheets, films and the index."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from understudy.backend.motion.clip import Clip
from understudy.backend.motion.features import FPS
from understudy.backend.process.machine import has_module
from understudy.training.cli import main
from understudy.training.evaluation import gallery

from .makers.tiny_pack import make_pack


def walking(frames: int, speed: float = 1.0) -> Clip:
    poses = np.zeros((frames, 55, 3))
    poses[:, 1, 0] = 0.4 * np.sin(6 * np.arange(frames) / FPS)
    trans = np.zeros((frames, 3))
    trans[:, 1], trans[:, 2] = 1.31, speed * np.arange(frames) / FPS
    return Clip(poses, trans, FPS)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return make_pack(tmp_path_factory.mktemp("gallery"), walking(64))


def test_the_repositorys_prompts_are_forty_of_every_kind() -> None:
    found = gallery.read_prompts(gallery.PROMPTS)
    assert len({prompt.text for prompt in found}) == len(found) == 40
    kinds = [prompt.kind for prompt in found]
    assert {"gaits", "sports", "dance", "everyday", "acrobatics", "far from the data"} == set(kinds)
    assert min(kinds.count(kind) for kind in kinds) >= 3


def test_names_of_files_are_plain_and_different() -> None:
    clip = walking(10)
    texts = ["Walks? / Runs!", "walks runs", "…"]
    names = [gallery.Entry(i, gallery.Prompt("", text), 0, clip).name for i, text in enumerate(texts, 1)]
    assert names == ["01-walks-runs", "02-walks-runs", "03-prompt"]


def test_a_film_follows_the_figure_and_leaves_the_floor_behind() -> None:
    moving, still = (
        [np.asarray(image, int) for image in gallery.film_frames(walking(90, speed), 96)] for speed in (1, 0)
    )
    assert len(moving) == 90 and moving[0].shape == (96, 96, 3)
    for image in moving:  # the figure's colours stay well inside the picture
        _, across = np.nonzero(image.max(-1) - image.min(-1) > 60)
        assert across.min() > 20 and across.max() < 76

    def floor(image: np.ndarray) -> np.ndarray:
        return image[-12:]  # below the feet

    assert any(np.abs(floor(image) - floor(moving[40])).max() > 10 for image in moving[40:60])
    assert all(np.abs(floor(image) - floor(still[40])).max() == 0 for image in still[40:60])


def test_the_command_writes_what_it_says(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("# remark\n[gaits]\na person walks\n\n[<odd>]\na | b & c\n", encoding="utf-8")
    films = has_module("bpy")
    arguments = ["gallery", "--pack", str(pack), "--prompts", str(prompts), "--seconds", "0.7", "--seed", "5"]
    first = tmp_path / "a"
    assert main([*arguments, "--out", str(first), *(() if films else ("--no-films",))]) == 0
    assert str(first / "index.html") in capsys.readouterr().out
    told = json.loads((first / "gallery.json").read_text())
    assert [clip["kind"] for clip in told["clips"]] == ["gaits", "<odd>"]
    for clip in told["clips"]:
        assert clip["seconds"] == pytest.approx(0.7) and clip["seed"] == 5
        assert clip["path_m"] >= clip["travel_m"] >= 0 and np.isfinite(clip["jerk"])
        assert (first / f"{clip['name']}.png").read_bytes().startswith(b"\x89PNG")
        assert not films or b"ftyp" in (first / f"{clip['name']}.mp4").read_bytes()[:16]
    assert (first / "sheet01.png").exists() and not list(first.glob(".*"))
    page, table = (first / "index.html").read_text(), (first / "index.md").read_text()
    assert "a | b &amp; c" in page and "&lt;odd&gt;" in page and "<odd>" not in page.lower()
    assert "a \\| b & c" in table and ("mp4" in page) == ("mp4" in table) == films
    again = tmp_path / "b"
    assert main([*arguments, "--out", str(again), "--no-films"]) == 0
    assert not list(again.glob("*.mp4")) and ".mp4" not in (again / "index.html").read_text()
    assert json.loads((again / "gallery.json").read_text()) == told


@pytest.mark.parametrize(
    "text, said", [(None, "cannot be read"), ("# nothing\n[kind]\n", "no prompt"), ("x" * 501, "line 1")]
)
def test_a_wrong_list_of_prompts_is_one_sentence(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, said: str
) -> None:
    prompts = tmp_path / "prompts.txt"
    if text is not None:
        prompts.write_text(text)
    assert (
        main(["gallery", "--pack", str(pack), "--out", str(tmp_path / "o"), "--prompts", str(prompts)]) == 2
    )
    error = capsys.readouterr().err
    assert said in error and "Traceback" not in error and not (tmp_path / "o").exists()


def test_films_need_a_blender_that_is_there(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gallery", "--pack", str(pack), "--out", str(tmp_path / "o"), "--blender", "no-such"]) == 2
    assert "no-such" in capsys.readouterr().err
