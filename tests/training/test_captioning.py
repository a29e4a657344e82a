"""Motion told in words: BLEU and the similarity of sentences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.text import TextEncoder
from understudy.training.evaluation.captioning import bleu, measure_captions, similarity

WALK, JUMP = ["a person walks forward slowly"], ["a man jumps up and down", "someone is jumping"]


def test_the_papers_example_of_clipped_counts() -> None:
    """Papineni et al., section 2.1: a word counts no oftener than a reference has it: 2 of 7."""
    assert bleu(
        ["the the the the the the the"], [["the cat is on the mat", "there is a cat on the mat"]], 1
    ) == pytest.approx(2 / 7)


def test_by_hand_with_the_brevity_penalty() -> None:
    found = bleu(["a person walks"], [["a person walks forward slowly"]], 2)
    assert found == pytest.approx(np.exp(1 - 5 / 3))
    # One word of four is wrong: unigrams 3/4, bigrams 1/3 ("walks fast" and "a man" are not there).
    assert bleu(["a man walks fast"], [["a person walks fast"]], 2) == pytest.approx(np.sqrt(3 / 4 * 1 / 3))


def test_the_reference_of_the_nearest_length_counts() -> None:
    assert bleu(["someone is jumping"], [JUMP], 3) == pytest.approx(1)


@given(st.lists(st.sampled_from(["walks", "runs", "a", "person", "jumps", "left"]), min_size=4, max_size=9))
def test_bounds(sentence: list[str]) -> None:
    text = " ".join(sentence)
    assert bleu([text], [[text]]) == pytest.approx(1)
    assert 0 <= bleu([text], [WALK]) <= 1
    assert bleu([text.upper() + "!"], [[text]]) == pytest.approx(1)
    assert bleu([""], [[text]]) == 0 == bleu(["blorp"], [[text]], 1)


def test_the_whole_measure_tells_right_from_turned() -> None:
    encoder = TextEncoder()
    told, references = ["a person walks forward slowly", "a man jumps up and down"], [WALK, JUMP]
    found = measure_captions(told, references, encoder, replications=5)
    assert found["bleu4"]["mean"] == pytest.approx(1) and found["similarity"]["mean"] == pytest.approx(
        1, abs=1e-4
    )
    assert found["shuffled"]["bleu4"] == 0 and found["shuffled"]["similarity"] < 0.8
    near = similarity(["someone strolls ahead"], [WALK], encoder)[0]
    far = similarity(["someone strolls ahead"], [["a cat sleeps"]], encoder)[0]
    assert near > far
