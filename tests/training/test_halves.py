"""Rules that recognise arms and legs, and the pairs they judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.features import FPS
from understudy.backend.motion.skeleton import INDEX
from understudy.backend.protocol.messages import GenerateParams
from understudy.training.evaluation import halves
from understudy.training.evaluation.recognise import LOWER, SIDES, UPPER, Body, gait, told_of, trust, turns

FRAMES = 120
SIGN = {"left": 1.0, "right": -1.0}


def clip(*, speed: float = 0.0, step: float = 0.0, height: float = 1.31, hop: float = 0.0, turn: float = 0.0,
         arms: dict[str, dict[str, np.ndarray | float]] | None = None) -> Clip:  # fmt: skip
    """A body whose legs swing by ``step`` radians while it travels, with arms as told.

    Args:
        arms: by side ``lift`` (radians from hanging down to the side and up) and ``bend`` (of the elbow).
    """
    time = np.arange(FRAMES) / FPS
    poses, trans = np.zeros((FRAMES, 55, 3)), np.zeros((FRAMES, 3))
    # Legs swing evenly, so that one foot stands still where ``step`` is as wide as the speed needs.
    swing = step * (4 * np.abs((time + 0.25) % 1 - 0.5) - 1)
    poses[:, INDEX["left_hip"], 0], poses[:, INDEX["right_hip"], 0] = swing, -swing
    trans[:, 1] = height + hop * np.abs(np.sin(2 * np.pi * 1.5 * time))
    trans[:, 0], trans[:, 2] = speed * np.sin(turn) * time, speed * np.cos(turn) * time
    poses[:, 0, 1] = turn
    for side in SIDES:
        told = (arms or {}).get(side, {})
        poses[:, INDEX[f"{side}_shoulder"], 2] = SIGN[side] * (np.asarray(told.get("lift", 0.0)) - np.pi / 2)
        poses[:, INDEX[f"{side}_elbow"], 2] = SIGN[side] * np.asarray(told.get("bend", 0.0))
    return Clip(poses, trans, FPS)


def shown(body: Clip) -> set[str]:
    found = Body.of(body)
    return {action.does for action in UPPER if action.rule(found)}


WAVING = {"lift": 2.3, "bend": 0.5 + 0.4 * np.sin(2 * np.pi * 2 * np.arange(FRAMES) / FPS)}


@pytest.mark.parametrize("turn", [0.0, 2.0])
@pytest.mark.parametrize(
    ("moved", "name"),
    [
        ({"speed": 0.8, "step": 0.25}, "walks"),
        ({"speed": -0.8, "step": -0.25}, "walks backwards"),
        ({"speed": 2.5, "step": 0.7, "hop": 0.3}, "runs"),
        ({}, "stands still"),
        ({"height": 0.95}, "crouches"),
        ({"speed": 1.2}, "glides"),
    ],
)
def test_gaits(moved: dict[str, float], name: str, turn: float) -> None:
    assert gait(Body.of(clip(**moved, turn=turn))) == name
    assert name == "glides" or any(action.does == name for action in LOWER)


@pytest.mark.parametrize("turn", [0.0, 2.0])
@pytest.mark.parametrize("side", SIDES)
def test_a_raised_hand_is_that_hand_and_no_wave(side: str, turn: float) -> None:
    assert shown(clip(arms={side: {"lift": 2.8}}, turn=turn)) == {f"raises the {side} hand"}


@pytest.mark.parametrize("side", SIDES)
def test_a_wave_is_a_raised_hand_that_goes_to_and_fro(side: str) -> None:
    assert shown(clip(arms={side: WAVING})) == {f"raises the {side} hand", f"waves with the {side} hand"}


def test_both_hands_are_neither_the_left_nor_the_right() -> None:
    assert shown(clip(arms={side: {"lift": 2.8} for side in SIDES})) == {"raises both hands"}
    assert "waves with both hands" in shown(clip(arms=dict.fromkeys(SIDES, WAVING)))


def test_arms_to_the_sides_and_arms_that_hang() -> None:
    spread = shown(clip(arms={side: {"lift": np.pi / 2} for side in SIDES}))
    assert "stretches both arms out to the sides" in spread and "throws punches" not in spread
    assert shown(clip()) == set() == shown(clip(speed=0.8, step=0.25))


def test_a_punch_shoots_forward_and_a_raise_does_not() -> None:
    time = np.arange(FRAMES) / FPS
    body = clip()
    forward = np.clip(np.sin(2 * np.pi * 1.2 * time), 0, 1) ** 4
    # The upper arm points ahead, the elbow opens: the fist goes straight to the front.
    body.poses[:, INDEX["right_shoulder"]] = [0.0, np.pi / 2, 0.0]
    body.poses[:, INDEX["right_elbow"], 1] = 2.2 * (1 - forward)
    assert "throws punches" in shown(body)
    lifting = 2.8 * np.clip(2 * time, 0, 1)
    assert "throws punches" not in shown(clip(arms={"right": {"lift": lifting}}))


def test_turns_count_what_is_larger_than_the_swing() -> None:
    time = np.linspace(0, 2, 200)
    path = np.zeros((200, 3))
    path[:, 1] = 0.1 * np.sin(2 * np.pi * 2 * time)
    assert turns(path, 0.05) in (7, 8)
    assert turns(0.2 * path, 0.05) == 0


def test_one_frame_is_no_error() -> None:
    assert gait(Body.of(clip().slice(0, 1))) == "stands still"
    assert shown(clip().slice(0, 1)) == set()


def test_what_captions_tell_of() -> None:
    assert told_of(["A person raises the right hand and lowers it"], UPPER) == {"raises the right hand"}
    wave = told_of(["someone waves the left hand happily"], UPPER)
    assert wave == {"raises the left hand", "waves with the left hand"}
    assert told_of(["a person walks backwards slowly"], LOWER) == {"walks backwards"}
    assert told_of(["a person walks and then jumps"], LOWER) == set()
    assert told_of(["a person walks", "someone runs"], LOWER) == {"walks", "runs"}


@pytest.mark.parametrize("action", [*UPPER, *LOWER], ids=lambda action: action.does)
def test_every_prompt_is_told_of_by_its_own_pattern(action: Any) -> None:
    """So that implied actions can be read from the prompt, and captured clips of it be found."""
    assert action.does in told_of([action.prompt], UPPER if action in UPPER else LOWER)


def test_trust_counts_right_and_wrong_on_captured_clips() -> None:
    up, waving, walking = (
        clip(arms={"right": {"lift": 2.8}}),
        clip(arms={"left": WAVING}),
        clip(speed=0.8, step=0.25),
    )
    captured = [
        (["a person raises the right hand"], lambda: up),
        (["a person raises the right hand"], lambda: walking),  # told, not shown
        (["a person waves with the left hand"], lambda: waving),
        (["a person walks forward"], lambda: walking),
        (["a person walks, someone runs"], lambda: walking),  # two gaits: nobody knows when
        (["a person bakes bread"], lambda: up),
    ]
    found = trust(captured)
    assert found["raises the right hand"] == {"shown": 1, "clips": 2, "false": 0, "others": 3}
    assert found["waves with the left hand"] == {"shown": 1, "clips": 1, "false": 0, "others": 4}
    assert found["walks"] == {"shown": 1, "clips": 1, "false": 0, "others": 0}
    assert trust(captured[:1] * 9, most=3)["raises the right hand"]["clips"] == 3


class FakePipeline:
    """Performs what the halves ask for; in one sentence it only walks."""

    def __init__(self, *, knows_halves: bool = True) -> None:
        self.knows_halves = knows_halves

    def generate(self, params: GenerateParams) -> list[Clip]:
        if params.upper is None:
            return [clip(speed=0.8, step=0.25)]
        if not self.knows_halves:
            raise BadInput("The pack has no prompts for halves of the body.", field="upper")
        arms = {"right": {"lift": 2.8}} if "right" in params.upper else {"left": {"lift": 2.8}}
        legs: dict[str, float] = {"speed": 0.8, "step": 0.25} if params.lower == "a person walks" else {}
        return [clip(arms=arms, **legs)]


PAIRS = [(upper, lower) for upper in UPPER[:2] for lower in (LOWER[0], LOWER[2])]


def test_pairs_are_judged_half_by_half() -> None:
    told: list[str] = []
    found = halves.measure_halves(
        FakePipeline(), [], None, seed=3, pairs=PAIRS, progress=lambda what, i, n: told.append(f"{what} {i}/{n}"),  # type: ignore[arg-type]
    )  # fmt: skip
    ours, plain = found["halves"], found["one_sentence"]
    assert ours["upper"]["mean"] == ours["lower"]["mean"] == ours["both"]["mean"] == 1
    assert ours["false"]["mean"] == 0
    assert plain["upper"]["mean"] == 0 and plain["lower"]["mean"] == 0.5 and plain["both"]["mean"] == 0
    assert plain["lower"]["half"] == pytest.approx(0.49) and plain["actions"]["lower"] == {
        "walks": 1.0,
        "stands still": 0.0,
    }
    assert told[0] == "halves 0/4" and told[-1] == "one sentence 3/4"


def test_a_pack_without_halves_is_still_asked_in_one_sentence() -> None:
    found = halves.measure_halves(FakePipeline(knows_halves=False), [], None, seed=3, pairs=PAIRS)  # type: ignore[arg-type]
    assert found["halves"] is None and "no prompts for halves" in found["missing"]
    assert found["one_sentence"]["lower"]["mean"] == 0.5


def test_fifty_pairs() -> None:
    assert len(halves.PAIRS) == 50 == len({(a.does, b.does) for a, b in halves.PAIRS})
