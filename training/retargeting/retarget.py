"""Carry a motion from any skeleton onto the 55-joint SMPL-X skeleton, aware of both rest poses.

Every joint of ours is driven by the world rotation of a source joint:

    ``W_ours(t) = W_source(t) @ A``,   ``W_source(rest) = I``

where the constant ``A`` turns our rest bone onto the source's rest bone (a swing; the twist about the
bone stays as it is, so knees and elbows keep their hinge axes). Hence limb directions are those of
the source exactly, whatever its rest pose: T-pose, A-pose, arms down or legs apart. The trunk has no
swing: an upright trunk is upright in both, and tilting it to make the spine's bones parallel would
tilt the shoulders. Feet are aligned by their soles instead of their bones, see :func:`sole_tilt`.

The root's path is scaled by the ratio of leg lengths, so steps stay in proportion and feet do not skate.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np

from ...backend.motion import rotations as rot
from ...backend.motion.alignment import swing
from ...backend.motion.clip import Clip
from ...backend.motion.fitting.rest import relaxed_hands
from ...backend.motion.grounding import STILL, speed
from ...backend.motion.skeleton import INDEX, J0, NUM_JOINTS, PARENTS, PARTS, REST_OFFSETS
from ...backend.motion.stance import leg_length
from ..formats.source import SourceMotion


@dataclass(frozen=True)
class Drive:
    """What moves one of our joints.

    Attributes:
        sources: source joints with weights (two at most); their world rotations are blended.
        bone: our child joint and the two source points (``joint`` or ``joint.tip``) of the matching
            bone; empty for a joint that keeps its rest orientation (trunk, head).
        towards: where the real bone pointed in the source's rest pose, when the source's own bone lies:
            a figure whose rest pose was taken for another one's.
        tilt: radians about +X that our joint is turned in the source's rest pose (a head that looks
            straight ahead only when it is turned there).
    """

    sources: tuple[tuple[str, float], ...]
    bone: tuple[str, str, str] | tuple[()] = ()
    towards: tuple[float, float, float] | None = None
    tilt: float = 0.0


@dataclass(frozen=True)
class Foot:
    """A source foot.

    Attributes:
        ankle, ball: joints (or tips) that the foot bone joins.
        toes: the joint that turns the toes; empty when the source has none.
        roll: radians about +Z that the foot has turned when the source stands as in a T-pose (CMU's legs
            rest apart, and its feet with them).
        straight: the real foot pointed straight ahead in the rest pose, whatever its bone says.
    """

    ankle: str
    ball: str
    toes: str = ""
    straight: bool = False
    roll: float = 0.0


@dataclass(frozen=True)
class Rig:
    """How a family of source skeletons maps onto ours.

    Attributes:
        drives: by our joint name; joints left out follow their parent (rest pose relative to it).
        hips: the two source joints whose middle is the middle of our hips.
        legs: per side hip, knee and ankle source joints, to measure the leg.
        feet: left and right.
        flat_rest: the source stands flat-footed in its rest pose, so the soles need no measuring.
        known: which of our parts the source really contains.
    """

    drives: dict[str, Drive]
    hips: tuple[str, str]
    legs: tuple[tuple[str, str, str], tuple[str, str, str]]
    feet: tuple[Foot, Foot]
    flat_rest: bool = False
    known: dict[str, bool] = field(
        default_factory=lambda: {**dict.fromkeys(PARTS, True), "hands": False, "face": False}
    )


def retarget(motion: SourceMotion, rig: Rig) -> Clip:
    """A clip of the same motion; its floor is still the source's (see :mod:`.floor`)."""
    world = np.broadcast_to(np.eye(3), (len(motion), NUM_JOINTS, 3, 3)).copy()
    driven = np.zeros(NUM_JOINTS, bool)
    for name, drive in rig.drives.items():
        j = INDEX[name]
        turned = _blend(motion, drive.sources)
        if drive.bone and len(drive.sources) > 1:
            turned = _kept_direction(motion, drive, turned)
        world[:, j] = turned @ _alignment(motion, name, drive)
        driven[j] = True
    tilts = {}
    for side, foot in zip(("left", "right"), rig.feet, strict=True):
        tilts[side] = _foot(motion, rig, side, foot, world, driven)

    local = np.broadcast_to(np.eye(3), world.shape).copy()
    relaxed = relaxed_hands() if not rig.known["hands"] else np.zeros((NUM_JOINTS, 3))
    for j, parent in enumerate(PARENTS):
        if not driven[j]:
            local[:, j] = rot.axis_angle_to_matrix(relaxed[j])
            world[:, j] = world[:, parent] @ local[:, j]
        elif parent < 0:
            local[:, j] = world[:, j]
        else:
            local[:, j] = np.swapaxes(world[:, parent], -1, -2) @ world[:, j]

    scale = leg_length() / source_leg_length(motion, rig)
    middle = 0.5 * (motion.point(rig.hips[0]) + motion.point(rig.hips[1])) * scale
    ours = 0.5 * (REST_OFFSETS[INDEX["left_hip"]] + REST_OFFSETS[INDEX["right_hip"]])
    trans = middle - world[:, 0] @ ours - J0
    timing = dict(zip(("original_fps", "original_frames"), motion.original or (), strict=False))
    return Clip(
        poses=rot.matrix_to_axis_angle(local),
        trans=trans,
        fps=motion.fps,
        known=dict(rig.known),
        meta={"scale": round(float(scale), 4), "sole_tilt_deg": tilts, **timing},
    )


def _blend(motion: SourceMotion, sources: tuple[tuple[str, float], ...]) -> np.ndarray:
    """Weighted middle (T, 3, 3) of one or two world rotations."""
    first = motion.rotations[:, motion.index(sources[0][0])]
    if len(sources) == 1:
        return first
    second = motion.rotations[:, motion.index(sources[1][0])]
    weight = np.full((len(first), 1), sources[1][1] / (sources[0][1] + sources[1][1]))
    return rot.quaternion_to_matrix(
        rot.slerp(rot.matrix_to_quaternion(first), rot.matrix_to_quaternion(second), weight)
    )


def _kept_direction(motion: SourceMotion, drive: Drive, world: np.ndarray) -> np.ndarray:
    """Turn blended rotations (T, 3, 3) so that the bone still points where the first source's bone does.

    Some skeletons bend in the second joint as well (a wrist), where only its twist is wanted.
    """
    _, start, end = drive.bone  # type: ignore[misc]
    bone = motion.rest_point(end) - motion.rest_point(start)
    wanted = motion.rotations[:, motion.index(drive.sources[0][0])] @ bone
    return rot.quaternion_to_matrix(rot.shortest_arc(world @ bone, wanted)) @ world


def _alignment(motion: SourceMotion, name: str, drive: Drive) -> np.ndarray:
    if not drive.bone:
        return rot.axis_angle_to_matrix(np.array([drive.tilt, 0.0, 0.0]))
    child, start, end = drive.bone
    ours = REST_OFFSETS[INDEX[child]]
    theirs = (
        motion.rest_point(end) - motion.rest_point(start)
        if drive.towards is None
        else np.array(drive.towards)
    )
    return swing(ours, theirs)


def _foot(
    motion: SourceMotion, rig: Rig, side: str, foot: Foot, world: np.ndarray, driven: np.ndarray
) -> dict[str, list[float]]:
    """Drive our ankle and ball: headings from the bone, pitch and roll from the sole."""
    upright = rot.axis_angle_to_matrix(np.array([0.0, 0.0, foot.roll]))
    ours = REST_OFFSETS[INDEX[f"{side}_foot"]]
    theirs = upright @ (motion.rest_point(foot.ball) - motion.rest_point(foot.ankle))
    if foot.straight:
        theirs = np.array([0.0, 0.0, 1.0])
    turn = rot.yaw_matrix(_heading(theirs) - _heading(ours))
    result = {}
    for ours_name, source in ((f"{side}_ankle", foot.ankle), (f"{side}_foot", foot.toes)):
        if not source:
            continue
        standing = motion.rotations[:, motion.index(source)] @ upright.T
        level, angles = np.eye(3), (0.0, 0.0)
        if not rig.flat_rest:
            angles = sole_tilt(motion, standing, foot, toes=source != foot.ankle)
            normal = np.array([np.tan(angles[1]), 1.0, np.tan(angles[0])])
            level = rot.quaternion_to_matrix(rot.shortest_arc(np.array([0.0, 1.0, 0.0]), normal))
        j = INDEX[ours_name]
        world[:, j] = standing @ level @ turn
        driven[j] = True
        result[ours_name.split("_")[1]] = [round(float(np.degrees(angle)), 2) for angle in angles]
    return result


def _heading(vector: np.ndarray) -> np.ndarray:
    return np.arctan2(vector[0], vector[2])


TYPICAL_PITCH = {"foot": np.radians(-4.5), "toes": np.radians(-4.0), "figure": 0.0}
"""Elevation in stance of a CMU foot, of its toes, and of a figure's foot without toes."""
_REACH = {"foot": np.radians(5.5), "toes": np.radians(20.0), "figure": np.radians(9.0)}
_ROLL_REACH = np.radians(20.0)
_PRIOR_FRAMES = 10.0
_HEEL_DOWN = 0.02


def sole_tilt(motion: SourceMotion, standing: np.ndarray, foot: Foot, *, toes: bool) -> tuple[float, float]:
    """Pitch and roll, radians, of the sole in its own frame while the foot stands flat and still.

    A marker-fitted rest pose does not stand flat: CMU's feet point down by 0 to 12 degrees more in
    stance and roll by a few, constant for a subject. Measured as the median over frames in which ankle
    and ball hardly move and the heel is as low as it gets, shrunk towards the typical value when such
    frames are few and kept near it (a dancer may stand still on tiptoe or with a leg in the air, a
    climber on a rung; none of that is a flat foot).

    Args:
        motion: the source.
        standing: (T, 3, 3) rotation of the foot (or toes) away from standing upright.
        foot: which one.
        toes: the rotations are those of the toes.
    """
    kind = "toes" if toes else "foot" if foot.toes else "figure"
    typical = TYPICAL_PITCH[kind]
    ankle, ball = motion.point(foot.ankle), motion.point(foot.ball)
    fastest = np.maximum(speed(ankle, motion.fps), speed(ball, motion.fps))
    # The world's "up" in the foot's frame: (0, 1, 0) for a sole that stands flat.
    up = standing[:, 1, :]
    pitch, roll = np.arctan2(up[:, 2], up[:, 1]), np.arctan2(up[:, 0], up[:, 1])
    still = (fastest < 0.6 * STILL) & (np.abs(pitch) < np.radians(35)) & (np.abs(roll) < np.radians(35))
    if not still.any():
        return typical, 0.0
    still &= ankle[:, 1] < np.percentile(ankle[still, 1], 10) + _HEEL_DOWN
    count = int(still.sum())
    pitch_of = np.clip(np.median(pitch[still]), typical - _REACH[kind], typical + _REACH[kind])
    roll_of = np.clip(np.median(roll[still]), -_ROLL_REACH, _ROLL_REACH)
    share = count / (count + _PRIOR_FRAMES)
    return float(share * pitch_of + (1 - share) * typical), float(share * roll_of)


def source_leg_length(motion: SourceMotion, rig: Rig) -> float:
    """The same of the source, the mean of both legs."""
    lengths = [
        np.linalg.norm(motion.rest_point(b) - motion.rest_point(a))
        for leg in rig.legs
        for a, b in itertools.pairwise(leg)
    ]
    return float(np.sum(lengths) / len(rig.legs))
