"""What the words of a sentence are about, and whether it denies it."""

from __future__ import annotations

import re

from .wording import PASTS

NEGATIVE = re.compile(r"\b(not|never|no|n't|don't|hate|without|neither|dislike)\b|n't\b", re.IGNORECASE)
_SMALL = (
    "a an the and or but of in on at to for with by from as is are was were be been am do does did have has had can "
    "could will would should may might i you he she it we they me him her us them my your his its our their this "
    "that these those what which who whom when where why how not no yes so very really just also too if then than "
    "there here about any some ever please tell know think like much many get got go one thing something anything "
    "all more most your yours mine s t m re ve ll d "
)
_EMPTY = frozenset(_SMALL.split())
_STEMS = {past: verb for verb, past in PASTS.items()} | {
    "grew": "grow", "grown": "grow", "found": "find", "left": "leave", "kept": "keep", "born": "birth", "lost": "lose",
    "met": "meet", "told": "tell", "wrote": "writ", "written": "writ", "write": "writ", "slept": "sleep", "saw": "see", "seen": "see",
    "dug": "dig", "built": "build", "bought": "buy", "taught": "teach", "learnt": "learn", "died": "die", "lived": "live",
    "lives": "live", "living": "live",
}  # fmt: skip


def denies(fact: str, question: str) -> bool:
    """Whether a fact says no before it comes to what is asked about."""
    wanted = content(question)
    found = NEGATIVE.search(fact)
    before = fact[: found.start()] if found else ""
    return found is not None and not wanted & content(before)


def content(text: str) -> set[str]:
    """Words that say something, roughly stemmed."""
    found = set()
    for word in re.findall(r"[^\W_]+", text.lower()):
        if word not in _EMPTY:
            stem = _STEMS.get(word) or re.sub(r"(ings?|ed|er|es|s|ly)$", "", word)
            found.add(stem if len(stem) > 2 else word)
    return found
