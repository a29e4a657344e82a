"""Requests to do something: ``could you walk to the door?`` is ``walks to the door``."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from .wording import third

_MOVES = (
    "act aim applaud approach balance bend bounce bow box breathe carry catch charge cheer clap climb come crawl creep crouch "
    "curtsy dance dodge drink dribble duck exercise fall fight fly freeze gallop gesture go greet hide hit hop hug jog juggle "
    "jump kick kneel knock laugh lean leap lie lift limp look lunge march meditate mime move nod pace paint pick play point pose "
    "pray pull punch push raise reach rest ride rise roll rotate run rush salute scratch shake shiver shrug sit skate skip slide "
    "sneak spin sprint squat stagger stamp stand step stomp stretch stroll strike stumble sway sweep swim swing take throw tiptoe "
    "toss touch turn twirl twist wait walk waltz wander warm wash wave weep wobble yawn lower"
)
MOVES = frozenset(_MOVES.split())
"""Verbs that a body does."""
_LOOSE = {
    "act",
    "play",
    "take",
    "look",
    "wait",
    "rest",
    "move",
    "pick",
    "hide",
    "touch",
    "fly",
    "paint",
    "ride",
    "charge",
    "reach",
}
"""Which are as often something else: they need a please, or a direction."""
_THINGS = (
    r"dance|salsa|waltz|wave|bow|curtsy|cartwheel|(?:back|front)? ?flip|somersault|handstand|jump|jumps|kick|punch|spin|twirl|pirouette|step|steps|"
    r"stretch|squat|squats|push-?ups?|jumping jacks?|salute|nod|shrug|pose|run|walk|hop|roll|round of applause|trick|stroll"
)
_NOUN = re.compile(
    rf"^(do|perform|make|take|give|show|have|try)(?: (?:me|us))? ((?:(?:a|an|one|another|some|the|your|little|small|big|quick|few|"
    rf"happy|sad|two|three|five|ten|best|salsa|back|front|\w+ly) )*)({_THINGS})\b(.*)$"
)
_POLITE = re.compile(
    r"^(?:please|kindly|now|then|okay|ok|so|hey|well|and|just|alright|great|good|oh|yes|no)[,!. ]+"
    r"|^(?:would you like to|would you mind|do you want to) "
    r"|^(?:can|could|would|will|won't|can't|couldn't) you (?:please |kindly |maybe |also |just |now |even |still )*"
    r"|^(?:i want|i would like|i'd like|i need|i'd love|i would love|i ask) (?:for )?you to "
    r"|^(?:let me see you|let us see you|let's see you|show me how you(?: can)?|show us how you|i want to see you|i'd like to see you) "
    r"|^(?:why don't you|why not|how about you|go ahead and|go on and|try to|feel free to|you may|you can|you should|you must|"
    r"are you able to|be so kind as to|be so kind and|do you know how to) "
    r"|^(?:let's|let us) "
)
_ASKS = re.compile(
    r"^(?:can|could|would|will) you|please|^i(?:'d| would| want| need)|^show|^let|able to|know how to"
)
_SPOKEN = (
    "tell say explain describe help sing answer repeat remember think be have know like love speak talk stay stop start keep "
    "understand guess imagine name call ask read write recommend give show teach hear see feel mean believe forget introduce "
    "lend let make do work live use want need find get trust forgive promise share"
)
_SPEAKS = frozenset(_SPOKEN.split())
"""Verbs that ask for no movement."""
_TALKED = re.compile(
    r"\b(favou?r|question|thing|job|break|deal|hint|answer|reason|example|story|joke|song|advice|name|idea|minute|moment|secret)s?\b"
)
"""What is done, given or shown with words alone."""
_STOP = re.compile(
    r"^(?:please )?(?:stop|halt|freeze|stand still|don't move|do not move|stay there|stay here|stay where you are|that's enough|enough|wait)\b"
)
_AGAIN = re.compile(r"\b(again|once more|one more time|another time|encore)\b")
_COURTESY = re.compile(
    r",? \b(please|for me|for us|if you like|if you can|if you want|if you will|right now|now|will you|would you|okay|ok|a bit|a little|then|again|once more)$"
)


@dataclass(frozen=True)
class Wish:
    """What a user wants to see.

    Attributes:
        motion: as somebody does it, ``walks to the door``; empty where it cannot be told.
        doing: as the character says it, ``walk to the door``.
        verb: the first of it.
        known: whether it is a movement by its verb; else a body has to be asked.
        again: the last motion is wanted once more.
    """

    motion: str
    doing: str
    verb: str
    known: bool = True
    again: bool = False


def wish_of(sentence: str, names: Collection[str] = ()) -> Wish | None:
    """What a sentence asks a body to do; None where it asks for nothing of the kind.

    Args:
        sentence: of the user.
        names: of the character, with which it may be called.
    """
    low = re.sub(r"\s+", " ", sentence.strip().lower().replace("’", "'")).rstrip("?!. ")
    for name in names:
        low = re.sub(rf"^{re.escape(name.lower())}[,!: ]+|[, ]+{re.escape(name.lower())}$", "", low)
    polite = bool(_ASKS.search(low))
    before = ""
    while before != low:
        before = low
        low = _POLITE.sub("", low, count=1)
    while (shorter := _COURTESY.sub("", low)) != low:
        polite = polite or "please" in low
        if _AGAIN.search(low[len(shorter) :]) and not shorter:
            break
        low = shorter
    low = re.sub(r"^do (it|that|this)$", "do it", low)
    if _STOP.match(low):
        return Wish("stands still", "stand still", "stand")
    if _AGAIN.search(sentence.lower()) and (
        low in ("", "do it", "again", "once more", "do", "encore") or _AGAIN.fullmatch(low)
    ):
        return Wish("", "do it again", "do", again=True)
    if noun := _NOUN.match(low):
        count = noun[2].strip()
        count = re.sub(r"\b(your|best)\b", "", count).strip() or "a"
        doing = " ".join(
            f"{'do' if noun[1] in ('show', 'have', 'try', 'give', 'perform') else noun[1]} {count} {noun[3]}{noun[4]}".split()
        )
        doing = re.sub(
            r"^(?:do|make|take) (?:a|an|the|one|another|some) (?:little |small )?(dance|wave|bow|jump|spin|twirl|nod|shrug|hop|waltz|salute|curtsy|stretch)\b",
            r"\1",
            doing,
        )
        return _wish(doing)
    words = low.split()
    if (
        not words
        or words[0] in ("not", "don't", "never")
        or (words[0] in _LOOSE and not polite and len(words) < 2)
    ):
        return None
    if words[0] in MOVES:
        if words[0] in ("play", "take", "act", "look") and not re.search(
            r"\b(air|guitar|drums|step|bow|seat|around|up|down|left|right|over|at|like)\b", low
        ):
            return None
        if len(words) > 1 and words[1] in ("is", "are", "was", "means", "sounds", "looks"):
            return None  # "Dance is my life."
        return _wish(low)
    if (
        polite
        and words[0] not in _SPEAKS
        and re.fullmatch(r"[a-z]+", words[0])
        and not sentence.lower().startswith(("i ", "i'd"))
    ):
        wish = _wish(low)
        return Wish(wish.motion, wish.doing, wish.verb, known=False)
    return None


def _wish(doing: str) -> Wish:
    doing = re.sub(r"^come (here|over here|over)\b", "come closer", doing)
    doing = re.sub(r"^take a seat|^have a seat", "sit down", doing)
    doing = re.sub(r"\bsit$", "sit down", doing)
    words = doing.split()
    shown = list(words)
    for index, word in enumerate(words):
        if index == 0 or (
            words[index - 1] in ("and", "then", "to") and word in MOVES and words[index - 1] != "to"
        ):
            shown[index] = third(word) if word not in ("then", "and") else word
    motion = " ".join(shown)
    motion = re.sub(r"\b(to|at|towards?|for|with|near|beside|by|from) (me|us)\b", r"\1 the user", motion)
    motion = re.sub(r"\byour(self)?\b", "the", motion)
    motion = re.sub(r"\b(hug|greet|follow|salut)(e?s) (me|us)\b", r"\1\2 the user", motion)
    doing = re.sub(r"\bme\b", "\0", doing)
    doing = re.sub(r"\byour\b", "my", re.sub(r"\byourself\b", "myself", doing)).replace("\0", "you")
    return Wish(motion, doing, words[0])
