"""From the score of a voice to goals and times of hands, head, trunk and shoulders.

A stroke has its preparation before it, and a hold or the next preparation after it; hands come up before the first
word of a unit that is stressed, and go home in the rest after it. How far they go follows the loudness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..motion.hands import Shape as Hand
from .gesture_score import Phrase, Stroke, Unit
from .gesture_shapes import FINGERS, HEAD_SIGNS, MEANINGS, READY, SHAPES, SIGN, WAVE, Meaning, Shape
from .movements import Track

LEFT, RIGHT = 0, 1
SMALLEST, BIGGEST = 0.35, 1.6
"""Size of strokes in the quietest and the loudest talk."""
HURRIED = 0.55
"""Seconds from stroke to stroke below which strokes are smaller: a hand takes its time."""
STROKE = (0.22, 0.30)
"""Seconds that a small and a big stroke take."""
OVERLAP = 0.03
"""Seconds by which a stroke begins before its preparation ends: hands turn round, they do not stop dead."""
RECOIL = 0.12
"""Seconds by which the next movement begins before the stroke's end."""
PREPARE = 0.42
"""Seconds that a preparation takes where there is time."""
SHORTEST = 0.26
"""Seconds of preparation below which there is none, and the stroke goes to its end from where the hand is."""
EARLY = 0.05
"""Seconds before the voice at which a hand may begin."""
HARDEST = 16.0
"""Metres a second squared, of a hand; talking hands of the BEAT2 clip stay below 15 in 99 of 100 frames."""
HOLD = 0.5
"""Seconds after a stroke for which a hand stays; then, if there is time, it sinks."""
RAISE, LOWER = 0.75, 0.95
"""Seconds in which a hand comes up from the side, and goes home."""
WAITING = 0.11
"""Metres that the hand which has no part goes up for a full stroke."""
LAG = 0.04
"""Seconds by which the hand that follows is late."""
SECOND = 0.85
"""Size of its strokes."""
LATE = np.array([0.1, 0.0, 0.08, 0.08, 0.04, 0.06, 0.06])
"""Seconds by which the parts of a hand's movement follow its rise and fall: elbow and wrist are loose."""
ROUND, TURN = 0.06, 1.9
"""Metres around the middle of a phrase's strokes at which a full one ends, and how far, in radians, the next one ends
from it: hands go from stop to stop in bows, and round."""
LONGEST_BOW = 0.9
"""Seconds that such a bow takes at most."""
SHIFT = np.array([0.016, 0.007])
"""Metres by which the weight is shifted from phrase to phrase, to the side and to the front."""
CLEAR = 0.8
"""Size of a stroke that shows a meaning at least."""
LONG_FINGERS = 0.55
"""Seconds after a stroke for which fingers show what they show."""
PASSING = 0.14
"""Seconds before and after a stop in which a hand still goes on to the side: it is not nailed."""


def _turns() -> Track:
    return Track(np.zeros(3), np.array([0.0, 0.12, 0.1]))


@dataclass
class Choreography:
    """Tracks over seconds.

    Attributes:
        hands: left and right, (7,) of :func:`.arms.solve`, each as if it were the left.
        rounds: left and right, (2,) metres in x and z that they are beside that.
        raised: left and right, (1,) 1 while the hand gestures, 0 while the arm is the motion's own.
        head, trunk: posture and accents, whose sum counts, (3,) radians: down, to the left, to the right.
        shoulders: (2,) radians that they are raised, left and right.
        weight: (2,) metres that the hips are shifted to the left and to the front.
        fingers: left and right, in the order of time: seconds from and to, and the posture of the hand.
    """

    hands: tuple[Track, Track] = field(default_factory=lambda: (Track(READY, LATE), Track(READY, LATE)))
    rounds: tuple[Track, Track] = field(default_factory=lambda: (Track(np.zeros(2)), Track(np.zeros(2))))
    raised: tuple[Track, Track] = field(default_factory=lambda: (Track(np.zeros(1)), Track(np.zeros(1))))
    head: tuple[Track, Track] = field(default_factory=lambda: (_turns(), _turns()))
    trunk: tuple[Track, Track] = field(default_factory=lambda: (_turns(), _turns()))
    shoulders: Track = field(default_factory=lambda: Track(np.zeros(2)))
    weight: Track = field(default_factory=lambda: Track(np.zeros(2)))
    fingers: tuple[list[tuple[float, float, Hand]], ...] = field(default_factory=lambda: ([], []))


def choreograph(units: Sequence[Unit], seed: int, strength: float) -> Choreography:
    """Goals for all units; what comes later changes nothing before it."""
    rng = np.random.default_rng([seed, 21])
    made = Choreography()
    sides: tuple[int, ...] = ()
    for unit in units:
        sides = _Unit(made, rng, strength).perform(unit, sides)
    return made


class _Unit:
    """The writing of one unit onto the tracks."""

    def __init__(self, made: Choreography, rng: np.random.Generator, strength: float) -> None:
        self.made, self.rng, self.strength = made, rng, strength
        self.angle = 2.0 * np.pi * rng.random()
        self.free = [-np.inf, -np.inf]  # when each hand ended its last movement

    def perform(self, unit: Unit, sides: tuple[int, ...]) -> tuple[int, ...]:
        """``sides``: the hands of the unit before; gives those of this one."""
        for index, phrase in enumerate(unit.phrases):
            after = unit.phrases[index + 1] if index + 1 < len(unit.phrases) else None
            # Speakers stay with a hand for a while.
            if not sides or self.rng.random() < 0.5:
                sides = self._sides()
            self._phrase(phrase, sides)
            self._posture(phrase, sides)
            if after is not None and after.strokes[0].time - phrase.strokes[-1].time > PREPARE + 2 * HOLD:
                self._sink(phrase.strokes[-1].time + HOLD, sides)
        self._home(max(unit.end - 0.4, unit.phrases[-1].strokes[-1].time + 0.3))
        return sides

    def _sides(self) -> tuple[int, ...]:
        """Which hands, the leading one first: both mostly, else the right more than the left."""
        lead = RIGHT if self.rng.random() < 0.6 else LEFT
        return (lead, 1 - lead) if self.rng.random() < 0.82 else (lead,)

    def _choose(self, sides: tuple[int, ...]) -> Shape:
        shapes = list(SHAPES.values())
        weights = np.array([shape.weight * (shape.both if len(sides) > 1 else 1.0) for shape in shapes])
        return shapes[int(self.rng.choice(len(shapes), p=weights / weights.sum()))]

    def _phrase(self, phrase: Phrase, sides: tuple[int, ...]) -> None:
        """One form, shown and beaten on; strokes on words that mean something show that."""
        shape = self._choose(sides)
        shift = self.rng.normal(size=3) * (0.025, 0.03, 0.02)
        for index, stroke in enumerate(phrase.strokes):
            # The first stroke shows the form, the next ones beat on it, and go on a little.
            size = self.strength * _size(stroke) * (1.0 if index == 0 else 0.8)
            on = self.rng.normal(size=3) * (0.025, 0.02, 0.02) + np.array([0.012, 0.0, 0.006])
            self.angle += TURN + 0.4 * self.rng.normal()
            bow = ROUND * np.array([np.cos(self.angle), np.sin(self.angle)])
            shift = shift + on if index else shift
            form, hands, shown = shape, sides, MEANINGS.get(stroke.meaning.split(" ")[0])
            if shown is not None:
                form, hands, size = (
                    SHAPES[shown.shape],
                    _hands(stroke.meaning, shown, sides),
                    max(size, CLEAR),
                )
                bow = 0.3 * bow
            for rank, side in enumerate(hands):
                mine = size * (1.0 if rank == 0 else SECOND)
                beside = shift if shown is None else 0.4 * shift
                self._stroke(side, stroke, phrase.start, form, mine, beside, bow, LAG * rank)
                if shown is not None:
                    self._show(side, stroke, shown)
            for side in {LEFT, RIGHT}.difference(hands):
                self._wait(side, stroke, size)
            self._accent(stroke, size, hands, shown)

    def _show(self, side: int, stroke: Stroke, shown: Meaning) -> None:
        """What fingers do for a meaning, and a wave of the hand."""
        name = stroke.meaning.split(" ")[-1] if shown.shape == "count" else shown.fingers
        if name:
            self.made.fingers[side].append((stroke.time - 0.3, stroke.time + LONG_FINGERS, FINGERS[name]))
        if shown.shape == "wave":
            hand, at, to = self.made.hands[side], stroke.time - 0.05, self.made.hands[side].last
            for index, way in enumerate(WAVE):
                hand.to(to + way, at + 0.18 * index, at + 0.18 * index + 0.24)
            self.free[side] = at + 0.18 * len(WAVE)

    def _stroke(
        self,
        side: int,
        stroke: Stroke,
        talk: float,
        shape: Shape,
        size: float,
        shift: np.ndarray,
        bow: np.ndarray,
        lag: float,
    ) -> None:
        """Preparation and stroke of one hand: around ``bow`` (2,) beside the shape moved by ``shift`` (3,)."""
        before, end = shape.before(size), shape.end()
        before[:3] += shift
        end[:3] += shift
        stop = stroke.time + lag
        begin = stop - (STROKE[0] + (STROKE[1] - STROKE[0]) * min(size, 1.0))
        ready = begin + OVERLAP
        hand, raised = self.made.hands[side], self.made.raised[side]
        if raised.last[0] < 0.5:
            raised.to(np.ones(1), ready - RAISE, ready + 0.15)
            hand.to(before, ready - RAISE, ready)
        else:
            # A hand that is up is held in a pause: it does not begin before the voice does.
            start = max(self.free[side] - RECOIL, talk - EARLY)
            if ready - start >= SHORTEST:
                # It bounces off the stroke before, and is held there until the next.
                _go(hand, before, start, min(start + PREPARE, ready))
            else:
                begin = max(min(begin, stop - PREPARE), self.free[side] - RECOIL, talk - EARLY)
                begin = min(begin, stop - STROKE[0])
        _go(hand, end, begin, stop)
        last = max(self.free[side], talk, stop - LONGEST_BOW)
        self.made.rounds[side].to(bow * min(size, 1.2), last - PASSING, stop + PASSING)
        self.free[side] = stop

    def _wait(self, side: int, stroke: Stroke, size: float) -> None:
        """The hand that has no part: it sinks, and hardly moves on accents."""
        begin, free = stroke.time - STROKE[0], self.free[side]
        up = np.array(READY)
        up[1] += WAITING * size
        if free + SHORTEST < begin:
            _go(self.made.hands[side], up, max(begin - PREPARE, free), begin)
        _go(self.made.hands[side], READY, min(begin, max(free, begin - PREPARE)), stroke.time)
        self.free[side] = stroke.time

    def _sink(self, begin: float, sides: tuple[int, ...]) -> None:
        """Half of the way down, between phrases that are far apart."""
        for side in sides:
            low = 0.5 * (self.made.hands[side].last + READY)
            self.made.hands[side].to(low, begin, begin + 0.8)
            self.free[side] = begin + 0.8

    def _home(self, begin: float) -> None:
        """All that the unit moved goes back to the motion's own."""
        for side in (LEFT, RIGHT):
            start = begin + 0.12 * self.rng.random()
            if self.made.raised[side].last[0] > 0.5:
                self.made.raised[side].to(np.zeros(1), start, start + LOWER)
                self.made.hands[side].to(READY, start, start + LOWER)
                self.made.rounds[side].to(np.zeros(2), start, start + LOWER)
        for track in (self.made.head[0], self.made.trunk[0]):
            track.to(np.zeros(3), begin, begin + 1.4)
        self.made.weight.to(np.zeros(2), begin, begin + 1.4)

    def _posture(self, phrase: Phrase, sides: tuple[int, ...]) -> None:
        """Head and trunk take a new attitude with every phrase, and the head another at its end."""
        towards = (1.0 if sides[0] == LEFT else -1.0) * (0.4 if len(sides) > 1 else 1.0)
        begin = phrase.strokes[0].time - 0.6
        trunk = self.rng.normal((2.0, 2.0 * towards, 0.0), (1.2, 2.2, 1.5))
        head = self.rng.normal((0.0, -1.0 * towards, 0.0), (1.6, 6.0, 2.8))
        last = self.rng.normal((1.0, 0.0, 0.0), (1.5, 5.0, 3.2))
        self.made.trunk[0].to(self.strength * np.radians(trunk), begin, begin + 1.1)
        self.made.weight.to(
            self.strength * self.rng.normal(size=2).clip(-2.0, 2.0) * SHIFT, begin, begin + 1.2
        )
        self.made.head[0].to(self.strength * np.radians(head), begin, begin + 0.7)
        if phrase.end - begin > 1.6:
            self.made.head[0].to(self.strength * np.radians(last), phrase.end - 0.45, phrase.end + 0.2)

    def _accent(self, stroke: Stroke, size: float, sides: tuple[int, ...], shown: Meaning | None) -> None:
        """A nod, now and then a tilt; the trunk gives a little, and the shoulders of the hands that beat."""
        stop = stroke.time - 0.02
        begin, after = stop - 0.26, min(0.45, max(stroke.gap - 0.26, 0.25))
        nod = np.array([6.0, 0.0, 0.0]) + self.rng.normal(size=3).clip(-1.5, 1.5) * (1.5, 3.5, 2.0)
        if self.rng.random() < 0.2:
            nod = nod * (0.2, 1.0, 1.0) + np.array([0.0, 0.0, self.rng.choice([-4.5, 4.5])])
        give = np.array([4.5, 0.0, 0.0]) + self.rng.normal(size=3).clip(-1.5, 1.5) * (1.0, 6.0, 3.0)
        lift = np.zeros(2)
        lift[list(sides)] = 4.0 + (shown.shoulders if shown is not None else 0.0)
        head = HEAD_SIGNS.get(shown.head) if shown is not None else None
        moves = [(self.made.trunk[1], give), (self.made.shoulders, lift)]
        if head is None:
            moves.append((self.made.head[1], nod))
        else:
            for index, angles in enumerate(head):
                at = begin + index * SIGN
                self.made.head[1].to(np.radians(angles), at, at + 1.3 * SIGN)
        for track, angles in moves:
            # Down on the accent, and up again a little higher than before.
            track.to(size * np.radians(angles), begin, stop)
            track.to(-0.25 * size * np.radians(angles), stop - 0.06, stop + after)


def _hands(meaning: str, shown: Meaning, sides: tuple[int, ...]) -> tuple[int, ...]:
    """The hands that show a meaning, the leading one first; the items of a list change hands."""
    lead = sides[0] if shown is not MEANINGS["item"] else (sides[0] + int(meaning.split(" ")[-1])) % 2
    return (lead, 1 - lead) if shown.hands > 1 else (lead,)


def _go(hand: Track, goal: np.ndarray, begin: float, end: float) -> None:
    """Move to a goal, or as far towards it as an arm gets in the time."""
    way = goal - hand.last
    # The greatest acceleration of a movement of least jerk is 5.77 ways over the time squared.
    most = HARDEST * (end - begin) ** 2 / 5.77
    hand.to(hand.last + way * min(1.0, most / max(float(np.linalg.norm(way[:3])), 1e-9)), begin, end)


def _size(stroke: Stroke) -> float:
    """Of a full stroke, by loudness and haste."""
    return (SMALLEST + (BIGGEST - SMALLEST) * stroke.size) * float(np.clip(stroke.gap / HURRIED, 0.7, 1.0))
