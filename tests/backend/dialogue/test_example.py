"""The screenplay of the guide, with the default pack: what a scene must keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from tests.speech.voices import RATE, speak
from understudy.backend.dialogue.fountain import read_screenplay
from understudy.backend.dialogue.making import Asked, make
from understudy.backend.pipeline import load_pipeline


def test_the_example_keeps_what_it_must(repository: Path, tmp_path: Path) -> None:
    screenplay = read_screenplay(repository / "docs" / "examples" / "kitchen.fountain")
    assert len(screenplay.speeches) == 12
    recordings = {}
    for speech in screenplay.speeches:
        pitch = 190.0 if speech.speaker == "ANNA" else 110.0
        recordings[speech.number] = tmp_path / f"{speech.number}.wav"
        sound = speak(speech.number % 4, 3.5, pitch).samples.astype(np.float32)
        soundfile.write(recordings[speech.number], sound, RATE)
    stages: list[str] = []
    asked = Asked(screenplay, recordings, seed=2)
    made = make(asked, lambda: load_pipeline("open", "cpu"), lambda stage, step, total: stages.append(stage))
    measures = made.acted.measures
    assert measures["facing_degrees"] <= 15.0
    assert measures["distance_least_m"] >= 0.8 and measures["distance_most_m"] <= 2.5
    assert measures["within_each_other_cm"] <= 2.0
    assert measures["gesture_ratio"] >= 2.0
    assert measures["listener_looks"] >= 0.5 and measures["listener_moves"] >= 0.9
    assert measures["touches"] == 3
    assert measures["touch_off_cm"] <= 3.0 and measures["touch_trunks_within_cm"] <= 2.0
    for clip in made.acted.clips:
        height = clip.joints()[:, 0, 1]
        assert height.min() > 0.93 * height.max()  # nobody crouches; steps take a little
    assert {"voices", "refine", "act", "place"} <= set(stages)
    assert len(made.sound()) / 2 / 24000 >= made.acted.clips[0].seconds - 0.1
