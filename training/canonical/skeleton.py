"""The canonical stick figure: 16 joints, 12 segments, 48 numbers a frame (schema v3), and its v1 shadow.

A figure is drawn in a plane: x to the viewer's right, y up. Three-dimensional motion is projected onto it
from the front of our world (the viewer stands on +Z and looks at -Z: x is the world's x and y its up
axis), or from wherever ``view`` says; where the body happens to turn plays no part. A character who faces
the viewer has its left on +x.

A segment is ``x1, y1, x2, y2``. Segments that share a joint repeat its coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...backend.motion.clip import Clip
from ...backend.motion.kinematics import forward_kinematics

JOINTS: tuple[str, ...] = (
    "pelvis_center", "chest", "neck", "head_center", "l_shoulder", "r_shoulder", "l_elbow", "r_elbow",
    "l_wrist", "r_wrist", "l_hip", "r_hip", "l_knee", "r_knee", "l_ankle", "r_ankle",
)  # fmt: skip
"""The 16 joints, in the order of every ``(..., 16, 2 or 3)`` array here."""
INDEX: dict[str, int] = {name: i for i, name in enumerate(JOINTS)}

SEGMENTS: dict[str, tuple[str, str]] = {
    "head": ("neck", "head_center"),
    "upper_torso": ("neck", "chest"),
    "lower_torso": ("chest", "pelvis_center"),
    "l_upper_arm": ("l_shoulder", "l_elbow"),
    "l_forearm": ("l_elbow", "l_wrist"),
    "r_upper_arm": ("r_shoulder", "r_elbow"),
    "r_forearm": ("r_elbow", "r_wrist"),
    "l_thigh": ("l_hip", "l_knee"),
    "l_shin": ("l_knee", "l_ankle"),
    "r_thigh": ("r_hip", "r_knee"),
    "r_shin": ("r_knee", "r_ankle"),
    "pelvis_width": ("l_hip", "r_hip"),
}
"""The 12 segments of schema v3 in order, each from its first joint to its second."""
DIM = 4 * len(SEGMENTS)

SEGMENTS_V1: dict[str, tuple[str, str]] = {
    "torso": ("neck", "pelvis_center"),
    "l_leg": ("pelvis_center", "l_ankle"),
    "r_leg": ("pelvis_center", "r_ankle"),
    "l_arm": ("neck", "l_wrist"),
    "r_arm": ("neck", "r_wrist"),
}
"""The 5 segments of the older renderer schema v1 in order."""
DIM_V1 = 4 * len(SEGMENTS_V1)

_ENDS = np.array([[INDEX[a], INDEX[b]] for a, b in SEGMENTS.values()])
_ENDS_V1 = np.array([[INDEX[a], INDEX[b]] for a, b in SEGMENTS_V1.values()])
_NAMES = tuple(SEGMENTS)


def _other_side(name: str) -> str:
    return {"l_": "r_", "r_": "l_"}.get(name[:2], name[:2]) + name[2:]


_MIRROR = np.array([_NAMES.index(_other_side(name)) for name in _NAMES])
# Where each joint is read: the last segment and end that name it.
_READ = np.array([next((s, e) for s, e in np.argwhere(joint == _ENDS)) for joint in range(len(JOINTS))])


def segments(points: np.ndarray) -> np.ndarray:
    """Figures (..., 48) of joints (..., 16, 2)."""
    return points[..., _ENDS, :].reshape(*points.shape[:-2], DIM)


def joints(motion: np.ndarray) -> np.ndarray:
    """Joints (..., 16, 2) of figures (..., 48): the inverse of :func:`segments`."""
    ends = motion.reshape(*motion.shape[:-1], len(SEGMENTS), 2, 2)
    return ends[..., _READ[:, 0], _READ[:, 1], :]


def to_v1(motion: np.ndarray) -> np.ndarray:
    """Figures of schema v1 (..., 20) of figures of schema v3 (..., 48)."""
    return joints(motion)[..., _ENDS_V1, :].reshape(*motion.shape[:-1], DIM_V1)


def segment_lengths(points: np.ndarray) -> np.ndarray:
    """Lengths (..., 12) of the segments between joints (..., 16, 2 or 3)."""
    return np.asarray(np.linalg.norm(points[..., _ENDS[:, 1], :] - points[..., _ENDS[:, 0], :], axis=-1))


def disconnected(motion: np.ndarray, atol: float = 1e-5) -> str:
    """What is wrong with figures (..., 48) as a sentence; empty when every shared joint meets itself."""
    if not np.isfinite(motion).all():
        return "The figure has coordinates that are not finite."
    ends = motion.reshape(*motion.shape[:-1], len(SEGMENTS), 2, 2)
    points = joints(motion)
    for segment, pair in enumerate(_ENDS):
        for end, joint in enumerate(pair):
            if not np.allclose(ends[..., segment, end, :], points[..., joint, :], atol=atol):
                return f"The segment {_NAMES[segment]} does not meet the joint {JOINTS[joint]}."
    middle = (points[..., INDEX["l_hip"], :] + points[..., INDEX["r_hip"], :]) / 2
    if not np.allclose(points[..., INDEX["pelvis_center"], :], middle, atol=atol):
        return "The joint pelvis_center is not midway between the hips."
    return ""


def mirror(motion: np.ndarray) -> np.ndarray:
    """Figures (..., 48) in a mirror: x changes its sign and left and right exchange their segments."""
    ends = motion.reshape(*motion.shape[:-1], len(SEGMENTS), 2, 2)[..., _MIRROR, :, :]
    ends = ends * np.array([-1.0, 1.0], motion.dtype)
    # The width of the pelvis goes from left to right: its ends are what is exchanged.
    ends[..., -1, :, :] = ends[..., -1, ::-1, :]
    return ends.reshape(motion.shape)


@dataclass(frozen=True)
class JointSet:
    """How the 16 joints are found among a set's own joints.

    Attributes:
        weights: (16, J): each canonical joint as a weighted mean of the set's joints.
        up: the direction of the set's axes that is up in the picture.
    """

    weights: np.ndarray
    up: float = 1.0

    def points(self, positions: np.ndarray) -> np.ndarray:
        """Canonical joints (..., 16, D), y up, of positions (..., J or more, D)."""
        own = positions[..., : self.weights.shape[1], :]
        points = self.weights @ own
        points[..., 1] *= self.up
        return points


def _joint_set(count: int, up: float = 1.0, **where: int | tuple[int, ...] | dict[int, float]) -> JointSet:
    weights = np.zeros((len(JOINTS), count))
    for name, source in where.items():
        parts = {source: 1.0} if isinstance(source, int) else source
        if isinstance(parts, tuple):
            parts = dict.fromkeys(parts, 1 / len(parts))
        for index, weight in parts.items():
            weights[INDEX[name], index] = weight
    return JointSet(weights, up)


JOINT_SETS: dict[str, JointSet] = {
    # SMPL, SMPL-H and SMPL-X agree in their first 22 joints. World Y up.
    "smplx": _joint_set(
        22, pelvis_center=(1, 2), chest=(16, 17), neck=12, head_center=15, l_shoulder=16, r_shoulder=17,
        l_elbow=18, r_elbow=19, l_wrist=20, r_wrist=21, l_hip=1, r_hip=2, l_knee=4, r_knee=5, l_ankle=7, r_ankle=8,
    ),
    # Kinect v2 as in NTU RGB+D and LSMB19. Y up.
    "ntu25": _joint_set(
        25, pelvis_center=(12, 16), chest=20, neck=2, head_center=3, l_shoulder=4, r_shoulder=8,
        l_elbow=5, r_elbow=9, l_wrist=6, r_wrist=10, l_hip=12, r_hip=16, l_knee=13, r_knee=17, l_ankle=14, r_ankle=18,
    ),
    # KIT-ML (Master Motor Map): root BP BT BLN BUN, left then right arm, left then right leg. Y up.
    "kit21": _joint_set(
        21, pelvis_center=(11, 16), chest=(5, 8), neck=3, head_center=4, l_shoulder=5, r_shoulder=8,
        l_elbow=6, r_elbow=9, l_wrist=7, r_wrist=10, l_hip=11, r_hip=16, l_knee=12, r_knee=17, l_ankle=13, r_ankle=18,
    ),
    # COCO key points of an image, y down. No neck: between the shoulders; the chest a quarter further down.
    "coco17": _joint_set(
        17, up=-1.0, pelvis_center=(11, 12), chest={5: 0.375, 6: 0.375, 11: 0.125, 12: 0.125}, neck=(5, 6),
        head_center=(3, 4), l_shoulder=5, r_shoulder=6, l_elbow=7, r_elbow=8, l_wrist=9, r_wrist=10,
        l_hip=11, r_hip=12, l_knee=13, r_knee=14, l_ankle=15, r_ankle=16,
    ),
}  # fmt: skip
"""The joint layouts that can be read, by name."""

_FEET: dict[str, tuple[tuple[int, int], ...]] = {
    "ntu25": ((14, 15), (18, 19)),
    "kit21": ((13, 15), (18, 20)),
}
"""Ankle and toe of the left and of the right foot, where a set's axes may be of either hand."""


def _right_handed(positions: np.ndarray, points: np.ndarray, layout: str) -> bool:
    """Whether a set's axes (y up) are right-handed: feet point forward, and left = up x forward."""
    forward = sum(positions[..., toe, :] - positions[..., ankle, :] for ankle, toe in _FEET[layout])
    left = points[..., INDEX["l_hip"], :] - points[..., INDEX["r_hip"], :]
    return bool(np.nansum(left[..., 0] * forward[..., 2] - left[..., 2] * forward[..., 0]) >= 0)


def from_joints(positions: np.ndarray, layout: str) -> np.ndarray:
    """Canonical joints (..., 16, D), y up, in the set's unit.

    Left is left afterwards: the hand of the axes is told from the bodies (NTU, KIT), not assumed, and a
    figure that faces the Kinect faces the viewer.

    Args:
        positions: (..., J, D) of a layout; D is 3, or 2 for key points of an image.
        layout: a name of :data:`JOINT_SETS`.

    Raises:
        ValueError: too few joints for the layout.
    """
    needed = JOINT_SETS[layout].weights.shape[1]
    if positions.ndim < 3 or positions.shape[-2] < needed or positions.shape[-1] not in (2, 3):
        raise ValueError(f"{layout} needs positions (T, {needed}, 2 or 3), not {positions.shape}.")
    points = JOINT_SETS[layout].points(positions)
    if layout in _FEET and positions.shape[-1] == 3:
        right_handed = _right_handed(positions, points, layout)
        if layout == "ntu25":
            # Z points away from the camera. Right-handed, x grows to the camera's left: walk round to the
            # other side. Else x grows to its right already, and depth alone is turned about.
            points *= (-1.0, 1.0, -1.0) if right_handed else (1.0, 1.0, -1.0)
        elif not right_handed:
            # What the set calls left lies on the right: the published files are mirror images.
            points *= (-1.0, 1.0, 1.0)
    return points


def from_clip(clip: Clip) -> np.ndarray:
    """Canonical joints (T, 16, 3) of a clip, metres, in its world: y up, floor where the clip has it."""
    positions = forward_kinematics(clip.poses[:, :22], clip.trans)[0]
    return JOINT_SETS["smplx"].points(positions)


def project(points: np.ndarray, view: float = 0.0) -> np.ndarray:
    """Joints (..., 2) in the picture of joints (..., 3), y up.

    Args:
        points: in our world.
        view: where the viewer stands, radians about the up axis: 0 in front (+Z), pi/2 on the +X side.
    """
    x = np.cos(view) * points[..., 0] - np.sin(view) * points[..., 2]
    return np.stack([x, points[..., 1]], axis=-1)
