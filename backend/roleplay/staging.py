"""What a body is to do, from a motion in words: a prompt for the models, a sign of the head or hand, a place to go to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..dialogue.emotions import act_of
from .wording import third

CLOSE = 1.1
"""Metres from the user at which somebody stops who comes closer."""
LEAST = 0.4
"""Metres: a place that is nearer has been reached."""
STRIDE = 2.0
"""Metres that somebody goes who is not told where to."""
FARTHEST = 20.0
"""Metres that somebody goes in one answer, at most."""
PARTS = 3
"""Motions of one answer, one after the other."""
STANDING = "a person stands still"

_SPEEDS = {
    "run": 2.2,
    "jog": 1.8,
    "rush": 2.0,
    "sneak": 0.6,
    "creep": 0.6,
    "tiptoe": 0.6,
    "crawl": 0.4,
    "limp": 0.6,
}
_WALK = 1.05
"""Metres a second; of other ways to go see above."""
_GOES = re.compile(
    r"\b(walk|go|goe|come|step|run|jog|rush|sneak|creep|tiptoe|crawl|stroll|march|move|approach|head|wander|return|limp|stride)"
    r"(e?s|ing)?\b(?! (still|his|her|their|the) )"
)
_TO_USER = re.compile(
    r"\b(to|towards?|up to|over to|closer to|near|nearer to) (the )?(you|user|viewer|camera|me|us|visitor|guest|audience)\b"
    r"|\b(closer|nearer|over here|come here|comes here|approaches)\b"
)
_AHEAD = re.compile(r"\b(forwards?|ahead|straight|some steps|a few steps)\b")
_ELSEWHERE = re.compile(
    r"\b(back|backwards?|sideways|side|away|around|round|circles?|in place|on the spot|left|right|stairs)\b"
)
_SIGNS = re.compile(
    r"\b(nods?|nodding|agrees?|shakes? (his|her|their|the|its|my|your)? ?head|shaking|shrugs?|shrugging)\b"
)
_BODY = re.compile(
    r"\b(walk|step|jump|danc|wav|sit|run|turn|kick|point|rais|clap|bow|stand|kneel|hop|crawl|lie|lay)"
)
_SECONDS = (
    (r"danc|salsa|waltz|spin", 6.0),
    (r"box|fight|exercis|stretch|climb|wash|sweep", 5.0),
    (r"wav|clap|point|nod|salut|bow|rais|shrug", 3.0),
    (r"jump|hop|kick|punch|throw|turn", 3.0),
)
_AT = 0.8  # metres from a place at which somebody is there
_THEN = re.compile(
    r",? (?:and then|and|then) (?=[a-z]+(?:s|es)\b(?! (?:hand|arm|leg|knee|head)))|, (?=[a-z]+s [a-z]|[a-z]+s$)"
)
_USUALLY = 4.0
_STAYS = re.compile(
    r"\b(sit|sits|sitting|lie|lies|lying|kneel|kneels|kneeling|crouch|crouches|squat|squats)\b"
)


@dataclass(frozen=True)
class Stage:
    """What a body is to do in an answer.

    Attributes:
        prompt: for the models; empty where the body only talks.
        act: a meaning that the first word is said with, or empty.
        way: (2, 2) places on the floor from which and to which it goes, metres; None for no way of its own.
        seconds: that the prompt takes.
        after: the prompt for what is left of the answer; empty for talk.
        strays: whether it ends somewhere else of itself.
        holds: whether it stays in the pose that it arrives at, or in which it was: seated, kneeling.
    """

    prompt: str = ""
    act: str = ""
    way: np.ndarray | None = None
    seconds: float = 0.0
    after: str = ""
    strays: bool = False
    holds: bool = False


def stage_of(
    motion: str,
    here: np.ndarray,
    facing: float,
    user: np.ndarray,
    places: Mapping[str, Sequence[float]] = {},
    *,
    down: bool = False,
) -> Stage:
    """Understand a motion.

    Args:
        motion: in words, ``walks to the door``; may begin with ``a person``.
        here: (2,) where the body stands, x and z in metres.
        facing: radians about the vertical, 0 is +Z.
        user: (2,) where the user stands.
        places: that the character knows, by name.
        down: whether the body sits, kneels or lies (:func:`stays_down` of what it did last).
    """
    words = " ".join(motion.strip().rstrip(".!").split())
    low = words.lower()
    if not any(letter.isalpha() for letter in low):
        return Stage(holds=down)
    if _SIGNS.search(low) and not _BODY.search(low):
        return Stage(act=act_of((low,)), holds=down)
    prompt = prompt_of(words)
    verb = _GOES.search(low)
    goal = None if verb is None else _goal(low, here, facing, user, places)
    if verb is not None and goal is not None:
        way = np.stack([here, goal])
        length = float(np.linalg.norm(way[1] - way[0]))
        if length < LEAST:
            return Stage(STANDING, seconds=1.0)
        name = next((name for name in _SPEEDS if verb[1].startswith(name)), "")
        manner = f"a person {third(name or 'walk')} forward"
        return Stage(manner, way=way, seconds=length / _SPEEDS.get(name, _WALK) + 0.4, after=STANDING)
    seconds = next((s for pattern, s in _SECONDS if re.search(pattern, low)), _USUALLY)
    strays = verb is not None or bool(_ELSEWHERE.search(low))
    if _STAYS.search(low):
        return Stage(prompt, seconds=3.0, strays=True, holds=True)
    return Stage(prompt, seconds=seconds, after=STANDING, strays=strays)


def stages_of(
    motion: str,
    here: np.ndarray,
    facing: float,
    user: np.ndarray,
    places: Mapping[str, Sequence[float]] = {},
    *,
    down: bool = False,
) -> list[Stage]:
    """Everything that a motion says, one after the other: ``waves and then sits down on the bench``; at least one stage.

    Who does something at a place goes there before. Arguments as for :func:`stage_of`.
    """
    found: list[Stage] = []
    for part in _THEN.split(motion)[:PARTS]:
        stage = stage_of(part, here, facing, user, places, down=down)
        place = _place_in(part.lower(), places)
        if (
            place is not None
            and stage.prompt
            and stage.way is None
            and float(np.linalg.norm(place - here)) > _AT
        ):
            going = stage_of(
                "walks forward", here, facing, user, {"forward": [float(x) for x in place]}, down=down
            )
            found.append(going)
            here, facing = _after(going, here, facing)
        if stage.prompt or stage.act or not found:
            found.append(stage)
        here, facing = _after(stage, here, facing)
        down = stage.holds
    return found


def _after(stage: Stage, here: np.ndarray, facing: float) -> tuple[np.ndarray, float]:
    if stage.way is None:
        return here, facing
    way = stage.way[1] - stage.way[0]
    return stage.way[1], float(np.arctan2(way[0], way[1]))


def _place_in(low: str, places: Mapping[str, Sequence[float]]) -> np.ndarray | None:
    """The place (2,) that words name, or None."""
    for name in sorted(places, key=len, reverse=True):
        if re.search(rf"\b{re.escape(name.lower())}\b", low):
            return np.asarray(places[name], float)
    return None


def stays_down(motion: str) -> bool:
    """Whether a body that has done this does not stand afterwards."""
    return bool(_STAYS.search(motion.lower()))


def prompt_of(motion: str) -> str:
    """A motion as captions of captured motion say it: ``a person walks forward``."""
    words = re.sub(r"^(a|the) (person|character|man|woman) ", "", motion, flags=re.IGNORECASE)
    words = re.sub(r"\b(his|her|my|your|their|its) (?=\w)", "the ", words)
    words = re.sub(r"\b(at|to|for|with) (you|me|the user|the camera|the viewer)\b", "", words)
    return f"a person {' '.join(words.split())[:400]}"


def _goal(
    low: str, here: np.ndarray, facing: float, user: np.ndarray, places: Mapping[str, Sequence[float]]
) -> np.ndarray | None:
    """Where it goes (2,), or None where the words name no place."""
    if (place := _place_in(low, places)) is not None:
        return _near(here, place, 0.0)
    if _TO_USER.search(low):
        return _near(here, user, CLOSE)
    if _ELSEWHERE.search(low) and not _AHEAD.search(low):
        return None
    ahead = np.array([np.sin(facing), np.cos(facing)])
    free = STRIDE
    toward = user - here
    if float(toward @ ahead) > 0.0 and abs(float(toward[0] * ahead[1] - toward[1] * ahead[0])) < CLOSE:
        free = min(STRIDE, max(float(toward @ ahead) - CLOSE, 0.0))  # not through the user
    return here + free * ahead


def _near(here: np.ndarray, goal: np.ndarray, distance: float) -> np.ndarray:
    way = goal - here
    length = float(np.linalg.norm(way))
    if length <= distance + 1e-6:
        return here
    return here + way * min(length - distance, FARTHEST) / length
