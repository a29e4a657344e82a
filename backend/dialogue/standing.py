"""A body that stands for as long as it is needed: upright, on feet that stay, and alive.

The models do not stand for long: asked for a minute they sink into their knees for most of it. But every few seconds of
theirs hold a stretch in which somebody simply stands. The best of some performances is played back and forth, which has
no seam, and a standing body's own unrest is written over it: it sways by some millimetres (Winter, Gait & Posture 3,
1995), breathes, and shifts its weight every few seconds (Duarte and Zatsiorsky, Motor Control 3, 1999).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..motion import rotations
from ..motion.clip import Clip, sampled
from ..motion.features import FPS
from ..motion.filters import gaussian
from ..motion.footlock import LEGS
from ..motion.kinematics import forward_kinematics
from ..motion.skeleton import INDEX
from ..speech.movements import Track
from ..speech.stance import move_hips
from ..speech.voice import TALKING
from .bending import TRUNK, bend
from .laying import plant

PROMPTS = ("a person stands still", TALKING)
"""The second where a pack that learnt other data knows nothing upright by the first."""
SECONDS = 10.0
"""Of each performance among which the stretch is looked for."""
TRIES = 4
STRAIGHT = np.radians(25.0)
"""A knee that is bent less is straight: nobody locks the knees for minutes."""
STILL = 0.03
"""Metres a second that an ankle of a foot that stands may move."""
SHORTEST = 1.0
"""Seconds; a shorter stretch is held as a pose."""
PACE = 0.8
"""Of the play back and forth, on the mean."""
SHIFTS = (5.0, 11.0)
"""Seconds from one shift of the weight to the next."""
SIDE = (0.008, 0.024)
"""Metres to the side."""
TURN = np.radians(2.5)
"""The hips with it."""
SWAY = (0.004, 0.005)
"""Metres to the side and to the front, standard deviation."""
BREATH = 4.2
"""Seconds of a breath."""
RISE = np.radians(0.7)
"""The chest with it."""
STRETCHED, HIGHER = 0.992, 0.04
"""Of a leg's length, from hip to ankle of somebody who stands; metres that a body is raised for it, at most."""
AWAY = np.radians(10.0)
"""Radians that hips turn to the side at most: somebody who talks to somebody faces them."""
_BODY = 22
_KNEES = [INDEX["left_knee"], INDEX["right_knee"]]
_ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
_SHIFTING = 1.4  # seconds


def standing(performances: Sequence[Clip], frames: int, seed: int) -> Clip:
    """A clip of ``frames`` frames of somebody who stands.

    Args:
        performances: of somebody who stands, at 30 fps.
        frames: wanted.
        seed: of when what is done.
    """
    which, start, stop = max(
        ((index, *stretch(clip)) for index, clip in enumerate(performances)), key=lambda one: one[2] - one[1]
    )
    part = performances[which].slice(start, stop)
    rng = np.random.default_rng([seed, 47])
    clip = sampled(part, back_and_forth(len(part), frames, rng))
    return _alive(clip, rng)


def stretch(clip: Clip) -> tuple[int, int]:
    """First frame, and the frame after the last, of the longest stretch with straight knees and feet that stay; the
    one frame whose knees are straightest where there is none of :data:`SHORTEST`."""
    bent = np.linalg.norm(clip.poses[:, _KNEES], axis=-1).max(axis=1)
    speed = np.linalg.norm(np.gradient(clip.joints()[:, _ANKLES], 1.0 / clip.fps, axis=0), axis=-1).max(
        axis=1
    )
    good = np.pad((bent < STRAIGHT) & (gaussian(speed, 2.0) < STILL), 1)
    changes = np.flatnonzero(np.diff(good.astype(int)))
    runs = changes.reshape(-1, 2)
    if len(runs):
        start, stop = runs[np.argmax(runs[:, 1] - runs[:, 0])]
        if stop - start >= SHORTEST * clip.fps:
            return int(start), int(stop)
    best = int(np.argmin(bent))
    return best, best + 1


def back_and_forth(length: int, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Positions (frames,) in a stretch of ``length`` frames: to its end, slowly round and back, never twice alike."""
    reach = 0.5 * (length - 1)
    if reach <= 0:
        return np.zeros(frames)
    unrest = gaussian(rng.normal(size=frames), 2.0 * FPS)
    unrest *= 0.35 / max(float(unrest.std()), 1e-9)
    phase = rng.uniform(0.0, np.pi) + np.cumsum(PACE / reach * np.exp(unrest))
    return np.asarray(reach * (1.0 - np.cos(phase)))


def tall(clip: Clip, free: np.ndarray) -> Clip:
    """The clip of somebody who stands, as high as the legs allow: what was laid over it sank into the knees each time.

    Args:
        clip: somebody who stands.
        free: (T,) 0 to 1, where the body may rise; not where it does something with its knees.
    """
    body = np.array(clip.poses[:, :_BODY], np.float64)
    joints, world = forward_kinematics(body, clip.trans)
    room = []
    for leg in LEGS:
        way = joints[:, leg.joints[0]] - joints[:, leg.joints[2]]
        reach = (STRETCHED * leg.length) ** 2 - way[:, 0] ** 2 - way[:, 2] ** 2
        room.append(np.sqrt(np.maximum(reach, 0.0)) - way[:, 1])
    lowest = np.minimum(*room)
    # Never higher than there is room for, and never in haste.
    count = round(0.4 * clip.fps)
    padded = np.pad(lowest, count, mode="edge")
    least = np.min([padded[at : at + len(lowest)] for at in range(2 * count + 1)], axis=0)
    rise = gaussian(np.clip(least, 0.0, HIGHER), 0.4 * count) * free
    trans = np.array(clip.trans, np.float64)
    trans[:, 1] += rise
    plant(body, trans, joints, world)
    poses = np.array(clip.poses, np.float64)
    poses[:, :_BODY] = body
    return clip.replace(poses=poses, trans=trans)


def squared(clip: Clip) -> Clip:
    """The clip of somebody who stands, whose hips turn away from their mean direction by less than :data:`AWAY`."""
    body = np.array(clip.poses[:, :_BODY], np.float64)
    joints, world = forward_kinematics(body, clip.trans)
    facing = rotations.heading(world[:, 0])
    mean = np.arctan2(np.sin(facing).mean(), np.cos(facing).mean())
    away = rotations.wrap_angle(facing - mean)
    back = rotations.yaw_matrix(AWAY * np.tanh(away / AWAY) - away)
    body[:, 0] = rotations.matrix_to_axis_angle(back @ world[:, 0])
    plant(body, clip.trans, joints, world)
    poses = np.array(clip.poses, np.float64)
    poses[:, :_BODY] = body
    return clip.replace(poses=poses)


def _alive(clip: Clip, rng: np.random.Generator) -> Clip:
    """With sway, breath and shifts of the weight over feet that stay."""
    frames = len(clip)
    times = np.arange(frames) / FPS
    sway = np.stack([_unrest(frames, size, rng) for size in SWAY], axis=1)
    weight = Track(np.zeros(3))
    now, side = float(rng.uniform(0.5, SHIFTS[0])), float(rng.choice([-1.0, 1.0]))
    while now < times[-1]:
        goal = side * rng.uniform(*SIDE)
        turn = -side * rng.uniform(0.2, 1.0) * TURN
        weight.to(np.array([goal, rng.normal() * 0.005, turn]), now, now + _SHIFTING)
        side = -side if rng.random() < 0.8 else side
        now += float(rng.uniform(*SHIFTS))
    shift = weight.sample(times)
    poses, trans = np.array(clip.poses, np.float64), np.array(clip.trans, np.float64)
    # The hips tilt towards the leg that carries, the trunk stays upright over them.
    tilt = 1.2 * shift[:, 0]
    zero = np.zeros(frames)
    move_hips(poses, trans, np.stack([zero, shift[:, 2], tilt], axis=1), shift[:, :2] + sway)
    breath = RISE * np.sin(2 * np.pi * np.cumsum(1.0 + _unrest(frames, 0.15, rng)) / (BREATH * FPS))
    bend(poses, TRUNK, np.stack([-breath, -0.6 * shift[:, 2], -tilt], axis=1))
    for name, way in (("left_collar", 1.0), ("right_collar", -1.0)):
        raised = np.zeros((frames, 3))
        raised[:, 2] = way * 0.8 * breath
        own = rotations.axis_angle_to_quaternion(poses[:, INDEX[name]])
        poses[:, INDEX[name]] = rotations.quaternion_to_axis_angle(
            rotations.quaternion_multiply(rotations.axis_angle_to_quaternion(raised), own)
        )
    return clip.replace(poses=poses, trans=trans)


def _unrest(frames: int, size: float, rng: np.random.Generator) -> np.ndarray:
    """(T,) what never rests: noise of about a third of a hertz and slower, of a standard deviation."""
    values = gaussian(rng.normal(size=frames), 0.5 * FPS) + 2.0 * gaussian(rng.normal(size=frames), 1.5 * FPS)
    return np.asarray(size * values / max(float(values.std()), 1e-9))


def performed(generate: Callable[[str, float, int], Sequence[Clip]], frames: int, seed: int) -> Clip:
    """A standing body of a pack.

    Args:
        generate: clips of a prompt, of seconds and of a seed.
        frames: wanted.
        seed: of the body.
    """
    clips: list[Clip] = []
    for prompt in PROMPTS:
        clips += generate(prompt, SECONDS, seed)
        if any(stop - start > 1 for start, stop in map(stretch, clips)):
            break
    return standing(clips, frames, seed)
