"""Edits of a given clip: what the models are told of it, and the new part put into its place.

Frames up to the edit's start and from its end on stay as they are, to the bit. What is made for the part between
begins where the motion before ends: turned and moved about the vertical, so that the pelvis goes on. What is
missing in the end to arrive at the motion after is spread over the way, and the difference in pose and speed at
either border dies out as inertia has it (:mod:`..motion.inertia`).
"""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass

import numpy as np

from ..errors import BadInput
from ..motion import rotations
from ..motion.clip import Clip, move, rotate_world, sampled
from ..motion.features import FPS
from ..motion.filters import continuous
from ..motion.inertia import decay, turn_between, turned
from ..motion.join import same_turn
from ..motion.npz import clip_from_bytes
from ..motion.skeleton import J0, NUM_EXPRESSIONS, PARTS
from ..protocol.direction import LONGEST, ROUNDED, Edit
from ..protocol.fields import SECONDS

BLEND_SECONDS = 0.5
"""How far from a border the difference to the given motion dies out, at most; half of a short part."""
_SPEED = 3
"""Frames whose mean is the speed at a border."""
SHORTEST_GAP = 0.1
"""Seconds between the two times at least: less has no frame to make."""


@dataclass(frozen=True)
class Gap:
    """The part of a clip that is made anew.

    Attributes:
        clip: the given clip.
        first: the last frame that stays before it.
        after: the first frame that stays after it; None where the motion goes on past the clip.
    """

    clip: Clip
    first: int
    after: int | None

    @property
    def seconds(self) -> float | None:
        """From the last frame before to the first one after."""
        return None if self.after is None else (self.after - self.first) / self.clip.fps

    def frames(self, seconds: float | None, end: float | None) -> int | None:
        """Frames at 30 fps to make, None for as many as the model wants.

        Args:
            seconds: asked for, where the motion goes on past the clip.
            end: of the edit, as asked for.

        Raises:
            BadInput: seconds are asked for and the gap has its own length.
        """
        if self.seconds is not None:
            if seconds is not None:
                raise BadInput("The edited part has its length: leave seconds out.", field="seconds")
            return max(round(self.seconds * FPS) - 1, 1)
        if seconds is None and end is not None:
            seconds = end - self.first / self.clip.fps
        return None if seconds is None else max(round(min(seconds, SECONDS[1]) * FPS), 1)

    def before(self, latents: int, stride: int) -> Clip:
        """What comes before, at 30 fps: whole latent frames that end with the last frame that stays."""
        return self._context(self.first, -1, latents, stride)

    def behind(self, latents: int, stride: int) -> Clip | None:
        """What comes after, at 30 fps: whole latent frames that begin with the first frame that stays."""
        return None if self.after is None else self._context(self.after, 1, latents, stride)

    def in_time(self, motion: Clip, known: int, made: int, positions: np.ndarray) -> tuple[Clip, int]:
        """A motion at the clip's frame rate, standing where the clip stands at the gap's beginning.

        Args:
            motion: at 30 fps: what is given before, what was made, what is given after.
            known: frames of what is given before.
            made: frames that were made.
            positions: which of them is played at each new frame at 30 fps.

        Returns:
            The motion, and its frame that is the last one that stays: as many come before it, and as follow the
            gap, as the models knew.
        """
        step = FPS / self.clip.fps
        before = min(math.floor((known - 1) / step), round(self.clip.fps))
        lead = known - 1 - step * np.arange(before, -1, -1)
        if self.after is not None:
            count = self.after - self.first
            inside = known - 1 + np.arange(1, count) * (made + 1) / count
            behind = len(motion) - known - made
            tail = known + made + step * np.arange(math.floor((behind - 1) / step) + 1.0)
        else:
            # New frames lie between those at 30 fps where the clip's rate is another.
            count = math.floor(len(positions) / step + 1e-6)
            at = step * np.arange(1, count + 1) - 1.0
            inside = float(known) + np.interp(at, np.arange(-1, len(positions)), [-1.0, *positions])
            tail = np.zeros(0)
        whole = sampled(motion, np.concatenate([lead, inside, tail])).replace(fps=self.clip.fps)
        return aligned(whole, before, self.clip, self.first), before

    def _context(self, frame: int, way: int, latents: int, stride: int) -> Clip:
        there = frame if way < 0 else len(self.clip) - 1 - frame
        whole = math.floor(there / self.clip.fps * FPS + 1e-6) + 1
        # Of a single pose, or of less than a latent frame, the outermost frame is held.
        count = stride * max(1, min(latents, whole // stride))
        steps = np.arange(count) + (1 - count if way < 0 else 0)
        return sampled(self.clip, frame + steps * self.clip.fps / FPS).replace(fps=FPS)


def gap_of(edit: Edit) -> Gap:
    """Read the clip of an edit, and find the frames that stay.

    Raises:
        BadInput: it is no clip, too long, does not know the legs, or the times are not in it.
    """
    try:
        clip = clip_from_bytes(base64.b64decode(edit.npz, validate=True))
    except binascii.Error:
        raise BadInput("The clip to edit is not base64.", field="edit.npz") from None
    if clip.seconds > LONGEST:
        raise BadInput(
            f"The clip to edit may last {LONGEST:g} seconds, this one lasts {clip.seconds:.0f}.",
            field="edit.npz",
        )
    if not clip.known.get("lower_trans", True):
        raise BadInput(
            "The clip to edit does not know what its legs do: nothing can go on from it.", field="edit.npz"
        )
    last = len(clip) - 1
    if edit.start * clip.fps > last + 1:
        raise BadInput(
            f"The edit starts at {edit.start:g} s, after the clip's end at {clip.seconds:g} s.",
            field="edit.start",
        )
    first = min(math.floor(edit.start * clip.fps + ROUNDED), last)
    if edit.end is None:
        return Gap(clip, first, None)
    after = math.ceil(edit.end * clip.fps - ROUNDED)
    if after > last:
        return Gap(clip, first, None)
    if (after - first) / clip.fps < SHORTEST_GAP - 1e-6 or after - first < 2:
        raise BadInput(f"The edited part must last {SHORTEST_GAP:g} seconds at least.", field="edit.end")
    return Gap(clip, first, after)


def aligned(motion: Clip, frame: int, given: Clip, at: int) -> Clip:
    """A motion turned about the vertical and moved so that its frame stands where a given one does; heights stay."""
    yaw = rotations.heading(rotations.axis_angle_to_matrix(given.poses[at, 0])) - rotations.heading(
        rotations.axis_angle_to_matrix(motion.poses[frame, 0])
    )
    motion = rotate_world(motion, rotations.yaw_matrix(yaw))
    way = given.trans[at] + J0 - (motion.trans[frame] + J0)
    return move(motion, way * np.array([1.0, 0.0, 1.0]))


def placed(gap: Gap, motion: Clip, margin: int) -> tuple[Clip, int]:
    """The given clip with a motion in its gap.

    Args:
        gap: of the given clip.
        motion: at the clip's frame rate, :func:`aligned`; its frame ``margin`` is the last one that stays. Where the
            gap ends, ``margin`` frames follow the first one that stays again.
        margin: frames at either end that show how the motion itself came in and goes on, at least one.

    Returns:
        The clip, and the first frame after the gap.
    """
    given, first = gap.clip, gap.first
    count = len(motion) - margin - 1 if gap.after is None else gap.after - first - 1
    longest = max(1, round(BLEND_SECONDS * given.fps))
    reach = min(longest, count if gap.after is None else (count + 1) // 2)
    new = slice(margin + 1, margin + 1 + count)
    source = continuous(rotations.axis_angle_to_quaternion(np.asarray(motion.poses, np.float64)))
    turns = np.zeros((len(motion), source.shape[1], 3))
    shifts, faces = np.zeros((len(motion), 3)), np.zeros((len(motion), NUM_EXPRESSIONS))
    for frame, at, way in ((first, margin, 1), (gap.after, margin + count + 1, -1)):
        if frame is None:
            continue
        # The difference at the border and one frame outside of it; a clip's outermost pose has no speed.
        outside = frame - way
        alone = not 0 <= outside < len(given)
        ours = given.slice(min(frame, outside), max(frame, outside) + 1) if not alone else None
        rows = slice(None, None, way)
        target = given.poses[[frame]] if ours is None else ours.poses[rows]
        wanted = rotations.axis_angle_to_quaternion(np.asarray(target, np.float64))
        turn = turn_between(source[at], wanted[-1])
        before = turn if ours is None else same_turn(turn, turn_between(source[at - way], wanted[0]))
        there = np.arange(at, at + way * (reach + 1), way)
        turns[there] += _dying(turn, turn - before, reach)
        for total, theirs, own in (
            (shifts, given.trans, motion.trans),
            (faces, _expressions(given), _expressions(motion)),
        ):
            gone = theirs[frame] - own[at]
            # A mean over a few frames: what the border shall go on with is a speed, not a tremble.
            back = min(
                _SPEED, frame if way > 0 else len(given) - 1 - frame, margin if way > 0 else len(own) - 1 - at
            )
            speed = (gone - (theirs[frame - back * way] - own[at - back * way])) / max(back, 1)
            total[there] += _dying(gone, speed, reach)
    poses = rotations.quaternion_to_axis_angle(turned(source[new], turns[new]))
    for part, joints in PARTS.items():
        if not given.known.get(part, True):
            poses[:, list(joints)] = 0.0  # what the clip does not know is not made up in its middle
    result = given.replace(
        poses=_between(given.poses, poses, gap),
        trans=_between(given.trans, (motion.trans + shifts)[new], gap),
        expressions=None
        if given.expressions is None
        else _between(given.expressions, (_expressions(motion) + faces)[new], gap),
        contacts=None
        if given.contacts is None or motion.contacts is None
        else _between(given.contacts, motion.contacts[new], gap),
    )
    return result, first + 1 + count


def _dying(offset: np.ndarray, velocity: np.ndarray, frames: int) -> np.ndarray:
    """An offset and its velocity, each dying out for itself: a small offset does not take the speed with it."""
    return decay(offset, np.zeros_like(offset), frames, frames + 1) + decay(
        np.zeros_like(offset), velocity, frames, frames + 1
    )


def kept(gap: Gap, clip: Clip, stop: int) -> Clip:
    """The clip with the given frames outside of the gap, which ends before ``stop``, to the bit."""
    new = slice(gap.first + 1, stop)
    return clip.replace(
        poses=_between(gap.clip.poses, clip.poses[new], gap),
        trans=_between(gap.clip.trans, clip.trans[new], gap),
    )


def _between(given: np.ndarray, new: np.ndarray, gap: Gap) -> np.ndarray:
    rest = given[gap.after :] if gap.after is not None else given[:0]
    return np.concatenate([given[: gap.first + 1], new, rest])


def _expressions(clip: Clip) -> np.ndarray:
    return np.zeros((len(clip), NUM_EXPRESSIONS)) if clip.expressions is None else clip.expressions
