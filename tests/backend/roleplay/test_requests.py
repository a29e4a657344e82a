"""What a user wants to see done, and how a body understands it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.roleplay.remembering import name_in, recounted, retold
from understudy.backend.roleplay.requests import wish_of
from understudy.backend.roleplay.staging import stage_of, stages_of, stays_down
from understudy.backend.roleplay.wording import first_person

HERE, USER = np.zeros(2), np.array([0.0, 2.5])


@pytest.mark.parametrize(
    ("said", "motion", "doing"),
    [
        ("Wave!", "waves", "wave"),
        ("Could you please walk to the door?", "walks to the door", "walk to the door"),
        ("Dance for me", "dances", "dance"),
        ("Mara, turn around.", "turns around", "turn around"),
        ("Please raise your left hand.", "raises the left hand", "raise my left hand"),
        ("Jump twice and then sit down.", "jumps twice and then sits down", "jump twice and then sit down"),
        ("Come here", "comes closer", "come closer"),
        ("I'd like you to walk to me, please", "walks to the user", "walk to you"),
        ("Would you like to dance?", "dances", "dance"),
        ("Show me a cartwheel!", "does a cartwheel", "do a cartwheel"),
        ("Take a bow", "bows", "bow"),
        ("Stop!", "stands still", "stand still"),
    ],
)
def test_a_request_is_a_motion(said: str, motion: str, doing: str) -> None:
    wish = wish_of(said, ["Mara"])
    assert wish is not None and (wish.motion, wish.doing, wish.known) == (motion, doing, True)


@pytest.mark.parametrize(
    "said",
    [
        "What do you like?",
        "Can you tell me a story?",
        "I dance every day",
        "Dance is my life.",
        "Hello",
        "Can you help me?",
        "Don't dance",
        "...",
    ],
)
def test_talk_is_no_request(said: str) -> None:
    assert wish_of(said) is None


def test_a_verb_that_is_not_known_is_told_apart() -> None:
    wish = wish_of("Could you yodel?")
    assert wish is not None and not wish.known and wish.doing == "yodel"
    again = wish_of("Do it again, please")
    assert again is not None and again.again


@given(st.text(max_size=80))
def test_any_text_is_understood_or_not(text: str) -> None:
    wish = wish_of(text, ["Mara"])
    assert wish is None or wish.again or wish.motion
    name_in(text), retold(text), recounted(text), first_person(text, "Mara")


@given(st.text(max_size=80))
def test_any_motion_becomes_stages(text: str) -> None:
    stages = stages_of(text, HERE, 0.0, USER, {"door": [2.0, 0.0]})
    assert 1 <= len(stages) <= 6
    for stage in stages:
        assert stage.way is None or np.isfinite(stage.way).all()
        assert stage.seconds == 0.0 or 0.5 <= stage.seconds <= 60.0


def test_who_walks_to_a_place_has_a_way_there() -> None:
    stage = stage_of("walks to the door", HERE, 0.0, USER, {"door": [2.0, 1.0]})
    assert stage.way is not None and np.allclose(stage.way, [[0, 0], [2, 1]])
    assert stage.prompt == "a person walks forward"


def test_who_comes_closer_stops_before_the_user() -> None:
    stage = stage_of("comes closer", HERE, 0.0, USER)
    assert stage.way is not None and np.allclose(stage.way[1], [0.0, 1.4])
    ahead = stage_of("walks forward", HERE, 0.0, USER)
    assert ahead.way is not None and np.linalg.norm(ahead.way[1] - USER) > 1.0
    away = stage_of("walks forward", HERE, np.pi, USER)
    assert away.way is not None and np.allclose(away.way[1], [0.0, -2.0], atol=1e-9)


def test_signs_of_the_head_need_no_models() -> None:
    assert [stage_of(words, HERE, 0.0, USER).act for words in ("nods", "shakes her head", "shrugs", "")] == [
        "yes",
        "no",
        "doubt",
        "",
    ]
    assert not stage_of("nods", HERE, 0.0, USER).prompt


def test_who_sits_down_somewhere_goes_there_first() -> None:
    going, sitting = stages_of("sits down on the bench", HERE, 0.0, USER, {"bench": [2.0, 0.0]})
    assert going.way is not None and np.allclose(going.way[1], [2.0, 0.0])
    assert sitting.prompt == "a person sits down on the bench" and sitting.holds
    waves, walks = stages_of("waves and then walks to the bench", HERE, 0.0, USER, {"bench": [2.0, 0.0]})
    assert waves.prompt == "a person waves" and walks.way is not None


def test_who_sits_stays_down_until_it_moves() -> None:
    assert stays_down("sits down on the bench") and not stays_down("stands up")
    assert stage_of("", HERE, 0.0, USER, down=True).holds
    assert stage_of("nods", HERE, 0.0, USER, down=True).holds
    assert not stage_of("jumps", HERE, 0.0, USER, down=True).holds


@pytest.mark.parametrize(
    ("told", "back"),
    [
        ("I live near my sister.", "you live near your sister"),
        ("My dog is called Rex", "your dog is called Rex"),
        ("I'm tired of your jokes", "you are tired of my jokes"),
    ],
)
def test_what_was_told_is_turned_round(told: str, back: str) -> None:
    assert retold(told) == back


def test_what_was_done_is_recounted() -> None:
    assert recounted("waves at the user") == "waved at you"
    assert recounted("raises the left hand and then sits down") == "raised my left hand and then sat down"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("My name is ada", "Ada"),
        ("I'm Tom", "Tom"),
        ("Hi, I am Eve!", "Eve"),
        ("I'm tired", ""),
        ("Call me later", ""),
        ("I am a baker", ""),
    ],
)
def test_names(said: str, name: str) -> None:
    assert name_in(said) == name
