"""Direction: constraints brought into a motion, each at the step where it does the least harm.

1. The clean-up comes first: it brings the way over the floor and the feet that stand into agreement.
2. The way is bent (path, waypoints, places of key poses, where an edit has to arrive), steps with it, and standing
   feet are held at their new places by the legs alone, so that the pelvis stays where it was asked to be.
3. Key poses and pins come last, after gestures: they are exact, and come and leave softly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from ..motion import rotations
from ..motion.clip import Clip
from ..motion.contacts import detect_contacts
from ..motion.features import FPS
from ..motion.join import KeyPose, hit_poses
from ..motion.loop import loop as make_loop
from ..motion.skeleton import J0
from ..performance.cleaning import cleaned
from ..protocol.direction import ROUNDED, Constraints
from ..protocol.fields import SECONDS
from . import paths
from .edit import Gap, kept, placed
from .limbs import Hold, hold
from .measuring import Way, measure
from .report import Report
from .seams import softened
from .standing import mixed, with_feet_held, without_way
from .steering import Anchor, Course, rotated, spread, steer
from .stride import floor_places, headings, on_course

SHORTEST = 15
"""Frames of a motion that is cut off where its path ends, at least."""
SLOWEST = 0.8
"""m/s for which a path has time enough where nobody asked for a length."""
GLIDE = 0.15
"""Metres that a body may be moved beyond what its steps do before that is said."""


@dataclass
class Direction:
    """The constraints of one clip, from the decoded motion to the finished one.

    Attributes:
        constraints: what is asked for; times count from the clip's first frame.
        gap: of the clip that is edited; only its frames may change.
        lead: the motion's frame that is the gap's last one before it.
        ends_with_path: nobody asked for a length, so the motion is cut off where its path ends.
    """

    constraints: Constraints
    gap: Gap | None = None
    lead: int = 0
    ends_with_path: bool = False
    report: Report = field(default_factory=Report)
    _stop: int = 0
    _sway: np.ndarray | None = None

    def staged(self, motion: Clip, *, clean: bool) -> Clip:
        """On its way over the floor and cleaned up; an edit is put into its place."""
        if clean:
            motion, numbers = cleaned(motion)
            motion = motion.replace(meta={**motion.meta, "cleanup": numbers.as_dict()})
        if self.gap is not None:
            # Feet that stand or slide decide the way anew on either side of a border.
            until = None if self.gap.after is None else self.lead + self.gap.after - self.gap.first
            motion = softened(motion, [self.lead + 1], until)
        anchors = self._anchors(motion)
        moved = self._on_way(motion, anchors)
        if moved is not motion:
            motion = with_feet_held(moved) if clean else moved
        if self.ends_with_path:
            motion = motion.slice(0, self._arrival(motion))
        if self.gap is None:
            return motion
        whole, self._stop = placed(self.gap, motion, self.lead)
        if clean:
            # What the borders pulled along; less and less towards them.
            whole = mixed(whole, with_feet_held(whole), self._room(whole))
        return whole.replace(meta=motion.meta)

    def finished(self, clip: Clip, *, loop: bool, in_place: bool) -> Clip:
        """With key poses and pins, a loop or in place where that is wanted, and the report in its ``meta``."""
        clip = self._with_poses(clip)
        clip = self._with_pins(clip)
        if self.gap is not None:
            clip = kept(self.gap, clip, self._stop)
        if self.constraints:
            measure(self.report, self.constraints, clip, self._walked(clip))
        if loop:
            clip = make_loop(clip, path="in place" if in_place else "advance")
        elif in_place:
            clip = without_way(clip)
        return clip.replace(meta={**clip.meta, **self.report.meta()})

    # -- the way over the floor ------------------------------------------------------------------------

    @property
    def _shift(self) -> int:
        """Frames of the clip before the motion's first one."""
        return 0 if self.gap is None else self.gap.first - self.lead

    def _anchors(self, motion: Clip) -> list[Anchor]:
        """Places and directions at frames of the motion, one a frame: those of an edit before all others."""
        found: dict[int, Anchor] = {}

        def add(time: float, place: np.ndarray | None, facing: float | None, name: str) -> None:
            frame = round(time * motion.fps) - self._shift
            if self._open(frame, len(motion)) and frame not in found:
                found[frame] = Anchor(frame, place, facing, name)

        for pose in self.constraints.poses:
            place = None if pose.trans is None else (np.asarray(pose.trans) + J0)[[0, 2]]
            add(pose.time, place, float(_heading(np.asarray(pose.pose[0]))), "pose")
        for point in self.constraints.waypoints:
            add(point.time, np.asarray(point.position), point.facing, "waypoint")
        if self.gap is not None and self.gap.after is not None:
            given, frame = self.gap.clip, self.gap.after
            facing = float(_heading(given.poses[frame, 0]))
            arriving = self.lead + frame - self.gap.first
            found[arriving] = Anchor(arriving, floor_places(given)[frame], facing, "edit")
        return sorted(found.values(), key=lambda anchor: anchor.frame)

    def _open(self, frame: int, frames: int) -> bool:
        """Whether a frame of the motion may be changed."""
        if self.gap is None:
            return 0 <= frame < frames
        stop = frames if self.gap.after is None else self.lead + self.gap.after - self.gap.first
        return self.lead < frame < stop

    def _on_way(self, motion: Clip, anchors: list[Anchor]) -> Clip:
        path = self.constraints.path
        if path is not None:
            course = self._along(motion, anchors)
            self._sway = course.sway
            motion = on_course(motion, course)
        if not anchors:
            return motion
        held = None if self.gap is None else self.lead
        arriving = next((anchor.frame for anchor in anchors if anchor.name == "edit"), None)
        course = self._steered(motion, anchors, held, arriving)
        if course.glide > GLIDE:
            self.report.warnings.append(
                f"The motion does not go as far as its places are apart: the body is moved {course.glide:.1f} m beyond "
                "what its steps do."
            )
        return on_course(motion, course)

    def _steered(self, motion: Clip, anchors: list[Anchor], held: int | None, arriving: int | None) -> Course:
        """A course through anchors: the way without the sway is steered, and the sway turns with it."""
        places, facing = floor_places(motion), headings(motion)
        way = paths.without_sway(places, motion.fps)
        sway = places - way
        marks = []
        for one in anchors:
            place = one.place
            if place is not None and one.facing is not None:
                turn = np.atleast_1d(one.facing - facing[one.frame])
                place = place - rotated(sway[[one.frame]], turn)[0]
            marks.append(replace(one, place=place))
        course = steer(way, facing, motion.fps, marks, held=held, arriving=arriving)
        bent = course.places + rotated(sway, course.turns)
        # Where a place has no direction the sway is known only now.
        missing = [(a.frame, a.place - bent[a.frame]) for a in anchors if a.place is not None]
        pace = np.linalg.norm(np.diff(bent, axis=0), axis=1) * motion.fps
        return replace(course, places=bent + spread(missing, pace, held, len(bent)))

    def _arrival(self, motion: Clip) -> int:
        """The frame after that at which the path's end is reached."""
        assert self.constraints.path is not None
        line = paths.drawn(self.constraints.path.points)
        way = paths.without_sway(floor_places(motion), motion.fps)
        arrived = np.flatnonzero(line.nearest(way) >= line.length - 0.02)
        return max(int(arrived[0]) + 1, SHORTEST) if arrived.size else len(motion)

    def _along(self, motion: Clip, anchors: list[Anchor]) -> Course:
        path = self.constraints.path
        assert path is not None
        line = paths.drawn(path.points)
        times = None
        if path.times is not None:
            marks = line.nearest(np.asarray(path.points, float))
            times = np.stack([np.asarray(path.times), np.maximum.accumulate(marks)], axis=1)
            times[:, 0] -= self._shift / motion.fps
        elif any(anchor.place is not None for anchor in anchors):
            with_place = [anchor for anchor in anchors if anchor.place is not None]
            marks = line.nearest(np.stack([a.place for a in with_place if a.place is not None]))
            seconds = np.array([anchor.frame / motion.fps for anchor in with_place])
            times = np.stack([seconds, np.maximum.accumulate(marks)], axis=1)
            if times[0, 0] > 0:
                times = np.concatenate([[[0.0, 0.0]], times])
        return paths.follow(
            floor_places(motion),
            headings(motion),
            motion.fps,
            line,
            times=times,
            turn=path.facing == "along",
            held=None if self.gap is None else self.lead,
        )

    # -- poses and pins --------------------------------------------------------------------------------

    def _room(self, clip: Clip) -> np.ndarray:
        """(T,) how far frames may be changed: not at all outside of an edit, less and less towards its borders."""
        if self.gap is None:
            return np.ones(len(clip))
        frames = np.arange(len(clip))
        near = (frames - self.gap.first).astype(float)
        if self.gap.after is not None:
            near = np.minimum(near, self._stop - frames)
        u = np.clip(near / (0.25 * clip.fps), 0.0, 1.0)
        return u * u * u * (u * (6 * u - 15) + 10)

    def _with_poses(self, clip: Clip) -> Clip:
        if not self.constraints.poses:
            return clip
        keys = {}
        for pose in self.constraints.poses:
            frame = round(pose.time * clip.fps)
            inside = self.gap is None or self.gap.first < frame < self._stop
            if 0 <= frame < len(clip) and inside:
                trans = None if pose.trans is None else np.asarray(pose.trans)
                keys[frame] = KeyPose(np.asarray(pose.pose), trans)
        if not keys:
            return clip
        hit = hit_poses(clip, keys)
        hit = hit.replace(contacts=detect_contacts(hit))
        # Once more after the feet: what they moved in the pose itself is put back.
        return hit_poses(with_feet_held(hit), keys)

    def _with_pins(self, clip: Clip) -> Clip:
        holds = [
            Hold(
                pin.joint,
                math.ceil(pin.start * clip.fps - ROUNDED),
                max(math.floor(pin.end * clip.fps + ROUNDED), math.ceil(pin.start * clip.fps - ROUNDED)),
                np.asarray(pin.position),
            )
            for pin in self.constraints.pins
        ]
        return hold(clip, holds, self._room(clip)) if holds else clip

    def _walked(self, clip: Clip) -> Way | None:
        """Where a clip is to be on its path."""
        if self._sway is None:
            return None
        first = 0
        if self.gap is not None:
            first = min(self.gap.first + round(paths.ONTO_SECONDS * clip.fps), len(clip) - 1)
        return Way(first, self._sway[first - self._shift :])


def lasting(constraints: Constraints) -> tuple[float | None, bool]:
    """Seconds that constraints need where nobody asked for a length, and whether a path then ends the motion."""
    times = [point.time for point in constraints.waypoints] + [pose.time for pose in constraints.poses]
    times += [pin.end + 0.5 for pin in constraints.pins]
    if constraints.path is not None and constraints.path.times is not None:
        times.append(constraints.path.times[-1])
    if times and max(times) >= SECONDS[0]:
        return max(times) + 1.0 / FPS, False
    if constraints.path is not None:
        return paths.drawn(constraints.path.points).length / SLOWEST + 1.0, True
    return None, False


def _heading(root: np.ndarray) -> np.ndarray:
    return rotations.heading(rotations.axis_angle_to_matrix(root))
