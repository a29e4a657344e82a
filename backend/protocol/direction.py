"""What a director asks for beyond a prompt: a script, places, held joints, poses, and edits of a given clip.

Times are seconds from the clip's first frame. The world is the clip's: Y up, metres, facing +Z; a place on the
floor is ``[x, z]``. Angles are radians about the vertical, 0 facing +Z, growing towards +X.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .fields import SECONDS, SEED, Prompt, Strict, StyleField, StyleValue, fault

LONGEST = 3600.0
"""Seconds of a clip that is edited or constrained, at most."""
FARTHEST = 1000.0
"""Metres from the origin that a place may be."""
MOST = 10000
"""Points of a path, and constraints of a kind, at most."""
LINES = 64
ROUNDED = 0.01
"""Frames by which a time may be off a frame and still mean it: times are written with few digits."""

Time = Annotated[float, Field(ge=0.0, le=LONGEST)]
Metres = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST)]
Place = Annotated[list[Metres], Field(min_length=2, max_length=2)]
Position = Annotated[list[Metres], Field(min_length=3, max_length=3)]
AxisAngle = Annotated[list[float], Field(min_length=3, max_length=3)]
Held = Literal["left_wrist", "right_wrist", "left_ankle", "right_ankle", "left_foot", "right_foot"]


class Line(Strict):
    """One line of a script: what is performed for how long. What is left out is the request's."""

    prompt: Prompt
    seconds: float = Field(ge=SECONDS[0], le=SECONDS[1])
    style: dict[StyleField, StyleValue] | None = None
    lower: Prompt | None = None
    upper: Prompt | None = None
    seed: int | None = Field(default=None, ge=SEED[0], le=SEED[1])


class Path(Strict):
    """A way over the floor, from its first point on."""

    points: Annotated[list[Place], Field(min_length=2, max_length=MOST)]
    times: Annotated[list[Time], Field(max_length=MOST)] | None = None
    """When each point is passed; without, the motion's own speed decides."""
    facing: Literal["along", "keep"] = "along"
    """Whether the body turns with the way or keeps its direction."""

    @model_validator(mode="after")
    def _walkable(self) -> Path:
        first = self.points[0]
        if all(abs(x - a) < 1e-6 for point in self.points for x, a in zip(point, first, strict=True)):
            raise fault("points", "All points of the path are in one place.")
        if self.times is not None and len(self.times) != len(self.points):
            raise fault("times", "A path with times needs one for each of its points.")
        if self.times is not None and any(b <= a for a, b in pairwise(self.times)):
            raise fault("times", "The times of a path must grow from point to point.")
        return self


class Waypoint(Strict):
    """Where the pelvis is at a time, and which way it faces."""

    time: Time
    position: Place
    facing: Annotated[float, Field(ge=-1000.0, le=1000.0)] | None = None


class Pin(Strict):
    """A joint that is held at a place."""

    joint: Held
    start: Time
    end: Time
    position: Position

    @model_validator(mode="after")
    def _forward(self) -> Pin:
        if self.end < self.start:
            raise fault("end", f"The pin of the {self.joint} ends before it starts.")
        return self


class Pose(Strict):
    """What the body looks like at a time."""

    time: Time
    pose: Annotated[list[AxisAngle], Field(min_length=55, max_length=55)]
    """Axis-angle in radians of the 55 joints, the first of them in the world."""
    trans: Position | None = None
    """The clip's ``trans``; without, the place is the motion's own."""


class Constraints(Strict):
    """The constraints of a clip, in any combination; also the file of ``--constraints``."""

    path: Path | None = None
    waypoints: Annotated[list[Waypoint], Field(max_length=MOST)] = []
    pins: Annotated[list[Pin], Field(max_length=MOST)] = []
    poses: Annotated[list[Pose], Field(max_length=MOST)] = []

    @model_validator(mode="after")
    def _apart(self) -> Constraints:
        for name, kind in (("waypoints", "waypoints"), ("poses", "key poses")):
            times = sorted(one.time for one in getattr(self, name))
            if any(b - a < 1e-6 for a, b in pairwise(times)):
                raise fault(name, f"Two {kind} are at the same time.")
        for one in sorted({pin.joint for pin in self.pins}):
            own = sorted((pin for pin in self.pins if pin.joint == one), key=lambda pin: pin.start)
            if any(b.start <= a.end for a, b in pairwise(own)):
                raise fault("pins", f"Two pins of the {one} are at the same time.")
        return self

    @property
    def travels(self) -> bool:
        """Whether any of them says where the body goes."""
        return (
            self.path is not None
            or bool(self.waypoints)
            or any(pose.trans is not None for pose in self.poses)
        )

    def __bool__(self) -> bool:
        return self.path is not None or bool(self.waypoints or self.pins or self.poses)


class Edit(Strict):
    """A clip of which the part between two times is made anew; the rest, both times included, stays as it is."""

    npz: Annotated[str, Field(min_length=1)]
    """Base64 of an ``.npz`` clip of any dialect."""
    start: Time
    end: Time | None = None
    """None, or past the clip's end: the motion goes on from ``start``."""

    @model_validator(mode="after")
    def _forward(self) -> Edit:
        if self.end is not None and self.end <= self.start:
            raise fault("end", "The edited part ends before it starts.")
        return self
