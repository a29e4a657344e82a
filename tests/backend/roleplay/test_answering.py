"""Answers performed by the shipped pack: bodies that go on, go where they are asked, face the user, and are silent where they must."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.backend.errors import BadInput, Cancelled
from understudy.backend.motion import rotations
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import clip_to_bytes
from understudy.backend.motion.skeleton import INDEX, J0
from understudy.backend.pipeline import Pipeline
from understudy.backend.protocol.chat import ChatParams
from understudy.backend.protocol.messages import parse
from understudy.backend.roleplay.answering import Answered, answer, result_of
from understudy.backend.roleplay.performing import Standing
from understudy.backend.roleplay.speaking import NO_VOICE, murmur, spoken
from understudy.backend.speech.words import split

MARA = {"name": "Mara", "personality": "gruff", "places": {"door": [1.8, 0.6]}}


@pytest.fixture(autouse=True)
def _nothing_speaks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The same on every machine."""
    monkeypatch.setenv("PATH", str(tmp_path))


def ask(pipeline: Pipeline, text: str, before: Answered | None = None, **more: Any) -> Answered:
    import base64

    request: dict[str, Any] = {"character": MARA, "text": text, "seed": 3, **more}
    if before is not None:
        request["memory"] = [entry.model_dump() for entry in before.told.memory]
        request["previous"] = base64.b64encode(clip_to_bytes(before.clip)).decode()
    return answer(parse(ChatParams, request), pipeline)


def gap(before: Clip, after: Clip) -> tuple[float, float]:
    """Largest jump of a joint, radians, and of the root, metres, from one clip to the next."""
    turns = rotations.quaternion_multiply(
        rotations.quaternion_conjugate(rotations.axis_angle_to_quaternion(before.poses[-1].astype(float))),
        rotations.axis_angle_to_quaternion(after.poses[0].astype(float)),
    )
    angle = 2 * np.arccos(np.clip(np.abs(turns[:, 0]), 0.0, 1.0))
    return float(angle.max()), float(np.linalg.norm(after.trans[0] - before.trans[-1]))


def to_user(clip: Clip, user: tuple[float, float] = (0.0, 2.5)) -> float:
    """Degrees that the body is turned away from the user at the end."""
    there = Standing.of(clip)
    way = np.array(user) - there.place
    return float(np.degrees(abs(rotations.wrap_angle(np.array(np.arctan2(way[0], way[1]) - there.facing)))))


def test_a_scene_of_four_answers(pipeline: Pipeline) -> None:
    hello = ask(pipeline, "Hello, I'm Ada.")
    assert "Ada" in hello.told.words.text and len(hello.clip) > 60
    assert np.linalg.norm(Standing.of(hello.clip).place) < 0.5 and to_user(hello.clip) < 30

    walked = ask(pipeline, "Walk to the door, please", hello)
    assert np.linalg.norm(Standing.of(walked.clip).place - [1.8, 0.6]) < 0.4
    assert np.linalg.norm(walked.clip.trans[-1] - walked.clip.trans[0]) > 1.2

    said = ask(pipeline, "What did you just do?", walked)
    assert said.told.words.text == "I walked to the door."
    assert to_user(said.clip) < 30  # it turned round, on the spot
    assert np.linalg.norm(Standing.of(said.clip).place - Standing.of(walked.clip).place) < 0.5

    sat = ask(pipeline, "Sit down", said)
    pelvis = (sat.clip.trans + J0)[:, 1]
    still = ask(pipeline, "How are you?", sat)
    assert pelvis[-1] < pelvis[0] - 0.2
    assert np.abs((still.clip.trans + J0)[:, 1] - pelvis[-1]).max() < 0.05

    for before, after in ((hello, walked), (walked, said), (said, sat), (sat, still)):
        angle, distance = gap(before.clip, after.clip)
        assert angle < 0.25 and distance < 0.06


def test_the_head_looks_at_the_user_and_the_mouth_speaks(pipeline: Pipeline) -> None:
    done = ask(pipeline, "What do you know about seagulls and the weather?", user=[2.0, 2.5])
    clip = done.clip
    eyes = clip.joints()[:, [INDEX["left_eye_smplhf"], INDEX["right_eye_smplhf"]]].mean(axis=1)
    from understudy.backend.motion.kinematics import forward_kinematics

    _, world = forward_kinematics(clip.poses, clip.trans)
    look = world[:, INDEX["head"], :, 2][:, [0, 2]]
    way = np.array([2.0, 2.5]) - eyes[:, [0, 2]]
    cosine = np.sum(look * way, axis=1) / np.linalg.norm(look, axis=1) / np.linalg.norm(way, axis=1)
    assert np.degrees(np.arccos(np.median(cosine[30:]))) < 20
    assert np.ptp(clip.poses[:, INDEX["jaw"], 0]) > 0.05


def test_without_a_synthesiser_the_answer_is_silent_timed_and_says_so(pipeline: Pipeline) -> None:
    done = ask(pipeline, "Hello")
    assert done.sound is None and NO_VOICE in done.warnings
    assert ask(pipeline, "Hello", voice=False).warnings == []
    result = result_of(done, time.monotonic())
    assert result.sound is None and result.frames == len(done.clip) and result.author == "offline"
    short, long = (spoken(text, "Mara", aloud=False).seconds for text in ("Aye.", "Aye, " * 20))
    assert 1.3 < short < 2.5 and 5.0 < long < 12.0
    assert np.abs(murmur(split("One, two."))).max() < 1.0


def test_the_same_seed_is_the_same_answer(pipeline: Pipeline) -> None:
    one, other = (ask(pipeline, "Dance for me") for _ in range(2))
    assert one.told == other.told and np.array_equal(one.clip.poses, other.clip.poses)
    assert not np.array_equal(one.clip.poses[:20], ask(pipeline, "Dance for me", seed=4).clip.poses[:20])
    hands = one.clip.joints()[:, INDEX["left_wrist"]] - one.clip.joints()[:, 0]
    assert np.ptp(hands, axis=0).max() > 0.15
    assert one.told.words.motion == "dances"


def test_a_cancel_ends_it(pipeline: Pipeline) -> None:
    with pytest.raises(Cancelled):
        answer(parse(ChatParams, {"character": MARA, "text": "Dance"}), pipeline, cancelled=lambda: True)


def test_other_languages_and_failing_endpoints_are_told(pipeline: Pipeline) -> None:
    assert any("writes English only" in text for text in ask(pipeline, "Hallo", language="de").warnings)
    nobody = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "retries": 0}
    done = ask(pipeline, "Hello", endpoint=nobody, fall_back=True)
    assert done.told.author == "offline"
    assert any(
        text.startswith("The offline author answers: The endpoint 127.0.0.1:9 cannot")
        for text in done.warnings
    )


@pytest.mark.parametrize(
    ("change", "words", "field"),
    [
        ({"previous": "?"}, "is not base64", "previous"),
        ({"previous": "aGVsbG8="}, "", "previous"),
        ({"text": None, "speech": "nowhere.wav"}, "There is no recording nowhere.wav", "speech"),
        ({"character": None, "character_file": "nowhere.yaml"}, "cannot be read", "character"),
        (
            {"endpoint": {"base_url": "https://far.example/v1", "model": "m"}},
            "the network is not allowed",
            "allow_network",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence(
    pipeline: Pipeline, change: dict[str, Any], words: str, field: str
) -> None:
    request = {
        key: value for key, value in {"character": MARA, "text": "Hi", **change}.items() if value is not None
    }
    with pytest.raises(BadInput) as caught:
        answer(parse(ChatParams, request), pipeline)
    assert words in caught.value.message and caught.value.field == field and "\n" not in caught.value.message


def test_speech_needs_a_recogniser(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import soundfile

    monkeypatch.delenv("UNDERSTUDY_WHISPER", raising=False)
    path = tmp_path / "said.wav"
    soundfile.write(path, np.zeros(16000), 16000)
    with pytest.raises(BadInput, match="cannot be recognised on this machine"):
        answer(parse(ChatParams, {"character": MARA, "speech": str(path)}), pipeline)
