"""Gestures that are written, not captured: hands that are raised, wave, point, clap, reach out, drink.

The captured sets that allow commercial use have next to none of them (of an hour of CMU, CC0 and DeepMimic, two
clips raise a hand), and they are what animators ask for first. A gesture is a few places that the hands
go to, in the frame of the chest, with times and sizes that vary; hands move on minimum-jerk paths (Flash and
Hogan, 1985), arms follow by inverse kinematics, shoulder blades, trunk and head go along. The body stands. What the rest of a
body does meanwhile is learned from captured motion, by prompts of the halves.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...backend.motion import rotations
from ...backend.motion.clip import Clip
from ...backend.motion.filters import gaussian
from ...backend.motion.grounding import ground
from ...backend.motion.skeleton import INDEX, REST_OFFSETS
from ...backend.speech.arms import MIRRORED, reach
from .item import Item
from .job import FPS, Job
from .raw import Raw

LICENCE = "CC0-1.0"
SOURCE = "Understudy, written by its own code"
VERSIONS = 10
"""Performances of each gesture, with times and places of their own."""
EVERY = 10
"""One performance of so many is for validation."""


@dataclass(frozen=True)
class Place:
    """Where a left hand goes, in the frame of the chest: metres to the left, up and to the front.

    Attributes:
        at: of the wrist.
        lift: how far the elbow is lifted outwards.
        palm: radians: turned up (0 is inwards), bent towards the forearm, bent to the thumb.
        to_and_fro: metres that it swings each way, while it stays.
        turns: swings per second.
        stays: seconds, shortest and longest.
    """

    at: tuple[float, float, float]
    lift: float = 0.0
    palm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    to_and_fro: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turns: float = 0.0
    stays: tuple[float, float] = (0.8, 2.0)


@dataclass(frozen=True)
class Gesture:
    """A gesture of one hand or of both.

    Attributes:
        places: that the hand goes to, one after the other, before it comes back.
        one, both: captions; ``{side}`` is the side of the hand.
    """

    places: tuple[Place, ...]
    one: tuple[str, ...] = ()
    both: tuple[str, ...] = ()


REST = Place((0.235, -0.40, 0.03), palm=(-0.25, 0.1, 0.0))
_UP = Place((0.23, 0.60, 0.10), palm=(-0.9, 0.0, 0.0))
_WAVING = Place((0.33, 0.30, 0.17), 0.3, (-1.2, 0.0, 0.0), (0.085, 0.01, 0.0), 1.7, (1.5, 3.0))
_MOUTH = Place((0.055, 0.245, 0.225), 0.55, (0.3, 0.25, 0.0), stays=(0.8, 1.6))

GESTURES: dict[str, Gesture] = {
    "raise": Gesture(
        (_UP,),
        (
            "a person raises the {side} hand", "a person lifts the {side} arm up", "someone puts the {side} hand up in the air",
            "a person raises their {side} hand above the head",
        ),
        ("a person raises both hands", "a person lifts both arms up", "someone puts both hands up in the air", "a person raises their arms above the head"),
    ),
    "wave": Gesture(
        (_WAVING,),
        (
            "a person waves with the {side} hand", "a person waves goodbye with the {side} hand", "someone waves hello with the {side} hand",
            "a person waves", "a person waves their {side} hand", "a person greets someone by waving",
        ),
        ("a person waves with both hands", "a person waves both hands", "someone waves both arms"),
    ),
    "point": Gesture(
        (Place((0.10, 0.14, 0.50), palm=(-0.8, -0.15, 0.0)),),
        ("a person points forward with the {side} hand", "a person points at something in front with the {side} hand", "someone points ahead with the {side} arm", "a person points forward"),
    ),
    "point_aside": Gesture(
        (Place((0.62, 0.16, 0.16), palm=(-0.8, 0.0, 0.0)),),
        ("a person points to the {side}", "a person points to the {side} side with the {side} hand", "someone points {side}"),
    ),
    "offer": Gesture(
        (Place((0.14, 0.0, 0.40), palm=(1.0, 0.0, 0.0)),),
        ("a person holds the {side} hand out in front", "a person reaches out with the {side} hand", "a person holds out the {side} hand", "someone stretches the {side} hand forward"),
        ("a person holds both hands out in front", "a person reaches out with both hands", "someone stretches both hands forward"),
    ),
    "stop": Gesture(
        (Place((0.12, 0.17, 0.44), 0.2, (-1.0, -1.0, 0.0)),),
        ("a person holds up the {side} hand to say stop", "someone makes a stop sign with the {side} hand", "a person signals stop with the {side} hand"),
        ("a person holds up both hands to say stop", "someone signals stop with both hands"),
    ),
    "aside": Gesture(
        (Place((0.66, 0.13, 0.02), 0.3, palm=(-1.0, 0.0, 0.0)),),
        ("a person stretches the {side} arm out to the side", "a person holds the {side} arm out sideways"),
        ("a person stretches both arms out to the sides", "a person spreads the arms wide", "someone holds both arms out sideways", "a person stands with arms stretched out"),
    ),
    "drink": Gesture(
        (Place((0.12, -0.05, 0.32), 0.1, stays=(0.1, 0.4)), _MOUTH),
        ("a person drinks from a cup", "a person drinks from a cup with the {side} hand", "someone drinks with the {side} hand", "a person lifts a cup to the mouth and drinks"),
    ),
    "eat": Gesture(
        (_MOUTH, Place((0.12, -0.06, 0.32), stays=(0.3, 0.6)), replace(_MOUTH, stays=(0.4, 0.8))),
        ("a person eats with the {side} hand", "someone puts food into the mouth with the {side} hand"),
    ),
    "clap": Gesture(
        (Place((0.085, 0.02, 0.33), 0.25, (0.0, 0.0, 0.2), (0.07, 0.0, 0.0), 2.4, (1.5, 3.0)),),
        both=("a person claps", "a person claps their hands", "someone claps both hands", "a person applauds"),
    ),
    "salute": Gesture(
        (Place((0.15, 0.33, 0.14), 1.0, (-0.6, 0.0, 0.0)),),
        ("a person salutes with the {side} hand", "someone salutes", "a person brings the {side} hand to the forehead"),
    ),
    "scratch": Gesture(
        (Place((0.09, 0.40, 0.0), 0.9, (-0.6, 0.4, 0.0), (0.0, 0.02, 0.025), 2.2, (1.0, 2.2)),),
        ("a person scratches the head with the {side} hand", "someone scratches their head"),
    ),
    "chest": Gesture(
        (Place((-0.02, 0.03, 0.21), 0.25, (0.2, 0.2, 0.0)),),
        ("a person puts the {side} hand on the chest", "someone lays the {side} hand on the heart"),
    ),
    "hips": Gesture(
        (Place((0.27, -0.24, 0.0), 1.4, (-0.4, 0.5, 0.3), stays=(1.5, 3.0)),),
        both=("a person puts both hands on the hips", "a person stands with hands on hips", "someone rests the hands on the hips"),
    ),
    "beckon": Gesture(
        (Place((0.16, 0.06, 0.36), 0.0, (1.2, 0.3, 0.0), (0.0, 0.05, -0.06), 1.3, (1.2, 2.4)),),
        ("a person beckons with the {side} hand", "someone waves someone over with the {side} hand"),
    ),
    "stand": Gesture((), ("a person stands still", "someone stands", "a person is standing and waits")),
}  # fmt: skip


def jobs(raw: Raw) -> Iterator[Job]:
    """One job per performance: of the left hand, which the store mirrors, and of both."""
    here = Path(__file__)
    for name, gesture in GESTURES.items():
        for hands, captions in (("one", gesture.one), ("both", gesture.both)):
            for version in range(VERSIONS if captions else 0):
                called = f"{name}_{hands}_{version}"
                texts = [text.format(side="left") for text in captions]
                item = Item(
                    dataset="authored", motion_name=called, trial=called, kind="whole", caption_source="authored",
                    text=[*texts[version % len(texts) :], *texts[: version % len(texts)]][:3],
                    split="val" if version % EVERY == EVERY - 1 else "train", source=SOURCE, licence=LICENCE,
                )  # fmt: skip
                yield Job("authored", called, convert, here, {"gesture": name, "both": hands == "both", "version": version}, [item])  # fmt: skip


def convert(path: Path, *, gesture: str, both: bool, version: int) -> Clip:
    """A performance; ``path`` is not read."""
    rng = np.random.default_rng([sum(map(ord, gesture)), both, version])
    plans = [_timed(GESTURES[gesture].places, rng)]
    if both:  # hands that do the same are never quite together
        plans.append([(start + rng.normal(0, 0.02), place) for start, place in plans[0]])
    else:
        plans.append([])
    seconds = plans[0][-1][0] + rng.uniform(0.4, 1.2) if plans[0] else rng.uniform(3.0, 6.0)
    frames = round(seconds * FPS)
    poses = _standing(frames, rng)
    hands = [_path(plan, frames, rng) for plan in plans]
    _go_along(poses, hands, rng)
    for side, hand in enumerate(hands):
        _arm(poses, hand, side)
    known = {"lower_trans": True, "upper": True, "hands": False, "face": False}
    trans = np.tile(np.array([0.0, 1.3, 0.0]), (frames, 1))
    return ground(Clip(poses, trans, FPS, known=known))


BOW = np.array([0.12, 0.0, 0.20])
"""Metres to the side and to the front, for each metre up or down."""

Timed = list[tuple[float, Place]]
"""When a hand arrives at, and when it leaves, each place."""


def _timed(places: tuple[Place, ...], rng: np.random.Generator) -> Timed:
    """A hand's way from rest to rest: everybody reaches elsewhere, at another speed, and stays as long as he likes."""
    if not places:
        return []
    plan: Timed = [(rng.uniform(0.2, 0.9), REST)]
    hurry, size = rng.uniform(0.8, 1.3), rng.uniform(0.93, 1.05)
    for place in (*places, REST):
        now, last = plan[-1]
        there = tuple(np.array(place.at) * size + rng.normal(0, 0.02, 3)) if place is not REST else place.at
        moved = replace(
            place, at=there, lift=place.lift + rng.normal(0, 0.1), turns=place.turns * rng.uniform(0.8, 1.25),
            to_and_fro=tuple(np.array(place.to_and_fro) * rng.uniform(0.8, 1.3)),
        )  # fmt: skip
        way = float(np.linalg.norm(np.subtract(there, last.at)))
        plan.append((now + hurry * (0.45 + 0.75 * way), moved))
        if place is not REST:
            plan.append((plan[-1][0] + rng.uniform(*place.stays), moved))
    return plan


def _path(plan: Timed, frames: int, rng: np.random.Generator) -> np.ndarray:
    """What :func:`reach` takes (T, 7) of a hand that hangs where nothing is planned."""
    rest = np.array([*REST.at, REST.lift, *REST.palm])
    rest[:3] += rng.normal(0, 0.012, 3)
    now = np.arange(frames) / FPS
    result = np.tile(rest, (frames, 1))
    for (left, before), (arrives, after) in itertools.pairwise(plan):
        a, b = (
            rest if place is REST or place.at == REST.at else np.array([*place.at, place.lift, *place.palm])
            for place in (before, after)
        )
        s = np.clip((now - left) / max(arrives - left, 1e-6), 0.0, 1.0)
        ease = (s**3 * (10 - 15 * s + 6 * s * s))[:, None]
        # Hands go up and down in a bow before the body, never through the shoulder.
        bow = BOW * min(abs(float(b[1] - a[1])), 0.8) * np.sin(np.pi * ease)
        here = now >= left
        result[here] = (a + ease * (b - a))[here]
        result[here, :3] += bow[here]
        if before is after or before.at == after.at:  # it stays, and perhaps swings
            swing = np.sin(2 * np.pi * after.turns * (now - left)) * np.clip(
                6 * np.minimum(s, 1 - s), 0.0, 1.0
            )
            result[here, :3] += (swing[:, None] * np.array(after.to_and_fro))[here]
    return result + gaussian(rng.normal(0, 1, result.shape), 12.0) * np.array(
        [0.03, 0.03, 0.03, 0.2, 0.2, 0.15, 0.1]
    )


def _standing(frames: int, rng: np.random.Generator) -> np.ndarray:
    """Axis-angles (T, 55, 3) of a body that stands and breathes."""
    poses = np.zeros((frames, 55, 3))
    bend, apart = rng.uniform(0.03, 0.10), rng.uniform(0.02, 0.09)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        poses[:, INDEX[f"{side}_hip"]] = [-bend, 0.0, sign * apart]
        poses[:, INDEX[f"{side}_knee"], 0] = 2 * bend
        poses[:, INDEX[f"{side}_ankle"]] = [-bend, 0.0, -sign * apart]
    sway = gaussian(rng.normal(0, 1, (frames + 60, 6)), 20.0)[30:-30] * 0.12
    for i, joint in enumerate(("spine1", "spine2")):
        poses[:, INDEX[joint]] += sway[:, 3 * i : 3 * i + 3] * [0.3, 0.4, 0.25]
    breath = 0.012 * np.sin(2 * np.pi * (np.arange(frames) / FPS / rng.uniform(3, 4.5) + rng.random()))
    poses[:, INDEX["spine3"], 0] -= breath
    poses[:, INDEX["neck"], 0] += breath + rng.normal(0, 0.03)
    return poses


def _go_along(poses: np.ndarray, hands: list[np.ndarray], rng: np.random.Generator) -> None:
    """Shoulder blades rise with a hand, the trunk turns and leans, the head looks a little later."""
    share = rng.uniform(0.6, 1.2)
    moved = [np.linalg.norm(hand[:, :3] - hand[:1, :3], axis=1) for hand in hands]
    higher = [np.clip((hand[:, 1] + 0.1) / 0.6, 0.0, 1.0) for hand in hands]
    turn = share * 0.10 * (moved[1] - moved[0])
    for joint, part in (("spine2", 0.5), ("spine3", 0.5)):
        poses[:, INDEX[joint], 1] += part * turn
        poses[:, INDEX[joint], 2] += part * share * 0.07 * (higher[1] - higher[0])
    look = gaussian((-0.8 * turn)[:, None], 4.0)[:, 0]
    poses[:, INDEX["head"], 1] += look
    for side, sign in (("left", 1.0), ("right", -1.0)):
        raised = higher[0 if side == "left" else 1]
        poses[:, INDEX[f"{side}_collar"], 2] += sign * (0.38 * raised - 0.03)
        poses[:, INDEX[f"{side}_collar"], 1] -= sign * 0.12 * raised


def _arm(poses: np.ndarray, hand: np.ndarray, side: int) -> None:
    """Bring a hand to its places; ``side`` is 0 for the left and 1 for the right, which is its reflection."""
    mirror = np.ones(4) if side == 0 else MIRRORED
    name = ("left", "right")[side]
    collar = rotations.axis_angle_to_quaternion(poses[:, INDEX[f"{name}_collar"]]) * mirror
    offset = REST_OFFSETS[INDEX["left_collar"]], REST_OFFSETS[INDEX["left_shoulder"]]
    shoulder = offset[0] + rotations.rotate_vectors(collar, np.broadcast_to(offset[1], (len(hand), 3)))
    above, elbow, wrist = reach(shoulder, hand)
    above = rotations.quaternion_multiply(rotations.quaternion_conjugate(collar), above)
    for joint, turn in (("shoulder", above), ("elbow", elbow), ("wrist", wrist)):
        poses[:, INDEX[f"{name}_{joint}"]] = rotations.quaternion_to_axis_angle(turn * mirror)
