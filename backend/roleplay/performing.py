"""An answer performed: the pack's models move the body, the voice gestures and speaks over it, head and eyes turn to the user.

Every answer goes on from the end of the one before, in the same world: the models are told of its last second, and
what is left between the two dies out as inertia has it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import __version__
from ..dialogue.bending import HEAD, bend
from ..dialogue.body import gestures_itself
from ..dialogue.placing import EYES, aim
from ..dialogue.resting import hanging
from ..motion import rotations
from ..motion.clip import Clip, sampled
from ..motion.features import FPS
from ..motion.filters import gaussian
from ..motion.join import join
from ..motion.npz import clip_to_bytes
from ..motion.skeleton import INDEX, J0
from ..pipeline import Pipeline
from ..protocol.messages import GenerateParams, parse
from ..speech.face import with_face
from ..speech.gaze import FURTHEST
from ..speech.gestures import gesture
from ..speech.manner import Manner
from ..speech.voice import TALKING
from .speaking import Spoken
from .staging import STANDING, Stage

USER = (0.0, 2.5)
"""Where the user stands, x and z in metres: in front of a character at the origin."""
TURN = np.radians(30.0)
"""A body that is turned further away from the user turns towards it."""
TURNING = np.radians(110.0)
"""Radians a second."""
HEAD_MOST = np.radians((20.0, 50.0))
"""How far a head turns to the user, down and to the side."""
_KNOWN = 40  # frames of the answer before that the models are told of
_SECTION = 50.0  # seconds of one prompt at most
_LEAST = 1.2
"""Seconds of what comes after a motion, at least: it comes to rest."""
_OWN = 0.7
"""Metres from the user that stay the user's."""
_DOWN = 0.9  # seconds that it takes to sit down, at least
_SOFT = 0.35  # seconds over which arms and gaze change


@dataclass(frozen=True)
class Standing:
    """Where a body is: ``place`` (2,) x and z of the pelvis, ``facing`` in radians about the vertical."""

    place: np.ndarray
    facing: float

    @classmethod
    def of(cls, clip: Clip | None) -> Standing:
        """At a clip's end; at the origin before anything was done."""
        if clip is None:
            return cls(np.zeros(2), 0.0)
        facing = rotations.heading(rotations.axis_angle_to_matrix(clip.poses[-1, 0]))
        return cls((clip.trans[-1] + J0)[[0, 2]].astype(float), float(facing))


def performed(
    pipeline: Pipeline,
    stages: Sequence[Stage],
    spoken: Spoken,
    *,
    style: Mapping[str, float],
    seed: int,
    user: np.ndarray,
    previous: Clip | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Clip:
    """The clip of an answer at 30 fps, in the world of the one before.

    Args:
        pipeline: a pack's models.
        stages: what the body does beyond talking, one after the other; at least one.
        spoken: what is heard.
        style: ranks by name (:class:`GenerateParams`).
        seed: the same gives the same clip.
        user: (2,) where the user stands.
        previous: the last answer.

    Raises:
        BadInput: the pack cannot follow.
        Cancelled: ``cancelled()`` turned true.
    """
    tail = None if previous is None else previous.slice(max(len(previous) - _KNOWN, 0), len(previous))
    frames = round(spoken.seconds * FPS)
    moving, last = [stage for stage in stages if stage.prompt], stages[-1]
    going = any(stage.way is not None for stage in moving)
    if tail is not None and last.holds and not moving:
        base, talking = _still(tail, len(tail) - 1, frames), np.zeros(frames)
    else:
        lines, talks = _lines(moving, last.holds, spoken.seconds)
        made = _Made(pipeline, lines, moving, tail, style if moving else {}, seed, user, progress, cancelled)
        base = made()
        if moving and not going and not any(stage.strays for stage in moving) and _too_near(base, user):
            base = made(back=True)
        if last.holds:
            at = _settled(base, sum(stage.seconds for stage in moving[:-1]))
            base = _on(base.slice(0, at + 1), _still(base, at, max(frames - at, round(_LEAST * FPS))))
        talking = np.repeat(talks, [round(line["seconds"] * FPS) for line in lines])
        talking = gaussian(np.pad(talking, (0, len(base)), mode="edge")[: len(base)], _SOFT * FPS)
    manner = Manner.of(style)
    body = _mixed(base, hanging(base), talking)
    if spoken.voice is not None and not gestures_itself(pipeline):
        body = gesture(body, spoken.voice, seed, manner, hips=not going and not last.holds)
    features = None if spoken.voice is None else spoken.voice.features
    face = pipeline.face if features is not None else None
    body = with_face(body, features, seed, smile=manner.smile, brows=manner.brows, model=face)
    body = regarding(body, user, talking if going else 1.0)
    meta = {
        "pack": pipeline.pack.name,
        "licence": pipeline.pack.licence,
        "seed": seed,
        "version": __version__,
    }
    body = body.replace(
        meta={**meta, "prompt": "; ".join(stage.prompt for stage in moving) or TALKING, "source": "generated"}
    )
    return (
        body
        if tail is None
        else _on(tail, body).slice(len(tail), len(tail) + len(body)).replace(meta=body.meta)
    )


@dataclass(frozen=True)
class _Made:
    """What the models make below the talk; as often as it is called."""

    pipeline: Pipeline
    lines: list[dict[str, Any]]
    stages: list[Stage]
    tail: Clip | None
    style: Mapping[str, float]
    seed: int
    user: np.ndarray
    progress: Callable[[str, int, int], None] | None
    cancelled: Callable[[], bool] | None

    def end(self, before: int) -> float:
        """Seconds at which the last frame is shown, after so many frames of the tail."""
        return (before + sum(round(line["seconds"] * FPS) for line in self.lines) - 2) / FPS

    def __call__(self, *, back: bool = False) -> Clip:
        """The motion after the tail; with ``back`` it ends where it began."""
        before = 0 if self.tail is None else len(self.tail)
        there = Standing.of(self.tail)
        request: dict[str, Any] = {
            "script": self.lines,
            "seed": self.seed,
            "constraints": _constraints(self.stages, there, self.user, before / FPS, self.end(before), back),
        }
        if self.tail is not None:
            npz = base64.b64encode(clip_to_bytes(self.tail)).decode("ascii")
            request["edit"] = {"npz": npz, "start": (before - 1) / FPS}
        if self.style and self.pipeline.config.diffusion.style:
            request["style"] = dict(self.style)
        (clip,) = self.pipeline.generate(parse(GenerateParams, request), self.progress, self.cancelled)
        return clip.slice(before, len(clip))


def regarding(clip: Clip, user: np.ndarray, weight: np.ndarray | float = 1.0) -> Clip:
    """The clip with head and eyes on the user's, as far as a neck turns; glances, nods and accents of its own stay.

    Args:
        clip: Y up.
        user: (2,) where the user stands.
        weight: (T,) how much, 0 to 1.
    """
    poses = np.array(clip.poses, np.float64)
    eyes = np.array([user[0], 1.6, user[1]])
    target = np.broadcast_to(eyes, (len(clip), 3))
    slow = gaussian(np.clip(aim(poses, clip.trans, target), -2 * HEAD_MOST, 2 * HEAD_MOST), _SOFT * clip.fps)
    # Somebody who is behind is not looked at.
    seen = np.clip(2.0 - np.abs(slow[:, 1:]) / HEAD_MOST[1], 0.0, 1.0) * np.reshape(weight, (-1, 1))
    bend(poses, HEAD, np.pad(seen * np.clip(0.9 * slow, -HEAD_MOST, HEAD_MOST), ((0, 0), (0, 1))))
    rest = np.clip(aim(poses, clip.trans, target), -FURTHEST, FURTHEST)
    poses[:, EYES, :2] = np.clip(
        poses[:, EYES, :2] + (seen * gaussian(rest, 2.0))[:, None], -FURTHEST, FURTHEST
    )
    return clip.replace(poses=poses)


def _lines(moving: Sequence[Stage], holds: bool, seconds: float) -> tuple[list[dict[str, Any]], np.ndarray]:
    """The lines of the script that is performed, and in which of them the body only talks (0 or 1)."""
    lines: list[dict[str, Any]] = [
        {"prompt": stage.prompt, "seconds": round(min(stage.seconds, _SECTION), 4)} for stage in moving
    ]
    if not holds or not moving:
        rest = max(seconds - sum(line["seconds"] for line in lines), _LEAST)
        after = moving[-1].after or TALKING if moving else TALKING
        if rest > 2 * _LEAST and after == STANDING:
            after = TALKING
        count = int(np.ceil(rest / _SECTION))
        lines += [{"prompt": after, "seconds": round(rest / count, 4)} for _ in range(count)]
    return lines, np.array([float(line["prompt"] in (TALKING, STANDING)) for line in lines])


def _constraints(
    stages: Sequence[Stage], there: Standing, user: np.ndarray, start: float, end: float, back: bool
) -> dict[str, Any]:
    """The first way to go, or a turn towards the user, before whom somebody who only talks stays; ``start`` and ``end``
    in seconds."""
    total = sum(stage.seconds for stage in stages)
    begin = start
    for stage in stages:
        if stage.way is not None:
            points = [[float(x) for x in place] for place in stage.way]
            return {"path": {"points": points, "times": [round(begin, 4), round(begin + stage.seconds, 4)]}}
        begin += stage.seconds
    way = user - there.place
    if float(np.linalg.norm(way)) < 0.2:
        return {}
    wanted = float(np.arctan2(way[0], way[1]))
    turn = abs(float(rotations.wrap_angle(np.array(wanted - there.facing))))
    times = [start + total] if back else [] if stages else [end]
    if turn > TURN and (turned := start + 0.3 + turn / TURNING) < min([*times, end]) - 0.3:
        times.insert(0, turned)
    elif turn > TURN and not times:
        times = [end]
    place = [float(x) for x in there.place]
    return {"waypoints": [{"time": time, "position": place, "facing": wanted} for time in times]}


def _too_near(clip: Clip, user: np.ndarray) -> bool:
    """Whether a body that is to stay where it is comes too near to the user."""
    return bool(np.linalg.norm((clip.trans + J0)[:, [0, 2]] - user, axis=1).min() < _OWN)


def _settled(clip: Clip, start: float) -> int:
    """The frame at which a body that sits or lies down is low and quiet, with its feet on the floor.

    ``start``: seconds from which it sits down.
    """
    joints = clip.joints()
    speed = np.linalg.norm(np.gradient(joints[:, :22], 1.0 / FPS, axis=0), axis=-1).mean(axis=1)
    feet = joints[:, [INDEX["left_foot"], INDEX["right_foot"]], 1].max(axis=1)
    first = min(round((start + _DOWN) * FPS), len(clip) - 1)
    return first + int(np.argmin((gaussian(speed, 2.0) + 2.0 * joints[:, 0, 1] + 3.0 * feet)[first:]))


def _still(clip: Clip, frame: int, frames: int) -> Clip:
    """One pose of a clip for so many frames."""
    return sampled(clip, np.full(frames, float(frame)))


def _on(first: Clip, second: Clip) -> Clip:
    """One clip after the other in the same world; what is left between them dies out."""
    return join(first, second, align=False)


def _mixed(one: Clip, other: Clip, weight: np.ndarray) -> Clip:
    """Two clips of nearly the same motion, by the other's weight (T,)."""
    a, b = (rotations.axis_angle_to_quaternion(np.asarray(clip.poses, float)) for clip in (one, other))
    return one.replace(poses=rotations.quaternion_to_axis_angle(rotations.slerp(a, b, weight[:, None, None])))
