"""Dividing Inter-X's captions between the two people, and the vote: every outcome, resumed, in parts, by the command."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput, JobFailed
from understudy.training.cli import main
from understudy.training.data import interx_texts
from understudy.training.data.interx_texts import (
    AnnotationSettings,
    read_annotations,
    read_division,
    read_vote,
    verdict,
)
from understudy.training.words.llm import Endpoint

from .makers import interx as maker
from .makers.interx import SHAKE
from .test_llm import Server, server

__all__ = ["server"]  # a fixture

HUG = "G002T000A000R000"


def write(root: Path) -> Path:
    home = root / "interx"
    maker.texts(home, SHAKE, ["One man offers his hand. ", "", "Two people shake hands."])
    maker.texts(home, HUG, ["He hugs her."])
    return home


def division(number: int | str) -> str:
    return json.dumps(
        {
            "both": f"two people meet {number}.",
            "actor": f"a person acts {number}",
            "reactor": f"a person reacts {number}",
        }
    )


def settings(**changes: Any) -> AnnotationSettings:
    return AnnotationSettings(llm=Endpoint(backoff=0.0, **changes))


def tape(path: Path, answers: dict[str, str]) -> Path:
    path.write_text(
        "".join(json.dumps({"name": name, "answer": text}) + "\n" for name, text in answers.items())
    )
    return path


def run(kind: Any, home: Path, config: AnnotationSettings, **changes: Any) -> dict[str, Any]:
    return interx_texts.run(kind, home / "texts", home / "annotations", config, **changes)


# ---------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize(
    "answer",
    [
        division(1),
        f"Here you are:\n```json\n{division(1)}\n```\nAnything else?",
        f"<think>Or {division('x')}? {{ N, Y.</think>{division(1)} as {{you}} see",
        '{"both": " two people\\n meet 1.", "actor": "a person acts 1", "reactor": "a person reacts 1.", "note": 3}',
    ],
)
def test_a_division_is_found_in_what_a_model_says(answer: str) -> None:
    assert read_division(answer) == {
        "both": "two people meet 1", "actor": "a person acts 1", "reactor": "a person reacts 1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "no JSON"),
        ("I cannot help with that.", "no JSON"),
        ("} {", "damaged"),
        ('{"both": "x", "actor": "y"', "damaged"),
        ("<think>{}</think> No.", "no JSON"),
        ('{"both": "x", "actor": "y", }', "damaged"),
        ('{"both": "x", "actor": "y"}', "lacks reactor"),
        ('{"both": "x", "actor": " . ", "reactor": "z"}', "lacks actor"),
        ('{"both": "x", "actor": ["y"], "reactor": "z"}', "lacks actor"),
        ('{"both": "x", "actor": "y", "reactor": "' + "z" * 700 + '"}', "700 characters"),
        ("{" * 5000 + "}" * 5000, "damaged"),
    ],
)
def test_what_is_no_division_says_why(answer: str, why: str) -> None:
    found = read_division(answer)
    assert isinstance(found, str) and why in found


@given(st.text(alphabet='{}[]":,abothcrew \n\\', max_size=60))
def test_any_answer_is_read_or_refused(answer: str) -> None:
    assert isinstance(read_division(answer), (str, dict))
    assert read_vote(answer) in ("Y", "R", "N", "")


@pytest.mark.parametrize(
    ("answer", "vote"),
    [
        ("Y", "Y"), (" r.", "R"), ("**N**", "N"), ("Answer: R", "R"), ("yes, it agrees", "Y"), ("No.", "N"),
        ("Reversed", "R"), ("Y or N", ""), ("", ""), ("I'm not sure", ""), ("Right now", ""), ("N\n\nY", ""),
        ("The answer is Y because", "Y"), ("<think>Y? No, R.</think>\n\nN", "N"), ("<think>Y or", ""),
    ],
)  # fmt: skip
def test_a_vote_is_one_letter(answer: str, vote: str) -> None:
    assert read_vote(answer) == vote


# --------------------------------------------------------------------------------------- the rule


@pytest.mark.parametrize(
    ("votes", "decided"),
    [
        ("YYYYY", "keep"), ("YYYRN", "keep"), ("YYRRN", "keep"), ("YYNNR", "keep"), ("YYRR", "keep"), ("YYNN", "keep"),
        ("RRRYY", "swap"), ("RRRRR", "swap"), ("RRNNY", "swap"), ("RRNN", "swap"), ("RRRN", "swap"),
        ("NNNYR", "drop"), ("NNNRR", "drop"), ("NNNYY", "drop"), ("NNYR", "drop"),
        ("YYY", "skip"), ("RRR", "skip"), ("", "skip"),
    ],
)  # fmt: skip
def test_the_rule(votes: str, decided: str) -> None:
    assert verdict(Counter(votes), 5) == decided


@given(st.text(alphabet="YRN", max_size=9), st.integers(1, 9))
def test_the_rule_always_decides_as_it_says(votes: str, repeat: int) -> None:
    y, r, n = (votes.count(letter) for letter in "YRN")
    expected = "drop"
    if r > y and r >= n:
        expected = "swap"
    if y >= r and y >= n:
        expected = "keep"
    assert verdict(Counter(votes), repeat) == ("skip" if len(votes) < repeat - 1 else expected)


# --------------------------------------------------------------------------------- from a tape


def test_an_unreadable_answer_is_asked_for_again_five_times(tmp_path: Path) -> None:
    home = write(tmp_path)
    answers = {f"split/{HUG}/0/{k}": "no" for k in range(5)} | {f"split/{HUG}/0/5": division(9)}
    answers |= {f"split/{SHAKE}/0/{k}": "no" for k in range(4)} | {f"split/{SHAKE}/0/4": division(4)}
    answers |= {f"split/{SHAKE}/1/0": division(1)}
    numbers = run("split", home, settings(answers=tape(tmp_path / "t.jsonl", answers)))
    assert numbers["outcomes"] == {"divided": 2, "failed": 1} and numbers["run"]["asked"] == 11
    rows = [json.loads(line) for line in Path(numbers["file"]).read_text().splitlines()]
    assert [(row["clip"], row["caption"]) for row in rows] == [(SHAKE, 0), (SHAKE, 1), (HUG, 0)]
    assert rows[0]["actor"] == "a person acts 4" and rows[0]["text"] == "One man offers his hand"
    assert "5 answers could not be read" in rows[2]["failed"] and rows[2]["actor"] == ""
    found = read_annotations(home / "annotations")
    assert list(found) == [SHAKE] and found[SHAKE].reactor == ["a person reacts 4", "a person reacts 1"]


def test_the_vote_keeps_exchanges_drops_and_skips(tmp_path: Path) -> None:
    home = tmp_path / "interx"
    maker.texts(home, SHAKE, ["a", "b", "c", "d"])
    answers = {f"split/{SHAKE}/{k}/0": division(k) for k in range(4)}
    for caption, votes in enumerate(("YYNRY", "RRRYN", "NNNNY", "YY??Y")):
        answers |= {f"vote/{SHAKE}/{caption}/{k}": vote for k, vote in enumerate(votes)}
    config = settings(answers=tape(tmp_path / "t.jsonl", answers))
    run("split", home, config)
    numbers = run("vote", home, config)
    assert numbers["outcomes"] == {"keep": 1, "swap": 1, "drop": 1, "skip": 1}
    rows = [json.loads(line) for line in Path(numbers["file"]).read_text().splitlines()]
    assert [row["verdict"] for row in rows] == ["keep", "swap", "drop", "skip"]
    assert rows[1]["actor"] == "a person reacts 1" and rows[1]["reactor"] == "a person acts 1"
    assert rows[1]["votes"] == {"Y": 1, "R": 3, "N": 1}
    assert read_annotations(home / "annotations")[SHAKE].actor == ["a person acts 0", "a person reacts 1"]


def test_a_vote_without_divisions_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no divided captions"):
        run("vote", write(tmp_path), settings(answers=tape(tmp_path / "t.jsonl", {})))


# ------------------------------------------------------------------------------ from an endpoint


def by_caption(request: dict[str, Any], number: int) -> Any:
    text = request["messages"][1]["content"]
    return division(text.removeprefix("Caption: ")) if "\n" not in text else "Y"


def local(server: Server, **changes: Any) -> AnnotationSettings:
    return settings(base_url=server.url, model="m", timeout=5.0, **changes)


def test_parts_together_are_the_whole(server: Server, tmp_path: Path) -> None:
    server.answers = by_caption
    whole, parts = tmp_path / "whole/interx", tmp_path / "parts/interx"
    for home in (whole, parts):
        for k in range(4):
            maker.texts(home, f"G{k:03d}T000A001R000", [f"caption {k}", f"other {k}"])
    for kind in ("split", "vote"):
        run(kind, whole, local(server))
        for part in (2, 0, 1):
            run(kind, parts, local(server), period=3, part=part)
    assert read_annotations(parts / "annotations") == read_annotations(whole / "annotations")
    assert len(read_annotations(whole / "annotations")) == 4
    assert len(server.requests) == 2 * (8 + 8 * 5)


def test_a_stopped_run_resumes_with_nothing_asked_twice(server: Server, tmp_path: Path) -> None:
    home = tmp_path / "interx"
    maker.texts(home, SHAKE, [f"caption {k}" for k in range(20)])
    failed = threading.Event()

    def stop_at(limit: int) -> Callable[[dict[str, Any], int], Any]:
        def answer(request: dict[str, Any], number: int) -> Any:
            if number > limit:
                failed.set()
                return 401, {"error": {"message": "no more"}}, {}
            return by_caption(request, number)

        return answer

    server.answers = stop_at(8)
    with pytest.raises(JobFailed, match="no more"):
        run("split", home, local(server, concurrency=1))
    assert failed.is_set() and not list((home / "annotations").glob("split.*_of_0001.jsonl"))
    asked = len(server.requests)
    server.answers = by_caption
    numbers = run("split", home, local(server, concurrency=3))
    assert numbers["run"]["asked"] == 12 and numbers["run"]["known"] == 8 and numbers["total"]["asked"] == 20
    assert len(server.requests) == asked + 12
    again = run("split", home, local(server))
    assert again["run"]["asked"] == 0 and len(server.requests) == asked + 12


def test_a_killed_process_loses_no_answer(server: Server, tmp_path: Path) -> None:
    home = tmp_path / "interx"
    maker.texts(home, SHAKE, [f"caption {k}" for k in range(20)])
    reached = threading.Event()

    def slowly(request: dict[str, Any], number: int) -> Any:
        if number == 8:
            reached.set()
            time.sleep(5)
        return by_caption(request, number)

    server.answers = slowly
    text = f"llm: {{base_url: '{server.url}', model: m, concurrency: 1}}"
    words = ["interx", "split", "--root", str(tmp_path), "--config", config(tmp_path, text)]
    child = subprocess.Popen([sys.executable, "-m", "understudy.training.cli", "annotate", *words])
    try:
        assert reached.wait(30)
    finally:
        child.kill()
        child.wait()
    server.answers = by_caption
    numbers = run("split", home, local(server, concurrency=1))
    assert numbers["run"]["known"] == 7 and numbers["run"]["asked"] == 13  # the eighth was never answered
    asked = Counter(request["messages"][1]["content"] for request in server.requests)
    assert [text for text, count in asked.items() if count > 1] == ["Caption: caption 7"]


def test_votes_differ_by_their_seed_and_the_number_limits_the_work(server: Server, tmp_path: Path) -> None:
    server.answers = by_caption
    home = write(tmp_path)
    run("split", home, local(server, seed=100), limit=1)
    assert [request["seed"] for request in server.requests] == [100]
    run("vote", home, local(server, seed=100, concurrency=1))
    assert [request["seed"] for request in server.requests[1:]] == [100, 101, 102, 103, 104]


# -------------------------------------------------------------------------------------- the command


def config(root: Path, text: str) -> str:
    (root / "annotate.yaml").write_text(text)
    return str(root / "annotate.yaml")


def test_the_command(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.answers = by_caption
    write(tmp_path)
    words = [
        "--root",
        str(tmp_path),
        "--config",
        config(tmp_path, f"llm: {{base_url: '{server.url}', model: m, price_in: 1}}"),
    ]
    assert main(["annotate", "interx", "split", *words]) == 0
    printed = capsys.readouterr().out
    assert "3 captions: 3 divided" in printed and "300 tokens in" in printed and "cost 0.0003" in printed
    assert main(["annotate", "interx", "vote", *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["outcomes"] == {"keep": 3}
    assert set(read_annotations(tmp_path / "interx/annotations")) == {SHAKE, HUG}


@pytest.mark.parametrize(
    ("words", "text", "message"),
    [
        ([], "llm: {}", "names no base_url"),
        (["--part", "2", "--period", "2"], "llm: {}", "--part"),
        (["--limit", "0"], "llm: {}", "--limit"),
        ([], "llm: {tempo: 1}", "llm.tempo"),
    ],
)
def test_wrong_use_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], text: str, message: str
) -> None:
    write(tmp_path)
    given = [
        "annotate",
        "interx",
        "split",
        "--root",
        str(tmp_path),
        "--config",
        config(tmp_path, text),
        *words,
    ]
    assert main(given) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_no_captions_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["annotate", "interx", "split", "--root", str(tmp_path), "--config", config(tmp_path, "llm: {}")]
    assert main(given) == 2 and "interx" in capsys.readouterr().err
