"""What somebody may mean: examples of what people say to a character, and the nearest of them by sentence embedding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Encode = Callable[[list[str]], np.ndarray]
"""Unit embeddings (N, 384) of sentences."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "greeting": (
        "hello",
        "hi there",
        "good morning",
        "hey",
        "good evening",
        "nice to meet you",
        "hello again",
    ),
    "farewell": ("goodbye", "bye", "see you later", "I have to go now", "good night", "until tomorrow"),
    "thanks": ("thank you", "thanks a lot", "that is kind of you", "thank you very much"),
    "sorry": ("I am sorry", "I apologise", "my mistake", "excuse me"),
    "how": (
        "how are you?",
        "how do you feel?",
        "are you alright?",
        "how is it going?",
        "how are you feeling today?",
    ),
    "name": ("what is your name?", "who are you?", "what are you called?", "may I ask your name?"),
    "role": (
        "what do you do?",
        "what is your job?",
        "what do you do for a living?",
        "what is your profession?",
    ),
    "self": (
        "tell me about yourself",
        "tell me about your life",
        "what kind of person are you?",
        "what is your story?",
        "tell me something about you",
        "tell me more about you",
    ),
    "likes": ("what do you like?", "what are your hobbies?", "what do you enjoy?", "what makes you happy?"),
    "dislikes": ("what do you hate?", "what do you dislike?", "what annoys you?", "what don't you like?"),
    "home": (
        "where do you come from?",
        "where were you born?",
        "where did you grow up?",
        "where do you live?",
    ),
    "family": (
        "do you have a family?",
        "tell me about your parents",
        "are you married?",
        "do you have children?",
    ),
    "age": ("how old are you?", "what is your age?"),
    "scene": (
        "where are we?",
        "what is this place?",
        "what do you see?",
        "what is around us?",
        "describe this place",
    ),
    "user_name": (
        "what is my name?",
        "do you know who I am?",
        "do you remember my name?",
        "what am I called?",
    ),
    "user_said": (
        "what did I say?",
        "what did I just tell you?",
        "what did I ask you?",
        "what was my first question?",
    ),
    "user_known": (
        "what do you know about me?",
        "do you remember what I told you about myself?",
        "what have I told you?",
    ),
    "done": (
        "what did you just do?",
        "what have you done so far?",
        "what did you do before?",
        "what are you doing?",
    ),
    "place": (
        "where are you standing?",
        "where are you now?",
        "where did you go?",
        "are you sitting or standing?",
    ),
    "repeat": ("say that again", "what did you say?", "pardon?", "can you repeat what you said?"),
    "compliment": (
        "you are great",
        "well done",
        "I like you",
        "that was beautiful",
        "bravo",
        "you are funny",
        "I love you",
    ),
    "insult": ("you are stupid", "I hate you", "shut up", "you are boring", "you are ugly", "you idiot"),
    "joke": ("tell me a joke", "make me laugh", "say something funny"),
    "story": (
        "tell me a story",
        "tell me something interesting",
        "go on",
        "tell me more",
        "what happened then?",
    ),
    "can": ("what can you do?", "can you help me?", "what can I ask you?", "help"),
    "real": ("are you a robot?", "are you real?", "are you an artificial intelligence?", "are you human?"),
    "yes": ("yes", "sure", "of course", "I do", "absolutely"),
    "no": ("no", "not really", "never", "I don't think so"),
    "okay": ("okay", "I see", "interesting", "really?", "all right", "hm"),
    "sad": (
        "I am sad",
        "I had a bad day",
        "I feel lonely",
        "my dog died",
        "I am tired and unhappy",
        "I am bored",
    ),
    "glad": ("I am happy", "I had a great day", "I feel wonderful", "I won!", "good news, I passed the exam"),
}
"""By intent."""
SURE = 0.66
"""Cosine from which a sentence is taken for an example's meaning."""


@dataclass(frozen=True)
class Guess:
    """The intent of the nearest example, and how near it is."""

    intent: str
    score: float


class Intents:
    """Knows the examples by heart.

    Args:
        encode: the sentence encoder.
    """

    def __init__(self, encode: Encode) -> None:
        self._names = [name for name, examples in EXAMPLES.items() for _ in examples]
        self._embeddings = encode([text for examples in EXAMPLES.values() for text in examples])
        self._encode = encode

    def guess(self, sentence: str) -> Guess:
        """What a sentence is most like."""
        scores = self._embeddings @ self._encode([sentence])[0]
        best = int(np.argmax(scores))
        return Guess(self._names[best], float(scores[best]))

    def scores(self, sentence: str, others: list[str]) -> np.ndarray:
        """(N,) how near other sentences are to it."""
        return np.asarray(self._encode(others) @ self._encode([sentence])[0])

    def nearest(self, sentence: str, others: list[str]) -> tuple[int, float]:
        """Which of other sentences it is most like, and how near; (-1, 0) where there are none."""
        if not others:
            return -1, 0.0
        scores = self.scores(sentence, others)
        best = int(np.argmax(scores))
        return best, float(scores[best])
