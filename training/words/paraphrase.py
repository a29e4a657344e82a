"""Other words for the same motion: captions rewritten by rules, for training and for evaluation.

Captions of data sets sound alike ("a person walks forward"); people type "walk forward", "raise right
arm", "the character is jumping". A caption is read as subject, verbs and the rest, and put into another
frame, with another subject, with synonyms of a small hand-written table. What cannot be read is left
alone. Sides, directions, counts and the action stay as they are: a rewriting that lost one is dropped.

Everything is deterministic. The rules come in two disjoint sets, :data:`TRAINING` and
:data:`EVALUATION`; wordings that training may produce of a caption are never its evaluation's.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from .actions import action_of
from .inflection import FORMS, Form, base_of, inflect, listed

# ------------------------------------------------------------------------------------ reading

_DETERMINERS = frozenset({"a", "an", "the", "this"})
_NEUTRAL = listed(
    "person man human figure character individual someone somebody guy sim toon actor performer he"
)
"""Subjects that say no more than that there is a person (HumanML3D's "man" is anybody)."""
_TELLING = listed(
    "woman lady girl boy child kid toddler adult dancer boxer fighter athlete zombie robot player skeleton"
)
_PERSONS = set(_NEUTRAL + _TELLING) | {
    "she",
    "people",
    "persons",
    "men",
    "others",
    "another",
    "partner",
    "you",
}
_BE = frozenset({"is", "was"})
_JOINTS = frozenset({"and", "then", "or", "but", ","})
_LEADS = frozenset({"then", "also", "again", "just", "now", "once", "finally", "afterwards"})
_PARTICIPLES = frozenset({"while", "whilst", "as", "by", "without", "when", "before", "after"})
_CLAUSES = frozenset({"he", "she", "who", "which", "that"})
_BODY = listed(
    """arm arms hand hands leg legs foot feet knee knees head hip hips elbow elbows shoulder shoulders fist
    fists body torso back chest waist"""
)
_FOLLOWS = _BODY + listed(
    """a an the his her their its both one two three four five six several some in on at to from of over under
    around up down out off into onto through along across toward towards with without like as while and then or
    but forward forwards backward backwards back ahead left right sideways side clockwise
    counterclockwise counter-clockwise anticlockwise anti-clockwise
    straight diagonally here there again away slowly quickly twice once"""
)
"""Words after which a first word is a verb, and no part of a noun ("jump rope", "walk cycle")."""
_ENDS = listed(
    """and then or but , while whilst as in on at to from over under around up down out off into onto through
    along across toward towards with without like forward forwards backward backwards back ahead left right
    sideways clockwise counterclockwise counter-clockwise anticlockwise anti-clockwise straight diagonally here
    there again twice once before after several two three four five"""
)
"""Words that can follow a verb without an object."""


def words_of(text: str) -> list[str]:
    """Lower-case words, numbers and punctuation marks."""
    return re.findall(r"[a-z0-9]+(?:['\u2019-][a-z0-9]+)*|[^\w\s]", text.lower())


def _joined(words: list[str]) -> str:
    return re.sub(r"\s+([,;:.!?)])", r"\1", " ".join(words)).replace("( ", "(")


@dataclass(frozen=True)
class Sentence:
    """A caption with its parts found."""

    subject: str
    neutral: bool
    """Whether any other neutral subject means the same."""
    words: list[str]
    """Everything after the subject, the auxiliary left out."""
    verbs: dict[int, str]
    """Where the main verbs stand in ``words``, and their base forms; empty if they must stay as they are."""
    commands: bool
    """Whether it can be said to somebody ("raise your hand")."""

    def said(self, form: Form, words: list[str]) -> str:
        """``words``, which have base forms at the main verbs, with each of them in this form."""
        return _joined([inflect(w, form) if i in self.verbs else w for i, w in enumerate(words)])


def _adverb(word: str) -> bool:
    return word in _LEADS or (word.endswith("ly") and len(word) > 4)


def _subject(words: list[str]) -> tuple[int, bool]:
    """How many words the subject has, and whether it is neutral; (0, True) without one."""
    if words and words[0] in _NEUTRAL:
        return 1, True
    if words and words[0] in _DETERMINERS:
        for length in (2, 3, 4):  # "a person", "an old person", "a very old man"
            if length <= len(words) and words[length - 1] in _NEUTRAL + _TELLING:
                plain = length == 2 or words[1:length] == ["stick", "figure"]
                return length, plain and words[length - 1] in _NEUTRAL
    return 0, True


@lru_cache(maxsize=4096)
def read(caption: str) -> Sentence | None:
    """A caption as subject, verbs and the rest; ``None`` where the rules do not understand it."""
    words = words_of(caption)
    while words and words[-1] in {".", "!", ","}:
        words.pop()
    count, neutral = _subject(words)
    subject, rest = " ".join(words[:count]), words[count:]
    helped = bool(rest) and rest[0] in _BE
    if helped:
        rest = rest[1:]
    at = 0
    while at < len(rest) and _adverb(rest[at]):
        at += 1
    if at >= len(rest):
        return None
    form = _main_form(rest, at, subject=bool(subject), helped=helped)
    if form is None:
        return None
    verbs = _coordinated(rest, at, form)
    later = set(rest[at + 1 :])
    others = later & _PERSONS
    # A second clause with a subject of its own has verbs that the first one's form does not govern.
    if later & _CLAUSES or (form == "ing" and not helped and not subject and later & {"is", "was"}):
        verbs = {}
    return Sentence(
        subject,
        neutral and not others and not later & {"they", "them", "him"} - set(_after(rest, "as")),
        rest,
        verbs,
        bool(verbs) and neutral and not others and not later & {"they", "them", "him", "she"},
    )


def _after(words: list[str], mark: str) -> list[str]:
    """The words that stand right after each ``mark``."""
    return [after for word, after in pairwise(words) if word == mark]


def _main_form(words: list[str], at: int, *, subject: bool, helped: bool) -> Form | None:
    """In which form the main verb stands."""
    word = words[at]
    if helped:
        return "ing" if base_of(word, "ing") else None
    if subject:
        order: tuple[Form, ...] = ("third", "past", "ing", "base")
        return next((form for form in order if base_of(word, form)), None)
    order = ("base", "ing", "third") if _verb_before(words, at) else ()
    return next((form for form in order if base_of(word, form)), None)


def _unknown_verb(words: list[str], at: int) -> bool:
    """Whether a word that is not in the lexicon looks like a verb of the third person."""
    word = words[at]
    plain = word in _BODY or base_of(word, "third") or word.endswith(("ss", "us", "ways", "wards"))
    return word.endswith("s") and len(word) > 3 and not plain and _verb_before(words, at)


def _verb_before(words: list[str], at: int) -> bool:
    """Whether what comes next lets the word be a verb, where it could as well begin a noun."""
    following = words[at + 1] if at + 1 < len(words) else ","
    return following in _FOLLOWS or following == "," or _adverb(following) or following.isdigit()


def _coordinated(words: list[str], at: int, form: Form) -> dict[int, str]:
    """The main verb and those joined to it; empty where one of them stands in another form."""
    verbs = {at: base_of(words[at], form) or ""}
    participle = False
    for i in range(at + 1, len(words)):
        word = words[i]
        participle |= word in _PARTICIPLES
        before = i - 1
        while before > at and _adverb(words[before]) and words[before] not in _JOINTS:
            before -= 1
        if words[before] not in _JOINTS:
            continue
        if form == "ing" and participle:
            continue
        base = base_of(word, form)
        others: tuple[Form, ...] = ("third",) if form == "ing" else ("base", "third")
        if base and (form != "base" or _verb_before(words, i)):
            verbs[i] = base
        elif base or any(base_of(word, other) for other in others) or _unknown_verb(words, i):
            return {}
    return verbs


# ---------------------------------------------------------------------------------- the rules


@dataclass(frozen=True)
class Rules:
    """One set of rewritings.

    ``frames`` are templates: ``{who}`` the subject, ``{base}``, ``{third}``, ``{ing}`` the predicate with
    its verbs in that form, ``{short}`` the base form without articles and possessives. ``verbs`` and
    ``adverbs`` are synonyms; a verb's entry may end in ``|`` if it takes no object.
    """

    subjects: tuple[str, ...]
    frames: tuple[str, ...]
    verbs: dict[str, str] = field(default_factory=dict)
    adverbs: dict[str, str] = field(default_factory=dict)


TRAINING = Rules(
    subjects=("a person", "someone", "the person", "a character"),
    frames=("{who} {third}", "{base}", "{who} is {ing}", "{ing}"),
    verbs={
        "begin": "start", "start": "begin", "stop": "halt|", "jump": "leap|", "turn": "rotate|",
        "sneak": "creep|", "wave": "give a wave|", "dance": "do a dance|",
        "look": "gaze|", "do": "perform", "perform": "do",
        "bow": "take a bow|", "walk": "move at a walk|", "run": "move at a run|",
        "limp": "walk with a limp|", "swim": "go swimming|", "crawl": "go crawling|",
    },
    adverbs={
        "quickly": "rapidly", "slowly": "unhurriedly", "carefully": "cautiously", "happily": "joyfully",
        "sadly": "sorrowfully", "angrily": "furiously", "gently": "softly", "suddenly": "abruptly",
        "quietly": "silently", "energetically": "vigorously", "gracefully": "elegantly",
        "casually": "nonchalantly", "briskly": "at a brisk pace", "calmly": "peacefully",
        "confidently": "self-assuredly", "tiredly": "wearily",
    },
)  # fmt: skip
EVALUATION = Rules(
    subjects=("the figure", "a human", "somebody", "an actor"),
    frames=("{who} {third}", "{short}", "{who} can be seen {ing}", "please {base}", "show somebody {ing}"),
    verbs={
        "begin": "commence", "start": "commence", "stop": "come to a stop|", "turn": "pivot|",
        "sneak": "go sneaking|", "wave": "do some waving|", "dance": "perform a dance|",
        "look": "peer|", "do": "execute", "perform": "execute", "bow": "make a bow|",
        "walk": "go walking|", "run": "go running|", "limp": "move with a limp|", "swim": "go for a swim|",
        "crawl": "move at a crawl|", "stumble": "go stumbling|", "march": "go marching|",
    },
    adverbs={
        "quickly": "swiftly", "slowly": "at a slow pace", "carefully": "with care", "happily": "cheerfully",
        "sadly": "mournfully", "angrily": "with anger", "gently": "tenderly", "suddenly": "all of a sudden",
        "quietly": "noiselessly", "energetically": "with energy", "gracefully": "with grace",
        "casually": "with ease", "briskly": "at a lively pace", "calmly": "with calm",
        "confidently": "with confidence", "tiredly": "with fatigue",
    },
)  # fmt: skip


# --------------------------------------------------------------------------------- rewriting

_KEPT = re.compile(
    r"""\b(?:left|right|(?:counter|anti)?-?clockwise|for(?:e)?wards?|backwards?|back|ahead|up|upwards?|down|
    downwards?|in|out|inwards?|outwards?|side\w*|around|diagonal\w*|straight|front|behind|above|below|over|under|
    circles?|zigzag\w*|\d+\w*|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|once|twice|thrice|
    times|half|quarter|full|single|double|both|few|several|many|couple|first|second|third|not|no|never|without)\b""",
    re.VERBOSE,
)
_QUANTITIES = listed("few little lot couple bit while half quarter time second moment single stop")


def kept(text: str) -> Counter[str]:
    """The words that no rewriting may lose or add: sides, directions, counts, negations."""
    return Counter(_KEPT.findall(text.lower()))


def short(text: str) -> str:
    """Without articles and possessives, as people type: "raise right arm"."""
    words = words_of(text)
    return _joined(
        [
            word
            for word, following in zip(words, [*words[1:], ""], strict=True)
            if not (
                (word in {"a", "an", "the"} and following not in _QUANTITIES)
                or word in {"your", "his", "her", "their", "its"}
            )
        ]
    )


_YOURS = {"his": "your", "her": "your", "their": "your", "himself": "yourself", "herself": "yourself",
          "themselves": "yourself", "themself": "yourself"}  # fmt: skip


def _addressed(text: str) -> str:
    return _joined([_YOURS.get(word, word) for word in words_of(text)])


def _reworded(sentence: Sentence, rules: Rules) -> list[str]:
    """The words with base forms of synonyms at the verbs, and with synonyms of adverbs."""
    words = list(sentence.words)
    for place, base in sentence.verbs.items():
        synonym = rules.verbs.get(base, base)
        following = words[place + 1] if place + 1 < len(words) else ","
        alone = following in _ENDS or (_adverb(following) and len(words) == place + 2)
        objects = not synonym.endswith("|")
        takes_object = (
            following in _DETERMINERS or following in _BODY or following in {"his", "her", "their", "both"}
        )
        if objects and base in {"do", "perform"}:
            fits = following in {"a", "an", "the", "some"} or following.isdigit()
        else:
            fits = takes_object or following.endswith("ing") or following == "to" if objects else alone
        words[place] = synonym.rstrip("|") if fits else base
    return [
        rules.adverbs[word] if word in rules.adverbs and _placed(rules.adverbs[word], words, i) else word
        for i, word in enumerate(words)
    ]


def _placed(synonym: str, words: list[str], at: int) -> bool:
    """Several words stand for an adverb only where the clause ends."""
    return (
        " " not in synonym or at + 1 == len(words) or words[at + 1] in {"and", "then", ",", "while", "before"}
    )


def _framed(caption: str, rules: Rules) -> Iterator[str]:
    sentence = read(caption)
    if sentence is None or not sentence.verbs:
        yield from _words_alone(caption, rules)
        return
    plain = [sentence.verbs.get(i, word) for i, word in enumerate(sentence.words)]
    subjects = rules.subjects if sentence.neutral else (sentence.subject,)
    for words in (plain, _reworded(sentence, rules)):
        # "is going walking" nobody says.
        ing = [
            p if w.startswith("go ") and w.endswith("ing") else w for p, w in zip(plain, words, strict=True)
        ]
        said = {form: sentence.said(form, ing if form == "ing" else words) for form in FORMS}
        for frame in rules.frames:
            if "{base}" in frame or "{short}" in frame or "{who}" not in frame:
                if sentence.commands:
                    command = _addressed(said["base"])
                    yield frame.format(base=command, short=short(command), ing=said["ing"])
                continue
            for who in subjects:
                if who:
                    yield frame.format(who=who, **said)


def _words_alone(caption: str, rules: Rules) -> Iterator[str]:
    """Where the verbs must stay as they are: another subject, synonyms of adverbs, and the telegram."""
    words = words_of(caption)
    changed = [
        rules.adverbs[word] if word in rules.adverbs and _placed(rules.adverbs[word], words, i) else word
        for i, word in enumerate(words)
    ]
    yield _joined(changed)
    count, neutral = _subject(words)
    if count and neutral and not _PERSONS.intersection(words[count:]):
        for who in rules.subjects:
            yield _joined([who, *words[count:]])
            yield _joined([who, *changed[count:]])
    if any("{short}" in frame for frame in rules.frames):
        yield short(caption)


@lru_cache(maxsize=65536)
def _all(caption: str, evaluating: bool) -> tuple[str, ...]:
    own, counts, action = _joined(words_of(caption)), kept(_joined(words_of(caption))), action_of(caption)
    barred = {own, *(_all(caption, False) if evaluating else ())}
    found = dict.fromkeys(
        text
        for text in _framed(caption, EVALUATION if evaluating else TRAINING)
        if kept(text) == counts and action_of(text) == action
    )
    return tuple(text for text in found if text not in barred)


def paraphrases(caption: str, *, evaluation: bool = False) -> tuple[str, ...]:
    """Every rewriting of a caption by the rules of training, or by those held out for evaluation.

    Lower case, without a stop; in a fixed order, without the caption itself; empty where no rule applies.
    """
    return _all(" ".join(caption.split()), evaluation)


def some_paraphrases(caption: str, count: int, *, evaluation: bool = False) -> tuple[str, ...]:
    """At most ``count`` of them, picked by the caption's own hash: the same on every machine."""
    texts = paraphrases(caption, evaluation=evaluation)
    return tuple(sorted(texts, key=lambda t: hashlib.sha256(f"{caption}\n{t}".encode()).digest())[:count])


def evaluation_caption(caption: str) -> str | None:
    """The one rewriting that stands for a caption in evaluations on other words; ``None`` without any."""
    return next(iter(some_paraphrases(caption, 1, evaluation=True)), None)
