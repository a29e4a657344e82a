"""The sound of each speech: recordings by number or by name, synthesisers, and what is missing."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from understudy.backend.dialogue import voices
from understudy.backend.dialogue.fountain import Speech
from understudy.backend.dialogue.turns import RATE
from understudy.backend.errors import BadInput, JobFailed

SPEECHES = [Speech(1, 3, "ANNA", ("Hello there.",)), Speech(2, 6, "BEN", ("Well.", "No."))]
NAMES = ["ANNA", "BEN"]


def record(path: Path, seconds: float = 1.0, rate: int = 48000) -> Path:
    """A tone between half a second of silence on either side."""
    tone = 0.3 * np.sin(2 * np.pi * 200 * np.arange(int(seconds * rate)) / rate)
    soundfile.write(path, np.pad(tone, rate // 2), rate)
    return path


class Toned:
    """Says everything in tones, higher for each speaker."""

    def __init__(self) -> None:
        self.said: list[tuple[str, int, str | None]] = []

    def say(self, text: str, speaker: int, voice: str | None, out: Path) -> None:
        self.said.append((text, speaker, voice))
        record(out, rate=16000)


def test_recordings_by_number_and_by_mapping(tmp_path: Path) -> None:
    one, two = record(tmp_path / "01-anna.wav"), record(tmp_path / "2.flac")
    (tmp_path / "notes.txt").write_text("3")
    assert voices.recordings_of(tmp_path) == {1: one, 2: two}
    table = tmp_path / "voices.json"
    table.write_text(json.dumps({"2": "01-anna.wav"}))
    assert voices.recordings_of(table) == {2: one}
    record(tmp_path / "1.wav")
    with pytest.raises(BadInput, match=r"are both of speech 0?1"):
        voices.recordings_of(tmp_path)


@pytest.mark.parametrize("text", ["[1]", '{"one": "a.wav"}', '{"1": 2}', "{", '{"1": "none.wav"}'])
def test_a_mapping_that_cannot_be_used_is_one_sentence(tmp_path: Path, text: str) -> None:
    table = tmp_path / "voices.json"
    table.write_text(text)
    with pytest.raises(BadInput):
        voices.recordings_of(table)


def test_recordings_come_first_and_voices_fill_the_rest(tmp_path: Path) -> None:
    record(tmp_path / "1.wav")
    toned = Toned()
    found = voices.spoken(SPEECHES, NAMES, voices.recordings_of(tmp_path), toned, {"BEN": "deep"}, tmp_path)
    assert toned.said == [("Well.", 1, "deep"), ("No.", 1, "deep")]
    assert len(found[0]) / RATE == pytest.approx(1.0, abs=0.1)  # without the silence around it
    assert len(found[1]) / RATE == pytest.approx(2.0 + 0.7, abs=0.2)  # and a beat between


def test_without_a_recording_and_a_synthesiser_it_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        voices.spoken(SPEECHES, NAMES, {}, None, {}, tmp_path)
    assert error.value.message == (
        "Speech 1 of ANNA (line 3) has no recording, and neither espeak-ng nor piper is installed."
    )


def test_a_recording_that_is_none_is_told_by_its_speech(tmp_path: Path) -> None:
    bad = tmp_path / "1.wav"
    bad.write_bytes(b"\x89PNG....")
    with pytest.raises(BadInput, match=r"Speech 1: 1\.wav is a PNG picture"):
        voices.spoken(SPEECHES, NAMES, {1: bad}, None, {}, tmp_path)
    soundfile.write(bad, np.zeros(8000), 16000)
    with pytest.raises(BadInput, match=r"Speech 1: 1\.wav is silent"):
        voices.spoken(SPEECHES, NAMES, {1: bad}, None, {}, tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="programs are scripts here")
def test_programs_get_argument_lists_and_the_text_on_their_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(voices.PIPER_VARIABLE, raising=False)
    assert voices.find_synthesiser() is None
    _program(tmp_path / "espeak-ng", "out, args = sys.argv[sys.argv.index('-w') + 1], sys.argv[1:]")
    espeak = voices.find_synthesiser("de")
    assert isinstance(espeak, voices.Espeak)
    seen = []
    for speaker in (0, 1):
        espeak.say("; rm -rf $HOME", speaker, None, tmp_path / "out.json")
        seen.append(json.loads((tmp_path / "out.json").read_text()))
    assert seen[0][1] == "; rm -rf $HOME" and "; rm -rf $HOME" not in seen[0][0]
    chosen = [args[args.index("-v") + 1] for args, _ in seen]
    assert chosen[0] != chosen[1] and all(name.startswith("de") for name in chosen)

    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.onnx").touch()
    monkeypatch.setenv(voices.PIPER_VARIABLE, str(tmp_path / "models"))
    _program(tmp_path / "piper", "sys.exit('the model is broken')")
    piper = voices.find_synthesiser()
    assert isinstance(piper, voices.Piper)
    with pytest.raises(JobFailed, match="piper could not say a line: the model is broken"):
        piper.say("Hi", 0, None, tmp_path / "none.wav")


def _program(path: Path, does: str) -> None:
    path.write_text(
        f"#!{sys.executable}\nimport json, sys\n{does}\njson.dump([args, sys.stdin.read()], open(out, 'w'))\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
