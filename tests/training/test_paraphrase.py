"""Paraphrases keep the motion: sides, directions, counts and the action; training and evaluation differ."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.training.data.captions import mirror_caption
from understudy.training.words.actions import action_of
from understudy.training.words.inflection import FORMS, VERBS, base_of, inflect
from understudy.training.words.paraphrase import (
    EVALUATION,
    TRAINING,
    evaluation_caption,
    kept,
    paraphrases,
    read,
    some_paraphrases,
)

SUBJECTS = ["a person", "someone", "the man", "an old person", "person", "he", "two people", ""]
VERB_PHRASES = [
    "walks {way}", "is walking {way}", "slowly walked {way}", "raises {side} arm", "kicks with {side} leg {count}",
    "takes {count} steps {way}", "turns {side} and waves", "jumps {way}, then stops", "does {count} cartwheels",
    "dances with a partner {way}", "is not moving", "runs {way} while swinging their arms and kicking", "walk {way}",
    "begins to crawl {way} and then gets up", "jumping {way}", "spins {way} as he claps {count}",
]  # fmt: skip
WAYS = [
    "forward",
    "backwards",
    "to the left",
    "to the right",
    "clockwise",
    "counter-clockwise",
    "in a circle",
    "up",
]
COUNTS = ["two", "3", "twice", "several", "a few", "five"]
ADVERBS = ["", "quickly", "happily and quickly", "very slowly", "carefully"]

captions = st.builds(
    lambda who, phrase, way, side, count, adverb: " ".join(
        f"{who} {phrase.format(way=way, side=side, count=count)} {adverb}".split()
    ),
    st.sampled_from(SUBJECTS), st.sampled_from(VERB_PHRASES), st.sampled_from(WAYS),
    st.sampled_from(["left", "right", "the left", "his right"]), st.sampled_from(COUNTS), st.sampled_from(ADVERBS),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(captions, st.booleans())
def test_nothing_that_counts_changes(caption: str, evaluation: bool) -> None:
    for text in paraphrases(caption, evaluation=evaluation):
        assert text != caption and text == text.strip() and "  " not in text and "{" not in text
        for word in ("left", "right", "forward", "backwards", "clockwise", "counter-clockwise", "not", "up"):
            assert text.split().count(word) == caption.lower().split().count(word), (text, word)
        for word in ("two", "3", "twice", "several", "few", "five"):
            assert text.split().count(word) == caption.split().count(word), (text, word)
        assert action_of(text) == action_of(caption)
        assert ("old" in text.split()) == ("old" in caption.split())


@settings(max_examples=150, deadline=None)
@given(captions)
def test_evaluation_wordings_are_never_training_wordings(caption: str) -> None:
    training = {caption, *paraphrases(caption)}
    assert training.isdisjoint(paraphrases(caption, evaluation=True))
    # Mirrored captions are rewritten as the mirrored rewritings.
    assert {mirror_caption(t) for t in paraphrases(caption)} == set(paraphrases(mirror_caption(caption)))


def test_the_two_sets_of_rules_are_disjoint_but_for_the_plain_frame() -> None:
    assert set(TRAINING.subjects).isdisjoint(EVALUATION.subjects)
    assert set(TRAINING.frames) & set(EVALUATION.frames) == {"{who} {third}"}  # its subjects differ
    for mine, theirs in ((TRAINING.verbs, EVALUATION.verbs), (TRAINING.adverbs, EVALUATION.adverbs)):
        assert set(mine.values()).isdisjoint(theirs.values())


@pytest.mark.parametrize(
    ("caption", "training", "evaluation"),
    [
        ("a person walks forward", "walk forward", "the figure walks forward"),
        ("a man is raising his left arm slowly", "raise your left arm slowly", "raise left arm slowly"),
        ("A person jumped twice.", "someone leaps twice", "please jump twice"),
        ("jump", "a person is jumping", "somebody jumps"),
        ("the person quickly runs and kicks", "someone is rapidly moving at a run and kicking", "please swiftly go running and kick"),
        ("an old man limps", "an old man is limping", "an old man can be seen limping"),
        ("someone turns to the right", "a character rotates to the right", "an actor pivots to the right"),
        ("a person who limps sits down", "someone who limps sits down", "the figure who limps sits down"),
    ],
)  # fmt: skip
def test_examples(caption: str, training: str, evaluation: str) -> None:
    assert training in paraphrases(caption)
    assert evaluation in paraphrases(caption, evaluation=True)


@pytest.mark.parametrize(
    ("caption", "never"),
    [
        ("a person dances with another person", "someone dances with another person"),  # who is who
        ("an old person walks", "walk"),  # the manner would be lost
        ("a person lifts him up", "lift him up"),
        ("jump rope kick", "a person jumps rope kick"),  # a noun
        ("a person walks as he turns and waves", "walk as he turns and wave"),
        ("a person raises the arms, holding a cup and waving", "raise the arms, hold a cup and wave"),
        ("someone throws a kick", "someone tosses a kick"),
    ],
)
def test_what_the_rules_do_not_understand_is_left_alone(caption: str, never: str) -> None:
    both = {*paraphrases(caption), *paraphrases(caption, evaluation=True)}
    assert never not in both


@pytest.mark.parametrize("evaluation", [False, True])
def test_every_synonym_is_used(evaluation: bool) -> None:
    rules = EVALUATION if evaluation else TRAINING
    objects = {"wave": "to the left", "do": "a step", "perform": "a step", "begin": "to walk",
               "start": "to walk"}  # fmt: skip
    for verb, synonym in rules.verbs.items():
        caption = f"someone {inflect(verb, 'third')} {objects.get(verb, '')}".strip()
        wanted = inflect(synonym.rstrip("|"), "third")
        assert any(f" {wanted}" in t for t in paraphrases(caption, evaluation=evaluation)), (verb, synonym)
    for adverb, synonym in rules.adverbs.items():
        texts = paraphrases(f"someone walks {adverb}", evaluation=evaluation)
        assert any(t.endswith(synonym) for t in texts), (adverb, synonym)


def test_captions_that_cannot_be_read_give_nothing() -> None:
    for caption in ("", "!", "basketball, forward dribble", "Macarena"):
        assert read(caption) is None and paraphrases(caption) == ()
    assert evaluation_caption("Macarena") is None


def test_the_pick_is_the_caption_s_own_on_every_machine() -> None:
    caption = "a person walks forward and waves"
    picked = some_paraphrases(caption, 3)
    assert len(set(picked)) == 3 and set(picked) <= set(paraphrases(caption))
    assert some_paraphrases(caption, 2) == picked[:2]
    code = (
        "from understudy.training.words.paraphrase import evaluation_caption, some_paraphrases as s\n"
        f"print(s({caption!r}, 3), evaluation_caption({caption!r}))"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == f"{picked} {evaluation_caption(caption)}"


def test_every_form_of_every_verb_is_read_back() -> None:
    for verb in VERBS:
        for form in FORMS:
            base = base_of(inflect(verb, form), form)
            # Two verbs may share a form (lay, spun); then it is one of them.
            assert base is not None and inflect(base, form) == inflect(verb, form)
    words = {"run": "running", "tiptoe": "tiptoeing", "lie": "lying", "carry": "carrying", "dance": "dancing"}
    assert {base: inflect(base, "ing") for base in words} == words
    assert [inflect(v, "third") for v in ("carry", "sway", "punch", "go")] == [
        "carries",
        "sways",
        "punches",
        "goes",
    ]
    assert [inflect(v, "past") for v in ("hop", "try", "swim", "dance")] == [
        "hopped",
        "tried",
        "swam",
        "danced",
    ]
    assert inflect("take a bow", "ing") == "taking a bow"


def test_what_is_kept_is_told_apart() -> None:
    assert kept("two steps left") != kept("two steps right")
    assert kept("turn clockwise") != kept("turn counter-clockwise")
    assert kept("someone walks") == kept("the figure walks")
