"""What is done besides talk: who does what, when, and what is left out with a sentence."""

from __future__ import annotations

import pytest

from understudy.backend.dialogue.doing import Doing, doings_of, pauses_of, prompt_of, timed
from understudy.backend.dialogue.fountain import parse
from understudy.backend.dialogue.turns import plan_turns, seconds_of

HEAD = "INT. ROOM\n\n"
TALK = "\n\nANNA\n{}Hello.\n\n{}\n\nBEN\nHo.\n"


def read(direction: str = "", action: str = "") -> tuple[list[Doing], list[str]]:
    return doings_of(parse(HEAD + TALK.format(f"({direction})\n" if direction else "", action)))


@pytest.mark.parametrize(
    ("action", "who", "kind", "prompt"),
    [
        ("They shake hands.", ("ANNA", "BEN"), "handshake", ""),
        ("Ben shakes Anna's hand.", ("ANNA", "BEN"), "handshake", ""),
        ("Anna gives Ben a high five.", ("ANNA", "BEN"), "high five", ""),
        ("They high-five.", ("ANNA", "BEN"), "high five", ""),
        ("Ben and Anna embrace.", ("ANNA", "BEN"), "hug", ""),
        ("Ben nods.", ("BEN",), "nod", ""),
        ("She shakes her head.", ("ANNA",), "shake", ""),
        ("Ben crosses his arms.", ("BEN",), "prompt", "a person crosses the arms"),
        ("They clap.", ("ANNA", "BEN"), "prompt", "a person claps"),
        ("Ben waves at her.", ("BEN",), "prompt", "a person waves"),
    ],
)
def test_action_is_understood(action: str, who: tuple[str, ...], kind: str, prompt: str) -> None:
    (doing,), left = read(action=action)
    assert (set(doing.who), doing.kind, doing.prompt, doing.pause) == (set(who), kind, prompt, True)
    assert doing.speech == 2 and not left


@pytest.mark.parametrize(
    "action", ["The clock strikes nine.", "Ben looks at her.", "Silence.", "Rain on the roof."]
)
def test_what_no_body_does_is_passed_over(action: str) -> None:
    assert read(action=action) == ([], [])


def test_directions_of_a_speech() -> None:
    (doing,), left = read("polishing a glass")
    assert (doing.who, doing.prompt, doing.pause, doing.speech) == (
        ("ANNA",),
        "a person polishing a glass",
        False,
        1,
    )
    assert read("angry, to the dog") == ([], [])
    assert read("nods") == ([], [])  # the gestures begin with it
    (doing,), _ = read("Ben nods")
    assert (doing.who, doing.kind) == (("BEN",), "nod")
    (doing,), _ = read("they hug")
    assert doing.kind == "hug" and doing.pause and doing.speech == 1
    assert not left and read("not shaking hands")[0] == []


def test_what_is_not_performed_is_told() -> None:
    assert read("in French")[1] == ["Line 5: nothing is known of the direction “in French”."]
    doings, left = read(action="Ben walks to the door.")
    assert not doings and "the two stay where they stand" in left[0]
    doings, left = doings_of(parse(HEAD + TALK.format("", "They hug.")), touches=False)
    assert not doings and "touches are switched off" in left[0]


def test_what_is_done_has_its_time() -> None:
    screenplay = parse(
        HEAD + TALK.format("(crosses her arms)\n", "They shake hands. Ben nods.") + "\nThey hug.\n"
    )
    doings, _ = doings_of(screenplay)
    pauses = pauses_of(doings)
    plain = plan_turns(screenplay.speeches, [2.0, 3.0], 0)
    turns = plan_turns(screenplay.speeches, [2.0, 3.0], 0, pauses)
    when = {(one.doing.kind, one.doing.speech): one for one in timed(doings, turns, pauses)}
    shake, nod, hug, arms = (when[key] for key in (("handshake", 2), ("nod", 2), ("hug", 3), ("prompt", 1)))
    assert turns[1].start - plain[1].start == pytest.approx(pauses[2])
    assert turns[0].end < shake.begin < shake.end == nod.begin < nod.end <= turns[1].start + 1e-9
    assert arms.begin < turns[0].start < arms.end
    assert hug.begin > turns[1].end and hug.end < seconds_of(turns, pauses[3])


def test_prompts_are_captions() -> None:
    assert prompt_of("The man is waving at her.") == "a person waving"
    assert prompt_of("scratches his head") == "a person scratches the head"
