"""Arms, hands, head and trunk that talk with a voice, over whatever the rest of a body does.

Arms are the motion's own at rest and become the gestures' for as long as there is something to say; head and trunk
keep their motion and get a little more. Hips give a little over standing feet; a body that goes somewhere keeps its
legs and its path. The same seed gives the same gestures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..motion import rotations
from ..motion.clip import Clip
from ..motion.filters import continuous, gaussian
from ..motion.hands import posed, relaxed_hands, wander
from ..motion.skeleton import INDEX, PARTS, REST_OFFSETS
from .arms import MIRRORED, solve
from .choreography import Choreography, choreograph
from .gesture_score import score
from .manner import Manner
from .movements import least_jerk
from .stance import move_hips
from .voice import Voice

BLOCK = 1800
"""Frames that are worked on at a time."""
LIVING = np.array([0.04, 0.04, 0.03, 0.1, 0.15, 0.12, 0.08])
"""How far a hand wanders in loud talk: metres, the elbow's lift, and radians."""
SWAY = np.radians([[2.3, 3.4, 1.9], [3.4, 3.4, 2.3]])
"""How far head and trunk do: down, to the side, tilted."""
CALM = 0.6
"""Seconds over which the motion's own trunk and head are evened out in talk."""
WALKING = 0.3
"""Metres a second: a body that goes as fast keeps its own sway."""
REACH = 1.8
"""Seconds on either side of a frame that what it becomes depends on."""
EASE = 0.2
"""Seconds in which fingers take a posture, and leave it."""
HIPS = 0.35
"""Share of a standing trunk's movement that is the hips'."""
_KNOT = 0.75  # seconds
_TAKEN = (0.02, 0.14)
"""Metres above spine3 from where a hand has something else to do, and from where nothing else."""
_TRUNK = (INDEX["spine1"], INDEX["spine2"], INDEX["spine3"]), (0.5, 0.3, 0.2)
_HEAD = (INDEX["neck"], INDEX["head"]), (0.5, 0.5)
_ARMS = tuple(
    tuple(INDEX[f"{side}_{joint}"] for joint in ("collar", "shoulder", "elbow", "wrist"))
    for side in ("left", "right")
)


@dataclass(frozen=True)
class Gestures:
    """Everything that a voice is gestured with, to be laid over a motion as a whole or in pieces.

    Attributes:
        voice: what is heard.
        made: goals and times of the whole voice.
        seed: of the choice of gestures.
        manner: the style of the talk; its strength is the gestures' size.
        arms: whether the arms may be used; head, trunk and fingers talk all the same.
        hips: whether the hips of a body that stands may be used.
    """

    voice: Voice
    made: Choreography
    seed: int
    manner: Manner
    arms: bool
    hips: bool

    @classmethod
    def of(
        cls, voice: Voice, seed: int, manner: Manner = Manner(), *, arms: bool = True, hips: bool = True
    ) -> Gestures:
        """Choose them; what comes later in the voice changes nothing before it."""
        made = choreograph(score(voice.features, voice.rhythm[:, 1], voice.spoken), seed, manner.strength)
        return cls(voice, made, seed, manner, arms, hips)

    def over(self, clip: Clip, first: int = 0) -> Clip:
        """A piece of motion that talks, as long as before, at its own frame rate.

        Args:
            clip: what the body does.
            first: its first frame counted from the voice's beginning. What lies within :data:`REACH` seconds
                of the piece's ends depends on what the body does beyond them.
        """
        fps, strength = clip.fps, min(self.manner.strength, 1.0)
        times = (first + np.arange(len(clip))) / fps
        rhythm = self._rhythm(times)
        lively = self.manner.strength * gaussian(np.maximum(rhythm[:, 1] * rhythm[:, 2], 0.0), 0.2 * fps)
        noise = wander(len(clip), 20, [self.seed, 22], _KNOT * fps, first=first) * lively[:, None]
        living, sway = noise[:, :14].reshape(-1, 2, 7) * LIVING, noise[:, 14:].reshape(-1, 2, 3) * SWAY
        poses, trans = np.array(clip.poses, np.float64), np.array(clip.trans, np.float64)
        standing = _standing(clip)
        talk = strength * np.clip(rhythm[:, 2], 0.0, 1.0) * standing
        _calm(poses, talk, CALM * fps)
        for start in range(0, len(clip), BLOCK):
            here = slice(start, min(start + BLOCK, len(clip)))
            now = times[here]
            lean = sway[here, 1] + sum(track.sample(now) for track in self.made.trunk)
            hips = standing[here] * float(self.hips)
            move_hips(
                poses[here],
                trans[here],
                HIPS * hips[:, None] * lean,
                hips[:, None] * self.made.weight.sample(now),
            )
            _lean(poses[here], _TRUNK, (1.0 - HIPS * hips)[:, None] * lean)
            _lean(poses[here], _HEAD, sway[here, 0] + sum(track.sample(now) for track in self.made.head))
            for where, bowed in ((_TRUNK, self.manner.trunk), (_HEAD, self.manner.head)):
                if bowed:
                    _lean(poses[here], where, np.array([[bowed, 0.0, 0.0]]))
            if self.arms:
                for side in (0, 1):
                    _move_arm(poses[here], self.made, now, side, strength, living[here, side])
        fingers = relaxed_hands(len(clip), self.seed, rhythm, fps=fps, first=first)
        if self.arms:
            _show_fingers(fingers, self.made, times)
        poses[:, list(PARTS["hands"])] = fingers
        return clip.replace(
            poses=poses.astype(clip.poses.dtype),
            trans=trans.astype(clip.trans.dtype),
            known={**clip.known, "hands": True},
        )

    def _rhythm(self, times: np.ndarray) -> np.ndarray:
        """(T, 3) at times (T,); nothing past the voice's end."""
        at = times * self.voice.features.fps
        nearest = np.clip(np.round(at).astype(int), 0, len(self.voice) - 1)
        return np.asarray(self.voice.rhythm[nearest] * (at < len(self.voice))[:, None])


def gesture(
    clip: Clip, voice: Voice, seed: int, manner: Manner = Manner(), *, arms: bool = True, hips: bool = True
) -> Clip:
    """The clip with a body that talks; as long as before, at its own frame rate.

    Args:
        clip: what the body does; it begins with the voice.
        voice: what is heard; where it is shorter than the clip, silence follows.
        seed: of the choice of gestures.
        manner: the style of the talk; a strength of 0 changes nothing.
        arms, hips: as in :class:`Gestures`.
    """
    return (
        Gestures.of(voice, seed, manner, arms=arms, hips=hips).over(clip) if manner.strength > 0.0 else clip
    )


def _standing(clip: Clip) -> np.ndarray:
    """(T,) 1 where the body stays where it is, 0 where it goes somewhere."""
    if len(clip) < 2:
        return np.ones(len(clip))
    velocity = np.gradient(clip.trans[:, [0, 2]].astype(float), axis=0)
    speed = np.linalg.norm(gaussian(velocity, 0.3 * clip.fps), axis=1)
    return np.clip(1.5 - speed * clip.fps / WALKING, 0.0, 1.0)


def _calm(poses: np.ndarray, weight: np.ndarray, sigma: float) -> None:
    """Trunk and head of a body that only stands keep their attitude, in place: what moves them is the talk."""
    joints = [*_TRUNK[0], *_HEAD[0]]
    own = continuous(rotations.axis_angle_to_quaternion(poses[:, joints].astype(float)))
    slow = rotations.normalize_quaternion(gaussian(own, sigma))
    mixed = rotations.quaternion_to_axis_angle(rotations.slerp(own, slow, weight[:, None, None]))
    poses[:, joints] = np.where(weight[:, None, None] > 0.0, mixed, poses[:, joints])


def _lean(poses: np.ndarray, where: tuple[tuple[int, ...], tuple[float, ...]], angles: np.ndarray) -> None:
    """Head or trunk by angles (T, 3), in place; the turn is shared out over their joints."""
    for joint, share in zip(*where, strict=True):
        turn = rotations.axis_angle_to_quaternion(share * angles)
        own = rotations.axis_angle_to_quaternion(poses[:, joint])
        poses[:, joint] = rotations.quaternion_to_axis_angle(rotations.quaternion_multiply(turn, own))


def _move_arm(
    poses: np.ndarray, made: Choreography, times: np.ndarray, side: int, share: float, living: np.ndarray
) -> None:
    """One arm, in place."""
    mirror = MIRRORED if side else np.ones(4)
    own = rotations.axis_angle_to_quaternion(poses[:, _ARMS[side]]) * mirror
    raised = share * made.raised[side].sample(times) * (1.0 - _taken(own))
    collar = own[:, 0]
    lift = np.zeros((len(times), 3))
    lift[:, 2] = -made.shoulders.sample(times)[:, side]
    lift = rotations.axis_angle_to_quaternion(lift * raised)
    collar = rotations.quaternion_multiply(lift, collar)
    shoulder = _place(collar)
    hand = made.hands[side].sample(times) + living
    hand[:, [0, 2]] += made.rounds[side].sample(times)
    upper, elbow, wrist = solve(shoulder, hand)
    upper = rotations.quaternion_multiply(rotations.quaternion_conjugate(collar), upper)
    wanted = continuous(np.stack([collar, upper, elbow, wrist], axis=1))
    mixed = rotations.slerp(own, wanted, raised[:, :, None])
    mixed[:, 0] = collar
    new = rotations.quaternion_to_axis_angle(mixed * mirror)
    poses[:, _ARMS[side]] = np.where(raised[:, :, None] > 0.0, new, poses[:, _ARMS[side]])


def _show_fingers(fingers: np.ndarray, made: Choreography, times: np.ndarray) -> None:
    """Postures of hands that mean something, in place, over fingers (T, 30, 3)."""
    for side, shown in enumerate(made.fingers):
        for begin, end, hand in shown:
            if end <= times[0] or begin >= times[-1]:
                continue
            weight = (least_jerk((times - begin) / EASE) * least_jerk((end - times) / EASE))[:, None, None]
            mirror = np.array([1.0, -1.0, -1.0]) if side else 1.0
            mine = slice(15 * side, 15 * side + 15)
            fingers[:, mine] += weight * (posed(hand) * mirror - fingers[:, mine])


def _place(collar: np.ndarray) -> np.ndarray:
    """The left shoulder (T, 3) in the chest's frame, from the collar's rotation (T, 4)."""
    return REST_OFFSETS[INDEX["left_collar"]] + rotations.rotate_vectors(
        collar, np.broadcast_to(REST_OFFSETS[INDEX["left_shoulder"]], (len(collar), 3))
    )


def _taken(arm: np.ndarray) -> np.ndarray:
    """(T, 1) how far a left arm of rotations (T, 4, 4) has something else to do: its hand is up."""
    turn, place = arm[:, 0], _place(arm[:, 0])
    for joint, name in ((1, "left_elbow"), (2, "left_wrist")):
        turn = rotations.quaternion_multiply(turn, arm[:, joint])
        place = place + rotations.rotate_vectors(
            turn, np.broadcast_to(REST_OFFSETS[INDEX[name]], place.shape)
        )
    low, high = _TAKEN
    return gaussian(np.clip((place[:, 1:2] - low) / (high - low), 0.0, 1.0), 6.0)
