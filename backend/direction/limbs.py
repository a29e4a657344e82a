"""Pins: wrists, ankles and feet that are held at places in the world by two-bone inverse kinematics.

Where an arm is too short the body leans first, see :mod:`.leaning`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..motion.clip import Clip
from ..motion.footlock import write_local
from ..motion.ik import solve_two_bone
from ..motion.kinematics import forward_kinematics
from ..motion.rotations import quaternion_to_matrix
from ..motion.skeleton import INDEX, REST_OFFSETS
from .leaning import Reach, lean

EASE_SECONDS = 0.4
"""How long before and after a pin a limb is on its way, at least."""
FASTEST = 1.5
"""Metres a second by which a limb is drawn to its pin at most: a longer way takes longer."""
LONGEST_EASE = 1.2
OFF_FLOOR = 0.02
"""Metres that a standing foot may be drawn away and still count as standing."""


@dataclass(frozen=True)
class Limb:
    """Two bones whose end is held.

    Attributes:
        chain: indices of shoulder, elbow and wrist, or of hip, knee and ankle.
        tip: the joint that is held: the chain's end, or the ball of the foot that it carries.
        hinge: the axis in the upper bone's frame about which a positive turn bends.
    """

    chain: tuple[int, int, int]
    tip: int
    hinge: tuple[float, float, float]

    @property
    def is_leg(self) -> bool:
        return bool(self.hinge[0])

    @property
    def reach(self) -> float:
        """Metres from the first joint to the end of the straight limb."""
        return float(sum(np.linalg.norm(REST_OFFSETS[joint]) for joint in self.chain[1:]))


def _limbs() -> dict[str, Limb]:
    found = {}
    for side, sign in (("left", -1.0), ("right", 1.0)):
        arm = tuple(INDEX[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
        leg = tuple(INDEX[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        # Forearms come forward: about the vertical of the T-pose, in opposite senses.
        found[f"{side}_wrist"] = Limb(arm, arm[2], (0.0, sign, 0.0))  # type: ignore[arg-type]
        found[f"{side}_ankle"] = Limb(leg, leg[2], (1.0, 0.0, 0.0))  # type: ignore[arg-type]
        found[f"{side}_foot"] = Limb(leg, INDEX[f"{side}_foot"], (1.0, 0.0, 0.0))  # type: ignore[arg-type]
    return found


LIMBS: dict[str, Limb] = _limbs()
"""By the name of the joint that is held."""


@dataclass(frozen=True)
class Hold:
    """A joint at a place (3,) from one frame to another, both included."""

    joint: str
    first: int
    last: int
    position: np.ndarray


def hold(clip: Clip, holds: Sequence[Hold], room: np.ndarray | None = None) -> Clip:
    """The clip with limbs that hold on to places, as far as they and a leaning body reach; they come and leave softly.

    Args:
        clip: the motion.
        holds: of any joints; those of one limb that are close in time go straight from one to the next.
        room: (T,) 0 to 1, how far each frame may be changed.
    """
    poses = np.array(clip.poses, np.float64)
    room = np.ones(len(clip)) if room is None else room
    clip = clip.replace(trans=_leaned(poses, clip, holds, room))
    contacts = None if clip.contacts is None else np.array(clip.contacts)
    for name, limb in LIMBS.items():
        own = sorted((one for one in holds if one.joint == name), key=lambda one: one.first)
        if not own:
            continue
        moved = _hold_limb(poses, clip, limb, own, room)
        if contacts is not None and limb.is_leg:
            # A foot that is drawn away from where it stood does not stand there.
            columns = slice(0, 2) if name.startswith("left") else slice(2, 4)
            contacts[moved > OFF_FLOOR, columns] = 0.0
    return clip.replace(poses=poses, contacts=contacts)


def _leaned(poses: np.ndarray, clip: Clip, holds: Sequence[Hold], room: np.ndarray) -> np.ndarray:
    """Where the body is (T, 3) that leans, in place, to what its arms do not reach."""
    joints = clip.joints()
    reaches = []
    for name, limb in LIMBS.items():
        own = sorted((one for one in holds if one.joint == name), key=lambda one: one.first)
        if own and not limb.is_leg:
            wrist = joints[:, limb.tip]
            offset, weight = _pull(wrist, own, clip.fps)
            reaches.append(Reach(limb.chain[0], limb.reach, wrist + offset, weight))
    trans = np.asarray(clip.trans, np.float64)
    return lean(poses, trans, clip.fps, reaches, room) if reaches else trans


def _hold_limb(
    poses: np.ndarray, clip: Clip, limb: Limb, holds: Sequence[Hold], room: np.ndarray
) -> np.ndarray:
    """One limb, in place; returns how far its tip was to be moved, (T,) metres."""
    joints, world = forward_kinematics(poses[:, :22], clip.trans)
    root, middle, end = (joints[:, joint] for joint in limb.chain)
    # The limb's own tip, seen from the joint that carries it, is carried along.
    lever = joints[:, limb.tip] - end
    offset, weight = _pull(end + lever, holds, clip.fps)
    goal = end + offset * (weight * room)[:, None]
    moved = (weight * room) > 0.0
    hinge = world[:, limb.chain[0]] @ np.asarray(limb.hinge)
    upper, lower = (quaternion_to_matrix(q) for q in solve_two_bone(root, middle, end, goal, hinge))
    world = np.array(world)
    world[:, limb.chain[0]] = upper @ world[:, limb.chain[0]]
    world[:, limb.chain[1]] = lower @ world[:, limb.chain[1]]
    # A foot stays as it is turned in the world; a hand goes with its arm.
    written = limb.chain if limb.is_leg else limb.chain[:2]
    changed = poses[:, :22].copy()
    write_local(changed, world, written)
    poses[:, :22] = np.where(moved[:, None, None], changed, poses[:, :22])
    return np.linalg.norm(goal - end, axis=1)


def _pull(tip: np.ndarray, holds: Sequence[Hold], fps: float) -> tuple[np.ndarray, np.ndarray]:
    """What takes a tip (T, 3) to its places (T, 3), and how much of it (T,).

    Holds without the time to leave one and come to the next are gone through in one go.
    """
    frames = len(tip)
    at = np.arange(frames)
    offset, weight = np.zeros((frames, 3)), np.zeros(frames)
    for group in _groups(tip, holds, fps):
        marks = [frame for one, _ in group for frame in (one.first, one.last)]
        places = [one.position for one, _ in group for _ in range(2)]
        # Between two of the marks softly from place to place.
        after = np.clip(np.searchsorted(marks, at, side="right"), 1, len(marks) - 1)
        start, stop = np.asarray(marks)[after - 1], np.asarray(marks)[after]
        share = _soft((at - start) / np.maximum(stop - start, 1))[:, None]
        goal = (1 - share) * np.asarray(places)[after - 1] + share * np.asarray(places)[after]
        rise = _soft(1 - (marks[0] - at) / group[0][1])
        fall = _soft(1 - (at - marks[-1]) / group[-1][1])
        own = np.minimum(rise, fall)
        here = own > 0.0
        offset[here], weight[here] = (goal - tip)[here], own[here]
    return offset, weight


def _groups(tip: np.ndarray, holds: Sequence[Hold], fps: float) -> list[list[tuple[Hold, float]]]:
    """Holds in the clip with the frames that coming and leaving take; those that are near each other together."""
    groups: list[list[tuple[Hold, float]]] = []
    for one in holds:
        first, last = max(one.first, 0), min(one.last, len(tip) - 1)
        if first > last:
            continue
        way = max(float(np.linalg.norm(one.position - tip[edge])) for edge in (first, last))
        # The fastest moment of a soft start and stop is 1.875 times the mean.
        ease = min(max(EASE_SECONDS, 1.875 * way / FASTEST), LONGEST_EASE) * fps
        if groups and first - groups[-1][-1][0].last <= groups[-1][-1][1] + ease:
            groups[-1].append((one, ease))
        else:
            groups.append([(one, ease)])
    return groups


def _soft(x: np.ndarray) -> np.ndarray:
    """0 below 0, 1 above 1, a polynomial of the fifth degree in between."""
    u = np.clip(x, 0.0, 1.0)
    return u * u * u * (u * (6 * u - 15) + 10)
