"""What may be directed together, and the sentence for what may not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.protocol.messages import GenerateParams, parse

LINE = {"prompt": "walk", "seconds": 3.0}
PIN = {"joint": "left_wrist", "start": 1.0, "end": 2.0, "position": [0, 1, 0]}
EDIT = {"npz": "AAAA", "start": 1.0}

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"script": [LINE], "prompt": "a"}, "prompt", "A script has its own prompts and lengths: leave prompt out."),
    ({"script": [LINE], "seconds": 3.0}, "seconds", "A script has its own prompts and lengths: leave seconds out."),
    ({"script": [{"prompt": "a", "seconds": 60}] * 11}, "script", "A script may last 600 seconds, this one lasts 660."),
    ({"script": [{"prompt": " ", "seconds": 1}]}, "script.0.prompt", "Script 1 prompt is empty."),
    ({"prompt": "a", "edit": EDIT, "speech": "a.wav"}, "edit", "A part of a clip is made anew without a voice: leave speech out."),
    ({"script": [LINE], "edit": {**EDIT, "end": 2.0}}, "script", "A part of a clip is made anew from one prompt: leave the script out."),
    ({"prompt": "a", "edit": {**EDIT, "end": 0.5}}, "edit.end", "The edited part ends before it starts."),
    ({"prompt": "a", "loop": True, "edit": EDIT}, "loop", "A loop is looked for in a motion of its own, not in one with an edit."),
    ({"prompt": "a", "loop": True, "constraints": {"pins": [PIN]}}, "loop", "A loop is looked for in a motion of its own, not in one with constraints."),
    ({"prompt": "a", "in_place": True, "constraints": {"pins": [PIN]}}, "in_place", "A motion in place cannot be at given places too."),
    ({"prompt": "a", "constraints": {"pins": [PIN, {**PIN, "start": 1.5, "end": 3.0}]}}, "constraints.pins", "Two pins of the left_wrist are at the same time."),
    ({"prompt": "a", "constraints": {"pins": [{**PIN, "end": 0.5}]}}, "constraints.pins.0.end", "The pin of the left_wrist ends before it starts."),
    ({"prompt": "a", "constraints": {"waypoints": [{"time": 1, "position": [0, 0]}] * 2}}, "constraints.waypoints", "Two waypoints are at the same time."),
    ({"prompt": "a", "constraints": {"path": {"points": [[0, 0], [1, 1]], "times": [1]}}}, "constraints.path.times", "A path with times needs one for each of its points."),
    ({"prompt": "a", "constraints": {"path": {"points": [[0, 0], [1, 1]], "times": [2, 1]}}}, "constraints.path.times", "The times of a path must grow from point to point."),
    ({"prompt": "a", "constraints": {"path": {"points": [[1, 1], [1, 1]]}}}, "constraints.path.points", "All points of the path are in one place."),
]  # fmt: skip


@pytest.mark.parametrize(("params", "field", "sentence"), WRONG)
def test_each_contradiction_has_its_sentence(params: dict[str, Any], field: str, sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(GenerateParams, params)
    assert (caught.value.field, caught.value.message) == (field, sentence)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["path", "points", "times", "pins", "joint", "time", "position", "poses", "pose", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_other_json_is_accepted_or_one_sentence(value: Any) -> None:
    for name in ("constraints", "script", "edit"):
        try:
            parse(GenerateParams, {"prompt": "a", name: value})
        except BadInput as error:
            assert error.message.endswith(".") and "\n" not in error.message
            assert len(error.message) < 250
