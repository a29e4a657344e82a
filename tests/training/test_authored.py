"""Gestures that are written: what they show is what their captions say."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.skeleton import INDEX
from understudy.training.data.authored import GESTURES, VERSIONS, convert, jobs
from understudy.training.data.raw import Raw
from understudy.training.evaluation.recognise import UPPER, Body, gait

HERE = Path(__file__)


RULES = {action.does: action.rule for action in UPPER}


def performed(gesture: str, *, both: bool = False, version: int = 0) -> Body:
    return Body.of(convert(HERE, gesture=gesture, both=both, version=version))


@pytest.mark.parametrize("version", range(0, VERSIONS, 3))
@pytest.mark.parametrize(
    ("gesture", "both", "seen"),
    [
        ("raise", False, "raises the left hand"), ("raise", True, "raises both hands"),
        ("wave", False, "waves with the left hand"), ("wave", True, "waves with both hands"),
        ("aside", True, "stretches both arms out to the sides"), ("drink", False, "drinks from a cup"),
    ],
)  # fmt: skip
def test_the_rules_see_what_the_caption_says(gesture: str, both: bool, seen: str, version: int) -> None:
    body = performed(gesture, both=both, version=version)
    assert RULES[seen](body)
    assert gait(body) == "stands still"


def test_who_stands_does_nothing_with_the_arms() -> None:
    assert not any(rule(performed("stand")) for rule in RULES.values())


@pytest.mark.parametrize("gesture", GESTURES)
def test_bodies_are_whole_and_move_like_people(gesture: str) -> None:
    both = not GESTURES[gesture].one
    for version in (0, 5):
        clip = convert(HERE, gesture=gesture, both=both, version=version)
        joints = forward_kinematics(clip.poses, clip.trans)[0]
        assert np.isfinite(joints).all() and 1.5 < len(clip) / clip.fps < 12
        speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * clip.fps
        assert speed.max() < 4.0  # metres per second: a hand that hurries
        feet = joints[:, [INDEX["left_foot"], INDEX["right_foot"]]]
        assert feet.std(axis=0).max() < 0.005 and -0.03 < joints[..., 1].min() < 0.05
        wrists = joints[:, [INDEX["left_wrist"], INDEX["right_wrist"]]]
        away = np.linalg.norm(wrists - joints[:, None, INDEX["spine2"]], axis=-1)
        assert away.min() > 0.12  # not in the belly


def test_performances_differ_and_are_the_same_again() -> None:
    first, again, other = (convert(HERE, gesture="wave", both=False, version=v) for v in (1, 1, 2))
    assert np.array_equal(first.poses, again.poses)
    assert len(first) != len(other) or not np.allclose(first.poses, other.poses)


def test_every_performance_has_captions_of_its_side(tmp_path: Path) -> None:
    found = list(jobs(Raw(tmp_path, tmp_path)))
    assert len({job.name for job in found}) == len(found) > 200
    for job in found:
        (item,) = job.items
        assert item.text and not any(re.search(r"\bright\b|\{", text) for text in item.text)
        assert item.commercial and item.licence == "CC0-1.0"
    assert {job.items[0].split for job in found} == {"train", "val"}
