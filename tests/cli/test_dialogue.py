"""``understudy dialogue``: what is refused before any model is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from understudy.backend.cli.main import main

SCRIPT = "ANNA\nHi.\n\nBEN\nHo.\n"


@pytest.mark.parametrize(
    ("script", "more", "words"),
    [
        ("ANNA\nHi.\n", [], "needs two speakers, this one has 1: ANNA"),
        (SCRIPT + "\nCARL\nHey.\n", [], "this one has 3: ANNA, BEN, CARL"),
        ("Nothing.\n", [], "Nobody says anything"),
        (SCRIPT, ["--distance", "0.5"], "The distance must be 0.8 to 2.5 metres, not 0.5"),
        (SCRIPT, ["--distance", "nan"], "The distance must be"),
        (SCRIPT, ["--seed", "-1"], "The seed must be"),
        (SCRIPT, ["--voice", "CARL=x"], "with a speaker of the screenplay (ANNA, BEN)"),
        (SCRIPT, ["--voices", "nowhere"], "cannot be read"),
        (SCRIPT, ["--by", "retrieval"], "Retrieval needs a library"),
        (SCRIPT, ["--library", "clips"], "a library is for retrieval"),
        (SCRIPT, ["--render", "film.avi"], "must end in .mp4"),
        (SCRIPT, ["--render", "film.mp4", "--resolution", "big"], "Resolution must look like"),
        (SCRIPT, ["--render", "film.mp4", "--blender", "/no/such/blender"], "There is no program"),
    ],
)
def test_wrong_input_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str,
    more: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.fountain").write_text(script, encoding="utf-8")
    assert main(["dialogue", "a.fountain", "--out", "scene", *more]) == 2
    told = capsys.readouterr().err.strip()
    assert words in told and "\n" not in told
    assert not list(tmp_path.glob("scene/*"))


def test_without_any_voice_it_is_one_clear_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    Path("a.fountain").write_text(SCRIPT, encoding="utf-8")
    assert main(["dialogue", "a.fountain", "--out", "scene"]) == 2
    assert "neither espeak-ng nor piper is installed." in capsys.readouterr().err
