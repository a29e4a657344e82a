"""Sound files in: mono samples at 16 kHz, a block at a time, so that hours of sound need no memory.

libsndfile (soundfile) decodes wav, flac, ogg, mp3 and what else it knows; soxr resamples. What libsndfile does
not know, such as m4a, goes through the ffmpeg program where there is one.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BadInput

RATE = 16000
"""Samples a second of everything that is measured."""
BLOCK = 2.0
"""Seconds that are read at a time; of a damaged file, what lies before the block that cannot be read is used."""
LONGEST = 6 * 3600.0
"""Seconds of a recording that are taken."""
FPS = 30
"""Frames a second of features and of motion."""

RATES = (1000, 1_000_000)
"""Samples a second that a file may have."""
FFMPEG_SUFFIXES = {".m4a", ".m4b", ".aac", ".mp4", ".mov", ".3gp", ".webm", ".mka", ".mkv"}
"""What goes to the ffmpeg program where libsndfile does not know it."""
SUFFIXES = {
    ".wav",
    ".flac",
    ".ogg",
    ".oga",
    ".opus",
    ".mp3",
    ".aif",
    ".aiff",
    ".au",
    ".caf",
} | FFMPEG_SUFFIXES
"""Of files that are taken for sound by their names."""
_PICTURES = {
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x89PNG": "a PNG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
}
_HINT = "Save the recording as wav, flac, ogg or mp3."
_FULL = 0.999
"""From here a sample may be one that did not fit."""
_LARGEST = 1e6
"""A larger number is no sound; files of floats do go beyond 1."""


@dataclass
class Recording:
    """A sound file that is read from its beginning to its end, once.

    Attributes:
        seconds: length; exact once all blocks are read.
        rate, channels: as in the file.
        warnings: sentences about what is odd, complete once all blocks are read.
    """

    path: Path
    seconds: float
    rate: int
    channels: int
    warnings: list[str] = field(default_factory=list)

    @property
    def frames(self) -> int:
        return frame_count(self.seconds)


def frame_count(seconds: float) -> int:
    """Frames at 30 fps of a recording: as long as the sound to within half a frame, at least one."""
    return max(int(np.floor(seconds * FPS + 0.5)), 1)


def read_blocks(path: Path, seconds: float = BLOCK) -> tuple[Recording, Iterator[np.ndarray]]:
    """The recording and its samples: blocks (n,) float32 mono at :data:`RATE`, in order, without gaps.

    Sample i lies at ``i / RATE`` seconds: nothing drifts, whatever the file's rate.

    Args:
        path: a sound file of any rate and number of channels, which are averaged.
        seconds: the length of a block.

    Raises:
        BadInput: at once or from the blocks: the file is no sound, damaged, empty, far too long, or holds numbers
            that are not finite.
    """
    path = Path(path)
    _check(path)
    import soundfile

    try:
        file = soundfile.SoundFile(path)
    except (OSError, RuntimeError, ValueError, TypeError):
        return _through_ffmpeg(path, seconds)
    found = Recording(path, file.frames / file.samplerate, int(file.samplerate), int(file.channels))
    try:
        if not RATES[0] <= found.rate <= RATES[1]:
            raise _unreadable(path)
        if found.seconds > LONGEST:
            raise _too_long(path)
    except BadInput:
        file.close()
        raise
    return found, _decoded(file, found, seconds)


def read_all(path: Path) -> tuple[Recording, np.ndarray]:
    """The recording and all of its samples (N,); for what is short."""
    found, blocks = read_blocks(path)
    return found, np.concatenate([np.zeros(0, np.float32), *blocks])


def _check(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise BadInput(f"{path.name} is not a file.", field="speech")
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise BadInput(f"{path.name} cannot be read ({error.strerror}).", field="speech") from None
    if not head:
        raise BadInput(f"{path.name} is an empty file.", field="speech")
    for mark, what in _PICTURES.items():
        if head.startswith(mark):
            raise BadInput(f"{path.name} is {what}, not a sound file.", hint=_HINT, field="speech")


def _decoded(file: Any, found: Recording, seconds: float) -> Iterator[np.ndarray]:
    size, promised, count = max(int(seconds * found.rate), 1), file.frames, 0
    mono = _Downmix(found)
    with file:

        def pieces() -> Iterator[np.ndarray]:
            nonlocal count
            while True:
                try:
                    piece = file.read(size, dtype="float32", always_2d=True)
                except (OSError, RuntimeError):
                    if not count:
                        raise _unreadable(found.path) from None
                    piece = np.zeros((0, found.channels), np.float32)
                if not len(piece):
                    return
                count += len(piece)
                if count > LONGEST * found.rate:
                    raise _too_long(found.path)
                yield mono(piece)

        yield from _resampled(pieces(), found.rate)
    if not count:
        raise BadInput(f"{found.path.name} holds no sound.", field="speech")
    found.seconds = count / found.rate
    if promised - count > 0.5 * found.rate:
        found.warnings.append(
            f"The file is cut off or damaged: {found.seconds:.1f} of {promised / found.rate:.1f} seconds could be read."
        )
    mono.judge()


class _Downmix:
    """Averages channels; notices what an average hides."""

    def __init__(self, found: Recording) -> None:
        self.found = found
        self.power = np.zeros(found.channels)
        self.mixed = 0.0
        self.largest = 0.0
        self.full = self.count = 0

    def __call__(self, piece: np.ndarray) -> np.ndarray:
        """(n, channels) to (n,)."""
        loudest = np.abs(piece).max(axis=1)
        if not (loudest < _LARGEST).all():
            raise BadInput(
                f"{self.found.path.name} holds numbers that are not finite, or far too large.",
                hint="Export the recording again.",
                field="speech",
            )
        mono = piece.mean(axis=1)
        self.largest = max(self.largest, float(loudest.max()))
        self.power += np.einsum("nc,nc->c", piece, piece, dtype=np.float64)
        self.mixed += float(np.dot(mono, mono))
        self.full += int((loudest >= _FULL).sum())
        self.count += len(piece)
        return mono

    def judge(self) -> None:
        if self.full > 0.005 * self.count and self.largest <= 1.001:
            self.found.warnings.append("The recording is clipped: it is too loud for its file.")
        if self.mixed < 0.01 * self.power.mean():
            self.found.warnings.append("The channels cancel each other: use one of them alone.")


def _resampled(pieces: Iterator[np.ndarray], rate: int) -> Iterator[np.ndarray]:
    if rate == RATE:
        yield from pieces
        return
    import soxr

    stream = soxr.ResampleStream(rate, RATE, 1, dtype="float32")
    for piece in pieces:
        out = stream.resample_chunk(np.ascontiguousarray(piece))
        if len(out):
            yield out
    out = stream.resample_chunk(np.zeros(0, np.float32), last=True)
    if len(out):
        yield out


def _through_ffmpeg(path: Path, seconds: float) -> tuple[Recording, Iterator[np.ndarray]]:
    """The sound as the ffmpeg program decodes it, already mono and at :data:`RATE`."""
    program = shutil.which("ffmpeg")
    if path.suffix.lower() not in FFMPEG_SUFFIXES:
        raise _unreadable(path) from None
    if program is None:
        raise BadInput(
            f"{path.name} needs the program ffmpeg, which is not on this machine.",
            hint=f"Install ffmpeg. Or: {_HINT[0].lower()}{_HINT[1:]}",
            field="speech",
        )
    # A playlist inside of a file must not open addresses: files alone are read.
    command = [
        program, "-nostdin", "-v", "error", "-protocol_whitelist", "file,pipe", "-i", f"file:{path.resolve()}",
        "-vn", "-ac", "1", "-ar", str(RATE), "-t", str(LONGEST + 1), "-f", "f32le", "pipe:1",
    ]  # fmt: skip
    found = Recording(path, 0.0, RATE, 1)
    blocks = _piped(command, found, seconds)
    # The first block tells whether it can be decoded at all, and only all of them how long it is.
    first = next(blocks)

    def rest() -> Iterator[np.ndarray]:
        yield first
        yield from blocks

    return found, rest()


def _piped(command: list[str], found: Recording, seconds: float) -> Iterator[np.ndarray]:
    size, count = max(int(seconds * RATE), 1) * 4, 0
    mono = _Downmix(found)
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdout is not None
    try:
        while data := child.stdout.read(size):
            piece = np.frombuffer(data[: len(data) // 4 * 4], "<f4")
            count += len(piece)
            if count > LONGEST * RATE:
                raise _too_long(found.path)
            yield mono(piece[:, None])
        failed = child.wait() != 0
    finally:
        with contextlib.suppress(OSError):
            child.kill()
        child.stdout.close()
        child.wait()
    if not count:
        raise BadInput(f"{found.path.name} is damaged, or holds no sound.", hint=_HINT, field="speech")
    found.seconds = count / RATE
    if failed:
        found.warnings.append(f"The file is damaged: {found.seconds:.1f} seconds could be read.")
    mono.judge()


def _unreadable(path: Path) -> BadInput:
    return BadInput(f"{path.name} is damaged, or not a sound file.", hint=_HINT, field="speech")


def _too_long(path: Path) -> BadInput:
    return BadInput(
        f"{path.name} is longer than {LONGEST / 3600:g} hours.", hint="Cut it into parts.", field="speech"
    )
