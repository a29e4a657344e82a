"""``understudy chat``: scripted, piped, resumed, and what is refused before a model is loaded."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from understudy.backend.cli.main import main
from understudy.backend.motion.npz import read_clip

CHARACTER = "name: Mara\nrole: lighthouse keeper\npersonality: gruff\nplaces: {door: [1.5, 0.5]}\n"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))  # nothing speaks, on every machine
    Path("mara.yaml").write_text(CHARACTER, encoding="utf-8")
    Path("bad.yaml").write_text("role: cook\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "The character is missing"),
        (["--character", "none.yaml"], "none.yaml cannot be read"),
        (["--character", "bad.yaml"], "bad.yaml: The request lacks its name."),
        (["--character", "mara.yaml", "--resume"], "nothing to resume without --out"),
        (["--out", "talk", "--resume"], "There is no conversation to resume"),
        (["--character", "mara.yaml", "--endpoint", "http://localhost/v1"], "--model is missing"),
        (["--character", "mara.yaml", "--model", "m"], "--endpoint is missing"),
        (["--character", "mara.yaml", "--fall-back"], "There is no --endpoint"),
        (
            ["--character", "mara.yaml", "--endpoint", "http://far.example/v1", "--model", "m"],
            "the network is not allowed",
        ),
        (
            [
                "--character",
                "mara.yaml",
                "--endpoint",
                "http://localhost/v1",
                "--model",
                "m",
                "--api-key-env",
                "NO_SUCH_KEY",
            ],
            "NO_SUCH_KEY",
        ),
        (["--character", "mara.yaml", "--seed", "-1"], "Seed must be between"),
        (["--character", "mara.yaml", "--user", "here"], "--user needs two numbers"),
        (["--character", "mara.yaml", "--render"], "A film needs a folder"),
    ],
)
def test_wrong_input_is_one_sentence(more: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", *more, "--say", "Hi"]) == 2
    told = capsys.readouterr().err.strip()
    assert words in told and "\n" not in told


def chat(capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    assert main(["chat", "--out", "talk", "--silent", "--json", *more]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_conversation_is_written_and_resumed(capsys: pytest.CaptureFixture[str]) -> None:
    first = chat(capsys, "--character", "mara.yaml", "--say", "I'm Ada.", "--say", "Walk to the door")
    assert [turn["clip"] for turn in first["turns"]] == ["001.npz", "002.npz"]
    assert first["turns"][1]["motion"] == "walks to the door"
    before = read_clip(Path("talk/002.npz"))
    assert before.trans[-1, 0] - before.trans[0, 0] > 1.0

    second = chat(capsys, "--resume", "--say", "What is my name?")
    assert [turn["number"] for turn in second["turns"]] == [3] and "Ada" in second["turns"][0]["text"]
    after = read_clip(Path("talk/003.npz"))
    assert abs(after.trans[0] - before.trans[-1]).max() < 0.05
    stored = json.loads(Path("talk/chat.json").read_text(encoding="utf-8"))
    assert [turn["number"] for turn in stored["turns"]] == [1, 2, 3] and len(stored["memory"]) == 6
    assert sorted(path.name for path in Path("talk").iterdir()) == [
        "001.npz",
        "002.npz",
        "003.npz",
        "chat.json",
    ]

    assert main(["chat", "--character", "mara.yaml", "--out", "talk", "--say", "Hi"]) == 2
    assert "holds a conversation already" in capsys.readouterr().err
    Path("pip.yaml").write_text("name: Pip\n", encoding="utf-8")
    assert main(["chat", "--character", "pip.yaml", "--out", "talk", "--resume", "--say", "Hi"]) == 2
    assert "is with Mara, not with Pip" in capsys.readouterr().err
    Path("talk/chat.json").write_text("[]", encoding="utf-8")
    assert main(["chat", "--out", "talk", "--resume", "--say", "Hi"]) == 2
    assert "is no conversation" in capsys.readouterr().err


def test_lines_are_read_until_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("What do you do?\n\n  \nWave!\n/quit\nnever said\n"))
    assert main(["chat", "--character", "mara.yaml"]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert (
        len(lines) == 2 and "lighthouse keeper" in lines[0] and lines[1].startswith("Mara (neutral, waves)")
    )


def test_a_failing_endpoint_ends_a_scripted_talk_and_keeps_what_was_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    chat(capsys, "--character", "mara.yaml", "--say", "Hello")
    dead = ["--endpoint", "http://127.0.0.1:9/v1", "--model", "m"]
    assert main(["chat", "--out", "talk", "--resume", "--silent", "--say", "Hi", *dead, "--json"]) == 1
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["code"] == "endpoint_unreachable" and error["hint"]
    assert len(json.loads(Path("talk/chat.json").read_text(encoding="utf-8"))["turns"]) == 1
    found = chat(capsys, "--resume", "--say", "Hi", *dead, "--fall-back")
    assert found["turns"][0]["author"] == "offline" and found["turns"][0]["warnings"]


def test_spoken_input_without_a_recogniser(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNDERSTUDY_WHISPER", raising=False)
    Path("said.wav").write_bytes(b"RIFF")
    assert main(["chat", "--character", "mara.yaml", "--speech", "said.wav"]) == 2
    assert "cannot be recognised on this machine" in capsys.readouterr().err
