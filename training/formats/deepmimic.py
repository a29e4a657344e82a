"""DeepMimic humanoid motion files: JSON, 44 numbers a frame, each frame with its own duration.

The layout is that of the set's FORMAT.md; joint offsets are those of the humanoid the files belong to
(xbpeng/DeepMimic, ``humanoid3d.txt``, MIT). In its rest pose it faces +X with the arms hanging; here it
is turned to face +Z, as every :class:`~.source.SourceMotion` does.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import rotations as rot
from .source import SourceMotion, pose, rest_positions

# name, parent, offset in the file's axes (facing +X, right +Z), first column, kind
_JOINTS: tuple[tuple[str, str, tuple[float, float, float], int, str], ...] = (
    ("root", "", (0, 0, 0), 4, "ball"),
    ("chest", "root", (0, 0.236151, 0), 8, "ball"),
    ("neck", "chest", (0, 0.223894, 0), 12, "ball"),
    ("right_hip", "root", (0, 0, 0.084887), 16, "ball"),
    ("right_knee", "right_hip", (0, -0.421546, 0), 20, "hinge"),
    ("right_ankle", "right_knee", (0, -0.409870, 0), 21, "ball"),
    ("right_shoulder", "chest", (-0.02405, 0.24350, 0.18311), 25, "ball"),
    ("right_elbow", "right_shoulder", (0, -0.274788, 0), 29, "hinge"),
    ("right_wrist", "right_elbow", (0, -0.258947, 0), -1, "fixed"),
    ("left_hip", "root", (0, 0, -0.084887), 30, "ball"),
    ("left_knee", "left_hip", (0, -0.421546, 0), 34, "hinge"),
    ("left_ankle", "left_knee", (0, -0.409870, 0), 35, "ball"),
    ("left_shoulder", "chest", (-0.02405, 0.24350, -0.18311), 39, "ball"),
    ("left_elbow", "left_shoulder", (0, -0.274788, 0), 43, "hinge"),
    ("left_wrist", "left_elbow", (0, -0.258947, 0), -1, "fixed"),
)  # fmt: skip
COLUMNS = 44
_HEAD, _FOOT = (0.0, 0.2, 0.0), (0.128, -0.05, 0.022)
"""Free ends the humanoid has no joint for: the top of the head and the ball of the (left) foot."""
_TURN = rot.yaw_matrix(np.array(-np.pi / 2))
"""+X to +Z."""


def read_frames(path: Path | str) -> np.ndarray:
    """Rows (T, 44).

    Raises:
        BadInput: no JSON of that form.
    """
    try:
        frames = np.array(json.loads(Path(path).read_text(encoding="utf-8"))["Frames"], dtype=np.float64)
    except (ValueError, KeyError, TypeError):
        raise BadInput(
            f"{Path(path).name} is no DeepMimic motion: Frames is missing or damaged.", field="path"
        ) from None
    if frames.ndim != 2 or frames.shape[1] != COLUMNS or len(frames) < 2:
        raise BadInput(
            f"{Path(path).name} must hold frames of {COLUMNS} numbers, not {frames.shape}.", field="path"
        )
    return frames


def motion_of(frames: np.ndarray, *, fps: float, time_scale: float = 1.0) -> SourceMotion:
    """The motion sampled by time at ``fps``; durations are multiplied by ``time_scale`` first."""
    stamps = np.concatenate([[0.0], np.cumsum(frames[:-1, 0])]) * time_scale
    times = np.arange(int(np.floor(stamps[-1] * fps + 1e-4)) + 1) / fps
    low = np.clip(np.searchsorted(stamps, times + 1e-6, "right") - 1, 0, len(stamps) - 2)
    weight = np.clip((times - stamps[low]) / np.maximum(stamps[low + 1] - stamps[low], 1e-9), 0, 1)[:, None]

    names = tuple(joint[0] for joint in _JOINTS)
    parents = tuple(names.index(joint[1]) if joint[1] else -1 for joint in _JOINTS)
    offsets = np.array([joint[2] for joint in _JOINTS], dtype=np.float64)
    local = np.broadcast_to(np.eye(3), (len(times), len(names), 3, 3)).copy()
    for j, (_, _, _, column, kind) in enumerate(_JOINTS):
        if kind == "ball":
            q = rot.normalize_quaternion(frames[:, column : column + 4])
            local[:, j] = rot.quaternion_to_matrix(rot.slerp(q[low], q[low + 1], weight))
        elif kind == "hinge":
            angle = (1 - weight) * frames[low, column, None] + weight * frames[low + 1, column, None]
            local[:, j] = rot.axis_angle_to_matrix(angle * np.array([0.0, 0.0, 1.0]))
    root = (1 - weight) * frames[low, 1:4] + weight * frames[low + 1, 1:4]

    # Everything is turned about Y, so that the rest pose faces +Z.
    local, offsets, root = _TURN @ local @ _TURN.T, offsets @ _TURN.T, root @ _TURN.T
    world, positions = pose(parents, offsets, local, root)
    rest = rest_positions(parents, offsets)
    tips = {"neck": rest[names.index("neck")] + _TURN @ np.array(_HEAD)}
    for side, sign in (("left", -1.0), ("right", 1.0)):
        tips[f"{side}_ankle"] = rest[names.index(f"{side}_ankle")] + _TURN @ (
            np.array(_FOOT) * [1.0, 1.0, sign]
        )
    mean_fps = (len(frames) - 1) / max(float(stamps[-1]), 1e-9)
    return SourceMotion(names, parents, rest, world, positions, fps, tips, (round(mean_fps, 3), len(frames)))
