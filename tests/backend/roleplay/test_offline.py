"""The offline author: what it knows, remembers, does, and how it varies."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from understudy.backend.pipeline import Pipeline
from understudy.backend.protocol.chat import Character, Remembered
from understudy.backend.roleplay.answers import Words
from understudy.backend.roleplay.intents import Intents
from understudy.backend.roleplay.manners import ASKS, PHRASES, TEMPERAMENTS, temperament_of
from understudy.backend.roleplay.offline import OfflineAuthor
from understudy.backend.roleplay.remembering import remembered
from understudy.backend.roleplay.wording import sentences

MARA = Character(
    name="Mara Quill",
    role="lighthouse keeper",
    personality="gruff but fair",
    background="I was born on a ferry. My brother left for the city and never writes.",
    likes=["strong tea"],
    dislikes=["seagulls"],
    knows=["The light turns once every twelve seconds."],
    scene="on the gallery of a lighthouse",
    places={"door": [1.5, 0.5]},
    emotion="calm",
)


@pytest.fixture(scope="module")
def author(pipeline: Pipeline) -> OfflineAuthor:
    intents = Intents(lambda texts: np.asarray(pipeline.engine.encode_text(texts).pooled()))
    return OfflineAuthor(intents, lambda motion: "yodel" not in motion)


def talk(author: OfflineAuthor, said: list[str], seed: int = 0, character: Character = MARA) -> list[Words]:
    memory: list[Remembered] = []
    answers = []
    for text in said:
        words = author(character, memory, text, seed)
        memory = remembered(memory, text, words.text, words.motion, words.emotion)
        answers.append(words)
    return answers


def test_a_conversation_of_twelve_exchanges(author: OfflineAuthor) -> None:
    answers = talk(
        author,
        [
            "Hello! My name is Ada.",
            "What do you do?",
            "Do you like seagulls?",
            "I live in Oslo and I have two dogs.",
            "How often does the light turn?",
            "Could you walk to the door?",
            "What did you just do?",
            "Where do I live?",
            "What is my name?",
            "Do you have a brother?",
            "Wave at me, please",
            "Thank you. Goodbye!",
        ],
    )
    texts = [words.text for words in answers]
    assert "Ada" in texts[0]
    assert "I am a lighthouse keeper." in texts[1]
    assert texts[2].startswith(("No", "I don't think so")) and "seagulls" in texts[2]
    assert "you live in oslo" in texts[3].lower()
    assert "every twelve seconds" in texts[4]
    assert answers[5].motion == "walks to the door" and "walk to the door" in texts[5]
    assert texts[6] == "I walked to the door."
    assert "you live in Oslo" in texts[7]
    assert "Ada" in texts[8]
    assert "My brother left" in texts[9] and not texts[9].startswith("No")
    assert answers[10].motion == "waves at the user"
    assert answers[11].act == "hello"
    assert answers[2].emotion == "annoyed"
    said = Counter(sentence for text in texts for sentence in sentences(text))
    assert max(said.values()) < 3


def test_the_same_seed_is_the_same_conversation_and_another_is_another(author: OfflineAuthor) -> None:
    said = ["Hi", "How are you?", "What is the capital of France?", "Dance!", "Hm", "bye"]
    assert talk(author, said) == talk(author, said)
    others = [[words.text for words in talk(author, said, seed)] for seed in range(4)]
    assert len({tuple(texts) for texts in others}) == 4


def test_who_is_asked_the_same_again_says_so_and_never_the_same_thrice(author: OfflineAuthor) -> None:
    texts = [words.text for words in talk(author, ["Where were you born?"] * 5)]
    assert texts[0] == "I was born on a ferry."
    assert texts[1].endswith(texts[0]) and texts[1] != texts[0]
    assert "third time" in texts[2] and len(set(texts)) == 5
    unknown = [words.text for words in talk(author, ["Who invented the bicycle?"] * 8)]
    assert max(Counter(sentence for text in unknown for sentence in sentences(text)).values()) < 3


def test_what_nobody_told_it_is_not_known(author: OfflineAuthor) -> None:
    known = [
        words.text
        for words in talk(
            author, ["What is the capital of France?", "What is my name?", "How old is my dog?"]
        )
    ]
    assert "Paris" not in known[0] and any(phrase in known[0] for phrase in PHRASES["unknown"]["gruff"])
    assert known[1].startswith("You have not told me your name")
    assert not any(character.isdigit() for character in known[2])


def test_what_it_cannot_do_it_does_not_pretend_to_do(author: OfflineAuthor) -> None:
    (yodel,) = talk(author, ["Could you yodel?"])
    assert yodel.motion == "" and yodel.act == "no" and "yodel" in yodel.text
    (moon,) = talk(author, ["Walk to the moon"])
    assert moon.motion == "walks forward" and "moon" in moon.text
    (again,) = talk(author, ["Do it again"])
    assert again.motion == ""
    waved = talk(author, ["Wave", "Do it again"])
    assert waved[1].motion == "waves"


def test_feelings_are_answered_with_feeling(author: OfflineAuthor) -> None:
    warm = Character(name="Lin", personality="warm and curious", emotion="neutral")
    sad, glad, rude = (
        talk(author, [text], character=warm)[0]
        for text in ("I feel so sad today", "I had a great day!", "You are stupid")
    )
    assert (sad.emotion, glad.emotion, rude.emotion) == ("sad", "happy", "sad")


def test_a_character_without_facts_still_answers(author: OfflineAuthor) -> None:
    answers = talk(
        author,
        ["Hello", "Tell me about yourself", "Where are we?", "What do you like?", "???", "..."],
        character=Character(name="X"),
    )
    assert all(re.search(r"\w", words.text) for words in answers)


def test_gestures_of_a_character_are_made_at_their_moment(author: OfflineAuthor) -> None:
    butler = MARA.model_copy(update={"gestures": {"greeting": "bows"}, "personality": "formal"})
    greeting, other = talk(author, ["Good evening", "What do you do?"], character=butler)
    assert (greeting.motion, other.motion) == ("bows", "")


def test_every_temperament_has_its_phrases() -> None:
    for occasion, phrases in PHRASES.items():
        assert set(phrases) == set(TEMPERAMENTS), occasion
        assert all(isinstance(options, tuple) and options for options in phrases.values()), occasion
    assert all(isinstance(options, tuple) for options in ASKS.values())
    found = [
        "A grumpy old man",
        "timid",
        "polite and exact",
        "a cheeky clown",
        "friendly",
        "not shy, but funny",
        "",
    ]
    assert [temperament_of(words) for words in found] == [
        "gruff",
        "shy",
        "formal",
        "playful",
        "warm",
        "playful",
        "warm",
    ]
