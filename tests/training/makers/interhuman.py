"""Small InterHuman files in the published layout, of two people whose motion is known by formula.

The truth is given in our world (Y up, floor at 0); files are written in the world and the body model asked for,
by arithmetic of its own.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from understudy.backend.motion.kinematics import forward_kinematics

SMPLH_J0 = np.array([-0.0018, -0.2233, 0.0282])
SMPLX_J0 = np.array([0.0, -0.350, 0.0])
TURN = {"y": Rotation.identity(), "z": Rotation.from_euler("x", 90, degrees=True)}
"""Our world to the file's: (x, y, z) becomes (x, -z, y) where Z is up."""
Truth = tuple[np.ndarray, np.ndarray]


def person(
    seconds: float, fps: float, *, place: tuple[float, float] = (0.0, 0.0), yaw: float = 0.0, sway: float = 0.3,
    reach: float = 0.0,
) -> Truth:  # fmt: skip
    """Local rotations (T, 55, 3) and pelvis (T, 3), Y up: somebody stands, turns a little and moves the arms.

    Args:
        seconds, fps: of the motion.
        place: x and z of the pelvis.
        yaw: radians, 0 faces +Z.
        sway: radians that the left arm swings; also how far the body turns.
        reach: radians that both arms are lifted to the front.
    """
    t = np.arange(round(seconds * fps)) / fps
    poses = np.zeros((len(t), 55, 3))
    poses[:, 0, 1] = yaw + 0.2 * sway * np.sin(2 * t)
    poses[:, 16, 2], poses[:, 17, 2] = -1.2 + sway * np.sin(4 * t), 1.2
    if reach:
        poses[:, 16], poses[:, 17] = [0, -reach, 0], [0, reach, 0]
    pelvis = np.tile([place[0], 0.96, place[1]], (len(t), 1))
    return poses, pelvis


def facing(first: tuple[float, float], second: tuple[float, float]) -> float:
    """The yaw with which one at ``first`` looks at one at ``second``."""
    return float(np.arctan2(second[0] - first[0], second[1] - first[1]))


def smpl(
    truth: Truth, *, up: str = "z", j0: np.ndarray = SMPLH_J0, raised: float = 0.0, **changes: Any
) -> dict[str, Any]:
    """One person's parameters; ``changes`` replace some, None removes one."""
    poses, pelvis = truth
    root = (TURN[up] * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    keys: dict[str, Any] = {
        "trans": TURN[up].apply(pelvis + [0, raised, 0]) - j0,
        "root_orient": root,
        "pose_body": poses[:, 1:22].reshape(len(poses), 63),
        "betas": np.r_[1.0, np.zeros(9)],
        "gender": "female",
    }
    keys |= changes
    return {key: value for key, value in keys.items() if value is not None}


def scene(first: Any, second: Any, *, fps: Any = 59.94, **changes: Any) -> dict[str, Any]:
    """The content of a ``motions`` file."""
    frames = len(first["trans"]) if isinstance(first, dict) and "trans" in first else 0
    keys = {"frames": frames, "mocap_framerate": fps, "person1": first, "person2": second, **changes}
    return {key: value for key, value in keys.items() if value is not None}


def write(home: Path, number: str, content: Any, captions: bytes | None = None) -> Path:
    """``motions/<n>.pkl`` (of an object, or bytes as they are) and ``annots/<n>.txt``."""
    path = home / "motions" / f"{number}.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    if captions is not None:
        (home / "annots").mkdir(exist_ok=True)
        (home / "annots" / f"{number}.txt").write_bytes(captions)
    return path


def processed(truth: Truth, *, layout: str = "interleaved", up: str = "z") -> np.ndarray:
    """(T, 492): 62 positions, 51 rotations of which the first 21 are the body's."""
    poses, pelvis = truth
    joints = forward_kinematics(poses, pelvis - SMPLX_J0)[0][:, :22]
    matrices = Rotation.from_rotvec(poses[:, 1:22].reshape(-1, 3)).as_matrix().reshape(len(poses), 21, 3, 3)
    sixd = {
        "interleaved": matrices[..., :2].reshape(len(poses), 21, 6),
        "columns": np.concatenate([matrices[..., 0], matrices[..., 1]], axis=-1),
        "rows": matrices[..., :2, :].reshape(len(poses), 21, 6),
    }[layout]
    array = np.zeros((len(poses), 492), np.float32)
    array[:, :66] = TURN[up].apply(joints.reshape(-1, 3)).reshape(len(poses), 66)
    array[:, 186:312] = sixd.reshape(len(poses), 126)
    return array


def write_processed(home: Path, number: str, first: np.ndarray | None, second: np.ndarray | None) -> None:
    for person, array in (("person1", first), ("person2", second)):
        folder = home / "motions_processed" / person
        folder.mkdir(parents=True, exist_ok=True)
        if array is not None:
            np.save(folder / f"{number}.npy", array)
