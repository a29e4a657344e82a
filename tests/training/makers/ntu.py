"""Small ``.skeleton`` files as NTU RGB+D's, with bodies of our own.

The published facts that they keep: counts and lines as in ``formats/ntu``; metres in a Kinect's camera frame
(X to the camera's left, Y up, Z away from it, the camera perhaps tilted); 17-digit body ids; 30 fps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from understudy.backend.motion.kinematics import forward_kinematics
from understudy.backend.motion.rotations import axis_angle_to_matrix
from understudy.backend.motion.skeleton import INDEX, NUM_JOINTS

IDS = ("72057594037931101", "72057594037931102", "72057594037931103", "72057594037931104")
"""Ids that are equal when read as floats."""
_ORDER = {
    0: "pelvis", 1: "spine2", 2: "neck", 3: "head", 4: "left_shoulder", 5: "left_elbow", 6: "left_wrist",
    8: "right_shoulder", 9: "right_elbow", 10: "right_wrist", 12: "left_hip", 13: "left_knee",
    14: "left_ankle", 15: "left_foot", 16: "right_hip", 17: "right_knee", 18: "right_ankle", 19: "right_foot",
}  # fmt: skip


def person(
    frames: int = 30, *, size: float = 1.0, place: Sequence[float] = (0.0, 0.0), yaw: float = 0.0,
    speed: float = 0.0, wave: str = "left", amount: float = 1.0,
) -> np.ndarray:  # fmt: skip
    """Kinect joints (T, 25, 3) in *our* world, floor at 0: somebody stands or glides and waves one arm.

    Args:
        frames: length.
        size: of the body, 1 is ours.
        place: x and z at the start, metres.
        yaw: radians, 0 faces +Z.
        speed: metres a second, ahead.
        wave: the side of the arm that is lifted sideways and swings.
        amount: of the swing, radians.
    """
    t = np.arange(frames) / 30
    poses = np.zeros((frames, NUM_JOINTS, 3))
    poses[:, 0, 1] = yaw
    for side, sign in (("left", -1.0), ("right", 1.0)):
        poses[:, INDEX[f"{side}_shoulder"], 2] = sign * np.radians(75)
    sign = -1.0 if wave == "left" else 1.0
    poses[:, INDEX[f"{wave}_shoulder"], 2] = -sign * (0.3 + 0.4 * amount * np.sin(2 * np.pi * t))
    poses[:, INDEX[f"{wave}_elbow"], 1] = sign * 0.6
    joints, world = forward_kinematics(poses, np.tile([0.0, 1.31, 0.0], (frames, 1)))
    result = np.zeros((frames, 25, 3))
    for k, name in _ORDER.items():
        result[:, k] = joints[:, INDEX[name]]
    result[:, 20] = 0.5 * (joints[:, INDEX["left_collar"]] + joints[:, INDEX["right_collar"]])
    for base, side, x in ((7, "left", 1.0), (11, "right", -1.0)):
        wrist = INDEX[f"{side}_wrist"]
        result[:, base] = joints[:, wrist] + world[:, wrist] @ np.array([0.098 * x, 0, 0])
    for k, side, offset in (
        (21, "left", (0.19, 0, 0)), (22, "left", (0.09, 0, 0.07)),
        (23, "right", (-0.19, 0, 0)), (24, "right", (-0.09, 0, 0.07)),
    ):  # fmt: skip
        wrist = INDEX[f"{side}_wrist"]
        result[:, k] = joints[:, wrist] + world[:, wrist] @ np.array(offset)
    ahead = np.array([np.sin(yaw), 0.0, np.cos(yaw)])
    path = np.array([place[0], 0.0, place[1]]) + (speed * t)[:, None] * ahead
    return size * result + path[:, None]


def camera(
    points: np.ndarray, *, height: float = 1.2, distance: float = 3.5, pitch: float = 0.0
) -> np.ndarray:
    """Points of our world as a camera at +Z sees them that looks at -Z, and down by ``pitch`` degrees."""
    relative = (points - [0.0, height, distance]) * [-1.0, 1.0, -1.0]
    down = axis_angle_to_matrix(np.array([np.radians(pitch), 0.0, 0.0]))
    return relative @ down  # a camera turned down sees everything turned up


def chair(frames: int = 30) -> np.ndarray:
    """Something wider than high that the sensor took for a body, in the camera's frame."""
    generator = np.random.default_rng(3)
    shape = generator.uniform(-1, 1, (25, 3)) * [0.6, 0.2, 0.2] + [0.8, -0.6, 3.0]
    return np.asarray(shape + generator.normal(0, 0.4, (frames, 1, 3)))


def text(
    bodies: Mapping[str, np.ndarray],
    frames: int,
    *,
    visible: Mapping[str, Sequence[int]] | None = None,
    swapped: Sequence[int] = (),
    untracked: Sequence[int] = (),
    count: int | None = None,
    joints: int = 25,
) -> str:
    """A file.

    Args:
        bodies: by id, positions (T, 25, 3) in the camera's frame.
        frames: how many to write.
        visible: by id, the frames in which the sensor sees the body (all of them by default).
        swapped: frames that list the bodies in the opposite order.
        untracked: joints of the first body whose state is 0, far away.
        count: the number of frames that the first line promises.
        joints: the number of joints that the bodies promise.
    """
    lines = [str(frames if count is None else count)]
    for frame in range(frames):
        there = [name for name in bodies if frame in (visible or {}).get(name, range(frames))]
        lines.append(str(len(there)))
        for name in reversed(there) if frame in swapped else there:
            lines += [f"{name} 0 1 1 1 1 0 0.02764709 0.05745083 2", str(joints)]
            for k in range(joints):
                x, y, z = bodies[name][frame, k % 25]
                state = 2
                if k in untracked and name == next(iter(bodies)):
                    x, y, z, state = 9.0, 9.0, 9.0, 0
                lines.append(
                    f"{x:.7g} {y:.7g} {z:.7g} 277.419 191.8218 1036.233 519.1677 -0.2 0.05 0.97 -0.12 {state}"
                )
    return "\r\n".join(lines) + "\r\n"


def write(root: Path, name: str, content: str) -> Path:
    """``root/ntu_rgbd/nturgb+d_skeletons/<name>.skeleton``."""
    folder = root / "ntu_rgbd/nturgb+d_skeletons"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.skeleton"
    path.write_bytes(content.encode())
    return path
