"""A clip is told in words: by the likeliest ones, in stretches, or refused in a sentence."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.backend.cli.main import main
from understudy.backend.models.language import TASKS
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import write_clip
from understudy.backend.performance import describing
from understudy.backend.performance.describing import describe_clip, tell
from understudy.backend.performance.pieces import END, learn_pieces, read_pieces
from understudy.backend.performance.planning import no_text
from understudy.backend.pipeline import Pipeline, load_pipeline

from .conftest import _swaying


@pytest.fixture(scope="module")
def pipeline(able_pack: Path) -> Pipeline:
    return load_pipeline(str(able_pack), "cpu")


class Speaker:
    """An engine that speaks by a table: what may follow each word, and how likely."""

    def __init__(self, follows: dict[int, dict[int, float]]) -> None:
        self.follows = follows

    def plan_start(self, *_: Any) -> Any:
        return self

    def plan_step(self, *_: Any) -> None:
        pass

    def tell_step(self, state: Any, pieces: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        scores = np.full((len(pieces), 5), -40.0)
        for row, piece in zip(scores, pieces[:, -1], strict=True):
            for follower, chance in self.follows.get(int(piece), {}).items():
                row[follower] = np.log(chance)
        return scores


def test_the_likeliest_sentence_is_found_where_the_likeliest_word_misleads(pipeline: Pipeline) -> None:
    codes = {"lower_trans": np.zeros(4, int), "upper": np.zeros(4, int)}
    even = {2: 0.25, 3: 0.25, 4: 0.25, END: 0.25}
    follows = {END: {1: 0.55, 2: 0.45}, 1: even, 2: {3: 1.0}, 3: {END: 1.0}, 4: {END: 1.0}}
    config = pipeline.config.language
    assert tell(Speaker(follows), config, codes) == [2, 3]  # type: ignore[arg-type]
    greedy = tell(Speaker(follows), config, codes, beams=1)  # type: ignore[arg-type]
    assert greedy[0] == 1
    endless = {END: {1: 1.0}, 1: {1: 1.0}}
    assert len(tell(Speaker(endless), config, codes)) <= describing.LONGEST  # type: ignore[arg-type]


def test_beams_with_a_cache_score_as_a_fresh_reading_does(pipeline: Pipeline) -> None:
    """The sentence found is scored again in one pass of its own."""
    engine, config = pipeline.engine, pipeline.config.language
    codes = {"lower_trans": np.arange(6) % 12, "upper": np.arange(6)[::-1] % 12}
    nothing = no_text(config, 1)
    task = np.array([TASKS.index("motion_to_text")])
    state = engine.plan_start(nothing, np.array([0]), task)
    grid = np.concatenate([config.absent[None], describing.delayed_grid(config, codes)])[None]
    engine.plan_step(state, grid)
    first = engine.tell_step(state, np.array([[END]]))
    wide = engine.tell_step(state, np.array([[5], [6], [7]]), np.array([0, 0, 0]))
    back = engine.tell_step(state, np.array([[8], [9]]), np.array([2, 0]))
    for row, (a, b) in enumerate([(7, 8), (5, 9)]):
        fresh = engine.plan_start(nothing, np.array([0]), task)
        engine.plan_step(fresh, grid)
        whole = engine.tell_step(fresh, np.array([[END, a, b]]))
        assert np.allclose(back[row], whole[0], atol=1e-4)
    assert first.shape == (1, config.pieces) and wide.shape == (3, config.pieces)


def test_a_long_clip_is_told_in_stretches_that_cover_it(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = _swaying(200)
    said = iter([[5], [5], [6], *[[7]] * 99])
    monkeypatch.setattr(describing, "tell", lambda *_: next(said))
    found = describe_clip(pipeline, clip)
    assert found[0].start == 0 and found[-1].stop == pytest.approx(clip.seconds, abs=1e-3)
    assert all(a.stop == b.start for a, b in pairwise(found))
    assert len({one.text for one in found}) == len(found), "what is told alike is one"


def test_the_command(
    able_pack: Path, tiny_pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "clip.npz"
    write_clip(_swaying(40), file)
    assert main(["describe", str(file), "--pack", str(able_pack), "--json", "--device", "cpu"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["sentences"][0]["start"] == 0 and isinstance(answer["sentences"][0]["text"], str)
    assert main(["describe", str(file), "--pack", str(tiny_pack)]) == 2
    assert capsys.readouterr().err == "The pack tiny cannot tell motion in words.\n"
    known = {"lower_trans": True, "upper": False, "hands": True, "face": False}
    write_clip(_swaying(40).replace(known=known), file)
    assert main(["describe", str(file), "--pack", str(able_pack)]) == 2
    assert "no upper body" in capsys.readouterr().err
    write_clip(Clip(np.zeros((8, 55, 3)), np.zeros((8, 3)), 30.0), file)
    assert main(["describe", str(file), "--pack", str(able_pack)]) == 2
    assert "too short" in capsys.readouterr().err


def test_pieces_give_the_words_back_and_do_not_depend_on_order(tmp_path: Path) -> None:
    captions = ["a person walks forward", "a person, 2 metres away, waves the left hand"]
    pieces = learn_pieces(captions, 140)
    assert pieces.get_vocab_size() <= 140 and pieces.token_to_id("<end>") == END
    for text in [*captions, "the forward person waves"]:
        assert pieces.decode(pieces.encode(text).ids) == text
    assert learn_pieces(reversed(captions), 140).to_str() == pieces.to_str()
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(describing.BadInput, match="no word pieces"):
        read_pieces(tmp_path / "broken.json")
