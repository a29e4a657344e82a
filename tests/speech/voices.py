"""Voices, music and noise made from numbers, whose syllables and phrases are therefore known to the sample."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter

RATE = 16000
VOWELS = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
"""Formants in Hz of a, i, u, e and o (Peterson and Barney 1952, men)."""


@dataclass(frozen=True)
class Voice:
    """``syllables`` (N, 2) and ``phrases`` (P, 2): seconds from and to; ``accents`` (N,): which are stressed."""

    samples: np.ndarray
    syllables: np.ndarray
    accents: np.ndarray
    phrases: np.ndarray

    def spoken(self, fps: float = 30.0) -> np.ndarray:
        """(T,) whether frame t, centred at t / fps, lies in a phrase."""
        at = np.arange(round(len(self.samples) / RATE * fps)) / fps
        return np.any((at[:, None] >= self.phrases[:, 0]) & (at[:, None] < self.phrases[:, 1]), axis=1)


def speak(seed: int = 0, seconds: float = 20.0, pitch: float = 120.0, pace: float = 4.5, pause: float = 0.7) -> Voice:  # fmt: skip
    """Phrases of four to eleven syllables with pauses; some consonants hiss; pitch falls along a phrase."""
    rng = np.random.default_rng(seed)
    samples = np.zeros(int(seconds * RATE))
    syllables, accents, phrases = [], [], []
    now = 0.4
    while True:
        count = int(rng.integers(4, 12))
        lengths = rng.uniform(0.75, 1.25, count) / pace
        if now + lengths.sum() + 0.2 > seconds:
            break
        begin, stress = now, int(rng.integers(0, 2))
        for index, length in enumerate(lengths):
            accent = index == stress
            if accent:
                stress += int(rng.integers(2, 5))
                length *= 1.2
            hiss = 0.07 if rng.random() < 0.4 else 0.0
            height = pitch * (1.15 - 0.3 * index / count) * (1.25 if accent else 1.0)
            sound = _syllable(rng, length, hiss, height, 1.8 if accent else 1.0)
            at = int(now * RATE)
            sound = sound[: len(samples) - at]
            samples[at : at + len(sound)] += sound
            syllables.append((now + hiss, now + length))
            accents.append(accent)
            now += length
            if now > seconds - 0.3:
                break
        phrases.append((begin, now))
        now += pause * rng.uniform(0.6, 1.4)
    samples *= 0.1 / np.sqrt(np.mean(samples[samples != 0] ** 2))
    return Voice(samples.astype(np.float32), np.array(syllables), np.array(accents), np.array(phrases))


def _syllable(
    rng: np.random.Generator, length: float, hiss: float, pitch: float, strength: float
) -> np.ndarray:
    count = int((length - hiss) * RATE)
    contour = pitch * (1 + 0.06 * np.sin(np.pi * np.arange(count) / count) + 0.01 * rng.standard_normal())
    phase = np.cumsum(contour) / RATE
    pulses = np.diff(np.floor(phase), prepend=0.0)
    source = lfilter([1.0], [1.0, -0.95], pulses) + 0.01 * rng.standard_normal(count)
    for formant in VOWELS[rng.integers(len(VOWELS))]:
        radius = np.exp(-np.pi * 90 / RATE)
        turn = 2 * np.pi * formant / RATE
        source = lfilter([1 - radius], [1.0, -2 * radius * np.cos(turn), radius**2], source)
    rise, fall = min(int(0.03 * RATE), count // 3), min(int(0.07 * RATE), count // 2)
    shape = np.ones(count)
    shape[:rise] = np.linspace(0, 1, rise)
    shape[count - fall :] = np.linspace(1, 0.05, fall)
    vowel = strength * shape * source / np.sqrt(np.mean(source**2) + 1e-12)
    noise = np.diff(rng.standard_normal(int(hiss * RATE) + 1))
    return np.concatenate([0.15 * noise * np.hanning(len(noise) + 2)[1:-1], vowel])


def noise(seconds: float, seed: int = 0, kind: str = "white") -> np.ndarray:
    """``white``, ``pink`` (equal energy an octave) or ``hum`` (50 Hz and its harmonics), at a level of 0.1."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE)
    if kind == "hum":
        at = np.arange(count) / RATE
        made = sum(np.sin(2 * np.pi * 50 * h * at + h) / h for h in (1, 2, 3, 5))
    else:
        spectrum = np.fft.rfft(rng.standard_normal(count))
        if kind == "pink":
            spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20))
        made = np.fft.irfft(spectrum, count)
    return (0.1 * made / np.sqrt(np.mean(made**2))).astype(np.float32)


def in_noise(voice: Voice, decibels: float, kind: str = "white", seed: int = 1) -> np.ndarray:
    """The voice with noise as many dB below it (speech against noise, pauses not counted)."""
    spoken = np.repeat(voice.spoken(RATE / 160), 160)
    level = np.sqrt(np.mean(voice.samples[: len(spoken)][spoken[: len(voice.samples)]] ** 2))
    other = noise(len(voice.samples) / RATE, seed, kind)[: len(voice.samples)]
    return voice.samples + other * (level / 0.1 * 10 ** (-decibels / 20))


def music(seconds: float = 20.0, seed: int = 0, kind: str = "chords") -> np.ndarray:
    """``chords`` (plucked, two a second), ``pad`` (held), ``melody`` (one voice of notes) or ``drums``."""
    rng = np.random.default_rng(seed)
    count = int(seconds * RATE)
    made = np.zeros(count)
    step = {"chords": 0.5, "pad": 2.0, "melody": 0.25, "drums": 0.25}[kind]
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    for index in range(int(seconds / step)):
        at = int(index * step * RATE)
        length = min(int(step * RATE * (1.0 if kind in ("pad", "melody") else 1.6)), count - at)
        time = np.arange(length) / RATE
        if kind == "drums":
            hit = rng.standard_normal(length) * np.exp(-time * (60 if index % 2 else 25))
            made[at : at + length] += hit + (0 if index % 2 else 2 * np.sin(2 * np.pi * 60 * time) * np.exp(-12 * time))  # fmt: skip
            continue
        root = int(rng.integers(0, 7))
        notes = [
            scale[(root + k) % 7] + 12 * ((root + k) // 7) for k in ((0,) if kind == "melody" else (0, 2, 4))
        ]
        fade = np.minimum(1, time / 0.02) * (
            np.exp(-3 * time) if kind == "chords" else np.minimum(1, (time[-1] - time) / 0.05)
        )
        for note in notes:
            pitch = 220 * 2 ** (note / 12)
            made[at : at + length] += fade * sum(
                np.sin(2 * np.pi * pitch * h * time) / h**1.5 for h in range(1, 8)
            )
    return (0.1 * made / np.sqrt(np.mean(made**2))).astype(np.float32)


def f_score(found: np.ndarray, true: np.ndarray, reach: float) -> float:
    """Each true time takes the nearest found one that is left and no farther than ``reach``."""
    left, hits = list(found), 0
    for time in true:
        near = min(left, key=lambda other: abs(other - time), default=np.inf)
        if abs(near - time) <= reach:
            left.remove(near)
            hits += 1
    return 2 * hits / max(len(found) + len(true), 1)
