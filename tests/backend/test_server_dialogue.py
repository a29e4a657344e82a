"""The method ``dialogue`` of the real server with the default pack: both bodies and their sound, cancel, bad input."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.speech.voices import RATE, speak
from understudy.backend.errors import BadInput
from understudy.backend.motion.npz import clip_from_bytes
from understudy.backend.protocol.framing import ProtocolError
from understudy.backend.protocol.wire import Client, backend_command, dialogue_of


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with Client(backend_command(sys.executable), options={"warm": False, "client": "tests"}) as client:
        yield client


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("recordings")
    for number, pitch in enumerate((190.0, 110.0), 1):
        soundfile.write(folder / f"{number}.wav", speak(number, 3.0, pitch).samples.astype(np.float32), RATE)
    return [str(folder / f"{number}.wav") for number in (1, 2)]


def lines(recordings: list[str]) -> list[dict[str, Any]]:
    return [
        {"speaker": "Anna", "text": "Good morning, how are you?", "recording": recordings[0], "emotion": "happy"},
        {"speaker": "Ben ", "text": "Fine, thank you.", "recording": recordings[1], "direction": "nods"},
    ]  # fmt: skip


def test_lines_become_two_bodies_and_their_sound(client: Client, recordings: list[str]) -> None:
    reported: list[dict[str, Any]] = []
    request = client.request(
        "dialogue", {"lines": lines(recordings), "seed": 4, "distance": 1.5}, on_progress=reported.append
    )
    made = dialogue_of(client.wait(request, timeout=120))
    clips = [clip_from_bytes(data) for data in made.clips]
    sound, rate = soundfile.read(io.BytesIO(made.sound))
    assert made.names == ("ANNA", "BEN")
    assert len(clips[0]) == len(clips[1]) == round(len(sound) / rate * 30)
    assert clips[0].trans[:, 0].mean() < 0 < clips[1].trans[:, 0].mean()
    assert [turn["speaker"] for turn in made.turns] == ["ANNA", "BEN"]
    assert 0 < made.turns[0]["start"] < made.turns[0]["end"] < made.turns[1]["start"]
    assert made.measures["facing_degrees"] < 15 and made.distance >= 1.5
    stages = list(dict.fromkeys(progress["stage"] for progress in reported))
    assert next(stage for stage in stages if stage != "load") == "voices" and "refine" in stages


def test_a_dialogue_can_be_cancelled_and_the_process_stays(client: Client, recordings: list[str]) -> None:
    pid, many = client.pid, lines(recordings) * 20
    request = client.request("dialogue", {"lines": many})
    deadline = time.monotonic() + 60
    while request.progress.get("stage") != "refine":
        assert time.monotonic() < deadline
        client.poll()
        time.sleep(0.01)
    client.cancel(request)
    began = time.monotonic()
    with pytest.raises(BadInput):  # the next request is answered at once
        client.wait(client.request("dialogue", {"script": "Nothing.\n"}), timeout=60)
    assert time.monotonic() - began < 20
    assert request.state == "cancelled" and request.result is None
    assert client.pid == pid


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "either a script or lines"),
        ({"script": "ANNA\nHi.\n", "lines": [{"speaker": "A", "text": "b"}]}, "either a script or lines"),
        ({"script": "ANNA\nHi.\n"}, "needs two speakers, this one has 1: ANNA"),
        ({"lines": [{"speaker": "A", "text": "Hi"}] * 2}, "this one has 1: A"),
        ({"lines": [{"speaker": "A", "text": "..."}]}, "Line 1: nothing is said"),
        ({"lines": [{"speaker": "A", "text": "Hi", "recording": "/no/such.wav"}]}, "there is no recording"),
        ({"script": "A\nHi.\n\nB\nHo.\n", "voices": {"carl": "x"}}, "There is a voice for CARL"),
        ({"script": "A\nHi.\n", "distance": 9.0}, "Distance must be between 0.8 and 2.5, not 9.0"),
        ({"script": "A\nHi.\n", "by": "retrieval"}, "there must be a library"),
        ({"script": "A\nHi.\n", "language": "../x"}, "Language"),
    ],
)
def test_wrong_input_is_one_sentence(client: Client, params: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput) as caught:
        client.wait(client.request("dialogue", params), timeout=60)
    assert words in caught.value.message and "\n" not in caught.value.message


@pytest.mark.parametrize(
    "result",
    [
        None,
        {},
        {"clips": ["!"], "names": []},
        {"clips": ["AA==", "AA=="], "names": ["A", "B"], "turns": [{}]},
    ],
)
def test_an_answer_that_is_no_dialogue_is_told(result: Any) -> None:
    with pytest.raises(ProtocolError):
        dialogue_of(result)
