"""Scripts by a language model: fifty of them killed and resumed, endpoints that fail, and every bad answer by its name."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.training.cli import main
from understudy.training.data.multimodal import answers, prompts, rounds
from understudy.training.data.multimodal.answers import Unusable, read_choice, read_conversation, read_draft
from understudy.training.data.multimodal.casting import cast
from understudy.training.data.multimodal.motions import MotionLibrary
from understudy.training.data.multimodal.run import run
from understudy.training.data.multimodal.script import Script, read_scripts
from understudy.training.data.multimodal.settings import Profile, ScriptSettings
from understudy.training.words.llm import Endpoint, Question

from .makers import multimodal as maker
from .makers.multimodal import BagOfWords, answered, turn, write_store
from .test_llm import Server, completion, server

__all__ = ["server"]  # a fixture

PROFILE = Profile(
    topics=["the new ferry"],
    characters=[{"name": "Mara", "role": "a fisherwoman"}, {"name": "Joao"}],  # type: ignore[list-item]
    user="Mara hates the rain",
)
NAMES = ["Mara", "Joao"]
PRICES = {"price_in": 10.0, "price_out": 100.0}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("multimodal") / "store")


def settings(where: Server | Path, **changes: Any) -> ScriptSettings:
    there = {"answers": where} if isinstance(where, Path) else {"base_url": where.url}
    llm = {"model": "m", "backoff": 0.01, "retries": 1, "concurrency": 2, **there, **changes.pop("llm", {})}
    return ScriptSettings(
        **{"llm": Endpoint(**llm), "method": "rounds", "least_turns": 2, "most_turns": 2, **changes}
    )


def make(config: ScriptSettings, out: Path, store: Path, **changes: Any) -> dict[str, Any]:
    return run([PROFILE], config, out, store=store, encoder=BagOfWords, **{"count": 2, **changes})


class Told:
    """A model in place of the endpoint: what it is asked, and bad answers before the good ones."""

    def __init__(self, *bad: str) -> None:
        self.bad, self.asked = list(bad), list[Question]()

    def ask(self, question: Question) -> str:
        self.asked.append(question)
        messages = [{"role": role, "content": text} for role, text in question.messages]
        return self.bad.pop(0) if self.bad else answered({"messages": messages, "seed": question.number})


def written(told: Told, store: Path, tmp_path: Path, **changes: Any) -> Script:
    config = settings(tmp_path, **changes)
    library = MotionLibrary(store, tmp_path, encoder=BagOfWords)
    return rounds.write(cast(0, 0, [PROFILE], config), told, library, config)  # type: ignore[arg-type]


# ----------------------------------------------------------------------------- fifty, killed, resumed


CHILD = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("maker", sys.argv[1])
maker = importlib.util.module_from_spec(spec)
spec.loader.exec_module(maker)
from understudy.training.data.multimodal.run import run
from understudy.training.data.multimodal.settings import Profile, ScriptSettings
settings = ScriptSettings.model_validate_json(sys.argv[2])
profile = Profile.model_validate_json(sys.argv[3])
run([profile], settings, Path(sys.argv[4]), store=Path(sys.argv[5]), count=50, encoder=maker.BagOfWords)
"""


@pytest.mark.slow
def test_fifty_scripts_killed_in_the_middle_and_resumed_pay_nothing_twice(
    server: Server, store: Path, tmp_path: Path
) -> None:
    held = threading.Event()

    def until_killed(request: dict[str, Any], number: int) -> Any:
        if number > 90:  # of 200
            held.set()
            time.sleep(3)
        return answered(request)

    server.answers = until_killed
    config = settings(server, llm=PRICES)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(Path(maker.__file__)), config.model_dump_json(), PROFILE.model_dump_json(),
         str(tmp_path / "out"), str(store)],
    )  # fmt: skip
    try:
        assert held.wait(300)
    finally:
        child.kill()
        child.wait()
    assert not (tmp_path / "out/scripts.jsonl").exists()
    before = len(server.requests)

    server.answers = lambda request, number: answered(request)
    report = make(config, tmp_path / "out", store, count=50)
    assert report["complete"] and report["scripts"] == 50
    # One question to write and one to choose a turn; what was under way at the kill was never answered.
    known, asked = report["run"]["known"], report["run"]["asked"]
    assert 90 - config.llm.concurrency <= known <= 90 and known + asked == report["total"]["asked"] == 200
    assert len(server.requests) - before == asked
    twice = [n for n in Counter(json.dumps(request) for request in server.requests).values() if n > 1]
    assert twice == [2] * len(twice) and len(twice) <= config.llm.concurrency
    assert report["total"]["cost"] == pytest.approx(200 * (100 * 10 + 10 * 100) / 1e6)

    # The same as in one go, from the recorded answers and without an endpoint; and nothing is left to ask.
    journal = tmp_path / "out/journal.jsonl"
    again = make(settings(journal), tmp_path / "tape", store, count=50)
    assert again["complete"] and again["total"]["cost"] == 0
    assert (tmp_path / "tape/scripts.jsonl").read_bytes() == (tmp_path / "out/scripts.jsonl").read_bytes()
    assert make(config, tmp_path / "out", store, count=50)["run"]["asked"] == 0


def test_an_answer_that_is_not_on_the_tape_is_named(store: Path, tmp_path: Path) -> None:
    (tmp_path / "tape.jsonl").write_text("")
    report = make(settings(tmp_path / "tape.jsonl"), tmp_path / "out", store)
    assert "no recorded answer to rounds-0-00000/0/write/0" in report["stopped"] and not report["complete"]


# ------------------------------------------------------------------------------------ one script


def test_the_model_writes_the_store_is_searched_the_model_picks(store: Path, tmp_path: Path) -> None:
    told = Told()
    script = written(told, store, tmp_path, candidates=3, splits={"train": 1, "val": 0, "test": 0})
    assert [question.name for question in told.asked] == [
        f"rounds-0-00000/{k}/{step}/0" for k in range(2) for step in ("write", "choose")
    ]
    assert [turn.speaker for turn in script.turns] == [0, 1] and script.author == "m"
    assert script.topic == "the new ferry" and script.id == "rounds-0-00000"
    first = script.turns[0]
    assert first.text.endswith("You see?") and first.emotion == "happy" and first.expression == "a smile"
    assert first.motion.text == "a person waves slowly", "rewritten to fit"
    system, asked = (text for _, text in told.asked[1].messages)
    listed = [
        line.partition(": ")[2].partition(" (")[0]
        for line in asked.splitlines()
        if line[:2] in ("1:", "2:", "3:")
    ]
    wrote = next(m for m in maker.MOTIONS if f"was to be: {m}" in asked)
    library = MotionLibrary(store, tmp_path, encoder=BagOfWords)
    near = library.find(wrote, script.split, top=3, least=0.5)
    assert listed[: len(near)] == [found.caption for found in near]
    assert len(near) > 1 and first.motion.clip == near[1].clip, "the second was picked"
    assert (
        first.reaction is not None
        and first.reaction.clip == library.find("a person nods their head", script.split)[0].clip
    )
    assert first.reaction.begins == pytest.approx(first.seconds, abs=0.51)
    assert "Mara is a fisherwoman; Mara hates the rain" in system and "the new ferry" in system
    assert first.text in told.asked[2].messages[1][1], "the next turn knows what was said"


def test_nothing_near_is_nothing_asked(store: Path, tmp_path: Path) -> None:
    odd = json.dumps(turn("Mara", "Look!", motion="quantum chromodynamics", reaction=""))
    told = Told(odd)
    script = written(told, store, tmp_path)
    assert script.turns[0].motion.clip is None and script.turns[0].reaction is None
    assert [question.name.split("/")[1:3] for question in told.asked][:2] == [["0", "write"], ["1", "write"]]


def test_none_of_the_clips_is_an_answer(store: Path, tmp_path: Path) -> None:
    pick = {
        "motion": 0,
        "reaction": 0,
        "speech": "Hm.",
        "motion_text": "a person dreams",
        "reaction_text": "",
    }
    script = written(Told(json.dumps(turn("Mara", "Hm?")), json.dumps(pick)), store, tmp_path)
    first = script.turns[0]
    assert (first.text, first.motion.text, first.motion.clip) == ("Hm.", "a person dreams", None)
    assert first.reaction is not None and first.reaction.clip is None


def test_a_whole_conversation_is_one_question(store: Path, tmp_path: Path) -> None:
    told = Told()
    script = written(told, store, tmp_path, method="whole", least_turns=6, most_turns=6)
    assert len(told.asked) == 1 and len(script.turns) == 6 and script.id.startswith("whole-")
    assert all(turn.motion.clip and turn.reaction and turn.reaction.clip for turn in script.turns)


def test_what_is_asked_says_what_is_allowed(tmp_path: Path) -> None:
    config = settings(tmp_path, interaction=["dance"], content=["play"], longest_speech=17)
    each = cast(3, 0, [PROFILE], config)
    assert "dancing" in prompts.setting(each, config) and "boxing" not in prompts.setting(each, config)
    assert "a game" in prompts.setting(each, config)
    assert "at most 17 words" in prompts.next_turn(each, [], config)


def test_a_topic_is_whole_in_one_split(tmp_path: Path) -> None:
    profile = Profile(topics=[f"topic {k}" for k in range(20)])
    config = settings(tmp_path)
    splits: dict[str, set[str]] = {}
    for number in range(300):
        each = cast(number, 0, [profile], config)
        splits.setdefault(each.topic, set()).add(each.split)
    assert len(splits) == 20 and all(len(found) == 1 for found in splits.values())
    assert set.union(*splits.values()) == {"train", "val", "test"}


# ----------------------------------------------------------------------- answers that are not used

BAD = {
    "empty": ["", "<think>hm</think>  ", json.dumps(turn("Mara", "...")), json.dumps(turn("Mara", "Hi", motion=" "))],
    "refused": ["I'm sorry, but I can't help with that.", "As an AI language model I do not act.",
                json.dumps(turn("Mara", "As an AI language model, I have no body."))],
    "rude": ["Shut up, you moron.", "Do it yourself.", json.dumps(turn("Mara", "What the f*ck. Fuck off!"))],
    "malformed": ["Mara: Hello!", '{"speaker": "Mara", "speech": ', "[1, 2]", json.dumps({"speaker": "Mara"}),
                  json.dumps(turn("Mara", "Hi", motion=["wave"])), json.dumps(turn("Mara", "(laughs) Hi (waves)")),
                  json.dumps(turn("Mara", "*laughs* Hi")), json.dumps(turn("Mara", "Hi", when="never"))],
    "wrong speaker": [json.dumps(turn("Joao", "My turn!")), json.dumps(turn("Narrator", "They meet."))],
    "too long": [json.dumps(turn("Mara", "word " * 61)), json.dumps(turn("Mara", "Hi", motion="a" * 201))],
    "unknown emotion": [json.dumps(turn("Mara", "Hi", emotion="zebra"))],
}  # fmt: skip


@pytest.mark.parametrize(("name", "answer"), [(name, answer) for name in BAD for answer in BAD[name]])
def test_every_bad_answer_has_a_name(name: str, answer: str) -> None:
    with pytest.raises(Unusable) as error:
        read_draft(answer, NAMES, 0, 60)
    assert error.value.name == name and "\n" not in str(error.value)


def test_a_bad_answer_is_asked_for_again_with_what_was_wrong(store: Path, tmp_path: Path) -> None:
    told = Told(BAD["refused"][0], BAD["wrong speaker"][0])
    script = written(told, store, tmp_path)
    assert len(script.turns) == 2
    assert [question.name.split("/")[1:] for question in told.asked[:3]] == [
        ["0", "write", str(k)] for k in range(3)
    ]
    assert [question.number for question in told.asked[:3]] == [0, 1, 2]
    assert "it is a refusal" in told.asked[1].messages[1][1]
    assert "where it is Mara's turn" in told.asked[2].messages[1][1]
    with pytest.raises(Unusable) as error:
        written(Told(*[BAD["rude"][0]] * 3), store, tmp_path)
    assert error.value.name == "rude"


def test_what_was_said_is_not_said_again() -> None:
    with pytest.raises(Unusable) as error:
        read_draft(json.dumps(turn("Joao", "Look at THAT!")), NAMES, 1, 60, ["Look at that!"])
    assert error.value.name == "repeated"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("no such clip", {"motion": 4}), ("no such clip", {"reaction": -1}), ("malformed", {"motion": "the first"}),
        ("malformed", {"motion": True}), ("malformed", {"motion": 1.5}), ("empty", {"speech": " "}),
        ("malformed", {"motion_text": None}), ("rude", {"motion_text": "a person shits"}), ("too long", {"speech": "a " * 61}),
    ],
)  # fmt: skip
def test_every_bad_choice_has_a_name(name: str, changes: dict[str, Any]) -> None:
    good = {
        "motion": 1,
        "reaction": "2",
        "speech": "Hi.",
        "motion_text": "a person waves",
        "reaction_text": None,
    }
    assert read_choice(json.dumps(good), 3, 3, 60).reaction == 2
    with pytest.raises(Unusable) as error:
        read_choice(json.dumps({**good, **changes}), 3, 3, 60)
    assert error.value.name == name


@pytest.mark.parametrize(
    ("name", "turns"),
    [
        ("malformed", "none"), ("malformed", [1, 2]), ("malformed", [turn("Mara", "Hi.")]),
        ("wrong speaker", [turn("Mara", f"Hi {k}.") for k in range(4)]), ("repeated", [turn(n, "Hi.") for n in NAMES]),
        ("refused", [turn("Mara", "As an AI, I pass."), turn("Joao", "Oh.")]),
    ],
)  # fmt: skip
def test_every_bad_conversation_has_a_name(name: str, turns: Any) -> None:
    with pytest.raises(Unusable) as error:
        read_conversation(json.dumps({"turns": turns}), NAMES, 60, (2, 6))
    assert error.value.name == name


@given(st.text(alphabet='{}[]":,speakrMh \n\\', max_size=80))
def test_any_answer_is_read_or_named(answer: str) -> None:
    for read in (
        lambda: read_draft(answer, NAMES, 0, 60),
        lambda: read_choice(answer, 3, 3, 60),
        lambda: read_conversation(answer, NAMES, 60, (2, 6)),
    ):
        with pytest.raises(Unusable):
            read()


@pytest.mark.parametrize(
    ("word", "emotion"),
    [("furious", "angry"), ("Joyful", "happy"), ("worried", "afraid"), ("proud", "proud"), ("", "neutral")],
)
def test_an_emotion_is_one_of_twelve(word: str, emotion: str) -> None:
    assert read_draft(json.dumps(turn("Mara", "Hi.", emotion=word)), NAMES, 0, 60).emotion == emotion


def test_a_quarrel_is_not_rude() -> None:
    assert (
        read_draft(json.dumps(turn("Mara", "Go away, you fool!")), NAMES, 0, 60).text == "Go away, you fool!"
    )


# --------------------------------------------------------------------------------- bad endpoints


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        ((500, {"error": {"message": "oops"}}, {}), "status 500: oops"),
        ((429, {"error": {"message": "slow down"}}, {"retry-after": "0.01"}), "status 429: slow down"),
        ((429, {"error": {"message": "later"}}, {"retry-after": "900"}), "wait 900 s"),
        ((401, {"error": {"message": "bad key"}}, {}), "status 401: bad key"),
        ((200, b"<html>", {}), "no chat completion"),
    ],
)
def test_a_failing_endpoint_stops_the_run_and_keeps_what_is_made(
    server: Server, store: Path, tmp_path: Path, failure: Any, words: str
) -> None:
    server.answers = lambda request, number: answered(request) if number <= 5 else failure
    config = settings(server, llm={"concurrency": 1})
    report = make(config, tmp_path, store, count=3)
    assert words in report["stopped"] and not report["complete"] and report["skipped"] == []
    assert report["scripts"] == len(list(read_scripts(tmp_path))) == 1
    server.answers = lambda request, number: answered(request)
    report = make(config, tmp_path, store, count=3)
    assert report["complete"] and report["run"] == {**report["run"], "known": 5, "asked": 7}


def test_a_slow_endpoint_is_named(server: Server, store: Path, tmp_path: Path) -> None:
    server.answers = lambda request, number: time.sleep(0.6) or answered(request)
    report = make(settings(server, llm={"timeout": 0.2, "retries": 0}), tmp_path, store)
    assert "did not answer within 0.2 s" in report["stopped"] and report["scripts"] == 0


def test_an_endpoint_that_recovers_is_waited_for(server: Server, store: Path, tmp_path: Path) -> None:
    limited = (429, {"error": {"message": "wait"}}, {"retry-after": "0.01"})
    server.answers = lambda request, number: limited if number % 3 == 1 else answered(request)
    report = make(settings(server, llm={"retries": 3}), tmp_path, store)
    assert report["complete"] and report["scripts"] == 2 and report["run"]["retries"] >= 2


@pytest.mark.parametrize("name", ["refused", "rude", "malformed", "empty"])
def test_a_model_that_does_not_cooperate_is_given_up_by_name(
    server: Server, store: Path, tmp_path: Path, name: str
) -> None:
    server.answers = lambda request, number: BAD[name][0]
    config = settings(server, attempts=2, give_up=3, llm={"concurrency": 1})
    report = make(config, tmp_path, store, count=50)
    assert f"3 scripts failed one after the other; the last answer was {name}" in report["stopped"]
    assert report["failed"] == {name: 3} and [each["number"] for each in report["skipped"]] == [0, 1, 2]
    assert all(each["topic"] == "the new ferry" for each in report["skipped"])
    assert len(server.requests) <= 2 * (3 + 2 * config.llm.concurrency)


def test_a_script_that_fails_is_skipped_and_told(server: Server, store: Path, tmp_path: Path) -> None:
    def sometimes(request: dict[str, Any], number: int) -> Any:
        return "no" if number in (1, 2) else answered(request)

    server.answers = sometimes
    report = make(settings(server, attempts=2, llm={"concurrency": 1}), tmp_path, store, count=4)
    assert report["complete"] and report["failed"] == {"malformed": 1} and report["scripts"] == 3
    assert [script.id[-1] for script in read_scripts(tmp_path)] == ["1", "2", "3"]


def test_a_budget_stops_cleanly_and_goes_on(server: Server, store: Path, tmp_path: Path) -> None:
    server.answers = lambda request, number: answered(request)
    config = settings(server, llm={**PRICES, "budget": 0.0125, "concurrency": 1})  # 0.002 a question
    report = make(config, tmp_path, store, count=5)
    assert "budget of 0.0125 is spent" in report["stopped"] and report["scripts"] == 1
    assert len(server.requests) == 7 and report["total"]["cost"] == pytest.approx(0.014)
    more = settings(server, llm={**PRICES, "budget": 1.0, "concurrency": 1})
    report = make(more, tmp_path, store, count=5)
    assert (
        report["complete"] and report["run"]["known"] == 7 and report["total"]["cost"] == pytest.approx(0.04)
    )


def test_penalties_and_temperature_are_sent(server: Server, store: Path, tmp_path: Path) -> None:
    server.answers = lambda request, number: (200, completion(answered(request)), {})
    llm = {"temperature": 1.1, "presence_penalty": 0.4, "frequency_penalty": 0.2, "seed": 5, "max_tokens": 99}
    make(settings(server, llm=llm), tmp_path, store, count=1)
    assert all(request.items() >= llm.items() for request in server.requests)


def test_the_command_ends_with_1_where_the_endpoint_fails(
    server: Server, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setattr(run, "__kwdefaults__", {**(run.__kwdefaults__ or {}), "encoder": BagOfWords})
    server.answers = lambda request, number: answered(request) if number < 5 else (500, {}, {})
    config = tmp_path / "c.yaml"
    config.write_text(
        f"method: rounds\nleast_turns: 2\nmost_turns: 2\nstore: {store}\n"
        f"llm: {{base_url: '{server.url}', model: m, retries: 0, concurrency: 1}}\n"
    )
    words = ["multimodal", "scripts", "--config", str(config), "--out", str(tmp_path / "out"), "--count", "3"]
    assert main(words) == 1
    printed = capsys.readouterr()
    assert "1 of 3 scripts by m" in printed.out and "status 500" in printed.err
    server.answers = lambda request, number: answered(request)
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "3 of 3 scripts by m" in printed.out and "4 known before" in printed.out


def test_foul_words_are_whole_words() -> None:
    assert not answers._FOUL.search("The class in Scunthorpe shifted, the document was retired.")


def test_a_wrong_number_is_bad_input(store: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="base_url"):
        make(ScriptSettings(method="rounds"), tmp_path, store)
