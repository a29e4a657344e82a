"""``understudy clean``, ``loop``, ``join``: files in, better files out, one sentence for what cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.cli.main import main
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import read_clip, write_clip


def swaying(frames: int = 90) -> Clip:
    """Two seconds of swaying to and fro while gliding over the floor, and one more."""
    time = np.arange(frames) / 30
    poses = np.zeros((frames, 55, 3))
    poses[:, [3, 6], 2] = 0.15 * np.sin(np.pi * time)[:, None]
    poses[:, 16, 2] = -1.2 + 0.3 * np.sin(np.pi * time)
    rng = np.random.default_rng(0)
    poses[:, :22] += 0.01 * rng.normal(size=(frames, 22, 3))
    trans = np.stack([0.1 * time, np.full(frames, 1.29), 0 * time], axis=1)
    return Clip(poses=poses, trans=trans, fps=30.0, meta={"prompt": "sway"})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.npz"
    write_clip(swaying(), path)
    return path


def test_clean_writes_a_better_clip_and_says_by_how_much(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.npz"
    assert main(["clean", str(source), str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    before, after = told["cleanup"]["before"], told["cleanup"]["after"]
    assert after["slide"] < 0.2 * before["slide"]
    assert after["penetration"] < before["penetration"]
    clip = read_clip(out)
    assert clip.meta["cleanup"] == told["cleanup"]
    assert clip.meta["prompt"] == "sway"
    assert main(["clean", str(source), str(out)]) == 0
    assert "feet slide" in capsys.readouterr().out


def test_strength_and_switches(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    assert main(["clean", str(source), str(out), "--strength", "0"]) == 0
    np.testing.assert_allclose(read_clip(out).poses, read_clip(source).poses, atol=1e-6)
    off = ["--no-feet", "--no-floor", "--no-smooth", "--no-limits"]
    assert main(["clean", str(source), str(out), *off]) == 0
    np.testing.assert_allclose(read_clip(out).trans, read_clip(source).trans, atol=1e-6)


def test_loop_finds_a_cycle_and_repeats_it(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.npz"
    assert main(["loop", str(source), str(out), "--times", "3", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    start, stop = told["loop"]["frames"]
    assert told["frames"] == 3 * (stop - start) == len(read_clip(out))
    assert main(["loop", str(source), str(out), "--frames", "10", "70", "--in-place"]) == 0
    clip = read_clip(out)
    assert len(clip) == 60
    assert np.ptp(clip.trans[:, 0]) < 0.05
    assert "10 to 70" in capsys.readouterr().out


def test_join_goes_on_from_where_the_first_was(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    assert main(["join", str(source), str(source), str(out), "--at", "60", "--start", "5", "--clean"]) == 0
    clip = read_clip(out)
    assert len(clip) == 60 + 85
    assert np.abs(np.diff(clip.trans, axis=0)).max() < 0.03


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["clean", "IN", "OUT", "--strength", "2"], "between 0 and 1"),
        (["loop", "IN", "OUT", "--frames", "80", "120"], "no cycle"),
        (["loop", "IN", "OUT", "--times", "0"], "at least once"),
        (["join", "IN", "IN", "OUT", "--at", "100"], "not at 100"),
        (["join", "IN", "gone.npz", "OUT"], "no file"),
    ],
)
def test_wrong_input_is_one_sentence_and_no_file(
    arguments: list[str], sentence: str, source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.npz"
    places = {"IN": str(source), "OUT": str(out)}
    assert main([places.get(argument, argument) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not out.exists()
