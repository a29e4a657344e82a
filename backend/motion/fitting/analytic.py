"""Rotations of our skeleton from joint positions, joint by joint in closed form, all frames at once.

Trunk and head are turned by frames of two directions each (hips and spine, shoulders and neck, eyes and
nose); limbs lie along the source's bones exactly, and their twist comes from the hinges of elbows and
knees, see :mod:`.twist`; what has no clue follows its parent as little twisted as can be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .. import rotations as rot
from ..skeleton import INDEX, JOINT_NAMES, NUM_JOINTS, PARENTS
from .gaps import nearest_seen
from .rest import rest_pose
from .twist import angle_about, dot, limb_twist, unit

_ARM_MIDDLE, _LEG_MIDDLE = (0.6, -0.5, 0.6), (0.15, -0.85, 0.5)
"""Where a left arm and leg are on average, in the frame of chest and pelvis. A limb's natural twist is that
of the smallest turn from there, which is undefined only straight behind the body's back."""
_ELBOW_TILT = np.radians(20.0)
"""An elbow's axis in the T-pose: the forearm swings forward and this much upward. SMPL-X captures (BEAT2)
bend about an axis 15 degrees from the vertical, retargeted CMU subjects about one of 29."""
_FOOT_HINT = 8.0
"""Weight of the foot's heading for the twist of the thigh; a leg bent by 19 degrees says as much. In
conversation (BEAT2) people stand on nearly straight legs, whose slight sideways bend is no hinge."""
_FOOT_FREE = 0.12
"""Metres above the lowest ankles from which a foot without points hangs in line with its shin."""
_RELAX = 1.0
"""Seconds after which a joint that is out of sight has come to rest."""


@dataclass(frozen=True)
class Points:
    """Positions of a source and of its rest pose.

    Attributes:
        at: (T, 3) by name, metres; nothing missing inside (see :mod:`.gaps`).
        seen: (T,) by name, whether the position is the source's own.
        rest: (3,) by name, of every point there is, in the source's T-pose.
        fps: frames per second.
    """

    at: Mapping[str, np.ndarray]
    seen: Mapping[str, np.ndarray]
    rest: Mapping[str, np.ndarray]
    fps: float

    def __contains__(self, name: object) -> bool:
        return name in self.at

    def has(self, *names: str) -> bool:
        return all(name in self.at for name in names)

    def first(self, *names: str) -> str:
        """The first of these points that is there, or ``""``."""
        return next((name for name in names if name in self.at), "")

    def all_seen(self, *names: str) -> np.ndarray:
        return np.logical_and.reduce([self.seen[name] for name in names])


class Solution:
    """World rotations under construction.

    Attributes:
        world: (T, 55, 3, 3), valid where ``seen`` ever is.
        seen: (T, 55), whether a joint's rotation follows from points that were there.
    """

    def __init__(self, frames: int) -> None:
        self.world = np.broadcast_to(np.eye(3), (frames, NUM_JOINTS, 3, 3)).copy()
        self.seen = np.zeros((frames, NUM_JOINTS), bool)

    def of(self, name: str) -> np.ndarray:
        return self.world[:, INDEX[name]]

    def put(self, name: str, rotations: np.ndarray, seen: np.ndarray) -> None:
        self.world[:, INDEX[name]] = rotations
        self.seen[:, INDEX[name]] = seen

    def follow(self, name: str) -> None:
        """Turn with the parent."""
        self.world[:, INDEX[name]] = self.world[:, PARENTS[INDEX[name]]]


def solve(points: Points, frames: int) -> Solution:
    """World rotations of all joints that the points say something about.

    Args:
        points: what is known; legs and a pelvis at least (see :func:`.points.check_names`).
        frames: T.
    """
    solution = Solution(frames)
    _trunk(points, solution)
    _head(points, solution)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        _leg(points, solution, side, sign)
        _arm(points, solution, side, sign)
        _fingers(points, solution, side)
    return solution


def locals_of(solution: Solution, fps: float) -> np.ndarray:
    """Rotations (T, 55, 3, 3) relative to the parents; joints out of sight are filled in.

    Between two sights a joint turns evenly from one to the other, further than a second from either it is
    at rest; a joint that is never seen is at rest throughout (arms hanging, fingers relaxed).
    """
    world, seen = solution.world, solution.seen
    rest = rot.axis_angle_to_matrix(rest_pose())
    local = np.empty_like(world)
    for j, parent in enumerate(PARENTS):
        if not seen[:, j].any():
            local[:, j] = rest[j]
            if parent >= 0:
                world[:, j] = world[:, parent] @ rest[j]
            continue
        local[:, j] = world[:, j] if parent < 0 else np.swapaxes(world[:, parent], -1, -2) @ world[:, j]
        if not seen[:, j].all():
            local[:, j] = _through_gaps(local[:, j], seen[:, j], rest[j] if parent >= 0 else None, fps)
            world[:, j] = local[:, j] if parent < 0 else world[:, parent] @ local[:, j]
    return local


def _through_gaps(local: np.ndarray, seen: np.ndarray, rest: np.ndarray | None, fps: float) -> np.ndarray:
    before, after, weight = nearest_seen(seen)
    q = rot.matrix_to_quaternion(local)
    result = rot.slerp(q[before], q[after], weight[:, None])
    if rest is not None:
        frames = np.arange(len(seen))
        away = np.minimum(np.abs(frames - before), np.abs(frames - after)) / (fps * _RELAX)
        result = rot.slerp(
            result, np.broadcast_to(rot.matrix_to_quaternion(rest), q.shape), _ease(away)[:, None]
        )
    return rot.quaternion_to_matrix(result)


def frame(primary: np.ndarray, secondary: np.ndarray) -> np.ndarray:
    """Right-handed axes (..., 3, 3), columns: along ``primary``, then ``secondary`` made square to it."""
    x = unit(primary)
    y = unit(secondary - dot(secondary, x)[..., None] * x)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def _turned(points: Points, primary: tuple[str, str], secondary: tuple[str, str]) -> np.ndarray:
    """Rotations (T, 3, 3) that lay two rest directions on the source's; the first exactly."""
    now = [points.at[end] - points.at[start] for start, end in (primary, secondary)]
    rest = [points.rest[end] - points.rest[start] for start, end in (primary, secondary)]
    return frame(*now) @ frame(*rest).T


def _laid(base: np.ndarray, points: Points, start: str, end: str) -> np.ndarray:
    """``base`` (T, 3, 3) turned by the smallest angle that lays the rest bone on the source's."""
    bone = points.rest[end] - points.rest[start]
    return rot.quaternion_to_matrix(rot.shortest_arc(base @ bone, points.at[end] - points.at[start])) @ base


def _between(a: np.ndarray, b: np.ndarray, weight: float) -> np.ndarray:
    qa, qb = rot.matrix_to_quaternion(a), rot.matrix_to_quaternion(b)
    return rot.quaternion_to_matrix(rot.slerp(qa, qb, np.full((len(qa), 1), weight)))


def with_middles(
    at: dict[str, np.ndarray], seen: dict[str, np.ndarray], rest: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Add the middles of hips, shoulders, eyes and ears to the points; returns the rest points with them."""
    rest = dict(rest)
    for middle, part in (("hips", "hip"), ("shoulders", "shoulder"), ("eyes", "eye_smplhf"), ("ears", "ear")):
        left, right = f"left_{part}", f"right_{part}"
        rest[middle] = 0.5 * (rest[left] + rest[right])
        if left in at and right in at:
            at[middle] = 0.5 * (at[left] + at[right])
            seen[middle] = seen[left] & seen[right]
    return rest


def _trunk(points: Points, solution: Solution) -> None:
    bottom = points.first("hips", "pelvis")
    top = points.first("neck", "shoulders", "head", "spine3", "spine2", "spine1")
    across = points.first("left_hip", "left_shoulder", "left_knee").removeprefix("left_")
    sides = (f"right_{across}", f"left_{across}")
    above = points.first("spine1", "spine2", "spine3", "neck", "shoulders", "head", "head_top")
    if above:
        # The line of the hips first: both thighs hang on it.
        pelvis = _turned(points, sides, (bottom, above))
        solution.put("pelvis", pelvis, points.all_seen(*sides, bottom, above))
    else:
        up = np.broadcast_to(np.array([0.0, 1.0, 0.0]), points.at[bottom].shape)
        sideways = points.at[sides[1]] - points.at[sides[0]]
        pelvis = frame(up, sideways) @ frame(np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])).T
        solution.put("pelvis", pelvis, points.all_seen(*sides))
    chest, chest_seen = _chest(points, pelvis, bottom, top)
    spine = ("spine1", "spine2", "spine3")
    chain = [name for name in (bottom, *spine, top) if name in points]
    heights = {name: i for i, name in enumerate((bottom, *spine, top))}
    for i, name in enumerate(spine, 1):
        if not top or top == name:
            break
        base = _between(pelvis, chest, i / 3)
        start = [p for p in chain if heights[p] <= i][-1]
        end = next(p for p in chain if heights[p] > i) if heights[top] > i else top
        if name == "spine3" and start == "spine3":
            solution.put(name, chest, chest_seen)
        else:
            solution.put(name, _laid(base, points, start, end), chest_seen & points.all_seen(start, end))
    if not top:
        return
    for name in spine:
        if not solution.seen[:, INDEX[name]].any():
            solution.put(name, solution.of(JOINT_NAMES[PARENTS[INDEX[name]]]), points.seen[bottom])


def _chest(points: Points, pelvis: np.ndarray, bottom: str, top: str) -> tuple[np.ndarray, np.ndarray]:
    """Rotation of the ribs: the line to the neck first, then collars or shoulders."""
    base = points.first("spine3", "spine2", "spine1") or bottom
    if not top or base == top:
        return pelvis, points.seen[bottom]
    for part in ("collar", "shoulder"):
        sides = (f"right_{part}", f"left_{part}")
        if points.has(*sides):
            return _turned(points, (base, top), sides), points.all_seen(base, top, *sides)
    return _laid(pelvis, points, base, top), points.all_seen(base, top)


def _head(points: Points, solution: Solution) -> None:
    chest = solution.of("spine3")
    head, seen = None, np.ones(len(chest), bool)
    sides = next((part for part in ("eye_smplhf", "ear") if points.has(f"left_{part}", f"right_{part}")), "")
    centre = points.first("head", "ears", "neck")
    front = points.first("nose", "eyes")
    if sides and front and centre and centre != front:
        pair = (f"right_{sides}", f"left_{sides}")
        head = _turned(points, pair, (centre, front))
        seen = points.all_seen(*pair, centre, front)
    elif sides and points.has("head", "head_top"):
        pair = (f"right_{sides}", f"left_{sides}")
        head = _turned(points, ("head", "head_top"), pair)
        seen = points.all_seen(*pair, "head", "head_top")
    elif front == "nose" and points.has("head", "head_top"):
        head = _turned(points, ("head", "head_top"), ("head", "nose"))
        seen = points.all_seen("head", "head_top", "nose")
    upper = points.first("head", "ears", "eyes", "head_top", "nose")
    lower = points.first("neck", "shoulders")
    if upper and lower:
        base = chest if head is None else _between(chest, head, 0.5)
        neck_seen = points.all_seen(upper, lower)
        solution.put("neck", _laid(base, points, lower, upper), neck_seen)
    else:
        solution.follow("neck")
    if head is None and points.has("head", "head_top"):
        head, seen = (
            _laid(solution.of("neck"), points, "head", "head_top"),
            points.all_seen("head", "head_top"),
        )
    if head is not None:
        solution.put("head", head, seen)


def _limb_reference(
    parent: np.ndarray, rest: np.ndarray, middle: tuple[float, float, float], sign: float, now: np.ndarray
) -> np.ndarray:
    """Rotations that lay a rest bone on ``now`` (T, 3) by way of the limb's middle direction."""
    centre = np.array(middle) * np.array([sign, 1.0, 1.0])
    natural = rot.quaternion_to_matrix(rot.shortest_arc(rest, centre))
    to_middle = parent @ natural
    return rot.quaternion_to_matrix(rot.shortest_arc(to_middle @ rest, now)) @ to_middle


def _limb(
    points: Points,
    solution: Solution,
    parent: str,
    chain: tuple[str, str, str],
    middle: tuple[float, float, float],
    hinge: np.ndarray,
    sign: float,
    end: str = "",
) -> None:
    """Upper and lower bone of an arm or a leg; ``end`` is the foot point whose heading hints at the twist."""
    a, b, c = chain
    if b not in points:
        return
    upper = unit(points.at[b] - points.at[a])
    upper_rest = unit(points.rest[b] - points.rest[a])
    reference = _limb_reference(solution.of(parent), upper_rest, middle, sign, upper)
    seen = points.all_seen(a, b)
    if c not in points:
        solution.put(a, reference, seen)
        return
    lower, lower_rest = unit(points.at[c] - points.at[b]), unit(points.rest[c] - points.rest[b])
    hint = None
    if end in points:
        foot, foot_rest = unit(points.at[end] - points.at[c]), unit(points.rest[end] - points.rest[c])
        across = np.cross(foot, lower)
        angle = angle_about(upper, reference @ np.cross(foot_rest, lower_rest), across)
        strength = dot(across, across) * np.clip(dot(upper, lower), 0.0, 1.0) * points.seen[end]
        hint = (angle, _FOOT_HINT * strength)
    both = points.all_seen(a, b, c)
    rest = (upper_rest, lower_rest, hinge)
    turned = limb_twist(reference, upper, lower, rest, points.fps, seen=both, hint=hint)
    solution.put(a, turned, seen)
    solution.put(b, _laid(turned, points, b, c), points.all_seen(b, c))


def _leg(points: Points, solution: Solution, side: str, sign: float) -> None:
    hip, knee, ankle = f"{side}_hip", f"{side}_knee", f"{side}_ankle"
    ball, tip = f"{side}_foot", f"{side}_toe_tip"
    points = points if hip in points else _attached(points, solution, hip, "pelvis", "pelvis")
    end = points.first(ball, tip)
    _limb(points, solution, "pelvis", (hip, knee, ankle), _LEG_MIDDLE, np.array([1.0, 0, 0]), sign, end)
    if end:
        base = _laid(solution.of(knee), points, ankle, end)
        solution.put(ankle, base, points.all_seen(ankle, end))
    elif ankle in points:
        solution.put(ankle, _foot_on_floor(points, solution.of(knee), ankle), points.seen[ankle])
    if points.has(ball, tip):
        solution.put(ball, _laid(solution.of(ankle), points, ball, tip), points.all_seen(ball, tip))


def _foot_on_floor(points: Points, shin: np.ndarray, ankle: str) -> np.ndarray:
    """A foot that no point tells of: level while it may be standing, in line with the shin (T, 3, 3) otherwise."""
    both = [points.at[name][:, 1] for name in ("left_ankle", "right_ankle") if name in points]
    lifted = points.at[ankle][:, 1] - np.percentile(np.min(both, axis=0), 5)
    # A shin that lies down does not stand on its foot either.
    standing = _ease((_FOOT_FREE - lifted) / _FOOT_FREE) * _ease(2.0 * (shin[:, 1, 1] - 0.3))
    forward = shin[:, :, 2]
    level = rot.yaw_matrix(np.arctan2(forward[:, 0], forward[:, 2]))
    q = rot.slerp(rot.matrix_to_quaternion(shin), rot.matrix_to_quaternion(level), standing[:, None])
    return rot.quaternion_to_matrix(q)


def _ease(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, smooth in between."""
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def _arm(points: Points, solution: Solution, side: str, sign: float) -> None:
    collar, shoulder = f"{side}_collar", f"{side}_shoulder"
    elbow, wrist = f"{side}_elbow", f"{side}_wrist"
    solution.follow(collar)
    if shoulder not in points:
        return
    if collar not in points:
        anchor = points.first("neck", "spine3")
        if anchor:
            points = _with_collar(points, solution, side, anchor)
    if collar in points:
        laid = _laid(solution.of("spine3"), points, collar, shoulder)
        solution.put(collar, laid, points.all_seen(collar, shoulder))
    hinge = np.array([0.0, -sign * np.cos(_ELBOW_TILT), np.sin(_ELBOW_TILT) * sign])
    _limb(points, solution, "spine3", (shoulder, elbow, wrist), _ARM_MIDDLE, hinge, sign)
    if elbow in points and wrist in points:
        _hand(points, solution, side)


def _hand(points: Points, solution: Solution, side: str) -> None:
    """The wrist by the palm where knuckles are there, by the hand's direction otherwise."""
    elbow, wrist = f"{side}_elbow", f"{side}_wrist"
    fingers = [f"{side}_{finger}1" for finger in ("index", "middle", "ring", "pinky")]
    along = points.first(fingers[1], fingers[2], f"{side}_hand", f"{side}_hand_tip", fingers[0])
    inner, outer = (
        points.first(*fingers[:2], f"{side}_thumb1", f"{side}_thumb_tip"),
        points.first(*fingers[:1:-1]),
    )
    if not along:
        return
    if inner and outer:
        palm = _turned(points, (wrist, along), (outer, inner))
        seen = points.all_seen(wrist, along, inner, outer)
    elif inner and inner != along:
        palm = _turned(points, (wrist, along), (wrist, inner))
        seen = points.all_seen(wrist, along, inner)
    else:
        solution.put(wrist, _laid(solution.of(elbow), points, wrist, along), points.all_seen(wrist, along))
        return
    solution.put(wrist, palm, seen)
    # A forearm pronates along its length: half of the hand's twist is its own.
    axis = unit(points.at[wrist] - points.at[elbow])
    bone = unit(points.rest[wrist] - points.rest[elbow])
    relative = np.swapaxes(solution.of(elbow), -1, -2) @ palm
    q = rot.matrix_to_quaternion(relative)
    twist = rot.wrap_angle(2.0 * np.arctan2(q[:, 1:] @ bone, q[:, 0]))
    half = np.where(seen, 0.5 * np.clip(twist, -np.pi / 2, np.pi / 2), 0.0)
    solution.put(
        elbow,
        rot.axis_angle_to_matrix(half[:, None] * axis) @ solution.of(elbow),
        points.all_seen(elbow, wrist),
    )


def _fingers(points: Points, solution: Solution, side: str) -> None:
    for finger in ("index", "middle", "pinky", "ring", "thumb"):
        for k in (1, 2, 3):
            name = f"{side}_{finger}{k}"
            end = f"{side}_{finger}{k + 1}" if k < 3 else f"{side}_{finger}_tip"
            if name not in points:
                break
            parent = JOINT_NAMES[PARENTS[INDEX[name]]]
            if end in points:
                solution.put(name, _laid(solution.of(parent), points, name, end), points.all_seen(name, end))
            elif k == 3:
                solution.put(name, solution.of(parent), points.seen[name])


def _attached(points: Points, solution: Solution, name: str, anchor: str, joint: str) -> Points:
    """The points with one more, fixed to ``joint`` at its rest place relative to ``anchor``."""
    offset = points.rest[name] - points.rest[anchor]
    at = {**points.at, name: points.at[anchor] + solution.of(joint) @ offset}
    return Points(at, {**points.seen, name: points.seen[anchor]}, points.rest, points.fps)


def _with_collar(points: Points, solution: Solution, side: str, anchor: str) -> Points:
    """The points with a collar, placed so that the shoulder is on average where it is at rest.

    Sets without collars put the neck anywhere between the line of the shoulders and the skull; without
    this their characters would shrug.
    """
    shoulder, collar = f"{side}_shoulder", f"{side}_collar"
    chest, seen = solution.of("spine3"), points.all_seen(shoulder, anchor)
    away = np.einsum("tji,tj->ti", chest, points.at[shoulder] - points.at[anchor])
    usual = np.median(away[seen] if seen.any() else away, axis=0)
    rest = points.rest[shoulder] - points.rest[anchor]
    width = np.clip(abs(usual[0] / rest[0]), 0.5, 2.0)
    offset = usual - width * (points.rest[shoulder] - points.rest[collar])
    at = {**points.at, collar: points.at[anchor] + chest @ offset}
    return Points(at, {**points.seen, collar: points.seen[anchor]}, points.rest, points.fps)
