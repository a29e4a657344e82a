"""Handshakes, high fives and hugs: hands meet, trunks do not, feet stand or step, and both are back afterwards."""

from __future__ import annotations

import numpy as np
import pytest

from tests.backend.dialogue.bodies import standing
from understudy.backend.dialogue import placing, touching
from understudy.backend.dialogue.doing import TOUCHES, Doing, Timed
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.skeleton import INDEX

ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]


def together(kind: str, distance: float = 1.4) -> tuple[tuple[Clip, Clip], tuple[Clip, Clip], touching.Touch]:
    pair = placing.opposite(standing(240), standing(240), distance)
    doing = Doing(("A", "B"), kind, "", TOUCHES[kind], 1, True, 1, kind)  # type: ignore[arg-type]
    done, touches = touching.touched(pair, [Timed(doing, 1.0, 1.0 + doing.seconds)])
    return pair, done, touches[0]


@pytest.mark.parametrize("distance", [1.2, 1.4, 1.9])
@pytest.mark.parametrize("kind", list(TOUCHES))
def test_hands_meet_and_trunks_do_not(kind: str, distance: float) -> None:
    _, done, touch = together(kind, distance)
    assert touching.contact(done, touch) <= 0.03
    assert placing.apart(*done, trunks=True).min() >= -0.02
    assert touch.held[1] > touch.held[0] >= touch.start


@pytest.mark.parametrize("kind", list(TOUCHES))
def test_feet_stand_unless_they_step_and_both_come_back(kind: str) -> None:
    before, done, touch = together(kind)
    for own, clip in zip(before, done, strict=True):
        assert np.allclose(clip.poses[: touch.start], own.poses[: touch.start])
        assert np.allclose(clip.trans[-1], own.trans[-1], atol=1e-6)
        assert np.allclose(clip.joints()[-1], own.joints()[-1], atol=1e-3)
        feet = clip.joints()[:, ANKLES]
        speed = np.linalg.norm(np.gradient(feet[..., [0, 2]], 1 / 30, axis=0), axis=-1)
        on_floor = feet[..., 1] < feet[..., 1].min(axis=0) + 0.002
        assert speed[on_floor].max() < 0.25  # lifted before it goes
        assert (speed.min(axis=1) < 0.1).all()  # one of them always stands
        jumps = np.linalg.norm(np.diff(clip.joints()[:, :22], axis=0), axis=-1)
        assert jumps.max() < 0.12


def test_nobody_looks_into_eyes_that_are_beside_the_own() -> None:
    _, _, hug = together("hug")
    near = touching.closeness([hug], 240, 30.0)
    assert near[: hug.start].max() == 0.0 == near[hug.stop :].max()
    assert near[hug.held[0] : hug.held[1]].min() > 0.9
    _, _, shake = together("handshake")
    assert touching.closeness([shake], 240, 30.0).max() == 0.0
