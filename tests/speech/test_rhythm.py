"""A voice's rhythm lies where its syllables, accents, loud places and pauses are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from understudy.backend.motion.rhythm import bumps
from understudy.backend.speech.features import SpeechFeatures, features_of
from understudy.backend.speech.rhythm import LEAD, QUIET, SPACING, accents, phrases, syllables, voice_rhythm

from .voices import RATE, Voice, f_score, in_noise, music, noise, speak


@pytest.mark.parametrize(("decibels", "least"), [(60, 0.95), (10, 0.95), (0, 0.8)])
def test_syllables_are_found(decibels: float, least: float) -> None:
    scores = []
    for seed, pitch in ((0, 120.0), (1, 210.0)):
        made = speak(seed, pitch=pitch)
        found = syllables(features_of(in_noise(made, decibels)))
        scores.append(f_score(found, made.syllables[:, 0], 0.05))
    assert np.mean(scores) >= least


@pytest.mark.parametrize("decibels", [60, 5])
def test_accents_are_the_stressed_syllables(decibels: float) -> None:
    """Within a tenth of a second of the middle of the first half, where the pitch is highest."""
    scores, chance = [], []
    for seed in range(3):
        made = speak(seed, 30.0)
        found = accents(features_of(in_noise(made, decibels)))
        stressed = made.syllables[made.accents, 0] + 0.09
        scores.append(f_score(found, stressed, 0.1))
        others = np.random.default_rng(seed).choice(made.syllables[:, 0], len(found), replace=False) + 0.09
        chance.append(f_score(others, stressed, 0.1))
    assert np.mean(scores) > 0.8
    assert np.mean(scores) > np.mean(chance) + 0.25


def test_beats_are_no_more_than_hands_can_do(voice: Voice, features: SpeechFeatures) -> None:
    beats = accents(features)
    spoken = voice.spoken().mean() * features.seconds
    assert 1.0 <= len(beats) / spoken <= 1.0 / SPACING
    assert np.diff(beats).min() >= 0.2


def test_channels(voice: Voice, features: SpeechFeatures) -> None:
    rhythm = voice_rhythm(features)
    assert rhythm.shape == (len(features), 3)
    assert rhythm.dtype == np.float32
    assert rhythm.min() >= 0 and rhythm.max() <= 1
    at = np.round(accents(features) * 30).astype(int)
    np.testing.assert_allclose(rhythm[at, 0], 1.0, atol=1e-6)
    np.testing.assert_allclose(rhythm[:, 0], bumps(accents(features), len(features)), atol=1e-6)


def test_energy_follows_loudness(voice: Voice) -> None:
    """The second half is spoken four times as loud."""
    samples = voice.samples.copy()
    samples[len(samples) // 2 :] *= 4
    features = features_of(samples)
    energy = voice_rhythm(features)[:, 1]
    heard = features.activity > 0.5
    first = np.arange(len(energy)) < len(energy) // 2
    assert energy[heard & ~first].mean() > energy[heard & first].mean() + 0.15
    assert spearmanr(energy[heard], features.loudness[heard]).statistic > 0.5
    assert energy[heard].min() > 0.3 * QUIET


def test_silence_rests(features: SpeechFeatures) -> None:
    long = speak(3, 20.0, pause=2.5)
    rhythm = voice_rhythm(features_of(long.samples))
    at = np.arange(len(rhythm)) / 30
    away = np.min(np.abs(at[:, None] - long.phrases.reshape(-1)), axis=1) > LEAD + 0.4
    silent = away & ~long.spoken()
    assert silent.sum() > 60
    assert rhythm[silent].max() < 0.02
    assert rhythm[away & long.spoken(), 2].min() > 0.98


@pytest.mark.parametrize(
    "samples", [np.zeros(3 * RATE), noise(3.0), noise(0.05)], ids=["silence", "noise", "short"]
)
def test_no_speech_has_no_rhythm(samples: np.ndarray) -> None:
    assert voice_rhythm(features_of(samples)).max() == 0.0


def test_short_pauses_do_not_end_a_phrase() -> None:
    made = speak(1, 20.0, pause=0.3)
    talking = phrases(features_of(made.samples))
    inside = slice(int(made.phrases[0, 1] * 30), int(made.phrases[-2, 0] * 30))
    assert talking[inside].min() > 0.9


def test_music_has_a_rhythm_all_the_same() -> None:
    """A warning, not a failure: the performance goes with whatever is heard."""
    rhythm = voice_rhythm(features_of(music(kind="chords")))
    assert rhythm[:, 0].max() == pytest.approx(1.0)
