"""Two characters opposite each other: where they stand, how they look at each other, and that they do not touch."""

from __future__ import annotations

import numpy as np

from ..motion import rotations
from ..motion.clip import Clip, move, rotate_world
from ..motion.filters import gaussian
from ..motion.kinematics import forward_kinematics
from ..motion.skeleton import INDEX, J0, JOINT_NAMES, PARENTS
from ..speech.gaze import FURTHEST
from .bending import HEAD, bend

USUAL = 1.4
EYES = [INDEX["left_eye_smplhf"], INDEX["right_eye_smplhf"]]
FOLLOWS = 0.9
"""Share of the way to the other's eyes that the head takes; the eyes take the rest."""
CALM = 0.35
"""Seconds over which the head is aimed: nods and accents are faster and stay."""
MOST = np.radians(45.0)
_BLOCK = 600


def _capsules() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joints from and to (N,), and radii (N,) in metres of a body: every bone of the first 22 joints and the hands'."""
    thick = {
        "spine1": 0.13, "spine2": 0.13, "spine3": 0.13, "neck": 0.09, "head": 0.06, "hip": 0.12, "knee": 0.075,
        "ankle": 0.05, "foot": 0.04, "collar": 0.08, "shoulder": 0.07, "elbow": 0.05, "wrist": 0.04, "middle1": 0.035,
        "middle3": 0.02, "jaw": 0.09,
    }  # fmt: skip
    bones = [
        (PARENTS[index], index, thick[short])
        for index, name in enumerate(JOINT_NAMES)
        if ((short := name.split("_")[1] if "_" in name else name) in thick and name[-1] != "3")
        or name == "spine3"
    ]
    for side in ("left", "right"):
        bones.append((INDEX[f"{side}_middle1"], INDEX[f"{side}_middle3"], thick["middle3"]))
    starts, stops, radii = zip(*bones, strict=True)
    return np.array(starts), np.array(stops), np.array(radii)


def opposite(first: Clip, second: Clip, distance: float) -> tuple[Clip, Clip]:
    """Both in one world: the first on -X, the second on +X, each facing the other on the mean over its frames."""
    return _placed(first, -0.5 * distance, np.pi / 2), _placed(second, 0.5 * distance, -np.pi / 2)


def _placed(clip: Clip, x: float, yaw: float) -> Clip:
    headings = rotations.heading(rotations.axis_angle_to_matrix(clip.poses[:, 0]))
    mean = np.arctan2(np.sin(headings).mean(), np.cos(headings).mean())
    turned = rotate_world(clip, rotations.yaw_matrix(yaw - mean))
    pelvis = (turned.trans + J0).mean(axis=0)
    return move(turned, np.array([x - pelvis[0], 0.0, -pelvis[2]]))


def regard(clip: Clip, other: Clip, share: np.ndarray | float = 1.0) -> Clip:
    """The clip with head and eyes on the other's eyes; glances, nods and accents of its own stay.

    Args:
        clip, other: two bodies in one world.
        share: (T,) 0 where it does not look at the other, 1 where it does.
    """
    poses = np.array(clip.poses, np.float64)
    target = other.joints()[:, EYES].mean(axis=1)
    looks = np.broadcast_to(share, len(clip))[:, None]
    slow = gaussian(looks * aim(poses, clip.trans, target), CALM * clip.fps)
    bend(poses, HEAD, np.pad(FOLLOWS * np.clip(slow, -MOST, MOST), ((0, 0), (0, 1))))
    rest = looks * aim(poses, clip.trans, target)
    poses[:, EYES, :2] = np.clip(poses[:, EYES, :2] + gaussian(rest, 2.0)[:, None], -FURTHEST, FURTHEST)
    return clip.replace(poses=poses)


def aim(poses: np.ndarray, trans: np.ndarray, target: np.ndarray) -> np.ndarray:
    """How far a head is from looking at ``target`` (T, 3) straight ahead: (T, 2) radians, down and to the left."""
    joints, world = forward_kinematics(poses[:, :25], trans)
    way = np.einsum("tji,tj->ti", world[:, INDEX["head"]], target - joints[:, EYES].mean(axis=1))
    return np.stack(
        [-np.arctan2(way[:, 1], np.hypot(way[:, 0], way[:, 2])), np.arctan2(way[:, 0], way[:, 2])], axis=1
    )


def facing(clip: Clip, other: Clip) -> np.ndarray:
    """Angle (T,), radians, between where the pelvis points and where the other's is, on the floor."""
    way = (other.trans - clip.trans)[:, [0, 2]]
    heading = rotations.heading(rotations.axis_angle_to_matrix(clip.poses[:, 0]))
    return np.abs(rotations.wrap_angle(np.arctan2(way[:, 0], way[:, 1]) - heading))


def gaze_error(clip: Clip, other: Clip) -> np.ndarray:
    """Angle (T,), radians, between where the eyes look and the other's eyes."""
    joints, world = forward_kinematics(clip.poses[:, :25], clip.trans)
    look = world[:, EYES][..., 2].mean(axis=1)
    way = other.joints()[:, EYES].mean(axis=1) - joints[:, EYES].mean(axis=1)
    cosine = np.sum(look * way, axis=1) / np.linalg.norm(look, axis=1) / np.linalg.norm(way, axis=1)
    return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)))


def apart(clip: Clip, other: Clip, *, trunks: bool = False) -> np.ndarray:
    """Metres (T,) between two bodies made of capsules; negative where they are within each other.

    Args:
        clip, other: two bodies in one world.
        trunks: only from the hips to the neck.
    """
    starts, stops, radii = _capsules()
    if trunks:
        chosen = np.isin(stops, [INDEX[name] for name in ("spine1", "spine2", "spine3", "neck")])
        starts, stops, radii = starts[chosen], stops[chosen], radii[chosen]
    one, two = clip.joints(), other.joints()
    nearest = np.empty(len(one))
    between = radii[:, None] + radii
    for at in range(0, len(one), _BLOCK):
        here = slice(at, at + _BLOCK)
        lines = [(part[here][:, starts], part[here][:, stops]) for part in (one, two)]
        gaps = _segments(
            lines[0][0][:, :, None], lines[0][1][:, :, None], lines[1][0][:, None], lines[1][1][:, None]
        )
        nearest[here] = (gaps - between).min(axis=(1, 2))
    return nearest


def _segments(p: np.ndarray, q: np.ndarray, r: np.ndarray, s: np.ndarray) -> np.ndarray:
    """Distance between the segments p-q and r-s (..., 3) (Ericson, "Real-Time Collision Detection", 2005, 5.1.9)."""
    u, v, w = q - p, s - r, p - r
    a, b, c = np.sum(u * u, -1), np.sum(u * v, -1), np.sum(v * v, -1)
    d, e = np.sum(u * w, -1), np.sum(v * w, -1)
    a, c = np.maximum(a, 1e-12), np.maximum(c, 1e-12)
    cross = a * c - b * b
    along = np.where(cross > 1e-12, np.clip((b * e - c * d) / np.maximum(cross, 1e-12), 0.0, 1.0), 0.0)
    across = np.clip((b * along + e) / c, 0.0, 1.0)
    along = np.clip((b * across - d) / a, 0.0, 1.0)
    return np.asarray(np.linalg.norm(w + along[..., None] * u - across[..., None] * v, axis=-1))
