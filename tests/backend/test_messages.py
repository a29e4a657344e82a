"""What a request may say, and the sentence for what it may not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.protocol.messages import GenerateParams, GenerateResult, Limits, parse
from understudy.backend.protocol.wire import warnings_of

WRONG = [
    ({}, "prompt", "There is neither a prompt nor a voice."),
    ({"speech": "a.wav", "seconds": 2.0}, "seconds", "A voice decides the length: leave seconds out."),
    ({"prompt": " \n"}, "prompt", "The prompt is empty."),
    ({"prompt": "a" * 501}, "prompt", "The prompt is longer than 500 characters."),
    ({"prompt": 3}, "prompt", "Prompt must be a text, not 3."),
    ({"prompt": "\ud800"}, "prompt", "The prompt is not valid Unicode text."),
    ({"seconds": 0}, "seconds", "Seconds must be between 0.5 and 60, not 0."),
    ({"seconds": 1000}, "seconds", "Seconds must be between 0.5 and 60, not 1000."),
    ({"seconds": float("nan")}, "seconds", "Seconds must be a finite number."),
    ({"seconds": float("inf")}, "seconds", "Seconds must be a finite number."),
    ({"seconds": "6"}, "seconds", "Seconds must be a number, not '6'."),
    ({"seed": -1}, "seed", "Seed must be between 0 and 2147483647, not -1."),
    ({"seed": 2**31}, "seed", "Seed must be between 0 and 2147483647, not 2147483648."),
    ({"seed": 1.5}, "seed", "Seed must be a whole number, not 1.5."),
    ({"seed": True}, "seed", "Seed must be a whole number, not True."),
    ({"samples": 9}, "samples", "Samples must be between 1 and 8, not 9."),
    ({"steps": 0}, "steps", "Steps must be between 1 and 50, not 0."),
    ({"guidance": 21.0}, "guidance", "Guidance must be between 0 and 20, not 21.0."),
    ({"cleanup": 1}, "cleanup", "Cleanup must be true or false, not 1."),
    (
        {"device": "tpu"},
        "device",
        "Device must be 'auto', 'cpu', 'cuda', 'mps', 'directml' or 'coreml', not 'tpu'.",
    ),
    ({"sedd": 1}, "sedd", "Unknown setting 'sedd'."),
]


@pytest.mark.parametrize(("params", "field", "sentence"), WRONG)
def test_each_fault_has_its_sentence(params: dict[str, Any], field: str, sentence: str) -> None:
    if "prompt" not in params and field != "prompt":
        params = {"prompt": "a person walks", **params}
    with pytest.raises(BadInput) as caught:
        parse(GenerateParams, params)
    assert (caught.value.field, caught.value.message) == (field, sentence)


def test_defaults_and_stripping() -> None:
    params = parse(GenerateParams, {"prompt": "  a person walks\n", "seconds": 6})
    assert params == GenerateParams(prompt="a person walks", seconds=6.0)
    assert (params.seed, params.samples, params.pack, params.cleanup) == (0, 1, "open", True)


def test_the_limits_are_inclusive() -> None:
    limits = Limits()
    for name in ("seconds", "seed", "samples", "steps", "guidance"):
        for value in getattr(limits, name):
            assert getattr(parse(GenerateParams, {"prompt": "x", name: value}), name) == value


@given(
    st.dictionaries(
        st.sampled_from([*GenerateParams.model_fields, "other"]), st.none() | st.floats() | st.text()
    )
)
def test_anything_else_is_one_sentence(params: dict[str, Any]) -> None:
    try:
        parse(GenerateParams, params)
    except BadInput as error:
        assert error.message.endswith(".")
        assert "\n" not in error.message
        assert len(error.message) < 200


@pytest.mark.parametrize(
    ("result", "warnings"),
    [
        (GenerateResult(clips=[], seconds_taken=1, warnings=["Far."]).model_dump(mode="json"), ["Far."]),
        ({"clips": [], "seconds_taken": 1.0}, []),
        ({"warnings": None}, []),
        ({"warnings": ["a", 3]}, ["a"]),
        (None, []),
    ],
)
def test_the_client_reads_the_warnings_that_are_there(result: Any, warnings: list[str]) -> None:
    assert warnings_of(result) == warnings
