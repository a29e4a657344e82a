"""Scripts: what is taken, what is refused, and that a screenplay of one says the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from understudy.backend.dialogue.fountain import parse
from understudy.backend.errors import BadInput
from understudy.training.data.multimodal.script import (
    Script,
    fountain_of,
    json_of,
    read_scripts,
    speech_seconds,
)


def made(**changes: object) -> Script:
    values = {
        "id": "t-1", "split": "train", "topic": "the weather", "seed": 3, "author": "rules", "place": "a kitchen",
        "characters": [{"name": "Anna"}, {"name": "Ben"}],
        "turns": [
            {
                "speaker": 0, "text": "Look at that rain!", "emotion": "surprised", "seconds": 1.6,
                "motion": {"text": "a person points at the window", "clip": "cmu/01_01", "end": 2.0},
                "reaction": {"text": "a person turns the head", "begins": 0.8},
            },
            {"speaker": 1, "text": "I left my coat at home.", "seconds": 2.0, "motion": {"text": ""}},
        ],
    }  # fmt: skip
    return Script.model_validate({**values, **changes})


def test_a_screenplay_says_the_same() -> None:
    play = parse(fountain_of(made()))
    assert play.speakers == ["ANNA", "BEN"]
    assert [speech.text for speech in play.speeches] == ["Look at that rain!", "I left my coat at home."]
    assert play.speeches[0].directions == ("surprised", "points at the window")
    assert play.speeches[1].directions == ()
    assert play.title_page["title"] == "the weather"


@pytest.mark.parametrize(
    ("motion", "shown"),
    [
        ("a person nods their head", True), ("someone waves hello", True), ("a person is waving", False), ("", False),
        ("a person waves something away", False), ("someone waves someone over", False), ("a person shakes hands", False),
        ("someone stands laughing, shaking their body", False), ("the man shakes his head", True),
    ],
)  # fmt: skip
def test_only_a_gesture_that_a_dialogue_knows_is_a_direction(motion: str, shown: bool) -> None:
    turns = [{"speaker": k, "text": "Well.", "seconds": 1, "motion": {"text": motion}} for k in (0, 1)]
    speech = parse(fountain_of(made(turns=turns))).speeches[0]
    assert bool(speech.directions) == shown


NAMES = st.from_regex(r"[A-Za-zÄÖÜéñ][A-Za-z .'-]{0,20}[a-z]", fullmatch=True)
TEXTS = st.text(min_size=1, max_size=60).map(lambda words: f"Well {words}")


@given(names=st.lists(NAMES, min_size=2, max_size=2, unique_by=lambda n: " ".join(n.upper().split())), texts=st.lists(TEXTS, min_size=2, max_size=4), place=st.text(max_size=20), motion=st.text(max_size=30))  # fmt: skip
def test_whatever_is_said_stays_one_speech(
    names: list[str], texts: list[str], place: str, motion: str
) -> None:
    script = made(
        characters=[{"name": name} for name in names],
        place=place,
        turns=[
            {
                "speaker": number % 2,
                "text": text,
                "seconds": 1,
                "motion": {"text": motion},
                "reaction": {"text": motion},
            }
            for number, text in enumerate(texts)
        ],
    )
    play = parse(fountain_of(script))
    assert len(play.speeches) == len(texts)
    assert play.speakers == [" ".join(name.upper().split()) for name in names]
    for speech, turn in zip(play.speeches, script.turns, strict=True):
        letters = [c for c in turn.text if c.isalnum()]
        assert [c for c in speech.text if c.isalnum()] == letters


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"characters": [{"name": "Anna"}, {"name": "ANNA"}]}, "same name"),
        ({"characters": [{"name": "Anna"}]}, "at least 2"),
        ({"turns": []}, "at least 1"),
        ({"id": "../up"}, "pattern"),
        ({"extra": 1}, "Extra"),
        (
            {
                "turns": [
                    {
                        "speaker": 0,
                        "text": "Hi",
                        "emotion": "zebra",
                        "seconds": 1,
                        "motion": {"text": ""},
                    }
                ]
            },
            "no emotion",
        ),
        ({"turns": [{"speaker": 0, "text": "...", "seconds": 1, "motion": {"text": ""}}]}, "nothing is said"),
        ({"turns": [{"speaker": 2, "text": "Hi", "seconds": 1, "motion": {"text": ""}}]}, "less than or"),
    ],
)
def test_what_no_script_is(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        made(**changes)


def test_a_file_is_read_and_a_wrong_line_named(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "scripts.jsonl"
    path.write_text(json_of(made()) + "\n", "utf-8")
    assert list(read_scripts(tmp_path)) == [made()]
    assert made().clips() == ["cmu/01_01"]
    path.write_text(json_of(made()) + "\n" + json.dumps({"id": "x"}) + "\n", "utf-8")
    with pytest.raises(BadInput, match="Line 2"):
        list(read_scripts(path))
    with pytest.raises(BadInput, match="cannot be read"):
        list(read_scripts(tmp_path / "none"))


def test_longer_speech_takes_longer() -> None:
    assert (
        speech_seconds("Yes.")
        < speech_seconds("Yes, I think so.")
        < speech_seconds("Yes. I think so. Go on.")
    )
