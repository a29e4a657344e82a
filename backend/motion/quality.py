"""The physical quality of a motion in numbers, before and after a clean-up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from . import filters, rotations
from .clip import Clip
from .contacts import contacts_from_positions, sole_points
from .kinematics import forward_kinematics_matrices
from .limits import violations
from .skeleton import CONTACT_JOINTS, NUM_BODY_JOINTS

SKATING = 2.5
"""cm/s: a foot in contact that moves faster slides for the eye."""


@dataclass(frozen=True)
class Quality:
    """Numbers that judge a clip, the lower the better.

    Attributes:
        slide: cm/s, mean horizontal speed of feet in contact.
        skating: share of contact frames in which a foot moves faster than :data:`SKATING`.
        penetration: cm, how deep the deepest part of the body is in the floor, mean over the frames.
        penetration_max: the same in the worst frame.
        jitter: degrees, frame-to-frame noise of the joints' rotations, mean over the joints.
        jerk: m/s^3, mean over the body's joints.
        limits: share of frames in which a joint is out of its range.
    """

    slide: float
    skating: float
    penetration: float
    penetration_max: float
    jitter: float
    jerk: float
    limits: float


@dataclass(frozen=True)
class CleanUpReport:
    """What a clean-up did, both judged by the contacts that it held."""

    strength: float
    before: Quality
    after: Quality

    def as_dict(self) -> dict[str, object]:
        """For ``Clip.meta`` and JSON: rounded to three decimals."""

        def rounded(quality: Quality) -> dict[str, float]:
            return {name: round(float(value), 3) for name, value in asdict(quality).items()}

        return {
            "strength": self.strength,
            "before": rounded(self.before),
            "after": rounded(self.after),
        }


def combined(parts: Sequence[tuple[int, CleanUpReport]]) -> CleanUpReport:
    """The report of a motion that was cleaned up in parts, each with its frames: means, and the worst maximum."""
    frames = np.array([count for count, _ in parts], float)

    def mean(qualities: list[Quality]) -> Quality:
        values = {
            name: float(np.average([getattr(quality, name) for quality in qualities], weights=frames))
            for name in asdict(qualities[0])
        }
        return Quality(**{**values, "penetration_max": max(quality.penetration_max for quality in qualities)})

    return CleanUpReport(
        strength=parts[0][1].strength,
        before=mean([report.before for _, report in parts]),
        after=mean([report.after for _, report in parts]),
    )


def measure(clip: Clip, contacts: np.ndarray | None = None, *, floor: float = 0.0) -> Quality:
    """Judge a clip's body.

    Args:
        clip: the motion, Y up.
        contacts: (T, 4); measured when left out.
        floor: height of the floor, metres.
    """
    poses = clip.poses[:, :NUM_BODY_JOINTS]
    quaternions = rotations.axis_angle_to_quaternion(poses)
    joints, world = forward_kinematics_matrices(rotations.quaternion_to_matrix(quaternions), clip.trans)
    feet = joints[:, list(CONTACT_JOINTS)]
    held = (contacts_from_positions(feet, clip.fps, floor=floor) if contacts is None else contacts) > 0.5
    speeds = 100.0 * clip.fps * np.linalg.norm(np.diff(feet[..., [0, 2]], axis=0), axis=-1)
    slides = speeds[held[1:] & held[:-1]]
    lowest = np.minimum(sole_points(joints, world)[..., 1].min(axis=1), joints[..., 1].min(axis=1))
    depth = 100.0 * np.maximum(0.0, floor - lowest)
    # A quaternion changes by half the angle.
    jitter = np.degrees(2.0 * filters.jitter_of(filters.continuous(quaternions)))
    jerk = np.linalg.norm(np.diff(joints, n=3, axis=0), axis=-1) * clip.fps**3
    return Quality(
        slide=float(slides.mean()) if slides.size else 0.0,
        skating=float((slides > SKATING).mean()) if slides.size else 0.0,
        penetration=float(depth.mean()),
        penetration_max=float(depth.max()),
        jitter=float(jitter.mean()),
        jerk=float(jerk.mean()) if jerk.size else 0.0,
        limits=violations(quaternions),
    )
