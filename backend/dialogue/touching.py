"""Handshakes, high fives and hugs of two bodies who stand opposite each other, written in code.

Both do the same, each seen from itself: they step towards each other, one foot and then the other, feet that stand staying
where they are; hands go where the other's are, or behind the other's back; and they step back to where they talk.
Places of hands are laid out between the two bodies as they are in every frame, so that palms meet however both sway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..motion.clip import Clip
from ..motion.hands import OPEN, RELAXED, Shape
from ..motion.kinematics import forward_kinematics
from ..motion.skeleton import INDEX, J0
from ..speech.movements import least_jerk
from .bending import HEAD, TRUNK, bend
from .doing import Timed
from .limbs import LIFT, Reach, palm_of, reach, step

NEAR = {"handshake": 0.76, "high five": 0.86, "hug": 0.3}
"""Metres between the pelvises while they touch."""
LEAN = {"handshake": np.radians(4.0), "high five": np.radians(2.0), "hug": np.radians(7.0)}
"""The trunk towards the other."""
ASIDE = 0.06
"""Metres that each stands to its left in a hug: heads pass each other."""
BACK = 0.165
"""Metres from the middle of a trunk to a palm that lies on its back."""
BEHIND = 0.1
"""The same of a palm that counts as behind it, at least."""
STEP = 1.0
"""Seconds of a way there or back, both feet."""
FOOT = 0.5
"""Seconds of one foot's step; the second begins when the first stands."""
SHAKES, UP_AND_DOWN = 3, 0.022
_UP = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class Touch:
    """A touch that was performed: its first frame and the one after its last, and when hands touch likewise."""

    kind: str
    start: int
    stop: int
    held: tuple[int, int]


def touched(pair: tuple[Clip, Clip], timed: Sequence[Timed]) -> tuple[tuple[Clip, Clip], list[Touch]]:
    """Both with the touches among what is done; they stand opposite each other, at one distance, before.

    Args:
        pair: of the same length and frame rate.
        timed: what is done when; everything that is no touch is left out.
    """
    both = [[np.array(clip.poses, np.float64), np.array(clip.trans, np.float64)] for clip in pair]
    fps, touches = pair[0].fps, []
    for one in timed:
        if one.doing.kind not in NEAR:
            continue
        start, stop = max(round(one.begin * fps), 0), min(round(one.end * fps), len(pair[0]))
        views = [(poses[start:stop], trans[start:stop]) for poses, trans in both]
        held = _perform(one.doing.kind, views, fps)
        touches.append(Touch(one.doing.kind, start, stop, (start + held[0], start + held[1])))
    first, second = (
        clip.replace(poses=poses, trans=trans) for clip, (poses, trans) in zip(pair, both, strict=True)
    )
    return (first, second), touches


def closeness(touches: Sequence[Touch], frames: int, fps: float) -> np.ndarray:
    """(T,) 1 where faces are so near each other that nobody looks into the other's eyes."""
    times = np.arange(frames) / fps
    found = np.zeros(frames)
    for one in touches:
        if one.kind == "hug":
            begin, end = one.start / fps, one.stop / fps
            found = np.maximum(found, least_jerk((times - begin) / STEP) * least_jerk((end - times) / STEP))
    return found


def contact(pair: tuple[Clip, Clip], touch: Touch) -> float:
    """How well a touch is met, metres: the most between the palms of a handshake, the least of a high five; of a hug
    the most that a palm is short of lying behind the other's back."""
    here = slice(*touch.held)
    bodies = [(clip.poses[here], clip.trans[here]) for clip in pair]
    if touch.kind == "hug":
        short = []
        for index, (poses, trans) in enumerate(bodies):
            joints, world = forward_kinematics(bodies[1 - index][0][:, :22], bodies[1 - index][1])
            for side in (0, 1):
                level = INDEX["spine3" if side else "spine2"]  # where the hand lies
                away = palm_of(poses, trans, side) - joints[:, level]
                behind = -np.sum(away * world[:, level, :, 2], axis=-1)
                short.append(float(np.max(BEHIND - behind)))
        return max(*short, 0.0)
    apart = np.linalg.norm(palm_of(*bodies[0], 1) - palm_of(*bodies[1], 1), axis=-1)
    return float(apart.max())


def _perform(kind: str, views: Sequence[tuple[np.ndarray, np.ndarray]], fps: float) -> tuple[int, int]:
    """Perform a touch over two bodies, in place; the frames between which they touch."""
    frames = len(views[0][0])
    times = np.arange(frames) / fps
    seconds = frames / fps
    middles = [(trans + J0)[:, [0, 2]].mean(axis=0) for _, trans in views]
    between = middles[1] - middles[0]
    distance = float(np.linalg.norm(between))
    axis = np.array([between[0], 0.0, between[1]]) / max(distance, 1e-9)
    for (poses, trans), forward in zip(views, (axis, -axis), strict=True):
        left = np.cross(_UP, forward)
        way = 0.5 * (distance - NEAR[kind]) * forward + (ASIDE * left if kind == "hug" else 0.0)
        _there_and_back(poses, trans, way, times, seconds)
        near = least_jerk((times - 0.3) / STEP) * least_jerk((seconds - 0.3 - times) / STEP)
        lean = near * LEAN[kind]
        aside = -0.5 * lean if kind == "hug" else 0.0 * lean
        bend(poses, TRUNK, np.stack([lean, 0.0 * lean, aside], axis=1))
        if kind == "hug":
            bend(poses, HEAD, near[:, None] * np.radians([8.0, -10.0, -14.0]))
    middle = 0.5 * (middles[0] + middles[1])
    if kind == "hug":
        return _hug(views, axis, times, seconds, fps)
    held = (0, 0)
    for (poses, trans), forward in zip(views, (axis, -axis), strict=True):
        perform = _handshake if kind == "handshake" else _high_five
        held = perform(poses, trans, forward, middle, times, seconds, fps)
    return held


def _there_and_back(
    poses: np.ndarray, trans: np.ndarray, way: np.ndarray, times: np.ndarray, seconds: float
) -> None:
    """Step by ``way`` (3,) metres at the beginning and back at the end, in place."""
    feet = np.zeros((len(times), 2, 3))
    lift = np.zeros((len(times), 2))
    share = least_jerk(times / STEP) - least_jerk((times - seconds + STEP) / STEP)
    # The right foot goes first and comes back last.
    for foot, first, last in ((1, 0.0, seconds - FOOT), (0, STEP - FOOT, seconds - STEP)):
        there, back = (times - first) / FOOT, (times - last) / FOOT
        feet[:, foot] = (least_jerk(there) - least_jerk(back))[:, None] * way
        for phase in (there, back):
            phase = np.clip(phase, 0.0, 1.0)
            lift[:, foot] += LIFT * np.sin(np.pi * phase) ** 2
    carried = share[:, None] * way
    # Legs that stand apart reach less high.
    apart = np.linalg.norm(feet[:, 0] - feet[:, 1], axis=-1)
    carried[:, 1] -= 0.12 * apart**2
    step(poses, trans, carried, feet, lift)


def _handshake(
    poses: np.ndarray,
    trans: np.ndarray,
    forward: np.ndarray,
    middle: np.ndarray,
    times: np.ndarray,
    seconds: float,
    fps: float,
) -> tuple[int, int]:
    begin, end = STEP + 0.15, seconds - STEP - 0.25
    left = np.cross(_UP, forward)
    phase = (times - begin) / max(end - begin, 1e-6)
    shaking = np.where((phase > 0) & (phase < 1), np.sin(2 * np.pi * SHAKES * phase), 0.0)
    height = 1.05 + UP_AND_DOWN * shaking * np.sin(np.pi * np.clip(phase, 0, 1))
    palm = np.stack([np.full(len(times), middle[0]), height, np.full(len(times), middle[1])], axis=1)
    weight = least_jerk((times - 0.35) / (begin - 0.35)) * least_jerk((end + 0.8 - times) / 0.8)
    _one_hand(poses, trans, palm, forward - 0.15 * _UP, left, -_UP - 0.35 * left, weight, RELAXED)
    return round(begin * fps), round(end * fps)


def _high_five(
    poses: np.ndarray,
    trans: np.ndarray,
    forward: np.ndarray,
    middle: np.ndarray,
    times: np.ndarray,
    seconds: float,
    fps: float,
) -> tuple[int, int]:
    meets = 0.5 * seconds + 0.05
    left = np.cross(_UP, forward)
    goal = np.array([middle[0], 1.52, middle[1]])
    # Hands go up, draw back and meet; they stay for a moment, as hands that clap do.
    ready = goal - 0.2 * forward - 0.1 * left + 0.02 * _UP
    hit = least_jerk((times - meets + 0.24) / 0.22) * least_jerk((meets + 0.55 - times) / 0.4)
    palm = ready + hit[:, None] * (goal - ready)
    weight = least_jerk((times - 0.4) / (meets - 0.8)) * least_jerk((seconds - 0.35 - times) / 0.75)
    _one_hand(poses, trans, palm, _UP + 0.1 * forward, forward, -_UP - 0.6 * left, weight, OPEN)
    at = round(meets * fps)
    return at, at + max(round(0.1 * fps), 1)


def _one_hand(
    poses: np.ndarray,
    trans: np.ndarray,
    palm: np.ndarray,
    fingers: np.ndarray,
    faces: np.ndarray,
    pole: np.ndarray,
    weight: np.ndarray,
    hand: Shape,
) -> None:
    """The right hand, in place."""
    along, across, aside = (np.broadcast_to(way, palm.shape) for way in (fingers, faces, pole))
    reach(poses, trans, Reach(1, palm, along, across, aside, weight), hand)


def _hug(
    views: Sequence[tuple[np.ndarray, np.ndarray]],
    axis: np.ndarray,
    times: np.ndarray,
    seconds: float,
    fps: float,
) -> tuple[int, int]:
    """Arms about each other: right ones above the other's shoulder, left ones below the other's arm."""
    begin, end = STEP + 0.55, seconds - STEP - 0.75
    trunks = [forward_kinematics(poses[:, :22], trans)[0] for poses, trans in views]
    weight = least_jerk((times - 0.25) / (begin - 0.35)) * least_jerk((end + 1.0 - times) / 1.0)
    close = least_jerk((times - 0.75) / (begin - 0.75)) * least_jerk((end + 0.75 - times) / 0.75)
    pat = 0.012 * np.sin(2 * np.pi * 2.2 * (times - begin)) ** 2 * (times > begin + 0.2) * (times < end - 0.2)
    for index, (poses, trans) in enumerate(views):
        forward = axis if index == 0 else -axis
        left = np.cross(_UP, forward)
        other = trunks[1 - index]
        behind = (BACK + pat)[:, None] * forward
        upper = other[:, INDEX["spine3"]] + behind + 0.10 * _UP - 0.04 * left
        lower = other[:, INDEX["spine2"]] + behind + 0.02 * _UP + 0.07 * left
        # Open arms first, then about the other.
        wide_upper = other[:, INDEX["spine3"]] - 0.10 * forward - 0.34 * left + 0.16 * _UP
        wide_lower = other[:, INDEX["spine2"]] - 0.10 * forward + 0.36 * left - 0.04 * _UP
        over = wide_upper + close[:, None] * (upper - wide_upper)
        under = wide_lower + close[:, None] * (lower - wide_lower)
        turn = close[:, None]
        for side, palm, inward, pole, open_fingers in (
            (1, over, left - 0.5 * _UP, -left + 0.5 * _UP, forward + 0.2 * _UP),
            (0, under, -left + 0.15 * _UP, left - 0.3 * _UP, forward - 0.1 * _UP),
        ):
            fingers = open_fingers + turn * (inward - open_fingers)
            across = left if side == 1 else -left
            faces = across + turn * (-forward - across)
            reach(
                poses,
                trans,
                Reach(side, palm, fingers, faces, np.broadcast_to(pole, palm.shape), weight),
                OPEN,
            )
    return round(begin * fps), round(end * fps)
