"""The voices that the tests of speech share."""

from __future__ import annotations

import pytest

from understudy.backend.speech.features import SpeechFeatures, features_of

from .voices import Voice, speak


@pytest.fixture(scope="session")
def voice() -> Voice:
    """Twenty seconds at 120 Hz."""
    return speak()


@pytest.fixture(scope="session")
def features(voice: Voice) -> SpeechFeatures:
    return features_of(voice.samples)
