"""Rules that recognise what legs and arms do, from joint positions alone.

They judge the halves of a performance without any model that was trained on captions, so a pack cannot
please them by having learnt what they have learnt. How far they are to be believed is measured on captured
clips whose captions name the action (:func:`trust`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...backend.motion.clip import Clip
from ...backend.motion.contacts import detect_contacts, intervals
from ...backend.motion.filters import gaussian
from ...backend.motion.kinematics import forward_kinematics
from ...backend.motion.skeleton import INDEX

SIDES = ("left", "right")
SMOOTH = 0.05
"""Seconds: jitter below this is no movement."""


@dataclass(frozen=True)
class Body:
    """What the rules look at, of T frames.

    Attributes:
        root: (T, 3) pelvis, world, metres.
        forward: (T, 2) unit facing direction on the floor (x, z).
        flight: (T,) whether no foot stands.
        joints: by name (T, 3): positions with the pelvis at the origin, x to the left, y up, z forward.
    """

    fps: float
    root: np.ndarray
    forward: np.ndarray
    flight: np.ndarray
    joints: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, clip: Clip) -> Body:
        world, _ = forward_kinematics(clip.poses[:, :22], clip.trans)
        flat = gaussian(world.reshape(len(world), -1), SMOOTH * clip.fps).reshape(world.shape)
        across = flat[:, INDEX["left_hip"]] - flat[:, INDEX["right_hip"]]
        across = across + flat[:, INDEX["left_shoulder"]] - flat[:, INDEX["right_shoulder"]]
        left = across[:, [0, 2]] / np.maximum(np.linalg.norm(across[:, [0, 2]], axis=1, keepdims=True), 1e-6)
        forward = np.stack([-left[:, 1], left[:, 0]], axis=1)
        local = flat - flat[:, :1]
        joints = {
            name: np.stack(
                [
                    (local[:, INDEX[name]][:, [0, 2]] * left).sum(1),
                    local[:, INDEX[name], 1],
                    (local[:, INDEX[name]][:, [0, 2]] * forward).sum(1),
                ],
                axis=1,
            )
            for name in (
                "neck", "head", *(f"{s}_{j}" for s in SIDES for j in ("hip", "shoulder", "elbow", "wrist", "knee", "ankle"))
            )
        }  # fmt: skip
        return cls(clip.fps, flat[:, 0], forward, ~(detect_contacts(clip) > 0.5).any(1), joints)

    def speed(self, name: str) -> np.ndarray:
        """(T, 3) velocity of a joint against the pelvis, metres per second."""
        return (
            np.gradient(self.joints[name], 1 / self.fps, axis=0) if len(self.root) > 1 else np.zeros((1, 3))
        )

    def longest(self, mask: np.ndarray) -> float:
        """Seconds of the longest run of a truth vector (T,)."""
        return max((stop - start for start, stop in intervals(mask)), default=0) / self.fps

    def height(self, side: str) -> np.ndarray:
        """(T,) of the wrist above its shoulder, metres."""
        return self.joints[f"{side}_wrist"][:, 1] - self.joints[f"{side}_shoulder"][:, 1]


# ---------------------------------------------------------------------------------------- legs

CROUCHED = 0.80
"""Metres: a standing pelvis is at 0.92, a striding one not below 0.88."""
STANDING, RUNNING = 0.25, 1.0
"""Metres per second: slower than the first is no gait, slower than the second no run."""
FLIGHT = 0.12
"""Share of the frames in which no foot stands, above which a gait is a run: a walk has none."""
STRIDE = 0.06
"""Metres: deviation of one ankle ahead of the other; less is gliding, not stepping."""


def gait(body: Body) -> str:
    """One of ``crouches``, ``runs``, ``walks backwards``, ``walks``, ``stands still``, else ``glides``: the
    body travels and the legs do not step."""
    step = np.diff(body.root[:, [0, 2]], axis=0) * body.fps
    speed = float(np.linalg.norm(step, axis=1).mean()) if len(step) else 0.0
    ahead = float(np.median((step * body.forward[1:]).sum(1))) if len(step) else 0.0
    stride = float((body.joints["left_ankle"] - body.joints["right_ankle"])[:, 2].std())
    if np.median(body.root[:, 1]) < CROUCHED:
        return "crouches"
    if speed < STANDING:
        return "stands still"
    if stride < STRIDE:
        return "glides"
    if speed > RUNNING and body.flight.mean() > FLIGHT:
        return "runs"
    return "walks backwards" if ahead < -0.15 else "walks"


# ---------------------------------------------------------------------------------------- arms

RAISED, HELD = -0.08, 0.4
"""Metres above the shoulder (a raised hand may stay a little below), for so many seconds."""
SWING = 0.03
"""Metres from turn to turn of a waving hand."""


def _raised(body: Body, side: str) -> bool:
    return body.longest(body.height(side) > RAISED) >= HELD


def _waves(body: Body, side: str) -> bool:
    """The raised hand goes to and fro, twice at least; its way up and down is longer than a small wave."""
    above = body.joints[f"{side}_wrist"][:, 1] > body.joints[f"{side}_elbow"][:, 1]
    spans = [*intervals(above), *intervals(body.height(side) > RAISED)]
    return _raised(body, side) and any(
        turns((body.joints[f"{side}_wrist"] - body.joints["neck"])[start:stop], SWING) >= 3
        for start, stop in spans
        if stop - start >= HELD * body.fps
    )


def turns(path: np.ndarray, swing: float) -> int:
    """How often a path (T, 3) turns back along one of its two main directions, ``swing`` metres each way: the
    first may be the way to where the hand swings, and back."""
    centred = path - path.mean(0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    return max(_turned(centred @ axis, swing) for axis in axes)


def _turned(values: np.ndarray, swing: float) -> int:
    """How often values (T,) turn back after going on for ``swing``."""
    count, direction, extreme = 0, 0, values[0]
    for value in values:
        if direction and (value - extreme) * direction > 0:
            extreme = value
        elif abs(value - extreme) > swing:
            count += direction != 0
            direction, extreme = (1 if value > extreme else -1), value
    return count


def _only(body: Body, side: str, rule: Callable[[Body, str], bool]) -> bool:
    other = SIDES[1 - SIDES.index(side)]
    return rule(body, side) and not _raised(body, other)


def _both(body: Body, rule: Callable[[Body, str], bool]) -> bool:
    return all(rule(body, side) for side in SIDES)


def _punches(body: Body) -> bool:
    """A wrist shoots forward at the height of the chest or the head, and far."""
    for side in SIDES:
        reach = (body.joints[f"{side}_wrist"] - body.joints[f"{side}_shoulder"])[:, 2]
        speed = body.speed(f"{side}_wrist")
        fast = (speed[:, 2] > 1.0) & (speed[:, 2] > np.abs(speed[:, 1]))
        window = round(0.2 * body.fps)
        for start, stop in intervals(fast):
            after = slice(start, stop + window)
            if ((reach[after] > 0.36) & (np.abs(body.height(side)[after]) < 0.25)).any():
                return True
    return False


def _spread(body: Body) -> bool:
    """Both arms straight out to the sides."""
    held = np.ones(len(body.root), bool)
    for side, sign in zip(SIDES, (1, -1), strict=True):
        out = sign * (body.joints[f"{side}_wrist"] - body.joints[f"{side}_shoulder"])[:, 0]
        held &= (out > 0.35) & (np.abs(body.height(side)) < 0.25)
    return body.longest(held) >= HELD


def _at_mouth(body: Body) -> bool:
    near = [np.linalg.norm(body.joints[f"{s}_wrist"] - body.joints["head"], axis=1) < 0.27 for s in SIDES]
    return body.longest(near[0] | near[1]) >= 0.3


def _held_out(body: Body, side: str) -> bool:
    reach = (body.joints[f"{side}_wrist"] - body.joints[f"{side}_shoulder"])[:, 2]
    return body.longest((reach > 0.27) & (np.abs(body.height(side) + 0.1) < 0.2)) >= 0.5


@dataclass(frozen=True)
class Action:
    """Something a half of the body does.

    Attributes:
        does: what is asked of the half, after "a person".
        rule: whether a body does it.
        told: pattern of captions of captured clips that show it.
        implied: pattern of captions of clips that may show it too: neither right nor wrong there.
    """

    does: str
    rule: Callable[[Body], bool]
    told: str
    implied: str = r"(?!)"

    @property
    def prompt(self) -> str:
        return f"a person {self.does}"


_RAISE = r"\b(rais|lift|put|wav)\w*\b[^,.|]{0,30}?"

UPPER: tuple[Action, ...] = (
    Action("raises the right hand", lambda b: _only(b, "right", _raised), rf"{_RAISE}\bright (hand|arm)\b"),
    Action("raises the left hand", lambda b: _only(b, "left", _raised), rf"{_RAISE}\bleft (hand|arm)\b"),
    Action("raises both hands", lambda b: _both(b, _raised), rf"{_RAISE}\b(both|two) (hands|arms)\b", r"\barms?\b.*overhead"),
    Action("waves with the right hand", lambda b: _only(b, "right", _waves), r"\bwav\w*[^,.|]{0,30}\bright (hand|arm)"),
    Action("waves with the left hand", lambda b: _only(b, "left", _waves), r"\bwav\w*[^,.|]{0,30}\bleft (hand|arm)"),
    Action("waves with both hands", lambda b: _both(b, _waves), r"\bwav\w*[^,.|]{0,30}\b(both|two) (hands|arms)"),
    Action("throws punches", _punches, r"\bpunch|\bjab"),
    Action("stretches both arms out to the sides", _spread, r"\bt.?pose|arms (out|stretched|extended) to the sides\b", r"both (hands|arms)"),
    Action("drinks from a cup", _at_mouth, r"\bdrink"),
    Action("holds the right hand out in front", lambda b: _only(b, "right", _held_out), r"gestures forward with the right|holds (out )?the right hand", r"right (hand|arm)"),
)  # fmt: skip
"""What arms are asked for, each with every one of :data:`LOWER`: 50 pairs."""

LOWER: tuple[Action, ...] = tuple(
    Action(does, lambda body, does=does: gait(body) == does, told)  # type: ignore[misc]
    for does, told in (
        ("walks", r"\bwalk|\bstrid|\bstroll"),
        ("runs", r"\bruns?\b|\brunning|\bjog|\bsprint|\bdash|\braces forward"),
        ("stands still", r"\bstands? (still|idle|at rest|and)|\bstanding (still|in place)"),
        ("walks backwards", r"\bwalk\w* backw|\bbackwards? walk"),
        ("crouches", r"\bcrouch"),
    )
)

_SEVERAL = re.compile(
    r"danc|ballet|kick|swing|throws? (something|a ball)|climb|jump|hop|leap|flip|cartwheel|slash|sword|call|karate|swim"
    r"|\bthen (walk|run|turn|stop|continue|go|step)|turn|ball|squat|push|land|fight|box|guard|spin|sideways"
    r"|to the (left|right|side)\b|diagonal|circle|\bstop|balanc|rough|bumpy|uneven"
)
"""Captions of clips that show more than the actions above: nobody knows when, or what the arms do meanwhile."""


def told_of(captions: Sequence[str], actions: Sequence[Action]) -> set[str]:
    """Which actions the captions of a clip tell of; none where they tell of something else as well."""
    text = " | ".join(captions).lower()
    found = {action.does for action in actions if re.search(action.told, text)}
    if found & {"walks backwards", "crouches"}:
        found.discard("walks")
    punches = "throws punches" in found
    return set() if _SEVERAL.search(text) and not punches else found


def trust(
    clips: Iterable[tuple[Sequence[str], Callable[[], Clip]]], *, most: int = 30
) -> dict[str, dict[str, int]]:
    """How often the rules are right on captured clips: ``{does: {shown, clips, false, others}}``.

    ``shown`` of ``clips`` whose captions tell of the action show it by its rule, ``false`` of ``others``, which
    are told of another action of the same half, do so too. For arms the clips of a plain gait are among the
    others. Clips told of several gaits are left out.

    Args:
        clips: captions, and how to get the clip.
        most: clips of one set of actions that are looked at.
    """
    seen: dict[tuple[frozenset[str], frozenset[str]], int] = {}
    counts = {a.does: {"shown": 0, "clips": 0, "false": 0, "others": 0} for a in (*UPPER, *LOWER)}
    for captions, load in clips:
        upper, lower = told_of(captions, UPPER), told_of(captions, LOWER)
        key = frozenset(upper), frozenset(lower)
        seen[key] = seen.get(key, 0) + 1
        if not (upper or lower) or seen[key] > most:
            continue
        body, text = Body.of(load()), " | ".join(captions).lower()
        for action in UPPER:
            if action.does in upper:
                _count(counts[action.does], body, action, right=True)
            elif not re.search(action.implied, text):
                _count(counts[action.does], body, action, right=False)
        for action in LOWER if len(lower) == 1 else ():
            _count(counts[action.does], body, action, right=action.does in lower)
    return counts


def _count(counts: dict[str, int], body: Body, action: Action, *, right: bool) -> None:
    counts["clips" if right else "others"] += 1
    counts["shown" if right else "false"] += action.rule(body)
