"""What is done besides talk: stage directions and lines of action, as prompts, signs of the head, and touches.

A direction belongs to the speech in whose parentheses it stands and is done while that begins; a line of action, and
every touch, has a pause of its own before the next speech.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .emotions import act_of, not_understood, style_of
from .fountain import Screenplay
from .turns import Turn

Kind = Literal["prompt", "nod", "shake", "handshake", "high five", "hug"]

TOUCHES: dict[str, float] = {"handshake": 4.6, "high five": 3.6, "hug": 5.4}
"""Touches by their seconds, ways there and back included."""
_TOUCHING = (
    ("high five", r"\bhigh[ -]?fiv"),
    (
        "handshake",
        r"\bhand-?shak|\bshak\w* (each other'?s? |his |her |their |the other'?s? |\w+'s )?hands?\b",
    ),
    ("hug", r"\bhug|\bembrac"),
)
_SIGNS: tuple[tuple[Kind, str, float], ...] = (
    ("nod", r"\bnod", 1.5),
    ("shake", r"\bshak\w* (his |her |their |the )?head\b", 1.8),
)
_SECONDS = (
    (r"danc|stretch|exercis|box|drink", 5.0),
    (r"wav|clap|point|salut|bow|rais|shrug|scratch|cross|fold|offer|gestur|throw|punch|kick", 3.0),
)
_USUALLY = 3.5
_SOMETHING = (2.0, 8.0)
"""Seconds that is performed while a line is said, least and most."""
_AWAY = re.compile(
    r"\b(walk|go|goe|come|run|enter|exit|leav|arriv|depart|return|approach|cross to|head (for|to)|jog|rush|hurr|wander"
    r"|sit|lie|lay|kneel|sleep|driv|rid|climb|swim|crawl|fall|faint|disappear)(e?s|ing)?\b"
)
_STILL = re.compile(
    r"(stand|look|watch|star|gaz|smil|grin|frown|listen|wait|think|see|hear|say|know|seem|remain|stay)(e?s|ing)?\b"
)
"""What is no movement, or the eyes' and the face's, which have their own."""
_VERB = re.compile(
    r"(?!(his|this|as|is|was|has|its|us|always|towards|perhaps|yes|no less|during|nothing|something)\b)\w+(s|ing)\b"
)
_PRONOUN = re.compile(r"(she|he|they|both|the two|everyone|everybody)\b", re.IGNORECASE)
_EVERYBODY = ("they", "both", "the two", "everyone", "everybody")


@dataclass(frozen=True)
class Doing:
    """Something that is done.

    Attributes:
        who: the speakers who do it.
        kind: what it is.
        prompt: of kind "prompt": for the models.
        seconds: that it takes.
        speech: number of the speech with which, or before which it is done.
        pause: whether it is done before the speech, in a pause of its own.
        line: of the screenplay.
        words: as they were written.
    """

    who: tuple[str, ...]
    kind: Kind
    prompt: str
    seconds: float
    speech: int
    pause: bool
    line: int
    words: str


@dataclass(frozen=True)
class Timed:
    """Something that is done from ``begin`` to ``end``, seconds of the scene."""

    doing: Doing
    begin: float
    end: float


def doings_of(screenplay: Screenplay, *, touches: bool = True) -> tuple[list[Doing], list[str]]:
    """What is done in a screenplay, in its order, and sentences about what is not.

    Args:
        screenplay: with two speakers.
        touches: whether hands are shaken and the like; else that is left out.
    """
    found: list[Doing] = []
    left: list[str] = []
    for action in screenplay.actions:
        speaker = next((s.speaker for s in reversed(screenplay.speeches) if s.number < action.before), "")
        for who, words in _sentences(action.text, screenplay.speakers, speaker):
            doing = _doing(words, who, screenplay.speakers, action.before, action.line, pause=True)
            _keep(doing, words, action.line, found, left, touches)
    for speech in screenplay.speeches:
        for direction in speech.directions:
            done = False
            for phrase in re.split(r", (?:and )?", direction):
                (who, words), *_ = [*_sentences(phrase, screenplay.speakers, speech.speaker), ((), "")]
                who, words = who or (speech.speaker,), words or phrase
                doing = _doing(words, who, screenplay.speakers, speech.number, speech.line, pause=False)
                # What the hands and the head of who speaks show is begun by the gestures themselves.
                shown = who == (speech.speaker,) and not not_understood((phrase,))
                if doing is not None and (doing.kind in TOUCHES or not shown):
                    _keep(doing, phrase, speech.line, found, left, touches)
                    done = True
            if not done and not_understood((direction,)):
                left.append(f"Line {speech.line}: nothing is known of the direction “{direction}”.")
        if speech.performs:
            prompt = prompt_of(speech.performs)
            found.append(
                Doing(
                    (speech.speaker,),
                    "prompt",
                    prompt,
                    0.0,
                    speech.number,
                    False,
                    speech.line,
                    speech.performs,
                )
            )
    return found, left


def pauses_of(doings: Sequence[Doing]) -> dict[int, float]:
    """Seconds of pause before a speech, by its number."""
    pauses: dict[int, float] = {}
    for doing in doings:
        if doing.pause:
            pauses[doing.speech] = pauses.get(doing.speech, 0.0) + doing.seconds
    return pauses


def timed(doings: Sequence[Doing], turns: Sequence[Turn], pauses: Mapping[int, float]) -> list[Timed]:
    """When each is done."""
    begins = {turn.speech.number: turn for turn in turns}
    last = max(turn.end for turn in turns)
    now = {
        number: (begins[number].start if number in begins else last + pause + 0.3) - pause
        for number, pause in pauses.items()
    }
    found = []
    for doing in doings:
        if doing.pause:
            begin = now[doing.speech]
            now[doing.speech] += doing.seconds
            found.append(Timed(doing, begin, begin + doing.seconds))
            continue
        turn = begins[doing.speech]
        length = doing.seconds or min(max(turn.end - turn.start, _SOMETHING[0]), _SOMETHING[1])
        found.append(Timed(doing, max(turn.start - 0.2, 0.0), turn.start - 0.2 + length))
    return found


def prompt_of(motion: str) -> str:
    """A motion as captions of captured motion say it: ``a person crosses the arms``."""
    words = re.sub(
        r"^(a|the) (person|man|woman|character) (is )?", "", motion.strip().rstrip(".!"), flags=re.IGNORECASE
    )
    words = re.sub(r"\b(his|her|my|your|their|its) (?=\w)", "the ", words)
    words = re.sub(r"\b(at|to|for|with) (him|her|them|you|me)\b", "", words)
    return f"a person {' '.join(words.split())[:400]}"


def _keep(
    doing: Doing | None, words: str, line: int, found: list[Doing], left: list[str], touches: bool
) -> None:
    if doing is None:
        return
    if doing.kind == "prompt" and _AWAY.search(doing.words.lower()):
        left.append(f"Line {line}: “{words}” is not performed, the two stay where they stand.")
    elif doing.kind in TOUCHES and not touches:
        left.append(f"Line {line}: “{words}” is not performed, touches are switched off.")
    else:
        found.append(doing)


def _doing(
    words: str, who: tuple[str, ...], speakers: Sequence[str], speech: int, line: int, *, pause: bool
) -> Doing | None:
    """What a phrase asks for, or None where it asks for nothing that a body does."""
    low = words.lower()
    if re.search(r"\b(not|never|without|refus\w*|instead of)\b", low):
        return None
    for name, pattern in _TOUCHING:
        if re.search(pattern, low):
            both = tuple(speakers)
            return Doing(both, name, "", TOUCHES[name], speech, True, line, words)  # type: ignore[arg-type]
    for kind, pattern, seconds in _SIGNS:
        if re.search(pattern, low):
            return Doing(who, kind, "", seconds, speech, pause, line, words)
    if not _VERB.match(low) or _STILL.match(low) or (style_of((words,)) and not act_of((words,))):
        return None
    seconds = next((seconds for pattern, seconds in _SECONDS if re.search(pattern, low)), _USUALLY)
    return Doing(who, "prompt", prompt_of(words), seconds, speech, pause, line, words)


def _sentences(text: str, speakers: Sequence[str], speaker: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Who does what in a text, phrase by phrase; sentences about others are left out.

    ``She`` and ``he`` are whoever was named last, at first whoever spoke last.
    """
    one: tuple[str, ...] = (speaker,) if speaker else ()
    who = one
    names = {name.lower(): name for name in speakers}
    for sentence in re.split(r"[.;!?]+\s*|, (?:and )?then ", text):
        words = " ".join(sentence.split())
        low = words.lower()
        own = [
            name for name in sorted(names, key=len, reverse=True) if re.match(rf"{re.escape(name)}\b", low)
        ]
        pair = re.match(
            rf"({'|'.join(map(re.escape, names))}) and ({'|'.join(map(re.escape, names))})\b", low
        )
        pronoun = _PRONOUN.match(words)
        if pair:
            who, words = tuple(speakers), words[pair.end() :].strip()
        elif own:
            who = one = (names[own[0]],)
            words = words[len(own[0]) :].strip()
        elif pronoun:
            who = tuple(speakers) if pronoun[1].lower() in _EVERYBODY else one
            words = words[pronoun.end() :].strip()
        elif not _VERB.match(low) and not _is_touch(low):
            continue
        words = re.sub(r"^(is|are|both|slowly|quickly|then|just|also)\s+", "", words, flags=re.IGNORECASE)
        if len(who) == 2 and not _is_touch(words.lower()):  # "they wave" for one of them is "waves"
            words = re.sub(r"^([a-z]+?)(?<!s)(?=\b)", _third, words, count=1)
        if who and words:
            yield who, words


def _is_touch(words: str) -> bool:
    return any(re.search(pattern, words) for _, pattern in _TOUCHING)


def _third(verb: re.Match[str]) -> str:
    word = verb[1]
    if word.endswith("ing"):
        return word
    return word + ("es" if re.search(r"(s|x|z|ch|sh|o)$", word) else "s")
