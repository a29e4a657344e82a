"""What a character remembers of a scene: who the user is, what the user told, what was said and done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..protocol.chat import MAX_MEMORY, Remembered
from .staging import stays_down
from .wording import base, past, sentences, turned

_NAME = re.compile(
    r"\b(?:my name is|my name's|i am called|i'm called|call me|they call me|name is)\s+([^\W\d_][\w'’-]*(?:\s+[A-Z][\w'’-]*)?)",
    re.IGNORECASE,
)
_I_AM = re.compile(
    r"(?i:(?:hi|hello|hey|good \w+)[,!. ]+(?:there[,!. ]+)?)?(?i:i am|i'm|this is|it's) ([A-Z][\w'’-]+)[.!]?"
)
_NO_NAMES = {
    "a",
    "an",
    "the",
    "not",
    "so",
    "very",
    "just",
    "maybe",
    "later",
    "it",
    "you",
    "when",
    "that",
    "what",
    "back",
}
_TELLS = re.compile(
    r"^(?:well,? |oh,? |and |but |because |also,? )*(i|i'm|i've|my|we|we're|our)\b(?! (think|guess|mean|suppose|see|wonder|want you|would like you|need you))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Scene:
    """A memory, looked through.

    Attributes:
        name: the user's, or empty.
        told: sentences in which the user spoke of itself, oldest first.
        heard: what the user said, oldest first.
        said: what the character said.
        done: what its body did, beyond talking.
        down: whether it sits, kneels or lies.
        emotion: its last one.
    """

    name: str = ""
    told: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    down: bool = False
    emotion: str = ""

    @classmethod
    def of(cls, memory: Sequence[Remembered]) -> Scene:
        """Look through a memory."""
        name, emotion = "", ""
        told, heard, said, done = list[str](), list[str](), list[str](), list[str]()
        for entry in memory:
            if entry.who == "character":
                said.append(entry.text)
                emotion = entry.emotion or emotion
                if entry.motion:
                    done.append(entry.motion)
                continue
            heard.append(entry.text)
            for sentence in sentences(entry.text):
                name = name_in(sentence) or name
                told += [clause for clause in clauses(sentence) if tells(clause) and not name_in(clause)]
        bodily = [motion for motion in done if not _SMALL.fullmatch(motion)]
        return cls(name, told, heard, said, done, bool(bodily) and stays_down(bodily[-1]), emotion)

    @property
    def turn(self) -> int:
        """How many times the user spoke."""
        return len(self.heard)

    def count(self, text: str) -> int:
        """How many times the character said a text, alone or within more."""
        return sum(text in one for one in self.said)


_SMALL = re.compile(r"(nods|shakes (his|her|the) head|shrugs)[.!]?", re.IGNORECASE)


def name_in(sentence: str) -> str:
    """The name that a user gives itself, or an empty text."""
    found = _NAME.search(sentence) or _I_AM.fullmatch(sentence.strip())
    if found is None or found[1].lower() in _NO_NAMES:
        return ""
    name = re.sub(r"\s+(and|but|from|by|what)\b.*", "", found[1])
    return " ".join(part[:1].upper() + part[1:] for part in name.split())


def tells(sentence: str) -> bool:
    """Whether a user speaks of itself."""
    return bool(_TELLS.match(sentence.strip())) and not sentence.rstrip().endswith("?")


def clauses(sentence: str) -> list[str]:
    """``I live in Oslo and I have two dogs`` is two of them; what is asked is none."""
    if sentence.rstrip().endswith("?"):
        return []
    return re.split(r"(?:,? (?:and|but)|,) (?=(?:i|i'm|i've|my|we|our)\b)", sentence, flags=re.IGNORECASE)


def retold(sentence: str) -> str:
    """What the user told, to the user: ``you have two cats``."""
    text = re.sub(
        r"^(?:well|oh|and|but|because|also),? ", "", sentence.strip().rstrip(".!"), flags=re.IGNORECASE
    )
    return turned(text)


def recounted(motion: str) -> str:
    """What a body did, told by it: ``walks to the door`` is ``walked to the door``."""
    words = motion.strip().rstrip(".").split()
    for index, word in enumerate(words):
        if index == 0 or words[index - 1] in ("and", "then"):
            words[index] = past(base(word.lower())) if word.lower() not in ("then", "and") else word
    text = " ".join(words)
    text = re.sub(
        r"\b(his|her|the) (left|right)?( ?)(hand|arm|head|leg|knee|foot)(s?)\b", r"my \2\3\4\5", text
    )
    return re.sub(r"\bthe user\b", "you", text)


def remembered(
    memory: Sequence[Remembered], heard: str, text: str, motion: str, emotion: str
) -> list[Remembered]:
    """A memory with one more exchange; the oldest entries go where there are too many."""
    new = [
        Remembered(who="user", text=heard),
        Remembered(who="character", text=text, motion=motion[:500], emotion=emotion),
    ]
    return [*memory, *new][-MAX_MEMORY:]
