"""Which topics are fit to be talked about: rules first, then the vote of a language model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ...words.llm import Chat, Endpoint, Question, messages, without_thoughts
from .topics import Topic

VOTE_PROMPT = """\
You choose topics for light conversation between two animated characters in front of any audience.
You are given a topic, sometimes with a line about it. Answer with a single letter:
Y if two people could chat about it for a minute, with pleasure, and nobody would be hurt by it;
N if it is sensitive, hateful, private, about a tragedy, an advertisement, or means nothing to most people."""

DEFAULT_VOTES = 3


@lru_cache(maxsize=1)
def categories() -> dict[str, re.Pattern[str]]:
    """The sensitive categories of ``sensitive.yaml``, each as one expression."""
    import yaml

    table = yaml.safe_load((Path(__file__).parent / "sensitive.yaml").read_text("utf-8"))
    return {name: any_of(words) for name, words in table.items()}


def any_of(words: Sequence[str]) -> re.Pattern[str]:
    """Whole words, or with an asterisk behind them beginnings of words, in any case."""
    options = [re.escape(word.rstrip("*")) + (r"\w*" if word.endswith("*") else "") for word in words]
    return re.compile(r"(?<!\w)(" + "|".join(options) + r")(?!\w)" if options else r"(?!)", re.IGNORECASE)


class FilterSettings(BaseModel):
    """The configuration of ``understudy-train multimodal filter``."""

    model_config = ConfigDict(extra="forbid")

    llm: Endpoint = Field(default_factory=Endpoint)
    votes: int = Field(DEFAULT_VOTES, ge=0)
    """Of the language model on each topic that the rules let pass; 0: the rules alone decide."""
    shortest: int = Field(3, ge=1)
    longest: int = Field(120, ge=1)
    """Characters of a topic."""
    most_words: int = Field(20, ge=1)
    blocked: list[str] = Field(default_factory=list)
    """Words of your own that a topic must not have; ``word*`` stands for all that begin with it."""
    sensitive: list[str] = Field(default_factory=lambda: list(categories()))
    """Categories that are left out; all when not given, none when empty."""

    @field_validator("sensitive")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        if unknown := sorted(set(value) - set(categories())):
            raise ValueError(f"no such category: {', '.join(unknown)}; there are {', '.join(categories())}")
        return value


class Filtered(BaseModel):
    """A topic and what became of it; ``why`` names the rule or the vote."""

    topic: Topic
    kept: bool
    why: str
    votes: dict[str, int] = Field(default_factory=dict)


def broken_rule(topic: Topic, settings: FilterSettings) -> str:
    """The first rule that a topic breaks (``too short``, ``blocked word``, ``sensitive: war``); empty for none."""
    text = topic.text
    if len(text) < settings.shortest:
        return "too short"
    if len(text) > settings.longest or len(text.split()) > settings.most_words:
        return "too long"
    if not any(letter.isalpha() for letter in text):
        return "no words"
    if re.search(r"https?://|www\.|\S@\S+\.\w", text):
        return "an address"
    if any_of(settings.blocked).search(f"{text} {topic.details}"):
        return "blocked word"
    for name in settings.sensitive:
        # What stands below a headline counts too: it says what a name is in the news for.
        if categories()[name].search(f"{text} {topic.details}"):
            return f"sensitive: {name}"
    return ""


def read_vote(answer: str) -> str:
    """``Y`` or ``N``; empty where the answer is neither or both."""
    answer = without_thoughts(answer)
    letters = set(re.findall(r"(?<![A-Za-z'])[YN](?![A-Za-z'])", answer))
    if len(letters) == 1:
        return letters.pop()
    word = re.match(r"\W*([A-Za-z]+)", answer)
    return {"yes": "Y", "y": "Y", "no": "N", "n": "N"}.get(
        word[1].casefold() if word and not letters else "", ""
    )


def verdict(votes: Counter[str], repeat: int) -> tuple[bool, str]:
    """Whether a topic is kept, and why: more than half of the votes asked for must be Y, doubt leaves it out."""
    if votes["Y"] + votes["N"] < (repeat + 1) // 2:
        return False, "unreadable votes"
    if 2 * votes["Y"] > repeat:
        return True, "voted in"
    return False, "voted out" if votes["N"] >= votes["Y"] else "no majority"


def judge(topic: Topic, settings: FilterSettings, chat: Chat | None) -> Filtered:
    """Rules, then the vote.

    Raises:
        JobFailed: the endpoint does not answer, or the budget is spent.
    """
    if broken := broken_rule(topic, settings):
        return Filtered(topic=topic, kept=False, why=broken)
    if chat is None or not settings.votes:
        return Filtered(topic=topic, kept=True, why="rules")
    shown = f"Topic: {topic.text}" + (f"\nAbout it: {topic.details}" if topic.details else "")
    answers = (
        chat.ask(Question(f"topic/{topic.text}/{number}", messages(VOTE_PROMPT, shown), number=number))
        for number in range(settings.votes)
    )
    votes = Counter(letter for letter in map(read_vote, answers) if letter)
    kept, why = verdict(votes, settings.votes)
    return Filtered(topic=topic, kept=kept, why=why, votes={letter: votes[letter] for letter in "YN"})


def run(
    topics: Sequence[Topic], settings: FilterSettings, journal: Path, *, progress: Callable[[int], None] = lambda _: None
) -> tuple[list[Filtered], dict[str, Any]]:  # fmt: skip
    """Every topic with its verdict, in order, and the endpoint's usage; begun work goes on from the journal.

    Raises:
        BadInput: votes are wanted and no endpoint is named, or the journal cannot be written.
        JobFailed: the endpoint does not answer, or the budget is spent; all answers so far are kept.
    """
    done: list[Filtered] = []
    if not settings.votes:
        done = [judge(topic, settings, None) for topic in topics]
        return done, {}
    with Chat(settings.llm, journal) as chat:
        for row in chat.map(lambda topic: judge(topic, settings, chat), topics):
            done.append(row)
            progress(len(done))
        return done, {"run": vars(chat.usage), "total": vars(chat.total)}
