"""Motions over a body that stands, reactions of a listener, and what is found in a library."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.backend.dialogue.bodies import standing
from understudy.backend.dialogue.emotions import EMOTIONS, style_of
from understudy.backend.dialogue.fountain import Speech
from understudy.backend.dialogue.laying import laid_over, stays
from understudy.backend.dialogue.reacting import DELAY, reaction_of, reactions, reacts, signs
from understudy.backend.dialogue.retrieving import Retriever, fitted, query_of
from understudy.backend.dialogue.shelf import Piece, finder
from understudy.backend.dialogue.turns import Turn
from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip, move, rotate_world
from understudy.backend.motion.npz import write_clip
from understudy.backend.motion.rotations import yaw_matrix
from understudy.backend.motion.skeleton import INDEX

ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
WRIST = INDEX["right_wrist"]


def raised(frames: int) -> Clip:
    """An arm that is up, of a body somewhere else that faces another way and bows to its knees a little."""
    clip = standing(frames, knees=0.5)
    poses = np.array(clip.poses)
    poses[:, INDEX["right_shoulder"], 2] = -1.0
    clip = clip.replace(poses=poses)
    return move(rotate_world(clip, yaw_matrix(np.float64(2.0))), np.array([3.0, 0.0, -2.0]))


def walking(frames: int) -> Clip:
    clip = standing(frames)
    trans = np.array(clip.trans)
    trans[:, 2] += np.linspace(0.0, frames / 30.0, frames)
    return clip.replace(trans=trans)


def test_an_arm_is_raised_over_feet_that_stay() -> None:
    base = standing(300)
    clip = laid_over(base, raised(90), 3.0)
    joints, own = clip.joints(), base.joints()
    assert np.linalg.norm(joints[:, ANKLES] - own[:, ANKLES], axis=-1).max() < 0.006
    assert joints[135, WRIST, 1] > own[135, WRIST, 1] + 0.5
    assert np.allclose(clip.poses[:90], base.poses[:90]) and np.allclose(clip.poses[181:], base.poses[181:])
    assert np.linalg.norm(np.diff(joints[:, :22], axis=0), axis=-1).max() < 0.2
    assert joints[135, 0, 1] < own[135, 0, 1] - 0.005  # and the knees give


def test_a_motion_may_begin_before_and_end_after() -> None:
    base = standing(60)
    assert len(laid_over(base, raised(200), -1.0)) == 60
    assert np.allclose(laid_over(base, raised(90), 1.99).poses, base.poses)


def test_what_goes_away_stays_worse() -> None:
    assert stays(standing(90)) > 0.9 > 0.5 > stays(walking(90))
    assert stays(standing(90)) > stays(standing(90, knees=2.0))


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_emotion_but_none_has_a_reaction(emotion: str) -> None:
    reaction = reaction_of(style_of((emotion,)))
    assert (reaction is None) == (emotion == "neutral")


def test_a_listener_draws_back_from_anger_after_a_delay() -> None:
    turns = [Turn(Speech(1, 1, "BEN", ("No!",), ("angry",)), 1.0, 4.0)]
    felt = reactions(turns, "ANNA", 0)
    assert reactions(turns, "BEN", 0) == []
    (begin, end, _), *_ = felt
    assert 1.0 + DELAY[0] <= begin <= 1.0 + DELAY[1] < end
    base = standing(240)
    clip = reacts(base, felt)
    back = clip.joints()[:, INDEX["head"], 2] - base.joints()[:, INDEX["head"], 2]
    assert abs(back[: int(begin * 30)]).max() < 1e-6 and back[90] < -0.03 and abs(back[-1]) < 1e-3
    assert np.linalg.norm(clip.joints()[:, ANKLES] - base.joints()[:, ANKLES], axis=-1).max() < 0.005


def test_signs_nod_and_shake_the_head() -> None:
    base = standing(120)
    nod, shake = signs(base, [(1.0, "nod")]).poses, signs(base, [(1.0, "shake")]).poses
    assert np.abs(nod[:, INDEX["head"], 0]).max() > 0.08 > np.abs(nod[:, INDEX["head"], 1]).max()
    assert np.abs(shake[:, INDEX["head"], 1]).max() > 0.1 > np.abs(shake[:, INDEX["head"], 0]).max()
    assert np.allclose(nod[-1], base.poses[-1], atol=1e-9)


def library(folder: Path) -> dict[str, Piece]:
    for name, clip in (("wave", raised(120)), ("walk", walking(120)), ("stand", standing(150))):
        write_clip(clip, folder / f"{name}.npz")
    return {
        name: Piece(folder / f"{name}.npz", 0.0, 4.0, f"a person {name}s", 0.5)
        for name in ("wave", "walk", "stand")
    }


def test_the_nearest_clip_that_stays_is_taken_and_not_again_and_again(tmp_path: Path) -> None:
    pieces = library(tmp_path)
    retriever = Retriever(lambda query: list(pieces.values()))
    clips = [retriever.motion("talk", 3.0, seed) for seed in range(4)]
    assert [len(clip) for clip in clips] == [90] * 4
    assert len({text for _, text in retriever.found}) >= 2
    assert retriever.found[0][1] != "a person walks"


def test_clips_are_fitted_within_bounds() -> None:
    assert [len(fitted(standing(length), 90, 0)) for length in (20, 80, 110, 400)] == [90] * 4


def test_lines_ask_for_talk_in_their_mood() -> None:
    plain, angry = (Turn(Speech(1, 1, "A", ("Hi",), said), 0.0, 1.0) for said in ((), ("furious",)))
    assert "angry" in query_of(angry) and query_of(plain) in query_of(angry)


def test_a_library_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not exist"):
        finder(None, tmp_path / "nothing")  # type: ignore[arg-type]
    (tmp_path / "index.parquet").write_bytes(b"no table")
    with pytest.raises(BadInput, match=r"index of|pyarrow"):
        finder(None, tmp_path)  # type: ignore[arg-type]
