"""A style changes how big gestures are, how the body holds itself and what the face says."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.backend.motion.expressions import CHANNELS
from understudy.backend.motion.skeleton import INDEX
from understudy.backend.speech.face import perform_face
from understudy.backend.speech.gestures import gesture
from understudy.backend.speech.manner import Manner

from .test_gestures import WRISTS, listened, speeds, standing
from .voices import RATE, speak


@pytest.mark.parametrize("name", ["energy", "arousal"])
def test_the_livelier_the_bigger(name: str) -> None:
    voice = listened(speak(3, 14.0).samples)
    moved = [
        np.mean(
            [
                speeds(gesture(standing(len(voice)), voice, seed, Manner.of({name: rank})), WRISTS).mean()
                for seed in range(3)
            ]
        )
        for rank in (0.0, 0.5, 1.0)
    ]
    assert moved[0] < 0.9 * moved[1] < 0.81 * moved[2]


def test_sadness_bows_and_joy_raises() -> None:
    voice = listened(np.zeros(4 * RATE))
    clip = standing(len(voice))

    def head_height(style: dict[str, float]) -> float:
        return float(gesture(clip, voice, 1, Manner.of(style)).joints()[:, INDEX["head"], 1].mean())

    sad, usual, glad = (head_height({"valence": rank}) for rank in (0.0, 0.5, 1.0))
    assert sad < usual - 0.003
    assert glad > sad
    raging = head_height({"valence": 0.0, "arousal": 1.0})
    assert raging == pytest.approx(usual, abs=1e-3), "anger is not bowed"


def test_no_style_is_the_usual_manner() -> None:
    assert Manner.of({}) == Manner() == Manner.of({"energy": 0.5, "arousal": 0.5, "valence": 0.5})


def test_faces_smile_and_raise_their_brows() -> None:
    features = listened(speak(3, 4.0).samples).features
    shown = {}
    for name, manner in (("plain", Manner()), ("glad", Manner.of({"valence": 1.0, "arousal": 1.0}))):
        _, _, faces = perform_face(features, 100, 1, smile=manner.smile, brows=manner.brows)
        shown[name] = faces.mean(axis=0)
    for channel in ("smile", "brows_up"):
        assert shown["glad"][CHANNELS[channel]] > shown["plain"][CHANNELS[channel]] + 0.1
