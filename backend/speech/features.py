"""A voice as numbers, 30 times a second: what gestures, rhythm and the mouth follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .activity import VOICED, speech_activity, speech_level, what_is_heard
from .audio import FPS, RATE, frame_count, read_blocks
from .spectrum import HOP, MELS, TINY, Analysis, Looks

LOOKS = RATE // HOP
"""Looks a second of the analysis; ten of them are three frames."""
_HALF = LOOKS / FPS
"""A frame weighs the looks around it with a triangle that reaches to its neighbours."""
_AROUND = np.arange(-3, 5)
_USUAL = 31
"""Looks (0.3 s) whose mean rise is usual; what is above it is an onset."""
FLOOR = -14.0
"""Natural log of energy (about -61 dB) below which the mel is cut: nobody hears it."""
QUIETEST = -60.0
"""dB to speech at which loudness ends."""
WIDEST = 1.8
"""How many times its median over two seconds a voice's pitch may be, or the inverse."""
FAINTEST = -30.0
"""dB to speech below which a pitch is a room's, not a voice's."""


@dataclass(frozen=True)
class SpeechFeatures:
    """What is heard, at 30 frames a second; frame t is centred at ``t / 30`` seconds.

    Attributes:
        mel: (T, 80) natural log of mel energies, 20 Hz to 8 kHz; 0 is a band's mean energy in this recording's
            speech, cut at -14.
        onset: (T,) how strongly something begins, from 0; strong onsets of speech are near 1.
        loudness: (T,) dB, 0 is the level of this recording's speech, cut at -60.
        pitch: (T,) Hz, 0 where unvoiced.
        voiced: (T,) 0 or 1.
        activity: (T,) 0 to 1, how likely somebody speaks.
        seconds: length of the recording.
        warnings: sentences about what is odd: no speech, music, clipping.
        fps: frames a second, always 30.
    """

    mel: np.ndarray
    onset: np.ndarray
    loudness: np.ndarray
    pitch: np.ndarray
    voiced: np.ndarray
    activity: np.ndarray
    seconds: float
    warnings: tuple[str, ...] = field(default=())
    fps: float = float(FPS)

    def __len__(self) -> int:
        return len(self.onset)

    @property
    def share(self) -> float:
        """How much of the recording is speech, 0 to 1."""
        return float((self.activity > 0.5).mean())


def speech_features(path: Path, on_block: Callable[[], None] | None = None) -> SpeechFeatures:
    """The features of a sound file, read a block at a time.

    Args:
        path: the file.
        on_block: called before every block, some seconds; it may raise to cancel.

    Raises:
        BadInput: the file cannot be used; see :func:`.audio.read_blocks`.
    """
    recording, blocks = read_blocks(Path(path))
    return features_of_blocks(blocks if on_block is None else _told(blocks, on_block), recording.warnings)


def _told(blocks: Iterable[np.ndarray], on_block: Callable[[], None]) -> Iterator[np.ndarray]:
    for block in blocks:
        on_block()
        yield block


def features_of(samples: np.ndarray) -> SpeechFeatures:
    """The features of mono samples (N,) at 16 kHz."""
    return features_of_blocks([np.asarray(samples, np.float32)])


def features_of_blocks(blocks: Iterable[np.ndarray], warnings: Sequence[str] = ()) -> SpeechFeatures:
    """The features of mono samples at 16 kHz that come in blocks, beside warnings that are complete after them."""
    analysis, frames, looks, count = Analysis(), _Frames(), list[Looks](), 0
    for block in blocks:
        count += len(block)
        looks.append(frames.take(analysis.push(block)))
    looks.append(frames.take(analysis.finish()))
    flux, looked, pitch, harmonicity = (
        np.concatenate([getattr(look, name) for look in looks], dtype=np.float32)
        for name in ("flux", "power", "pitch", "harmonicity")
    )
    length = frame_count(count / RATE)
    mel, power = frames.finish(length), at_frames(looked, length)
    pitch, harmonicity = _steady(pitch), _steady(harmonicity)
    activity = speech_activity(mel, power, at_frames(harmonicity, length))
    heard = activity > 0.5
    loudness = np.maximum(10 * np.log10(power / speech_level(power, activity) + TINY), QUIETEST)
    nearest = np.minimum((np.arange(length) * 20 + 3) // 6, len(pitch) - 1)
    voiced = (harmonicity[nearest] > VOICED) & (loudness > FAINTEST)
    pitch = _of_one_voice(np.where(voiced, pitch[nearest], 0.0))
    voiced = pitch > 0
    said = what_is_heard(power, pitch, activity)
    _to_log(mel, heard)
    return SpeechFeatures(
        mel=mel,
        onset=_onsets(flux, length, heard).astype(np.float32),
        loudness=loudness.astype(np.float32),
        pitch=pitch.astype(np.float32),
        voiced=voiced.astype(np.float32),
        activity=activity.astype(np.float32),
        seconds=count / RATE,
        warnings=(*warnings, *said),
    )


class _Frames:
    """Looks' mel energies to frames, as they come, so that the looks' need not be kept."""

    def __init__(self) -> None:
        self._kept = np.zeros((0, MELS), np.float32)
        self._first = 0
        self._frames: list[np.ndarray] = []
        self._count = 0

    def take(self, looks: Looks) -> Looks:
        """The looks without their mel, which is taken in."""
        self._kept = np.concatenate([self._kept, looks.mel])
        end = self._first + len(self._kept)
        last = int((end - 1 - _AROUND[-1]) // _HALF)
        if last >= self._count:
            self._give(last + 1)
        return Looks(np.zeros((0, MELS), np.float32), looks.flux, looks.power, looks.pitch, looks.harmonicity)

    def finish(self, length: int) -> np.ndarray:
        """(length, 80) mel energies."""
        self._give(length)
        mel = np.concatenate(self._frames)[:length]
        self._frames.clear()
        return mel

    def _give(self, end: int) -> None:
        if end > self._count:
            self._frames.append(_weighed(self._kept, np.arange(self._count, end), self._first))
            self._count = end
            keep = max(int(end * _HALF) + _AROUND[0] - self._first, 0)
            self._kept, self._first = self._kept[keep:], self._first + keep


def at_frames(values: np.ndarray, length: int) -> np.ndarray:
    """(length,) at 30 fps of looks (K,): means weighed by a triangle as wide as two frames."""
    return _weighed(values, np.arange(length), 0)


def _weighed(values: np.ndarray, frames: np.ndarray, first: int) -> np.ndarray:
    """Means of looks (K, ...) that begin at look ``first`` around frames (n,)."""
    centre = frames * _HALF
    # Ten looks are three frames: whole numbers keep an hour exact.
    index = (frames * 10 // 3)[:, None] + _AROUND
    weight = np.maximum(1 - np.abs(index - centre[:, None]) / _HALF, 0.0)
    weight /= weight.sum(axis=1, keepdims=True)
    inside = np.clip(index - first, 0, len(values) - 1)
    return np.einsum("nk,nk...->n...", weight.astype(np.float32), values[inside].astype(np.float32))


def _onsets(flux: np.ndarray, length: int, heard: np.ndarray) -> np.ndarray:
    """(length,) the strongest of the looks of each frame, less what is usual around, where somebody speaks."""
    padded = np.pad(flux, _USUAL // 2, mode="edge")
    usual = np.convolve(padded, np.ones(_USUAL) / _USUAL, mode="valid")
    sharp = np.maximum(flux - usual, 0.0)
    index = np.clip((np.arange(length) * 10 // 3)[:, None] + np.arange(-1, 3), 0, len(flux) - 1)
    # The frame before the first that is heard may hold the beginning of it.
    strong = np.where(heard | np.append(heard[1:], False), sharp[index].max(axis=1), 0.0)
    scale = np.percentile(strong[heard], 95) if heard.any() else 0.0
    return strong / scale if scale > 0 else strong


def _of_one_voice(pitch: np.ndarray) -> np.ndarray:
    """Pitch (T,) without what is far from the voice around: mistakes by an octave, and what is no voice."""
    kept = pitch.copy()
    for start in range(0, len(pitch), FPS // 2):
        near = pitch[max(start - FPS, 0) : start + 3 * FPS // 2]
        now = kept[start : start + FPS // 2]
        if (near > 0).any():
            usual = np.median(near[near > 0])
            now[(now > usual * WIDEST) | (now < usual / WIDEST)] = 0.0
    return kept


def _to_log(mel: np.ndarray, heard: np.ndarray) -> None:
    """Energies to natural log over the mean energy of speech, in place: of all that is kept this is the largest."""
    each = mel.mean(axis=1, dtype=np.float64)
    usual = max(float(each[heard].mean() if heard.any() else each.mean()), TINY)
    np.maximum(mel, usual * np.exp(FLOOR), out=mel)
    np.divide(mel, usual, out=mel)
    np.log(mel, out=mel)


def _steady(values: np.ndarray) -> np.ndarray:
    """Median of five looks: no single look jumps an octave or loses its voice."""
    padded = np.pad(values, 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
