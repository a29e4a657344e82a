"""What each speech sounds like: a recording of it, or a voice of piper or espeak-ng where one of them is installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from ..errors import BadInput, JobFailed, UnderstudyError
from ..speech.audio import FFMPEG_SUFFIXES, SUFFIXES, read_all
from ..speech.audio import RATE as HEARD
from .fountain import Speech
from .turns import BEAT, RATE, trimmed

PIPER_VARIABLE = "UNDERSTUDY_PIPER"
"""Names a folder of piper voices, ``*.onnx``."""
LONGEST_CALL = 120
"""Seconds that a synthesiser may take for a part of a speech."""
_NUMBER = re.compile(r"0*(\d{1,6})(?!\d)")
ESPEAK = ("+m3", "+f3", "+m7", "+f4")
"""Variants of a language's voice, one for each speaker."""


class Synthesiser(Protocol):
    """Says a text."""

    def say(self, text: str, speaker: int, voice: str | None, out: Path) -> None:
        """Write a text that is spoken to a WAV file.

        Args:
            text: in one line.
            speaker: which of them, from 0; each sounds different.
            voice: of this synthesiser, where the user chose one.
            out: the file to write.
        """


class Espeak:
    """The program espeak-ng (or espeak)."""

    def __init__(self, program: str, language: str) -> None:
        self.program, self.language = program, language

    def say(self, text: str, speaker: int, voice: str | None, out: Path) -> None:
        chosen = voice or f"{self.language}{ESPEAK[speaker % len(ESPEAK)]}"
        _run([self.program, "-v", chosen, "-s", "165", "-w", str(out), "--stdin"], text, out)


class Piper:
    """The program piper with voices ``*.onnx`` of a folder."""

    def __init__(self, program: str, models: Sequence[Path]) -> None:
        self.program, self.models = program, models

    def say(self, text: str, speaker: int, voice: str | None, out: Path) -> None:
        model = voice or str(self.models[speaker % len(self.models)])
        _run([self.program, "--model", model, "--output_file", str(out)], text, out)


def find_synthesiser(language: str = "en") -> Synthesiser | None:
    """piper where it and voices for it are installed, else espeak-ng, else nothing."""
    folder = os.environ.get(PIPER_VARIABLE)
    models = sorted(Path(folder).glob("*.onnx")) if folder else []
    if models and (program := shutil.which("piper")):
        return Piper(program, models)
    program = shutil.which("espeak-ng") or shutil.which("espeak")
    return Espeak(program, language) if program else None


def recordings_of(source: Path) -> dict[int, Path]:
    """Recordings by the number of their speech, from 1.

    Args:
        source: a folder of files whose names begin with the number (``3.wav``, ``03-anna.flac``), or a JSON file
            ``{"3": "anna-3.wav"}`` with paths from its own folder.

    Raises:
        BadInput: it is neither, or a recording is named twice or is not there.
    """
    if source.is_dir():
        found: dict[int, Path] = {}
        for path in sorted(source.iterdir()):
            number = _NUMBER.match(path.name)
            if number is None or path.suffix.lower() not in {*SUFFIXES, *FFMPEG_SUFFIXES}:
                continue
            if int(number[1]) in found:
                raise BadInput(
                    f"{found[int(number[1])].name} and {path.name} are both of speech {number[1]}.",
                    field="voices",
                )
            found[int(number[1])] = path
        if not found:
            raise BadInput(
                f"{source} holds no recording that is named by the number of its speech.",
                hint="Name them 1.wav, 2.wav and so on.",
                field="voices",
            )
        return found
    try:
        mapping = json.loads(source.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadInput(f"{source} cannot be read: {error.strerror}.", field="voices") from error
    except ValueError as error:
        raise BadInput(f"{source.name} is neither a folder nor JSON.", field="voices") from error
    if not isinstance(mapping, dict) or not all(
        key.isascii() and key.isdecimal() and isinstance(value, str) for key, value in mapping.items()
    ):
        raise BadInput(f'{source.name} must look like {{"1": "anna.wav"}}.', field="voices")
    recordings = {int(key): source.parent / value for key, value in mapping.items()}
    missing = next((number for number, path in recordings.items() if not path.is_file()), None)
    if missing is not None:
        raise BadInput(f"There is no recording {recordings[missing]} of speech {missing}.", field="voices")
    return recordings


def spoken(
    speeches: Sequence[Speech],
    speakers: Sequence[str],
    recordings: Mapping[int, Path],
    synthesiser: Synthesiser | None,
    chosen: Mapping[str, str],
    folder: Path,
    on_speech: Callable[[int], None] = lambda done: None,
) -> list[np.ndarray]:
    """The sound of each speech: samples (N,) at :data:`.turns.RATE`, without silence at its ends.

    Args:
        speeches: of a screenplay.
        speakers: their names; the place of each decides its voice.
        recordings: by the number of the speech; the others are synthesised.
        synthesiser: what says the others, where there is one.
        chosen: voices of the synthesiser by speaker.
        folder: an existing one for files on the way.
        on_speech: called with how many are done, after each; it may raise to cancel.

    Raises:
        BadInput: a recording cannot be used, or a speech has none and nothing can say it.
        JobFailed: the synthesiser failed.
    """
    found = []
    for speech in speeches:
        path = recordings.get(speech.number)
        if path is not None:
            try:
                sound = trimmed(_read(path))
            except UnderstudyError as error:
                message = f"Speech {speech.number}: {error.message}"
                raise BadInput(message, hint=error.hint, field="voices") from error
            if not len(sound):
                raise BadInput(f"Speech {speech.number}: {path.name} is silent.", field="voices")
        elif synthesiser is None:
            raise BadInput(
                f"Speech {speech.number} of {speech.speaker} (line {speech.line}) has no recording, and neither "
                "espeak-ng nor piper is installed.",
                hint="Install espeak-ng, or give a recording of every speech with --voices.",
                field="voices",
            )
        else:
            sound = _said(
                speech, speakers.index(speech.speaker), synthesiser, chosen.get(speech.speaker), folder
            )
        found.append(sound)
        on_speech(len(found))
    return found


def _said(
    speech: Speech, speaker: int, synthesiser: Synthesiser, voice: str | None, folder: Path
) -> np.ndarray:
    pieces: list[np.ndarray] = []
    for number, part in enumerate(speech.parts):
        out = folder / f"{speech.number}-{number}.wav"
        synthesiser.say(" ".join(part.split()), speaker, voice, out)
        if pieces:
            pieces.append(np.zeros(round(BEAT * RATE), np.float32))
        pieces.append(trimmed(_read(out)))
    sound = np.concatenate(pieces)
    if not sound.any():
        raise JobFailed(
            f"Speech {speech.number} of {speech.speaker} (line {speech.line}) could not be spoken."
        )
    return sound


def _read(path: Path) -> np.ndarray:
    """Samples (N,) float32, mono."""
    import soundfile
    import soxr

    samples, rate = read_all(path)[1], HEARD  # it says what is wrong with a file
    try:
        whole, own = soundfile.read(path, dtype="float32", always_2d=True)
        samples, rate = whole.mean(axis=1), int(own)
    except (soundfile.SoundFileError, OSError, ValueError):
        pass  # through ffmpeg, at the rate at which speech is heard
    return np.asarray(soxr.resample(samples, rate, RATE), np.float32)


def _run(command: list[str], text: str, out: Path) -> None:
    """Run a synthesiser with the text on its standard input.

    Raises:
        JobFailed: it cannot be run, takes too long, or writes nothing.
    """
    name = Path(command[0]).stem
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, encoding="utf-8", errors="replace", timeout=LONGEST_CALL
        )
    except subprocess.TimeoutExpired as error:
        raise JobFailed(f"{name} took more than {LONGEST_CALL} seconds.") from error
    except OSError as error:
        raise JobFailed(f"{name} cannot be run: {error.strerror}.") from error
    if done.returncode or not out.is_file() or not out.stat().st_size:
        words = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1].rstrip(".")
        raise JobFailed(f"{name} could not say a line: {words}.")
