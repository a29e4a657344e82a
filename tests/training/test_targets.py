"""The table of targets."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.training.evaluation.targets import targets


def numbers(**changes: Any) -> dict[str, Any]:
    def share(mean: float) -> dict[str, float]:
        return {"mean": mean, "half": 0.05}

    table = {
        "generated": {"R3_recording": share(0.8), "fid": share(0.4)},
        "captured": {"R3_recording": share(0.9)},
        "search": {"R3_recording": share(0.7)},
        "training_subset_fid": share(0.25),
    }
    physics = {"generated": share(1.0), "captured": share(1.0), "ratio": 1.0}
    found = {
        "settings": {"datasets": ["cmu"]},
        "tokenizers": {"body": {"mpjpe_mm": 19.0}, "lower_trans": {"root_drift_10s_cm_mean": 12.0, "root_drift_10s_cm_median": 9.0, "root_drift_windows": 3.0}},
        "text": {"val": table, "reworded": table},
        "physics": {"val": {"foot_skate": physics, "jerk": {**physics, "ratio": 1.3}, "penetration": {**physics, "ratio": None}}},
        "sliders": {"sliders": {"tempo": {"spearman": share(0.85), "drop": 0.2, "ranks": [0.1, 0.5, 0.8]}}},
        "halves": {"halves": {"upper": share(0.5), "lower": share(0.9)}},
        "variety": {"ratio": 0.6},
        "speed": {"seconds": 0.4, "processor_seconds": 0.7, "threads": 2, "device": "cpu"},
    }  # fmt: skip
    return {**found, **changes}


def met(found: dict[str, Any]) -> dict[str, bool | None]:
    return {row["name"]: row["met"] for row in targets(found)}


def test_what_is_reached_and_what_is_not() -> None:
    rows = met(numbers())
    assert rows["tokenizer: joint error of the body"] is True
    assert rows["tokenizer: root drift over 10 s, mean"] is False
    assert rows["R-precision@3 of 32, new captions, captured = 1"] is True  # 0.8 / 0.9 = 0.89
    assert rows["R-precision@3 in other words, above the nearest caption's motion"] is True
    assert rows["FID to validation motion, training subset = 1"] is True
    assert rows["foot skate after clean-up, captured = 1"] is True
    assert rows["jerk after clean-up, captured = 1"] is False
    assert rows["floor penetration after clean-up, captured = 1"] is None
    assert rows["slider tempo: Spearman"] is True and rows["slider tempo: R-precision@3 lost"] is False
    assert rows["slider energy: Spearman"] is None
    assert rows["prompts of the halves: upper half recognised"] is False
    assert rows["prompts of the halves: lower half recognised"] is True
    assert rows["variety: 8 seeds of one prompt, real clips = 1"] is True
    assert rows["a clip of 6 s, warm"] is True


def test_the_styles_pack_has_a_higher_aim() -> None:
    rows = {row["name"]: row for row in targets(numbers(settings={"datasets": ["bandai_namco", "cmu"]}))}
    row = rows["R-precision@3 of 32, new captions, captured = 1"]
    assert (
        row["to_reach"] == "≥ 0.9" and row["met"] is False and row["value"] == pytest.approx(0.889, abs=1e-3)
    )


def test_a_space_that_does_not_know_captured_motion_is_no_judge() -> None:
    found = numbers()
    found["text"]["val"]["captured"]["R3_recording"]["mean"] = 0.3
    row = {row["name"]: row for row in targets(found)}["R-precision@3 of 32, new captions, captured = 1"]
    assert row["met"] is None and row["value"] == pytest.approx(0.8 / 0.3) and "undecided" in row["note"]
    assert met(found)["FID to validation motion, training subset = 1"] is True


def test_nothing_measured_is_nothing_met() -> None:
    bare = {"settings": {"datasets": []}, "tokenizers": {}, "text": {}, "physics": {}}
    assert set(met(bare).values()) == {None}
    assert set(met(bare)) == set(met(numbers()))
    none = {**bare, "sliders": None, "halves": {"halves": None, "missing": "no"}, "variety": None}
    assert set(met(none).values()) == {None}
