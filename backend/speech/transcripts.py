"""What is said, from a file: subtitles, TextGrids, plain text; or recognised, where a model is on this machine."""

from __future__ import annotations

import html
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import BadInput, JobFailed
from .alignment import align
from .audio import read_all
from .features import SpeechFeatures
from .textgrid import Label, decoded, is_textgrid, parse_textgrid, read_textgrid
from .words import Transcript, Word, split, spread

LARGEST = 4 << 20
"""Bytes; a larger text is no transcript."""
LONGEST_PATH = 4096
"""Characters; a longer line is no path."""
SUBTITLES = (".srt", ".vtt")
MODEL_VARIABLE = "UNDERSTUDY_WHISPER"
"""Names the folder of a faster-whisper model; without it nothing is recognised."""

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[,.](\d{1,3})"
_CUE = re.compile(_TIME + r"\s*-->\s*" + _TIME)
_TAG = re.compile(r"<[^<>]*>|\{\\[^{}]*\}")
_WORD_TIER = re.compile(r"word|ort", re.IGNORECASE)


def transcript_of(source: str, features: SpeechFeatures) -> Transcript:
    """What is said, from the text itself or from a file.

    Args:
        source: the path of a ``.srt``, ``.vtt``, ``.TextGrid`` or ``.txt`` file, or what such a file holds.
        features: of the recording.

    Raises:
        BadInput: the file cannot be used, or no word is in it.
    """
    short = len(source) < LONGEST_PATH and "\n" not in source.strip()
    if short and Path(source.strip()).suffix.lower() in (*SUBTITLES, ".textgrid", ".txt"):
        return read_transcript(Path(source.strip()), features)
    if len(source) > LARGEST:
        raise BadInput("The transcript is too large.", field="transcript")
    if is_textgrid(source):
        return _within(_words_of_tiers(parse_textgrid(source, "The transcript")), features)
    if _CUE.search(source):
        return _of_cues(cues_of(source, "The transcript"), features)
    return align(source, features)


def read_transcript(path: Path, features: SpeechFeatures) -> Transcript:
    """The words of a file; times of a TextGrid are kept, cues of subtitles are filled by their words' syllables.

    Raises:
        BadInput: the file is damaged, empty, or of a kind that is not known.
    """
    suffix = path.suffix.lower()
    if suffix == ".textgrid":
        return _within(_words_of_tiers(read_textgrid(path)), features)
    if suffix in SUBTITLES:
        return _of_cues(read_cues(path), features)
    if suffix == ".txt":
        return align(_read_text(path), features)
    raise BadInput(
        f"{path.name} is no transcript.", hint="Use a .txt, .srt, .vtt or .TextGrid file.", field="transcript"
    )


def recognised(path: Path, model: Path | None = None) -> Transcript | None:
    """The words of a recording by faster-whisper; None without the module or its model. Nothing is downloaded.

    Args:
        model: the folder of a model; else the one that the variable ``UNDERSTUDY_WHISPER`` names.

    Raises:
        BadInput: the recording cannot be used.
        JobFailed: the model cannot be used.
    """
    folder = model or (Path(os.environ[MODEL_VARIABLE]) if os.environ.get(MODEL_VARIABLE) else None)
    if folder is None or not (folder / "model.bin").is_file():
        return None
    try:
        from faster_whisper import WhisperModel
    except ImportError:
        return None
    _, samples = read_all(path)
    try:
        network = WhisperModel(str(folder), device="cpu", compute_type="int8", local_files_only=True)
        segments, _ = network.transcribe(samples, word_timestamps=True)
        words = [word for segment in segments for word in segment.words or ()]
    except (OSError, RuntimeError, ValueError) as error:
        raise JobFailed(f"The faster-whisper model in {folder} cannot be used ({error}).") from None
    return Transcript(
        tuple(Word(w.word.strip(), float(w.start), float(w.end)) for w in words if w.word.strip())
    )


def read_cues(path: Path) -> list[tuple[str, float, float]]:
    """Text, from and to in seconds of the cues of subtitles (SRT, WebVTT), in the order of time.

    Raises:
        BadInput: the file cannot be read, or has no cue.
    """
    return cues_of(_read_text(path), path.name)


def cues_of(text: str, name: str) -> list[tuple[str, float, float]]:
    """As :func:`read_cues`, of the text itself; ``name`` is for sentences about it.

    Raises:
        BadInput: there is no cue in it.
    """
    lines = text.splitlines()
    cues, index = [], 0
    while index < len(lines):
        found = _CUE.search(lines[index])
        index += 1
        if not found:
            continue
        spoken = []
        while index < len(lines) and lines[index].strip() and not _CUE.search(lines[index]):
            spoken.append(lines[index])
            index += 1
        if index < len(lines) and _CUE.search(lines[index]) and spoken and spoken[-1].strip().isdecimal():
            spoken.pop()  # the next cue's number, without an empty line before it
        start, end = _seconds(found.groups()[:4]), _seconds(found.groups()[4:])
        said = html.unescape(_TAG.sub("", " ".join(spoken))).strip()
        if said and end > start:
            cues.append((said, start, end))
    if not cues:
        raise BadInput(f"{name} has no subtitles in it.", field="transcript")
    return sorted(cues, key=lambda cue: cue[1:])


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction}")


def _in_cue(text: str, start: float, end: float, features: SpeechFeatures) -> list[Word]:
    """The words of a cue, over the speech that is heard in it."""
    first, last = round(start * features.fps), min(round(end * features.fps), len(features))
    heard = np.flatnonzero(features.activity[first:last] > 0.5)
    if len(heard):
        start, end = (
            max(start, (first + heard[0]) / features.fps),
            min(end, (first + heard[-1] + 1) / features.fps),
        )
    return spread(split(text), start, end)


def _of_cues(cues: Sequence[tuple[str, float, float]], features: SpeechFeatures) -> Transcript:
    return _within([word for cue in cues for word in _in_cue(*cue, features)], features)


def _words_of_tiers(tiers: Mapping[str, Sequence[Label]]) -> list[Word]:
    name = next((name for name in tiers if _WORD_TIER.search(name)), next(iter(tiers)))
    return [Word(*label) for label in tiers[name] if label.end > label.start]


def _within(words: list[Word], features: SpeechFeatures) -> Transcript:
    """Words that begin within the recording; what is after it is said so."""
    inside = [
        word._replace(end=min(word.end, features.seconds)) for word in words if word.start < features.seconds
    ]
    if not inside:
        raise BadInput("The transcript has no words within the recording.", field="transcript")
    late = len(words) - len(inside)
    warnings = (f"{late} words of the transcript come after the end of the recording.",) if late else ()
    return Transcript(tuple(sorted(inside, key=lambda word: word.start)), warnings)


def _read_text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST:
            raise BadInput(f"{path.name} is too large for a transcript.", field="transcript")
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read ({error.strerror}).", field="transcript") from None
    try:
        text = decoded(data)
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise BadInput(f"{path.name} is not a text.", field="transcript")
    return text
