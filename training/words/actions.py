"""Which action a caption names, by its words: a coarse label for checks that need one."""

from __future__ import annotations

import re

# The order decides where a caption names several: the rarer, more telling action first.
ACTIONS: dict[str, str] = {
    "cartwheel": r"cartwheel|handspring",
    "flip": r"\bflip|somersault",
    "dribble": r"dribbl|basketball|bounc\w+ (a|the) ball",
    "climb": r"climb|hang|dangl|swing\w* (on|from)",
    "salsa": r"salsa",
    "dance": r"danc|ballet|pirouette|twirl|waltz|arabesque|jete",
    "box": r"\bbox(?!es\b)|punch|jab",
    "kick": r"kick",
    "swim": r"swim",
    "golf": r"golf",
    "throw": r"throws? (something|an object|a ball)|toss|\bpitch",
    "crawl": r"crawl",
    "jump": r"jump|hop|leap|skip",
    "fall": r"\bfall|trip|slip|stumbl",
    "sit": r"\bsit|\bseat|stool|chair",
    "wash": r"wash|wip|clean|sweep|mop|scrub",
    "wave": r"\bwav\w+ (?!a )|waves?$",
    "slash": r"\bslash|sword",
    "raise": r"(rais|lift)\w* (up )?(the |his |her |their |your )?(both |two |right |left )?(hand|arm)s?\b|put\w* [^,]*(hand|arm)s? up",
    "pick": r"pick|lift|reach|bend|grab|stack|put",
    "gesture": r"gestur|\bpoint|clap|talk|laugh|shrug|conduct|directing|\bnod|\bbow",
    "run": r"\brun|jog|sprint|\bdash|\braces? ",
    "sneak": r"sneak|crouch|creep|tiptoe",
    "walk": r"walk|step|stroll|march|stride|pace|move|wander|limp",
    "stand": r"stand|still|idle|wait|pose|stretch",
}


def action_of(caption: str) -> str:
    """The first action of :data:`ACTIONS` that the caption names, else ``other``."""
    text = caption.lower()
    return next((name for name, pattern in ACTIONS.items() if re.search(pattern, text)), "other")


def actions_of(captions: tuple[str, ...] | list[str]) -> set[str]:
    """Every action that one of the captions names first."""
    return {action_of(caption) for caption in captions}
