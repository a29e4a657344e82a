"""What ``chat`` may ask, and how its caller reads the answer."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.dialogue.emotions import EMOTIONS, style_of
from understudy.backend.errors import BadInput
from understudy.backend.protocol.chat import MAX_MEMORY, Character, ChatParams, ChatResult, Remembered
from understudy.backend.protocol.framing import ProtocolError
from understudy.backend.protocol.messages import parse
from understudy.backend.protocol.replies import answer_of
from understudy.backend.roleplay.remembering import Scene, remembered

GOOD: dict[str, Any] = {"character": {"name": "Mara"}, "text": "Hello"}
END: dict[str, Any] = {"base_url": "http://localhost:1/v1", "model": "m"}
WRONG = [
    ({"text": None}, "text", "The request needs a text of the user, or a recording."),
    ({"speech": "a.wav"}, "text", "The request needs a text of the user, or a recording."),
    ({"character": None}, "character", "The request needs a character, or the file of one."),
    ({"character_file": "a.yaml"}, "character", "The request needs a character, or the file of one."),
    ({"text": " "}, "text", "The text is empty."),
    ({"text": "a" * 2001}, "text", "The text is longer than 2000 characters."),
    ({"seed": -1}, "seed", "Seed must be between 0 and 2147483647, not -1."),
    (
        {"memory": [{"who": "dog", "text": "wuff"}]},
        "memory.0.who",
        "Memory 1 who must be 'user' or 'character', not 'dog'.",
    ),
    (
        {"memory": [{"who": "user", "text": ""}] * (MAX_MEMORY + 1)},
        "memory",
        "Memory must have at most 400 entries, not 401.",
    ),
    ({"user": [0.0]}, "user", "User must have at least 2 entries, not 1."),
    (
        {"endpoint": {**END, "base_url": "ftp://x"}},
        "endpoint.base_url",
        "The endpoint must be an address that begins with http:// or https://.",
    ),
    (
        {"endpoint": {**END, "base_url": "http://user:pw@host/v1"}},
        "endpoint.base_url",
        "The endpoint's address must hold no key and no question mark: name the key by api_key_env.",
    ),
    (
        {"endpoint": {**END, "api_key_env": "sk-12345"}},
        "endpoint.api_key_env",
        "The api_key_env must be the name of an environment variable, not the key.",
    ),
    (
        {"endpoint": {**END, "timeout": 0.0}},
        "endpoint.timeout",
        "Endpoint timeout must be between 0.1 and 600, not 0.0.",
    ),
    ({"endpoint": {"base_url": "http://x"}}, "endpoint.model", "Endpoint lacks its model."),
    ({"voices": True}, "voices", "Unknown setting 'voices'."),
    ({"language": "../x"}, "language", None),
]


@pytest.mark.parametrize(("change", "field", "sentence"), WRONG)
def test_each_fault_has_its_sentence(change: dict[str, Any], field: str, sentence: str | None) -> None:
    params = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    with pytest.raises(BadInput) as caught:
        parse(ChatParams, params)
    assert caught.value.field == field and "\n" not in caught.value.message
    assert sentence is None or caught.value.message == sentence
    assert "pw" not in caught.value.message and "12345" not in caught.value.message


words = st.text(max_size=40)


@given(
    st.lists(
        st.builds(
            Remembered, who=st.sampled_from(["user", "character"]), text=words, motion=words, emotion=words
        ),
        max_size=12,
    ),
    words,
    words,
)
def test_a_memory_that_was_answered_can_be_sent_again(
    memory: list[Remembered], heard: str, text: str
) -> None:
    new = remembered(memory, heard, text, "waves", "happy")
    sent = parse(ChatParams, {**GOOD, "memory": [entry.model_dump() for entry in new]})
    assert sent.memory == new and len(new) == len(memory) + 2
    scene = Scene.of(new)
    assert (scene.said[-1], scene.heard[-1], scene.done[-1], scene.emotion) == (text, heard, "waves", "happy")


def test_the_oldest_goes_first() -> None:
    memory = [Remembered(who="user", text=str(number)) for number in range(MAX_MEMORY)]
    new = remembered(memory, "a", "b", "", "")
    assert len(new) == MAX_MEMORY and new[0].text == "2" and new[-1].text == "b"


def result(**change: Any) -> dict[str, Any]:
    made = ChatResult(
        text="Aye.", emotion="calm", motion="", clip=base64.b64encode(b"clip").decode(), frames=3, fps=30.0, sound=base64.b64encode(b"wav").decode(),
        seconds=0.1, author="offline", heard="Hi", memory=[Remembered(who="user", text="Hi")], warnings=["Odd."],
    )  # fmt: skip
    return {**made.model_dump(mode="json"), **change}


def test_the_caller_reads_what_the_backend_sends() -> None:
    found = answer_of(result())
    assert (found.text, found.clip, found.sound, found.warnings) == ("Aye.", b"clip", b"wav", ["Odd."])
    assert found.memory == [{"who": "user", "text": "Hi", "motion": "", "emotion": ""}]
    assert answer_of(result(sound=None)).sound is None


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        {},
        result(clip="?"),
        result(sound=5),
        result(text=None),
        result(memory={}),
        result(memory=[1]),
        result(seconds="x"),
        result(warnings=[1]),
    ],
)
def test_nonsense_is_told(wrong: Any) -> None:
    with pytest.raises(ProtocolError):
        answer_of(wrong)


def test_every_emotion_but_none_has_a_style() -> None:
    assert [emotion for emotion in EMOTIONS if not style_of((emotion,))] == ["neutral"]
    assert all(Character(name="x", emotion=emotion).emotion == emotion for emotion in EMOTIONS)
