"""Words decide which syllables carry strokes, what they show, and where phrases end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.skeleton import INDEX
from understudy.backend.speech import voice as voice_module
from understudy.backend.speech.features import SpeechFeatures
from understudy.backend.speech.gesture_score import score
from understudy.backend.speech.gesture_shapes import FINGERS, MEANINGS
from understudy.backend.speech.gestures import gesture
from understudy.backend.speech.lexicon import LANGUAGES, language_of
from understudy.backend.speech.manner import Manner
from understudy.backend.speech.rhythm import accents, voice_rhythm
from understudy.backend.speech.transcripts import transcript_of
from understudy.backend.speech.voice import Voice, listen
from understudy.backend.speech.wording import favour, list_items, wording
from understudy.backend.speech.words import Transcript, Word, split

from .test_gestures import standing
from .voices import RATE, speak


def evenly(text: str, pace: float = 0.35, start: float = 0.5) -> tuple[Word, ...]:
    return tuple(Word(w, start + pace * i, start + pace * (i + 1)) for i, w in enumerate(split(text)))


def told(features: SpeechFeatures, words: tuple[Word, ...]) -> Voice:
    spoken = wording(words)
    return Voice(features, voice_rhythm(features, favour(spoken, len(features), features.fps)), words, spoken)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("I think that this is the best of all", "en"),
        ("Ich glaube, dass das die beste von allen ist", "de"),
        ("Je pense que c'est le meilleur de tous", "fr"),
        ("Creo que es el mejor de todos los que hay", "es"),
        ("hello", "en"),
        ("мы идём домой", ""),
        ("", ""),
    ],
)
def test_the_language_of_a_text(text: str, language: str) -> None:
    assert language_of(split(text)) == language


@pytest.mark.parametrize(
    ("text", "meanings"),
    [
        ("Hello everyone.", {"hello": 1, "all": 1}),
        ("No, I never said that", {"no": 2}),
        ("We need one, two, three big ones.", {"count": 3, "big": 1}),
        ("It has 3 wheels", {"count": 1}),
        ("one of them left", {}),
        ("Nein, das ist viel zu klein für dich", {"no": 1, "small": 1, "you": 1}),
        ("Non, c'est énorme", {"no": 1, "big": 1}),
        ("No, es muy pequeño", {"no": 1, "small": 1}),
    ],
)
def test_words_that_mean_something(text: str, meanings: dict[str, int]) -> None:
    found = [word.meaning.split(" ")[0] for word in wording(evenly(text, pace=1.0)) if word.meaning]
    for name, count in meanings.items():
        assert found.count(name) == count, found
    if not meanings:
        assert "count" not in found


def test_nobody_points_at_every_you() -> None:
    words = evenly("you know that you see what you do when you are here with you", pace=0.3)
    assert sum(word.meaning == "you" for word in wording(words)) == 1


def test_lists_change_hands_item_by_item() -> None:
    texts = split(
        "We bought apples, fresh bread, cheese and wine. Then, suddenly, it rained on the whole party."
    )
    items = list_items(texts, LANGUAGES["en"])
    assert [texts[i] for i in items] == ["apples,", "bread,", "wine."]
    assert list(items.values()) == ["item 0", "item 1", "item 2"]


def test_every_meaning_has_a_shape_and_every_count_fingers() -> None:
    for lexicon in LANGUAGES.values():
        for meaning in lexicon.meanings.values():
            name, _, number = meaning.partition(" ")
            assert name in MEANINGS
            assert not number or number in FINGERS
    assert all(not one.fingers or one.fingers in FINGERS for one in MEANINGS.values())


def test_content_words_carry_the_strokes(features: SpeechFeatures) -> None:
    """The same sound, with content words on one half of the accents and function words on the other."""
    plain = accents(features)
    words = [Word("mountain" if index % 2 else "the", at - 0.15, at + 0.1) for index, at in enumerate(plain)]
    found = accents(features, favour(wording(words), len(features), features.fps))

    def hit(times: np.ndarray) -> int:
        return sum(np.abs(found - at).min() < 0.05 for at in times)

    assert hit(plain[1::2]) == len(plain[1::2])
    assert hit(plain[::2]) < len(plain[::2])


def test_a_word_that_means_something_always_gets_a_stroke(features: SpeechFeatures) -> None:
    at = float(accents(features)[4])
    voice = told(features, (Word("no", at - 0.15, at + 0.1),))
    strokes = [
        s
        for unit in score(features, voice.rhythm[:, 1], voice.spoken)
        for p in unit.phrases
        for s in p.strokes
    ]
    assert [abs(s.time - at) < 0.2 for s in strokes if s.meaning == "no"] == [True]


def test_phrases_end_with_clauses(features: SpeechFeatures) -> None:
    times = accents(features)
    middle = 0.5 * (times[2] + times[3])
    words = (Word("mountain", times[2] - 0.1, middle - 0.01), Word("river.", middle - 0.01, middle))
    ends = [
        phrase.strokes[-1].time
        for unit in score(features, voice_rhythm(features)[:, 1], wording(words))
        for phrase in unit.phrases
    ]
    starts = [
        phrase.strokes[0].time
        for unit in score(features, voice_rhythm(features)[:, 1], wording(words))
        for phrase in unit.phrases
    ]
    assert any(end < middle + 0.1 < start for end, start in zip(ends, starts[1:], strict=False))


def test_a_head_is_shaken_for_no_and_nods_for_yes(features: SpeechFeatures) -> None:
    at = float(accents(features)[6])
    turned = {}
    for text in ("no", "yes"):
        voice = told(features, (Word(text, at - 0.15, at + 0.1),))
        plain = Voice(features, voice.rhythm)
        made = [gesture(standing(len(features)), v, 3, arms=False) for v in (voice, plain)]
        near = slice(int((at - 0.4) * 30), int((at + 0.8) * 30))
        turned[text] = np.ptp(made[0].poses[near, INDEX["head"]], axis=0)
    assert turned["no"][1] > np.radians(6.0) > turned["yes"][1]
    assert turned["yes"][0] > turned["no"][0]


def test_fingers_count(features: SpeechFeatures) -> None:
    at = float(accents(features)[6])
    words = (Word("two", at - 0.15, at + 0.1), Word("three", at + 6.0, at + 6.2))
    made = gesture(standing(len(features)), told(features, words), 3)
    frame = int((at + 0.2) * 30)
    bent = [
        [made.poses[frame, INDEX[f"{side}_{finger}1"], 2] for finger in ("index", "middle", "ring", "pinky")]
        for side in ("left", "right")
    ]
    straight = [[abs(angle) < 0.45 for angle in side] for side in bent]
    assert [True, True, False, False] in straight


@pytest.mark.parametrize("text", ["no", "all", "big", "small", "maybe"])
def test_two_hands_neither_cross_nor_touch_however_lively(features: SpeechFeatures, text: str) -> None:
    times = accents(features)
    voice = told(features, tuple(Word(text, at - 0.15, at + 0.1) for at in times[::3]))
    for seed in range(2):
        made = gesture(standing(len(features)), voice, seed, Manner(1.8))
        joints, world = forward_kinematics(made.poses, made.trans)
        chest = INDEX["spine3"]
        across = np.swapaxes(world[:, chest], 1, 2)[:, 0]
        wrists = joints[:, [INDEX["left_wrist"], INDEX["right_wrist"]]]
        assert np.linalg.norm(wrists[:, 0] - wrists[:, 1], axis=1).min() > 0.09
        assert np.sum(across * (wrists[:, 0] - wrists[:, 1]), axis=1).min() > -0.02


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "no",
                "yes",
                "you",
                "the",
                "big,",
                "one",
                "two",
                "three,",
                "here.",
                "hello",
                "all",
                "и",
                "你好",
                "42",
                "...",
                "maybe!",
            ]
        ),
        max_size=30,
    )
)
def test_any_words_can_be_gestured(texts: list[str]) -> None:
    words = [Word(text, 0.3 * i, 0.3 * i + 0.3) for i, text in enumerate(texts)]
    found = wording(words)
    assert len(found) == len(words)
    assert all(not word.meaning or word.meaning.split(" ")[0] in MEANINGS for word in found)


SRT = "1\n00:00:01,000 --> 00:00:04,000\nNo, never again.\n\n2\n00:00:05,000 --> 00:00:08,000\nHello there.\n"
GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 3
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 3
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 1
            text = "never"
        intervals [2]:
            xmin = 1
            xmax = 3
            text = "again"
"""


def test_a_recogniser_that_was_set_up_is_asked_only_without_a_transcript(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "talk.wav"
    soundfile.write(path, speak(1, 4.0).samples, RATE)
    assert listen(path).words == ()
    heard = Transcript((Word("never", 0.5, 0.9),))
    monkeypatch.setattr(voice_module, "recognised", lambda path: heard)
    assert listen(path).words == heard.words and listen(path).spoken[0].meaning == "no"
    assert [word.text for word in listen(path, "Something else.").words] == ["Something", "else."]


def test_transcripts_may_be_given_inline(features: SpeechFeatures) -> None:
    subtitles = transcript_of(SRT, features).words
    assert [word.text for word in subtitles] == ["No,", "never", "again.", "Hello", "there."]
    assert subtitles[3].start >= 5.0 > subtitles[2].end
    assert transcript_of(GRID, features).words == (Word("never", 0.0, 1.0), Word("again", 1.0, 3.0))
    assert len(transcript_of("No, never again.", features).words) == 3
