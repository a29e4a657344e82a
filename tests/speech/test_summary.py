"""A recording in a few numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from understudy.backend.speech.features import features_of
from understudy.backend.speech.summary import BARS, outline, summary_of

from .voices import RATE, Voice


def test_a_voice_in_numbers(tmp_path: Path, voice: Voice) -> None:
    soundfile.write(tmp_path / "v.flac", np.stack([voice.samples] * 2, axis=1), RATE)
    found = summary_of(tmp_path / "v.flac")
    assert (found.seconds, found.frames, found.rate, found.channels) == (20.0, 600, RATE, 2)
    assert found.voice_share == pytest.approx(voice.spoken().mean(), abs=0.03)
    assert found.pitch == pytest.approx(125, abs=15)
    spoken = voice.spoken().mean() * 20
    assert found.syllables_per_second == pytest.approx(len(voice.syllables) / spoken, rel=0.15)
    assert 1.0 < found.accents_per_second < 2.3
    assert found.warnings == ()


def test_the_outline_is_high_where_it_is_loud(voice: Voice) -> None:
    bars = np.array(outline(features_of(voice.samples)))
    assert bars.shape == (BARS,)
    spoken = voice.spoken()
    near = np.convolve(spoken, np.ones(5), mode="same") > 0
    assert bars[spoken.reshape(BARS, -1).all(axis=1)].min() > 0.3
    assert bars[~near.reshape(BARS, -1).any(axis=1)].max() < 0.2
    assert len(outline(features_of(voice.samples[:1600]))) == 3
