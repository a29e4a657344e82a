"""What the shipped pack must do, whoever trained it: the promises made about a walk."""

from __future__ import annotations

import numpy as np
import pytest

from understudy.backend.motion.clip import Clip
from understudy.backend.motion.contacts import contact_report
from understudy.backend.motion.npz import clip_to_bytes
from understudy.backend.motion.skeleton import INDEX
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.protocol.messages import GenerateParams


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return load_pipeline("open", "cpu")


def perform(pipeline: Pipeline, prompt: str, seconds: float = 6.0, seed: int = 1) -> Clip:
    return pipeline.generate(GenerateParams(prompt=prompt, seconds=seconds, seed=seed))[0]


def heights(clip: Clip, joint: str) -> np.ndarray:
    return clip.joints()[:, INDEX[joint], 1]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_walk_travels_steps_in_turn_and_stands_firmly(pipeline: Pipeline, seed: int) -> None:
    clip = perform(pipeline, "a person walks forward", seed=seed)
    travel = np.linalg.norm((clip.trans[-1] - clip.trans[0])[[0, 2]])
    assert 2.0 < travel < 12.0
    joints = clip.joints()
    forward = joints[:, INDEX["left_ankle"]] - joints[:, INDEX["right_ankle"]]
    along = forward @ (clip.trans[-1] - clip.trans[0]) / travel
    leads = np.sign(along[np.abs(along) > 0.1])
    assert np.count_nonzero(np.diff(leads)) >= 6, "left and right lead in turn"
    report = contact_report(clip)
    assert report["slide_median"] < 5.0
    assert min(joints[:, INDEX[f"{side}_foot"], 1].min() for side in ("left", "right")) > -0.03


def test_the_seed_decides(pipeline: Pipeline) -> None:
    one, again, other = (perform(pipeline, "a person walks forward", 3.0, seed) for seed in (1, 1, 2))
    assert clip_to_bytes(one) == clip_to_bytes(again)
    assert np.abs(one.poses - other.poses).max() > 0.05


def test_a_jump_leaves_the_ground(pipeline: Pipeline) -> None:
    clip = perform(pipeline, "a person jumps", 3.0)
    both = np.minimum(heights(clip, "left_foot"), heights(clip, "right_foot"))
    assert both.max() > 0.12


def test_a_cartwheel_turns_over(pipeline: Pipeline) -> None:
    clip = perform(pipeline, "a person does a cartwheel", 3.0)
    assert (heights(clip, "head") < heights(clip, "pelvis")).sum() >= 5
    assert max(heights(clip, "left_ankle").max(), heights(clip, "right_ankle").max()) > 1.2


def test_a_dance_moves_the_arms_and_comes_back_to_where_it_was(pipeline: Pipeline) -> None:
    clip = perform(pipeline, "a person dances")
    joints = clip.joints()
    wrists = joints[:, [INDEX["left_wrist"], INDEX["right_wrist"]]] - joints[:, [0]]
    assert wrists.std(axis=0).max() > 0.1
    assert np.linalg.norm(clip.trans[-1] - clip.trans[0]) < 5.0


def test_a_long_clip_has_no_break_where_windows_meet(pipeline: Pipeline) -> None:
    clip = perform(pipeline, "a person walks forward", 20.0)
    assert len(clip) == 600
    speed = np.linalg.norm(np.diff(clip.joints()[:, :22], axis=0), axis=-1).max(axis=1) * 30
    assert speed.max() < 9.0
