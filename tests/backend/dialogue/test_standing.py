"""A body that stands: upright for as long as it is needed, on feet that stay, and alive."""

from __future__ import annotations

import numpy as np

from tests.backend.dialogue.bodies import standing as posed
from understudy.backend.dialogue.standing import performed, squared, standing, stretch
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.skeleton import INDEX

ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]


def sinking() -> Clip:
    """Two seconds that stand, then knees that give."""
    upright, low = posed(60), posed(120, knees=1.2)
    return Clip(np.concatenate([upright.poses, low.poses]), np.concatenate([upright.trans, low.trans]), 30.0)


def test_the_stretch_is_where_the_knees_are_straight() -> None:
    start, stop = stretch(sinking())
    assert start == 0 and 54 <= stop <= 60
    crouched = posed(90, knees=1.2)
    start, stop = stretch(crouched)
    assert stop - start == 1


def test_it_stands_for_minutes_and_lives() -> None:
    clip = standing([sinking()], 3600, 5)
    joints = clip.joints()
    height = joints[:, 0, 1]
    assert len(clip) == 3600
    assert height.max() - height.min() < 0.03
    assert np.linalg.norm(np.ptp(joints[:, ANKLES], axis=0), axis=-1).max() < 0.005
    head = joints[:, INDEX["head"]]
    for second in range(0, 120, 10):  # it never freezes
        assert np.ptp(head[30 * second : 30 * second + 300], axis=0).max() > 0.004
    assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() < 0.02
    assert not np.allclose(standing([sinking()], 300, 6).poses, clip.poses[:300])
    assert np.allclose(standing([sinking()], 3600, 5).poses, clip.poses)


def test_another_prompt_is_tried_where_the_first_shows_nobody_upright() -> None:
    asked: list[str] = []

    def generate(prompt: str, seconds: float, seed: int) -> list[Clip]:
        asked.append(prompt)
        return [posed(90, knees=1.2) if len(asked) == 1 else posed(90)]

    clip = performed(generate, 60, 0)
    assert len(asked) == 2 and np.linalg.norm(clip.poses[:, INDEX["left_knee"]], axis=-1).max() < 0.6


def test_hips_face_where_they_faced_over_feet_that_stay() -> None:
    clip = posed(120)
    poses = np.array(clip.poses)
    poses[:, 0, 1] = 0.4 * np.sin(np.arange(120) / 12.0)
    found = squared(clip.replace(poses=poses))
    assert np.degrees(np.abs(found.poses[:, 0, 1] - poses[:, 0, 1].mean())).max() < 10.5
    before, after = (one.joints()[:, ANKLES] for one in (clip.replace(poses=poses), found))
    assert np.linalg.norm(after - before, axis=-1).max() < 0.01
