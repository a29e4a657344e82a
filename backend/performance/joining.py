"""Windows of a motion that become one clip, each passing into the next."""

from __future__ import annotations

import numpy as np

from ..motion import rotations
from ..motion.clip import Clip
from ..motion.kinematics import forward_kinematics
from ..motion.skeleton import CONTACT_JOINTS, NUM_JOINTS
from ..speech.movements import least_jerk

HALF = 10
"""Frames before and after a border over which two windows pass into each other."""
_LEGS = 12
"""The leading joints that hold both legs."""


class Joined:
    """A clip that grows by windows.

    Feet that stand in two windows are brought over each other where these meet, as every window has been cleaned up
    by itself.
    """

    def __init__(self, frames: int) -> None:
        """``frames``: of the whole clip."""
        self._poses = np.zeros((frames, NUM_JOINTS, 3), np.float32)
        self._trans = np.zeros((frames, 3), np.float32)
        self._contacts = np.zeros((frames, 4), np.float32)
        self._expressions: np.ndarray | None = None
        self._tail: Clip | None = None
        self._model: Clip | None = None

    def add(self, clip: Clip, first: int, start: int, stop: int) -> None:
        """Take in the next window.

        Args:
            clip: the motion from frame ``first`` on.
            first: at most :data:`HALF` frames before ``start``, but for the clip's beginning.
            start, stop: frames that are the window's own; ``clip`` goes on after them as far as ``first`` lies before.
        """
        if self._model is None and clip.expressions is not None:
            self._expressions = np.zeros((len(self._poses), clip.expressions.shape[1]), np.float32)
        at = 0
        if self._tail is not None:
            at, high = max(start - HALF, 0), min(start + HALF, first + len(clip))
            new = clip.slice(at - first, high - first)
            shift = _between(self._tail, new)
            clip = clip.replace(trans=clip.trans + shift)
            self._write(at, _passing(self._tail, new.replace(trans=new.trans + shift)))
            at = high
        last = stop == len(self._poses)
        end = stop if last else stop - HALF
        if end > at:
            self._write(at, clip.slice(at - first, end - first))
        self._tail = None if last else clip.slice(stop - HALF - first, min(stop + HALF - first, len(clip)))
        self._model = clip

    def _write(self, at: int, clip: Clip) -> None:
        here = slice(at, at + len(clip))
        self._poses[here], self._trans[here] = clip.poses, clip.trans
        if clip.contacts is not None:
            self._contacts[here] = clip.contacts
        if self._expressions is not None and clip.expressions is not None:
            self._expressions[here] = clip.expressions

    def clip(self) -> Clip:
        """All of it; the arrays are those that were written to."""
        assert self._model is not None
        return self._model.replace(
            poses=self._poses, trans=self._trans, contacts=self._contacts, expressions=self._expressions
        )


def _between(old: Clip, new: Clip) -> np.ndarray:
    """(3,) metres over the floor that bring the new motion's standing feet, or its root, over the old one's."""
    away = old.trans - new.trans
    if old.contacts is not None and new.contacts is not None:
        feet = [
            forward_kinematics(clip.poses[:, :_LEGS], clip.trans)[0][:, list(CONTACT_JOINTS)]
            for clip in (old, new)
        ]
        both = (old.contacts > 0.5) & (new.contacts > 0.5)
        if both.any():
            away = (feet[0] - feet[1])[both]
    return np.asarray(away.mean(axis=0) * (1.0, 0.0, 1.0))


def _passing(old: Clip, new: Clip) -> Clip:
    """From one motion to another of the same frames, as a reach goes: without a jerk at either end."""
    weight = least_jerk((np.arange(len(old)) + 0.5) / len(old))[:, None]
    before, after = (rotations.axis_angle_to_quaternion(c.poses.astype(np.float64)) for c in (old, new))
    late = weight[:, 0] > 0.5

    def mixed(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
        return None if a is None or b is None else (1.0 - weight) * a + weight * b

    trans = mixed(old.trans, new.trans)
    assert trans is not None
    return new.replace(
        poses=rotations.quaternion_to_axis_angle(
            rotations.slerp(before, after, np.repeat(weight[:, None], NUM_JOINTS, 1))
        ),
        trans=trans,
        contacts=None
        if old.contacts is None or new.contacts is None
        else np.where(late[:, None], new.contacts, old.contacts),
        expressions=mixed(old.expressions, new.expressions),
    )
