"""Captions: HumanML3D's lines, CMU's descriptions, the fixed split."""

from __future__ import annotations

from pathlib import Path

import pytest

from understudy.training.data.captions import (
    VAL_TRIALS,
    Captions,
    clean_description,
    parse_captions,
    split_of,
)
from understudy.training.data.raw import Raw

RAW = Path(__file__).parents[1] / "data" / "raw"


def test_lines_are_split_from_the_right_and_spans_are_kept() -> None:
    text = (
        "a person walks.#a/DET person/NOUN walk/VERB#0.0#0.0\n"
        "uses the # key  twice#use/VERB#1.5#4.0\n"
        "nan times#nan/NOUN#nan#nan\n"
        "no tokens at all\n"
        "bad times#x/X#a#b\n\n"
    )
    captions = parse_captions(text)
    assert [c.text for c in captions] == ["a person walks", "uses the # key twice", "nan times"]
    assert [(c.start, c.end) for c in captions] == [(0.0, None), (1.5, 4.0), (0.0, None)]
    assert captions[0].tokens == "a/DET person/NOUN walk/VERB"


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("Unknown", ""),
        ("", ""),
        ("basketball - forward dribble", "basketball, forward dribble"),
        ("run/jog", "run or jog"),
        ("Start Walk Stop", "start Walk Stop"),
        ("quasi-cou-de-pied", "quasi-cou-de-pied"),
    ],
)
def test_descriptions_become_plain_words(raw: str, clean: str) -> None:
    assert clean_description(raw) == clean


def test_the_split_is_fixed_by_trial() -> None:
    assert {"07_02", "49_06", "60_01", "61_01"} <= VAL_TRIALS  # 61 is the partner of 60
    assert split_of("07_02") == "val" and split_of("02_03") == "train"


def test_a_span_becomes_a_row_of_its_own_inside_the_cut(tmp_path: Path) -> None:
    captions = Captions(Raw(RAW, tmp_path))
    captions.texts["002586"] = "all of it#x/X#0.0#0.0\na part#y/X#0.5#9.0\nall again#z/X#0.0#0.0\n"
    captions.cuts["02_03"][0] = {**captions.cuts["02_03"][0], "start_frame": "10", "end_frame": "29"}
    items = captions.items("cmu", "02_03", "Unknown", offset=0.1, common={})
    rows = {item.motion_name: item for item in items}
    assert rows["002586"].text == ["all of it", "all again"]
    assert (rows["002586"].start, rows["002586"].end) == pytest.approx((0.4, 1.35))
    part = rows["002586_0.5_9"]
    assert part.text == ["a part"] and (part.start, part.end) == pytest.approx((0.9, 1.35))
    assert rows["02_03"].kind == "whole" and rows["02_03"].text == []
