"""English verb forms of a small lexicon of motion verbs, both ways: form of a verb, verb of a form."""

from __future__ import annotations

from typing import Literal

Form = Literal["base", "third", "past", "ing"]
FORMS: tuple[Form, ...] = ("base", "third", "past", "ing")


def listed(text: str) -> tuple[str, ...]:
    """The words of a text, in their order."""
    return tuple(text.split())


VERBS = listed(
    """
    act approach arch attempt balance beckon begin bend block boogie bounce bow box brace breakdance brush
    call carry cast catch celebrate charge cheer circle clamber clap clean climb close collapse come
    commence continue copy crawl creep cross crouch dance dash demonstrate descend do dodge drag dribble
    drink drive drop duck eat enter execute exercise extend fall fight finish flail flap flex flip float
    fly gallop gather gesture get give glance go grab grasp halt hang hit hold hop hug hunch hurry imitate
    jab jog jump keep kick kneel land laugh lead lean leap lie lift limp look lower lunge lurch make march
    meander mime move nod open pace paddle pass perform pick pirouette pivot place play plod point pose
    practice practise prance prepare pretend proceed pull pump punch push put race raise reach rest
    retreat retrieve return ride rise rock roll rotate rub run rush salute saunter scratch scrub seize
    shake shoot shout show shrug shuffle sidestep sit skate skip slap slide slip sneak spin spread sprint
    squat stagger stand start stay step stir stomp stoop stop straighten stretch stride strike stroll
    strut stumble sway sweep swim swing take talk tap throw tilt tiptoe toss touch travel tread trip trot
    trudge try tuck tumble turn twirl twist use vault veer waddle wait walk waltz wander warm wash wave
    whirl wipe work wriggle zigzag spring slash fling hover bob wobble stab swipe chop cower spar drift glide
    pedal thrust launch deliver stomp hoist haul crank twitch shiver shudder flee duck engage recoil
    """
)

_IRREGULAR_PAST = {
    "begin": "began", "bend": "bent", "cast": "cast", "catch": "caught", "come": "came", "creep": "crept",
    "do": "did", "drink": "drank", "drive": "drove", "eat": "ate", "fall": "fell", "fight": "fought",
    "fly": "flew", "get": "got", "give": "gave", "go": "went", "hang": "hung", "hit": "hit",
    "hold": "held", "keep": "kept", "kneel": "knelt", "lead": "led", "lie": "lay",
    "make": "made", "put": "put", "ride": "rode", "rise": "rose", "run": "ran", "shake": "shook",
    "shoot": "shot", "sit": "sat", "slide": "slid", "flee": "fled", "fling": "flung", "spin": "spun", "spring": "sprang", "thrust": "thrust", "spread": "spread", "stand": "stood",
    "stride": "strode", "strike": "struck", "swim": "swam", "swing": "swung", "sweep": "swept",
    "take": "took", "throw": "threw", "tread": "trod",
}  # fmt: skip
_DOUBLED = listed(
    """begin bob chop clap drag drop flap flip get grab hit hop hug hum jab jog nod pat plod put rub run scrub shrug
    sidestep sit skip slap slip spar spin squat stab step stir stop strut swim tap trip trot zigzag"""
)
_VOWELS = "aeiou"


def inflect(base: str, form: Form) -> str:
    """The form of a verb; of several words (``do a jump``) the first is the verb."""
    verb, _, rest = base.partition(" ")
    if form == "third":
        word = _third(verb)
    elif form == "past":
        word = _IRREGULAR_PAST.get(verb) or _past(verb)
    elif form == "ing":
        word = _ing(verb)
    else:
        word = verb
    return f"{word} {rest}" if rest else word


def _third(verb: str) -> str:
    if verb.endswith("y") and verb[-2] not in _VOWELS:
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")


def _past(verb: str) -> str:
    if verb in _DOUBLED:
        return verb + verb[-1] + "ed"
    if verb.endswith("y") and verb[-2] not in _VOWELS:
        return verb[:-1] + "ied"
    return verb + ("d" if verb.endswith("e") else "ed")


def _ing(verb: str) -> str:
    if verb in _DOUBLED:
        return verb + verb[-1] + "ing"
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    silent = verb.endswith("e") and not verb.endswith(("ee", "oe", "ye"))
    return (verb[:-1] if silent else verb) + "ing"


_READ: dict[tuple[str, Form], str] = {(inflect(base, form), form): base for form in FORMS for base in VERBS}


def base_of(word: str, form: Form) -> str | None:
    """The verb that has this word as its form, if the lexicon knows it."""
    return _READ.get((word, form))
